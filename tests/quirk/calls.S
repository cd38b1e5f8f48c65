# A boot program that makes every call of a PXE stack, rightly and wrongly, and checks each answer.
#
# It says `ok NAME` or `WRONG NAME AX STATUS` for each, then RIG-MARK and how many were wrong. With UNLOAD it returns: 0 in
# AX if none was; else `next.nbp` takes its place. The order from the first GET_CACHED_INFO on is that of a boot program
# of Windows: the packets, a question to port 4011, the size of a file and the file itself, the card, and at last the base
# code is unloaded, if UNLOAD is defined.
#
# The TFTP server that the ACK names has `calls.bin`, FILE_SIZE bytes that count from 0 up, again and again. So has the
# web server that the program is from; its arguments are `one two`. The card is PCI 00:02.0.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; on the stack the return address, then the address of !PXE.

        .code16
        .include "program.inc"

        .set    PACKET_BYTES, 512               # of a TFTP packet
        .set    PATIENCE, 91                    # ticks of the clock, 5 s
        .set    TICKS, 0x46c                    # of the BIOS
        .set    BOOTP_YOUR, 16                  # in the ACK: our address, the server's
        .set    BOOTP_SERVER, 20
        .set    PLACE, 0x20000                  # of a whole file
        .set    KEEP_UNDI, 0x04
        .set    BAD_FUNCTION, 0x02              # status codes that pxe.inc has no use for
        .set    UDP_IS_CLOSED, 0x18
        .set    UDP_IS_OPEN, 0x19
        .set    TFTP_IS_CLOSED, 0x1a
        .set    TFTP_IS_OPEN, 0x1b
        .set    TFTP_NOT_FOUND, 0x3b
        .set    TFTP_PACKET_SIZE, 0x3f
        .set    CANNOT_INITIALIZE, 0x63
        .set    INVALID_MAC, 0x67
        .set    MOST, 0xffff                    # of statuses: any failure

        .set    PACKET_ROOM, 1260

# Subsections, one after the other.
        .set    STEPS, 1
        .set    LOST, 2
        .set    SERVERS, 3
        .set    HANDLES, 4
        .set    NAMES, 5
        .set    BLOCKS, 6

        .set    STEP_SIZE, 10
        .set    STEP_NAME, 0
        .set    STEP_OPCODE, 2
        .set    STEP_STATUS, 4
        .set    STEP_BLOCK, 6                   # offset of the parameters, segment 0
        .set    STEP_CHECK, 8                   # routine that is given them at SI; ZF = 1 if they are right. Or 0.

# A step; its parameters follow as data, without the status.
        .macro  step name, opcode, status, check=0
        .text   STEPS
        .word   1f, \opcode, \status, 2f, \check
        .text   NAMES
1:      .asciz  "\name"
        .text   BLOCKS
2:      .word   0xeeee
        .endm

# The same with a far pointer to the parameters that cannot be right; nothing is written to them.
        .macro  lost name, opcode, segment, offset
        .text   LOST
        .word   1f, \opcode, \segment, \offset
        .text   NAMES
1:      .asciz  "\name"
        .text   BLOCKS
        .endm

# Places that the server's address is put into.
        .macro  server
        .text   SERVERS
        .word   1f
        .text   BLOCKS
1:      .long   0
        .endm

# A place that the handle of the file that was opened last is put into.
        .macro  handle
        .text   HANDLES
        .word   1f
        .text   BLOCKS
1:      .word   0
        .endm

        .macro  filename text
        .ascii  "\text"
        .zero   128 - (. - 3b)
        .endm

        .text   0
        .globl  _start
_start:
        save_registers
        find_entry SAVED
        movw    %ds, %ax
        movw    %ax, %es

        movw    $steps, %bx
1:      call    run
        addw    $STEP_SIZE, %bx
        cmpw    $steps_end, %bx
        jb      1b

        movw    $lost, %bx
2:      pushw   4(%bx)
        pushw   6(%bx)
        pushw   2(%bx)
        lcallw  *entry_point
        addw    $6, %sp
        movw    $-1, %cx                        # no status
        cmpw    $1, %ax
        call    judge
        addw    $8, %bx
        cmpw    $lost_end, %bx
        jb      2b

        movw    $mark, %si
        call    report_text
        movw    wrong, %ax
        call    report_hex
        movw    $mark_end, %si
        call    report_text
        .ifndef UNLOAD
        pushw   %ds
        pushw   $next
        pushw   $0x73                           # RESTART_TFTP
        lcallw  *entry_point
        addw    $6, %sp
        incw    wrong                           # this is no answer that comes back
        .endif
        restore_registers
        movw    wrong, %ax
        lretw

# BX = a step. Makes the call and judges its answer. Keeps BX, DS and ES.
run:    movw    STEP_BLOCK(%bx), %si
        pushw   %ds
        pushw   %si
        pushw   STEP_OPCODE(%bx)
        stc                                     # as an answer it would be wrong
        lcallw  *entry_point
        leaw    6(%esp), %sp                    # no ADD: CF is a part of the answer
        sbbw    %dx, %dx
        negw    %dx                             # CF as AX has it
        movw    STEP_BLOCK(%bx), %si
        movw    (%si), %cx
        cmpw    %ax, %dx
        jne     judge
        movw    STEP_STATUS(%bx), %dx
        cmpw    $MOST, %dx
        jne     1f
        cmpw    $SUCCESS, %cx                   # any failure
        je      wrong_status
        cmpw    $1, %ax
        jmp     judge
1:      cmpw    %cx, %dx
        jne     judge
        cmpw    $SUCCESS, %dx
        jne     2f
        testw   %ax, %ax
        jnz     judge
        cmpw    $0, STEP_CHECK(%bx)
        je      judge
        pushw   %ax
        pushw   %cx
        callw   *STEP_CHECK(%bx)
        popw    %cx
        popw    %ax
        jmp     judge
2:      cmpw    $1, %ax
        jmp     judge
wrong_status:
        testw   %sp, %sp                        # ZF = 0

# ZF = 1 if the answer was right; BX = what begins with the name; AX, CX = the answer.
judge:  jne     1f
        movw    $right_text, %si
        call    report_text
        movw    (%bx), %si
        call    report_text
        jmp     2f
1:      incw    wrong
        pushw   %cx
        pushw   %ax
        movw    $wrong_text, %si
        call    report_text
        movw    (%bx), %si
        call    report_text
        movb    $' ', %al
        call    report_character
        popw    %ax
        call    report_hex
        movb    $' ', %al
        call    report_character
        popw    %ax
        call    report_hex
2:      movw    $end_of_line, %si
        jmp     report_text

# CX bytes at SI that count from DL up: ZF = 1 if they do. Changes AL, CX, DL, SI.
check_bytes:
1:      lodsb
        cmpb    %dl, %al
        jne     2f
        incb    %dl
        loop    1b
        cmpw    %cx, %cx
2:      ret

        .include "state.S"

        .text   NAMES
names:
right_text:
        .asciz  "ok "
wrong_text:
        .asciz  "WRONG "
end_of_line:
        .asciz  "\r\n"
mark:   .asciz  "RIG-MARK pxe calls, wrong: "
mark_end:
        .asciz  ";\r\n"

        .text   STEPS
        .balign 2
steps:
        .text   LOST
        .balign 2
lost:
        .text   SERVERS
        .balign 2
servers:
        .text   HANDLES
        .balign 2
handles:
        .text   BLOCKS
        .balign 4
next:   .word   0
3:      filename "next.nbp"
        .long   0x8000, 0x7c00
        server
        .zero   16
entry_point:
        .long   0
wrong:  .word   0

# The steps, and the routines that check their parameters after a success. These have the parameters at SI, and return
# with ZF = 1 if they are right; BX, SP and the segments stay.
        .include "calls/cached.inc"
        .include "calls/udp.inc"
        .include "calls/tftp.inc"
        .include "calls/file.inc"
        .include "calls/undi.inc"
        .include "calls/ending.inc"

# Parameters that cannot be answered in.
        lost    "parameters at 0:0", 0x30, 0, 0
        lost    "parameters in the interrupt table", 0x30, 0, 0x20
        lost    "parameters in the BIOS data", 0x30, 0x40, 0x10
        lost    "parameters beyond a segment", 0x71, 0x2000, 0xfffc
        lost    "parameters in a ROM", 0x30, 0xf000, 0
        lost    "parameters beyond 1 MiB", 0x30, 0xffff, 0x100

        .text   STEPS
steps_end:
        .text   LOST
lost_end:
        .text   SERVERS
servers_end:
        .text   HANDLES
handles_end:
        .text   BLOCKS
packet: .skip   PACKET_ROOM
