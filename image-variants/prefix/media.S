/* How an image gets to where a PXE ROM would have put it: from a disk or a CD, or from a boot loader.
 *
 * The loaders move themselves to 0000:0C00 and 0000:0800 first, which nobody uses any more, and keep their stack below
 * the image. Then they start the image as a ROM does, without a PXE stack. The image returns if it cannot run or
 * somebody wants the next boot device, which is the BIOS's business: INT 18h.
 */
    .set IMAGE,           0x7c00
    .set BOOT_SECTOR,     0x0c00                /* as in linker/unpack.ld */
    .set KERNEL_SETUP,    0x0800

    /* The end of each loader, at its own place: starts the image, and then the next boot device.
     *
     * On entry: DS = 0, SS:SP below the image, which is whole; or at the label `failed` with DS = 0 and the image not to
     * be had, which is told by the sentence at `text`, ended by a zero byte; or at `failed`_because with SI at another
     * sentence.
     * To the image: CS:IP = 0000:7C00, ES:BX = 0, on the stack the return address and a null far pointer to !PXE.
     * It does not end: a BIOS whose INT 18h returns has nothing more to boot.
     */
    .macro start_image failed:req, text:req
    xorw    %bx, %bx
    movw    %bx, %es
    pushl   $0
    lcall   $0, $IMAGE
    sti
    jmp     2f
\failed:
    movw    $\text, %si
\failed\()_because:
1:  lodsb
    testb   %al, %al
    jz      2f
    movb    $0x0e, %ah
    movw    $7, %bx
    int     $0x10
    jmp     1b
2:  int     $0x18
3:  hlt
    jmp     3b
    .endm

    /* The boot sector of a disk or a CD.
     *
     * On entry: real mode, this sector at 0000:7C00 (CS may be 07C0h), DL = the drive it is from.
     * On exit: as `start_image` leaves it, with all of the image in memory.
     */
    .section .boot_sector, "awx"
    .code16
boot_sector:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $IMAGE, %sp
    movw    $IMAGE, %si
    movw    $BOOT_SECTOR, %di
    movw    $256, %cx
    rep movsw
    ljmp    $0, $1f
1:  sti
    movb    %dl, drive

    /* A disk whose BIOS has the extensions is read by block number (EDD 1.1). */
    movb    $0x41, %ah
    movw    $0x55aa, %bx
    int     $0x13
    jc      1f
    cmpw    $0xaa55, %bx
    jne     1f
    testb   $1, %cl
    jnz     read_all

    /* Others by cylinder, head and sector: how many there are of each. */
1:  movb    $0x08, %ah
    movb    drive, %dl
    xorw    %di, %di
    int     $0x13
    jc      unreadable
    andw    $0x3f, %cx
    jz      unreadable
    movw    %cx, sectors
    movzbw  %dh, %dx
    incw    %dx
    movw    %dx, heads
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es

    /* One block at a time: slow BIOSes cannot cross tracks or 64 KiB. */
read_all:
    movb    $4, tries
1:  movb    drive, %dl
    cmpw    $0, sectors
    jne     2f
    movb    $0x42, %ah
    movw    $packet, %si
    int     $0x13
    jmp     3f
2:  movl    block, %eax
    xorl    %edx, %edx
    movzwl  sectors, %ecx
    divl    %ecx
    incw    %dx
    movw    %dx, %bx                            /* sector */
    xorl    %edx, %edx
    movzwl  heads, %ecx
    divl    %ecx                                /* EAX = cylinder, DX = head */
    movb    %dl, %dh
    movb    %al, %ch
    movb    %ah, %cl
    shlb    $6, %cl
    orb     %bl, %cl
    movb    drive, %dl
    movw    packet_segment, %es
    xorw    %bx, %bx
    movw    $0x0201, %ax
    int     $0x13
3:  jnc     4f
    decb    tries
    jz      unreadable
    xorb    %ah, %ah
    movb    drive, %dl
    int     $0x13
    jmp     1b
4:  movw    block_length, %ax
    shrw    $4, %ax
    addw    %ax, packet_segment
    incl    block
    decw    blocks
    jnz     read_all

    start_image failed=unreadable, text=text_unreadable

text_unreadable:
    .asciz  "iPXE: this disk cannot be read. Try: another disk, or write it anew\r\n"
drive:
    .byte   0
tries:
    .byte   0
sectors:
    .word   0                                   /* 0: read by block number */
heads:
    .word   0
    .org    boot_sector + BOOT_SECTOR_PARAMETERS - 8
packet:                                         /* of INT 13h AH=42h; the block's number is its second half */
    .byte   16, 0
    .word   1
    .word   0
packet_segment:
    .word   IMAGE >> 4
    /* The builder fills these in: the first block of the image, its high half, how many there are, their length. */
    .org    boot_sector + BOOT_SECTOR_PARAMETERS
block:
    .long   0, 0
blocks:
    .word   0
block_length:
    .word   0
    .org    boot_sector + 0x1be                 /* the partition table is the builder's, too */
    .skip   64
    .word   0xaa55

    /* What a boot loader sees as the setup code of a Linux kernel (Documentation/arch/x86/boot.rst): two sectors.
     *
     * On entry: real mode, CS = 20h more than DS, which is where this lies. The image is at 1 MiB, there may be an initrd
     * and a command line.
     * On exit: as `start_image` leaves it, with the image and after it both, as `image::handed_over` takes them apart.
     */
    .section .kernel_setup, "awx"
    .code16
kernel_setup:
    .org    kernel_setup + 0x1f1
    .byte   1                                   /* setup_sects */
    .word   0
image_paragraphs:
    .long   0                                   /* syssize: the builder's */
    .word   0, 0, 0
    .word   0xaa55
    .byte   0xeb, setup_entry - 1f              /* jump */
1:  .ascii  "HdrS"
    .word   0x0206
    .long   0
    .word   0
    .word   setup_version - kernel_setup - 0x200
    .byte   0                                   /* type_of_loader */
    .byte   1                                   /* loadflags: LOADED_HIGH */
    .word   0
    .long   0x100000                            /* code32_start */
ramdisk_image:
    .long   0
ramdisk_size:
    .long   0
    .long   0
    .word   0, 0
cmd_line_ptr:
    .long   0
    .long   0x37ffffff                          /* initrd_addr_max */
    .long   0
    .byte   0, 0
    .word   0
    .long   COMMAND_LENGTH - 1                  /* cmdline_size */

    .set COMMAND_LENGTH,  0x3f0
    .set COMMAND,         KERNEL_SETUP + 0x408
    .set INITRD_LIMIT,    0x40000               /* what base memory surely has behind the image */

setup_entry:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %es
    xorw    %si, %si
    movw    $KERNEL_SETUP, %di
    movw    $512, %cx
    rep movsw
    ljmp    $0, $1f
1:  movw    %ax, %ss
    movw    $IMAGE, %sp
    sti

    /* The command line may lie where the image is to go. A zero byte stands on either side of it. */
    movb    $0, %es:COMMAND - 1
    movl    %es:cmd_line_ptr, %eax
    movw    $COMMAND + 1, %di
    testl   %eax, %eax
    jz      2f
    decw    %di
    movl    %eax, %esi
    shrl    $4, %eax
    movw    %ax, %ds
    andw    $0x0f, %si
    movw    $COMMAND_LENGTH, %cx
1:  lodsb
    stosb
    testb   %al, %al
    loopnz  1b
2:  movb    $0, %es:-1(%di)
    xorw    %ax, %ax
    movw    %ax, %ds
    subw    $COMMAND - 1, %di
    movzwl  %di, %edi
    pushl   %edi

    movl    $0x100000, %esi
    movl    $IMAGE, %edi
    movl    image_paragraphs, %ecx
    shll    $4, %ecx
    call    copy

    /* Behind the image the command line with its zero bytes, and behind that the initrd. */
    popl    %ecx
    movl    $COMMAND - 1, %esi
    movl    $IMAGE, %edi
    addl    IMAGE + HEADER_OFFSET + HEADER_IMAGE_LENGTH, %edi
    pushl   %ecx
    pushl   %edi
    call    copy
    popl    %edi
    popl    %eax
    addl    %eax, %edi
    movl    ramdisk_size, %ecx
    movw    $text_too_long, %si
    cmpl    $INITRD_LIMIT, %ecx
    ja      no_copy_because
    addl    %ecx, %eax
    movl    %eax, IMAGE + HEADER_OFFSET + HEADER_SCRIPT_LENGTH
    movl    ramdisk_image, %esi
    call    copy
    start_image failed=no_copy, text=text_no_copy

/* Copies ECX bytes, rounded up to words, from ESI to EDI, by INT 15h AH=87h: both may lie above 1 MiB. Changes EAX,
 * EBX, ECX, ESI, EDI. On entry DS = 0. Without that service it does not return: nothing can be done. */
copy:
    incl    %ecx
    shrl    $1, %ecx
1:  testl   %ecx, %ecx
    jz      3f
    movl    $0x4000, %ebx
    cmpl    %ebx, %ecx
    jae     2f
    movl    %ecx, %ebx
2:  movl    %esi, move_source + 2
    movl    %esi, %eax
    shrl    $24, %eax
    movb    %al, move_source + 7
    movb    $0x93, move_source + 5
    movl    %edi, move_target + 2
    movb    $0x93, move_target + 5
    pushl   %ecx
    pushl   %esi
    movw    %bx, %cx
    movw    $move_table, %si
    movw    %ds, %ax
    movw    %ax, %es
    movb    $0x87, %ah
    pushl   %ebx
    pushl   %edi
    int     $0x15
    popl    %edi
    popl    %ebx
    popl    %esi
    popl    %ecx
    jc      no_copy
    subl    %ebx, %ecx
    leal    (%esi,%ebx,2), %esi
    leal    (%edi,%ebx,2), %edi
    jmp     1b
3:  ret

    .balign 8
move_table:
    .skip   16
move_source:
    .word   0xffff
    .skip   6
move_target:
    .word   0xffff
    .skip   6
    .skip   16
setup_version:
    .asciz  "iPXE"
text_no_copy:
    .asciz  "iPXE: the BIOS cannot copy memory. Try: ipxe.iso\r\n"
text_too_long:
    .asciz  "iPXE: initrd over 256 KiB\r\n"
    .org    kernel_setup + 0x400
