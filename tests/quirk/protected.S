# A boot program that calls its PXE stack in 16-bit protected mode, and compares the answers with those of real mode. It
# says RIG-MARK protected, then a letter for each thing that was wrong, and returns; 0 in AX if none was.
#
# The TFTP server that the ACK names has `calls.bin`, FILE_SIZE bytes that count from 0 up, again and again.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; on the stack the return address, then the address of !PXE.

        .code16
        .include "program.inc"

# Selectors of our table.
        .set    OUR_CODE, 0x08
        .set    OUR_DATA, 0x10
        .set    OUR_STACK, 0x18                 # of 32 bits
        .set    UNDI_CODE, 0x20
        .set    UNDI_DATA, 0x28
        .set    USER_CODE, 0x33                 # for the lowest privilege, like those that follow
        .set    USER_DATA, 0x3b
        .set    USER_UNDI, 0x43                 # UNDI_CODE, conforming
        .set    TASK, 0x48
        .set    GATE, 0x50                      # back from there
        .set    LOCAL_TABLE, 0x58

# Those of our local table, which mean the same as OUR_DATA, OUR_STACK, UNDI_CODE and UNDI_DATA.
        .set    LOCAL_DATA, 0x04
        .set    LOCAL_STACK, 0x0c
        .set    LOCAL_CODE, 0x14
        .set    LOCAL_UNDI_DATA, 0x1c
        .set    BEYOND_LOCAL, 0x24

        .set    STACK, 0x180000                 # where real mode has none
        .set    USER_STACK, 0x70000
        .set    PAGES, 0x20000                  # page directory: the first 4 MiB one to one
        .set    PLACE, 0x30000                  # of a whole file
        .set    PACKET_ROOM, 1260
        .set    BOOTP_SERVER, 20

# In `!PXE` (PXE 2.1 section 3.2)
        .set    PXE_FIRST_SELECTOR, 0x1e
        .set    SEGMENT_ADDRESS, 2

# Notes a letter if the last comparison did not find what it should.
        .macro  expect condition, letter
        j\condition 1f
        movb    $\letter, %al
        call    note
1:
        .endm

# A call in protected mode, on whatever stack. What it must keep is looked at.
        .macro  ask entry, opcode, block
        movl    $0x11223344, %ebx
        movl    %ebx, %esi
        movl    %ebx, %edi
        movl    %ebx, %ebp
        movl    %ebx, %ecx
        movl    %ebx, %edx
        movl    %esp, stack_before
        pushw   %ds
        pushw   $\block
        pushw   $\opcode
        lcallw  *\entry
        leal    6(%esp), %esp                   # CF stays
        call    look
        .endm

        .globl  _start
_start:
        save_registers
        find_entry SAVED
        movw    %es, pxe+2
        movw    %bx, pxe
        movw    %ax, entry_sp
        movw    %es:PXE_ENTRY_ESP(%bx), %ax
        movw    %ax, entry_esp
        movw    %ax, entry_user
        movw    %ax, entry_local
        testw   %ax, %ax
        expect  nz, 'A'
        movl    %es:PXE_UNDI_CODE+SEGMENT_ADDRESS(%bx), %eax
        movw    $undi_code, %di
        call    put_base
        movw    $user_undi, %di
        call    put_base
        movw    $local_code, %di
        call    put_base
        movl    %es:PXE_UNDI_DATA+SEGMENT_ADDRESS(%bx), %eax
        movw    $undi_data, %di
        call    put_base
        movw    $local_undi_data, %di
        call    put_base
        movw    %ds, %ax
        movw    %ax, %es

# What real mode is answered.
        movw    $PXENV_GET_CACHED_INFO, %bx
        movw    $cached, %di
        call    ask_real
        expect  nc, 'B'
        movl    packet + BOOTP_SERVER, %eax
        movl    %eax, file_server
        movw    $packet, %si
        movw    $packet_real, %di
        movw    $PACKET_ROOM, %cx
        rep movsb
        movw    $0x0c, %bx                      # UNDI_GET_INFORMATION
        movw    $information, %di
        call    ask_real
        expect  nc, 'C'
        movw    $information, %si
        movw    $information_real, %di
        movw    $54, %cx
        rep movsb

# Protected mode.
        cli
        movl    %cr0, %eax
        movl    %eax, cr0_real
        movw    %ss, stack_real+2
        movw    %sp, stack_real
        sidtl   idtr_real
        lgdtl   gdtr
        lidtl   idtr
        orb     $1, %al
        movl    %eax, cr0_wanted
        movl    %eax, %cr0
        movl    $PAGES, %eax                    # not in use yet
        movl    %eax, %cr3
        ljmpw   $OUR_CODE, $1f
1:      movw    $TASK, %ax
        ltr     %ax
        xorw    %ax, %ax
        lldt    %ax
        movw    $OUR_DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    $OUR_STACK, %ax
        movw    %ax, %ss
        movl    $STACK, %esp
        xorw    %ax, %ax
        movw    %ax, %fs
        movw    %ax, %gs

# Selectors were not filled in.
        movw    $0xeeee, information
        ask     entry_esp, 0x0c, information
        expect  c, 'D'
        cmpw    $FAILURE, information
        expect  e, 'E'

# They are.
        movw    $UNDI_CODE, %cx
        movw    $UNDI_DATA, %dx
        call    fill_in
        movw    $packet, %di
        movw    $PACKET_ROOM, %cx
        xorb    %al, %al
        rep stosb
        movw    $information, %di
        movw    $54, %cx
        rep stosb
        movw    $PACKET_ROOM, cached_size
        movw    $OUR_DATA, cached_segment

        ask     entry_esp, PXENV_GET_CACHED_INFO, cached
        expect  nc, 'F'
        movw    $packet, %si
        movw    $packet_real, %di
        movw    $PACKET_ROOM, %cx
        repe cmpsb
        expect  e, 'G'

# The packet where it is kept, by the selector that we are told.
        movw    $0, cached_size
        ask     entry_esp, PXENV_GET_CACHED_INFO, cached
        expect  nc, 'H'
        cmpw    $UNDI_DATA, cached_segment
        expect  e, 'I'
        lesw    cached_buffer, %di
        movw    $packet_real, %si
        movw    $240, %cx
        repe cmpsb
        expect  e, 'J'
        movw    $OUR_DATA, %ax
        movw    %ax, %es

        ask     entry_esp, 0x0c, information
        expect  nc, 'K'
        call    compare_information
        expect  e, 'L'

# A file, which takes the network, and with it interrupts in real mode.
        ask     entry_esp, 0x23, file           # TFTP_READ_FILE
        expect  nc, 'M'
        cmpl    $FILE_SIZE, file_size
        expect  e, 'N'
        movw    $OUR_STACK, %ax
        movw    %ax, %es
        movl    $PLACE, %ebx
        movw    $FILE_SIZE, %cx
        xorb    %al, %al
1:      cmpb    %al, %es:(%ebx)
        jne     2f
        incl    %ebx
        incb    %al
        loop    1b
2:      cmpw    $0, %cx
        expect  e, 'O'
        movw    $OUR_DATA, %ax
        movw    %ax, %es

# A pointer that is no selector of ours.
        movw    $0x7778, cached_segment
        movw    $PACKET_ROOM, cached_size
        ask     entry_esp, PXENV_GET_CACHED_INFO, cached
        expect  c, 'P'
        cmpw    $INVALID_PARAMETER, cached
        expect  e, 'Q'

# The other entry point, with a 16-bit stack.
        movw    $54, %cx
        movw    $information, %di
        xorb    %al, %al
        rep stosb
        movw    $OUR_DATA, %ax
        movw    %ax, %ss
        movl    $0x7b00, %esp
        movw    $OUR_DATA, wanted_stack
        ask     entry_sp, 0x0c, information
        expect  nc, 'R'
        call    compare_information
        expect  e, 'S'
        movw    $OUR_STACK, %ax
        movw    %ax, %ss
        movl    $STACK, %esp
        movw    %ax, wanted_stack

# By a local table, which the stack and the entry are in as well.
        movw    $LOCAL_TABLE, %ax
        lldt    %ax
        movw    %ax, wanted_local
        movw    $LOCAL_CODE, %cx
        movw    $LOCAL_UNDI_DATA, %dx
        call    fill_in
        movw    $LOCAL_DATA, %ax
        movw    %ax, wanted_data
        movw    %ax, %ds
        movw    %ax, %es
        movw    $LOCAL_STACK, %ax
        movw    %ax, wanted_stack
        movw    %ax, %ss
        movl    $STACK, %esp
        movw    $0, cached_size
        ask     entry_local, PXENV_GET_CACHED_INFO, cached
        expect  nc, 't'
        cmpw    $LOCAL_UNDI_DATA, cached_segment
        expect  e, 'u'
        movw    $54, %cx
        movw    $information, %di
        xorb    %al, %al
        rep stosb
        ask     entry_local, 0x0c, information
        expect  nc, 'v'
        call    compare_information
        expect  e, 'w'
        movw    $BEYOND_LOCAL, cached_segment
        movw    $PACKET_ROOM, cached_size
        ask     entry_local, PXENV_GET_CACHED_INFO, cached
        expect  c, 'x'
        cmpw    $INVALID_PARAMETER, cached
        expect  e, 'y'
        movw    $OUR_DATA, %ax
        movw    %ax, wanted_data
        movw    %ax, %ds
        movw    %ax, %es
        movw    $UNDI_CODE, %cx
        movw    $UNDI_DATA, %dx
        call    fill_in
        movw    $OUR_STACK, %ax
        movw    %ax, wanted_stack
        movw    %ax, %ss
        movl    $STACK, %esp

# With paging.
        movw    %ax, %es
        movl    $PAGES, %ebx
        movl    $0x83, %es:(%ebx)               # 4 MiB, writable, present
        movw    $OUR_DATA, %ax
        movw    %ax, %es
        movl    %cr4, %eax
        movl    %eax, cr4_before
        orb     $0x10, %al                      # PSE
        movl    %eax, %cr4
        movl    %ebx, %cr3
        orl     $0x80000000, cr0_wanted
        movl    cr0_wanted, %eax
        movl    %eax, %cr0
        ask     entry_esp, 0x0c, information
        expect  c, 'T'
        andl    $0x7fffffff, cr0_wanted
        movl    cr0_wanted, %eax
        movl    %eax, %cr0
        movl    cr4_before, %eax
        movl    %eax, %cr4

# Without privileges.
        pushl   $USER_DATA
        pushl   $USER_STACK
        pushl   $USER_CODE
        pushl   $3f
        movw    $USER_DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        lretl                                   # to a lower privilege
3:      pushw   %ds
        pushw   $information
        pushw   $0x0c
        lcallw  *entry_user
        leal    6(%esp), %esp
        setc    user_carry
        movw    %ax, user_ax
        lcallw  $GATE, $0
gate:   movw    $OUR_DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    $OUR_STACK, %ax
        movw    %ax, %ss
        movl    $STACK, %esp
        cmpb    $1, user_carry
        expect  e, 'U'
        cmpw    $1, user_ax
        expect  e, 'V'

# After all that it still works.
        ask     entry_esp, 0x0c, information
        expect  nc, 'W'
        call    compare_information
        expect  e, 'X'

# Real mode again.
        movw    $OUR_DATA, %ax
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        movl    cr0_real, %eax
        ljmpw   $OUR_CODE, $1f
1:      movl    %eax, %cr0
        ljmpw   $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movzwl  stack_real, %esp
        movw    stack_real+2, %ss
        lidtl   idtr_real
        sti
        movw    $0x0c, %bx
        movw    $information, %di
        call    ask_real
        expect  nc, 'Y'
        call    compare_information
        expect  e, 'Z'
        movl    %cr3, %eax
        cmpl    $PAGES, %eax
        expect  e, 'z'

        movw    $mark, %si
        call    report_text
        movw    $notes, %si
        call    report_text
        movw    $mark_end, %si
        call    report_text
        restore_registers
        movw    notes, %ax                      # 0 if there is none
        lretw

# In real mode: BX = opcode, DI = parameters. CF = 1 if it failed.
ask_real:
        make_call

# After a call: notes what it has changed and must not. AX, CF as the call has left them stay.
look:   pushfl
        pushw   %ax
        sbbw    %dx, %dx                        # CF as AX has it
        negw    %dx
        cmpw    %ax, %dx
        expect  e, 'a'
        cmpl    $0x11223344, %ebx
        expect  e, 'b'
        cmpl    %ebx, %esi
        expect  e, 'c'
        cmpl    %ebx, %edi
        expect  e, 'd'
        cmpl    %ebx, %ebp
        expect  e, 'e'
        cmpl    %ebx, %ecx
        expect  e, 'f'
        leal    8(%esp), %eax                   # the return address, AX and flags
        cmpl    %eax, stack_before
        expect  e, 'g'
        movw    %ss, %ax
        cmpw    %ax, wanted_stack
        expect  e, 'h'
        movw    %ds, %ax
        cmpw    %ax, wanted_data
        expect  e, 'i'
        movw    %es, %ax
        cmpw    %ax, wanted_data
        expect  e, 'j'
        movl    %cr0, %eax
        cmpl    %eax, cr0_wanted
        expect  e, 'k'
        sgdtl   table
        movw    table, %ax
        cmpw    %ax, gdtr
        expect  e, 'l'
        movl    table+2, %eax
        cmpl    %eax, gdtr+2
        expect  e, 'm'
        sidtl   table
        movw    table, %ax
        cmpw    %ax, idtr
        expect  e, 'n'
        movl    table+2, %eax
        cmpl    %eax, idtr+2
        expect  e, 'o'
        str     %ax
        cmpw    $TASK, %ax
        expect  e, 'p'
        sldt    %ax
        cmpw    %ax, wanted_local
        expect  e, 'r'
        movl    %cr3, %eax
        cmpl    $PAGES, %eax
        expect  e, 's'
        testl   $0x200, 2(%esp)                 # interrupts stay off
        expect  z, 'q'
        popw    %ax
        popfl
        ret

compare_information:
        movw    $information, %si
        movw    $information_real, %di
        movw    $54, %cx
        repe cmpsb
        ret

# AL = a letter. Changes nothing but flags.
note:   pushw   %bx
        movw    notes_end, %bx
        cmpw    $notes_limit, %bx
        jae     1f
        movb    %al, (%bx)
        incw    notes_end
1:      popw    %bx
        ret

# In protected mode, with our own selectors. CX, DX = what `!PXE` is to have for its code and its data. Changes AX, EBX.
fill_in:
        movw    $OUR_STACK, %ax                 # of base 0
        movw    %ax, %es
        movzwl  pxe+2, %ebx
        shll    $4, %ebx
        movzwl  pxe, %eax
        addl    %eax, %ebx
        movw    %cx, %es:PXE_FIRST_SELECTOR(%ebx)
        movw    %cx, %es:PXE_UNDI_CODE(%ebx)
        movw    %dx, %es:PXE_UNDI_DATA(%ebx)
        movw    %ds, %ax
        movw    %ax, %es
        ret

# EAX = an address, below 16 MiB, for the descriptor at DI.
put_base:
        pushl   %eax
        movw    %ax, 2(%di)
        shrl    $16, %eax
        movb    %al, 4(%di)
        popl    %eax
        ret

        .include "state.S"

mark:   .asciz  "\r\nRIG-MARK protected, wrong: "
mark_end:
        .asciz  ";\r\n"

        .balign 8
gdt:    .quad   0
        .quad   0x00009b000000ffff              # OUR_CODE
        .quad   0x000093000000ffff              # OUR_DATA
        .quad   0x00cf93000000ffff              # OUR_STACK
undi_code:
        .quad   0x00009b000000ffff
undi_data:
        .quad   0x000093000000ffff
        .quad   0x0000fb000000ffff              # USER_CODE
        .quad   0x00cff3000000ffff              # USER_DATA
user_undi:
        .quad   0x00009f000000ffff
        .word   103, task, 0x8900, 0            # TASK
        .word   gate, OUR_CODE, 0xe400, 0       # GATE
        .word   local_end - local - 1, local, 0x8200, 0
gdt_end:
local:  .quad   0x000093000000ffff
        .quad   0x00cf93000000ffff
local_code:
        .quad   0x00009b000000ffff
local_undi_data:
        .quad   0x000093000000ffff
local_end:
task:   .long   0
        .long   STACK
        .long   OUR_STACK
        .zero   104 - 12
gdtr:   .word   gdt_end - gdt - 1
        .long   gdt
idtr:   .word   7                               # any that is not real mode's
        .long   gdt
idtr_real:
        .word   0
        .long   0
table:  .word   0
        .long   0
pxe:    .long   0
entry_point:
        .long   0
entry_sp:
        .word   0, UNDI_CODE
entry_esp:
        .word   0, UNDI_CODE
entry_local:
        .word   0, LOCAL_CODE
entry_user:
        .word   0, USER_UNDI
stack_real:
        .long   0
stack_before:
        .long   0
cr0_real:
        .long   0
cr0_wanted:
        .long   0
cr4_before:
        .long   0
wanted_stack:
        .word   OUR_STACK
wanted_data:
        .word   OUR_DATA
wanted_local:
        .word   0
user_ax:
        .word   0
user_carry:
        .word   0
cached: .word   0, 2                            # status, packet
cached_size:
        .word   PACKET_ROOM
cached_buffer:
        .word   packet
cached_segment:
        .word   0, 0
information:
        .zero   64
information_real:
        .zero   64
file:   .word   0
1:      .asciz  "calls.bin"
        .zero   128 - (. - 1b)
file_size:
        .long   0x8000, PLACE
file_server:
        .long   0
        .zero   16
notes_end:
        .word   notes
notes:  .zero   48
notes_limit:
        .word   0
packet: .skip   PACKET_ROOM
packet_real:
        .skip   PACKET_ROOM
