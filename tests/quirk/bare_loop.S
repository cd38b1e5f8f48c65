# A boot program that does nothing but take frames from the card's ring and give their buffers back: what no driver can
# exceed. Nothing is done with a frame, and nothing is sent.
#
# DEVICE is the card's PCI device id, with the vendor's in the low half. First SPEED frames are received without a
# pause, then FRAMES, each time all that have come between two ticks of the clock, so that none is waited for. The
# counter plugin is told when each time begins (1) and ends (2), and when all are over (3).
#
# Sources: 8254x manual (317453), sections 3.2 and 13.4; Virtual I/O Device Version 1.2, sections 2.7 and 4.1.4.8, of
# which the legacy interface is used. The rings have as much room as those of QEMU and of our driver.

        .code16
        .include "program.inc"

        .set    WARM_UP, 20000                  # frames, in which the emulator translates
        .set    E1000, 0x100e8086
        .set    VIRTIO_NET, 0x10001af4
        .set    PCI_FIND, 0xb102                # INT 1Ah (PCI BIOS specification 2.1)
        .set    PCI_READ, 0xb10a
        .set    PCI_WRITE, 0xb10c               # a word
        .set    COMMAND, 0x04
        .set    BAR_0, 0x10
        .set    RING, 0x2000000                 # memory that nobody has: 32 MiB, aligned to all that is needed
        .set    BUFFERS, RING + 0x10000
        .set    BUFFER, 2048
        .set    BATCH, 16                       # buffers that are given back at once

# On entry: CS = 0. It never comes back.
        .globl  _start
_start:
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    $PCI_FIND, %ax
        movw    $DEVICE >> 16, %cx
        movw    $DEVICE & 0xffff, %dx
        xorw    %si, %si
        int     $0x1a
        jc      failed
        movw    $PCI_WRITE, %ax
        movw    $COMMAND, %di
        movw    $7, %cx                         # ports, memory, bus master
        int     $0x1a
        movw    $PCI_READ, %ax
        movw    $BAR_0, %di
        int     $0x1a
        movl    %ecx, %ebx
        cli
        call    flatten
        call    start

        movl    $WARM_UP, %edi
1:      call    receive
        testl   %edi, %edi
        jnz     1b
        movl    $SPEED, %edi
        event   1
2:      call    receive
        testl   %edi, %edi
        jnz     2b
        event   2
        movl    $FRAMES, %edi
3:      sti
        hlt
        cli
        call    flatten
        event   1
        call    receive
        event   2
        testl   %edi, %edi
        jnz     3b
        event   3
failed: hlt
        jmp     failed

# Lets DS reach 4 GiB: the BIOS may have taken that back. IF = 0.
flatten:
        lgdt    descriptors
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $8, %dx
        movw    %dx, %ds
        andb    $0xfe, %al
        movl    %eax, %cr0
        xorw    %dx, %dx
        movw    %dx, %ds
        ret

# start: EBX = BAR 0. Resets the card and gives it all buffers; leaves in registers what `receive` wants.
# receive: takes in what is there, EDI frames at most, which it counts down. Changes EAX and EDX, and keeps the rest of
# the registers for itself.

        .if     DEVICE == E1000

        .set    SLOTS, 256
        .set    CONTROL, 0x0000
        .set    INTERRUPT_MASK_CLEAR, 0x00d8
        .set    RECEIVE_CONTROL, 0x0100
        .set    RING_LOW, 0x2800
        .set    RING_HIGH, 0x2804
        .set    RING_LENGTH, 0x2808
        .set    RING_HEAD, 0x2810
        .set    RING_TAIL, 0x2818
        .set    STATUS, 12                      # in a descriptor

start:  andb    $0xf0, %bl
        movl    $1 << 26, CONTROL(%ebx)         # reset
1:      testl   $1 << 26, CONTROL(%ebx)
        jnz     1b
        movl    $-1, INTERRUPT_MASK_CLEAR(%ebx)
        orl     $1 << 6 | 1 << 5, CONTROL(%ebx) # link up, detect speed
        movl    $RING, %esi
        movl    $BUFFERS, %eax
2:      movl    %eax, (%esi)
        movl    $0, 4(%esi)
        movl    $0, 8(%esi)
        movl    $0, 12(%esi)
        addl    $BUFFER, %eax
        addl    $16, %esi
        cmpl    $RING + SLOTS * 16, %esi
        jb      2b
        movl    $RING, %esi
        movl    %esi, RING_LOW(%ebx)
        movl    $0, RING_HIGH(%ebx)
        movl    $SLOTS * 16, RING_LENGTH(%ebx)
        movl    $0, RING_HEAD(%ebx)
        movl    $0, RING_TAIL(%ebx)
        movl    $1 << 1 | 1 << 15 | 1 << 26, RECEIVE_CONTROL(%ebx)      # on; broadcasts; no check sequence
        movl    $SLOTS - 1, RING_TAIL(%ebx)
        ret

# EBX = the registers, ESI -> the next descriptor.
receive:
        testb   $1, STATUS(%esi)                # done
        jz      3f
        movb    $0, STATUS(%esi)
        addl    $16, %esi
        testl   $BATCH * 16 - 1, %esi
        jz      4f
2:      decl    %edi
        jnz     receive
3:      ret
4:      movl    %esi, %eax                      # all before the next one are the card's, but for the last
        shrl    $4, %eax
        decl    %eax
        andl    $SLOTS - 1, %eax
        movl    %eax, RING_TAIL(%ebx)
        andl    $~(SLOTS * 16), %esi
        jmp     2b

        .elseif DEVICE == VIRTIO_NET

        .set    SLOTS, 256                      # what QEMU's device has
        .set    DRIVER_FEATURES, 0x04           # ports
        .set    QUEUE_PAGE, 0x08
        .set    QUEUE_SIZE, 0x0c
        .set    QUEUE_SELECT, 0x0e
        .set    QUEUE_NOTIFY, 0x10
        .set    DEVICE_STATUS, 0x12
        .set    AVAILABLE, SLOTS * 16           # in the queue
        .set    USED, AVAILABLE + 0x1000

        .macro  port offset
        leaw    \offset(%ebp), %dx
        .endm

start:  andb    $0xfc, %bl
        movl    %ebx, %ebp
        port    DEVICE_STATUS
        xorl    %eax, %eax
        outb    %al, %dx                        # reset
        movb    $3, %al                         # there is a driver
        outb    %al, %dx
        port    DRIVER_FEATURES
        xorl    %eax, %eax
        outl    %eax, %dx
        port    QUEUE_SELECT
        outw    %ax, %dx
        port    QUEUE_SIZE
        inw     %dx, %ax
        cmpw    $SLOTS, %ax
        jne     failed
        movl    $RING, %ebx
        movl    $BUFFERS, %eax
        xorl    %ecx, %ecx
1:      leal    (,%ecx,8), %esi
        movl    %eax, (%ebx,%esi,2)
        movl    $0, 4(%ebx,%esi,2)
        movl    $BUFFER, 8(%ebx,%esi,2)
        movl    $2, 12(%ebx,%esi,2)             # the device writes
        movw    %cx, AVAILABLE + 4(%ebx,%ecx,2)
        addl    $BUFFER, %eax
        incw    %cx
        cmpw    $SLOTS, %cx
        jb      1b
        movl    $1 | SLOTS << 16, AVAILABLE(%ebx)       # no interrupts; all are given
        movl    $0, USED(%ebx)
        port    QUEUE_PAGE
        movl    $RING >> 12, %eax
        outl    %eax, %dx
        port    DEVICE_STATUS
        movb    $7, %al                         # the driver is ready
        outb    %al, %dx
        xorl    %ecx, %ecx
        jmp     notify

# EBX -> the queue, CX = entries that were taken so far, BP = the ports. An entry is given back where it was taken.
receive:
        cmpw    %cx, USED + 2(%ebx)
        je      3f
        movzbl  %cl, %eax
        movw    USED + 4(%ebx,%eax,8), %dx
        movw    %dx, AVAILABLE + 4(%ebx,%eax,2)
        incw    AVAILABLE + 2(%ebx)
        incw    %cx
        testb   $BATCH - 1, %cl
        jz      4f
2:      decl    %edi
        jnz     receive
3:      ret
4:      call    notify
        jmp     2b

# Tells the device of what it was given, if it wants to hear.
notify: testb   $1, USED(%ebx)
        jnz     1f
        port    QUEUE_NOTIFY
        xorw    %ax, %ax
        outw    %ax, %dx
1:      ret

        .else
        .error  "a card that this has no loop for"
        .endif

        .balign 8
segments:
        .quad   0, 0x008f92000000ffff           # data, 0 to 4 GiB
descriptors:
        .word   . - segments - 1
        .long   segments
