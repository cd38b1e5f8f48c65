//! What can go wrong when a name is looked up.

base::errors! {
    /// All servers say so.
    NOT_FOUND = "DNS-01", "the name {} does not exist",
        "check its spelling, and the DNS servers and search list that DHCP gave (`show dns`)";
    /// The name is there, an address is not.
    NO_ADDRESS = "DNS-02", "the name {} exists, but has no IPv4 address",
        "an IPv6-only host cannot be reached; give it an A record";
    /// Silence.
    NO_ANSWER = "DNS-03", "no DNS server answered when {} was looked up",
        "check the addresses of the DNS servers (`show dns`) and the route to them";
    /// Servers answered, with errors.
    SERVER_FAILURE = "DNS-04", "the DNS servers cannot look up {}: they answer with an error",
        "look into the DNS servers' logs, or use an address in place of the name";
    /// The answer is cut off before the first address.
    TRUNCATED = "DNS-05", "the DNS answer for {} does not fit into a UDP packet",
        "use an address in place of the name, or a name with fewer aliases";
    /// There is nobody to ask.
    NO_SERVER = "DNS-06", "{} cannot be looked up: no DNS server is known",
        "let DHCP give one (option 6), `set dns ADDRESS`, or use an address in place of the name";
    /// This cannot be a name.
    BAD_NAME = "DNS-07", "{} is not a valid host name",
        "labels have 1 to 63 characters of ASCII, the whole name at most 253";
    /// A to B to A.
    ALIAS_LOOP = "DNS-08", "the aliases of {} do not come to an end",
        "correct the CNAME records of that name";
}
