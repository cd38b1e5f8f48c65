# What the BIOS calls to boot from the card: puts UNDI and base code into base memory, starts the card, and calls the
# network boot program. Comes back when that does, with everything as it was found, so that the BIOS goes on to its
# next boot device.

        .section .rom, "ax"

        .set    BASE_MEMORY, 0x413              # BIOS data area: KiB of free base memory, "the mark"
        .set    NBP_ADDRESS, 0x7c00
        .set    NBP_PIECE, 0x4000               # read at once

text_name:
        .asciz  "Quirk ROM: RTL8139\r\n"
text_no_nbp:
        .asciz  "Quirk ROM: no boot program, or no room for it\r\n"
text_returned:
        .asciz  "Quirk ROM: the boot program came back\r\n"

# The bootstrap entry vector, far called by the BIOS (BIOS Boot Specification 1.01, section 3.3). All is kept.
boot:
        pushfw
        pushal
        pushw   %ds
        pushw   %es
        pushw   %fs
        pushw   %gs
        cld
        sti
        movw    $text_name, %si
        callw   print

        # The UNDI: FS = its data.
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    BASE_MEMORY, %bx                # as found, for later
        movw    $undi_text_size, %cx
        movw    $undi_data_size, %dx
        callw   allocate
        movw    %dx, %fs
        pushw   %di                             # bytes of its data
        subw    $LOADER_SIZE, %sp
        movw    %sp, %bp
        movw    %cs:rom_address, %si
        movw    %si, LOADER_AX(%bp)
        movw    %ax, LOADER_UNDI_CS(%bp)
        movw    %dx, LOADER_UNDI_DS(%bp)
        pushw   %ss
        pushw   %bp
        pushw   %cs
        callw   undi_loader
        movw    LOADER_UNDI_CS(%bp), %ax
        addw    $4 + LOADER_SIZE, %sp

        # In what was allocated, not what the loader asked for.
        pushw   %fs
        popw    %es
        movw    %dx, %cx
        subw    %ax, %cx
        shlw    $4, %cx
        movw    $pxe + PXE_UNDI_CODE, %di
        movw    $pxenv + PXENV_UNDI_CODE, %si
        callw   describe
        movw    %dx, %ax
        popw    %cx
        movw    $pxe + PXE_UNDI_DATA, %di
        movw    $pxenv + PXENV_UNDI_DATA, %si
        callw   describe

        # The base code: GS = its data.
        movw    $base_text_size, %cx
        movw    $base_data_size, %dx
        callw   allocate
        movw    %dx, %gs
        pushw   %di
        pushw   %ax
        pushw   %bx
        movw    %ax, %es
        movw    $image_base_text, %si
        movw    $base_text_size, %cx
        xorw    %dx, %dx
        callw   load_segment
        movw    %gs, %es:base_data_segment
        movl    %fs:pxe + PXE_ENTRY, %eax
        movl    %eax, %es:undi_entry_point
        pushw   %gs
        popw    %es
        movw    $image_base_data, %si
        movw    $base_data_filled, %cx
        movw    $base_data_zeroed, %dx
        callw   load_segment
        movw    %fs, %gs:undi_segment
        popw    %gs:found_mark
        popw    %ax                             # its code
        pushw   %fs
        popw    %es
        movw    %ax, %gs:base_entry_point + 2
        movw    %ax, %es:pxe + PXE_ENTRY + 2
        movw    $base_entry, %es:pxe + PXE_ENTRY
        movw    %ax, %es:pxenv + PXENV_ENTRY + 2
        movw    $base_entry_registers, %es:pxenv + PXENV_ENTRY
        movw    %gs, %cx
        subw    %ax, %cx
        shlw    $4, %cx
        movw    $pxe + PXE_BASE_CODE, %di
        movw    $pxenv + PXENV_BASE_CODE, %si
        callw   describe
        movw    %gs, %ax
        popw    %cx
        movw    $pxe + PXE_BASE_DATA, %di
        movw    $pxenv + PXENV_BASE_DATA, %si
        callw   describe
        movw    %gs, %ax
        movw    $base_stack_end, %cx            # the stack lies at the beginning of the same segment
        movw    $pxe + PXE_STACK, %di
        movw    $pxenv + PXENV_STACK, %si
        callw   describe
        callw   seal_structures

        # The base code's timer, and its stack.
        pushw   %gs:base_entry_point + 2
        popw    %es
        cli
        movw    $TICK_VECTOR * 4, %di
        cmpb    $0, %fs:undi_quirks + QUIRK_TIMER_HOOKED
        je      1f
        movw    $TIMER_VECTOR * 4, %di
1:      movw    %di, %es:tick_place
        movl    (%di), %eax                     # DS = 0
        movl    %eax, %es:old_tick
        movw    $base_tick, (%di)
        movw    %es, 2(%di)
        movw    %sp, %gs:bios_stack
        movw    %ss, %gs:bios_stack + 2
        movw    %gs, %ax
        movw    %ax, %ss
        movw    $base_stack_end, %sp
        sti

        # The card. That it may fail to start is the boot program's affair.
        movw    %cs:rom_address, %ax
        movw    %ax, %gs:scratch + 2
        movw    $PXENV_START_UNDI, %bx
        callw   call_api
        movw    $PXENV_UNDI_STARTUP, %bx
        callw   call_api
        movw    $PXENV_UNDI_INITIALIZE, %bx
        callw   call_api

        # What is to be booted.
        pushw   %fs
        popw    %ds
        movw    $undi_quirks, %si
        pushw   %gs
        popw    %es
        movw    $base_quirks, %di
        movw    $QUIRK_COUNT, %cx
        rep movsb
        movb    undi_clobbers, %al
        movb    %al, %es:base_clobbers
        movw    $file_packets, %si
        callw   open_file
        jc      1f
        movw    $packets, %di
        movw    $PACKETS_SIZE, %cx
        callw   read_file
1:      callw   spoil_structures
        callw   quirk_open_line
        callw   load_nbp
        jc      2f

        # PXE, "NBP entry": ES:BX = PXENV+, SS:SP = the return address, then a pointer to !PXE.
        pushw   %fs
        popw    %es
        movl    $pxenv, %ebx
        pushw   %es
        pushw   $pxe
        lcallw  $0, $NBP_ADDRESS
        addw    $4, %sp
        movw    $text_returned, %si
        jmp     3f
2:      movw    $text_no_nbp, %si
3:      cld
        sti
        pushw   %ss                             # the boot program keeps SS:SP, and perhaps nothing else
        popw    %gs
        movw    %gs:undi_segment, %fs
        callw   print
        callw   quirk_close_line

        # Everything back, and for this without quirks.
        pushw   %gs
        popw    %es
        movw    $base_quirks, %di
        callw   forget_quirks
        movb    $0, %es:base_clobbers
        pushw   %fs
        popw    %es
        movw    $undi_quirks, %di
        callw   forget_quirks
        movb    $0, %es:undi_clobbers
        movw    $PXENV_UNDI_CLOSE, %bx
        callw   call_api
        movw    $PXENV_UNDI_SHUTDOWN, %bx
        callw   call_api
        movw    $PXENV_UNDI_CLEANUP, %bx
        callw   call_api
        movw    %gs:found_mark, %dx
        movw    %gs:base_entry_point + 2, %cx   # where the lowest of our memory is
        movw    $PXENV_UNLOAD_STACK, %bx
        callw   call_api
        jc      1f
        movw    $PXENV_STOP_UNDI, %bx
        callw   call_api
        jc      1f
        xorw    %ax, %ax
        movw    %ax, %ds
        shrw    $6, %cx
        cmpw    %cx, BASE_MEMORY
        jne     1f
        movw    %dx, BASE_MEMORY
1:      lssw    %gs:bios_stack, %sp

        popw    %gs
        popw    %fs
        popw    %es
        popw    %ds
        popal
        popfw
        lretw

# Takes memory for two segments off the top of base memory, each beginning on a page of its own.
#
# On entry: CX = bytes of code, DX = bytes of data, DS = 0.
# On exit:  AX = segment of the code, DX = segment of the data, DI = bytes of the latter. Changes CX.
allocate:
        movw    BASE_MEMORY, %ax
        shlw    $6, %ax                         # paragraphs
        movw    %ax, %di
        shrw    $4, %dx
        subw    %dx, %ax
        andw    $0xff00, %ax
        movw    %ax, %dx
        subw    %ax, %di
        shlw    $4, %di
        shrw    $4, %cx
        subw    %cx, %ax
        andw    $0xff00, %ax
        movw    %ax, %cx
        shrw    $6, %cx
        movw    %cx, BASE_MEMORY
        ret

# Calls the API with opcode BX and the base code's scratch as parameters, as a client that trusts nobody.
# On exit: CF as answered. Everything else is kept.
call_api:
        pushal
        pushw   %ds
        pushw   %es
        pushw   %fs
        pushw   %gs
        pushw   %gs
        pushw   $scratch
        pushw   %bx
        lcallw  *%gs:base_entry_point
        leaw    6(%esp), %sp                    # keeps CF
        popw    %gs
        popw    %fs
        popw    %es
        popw    %ds
        popal
        cld
        sti
        ret

# Loads the network boot program to where it begins. On exit: CF = 1 if there is none, or it does not fit below the
# mark. Changes all but FS, GS, SP.
load_nbp:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    $file_nbp, %si
        callw   open_file
        jc      9f
        movzwl  BASE_MEMORY, %eax
        shll    $10, %eax
        subl    $NBP_ADDRESS, %eax
        cmpl    %ecx, %eax
        jb      9f
        movw    $NBP_ADDRESS >> 4, %ax
        movl    %ecx, %ebx
1:      movw    %ax, %es
        xorw    %di, %di
        movl    $NBP_PIECE, %ecx
        cmpl    %ecx, %ebx
        jae     2f
        movl    %ebx, %ecx
2:      subl    %ecx, %ebx
        callw   read_file
        addw    $NBP_PIECE >> 4, %ax
        testl   %ebx, %ebx
        jnz     1b
        clc
9:      ret

# Turns off the quirks at ES:DI. Changes AX, CX, DI.
forget_quirks:
        xorb    %al, %al
        movw    $QUIRK_COUNT, %cx
        rep stosb
        ret

# Prints the text at CS:SI. Changes AX, BX, SI.
print:
        lodsb   %cs:(%si), %al
        testb   %al, %al
        jz      1f
        movb    $0x0e, %ah
        movw    $0x0007, %bx
        int     $0x10
        jmp     print
1:      ret
