//! The real-mode interrupt table, and the only places where interrupts come in.

use base::SegOff;
use core::ptr;

use crate::low::{self, Symbol};
use crate::realmode::{self, Registers};

/// The handler of a vector. Vector 0 is read like the others.
pub fn vector(number: u8) -> SegOff {
    let mut bytes = [0; 4];
    low::read(u32::from(number) * 4, &mut bytes);
    let [a, b, c, d] = bytes;
    SegOff::new(u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b]))
}

/// A handler of ours in the interrupt table.
#[derive(Debug)]
#[must_use]
pub struct Hook {
    vector: u8,
    ours: SegOff,
    previous: SegOff,
}

impl Hook {
    /// The handler that was there before.
    pub fn previous(&self) -> SegOff {
        self.previous
    }

    /// Puts the handler back that was there before. If somebody hooked after us, nothing is changed and the hook
    /// comes back.
    pub fn remove(self) -> Result<(), Self> {
        if vector(self.vector) != self.ours {
            return Err(self);
        }
        // SAFETY: the handler put back is the one that was found there.
        unsafe { set_vector(self.vector, self.previous) };
        Ok(())
    }
}

/// Puts a handler of the low block into the interrupt table.
///
/// # Safety
/// There is an interrupt handler at that offset of the low block, and it stays valid until the hook is removed.
/// `number` is not 0.
pub unsafe fn hook(number: u8, handler: u16) -> Hook {
    let hook = Hook { vector: number, ours: SegOff::new(low::segment(), handler), previous: vector(number) };
    // SAFETY: by contract of this function.
    unsafe { set_vector(number, hook.ours) };
    hook
}

/// # Safety
/// `handler` is an interrupt handler, and `number` is not 0.
pub(crate) unsafe fn set_vector(number: u8, handler: SegOff) {
    let entry = ptr::with_exposed_provenance_mut::<SegOff>(usize::from(number) * 4);
    // SAFETY: the interrupt table lies at 0, one far pointer for each vector.
    unsafe { entry.write_volatile(handler) }
}

/// Lets waiting interrupts in, once.
pub fn window() {
    // SAFETY: the routine opens and closes interrupts and returns.
    let _ = unsafe { realmode::low_call(Symbol::Window.offset(), &mut Registers::default(), None) };
}

/// Waits for the next interrupt; the BIOS timer brings one every 55 ms.
pub fn nap() {
    // SAFETY: the routine waits for one interrupt and returns.
    let _ = unsafe { realmode::low_call(Symbol::Nap.offset(), &mut Registers::default(), None) };
}
