//! The PHY inside: it is woken, offers all that it can, and negotiates (IEEE 802.3, section 22.2.4).
//!
//! A system that was shut down may have left it without power, or offering 10 Mbit/s only, which is enough to be woken
//! by a frame. How it is reached, and what else sleeps with it, is fact from Linux's r8169 where no other source is named.

use crate::PORTS;
use base::Duration;
use hw::device::Device;

/// PHYAR (RTL8169 datasheet, chapter 6): bit 31, a register from bit 16 on, and a value.
const ACCESS: u32 = 0x60;
/// The same of the 8168G and later, where the registers lie from A400h on, 2 bytes each; that number is halved.
const LATE_ACCESS: u32 = 0xb8;
const LATE_FIRST: u32 = 0xa400 / 2;
/// Clear when a value was written, set when it was read.
const FLAG: u32 = 1 << 31;
/// What the card wants between two accesses.
const GAP: Duration = Duration::from_micros(20);

/// PMCH: what of the clock goes on in D3, by bits 6 and 7.
const POWER: u32 = 0x6f;
const CLOCK_GOES_ON: u8 = 0xc0;
/// Where bit 17 shuts the way to the PHY of the 8168DP.
const GATE: u32 = 0xd0;
const SHUT: u32 = 1 << 17;
/// ERIDR and ERIAR, behind which the 8168G has whether the PHY's processor is let in.
const EXTENDED_DATA: u32 = 0x70;
const EXTENDED_ACCESS: u32 = 0x74;
const PROCESSOR: u32 = 0xf << 12 | 0x1a8;
const LET_IN: u32 = 0xfc00_0000;

/// BMCR, BMSR, and what is offered: up to 100 Mbit/s, gigabits, and of the 8125 more (A5D4h).
const CONTROL: u32 = 0;
const STATUS: u32 = 1;
const OFFERED: u32 = 4;
const OFFERED_GIGABIT: u32 = 9;
const OFFERED_MORE: u32 = 0xa5d4 / 2 - LATE_FIRST;
/// Of the 8168B to 8168D: saves power if it is not 0.
const SAVING: u32 = 14;
const PAGE: u32 = 31;

/// Bits of [`CONTROL`].
const NEGOTIATE: u16 = 1 << 12;
const POWER_DOWN: u16 = 1 << 11;
const ISOLATE: u16 = 1 << 10;
const RESTART: u16 = 1 << 9;
/// Bit of [`STATUS`]: there is a register for gigabits.
const HAS_GIGABIT: u16 = 1 << 8;
/// How long it takes until it works.
const WAKING: Duration = Duration::from_millis(20);

/// The first of the chips whose PHY is reached in the later way: the 8168G.
pub(crate) const LATE: u32 = 0x4c0;

/// A chip's PHY.
struct Phy<'a, D> {
    device: &'a mut D,
    access: u32,
    first: u32,
}

impl<D: Device> Phy<'_, D> {
    fn read(&mut self, register: u32) -> Option<u16> {
        self.device.write32(PORTS, self.access, (self.first + register) << 16);
        let is_done = self.device.becomes(|device| device.read32(PORTS, self.access) & FLAG != 0);
        self.device.wait(GAP);
        is_done.then(|| self.device.read32(PORTS, self.access) as u16)
    }

    fn write(&mut self, register: u32, value: u16) -> Option<()> {
        self.device.write32(PORTS, self.access, FLAG | (self.first + register) << 16 | u32::from(value));
        let is_done = self.device.becomes(|device| device.read32(PORTS, self.access) & FLAG == 0);
        self.device.wait(GAP);
        is_done.then_some(())
    }
}

/// Wakes the PHY of a chip if it sleeps, and has it negotiate anew if it did not offer all that it can. One that works
/// keeps its link. None if it does not answer, which is found out once, in 20 ms.
pub(crate) fn wake(device: &mut impl Device, chip: u32, is_fast: bool) -> Option<()> {
    // All from the 8168D on but the 8168DP and the 8411.
    if chip >= LATE || matches!(chip & 0x7c8, 0x280 | 0x2c0 | 0x2c8 | 0x400 | 0x408 | 0x440 | 0x448 | 0x480) {
        let power = device.read8(PORTS, POWER) | CLOCK_GOES_ON;
        device.write8(PORTS, POWER, power);
    }
    let is_gated = matches!(chip, 0x28a | 0x28b);
    let gate = device.read32(PORTS, GATE);
    if is_gated {
        device.write32(PORTS, GATE, gate & !SHUT);
    }
    let result = negotiate(device, chip, is_fast);
    if is_gated {
        device.write32(PORTS, GATE, gate | SHUT);
    }
    result
}

fn negotiate(device: &mut impl Device, chip: u32, is_fast: bool) -> Option<()> {
    let (access, first) = if chip >= LATE { (LATE_ACCESS, LATE_FIRST) } else { (ACCESS, 0) };
    let mut phy = Phy { device, access, first };
    if chip < LATE {
        phy.write(PAGE, 0)?;
    }
    let control = phy.read(CONTROL)?;
    let status = phy.read(STATUS)?;
    if matches!(status, 0 | u16::MAX) {
        return None;
    }
    if control & POWER_DOWN != 0 {
        match chip & 0x7c0 {
            0x280 | 0x300 | 0x380 | 0x3c0 => phy.write(SAVING, 0)?,
            0x4c0 => let_processor_in(phy.device)?,
            _ => {}
        }
        phy.write(CONTROL, NEGOTIATE)?;
        phy.device.wait(WAKING);
    }
    let mut is_new = control & (NEGOTIATE | POWER_DOWN | ISOLATE) != NEGOTIATE;
    let offers = [
        (OFFERED, 0x01e0, true),
        (OFFERED_GIGABIT, 1 << 9, status & HAS_GIGABIT != 0),
        (OFFERED_MORE, 1 << 7, is_fast),
    ];
    for (register, kinds, is_able) in offers {
        let offered = if is_able { phy.read(register)? } else { kinds };
        if offered & kinds != kinds {
            phy.write(register, offered | kinds)?;
            is_new = true;
        }
    }
    if is_new { phy.write(CONTROL, NEGOTIATE | RESTART) } else { Some(()) }
}

fn let_processor_in(device: &mut impl Device) -> Option<()> {
    device.write32(PORTS, EXTENDED_ACCESS, PROCESSOR);
    let is_read = device.becomes(|device| device.read32(PORTS, EXTENDED_ACCESS) & FLAG != 0);
    let who = is_read.then(|| device.read32(PORTS, EXTENDED_DATA))?;
    device.write32(PORTS, EXTENDED_DATA, who | LET_IN);
    device.write32(PORTS, EXTENDED_ACCESS, FLAG | PROCESSOR);
    device.becomes(|device| device.read32(PORTS, EXTENDED_ACCESS) & FLAG == 0).then_some(())
}
