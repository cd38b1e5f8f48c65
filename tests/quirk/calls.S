# A boot program that makes every call of a PXE stack, rightly and wrongly, and checks each answer.
#
# It says `ok NAME` or `WRONG NAME AX STATUS` for each, then RIG-MARK and how many were wrong, and returns: 0 in AX if
# none was. The order from the first GET_CACHED_INFO on is that of a boot program of Windows: the packets, a question to
# port 4011, the size of a file and the file itself, the card, and at last the stack is unloaded, if UNLOAD is defined.
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

# What follows checks the parameters at SI after a success: ZF = 1 if they are right. BX, SP and the segments stay.

# The ACK: a reply for Ethernet with our address. The server's goes to where it is wanted.
check_ack:
        cmpb    $2, packet                      # BOOTREPLY
        jne     9f
        movl    packet + BOOTP_SERVER, %eax
        testl   %eax, %eax
        jz      8f
        movw    $servers, %si
1:      movw    (%si), %di
        movl    %eax, (%di)
        addw    $2, %si
        cmpw    $servers_end, %si
        jb      1b
        movl    packet + BOOTP_YOUR, %eax
        movl    %eax, arp_ours
        movl    %eax, udp_destination
        testl   %eax, %eax
        jz      8f
        movw    $uri_address, %di               # the server's address in words of people
        movw    $(packet + BOOTP_SERVER), %si
        movw    $4, %cx
2:      lodsb
        xorb    %ah, %ah
        call    put_number
        movb    $'.', %al
        stosb
        loop    2b
        decw    %di
        movw    $uri_file, %si
3:      lodsb
        stosb
        testb   %al, %al
        jnz     3b
        ret                                     # ZF = 1
8:      testw   %sp, %sp
9:      ret

# AX below 256, in decimal to ES:DI. Changes AX, DX.
put_number:
        movb    $10, %dl
        divb    %dl                             # AL / 10, AH = the last digit
        pushw   %ax
        testb   %al, %al
        jz      1f
        xorb    %ah, %ah
        call    put_number
1:      popw    %ax
        movb    %ah, %al
        addb    $'0', %al
        stosb
        ret

# GET_CACHED_INFO with BufferSize 0: a packet of 240 bytes or more, BufferLimit as long as BOOTPLAYER.
check_pointer:
        cmpw    $1260, 10(%si)
        jne     1f
        cmpw    $240, 4(%si)
        jb      1f
        pushw   %es
        lesw    6(%si), %di
        cmpl    $0x63538263, %es:236(%di)       # the magic cookie of RFC 1497
        popw    %es
1:      ret

# TFTP_GET_FSIZE and GET_FILE_SIZE end with the size.
check_size:
        cmpl    $FILE_SIZE, 138(%si)
        ret
check_file_size:
        cmpl    $FILE_SIZE, 4(%si)
        ret

check_packet_size:
        cmpw    $PACKET_BYTES, 140(%si)
        ret

check_first:
        movw    $1, %ax
        movw    $PACKET_BYTES, %cx
        xorb    %dl, %dl
        jmp     check_packet
check_second:
        movw    $2, %ax
        movw    $PACKET_BYTES, %cx
        xorb    %dl, %dl
        jmp     check_packet
check_third:
        movw    $3, %ax
        movw    $(FILE_SIZE - 2 * PACKET_BYTES), %cx
        xorb    %dl, %dl
# AX = number, CX = bytes, DL = the first one.
check_packet:
        cmpw    2(%si), %ax
        jne     1f
        cmpw    4(%si), %cx
        jne     1f
        movw    $packet, %si
# CX bytes at SI that count from DL up.
check_bytes:
2:      lodsb
        cmpb    %dl, %al
        jne     1f
        incb    %dl
        loop    2b
        cmpw    %cx, %cx
1:      ret

check_whole_file:
        cmpl    $FILE_SIZE, 130(%si)
        jne     1f
        pushw   %ds
        movw    $(PLACE >> 4), %ax
        movw    %ax, %ds
        xorw    %si, %si
        movw    $FILE_SIZE, %cx
        xorb    %dl, %dl
        call    check_bytes
        popw    %ds
1:      ret

check_file_read:
        cmpw    $100, 4(%si)
        jne     1f
        movw    $packet, %si
        movw    $100, %cx
        xorb    %dl, %dl
        jmp     check_bytes
1:      ret

# No interrupt, Ethernet, addresses of six bytes. Where we are in ARP is put in.
check_information:
        cmpw    $0, 4(%si)
        jne     1f
        cmpw    $1500, 6(%si)
        jne     1f
        cmpl    $0x00060001, 8(%si)
        jne     1f
        movl    12(%si), %eax
        movl    %eax, arp_sender
        movw    16(%si), %ax
        movw    %ax, arp_sender + 4
        cmpw    %ax, %ax
1:      ret

check_interface:
        cmpl    $0x2b584944, 2(%si)             # "DIX+"
        jne     1f
        testl   $0x1000, 22(%si)                # interrupts
1:      ret

check_group:
        cmpl    $0x015e0001, 6(%si)             # 01:00:5e:01:02:03
        jne     1f
        cmpw    $0x0302, 10(%si)
1:      ret

check_state_initialized:
        cmpb    $2, 2(%si)
        ret
check_state_opened:
        cmpb    $3, 2(%si)
        ret

check_nothing_new:
        cmpw    $ISR_DONE, 2(%si)
        ret

# Asks UNDI_ISR until the answer to our ARP has come, at most PATIENCE ticks.
check_arp:
        movw    TICKS, %bp
1:      movw    TICKS, %ax
        subw    %bp, %ax
        cmpw    $PATIENCE, %ax
        ja      8f
        movw    $ISR_START, isr_function
        call    isr
        cmpw    $ISR_OURS, isr_function
        jne     1b
        movw    $ISR_PROCESS, isr_function
2:      call    isr
        movw    isr_function, %ax
        cmpw    $ISR_DONE, %ax
        je      1b
        cmpw    $ISR_RECEIVE, %ax
        jne     3f
        cmpb    $P_ARP, isr_block + ISR_PROTOCOL
        jne     3f
        pushw   %es
        lesw    isr_block + ISR_FRAME, %di
        movl    %es:28(%di), %eax               # the sender's IP address
        cmpl    %eax, arp_theirs
        popw    %es
        je      9f
3:      movw    $ISR_GET_NEXT, isr_function
        jmp     2b
8:      testw   %sp, %sp
9:      ret

isr:    pushw   %ds
        pushw   $isr_block
        pushw   $PXENV_UNDI_ISR
        lcallw  *entry_point
        addw    $6, %sp
        ret

# Reads until the server's answer to our request has come: the file's first packet.
check_answer:
        movw    TICKS, %bp
1:      movw    TICKS, %ax
        subw    %bp, %ax
        cmpw    $PATIENCE, %ax
        ja      8f
        movw    $600, udp_room
        pushw   %ds
        pushw   $udp_block
        pushw   $0x32                           # UDP_READ
        lcallw  *entry_point
        addw    $6, %sp
        testw   %ax, %ax
        jnz     1b
        cmpw    $(4 + PACKET_BYTES), udp_room
        jne     9f
        cmpl    $0x01000300, packet             # DATA, block 1
        jne     9f
        movw    $(packet + 4), %si
        movw    $PACKET_BYTES, %cx
        xorb    %dl, %dl
        jmp     check_bytes
8:      testw   %sp, %sp
9:      ret

check_arguments:
        cmpw    $ARGUMENTS_SIZE, 2(%si)
        jne     1f
        movw    $arguments, %si
        movw    $packet, %di
        movw    $ARGUMENTS_SIZE, %cx
        repe cmpsb
1:      ret

# More than there is room for.
check_arguments_size:
        cmpw    $ARGUMENTS_SIZE, 2(%si)
        ret

check_api:
        cmpl    $0xe9c17b20, 4(%si)
        jne     1f
        cmpl    $0x17f, 12(%si)                 # all but FILE_EXIT_HOOK
1:      ret

# A handle is put to where it is used.
check_opened:
        movw    2(%si), %ax
        movw    $handles, %si
1:      movw    (%si), %di
        movw    %ax, (%di)
        addw    $2, %si
        cmpw    $handles_end, %si
        jb      1b
        cmpw    %ax, %ax
        ret

# Waits until there is something to be read.
check_ready:
        movw    TICKS, %bp
1:      cmpw    $1, 4(%si)
        je      9f
        movw    TICKS, %ax
        subw    %bp, %ax
        cmpw    $PATIENCE, %ax
        ja      8f
        pushw   %si
        pushw   %ds
        pushw   %si
        pushw   $0xe2
        lcallw  *entry_point
        addw    $6, %sp
        popw    %si
        jmp     1b
8:      testw   %sp, %sp
9:      ret

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
uri_file:
        .asciz  "/calls.bin"

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
entry_point:
        .long   0
wrong:  .word   0
isr_block:
        .word   0
isr_function:
        .word   0
        .zero   12
udp_block:
        .word   0
        .zero   4
udp_destination:
        .long   0
        .zero   2
        .word   0x1708                          # port 2071, to which the request's answer comes
udp_room:
        .word   0
        .word   packet, 0
uri:    .ascii  "tftp://"
uri_address:
        .zero   40
uri_beside:
        .asciz  "calls.bin"
uri_none:
        .asciz  "none.bin"
uri_unknown:
        .asciz  "gopher://10.77.0.1/calls.bin"
arguments:
        .asciz  "one two"
        .set    ARGUMENTS_SIZE, . - arguments
empty:  .byte   0
command_set:
        .asciz  "set called 17"
command_script:
        .asciz  "chain --autofree http://10.77.0.1/inner.ipxe"
command_exit:
        .asciz  "exit"
command_unknown:
        .asciz  "frobnicate"
command_program:                                # which would lie over this one
        .asciz  "chain --autofree http://10.77.0.1/calls.nbp"
command_failing:
        .asciz  "isset ${no-such-setting}"
request:
        .byte   0, 1                            # RRQ
        .asciz  "calls.bin"
        .asciz  "octet"
request_end:
arp_frame:
        .byte   0, 1, 8, 0, 6, 4, 0, 1          # Ethernet, IPv4, request
arp_sender:
        .zero   6
arp_ours:
        .long   0
        .zero   6
arp_theirs:
        server
arp_end:
tbd:    .word   arp_end - arp_frame, arp_frame, 0, 0
tbd_short:
        .word   10, arp_frame, 0, 0
tbd_nowhere:
        .word   60, 0, 0, 0
tbd_many:
        .word   60, arp_frame, 0, 9

# What any program asks first.
        step    "GET_CACHED_INFO 2, a copy", PXENV_GET_CACHED_INFO, SUCCESS, check_ack
        .word   2, PACKET_ROOM, packet, 0, 0
        step    "GET_CACHED_INFO 3, a copy", PXENV_GET_CACHED_INFO, SUCCESS
        .word   3, PACKET_ROOM, packet, 0, 0
        step    "GET_CACHED_INFO 1, a pointer", PXENV_GET_CACHED_INFO, SUCCESS, check_pointer
        .word   1, 0, 0, 0, 0
        step    "GET_CACHED_INFO 2, a pointer", PXENV_GET_CACHED_INFO, SUCCESS, check_pointer
        .word   2, 0, 0, 0, 0
        step    "GET_CACHED_INFO 4", PXENV_GET_CACHED_INFO, MOST
        .word   4, 0, 0, 0, 0
        step    "GET_CACHED_INFO to 0:0", PXENV_GET_CACHED_INFO, MOST
        .word   2, PACKET_ROOM, 0, 0, 0
        step    "GET_CACHED_INFO to the interrupt table", PXENV_GET_CACHED_INFO, MOST
        .word   2, PACKET_ROOM, 0x10, 0, 0
        step    "GET_CACHED_INFO beyond a segment", PXENV_GET_CACHED_INFO, MOST
        .word   2, PACKET_ROOM, 0xff00, 0x2000, 0
        step    "GET_CACHED_INFO beyond 1 MiB", PXENV_GET_CACHED_INFO, MOST
        .word   2, PACKET_ROOM, 0x10, 0xffff, 0

# A question to a PXE server.
        step    "UDP_WRITE, closed", 0x33, UDP_IS_CLOSED
        server
        .long   0
        .word   0x4400, 0xab0f, 4, packet, 0    # 68, 4011
        step    "UDP_READ, closed", 0x32, UDP_IS_CLOSED
        .zero   12
        .word   4, packet, 0
        step    "UDP_CLOSE, closed", 0x31, UDP_IS_CLOSED
        step    "UDP_OPEN", 0x30, SUCCESS
        .long   0
        step    "UDP_OPEN, open", 0x30, UDP_IS_OPEN
        .long   0
        step    "UDP_WRITE to port 4011", 0x33, SUCCESS
        server
        .long   0
        .word   0x4400, 0xab0f, 300, packet, 0
        step    "UDP_READ, nothing", 0x32, FAILURE
        .zero   10
        .word   0x1027, 100, packet, 0          # port 10000
        step    "UDP_READ to 0:0", 0x32, INVALID_PARAMETER
        .zero   10
        .word   0x4400, 100, 0, 0
        step    "UDP_WRITE to nobody", 0x33, INVALID_PARAMETER
        .long   0, 0
        .word   0x4400, 0xab0f, 4, packet, 0
        step    "UDP_WRITE from 0:0", 0x33, INVALID_PARAMETER
        server
        .long   0
        .word   0x4400, 0xab0f, 4, 0, 0
        step    "UDP_WRITE to port 69, and its answer", 0x33, SUCCESS, check_answer
        server
        .long   0
        .word   0x1708, 0x4500, request_end - request, request, 0
        step    "UDP_CLOSE", 0x31, SUCCESS

# A file.
        step    "TFTP_GET_FSIZE", 0x25, SUCCESS, check_size
        server
        .long   0
3:      filename "calls.bin"
        .long   0
        step    "TFTP_GET_FSIZE, no such file", 0x25, TFTP_NOT_FOUND
        server
        .long   0
3:      filename "none.bin"
        .long   0
        step    "TFTP_GET_FSIZE, no name", 0x25, INVALID_PARAMETER
        server
        .long   0
        .zero   132
        step    "TFTP_READ, closed", 0x22, TFTP_IS_CLOSED
        .word   0, 0, packet, 0
        step    "TFTP_CLOSE, closed", 0x21, TFTP_IS_CLOSED
        step    "TFTP_OPEN, small packets", 0x20, TFTP_PACKET_SIZE
        server
        .long   0
3:      filename "calls.bin"
        .word   0x4500, 100
        step    "TFTP_OPEN, no such file", 0x20, TFTP_NOT_FOUND
        server
        .long   0
3:      filename "none.bin"
        .word   0x4500, PACKET_BYTES
        step    "TFTP_OPEN", 0x20, SUCCESS, check_packet_size
        server
        .long   0
3:      filename "calls.bin"
        .word   0x4500, PACKET_BYTES
        step    "TFTP_OPEN, open", 0x20, TFTP_IS_OPEN
        server
        .long   0
3:      filename "calls.bin"
        .word   0x4500, PACKET_BYTES
        step    "TFTP_READ", 0x22, SUCCESS, check_first
        .word   0, 0, packet, 0
        step    "TFTP_READ to the BIOS", 0x22, INVALID_PARAMETER
        .word   0, 0, 0, 0x40
        step    "TFTP_READ, the second packet", 0x22, SUCCESS, check_second
        .word   0, 0, packet, 0
        step    "TFTP_READ, the last packet", 0x22, SUCCESS, check_third
        .word   0, 0, packet, 0
        step    "TFTP_CLOSE", 0x21, SUCCESS
        .irp    opcode, 0x23, 0x24
        step    "(M)TFTP_READ_FILE", \opcode, SUCCESS, check_whole_file
3:      filename "calls.bin"
        .long   0x8000, PLACE
        server
        .zero   16
        step    "(M)TFTP_READ_FILE, too little room", \opcode, OUT_OF_RESOURCES
3:      filename "calls.bin"
        .long   FILE_SIZE - 1, PLACE
        server
        .zero   16
        step    "(M)TFTP_READ_FILE to the BIOS", \opcode, INVALID_PARAMETER
3:      filename "calls.bin"
        .long   0x8000, 0x400
        server
        .zero   16
        step    "(M)TFTP_READ_FILE beyond 4 GiB", \opcode, INVALID_PARAMETER
3:      filename "calls.bin"
        .long   0x8000, 0xfffff000
        server
        .zero   16
        .endr
        step    "RESTART_TFTP, no such file", 0x73, TFTP_NOT_FOUND
3:      filename "none.bin"
        .long   0x8000, 0x7c00
        server
        .zero   16

# The calls of iPXE.
        step    "FILE_API_CHECK", 0xe6, SUCCESS, check_api
        .word   20
        .long   0x91d447b2, 0, 0, 0
        step    "FILE_API_CHECK, another number", 0xe6, BAD_FUNCTION
        .word   20
        .long   0, 0, 0, 0
        step    "FILE_OPEN, no name", 0xe0, INVALID_PARAMETER
        .word   0, empty, 0, 0, 0
        step    "FILE_OPEN at 0:0", 0xe0, INVALID_PARAMETER
        .word   0, 0, 0, 0, 0
        step    "FILE_OPEN, an unknown way", 0xe0, UNSUPPORTED
        .word   0, uri_unknown, 0, 0, 0
        step    "FILE_OPEN by HTTP, no such file", 0xe0, TFTP_NOT_FOUND
        .word   0, uri_none, 0, 0, 0
        .irp    uri, uri, uri_beside            # by TFTP; beside the program, so by HTTP
        step    "FILE_OPEN", 0xe0, SUCCESS, check_opened
        .word   0, \uri, 0, 0, 0
        step    "FILE_SELECT", 0xe2, SUCCESS, check_ready
        handle
        .word   0
        step    "GET_FILE_SIZE", 0xe4, SUCCESS, check_file_size
        handle
        .word   0, 0
        step    "FILE_READ to the BIOS", 0xe3, INVALID_PARAMETER
        handle
        .word   100, 0, 0x40
        step    "FILE_READ", 0xe3, SUCCESS, check_file_read
        handle
        .word   100, packet, 0
        step    "FILE_CLOSE", 0xe1, SUCCESS
        handle
        step    "FILE_READ, closed", 0xe3, INVALID_PARAMETER
        handle
        .word   100, packet, 0
        .endr
        .irp    opcode, 0xe1, 0xe2, 0xe3, 0xe4
        step    "FILE_*, no such file", \opcode, INVALID_PARAMETER
        .word   0x7777, 0, 0, 0
        .endr
        step    "FILE_CMDLINE", 0xe8, SUCCESS, check_arguments
        .word   64, packet, 0
        step    "FILE_CMDLINE, too little room", 0xe8, SUCCESS, check_arguments_size
        .word   3, packet, 0
        step    "FILE_CMDLINE to 0:0", 0xe8, INVALID_PARAMETER
        .word   64, 0, 0
        .irp    command, command_set, command_script, command_exit
        step    "FILE_EXEC", 0xe5, SUCCESS
        .word   \command, 0
        .endr
        .irp    command, command_unknown, command_program, command_failing
        step    "FILE_EXEC of what fails", 0xe5, FAILURE
        .word   \command, 0
        .endr
        step    "FILE_EXIT_HOOK", 0xe7, UNSUPPORTED
        .word   arguments, 0
        step    "FILE_EXEC at 0:0", 0xe5, INVALID_PARAMETER
        .word   0, 0

# The card.
        step    "UNDI_GET_INFORMATION", 0x0c, SUCCESS, check_information
        .zero   48
        step    "UNDI_GET_IFACE_INFO", 0x13, SUCCESS, check_interface
        .zero   40
        step    "UNDI_GET_NIC_TYPE", 0x12, SUCCESS
        .zero   15
        step    "UNDI_GET_STATISTICS", 0x0d, SUCCESS
        .zero   16
        step    "UNDI_CLEAR_STATISTICS", 0x0e, SUCCESS
        step    "UNDI_GET_MCAST_ADDRESS", 0x11, SUCCESS, check_group
        .byte   239, 129, 2, 3
        .zero   16
        step    "UNDI_GET_MCAST_ADDRESS of no group", 0x11, INVALID_PARAMETER
        .byte   10, 0, 0, 1
        .zero   16
        step    "UNDI_GET_STATE, initialized", 0x15, SUCCESS, check_state_initialized
        .byte   0
        step    "UNDI_TRANSMIT, closed", 0x08, INVALID_STATE
        .byte   P_ARP, 1
        .word   0, 0, tbd, 0, 0, 0, 0, 0
        step    "UNDI_SET_PACKET_FILTER, closed", 0x0b, INVALID_STATE
        .byte   7
        step    "UNDI_SET_STATION_ADDRESS of a group", 0x0a, INVALID_MAC
        .byte   1, 0, 0, 0, 0, 5
        .zero   10
        step    "UNDI_ISR, closed", PXENV_UNDI_ISR, SUCCESS, check_nothing_new
        .word   ISR_PROCESS
        .zero   12
        step    "START_UNDI", PXENV_START_UNDI, SUCCESS
        .word   0x10, -1, -1, 0, 0
        step    "START_UNDI of another card", PXENV_START_UNDI, CANNOT_INITIALIZE
        .word   0x18, -1, -1, 0, 0
        step    "UNDI_STARTUP", PXENV_UNDI_STARTUP, SUCCESS
        step    "UNDI_INITIALIZE", PXENV_UNDI_INITIALIZE, SUCCESS
        .zero   12
        step    "UNDI_OPEN with nine groups", PXENV_UNDI_OPEN, INVALID_PARAMETER
        .word   0, 3, 9
        .zero   128
        step    "UNDI_OPEN", PXENV_UNDI_OPEN, SUCCESS
        .word   0, 3, 0
        .zero   128
        step    "UNDI_GET_STATE, opened", 0x15, SUCCESS, check_state_opened
        .byte   0
        step    "UNDI_TRANSMIT of an unknown protocol", 0x08, INVALID_PARAMETER
        .byte   9, 1
        .word   0, 0, tbd, 0, 0, 0, 0, 0
        step    "UNDI_TRANSMIT to 0:0", 0x08, INVALID_PARAMETER
        .byte   P_ARP, 0
        .word   0, 0, tbd, 0, 0, 0, 0, 0
        step    "UNDI_TRANSMIT without a descriptor", 0x08, INVALID_PARAMETER
        .byte   P_ARP, 1
        .word   0, 0, 0, 0, 0, 0, 0, 0
        step    "UNDI_TRANSMIT of no whole header", 0x08, INVALID_PARAMETER
        .byte   P_UNKNOWN, 1
        .word   0, 0, tbd_short, 0, 0, 0, 0, 0
        step    "UNDI_TRANSMIT from 0:0", 0x08, INVALID_PARAMETER
        .byte   P_ARP, 1
        .word   0, 0, tbd_nowhere, 0, 0, 0, 0, 0
        step    "UNDI_TRANSMIT of nine blocks", 0x08, INVALID_PARAMETER
        .byte   P_ARP, 1
        .word   0, 0, tbd_many, 0, 0, 0, 0, 0
        step    "UNDI_SET_PACKET_FILTER", 0x0b, SUCCESS
        .byte   1
        step    "UNDI_SET_MCAST_ADDRESS", 0x09, SUCCESS
        .word   0
        .zero   128
        step    "UNDI_TRANSMIT, and the answer to ARP", 0x08, SUCCESS, check_arp
        .byte   P_ARP, 1
        .word   0, 0, tbd, 0, 0, 0, 0, 0
        step    "UNDI_ISR with another number", PXENV_UNDI_ISR, INVALID_PARAMETER
        .word   9
        .zero   12
        step    "UNDI_SET_STATION_ADDRESS, open", 0x0a, INVALID_STATE
        .byte   2, 0, 0, 0, 0, 5
        .zero   10
        step    "UNDI_RESET_ADAPTER", 0x04, SUCCESS
        .word   0
        .zero   128
        step    "UNDI_CLOSE", PXENV_UNDI_CLOSE, SUCCESS
        step    "UNDI_INITIATE_DIAGS", 0x0f, UNSUPPORTED
        step    "UNDI_FORCE_INTERRUPT", 0x10, UNSUPPORTED
        .irp    opcode, 0x16, 0x26, 0x34, 0x72, 0x99, 0xdf, 0xe9, 0x1234, 0xffff
        step    "no call", \opcode, UNSUPPORTED
        .endr

# The base code stops, and starts with an address of its own.
        step    "STOP_BASE", PXENV_STOP_BASE, SUCCESS
        step    "UDP_OPEN, base code stopped", 0x30, FAILURE
        .long   0
        step    "GET_CACHED_INFO, base code stopped", PXENV_GET_CACHED_INFO, SUCCESS
        .word   2, PACKET_ROOM, packet, 0, 0
        step    "START_BASE", PXENV_START_BASE, SUCCESS
        step    "START_BASE, started", PXENV_START_BASE, SUCCESS
        step    "UDP_OPEN, started again", 0x30, SUCCESS
        .long   0
        step    "UDP_CLOSE, started again", 0x31, SUCCESS

# The card is shut down, and comes back.
        step    "UNDI_SHUTDOWN", PXENV_UNDI_SHUTDOWN, SUCCESS
        step    "UNDI_OPEN, shut down", PXENV_UNDI_OPEN, INVALID_STATE
        .zero   134
        step    "TFTP_GET_FSIZE, shut down", 0x25, INVALID_STATE
        server
        .long   0
3:      filename "calls.bin"
        .long   0
        .ifndef UNLOAD
        step    "UNDI_INITIALIZE, shut down", PXENV_UNDI_INITIALIZE, SUCCESS
        .zero   12
        step    "TFTP_GET_FSIZE, again", 0x25, SUCCESS, check_size
        server
        .long   0
3:      filename "calls.bin"
        .long   0
        .else
        step    "UNLOAD_STACK", PXENV_UNLOAD_STACK, SUCCESS
        .zero   10
        step    "STOP_UNDI", PXENV_STOP_UNDI, SUCCESS
        .zero   10
        .endif

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
