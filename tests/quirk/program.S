# A boot program that comes back with STATUS in AX. Before that it says what it is told of memory, and then writes over
# all of it that is told to be free: what is somebody's still must not be there.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; ES:BX leads to PXENV+; on the stack the return address, then the address of
# !PXE.

        .code16
        .include "program.inc"

        .set    PLACE, 0x9000           # KiB by KiB, from here up to the mark, base memory is written over
        .set    ENTRY, 24               # bytes of an entry of the map
        .set    PIECE, 0x8000           # bytes that are written at a time above 1 MiB

        .globl  _start
_start:
        save_registers
        find_stack SAVED
        cmpl    $0x45585021, %es:(%bx)  # "!PXE"
        movw    $no_stack, %si
        jne     1f
        movw    $begins, %si
1:      call    report_text

        int     $0x12
        movw    $kib, %si
        call    say_word
        movw    $0xe801, %ax
        int     $0x15
        jc      failed
        movw    $below_16m, %si
        call    say_word
        movw    %bx, %ax
        movw    $above_16m, %si
        call    say_word
        movb    $0x88, %ah
        int     $0x15
        jc      failed
        movw    $above_1m, %si
        call    say_word

        # The map, both forms: they must agree.
        xorl    %ebx, %ebx
        movw    $map, %di
2:      xorw    %ax, %ax
        movw    %ax, %es
        pushl   %ebx
        movl    $20, %ecx
        call    ask
        cmpl    $20, %ecx
        jne     failed
        movl    16(%di), %eax
        movl    (%di), %ebp
        popl    %ebx
        pushl   %eax
        movl    $ENTRY, %ecx
        call    ask
        cmpl    $ENTRY, %ecx
        jne     failed
        popl    %eax
        cmpl    16(%di), %eax
        jne     failed
        cmpl    (%di), %ebp
        jne     failed
        movw    $entry, %si
        call    report_text
        movl    4(%di), %eax
        call    report_long
        movl    (%di), %eax
        call    report_long
        movw    $length, %si
        call    report_text
        movl    12(%di), %eax
        call    report_long
        movl    8(%di), %eax
        call    report_long
        movw    16(%di), %ax
        movw    $kind, %si
        call    say_word
        addw    $ENTRY, %di
        testl   %ebx, %ebx
        jnz     2b
        movw    %di, map_end
        movl    $0x10000, %ebx          # an entry that is not there
        call    ask_any
        jnc     failed

        # Base memory up to the mark.
        movw    $(PLACE >> 4), %dx
3:      movw    0x413, %ax
        shlw    $6, %ax
        cmpw    %ax, %dx
        jae     4f
        movw    %dx, %es
        xorw    %di, %di
        movw    $1024 / 4, %cx
        movl    $0xa5a5a5a5, %eax
        rep stosl
        addw    $1024 >> 4, %dx
        jmp     3b

        # And what is usable from 1 MiB to 4 GiB, by the BIOS's block move.
4:      movw    $map, %di
5:      cmpw    map_end, %di
        jae     8f
        cmpl    $1, 16(%di)
        jne     7f
        cmpl    $0, 4(%di)
        jne     7f
        cmpl    $0x100000, (%di)
        jb      7f
        movl    (%di), %ebx
        movl    8(%di), %edx            # what is left; below 4 GiB
6:      movl    $PIECE, %ecx
        cmpl    %ecx, %edx
        jae     1f
        movl    %edx, %ecx
1:      shrl    $1, %ecx
        jz      7f
        movw    %bx, target + 2
        movl    %ebx, %eax
        shrl    $16, %eax
        movb    %al, target + 4
        movb    %ah, target + 7
        pushl   %ecx
        pushl   %ebx
        pushl   %edx
        pushw   %di
        movw    $0, %ax
        movw    %ax, %es
        movw    $descriptors, %si
        movb    $0x87, %ah
        int     $0x15
        popw    %di
        popl    %edx
        popl    %ebx
        popl    %ecx
        jc      failed
        shll    $1, %ecx
        addl    %ecx, %ebx
        subl    %ecx, %edx
        jmp     6b
7:      addw    $ENTRY, %di
        jmp     5b

8:      movw    $ends, %si
        call    report_text
        restore_registers
        movw    $STATUS, %ax
        lretw

failed:
        movw    $wrong, %si
        call    report_text
1:      hlt
        jmp     1b

# Asks for entry EBX of the map, ECX bytes, to ES:DI.
ask:    call    ask_any
        jc      failed
        cmpl    $0x534d4150, %eax       # "SMAP"
        jne     failed
        ret

ask_any:
        movl    $0xe820, %eax
        movl    $0x534d4150, %edx
        int     $0x15
        ret

# SI -> text, AX = a number.
say_word:
        pushw   %cx
        pushw   %ax
        call    report_text
        popw    %ax
        call    report_hex
        popw    %cx
        ret

        .include "state.S"

begins: .asciz  "RIG-MARK program kib="
no_stack:
        .asciz  "RIG-MARK program without a PXE stack"
kib:    .asciz  ""
below_16m:
        .asciz  " e801="
above_16m:
        .asciz  ","
above_1m:
        .asciz  " 88="
entry:  .asciz  ";\r\nRIG-MARK memory start="
length: .asciz  " length="
kind:   .asciz  " kind="
wrong:  .asciz  "RIG-MARK program meets what must not be\r\n"
ends:   .asciz  ";\r\nRIG-MARK program ends\r\n"

        .balign 8
descriptors:                            # INT 15h AH=87h: two for the BIOS, source, target, two for the BIOS
        .quad   0, 0
        .word   0xffff, 0
        .byte   1, 0x93, 0, 0           # 0x10000, which is written over already
target: .word   0xffff, 0
        .byte   0, 0x93, 0, 0
        .quad   0, 0
map_end:
        .word   0
map:
