# A boot program that comes back at once. How depends on how often it was started before, which it counts in the BIOS data
# area, in the bytes for programs' own use (40:F0 to 40:FF).
#
# PROGRAM: bits 15:0 are AX in turn, bit 15 from then on; bits 31:16 choose the place of the count, 0 to 11. The firmware
# has the first four bytes itself.
#
# On entry: as a PXE ROM starts a program. On exit: AX = 0 or 1; CX and the flags are changed.

        .code16
        .set    COUNT, 0xf4 + (PROGRAM >> 16)

        .globl  _start
_start:
        pushw   %ds
        movw    $0x40, %ax
        movw    %ax, %ds
        movb    COUNT, %cl
        cmpb    $15, %cl
        jae     1f
        incb    COUNT
1:      movw    $(PROGRAM & 0xffff), %ax
        shrw    %cl, %ax
        andw    $1, %ax
        popw    %ds
        lretw
