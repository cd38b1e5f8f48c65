//! Option ROMs of PCI cards: made, and checked more strictly than BIOSes do.
//!
//! A ROM is the loader (`prefix/rom.S`), the devices that it is for, the card's name for the BIOS's menu, and the image,
//! padded to blocks; of a split ROM the first part is padded, too. The structures are those of the PCI Firmware Specification 3.0 (section
//! 5.1), of the Plug and Play BIOS Specification 1.0A (section 3.2) and, where there is an UNDI loader
//! (`prefix/rom_loader.S`), of PXE 2.1 (section 3.1).

use anyhow::{Context as _, Result, bail, ensure};
use base::image_header::{ImageHeader, ROM_PARAMETERS, UNDI_ROOM};
use undi::abi::{PciData, PlugAndPlay, RomHeader, UndiRomId};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a block, the unit of a ROM's length.
const BLOCK: usize = 512;
/// The most bytes of a ROM: as many blocks as the length's byte can say.
pub const LIMIT: usize = 255 * BLOCK;
/// What is left of the ROM below 1 MiB when the image is kept elsewhere: at most so many blocks.
const STAYS: usize = 8;
/// Where the byte lies that makes all bytes of the ROM add up to zero.
const CHECKSUM: usize = 6;
/// Where the header says where the UNDI ROM ID structure is.
const UNDI_POINTER: usize = 0x16;
/// The place of a card in its name, until POST puts in the right one.
const PLACE: &str = "00:00.0";
/// Ethernet, as PCI has it (class, subclass and interface, the last one first).
const ETHERNET: [u8; 3] = [0, 0, 2];
/// In the Plug and Play header: initialised at POST by the device driver model, and a device to boot from.
const BOOTS: u8 = 0x84;
/// More devices are not followed.
const DEVICES: usize = 256;

/// What the loader is told, at [`ROM_PARAMETERS`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Parameters {
    stays: U16,
    place: U16,
    image: U32,
    image_length: U32,
    image_sum: U32,
}

type U16 = zerocopy::little_endian::U16;
type U32 = zerocopy::little_endian::U32;

/// The option ROM called `name` of a card of that vendor and device, and of others that are the vendor's: `loader`, and
/// `image`, as a PXE ROM would load it. `undi_loader` is right behind `loader`, from a multiple of 4 on, or nothing.
/// If it `is_split`, the BIOS sees only the loader, which reads the image from the card itself, so both may be long.
pub fn make(
    loader: &[u8],
    undi_loader: &[u8],
    image: &[u8],
    name: &str,
    card: (u16, u16),
    devices: &[u16],
    is_split: bool,
) -> Result<Vec<u8>> {
    let mut rom = loader.to_vec();
    let header: RomHeader = structure(&rom, 0, "the header")?;
    let (pci_at, pnp_at) = (usize::from(header.pci.get()), usize::from(header.plug_and_play.get()));

    let undi_at = rom.len().next_multiple_of(4);
    if !undi_loader.is_empty() {
        rom.resize(undi_at, 0);
        rom.extend(undi_loader);
    }
    rom.resize(rom.len().next_multiple_of(2), 0);
    let list_at = rom.len();
    ensure!(devices.len() < DEVICES, "{name} is for {} devices", devices.len());
    rom.extend(devices.iter().chain(&[0]).flat_map(|device| device.to_le_bytes()));
    let name_at = rom.len();
    rom.extend(format!("iPXE {name} (PCI {PLACE})\0").bytes());
    let place_at = rom.len() - 2 - PLACE.len();
    // What stays is whole blocks, also where the image begins in the last of them.
    rom.resize(rom.len().next_multiple_of(if is_split { BLOCK } else { 4 }), 0);
    let stays = rom.len().div_ceil(BLOCK);
    let image_at = rom.len();
    rom.extend(image);
    rom.resize(rom.len().next_multiple_of(4), 0);
    let image_length = rom.len() - image_at;
    let seen = if is_split { image_at } else { rom.len() };
    ensure!(seen <= LIMIT, "{name} has {seen} bytes, and a ROM at most {LIMIT}");
    pad(&mut rom);
    let blocks = seen.div_ceil(BLOCK);

    let mut pci: PciData = structure(&rom, pci_at, "PCIR")?;
    pci.vendor = card.0.into();
    pci.device = card.1.into();
    pci.device_list = u16::try_from(list_at - pci_at)?.into();
    pci.blocks = u16::try_from(blocks)?.into();
    pci.runtime_blocks = u16::try_from(stays)?.into();
    put(&mut rom, pci_at, pci.as_bytes())?;

    let mut pnp: PlugAndPlay = structure(&rom, pnp_at, "$PnP")?;
    pnp.product = u16::try_from(name_at)?.into();
    pnp.checksum = 0;
    pnp.checksum = 0_u8.wrapping_sub(sum(pnp.as_bytes()));
    put(&mut rom, pnp_at, pnp.as_bytes())?;

    if !undi_loader.is_empty() {
        put(&mut rom, UNDI_POINTER, &u16::try_from(undi_at)?.to_le_bytes())?;
        let mut undi: UndiRomId = structure(&rom, undi_at, "UNDI")?;
        undi.code_size = undi_code_size(image)?.into();
        undi.checksum = 0;
        undi.checksum = 0_u8.wrapping_sub(sum(undi.as_bytes()));
        put(&mut rom, undi_at, undi.as_bytes())?;
    }

    let parameters = Parameters {
        stays: u16::try_from(stays)?.into(),
        place: u16::try_from(place_at)?.into(),
        image: u32::try_from(image_at)?.into(),
        image_length: u32::try_from(image_length)?.into(),
        image_sum: dwords(rom.get(image_at..image_at + image_length).unwrap_or_default()).into(),
    };
    put(&mut rom, ROM_PARAMETERS, parameters.as_bytes())?;
    put(&mut rom, 2, &[u8::try_from(blocks)?])?;
    put(&mut rom, CHECKSUM, &[0])?;
    let checksum = 0_u8.wrapping_sub(sum(rom.get(..seen).unwrap_or_default()));
    put(&mut rom, CHECKSUM, &[checksum])?;

    let made = check(&rom).with_context(|| format!("{name} is not sound"))?;
    ensure!(made.image.is_some(), "{name} has no image of ours");
    Ok(rom)
}

/// Bytes of base memory that the image takes where it is loaded as an UNDI.
fn undi_code_size(image: &[u8]) -> Result<u16> {
    let header = ImageHeader::read(image).context("there is no image of ours to be an UNDI")?;
    header
        .low_memory_length
        .checked_add(UNDI_ROOM)
        .and_then(|length| u16::try_from(length).ok())
        .with_context(|| format!("a low block of {} bytes is too long for an UNDI", header.low_memory_length))
}

/// What a ROM says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    /// The card's vendor.
    pub vendor: u16,
    /// The card's device.
    pub device: u16,
    /// More devices of the vendor.
    pub devices: Vec<u16>,
    /// Its name in the BIOS's menu.
    pub product: String,
    /// Whether an UNDI can be loaded from it.
    pub has_undi: bool,
    /// Bytes of it without its image, and of its image: a ROM of ours.
    pub image: Option<(usize, usize)>,
}

/// Checks all of a network card's option ROM for a PC BIOS, `rom`, which may have padding behind: its lengths, sums,
/// structures, strings, and that what it points to is inside.
pub fn check(file: &[u8]) -> Result<Rom> {
    let header: RomHeader = structure(file, 0, "the header")?;
    ensure!(header.signature == [0x55, 0xaa], "it does not begin with 55h AAh");
    let length = usize::from(header.blocks) * BLOCK;
    ensure!(length > 0, "it says that it has no length");
    let rom = file
        .get(..length)
        .with_context(|| format!("it says that it has {length} bytes, and has {}", file.len()))?;
    ensure!(sum(rom) == 0, "its bytes do not add up to zero");
    let entry = match rom.get(3..6) {
        Some([0xe9, low, high]) => Some(6 + usize::from(u16::from_le_bytes([*low, *high]))),
        Some([0xeb, offset @ 0..0x80, _]) => Some(5 + usize::from(*offset)),
        _ => None,
    };
    ensure!(entry.is_some_and(|entry| entry < length), "its entry for POST is no jump into it");

    let pci_at = usize::from(header.pci.get());
    let pci: PciData = structure(rom, pci_at, "PCIR")?;
    ensure!(pci.signature == *b"PCIR" && pci_at % 4 == 0 && pci_at > 0, "there is no PCIR where it says");
    ensure!(pci.revision == 3, "its PCIR is of revision {}", pci.revision);
    ensure!(pci.length.get() >= 0x1c, "its PCIR has only {} bytes", pci.length);
    ensure!(pci.class == ETHERNET, "it is for class {:02x?}", pci.class);
    ensure!(pci.code_type == 0, "it is not for a PC BIOS");
    ensure!(pci.indicator == 0x80, "it is not the last image");
    ensure!(usize::from(pci.blocks.get()) * BLOCK == length, "PCIR and header differ in its length");
    ensure!(usize::from(pci.runtime_blocks.get()) * BLOCK <= length, "more of it stays than there is");
    let devices = match usize::from(pci.device_list.get()) {
        0 => Vec::new(),
        list => devices(rom, pci_at + list)?,
    };

    let pnp_at = usize::from(header.plug_and_play.get());
    let pnp: PlugAndPlay = structure(rom, pnp_at, "$PnP")?;
    ensure!(pnp.signature == *b"$PnP" && pnp_at % 16 == 0 && pnp_at > 0, "there is no $PnP where it says");
    ensure!(usize::from(pnp.paragraphs) * 16 == size_of::<PlugAndPlay>(), "its $PnP is not of 32 bytes");
    ensure!(sum(pnp.as_bytes()) == 0, "the bytes of its $PnP do not add up to zero");
    ensure!(pnp.next.get() == 0, "it has a second $PnP");
    ensure!(pnp.device_type == [2, 0, 0], "its $PnP is of type {:02x?}", pnp.device_type);
    ensure!(pnp.indicators & BOOTS == BOOTS, "its $PnP says {:02x}: not to boot from", pnp.indicators);
    ensure!(
        pnp.connection.get() == 0 && pnp.disconnect.get() == 0,
        "a network card has no connection vector"
    );
    let boot = usize::from(pnp.boot.get());
    ensure!(boot > size_of::<RomHeader>() && boot < length, "its entry to boot is not inside");
    text(rom, pnp.manufacturer.get().into()).context("the manufacturer")?;
    let product = text(rom, pnp.product.get().into()).context("the name")?;

    let undi_at = usize::from(header.undi.get());
    if undi_at != 0 {
        let undi: UndiRomId = structure(rom, undi_at, "UNDI")?;
        ensure!(undi.signature == *b"UNDI" && undi.bus == *b"PCIR", "there is no UNDI where it says");
        let bytes = rom.get(undi_at..undi_at + usize::from(undi.length)).context("its UNDI ends outside")?;
        ensure!(bytes.len() >= size_of::<UndiRomId>() && sum(bytes) == 0, "its UNDI does not add up to zero");
        let loader = usize::from(undi.loader.get());
        ensure!(loader > 0 && loader < length, "its UNDI has no loader inside");
        ensure!(undi.code_size.get() > 0 && undi.data_size.get() > 0, "its UNDI has no code or no data");
    }
    let image = image(file, length, &product, pci.runtime_blocks.get())?;
    if let Some((image_at, _)) = image.filter(|_| undi_at != 0) {
        check_undi(file, undi_at, image_at)?;
    }
    let end = image.map_or(length, |(at, image_length)| length.max(at + image_length));
    let padding = file.get(end..).unwrap_or_default();
    ensure!(
        padding.iter().all(|byte| *byte == 0) || padding.iter().all(|byte| *byte == 0xff),
        "there is something behind its {end} bytes"
    );
    Ok(Rom {
        vendor: pci.vendor.get(),
        device: pci.device.get(),
        devices,
        has_undi: undi_at != 0,
        image,
        product,
    })
}

/// Checks the UNDI ROM ID structure at `at` of a ROM of ours, whose image is at `image_at`.
fn check_undi(rom: &[u8], at: usize, image_at: usize) -> Result<()> {
    let undi: UndiRomId = structure(rom, at, "UNDI")?;
    let needed = undi_code_size(rom.get(image_at..).unwrap_or_default())?;
    ensure!(undi.code_size.get() >= needed, "its UNDI asks for {} bytes, and takes {needed}", undi.code_size);
    ensure!(undi.undi_revision == [0, 1, 2], "its UNDI is of version {:x?}", undi.undi_revision);
    let loader = usize::from(undi.loader.get());
    let ends = [at + usize::from(undi.length), loader + 1];
    ensure!(ends.iter().all(|end| *end <= image_at), "its UNDI loader does not stay");
    ensure!(undi.stack_size <= undi.data_size, "its UNDI's stack is not in its data");
    Ok(())
}

/// What lies where in a ROM of ours, of which the BIOS sees `seen` bytes; none in another's.
fn image(rom: &[u8], seen: usize, product: &str, runtime_blocks: u16) -> Result<Option<(usize, usize)>> {
    let parameters: Parameters = structure(rom, ROM_PARAMETERS, "the parameters")?;
    let (at, length) = (parameters.image.get() as usize, parameters.image_length.get() as usize);
    let image = rom.get(at..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    let Some(header) = ImageHeader::read(image) else { return Ok(None) };
    ensure!(header.image_length as usize + header.script_length as usize <= length, "its image is cut off");
    ensure!(at >= ROM_PARAMETERS + size_of::<Parameters>(), "its image lies over the loader");
    ensure!(at % 4 == 0 && length % 4 == 0, "its image is not where the loader can copy it from");
    ensure!(at >= seen || at + length <= seen, "its image is only partly visible");
    ensure!(dwords(image) == parameters.image_sum.get(), "its image does not have the sum that is said");
    let stays = parameters.stays.get();
    ensure!(
        stays == runtime_blocks && usize::from(stays) == at.div_ceil(BLOCK),
        "what stays is not what is before its image"
    );
    ensure!(usize::from(stays) <= STAYS, "{stays} blocks of it stay, and {STAYS} may");
    let place = product.len().checked_sub(PLACE.len() + 1).and_then(|from| product.get(from..));
    ensure!(place.is_some_and(|place| place.starts_with(PLACE)), "its name has no room for the card's place");
    ensure!(
        rom.get(parameters.place.get().into()..).is_some_and(|at| at.starts_with(PLACE.as_bytes())),
        "the card's place is not in its name"
    );
    Ok(Some((at, length)))
}

/// The list at `at`, which a zero ends.
fn devices(rom: &[u8], at: usize) -> Result<Vec<u16>> {
    let mut devices = Vec::new();
    for bytes in rom.get(at..).unwrap_or_default().chunks_exact(2).take(DEVICES) {
        match bytes {
            [0, 0] => return Ok(devices),
            [low, high] => devices.push(u16::from_le_bytes([*low, *high])),
            _ => break,
        }
    }
    bail!("its list of devices does not end")
}

/// The text at `at`, which a zero ends.
fn text(rom: &[u8], at: usize) -> Result<String> {
    let rest = rom.get(at..).filter(|_| at > 0).context("is not inside")?;
    let end = rest.iter().take(128).position(|byte| *byte == 0).context("does not end")?;
    let text = rest.get(..end).unwrap_or_default();
    ensure!(!text.is_empty() && text.iter().all(|byte| (b' '..=b'~').contains(byte)), "is no text");
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn structure<T: FromBytes>(rom: &[u8], at: usize, name: &str) -> Result<T> {
    let bytes = rom.get(at..).and_then(|rest| T::read_from_prefix(rest).ok());
    Ok(bytes.with_context(|| format!("{name} ends outside of it"))?.0)
}

fn put(rom: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    let place = rom.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
    place.with_context(|| format!("there are no {} bytes at {at:#x}", bytes.len()))?.copy_from_slice(bytes);
    Ok(())
}

fn pad(rom: &mut Vec<u8>) {
    rom.resize(rom.len().next_multiple_of(BLOCK), 0);
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The sum of all 32-bit words, as the loader adds them up.
fn dwords(bytes: &[u8]) -> u32 {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().fold(0, |sum, word| sum.wrapping_add(u32::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::image_header::{LENGTH, MAGIC, OFFSET};
    use proptest::prelude::*;

    const PCI: usize = 0x40;
    const PNP: usize = 0x60;
    const MANUFACTURER: usize = 0x80;
    const CARD: (u16, u16) = (0x8086, 0x100e);

    /// A loader without code.
    fn loader() -> Vec<u8> {
        let mut loader = vec![0; 0x91];
        let mut at = |at: usize, bytes: &[u8]| put(&mut loader, at, bytes).unwrap();
        at(0, &[0x55, 0xaa, 0, 0xe9, 0x80, 0, 0]);
        at(0x18, &[0x40, 0, 0x60, 0]);
        at(PCI, b"PCIR\0\0\0\0\0\0\x1c\0\x03\0\0\x02\0\0\x01\0\0\x80");
        at(PNP, b"$PnP\x01\x02\0\0\0\0\0\0\0\0\x80\0\0\0\x02\0\0\xf4\0\0\0\0\x88\0");
        at(MANUFACTURER, b"Us\0");
        loader
    }

    fn image(length: usize) -> Vec<u8> {
        let header = ImageHeader {
            magic: MAGIC,
            image_length: length.try_into().unwrap(),
            low_memory_length: 0x6000,
            ..ImageHeader::default()
        };
        let mut image: Vec<u8> =
            (0..u32::try_from(length).unwrap()).map(|number| (number % 251) as u8).collect();
        image[OFFSET..OFFSET + LENGTH].copy_from_slice(&header.to_bytes());
        image
    }

    fn rom() -> Vec<u8> {
        make(&loader(), &[], &image(2050), "some.rom", CARD, &[0x100e, 0x10d3], false).unwrap()
    }

    /// Makes the sums right again.
    fn seal(rom: &mut [u8]) {
        rom[PNP + 9] = 0;
        rom[PNP + 9] = 0_u8.wrapping_sub(sum(&rom[PNP..PNP + 0x20]));
        rom[CHECKSUM] = 0;
        rom[CHECKSUM] = 0_u8.wrapping_sub(sum(rom));
    }

    #[test]
    fn a_rom_says_what_it_was_made_of() {
        let rom = rom();
        let expected = Rom {
            vendor: 0x8086,
            device: 0x100e,
            devices: vec![0x100e, 0x10d3],
            product: "iPXE some.rom (PCI 00:00.0)".to_owned(),
            has_undi: false,
            image: Some((180, 2052)),
        };
        assert_eq!(check(&rom).unwrap(), expected);
        assert_eq!((rom.len(), rom[2], sum(&rom)), (2560, 5, 0));
        assert_eq!(rom[180..][..2050], image(2050));
        // As cards have it: padded.
        assert_eq!(check(&[&rom[..], &[0xff; 4096]].concat()).unwrap(), expected);
    }

    #[test]
    fn a_split_rom_may_be_long() {
        let rom = make(&loader(), &[], &image(LIMIT), "some.mrom", CARD, &[], true).unwrap();
        assert_eq!((rom[2], rom.len(), sum(&rom[..512])), (1, 512 + LIMIT, 0));
        assert_eq!(check(&rom).unwrap().image, Some((512, LIMIT)));
        assert!(check(&rom[..rom.len() - 512]).is_err());
    }

    /// Where the UNDI ROM ID structure lies in [`loadable`].
    const UNDI: usize = 148;

    /// A split ROM with an UNDI loader of one byte.
    fn loadable() -> Vec<u8> {
        let mut undi = b"UNDI\x16\0\0\x00\x01\x02\0\0\0\x08\0\x08\0\0PCIR\xcb".to_vec();
        undi[0xa] = u8::try_from(UNDI).unwrap() + 0x16;
        make(&loader(), &undi, &image(2048), "some.mrom", CARD, &[0x10d3], true).unwrap()
    }

    #[test]
    fn an_undi_loader_asks_for_what_its_image_takes() {
        let rom = loadable();
        assert!(check(&rom).unwrap().has_undi);
        let mut memory = vec![0; 0x10_0000];
        memory[0xc_8000..0xc_8000 + 512].copy_from_slice(&rom[..512]);
        let found = undi::option_rom::find(&&memory[..], 0x8086, 0x10d3).unwrap();
        assert_eq!((found.data_size, u32::from(found.code_size)), (0x800, 0x6000 + UNDI_ROOM));
        assert_eq!((found.loader.segment, usize::from(found.loader.offset)), (0xc800, UNDI + 0x16));
        for (at, byte, fragment) in [
            (UNDI, b'u', "no UNDI"),
            (UNDI + 0x7, 9, "of version"),
            (UNDI + 0xb, 2, "no loader inside"),
            (UNDI + 0xd, 9, "not in its data"),
            (UNDI + 0x11, 0x83, "its UNDI asks for"),
        ] {
            let mut rom = loadable();
            rom[at] = byte;
            rom[UNDI + 5] = rom[UNDI + 5].wrapping_sub(sum(&rom[UNDI..UNDI + 0x16]));
            rom[CHECKSUM] = rom[CHECKSUM].wrapping_sub(sum(&rom[..512]));
            let error = format!("{:#}", check(&rom).unwrap_err());
            assert!(error.contains(fragment), "{at:#x}: {error}");
        }
        let long = |length| ImageHeader { magic: MAGIC, low_memory_length: length, ..ImageHeader::default() };
        let image = |length| [vec![0; OFFSET], long(length).to_bytes().to_vec()].concat();
        assert!(undi_code_size(&image(0xd000)).is_ok());
        assert!(undi_code_size(&image(0xe000)).is_err() && undi_code_size(&image(u32::MAX)).is_err());
    }

    #[test]
    fn the_core_finds_its_structures_too() {
        let rom = rom();
        let mut memory = vec![0; 0x10_0000];
        memory[0xc_8000..0xc_8000 + rom.len()].copy_from_slice(&rom);
        // There is no UNDI in it to be loaded.
        assert_eq!(undi::option_rom::find(&&memory[..], 0x8086, 0x10d3), None);
    }

    #[test]
    fn a_rom_has_a_limit() {
        let largest = LIMIT - 176;
        let made =
            |length| make(&loader(), &[], &image(length), "some.rom", CARD, &[], false).map(|rom| rom.len());
        assert_eq!(made(largest).unwrap(), LIMIT);
        let error = made(largest + 1).unwrap_err().to_string();
        assert!(error.contains("130564 bytes") && error.contains("at most 130560"), "{error}");
        assert!(make(&loader(), &[], &image(512), "some.rom", CARD, &[1; 300], false).is_err());
        assert!(make(&loader(), &[], &[7; 512], "some.rom", CARD, &[], false).is_err());
    }

    #[test]
    fn what_is_not_sound_is_named() {
        for (at, byte, fragment) in [
            (0, 0x54, "55h AAh"),
            (2, 0, "no length"),
            (2, 7, "has 2560"),
            (2, 4, "add up"),
            (3, 0x90, "no jump into it"),
            (5, 0x80, "no jump into it"),
            (0x18, 0x44, "no PCIR"),
            (0x19, 0x80, "PCIR ends outside"),
            (PCI, b'p', "no PCIR"),
            (PCI + 0xc, 0, "revision 0"),
            (PCI + 0xa, 0x18, "only 24 bytes"),
            (PCI + 0xf, 1, "for class"),
            (PCI + 0x14, 3, "not for a PC BIOS"),
            (PCI + 0x15, 0, "not the last"),
            (PCI + 0x10, 6, "PCIR and header"),
            (PCI + 0x17, 1, "more of it stays"),
            (PCI + 0x9, 0x0c, "does not end"),
            (PNP, 0, "no $PnP"),
            (PNP + 5, 3, "not of 32 bytes"),
            (PNP + 7, 3, "second $PnP"),
            (PNP + 0x12, 1, "of type"),
            (PNP + 0x15, 0xf0, "not to boot from"),
            (PNP + 0x17, 1, "connection vector"),
            (PNP + 0x1a, 0, "entry to boot"),
            (PNP + 0x1b, 0x80, "entry to boot"),
            (PNP + 0xe, 0, "the manufacturer"),
            (PNP + 0x11, 0x80, "the name"),
            (MANUFACTURER, 7, "the manufacturer"),
            (0x17, 0x80, "UNDI ends outside"),
            (0x16, 0x40, "no UNDI"),
            (ROM_PARAMETERS, 2, "what stays"),
            (ROM_PARAMETERS + 2, 0, "the card's place"),
            (ROM_PARAMETERS + 5, 1, ""),
            (ROM_PARAMETERS + 12, 0, "the sum"),
        ] {
            let mut rom = rom();
            rom[at] = byte;
            seal(&mut rom);
            let error = check(&rom).map(|rom| rom.image.is_some());
            if fragment.is_empty() {
                // It is no longer known as ours.
                assert!(matches!(error, Ok(false)), "{at:#x}");
                continue;
            }
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains(fragment), "{at:#x}: {error}");
        }
        let mut rom = rom();
        rom[0x300] ^= 1;
        assert!(check(&rom).unwrap_err().to_string().contains("add up"));
        rom[CHECKSUM] = rom[CHECKSUM].wrapping_sub(sum(&rom));
        assert!(check(&rom).unwrap_err().to_string().contains("the sum"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_bad(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = check(&bytes);
        }

        #[test]
        fn no_change_is_too_bad(changes in proptest::collection::vec((0_usize..700, any::<u8>()), 1..8)) {
            let mut rom = rom();
            for (at, byte) in changes {
                rom[at] = byte;
            }
            seal(&mut rom);
            let _ = check(&rom);
        }
    }
}
