# A PXE ROM for an RTL8139, as a vendor of that time would have made it, that misbehaves on command.
#
# It is assembled and linked by tests/src/rom.rs, which also fills in lengths and checksums, and says in fw_cfg what
# to boot and how to misbehave. There are five segments, each with offsets of its own, laid out by layout.ld:
#
#   .rom                      stays in option ROM space: headers, the UNDI loader, the boot code
#   .undi.text, .undi.data    copied to base memory by the UNDI loader
#   .base.text, .base.data    copied to base memory by the boot code, below the UNDI
#
# Code in .text sections is not written to after its segment was loaded: an emulator that translates code is slow
# where its pages are. It is 16-bit real-mode code for an 80486.
        .code16

        .include "pxe.inc"
        .include "header.S"
        .include "loader.S"
        .include "boot.S"
        .include "fw_cfg.S"
        .include "undi.S"
        .include "rtl8139.S"
        .include "base.S"
        .include "quirks.S"
