//! Where the bytes of a transfer go.

use crate::Error;

/// Takes the bytes of one transfer, in order.
///
/// A protocol announces the length when the server names it, writes each byte once, and starts over only where
/// what it has cannot be continued.
pub trait Sink {
    /// The transfer will have `length` bytes in all. Said at most once before the first byte, and again after
    /// [`restart`](Self::restart). An error ends the transfer: no room, or more than is allowed.
    fn announce(&mut self, length: u64) -> Result<(), Error>;

    /// The next bytes.
    fn write(&mut self, data: &[u8]) -> Result<(), Error>;

    /// Forget all bytes: the transfer begins again at zero.
    fn restart(&mut self);
}

impl Sink for alloc::vec::Vec<u8> {
    fn announce(&mut self, _length: u64) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.extend_from_slice(data);
        Ok(())
    }

    fn restart(&mut self) {
        self.clear();
    }
}
