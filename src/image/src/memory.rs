//! Physical memory, as somebody else reaches it.

use base::PhysRange;

/// Physical memory below 4 GiB and above, by address.
///
/// The methods cannot fail: whoever calls them has planned with the memory map.
pub trait Memory {
    /// Fills `to` with the bytes from `from` on.
    fn read(&self, from: u64, to: &mut [u8]);

    /// Puts the bytes of `from` at `to`.
    fn write(&mut self, to: u64, from: &[u8]);

    /// Moves `length` bytes; the two ranges may overlap.
    fn copy(&mut self, from: u64, to: u64, length: u64);

    /// Makes all bytes of `range` zero.
    fn zero(&mut self, range: PhysRange);
}
