//! Faults of known ROMs that cannot be noticed at run time before they do harm.

use nic::PciIdentity;

/// Frames that may come between two polls, from any ROM that is not in a table here. They wait in the ROM's own memory:
/// an iPXE of 2019 has a heap of 512 KiB and up to 2 KiB of it go to each.
const FRAMES_AHEAD: u16 = 128;

/// The ring of iPXE's driver for Intel 8255x (`eepro100`) has 4 descriptors. When the receiver reaches the last one, frames
/// are lost in a ring that the driver races to refill, and some are written at address 0, over the interrupt table: seen
/// after some hundred frames of QEMU's i82559c. By the driver's source a descriptor's command is cleared before its link is
/// set, and the card reads it in between. The table is put back then (`hw::vector_copy`), but frames should not get there:
/// half a ring leaves room for those that nobody asked for.
const EEPRO100_FRAMES_AHEAD: u16 = 2;
const INTEL: u16 = 0x8086;
/// The devices of that driver.
const EEPRO100: [u16; 32] = [
    0x1029, 0x1030, 0x1031, 0x1032, 0x1033, 0x1034, 0x1035, 0x1036, 0x1037, 0x1038, 0x1039, 0x103a, 0x103b,
    0x103c, 0x103d, 0x103e, 0x1050, 0x1051, 0x1059, 0x1065, 0x1092, 0x10fe, 0x1209, 0x1227, 0x1228, 0x1229,
    0x2449, 0x2459, 0x245d, 0x27dc, 0x5200, 0x5201,
];

/// The ring of an NE2000 has 16 KiB, in which 9 frames have room, and iPXE's driver for it (`ns8390`) does not survive its
/// overflow: it takes up at a wrong place, and reads what is there as frames from then on. Seen with QEMU's ne2k_pci, with
/// interrupts off in UNDI_OPEN for as long as one had the patience.
const NE2000_FRAMES_AHEAD: u16 = 4;
const REALTEK: u16 = 0x10ec;
const RTL8029: u16 = 0x8029;

/// How many frames a sender may send ahead to the card `pci`. A ROM does not say whose it is, so the card decides; on a
/// local network a card of 100 Mbit/s loses nothing by so little.
pub(crate) fn frames_ahead(pci: Option<PciIdentity>) -> u16 {
    match pci.map(|pci| (pci.vendor, pci.device)) {
        Some((INTEL, device)) if EEPRO100.contains(&device) => EEPRO100_FRAMES_AHEAD,
        Some((REALTEK, RTL8029)) => NE2000_FRAMES_AHEAD,
        _ => FRAMES_AHEAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_cards_have_a_short_ring() {
        let card = |vendor, device| Some(PciIdentity { bus_device_function: 0, vendor, device });
        assert_eq!(frames_ahead(card(INTEL, 0x1229)), 2);
        assert_eq!(frames_ahead(card(REALTEK, RTL8029)), 4);
        assert_eq!(frames_ahead(card(INTEL, 0x100e)), 128);
        assert_eq!(frames_ahead(card(0x1022, 0x1229)), 128);
        assert_eq!(frames_ahead(None), 128);
    }
}
