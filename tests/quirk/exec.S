# A boot program that says RIG-MARK calls, has a script run by FILE_EXEC, and says RIG-MARK goes on if that comes back.
#
# On entry (PXE 2.1, section 4.4.5): CS = 0; on the stack the return address, then the address of !PXE.

        .code16
        .include "program.inc"

        .globl  _start
_start:
        find_entry
        movw    $calls, %si
        call    report_text
        movw    $0xe5, %bx                      # FILE_EXEC
        movw    $execute, %di
        call    ask
        movw    $goes_on, %si
        call    report_text
1:      hlt
        jmp     1b

# BX = opcode, DI = its parameters. CF = 1 if it failed.
ask:    make_call

        .include "state.S"

calls:  .asciz  "\r\nRIG-MARK calls\r\n"
goes_on:
        .asciz  "\r\nRIG-MARK goes on\r\n"
command:
        .asciz  "chain --autofree http://10.77.0.1/exec.ipxe"

        .balign 4
entry_point:
        .long   0
execute:
        .word   0, command, 0
