//! The fence around what calls may write to.

use super::world::{Memory, Selectors};
use crate::abi::{FarPointer, Plain, Status};
use alloc::vec;
use alloc::vec::Vec;
use base::{PhysRange, SegOff};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Interrupt table and BIOS data area end here.
const BIOS_DATA_END: u64 = 0x500;
/// From here on is no RAM, but the screen and ROMs.
const BASE_MEMORY_END: u64 = 0xa_0000;
const REAL_MODE_END: u64 = 0x10_0000;
const SEGMENT: u64 = 0x1_0000;

/// Which memory a call may write to, whatever pointers it is given: RAM behind the BIOS data area, but what is ours.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    reserved: [PhysRange; 2],
}

impl Fence {
    /// A fence around what is `reserved`, below and above the program's part of it.
    pub fn new(reserved: [PhysRange; 2]) -> Self {
        Self { reserved }
    }

    /// Whether all of `range` may be written to.
    fn admits(&self, range: PhysRange) -> bool {
        let base = PhysRange::new(BIOS_DATA_END, BASE_MEMORY_END);
        let extended = PhysRange::new(REAL_MODE_END, 1 << 32);
        (base.contains(range) || extended.contains(range))
            && !self.reserved.iter().any(|reserved| reserved.overlaps(range))
    }
}

/// The memory of one call.
pub(super) struct Guarded<'a> {
    memory: &'a mut dyn Memory,
    fence: Fence,
    /// Where the parameters are.
    at: SegOff,
    /// The parameter block, once it was read: no buffer may lie over it.
    block: PhysRange,
}

impl<'a> Guarded<'a> {
    /// For a call whose parameters lie at `at`.
    pub(super) fn new(memory: &'a mut dyn Memory, fence: Fence, at: SegOff) -> Self {
        Self { memory, fence, at, block: PhysRange::default() }
    }

    /// Reads the parameters, acts on them, and writes them back with the status; after a failure the status only.
    pub(super) fn with<T: FromBytes + IntoBytes + KnownLayout + Immutable>(
        &mut self,
        act: impl FnOnce(&mut Self, &mut T) -> Result<(), Status>,
    ) -> Status {
        let mut block = T::new_zeroed();
        if let Err(status) = self.begin(block.as_mut_bytes()) {
            return status;
        }
        let result = act(self, &mut block);
        self.end(block.as_mut_bytes(), result)
    }

    /// Answers with `status`, whatever the parameters are.
    pub(super) fn refuse(&mut self, status: Status) -> Status {
        self.with(|_, _: &mut Plain| Err(status))
    }

    /// Reads `block`, the parameters.
    pub(super) fn begin(&mut self, block: &mut [u8]) -> Result<(), Status> {
        let range = self.object(self.at, block.len())?;
        if !self.fence.admits(range) {
            return Err(Status::INVALID_PARAMETER);
        }
        self.block = range;
        self.read_physical(range.start(), block)
    }

    /// Writes the status, which is the first word of `block`, and after success the rest of it.
    fn end(&mut self, block: &mut [u8], result: Result<(), Status>) -> Status {
        let status = result.err().unwrap_or(Status::SUCCESS);
        if self.block.is_empty() {
            return status;
        }
        if let Some((word, _)) = block.split_first_chunk_mut::<2>() {
            *word = status.0.to_le_bytes();
        }
        let length = if result.is_ok() { block.len() } else { 2 };
        match self.write_unchecked(self.block.start(), block.get(..length).unwrap_or_default()) {
            Ok(()) => status,
            Err(unwritten) => unwritten,
        }
    }

    /// From now on buffers may lie over the parameters, which are not written to: the call does not return.
    pub(super) fn forget_block(&mut self) {
        self.block = PhysRange::default();
    }

    /// The bytes at a far pointer.
    pub(super) fn read(&self, at: SegOff, into: &mut [u8]) -> Result<(), Status> {
        let range = self.object(at, into.len())?;
        self.read_physical(range.start(), into)
    }

    /// The bytes at a physical address.
    pub(super) fn read_physical(&self, address: u64, into: &mut [u8]) -> Result<(), Status> {
        let address = u32::try_from(address).map_err(|_| Status::INVALID_PARAMETER)?;
        if into.is_empty() || self.memory.read(address, into) {
            Ok(())
        } else {
            Err(Status::INVALID_PARAMETER)
        }
    }

    /// The text at a far pointer up to the zero that ends it, at most `limit` bytes and one at least.
    pub(super) fn read_text(&self, at: SegOff, limit: usize) -> Result<Vec<u8>, Status> {
        let rest = self.rest(at).ok_or(Status::INVALID_PARAMETER)?;
        let room = usize::try_from(rest.length()).unwrap_or(usize::MAX);
        let mut text = vec![0; room.min(limit.saturating_add(1))];
        self.read_physical(rest.start(), &mut text)?;
        let end = text.iter().position(|byte| *byte == 0).filter(|end| *end > 0);
        text.truncate(end.ok_or(Status::INVALID_PARAMETER)?);
        Ok(text)
    }

    /// The range of `length` bytes at a far pointer, if all of it may be written to.
    pub(super) fn writable(&self, at: SegOff, length: usize) -> Result<PhysRange, Status> {
        let range = self.object(at, length)?;
        self.writable_physical(range)
    }

    /// `range`, if all of it may be written to.
    pub(super) fn writable_physical(&self, range: PhysRange) -> Result<PhysRange, Status> {
        if range.is_empty() || (self.fence.admits(range) && !range.overlaps(self.block)) {
            Ok(range)
        } else {
            Err(Status::INVALID_PARAMETER)
        }
    }

    /// Writes at a far pointer.
    pub(super) fn write(&mut self, at: SegOff, data: &[u8]) -> Result<(), Status> {
        let range = self.writable(at, data.len())?;
        self.write_unchecked(range.start(), data)
    }

    /// Writes at a physical address.
    pub(super) fn write_physical(&mut self, address: u64, data: &[u8]) -> Result<(), Status> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let range = self.writable_physical(PhysRange::with_length(address, length))?;
        self.write_unchecked(range.start(), data)
    }

    /// Writes into a place of ours, which no pointer of the program leads to.
    pub(super) fn write_own(&mut self, at: SegOff, data: &[u8]) -> Result<(), Status> {
        self.write_unchecked(at.linear().into(), data)
    }

    /// What lies in a place of ours.
    pub(super) fn read_own(&self, at: SegOff, into: &mut [u8]) -> Result<(), Status> {
        self.read_physical(at.linear().into(), into)
    }

    /// How the program is told of a place of ours.
    pub(super) fn told(&self, at: SegOff) -> FarPointer {
        let segment = self.memory.selectors().map_or(at.segment, |selectors| selectors.data);
        SegOff::new(segment, at.offset).into()
    }

    /// Whether the program can name what is ours at `at`.
    pub(super) fn names(&self, at: SegOff) -> bool {
        let named = self.rest(self.told(at).into());
        named.is_some_and(|named| named.start() == at.linear().into())
    }

    /// Where `length` bytes at a far pointer lie. Nothing lies anywhere.
    fn object(&self, at: SegOff, length: usize) -> Result<PhysRange, Status> {
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        match self.rest(at) {
            Some(rest) if wanted <= rest.length() => Ok(PhysRange::with_length(rest.start(), wanted)),
            _ if length == 0 => Ok(PhysRange::default()),
            _ => Err(Status::INVALID_PARAMETER),
        }
    }

    /// What lies from a far pointer on to the end of its segment, and below 1 MiB in real mode. Nothing is at 0:0, which
    /// means "none".
    fn rest(&self, at: SegOff) -> Option<PhysRange> {
        let offset = u64::from(at.offset);
        if let Some(selectors) = self.memory.selectors() {
            let segment = self.segment(selectors, at.segment)?;
            return (offset < segment.length())
                .then(|| PhysRange::new(segment.start() + offset, segment.end()));
        }
        let start = u64::from(at.linear());
        let end = (start + SEGMENT - offset).min(REAL_MODE_END);
        (!at.is_null() && start < end).then(|| PhysRange::new(start, end))
    }

    /// The segment of a selector: present, data or code, and not one that expands down (Intel SDM volume 3, section
    /// 3.4.5).
    fn segment(&self, selectors: Selectors, selector: u16) -> Option<PhysRange> {
        const CODE_OR_DATA: u64 = 1 << 44;
        const CODE: u64 = 1 << 43;
        const EXPANDS_DOWN: u64 = 1 << 42;
        let bits = if selector & LOCAL == 0 {
            self.descriptor(selectors.table, selector, FIRST)
        } else {
            self.descriptor(self.local_table(selectors)?, selector, 0)
        }?;
        let is_data = bits & CODE_OR_DATA != 0 && bits & (CODE | EXPANDS_DOWN) != EXPANDS_DOWN;
        is_data.then(|| extent(bits))
    }

    /// The caller's LDT (Intel SDM volume 3, section 3.5).
    fn local_table(&self, selectors: Selectors) -> Option<PhysRange> {
        const TYPE: u64 = 0x1f << 40;
        const LDT: u64 = 0x02 << 40;
        let bits = self.descriptor(selectors.table, selectors.local, FIRST)?;
        (selectors.local & LOCAL == 0 && bits & TYPE == LDT).then(|| extent(bits))
    }

    /// The entry of a table that a selector means, from the offset `first` on, if it is present.
    fn descriptor(&self, table: PhysRange, selector: u16, first: u64) -> Option<u64> {
        const PRESENT: u64 = 1 << 47;
        let offset = u64::from(selector & !7);
        let entry = PhysRange::with_length(table.start() + offset, 8);
        if offset < first || !table.contains(entry) {
            return None;
        }
        let mut bytes = [0; 8];
        self.read_physical(entry.start(), &mut bytes).ok()?;
        Some(u64::from_le_bytes(bytes)).filter(|bits| bits & PRESENT != 0)
    }

    fn write_unchecked(&mut self, address: u64, data: &[u8]) -> Result<(), Status> {
        let address = u32::try_from(address).map_err(|_| Status::INVALID_PARAMETER)?;
        if data.is_empty() || self.memory.write(address, data) {
            Ok(())
        } else {
            Err(Status::INVALID_PARAMETER)
        }
    }
}

/// In a selector: it is of the LDT.
const LOCAL: u16 = 1 << 2;
/// Where the GDT's entries begin: the first one means nothing (Intel SDM volume 3, section 3.5.1).
const FIRST: u64 = 8;

/// Where the segment of a descriptor lies.
fn extent(bits: u64) -> PhysRange {
    const IN_PAGES: u64 = 1 << 55;
    let base = bits >> 16 & 0xff_ffff | bits >> 32 & 0xff00_0000;
    let limit = bits & 0xffff | bits >> 32 & 0xf_0000;
    let limit = if bits & IN_PAGES == 0 { limit } else { limit << 12 | 0xfff };
    PhysRange::new(base, (base + limit + 1).min(1 << 32))
}

/// A length as a word; what is longer than that is not announced in words.
pub(super) fn word(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
