//! What goes wrong with a card whose driver is ours.

base::errors! {
    /// The card does not do what its registers are told; the object is what.
    NO_ANSWER = "NIC-01", "the network card does not answer: {}",
        "turn the machine off and on; look whether the card sits right; use an undi image";
    /// The card's memory has no valid address; the object is what it has.
    NO_ADDRESS = "NIC-02", "the network card has {} as its address, which no station can have",
        "use an undi image; ask the card's maker how its memory is restored";
    /// The card wants more of us than its driver knows; the object is what.
    UNSUPPORTED = "NIC-03", "the network card wants {}, which its driver does not have",
        "use an undi image; report the card";
    /// No memory below 4 GiB for the card's rings.
    NO_MEMORY = "NIC-04", "too little memory is free for the network card's frames",
        "give the machine more memory";
    /// The BIOS drives the USB controller, so that nobody else can; the object is how that is seen.
    IN_USE = "NIC-05", "the BIOS {} the USB controller, for a keyboard or a disk, so it is left alone",
        "turn the BIOS's legacy support of USB off, with another kind of keyboard; or use another controller";
    /// There is no network adapter on the USB controller that the driver is for.
    NO_ADAPTER = "NIC-06", "no network adapter of the class CDC-ECM or RNDIS is on the USB controller",
        "plug it into the machine itself, not into a hub; ask its maker for its class";
}
