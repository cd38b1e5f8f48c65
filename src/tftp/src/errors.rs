//! What can go wrong with a TFTP transfer.

base::errors! {
    /// The server sent nothing at all.
    NO_ANSWER = "TFTP-01", "the TFTP server does not answer for {}",
        "check that the TFTP service runs there and that no firewall blocks UDP port 69";
    /// The server stopped in the middle.
    SERVER_DIED = "TFTP-02", "the TFTP server stopped answering in the middle of {}",
        "check the server and the cable, then try again";
    /// ERROR 1.
    NOT_FOUND = "TFTP-03", "the TFTP server has no file {}",
        "check the name, capital letters included, and the server's root directory";
    /// ERROR 2.
    ACCESS_DENIED = "TFTP-04", "the TFTP server refuses access to {}",
        "make the file readable for all on the server, or writable to write it";
    /// Any other ERROR; the object ends with the server's own words.
    REFUSED = "TFTP-05", "the TFTP server refuses {}", "look into the server's log";
    /// More bytes than the OACK's tsize.
    TOO_LONG = "TFTP-06", "{} is longer than the TFTP server announced",
        "check whether the file is being changed on the server, then try again";
    /// Fewer bytes than the OACK's tsize.
    TOO_SHORT = "TFTP-07", "{} ended before the length that the TFTP server announced",
        "check whether the file is being changed on the server, then try again";
    /// Empty, too long, or with a zero byte.
    BAD_NAME = "TFTP-08", "{} does not name a file that TFTP can ask for",
        "write tftp://server/file with a name of at most 400 bytes";
    /// [`Transfer::cancel`](crate::Transfer::cancel).
    CANCELLED = "TFTP-09", "the transfer of {} was cancelled", "start it again if that was not intended";
}
