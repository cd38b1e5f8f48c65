//! One device as its driver sees it: registers, configuration space, and memory that both reach.
//!
//! These are traits, so that a driver runs on the host as well, against a device of its tests that tries to break it.
//! On the machine, [`crate::pci::Function`] and [`crate::memory::DmaMemory`] are behind them.
//!
//! A device writes where its driver tells it to, past every check of the compiler. So a driver is trusted in one
//! thing: it tells the device of no address outside its own [`DeviceMemory`].

use base::Duration;
#[cfg(not(target_os = "none"))]
use core::cell::{Cell, RefCell};

/// A device on a bus.
///
/// What lies outside of the device's regions reads as all ones and is not written, like a device that is gone.
pub trait Device {
    /// Reads a register in the region of base address register `bar`, 0 to 5; `offset` in bytes, aligned.
    fn read8(&self, bar: u8, offset: u32) -> u8;
    /// As [`read8`](Self::read8).
    fn read16(&self, bar: u8, offset: u32) -> u16;
    /// As [`read8`](Self::read8).
    fn read32(&self, bar: u8, offset: u32) -> u32;
    /// Writes a register, as [`read8`](Self::read8) reads it.
    fn write8(&mut self, bar: u8, offset: u32, value: u8);
    /// As [`write8`](Self::write8).
    fn write16(&mut self, bar: u8, offset: u32, value: u16);
    /// As [`write8`](Self::write8).
    fn write32(&mut self, bar: u8, offset: u32, value: u32);
    /// Reads 32 bits of configuration space; `offset` in bytes, a multiple of 4. From 256 on it reads as all ones.
    fn read_configuration(&self, offset: u16) -> u32;
    /// Lets the device read and write memory, or keeps it from doing so. While it may, it has no interrupt line, whatever
    /// its driver forgets to mask: it is polled. Then the line is as it was before the driver had the device.
    fn set_bus_mastering(&mut self, is_on: bool);
    /// Waits; for lengths far below 50 ms.
    fn wait(&self, length: Duration);

    /// Waits until something is so, 20 ms at most: longer than any device takes for a reset. Whether it became so.
    fn becomes(&self, is_so: impl Fn(&Self) -> bool) -> bool
    where
        Self: Sized,
    {
        const STEPS: u32 = 200;
        const STEP: Duration = Duration::from_micros(100);
        (0..STEPS).any(|_| {
            let is_so = is_so(self);
            if !is_so {
                self.wait(STEP);
            }
            is_so
        })
    }
}

/// Memory that a device reads and writes while its driver holds it: contiguous, below 4 GiB, aligned to 4 KiB, and
/// zeroed when it was handed out. All offsets are in bytes. What lies outside, and what is not aligned to its own size,
/// reads as 0 and is not written.
///
/// Reads and writes happen in the order in which they are written down.
pub trait DeviceMemory {
    /// Where the device finds it.
    fn address(&self) -> u64;
    /// Bytes of it.
    fn length(&self) -> usize;
    /// Reads a number, little-endian.
    fn read16(&self, offset: usize) -> u16;
    /// As [`read16`](Self::read16).
    fn read32(&self, offset: usize) -> u32;
    /// As [`read16`](Self::read16).
    fn read64(&self, offset: usize) -> u64;
    /// Writes a number, as [`read16`](Self::read16) reads it.
    fn write16(&mut self, offset: usize, value: u16);
    /// As [`write16`](Self::write16).
    fn write32(&mut self, offset: usize, value: u32);
    /// As [`write16`](Self::write16).
    fn write64(&mut self, offset: usize, value: u64);
    /// Bytes that the device does not write to at present; empty if they are not all inside.
    fn bytes(&self, offset: usize, length: usize) -> &[u8];
    /// Bytes to be written, that the device does not look at at present; empty if they are not all inside.
    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8];
}

/// A device of a driver's tests: registers of all sizes are read and written in one place.
#[cfg(not(target_os = "none"))]
pub trait HostDevice {
    /// What all of them have.
    fn host(&self) -> &Host;
    /// As [`host`](Self::host).
    fn host_mut(&mut self) -> &mut Host;
    /// Reads a register of `size` bytes; what does not fit into them is cut off.
    fn read(&self, bar: u8, offset: u32, size: usize) -> u32;
    /// Writes a register of `size` bytes.
    fn write(&mut self, bar: u8, offset: u32, size: usize, value: u32);
    /// As [`Device::read_configuration`].
    fn configuration(&self, _offset: u16) -> u32 {
        0
    }
}

/// What all devices of tests have.
#[cfg(not(target_os = "none"))]
#[derive(Debug, Default)]
pub struct Host {
    /// What registers are said to have before they are read, the last one first.
    pub lies: RefCell<alloc::vec::Vec<u32>>,
    /// The device may read and write memory.
    pub is_master: bool,
    /// Microseconds that the driver has waited. A second is for ever.
    pub waited: Cell<u64>,
}

#[cfg(not(target_os = "none"))]
impl<T: HostDevice> Device for T {
    fn read8(&self, bar: u8, offset: u32) -> u8 {
        told(self, bar, offset, 1) as u8
    }

    fn read16(&self, bar: u8, offset: u32) -> u16 {
        told(self, bar, offset, 2) as u16
    }

    fn read32(&self, bar: u8, offset: u32) -> u32 {
        told(self, bar, offset, 4)
    }

    fn write8(&mut self, bar: u8, offset: u32, value: u8) {
        self.write(bar, offset, 1, value.into());
    }

    fn write16(&mut self, bar: u8, offset: u32, value: u16) {
        self.write(bar, offset, 2, value.into());
    }

    fn write32(&mut self, bar: u8, offset: u32, value: u32) {
        self.write(bar, offset, 4, value);
    }

    fn read_configuration(&self, offset: u16) -> u32 {
        self.configuration(offset)
    }

    fn set_bus_mastering(&mut self, is_on: bool) {
        self.host_mut().is_master = is_on;
    }

    fn wait(&self, length: Duration) {
        let waited = &self.host().waited;
        waited.set(waited.get() + length.as_micros());
        assert!(waited.get() < 1_000_000, "the driver waits for ever");
    }
}

/// What a device says: a lie, if it has one left.
#[cfg(not(target_os = "none"))]
fn told(device: &impl HostDevice, bar: u8, offset: u32, size: usize) -> u32 {
    let lie = device.host().lies.borrow_mut().pop();
    lie.unwrap_or_else(|| device.read(bar, offset, size))
}

/// What a device of tests says in place of what is so, now and then: by bytes, whose upper two bits say what, and whose
/// others how often. The truth is what it says when they have ended.
#[cfg(not(target_os = "none"))]
#[derive(Debug, Default)]
pub struct Lies {
    input: alloc::vec::Vec<u8>,
    at: usize,
    lie: Option<u32>,
    left: u8,
}

#[cfg(not(target_os = "none"))]
impl Lies {
    /// By these bytes.
    pub fn new(input: &[u8]) -> Self {
        Self { input: input.to_vec(), ..Self::default() }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.input.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// What is said in place of that.
    pub fn instead_of(&mut self, truth: u32) -> u32 {
        if self.left == 0 {
            let Some(kind) = self.next() else { return truth };
            self.left = (kind & 0x3f) + 1;
            self.lie = match kind >> 6 {
                0 => None,
                1 => Some(0),
                2 => Some(u32::MAX),
                _ => Some(u32::from_le_bytes([(); 4].map(|()| self.next().unwrap_or_default()))),
            };
        }
        self.left -= 1;
        let said = self.lie.unwrap_or(truth);
        // The next look finds the next bit.
        self.lie = self.lie.map(|lie| lie.rotate_right(1));
        said
    }

    /// The same for a number of two halves, the low one first.
    pub fn instead_of_long(&mut self, truth: u64) -> u64 {
        let [low, high] = [truth as u32, (truth >> 32) as u32].map(|half| u64::from(self.instead_of(half)));
        low | high << 32
    }
}

/// Memory of the host, for the tests of drivers.
#[cfg(not(target_os = "none"))]
#[derive(Clone, Debug)]
pub struct HostMemory(pub alloc::vec::Vec<u8>);

/// Where a device is told that [`HostMemory`] lies.
#[cfg(not(target_os = "none"))]
pub const HOST_MEMORY_ADDRESS: u64 = 0x10_0000;

#[cfg(not(target_os = "none"))]
impl HostMemory {
    fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        let number = self.bytes(offset, N).try_into().ok();
        number.filter(|_| offset.is_multiple_of(N)).unwrap_or([0; N])
    }

    fn write(&mut self, offset: usize, value: &[u8]) {
        let is_aligned = offset.is_multiple_of(value.len());
        let target = self.bytes_mut(offset, if is_aligned { value.len() } else { 0 });
        if target.len() == value.len() {
            target.copy_from_slice(value);
        }
    }
}

#[cfg(not(target_os = "none"))]
impl DeviceMemory for HostMemory {
    fn address(&self) -> u64 {
        HOST_MEMORY_ADDRESS
    }

    fn length(&self) -> usize {
        self.0.len()
    }

    fn read16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.read(offset))
    }

    fn read32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.read(offset))
    }

    fn read64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.read(offset))
    }

    fn write16(&mut self, offset: usize, value: u16) {
        self.write(offset, &value.to_le_bytes());
    }

    fn write32(&mut self, offset: usize, value: u32) {
        self.write(offset, &value.to_le_bytes());
    }

    fn write64(&mut self, offset: usize, value: u64) {
        self.write(offset, &value.to_le_bytes());
    }

    fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        self.0.get(offset..).and_then(|rest| rest.get(..length)).unwrap_or_default()
    }

    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        self.0.get_mut(offset..).and_then(|rest| rest.get_mut(..length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Clock(Host);

    impl HostDevice for Clock {
        fn host(&self) -> &Host {
            &self.0
        }

        fn host_mut(&mut self) -> &mut Host {
            &mut self.0
        }

        fn read(&self, _: u8, _: u32, _: usize) -> u32 {
            self.0.waited.get() as u32
        }

        fn write(&mut self, _: u8, _: u32, _: usize, _: u32) {}
    }

    #[test]
    fn waiting_ends_when_it_may_and_after_20_ms() {
        let device = Clock::default();
        assert!(device.becomes(|device| device.read32(0, 0) >= 1500));
        assert_eq!(device.0.waited.get(), 1500);
        assert!(!device.becomes(|_| false));
        assert_eq!(device.0.waited.get(), 21_500);
    }
}
