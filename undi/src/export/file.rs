//! The calls of iPXE that read files by their addresses, and run commands.

use super::memory::{Guarded, word};
use super::world::{FileHandle, Network, Source};
use crate::abi::Status;
use crate::abi::file::{
    API_CHECK_IN, API_CHECK_OUT, API_PROVIDER, FileApiCheck, FileClose, FileCommandLine, FileExec, FileOpen,
    FileRead, FileSelect, GetFileSize, READY_TO_READ,
};
use alloc::vec;
use alloc::vec::Vec;

/// Files that a program can have open.
const FILES: usize = 8;
/// The most bytes of an address or a command.
const TEXT: usize = 2048;
/// Bit n for the call e0h + n: all nine but FILE_EXIT_HOOK, by which a program would return to those whom we came from.
const MASK: u32 = 0b1_0111_1111;

/// The open files of a program.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: Vec<(u16, FileHandle)>,
    next: u16,
}

impl Files {
    fn file(&self, handle: u16) -> Result<FileHandle, Status> {
        let found = self.open.iter().find(|(other, _)| *other == handle);
        found.map(|(_, file)| *file).ok_or(Status::INVALID_PARAMETER)
    }

    pub(super) fn close_all(&mut self, network: &mut dyn Network) {
        for (_, file) in self.open.drain(..) {
            network.file_close(file);
        }
    }

    pub(super) fn open(
        &mut self,
        network: &mut dyn Network,
        memory: &Guarded<'_>,
        block: &mut FileOpen,
    ) -> Result<(), Status> {
        if self.open.len() >= FILES {
            return Err(Status::OUT_OF_RESOURCES);
        }
        let uri = memory.read_text(block.name.into(), TEXT)?;
        let file = network.file_open(Source::Uri(&uri))?;
        // There is a free one among so many.
        while self.file(self.next).is_ok() {
            self.next = self.next.wrapping_add(1);
        }
        self.open.push((self.next, file));
        block.handle = self.next.into();
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    pub(super) fn close(&mut self, network: &mut dyn Network, block: &FileClose) -> Result<(), Status> {
        network.file_close(self.file(block.handle.get())?);
        self.open.retain(|(handle, _)| *handle != block.handle.get());
        Ok(())
    }

    pub(super) fn select(&self, network: &mut dyn Network, block: &mut FileSelect) -> Result<(), Status> {
        let is_ready = network.file_ready(self.file(block.handle.get())?);
        block.ready = if is_ready { READY_TO_READ } else { 0 }.into();
        Ok(())
    }

    /// FILE_READ: what is there; [`Status::TFTP_OPEN`] if the next bytes have not come yet.
    pub(super) fn read(
        &self,
        network: &mut dyn Network,
        memory: &mut Guarded<'_>,
        block: &mut FileRead,
    ) -> Result<(), Status> {
        let file = self.file(block.handle.get())?;
        let room = usize::from(block.size.get());
        memory.writable(block.buffer.into(), room)?;
        if !network.file_ready(file) {
            return Err(Status::TFTP_OPEN);
        }
        let mut data = vec![0; room];
        let length = network.file_read(file, &mut data)?.min(room);
        data.truncate(length);
        memory.write(block.buffer.into(), &data)?;
        block.size = word(length).into();
        Ok(())
    }

    pub(super) fn size(&self, network: &mut dyn Network, block: &mut GetFileSize) -> Result<(), Status> {
        let size = network.file_size(self.file(block.handle.get())?);
        block.size = size.and_then(|size| u32::try_from(size).ok()).ok_or(Status::TFTP_NO_SIZE)?.into();
        Ok(())
    }
}

/// FILE_EXEC: where the command has taken the program's memory, nothing of it is written to.
pub(super) fn execute(
    network: &mut dyn Network,
    memory: &mut Guarded<'_>,
    block: &FileExec,
) -> Result<(), Status> {
    let command = memory.read_text(block.command.into(), TEXT)?;
    let result = network.execute(&command);
    if !network.has_program() {
        memory.forget_block();
    }
    result
}

/// FILE_API_CHECK.
pub(super) fn check(block: &mut FileApiCheck) -> Result<(), Status> {
    if block.magic.get() != API_CHECK_IN {
        return Err(Status::BAD_FUNCTION);
    }
    if usize::from(block.size.get()) < size_of::<FileApiCheck>() {
        return Err(Status::OUT_OF_RESOURCES);
    }
    *block = FileApiCheck {
        size: word(size_of::<FileApiCheck>()).into(),
        magic: API_CHECK_OUT.into(),
        provider: API_PROVIDER.into(),
        mask: MASK.into(),
        ..FileApiCheck::default()
    };
    Ok(())
}

/// FILE_CMDLINE: as much of the arguments as there is room for, and how long they are.
pub(super) fn command_line(
    memory: &mut Guarded<'_>,
    arguments: &[u8],
    block: &mut FileCommandLine,
) -> Result<(), Status> {
    let mut text = arguments.to_vec();
    if !text.is_empty() {
        text.push(0);
    }
    let whole = text.len();
    text.truncate(block.size.get().into());
    memory.write(block.buffer.into(), &text)?;
    block.size = word(whole).into();
    Ok(())
}
