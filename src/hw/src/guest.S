/* Another program under us: how it is entered and left, by its return and by calls up, and what it is told of memory.
 *
 * It runs inside the downcall of guest_resume, which ends when the program leaves it. Then its registers lie on its own
 * stack as a `Frame` (guest.rs), and nothing of it is kept here, so programs and calls nest. The one word that says
 * where our own stack is meanwhile, guest_stack, is 0 while no program runs.
 */

    .section .low.data, "aw"
    .balign 4
    .globl guest_int15_previous
guest_int15_previous:                   /* the handler that ours replaced, 0:0 while it is not in the chain */
    .long   0
    .globl guest_int1a_previous
guest_int1a_previous:                   /* the same */
    .long   0
    .globl guest_pxenv
guest_pxenv:                            /* what INT 1Ah tells of; 0:0 for nothing of ours */
    .long   0
    .globl guest_table
guest_table:                            /* segment of the table of memory; 0 while no program runs */
    .word   0
guest_stack:
    .word   0

    .section .low.text, "ax"
    .code16

/* Goes on with a program. A near routine: it comes back when the program has left.
 *
 * On entry: DS = CS, IF = DF = 0, EBX = the program's stack (segment:offset), with a Frame on it.
 * On exit:  the same, wherever the program's stack is now. */
    .globl guest_resume
guest_resume:
    movw    %sp, guest_stack
    pushl   %ebx
    popw    %ax
    popw    %ss
    movw    %ax, %sp
guest_go:
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    leaw    4(%esp), %sp                /* over the reason; flags stay */
    popfl
    lretw

/* The program's far return leads here. */
    .globl guest_returned
guest_returned:
    pushl   $0                          /* where a call up has its return address */
    pushfl
    pushl   $GUEST_RETURNED
    jmp     guest_leave

/* Far calls up: the opcode and the far pointer to its parameters on the stack (`!PXE`), or in BX and ES:DI (`PXENV+`).
 * On return AX and the carry flag say whether it was done; all else is kept. */
    .globl guest_call_by_stack
guest_call_by_stack:
    pushfl
    pushl   $GUEST_BY_STACK
    jmp     guest_leave
    .globl guest_call_by_registers
guest_call_by_registers:
    pushfl
    pushl   $GUEST_BY_REGISTERS

/* Leaves the program: to what called guest_resume. A call that comes while Rust answers another - from an interrupt
 * that the program has hooked - is refused at once. */
guest_leave:
    cli
    cld
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    movw    %cs, %ax
    movw    %ax, %ds
    xorw    %cx, %cx
    xchgw   %cx, guest_stack
    jcxz    guest_busy
    movw    %ss, %bx
    shll    $16, %ebx
    movw    %sp, %bx
    movw    %ax, %ss
    movzwl  %cx, %esp
    ret

guest_busy:
    movw    %sp, %bp
    movw    $GUEST_FAILURE, FRAME_EAX(%bp)
    orb     $1, FRAME_FLAGS(%bp)
    jmp     guest_go

/* INT 15h while a program runs: E820h, E801h and 88h are answered from the table, all else is the BIOS's. */
    .globl guest_int15
guest_int15:
    cmpw    $0, %cs:guest_table
    je      1f
    cmpw    $0xe820, %ax
    je      guest_e820
    cmpw    $0xe801, %ax
    je      guest_e801
    cmpb    $0x88, %ah
    je      guest_88
1:  ljmpw   *%cs:guest_int15_previous

/* INT 1Ah while a program runs: AX = 5650h is asked for PXE (PXE 2.1 section 3.1). */
    .globl guest_int1a
guest_int1a:
    cmpw    $0x5650, %ax
    jne     1f
    cmpl    $0, %cs:guest_pxenv
    je      1f
    lesw    %cs:guest_pxenv, %bx
    movw    $0x564e, %ax
    jmp     guest_done
1:  ljmpw   *%cs:guest_int1a_previous

guest_88:
    pushw   %ds
    movw    %cs:guest_table, %ds
    movw    TABLE_ABOVE_1M, %ax
    popw    %ds
    jmp     guest_done

guest_e801:
    pushw   %ds
    movw    %cs:guest_table, %ds
    movw    TABLE_BELOW_16M, %ax
    movw    TABLE_ABOVE_16M, %bx
    popw    %ds
    movw    %ax, %cx
    movw    %bx, %dx

guest_done:                             /* carry clear in the caller's flags */
    pushw   %bp
    movw    %sp, %bp
    andb    $0xfe, 6(%bp)
    popw    %bp
    iretw

/* EBX = the number of the entry that is wanted, ECX = room at ES:DI. (ACPI 6.5, section 15.1) */
guest_e820:
    cmpl    $0x534d4150, %edx           /* SMAP */
    jne     guest_failed
    cmpl    $20, %ecx
    jb      guest_failed
    pushw   %ds
    pushw   %si
    pushw   %di
    movw    %cs:guest_table, %ds
    cmpl    TABLE_COUNT, %ebx
    jae     2f
    cld
    imulw   $TABLE_ENTRY, %bx, %si
    addw    $TABLE_ENTRIES, %si
    cmpl    $TABLE_ENTRY, %ecx
    movl    $TABLE_ENTRY, %ecx
    jae     1f
    movb    $20, %cl                    /* without attributes */
1:  pushw   %cx
    rep movsb
    popw    %cx
    incl    %ebx
    cmpl    TABLE_COUNT, %ebx
    sbbl    %eax, %eax
    andl    %eax, %ebx                  /* 0 after the last one */
    movl    %edx, %eax
    popw    %di
    popw    %si
    popw    %ds
    jmp     guest_done
2:  popw    %di
    popw    %si
    popw    %ds
guest_failed:
    movb    $0x86, %ah
    pushw   %bp
    movw    %sp, %bp
    orb     $1, 6(%bp)
    popw    %bp
    iretw

    .code64
    .text
