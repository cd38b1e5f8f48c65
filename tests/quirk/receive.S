# A boot program that does nothing but receive, by the shortest loop of calls: what the ROM itself costs.
#
# It sleeps until the next tick of the clock, while the card's ring fills, and then takes all that there is. The counter
# plugin is told when it begins to (1), when it has (2), and when it has had FRAMES (3).

        .code16
        .set    WARM_UP, 20                     # times, in which the emulator translates
        .set    PXENV_UNDI_STARTUP, 0x01        # PXE 2.1, appendix: opcodes and parameters
        .set    PXENV_UNDI_INITIALIZE, 0x03
        .set    PXENV_UNDI_OPEN, 0x06
        .set    PXENV_UNDI_ISR, 0x14
        .set    ENTRY_POINT, 0x10               # in !PXE
        .set    START, 1                        # FuncFlag in
        .set    PROCESS, 2
        .set    GET_NEXT, 3
        .set    OURS, 0                         # FuncFlag out
        .set    DONE, 0
        .set    RECEIVE, 3

        .macro  event number
        .byte   0x0f, 0x1f, 0x80, \number, 0xb0
        .endm

# On entry: CS = 0; the return address and the address of !PXE on the stack. It never comes back.
        .globl  _start
_start:
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %sp, %bp
        lesw    4(%bp), %bx
        movl    %es:ENTRY_POINT(%bx), %eax
        movl    %eax, entry_point
        movw    $PXENV_UNDI_STARTUP, %bx
        call    undi
        movw    $PXENV_UNDI_INITIALIZE, %bx
        call    undi
        movw    $3, packet_filter               # directed and broadcast
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
        movw    $START, function
        call    undi
        cmpw    $OURS, function
        jne     3f
        movw    $PROCESS, function
1:      call    undi
        cmpw    $DONE, function
        je      3f
        cmpw    $RECEIVE, function
        jne     2f
        decl    left
        jz      3f
2:      movw    $GET_NEXT, function
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
