//! The BIOS's screen and keyboard.

use core::ptr;

use crate::low::{self, Symbol, TEXT_BUFFER};
use crate::realmode::{self, Registers};

/// Prints bytes by INT 10h teletype output, one downcall for each 256.
pub fn print(text: &[u8]) {
    for piece in text.chunks(TEXT_BUFFER) {
        let buffer = Symbol::TextBuffer.address() as usize;
        let mut registers = Registers { ecx: piece.len() as u32, ..Registers::default() };
        // SAFETY: the buffer has room for a piece, and the routine prints so many bytes from it and returns.
        unsafe {
            ptr::copy_nonoverlapping(piece.as_ptr(), ptr::with_exposed_provenance_mut(buffer), piece.len());
            let _ = realmode::low_call(Symbol::Print.offset(), &mut registers, None);
        }
    }
}

/// A key as INT 16h reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiosKey {
    /// Scan code.
    pub scan_code: u8,
    /// ASCII code, 0 or E0h where the key has none.
    pub ascii: u8,
}

/// The next key, if one waits in the BIOS's buffer.
pub fn key() -> Option<BiosKey> {
    if !key_waits() {
        return None;
    }
    let mut registers = Registers { eax: 0x1000, ..Registers::default() };
    realmode::interrupt(0x16, &mut registers);
    let [ascii, scan_code] = registers.ax().to_le_bytes();
    Some(BiosKey { scan_code, ascii })
}

/// Whether a key waits, seen in the BIOS data area without a call: head and tail of the buffer differ.
pub fn key_waits() -> bool {
    let mut pointers = [0; 4];
    low::read(0x41a, &mut pointers);
    let [a, b, c, d] = pointers;
    [a, b] != [c, d]
}

/// Asks the BIOS itself whether a key waits: for BIOSes that fill their buffer only when asked.
pub fn ask_for_key() -> bool {
    let mut registers = Registers { eax: 0x1100, ..Registers::default() };
    realmode::interrupt(0x16, &mut registers);
    const ZERO: u32 = 1 << 6;
    registers.flags & ZERO == 0
}

/// The far pointer to `PXENV+` by INT 1Ah AX=5650h (PXE 2.1 section 4.4.5), if the BIOS has one.
pub fn pxe_installation_check() -> Option<base::SegOff> {
    let mut registers = Registers { eax: 0x5650, ..Registers::default() };
    realmode::interrupt(0x1a, &mut registers);
    (!registers.carry() && registers.ax() == 0x564e)
        .then(|| base::SegOff::new(registers.es, (registers.ebx & 0xffff) as u16))
}
