# The boot sector of the disk behind the network card: it says in which state it found the machine. What does not fit
# into it is in two more sectors.

        .code16
        .set    SECTORS, 0x7e00

        .globl  _start
_start:
        ljmpw   $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    $0x0202, %ax            # two sectors from cylinder 0, head 0, sector 2 of the disk in DL
        movw    $SECTORS, %bx
        movw    $2, %cx
        xorb    %dh, %dh
        int     $0x13
        jc      2f
        movw    $message, %si
        cld
        call    report_text
        call    report
2:      hlt
        jmp     2b

        .org    510
        .word   0xaa55

        .include "state.S"
message:
        .asciz  "RIG-MARK next-device"
        .org    1536
