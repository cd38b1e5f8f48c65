# A boot program that calls up again and again, by both conventions, while an interrupt handler of its own does so, too.
#
# It reads `greeting` by TFTP from the server that the ACK names, and prints it. Then it says how often its handler was
# answered and how often it was refused, as another call was under way, and returns 0.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; ES:BX leads to PXENV+; on the stack the return address, then the address of
# !PXE.

        .code16
        .include "program.inc"

        .set    TFTP_OPEN, 0x20
        .set    TFTP_CLOSE, 0x21
        .set    TFTP_READ, 0x22
        .set    NO_CALL, 0x7777
        .set    TICK_VECTOR, 0x1c * 4
        .set    TIMES, 1000
        .set    BOOTP_SERVER, 20                # in the ACK

        .globl  _start
_start:
        save_registers
        xorw    %ax, %ax
        movw    %ax, %ds
        movl    %es:PXENV_ENTRY(%bx), %eax
        movl    %eax, pxenv_entry
        movw    %bx, pxenv
        movw    %es, pxenv + 2
        find_entry SAVED

        movw    $0x5650, %ax                    # INT 1Ah tells of the same
        int     $0x1a
        jc      failed
        cmpw    $0x564e, %ax
        jne     failed
        cmpw    pxenv, %bx
        jne     failed
        movw    %es, %ax
        cmpw    pxenv + 2, %ax
        jne     failed

        cli
        movl    TICK_VECTOR, %eax
        movl    %eax, old_tick
        movw    $tick, TICK_VECTOR
        movw    %ds, TICK_VECTOR + 2
        sti

        movw    $TIMES, %cx
1:      movw    $PXENV_GET_CACHED_INFO, %bx
        movw    $cached, %di
        movw    $0, cached + 4                  # BufferSize: only where it is
        movl    $0x12345678, %esi               # all registers but AX are kept
        call    by_registers
        jc      failed
        cmpl    $0x12345678, %esi
        jne     failed
        movw    $0, cached + 4
        call    by_stack
        jc      failed
        cmpw    $0, cached
        jne     failed
        loop    1b
        lesw    cached + 6, %bx
        movl    %es:BOOTP_SERVER(%bx), %eax
        movl    %eax, open + 2

2:      movw    $TFTP_OPEN, %bx                 # as often as it takes until a call of the handler was refused
        movw    $open, %di
        call    by_stack
        jc      failed
        movw    $TFTP_READ, %bx
        movw    $read, %di
        call    by_registers
        jc      failed
        movw    read + 4, %cx
        movw    $TFTP_CLOSE, %bx
        movw    $close, %di
        call    by_stack
        jc      failed
        cmpw    $0, refused
        je      2b

        movw    $buffer, %si
3:      lodsb
        call    report_character
        loop    3b
        cli
        movl    old_tick, %eax
        movl    %eax, TICK_VECTOR
        sti
        movw    $answered_text, %si
        movw    answered, %ax
        call    say
        movw    $refused_text, %si
        movw    refused, %ax
        call    say
        movw    $end_text, %si
        call    report_text
        restore_registers
        xorw    %ax, %ax
        lretw

failed:
        movw    $failed_text, %si
        call    report_text
4:      hlt
        jmp     4b

# Both: BX = opcode, DI = its parameters in segment 0. CF = 1 if it failed.
by_registers:
        pushw   %ds
        popw    %es
        lcallw  *pxenv_entry
        ret
by_stack:
        make_call

# SI -> text, AX = a number.
say:    pushw   %ax
        call    report_text
        popw    %ax
        jmp     report_hex

# INT 1Ch: a call that nobody serves. Its status says whether anybody has looked at it.
tick:   save_registers
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    $0xeeee, tick_parameters
        movw    $NO_CALL, %bx
        movw    $tick_parameters, %di
        call    by_stack
        jnc     5f                              # it cannot succeed
        cmpw    $0xeeee, tick_parameters
        je      6f
        cmpw    $UNSUPPORTED, tick_parameters
        jne     5f
        incw    answered
        jmp     5f
6:      incw    refused
5:      restore_registers
        ljmpw   *%cs:old_tick

        .include "state.S"

answered_text:
        .asciz  "\r\nRIG-MARK upcalls answered="
refused_text:
        .asciz  " refused="
end_text:
        .asciz  ";\r\n"
failed_text:
        .asciz  "\r\nRIG-MARK upcalls: a call has failed\r\n"

        .balign 4
entry_point:
        .long   0
pxenv_entry:
        .long   0
pxenv:  .long   0
old_tick:
        .long   0
answered:
        .word   0
refused:
        .word   0
tick_parameters:
        .word   0
cached: .word   0, 2, 0, 0, 0, 0                # status, packet, size, where, limit
close:  .word   0
open:   .word   0                               # status, server, gateway, name, port, packet size
        .long   0, 0
1:      .asciz  "greeting"
        .zero   128 - (. - 1b)
        .word   0x4500, 512                     # port 69 in network order
read:   .word   0, 0, 0, buffer, 0              # status, number, size, where
buffer:
