# A program for 32-bit protected mode that only says in which state it found the machine: each letter of what is right,
# and then it switches the machine off.
#
# On entry: flat segments, no paging, interrupts off, a stack, what is not in the file zero.

        .ifdef  MULTIBOOT
        .balign 4
        .long   0x1badb002, 0, -0x1badb002
        .endif

        .globl  _start
_start:
        pushfl
        popl    %edi
        movl    $mark, %esi
        call    text

        movl    %cr0, %eax              # protected mode without paging
        andl    $0x80000001, %eax
        cmpl    $1, %eax
        movb    $'p', %al
        call    send_if_equal

        testl   $0x20200, %edi          # interrupts off, not in virtual-8086 mode
        movb    $'i', %al
        call    send_if_equal

        movl    $0x500000, %ebx         # A20 open: 1 MiB apart is not the same memory
        movl    $0, (%ebx)
        movl    $1, -0x100000(%ebx)
        cmpl    $0, (%ebx)
        movb    $'a', %al
        call    send_if_equal

        movl    $zero, %edi             # what is not in the file
        movl    $(zero_end - zero) / 4, %ecx
        xorl    %eax, %eax
        repe    scasl
        movb    $'z', %al
        call    send_if_equal

        cmpl    $0x600d600d, filled     # what is in it
        movb    $'f', %al
        call    send_if_equal

        movl    $end, %esi
        call    text
        movw    $0x604, %dx             # PM1a control of QEMU's PIIX4: SLP_EN, S5
        movw    $0x2000, %ax
        outw    %ax, %dx
1:      hlt
        jmp     1b

send_if_equal:
        je      send
        ret

text:   lodsb
        testb   %al, %al
        jz      2f
        call    send
        jmp     text
2:      ret

send:   pushl   %edx
        pushl   %eax
        movw    $0x3fd, %dx             # COM1, line status
3:      inb     %dx, %al
        testb   $0x20, %al
        jz      3b
        popl    %eax
        movw    $0x3f8, %dx
        outb    %al, %dx
        popl    %edx
        ret

mark:   .asciz  "\nRIG-MARK program="
end:    .asciz  ";\n"

        .data
filled: .long   0x600d600d

        .bss
zero:   .skip   0x4000
zero_end:
