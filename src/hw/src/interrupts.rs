//! The real-mode interrupt table, and the only places where interrupts come in.

use base::SegOff;
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::low::{self, Symbol};
use crate::realmode::{self, Registers};

/// The handler of a vector. Vector 0 is read like the others.
pub fn vector(number: u8) -> SegOff {
    let mut bytes = [0; 4];
    low::read(u32::from(number) * 4, &mut bytes);
    let [a, b, c, d] = bytes;
    SegOff::new(u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b]))
}

/// A handler that is not the low block's own in the interrupt table.
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
        HOOKED.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

/// How many [`Hook`]s are in the table, or in the chain of one that was hooked after them.
static HOOKED: AtomicU8 = AtomicU8::new(0);

/// Whether there is any.
pub fn is_hooked() -> bool {
    HOOKED.load(Ordering::Relaxed) != 0
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
    HOOKED.fetch_add(1, Ordering::Relaxed);
    hook
}

/// A handler of the low block: in its vector, or, as long as one leads through it that was hooked later, in the chain.
#[derive(Clone, Copy)]
pub(crate) struct Chained {
    pub(crate) vector: u8,
    pub(crate) handler: Symbol,
    /// Variable: the handler that was there before; null while ours is not in the chain.
    pub(crate) previous: Symbol,
}

impl Chained {
    fn previous(&self) -> SegOff {
        // SAFETY: the symbol names a variable of this type.
        unsafe { self.previous.variable::<SegOff>().read() }
    }

    fn ours(&self) -> SegOff {
        SegOff::new(low::segment(), self.handler.offset())
    }

    /// Whether the vector leads to it, perhaps through others. It does not where the one before it was put back over us.
    pub(crate) fn is_chained(&self) -> bool {
        let previous = self.previous();
        previous != SegOff::default() && previous != vector(self.vector)
    }

    /// Whether nobody has hooked over it.
    pub(crate) fn is_on_top(&self) -> bool {
        vector(self.vector) == self.ours()
    }

    /// Puts our handler in, unless it is in the chain still: a second time it would be called by itself.
    pub(crate) fn hook(&self) {
        if self.is_chained() {
            return;
        }
        // SAFETY: the symbols name the handler, which hands on what it does not answer, and its variable. The low block
        // stays as long as the core, and longer where the hook cannot be taken off.
        unsafe {
            self.previous.variable().write(vector(self.vector));
            set_vector(self.vector, self.ours());
        }
    }

    /// Takes it off, if it is on top.
    pub(crate) fn unhook(&self) {
        if self.is_on_top() {
            // SAFETY: the handler put back is the one that was found, and the symbol names a variable of this type.
            unsafe {
                set_vector(self.vector, self.previous());
                self.previous.variable().write(SegOff::default());
            }
        }
    }
}

/// # Safety
/// `handler` is an interrupt handler, and `number` is not 0.
unsafe fn set_vector(number: u8, handler: SegOff) {
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
