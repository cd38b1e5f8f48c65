//! The last of what was said, kept where the exception dump finds it.

use core::cell::{Cell, UnsafeCell};

/// Bytes that are kept.
pub const CAPACITY: usize = 16 * 1024;

struct Log {
    bytes: UnsafeCell<[u8; CAPACITY]>,
    written: Cell<usize>,
}

// SAFETY: there is one processor, and Rust is never interrupted; an exception in between reads what is there.
unsafe impl Sync for Log {}

static LOG: Log = Log { bytes: UnsafeCell::new([0; CAPACITY]), written: Cell::new(0) };

/// Appends to the log; the oldest bytes make room.
pub fn append(text: &[u8]) {
    let start = LOG.written.get();
    // SAFETY: nobody holds a reference to the bytes: `last` gives its slices back before it returns.
    let bytes = unsafe { &mut *LOG.bytes.get() };
    for (offset, byte) in text.iter().enumerate() {
        if let Some(place) = bytes.get_mut((start + offset) % CAPACITY) {
            *place = *byte;
        }
    }
    LOG.written.set(start + text.len());
}

/// Hands the last `count` bytes, or all if there are fewer, to `take` in one or two pieces.
pub fn last(count: usize, take: &mut dyn FnMut(&[u8])) {
    let end = LOG.written.get();
    let start = end - count.min(end).min(CAPACITY);
    // SAFETY: `append` is not called while the slices are out: it is the firmware's printing that calls both.
    let bytes = unsafe { &*LOG.bytes.get() };
    let (from, to) = (start % CAPACITY, end % CAPACITY);
    if from < to {
        take(bytes.get(from..to).unwrap_or_default());
    } else if end > start {
        take(bytes.get(from..).unwrap_or_default());
        take(bytes.get(..to).unwrap_or_default());
    }
}
