//! Images on media that no PXE ROM reads: disks, CDs, and what boot loaders take for a Linux kernel.
//!
//! The image itself is the same everywhere: a loader of two sectors at most puts it where a ROM would have put it.

use crate::link_unit::Front;
use crate::variants::Medium;
use anyhow::{Context as _, Result, ensure};
use base::image_header::BOOT_SECTOR_PARAMETERS;

/// Bytes of a sector of a disk, and of the setup code's unit.
const SECTOR: usize = 512;
/// Bytes of a sector of a CD (ECMA-119, section 6.1.2).
const CD_SECTOR: usize = 2048;
/// Bytes of a hard disk's cylinder: 16 heads, 63 sectors. Of a USB disk that is smaller, SeaBIOS reads no sector by its
/// cylinder.
const CYLINDER: usize = 16 * 63 * SECTOR;
/// Bytes of a floppy disk: 80 cylinders, 2 heads, 18 sectors.
const FLOPPY: usize = 80 * 2 * 18 * SECTOR;

/// The file that brings `image` onto a machine by `medium`.
pub fn put(medium: Medium, front: &Front, image: &[u8]) -> Result<Vec<u8>> {
    match medium {
        Medium::Disk => disk(front, image),
        Medium::Floppy => {
            let mut file = boot_sector(front, image, 1, SECTOR)?;
            file.extend(image);
            ensure!(file.len() <= FLOPPY, "{} bytes do not fit onto a floppy disk", file.len());
            file.resize(FLOPPY, 0);
            Ok(file)
        }
        Medium::Cd => cd(front, image),
        Medium::Kernel => kernel(front, image),
    }
}

/// The boot sector of a medium where the image begins at block `first`.
fn boot_sector(front: &Front, image: &[u8], first: u32, block: usize) -> Result<Vec<u8>> {
    let mut sector = front.boot_sector.clone();
    ensure!(sector.len() == SECTOR, "the boot sector has {} bytes", sector.len());
    let blocks = u16::try_from(image.len().div_ceil(block)).context("the image is too long")?;
    let mut parameters = u64::from(first).to_le_bytes().to_vec();
    parameters.extend(blocks.to_le_bytes());
    parameters.extend(u16::try_from(block)?.to_le_bytes());
    put_at(&mut sector, BOOT_SECTOR_PARAMETERS, &parameters)?;
    Ok(sector)
}

/// A disk of whole cylinders: the boot sector with a partition table, as some BIOSes want one on USB sticks, and the image
/// in the one partition.
fn disk(front: &Front, image: &[u8]) -> Result<Vec<u8>> {
    const PARTITION: usize = 0x1be;
    /// Active, from cylinder 0, head 0, sector 2, to the end, of a kind that no system takes for its own: no file system.
    const ENTRY: [u8; 8] = [0x80, 0, 2, 0, 0xda, 0xfe, 0xff, 0xff];
    let mut file = boot_sector(front, image, 1, SECTOR)?;
    let sectors = u32::try_from(image.len().div_ceil(SECTOR))?;
    put_at(&mut file, PARTITION, &ENTRY)?;
    put_at(&mut file, PARTITION + 8, &1_u32.to_le_bytes())?;
    put_at(&mut file, PARTITION + 12, &sectors.to_le_bytes())?;
    file.extend(image);
    file.resize(file.len().next_multiple_of(CYLINDER), 0);
    Ok(file)
}

/// What a boot loader takes for a kernel (Documentation/arch/x86/boot.rst): two sectors of setup code, and the image in
/// place of the part that is loaded at 1 MiB.
fn kernel(front: &Front, image: &[u8]) -> Result<Vec<u8>> {
    const PARAGRAPHS: usize = 0x1f4;
    let mut file = front.kernel_setup.clone();
    ensure!(file.len() == 2 * SECTOR, "the setup code has {} bytes", file.len());
    put_at(&mut file, PARAGRAPHS, &u32::try_from(image.len().div_ceil(16))?.to_le_bytes())?;
    file.extend(image);
    file.resize(file.len().next_multiple_of(16), 0);
    Ok(file)
}

/// Sectors of a CD (ECMA-119 and El Torito 1.0): 16 are the system's.
const VOLUME_DESCRIPTOR: usize = 16;
const BOOT_RECORD: usize = 17;
const TERMINATOR: usize = 18;
const CATALOG: usize = 19;
const PATH_TABLE: usize = 20;
const BIG_ENDIAN_PATH_TABLE: usize = 21;
const ROOT: usize = 22;
const BOOT_SECTOR: usize = 23;
const IMAGE: usize = 24;

/// A CD without files, whose boot sector the BIOS starts without emulating a disk.
fn cd(front: &Front, image: &[u8]) -> Result<Vec<u8>> {
    let sectors = IMAGE + image.len().div_ceil(CD_SECTOR);
    let mut file = vec![0; sectors * CD_SECTOR];
    let mut put =
        |sector: usize, offset: usize, bytes: &[u8]| put_at(&mut file, sector * CD_SECTOR + offset, bytes);

    // Section 8.4: the primary volume descriptor. Text is filled up with spaces.
    put(VOLUME_DESCRIPTOR, 0, b"\x01CD001\x01\0")?;
    put(VOLUME_DESCRIPTOR, 8, &[b' '; 64])?;
    put(VOLUME_DESCRIPTOR, 40, b"IPXE")?;
    put(VOLUME_DESCRIPTOR, 80, &both32(sectors)?)?;
    put(VOLUME_DESCRIPTOR, 120, &both16(1)?)?;
    put(VOLUME_DESCRIPTOR, 124, &both16(1)?)?;
    put(VOLUME_DESCRIPTOR, 128, &both16(CD_SECTOR)?)?;
    put(VOLUME_DESCRIPTOR, 132, &both32(PATH_ENTRY.len())?)?;
    put(VOLUME_DESCRIPTOR, 140, &u32::try_from(PATH_TABLE)?.to_le_bytes())?;
    put(VOLUME_DESCRIPTOR, 148, &u32::try_from(BIG_ENDIAN_PATH_TABLE)?.to_be_bytes())?;
    put(VOLUME_DESCRIPTOR, 156, &directory(0)?)?;
    put(VOLUME_DESCRIPTOR, 190, &[b' '; 623])?;
    // No dates: equal input gives equal images (section 8.4.26.1).
    for date in 0..4 {
        put(VOLUME_DESCRIPTOR, 813 + 17 * date, b"0000000000000000\0")?;
    }
    put(VOLUME_DESCRIPTOR, 881, &[1])?;

    // El Torito, section 2.0 and figures 2 to 5: the boot record, and the catalog with its one entry.
    put(BOOT_RECORD, 0, b"\0CD001\x01EL TORITO SPECIFICATION")?;
    put(BOOT_RECORD, 71, &u32::try_from(CATALOG)?.to_le_bytes())?;
    put(TERMINATOR, 0, b"\xffCD001\x01")?;
    let mut validation = [0; 32];
    validation[0] = 1;
    validation[4..8].copy_from_slice(b"iPXE");
    validation[30..].copy_from_slice(&[0x55, 0xaa]);
    let (words, _) = validation.as_chunks::<2>();
    let sum = words.iter().fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes(*word)));
    validation[28..30].copy_from_slice(&0_u16.wrapping_sub(sum).to_le_bytes());
    put(CATALOG, 0, &validation)?;
    // Bootable, no emulation, at 07C0:0000, one sector of 512 bytes.
    put(CATALOG, 32, &[0x88, 0, 0, 0, 0, 0, 1, 0])?;
    put(CATALOG, 40, &u32::try_from(BOOT_SECTOR)?.to_le_bytes())?;

    // Sections 6.9 and 9.4: both path tables name the root, which has itself and its parent.
    put(PATH_TABLE, 0, &PATH_ENTRY)?;
    put(PATH_TABLE, 2, &u32::try_from(ROOT)?.to_le_bytes())?;
    put(BIG_ENDIAN_PATH_TABLE, 0, &PATH_ENTRY)?;
    put(BIG_ENDIAN_PATH_TABLE, 2, &u32::try_from(ROOT)?.to_be_bytes())?;
    put(BIG_ENDIAN_PATH_TABLE, 6, &1_u16.to_be_bytes())?;
    put(ROOT, 0, &directory(0)?)?;
    put(ROOT, 34, &directory(1)?)?;

    put(BOOT_SECTOR, 0, &boot_sector(front, image, u32::try_from(IMAGE)?, CD_SECTOR)?)?;
    put(IMAGE, 0, image)?;
    Ok(file)
}

/// The root in a path table: one byte of name, its sector (filled in), and itself as parent.
const PATH_ENTRY: [u8; 10] = [1, 0, 0, 0, 0, 0, 1, 0, 0, 0];

/// The record of the root directory under the name `name`: 0 for itself, 1 for its parent (section 9.1).
fn directory(name: u8) -> Result<[u8; 34]> {
    let mut record = [0; 34];
    record[0] = 34;
    record[2..10].copy_from_slice(&both32(ROOT)?);
    record[10..18].copy_from_slice(&both32(CD_SECTOR)?);
    record[25] = 2;
    record[28..32].copy_from_slice(&both16(1)?);
    record[32] = 1;
    record[33] = name;
    Ok(record)
}

/// A number in both byte orders (section 7.2.3).
fn both16(number: usize) -> Result<[u8; 4]> {
    let number = u16::try_from(number)?;
    let ([a, b], [c, d]) = (number.to_le_bytes(), number.to_be_bytes());
    Ok([a, b, c, d])
}

/// A number in both byte orders (section 7.3.3).
fn both32(number: usize) -> Result<[u8; 8]> {
    let number = u32::try_from(number)?;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Ok(bytes)
}

fn put_at(file: &mut [u8], offset: usize, bytes: &[u8]) -> Result<()> {
    let place = file.get_mut(offset..).and_then(|rest| rest.get_mut(..bytes.len()));
    place
        .with_context(|| format!("there are no {} bytes at {offset:#x}", bytes.len()))?
        .copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> Front {
        let mut boot_sector = vec![0; SECTOR];
        boot_sector[510..].copy_from_slice(&[0x55, 0xaa]);
        Front { boot_sector, kernel_setup: vec![0; 2 * SECTOR], ..Front::default() }
    }

    fn word(bytes: &[u8], offset: usize) -> u32 {
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
    }

    /// What the boot sector at `offset` would read.
    fn loaded(file: &[u8], offset: usize) -> &[u8] {
        let at = offset + BOOT_SECTOR_PARAMETERS;
        let block = usize::from(u16::from_le_bytes([file[at + 10], file[at + 11]]));
        let blocks = usize::from(u16::from_le_bytes([file[at + 8], file[at + 9]]));
        assert_eq!(word(file, at + 4), 0);
        &file[word(file, at) as usize * block..][..blocks * block]
    }

    fn image() -> Vec<u8> {
        (0..100_003_u32).map(|number| (number % 251) as u8).collect()
    }

    #[test]
    fn disks_have_the_image_where_their_boot_sector_looks() {
        for medium in [Medium::Disk, Medium::Floppy] {
            let file = put(medium, &front(), &image()).unwrap();
            assert_eq!(loaded(&file, 0)[..image().len()], image());
            assert_eq!((file.len() % SECTOR, &file[510..512]), (0, &[0x55, 0xaa][..]));
        }
        let disk = put(Medium::Disk, &front(), &image()).unwrap();
        assert_eq!((disk[0x1be], word(&disk, 0x1c6), word(&disk, 0x1ca)), (0x80, 1, 196));
        assert_eq!(disk.len(), CYLINDER);
        assert_eq!(put(Medium::Floppy, &front(), &image()).unwrap().len(), 1_474_560);
        assert!(put(Medium::Floppy, &front(), &vec![0; FLOPPY]).is_err());
    }

    #[test]
    fn a_cd_leads_from_its_boot_record_to_the_image() {
        let file = put(Medium::Cd, &front(), &image()).unwrap();
        assert_eq!(&file[16 * 2048..][..6], b"\x01CD001");
        assert_eq!(word(&file, 16 * 2048 + 80) as usize * 2048, file.len());
        let catalog = word(&file, 17 * 2048 + 71) as usize * 2048;
        let sum = file[catalog..catalog + 32]
            .chunks(2)
            .fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes([word[0], word[1]])));
        assert_eq!((sum, file[catalog + 32]), (0, 0x88));
        let boot_sector = word(&file, catalog + 40) as usize * 2048;
        assert_eq!(loaded(&file, boot_sector)[..image().len()], image());
    }

    #[test]
    fn a_kernel_says_how_long_it_is() {
        let file = put(Medium::Kernel, &front(), &image()).unwrap();
        assert_eq!(file[1024..][..image().len()], image());
        assert_eq!(word(&file, 0x1f4) as usize * 16, file.len() - 1024);
    }

    #[test]
    fn a_loader_of_another_size_is_refused() {
        let front = Front { boot_sector: vec![0; 511], kernel_setup: vec![0; 1023], ..Front::default() };
        for medium in [Medium::Disk, Medium::Floppy, Medium::Cd, Medium::Kernel] {
            assert!(put(medium, &front, &image()).is_err());
        }
    }
}
