//! The BIOS's screen and keyboard.

use core::ptr;

use crate::low::{self, Symbol, TEXT_BUFFER};
use crate::realmode::{self, Registers};

/// Prints bytes by INT 10h teletype output, one downcall for each 256, in the attributes that the screen has there.
pub fn print(text: &[u8]) {
    print_coloured(text, 0);
}

/// Prints characters with an attribute of VGA's text modes. Control characters must not be among them.
pub fn print_coloured(text: &[u8], attribute: u8) {
    for piece in text.chunks(TEXT_BUFFER) {
        let buffer = Symbol::TextBuffer.address() as usize;
        let mut registers =
            Registers { ebx: attribute.into(), ecx: piece.len() as u32, ..Registers::default() };
        // SAFETY: the buffer has room for a piece, and the routine prints so many bytes from it and returns.
        unsafe {
            ptr::copy_nonoverlapping(piece.as_ptr(), ptr::with_exposed_provenance_mut(buffer), piece.len());
            let _ = realmode::low_call(Symbol::Print.offset(), &mut registers, None);
        }
    }
}

/// Rows and columns of the screen, from the BIOS data area.
pub fn screen_size() -> (u8, u8) {
    let [last_row] = data(0x484);
    let [columns] = data(0x44a);
    (if last_row == 0 { 25 } else { last_row.saturating_add(1) }, if columns == 0 { 80 } else { columns })
}

/// Moves the cursor. Rows and columns count from 0; what lies outside the screen becomes its edge.
pub fn move_cursor(row: u8, column: u8) {
    let (rows, columns) = screen_size();
    let place = u16::from_be_bytes([row.min(rows - 1), column.min(columns - 1)]);
    video(0x0200, 0, 0, place);
}

/// Clears the screen to an attribute, by scrolling all of it out of itself. The corners are exact: a BIOS is known
/// that writes over its own variables where they lie outside (HP DL360p Gen8).
pub fn clear_screen(attribute: u8) {
    let (rows, columns) = screen_size();
    video(0x0600, u16::from_be_bytes([attribute, 0]), 0, u16::from_be_bytes([rows - 1, columns - 1]));
}

/// Shows or hides the cursor, which keeps its shape.
pub fn show_cursor(visible: bool) {
    const HIDDEN: u16 = 0x2000;
    let shape = u16::from_le_bytes(data(0x460)) & !HIDDEN;
    video(0x0100, 0, if visible { shape } else { shape | HIDDEN }, 0);
}

fn video(ax: u16, bx: u16, cx: u16, dx: u16) {
    let mut registers =
        Registers { eax: ax.into(), ebx: bx.into(), ecx: cx.into(), edx: dx.into(), ..Registers::default() };
    realmode::interrupt(0x10, &mut registers);
}

/// Bytes of the BIOS data area, by their linear address.
pub(crate) fn data<const LENGTH: usize>(address: u32) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    low::read(address, &mut bytes);
    bytes
}

/// The first KiB of the extended BIOS data area, and where it is.
pub fn extended_data() -> (u32, [u8; 1024]) {
    let address = u32::from(u16::from_le_bytes(data(0x40e))) << 4;
    (address, data(address))
}

/// The first I/O port of COM1 to COM4, by number.
pub fn serial_port(number: u64) -> Option<u16> {
    let place = u32::try_from(number).ok().filter(|number| (1..=4).contains(number))?;
    Some(u16::from_le_bytes(data(0x3fe + 2 * place))).filter(|port| *port != 0)
}

/// Whether the Alt key at the right is held down.
pub fn is_alt_gr_down() -> bool {
    let [keys] = data(0x496);
    keys & 1 << 3 != 0
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
    let [a, b, c, d] = data(0x41a);
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
