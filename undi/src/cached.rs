//! The packets of the DHCP exchange that the ROM had before it started us (GET_CACHED_INFO, PXE 2.1 section 4.2).

use crate::abi::{CachedInfo, Opcode, Status};
use crate::control::SLOT_LENGTH;
use crate::driver::Rom;
use alloc::vec;
use alloc::vec::Vec;
use base::{Error, SegOff};
use zerocopy::IntoBytes;

/// The DISCOVER that the ROM sent.
pub const DISCOVER: u16 = 1;
/// The ACK that it was given.
pub const ACK: u16 = 2;
/// The boot server's answer, or the proxy's offer.
pub const REPLY: u16 = 3;

/// A BOOTP header and the magic cookie: less is no packet.
const SHORTEST: usize = 240;
/// No ROM keeps more.
const LONGEST: usize = SLOT_LENGTH;

/// The cached packet of that kind, if the ROM has one. First the ROM is asked where it is; if that leads to nothing,
/// to copy it out. At most 1536 bytes are taken. An error means that the ROM is not to be called again.
pub fn cached_packet<R: Rom>(rom: &mut R, kind: u16) -> Result<Option<Vec<u8>>, Error> {
    if let Some((at, length)) = ask(rom, kind, SegOff::default(), 0)? {
        let mut packet = vec![0; length.min(LONGEST)];
        if !at.is_null() && length >= SHORTEST && rom.read(at.linear(), &mut packet) {
            return Ok(Some(packet));
        }
    }
    let (buffer, room) = rom.scratch();
    let room = room.len();
    let Some((_, length)) = ask(rom, kind, buffer, room)? else { return Ok(None) };
    let packet = rom.scratch().1.get(..length.min(room)).unwrap_or_default();
    Ok((packet.len() >= SHORTEST).then(|| packet.to_vec()))
}

fn ask<R: Rom>(
    rom: &mut R,
    kind: u16,
    buffer: SegOff,
    room: usize,
) -> Result<Option<(SegOff, usize)>, Error> {
    let mut cached = CachedInfo {
        kind: kind.into(),
        size: u16::try_from(room).unwrap_or(0).into(),
        buffer: buffer.into(),
        ..CachedInfo::default()
    };
    let answer = rom.call(Opcode::GET_CACHED_INFO, cached.as_mut_bytes())?;
    Ok((answer == Status::SUCCESS).then(|| (cached.buffer.into(), usize::from(cached.size.get()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeRom;
    use proptest::prelude::*;

    const AT: SegOff = SegOff::new(0x9000, 0x10);

    #[test]
    fn the_packet_is_read_where_the_rom_keeps_it() {
        let mut rom = FakeRom { cached_at: AT, cached: vec![7; 548], ..FakeRom::default() };
        assert_eq!(cached_packet(&mut rom, ACK).unwrap(), Some(vec![7; 548]));
        assert_eq!(rom.calls.len(), 1);
    }

    #[test]
    fn a_rom_that_only_copies_is_asked_to() {
        let mut rom = FakeRom { cached: vec![9; 300], ..FakeRom::default() };
        assert_eq!(cached_packet(&mut rom, REPLY).unwrap(), Some(vec![9; 300]));
        assert_eq!(rom.calls.len(), 2);
    }

    #[test]
    fn no_packet_is_none() {
        assert_eq!(cached_packet(&mut FakeRom::default(), DISCOVER).unwrap(), None);
        let mut rom = FakeRom { cached: vec![9; 100], ..FakeRom::default() };
        assert_eq!(cached_packet(&mut rom, DISCOVER).unwrap(), None);
    }

    proptest! {
        #[test]
        fn sizes_and_pointers_that_lie_do_no_harm(
            size in any::<u16>(), segment in any::<u16>(), offset in any::<u16>(), length in 0usize..2000,
        ) {
            let mut rom = FakeRom {
                cached_at: SegOff::new(segment, offset),
                cached: vec![1; length],
                cached_size: Some(size),
                ..FakeRom::default()
            };
            if let Some(packet) = cached_packet(&mut rom, ACK).unwrap() {
                prop_assert!((SHORTEST..=LONGEST).contains(&packet.len()));
            }
        }
    }
}
