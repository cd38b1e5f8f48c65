# The UNDI: its structures, its entry points, and all calls that do not move frames (PXE, "UNDI API").

        .section .undi.data, "aw"

        .balign 16
pxe:
        .ascii  "!PXE"
        .byte   PXE_SIZE
        .byte   0
        .byte   0, 0
        .word   undi_rom_id, 0                  # all segments are filled in by the loader
        .long   0                               # there is no base code ROM ID structure
        .word   undi_entry, 0
        .long   0                               # no entry point for protected mode
        .long   -1                              # StatusCallout: we call nobody
        .byte   0
        .byte   7                               # segment descriptors
        .word   0
        .org    pxe + PXE_SIZE

        .balign 16
pxenv:
        .ascii  "PXENV+"
        .word   0x0201
        .byte   PXENV_SIZE
        .byte   0
        .word   undi_entry_registers, 0
        .org    pxenv + PXENV_PXE
        .word   pxe, 0

        .section .undi.bss, "aw", @nobits
        .balign 4
# How far the card is: each state is entered from the one before.
        .set    STATE_STOPPED, 0
        .set    STATE_STARTED, 1
        .set    STATE_INITIALIZED, 2
        .set    STATE_OPEN, 3
state:
        .skip   1
nic_irq:
        .skip   1
nic_address:
        .skip   2                               # bus, device and function
        .balign 4
# From PCI configuration space, in the order of pci_registers.
nic_identity:
        .skip   4                               # vendor, device
nic_class:
        .skip   4                               # revision, programming interface, subclass, class
nic_subsystem:
        .skip   4                               # vendor, device
nic_port:
        .skip   4                               # first I/O port
nic_interrupt:
        .skip   4                               # interrupt line, pin, ...

        .section .undi.text, "ax"

# What the loader and START_UNDI write here, and nobody later.
undi_data_segment:
        .word   0
undi_old_int_1a:
        .long   0

        .balign 4
undi_calls:
        .word   start_undi                      # 00h
        .word   undi_startup
        .word   undi_cleanup
        .word   undi_initialize
        .word   undi_reset_adapter              # 04h
        .word   undi_shutdown
        .word   undi_open
        .word   undi_close
        .word   undi_transmit                   # 08h
        .word   undi_set_multicast_address
        .word   undi_set_station_address
        .word   undi_set_packet_filter
        .word   undi_get_information            # 0Ch
        .word   undi_get_statistics
        .word   undi_clear_statistics
        .word   undi_unsupported                # INITIATE_DIAGS
        .word   undi_unsupported                # 10h: FORCE_INTERRUPT
        .word   undi_get_multicast_address
        .word   undi_get_nic_type
        .word   undi_get_interface_information
        .word   undi_isr                        # 14h
        .word   stop_undi
undi_calls_end:
        .set    UNDI_CALLS, (undi_calls_end - undi_calls) / 2

# The entry point. Of all routines in the table: on entry DS = our data, ES:DI = the parameters, DF = 0, IF as the
# caller has it; on exit AX = the status. They may change everything but DS, BP and SP.
undi_entry:
        api_enter undi_data_segment
        cmpb    $0, undi_quirks + QUIRK_DEEP_STACK
        jne     quirk_deep_stack
undi_dispatch:
        movw    $UNSUPPORTED, %ax
        cmpw    $UNDI_CALLS, %bx
        jae     1f
        shlw    $1, %bx
        callw   *%cs:undi_calls(%bx)
1:      api_leave undi_clobbers, undi_clobber

undi_entry_registers:
        api_registers undi_entry

undi_unsupported:
        movw    $UNSUPPORTED, %ax
        ret

# START_UNDI: AX in the parameters is the card's address. Reads what PCI knows of it, hooks interrupt 1Ah.
start_undi:
        movw    %es:2(%di), %bx
        movw    %bx, nic_address
        pushw   %bp
        movw    $pci_registers, %si
        movw    $nic_identity, %bp
1:      movzbw  %cs:(%si), %di
        pushw   %si
        movw    $0xb10a, %ax                    # PCI BIOS: read configuration dword
        int     $0x1a
        popw    %si
        movl    %ecx, %ds:(%bp)
        incw    %si
        addw    $4, %bp
        cmpw    $pci_registers_end, %si
        jb      1b
        popw    %bp
        andb    $0xfc, nic_port                 # bit 0 says that it is a port
        movb    nic_interrupt, %al
        movb    %al, nic_irq
        callw   nic_probe

        pushw   %ds
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %cs, %ax
        pushfw
        cli
        cmpw    %ax, 0x1a * 4 + 2
        je      2f
        movl    0x1a * 4, %ecx
        movl    %ecx, %cs:undi_old_int_1a
        movw    $int_1a, 0x1a * 4
        movw    %ax, 0x1a * 4 + 2
2:      popfw
        popw    %ds
        xorw    %ax, %ax
        ret
pci_registers:
        .byte   0x00, 0x08, 0x2c, 0x10, 0x3c
pci_registers_end:

# STOP_UNDI: gives interrupt 1Ah back, unless somebody hooked it after us.
stop_undi:
        cmpb    $0, undi_quirks + QUIRK_STOP_FAILS
        jne     9f
        cmpb    $0, undi_quirks + QUIRK_STOP_HANGS
        jne     undi_hang
        callw   nic_stop
        movb    $STATE_STOPPED, state
        xorw    %ax, %ax
        cmpb    $0, undi_quirks + QUIRK_STOP_STAYS
        jne     8f
        pushw   %ds
        movw    %ax, %ds
        movw    %cs, %dx
        pushfw
        cli
        cmpw    $int_1a, 0x1a * 4
        jne     1f
        cmpw    %dx, 0x1a * 4 + 2
        jne     1f
        movl    %cs:undi_old_int_1a, %ecx
        movl    %ecx, 0x1a * 4
        popfw
        popw    %ds
8:      ret
1:      popfw
        popw    %ds
9:      movw    $KEEP_UNDI, %ax
        ret

# Interrupt 1Ah with AX = 5650h tells where PXENV+ is (PXE, "PXE installation check").
int_1a:
        cmpw    $0x5650, %ax
        je      1f
        ljmpw   *%cs:undi_old_int_1a
1:      movw    %cs:undi_data_segment, %es
        movw    $pxenv, %bx
        movw    $0x564e, %ax
        pushw   %bp
        movw    %sp, %bp
        andb    $~1, 6(%bp)                     # CF of the caller
        popw    %bp
        iretw

undi_startup:
        cmpb    $STATE_STOPPED, state
        jne     1f
        movb    $1, %al
        callw   nic_bus_master
        movb    $STATE_STARTED, state
1:      xorw    %ax, %ax
        ret

undi_cleanup:
        callw   nic_stop
        xorb    %al, %al
        callw   nic_bus_master
        movb    $STATE_STOPPED, state
        xorw    %ax, %ax
        ret

undi_initialize:
        cmpb    $STATE_STARTED, state
        jb      undi_invalid_state
        cmpb    $0, undi_quirks + QUIRK_INITIALIZE_FAILS
        jne     quirk_initialize_fails
        callw   nic_reset
        testw   %ax, %ax
        jnz     1f
        movb    $STATE_INITIALIZED, state
1:      ret

undi_reset_adapter:
        cmpb    $STATE_OPEN, state
        je      nic_open                        # with the filter it had
        jmp     undi_initialize

undi_shutdown:
        cmpb    $STATE_INITIALIZED, state
        jb      1f
        callw   nic_stop
        movb    $STATE_STARTED, state
1:      xorw    %ax, %ax
        ret

undi_invalid_parameter:
        movw    $INVALID_PARAMETER, %ax
        ret

undi_invalid_state:
        movw    $INVALID_STATE, %ax
        ret

# UNDI_OPEN: PktFilter at 4, then the count of multicast addresses.
undi_open:
        cmpb    $STATE_INITIALIZED, state
        jne     undi_invalid_state
        movw    %es:4(%di), %ax
        movw    %es:6(%di), %cx
        testb   $FILTER_PROMISCUOUS, %al
        jz      2f
        cmpb    $0, undi_quirks + QUIRK_PROMISCUOUS_REFUSED
        jne     undi_invalid_parameter
2:      callw   nic_choose
        callw   nic_open
        testw   %ax, %ax
        jnz     1f
        movb    $STATE_OPEN, state
        jmp     quirk_opened
1:      ret

undi_close:
        cmpb    $STATE_OPEN, state
        jne     undi_invalid_state
        cmpb    $0, undi_quirks + QUIRK_CLOSE_HANGS
        jne     undi_hang
        callw   nic_stop
        movb    $STATE_INITIALIZED, state
        jmp     quirk_closed

# UNDI_SET_MCAST_ADDRESS: the count at 2. Any makes the card receive all multicasts.
undi_set_multicast_address:
        movw    %es:2(%di), %cx
        movw    filter_asked, %ax
        jmp     1f
# UNDI_SET_PACKET_FILTER: a byte at 2.
undi_set_packet_filter:
        movzbw  %es:2(%di), %ax
        movw    multicast_asked, %cx
1:      callw   nic_choose
        cmpb    $STATE_OPEN, state
        jne     1f
        callw   nic_filter
1:      xorw    %ax, %ax
        ret

# UNDI_SET_STATION_ADDRESS: while the card is not open.
undi_set_station_address:
        cmpb    $STATE_OPEN, state
        je      undi_invalid_state
        movl    %es:2(%di), %eax
        movl    %eax, station
        movw    %es:6(%di), %ax
        movw    %ax, station + 4
        xorw    %ax, %ax
        ret

# UNDI_GET_MCAST_ADDRESS: the Ethernet address of a group (RFC 1112, section 6.4).
undi_get_multicast_address:
        movl    %es:2(%di), %eax                # the first byte lowest
        movw    $0x0001, %es:6(%di)
        movb    $0x5e, %es:8(%di)
        shrl    $8, %eax
        andb    $0x7f, %al
        movb    %al, %es:9(%di)
        shrl    $8, %eax
        movw    %ax, %es:10(%di)
        xorw    %ax, %ax
        ret

undi_get_information:
        movw    nic_port, %ax
        movw    %ax, %es:2(%di)                 # BaseIo
        movzbw  nic_irq, %ax
        cmpb    $0, undi_quirks + QUIRK_IRQ_ZERO
        je      1f
        xorw    %ax, %ax
1:      movw    %ax, %es:4(%di)                 # IntNumber
        movw    $1500, %es:6(%di)               # MaxTranUnit
        movw    $1, %es:8(%di)                  # HwType: Ethernet
        movw    $6, %es:10(%di)                 # HwAddrLen
        movl    station, %eax
        movl    %eax, %es:12(%di)               # CurrentNodeAddress
        movw    station + 4, %ax
        movw    %ax, %es:16(%di)
        movl    station_permanent, %eax
        movl    %eax, %es:28(%di)               # PermNodeAddress
        movw    station_permanent + 4, %ax
        movw    %ax, %es:32(%di)
        movw    pxe + PXE_UNDI_ROM_ID + 2, %ax
        movw    %ax, %es:44(%di)                # ROMAddress
        movw    $RECEIVE_BUFFERS, %es:46(%di)   # RxBufCt
        movw    $TRANSMIT_BUFFERS, %es:48(%di)  # TxBufCt
        jmp     quirk_station_fields

undi_get_statistics:
        callw   nic_missed
        movw    $statistics, %si
        addw    $2, %di
        movw    $STATISTICS_SIZE / 2, %cx
        rep movsw
        xorw    %ax, %ax
        ret

undi_clear_statistics:
        callw   nic_missed
        pushw   %ds
        popw    %es
        movw    $statistics, %di
        movw    $STATISTICS_SIZE / 2, %cx
        xorw    %ax, %ax
        rep stosw
        ret

undi_get_nic_type:
        cmpb    $0, undi_quirks + QUIRK_NIC_TYPE_UNSET
        jne     1f
        movb    $2, %es:2(%di)                  # PCI
1:      movl    nic_identity, %eax
        movl    %eax, %es:3(%di)                # Vendor_ID, Dev_ID
        movl    nic_class, %eax
        bswapl  %eax
        movl    %eax, %es:7(%di)                # Base_Class, Sub_Class, Prog_Intf, Rev
        movw    nic_address, %ax
        movw    %ax, %es:11(%di)                # BusDevFunc
        movl    nic_subsystem, %eax
        movl    %eax, %es:13(%di)               # SubVendor_ID, SubDevice_ID
        xorw    %ax, %ax
        ret

        .set    SERVICE_FLAGS, 0x0001 | 0x0002 | 0x0008 | 0x0010 | 0x0800 | 0x1000
undi_get_interface_information:
        addw    $2, %di
        movw    $interface_name, %si
        movw    $interface_name_end - interface_name, %cx
        rep movsb %cs:(%si), %es:(%di)          # IfaceType
        movl    $100000000, %eax
        stosl                                   # LinkSpeed
        movl    $SERVICE_FLAGS, %eax            # broadcast, multicast, promiscuous, address, open/close, interrupt
        stosl                                   # ServiceFlags
        xorl    %eax, %eax
        movw    $4, %cx
        rep stosl
        ret
interface_name:
        .asciz  "DIX+802.3"
        .org    interface_name + 16
interface_name_end:
