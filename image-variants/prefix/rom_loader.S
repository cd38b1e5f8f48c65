/* What option ROMs have that read their image from the card: how they do, and an UNDI loader with the structure by
 * which it is found (PXE 2.1 section 3.1).
 *
 * It lies right behind rom.S and uses its routines. ROMs that a BIOS reads whole do not have it, for want of room. The
 * image is started as ever, with a mark in its header, but takes base memory from the end of the caller's segment for
 * code. When it returns with success it stays there as the card's UNDI.
 */
    .set ROM_WINDOW,      0x30                  /* in configuration space: PCI 3.0 section 6.2.5.2 */
    .set ROM_ADDRESS,     ~0x7ff
    .set LOADER_STATUS,   0                     /* in the parameters */
    .set LOADER_AX,       2
    .set LOADER_DATA,     12
    .set LOADER_CODE,     14
    .set LOADER_BANG_PXE, 16
    .set LOADER_PXENV,    20
    .set LOADER_STACK,    0x800                 /* bytes of the caller's segment for data */

    .section .rom_loader, "awx"
    .code16
    .balign 4
rom_undi:
    .ascii  "UNDI"
    .byte   rom_undi_end - rom_undi
    .byte   0                                   /* checksum: the builder's */
    .byte   0
    .byte   0, 1, 2                             /* 2.1.0, the lowest part first */
    .word   rom_load
    .word   LOADER_STACK
    .word   LOADER_STACK
rom_undi_code:                                  /* the builder's */
    .word   0
    .ascii  "PCIR"
rom_undi_end:

/* Loads the UNDI.
 *
 * On entry: real mode, called far, on the stack the far pointer to the parameters: bus, device and function of the card
 *           in `LOADER_AX`, and two segments of base memory, as long as the structure says, for code and data. Base
 *           memory from 0:7C00 to the end of an image that is started is free, and so is extended memory that INT 15h
 *           calls so.
 * On exit:  AX = 0, CF clear, the two pointers filled in; or AX = 1, CF set. AX is the status, too. All other registers
 *           and the mark of free base memory are as they were.
 */
rom_load:
    pushfl
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    cld
    movw    %sp, %bp
    pushw   %cs
    popw    %ds
    lesw    48(%bp), %di

    /* The caller's stack, the parameters and our stack must not lie where the image will. */
    movw    %ss, %ax
    movw    %bp, %dx
    call    rom_is_in_the_way
    jc      rom_load_refused
    movw    %es, %ax
    movw    %di, %dx
    call    rom_is_in_the_way
    jc      rom_load_refused
    movw    %es:LOADER_DATA(%di), %ax
    xorw    %dx, %dx
    call    rom_is_in_the_way
    jc      rom_load_refused

    movw    %ss, %dx
    movw    %ax, %ss
    movw    $LOADER_STACK, %sp
    pushw   %dx
    pushw   %bp
    pushw   %es
    pushw   %di

    /* What the image takes of base memory, it takes from the mark down: that is the end of the segment for code. */
    xorw    %ax, %ax
    movw    %ax, %fs
    pushw   %fs:0x413
    movzwl  %es:LOADER_CODE(%di), %eax
    shll    $4, %eax
    movzwl  rom_undi_code, %ecx
    addl    %ecx, %eax
    shrl    $10, %eax
    movw    %ax, %fs:0x413

    /* The card's own memory is above 1 MiB. */
    call    rom_test_a20
    jnc     1f
    movw    $0x2401, %ax
    int     $0x15
    call    rom_test_a20
    jc      rom_load_failed
1:  call    rom_image_here
    jc      rom_load_failed
    movl    $IMAGE, %edi
    call    rom_copy_image
    call    rom_close
    cmpl    rom_image_sum, %eax
    jne     rom_load_failed

    movw    %sp, %bp
    lesw    2(%bp), %di
    movw    %es:LOADER_AX(%di), %ax
    xorw    %bx, %bx
    movw    %bx, %es
    movw    %ax, %es:IMAGE + HEADER_OFFSET + HEADER_CARD
    movw    $(CARD_KNOWN | CARD_LOADED) >> 16, %es:IMAGE + HEADER_OFFSET + HEADER_CARD + 2
    pushl   $0
    lcall   $0, $IMAGE                          /* if AX = 0 then ES:BX = PXENV+, EDX = !PXE */
    addw    $4, %sp
    jmp     1f
rom_load_failed:
    movw    $1, %ax
1:  movw    %es, %si
    xorw    %cx, %cx
    movw    %cx, %fs
    popw    %fs:0x413
    popw    %di
    popw    %es
    popw    %bp
    popw    %cx
    movw    %cx, %ss
    movw    %bp, %sp
    testw   %ax, %ax
    jnz     rom_load_end
    movl    %edx, %es:LOADER_BANG_PXE(%di)
    movw    %bx, %es:LOADER_PXENV(%di)
    movw    %si, %es:LOADER_PXENV+2(%di)
    jmp     rom_load_end
rom_load_refused:
    movw    $1, %ax
rom_load_end:
    movw    %ax, %es:LOADER_STATUS(%di)
    movw    %ax, 8+28(%bp)                      /* EAX of PUSHAD */
    andb    $0xfe, 40(%bp)                      /* the flags above it */
    orb     %al, 40(%bp)
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    popfl
    lret

/* CF set if AX:DX lies where an image is started or just below. Changes EBX, ECX. */
rom_is_in_the_way:
    movzwl  %ax, %ebx
    shll    $4, %ebx
    movzwl  %dx, %ecx
    addl    %ecx, %ebx
    subl    $IMAGE - 64, %ebx
    movl    rom_image_length, %ecx
    addl    $AREA_LENGTH + 0xfff + 64, %ecx
    cmpl    %ecx, %ebx
    ret

/* ESI = the address of the image in the card's own memory, which is opened for it; CF set if the BIOS has given that
 * none, or has no PCI services, and SI = why. Changes EAX to EDX, EDI. */
rom_image_in_card:
    movb    $1, %dl
    call    rom_switch
    jc      1f
    movl    %ecx, %esi
    andl    $ROM_ADDRESS, %esi
    jz      2f
    addl    rom_image, %esi
    clc
    ret
2:  call    rom_close
1:  movw    $rom_text_nowhere, %si
    stc
    ret

/* Shows the card's own ROM in its window (DL = 1), or hides it (DL = 0), by the PCI BIOS; ECX = the window's register; CF
 * set if that fails. Changes EAX, EBX, EDX, EDI. */
rom_switch:
    movw    rom_card, %bx
    pushw   %dx
    movw    $0xb109, %ax                        /* the command register: memory is decoded */
    movw    $4, %di
    int     $0x1a
    jc      1f
    orw     $2, %cx
    movw    $0xb10c, %ax
    movw    rom_card, %bx
    movw    $4, %di
    int     $0x1a
    jc      1f
    movw    $0xb10a, %ax
    movw    rom_card, %bx
    movw    $ROM_WINDOW, %di
    int     $0x1a
1:  popw    %dx
    jc      2f
    andb    $0xfe, %cl
    orb     %dl, %cl
    pushl   %ecx
    movw    $0xb10d, %ax
    movw    rom_card, %bx
    movw    $ROM_WINDOW, %di
    int     $0x1a
    popl    %ecx
2:  ret

rom_text_nowhere:
    .asciz  ": the BIOS shows the card's ROM nowhere (PCI register 30h), so its image cannot be read; flash a .rom"
    .code64
    .text
