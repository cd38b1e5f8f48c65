# The UNDI loader: puts an UNDI into base memory that its caller took (PXE, "UNDI loader").

        .section .rom, "ax"

# Far called with a far pointer to t_UNDI_LOADER on the stack. On exit: AX = 0, Status = 0, and where !PXE and PXENV+
# are; everything else kept. Interrupt 1Ah is hooked by START_UNDI, not yet.
        .set    LOADER_POINTER, 42              # from BP, behind what is saved here and the return address
undi_loader:
        pushfw
        pushal
        pushw   %ds
        pushw   %es
        cld
        movw    %sp, %bp
        ldsw    LOADER_POINTER(%bp), %bx

        movw    LOADER_UNDI_CS(%bx), %es
        movw    $image_undi_text, %si
        movw    $undi_text_size, %cx
        xorw    %dx, %dx
        callw   load_segment
        movw    LOADER_UNDI_DS(%bx), %ax
        movw    %ax, %es:undi_data_segment
        movw    %ax, %es
        movw    $image_undi_data, %si
        movw    $undi_data_filled, %cx
        movw    $undi_data_zeroed, %dx
        callw   load_segment

        movw    $pxe, LOADER_PXE(%bx)
        movw    %es, LOADER_PXE + 2(%bx)
        movw    $pxenv, LOADER_PXENV(%bx)
        movw    %es, LOADER_PXENV + 2(%bx)
        movw    $SUCCESS, LOADER_STATUS(%bx)
        movw    LOADER_UNDI_CS(%bx), %dx
        movw    %es, %bx

        movw    %cs, %es:pxe + PXE_UNDI_ROM_ID + 2
        movw    %dx, %es:pxe + PXE_ENTRY + 2
        movw    %dx, %es:pxenv + PXENV_ENTRY + 2
        movw    %bx, %es:pxenv + PXENV_PXE + 2
        movw    %bx, %ax
        movw    $undi_data_size, %cx
        movw    $pxe + PXE_UNDI_DATA, %di
        movw    $pxenv + PXENV_UNDI_DATA, %si
        callw   describe
        movw    %dx, %ax
        movw    $undi_text_size, %cx
        movw    $pxe + PXE_UNDI_CODE, %di
        movw    $pxenv + PXENV_UNDI_CODE, %si
        callw   describe

        movw    $undi_quirks, %di
        callw   load_quirks
        callw   summarize_quirks
        callw   seal_structures

        popw    %es
        popw    %ds
        popal
        xorw    %ax, %ax
        popfw
        lretw

# Copies CX bytes from offset SI of the image to ES:0, and zeroes the DX bytes behind them. Changes AX, CX, SI, DI.
load_segment:
        xorw    %di, %di
        rep movsb %cs:(%si), %es:(%di)
        movw    %dx, %cx
        xorb    %al, %al
        rep stosb
        ret

# Describes the segment AX of CX bytes in !PXE (offset DI of ES) and PXENV+ (offset SI of ES). Changes EAX.
describe:
        movw    %ax, %es:(%di)
        movw    %ax, %es:(%si)
        movw    %cx, %es:6(%di)
        movw    %cx, %es:2(%si)
        movzwl  %ax, %eax
        shll    $4, %eax
        movl    %eax, %es:2(%di)
        ret

# Makes both structures in ES valid. Changes AX, CX, SI.
seal_structures:
        seal    pxe, PXE_SIZE, PXE_CHECKSUM
        seal    pxenv, PXENV_SIZE, PXENV_CHECKSUM
        ret
