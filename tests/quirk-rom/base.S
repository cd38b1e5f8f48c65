# The base code: what a boot program may call besides the UNDI (PXE, "Preboot API"). It has no network of its own: the
# DHCP packets that it shows were made by the rig.

        .set    TICK_VECTOR, 0x1c
        .set    TIMER_VECTOR, 0x08
        .set    BASE_STACK_SIZE, 4096           # 1500 bytes is what a boot program may count on
        .set    PACKET_SLOT, 2 + PACKET_ROOM    # its length before it
        .set    PACKETS, 3                      # DISCOVER, ACK, boot server's reply
        .set    PACKETS_SIZE, PACKETS * PACKET_SLOT

        .section .base.bss, "aw", @nobits
        .balign 16
base_stack:
        .skip   BASE_STACK_SIZE
base_stack_end:
bios_stack:
        .skip   4                               # SS:SP of the BIOS
found_mark:
        .skip   2                               # the base memory mark as it was found
undi_segment:
        .skip   2                               # the UNDI's data
ticks:
        .skip   2                               # our clock
base_clobbers:
        .skip   1
base_quirks:
        .skip   QUIRK_COUNT
        .balign 4
scratch:
        .skip   256                             # parameters of our own calls
        .balign 4
packets:
        .skip   PACKETS_SIZE

        .section .base.data, "aw"
base_entry_point:
        .word   base_entry, 0

        .section .base.text, "ax"

# What the boot code writes here, and nobody later.
base_data_segment:
        .word   0
undi_entry_point:
        .long   0
old_tick:
        .long   0
tick_place:
        .word   TICK_VECTOR * 4                 # of the vector that leads to base_tick
old_line:
        .long   0

# The entry point: calls of the UNDI go on to it untouched.
base_entry:
        pushw   %bp
        movw    %sp, %bp
        cmpw    $FIRST_BASE_CALL, 6(%bp)
        popw    %bp
        jae     1f
        ljmpw   *%cs:undi_entry_point
1:      api_enter base_data_segment
        movw    $base_calls, %si
2:      cmpw    %cs:(%si), %bx
        je      3f
        addw    $4, %si
        cmpw    $base_calls_end, %si
        jb      2b
        movw    $UNSUPPORTED, %ax
        jmp     4f
3:      callw   *%cs:2(%si)
4:      api_leave base_clobbers, base_clobber

base_entry_registers:
        api_registers base_entry

# Opcodes and what serves them, as the UNDI's table.
base_calls:
        .word   PXENV_GET_CACHED_INFO, get_cached_info
        .word   PXENV_UNLOAD_STACK, unload_stack
        .word   PXENV_START_BASE, base_success
        .word   PXENV_STOP_BASE, base_success
base_calls_end:

base_success:
        xorw    %ax, %ax
        ret

# GET_CACHED_INFO: PacketType, BufferSize, Buffer, BufferLimit from 2 on.
get_cached_info:
        movw    %es:2(%di), %ax
        decw    %ax
        cmpw    $PACKETS, %ax
        jae     9f
        movw    $PACKET_SLOT, %dx
        mulw    %dx
        movw    %ax, %si
        addw    $packets, %si
        lodsw
        movw    %ax, %cx                        # its length
        jcxz    9f
        movw    $PACKET_ROOM, %es:10(%di)
        cmpw    $0, %es:4(%di)
        jne     1f
        movw    %cx, %es:4(%di)                 # where it is
        movw    %si, %es:6(%di)
        movw    %ds, %es:8(%di)
        jmp     quirk_cached_pointer
1:      cmpw    %es:4(%di), %cx                 # a copy
        jbe     2f
        movw    %es:4(%di), %cx
2:      movw    %cx, %es:4(%di)
        lesw    %es:6(%di), %di
        rep movsb
        xorw    %ax, %ax
        ret
9:      movw    $INVALID_PARAMETER, %ax
        ret

# UNLOAD_STACK: from here on the UNDI's own entry point is the one to be called, and nothing of the base code is used
# any more. Not if somebody hooked our timer after us. Base memory is freed by the caller.
unload_stack:
        movw    $KEEP_ALL, %ax
        cmpb    $0, base_quirks + QUIRK_UNLOAD_FAILS
        jne     9f
        cmpb    $0, base_quirks + QUIRK_UNLOAD_HANGS
        jne     base_hang
        xorw    %ax, %ax
        cmpb    $0, base_quirks + QUIRK_UNLOAD_STAYS
        jne     9f
        pushw   %ds
        movw    undi_segment, %bx
        movw    %ax, %ds
        movw    %cs, %dx
        pushfw
        cli
        movw    %cs:tick_place, %si
        cmpw    $base_tick, (%si)
        jne     1f
        cmpw    %dx, 2(%si)
        jne     1f
        movl    %cs:old_tick, %ecx
        movl    %ecx, (%si)
        popfw
        popw    %ds

        movw    %bx, %es
        movl    %cs:undi_entry_point, %ecx
        movl    %ecx, %es:pxe + PXE_ENTRY
        movw    $undi_entry_registers, %cx
        movl    %ecx, %es:pxenv + PXENV_ENTRY
        movw    $pxe + PXE_BASE_DATA, %di
        movw    $(PXE_SIZE - PXE_BASE_DATA) / 2, %cx
        rep stosw
        movw    $pxe + PXE_STACK, %di
        movw    $8 / 2, %cx
        rep stosw
        movw    $pxenv + PXENV_STACK, %di       # and base code, and its data
        movw    $(PXENV_UNDI_DATA - PXENV_STACK) / 2, %cx
        rep stosw
        seal    pxe, PXE_SIZE, PXE_CHECKSUM
        seal    pxenv, PXENV_SIZE, PXENV_CHECKSUM
        xorw    %ax, %ax
        ret
1:      popfw
        popw    %ds
        movw    $KEEP_ALL, %ax
9:      ret

# Interrupt 1Ch, 18.2 times a second.
base_tick:
        pushw   %ds
        movw    %cs:base_data_segment, %ds
        incw    ticks
        popw    %ds
        ljmpw   *%cs:old_tick
