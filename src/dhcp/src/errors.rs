//! What can go wrong when an address is asked for.

base::errors! {
    /// Nobody answered.
    NO_ANSWER = "DHCP-01", "no DHCP server answered {}",
        "check cable, VLAN, DHCP server, and that the switch port forwards at once (portfast)";
    /// There was a proxyDHCP server only.
    ONLY_PROXY = "DHCP-02", "only a proxyDHCP server answered {}: it names files, but gives no addresses",
        "a DHCP server must run beside the proxy, in the same network or behind a relay";
    /// An offer was requested, and then there was silence.
    NOT_CONFIRMED = "DHCP-03", "DHCP server {} offered an address, but did not confirm it",
        "look into that server's log; a second server or a full address pool may be the reason";
    /// The server took its offer back.
    REFUSED = "DHCP-04", "DHCP server {} refused the address that it had offered",
        "look into that server's log; two servers with one pool refuse each other's addresses";
    /// The ROM's packet says nothing usable.
    CACHED_UNUSABLE = "DHCP-05", "the DHCP answer that the boot ROM has kept is unusable: {}",
        "run `dhcp` to ask the servers again";
    /// The ROM's packet is not for this card.
    CACHED_FOREIGN = "DHCP-06", "the DHCP answer that the boot ROM has kept is for another card: {}",
        "run `dhcp` to ask the servers again";
    /// Silence where a menu leads to.
    NO_BOOT_SERVER = "DHCP-07", "no PXE boot server of type {} answered",
        "check that it runs, and that options 43.6 to 43.8 of the server with the menu lead to it";
    /// A menu that leads nowhere.
    NO_WAY = "DHCP-08", "no way to a PXE boot server of type {} is offered",
        "let the server with the menu list one (option 43.8), or allow discovery by broadcast (43.6)";
}
