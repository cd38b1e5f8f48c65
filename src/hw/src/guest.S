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
    .balign 4
guest_gdtr:                             /* of a program that calls in protected mode, until it is gone on with */
    .word   0
    .long   0
guest_idtr:                             /* behind it */
    .word   0
    .long   0
guest_caller:                           /* its stack: ESP, SS */
    .long   0
    .word   0
guest_code:                             /* its selector for the code of this block */
    .word   0

    .section .low.text, "ax"
    .code16

/* Goes on with a program. A near routine: it comes back when the program has left.
 *
 * On entry: DS = CS, IF = DF = 0, EBX = the program's stack (segment:offset), with a Frame on it; AX, DL = AX and carry flag
 *           for the program.
 * On exit:  the same, wherever the program's stack is now, and EAX is not 0; or as guest_protected says. */
    .globl guest_resume
guest_resume:
    movw    %sp, guest_stack
    pushl   %ebx
    popw    %cx
    popw    %ss
    movzwl  %cx, %esp
guest_answer:
    movw    %ax, FRAME_EAX(%esp)
    andb    $0xfe, FRAME_FLAGS(%esp)
    orb     %dl, FRAME_FLAGS(%esp)
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    leal    4(%esp), %esp               /* over the reason; flags stay */
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
 * On return AX and the carry flag say whether it was done; all else is kept. By `!PXE` that may be in 16-bit protected
 * mode (guest_protected), on a stack of 16 bits by the first entry, of 32 by the second, which is of no use elsewhere. */
    .globl guest_call_by_stack
guest_call_by_stack:
    pushfl
    pushl   $GUEST_BY_STACK
    jmp     guest_leave
    .globl guest_call_protected
guest_call_protected:
    pushfl
    pushl   $GUEST_BY_STACK
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    jmp     guest_protected
    .globl guest_call_by_registers
guest_call_by_registers:
    pushfl
    pushl   $GUEST_BY_REGISTERS

/* Leaves the program: to what called guest_resume. A call that comes while Rust answers another - from an interrupt
 * that the program has hooked - is refused at once. */
guest_leave:
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    smsww   %ax
    testb   $1, %al
    jnz     guest_protected_16
    cli
    cld
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
    movzwl  %sp, %esp
guest_refused:
    movw    $GUEST_FAILURE, %ax
    movb    $1, %dl
    jmp     guest_answer

/* Leaves a program that calls in 16-bit protected mode: by the low block's own segments down to real mode, which alone
 * goes on to long mode and comes back from it. The program is gone on with by guest_resume_protected.
 *
 * On entry: protected mode; CS leads to this block, is of 16 bits and can be read; a Frame on the stack. The interrupt
 *           controllers are as the BIOS wants them. Without the highest privilege, with paging, or in real mode the call
 *           is refused, and nothing was touched.
 * On exit:  real mode, as from guest_resume, but EAX = 0, ECX = the reason, EBX = opcode and offset, DX = selector of the
 *           parameters, EBP = that of CS, ESI and DI = address and limit of the GDT, EDI's upper half = LDTR.
 * When the program goes on, all is its own: GDTR, IDTR, LDTR, TR, control registers, selectors, stack, registers.
 */
guest_protected_16:
    movzwl  %sp, %esp
guest_protected:
    movw    %cs, %ax
    testb   $3, %al
    jnz     guest_refused
    movl    %cr0, %eax
    andl    $0x80000001, %eax           /* PG, PE */
    decl    %eax
    jnz     guest_refused
    cli
    cld
    leal    -12(%esp), %esp
    sgdtl   (%esp)
    sidtl   6(%esp)
    lgdtl   %cs:low_gdtr
    movw    $SELECTOR_DATA16, %ax
    movw    %ax, %ds
    xorl    %edx, %edx
    xchgw   %dx, guest_stack
    testw   %dx, %dx
    jz      guest_protected_busy
    popl    guest_gdtr
    popl    guest_gdtr+4
    popl    guest_gdtr+8
    movl    %esp, guest_caller
    movw    %ss, guest_caller+4
    movw    %cs, guest_code
    movl    FRAME_REASON(%esp), %ecx
    movl    FRAME_ARGUMENTS(%esp), %ebx
    movw    FRAME_ARGUMENTS+4(%esp), %bp
    movw    %ax, %es
    movw    %ax, %fs
    movw    %ax, %gs
    movw    %ax, %ss
    movl    %edx, %esp
    movw    %bp, %dx
    movw    guest_code, %bp
    sldtw   %di
    shll    $16, %edi
    movw    guest_gdtr, %di
    movl    guest_gdtr+2, %esi
    pushw   $SELECTOR_CODE16            /* for its limit, which real mode keeps */
    pushw   $1f
    lretw
1:  movl    low_linear, %eax
    shrl    $4, %eax
    pushw   %ax
    pushw   $2f
    movl    %cr0, %eax
    decw    %ax
    movl    %eax, %cr0
    lretw
2:  movw    %cs, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %fs
    movw    %ax, %gs
    movw    %ax, %ss
    lidtl   real_idtr
    xorl    %eax, %eax
    ret

guest_protected_busy:
    lgdtl   (%esp)
    leal    12(%esp), %esp
    jmp     guest_refused

/* Goes on with a program that has called in protected mode. A near routine, as guest_resume.
 *
 * On entry: DS = CS, IF = DF = 0; AX, DL = AX and carry flag for the program.
 * On exit:  as from guest_resume. */
    .globl guest_resume_protected
guest_resume_protected:
    movw    %sp, guest_stack
    lgdtl   guest_gdtr
    lidtl   guest_idtr
    pushw   guest_code
    pushw   $1f
    movl    %cr0, %ecx
    incw    %cx
    movl    %ecx, %cr0
    lretw
1:  lssl    guest_caller, %esp
    jmp     guest_answer

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
