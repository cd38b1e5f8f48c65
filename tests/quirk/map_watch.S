# An option ROM for QEMU's virtio-rng-pci that says when somebody asks the BIOS for its map of memory. It drives nothing.
#
# On entry: far called by the BIOS at POST, before the ROMs of cards behind it on the bus; the ROM can be written to.

        .code16
        .set    BLOCKS, 2
        .set    VECTOR, 0x15 * 4

        .section .text
        .globl  _start
_start:
rom:
        .byte   0x55, 0xaa, BLOCKS
        jmp     initialise
        .org    0x18
        .word   data_structure - rom, expansion_header - rom
data_structure:                         # PCI Firmware Specification 3.0, section 5.1.2
        .ascii  "PCIR"
        .word   0x1af4, 0x1005, 0, 0x18
        .byte   0, 0, 0, 0xff           # a device of no class
        .word   BLOCKS, 0
        .byte   0, 0x80
        .word   0
        .balign 16
expansion_header:                       # Plug and Play BIOS 1.0A, section 3.2: without one, SeaBIOS calls a ROM last
        .ascii  "$PnP"
        .byte   1, 2
        .word   0
        .byte   0, 0xcb                 # the sum of all is 0
        .fill   22
previous:
        .long   0

initialise:
        pushw   %ds
        pushl   %eax
        xorw    %ax, %ax
        movw    %ax, %ds
        movl    VECTOR, %eax
        movl    %eax, %cs:previous - rom
        movw    $watch - rom, VECTOR
        movw    %cs, VECTOR + 2
        popl    %eax
        popw    %ds
        pushw   %si
        movw    $watching - rom, %si
        callw   say
        popw    %si
        xorw    %ax, %ax                # nothing to boot from
        lretw

watch:
        pushw   %si
        movw    $asked - rom, %si
        cmpw    $0xe820, %ax
        je      1f
        cmpw    $0xe801, %ax
        je      1f
        cmpb    $0x88, %ah
        jne     2f
1:      callw   say
2:      popw    %si
        ljmpw   *%cs:previous - rom

# Shows the text at CS:SI, in its order with what others show. All registers are kept.
say:
        pushaw
1:      movb    %cs:(%si), %al
        incw    %si
        movb    $0x0e, %ah              # teletype
        movw    $7, %bx
        pushw   %si
        testb   %al, %al
        jz      2f
        int     $0x10
        popw    %si
        jmp     1b
2:      popw    %si
        popaw
        retw

watching:
        .asciz  "\r\nRIG-MARK watching\r\n"
asked:
        .asciz  "\r\nRIG-MARK memory-asked\r\n"
        .org    BLOCKS * 512
