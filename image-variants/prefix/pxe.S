/* The prefix of everything that a PXE ROM loads: from the ROM's jump to the unpacker in long mode.
 *
 * On entry (PXE 2.1 section 4.4.5)
 *   real mode, CS:IP = 0000:7C00, the whole image in memory from there; A20, IF and DF in any state
 *   ES:BX  -> PXENV+
 *   SS:SP  -> return address (offset, segment), then the far pointer to !PXE
 * On exit
 *   long mode, IF = 0, 0 to 4 GiB mapped one to one, RSP on a stack after the image, EDI -> BootInfo
 *   or, where the machine cannot run us: a sentence on the screen, and a far return with AX = 1
 *
 * The area after the image: page tables (6 pages), BootInfo (1 page), stack (4 pages). It must lie below the
 * free base memory mark. The caller's stack stays as it is: leaving pops what is pushed on it here.
 */

    .set AREA_TABLES,     0x0000
    .set AREA_BOOT_INFO,  0x6000
    .set AREA_STACK,      0x7000
    .set AREA_LENGTH,     0xb000

    .set SELECTOR_CODE64, 0x08
    .set SELECTOR_DATA,   0x10
    .set SELECTOR_CODE16, 0x18
    .set SELECTOR_DATA16, 0x20

    .set CR0_PE,          1 << 0
    .set CR0_WP,          1 << 16
    .set CR0_PG,          1 << 31
    .set CR4_PAE,         1 << 5
    .set MSR_EFER,        0xc0000080
    .set EFER_LME,        1 << 8
    .set PAGE_PRESENT_WRITABLE, 3
    .set PAGE_2M,         1 << 7

    .section .prefix, "awx"
    .code16
    .globl prefix_start
prefix_start:
    ljmp    $0, $prefix_entry
    .org    prefix_start + HEADER_OFFSET, 0
image_header:
    .skip   HEADER_LENGTH

prefix_entry:
    pushfl
    pushal
    pushw   %ds
    pushw   %es
    pushw   %fs
    pushw   %gs
    pushl   $ENTRY_STACK_MAGIC
    cld
    xorw    %ax, %ax
    movw    %ax, %ds

    /* DX:CX = the caller's stack as it is now; the return address lies ENTRY_STACK_SAVED above. */
    movw    %sp, %cx
    movw    %ss, %dx
    movw    %sp, %bp
    movl    ENTRY_STACK_SAVED+4(%bp), %esi      /* !PXE, if there is one */
    movw    %es, %di
    shll    $16, %edi
    movw    %bx, %di                            /* ES:BX */

    /* EBX = the area after the image and its script, on a page boundary. */
    movl    image_header + HEADER_IMAGE_LENGTH, %ebx
    addl    image_header + HEADER_SCRIPT_LENGTH, %ebx
    addl    $0x7c00 + 0xfff, %ebx
    andl    $~0xfff, %ebx
    leal    AREA_LENGTH(%ebx), %eax
    shrl    $10, %eax
    cmpw    0x413, %ax
    ja      no_base_memory
    movl    %ebx, %ebp

    /* Our own stack, and ES -> BootInfo. */
    leal    AREA_STACK(%ebx), %eax
    shrl    $4, %eax
    movw    %ax, %ss
    movw    $0x1000, %sp
    leal    AREA_BOOT_INFO(%ebx), %eax
    shrl    $4, %eax
    movw    %ax, %es
    movl    %ebp, area

    pushl   %edi
    xorw    %di, %di
    xorl    %eax, %eax
    pushw   %cx
    movw    $0x400, %cx
    rep stosl
    popw    %cx
    popl    %edi
    movw    %cx, %es:BOOT_INFO_ENTRY_STACK
    movw    %dx, %es:BOOT_INFO_ENTRY_STACK+2
    movl    %edi, %es:BOOT_INFO_ENTRY_ES_BX
    movl    %esi, %es:BOOT_INFO_ENTRY_STACK_POINTER
    movw    0x413, %ax
    movw    %ax, %es:BOOT_INFO_BASE_MEMORY
    movl    $0x7c00, %es:BOOT_INFO_IMAGE

    call    check_long_mode
    jc      no_long_mode
    rdtsc
    movl    %eax, %es:BOOT_INFO_ENTRY_TSC
    movl    %edx, %es:BOOT_INFO_ENTRY_TSC+4
    call    read_memory_map
    call    open_a20
    jc      no_a20
    call    build_tables

    /* Into long mode: paging and protection are switched on with one write. The target is reached by a far
     * return, so no instruction is patched. */
    cli
    lgdtl   gdt_pointer
    movl    %cr4, %eax
    movl    %eax, saved_cr4
    orl     $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    area, %eax
    movl    %eax, %cr3
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     $EFER_LME, %eax
    wrmsr
    movl    %cr0, %eax
    movl    %eax, saved_cr0
    orl     $CR0_PG | CR0_WP | CR0_PE, %eax
    movl    %eax, %cr0
    ljmpl   $SELECTOR_CODE64, $long_mode

    .code64
long_mode:
    movl    $SELECTOR_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    area, %ebx
    leal    AREA_LENGTH(%rbx), %esp
    leal    AREA_BOOT_INFO(%rbx), %edi
    call    unpack_main

    /* The unpacker only comes back with a reason why it could not: EAX = 1 memory, 2 damaged image. */
    movl    %eax, %ebp
    pushq   $SELECTOR_CODE16
    pushq   $leave_long_mode
    lretq

    .code16
leave_long_mode:
    /* Limits, and the width of the stack, stay with the segments in real mode. */
    movw    $SELECTOR_DATA16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movl    saved_cr0, %eax
    movl    %eax, %cr0
    ljmp    $0, $real_mode_again
real_mode_again:
    movl    $MSR_EFER, %ecx
    rdmsr
    andl    $~EFER_LME, %eax
    wrmsr
    movl    saved_cr4, %eax
    movl    %eax, %cr4
    xorw    %ax, %ax
    movw    %ax, %ds
    movl    area, %eax
    addl    $AREA_BOOT_INFO, %eax
    shrl    $4, %eax
    movw    %ax, %es
    movw    $text_memory, %si
    cmpl    $1, %ebp
    je      give_up
    movw    $text_damaged, %si
    jmp     give_up

no_base_memory:
    /* Still on the caller's stack: nothing of ours is there yet. */
    movw    $text_base_memory, %si
    jmp     return_to_caller
no_long_mode:
    movw    $text_long_mode, %si
    jmp     give_up
no_a20:
    movw    $text_a20, %si

    /* SI -> sentence, ES -> BootInfo. */
give_up:
    movw    %es:BOOT_INFO_ENTRY_STACK+2, %ss
    movzwl  %es:BOOT_INFO_ENTRY_STACK, %esp
return_to_caller:
    call    print
    addw    $4, %sp
    popw    %gs
    popw    %fs
    popw    %es
    popw    %ds
    popal
    popfl
    movw    $1, %ax
    lret

/* Prints the text at DS:SI, ended by a zero byte. Changes AX, BX, SI. */
print:
    lodsb
    testb   %al, %al
    jz      1f
    movb    $0x0e, %ah
    movw    $7, %bx
    pushw   %si
    pushw   %bp
    int     $0x10
    popw    %bp
    popw    %si
    jmp     print
1:  ret

/* CF clear if the processor has CPUID, a time stamp counter and long mode. Changes EAX to EDX. */
check_long_mode:
    pushfl
    popl    %eax
    movl    %eax, %ecx
    xorl    $1 << 21, %eax
    pushl   %eax
    popfl
    pushfl
    popl    %eax
    xorl    %ecx, %eax
    testl   $1 << 21, %eax
    jz      1f
    movl    $0x80000000, %eax
    cpuid
    cmpl    $0x80000001, %eax
    jb      1f
    movl    $0x80000001, %eax
    cpuid
    testl   $1 << 29, %edx
    jz      1f
    clc
    ret
1:  stc
    ret

/* Fills the memory map of the BootInfo at ES:0 by INT 15h E820h, else E801h, else 88h. Changes all but SP, ES. */
read_memory_map:
    xorl    %ebx, %ebx
    movw    $BOOT_INFO_E820, %di
1:  movl    $1, %es:20(%di)
    movl    $0xe820, %eax
    movl    $0x534d4150, %edx
    movl    $24, %ecx
    pushw   %di
    int     $0x15
    popw    %di
    jc      2f
    cmpl    $0x534d4150, %eax
    jne     2f
    incl    %es:BOOT_INFO_E820_COUNT
    addw    $24, %di
    cmpl    $E820_CAPACITY, %es:BOOT_INFO_E820_COUNT
    jae     2f
    testl   %ebx, %ebx
    jnz     1b
2:  cmpl    $0, %es:BOOT_INFO_E820_COUNT
    jne     4f

    /* No E820h: base memory by the mark, 1 to 16 MiB in KiB, and above 16 MiB in 64 KiB blocks. */
    movzwl  0x413, %eax
    xorl    %edx, %edx
    call    add_usable
    xorw    %cx, %cx
    xorw    %dx, %dx
    movw    $0xe801, %ax
    int     $0x15
    jc      3f
    testw   %cx, %cx
    jz      5f
    movw    %cx, %ax
    movw    %dx, %bx
5:  pushw   %bx
    movzwl  %ax, %eax
    movl    $0x100000, %edx
    call    add_usable
    popw    %bx
    movzwl  %bx, %eax
    shll    $6, %eax
    movl    $0x1000000, %edx
    jmp     add_usable
3:  movb    $0x88, %ah
    int     $0x15
    jc      4f
    movzwl  %ax, %eax
    movl    $0x100000, %edx

/* Appends usable memory to the map: EDX = start, EAX = KiB. */
add_usable:
    testl   %eax, %eax
    jz      4f
    imull   $24, %es:BOOT_INFO_E820_COUNT, %edi
    addw    $BOOT_INFO_E820, %di
    movl    %edx, %es:(%di)
    movl    %eax, %edx
    shll    $10, %eax
    shrl    $22, %edx
    movl    %eax, %es:8(%di)
    movl    %edx, %es:12(%di)
    movl    $1, %es:16(%di)
    movl    $1, %es:20(%di)
    incl    %es:BOOT_INFO_E820_COUNT
4:  ret

/* Opens A20 and notes the way that worked; CF set if none did. Changes AX, CX, SI. */
open_a20:
    call    test_a20
    jnc     2f
    incw    %es:BOOT_INFO_A20
    pushl   %ebx
    pushl   %ebp
    movw    $0x2401, %ax
    int     $0x15
    popl    %ebp
    popl    %ebx
    call    test_a20
    jnc     2f
    incw    %es:BOOT_INFO_A20
    inb     $0x92, %al
    orb     $0x02, %al
    andb    $0xfe, %al                          /* bit 0 resets the machine */
    outb    %al, $0x92
    call    test_a20
    jnc     2f
    incw    %es:BOOT_INFO_A20
    call    wait_keyboard_controller
    movb    $0xd1, %al
    outb    %al, $0x64
    call    wait_keyboard_controller
    movb    $0xdf, %al
    outb    %al, $0x60
    call    wait_keyboard_controller

    /* The keyboard controller may take a while. */
    movw    $0xffff, %cx
1:  call    test_a20
    jnc     2f
    inb     $0x80, %al
    loop    1b
    stc
2:  ret

wait_keyboard_controller:
    movw    $0xffff, %cx
1:  inb     $0x64, %al
    testb   $2, %al
    loopnz  1b
    ret

/* CF clear if A20 is open: a dword below 64 KiB and the one 1 MiB above differ, or can be made to. Changes EAX. */
test_a20:
    pushw   %fs
    movw    $0xffff, %ax
    movw    %ax, %fs
    movl    area, %eax
    cmpl    %fs:area+0x10, %eax
    clc
    jne     1f
    notl    %fs:area+0x10
    cmpl    area, %eax
    pushfw
    notl    %fs:area+0x10
    popfw
    clc
    je      1f
    stc
1:  popw    %fs
    ret

/* Builds the tables that map 0 to 4 GiB one to one in 2 MiB pages. Changes EAX, ECX, EDX, DI, ES. */
build_tables:
    pushw   %es
    movl    area, %edx
    movl    %edx, %eax
    shrl    $4, %eax
    movw    %ax, %es
    xorw    %di, %di
    xorl    %eax, %eax
    movw    $0x6000 / 4, %cx
    rep stosl
    leal    0x1000 + PAGE_PRESENT_WRITABLE(%edx), %eax
    movl    %eax, %es:0
    movw    $0x1000, %di
    movw    $4, %cx
1:  addl    $0x1000, %eax
    movl    %eax, %es:(%di)
    addw    $8, %di
    loop    1b
    movl    $PAGE_2M | PAGE_PRESENT_WRITABLE, %eax
    movw    $0x2000, %di
    movw    $2048, %cx
2:  movl    %eax, %es:(%di)
    addl    $0x200000, %eax
    addw    $8, %di
    loop    2b
    popw    %es
    ret

    .balign 8
gdt:
    .quad   0
    .quad   0x00209b0000000000                  /* 64-bit code, accessed */
    .quad   0x00cf93000000ffff                  /* flat data, accessed */
    .quad   0x00009b000000ffff                  /* 16-bit code at 0, accessed */
    .quad   0x000093000000ffff                  /* and data */
gdt_pointer:
    .word   gdt_pointer - gdt - 1
    .long   gdt
area:
    .long   0
saved_cr0:
    .long   0
saved_cr4:
    .long   0

text_base_memory:
    .asciz  "\r\nThis image needs more free base memory than the BIOS has left. Try one with fewer parts.\r\n"
text_long_mode:
    .asciz  "\r\nThis firmware needs a 64-bit processor (long mode), and this one has none.\r\n"
text_a20:
    .asciz  "\r\nThe A20 line cannot be opened, so memory above 1 MiB is out of reach.\r\n"
text_memory:
    .ascii  "\r\nThis firmware needs "
    .if NEEDED_MEBIBYTES >= 10
    .byte   '0' + NEEDED_MEBIBYTES / 10
    .endif
    .byte   '0' + NEEDED_MEBIBYTES % 10
    .asciz  " MiB of memory above 32 MiB, and the BIOS reports less.\r\n"
text_damaged:
    .asciz  "\r\nThis image is damaged: its compressed part does not unpack. Transfer it again.\r\n"

    .code64
