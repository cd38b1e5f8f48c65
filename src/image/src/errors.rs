//! What can be wrong with an image.

base::errors! {
    /// The boot flag of a boot sector is missing.
    NOT_A_KERNEL = "IMAGE-01", "{} is not a Linux kernel: boot_flag (at 1FEh) is not AA55h", "check that the file is a bzImage; a server's error page or an archive is not one";
    /// The setup header's magic is missing.
    NO_HEADER = "IMAGE-02", "{} is not a Linux kernel: header (at 202h) is not HdrS", "check that the file is a bzImage for x86, or a vmlinux of Linux with PVH";
    /// A boot protocol before 2.00.
    TOO_OLD = "IMAGE-03", "{} is too old: its version (at 206h) is a boot protocol before 2.00", "use a kernel of Linux 1.3.73 or later";
    /// The file ends within the setup sectors.
    TRUNCATED_SETUP = "IMAGE-04", "{} is truncated: it ends within the sectors that setup_sects (at 1F1h) counts", "download it again; compare its size with the original";
    /// The file ends within the protected-mode part.
    TRUNCATED = "IMAGE-05", "{} is truncated: it is shorter than its syssize (at 1F4h) says", "download it again; compare its size with the original";
    /// More setup sectors than the protocol allows.
    SETUP_TOO_LONG = "IMAGE-06", "{} does not fit: setup_sects (at 1F1h) counts more than 32 KiB", "the file is damaged, or not a kernel: download it again";
    /// The kernel cannot take so long a command line.
    COMMAND_LINE_TOO_LONG = "IMAGE-07", "the command line does not fit: {} (cmdline_size, at 238h)", "shorten the kernel's arguments";
    /// No room in base memory.
    NO_BASE_MEMORY = "IMAGE-08", "{} does not fit: no room below 640 KiB for its setup_sects and command line", "other firmware holds the base memory: disable option ROMs, or use a .pxe image";
    /// No room at the kernel's address, and it cannot run elsewhere.
    NO_KERNEL_ROOM = "IMAGE-09", "{} does not fit: code32_start is not free memory, and no other place will do", "the machine has too little memory, or the kernel is not relocatable";
    /// The decompressed kernel would lie outside of memory.
    NO_INIT_ROOM = "IMAGE-10", "{} does not fit: there is no memory from pref_address for init_size bytes", "the machine has too little memory for this kernel";
    /// The initrds are larger than any free range.
    NO_INITRD_ROOM = "IMAGE-11", "the initrds do not fit where the kernel takes them: {}", "use smaller initrds or more memory; a mem= argument of the kernel lowers the limit too";
    /// Headers of an ELF file that contradict each other or the file's length.
    BAD_ELF = "IMAGE-12", "{} is damaged: its ELF program headers (e_phoff) name what is not in the file", "download it again; compare its size with the original";
    /// An ELF file of another machine, or one that is entered in 64-bit mode.
    FOREIGN_ELF = "IMAGE-13", "{} is an ELF file, but none that is started in the 32-bit mode of a PC", "use a 32-bit x86 program, or one with a multiboot header or an entry for PVH";
    /// A multiboot header that asks for more than is here.
    MULTIBOOT = "IMAGE-14", "its loader does not do what the multiboot header wants: {}", "look for a version of the program that is started by multiboot without it";
    /// The addresses of a multiboot header.
    BAD_MULTIBOOT = "IMAGE-15", "{} is damaged: the addresses in its multiboot header do not fit together", "download it again; compare its size with the original";
    /// A program for a fixed address where no memory is free.
    NO_PROGRAM_ROOM = "IMAGE-16", "{}, which is no free memory", "the machine has too little memory, or the program is not for a PC with a BIOS";
    /// No room for modules, or what the program is told.
    NO_MODULE_ROOM = "IMAGE-17", "{} and what goes with it do not fit below 4 GiB", "use smaller modules or more memory";
    /// The end of compressed data is missing.
    SHORT_ARCHIVE = "IMAGE-18", "{} is truncated: it ends within its compressed data", "download it again; compare its size with the original";
    /// Compressed data that is none.
    BAD_ARCHIVE = "IMAGE-19", "{} is damaged: its compressed data makes no sense", "download it again; compare its digest with the original";
    /// What was unpacked is not what was packed.
    WRONG_SUM = "IMAGE-20", "{} is damaged: what is unpacked has not the checksum and length that it names", "download it again; compare its digest with the original";
    /// Of its formats, what there is here is the part that is used.
    FOREIGN_ARCHIVE = "IMAGE-22", "{} is compressed in a way that is not understood here", "compress it by gzip, or by xz or zstd without filters and dictionaries";
    /// There is too much in it.
    LARGE_ARCHIVE = "IMAGE-21", "{} does not fit: what is in it is larger than the free memory", "put more memory into the machine, or use a smaller file";
}
