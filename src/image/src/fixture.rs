//! A machine's memory and small kernels, for the tests.

use crate::Memory;
use crate::bzimage::field;
use alloc::vec;
use alloc::vec::Vec;
use base::PhysRange;

/// Memory from address 0 on. Any access elsewhere ends the test.
pub(crate) struct Ram {
    pub(crate) bytes: Vec<u8>,
    /// Bytes that were copied, written by pieces included.
    pub(crate) moved: u64,
}

impl Ram {
    pub(crate) fn new(length: usize) -> Self {
        Self { bytes: vec![0xee; length], moved: 0 }
    }

    pub(crate) fn slice(&self, range: PhysRange) -> &[u8] {
        &self.bytes[range.start() as usize..range.end() as usize]
    }
}

impl Memory for Ram {
    fn read(&self, from: u64, to: &mut [u8]) {
        to.copy_from_slice(&self.bytes[from as usize..][..to.len()]);
    }

    fn write(&mut self, to: u64, from: &[u8]) {
        assert!(!from.is_empty());
        self.moved += from.len() as u64;
        self.bytes[to as usize..][..from.len()].copy_from_slice(from);
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        assert!(length != 0);
        self.moved += length;
        self.bytes.copy_within(from as usize..(from + length) as usize, to as usize);
    }

    fn zero(&mut self, range: PhysRange) {
        assert!(!range.is_empty());
        self.bytes[range.start() as usize..range.end() as usize].fill(0);
    }
}

/// A file of a kernel, field by field.
#[derive(Clone)]
pub(crate) struct File(pub(crate) Vec<u8>);

impl File {
    /// A kernel of today: protocol 2.15, relocatable, wants 64 KiB at `preferred`.
    pub(crate) fn new(setup_sects: u8, protected_length: usize, preferred: u64) -> Self {
        let length = (usize::from(setup_sects) + 1) * 512 + protected_length;
        let bytes = (0..length).map(|index| (index % 251) as u8).collect();
        Self(bytes)
            .with(field::SETUP_SECTS, &[setup_sects])
            .with(field::SYSSIZE, &(protected_length.div_ceil(16) as u32).to_le_bytes())
            .with(field::BOOT_FLAG, &[0x55, 0xaa])
            .with(field::HEADER, b"HdrS")
            .version(0x20f)
            .with(field::LOADFLAGS, &[1])
            .with(field::INITRD_ADDR_MAX, &0x7fff_ffffu32.to_le_bytes())
            .with(field::KERNEL_ALIGNMENT, &0x1_0000u32.to_le_bytes())
            .with(field::RELOCATABLE_KERNEL, &[1])
            .with(field::CMDLINE_SIZE, &2047u32.to_le_bytes())
            .with(field::PREF_ADDRESS, &preferred.to_le_bytes())
            .with(field::INIT_SIZE, &0x1_0000u32.to_le_bytes())
    }

    pub(crate) fn version(self, version: u16) -> Self {
        self.with(field::VERSION, &version.to_le_bytes())
    }

    pub(crate) fn with(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }
}
