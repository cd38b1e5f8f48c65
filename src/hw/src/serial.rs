//! A serial line: a UART of the kind 16550, at I/O ports (National Semiconductor, PC16550D).

use base::{Duration, Instant};
use core::cell::Cell;
use x86::io;

use crate::{bios, clock, interrupts};

/// Its registers, from its first port on.
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

/// Of the line status: a byte has come, and the next one may be sent.
const RECEIVED: u8 = 1 << 0;
const MAY_SEND: u8 = 1 << 5;
/// Of the modem control: what is sent is received, and nothing leaves.
const LOOP: u8 = 1 << 4;
/// A byte takes 10 ms at 1200 bits a second.
const SEND_LIMIT: Duration = Duration::from_millis(50);
/// The BIOS's own timer may be what sends: three of its ticks.
const ECHO_LIMIT: Duration = Duration::from_millis(165);

/// The line in use.
struct Line {
    /// Its first port; 0 for none.
    port: Cell<u16>,
    /// The BIOS shows its text screen there, too, and takes keys from there.
    is_mirror: Cell<bool>,
}

// SAFETY: there is one processor, and Rust is never interrupted.
unsafe impl Sync for Line {}

static LINE: Line = Line { port: Cell::new(0), is_mirror: Cell::new(false) };

/// Uses the UART at these ports, which the BIOS names as those of one, from now on: with eight bits, no parity, and the
/// clock of 115200 divided by `divisor`; without one, that stays as it is. False, and nothing changes, if no UART answers.
pub fn open(port: u16, divisor: Option<u8>) -> bool {
    let old = LINE.port.replace(port);
    let is_there = [0x55, 0xaa].into_iter().all(|byte| {
        write_register(SCRATCH, byte);
        read_register(SCRATCH) == byte
    });
    if !is_there {
        LINE.port.set(old);
        return false;
    }
    LINE.is_mirror.set(bios_sends());
    if LINE.is_mirror.get() {
        return true;
    }
    const DIVISOR_ACCESS: u8 = 1 << 7;
    const EIGHT_BITS: u8 = 3;
    const ENABLE_AND_CLEAR: u8 = 7;
    const READY: u8 = 3;
    write_register(INTERRUPT_ENABLE, 0);
    if let Some(divisor) = divisor {
        write_register(LINE_CONTROL, DIVISOR_ACCESS);
        write_register(DATA, divisor);
        write_register(INTERRUPT_ENABLE, 0);
        write_register(LINE_CONTROL, EIGHT_BITS);
    }
    write_register(FIFO_CONTROL, ENABLE_AND_CLEAR);
    write_register(MODEM_CONTROL, READY);
    true
}

/// Uses no line any more.
pub fn close() {
    LINE.port.set(0);
}

/// Sends, unless there is no line, or the text was printed by the BIOS and the BIOS sends it.
pub fn write(text: &[u8], is_printed: bool) {
    if is_printed && LINE.is_mirror.get() {
        return;
    }
    for byte in text {
        let limit = clock::now() + SEND_LIMIT;
        while LINE.port.get() != 0 && read_register(LINE_STATUS) & MAY_SEND == 0 {
            if clock::now() > limit {
                close();
            }
        }
        if LINE.port.get() == 0 {
            return;
        }
        write_register(DATA, *byte);
    }
}

/// A byte that has come and is not the BIOS's.
pub fn read() -> Option<u8> {
    let is_ours = LINE.port.get() != 0 && !LINE.is_mirror.get();
    (is_ours && read_register(LINE_STATUS) & RECEIVED != 0).then(|| read_register(DATA))
}

/// Whether the BIOS sends to this line what it prints. With the line looped back to itself, that comes in again, unless
/// the BIOS takes it, for a key.
fn bios_sends() -> bool {
    // A BIOS that sends from its timer is to be done with what was printed before.
    interrupts::nap();
    let (enabled, modem) = (read_register(INTERRUPT_ENABLE), read_register(MODEM_CONTROL));
    write_register(INTERRUPT_ENABLE, 0);
    write_register(MODEM_CONTROL, modem | LOOP);
    let has_come = || read_register(LINE_STATUS) & RECEIVED != 0;
    // What came before is nobody's; no UART holds more.
    let drain = || (0..64).for_each(|_| _ = has_come().then(|| read_register(DATA)));
    drain();
    bios::print(b".");
    let end: Instant = clock::now() + ECHO_LIMIT;
    let sends = loop {
        if has_come() || bios::key().is_some_and(|key| key.ascii == b'.') {
            break true;
        }
        if clock::now() >= end {
            break false;
        }
        interrupts::nap();
    };
    drain();
    write_register(MODEM_CONTROL, modem);
    write_register(INTERRUPT_ENABLE, enabled);
    bios::print(b"\r \r");
    sends
}

fn read_register(register: u16) -> u8 {
    // SAFETY: the ports are those of a UART by the word of the BIOS, and no register of a UART touches memory.
    unsafe { io::inb(LINE.port.get().wrapping_add(register)) }
}

fn write_register(register: u16, value: u8) {
    // SAFETY: as for reading.
    unsafe { io::outb(LINE.port.get().wrapping_add(register), value) }
}
