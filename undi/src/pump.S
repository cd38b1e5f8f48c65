/* The 16-bit side of the UNDI client: one downcall moves a batch of frames.
 *
 * The pump and the interrupt handler share one block of memory, `PumpControl` in control.rs; PUMP_* are the
 * offsets of its fields, and DS is its segment wherever nothing else is said. Nothing is written to in .low.text.
 *
 * A vendor's code may come back with any register but SS:SP changed, the upper halves, the segment registers, DF
 * and IF among them. So everything that must outlive a call is on the stack or in the block.
 */

    .section .low.bss.undi, "aw", @nobits
    .balign 4
undi_old_handler:                       /* the interrupt handler that ours replaced */
    .skip   4
undi_control:                           /* segment of the shared block */
    .skip   2

    .section .low.text.undi, "ax"
    .code16

/* Makes the block at ES:0 the shared one, and EDX (segment:offset), unless it is 0, the old interrupt handler. DS = CS. */
undi_attach:
    movw    %es, undi_control
    testl   %edx, %edx
    jz      1f
    movl    %edx, undi_old_handler
1:  ret

/* Sends what is queued and collects frames until the ring is full, the calls are used up, or nothing has come for
 * as long as the block says.
 *
 * On entry: IF = DF = 0, DS = CS, ES:0 = the block. Changes every register but the segments and SP. */
undi_pump:
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    movw    %es, %ax
    movw    %ax, %ds
    xorw    %ax, %ax
    movw    %ax, %fs                    /* the interrupt table, as long as the pump runs */
    rdtsc
    movl    %eax, PUMP_STAMP
    movb    PUMP_LINE_WANTED, %al
    call    undi_line

.Lundi_round:
    call    undi_send

    movl    %fs:PUMP_CANARY_PLACE, %eax /* a frame over the interrupt table: it is put back before any comes */
    cmpl    PUMP_CANARY, %eax
    jne     .Lundi_leave
    sti                                 /* the interrupt window */
    nop
    nop
    cli

    cmpw    $0, PUMP_ROOM
    je      .Lundi_leave
    cmpb    $0, PUMP_UNFINISHED         /* the last downcall ended between PROCESS and DONE */
    jne     .Lundi_next
    xorb    %al, %al
    xchgb   %al, PUMP_TRIGGERED         /* the handler has asked START already */
    orb     PUMP_PROCESS_FIRST, %al
    jnz     .Lundi_process
    movw    $PUMP_ISR_START, %ax
    call    undi_ask
    jnz     .Lundi_idle
    cmpw    $PUMP_ISR_OURS, PUMP_ISR_FUNCTION
    jne     .Lundi_idle

.Lundi_process:
    movb    $1, PUMP_UNFINISHED
    movw    $PUMP_ISR_PROCESS, %ax
    jmp     1f
.Lundi_next:
    movw    $PUMP_ISR_GET_NEXT, %ax
1:  cmpw    $0, PUMP_CALLS
    je      .Lundi_leave
    decw    PUMP_CALLS
    call    undi_ask
    jnz     .Lundi_done
    movw    PUMP_ISR_FUNCTION, %ax
    cmpw    $PUMP_ISR_RECEIVE, %ax
    je      .Lundi_receive
    cmpw    $PUMP_ISR_TRANSMIT, %ax
    jne     .Lundi_done
    incw    PUMP_COMPLETED
    jmp     .Lundi_next

.Lundi_done:
    movb    $0, PUMP_UNFINISHED
    movw    $0, PUMP_PART               /* the rest of a frame that was begun does not come any more */
    movb    PUMP_LINE_WANTED, %al       /* the handler may have masked it */
    call    undi_line

.Lundi_idle:
    testw   %bp, %bp                    /* what is queued goes out, however short the time is */
    jz      1f
    cmpw    $0, PUMP_TRANSMIT_LEFT
    jne     .Lundi_round
1:  rdtsc
    subl    PUMP_STAMP, %eax
    cmpl    PUMP_LIMIT, %eax
    jae     .Lundi_leave
    decw    PUMP_ROUNDS
    jz      .Lundi_leave
    pause
    jmp     .Lundi_round

.Lundi_leave:
    xorb    %al, %al
    call    undi_line
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    ret

/* A frame, or the next part of one, is in the ROM's buffer. */
.Lundi_receive:
    movw    PUMP_ISR_FRAME_LENGTH, %dx
    movw    PUMP_ISR_BUFFER_LENGTH, %cx
    testw   %cx, %cx
    jz      .Lundi_drop
    cmpw    $PUMP_SLOT_LENGTH, %dx
    ja      .Lundi_drop
    movw    PUMP_PART, %bx
    testw   %bx, %bx
    jz      1f
    cmpw    PUMP_PART_TOTAL, %dx
    je      1f
    incw    PUMP_DROPPED                /* another frame begins: the last one will not end */
    xorw    %bx, %bx
1:  movw    %dx, PUMP_PART_TOTAL
    movw    %bx, %ax
    addw    %cx, %ax
    jc      .Lundi_drop
    cmpw    %dx, %ax                    /* more than the frame has */
    ja      .Lundi_drop
    movw    %ax, PUMP_PART

    /* The source with the smallest offset: a string instruction must not cross the segment's end. */
    movw    PUMP_ISR_FRAME, %si
    movw    %si, %dx
    shrw    $4, %dx
    addw    PUMP_ISR_FRAME+2, %dx
    andw    $15, %si
    movw    PUMP_WRITE, %di
    shlw    $2, %di
    lesw    PUMP_SLOTS(%di), %di
    addw    %bx, %di
    movw    %dx, %ds
    movw    %cx, %bx
    shrw    $2, %cx
    rep movsl
    movw    %bx, %cx
    andw    $3, %cx
    rep movsb
    movw    %cs:undi_control, %ax
    movw    %ax, %ds

    movw    PUMP_PART, %ax
    cmpw    PUMP_PART_TOTAL, %ax
    jne     .Lundi_next
    movw    $0, PUMP_PART
    movw    PUMP_WRITE, %bx
    shlw    $1, %bx
    movw    %ax, PUMP_LENGTHS(%bx)
    movw    PUMP_WRITE, %ax
    incw    %ax
    cmpw    PUMP_SLOT_COUNT, %ax
    jb      1f
    xorw    %ax, %ax
1:  movw    %ax, PUMP_WRITE
    rdtsc
    movl    %eax, PUMP_STAMP
    movl    PUMP_QUIET, %eax
    movl    %eax, PUMP_LIMIT
    incw    PUMP_FRAMES
    decw    PUMP_ROOM
    jnz     .Lundi_next
    jmp     .Lundi_leave

.Lundi_drop:
    movw    $0, PUMP_PART
    incw    PUMP_DROPPED
    jmp     .Lundi_next

/* Sends the next frame that is queued, unless the ROM is out of resources. One only: between two frames the ROM is
 * to see what has become of the last. BP = whether the frame is off the queue. */
undi_send:
    xorw    %bp, %bp
    cmpw    $0, PUMP_TRANSMIT_LEFT
    je      9f
    imulw   $PUMP_TRANSMIT_BLOCK, PUMP_TRANSMIT_NEXT, %di
    addw    $PUMP_TRANSMIT, %di
    movw    $0, (%di)
    movw    $PUMP_UNDI_TRANSMIT, %bx
    call    undi_rom
    jnz     1f
    cmpw    $0, (%di)
    je      2f
1:  cmpw    $PUMP_OUT_OF_RESOURCES, (%di)
    je      9f
    movw    PUMP_TAKEN, %ax
    btsw    %ax, PUMP_REFUSED
2:  incw    %bp
    incw    PUMP_TAKEN
    decw    PUMP_TRANSMIT_LEFT
    movw    PUMP_TRANSMIT_NEXT, %ax
    incw    %ax
    andw    $PUMP_TRANSMIT_SLOTS - 1, %ax
    movw    %ax, PUMP_TRANSMIT_NEXT
9:  ret

/* Calls UNDI_ISR with function AX. ZF says whether the ROM returned success. Changes BX, DI. */
undi_ask:
    movw    $PUMP_ISR, %di
undi_ask_with:
    movw    $PUMP_UNDI_ISR, %bx
    movw    $0, (%di)
    movw    %ax, 2(%di)
    movl    $0, 4(%di)
    movl    $0, 8(%di)
    movl    $0, 12(%di)

/* Calls the ROM: BX = opcode below 100h, DI = offset of the parameters in the block. AX = its answer, ZF set for success;
 * all other registers are kept. Both conventions are served: parameters on the stack, and ES:DI with BX. */
undi_rom:
    pushal
    pushw   %es
    pushw   %fs
    pushw   %gs
    movb    %bl, PUMP_BUSY
    movw    %sp, PUMP_SAVED_SP
    pushw   %ds
    popw    %es
    pushw   %ds
    pushw   %di
    pushw   %bx
    lcallw  *PUMP_ENTRY
    cli
    cld
    movw    %cs:undi_control, %cx
    movw    %cx, %ds
    movzwl  PUMP_SAVED_SP, %esp
    movb    $0, PUMP_BUSY
    popw    %gs
    popw    %fs
    popw    %es
    movw    %sp, %bp
    movw    %ax, 28(%bp)                /* EAX in the frame that POPAD takes */
    popal
    testw   %ax, %ax
    ret

/* Opens (AL = 1) or masks (AL = 0) the card's interrupt line, unless it is so already or was given up.
 * Changes AX, DX. */
undi_line:
    cmpb    $0, PUMP_LINE_LOST
    jne     2f
    cmpb    PUMP_LINE_OPEN, %al
    je      2f
    movb    %al, PUMP_LINE_OPEN
    movw    PUMP_MASK_PORT, %dx
    movb    PUMP_MASK_BIT, %ah
    testb   %al, %al
    inb     %dx, %al
    jz      1f
    notb    %ah
    andb    %ah, %al
    outb    %al, %dx
    ret
1:  orb     %ah, %al
    outb    %al, %dx
2:  ret

/* The handler of the card's interrupt, on whatever stack was in use.
 *
 * The ROM is not entered while somebody is inside it, nor between PROCESS and DONE. The card's interrupts, and
 * those that nobody may ask the ROM about, mask the line: the pump opens it again. So does the last of a row of
 * strange ones, for good. */
undi_interrupt:
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    cld
    movw    %cs:undi_control, %ax
    movw    %ax, %ds
    movb    $1, PUMP_LINE_OPEN          /* whoever has opened it */
    movb    PUMP_BUSY, %al
    orb     PUMP_UNFINISHED, %al
    jnz     3f
    movw    $PUMP_ISR_START, %ax
    movw    $PUMP_HANDLER_ISR, %di
    call    undi_ask_with
    jnz     1f
    cmpw    $PUMP_ISR_OURS, PUMP_HANDLER_ISR_FUNCTION
    je      2f
1:  incw    PUMP_STRANGE
    cmpw    $PUMP_STRANGE_LIMIT, PUMP_STRANGE
    jb      4f
    xorb    %al, %al
    call    undi_line
    movb    $1, PUMP_LINE_LOST
    jmp     5f
2:  movb    $1, PUMP_TRIGGERED
    incw    PUMP_INTERRUPTS
3:  xorb    %al, %al
    call    undi_line
    jmp     5f
4:  cmpb    $0, PUMP_STUB
    jne     5f
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    ljmpw   *%cs:undi_old_handler

5:  movb    $0x20, %al                  /* end of interrupt */
    cmpw    $0xa1, PUMP_MASK_PORT
    jne     6f
    outb    %al, $0xa0
6:  outb    %al, $0x20
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    iretw

/* Where things are, for rom.rs. */
    .section .rodata.undi_routines, "a"
    .balign 2
    .globl undi_routines
undi_routines:
    .word   undi_attach
    .word   undi_pump
    .word   undi_interrupt

    .text
    .code64
