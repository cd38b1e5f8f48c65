//! All texts that scenarios wait for, in one place.

/// SeaBIOS begins with this; twice means that the machine was reset.
pub const BIOS_BANNER: &str = "SeaBIOS (version";

/// SeaBIOS says this and then starts the ROM of the card that it boots from.
pub const BIOS_STARTS_ROM: &str = "Booting from ROM";

/// Said by the disk behind the network card in the boot order.
pub const NEXT_DEVICE: &str = "RIG-MARK next-device";

/// Said by the payload's init when user space is up.
pub const USER_SPACE: &str = "RIG-MARK userspace-up";

/// Said by the ROM of the tests when the program that it started comes back.
pub const ROM_RETURNED: &str = "Quirk ROM: the boot program came back";
/// And, with the quirk `LineOpen`, that the card's interrupt is let through.
pub const LINE_OPEN: &str = "Quirk ROM: the line is open";

/// Said by the firmware when it begins.
pub const BANNER: &str = ", in Rust, for PC BIOS";

/// Said while DHCP waits for a switch whose port does not forward.
pub const SPANNING_TREE: &str = "keeps this port closed (spanning tree)";

/// Part of the countdown's line before the firmware gives up.
pub const COUNTDOWN: &str = "next boot device";

/// Part of the line that says how the shell is reached.
pub const SHELL_OFFER: &str = "Ctrl-B";

/// The shell's prompt.
pub const PROMPT: &str = "iPXE>";

/// Said of a card whose UNDI was in memory, where its ROM says.
pub const BY_ROM: &str = "PXE stack by entry stack";

/// Said of a card whose UNDI was loaded from its option ROM.
pub const BY_LOADER: &str = "PXE stack by UNDI loader";

/// Said when we leave a card whose frames UNDI_ISR START reports.
pub const BY_START: &str = "UNDI: polling: UNDI_ISR START reports frames, IRQ ";

/// The same where the first frame took long, or START knows of frames in the card's interrupt only.
pub const BY_INTERRUPTS: &str = "UNDI: interrupts: polling alone found no frame in 125 ms, IRQ ";

/// The same where frames come from UNDI_ISR PROCESS only.
pub const BY_PROCESS: &str = "UNDI: polling with UNDI_ISR PROCESS: START reported no frame in 250 ms, IRQ ";

/// The end of that sentence where the ROM names no interrupt line.
pub const NO_LINE: &str = ", no usable interrupt line";

/// And where the line was given up, as it brought no frames.
pub const LINE_MASKED: &str = "START reported no frame in 250 ms, IRQ 10 masked: it fired without cause";

/// The same where the card wrote over memory that is not its own.
pub const TABLE_PUT_BACK: &str = "; the card wrote frames over the interrupt table, times put back: ";

/// Said of what the policy of an image keeps.
pub const KEPT_AS_ASKED: &str = "kept, as the image asks";

/// Said of what a ROM does not give up.
pub const KEPT_AS_REFUSED: &str = "kept, as the ROM refused";

/// Said of what a call of the ROM that has not come back may still write to.
pub const CALL_NOT_BACK: &str = "kept, as a call of the ROM has not come back";

/// Said when we leave by a far return into the vendor's stack.
pub const LEAVING_RETURN: &str = "next boot device: returning to what started us";

/// Said when we leave by INT 18h.
pub const LEAVING_INT_18: &str = "next boot device: INT 18h";

/// Said when we leave by the first disk's boot sector.
pub const LEAVING_DISK: &str = "next boot device: the first disk";

/// Part of the warning about a body that is longer than announced.
pub const SURPLUS: &str = "more than it announced";

/// Part of the line that shows how long a silent TFTP server is waited for.
pub const ASKING_AGAIN: &str = "asking again in 3 s";

/// The first line of the firmware's exception dump.
pub const DUMP: &str = "met an error of its own";

/// Part of its last line.
pub const DUMP_END: &str = "The machine restarts in";

/// After these words nothing good can come: exception dumps and panics of the firmware, of the kernel, and of
/// the BIOS.
pub const FATAL: &[&str] = &[DUMP, "Kernel panic", "No bootable device"];

/// The ids of the errors one of which must end a scenario.
pub type Ending = &'static [&'static str];

/// There is no network card that can be used.
pub const NO_CARD: Ending = &["BOOT-01"];
/// The card has no address of a station.
pub const NO_STATION: Ending = &[undi::errors::NO_ADDRESS.id()];
/// The card's ROM cannot start it.
pub const CARD_NOT_STARTED: Ending = &[undi::errors::NOT_STARTED.id()];
/// No DHCP server answers our image.
pub const NO_DHCP: Ending = &[dhcp::errors::NO_ANSWER.id()];
/// No PXE boot server answers.
pub const NO_BOOT_SERVER: Ending = &[dhcp::errors::NO_BOOT_SERVER.id()];
/// The only UNDI that could be loaded is iPXE's.
pub const ROM_OF_IPXE: Ending = &["BOOT-15"];
/// The DHCP answer names no file.
pub const NO_FILE: Ending = &["BOOT-04"];
/// The DHCP answer names our own image.
pub const OWN_IMAGE: Ending = &["BOOT-05"];
/// A name that the DNS server does not know.
pub const DNS_UNKNOWN: Ending = &[dns::errors::NOT_FOUND.id()];
/// A file that the TFTP server does not have.
pub const TFTP_MISSING: Ending = &[tftp::errors::NOT_FOUND.id()];
/// A TFTP server that falls silent in the middle.
pub const TFTP_SILENT: Ending = &[tftp::errors::SERVER_DIED.id()];
/// A TFTP server that sends more than it announced.
pub const TFTP_TOO_MUCH: Ending = &[tftp::errors::TOO_LONG.id()];
/// An HTTP server that is gone in the middle: no connection is accepted any more.
pub const HTTP_DEAD: Ending = &[http::errors::SHORT_BODY.id(), net::errors::REFUSED.id()];
/// An HTTP server that falls silent in the middle.
pub const HTTP_SILENT: Ending = &[http::errors::STALLED.id()];
/// HTTP status 403.
pub const HTTP_FORBIDDEN: Ending = &[http::errors::FORBIDDEN.id()];
/// HTTP status 404.
pub const HTTP_MISSING: Ending = &[http::errors::NOT_FOUND.id()];
/// HTTP status 500.
pub const HTTP_FAILED: Ending = &[http::errors::SERVER_FAILED.id()];
/// Redirects without end.
pub const HTTP_REDIRECTS: Ending = &[http::errors::TOO_MANY_REDIRECTS.id(), http::errors::REDIRECT_LOOP.id()];
/// A body that is always shorter than announced.
pub const HTTP_SHORT: Ending = &[http::errors::SHORT_BODY.id()];
/// Half a kernel.
pub const KERNEL_TRUNCATED: Ending = &[image::errors::TRUNCATED.id()];
/// A kernel without its signature: it may be refused by its parser, or as a file of no known kind.
pub const KERNEL_SIGNATURE: Ending = &[image::errors::NO_HEADER.id(), script::errors::NOT_EXECUTABLE.id()];
/// A kernel that needs more memory than there is.
pub const KERNEL_TOO_LARGE: Ending = &[image::errors::NO_INIT_ROOM.id(), image::errors::NO_KERNEL_ROOM.id()];
/// A download that is larger than what may be of it.
pub const NO_MEMORY: Ending = &["BOOT-02"];
/// A multiboot kernel whose last half is missing.
pub const PROGRAM_TRUNCATED: Ending = &[image::errors::BAD_ELF.id()];
/// A compressed file that ends too early.
pub const ARCHIVE_TRUNCATED: Ending = &[image::errors::SHORT_ARCHIVE.id()];
/// A compressed file of which a byte is wrong.
pub const ARCHIVE_DAMAGED: Ending = &[image::errors::BAD_ARCHIVE.id(), image::errors::WRONG_SUM.id()];
/// A command that does not exist.
pub const UNKNOWN_COMMAND: Ending = &[script::errors::UNKNOWN_COMMAND.id()];
/// A script that fills the memory.
pub const SCRIPT_TOO_LARGE: Ending = &["BOOT-16"];
/// A call of the vendor's driver that does not come back.
pub const VENDOR_HANG: Ending = &[undi::errors::HANGS.id()];
/// A boot program has returned with an error of its own.
pub const PROGRAM_FAILED: Ending = &["BOOT-31"];
