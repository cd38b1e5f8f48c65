/* The low block: how long mode goes down to real mode, what it can call there, and how it comes back.
 *
 * One round trip is one write of CR0 each way. What is saved where:
 *
 *   state              going down                              coming up
 *   GDTR, IDTR         long mode's are constants               real mode's into real_gdtr, real_idtr
 *   CR0, CR3, CR4      long mode's are constants               real mode's into real_cr0, real_cr3, real_cr4
 *   EFER               a constant of long mode; real mode has LME clear
 *   flags              on the long mode stack                  real mode's into the block
 *   general registers  callee-saved ones on that stack         real mode's into the block
 *   DS, ES             flat in long mode                       real mode's into the block
 *   FS, GS, SS         flat in long mode; this block's segment in real mode
 *   RSP                in the block                            SP leads back to the block
 *   A20                stays open                              compared, and opened again if a caller closed it
 *   FPU, SSE           never touched: the target is soft-float
 *
 * A block lies on the real-mode stack of the low block, one for each call that is under way, so calls nest and
 * nothing is kept in one static place between the two directions. Its layout is `Block` in realmode.rs.
 * Nothing in .low.text is ever written. DS-relative data is in .low.data, on pages of its own.
 */

    .set MSR_EFER,      0xc0000080
    .set FLAGS_IF,      1 << 9

    .section .low.data, "aw"
    .balign 16
    .globl low_gdt
low_gdt:
    .quad   0
    .quad   0x00209b0000000000      /* SELECTOR_CODE64: accessed, like all: the table is never written by a load */
    .quad   0x00cf9b000000ffff      /* SELECTOR_CODE32: flat */
    .quad   0x00cf93000000ffff      /* SELECTOR_DATA: flat */
    .quad   0x00009b000000ffff      /* SELECTOR_CODE16: base is set to this block's at start */
    .quad   0x000093000000ffff      /* SELECTOR_DATA16: the same */
    .quad   0, 0                    /* SELECTOR_TASK: filled at start */
low_gdt_end:
    .balign 16
low_gdtr:
    .word   low_gdt_end - low_gdt - 1
    .long   0
    .long   0
    .balign 16
long_idtr:
    .word   0
    .quad   0
    .balign 16
real_gdtr:
    .word   0
    .quad   0
    .balign 16
real_idtr:
    .word   0x3ff
    .quad   0
    .balign 16
low_linear:
    .long   0
long_cr0:
    .long   0
long_cr3:
    .long   0
long_cr4:
    .long   0
long_efer:
    .long   0
real_cr0:
    .long   0
real_cr3:
    .long   0
real_cr4:
    .long   0
real_efer:
    .long   0
low_switches:
    .long   0
watchdog_previous:
    .long   0
watchdog_ticks:
    .word   0
watchdog_block:
    .word   0
watchdog_vector:
    .word   0
abandoned_stack:
    .long   0

    .section .low.bss, "aw", @nobits
    .balign 16
low_text_buffer:
    .skip   TEXT_BUFFER

/* ------------------------------------------------------------------------------------------------------------ */

    .section .low.text, "ax"

/* Down to real mode and back.
 *
 * On entry: long mode, IF = 0; ESI = this block's linear address, EDI = the offset of a filled Block in it.
 * On exit:  the same, and the Block holds what the called code left. Callee-saved registers are kept.
 */
    .code64
    .globl low_down
low_down:
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    pushfq
    movq    %rsp, BLOCK_LONG_RSP(%rsi,%rdi)
    lidt    real_idtr(%rsi)
    movl    %edi, %ebp
    movl    %esi, %ebx
    shrl    $4, %ebx
    pushq   $SELECTOR_CODE16
    pushq   $leave_long_mode
    lretq

/* 16-bit compatibility mode, CS = this block. BX = its real-mode segment, BP = the Block. */
    .code16
leave_long_mode:
    movw    $SELECTOR_DATA16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %fs
    movw    %ax, %gs
    movw    %ax, %ss
    movzwl  %bp, %esp
    movl    real_cr0, %eax
    movl    %eax, %cr0
    pushw   %bx
    pushw   $in_real_mode
    lretw

in_real_mode:
    movw    %bx, %ds
    movw    %bx, %es
    movw    %bx, %fs
    movw    %bx, %gs
    movw    %bx, %ss
    movl    $MSR_EFER, %ecx
    xorl    %edx, %edx
    movl    real_efer, %eax
    wrmsr
    movl    real_cr3, %eax
    movl    %eax, %cr3
    movl    real_cr4, %eax
    movl    %eax, %cr4
    lgdtl   real_gdtr
    incl    low_switches

    /* The words for the callee, then a return address of the kind it will use, then where to go. */
    pushl   BLOCK_ARGUMENTS+4(%bp)
    pushl   BLOCK_ARGUMENTS(%bp)
    movw    BLOCK_KIND(%bp), %ax
    cmpw    $KIND_NEAR, %ax
    je      1f
    cmpw    $KIND_FAR, %ax
    je      2f
    pushw   $FLAGS_IF
2:  pushw   %cs
1:  pushw   $back_from_call
    pushl   BLOCK_TARGET(%bp)
    pushw   $0                          /* flags to call with: IF for far calls, else none */
    cmpw    $KIND_FAR, %ax
    jne     3f
    movw    %sp, %si
    movw    $FLAGS_IF, %ss:(%si)
3:  movl    BLOCK_EAX(%bp), %eax
    movl    BLOCK_EBX(%bp), %ebx
    movl    BLOCK_ECX(%bp), %ecx
    movl    BLOCK_EDX(%bp), %edx
    movl    BLOCK_ESI(%bp), %esi
    movl    BLOCK_EDI(%bp), %edi
    movw    BLOCK_ES(%bp), %es
    movw    BLOCK_DS(%bp), %ds
    movl    BLOCK_EBP(%bp), %ebp
    popfw
    lretw

/* The called code is back. SP is 8 below the Block; nothing else can be relied on. */
back_from_call:
    pushfl
    cli
    cld
    pushl   %ebp
    movw    %sp, %bp
    addw    $16, %bp
    movl    %eax, BLOCK_EAX(%bp)
    movl    %ebx, BLOCK_EBX(%bp)
    movl    %ecx, BLOCK_ECX(%bp)
    movl    %edx, BLOCK_EDX(%bp)
    movl    %esi, BLOCK_ESI(%bp)
    movl    %edi, BLOCK_EDI(%bp)
    movw    %ds, BLOCK_DS(%bp)
    movw    %es, BLOCK_ES(%bp)
    popl    %eax
    movl    %eax, BLOCK_EBP(%bp)
    popl    %eax
    movl    %eax, BLOCK_FLAGS(%bp)

/* Up to long mode.
 *
 * On entry: real mode, IF = DF = 0, SS = CS = this block, BP = the Block of the call that ends here.
 */
up_to_long_mode:
    movw    %cs, %ax
    movw    %ax, %ds
    sgdtl   real_gdtr
    sidtl   real_idtr
    movl    %cr0, %eax
    movl    %eax, real_cr0
    movl    %cr3, %eax
    movl    %eax, real_cr3
    movl    %cr4, %eax
    movl    %eax, real_cr4
    call    keep_a20_open
    lgdtl   low_gdtr
    movl    low_linear, %ebx
    movl    long_cr4, %eax
    movl    %eax, %cr4
    movl    long_cr3, %eax
    movl    %eax, %cr3
    movl    $MSR_EFER, %ecx
    xorl    %edx, %edx
    movl    long_efer, %eax
    wrmsr
    leal    in_long_mode(%ebx), %edx
    movl    long_cr0, %eax
    movl    %eax, %cr0
    pushl   $SELECTOR_CODE64
    pushl   %edx
    lretl

    .code64
in_long_mode:
    movl    $SELECTOR_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %fs
    movl    %eax, %gs
    movl    %eax, %ss
    movzwl  %bp, %eax
    movq    BLOCK_LONG_RSP(%rbx,%rax), %rsp
    lidt    long_idtr(%rbx)
    popfq
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    ret

/* Opens A20 again if a caller closed it. Two dwords 1 MiB apart that differ prove it open; only equal ones are
 * written to. DS = this block. Changes EAX, EBX, ECX, EDX, ESI, EDI, FS, GS. */
    .code16
keep_a20_open:
    xorw    %ax, %ax
    movw    %ax, %fs
    decw    %ax
    movw    %ax, %gs
    movl    %fs:0x410, %eax
    cmpl    %gs:0x420, %eax
    jne     1f
    notl    %gs:0x420
    cmpl    %fs:0x410, %eax
    pushfw
    notl    %gs:0x420
    popfw
    je      1f
    pushw   %bp
    movw    $0x2401, %ax
    int     $0x15
    cli
    popw    %bp
    movw    %cs, %ax
    movw    %ax, %ds
    inb     $0x92, %al
    orb     $0x02, %al
    andb    $0xfe, %al
    outb    %al, $0x92
1:  ret

/* ---- near routines: called with DS = this block, IF = 0; they may change every register but SS:SP ---------- */

/* Lets waiting interrupts in. */
    .globl low_window
low_window:
    sti
    nop
    nop
    cli
    ret

/* Waits for the next interrupt. */
    .globl low_nap
low_nap:
    sti
    hlt
    cli
    ret

/* Prints CX characters from low_text_buffer by INT 10h. BL = their attribute, or 0 for that of the screen. With an
 * attribute a blank is written first, for teletype output keeps the attribute that it finds. */
    .globl low_print
low_print:
    movw    $low_text_buffer, %si
1:  lodsb
    pushw   %bx
    pushw   %cx
    pushw   %si
    pushw   %ds
    testb   %bl, %bl
    jz      2f
    pushw   %ax
    movw    $0x0920, %ax
    movb    $0, %bh
    movw    $1, %cx
    int     $0x10
    popw    %ax
2:  movb    $0x0e, %ah
    movw    $0x0007, %bx
    int     $0x10
    cld
    popw    %ds
    popw    %si
    popw    %cx
    popw    %bx
    loop    1b
    ret

/* Starts a program. EBX = where (segment:offset), DX = its data and stack segment, CX = its SP, EAX = its EDX,
 * SI = its flags. Never returns. */
    .globl low_start
low_start:
    cli
    movw    %dx, %ds
    movw    %dx, %es
    movw    %dx, %fs
    movw    %dx, %gs
    movw    %dx, %ss
    movw    %cx, %sp
    pushl   %ebx
    pushw   %si
    movl    %eax, %edx
    xorl    %eax, %eax
    xorl    %ebx, %ebx
    xorl    %ecx, %ecx
    xorl    %esi, %esi
    xorl    %edi, %edi
    xorl    %ebp, %ebp
    popfw
    lretw

/* Starts a program in protected mode: flat segments, no paging, CR4 0, interrupts off, and a stack in this block. EDX =
 * where, ECX = its EAX, EBX and ESI = its own. A program that returns makes the machine start anew. Never comes back. */
    .globl low_start_protected
low_start_protected:
    lgdtl   low_gdtr
    movl    low_linear, %ebp
    leal    in_protected_mode(%ebp), %edi
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    pushl   $SELECTOR_CODE32
    pushl   %edi
    lretl

    .code32
in_protected_mode:
    movl    $SELECTOR_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %fs
    movl    %eax, %gs
    movl    %eax, %ss
    leal    low_stack_top(%ebp), %esp
    leal    program_returned(%ebp), %eax
    pushl   %eax
    pushl   %edx
    movl    %ecx, %eax
    xorl    %ecx, %ecx
    movl    %ecx, %cr4
    xorl    %edx, %edx
    xorl    %edi, %edi
    xorl    %ebp, %ebp
    ret

/* The interrupt table is real mode's, so that the exception cannot be handled. */
program_returned:
    ud2
    .code16

/* Goes back to the program that loaded us. EBX = its stack as the prefix left it (segment:offset), ECX = the status to
 * return. Never returns. */
    .globl low_return_to_caller
low_return_to_caller:
    pushl   %ebx
    popw    %ax
    popw    %ss
    movw    %ax, %sp
    addw    $4, %sp                     /* the magic number */
    movw    %sp, %bp
    movl    %ecx, 8+28(%bp)             /* EAX in the frame that POPAD takes */
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    popfl
    lretw

/* ---- INT 08h while a vendor's code is called ------------------------------------------------------------- */

/* The watchdog. The old handler comes first and ends the interrupt. When the ticks are used up, the call is
 * abandoned: its stack is left as it is and never entered again, and the caller is told. */
    .globl low_watchdog
low_watchdog:
    pushfw
    lcallw  *%cs:watchdog_previous
    cli
    pushw   %ds
    pushw   %cs
    popw    %ds
    cmpw    $0, watchdog_ticks
    je      1f
    decw    watchdog_ticks
    jz      abandon
1:  popw    %ds
    iretw

abandon:
    cld
    movw    %sp, abandoned_stack
    movw    %ss, abandoned_stack+2
    movw    %cs, %ax
    movw    watchdog_block, %bp
    movw    %ax, %ss
    movzwl  %bp, %esp
    movw    $1, BLOCK_TIMED_OUT(%bp)

    /* End every interrupt that is in service: their handlers will not come back to do it. */
    movw    $16, %cx
2:  movb    $0x0b, %al
    outb    %al, $0xa0
    inb     $0xa0, %al
    testb   %al, %al
    jz      3f
    movb    $0x20, %al
    outb    %al, $0xa0
    loop    2b
3:  movw    $16, %cx
4:  movb    $0x0b, %al
    outb    %al, $0x20
    inb     $0x20, %al
    testb   %al, %al
    jz      5f
    movb    $0x20, %al
    outb    %al, $0x20
    loop    4b
5:  jmp     up_to_long_mode

/* Where things are, for the core: it cannot name symbols of this block by RIP. */
    .section .rodata
    .balign 2
    .globl low_symbols
low_symbols:
    .word   low_down, low_window, low_nap, low_print, low_start, low_return_to_caller
    .word   low_start_protected
    .word   low_watchdog
    .word   low_gdt, low_gdtr, long_idtr, low_linear, long_cr0, long_cr3, long_cr4, long_efer
    .word   real_cr0, real_cr4, real_efer, low_switches, watchdog_previous, watchdog_ticks, watchdog_block
    .word   watchdog_vector, abandoned_stack, low_text_buffer
    .word   guest_resume, guest_returned, guest_int15, guest_int15_previous, guest_table
    .word   guest_int1a, guest_int1a_previous, guest_call_by_stack, guest_call_by_registers, guest_pxenv
    .word   guest_call_protected, guest_resume_protected
    .word   low_stack_bottom, low_stack_top
    .code64
    .text
