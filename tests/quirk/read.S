# A boot program that reads two files by their addresses, to their ends, and never calls again: `calls.bin` by HTTP from
# beside itself, and by TFTP from 10.77.0.1. It says RIG-MARK read when it has all.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; on the stack the return address, then the address of !PXE.

        .code16
        .include "program.inc"

        .set    TFTP_IS_OPEN, 0x1b              # of FILE_READ: nothing has come yet

        .globl  _start
_start:
        find_entry

        movw    $beside, open_name
        call    read
        movw    $by_tftp, open_name
        call    read
        movw    $done, %si
        jmp     say

read:   movw    $0xe0, %bx                      # FILE_OPEN
        movw    $open, %di
        call    ask
        jc      failed
        movw    open_handle, %ax
        movw    %ax, file_handle
1:      movw    $512, file_size
        movw    $0xe3, %bx                      # FILE_READ
        movw    $file, %di
        call    ask
        jnc     2f
        cmpw    $TFTP_IS_OPEN, file
        je      1b
failed: movw    $wrong, %si
say:    call    report_text
3:      hlt
        jmp     3b
2:      cmpw    $0, file_size
        jne     1b
        ret

# BX = opcode, DI = its parameters. CF = 1 if it failed.
ask:    make_call

        .include "state.S"

done:   .asciz  "\r\nRIG-MARK read\r\n"
wrong:  .asciz  "\r\nRIG-MARK a file cannot be read\r\n"
beside: .asciz  "calls.bin"
by_tftp:
        .asciz  "tftp://10.77.0.1/calls.bin"

        .balign 4
entry_point:
        .long   0
open:   .word   0
open_handle:
        .word   0
open_name:
        .word   0, 0, 0, 0
file:   .word   0
file_handle:
        .word   0
file_size:
        .word   0
        .word   buffer, 0
buffer:
