/* An image as the option ROM of a PCI card: PCI Firmware Specification 3.0, Plug and Play BIOS Specification 1.0A.
 *
 * The ROM is this block, the card's name and list of devices, and the image as a PXE ROM would load it, which may lie
 * behind what the BIOS sees of the ROM. The BIOS calls
 * it twice: at POST (`rom_post`), when the ROM can be written to, and to boot (`rom_boot`), when it cannot. What is
 * found out at POST is kept in the ROM itself, the image in memory above 1 MiB that the BIOS gives away (POST Memory
 * Manager Specification 1.01), so that little of the ROM stays below 1 MiB.
 */
    .set IMAGE,           0x7c00
    .set STACK,           0x7c00
    .set BLOCK_SHIFT,     9

    .section .rom, "awx"
    .code16
rom:
    .word   0xaa55
rom_blocks:                                     /* the builder's, and less when the image is elsewhere */
    .byte   0
    .byte   0xe9                                /* the BIOS calls offset 3 */
    .word   rom_post - rom_checksum
rom_checksum:                                   /* the builder's, and mended at POST */
    .byte   0
    .org    rom + 0x16
    .word   0                                   /* no UNDI ROM ID structure, as there is no loader for it */
    .word   rom_pci
    .word   rom_plug_and_play

    /* The builder fills these in. */
    .org    rom + ROM_PARAMETERS
rom_stays:                                      /* blocks of the ROM without its image */
    .word   0
rom_place:                                      /* where the card's place is in its name: `00:00.0` */
    .word   0
rom_image:                                      /* where the image begins in the ROM, a multiple of 4 */
    .long   0
rom_image_length:                               /* a multiple of 4 */
    .long   0
rom_image_sum:                                  /* all dwords of the image, added up */
    .long   0

    /* Found out at POST. */
rom_card:                                       /* CARD_KNOWN and bus, device, function */
    .long   0
rom_kept:                                       /* the image's address above 1 MiB; 0: it is in the ROM */
    .long   0

    .balign 4
rom_pci:                                        /* PCI Firmware 3.0 section 5.1; the numbers are the builder's */
    .ascii  "PCIR"
    .word   0, 0, 0
    .word   rom_pci_end - rom_pci
    .byte   3
    .byte   0x00, 0x00, 0x02                    /* class: Ethernet */
    .word   0
    .word   1
    .byte   0                                   /* for PC BIOS */
    .byte   0x80                                /* the last image */
    .word   0, 0, 0
rom_pci_end:

    .balign 16                                  /* some BIOSes look for it on such places only */
rom_plug_and_play:                              /* Plug and Play BIOS 1.0A section 3.2 */
    .ascii  "$PnP"
    .byte   1
    .byte   (rom_plug_and_play_end - rom_plug_and_play) / 16
    .word   0
    .byte   0
    .byte   0                                   /* checksum: the builder's */
    .long   0
    .word   rom_text_manufacturer
    .word   0                                   /* the card's name: the builder's */
    .byte   0x02, 0x00, 0x00                    /* Ethernet */
    .byte   0xf4                                /* initialised at POST, may be shadowed, for booting only, boots */
    .word   0
    .word   0
    .word   rom_boot
    .word   0
    .word   0
rom_plug_and_play_end:

/* POST.
 *
 * On entry: real mode, called far at offset 3, AX = bus, device and function, BX = the segment for what stays of the
 * ROM if the BIOS is one of PCI 3.0; the ROM can be written to; INT 10h works.
 * On exit: AX = 20h, a device to boot from is there (Plug and Play BIOS 1.0A), all else as it was. ROM
 * and checksum are as they will stay. Or AX = 0 and a ROM of no length: see `rom_homeless`.
 */
rom_post:
    pushfl
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    cld
    movw    %cs, %dx
    movw    %dx, %ds
    movw    %ax, rom_card
    movw    $CARD_KNOWN >> 16, rom_card+2
    call    rom_write_place
    movw    $rom_text_line, %si
    call    rom_print
    call    rom_print_name

    /* BP = the segment of what stays: BX of a PCI 3.0 BIOS, unless it overlaps this or is no place for a ROM, as some
     * BIOSes pass anything; else where we are. */
    movw    %cs, %bp
    pushw   %bx
    movw    $0xb101, %ax
    stc
    int     $0x1a
    popw    %si
    jc      1f
    testb   %ah, %ah
    jnz     1f
    cmpl    $0x20494350, %edx                   /* "PCI " */
    jne     1f
    cmpb    $3, %bh
    jb      1f
    cmpw    $0xc000, %si
    jb      1f
    movzbw  rom_blocks, %cx
    shlw    $BLOCK_SHIFT - 4, %cx
    movw    %si, %ax
    subw    %bp, %ax
    jae     2f
    negw    %ax
2:  cmpw    %cx, %ax
    jb      1f
    movw    %si, %bp

1:  call    rom_keep_image
    jnc     rom_shrink
    call    rom_print
    movw    %cs, %ax
    cmpw    %ax, %bp
    je      rom_seal
    movzbw  rom_blocks, %ax
    cmpw    rom_stays, %ax
    je      rom_seal

/* The image is only here, and here is not where the ROM stays: it cannot boot. */
rom_homeless:
    movw    $rom_text_homeless, %si
    call    rom_print
    movb    $0, rom_blocks
    xorw    %dx, %dx
    jmp     rom_post_end

rom_shrink:
    movw    rom_stays, %ax
    movb    %al, rom_blocks
    movw    $rom_text_kept, %si
    call    rom_print
    movl    rom_kept, %eax
    call    rom_print_hex32
rom_seal:
    /* All bytes of the ROM add up to zero. */
    movzbw  rom_blocks, %cx
    movw    %cs, %dx
    xorb    %bl, %bl
1:  movw    %dx, %es
    xorw    %si, %si
2:  lodsb   %es:(%si), %al
    addb    %al, %bl
    testw   $(1 << BLOCK_SHIFT) - 1, %si
    jnz     2b
    addw    $1 << (BLOCK_SHIFT - 4), %dx
    loop    1b
    subb    %bl, rom_checksum

    /* To its place, if that is another: then it has shrunk to less than 64 KiB. */
    movw    %cs, %ax
    cmpw    %ax, %bp
    je      1f
    movw    %bp, %es
    movzbw  rom_blocks, %cx
    shlw    $BLOCK_SHIFT, %cx
    xorw    %si, %si
    xorw    %di, %di
    rep movsb
1:
    movw    $rom_text_stays, %si
    call    rom_print
    movzbl  rom_blocks, %eax
    shll    $BLOCK_SHIFT, %eax
    call    rom_print_decimal
    movw    $rom_text_at, %si
    call    rom_print
    movw    %bp, %ax
    call    rom_print_hex16
    movw    $rom_text_base, %si
    call    rom_print
    xorw    %ax, %ax
    movw    %ax, %es
    movzwl  %es:0x413, %eax
    call    rom_print_decimal
    movw    $rom_text_base_end, %si
    call    rom_print
    movw    $0x20, %dx
rom_post_end:
    popw    %fs
    popw    %es
    popw    %ds
    movw    %sp, %bp
    movw    %dx, 28(%bp)                        /* EAX of PUSHAD */
    popal
    popfl
    lret

/* Puts the image into memory above 1 MiB, and checks that it is there; CF set if that cannot be, and SI = why. Changes
 * all but BP, SP and segments; FS it changes. */
rom_keep_image:
    pushw   %bp
    pushw   %es
    movw    $0xe000 - 1, %bx
1:  incw    %bx
    jz      9f
    movw    %bx, %es
    cmpl    $0x4d4d5024, %es:0                  /* "$PMM", on a paragraph */
    jne     1b
    movzbw  %es:5, %cx
    jcxz    1b
    xorw    %si, %si
    xorb    %dl, %dl
2:  lodsb   %es:(%si), %al
    addb    %al, %dl
    loop    2b
    testb   %dl, %dl
    jnz     1b

    /* Its answers would be written to the first MiB if A20 were closed. */
    call    rom_test_a20
    jc      9f

    /* pmmAllocate: whole pages, as some BIOSes give less than they say otherwise. */
    movl    rom_image_length, %ecx
    addl    $0xfff, %ecx
    shrl    $12, %ecx
    shll    $8, %ecx
    pushw   $2                                  /* above 1 MiB */
    pushl   $0xffffffff                         /* without a handle */
    pushl   %ecx
    pushw   $0
    lcall   *%es:7
    addw    $12, %sp
    pushw   %cs
    popw    %ds
    cld
    pushw   %dx
    pushw   %ax
    popl    %edi
    cmpl    $0x100000, %edi                     /* 0: there is none */
    jb      9f
    cmpl    $0xffffffff, %edi                   /* there is no such function */
    je      9f
    movl    %edi, rom_kept
    call    rom_image_here
    jc      7f
    movl    rom_kept, %edi
    call    rom_copy_image
    call    rom_close
    movl    rom_kept, %esi
    movl    %esi, %edi
    call    rom_copy_image
    cmpl    rom_image_sum, %eax
    je      8f
9:  movw    $rom_text_whole, %si
7:  movl    $0, rom_kept
    stc
8:  popw    %es
    popw    %bp
    ret

/* ESI = the address of the image as it came: in the ROM; or behind what is visible of it, in the card's own memory, which
 * is opened for it by the block behind this; CF set if that cannot be, and SI = why. Changes EAX to EDX, EDI. */
rom_image_here:
    xorl    %esi, %esi
    movw    %cs, %si
    shll    $4, %esi
    addl    rom_image, %esi
    movzbl  rom_blocks, %eax
    shll    $BLOCK_SHIFT, %eax
    cmpl    %eax, rom_image
    jae     rom_image_in_card
    clc
    ret

/* Closes what `rom_image_here` has opened. Changes EBX to EDX, EDI. */
rom_close:
    pushl   %eax
    movzbl  rom_blocks, %eax
    shll    $BLOCK_SHIFT, %eax
    cmpl    %eax, rom_image
    jb      1f
    xorb    %dl, %dl
    call    rom_switch
1:  popl    %eax
    ret

/* Copies the image from address ESI to EDI, and adds up in EAX what was read. Changes EBX, ECX, ESI, EDI, FS, which may
 * reach all memory afterwards. On entry DS = CS. */
rom_copy_image:
    pushfl
    pushw   %bp
    cli
    movl    rom_image_length, %ecx
    shrl    $2, %ecx

    /* FS is made to reach all memory by a look into protected mode. The ROM may not be written to, so what describes
     * the table lies on the stack. */
    subw    $6, %sp
    movw    %sp, %bp
    sgdtl   (%bp)
    xorl    %eax, %eax
    movw    %cs, %ax
    shll    $4, %eax
    addl    $rom_gdt, %eax
    pushl   %eax
    pushw   $rom_gdt_end - rom_gdt - 1
    movw    %sp, %bp
    lgdtl   (%bp)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    jmp     1f
1:  movw    $8, %bx
    movw    %bx, %fs
    andb    $0xfe, %al
    movl    %eax, %cr0
    jmp     2f
2:  xorw    %bx, %bx
    movw    %bx, %fs
    addw    $6, %sp
    movw    %sp, %bp
    lgdtl   (%bp)
    addw    $6, %sp

    xorl    %eax, %eax
3:  movl    %fs:(%esi), %ebx
    movl    %ebx, %fs:(%edi)
    addl    %ebx, %eax
    addl    $4, %esi
    addl    $4, %edi
    decl    %ecx
    jnz     3b
    popw    %bp
    popfl
    ret

    .balign 8
rom_gdt:
    .quad   0
    .quad   0x00cf93000000ffff                  /* flat data, accessed */
rom_gdt_end:

/* CF set if A20 is closed: the interrupt vectors seem to be 1 MiB further up as well. Only looks. Changes CX, DI. */
rom_test_a20:
    pushw   %ds
    pushw   %es
    pushw   %si
    xorw    %si, %si
    movw    %si, %ds
    movw    $0xffff, %di
    movw    %di, %es
    movw    $0x10, %di
    movw    $0x400 / 4, %cx
    repe cmpsl
    popw    %si
    popw    %es
    popw    %ds
    clc
    jne     1f
    stc
1:  ret

/* Boot.
 *
 * On entry: real mode, called far by a BIOS that boots from us; the ROM cannot be written to.
 * On exit: as a PXE ROM starts an image: it is at 0000:7C00, ES:BX = 0, on the stack the return address and a null far
 * pointer to !PXE. Its header says which card we are of. It returns if it cannot run or somebody wants the next
 * boot device, which is the BIOS's business: INT 18h.
 */
rom_boot:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ss
    movw    $STACK, %sp
    sti
    pushw   %cs
    popw    %ds
    movw    $rom_text_line, %si
    call    rom_print
    call    rom_print_name
    movw    $rom_text_boots, %si
    call    rom_print
    movl    rom_kept, %esi
    testl   %esi, %esi
    jnz     1f
    call    rom_image_here
    jnc     2f
    addw    $2, %si                             /* the text without its colon */
    jmp     rom_says

    /* Above 1 MiB: A20 is opened by the BIOS, else by port 92h. */
1:  call    rom_test_a20
    jnc     2f
    movw    $0x2401, %ax
    pushl   %esi
    int     $0x15
    popl    %esi
    jnc     2f
    inb     $0x92, %al
    orb     $0x02, %al
    andb    $0xfe, %al                          /* bit 0 resets the machine */
    outb    %al, $0x92
2:  movl    $IMAGE, %edi
    call    rom_copy_image
    cmpl    rom_image_sum, %eax
    jne     rom_damaged
    cmpl    $0, rom_kept
    jne     1f
    call    rom_close
1:
    xorw    %bx, %bx
    movw    %bx, %es
    movl    rom_card, %eax
    movl    %eax, %es:IMAGE + HEADER_OFFSET + HEADER_CARD
    pushl   $0
    lcall   $0, $IMAGE
    sti
    jmp     rom_next
rom_damaged:
    movw    $rom_text_damaged, %si
rom_says:
    call    rom_print
rom_next:
    int     $0x18
1:  hlt
    jmp     1b

/* Writes the card's place into its name. Changes AX, DX, DI. */
rom_write_place:
    movw    rom_place, %di
    movw    rom_card, %dx
    movb    %dh, %al
    call    rom_write_hex8
    incw    %di
    movb    %dl, %al
    shrb    $3, %al
    call    rom_write_hex8
    incw    %di
    movb    %dl, %al
    andb    $7, %al
    jmp     rom_write_digit

/* Writes AL in hexadecimal digits to DS:DI, which goes on. Changes AX. */
rom_write_hex8:
    pushw   %ax
    shrb    $4, %al
    call    rom_write_digit
    popw    %ax
    andb    $0x0f, %al
rom_write_digit:
    call    rom_digit
    movb    %al, (%di)
    incw    %di
    ret

/* AL: the character of a number below 16. */
rom_digit:
    cmpb    $10, %al
    jb      1f
    addb    $'a' - '0' - 10, %al
1:  addb    $'0', %al
    ret

/* Prints EAX in decimal digits. Changes EAX, ECX, EDX. */
rom_print_decimal:
    movl    $10, %ecx
    xorl    %edx, %edx
    divl    %ecx
    pushw   %dx
    testl   %eax, %eax
    jz      1f
    call    rom_print_decimal
1:  popw    %ax
    jmp     rom_print_digit

/* Prints EAX, or AX, in hexadecimal digits. Changes EAX. */
rom_print_hex32:
    pushl   %eax
    shrl    $16, %eax
    call    rom_print_hex16
    popl    %eax
rom_print_hex16:
    pushw   %ax
    movb    %ah, %al
    call    rom_print_hex8
    popw    %ax
rom_print_hex8:
    pushw   %ax
    shrb    $4, %al
    call    rom_print_digit
    popw    %ax
    andb    $0x0f, %al
rom_print_digit:
    call    rom_digit

/* Prints the character in AL. */
rom_print_character:
    pushal
    movb    $0x0e, %ah
    movw    $7, %bx
    int     $0x10
    popal
    ret

/* Prints the card's name, and the text at DS:SI, ended by a zero byte. Changes AX, SI. */
rom_print_name:
    movw    rom_plug_and_play + 0x10, %si
rom_print:
    lodsb
    testb   %al, %al
    jz      1f
    call    rom_print_character
    jmp     rom_print
1:  ret

rom_text_manufacturer:
    .asciz  "iPXE in Rust"
rom_text_line:
    .asciz  "\r\n"
rom_text_kept:
    .asciz  ": image in memory at "
rom_text_whole:
    .asciz  ": the BIOS has no memory for its image (PMM)"
rom_text_stays:
    .asciz  ", ROM of "
rom_text_at:
    .asciz  " bytes at "
rom_text_base:
    .asciz  "0, base memory "
rom_text_base_end:
    .asciz  " KiB\r\n"
rom_text_homeless:
    .asciz  ", and there is no room for it: not bootable\r\n"
rom_text_boots:
    .asciz  " boots\r\n"
rom_text_damaged:
    .asciz  "The image that was kept in memory has changed. Try: switch the machine off and on again\r\n"
