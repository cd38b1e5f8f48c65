//! The PXE ROM of the tests: built from `tests/quirk-rom`, and told through QEMU's fw_cfg what to boot, which DHCP
//! packets to show, and how to misbehave.
//!
//! What both sides must agree on is said here, and handed to the assembler: the numbers of the quirks, and the room
//! of a packet.

use crate::failure::{Context, Result, ensure};
use crate::namespace::SERVER;
use crate::paths;
use crate::process::{run, tool};
use crate::qemu::{MAC, Options};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A way to misbehave. It is on if its byte is not 0; what else the byte means is said with each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Quirk {
            $($(#[$doc])* $name,)*
        }

        /// The quirks by name, in the order of their bytes.
        const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

quirks! {
    /// An interrupt is promised and never raised.
    IrqSilent,
    /// Once it was raised, the interrupt line stays so; START still knows whether there is work.
    IrqStuck,
    /// The interrupt is said to be number 0, and there is none.
    IrqZero,
    /// START never says OURS.
    StartNever,
    /// PROCESS does not come back unless START said OURS before it.
    ProcessLocks,
    /// The last frame is handed out again and again in place of DONE.
    IsrEndless,
    /// INITIALIZE fails so many times; 255 is always.
    InitializeFails,
    /// STOP_UNDI answers KEEP_UNDI.
    StopFails,
    /// STOP_UNDI does not come back.
    StopHangs,
    /// STOP_UNDI answers success, and interrupt 1Ah stays hooked.
    StopStays,
    /// UNLOAD_STACK answers KEEP_ALL.
    UnloadFails,
    /// UNLOAD_STACK does not come back.
    UnloadHangs,
    /// UNLOAD_STACK answers success, and the base code stays in use: its entry point, and its timer.
    UnloadStays,
    /// A frame is taken from the caller's buffers and sent after so many ticks of 55 ms.
    TransmitLate,
    /// Seven of eight TRANSMITs answer OUT_OF_RESOURCES.
    TransmitBusy,
    /// TRANSMIT does not come back.
    TransmitHangs,
    /// Frames come in parts of 256 bytes.
    Parts,
    /// With `Parts`: DONE comes in place of the rest of every 200th frame or so.
    PartLost,
    /// What UNDI_ISR handed out is overwritten in the next UNDI_ISR.
    BuffersReused,
    /// A frame of less than 60 bytes is never sent.
    ShortDropped,
    /// A frame that has its Ethernet header already is refused.
    HeaderRefused,
    /// OPEN is refused where all frames are asked for.
    PromiscuousRefused,
    /// Added to the checksum of `!PXE`.
    ChecksumPxe,
    /// Added to the checksum of `PXENV+`.
    ChecksumPxenv,
    /// Added to the length of `!PXE`.
    LengthPxe,
    /// Added to the length of `PXENV+`.
    LengthPxenv,
    /// All calls come back with other segment registers.
    ClobbersSegments,
    /// All calls come back with other upper halves of all general registers.
    ClobbersUpperHalves,
    /// All calls come back with DF = 1.
    SetsDf,
    /// All calls come back with IF = 1.
    SetsIf,
    /// All calls come back with IF = 0.
    ClearsIf,
    /// All calls write to so many times 256 bytes of the stack; 1500 bytes are documented.
    DeepStack,
    /// GET_NIC_TYPE leaves the type as it was.
    NicTypeUnset,
    /// The current address is zero.
    StationCurrent,
    /// The burnt-in address is all ones.
    StationPermanent,
    /// The length of the address is 0.
    StationLength,
    /// Far pointers lead nowhere, but for those without which there is nothing to do: the packets' and the structures'.
    WildPointers,
    /// The far pointers of frames lead nowhere.
    WildFrames,
    /// The base code hooks interrupt 08h in place of 1Ch; UNLOAD_STACK takes that off, if nobody has hooked over it.
    TimerHooked,
    /// OPEN hooks interrupt 08h; with 1, CLOSE takes that off, if nobody has hooked over it.
    TimerAtOpen,
    /// OPEN hooks the card's interrupt, and nothing takes that off.
    LineAtOpen,
    /// The base code hooks the card's interrupt, ends what comes there without a look at the card, and opens the line. When
    /// the boot program comes back, it says whether the line is open.
    LineOpen,
    /// START says OURS only while the card's interrupt is in service.
    StartByInterrupt,
    /// CLOSE does not come back.
    CloseHangs,
    /// After so many frames the card receives none any more until it is opened again, once.
    GoesDeaf,
    /// Of each so many frames, a power of two, one is also written to memory from 0 on, behind a descriptor, and one by OPEN.
    FrameAtZero,
}

impl Quirk {
    /// Its name in scenarios: lower case words, joined by `-`.
    pub fn name(self) -> String {
        words(NAMES[self as usize]).join("-")
    }
}

/// `OneName` as `["one", "name"]`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if letter.is_lowercase() => word.push(letter),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}

/// Room of a packet: a BOOTP header and 1024 bytes of options.
const PACKET_ROOM: usize = 1260;

const ROM: &str = "quirk.rom";

/// Builds the ROM in the current folder, with these quirks and the values of their bytes; gives a machine that boots
/// `image` from it.
pub fn machine(image: &Path, quirks: &[(Quirk, u8)]) -> Result<Options> {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    fs::write(ROM, finish(link()?)?).context(ROM)?;
    let mut bytes = vec![0; NAMES.len()];
    for (quirk, value) in quirks {
        bytes[*quirk as usize] = *value;
    }
    fs::write("quirks.bin", bytes).context("quirks.bin")?;
    let acknowledge = acknowledge(&name)?;
    fs::write("packets.bin", packets(&[discover(), acknowledge.clone(), acknowledge])?)
        .context("packets.bin")?;
    let file = |name: &str, path: PathBuf| (format!("opt/quirk-rom/{name}"), path);
    Ok(Options {
        card: format!("rtl8139,romfile={ROM}"),
        files: vec![
            file("nbp", image.to_owned()),
            file("quirks", "quirks.bin".into()),
            file("packets", "packets.bin".into()),
        ],
        ..Options::default()
    })
}

/// The segments of the ROM, one after the other.
fn link() -> Result<Vec<u8>> {
    let sources = paths::root().join("tests/quirk-rom");
    let mut assemble = Command::new(tool("as")?);
    assemble.arg("--32").arg("-I").arg(&sources).args(["-o", "quirk.o"]);
    let symbols = NAMES.iter().map(|name| words(name).join("_").to_uppercase()).chain(["COUNT".to_owned()]);
    for (number, symbol) in symbols.enumerate() {
        assemble.args(["--defsym", &format!("QUIRK_{symbol}={number}")]);
    }
    assemble.args(["--defsym", &format!("PACKET_ROOM={PACKET_ROOM}")]);
    run(assemble.arg(sources.join("rom.S")))?;
    let mut link = Command::new(tool("ld")?);
    link.args(["-m", "elf_i386", "--oformat", "binary", "--no-check-sections", "-o", "quirk.bin", "-T"]);
    run(link.arg(sources.join("layout.ld")).arg("quirk.o"))?;
    fs::read("quirk.bin").context("quirk.bin")
}

/// Fills in what no assembler can: lengths and checksums of the headers.
fn finish(mut rom: Vec<u8>) -> Result<Vec<u8>> {
    let blocks = rom.len().div_ceil(512);
    rom.resize(blocks * 512, 0);
    let blocks = u8::try_from(blocks).context("the ROM's length")?;
    let pointer = |at: usize| usize::from(u16::from_le_bytes([rom[at], rom[at + 1]]));
    let (undi, pci, pnp) = (pointer(0x16), pointer(0x18), pointer(0x1a));
    for (at, signature) in [(undi, b"UNDI"), (pci, b"PCIR"), (pnp, b"$PnP")] {
        ensure(rom.get(at..at + 4) == Some(signature), || {
            format!("no {} in the ROM", signature.escape_ascii())
        })?;
    }
    rom[2] = blocks;
    rom[pci + 0x10] = blocks;
    let undi_end = undi + usize::from(rom[undi + 4]);
    let pnp_end = pnp + usize::from(rom[pnp + 5]) * 16;
    seal(&mut rom[undi..undi_end], 5);
    seal(&mut rom[pnp..pnp_end], 9);
    seal(&mut rom, 6);
    Ok(rom)
}

/// Sets the byte `at` so that all add up to zero.
fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
}

/// The packets as the ROM keeps them: the length of each, and the room.
fn packets(packets: &[Vec<u8>; 3]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for packet in packets {
        ensure(packet.len() <= PACKET_ROOM, || "a DHCP packet is too long".to_owned())?;
        bytes.extend_from_slice(&u16::try_from(packet.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(packet);
        bytes.resize(bytes.len() + PACKET_ROOM - packet.len(), 0);
    }
    Ok(bytes)
}

/// The address that the ROM was given.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 110);

/// What the ROM asked.
fn discover() -> Vec<u8> {
    let identity = b"PXEClient:Arch:00000:UNDI:002001";
    dhcp(
        1,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::UNSPECIFIED,
        "",
        &[
            (53, &[1]),
            (55, &[1, 3, 6, 43, 54, 60, 66, 67]),
            (57, &1260u16.to_be_bytes()),
            (60, identity),
            (93, &[0, 0]),
            (94, &[1, 2, 1]),
        ],
    )
}

/// What it was answered.
fn acknowledge(file: &str) -> Result<Vec<u8>> {
    let server: Ipv4Addr = SERVER.parse().context(SERVER)?;
    let hour = 3600u32.to_be_bytes();
    Ok(dhcp(
        2,
        ADDRESS,
        server,
        file,
        &[(53, &[5]), (54, &server.octets()), (51, &hour), (1, &[255, 255, 255, 0]), (3, &server.octets())],
    ))
}

/// A DHCP packet (RFC 2131, section 2).
fn dhcp(operation: u8, yours: Ipv4Addr, server: Ipv4Addr, file: &str, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = vec![0; 236];
    packet[..4].copy_from_slice(&[operation, 1, 6, 0]);
    packet[4..8].copy_from_slice(b"quir");
    packet[16..20].copy_from_slice(&yours.octets());
    packet[20..24].copy_from_slice(&server.octets());
    packet[28..34].copy_from_slice(&MAC);
    packet[108..108 + file.len()].copy_from_slice(file.as_bytes());
    packet.extend_from_slice(&[99, 130, 83, 99]);
    for (code, value) in options {
        packet.extend_from_slice(&[*code, u8::try_from(value.len()).unwrap_or(0)]);
        packet.extend_from_slice(value);
    }
    packet.push(255);
    packet.resize(packet.len().max(300), 0);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_structure_of_a_finished_rom_adds_up_to_zero() {
        let mut rom = vec![0; 700];
        rom[0x16..0x1c].copy_from_slice(&[0x40, 0, 0x60, 0, 0x80, 0]);
        rom[0x40..0x45].copy_from_slice(b"UNDI\x16");
        rom[0x60..0x64].copy_from_slice(b"PCIR");
        rom[0x80..0x86].copy_from_slice(b"$PnP\x01\x02");
        let rom = finish(rom).unwrap();
        let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!((rom.len(), rom[2], rom[0x70]), (1024, 2, 2));
        assert_eq!([sum(&rom), sum(&rom[0x40..0x56]), sum(&rom[0x80..0xa0])], [0; 3]);
        assert!(finish(vec![0; 700]).unwrap_err().0.contains("UNDI"));
    }

    #[test]
    fn quirks_have_names() {
        assert_eq!(Quirk::ClobbersUpperHalves.name(), "clobbers-upper-halves");
        assert_eq!(NAMES.get(Quirk::FrameAtZero as usize), Some(&"FrameAtZero"));
    }

    #[test]
    fn packets_have_their_own_room() {
        let bytes = packets(&[discover(), acknowledge("image").unwrap(), Vec::new()]).unwrap();
        assert_eq!(bytes.len(), 3 * (2 + PACKET_ROOM));
        assert_eq!(bytes[2 + PACKET_ROOM + 2..][..4], [2, 1, 6, 0]);
        assert!(packets(&[vec![0; PACKET_ROOM + 1], Vec::new(), Vec::new()]).is_err());
    }
}
