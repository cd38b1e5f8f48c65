//! Memory of the host that a driver and a device of the tests both reach at the same time.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use hw::device::{DeviceMemory, HOST_MEMORY_ADDRESS, Lies};

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What numbers in it are said to be.
    pub(crate) said: RefCell<Lies>,
    cells: Rc<[Cell<u8>]>,
    /// Copies that are shown, as long as the driver does nothing else.
    shown: Copies,
    /// A copy that the driver writes to, and where it belongs when the driver does anything else.
    lent: (usize, Vec<u8>),
}

/// A list that grows while its parts are borrowed.
#[derive(Debug, Default)]
struct Copies(OnceCell<(Vec<u8>, Box<Self>)>);

impl Shared {
    pub(crate) fn new(length: usize) -> Self {
        let cells = core::iter::repeat_n(Cell::new(0), length).collect();
        Self { said: RefCell::default(), cells, shown: Copies::default(), lent: (0, Vec::new()) }
    }

    /// The device's end.
    pub(crate) fn cells(&self) -> Rc<[Cell<u8>]> {
        Rc::clone(&self.cells)
    }

    fn end_loans(&mut self) {
        self.shown = Copies::default();
        let (offset, bytes) = core::mem::take(&mut self.lent);
        for (cell, byte) in self.cells[offset..].iter().zip(bytes) {
            cell.set(byte);
        }
    }

    fn copy(&self, offset: usize, length: usize) -> Vec<u8> {
        let cells = self.cells.get(offset..).and_then(|rest| rest.get(..length)).unwrap_or_default();
        cells.iter().map(Cell::get).collect()
    }

    fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        let cells = self.cells.get(offset..).and_then(|rest| rest.first_chunk::<N>());
        let cells = cells.filter(|_| offset.is_multiple_of(N));
        cells.map_or([0; N], |cells| cells.each_ref().map(Cell::get))
    }

    fn write(&mut self, offset: usize, value: &[u8]) {
        self.end_loans();
        assert!(offset.is_multiple_of(value.len()) && offset + value.len() <= self.cells.len(), "{offset:x}");
        self.lent = (offset, value.to_vec());
        self.end_loans();
    }
}

impl DeviceMemory for Shared {
    fn address(&self) -> u64 {
        HOST_MEMORY_ADDRESS
    }

    fn length(&self) -> usize {
        self.cells.len()
    }

    fn read16(&self, offset: usize) -> u16 {
        self.said.borrow_mut().instead_of(u16::from_le_bytes(self.read(offset)).into()) as u16
    }

    fn read32(&self, offset: usize) -> u32 {
        self.said.borrow_mut().instead_of(u32::from_le_bytes(self.read(offset)))
    }

    fn read64(&self, offset: usize) -> u64 {
        self.said.borrow_mut().instead_of_long(u64::from_le_bytes(self.read(offset)))
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
        let mut last = &self.shown;
        while let Some((_, next)) = last.0.get() {
            last = next;
        }
        &last.0.get_or_init(|| (self.copy(offset, length), Box::default())).0
    }

    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        self.end_loans();
        self.lent = (offset, self.copy(offset, length));
        &mut self.lent.1
    }
}
