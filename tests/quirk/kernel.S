# A kernel that only says what it was given, as the user space of the usual one does, for arguments that are longer than
# Linux keeps. It runs in real mode (Linux boot protocol, "Running the kernel").
#
# On entry: DS = ES = SS = the segment of this file, CS 20h above it. It switches the machine off.

        .code16
        .globl  _start
_start:
        .org    0x1f1
        .byte   1                       # setup_sects
        .org    0x1f4
        .long   1                       # syssize
        .org    0x1fe
        .word   0xaa55
        jmp     setup
        .ascii  "HdrS"
        .word   0x20a                   # version
        .org    0x211
        .byte   1                       # loadflags: LOADED_HIGH
        .org    0x214
        .long   0x100000                # code32_start
        .org    0x228
arguments:
        .long   0                       # cmd_line_ptr
        .long   0x7fffffff              # initrd_addr_max
        .org    0x238
        .long   0xffff                  # cmdline_size
        .org    0x258
        .quad   0x100000                # pref_address
        .long   0x10000                 # init_size

setup:  movw    $mark - _start, %si
        call    text
        movl    arguments - _start, %esi
        movl    %esi, %eax
        shrl    $4, %eax
        movw    %ax, %fs
        andl    $15, %esi
1:      movb    %fs:(%esi), %al         # the protocol ends them by a zero byte
        incl    %esi
        testb   %al, %al
        jz      2f
        call    byte
        jmp     1b
2:      movb    $'\n', %al              # as /proc/cmdline does
        call    byte
        movw    $end - _start, %si
        call    text
        movw    $0x604, %dx             # PM1a control of QEMU's PIIX4: SLP_EN, S5
        movw    $0x2000, %ax
        outw    %ax, %dx
3:      hlt
        jmp     3b

text:   lodsb
        testb   %al, %al
        jz      4f
        call    send
        jmp     text
4:      ret

byte:   pushw   %ax
        shrb    $4, %al
        call    digit
        popw    %ax
        andb    $15, %al
digit:  addb    $'0', %al
        cmpb    $'9', %al
        jbe     send
        addb    $'a' - '9' - 1, %al
send:   pushw   %dx
        pushw   %ax
        movw    $0x3fd, %dx             # COM1, line status
5:      inb     %dx, %al
        testb   $0x20, %al
        jz      5b
        popw    %ax
        movw    $0x3f8, %dx
        outb    %al, %dx
        popw    %dx
        ret

mark:   .asciz  "\nRIG-MARK bytes="
end:    .asciz  ";\nRIG-MARK userspace-up\n"

        .org    0x400                   # what follows is for protected mode, which is never entered
        .fill   16, 1, 0xf4
