# The headers of the option ROM, and what the BIOS calls when it finds it.

        .section .rom, "ax"

# PCI Firmware Specification 3.0, section 5.1
rom_header:
        .word   0xaa55
        .byte   0                               # blocks of 512 bytes: filled in by the rig
        jmp     rom_found                       # at offset 3
        .org    0x06
rom_checksum:
        .byte   0                               # filled in by the rig
        .org    0x16
        .word   undi_rom_id                     # PXE, "UNDI option ROM header"
        .word   pci_data
        .word   pnp_header

pci_data:
        .ascii  "PCIR"
        .word   0x10ec, 0x8139                  # Realtek RTL8139
        .word   0
        .word   pci_data_end - pci_data
        .byte   0
        .byte   0x00, 0x00, 0x02                # network controller, Ethernet
        .word   0                               # blocks of 512 bytes: filled in by the rig
        .word   1
        .byte   0                               # code for PC BIOS
        .byte   0x80                            # the last image
        .word   0
pci_data_end:

# Plug and Play BIOS Specification 1.0A, section 3.2
pnp_header:
        .ascii  "$PnP"
        .byte   1
        .byte   (pnp_header_end - pnp_header) / 16
        .word   0
        .byte   0
        .byte   0                               # checksum: filled in by the rig
        .long   0
        .word   vendor_name
        .word   product_name
        .byte   0x02, 0x00, 0x00
        .byte   0x14                            # an IPL device that may be shadowed
        .word   0, 0                            # no boot connection vector, no disconnect vector
        .word   boot                            # bootstrap entry vector
        .word   0, 0
pnp_header_end:

vendor_name:
        .asciz  "Rig"
product_name:
        .asciz  "Quirk ROM"

# PXE, "UNDI ROM ID structure"
undi_rom_id:
        .ascii  "UNDI"
        .byte   undi_rom_id_end - undi_rom_id
        .byte   0                               # checksum: filled in by the rig
        .byte   0
        .byte   0, 1, 2                         # UNDI 2.1.0
        .word   undi_loader
        .word   1500                            # stack that our calls want
        .word   undi_data_size
        .word   undi_text_size
        .ascii  "PCIR"
undi_rom_id_end:

rom_address:
        .word   0                               # bus, device and function

# Far called by the BIOS, once, while this segment can be written to. AX = bus, device and function.
# On exit: AX = "an IPL device is attached"; everything else kept.
rom_found:
        movw    %ax, %cs:rom_address
        subb    %al, %cs:rom_checksum
        subb    %ah, %cs:rom_checksum
        movw    $0x20, %ax
        lretw
