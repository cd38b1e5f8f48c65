# What happens before an image runs, by the symbol that is defined:
#
#   HANG      one call of the vendor's driver never comes back, with interrupts open
#   FORGET    the vendor's stack cannot be found any more
#   UNLOAD    the vendor's stack is unloaded, as PXE wants it done: its calls are answered, and its memory is freed
#   INT_18    INT 18h comes back without doing anything
#   STATE     the state of the machine is printed
#
# These two sectors stand before an image. The ROM loads both to 0000:7C00 and enters here. What stays is put at the
# top of free base memory; then the image is moved down to where it belongs and entered with all registers and the
# stack as they were.

        .code16
        .set    SECTORS, 2              # of this stub
        .set    BASE_MEMORY, 0x413      # BIOS data area: KiB of base memory
        .set    HANGING_CALL, 0x0008    # PXENV_UNDI_TRANSMIT
        .set    CHECKSUM, 5             # offsets in !PXE (PXE 2.1, section 3.2)
        .set    LENGTH, 4
        .set    ENTRY_POINT, 0x10
        .set    BIOS_MARK, 639          # KiB of base memory before the ROM took any
        .set    FREE_SEGMENT, 0x8000    # far from all that the ROM had
        .set    UNDI_SHUTDOWN, 0x0005
        .set    STOP_UNDI, 0x0015
        .set    UNLOAD_STACK, 0x0070

        .globl  _start
_start:
        pushal
        pushw   %ds
        pushw   %es
        movw    %sp, %bp                # ds, es: 4; pushal: 32; then the return address: 4; then !PXE
        cld

        .ifdef  UNLOAD
        .irp    opcode, UNDI_SHUTDOWN, UNLOAD_STACK, STOP_UNDI
        ldsw    40(%bp), %si            # !PXE
        pushw   %cs
        pushw   $parameters
        pushw   $\opcode
        lcallw  *ENTRY_POINT(%si)
        addw    $6, %sp
        .endr
        .endif

        xorw    %ax, %ax
        movw    %ax, %ds
        .ifdef  UNLOAD
        movw    $BIOS_MARK, BASE_MEMORY
        movw    $FREE_SEGMENT, %ax      # what the ROM had still holds the stack, and nothing stays
        .else
        decw    BASE_MEMORY             # take 1 KiB off the top of base memory
        movw    BASE_MEMORY, %ax
        shlw    $6, %ax
        .endif
        movw    %ax, %es
        movw    $resident, %si
        xorw    %di, %di
        movw    $(resident_end - resident), %cx
        rep movsb

        .ifdef  INT_18
        movw    $0x18 * 4, %di
        movw    $(comes_back - resident), (%di)
        movw    %es, 2(%di)
        .endif

        .ifdef  STATE
        incw    BASE_MEMORY
        movw    $state_message, %si
        call    report_text
        call    report
        decw    BASE_MEMORY
        .endif

        .ifdef  FORGET
        movw    20(%bp), %bx            # PXENV+ is where ES:BX led, and where INT 1Ah leads
        movw    (%bp), %ds
        movb    $0, (%bx)
        ldsw    40(%bp), %si            # !PXE
        movb    $0, (%si)
        .endif

        .ifdef  HANG
        ldsw    40(%bp), %si            # !PXE
        movl    ENTRY_POINT(%si), %ecx
        movl    %ecx, %es:(vendor_entry - resident)
        movw    $(handler - resident), ENTRY_POINT(%si)
        movw    %es, ENTRY_POINT + 2(%si)
        movb    $0, CHECKSUM(%si)
        movzbw  LENGTH(%si), %cx
        movw    %si, %di
        xorb    %al, %al
1:      subb    (%di), %al
        incw    %di
        loop    1b
        movb    %al, CHECKSUM(%si)
        .endif

        pushw   %es                     # go on in the resident part: the image will lie here
        pushw   $(move_image - resident)
        lretw

resident:
move_image:
        movw    $((0x7c00 + SECTORS * 512) >> 4), %ax
        movw    $(0x7c00 >> 4), %dx
        movw    $24, %bx                # 24 pieces of 16 KiB: more than any image
1:      movw    %ax, %ds
        movw    %dx, %es
        xorw    %si, %si
        xorw    %di, %di
        movw    $(0x4000 / 2), %cx
        rep movsw
        addw    $(0x4000 >> 4), %ax
        addw    $(0x4000 >> 4), %dx
        decw    %bx
        jnz     1b
        .ifdef  STATE                   # nothing stays
        xorw    %ax, %ax
        movw    %ax, %ds
        incw    BASE_MEMORY
        .endif
        popw    %es
        popw    %ds
        popal
        ljmpw   $0, $0x7c00

handler:
        pushw   %bp
        movw    %sp, %bp
        cmpw    $HANGING_CALL, 6(%bp)
        popw    %bp
        je      1f
        ljmpw   *%cs:(vendor_entry - resident)
1:      sti
        jmp     1b

comes_back:
        iretw

vendor_entry:
        .long   0
resident_end:

parameters:
        .skip   16

        .ifdef  STATE
        .include "state.S"
state_message:
        .asciz  "RIG-MARK entry"
        .endif

        .org    SECTORS * 512
