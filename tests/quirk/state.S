# Prints the state of the machine that a next program finds: `report WHO` as a subroutine of real-mode test code.
#
# On entry: DS = CS, IF as it shall be, any stack with 150 bytes. Changes nothing but flags.

report:
        pushal
        pushw   %ds
        pushw   %es
        cld
        movw    $report_mark, %si       # KiB of free base memory
        call    report_text
        xorw    %ax, %ax
        movw    %ax, %es
        movw    %es:0x413, %ax
        call    report_hex

        movw    $report_int_12, %si     # the same, as INT 12h tells it
        call    report_text
        int     $0x12
        call    report_hex

        movw    $report_masks, %si      # the lines that are masked
        call    report_text
        inb     $0xa1, %al
        movb    %al, %ah
        inb     $0x21, %al
        call    report_hex

        movw    $report_service, %si    # the lines whose interrupts are in service (8259A, OCW3: 0Bh, and 0Ah after it)
        call    report_text
        movb    $0x0b, %al
        outb    %al, $0xa0
        outb    %al, $0x20
        inb     $0xa0, %al
        movb    %al, %ah
        inb     $0x20, %al
        call    report_hex
        movb    $0x0a, %al
        outb    %al, $0xa0
        outb    %al, $0x20

        movw    $report_vectors, %si    # a sum of the interrupt table
        call    report_text
        xorw    %di, %di
        xorw    %ax, %ax
        movw    $0x200, %cx
1:      rolw    $1, %ax
        addw    %es:(%di), %ax
        addw    $2, %di
        loop    1b
        call    report_hex

        xorw    %di, %di                # each vector into base memory: its number, and where it leads
        movl    $0x500, %ebx            # behind the BIOS data area
1:      movzwl  %es:2(%di), %eax
        shll    $4, %eax
        movzwl  %es:(%di), %edx
        addl    %edx, %eax
        cmpl    $0xa0000, %eax
        jae     2f
        cmpl    %ebx, %eax
        jb      2f
        movw    $report_hook, %si
        call    report_text
        pushl   %eax
        movw    %di, %ax
        shrw    $2, %ax
        call    report_hex
        popl    %eax
        call    report_long
2:      addw    $4, %di
        cmpw    $0x400, %di
        jb      1b

        pushw   %ss                     # the memory map
        popw    %es
        subw    $20, %sp
        movw    %sp, %di
        xorl    %ebx, %ebx
        xorw    %si, %si
2:      movl    $0xe820, %eax
        movl    $20, %ecx
        movl    $0x534d4150, %edx
        pushw   %si
        int     $0x15
        popw    %si
        jc      4f
        cmpl    $0, %es:4(%di)
        jne     1f
        cmpl    $0x100000, %es:(%di)
        jae     1f
        pushw   %si
        movw    $report_entry, %si      # what lies below 1 MiB: start, length, kind
        call    report_text
        movl    %es:(%di), %eax
        call    report_long
        movl    %es:8(%di), %eax
        call    report_long
        movw    %es:16(%di), %ax
        call    report_hex
        popw    %si
1:      movw    $10, %cx
        movw    %di, %bp
3:      rolw    $1, %si
        addw    (%bp), %si
        addw    $2, %bp
        loop    3b
        testl   %ebx, %ebx
        jnz     2b
4:      addw    $20, %sp
        movw    %si, %ax
        movw    $report_map, %si        # a sum of all of it
        call    report_text
        call    report_hex

        movw    $report_card, %si       # command and status of the first network card of bus 0
        call    report_text
        movl    $0x80000008, %ebx
5:      call    report_pci
        shrl    $24, %eax
        cmpb    $2, %al
        je      6f
        addl    $0x800, %ebx
        testl   $0x10000, %ebx
        jz      5b
6:      movb    $4, %bl
        call    report_pci
        pushl   %eax
        call    report_hex
        popw    %ax
        movw    $report_status, %si
        call    report_text
        popw    %ax
        call    report_hex
        movw    $report_line, %si       # its interrupt line, and above that its pin
        call    report_text
        movb    $0x3c, %bl
        call    report_pci
        call    report_hex
        movw    $report_end, %si
        call    report_text
        popw    %es
        popw    %ds
        popal
        ret

report_pci:
        movw    $0xcf8, %dx
        movl    %ebx, %eax
        outl    %eax, %dx
        movw    $0xcfc, %dx
        inl     %dx, %eax
        ret

# EAX = a number.
report_long:
        pushl   %eax
        shrl    $16, %eax
        call    report_hex
        popl    %eax

# AX = a number. Changes AX, CX.
report_hex:
        movw    $4, %cx
1:      rolw    $4, %ax
        pushw   %ax
        andb    $0x0f, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     2f
        addb    $'a' - '0' - 10, %al
2:      call    report_character
        popw    %ax
        loop    1b
        ret

report_text:
        lodsb
        testb   %al, %al
        jz      1f
        call    report_character
        jmp     report_text
1:      ret

report_character:
        pushal
        movb    $0x0e, %ah
        movw    $7, %bx
        int     $0x10
        popal
        ret

report_mark:
        .asciz  " mark="
report_int_12:
        .asciz  " int12="
report_masks:
        .asciz  " masks="
report_service:
        .asciz  " service="
report_vectors:
        .asciz  " vectors="
report_hook:
        .asciz  " hook="
report_entry:
        .asciz  " below-1m="
report_map:
        .asciz  " map="
report_card:
        .asciz  " card="
report_status:
        .asciz  " status="
report_line:
        .asciz  " line="
report_end:
        .asciz  ";\r\n"
