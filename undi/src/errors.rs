//! The failures of the vendor's driver, in sentences.

use crate::abi::{Opcode, Status};
use alloc::format;
use base::Error;

base::errors! {
    /// A call was answered with a failure; the object is `CALL: status`.
    REFUSED = "UNDI-02", "the network card's ROM failed at {}",
        "turn the machine off and on; try the .kkpxe image; update the card's firmware";
    /// A call was abandoned; the object is the call.
    HANGS = "UNDI-03", "the network card's ROM did not come back from {}",
        "turn the machine off and on; try the .kkpxe image; update the card's firmware";
    /// The card's address cannot be one station's.
    NO_ADDRESS = "UNDI-04", "the network card's ROM gives {} as the card's address",
        "look at the card's address in the BIOS setup; update the card's firmware";
    /// There is no room below 1 MiB for the control block or the frames.
    NO_MEMORY = "UNDI-05", "too little memory below 640 KiB is free for the network card's frames",
        "turn off option ROMs that are not needed in the BIOS setup";
    /// All attempts to start the card failed; the object is `CALL: status`.
    NOT_STARTED = "UNDI-06", "the network card could not be started: {}",
        "check the cable and the switch port; turn the machine off and on";
}

/// `call` was answered with `status`.
pub(crate) fn refused(kind: &'static base::ErrorKind, call: Opcode, status: Status) -> Error {
    kind.of(format!("{}: {} ({:02x}h)", call.name(), status.text(), status.0))
}
