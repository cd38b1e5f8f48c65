# The misbehaviour: each QUIRK_ is a byte of undi_quirks, with a copy in base_quirks; zero is off. Which there are, and
# what the bytes mean, says tests/src/rom.rs, which also gives the numbers. Where a quirk is one instruction, it is at
# the place that it changes; the others are here. Field notes A1 to A14 name the machines.

        .section .undi.bss, "aw", @nobits
undi_quirks:
        .skip   QUIRK_COUNT
# Whether any of several quirks is on, so that the usual way asks once.
undi_clobbers:
        .skip   1
start_is_strange:
        .skip   1
process_is_strange:
        .skip   1
receive_is_strange:
        .skip   1

        .balign 2
quirk_state:                                    # zeroed when the card is opened
last_frame:
        .skip   2                               # the frame, or part of one, that was handed out last: offset, length
last_length:
        .skip   2
part_left:
        .skip   2                               # what of the frame is still to be handed out
part_total:
        .skip   2
part_kinds:
        .skip   2                               # its protocol and kind of destination
late_count:
        .skip   2                               # frames in late_queue
late_first:
        .skip   2                               # the slot of the first of them
late_tick:
        .skip   2                               # when the first of them came
process_allowed:
        .skip   1                               # START said OURS
transmit_refusals:
        .skip   1
frames_handed:
        .skip   1
        .balign 2
parts_given:
        .skip   2
quirk_state_end:

        .set    PART_LENGTH, 256                # of a frame in parts
        .set    LATE_SLOT, TRANSMIT_SIZE + 6    # the parameters, and the address that they point at
        .set    LATE_SLOTS, 16                  # a power of two
late_queue:
        .skip   LATE_SLOTS * LATE_SLOT

# ---------------------------------------------------------------------------------------------------------------
        .section .rom, "ax"

        .macro  summary byte, quirk
        .word   \byte
        .byte   QUIRK_\quirk
        .endm
summaries:
        summary undi_clobbers, CLOBBERS_SEGMENTS
        summary undi_clobbers, CLOBBERS_UPPER_HALVES
        summary undi_clobbers, SETS_DF
        summary undi_clobbers, SETS_IF
        summary undi_clobbers, CLEARS_IF
        summary start_is_strange, IRQ_STUCK
        summary start_is_strange, START_NEVER
        summary start_is_strange, PROCESS_LOCKS
        summary start_is_strange, TRANSMIT_LATE
        summary start_is_strange, START_BY_INTERRUPT
        summary process_is_strange, IRQ_STUCK
        summary process_is_strange, PROCESS_LOCKS
        summary process_is_strange, TRANSMIT_LATE
        summary receive_is_strange, ISR_ENDLESS
        summary receive_is_strange, PARTS
        summary receive_is_strange, BUFFERS_REUSED
        summary receive_is_strange, WILD_FRAMES
        summary receive_is_strange, GOES_DEAF
        summary receive_is_strange, FRAME_AT_ZERO
summaries_end:

# Fills in the summaries of the quirks in ES. Changes BX, SI, DI.
summarize_quirks:
        movw    $summaries, %si
1:      movzbw  %cs:2(%si), %bx
        cmpb    $0, %es:undi_quirks(%bx)
        je      2f
        movw    %cs:(%si), %di
        movb    $1, %es:(%di)
2:      addw    $3, %si
        cmpw    $summaries_end, %si
        jb      1b
        ret

# Spoils the structures in ES, before the boot program sees them. Changes AX, CX, SI.
spoil_structures:
        pushw   %fs
        popw    %es
        cmpb    $0, %es:undi_quirks + QUIRK_WILD_POINTERS
        je      1f
        movl    $-1, %es:pxe + PXE_UNDI_ROM_ID
        movl    $-1, %es:pxe + PXE_BASE_ROM_ID
        movl    $-1, %es:pxe + PXE_ENTRY_ESP
        movl    $-1, %es:pxenv + PXENV_PXE
        callw   seal_structures
1:      movb    %es:undi_quirks + QUIRK_CHECKSUM_PXE, %al
        addb    %al, %es:pxe + PXE_CHECKSUM
        movb    %es:undi_quirks + QUIRK_CHECKSUM_PXENV, %al
        addb    %al, %es:pxenv + PXENV_CHECKSUM
        movb    %es:undi_quirks + QUIRK_LENGTH_PXE, %al
        addb    %al, %es:pxe + PXE_LENGTH
        movb    %es:undi_quirks + QUIRK_LENGTH_PXENV, %al
        addb    %al, %es:pxenv + PXENV_LENGTH
        ret

text_line_open:
        .asciz  "Quirk ROM: the line is open\r\n"
text_line_masked:
        .asciz  "Quirk ROM: the line is masked\r\n"

# BX = the place of the card's interrupt vector, AX = the masks of both interrupt controllers, CX = the card's line, DS = 0,
# ES = the base code. FS = the UNDI's data, GS = the base code's.
quirk_line:
        xorw    %cx, %cx
        movw    %cx, %ds
        movw    %gs:base_entry_point + 2, %es
        movb    %fs:nic_irq, %cl
        movw    %cx, %bx
        addw    $0x08, %bx
        cmpw    $0x10, %bx
        jb      1f
        addw    $0x60, %bx
1:      shlw    $2, %bx
        inb     $0xa1, %al
        movb    %al, %ah
        inb     $0x21, %al
        ret

# Sets the masks to AX. Changes AL.
quirk_masks:
        outb    %al, $0x21
        movb    %ah, %al
        outb    %al, $0xa1
        ret

# The base code waits for the card's interrupt. Changes AX, BX, CX, DS, ES.
quirk_open_line:
        cmpb    $0, %fs:undi_quirks + QUIRK_LINE_OPEN
        je      1f
        callw   quirk_line
        pushl   (%bx)
        popl    %es:old_line
        movw    $base_line, (%bx)
        movw    %es, 2(%bx)
        btrw    %cx, %ax
        callw   quirk_masks
1:      ret

# And does not any more: what has become of the line is told. Changes AX, BX, CX, SI, DS, ES.
quirk_close_line:
        cmpb    $0, %fs:undi_quirks + QUIRK_LINE_OPEN
        je      2f
        callw   quirk_line
        pushl   %es:old_line
        popl    (%bx)
        movw    $text_line_masked, %si
        btsw    %cx, %ax
        jc      1f
        movw    $text_line_open, %si
        callw   quirk_masks
1:      callw   print
2:      ret

# ---------------------------------------------------------------------------------------------------------------
# For api_leave: DS = our data, BP = the frame. Spoils what the caller will find in its registers.
        .macro  define_clobber name, quirks
\name:
        cmpb    $0, \quirks + QUIRK_CLOBBERS_SEGMENTS
        je      1f
        movw    $0xdead, %ax
        movw    %ax, FRAME_DS(%bp)
        movw    %ax, FRAME_ES(%bp)
        movw    %ax, %fs
        movw    %ax, %gs
1:      cmpb    $0, \quirks + QUIRK_CLOBBERS_UPPER_HALVES
        je      3f
        movw    $8, %cx
        movw    %bp, %si
2:      movw    $0xa5a5, %ss:FRAME_EDI + 2(%si)
        addw    $4, %si
        loop    2b
        orl     $0xa5a50000, %esp
3:      cmpb    $0, \quirks + QUIRK_SETS_DF
        je      4f
        orw     $0x0400, FRAME_FLAGS(%bp)
4:      cmpb    $0, \quirks + QUIRK_SETS_IF
        je      5f
        orw     $0x0200, FRAME_FLAGS(%bp)
5:      cmpb    $0, \quirks + QUIRK_CLEARS_IF
        je      6f
        andw    $~0x0200, FRAME_FLAGS(%bp)
6:      ret
        .endm

        .section .base.text, "ax"

        define_clobber base_clobber, base_quirks

# The card's interrupt.
base_line:
        pushw   %ax
        movb    $0x20, %al
        outb    %al, $0xa0
        outb    %al, $0x20
        popw    %ax
        iretw

base_hang:
        sti
1:      jmp     1b

# The end of GET_CACHED_INFO that tells where a packet is.
quirk_cached_pointer:
        cmpb    $0, base_quirks + QUIRK_WILD_POINTERS
        je      1f
        movl    $-1, %es:6(%di)
1:      xorw    %ax, %ax
        ret

        .section .undi.text, "ax"

        define_clobber undi_clobber, undi_quirks

# A call that never comes back, with interrupts open.
undi_hang:
        sti
1:      jmp     1b

# Uses so many times 256 bytes of the caller's stack.
quirk_deep_stack:
        movzbw  undi_quirks + QUIRK_DEEP_STACK, %cx
        shlw    $7, %cx                         # words
1:      pushw   $0xdddd
        loop    1b
        movw    %bp, %sp                        # where api_enter left it
        jmp     undi_dispatch

# So many times, and for ever if it is 255.
quirk_initialize_fails:
        cmpb    $255, undi_quirks + QUIRK_INITIALIZE_FAILS
        je      1f
        decb    undi_quirks + QUIRK_INITIALIZE_FAILS
1:      movw    $MEDIA_TEST_FAILED, %ax
        ret

# The end of GET_INFORMATION.
quirk_station_fields:
        xorl    %eax, %eax
        cmpb    $0, undi_quirks + QUIRK_STATION_LENGTH
        je      1f
        movw    %ax, %es:10(%di)                # HwAddrLen
1:      cmpb    $0, undi_quirks + QUIRK_STATION_CURRENT
        je      2f
        movl    %eax, %es:12(%di)
        movw    %ax, %es:16(%di)
2:      cmpb    $0, undi_quirks + QUIRK_STATION_PERMANENT
        je      3f
        movl    $-1, %es:28(%di)
        movw    $-1, %es:32(%di)
3:      ret

# Zeroes quirk_state. Changes AL, CX, DI.
quirk_reset:
        pushw   %es
        pushw   %ds
        popw    %es
        movw    $quirk_state, %di
        movw    $quirk_state_end - quirk_state, %cx
        xorb    %al, %al
        rep stosb
        popw    %es
        ret

# Of eight attempts, seven are refused. DI as the call handler has it.
quirk_transmit_busy:
        incb    transmit_refusals
        testb   $7, transmit_refusals
        movw    $OUT_OF_RESOURCES, %ax
        jnz     1f
        movw    %di, %bx
        jmp     nic_transmit
1:      ret

# The frame stays where it is, in the caller's buffers, and is sent after so many ticks of the BIOS's clock.
quirk_transmit_late:
        movw    $OUT_OF_RESOURCES, %ax
        cmpw    $LATE_SLOTS, late_count
        jae     3f
        movw    late_first, %bx
        addw    late_count, %bx
        callw   quirk_late_slot
        pushw   %ds
        movw    %ds, %dx
        movw    %es, %ax
        movw    %ax, %ds
        movw    %dx, %es
        movw    %di, %si
        movw    %bx, %di
        movw    $TRANSMIT_SIZE, %cx
        rep movsb                               # the parameters
        ldsw    %es:TRANSMIT_DESTINATION(%bx), %si
        movw    %di, %es:TRANSMIT_DESTINATION(%bx)
        movw    %es, %es:TRANSMIT_DESTINATION + 2(%bx)
        movw    $6, %cx
        rep movsb                               # and the address that may be there
        popw    %ds
        cmpw    $0, late_count
        jne     2f
        callw   quirk_tick
        movw    %ax, late_tick
2:      incw    late_count
        xorw    %ax, %ax
3:      ret

# BX = the slot number BX of late_queue.
quirk_late_slot:
        andw    $LATE_SLOTS - 1, %bx
        imulw   $LATE_SLOT, %bx
        addw    $late_queue, %bx
        ret

# AX = the BIOS's clock.
quirk_tick:
        pushw   %ds
        movw    $0x40, %ax
        movw    %ax, %ds
        movw    0x6c, %ax
        popw    %ds
        ret

# ZF = 0 if the frames in late_queue are due. Changes AX, CX.
quirk_late_due:
        cmpw    $0, late_count
        je      1f
        callw   quirk_tick
        subw    late_tick, %ax
        movzbw  undi_quirks + QUIRK_TRANSMIT_LATE, %cx
        cmpw    %cx, %ax
        setae   %al
        testb   %al, %al
1:      ret

# A frame of less than 60 bytes: the card never sends it, and says it has.
quirk_short_dropped:
        incw    transmit_reports
        xorw    %ax, %ax
        ret

# What is hooked while the card is open, and the handlers that were there before.
undi_old_timer:
        .long   0
undi_old_line:
        .long   0
undi_timer:
        ljmpw   *%cs:undi_old_timer
undi_line:
        ljmpw   *%cs:undi_old_line

# The end of OPEN.
quirk_opened:
        movw    $TIMER_VECTOR * 4, %bx
        movw    $undi_timer, %si
        movw    $undi_old_timer, %di
        cmpb    $0, undi_quirks + QUIRK_TIMER_AT_OPEN
        jne     1f
        movzbw  nic_irq, %bx
        addw    $0x68, %bx                      # a line of the second controller
        shlw    $2, %bx
        movw    $undi_line, %si
        movw    $undi_old_line, %di
        cmpb    $0, undi_quirks + QUIRK_LINE_AT_OPEN
        je      3f
1:      pushw   %ds
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %cs, %ax
        pushfw
        cli
        cmpw    %ax, 2(%bx)                     # once
        je      2f
        movl    (%bx), %ecx
        movl    %ecx, %cs:(%di)
        movw    %si, (%bx)
        movw    %ax, 2(%bx)
2:      popfw
        popw    %ds
3:      cmpb    $0, undi_quirks + QUIRK_FRAME_AT_ZERO
        je      4f
        pushfw
        cli
        xorw    %si, %si                        # any bytes will do for a frame
        movw    $FRAME_MINIMUM, %cx
        callw   quirk_frame_at_zero
        popfw
4:      xorw    %ax, %ax
        ret

# The end of CLOSE.
quirk_closed:
        cmpb    $1, undi_quirks + QUIRK_TIMER_AT_OPEN
        jne     2f
        pushw   %ds
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %cs, %dx
        pushfw
        cli
        cmpw    $undi_timer, TIMER_VECTOR * 4
        jne     1f
        cmpw    %dx, TIMER_VECTOR * 4 + 2
        jne     1f
        movl    %cs:undi_old_timer, %ecx
        movl    %ecx, TIMER_VECTOR * 4
1:      popfw
        popw    %ds
2:      xorw    %ax, %ax
        ret

# UNDI_ISR START.
quirk_start:
        cmpb    $0, undi_quirks + QUIRK_START_BY_INTERRUPT
        je      3f
        movb    $0x0b, %al                      # which lines are in service?
        outb    %al, $0xa0
        outb    %al, $0x20
        inb     $0xa0, %al
        movb    %al, %ah
        inb     $0x20, %al
        movzbw  nic_irq, %cx
        btw     %cx, %ax
        jnc     isr_not_ours
3:      callw   quirk_late_due
        jnz     isr_ours
        cmpb    $0, undi_quirks + QUIRK_START_NEVER
        jne     isr_not_ours
        cmpb    $0, undi_quirks + QUIRK_IRQ_STUCK
        jne     1f
        callw   isr_start_asks_card
        cmpw    $ISR_OURS, %es:ISR_FUNCTION(%di)
        jne     2f
        movb    $1, process_allowed
2:      ret
1:      cmpw    $0, transmit_in_flight          # the card's interrupts stay on, so the work decides
        jne     isr_ours
        port    CBR
        inw     %dx, %ax
        cmpw    receive_next, %ax
        jne     isr_ours
        jmp     isr_not_ours

# UNDI_ISR PROCESS.
quirk_process:
        cmpb    $0, undi_quirks + QUIRK_PROCESS_LOCKS
        je      1f
        cmpb    $0, process_allowed
        je      undi_hang
        movb    $0, process_allowed
1:      callw   quirk_late_due
        jz      3f
        pushw   %es
        pushw   %di
2:      movw    late_first, %bx
        callw   quirk_late_slot
        pushw   %ds
        popw    %es
        callw   nic_transmit
        cmpw    $OUT_OF_RESOURCES, %ax
        je      4f                              # the rest when the card has room
        incw    late_first
        decw    late_count
        jnz     2b
4:      popw    %di
        popw    %es
3:      cmpb    $0, undi_quirks + QUIRK_IRQ_STUCK
        jne     isr_look                        # nothing is ever acknowledged
        jmp     isr_acknowledge

# UNDI_ISR RECEIVE is the answer, with the frame of CX bytes at DS:SI, its protocol in DH and its kind in DL.
quirk_receive:
        cmpb    $0, undi_quirks + QUIRK_GOES_DEAF
        je      2f
        decb    undi_quirks + QUIRK_GOES_DEAF
        jnz     2f
        pushw   %dx
        port    CR
        movb    $CR_TE, %al                     # until OPEN the card only sends
        outb    %al, %dx
        popw    %dx
2:      cmpb    $0, undi_quirks + QUIRK_FRAME_AT_ZERO
        je      3f
        incb    frames_handed
        movb    undi_quirks + QUIRK_FRAME_AT_ZERO, %al
        decb    %al
        testb   %al, frames_handed
        jnz     3f
        callw   quirk_frame_at_zero
3:      cmpb    $0, undi_quirks + QUIRK_WILD_FRAMES
        je      1f
        movl    $-1, %es:ISR_FRAME(%di)
1:      movw    %cx, part_total
        movw    %dx, part_kinds
        cmpb    $0, undi_quirks + QUIRK_PARTS
        je      quirk_part
        movw    %cx, part_left

# Hands out the next part, from SI on.
quirk_next_part:
        movw    part_left, %cx
        cmpb    $0, undi_quirks + QUIRK_PARTS
        je      1f
        cmpw    $PART_LENGTH, %cx
        jbe     1f
        movw    $PART_LENGTH, %cx
1:      subw    %cx, part_left
        movw    part_total, %ax
        movw    part_kinds, %dx
        movb    %dh, %es:ISR_PROTOCOL(%di)
        movb    %dl, %es:ISR_KIND(%di)
        movw    %cx, %es:ISR_BUFFER_LENGTH(%di)
        movw    %ax, %es:ISR_FRAME_LENGTH(%di)
        movw    $HEADER_LENGTH, %es:ISR_HEADER_LENGTH(%di)
        movw    %si, %es:ISR_FRAME(%di)
        movw    %ds, %es:ISR_FRAME + 2(%di)
        movw    $ISR_RECEIVE, %es:ISR_FUNCTION(%di)
quirk_part:
        movw    %si, last_frame
        movw    %cx, last_length
        xorw    %ax, %ax
        ret

# What a card does that finds no next descriptor (8255x manual, "Receive Frame Area"): over the interrupt table it
# writes status and length of the frame of CX bytes at DS:SI, and the frame 16 bytes further on. Changes AX. An interrupt
# after this leads nowhere.
quirk_frame_at_zero:
        pushw   %es
        pushw   %di
        pushw   %si
        pushw   %cx
        xorw    %di, %di
        movw    %di, %es
        movw    $0xa000, %es:(%di)              # complete, without an error
        movw    %cx, %ax
        orw     $0xc000, %ax                    # all of it
        movw    %ax, %es:12(%di)
        movw    $16, %di
        rep movsb
        popw    %cx
        popw    %si
        popw    %di
        popw    %es
        ret

# UNDI_ISR PROCESS or GET_NEXT, with parts of the last frame perhaps left.
quirk_parts:
        cmpw    $0, part_left
        je      isr_next
        cmpb    $0, undi_quirks + QUIRK_PART_LOST
        je      1f
        incw    parts_given
        testw   $0x3ff, parts_given
        jnz     1f
        movw    $0, part_left
        movw    receive_next, %bx
        jmp     isr_done
1:      movw    last_frame, %si
        addw    last_length, %si
        jmp     quirk_next_part

# Instead of UNDI_ISR DONE: the last frame again.
quirk_endless:
        movw    last_length, %cx
        testw   %cx, %cx
        jz      isr_done_indeed
        movw    %cx, part_left
        movw    last_frame, %si
        jmp     quirk_next_part

# UNDI_ISR of any kind: what was handed out before is overwritten.
quirk_buffers_reused:
        pushw   %es
        pushw   %di
        pushw   %ds
        popw    %es
        movw    last_frame, %di
        movw    last_length, %cx
        movb    $0xee, %al
        rep stosb
        movw    %cx, last_length
        popw    %di
        popw    %es
        jmp     isr_function
