# A boot program that does nothing but receive, by the shortest loop of calls: what the ROM itself costs.
#
# It sleeps until the next tick of the clock, while the card's ring fills, and then takes all that there is. The counter
# plugin is told when it begins to (1), when it has (2), and when it has had FRAMES (3).

        .code16
        .include "program.inc"

        .set    WARM_UP, 20                     # times, in which the emulator translates

# On entry: CS = 0; the return address and the address of !PXE on the stack. It never comes back.
        .globl  _start
_start:
        find_entry
        movw    $PXENV_UNDI_STARTUP, %bx
        call    undi
        movw    $PXENV_UNDI_INITIALIZE, %bx
        call    undi
        movw    $FILTER_DIRECTED | FILTER_BROADCAST, packet_filter
        movw    $PXENV_UNDI_OPEN, %bx
        call    undi
        movw    $PXENV_UNDI_ISR, %bx

        movw    $WARM_UP, %cx
1:      sti
        hlt
        cli
        call    receive
        loop    1b
        movl    $FRAMES, left
2:      sti
        hlt
        cli
        event   1
        call    receive
        event   2
        cmpl    $0, left
        jne     2b
        event   3
3:      hlt
        jmp     3b

# BX = UNDI_ISR. Receives what there is, until nothing is left to be received.
receive:
        movw    $ISR_START, function
        call    undi
        cmpw    $ISR_OURS, function
        jne     3f
        movw    $ISR_PROCESS, function
1:      call    undi
        cmpw    $ISR_DONE, function
        je      3f
        cmpw    $ISR_RECEIVE, function
        jne     2f
        decl    left
        jz      3f
2:      movw    $ISR_GET_NEXT, function
        jmp     1b
3:      ret

# BX = the call. Keeps all registers but AX.
undi:
        pushw   %ds
        pushw   $parameters
        pushw   %bx
        lcallw  *entry_point
        addw    $6, %sp
        ret

        .balign 4
entry_point:
        .long   0
left:
        .long   0
parameters:
        .word   0                               # status
function:
        .word   0                               # UNDI_ISR; UNDI_OPEN: OpenFlag
packet_filter:
        .fill   64
