# A boot program that calls up for nothing: what the way up costs, and the way back.
#
# It asks the PXE stack that it finds for the state of the card, an answer that is known at once, TIMES times in each
# of ROUNDS rounds. The counter plugin is told when a round begins (1) and ends (2), and when all were made (3). If a
# call fails, it stops, and tells nothing any more.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; on the stack the return address, then the address of !PXE.

        .code16
        .include "program.inc"

        .set    UNDI_GET_STATE, 0x15

        .globl  _start
_start:
        find_entry
        movw    $ROUNDS, %si
        call    round                           # the emulator translates meanwhile
1:      event   1
        call    round
        event   2
        decw    %si
        jnz     1b
        event   3
2:      hlt
        jmp     2b

round:  movw    $TIMES, %cx
1:      pushw   %ds
        pushw   $parameters
        pushw   $UNDI_GET_STATE
        lcallw  *entry_point
        jc      2f
        addw    $6, %sp
        loop    1b
        ret
2:      hlt
        jmp     2b

        .balign 4
entry_point:
        .long   0
parameters:
        .fill   4                               # status, UNDI's state
