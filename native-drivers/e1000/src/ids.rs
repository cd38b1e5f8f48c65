//! The cards, as data: device ids of Intel (8086h), as listed in the PCI ID database, the manuals and Linux' drivers.

use crate::registers::{self, ADVANCED, Format, LEGACY};

/// What cards have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// 82543 and 82544: their memory is read bit by bit, which is not done here.
    First,
    /// 82540 to 82547.
    Pci,
    /// 82571 to 82574 and 82583, and the 631xESB's 80003ES2.
    Express,
    /// The MACs in ICH8 and later chipsets, whose memory is the chipset's.
    Chipset,
    /// I219: as before, in the chipsets from the sixth generation of Core processors on.
    I219,
    /// 82575, 82576, 82580, I350, I210 and I211: several queues, and descriptors of another format.
    Igb,
    /// I225 and I226: as before, for 2.5 Gbit/s.
    Igc,
}

impl Family {
    /// How EERD reads a word of the card's memory: where the word's number goes, and the bit that says it is done
    /// (8254x manual, section 13.4.4; 82574 datasheet, section 10.2.1.4).
    pub(crate) fn memory_read(self) -> Option<(u32, u32)> {
        match self {
            Self::Pci => Some((8, 1 << 4)),
            Self::Express | Self::Igb => Some((2, 1 << 1)),
            Self::First | Self::Chipset | Self::I219 | Self::Igc => None,
        }
    }

    /// Of cards on PCI Express: where they say that they have loaded their memory after a reset (82574 datasheet, EECD;
    /// for the chipsets', Linux' e1000e).
    pub(crate) fn loading(self) -> Option<u32> {
        match self {
            Self::First | Self::Pci => None,
            Self::Chipset | Self::I219 => Some(registers::STATUS),
            Self::Express | Self::Igb | Self::Igc => Some(registers::MEMORY_CONTROL),
        }
    }

    /// TIPG: the gaps that the manuals recommend for copper (8254x, section 13.4.34; 82574, section 10.2.6.2).
    pub(crate) fn transmit_gap(self) -> u32 {
        match self {
            Self::First | Self::Pci => 10 | 8 << 10 | 6 << 20,
            Self::Express | Self::Chipset | Self::I219 | Self::Igb | Self::Igc => 8 | 8 << 10 | 6 << 20,
        }
    }

    /// The bit of CTRL that is to be set for the speed to be found out.
    pub(crate) fn speed_detection(self) -> u32 {
        match self {
            Self::First | Self::Pci => registers::control::DETECT_SPEED,
            Self::Express | Self::Chipset | Self::I219 | Self::Igb | Self::Igc => 0,
        }
    }

    /// What drivers of these cards are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First | Self::Pci | Self::Express | Self::Chipset | Self::I219 => "e1000",
            Self::Igb => "igb",
            Self::Igc => "igc",
        }
    }

    /// Whether there are several queues, each with registers of its own, and descriptors of the advanced format.
    pub(crate) fn is_advanced(self) -> bool {
        matches!(self, Self::Igb | Self::Igc)
    }

    /// How its descriptors are written and read.
    pub(crate) fn format(self) -> &'static Format {
        if self.is_advanced() { &ADVANCED } else { &LEGACY }
    }
}

/// The family of a card; none if the driver is not for it.
pub(crate) fn family(device: u16) -> Option<Family> {
    CARDS.iter().find(|(_, devices)| devices.contains(&device)).map(|(family, _)| *family)
}

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    vendor == INTEL && family(device).is_some()
}

const INTEL: u16 = 0x8086;

/// Each family with its cards. Those with fiber, a backplane or SGMII, behind which the PHY is another chip (0438, 1511,
/// 1524, 1538, and all of the I354), are left to their makers' UNDI: their link wants registers (TXCW, PCS_LCTL, MDICNFG)
/// that are not written here.
const CARDS: &[(Family, &[u16])] = &[
    (Family::First, &[0x1004, 0x1008, 0x100c, 0x100d]),
    (
        Family::Pci,
        &[
            0x100e, 0x100f, 0x1010, 0x1013, 0x1014, 0x1015, 0x1016, 0x1017, 0x1018, 0x1019, 0x101a, 0x101d,
            0x101e, 0x1026, 0x1075, 0x1076, 0x1077, 0x1078, 0x1079, 0x107c, 0x108a, 0x1099, 0x10b5, 0x2e6e,
        ],
    ),
    (
        Family::Express,
        &[
            0x105e, 0x107d, 0x108b, 0x108c, 0x1096, 0x109a, 0x10a4, 0x10b9, 0x10ba, 0x10bc, 0x10d3, 0x10d5,
            0x10f6, 0x150c,
        ],
    ),
    (
        Family::Chipset,
        &[
            0x1049, 0x104a, 0x104b, 0x104c, 0x104d, 0x10bd, 0x10bf, 0x10c0, 0x10c2, 0x10c3, 0x10c4, 0x10c5,
            0x10cb, 0x10cc, 0x10cd, 0x10ce, 0x10de, 0x10df, 0x10e5, 0x10ea, 0x10eb, 0x10ef, 0x10f0, 0x10f5,
            0x1501, 0x1502, 0x1503, 0x1525, 0x153a, 0x153b, 0x1559, 0x155a, 0x15a0, 0x15a1, 0x15a2, 0x15a3,
            0x294c,
        ],
    ),
    (
        Family::I219,
        &[
            0x0d4c, 0x0d4d, 0x0d4e, 0x0d4f, 0x0d53, 0x0d55, 0x0dc5, 0x0dc6, 0x0dc7, 0x0dc8, 0x156f, 0x1570,
            0x15b7, 0x15b8, 0x15b9, 0x15bb, 0x15bc, 0x15bd, 0x15be, 0x15d6, 0x15d7, 0x15d8, 0x15df, 0x15e0,
            0x15e1, 0x15e2, 0x15e3, 0x15f4, 0x15f5, 0x15f9, 0x15fa, 0x15fb, 0x15fc, 0x1a1c, 0x1a1d, 0x1a1e,
            0x1a1f, 0x550a, 0x550b, 0x550c, 0x550d, 0x550e, 0x550f, 0x5510, 0x5511, 0x57a0, 0x57a1, 0x57b3,
            0x57b4, 0x57b5, 0x57b6, 0x57b7, 0x57b8, 0x57b9, 0x57ba,
        ],
    ),
    (
        Family::Igb,
        &[0x10a7, 0x10c9, 0x10d6, 0x10e8, 0x150a, 0x150e, 0x1516, 0x1521, 0x1526, 0x1533, 0x1539, 0x157b],
    ),
    (
        Family::Igc,
        &[
            0x0d9f, 0x125b, 0x125c, 0x125d, 0x125e, 0x125f, 0x15f2, 0x15f3, 0x15f7, 0x15f8, 0x15fd, 0x3100,
            0x3101, 0x3102, 0x5502, 0x5503,
        ],
    ),
];
