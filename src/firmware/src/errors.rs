//! What can go wrong above the protocols.

base::errors! {
    /// No vendor stack was found.
    NO_CARD = "BOOT-01", "no network card can be used: {}", "start this image by the PXE ROM of the card";
    /// The memory that is left is too small for a download.
    NO_ROOM = "BOOT-02", "there is no memory for the download: {}", "free images that are not needed, or put more memory into the machine";
    /// An address with a scheme that this build lacks.
    NO_SCHEME = "BOOT-03", "addresses of the kind {} are not known to this build", "use http or tftp";
    /// Nothing said what to boot.
    NOTHING_TO_BOOT = "BOOT-04", "the DHCP answer from {} names no file to boot", "set option 67 (filename) on the DHCP server, or put autoexec.ipxe beside our image";
    /// The DHCP server names our own image.
    OWN_IMAGE = "BOOT-05", "the DHCP answer names our own image again: {}", "let the DHCP server give a script to clients of user class iPXE";
    /// A program of a kind that this build cannot start.
    CANNOT_START = "BOOT-06", "{} is of a kind that this build cannot start", "start a script, a Linux kernel, a multiboot kernel or a 32-bit ELF file";
    /// The machine stays on.
    POWER = "BOOT-07", "the BIOS does not switch the machine off", "switch it off by hand";
    /// No address on the network.
    NO_ADDRESS = "BOOT-08", "there is no address on the network yet, for {}", "run dhcp first";
    /// The time that a command was given is over.
    TIMEOUT = "BOOT-09", "{} took longer than it may", "give the command a longer --timeout, in milliseconds";
    /// A kernel was chosen and is gone.
    GONE = "BOOT-10", "{} is no longer in memory", "download it again";
    /// All ways to the next boot device were tried.
    NO_WAY_OUT = "BOOT-11", "there is no way to the next boot device: INT 18h came back, and of the first disk: {}", "choose the boot device in the BIOS setup";
    /// A command whose machinery does not exist yet.
    NOT_BUILT = "BOOT-12", "this build has no part that does {}", "leave it out of the script, or add || behind it";
    /// A method or header of a request that is none.
    BAD_PARAMETER = "BOOT-13", "{} cannot be sent with a request", "methods are letters, names of headers have no blanks, and values no line breaks";
    /// A network boot program is to be started, and there is nothing it could use.
    NO_STACK = "BOOT-14", "{} needs a PXE stack, and there is none", "start this image by the PXE ROM of the card";
    /// The only UNDI that could be loaded would lie where we do.
    IPXE_ROM = "BOOT-15", "the ROM of the card at {} is iPXE's, which cannot be loaded: it would overwrite this program", "start this image by the PXE ROM of the card";
    /// Settings, menus and images with their texts.
    FULL = "BOOT-16", "the memory for scripts is full", "keep fewer settings, menus and images";
    /// The video BIOS has no mode that a script asks for.
    NO_VIDEO_MODE = "BOOT-17", "this screen cannot show {} pixels in enough colours", "ask console for fewer pixels, or add || behind it: text goes on as before";
    /// A text area too small for dialogues.
    NO_TEXT_ROOM = "BOOT-18", "the margins leave too little of {} pixels for text", "leave 320 pixels in each line and 144 lines";
    /// A setting names a serial port that is not there.
    NO_SERIAL_PORT = "BOOT-19", "there is no serial port {}", "set serial-port to 1, 2, 3 or 4, for COM1 to COM4, or to 0 for none";
    /// A setting names a keyboard layout that is not here.
    NO_KEYMAP = "BOOT-20", "the keyboard layout {} is not known", "set keymap to us, uk, de, fr, es, it, pt, se, fi, no, dk or sg";
    /// A network boot program has no room below 640 KiB.
    NO_BASE_MEMORY = "BOOT-30", "there is not enough free base memory for {}", "use a smaller boot program";
    /// A network boot program has returned with an error of its own.
    PROGRAM_FAILED = "BOOT-31", "{} was started and has failed", "see what it has printed; the status is its own, or one of PXE's";
    /// A network boot program has called for a command that starts another program.
    PROGRAM_RUNS = "BOOT-32", "{} cannot be started while a boot program runs", "let the boot program return, and start it then";
    /// An echo request without an answer in time.
    NO_ECHO = "BOOT-21", "no echo from {}", "check the address and the way to it; some hosts and firewalls drop echo requests";
    /// An echo with other bytes than were sent.
    WRONG_ECHO = "BOOT-22", "the echo from {} is not what was sent", "check the cable, the card and what is between";
    /// Data that no packet holds.
    TOO_LONG = "BOOT-23", "{} cannot send so many bytes in one packet", "ask for 1472 bytes or fewer";
    /// The user wants no network boot.
    NEXT_DEVICE = "BOOT-24", "the next boot device was chosen in the boot menu", "put || exit behind autoboot to go there";
    /// A file that is not compressed.
    NO_ARCHIVE = "BOOT-40", "{} is not compressed by gzip or zlib, so nothing can be taken out of it", "use the file as it is";
    /// What the smallest image leaves out.
    LEFT_OUT = "BOOT-41", "{} is not in an image that ends with .rom, which has to be small", "use the card's .mrom, or chain ipxe.kpxe";
}
