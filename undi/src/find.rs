//! Finding the vendor's PXE stack in memory, by every way that PXE 2.1 section 3.1 and practice know.
//!
//! In order: the `!PXE` pointer on the entry stack, `PXENV+` at ES:BX, `PXENV+` by INT 1Ah AX=5650h, a scan of the
//! memory between the free-base-memory mark and 640 KiB. A structure counts only with its signature, its length, its
//! checksum and an entry point, and outside of free memory; `PXENV+` from version 2.1 on leads to its `!PXE` if that is sound.

use crate::abi::{BangPxe, PxenvPlus, SegmentDescriptor};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::{PhysRange, SegOff};
use zerocopy::{FromZeros, IntoBytes};

/// Memory below 1 MiB, to be read.
pub trait Memory {
    /// Fills `into` with the bytes from `address` on; false, and nothing promised, where some are not there.
    fn read(&self, address: u32, into: &mut [u8]) -> bool;
}

impl Memory for &[u8] {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let Ok(start) = usize::try_from(address) else { return false };
        let bytes = start.checked_add(into.len()).and_then(|end| self.get(start..end));
        bytes.map(|bytes| into.copy_from_slice(bytes)).is_some()
    }
}

/// What the machine's state at entry says about the stack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// The far pointer above the return address.
    pub stack: SegOff,
    /// ES:BX at entry.
    pub es_bx: SegOff,
    /// ES:BX after INT 1Ah AX=5650h, if that answered AX=564Eh with carry clear.
    pub int_1a: Option<SegOff>,
    /// Where free base memory ends. A structure below is what is left of a stack that was unloaded.
    pub free_end: u32,
}

/// The way by which a stack was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `!PXE` on the entry stack.
    EntryStack,
    /// `PXENV+` at ES:BX.
    EsBx,
    /// INT 1Ah AX=5650h.
    Int1a,
    /// The memory scan.
    Scan,
    /// The loader of an option ROM put it there.
    Loader,
}

impl Way {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::EntryStack => "entry stack",
            Self::EsBx => "ES:BX",
            Self::Int1a => "INT 1Ah",
            Self::Scan => "memory scan",
            Self::Loader => "UNDI loader",
        }
    }
}

/// A segment of the vendor's code or data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Real-mode segment.
    pub segment: u16,
    /// Bytes; 0 for a segment that is not there.
    pub size: u16,
}

impl Segment {
    /// The memory it takes.
    pub fn range(self) -> PhysRange {
        PhysRange::with_length(u64::from(self.segment) << 4, self.size.into())
    }
}

impl From<SegmentDescriptor> for Segment {
    fn from(descriptor: SegmentDescriptor) -> Self {
        Self { segment: descriptor.segment.get(), size: descriptor.size.get() }
    }
}

/// The vendor's stack.
#[derive(Clone, Debug)]
pub struct VendorStack {
    /// The entry point. It is called with the parameters both on the stack (`!PXE`) and in ES:DI and BX (`PXENV+`),
    /// so that the caller need not know which it is.
    pub entry: SegOff,
    /// Where the structure lies.
    pub structure: SegOff,
    /// Whether that is a `!PXE`; else a `PXENV+`.
    pub is_bang_pxe: bool,
    /// How it was found.
    pub way: Way,
    /// The UNDI: data, code, writable code.
    pub undi: [Segment; 3],
    /// The base code: data, code, writable code, and the stack, which UNLOAD_STACK takes along.
    pub base_code: [Segment; 4],
    /// What was found and is not sound, for the report.
    pub findings: Vec<String>,
}

impl VendorStack {
    /// What is known of it, in lines.
    pub fn describe(&self) -> String {
        let kind = if self.is_bang_pxe { "!PXE" } else { "PXENV+" };
        let mut text =
            format!("{kind} at {} by {}, entry point {}\n", self.structure, self.way.text(), self.entry);
        text.push_str(&passed_over(&self.findings));
        for (name, segments) in [("UNDI", &self.undi[..]), ("base code", &self.base_code)] {
            text.push_str(name);
            text.push_str(" segments:");
            for segment in segments.iter().filter(|segment| segment.size != 0) {
                text.push_str(&format!(" {:04x}:0+{:x}", segment.segment, segment.size));
            }
            text.push('\n');
        }
        text
    }
}

/// What was found and is not sound, in lines.
pub fn passed_over(findings: &[String]) -> String {
    findings.iter().map(|finding| format!("passed over: {finding}\n")).collect()
}

/// Finds the stack.
pub fn find(memory: &dyn Memory, hints: &Hints) -> Result<VendorStack, Vec<String>> {
    let mut search = Search { memory, free_end: hints.free_end, findings: Vec::new() };
    let found = search
        .bang_pxe(hints.stack, Way::EntryStack)
        .or_else(|| search.pxenv(hints.es_bx, Way::EsBx))
        .or_else(|| search.pxenv(hints.int_1a?, Way::Int1a))
        .or_else(|| search.scan());
    match found {
        Some(stack) => Ok(VendorStack { findings: search.findings, ..stack }),
        None => Err(search.findings),
    }
}

/// Finds `stack` again, when the entry state is no longer true: where it was, else by the memory scan, unless that comes
/// across another card's.
pub fn find_again(memory: &dyn Memory, stack: &VendorStack) -> Option<VendorStack> {
    let mut search = Search { memory, free_end: 0, findings: Vec::new() };
    let is_same = |found: &VendorStack| {
        let segments = found.undi.iter().zip(&stack.undi);
        // The third is known of `!PXE` only.
        segments.take(2).all(|(found, known)| found.segment == known.segment)
    };
    search
        .bang_pxe(stack.structure, Way::Scan)
        .or_else(|| search.pxenv(stack.structure, Way::Scan))
        .or_else(|| search.scan().filter(is_same))
}

/// The bytes of a sound `!PXE` at a place.
pub(crate) fn bang_pxe(memory: &dyn Memory, at: SegOff) -> Option<Vec<u8>> {
    structure(memory, at, b"!PXE", 4, size_of::<BangPxe>())
}

/// The bytes of a sound `PXENV+`, which may be an old one without its last field.
pub(crate) fn pxenv(memory: &dyn Memory, at: SegOff) -> Option<Vec<u8>> {
    structure(memory, at, b"PXENV+", 8, OLD_PXENV)
}

fn structure(
    memory: &dyn Memory,
    at: SegOff,
    signature: &'static [u8],
    length_at: usize,
    least: usize,
) -> Option<Vec<u8>> {
    let mut search = Search { memory, free_end: 0, findings: Vec::new() };
    let mut head = [0; 255];
    let length = search.check(at, signature, length_at, head.get_mut(..least)?, Way::Scan)?;
    let mut bytes = alloc::vec![0; length];
    memory.read(at.linear(), &mut bytes).then_some(bytes)
}

struct Search<'a> {
    memory: &'a dyn Memory,
    free_end: u32,
    findings: Vec<String>,
}

/// Bytes of a `PXENV+` before version 2.1.
const OLD_PXENV: usize = 0x28;
/// Most findings that are kept: a scan of hostile memory must not fill ours.
const FINDINGS: usize = 8;

impl Search<'_> {
    fn scan(&mut self) -> Option<VendorStack> {
        let mut kib = [0; 2];
        self.memory.read(0x413, &mut kib);
        let start = u32::from(u16::from_le_bytes(kib)).saturating_mul(1024);
        let places = || (start..0xa_0000).step_by(16).filter_map(SegOff::from_linear);
        places()
            .find_map(|at| self.bang_pxe(at, Way::Scan))
            .or_else(|| places().find_map(|at| self.pxenv(at, Way::Scan)))
    }

    fn bang_pxe(&mut self, at: SegOff, way: Way) -> Option<VendorStack> {
        let mut pxe = BangPxe::new_zeroed();
        self.check(at, b"!PXE", 4, pxe.as_mut_bytes(), way)?;
        let entry = self.entry(at, pxe.entry.into(), "!PXE")?;
        Some(VendorStack {
            entry,
            structure: at,
            is_bang_pxe: true,
            way,
            undi: [pxe.undi_data, pxe.undi_code, pxe.undi_code_write].map(Segment::from),
            base_code: [pxe.base_data, pxe.base_code, pxe.base_code_write, pxe.stack].map(Segment::from),
            findings: Vec::new(),
        })
    }

    fn pxenv(&mut self, at: SegOff, way: Way) -> Option<VendorStack> {
        let mut env = PxenvPlus::new_zeroed();
        // What follows an old structure is not part of it.
        let length = self.check(at, b"PXENV+", 8, env.as_mut_bytes().get_mut(..OLD_PXENV)?, way)?;
        if env.version.get() >= 0x0201 && length >= 0x2c {
            let mut pointer = [0; 4];
            self.memory.read(at.linear().wrapping_add(0x28), &mut pointer);
            let [a, b, c, d] = pointer;
            let pointer = SegOff::new(u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b]));
            if let Some(stack) = self.bang_pxe(pointer, way) {
                return Some(stack);
            }
            self.note(at, "PXENV+", "leads to no sound !PXE");
        }
        let entry = self.entry(at, env.entry.into(), "PXENV+")?;
        let segment = |segment: zerocopy::little_endian::U16, size: zerocopy::little_endian::U16| Segment {
            segment: segment.get(),
            size: size.get(),
        };
        Some(VendorStack {
            entry,
            structure: at,
            is_bang_pxe: false,
            way,
            undi: [
                segment(env.undi_data_segment, env.undi_data_size),
                segment(env.undi_code_segment, env.undi_code_size),
                Segment::default(),
            ],
            base_code: [
                segment(env.base_data_segment, env.base_data_size),
                segment(env.base_code_segment, env.base_code_size),
                Segment::default(),
                segment(env.stack_segment, env.stack_size),
            ],
            findings: Vec::new(),
        })
    }

    /// Reads a structure into `into`, whose length is the least that it must have, and returns its length.
    fn check(
        &mut self,
        at: SegOff,
        signature: &'static [u8],
        length_at: usize,
        into: &mut [u8],
        way: Way,
    ) -> Option<usize> {
        // The scan asks everywhere, so look at the signature alone first.
        let mut begin = [0; 6];
        let begin = begin.get_mut(..signature.len())?;
        if at.is_null() || !self.memory.read(at.linear(), begin) || begin != signature {
            return None;
        }
        let name = core::str::from_utf8(signature).unwrap_or_default();
        let mut length_byte = [0];
        let length_address = at.linear().wrapping_add(u32::try_from(length_at).ok()?);
        self.memory.read(length_address, &mut length_byte);
        let length = usize::from(length_byte[0]);
        let mut bytes = [0; 255];
        let bytes = bytes.get_mut(..length)?;
        let problem = if at.linear() < self.free_end {
            "was unloaded"
        } else if length < into.len() {
            "is too short"
        } else if !self.memory.read(at.linear(), bytes) {
            "does not end"
        } else if bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            "has a wrong checksum"
        } else {
            into.copy_from_slice(bytes.get(..into.len())?);
            return Some(length);
        };
        // A signature that the scan comes across may be anything, for one a copy in somebody's code.
        if way != Way::Scan {
            self.note(at, name, problem);
        }
        None
    }

    fn entry(&mut self, at: SegOff, entry: SegOff, name: &str) -> Option<SegOff> {
        if entry.is_null() {
            self.note(at, name, "has no entry point");
            return None;
        }
        Some(entry)
    }

    fn note(&mut self, at: SegOff, name: &str, problem: &str) {
        if self.findings.len() < FINDINGS {
            self.findings.push(format!("{name} at {at} {problem}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{bang_pxe, pxenv};
    use alloc::vec;
    use proptest::prelude::*;

    const MIB: usize = 0x10_0000;
    const PXE: SegOff = SegOff::new(0x9a00, 0x70);
    const ENV: SegOff = SegOff::new(0x9a00, 0x120);
    const ENTRY: SegOff = SegOff::new(0x9a00, 0x10);

    fn machine() -> Vec<u8> {
        let mut memory = vec![0; MIB];
        memory[0x413..0x415].copy_from_slice(&(0x9a000u32 / 1024).to_le_bytes()[..2]);
        put(&mut memory, PXE, &bang_pxe(ENTRY));
        put(&mut memory, ENV, &pxenv(ENTRY, 0x0201, PXE));
        memory
    }

    fn put(memory: &mut [u8], at: SegOff, bytes: &[u8]) {
        memory[at.linear() as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn spoil(memory: &mut [u8], at: SegOff, offset: usize) {
        memory[at.linear() as usize + offset] ^= 1;
    }

    fn found(memory: &[u8], hints: Hints) -> VendorStack {
        find(&memory, &hints).unwrap()
    }

    #[test]
    fn the_ways_are_tried_in_order() {
        let memory = machine();
        let all = Hints { stack: PXE, es_bx: ENV, int_1a: Some(ENV), ..Hints::default() };
        assert_eq!(found(&memory, all).way, Way::EntryStack);
        let stack = found(&memory, Hints { stack: SegOff::default(), ..all });
        assert_eq!((stack.way, stack.is_bang_pxe, stack.structure), (Way::EsBx, true, PXE));
        assert_eq!(found(&memory, Hints { int_1a: Some(ENV), ..Hints::default() }).way, Way::Int1a);
        let stack = found(&memory, Hints::default());
        assert_eq!((stack.way, stack.entry), (Way::Scan, ENTRY));
        assert_eq!(stack.undi[1], Segment { segment: 0x9a00, size: 0x2000 });
        assert_eq!(stack.base_code[1], Segment { segment: 0x9700, size: 0x1800 });
    }

    #[test]
    fn the_stack_of_another_card_is_not_taken_for_it() {
        let mut memory = machine();
        let stack = found(&memory, Hints { stack: PXE, ..Hints::default() });
        // Another card's lies before it, and another segment has its UNDI's code.
        let mut other = bang_pxe(SegOff::new(0x9a00, 0x20));
        other[0x30] += 1;
        other[5] = other[5].wrapping_sub(1);
        put(&mut memory, SegOff::new(0x9a00, 0x10), &other);
        let again = |memory: &[u8]| find_again(&memory, &stack).map(|stack| stack.structure);
        assert_eq!(found(&memory, Hints::default()).structure, SegOff::from_linear(0x9a010).unwrap());
        assert_eq!(again(&memory), Some(PXE));
        spoil(&mut memory, PXE, 5);
        spoil(&mut memory, ENV, 9);
        assert_eq!(again(&memory), None);
        put(&mut memory, SegOff::new(0x9a00, 0x10), &bang_pxe(ENTRY));
        assert_eq!(again(&memory).map(SegOff::linear), Some(0x9a010));
    }

    #[test]
    fn a_corrupt_structure_is_passed_over_and_reported() {
        for offset in [4, 5, 0x57] {
            let mut memory = machine();
            spoil(&mut memory, PXE, offset);
            let stack = found(&memory, Hints { stack: PXE, es_bx: ENV, ..Hints::default() });
            assert!(!stack.is_bang_pxe);
            assert_eq!((stack.way, stack.structure), (Way::EsBx, ENV));
            assert_eq!(stack.findings.len(), 3);
            assert!(stack.findings[0].starts_with("!PXE at 9a00:0070 "));
            assert_eq!(stack.findings[2], "PXENV+ at 9a00:0120 leads to no sound !PXE");
        }
        let mut memory = machine();
        spoil(&mut memory, PXE, 0x20);
        spoil(&mut memory, ENV, 0x20);
        let findings = find(&&memory[..], &Hints { stack: PXE, es_bx: ENV, ..Hints::default() }).unwrap_err();
        assert_eq!(
            findings,
            ["!PXE at 9a00:0070 has a wrong checksum", "PXENV+ at 9a00:0120 has a wrong checksum"]
        );
    }

    #[test]
    fn a_stack_is_described_with_what_was_passed_over() {
        let mut memory = machine();
        spoil(&mut memory, PXE, 5);
        let text = found(&memory, Hints { stack: PXE, es_bx: ENV, ..Hints::default() }).describe();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "PXENV+ at 9a00:0120 by ES:BX, entry point 9a00:0010");
        assert!(lines[1..4].iter().all(|line| line.starts_with("passed over: ")));
        assert_eq!(lines[4..], ["UNDI segments:", "base code segments: 9700:0+1800"]);
    }

    #[test]
    fn what_was_unloaded_is_not_used() {
        let memory = machine();
        let hints = |free_end| Hints { stack: PXE, es_bx: ENV, int_1a: Some(ENV), free_end };
        assert_eq!(found(&memory, hints(PXE.linear())).way, Way::EntryStack);
        let findings = find(&&memory[..], &hints(0x9_fc00)).unwrap_err();
        assert_eq!(findings[0], "!PXE at 9a00:0070 was unloaded");
    }

    #[test]
    fn an_old_structure_is_used_as_it_is() {
        let mut memory = machine();
        put(&mut memory, ENV, &pxenv(ENTRY, 0x0200, PXE));
        let stack = found(&memory, Hints { es_bx: ENV, ..Hints::default() });
        assert_eq!((stack.is_bang_pxe, stack.entry), (false, ENTRY));
        assert_eq!(stack.base_code[1].size, 0x1800);
    }

    #[test]
    fn a_structure_without_an_entry_point_is_none() {
        let mut memory = vec![0; MIB];
        put(&mut memory, PXE, &bang_pxe(SegOff::default()));
        let findings = find(&&memory[..], &Hints { stack: PXE, ..Hints::default() }).unwrap_err();
        assert_eq!(findings[0], "!PXE at 9a00:0070 has no entry point");
    }

    #[test]
    fn the_scan_begins_at_the_mark() {
        let mut memory = machine();
        memory[0x413..0x415].copy_from_slice(&639u16.to_le_bytes());
        assert!(find(&&memory[..], &Hints::default()).is_err());
        memory[0x413..0x415].copy_from_slice(&u16::MAX.to_le_bytes());
        assert!(find(&&memory[..], &Hints::default()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn never_panics_on_any_memory(
            length in 0usize..0x11_0000,
            writes in prop::collection::vec((0x9_8000usize..0xa_0000, any::<u8>()), 0..64),
            stack in any::<(u16, u16)>(), es_bx in any::<(u16, u16)>(), near in 0usize..0x60, value in any::<u8>(),
        ) {
            let mut memory = machine();
            memory[PXE.linear() as usize + near] = value;
            memory[ENV.linear() as usize + near] = value;
            for (at, byte) in writes {
                memory[at] = byte;
            }
            memory.truncate(length);
            let hints = Hints {
                stack: SegOff::new(stack.0, stack.1),
                es_bx: SegOff::new(es_bx.0, es_bx.1),
                int_1a: Some(ENV),
                free_end: 0,
            };
            if let Ok(stack) = find(&&memory[..], &hints) {
                prop_assert!(!stack.entry.is_null());
            }
        }
    }
}
