//! What can be wrong with a URI.

base::errors! {
    /// Longer than [`MAXIMUM_LENGTH`](crate::MAXIMUM_LENGTH).
    TOO_LONG = "URI-01", "the address {}... is too long", "use an address of at most 16384 bytes";
    /// No sensible host before the path.
    BAD_HOST = "URI-02", "the address {} has no valid host name",
        "write it like http://server/path; put an IPv6 address in [brackets]";
    /// Not a number from 1 to 65535 after the host.
    BAD_PORT = "URI-03", "the address {} has no valid port number", "use a number from 1 to 65535 after the colon";
}
