# The boot sector of the disk behind the network card: it says in which state it found the machine.

        .code16
        .globl  _start
_start:
        ljmpw   $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    $message, %si
        cld
        call    report_text
        call    report
2:      hlt
        jmp     2b

        .include "state.S"
message:
        .asciz  "RIG-MARK next-device"
        .org    510
        .word   0xaa55
