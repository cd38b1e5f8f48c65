# Prints the state of the machine that a next program finds: `report WHO` as a subroutine of real-mode test code.
#
# On entry: DS = CS, IF as it shall be, any stack with 100 bytes. Changes nothing but flags.

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

        movw    $report_masks, %si      # the lines that are masked
        call    report_text
        inb     $0xa1, %al
        movb    %al, %ah
        inb     $0x21, %al
        call    report_hex

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

        movw    $report_map, %si        # a sum of the memory map
        call    report_text
        pushw   %ss
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
        movw    $10, %cx
        movw    %di, %bp
3:      rolw    $1, %si
        addw    (%bp), %si
        addw    $2, %bp
        loop    3b
        testl   %ebx, %ebx
        jnz     2b
4:      addw    $20, %sp
        movw    %si, %ax
        call    report_hex

        movw    $report_card, %si       # the command register of the first network card of bus 0
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
report_masks:
        .asciz  " masks="
report_vectors:
        .asciz  " vectors="
report_map:
        .asciz  " map="
report_card:
        .asciz  " card="
report_end:
        .asciz  ";\r\n"
