//! The screen in pixels: VESA BIOS Extension, Core Functions Standard 3.0 (section numbers are its).

use base::{PhysRange, SegOff};
use core::cell::Cell;
use core::ptr;
use memmap::Kind;

use crate::bios::data;
use crate::low::{self, LowMemory};
use crate::memory::PhysicalMemory;
use crate::realmode::{self, Registers};

/// Bytes of the BIOS's answers about itself (section 4.3) and about a mode (section 4.4).
const INFO_LENGTH: usize = 512;
const MODE_INFO_LENGTH: usize = 256;
/// No BIOS has more modes.
const MODES: u32 = 512;

/// The text mode that was set when pixels were first shown; none while text is shown.
struct TextMode(Cell<Option<u8>>);

// SAFETY: there is one processor, and Rust is never interrupted.
unsafe impl Sync for TextMode {}

static TEXT_MODE: TextMode = TextMode(Cell::new(None));

/// Hands the number and the description of each mode to `take`; of none where the BIOS has no such modes.
pub fn each_mode(take: &mut dyn FnMut(u16, &[u8; MODE_INFO_LENGTH])) {
    let Some(mut memory) = LowMemory::allocate(INFO_LENGTH) else { return };
    // Version 2 or later is wanted.
    memory.bytes_mut().get_mut(..4).unwrap_or_default().copy_from_slice(b"VBE2");
    if !vbe(0, 0, 0, &memory) {
        return;
    }
    let [offset_low, offset_high, segment_low, segment_high] = bytes_at(&memory, 14);
    let segment = u16::from_le_bytes([segment_low, segment_high]);
    let list = SegOff::new(segment, u16::from_le_bytes([offset_low, offset_high])).linear();
    // The list may lie in the memory that the next answers go to, so it is copied first.
    let mut modes = alloc::vec![0; MODES as usize * 2];
    low::read(list, &mut modes);
    let (modes, _) = modes.as_chunks();
    const END: u16 = 0xffff;
    for number in modes.iter().map(|number| u16::from_le_bytes(*number)).take_while(|number| *number != END) {
        memory.bytes_mut().fill(0);
        if vbe(1, 0, number, &memory) {
            take(number, &bytes_at(&memory, 0));
        }
    }
}

/// The 256 characters that the BIOS draws in text modes, 16 rows of 8 pixels each; none if it does not tell.
pub fn font(font: &mut [u8; 4096]) -> bool {
    const HEIGHT: u32 = 16;
    const ROM_8X16: u32 = 0x600;
    let mut registers = Registers { eax: 0x1130, ebx: ROM_8X16, ..Registers::default() };
    realmode::interrupt(0x10, &mut registers);
    low::read(SegOff::new(registers.es, (registers.ebp & 0xffff) as u16).linear(), font);
    // The full block is all pixels.
    const FULL: usize = 0xdb * HEIGHT as usize;
    registers.ecx & 0xff == HEIGHT && font.get(FULL) == Some(&0xff)
}

/// Shows pixels, in the mode of that number with all of them in memory; false if the BIOS cannot.
pub fn set_mode(number: u16) -> bool {
    const LINEAR: u32 = 1 << 14;
    const TEXT: u8 = 3;
    let [text_mode] = data(0x449);
    let mut registers = Registers { eax: 0x4f02, ebx: u32::from(number) | LINEAR, ..Registers::default() };
    realmode::interrupt(0x10, &mut registers);
    let is_set = registers.ax() == SUCCESS;
    if is_set && TEXT_MODE.0.get().is_none() {
        // The others are graphics, or the monochrome adapter's.
        TEXT_MODE.0.set(Some(if text_mode < 4 { text_mode } else { TEXT }));
    }
    is_set
}

/// Whether pixels are shown.
pub fn shows_pixels() -> bool {
    TEXT_MODE.0.get().is_some()
}

/// Shows text again, if pixels are shown. The screen is clear then.
pub fn set_text_mode() {
    if let Some(mode) = TEXT_MODE.0.take() {
        let mut registers = Registers { eax: mode.into(), ..Registers::default() };
        realmode::interrupt(0x10, &mut registers);
    }
}

const SUCCESS: u16 = 0x004f;

/// A function of the extension that answers into `memory`; whether it could.
fn vbe(function: u32, bx: u32, cx: u16, memory: &LowMemory) -> bool {
    let mut registers = Registers {
        eax: 0x4f00 | function,
        ebx: bx,
        ecx: cx.into(),
        es: memory.far().segment,
        ..Registers::default()
    };
    realmode::interrupt(0x10, &mut registers);
    registers.ax() == SUCCESS
}

fn bytes_at<const LENGTH: usize>(memory: &LowMemory, place: usize) -> [u8; LENGTH] {
    let bytes = memory.bytes().get(place..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().unwrap_or([0; LENGTH])
}

/// Memory whose bytes are pixels.
#[derive(Debug)]
pub struct VideoMemory(PhysRange);

impl VideoMemory {
    /// The memory at an address that the BIOS named; none if that cannot be right: RAM, or what is not mapped.
    pub fn at(memory: &PhysicalMemory, address: u32, length: usize) -> Option<Self> {
        const PLACE: PhysRange = PhysRange::new(1 << 20, 4 << 30);
        let range = PhysRange::with_length(address.into(), length as u64);
        let mut regions = memory.map().regions().filter(|(region, _)| region.overlaps(range));
        let is_no_ram = regions.all(|(_, kind)| matches!(kind, Kind::Hole | Kind::Reserved));
        (PLACE.contains(range) && is_no_ram).then_some(Self(range))
    }

    /// Changes bytes from `offset` on; what would lie outside is left out.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let room = (self.0.length() as usize).saturating_sub(offset);
        // SAFETY: the range is mapped one to one, is nobody's memory by the map, and the copy stays within it.
        unsafe {
            ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                ptr::with_exposed_provenance_mut(self.0.start() as usize + offset),
                bytes.len().min(room),
            );
        }
    }
}
