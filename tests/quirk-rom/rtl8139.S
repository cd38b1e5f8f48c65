# The driver of the card: RTL8139C(L) (Realtek data sheet 1.4, "RTL8139" below; register names are its own), as QEMU
# emulates it too. Everything here runs in the UNDI's segments; DS = our data unless something else is said.
#
# Frames are received without a copy: what UNDI_ISR hands out lies in the card's ring. Frames to be sent are gathered
# into one of the card's four buffers, so UNDI_TRANSMIT returns at once; that they were sent is noticed and told by
# UNDI_ISR.

# RTL8139, section 5: registers, by their offset from the first port
        .set    IDR0, 0x00                      # station address
        .set    MAR0, 0x08                      # multicast hash, 8 bytes
        .set    TSD0, 0x10                      # transmit status, 4 x 4 bytes
        .set    TSAD0, 0x20                     # transmit address, 4 x 4 bytes
        .set    RBSTART, 0x30                   # receive ring
        .set    CR, 0x37
        .set    CAPR, 0x38                      # read up to here, less 16
        .set    CBR, 0x3a                       # written up to here
        .set    IMR, 0x3c
        .set    ISR, 0x3e
        .set    TCR, 0x40
        .set    RCR, 0x44
        .set    MPC, 0x4c                       # frames missed, 24 bits
        .set    CR9346, 0x50
        .set    TSAD, 0x60                      # transmit status of all descriptors

        .set    CR_RST, 0x10
        .set    CR_RE, 0x08
        .set    CR_TE, 0x04
        .set    CR9346_WRITE, 0xc0              # IDR may be written
        .set    TCR_VALUE, 0x03000700           # interframe gap of the standard, DMA bursts without limit
        .set    TSD_THRESHOLD, 0x003f0000       # begin to send at 2016 bytes: when all is there
        .set    RCR_AAP, 0x01                   # all destinations
        .set    RCR_APM, 0x02                   # our address
        .set    RCR_AM, 0x04                    # multicasts
        .set    RCR_AB, 0x08                    # broadcasts
        .set    RCR_VALUE, 0xf780               # store and forward, ring of 32 KiB + 16, no limit, WRAP
        .set    INT_ROK, 0x01
        .set    INT_RER, 0x02
        .set    INT_TOK, 0x04
        .set    INT_TER, 0x08
        .set    INT_RXOVW, 0x10
        .set    INT_FOVW, 0x40
        .set    INT_WANTED, INT_ROK | INT_RER | INT_TOK | INT_TER | INT_RXOVW | INT_FOVW

# RTL8139, section 7: before each frame in the ring, its status and its length with the checksum behind it
        .set    RX_ROK, 0x0001
        .set    RX_BAR, 0x2000
        .set    RX_MAR, 0x8000
        .set    RX_UNFINISHED, 0xfff0           # as length: the frame is still coming in

        .set    RING, 32768
        .set    RING_SLACK, 16 + 1536           # what WRAP lets the last frame write behind the ring
        .set    RECEIVE_BUFFERS, RING / 1536
        .set    RELEASE_EVERY, 8                # frames handed out between two writes of CAPR
        .set    TRANSMIT_BUFFERS, 4
        .set    TRANSMIT_BUFFER, 1536
        .set    CHECKSUM_LENGTH, 4
        .set    HEADER_LENGTH, 14
        .set    FRAME_MINIMUM, 60
        .set    FRAME_MAXIMUM, 1514
        .set    FRAME_MAXIMUM_TAGGED, 1518
        .set    RESET_PATIENCE, 0xffff          # reads of CR

        .section .undi.bss, "aw", @nobits
        .balign 16
receive_ring:
        .skip   RING + RING_SLACK
        .balign 16
transmit_buffers:
        .skip   TRANSMIT_BUFFERS * TRANSMIT_BUFFER
station:
        .skip   6                               # in use
station_permanent:
        .skip   6                               # burnt in
filter_asked:
        .skip   2                               # as UNDI_OPEN has it
multicast_asked:
        .skip   2                               # how many multicast addresses
filter:
        .skip   1                               # the same as bits of RCR
        .balign 4
statistics:                                     # as UNDI_GET_STATISTICS has them
frames_sent:
        .skip   4
frames_received:
        .skip   4
checksum_errors:
        .skip   4
frames_missed:
        .skip   4
        .set    STATISTICS_SIZE, . - statistics
# Transmission: descriptors are used in turn.
transmit_next:
        .skip   2                               # the one for the next frame
transmit_oldest:
        .skip   2                               # the one that the card will be through with next
transmit_in_flight:
        .skip   2                               # how many the card has
transmit_reports:
        .skip   2                               # how many were sent and not told yet
# Reception: offsets in the ring.
receive_next:
        .skip   2                               # the next frame to be handed out
receive_limit:
        .skip   2                               # where the card was when we last looked
receive_kept:
        .skip   2                               # frames handed out since CAPR was last written

        .section .undi.text, "ax"

# DX = the port of a register.
        .macro  port register
        movw    nic_port, %dx
        addw    $\register, %dx
        .endm

transmit_offsets:
        .word   transmit_buffers
        .word   transmit_buffers + TRANSMIT_BUFFER
        .word   transmit_buffers + 2 * TRANSMIT_BUFFER
        .word   transmit_buffers + 3 * TRANSMIT_BUFFER
ether_types:                                    # by P_*, as they are on the wire
        .word   0
        .word   0x0008
        .word   0x0608
        .word   0x3580

# Reads the burnt-in address. Changes EAX, DX.
nic_probe:
        port    IDR0
        inl     %dx, %eax
        movl    %eax, station
        movl    %eax, station_permanent
        addw    $4, %dx
        inl     %dx, %eax
        movw    %ax, station + 4
        movw    %ax, station_permanent + 4
        ret

# Lets the card read and write memory if AL = 1, forbids it if AL = 0. Changes EAX, EBX, ECX, DX, SI, DI.
nic_bus_master:
        pushw   %ax
        movw    $0xb109, %ax                    # PCI BIOS: read configuration word
        movw    nic_address, %bx
        movw    $0x04, %di                      # command
        int     $0x1a
        popw    %ax
        andw    $~0x0004, %cx
        testb   %al, %al
        jz      1f
        orw     $0x0004, %cx
1:      movw    $0xb10c, %ax                    # write configuration word
        movw    nic_address, %bx
        movw    $0x04, %di
        int     $0x1a
        ret

# Resets the card and makes it quiet. On exit: AX = the status. Changes CX, DX.
nic_reset:
        port    CR
        movb    $CR_RST, %al
        outb    %al, %dx
        movw    $RESET_PATIENCE, %cx
1:      inb     %dx, %al
        testb   $CR_RST, %al
        loopnz  1b
        movw    $FAILURE, %ax
        jnz     2f
        port    IMR
        xorw    %ax, %ax
        outw    %ax, %dx
2:      ret

# No frames and no interrupts any more. Changes AX, DX.
nic_stop:
        port    CR
        xorw    %ax, %ax
        outb    %al, %dx
        port    IMR
        outw    %ax, %dx
        port    ISR
        decw    %ax
        outw    %ax, %dx
        ret

# Notes what is to be received: AX = PktFilter, CX = how many multicast addresses. Changes AX.
nic_choose:
        movw    %ax, filter_asked
        movw    %cx, multicast_asked
        movb    $0, filter
        testb   $FILTER_DIRECTED, %al
        jz      1f
        orb     $RCR_APM, filter
1:      testb   $FILTER_BROADCAST, %al
        jz      1f
        orb     $RCR_AB, filter
1:      testb   $FILTER_PROMISCUOUS, %al
        jz      1f
        orb     $RCR_AAP | RCR_APM | RCR_AM | RCR_AB, filter
1:      jcxz    1f
        orb     $RCR_AM, filter
1:      ret

# Starts the card from the beginning. On exit: AX = the status. Changes EAX, ECX, DX, SI, DI.
nic_open:
        callw   nic_reset
        testw   %ax, %ax
        jnz     9f
        port    CR9346
        movb    $CR9346_WRITE, %al
        outb    %al, %dx
        port    IDR0
        movl    station, %eax
        outl    %eax, %dx
        addw    $4, %dx
        movzwl  station + 4, %eax
        outl    %eax, %dx
        port    CR9346
        xorb    %al, %al
        outb    %al, %dx

        movw    %ds, %cx
        movzwl  %cx, %ecx
        shll    $4, %ecx                        # our data's physical address
        port    RBSTART
        leal    receive_ring(%ecx), %eax
        outl    %eax, %dx
        port    TSAD0
        xorw    %si, %si
1:      movzwl  %cs:transmit_offsets(%si), %eax
        addl    %ecx, %eax
        outl    %eax, %dx
        addw    $4, %dx
        addw    $2, %si
        cmpw    $TRANSMIT_BUFFERS * 2, %si
        jb      1b
        port    MAR0
        movl    $-1, %eax                       # all multicasts that AM lets through
        outl    %eax, %dx
        addw    $4, %dx
        outl    %eax, %dx

        pushw   %es
        pushw   %ds
        popw    %es
        movw    $transmit_next, %di
        xorw    %ax, %ax
        stosw                                   # transmit_next
        stosw                                   # transmit_oldest
        stosw                                   # transmit_in_flight
        stosw                                   # transmit_reports
        popw    %es
        callw   quirk_reset

        port    CR
        movb    $CR_RE | CR_TE, %al
        outb    %al, %dx
        port    TCR                             # may only be written now
        movl    $TCR_VALUE, %eax
        outl    %eax, %dx
        callw   nic_filter
        callw   nic_interrupts_on
        xorw    %ax, %ax
9:      ret

# Sets what is to be received. Writing RCR may start the ring anew. Changes EAX, DX.
nic_filter:
        port    RCR
        movzbl  filter, %eax
        orw     $RCR_VALUE, %ax
        outl    %eax, %dx
        port    CBR
        inw     %dx, %ax
        movw    %ax, receive_next
        movw    %ax, receive_limit

# Gives the card the ring up to offset AX back. Changes AX, DX.
nic_release:
        movw    $0, receive_kept
        port    CAPR
        subw    $16, %ax
        outw    %ax, %dx
        ret

# Lets the card interrupt. Changes AX, DX.
nic_interrupts_on:
        movw    $INT_WANTED, %ax
        cmpb    $0, undi_quirks + QUIRK_IRQ_SILENT
        jne     1f
        cmpb    $0, undi_quirks + QUIRK_IRQ_ZERO
        je      2f
1:      xorw    %ax, %ax
2:      port    IMR
        outw    %ax, %dx
        ret

# Counts what the card missed. Changes EAX, DX.
nic_missed:
        port    MPC
        inl     %dx, %eax
        andl    $0x00ffffff, %eax
        addl    %eax, frames_missed
        xorl    %eax, %eax
        outl    %eax, %dx
        ret

# UNDI_TRANSMIT.
undi_transmit:
        cmpb    $STATE_OPEN, state
        jne     undi_invalid_state
        cmpb    $0, undi_quirks + QUIRK_TRANSMIT_HANGS
        jne     undi_hang
        cmpb    $0, undi_quirks + QUIRK_TRANSMIT_BUSY
        jne     quirk_transmit_busy
        cmpb    $0, undi_quirks + QUIRK_TRANSMIT_LATE
        jne     quirk_transmit_late
        movw    %di, %bx

# Hands a frame to the card.
#
# On entry: ES:BX = t_PXENV_UNDI_TRANSMIT. On exit: AX = the status, DS restored. Changes all but BP, FS, GS, SP.
nic_transmit:
        cmpw    $TRANSMIT_BUFFERS, transmit_in_flight
        jb      1f
        callw   nic_reap
        cmpw    $TRANSMIT_BUFFERS, transmit_in_flight
        jb      1f
        movw    $OUT_OF_RESOURCES, %ax
        ret
1:      pushw   %bp
        pushw   %fs
        movw    transmit_next, %si
        shlw    $1, %si
        movw    %cs:transmit_offsets(%si), %di
        movw    %di, %bp                        # the frame's beginning

        movzbw  %es:TRANSMIT_PROTOCOL(%bx), %si
        testw   %si, %si                        # P_UNKNOWN: the frame has its header
        jnz     1f
        cmpb    $0, undi_quirks + QUIRK_HEADER_REFUSED
        jne     .Linvalid
        jmp     3f
1:      cmpw    $P_RARP, %si
        ja      .Linvalid
        shlw    $1, %si
        movw    %cs:ether_types(%si), %ax
        movw    %ax, 12(%di)
        movl    station, %eax
        movl    %eax, 6(%di)
        movw    station + 4, %ax
        movw    %ax, 10(%di)
        movl    $-1, %eax
        movw    %ax, %cx
        cmpb    $0, %es:TRANSMIT_FLAG(%bx)
        jne     2f
        pushw   %ds
        ldsw    %es:TRANSMIT_DESTINATION(%bx), %si
        movl    (%si), %eax
        movw    4(%si), %cx
        popw    %ds
2:      movl    %eax, (%di)
        movw    %cx, 4(%di)
        addw    $HEADER_LENGTH, %di

3:      lfsw    %es:TRANSMIT_TBD(%bx), %bx      # FS:BX = the descriptor
        pushw   %ds
        popw    %es
        movw    %fs:TBD_LENGTH(%bx), %cx
        ldsw    %fs:TBD_DATA(%bx), %si
        callw   nic_gather
        jc      .Linvalid
        movw    %fs:TBD_BLOCK_COUNT(%bx), %dx
        testw   %dx, %dx
        jz      5f
        cmpw    $TBD_BLOCKS_MAXIMUM, %dx
        ja      .Linvalid
        addw    $TBD_BLOCKS, %bx
4:      cmpb    $1, %fs:BLOCK_TYPE(%bx)
        jne     .Linvalid
        movw    %fs:BLOCK_LENGTH(%bx), %cx
        ldsw    %fs:BLOCK_DATA(%bx), %si
        callw   nic_gather
        jc      .Linvalid
        addw    $BLOCK_SIZE, %bx
        decw    %dx
        jnz     4b

5:      movw    %es, %ax
        movw    %ax, %ds
        popw    %fs
        movw    %di, %cx
        subw    %bp, %cx                        # its length
        popw    %bp
        cmpw    $FRAME_MINIMUM, %cx
        jae     6f
        cmpb    $0, undi_quirks + QUIRK_SHORT_DROPPED
        jne     quirk_short_dropped
        subw    $FRAME_MINIMUM, %cx             # the card does not pad
        negw    %cx
        xorb    %al, %al
        rep stosb
        movw    $FRAME_MINIMUM, %cx
6:      movzwl  %cx, %eax
        orl     $TSD_THRESHOLD, %eax
        movw    transmit_next, %cx
        movw    %cx, %dx
        shlw    $2, %dx
        addw    nic_port, %dx
        addw    $TSD0, %dx
        outl    %eax, %dx
        incw    %cx
        andw    $TRANSMIT_BUFFERS - 1, %cx
        movw    %cx, transmit_next
        incw    transmit_in_flight
        incl    frames_sent
        xorw    %ax, %ax
        ret

.Linvalid:
        movw    %cs:undi_data_segment, %ax
        movw    %ax, %ds
        popw    %fs
        popw    %bp
        movw    $INVALID_PARAMETER, %ax
        ret

# Adds CX bytes from DS:SI to the frame from BP to DI in ES; CF = 1 if it gets too long. Changes AX, CX, SI.
nic_gather:
        movw    %di, %ax
        subw    %bp, %ax
        addw    %cx, %ax
        jc      1f
        cmpw    $FRAME_MAXIMUM + 1, %ax
        cmc
        jc      1f
        movw    %cx, %ax
        shrw    $2, %cx
        rep movsl
        movw    %ax, %cx
        andw    $3, %cx                         # CF = 0
        rep movsb
1:      ret

# Takes back the descriptors that the card is through with. Changes AX, CX, DX.
nic_reap:
        cmpw    $0, transmit_in_flight
        je      2f
        port    TSAD
        inw     %dx, %ax
        movw    %ax, %cx                        # TOK in bits 12 to 15, TABT in 4 to 7, OWN in 0 to 3
        shrw    $8, %cx
        orw     %ax, %cx
        shrw    $4, %cx
        andw    %cx, %ax
1:      movw    transmit_oldest, %cx
        btw     %cx, %ax
        jnc     2f
        incw    %cx
        andw    $TRANSMIT_BUFFERS - 1, %cx
        movw    %cx, transmit_oldest
        incw    transmit_reports
        decw    transmit_in_flight
        jnz     1b
2:      ret

# UNDI_ISR (PXE, "UNDI interrupt service routine"). START may come from an interrupt handler, so also amid another
# call: it touches nothing but the card's interrupt registers. What is handed out is valid until the next call; in
# fact until the card is given its place back, some frames later.
undi_isr:
        cmpb    $0, undi_quirks + QUIRK_BUFFERS_REUSED
        jne     quirk_buffers_reused
isr_function:
        movw    %es:ISR_FUNCTION(%di), %ax
        decw    %ax
        jz      isr_start
        decw    %ax
        jz      isr_process
        decw    %ax
        jz      isr_get_next
        movw    $INVALID_PARAMETER, %ax
        ret

isr_start:
        cmpb    $0, start_is_strange
        jne     quirk_start
isr_start_asks_card:
        port    ISR
        inw     %dx, %ax
        testw   $INT_WANTED, %ax
        jz      isr_not_ours
        xorw    %ax, %ax
        port    IMR
        outw    %ax, %dx
isr_ours:
        movw    $ISR_OURS, %es:ISR_FUNCTION(%di)
        xorw    %ax, %ax
        ret
isr_not_ours:
        movw    $ISR_NOT_OURS, %es:ISR_FUNCTION(%di)
        xorw    %ax, %ax
        ret

isr_process:
        cmpb    $0, process_is_strange
        jne     quirk_process
isr_acknowledge:
        movw    $INT_WANTED, %ax
        port    ISR
        outw    %ax, %dx                        # first, so that what comes meanwhile is told again
isr_look:
        callw   nic_reap
        port    CBR
        inw     %dx, %ax
        movw    %ax, receive_limit

isr_get_next:
        cmpb    $0, undi_quirks + QUIRK_PARTS
        jne     quirk_parts
isr_next:
        cmpw    $0, transmit_reports
        jne     isr_transmit
        movw    receive_next, %bx
        cmpw    receive_limit, %bx
        jne     isr_receive
        port    CBR                             # another one meanwhile?
        inw     %dx, %ax
        movw    %ax, receive_limit
        cmpw    %ax, %bx
        jne     isr_receive
isr_done:
        cmpb    $0, undi_quirks + QUIRK_ISR_ENDLESS
        jne     quirk_endless
isr_done_indeed:
        cmpw    $0, receive_kept
        je      1f
        movw    %bx, %ax
        callw   nic_release
1:      callw   nic_interrupts_on
        movw    $ISR_DONE, %es:ISR_FUNCTION(%di)
        xorw    %ax, %ax
        ret

isr_transmit:
        decw    transmit_reports
        xorw    %ax, %ax
        movw    $ISR_TRANSMIT, %es:ISR_FUNCTION(%di)
        movw    %ax, %es:ISR_BUFFER_LENGTH(%di)
        movw    %ax, %es:ISR_FRAME_LENGTH(%di)
        movw    %ax, %es:ISR_HEADER_LENGTH(%di)
        ret

# The frame at BX in the ring.
isr_receive:
        movw    receive_ring(%bx), %ax
        movw    receive_ring + 2(%bx), %cx
        cmpw    $RX_UNFINISHED, %cx
        je      isr_done
        testb   $RX_ROK, %al
        jz      isr_broken
        leaw    receive_ring + 4(%bx), %si      # the frame
        incw    receive_kept
        cmpw    $RELEASE_EVERY, receive_kept
        jb      1f
        pushw   %ax
        movw    %bx, %ax                        # all before it
        callw   nic_release
        popw    %ax
1:      leaw    4 + 3(%bx), %bx
        addw    %cx, %bx
        andw    $(RING - 1) & ~3, %bx
        movw    %bx, receive_next
        subw    $CHECKSUM_LENGTH, %cx
        cmpw    $HEADER_LENGTH, %cx
        jb      isr_broken
        cmpw    $FRAME_MAXIMUM_TAGGED, %cx
        ja      isr_broken
        incl    frames_received

        movb    $P_DIRECTED, %dl
        testw   $RX_BAR | RX_MAR, %ax
        jz      2f
        incb    %dl                             # P_BROADCAST
        testw   $RX_BAR, %ax
        jnz     2f
        incb    %dl                             # P_MULTICAST
2:      movb    $P_IP, %dh
        movw    12(%si), %ax
        cmpw    $0x0008, %ax
        je      3f
        incb    %dh                             # P_ARP
        cmpw    $0x0608, %ax
        je      3f
        incb    %dh                             # P_RARP
        cmpw    $0x3580, %ax
        je      3f
        incb    %dh                             # P_OTHER
3:      movb    %dh, %es:ISR_PROTOCOL(%di)
        movb    %dl, %es:ISR_KIND(%di)
        movw    %cx, %es:ISR_BUFFER_LENGTH(%di)
        movw    %cx, %es:ISR_FRAME_LENGTH(%di)
        movw    $HEADER_LENGTH, %es:ISR_HEADER_LENGTH(%di)
        movw    %si, %es:ISR_FRAME(%di)
        movw    %ds, %es:ISR_FRAME + 2(%di)
        movw    $ISR_RECEIVE, %es:ISR_FUNCTION(%di)
        cmpb    $0, receive_is_strange
        jne     quirk_receive
        xorw    %ax, %ax
        ret

# What the card says of the ring makes no sense: everything in it is dropped, and it starts anew.
isr_broken:
        incl    checksum_errors
        callw   nic_filter
        movw    receive_next, %bx
        jmp     isr_done
