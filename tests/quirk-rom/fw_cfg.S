# The files that QEMU was given with -fw_cfg (QEMU's docs/specs/fw_cfg): a selector at port 510h, data at 511h.

        .section .rom, "ax"

        .set    FW_CFG_SELECTOR, 0x510
        .set    FW_CFG_DATA, 0x511
        .set    FW_CFG_DIRECTORY, 0x19          # a count; then size, selector, two bytes and a name of 56; big-endian
        .set    FW_CFG_NAME, 56

file_nbp:
        .asciz  "opt/quirk-rom/nbp"
file_quirks:
        .asciz  "opt/quirk-rom/quirks"
file_packets:
        .asciz  "opt/quirk-rom/packets"

# Opens the file whose name is at CS:SI. On exit: CF = 0 and ECX = its length, or CF = 1 and there is no such file.
# Changes EAX, EBX, DX, DI, BP.
open_file:
        movw    $FW_CFG_SELECTOR, %dx
        movw    $FW_CFG_DIRECTORY, %ax
        outw    %ax, %dx
        incw    %dx
        callw   read_long
        movw    %ax, %bp                        # entries left
1:      subw    $1, %bp
        jc      9f
        callw   read_long
        movl    %eax, %ebx                      # size
        callw   read_long
        rorl    $16, %eax                       # AX = selector
        pushw   %ax
        movw    %si, %di
        movw    $FW_CFG_NAME, %cx
2:      inb     %dx, %al
        cmpb    %cs:(%di), %al
        jne     3f
        incw    %di
        testb   %al, %al
        loopnz  2b
        popw    %ax
        decw    %dx
        outw    %ax, %dx
        movl    %ebx, %ecx
        clc
        ret
3:      popw    %ax
        decw    %cx
        jz      1b
4:      inb     %dx, %al
        loop    4b
        jmp     1b
9:      ret

# EAX = the next four bytes of the open file, the first one highest. DX = FW_CFG_DATA.
read_long:
        inb     %dx, %al
        shll    $8, %eax
        inb     %dx, %al
        shll    $8, %eax
        inb     %dx, %al
        shll    $8, %eax
        inb     %dx, %al
        ret

# Reads CX bytes of the open file to ES:DI. Changes CX, DX, DI.
read_file:
        movw    $FW_CFG_DATA, %dx
        rep insb
        ret

# Reads the quirks to ES:DI: one byte each, in the order of tests/src/rom.rs; zero is off. Changes all but segments,
# SP and BP.
load_quirks:
        pushw   %bp
        pushw   %di
        movw    $file_quirks, %si
        callw   open_file
        popw    %di
        jc      1f
        movw    $QUIRK_COUNT, %cx
        callw   read_file
1:      popw    %bp
        ret
