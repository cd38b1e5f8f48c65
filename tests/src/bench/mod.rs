//! What is measured: whose image, on which card, with which downloads. How is in `boot`, what is made of it in `table`.

mod boot;
mod numbers;
mod table;

pub use boot::{downcall, run, upcall};
pub use numbers::{Download, RoundTrip, Run};
pub use table::{round_trip_table, table};

use crate::failure::{Context, Result};
use crate::lab::{KPXE, Lab};
use crate::namespace::{ATFTP, SERVER};
use crate::{paths, quirk};
use std::fs;
use std::path::PathBuf;

const MEBIBYTE: u64 = 1 << 20;
/// Our image with drivers of our own.
const NATIVE: &str = "ipxe.pxe";
/// Frames that the ROM alone receives.
const FRAMES: u64 = 2000;

/// Whose image is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Our image.
    Ours,
    /// The image of the same name of Debian's package `ipxe`.
    Ipxe,
    /// The `lpxelinux.0` of Debian's package `pxelinux`, which has TCP over UNDI.
    Lpxelinux,
    /// Nobody's: a few instructions that call the ROM and throw away what they receive.
    RomAlone,
    /// Nobody's: a few instructions that take frames from the card's ring and give the buffers back.
    BareLoop,
}

impl Contender {
    const ALL: [Self; 5] = [Self::Ours, Self::Ipxe, Self::Lpxelinux, Self::RomAlone, Self::BareLoop];

    /// What the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Ipxe => "iPXE",
            Self::Lpxelinux => "LPXELINUX",
            Self::RomAlone => "the ROM alone",
            Self::BareLoop => "bare loop",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contender| contender.name() == name)
    }

    fn image(self, card: Card) -> PathBuf {
        match (self, card) {
            (Self::Ours | Self::BareLoop, Card::NativeE1000 | Card::NativeVirtio) => {
                paths::images().join(NATIVE)
            }
            (Self::Ipxe, Card::NativeE1000 | Card::NativeVirtio) => paths::IPXE_NATIVE.into(),
            (Self::Ours | Self::RomAlone | Self::BareLoop, _) => paths::images().join(KPXE),
            (Self::Ipxe, Card::Stock) => paths::IPXE.into(),
            // It goes on calling the entry point that it was given, which goes with the base code that it unloads.
            (Self::Ipxe, Card::Test) => paths::IPXE_KEEPING.into(),
            (Self::Lpxelinux, _) => paths::LPXELINUX.into(),
        }
    }

    /// Puts what it is to do where it looks for it: the card's downloads, before each of them and in the end a request
    /// that marks where it begins and ends.
    fn instruct(self, lab: &Lab, card: Card) -> Result<()> {
        let downloads = MARKS.into_iter().zip(card.downloads());
        match self {
            Self::Ours | Self::Ipxe => {
                let lines = downloads.enumerate().map(|(place, (mark, source))| {
                    format!(
                        "imgfetch http://{SERVER}{mark}\nset before{place} ${{mode-switches}}\n\
                         imgfetch {}\nset after{place} ${{mode-switches}}\n",
                        source.uri()
                    )
                });
                let lines: String = lines.collect();
                lab.script(&format!(
                    "{lines}imgfetch http://{SERVER}{LAST}\n\
                     echo {SWITCHES}${{before0}},${{after0}},${{before1}},${{after1}};\necho {MEASURED}\nsleep 60"
                ))
            }
            Self::Lpxelinux => {
                lab.tftp("ldlinux.c32", &fs::read(paths::LDLINUX).context(paths::LDLINUX)?)?;
                fs::create_dir_all(lab.tftp_root().join("pxelinux.cfg"))?;
                let initrds =
                    downloads.map(|(mark, source)| format!("http://{SERVER}{mark},{}", source.uri()));
                let configuration = format!(
                    "DEFAULT bench\nLABEL bench\nKERNEL http://{SERVER}/vmlinuz\n\
                     INITRD {},http://{SERVER}{LAST}\n",
                    initrds.collect::<Vec<_>>().join(",")
                );
                lab.tftp("pxelinux.cfg/default", configuration.as_bytes())
            }
            // In place of our image.
            Self::RomAlone => lab.tftp(KPXE, &quirk::receiver(FRAMES)?),
            Self::BareLoop => lab.tftp(NATIVE, &quirk::bare_loop(card == Card::NativeVirtio)?),
        }
    }
}

/// What the machine is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// QEMU's e1000 with its stock ROM, which is iPXE's: 32-bit code behind real-mode entry points.
    Stock,
    /// QEMU's rtl8139 with the ROM of the tests: real-mode code, as a vendor's is.
    Test,
    /// QEMU's e1000, driven natively.
    NativeE1000,
    /// QEMU's virtio-net-pci, driven natively.
    NativeVirtio,
}

impl Card {
    /// All, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Stock, Self::Test, Self::NativeE1000, Self::NativeVirtio];

    /// What the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "e1000",
            Self::Test => "test ROM",
            Self::NativeE1000 => "e1000, native driver",
            Self::NativeVirtio => "virtio-net, native driver",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|card| card.name() == name)
    }

    /// Who is measured on it, in the order of the table's columns. The base code of the test ROM has no TFTP, by which
    /// LPXELINUX gets its parts.
    pub const fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Stock => &[Contender::Ours, Contender::Ipxe, Contender::Lpxelinux],
            Self::Test => &[Contender::Ours, Contender::Ipxe, Contender::RomAlone],
            Self::NativeE1000 | Self::NativeVirtio => {
                &[Contender::Ours, Contender::Ipxe, Contender::BareLoop]
            }
        }
    }

    /// Our ROMs for it: one that the BIOS reads whole, and one of which it sees the loader.
    pub const fn roms(self) -> &'static [&'static str] {
        match self {
            Self::Stock | Self::Test => &[],
            Self::NativeE1000 => &["8086100e.rom", "8086100e.mrom"],
            Self::NativeVirtio => &["virtio-net.rom", "virtio-net.mrom"],
        }
    }

    /// Whether the card is on the tap itself. Where it is not, frames pass an observer, which takes longer for one than a fast
    /// driver does.
    const fn is_on_tap(self) -> bool {
        !matches!(self, Self::Stock)
    }

    const fn is_native(self) -> bool {
        matches!(self, Self::NativeE1000 | Self::NativeVirtio)
    }

    /// What is downloaded, in this order.
    fn downloads(self) -> impl Iterator<Item = Source> {
        let http = Source { is_tftp: false, mebibytes: if self.is_native() { NATIVE_MEBIBYTES } else { 16 } };
        let tftp = Source { is_tftp: true, mebibytes: 16 };
        [http].into_iter().chain((!self.is_native()).then_some(tftp))
    }

    /// How many times as fast as the peers ours is to be.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Stock => "at least 4x, 1.2x",
            Self::Test => "at least 6x",
            Self::NativeE1000 | Self::NativeVirtio => "at least 2x",
        }
    }
}

/// What is downloaded.
#[derive(Clone, Copy)]
struct Source {
    is_tftp: bool,
    mebibytes: u64,
}

impl Source {
    /// As a request names it: the observer on the wire tells the two protocols apart by the slash.
    fn request(self) -> String {
        format!("{}{}M.bin", if self.is_tftp { "" } else { "/" }, self.mebibytes)
    }

    fn uri(self) -> String {
        if self.is_tftp {
            format!("tftp://{ATFTP}/{}", self.request())
        } else {
            format!("http://{SERVER}{}", self.request())
        }
    }

    fn bytes(self) -> u64 {
        self.mebibytes * MEBIBYTE
    }
}

/// What a driver that has the card to itself downloads.
const NATIVE_MEBIBYTES: u64 = 256;
/// Requests before each of the downloads.
const MARKS: [&str; 2] = ["/first", "/second"];
/// And after all of them.
const LAST: &str = "/last";
const MEASURED: &str = "RIG-MARK measured";
const SWITCHES: &str = "RIG-MARK switches ";
