//! The heap of the core: a talc allocator over one range of memory, or more.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use talc::base::binning::DefaultBinning;
use talc::cell::TalcCell;
use talc::source::Manual;

struct Heap(TalcCell<Manual, DefaultBinning>);

// SAFETY: there is one processor, and Rust is never interrupted: no two calls are under way at a time.
unsafe impl Sync for Heap {}

// SAFETY: the allocator inside does the work, and keeps what the trait asks.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the trait's contract.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the trait's contract.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, length: usize) -> *mut u8 {
        // SAFETY: the caller keeps the trait's contract.
        unsafe { self.0.realloc(pointer, layout, length) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap(TalcCell::new(Manual));

/// Gives the heap memory.
///
/// # Safety
/// The range is mapped one to one and nobody else's, for ever.
pub(crate) unsafe fn add(start: u64, length: usize) {
    // SAFETY: by contract of this function.
    let _ = unsafe { HEAP.0.claim(ptr::with_exposed_provenance_mut(start as usize), length) };
}
