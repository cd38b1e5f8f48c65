//! The PHY behind CSR9, whose two wires are moved bit by bit (manual, section 7.4; IEEE 802.3, section 22.2.4).

use crate::{PORTS, SERIAL};
use base::Duration;
use hw::device::Device;

/// Bits of CSR9: the clock, the bit to the PHY, that the bit comes from it, and that bit.
const CLOCK: u32 = 1 << 16;
const OUT: u32 = 1 << 17;
const INWARD: u32 = 1 << 18;
const IN: u32 = 1 << 19;
/// The clock may have 2.5 MHz; each access to the register takes longer than a half of that.
const HALF_A_CLOCK: Duration = Duration::from_micros(1);

/// Registers of every PHY: BMSR, what is offered, and what the other side offers.
const STATUS: u32 = 1;
const OFFERED: u32 = 4;
const PARTNER: u32 = 5;
/// Bit of BMSR: there is a link.
pub(crate) const LINK: u16 = 1 << 2;
/// Kinds of Ethernet that both sides may offer, the best first, and whether each is full duplex.
const KINDS: [(u16, bool); 4] = [(1 << 8, true), (1 << 7, false), (1 << 6, true), (1 << 5, false)];

/// The number of the first PHY that answers.
pub(crate) fn find(device: &mut impl Device) -> Option<u32> {
    (1..32).chain([0]).find(|phy| !matches!(status(device, *phy), 0 | u16::MAX))
}

/// BMSR.
pub(crate) fn status(device: &mut impl Device, phy: u32) -> u16 {
    read(device, phy, STATUS)
}

/// Whether the best that both sides offer is full duplex.
pub(crate) fn is_full_duplex(device: &mut impl Device, phy: u32) -> bool {
    let both = read(device, phy, OFFERED) & read(device, phy, PARTNER);
    KINDS.iter().find(|(kind, _)| both & kind != 0).is_some_and(|(_, is_full)| *is_full)
}

fn read(device: &mut impl Device, phy: u32, register: u32) -> u16 {
    // 32 ones, a start of 01, the 10 of reading, PHY and register.
    for _ in 0..32 {
        clock(device, OUT);
    }
    let command = 0b0110 << 10 | phy << 5 | register;
    for bit in (0..14).rev() {
        clock(device, if command >> bit & 1 != 0 { OUT } else { 0 });
    }
    // A bit to turn round, a zero, and the value; 1 where no PHY pulls the wire down.
    let mut value = 0;
    for _ in 0..18 {
        value = value << 1 | u32::from(clock(device, INWARD));
    }
    if value & 1 << 16 == 0 { value as u16 } else { u16::MAX }
}

/// One clock; the PHY's bit in it.
fn clock(device: &mut impl Device, bits: u32) -> bool {
    device.write32(PORTS, SERIAL, bits);
    device.wait(HALF_A_CLOCK);
    let bit = device.read32(PORTS, SERIAL) & IN != 0;
    device.write32(PORTS, SERIAL, bits | CLOCK);
    device.wait(HALF_A_CLOCK);
    bit
}
