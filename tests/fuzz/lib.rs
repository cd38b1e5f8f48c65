//! What the fuzz targets share: input cut into pieces, and a sink that holds its caller to the contract.

use base::boot_info::E820Entry;
use base::{Error, PhysRange, Sink};
use memmap::{MemoryMap, Owner};

/// Cuts an input into pieces: each begins with its length, two bytes, little-endian.
pub fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        data = rest;
        Some(piece)
    })
}

/// Counts bytes, and takes no more than were announced.
#[derive(Debug, Default)]
pub struct Counter {
    announced: Option<u64>,
    /// Bytes written since the last restart.
    pub written: u64,
}

impl Sink for Counter {
    fn announce(&mut self, length: u64) -> Result<(), Error> {
        assert!(self.announced.is_none() && self.written == 0, "announced late or twice");
        self.announced = Some(length);
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.written += data.len() as u64;
        assert!(self.announced.is_none_or(|length| self.written <= length), "more than was announced");
        Ok(())
    }

    fn restart(&mut self) {
        *self = Self::default();
    }
}

/// A memory map of `ram`, in which `images` are in use.
pub fn memory_map(ram: &[PhysRange], images: &[PhysRange]) -> MemoryMap {
    let entry = |range: &PhysRange| E820Entry {
        start: range.start(),
        length: range.length(),
        kind: 1,
        attributes: 1,
    };
    let entries: Vec<E820Entry> = ram.iter().map(entry).collect();
    let mut map = MemoryMap::from_e820(&entries, 636);
    for image in images {
        // No room in the map for another owner is no matter here.
        let _ = map.reserve(*image, Owner::Image);
    }
    map
}
