# What happens before an image runs, by the symbol that is defined:
#
#   HANG      one call of the vendor's driver never comes back, with interrupts open
#   FORGET    the vendor's stack cannot be found any more
#   UNLOAD    the vendor's stack is unloaded, as PXE wants it done: its calls are answered, and its memory is freed
#   INT_18    INT 18h comes back without doing anything
#   STATE     the state of the machine is printed
#   RETURN    the image returns to here; the vendor's UNDI sends an ARP request for 10.77.0.1, and the answer is printed
#
# These two sectors stand before an image. The ROM loads both to 0000:7C00 and enters here. What stays is put at the
# top of free base memory; then the image is moved down to where it belongs and entered with all registers and the
# stack as they were.

        .code16
        .include "../quirk-rom/pxe.inc"

        .set    SECTORS, 2              # of this stub
        .set    BASE_MEMORY, 0x413      # BIOS data area: KiB of base memory
        .set    BIOS_MARK, 639          # KiB of base memory before the ROM took any
        .set    FREE_SEGMENT, 0x8000    # far from all that the ROM had
        .set    HANGING_CALL, PXENV_UNDI_TRANSMIT

        .globl  _start
_start:
        pushal
        pushw   %ds
        pushw   %es
        movw    %sp, %bp                # ds, es: 4; pushal: 32; then the return address: 4; then !PXE
        cld

        .ifdef  UNLOAD
        .irp    opcode, PXENV_UNDI_SHUTDOWN, PXENV_UNLOAD_STACK, PXENV_STOP_UNDI
        ldsw    40(%bp), %si            # !PXE
        pushw   %cs
        pushw   $parameters
        pushw   $\opcode
        lcallw  *PXE_ENTRY(%si)
        addw    $6, %sp
        .endr
        .endif

        xorw    %ax, %ax
        movw    %ax, %ds
        .ifdef  UNLOAD
        movw    $BIOS_MARK, BASE_MEMORY
        movw    $FREE_SEGMENT, %ax      # what the ROM had still holds the stack, and nothing stays
        .else
        decw    BASE_MEMORY             # take 1 KiB off the top of base memory
        movw    BASE_MEMORY, %ax
        shlw    $6, %ax
        .endif
        movw    %ax, %es
        movw    $resident, %si
        xorw    %di, %di
        movw    $(resident_end - resident), %cx
        rep movsb

        .ifdef  INT_18
        movw    $0x18 * 4, %di
        movw    $(comes_back - resident), (%di)
        movw    %es, 2(%di)
        .endif

        .ifdef  STATE
        incw    BASE_MEMORY
        movw    $state_message, %si
        call    report_text
        call    report
        decw    BASE_MEMORY
        .endif

        .ifdef  FORGET
        movw    20(%bp), %bx            # PXENV+ is where ES:BX led, and where INT 1Ah leads
        movw    (%bp), %ds
        movb    $0, (%bx)
        ldsw    40(%bp), %si            # !PXE
        movb    $0, (%si)
        .endif

        ldsw    40(%bp), %si            # !PXE
        movl    PXE_ENTRY(%si), %ecx
        movl    %ecx, %es:(vendor_entry - resident)
        .ifdef  HANG
        movw    $(handler - resident), PXE_ENTRY(%si)
        movw    %es, PXE_ENTRY + 2(%si)
        movb    $0, PXE_CHECKSUM(%si)
        movzbw  PXE_LENGTH(%si), %cx
        movw    %si, %di
        xorb    %al, %al
1:      subb    (%di), %al
        incw    %di
        loop    1b
        movb    %al, PXE_CHECKSUM(%si)
        .endif

        pushw   %es                     # go on in the resident part: the image will lie here
        pushw   $(move_image - resident)
        lretw

resident:
move_image:
        movw    $((0x7c00 + SECTORS * 512) >> 4), %ax
        movw    $(0x7c00 >> 4), %dx
        movw    $24, %bx                # 24 pieces of 16 KiB: more than any image
1:      movw    %ax, %ds
        movw    %dx, %es
        xorw    %si, %si
        xorw    %di, %di
        movw    $(0x4000 / 2), %cx
        rep movsw
        addw    $(0x4000 >> 4), %ax
        addw    $(0x4000 >> 4), %dx
        decw    %bx
        jnz     1b
        .ifdef  STATE                   # nothing stays
        xorw    %ax, %ax
        movw    %ax, %ds
        incw    BASE_MEMORY
        .endif
        popw    %es
        popw    %ds
        popal
        .ifndef RETURN
        ljmpw   $0, $0x7c00
        .else
        pushl   4(%esp)                 # !PXE
        lcallw  $0, $0x7c00
        addw    $4, %sp
        pushw   %cs
        popw    %ds
        cld
        movw    %cs, return_transmit - resident + TRANSMIT_TBD + 2
        movw    %cs, return_block - resident + TBD_DATA + 2
        movw    $(return_message - resident), %si
        call    report_text
        movw    $(return_calls - resident), %si
1:      lodsw
        movw    %ax, %bx
        lodsw
        movw    %ax, %di                # parameters, of which the first is the status
        call    return_call
        movw    (%di), %ax
        call    report_hex
        cmpw    $(return_calls_end - resident), %si
        jb      1b
        movw    $100, %cx               # ticks of the clock
2:      sti
        hlt
        cli
        movw    $ISR_START, %ax
        call    return_isr
        testw   %ax, %ax                # ISR_OURS
        jnz     5f
        movw    $ISR_PROCESS, %ax
3:      call    return_isr
        testw   %ax, %ax                # ISR_DONE
        jz      5f
        cmpw    $ISR_RECEIVE, %ax
        jne     4f
        cmpw    $(P_ARP | P_DIRECTED << 8), return_event - resident + ISR_PROTOCOL
        je      6f
4:      movw    $ISR_GET_NEXT, %ax
        jmp     3b
5:      loop    2b
        jmp     7f
6:      movw    $(return_answer - resident), %si
        call    report_text
        lesw    return_event - resident + ISR_FRAME, %bx
        movw    %es:20(%bx), %ax        # the operation (RFC 826)
        xchgb   %al, %ah
        call    report_hex
        movl    %es:28(%bx), %eax       # who answers
        bswapl  %eax
        call    report_long
7:      movw    $(return_end - resident), %si
        call    report_text
        movw    $PXENV_UNDI_CLOSE, %bx
        movw    $(return_status - resident), %di
        call    return_call
        xorw    %ax, %ax
        lretw

# Makes UNDI_ISR with function AX. AX = what it answers.
return_isr:
        movw    $(return_event - resident), %di
        movw    %ax, ISR_FUNCTION(%di)
        movw    $PXENV_UNDI_ISR, %bx
        call    return_call
        movw    ISR_FUNCTION(%di), %ax
        ret

# Makes call BX with the parameters at DI. Changes AX.
return_call:
        pushw   %cx
        pushw   %ds
        pushw   %di
        pushw   %bx
        lcallw  *(vendor_entry - resident)
        addw    $6, %sp
        popw    %cx
        ret

return_calls:
        .word   PXENV_UNDI_STARTUP, return_status - resident
        .word   PXENV_UNDI_INITIALIZE, return_initialize - resident
        .word   PXENV_UNDI_OPEN, return_open - resident
        .word   PXENV_UNDI_TRANSMIT, return_transmit - resident
return_calls_end:
return_open:                            # status, flags, filter, no multicasts
        .word   0, 0, FILTER_DIRECTED | FILTER_BROADCAST, 0
return_initialize:
        .word   0, 0, 0, 0, 0, 0, 0
return_status:
        .word   0
return_event:
        .skip   16
return_transmit:                        # status, an ARP packet as broadcast, destination, buffer
        .word   0
        .byte   P_ARP, 1
        .word   0, 0, return_block - resident, 0, 0, 0, 0, 0
return_block:
        .word   return_request_end - return_request, return_request - resident, 0, 0
return_request:                         # Ethernet, IPv4; request; of the card of the tests; for the server (RFC 826)
        .byte   0, 1, 8, 0, 6, 4, 0, 1
        .byte   0x52, 0x54, 0x00, 0x77, 0x00, 0x10, 10, 77, 0, 250
        .byte   0, 0, 0, 0, 0, 0, 10, 77, 0, 1
return_request_end:
        .include "state.S"
return_message:
        .asciz  "RIG-MARK back, answered "
return_answer:
        .asciz  ", ARP "
return_end:
        .asciz  ";\r\n"
        .endif

handler:
        pushw   %bp
        movw    %sp, %bp
        cmpw    $HANGING_CALL, 6(%bp)
        popw    %bp
        je      1f
        ljmpw   *%cs:(vendor_entry - resident)
1:      sti
        jmp     1b

comes_back:
        iretw

vendor_entry:
        .long   0
resident_end:

parameters:
        .skip   16

        .ifdef  STATE
        .include "state.S"
state_message:
        .asciz  "RIG-MARK entry"
        .endif

        .org    SECTORS * 512
