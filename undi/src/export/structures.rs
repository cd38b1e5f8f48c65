//! The structures by which programs find the stack: `!PXE` and `PXENV+` (PXE 2.1 sections 3.2 and 3.3).

use crate::abi::{BangPxe, FarPointer, PxenvPlus, SegmentDescriptor};
use crate::find::Segment;
use base::SegOff;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Version 2.1.
const VERSION: u16 = 0x0201;

/// Where the parts of the exported stack are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// The entry of `!PXE`: opcode and parameters on the stack, in real mode or in 16-bit protected mode with a 16-bit stack.
    pub entry: SegOff,
    /// The same for 16-bit protected mode with a 32-bit stack. The segment is 0: the selector is the caller's.
    pub protected_entry: SegOff,
    /// The real-mode entry of `PXENV+`: opcode in BX, parameters at ES:DI.
    pub register_entry: SegOff,
    /// Where the bytes of [`bang_pxe`] lie.
    pub bang_pxe: SegOff,
    /// The UNDI ROM id structure; null without a ROM.
    pub undi_rom_id: SegOff,
    /// The base code's stack.
    pub stack: Segment,
    /// Data of the UNDI.
    pub undi_data: Segment,
    /// Code of the UNDI.
    pub undi_code: Segment,
    /// Data of the base code.
    pub base_data: Segment,
    /// Code of the base code.
    pub base_code: Segment,
}

/// The bytes of `!PXE`. Selectors of protected mode are filled in by the caller (PXE 2.1 section 3.2).
pub fn bang_pxe(places: &Places) -> [u8; size_of::<BangPxe>()] {
    const SEGMENTS: u8 = 7;
    let mut pxe = BangPxe::new_zeroed();
    pxe.signature = *b"!PXE";
    pxe.length = length::<BangPxe>();
    pxe.undi_rom_id = places.undi_rom_id.into();
    pxe.entry = places.entry.into();
    pxe.entry_esp = places.protected_entry.into();
    // We call nobody while a call waits.
    pxe.status_callout = FarPointer { offset: 0xffff.into(), segment: 0xffff.into() };
    pxe.segment_count = SEGMENTS;
    pxe.stack = descriptor(places.stack);
    pxe.undi_data = descriptor(places.undi_data);
    pxe.undi_code = descriptor(places.undi_code);
    pxe.undi_code_write = descriptor(places.undi_code);
    pxe.base_data = descriptor(places.base_data);
    pxe.base_code = descriptor(places.base_code);
    pxe.base_code_write = descriptor(places.base_code);
    pxe.checksum = complement(pxe.as_bytes());
    zerocopy::transmute!(pxe)
}

/// The selector of our data that a caller in protected mode has put into the `!PXE` at the beginning of `bytes`; null if it
/// has put in another for our code than `code`, by which it calls.
pub fn data_selector(bytes: &[u8], code: u16) -> u16 {
    let pxe = BangPxe::ref_from_prefix(bytes).ok().map(|(pxe, _)| pxe);
    pxe.filter(|pxe| pxe.undi_code.segment.get() == code).map_or(0, |pxe| pxe.undi_data.segment.get())
}

/// The bytes of `PXENV+`, which names no entry for protected mode: that of `!PXE` is to be used (PXE 2.1 section 3.3).
pub fn pxenv_plus(places: &Places) -> [u8; size_of::<PxenvPlus>()] {
    let mut env = PxenvPlus::new_zeroed();
    env.signature = *b"PXENV+";
    env.version = VERSION.into();
    env.length = length::<PxenvPlus>();
    env.entry = places.register_entry.into();
    env.stack_segment = places.stack.segment.into();
    env.stack_size = places.stack.size.into();
    env.base_code_segment = places.base_code.segment.into();
    env.base_code_size = places.base_code.size.into();
    env.base_data_segment = places.base_data.segment.into();
    env.base_data_size = places.base_data.size.into();
    env.undi_data_segment = places.undi_data.segment.into();
    env.undi_data_size = places.undi_data.size.into();
    env.undi_code_segment = places.undi_code.segment.into();
    env.undi_code_size = places.undi_code.size.into();
    env.bang_pxe = places.bang_pxe.into();
    env.checksum = complement(env.as_bytes());
    zerocopy::transmute!(env)
}

fn length<T>() -> u8 {
    u8::try_from(size_of::<T>()).unwrap_or(u8::MAX)
}

fn descriptor(segment: Segment) -> SegmentDescriptor {
    SegmentDescriptor {
        segment: segment.segment.into(),
        address: (u32::from(segment.segment) << 4).into(),
        size: segment.size.into(),
    }
}

/// What makes the bytes add up to zero.
fn complement(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte))
}
