//! A copy of the interrupt table, put back when a card has written a frame over it.
//!
//! A card that finds no next descriptor takes address 0 for one, and writes a frame behind it. Drivers of vendors race with
//! their cards so: iPXE's for Intel 8255x clears the command of the last descriptor in its ring before it links the next
//! one (by its source). The interrupts that come after that lead into the frame's own bytes.

use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::ptr;

/// The table, and the BIOS's data behind it: as far as a descriptor of 16 bytes and the longest frame reach.
pub(crate) const LENGTH: usize = 0x600;

/// Where a frame is noticed: the vector of the overflow exception, which nobody hooks. The first bytes of a frame behind a
/// descriptor lie there, and some of every frame that lies at 0 itself.
pub const CANARY: usize = 4 * 0x04;

struct VectorCopy {
    bytes: UnsafeCell<[u32; LENGTH / 4]>,
    is_taken: Cell<bool>,
    restorations: Cell<u32>,
}

// SAFETY: there is one processor, and Rust is never interrupted.
unsafe impl Sync for VectorCopy {}

static COPY: VectorCopy = VectorCopy {
    bytes: UnsafeCell::new([0; LENGTH / 4]),
    is_taken: Cell::new(false),
    restorations: Cell::new(0),
};

/// Takes the copy anew, or puts the old one back if a frame lies over the table. From then on each downcall, and
/// whoever reads what lies there, looks for one first. Gives what is at [`CANARY`].
pub fn take() -> u32 {
    restore();
    // SAFETY: the copy has that length, and so has memory from 0 on; nobody holds a reference to the copy.
    unsafe { copy(0, COPY.bytes.get() as usize) };
    COPY.is_taken.set(true);
    canary()
}

/// Puts the copy back if a frame lies over the table, and ends what it is good for: something else may be there by right
/// now, vectors that a call of the ROM has hooked.
pub fn forget() {
    restore();
    COPY.is_taken.set(false);
}

/// How often the table was put back.
pub fn restorations() -> u32 {
    COPY.restorations.get()
}

/// Puts the table back if a frame lies over it. What the BIOS noted since the copy was taken, a key or a tick of its clock,
/// is lost, and so is a vector that a call of the ROM hooked while the frame came.
pub(crate) fn restore() {
    // SAFETY: nobody writes to the copy meanwhile.
    let expected = unsafe { (*COPY.bytes.get()).get(CANARY / 4).copied() };
    if COPY.is_taken.get() && expected != Some(canary()) {
        // SAFETY: the copy has that length. What is written was there before the frame: after what may change it by right, a
        // call of the ROM or another mark of base memory, the copy is forgotten, or made anew where the call was abandoned. A
        // watchdog that was hooked since is off by this, which it notices (`Chained::is_chained`).
        unsafe { copy(COPY.bytes.get() as usize, 0) };
        COPY.restorations.set(COPY.restorations.get().saturating_add(1));
    }
}

fn canary() -> u32 {
    // SAFETY: the interrupt table lies there.
    unsafe { ptr::with_exposed_provenance::<u32>(CANARY).read_volatile() }
}

/// By the processor's string instruction: address 0 is memory here, which Rust's pointers deny. Eight bytes at a time, as
/// each downcall of the pump waits for it.
///
/// # Safety
/// [`LENGTH`] bytes can be read at `from` and written at `to`, in whole u64.
unsafe fn copy(from: usize, to: usize) {
    // SAFETY: by contract of this function.
    unsafe {
        asm!("rep movsq", inout("rcx") LENGTH / 8 => _, inout("rsi") from => _, inout("rdi") to => _,
            options(nostack, preserves_flags));
    }
}
