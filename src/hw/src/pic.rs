//! The two 8259 interrupt controllers: masking lines. They are never remapped.

use x86::io;

const MASTER_DATA: u16 = 0x21;
const SLAVE_DATA: u16 = 0xa1;

/// Keeps interrupts of a line (0 to 15) from the processor.
pub fn mask(line: u8) {
    let (port, bit) = place(line);
    // SAFETY: the mask register takes any value.
    unsafe { io::outb(port, io::inb(port) | bit) }
}

/// Lets interrupts of a line through.
pub fn unmask(line: u8) {
    let (port, bit) = place(line);
    // SAFETY: the mask register takes any value.
    unsafe { io::outb(port, io::inb(port) & !bit) }
}

/// Whether a line is kept from the processor.
pub fn is_masked(line: u8) -> bool {
    masks() & 1 << (line & 15) != 0
}

/// The masks of all lines: bit n is set where line n is kept from the processor.
pub fn masks() -> u16 {
    // SAFETY: reading the mask registers changes nothing.
    unsafe { u16::from_le_bytes([io::inb(MASTER_DATA), io::inb(SLAVE_DATA)]) }
}

fn place(line: u8) -> (u16, u8) {
    let port = if line & 8 == 0 { MASTER_DATA } else { SLAVE_DATA };
    (port, 1 << (line & 7))
}
