//! The kinds of failure of this crate.

base::errors! {
    /// A socket was to be used before [`Stack::configure`](crate::Stack::configure).
    NO_ADDRESS = "NET-01", "this machine has no IPv4 address yet", "run dhcp, or set an address by hand";
    /// Neither the subnet nor a router leads to the destination.
    NO_ROUTE = "NET-02", "there is no way to {}", "check the netmask and the router that the DHCP server hands out";
    /// The destination answered a connection request with a reset.
    REFUSED = "NET-03", "{} refused the connection", "check that the server runs and listens on this port";
    /// The destination did not answer a connection request.
    NO_ANSWER = "NET-04", "{} does not answer", "check the address, the way to it and its firewall";
    /// The destination, or the router to it, did not answer ARP.
    NO_NEIGHBOUR = "NET-05", "no answer to ARP for {}", "check that this machine is on and on the same network segment";
    /// An open connection ended by a reset, or because our address went away.
    RESET = "NET-06", "{} broke off the connection", "try again; if it happens again look into the server's log";
    /// [`Stack::configure`](crate::Stack::configure) with something that no host can have.
    BAD_ADDRESS = "NET-07", "{} cannot be the address of this machine", "check what the DHCP server hands out";
    /// A buffer could not be allocated.
    NO_MEMORY = "NET-08", "there is no memory for a connection to {}", "free images that are not needed";
    /// Another socket has this local port.
    PORT_IN_USE = "NET-09", "UDP port {} is in use", "end what uses it first";
    /// A time server that refuses, or does not know the time itself.
    NO_TIME = "NET-10", "the time server {} gives no time", "name another server, or look into the log of this one";
}
