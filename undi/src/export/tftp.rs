//! TFTP (PXE 2.1 section 4.2): one file at a time, packet by packet, or a whole file at once.

use super::memory::{Guarded, word};
use super::world::{FileHandle, Network, Source};
use crate::abi::Status;
use crate::abi::base_code::{FileName, TftpGetFileSize, TftpOpen, TftpRead, TftpReadFile};
use alloc::vec;
use base::PhysRange;
use base::text::cut_bytes;
use core::net::Ipv4Addr;
use zerocopy::{FromZeros, IntoBytes};

/// The port of TFTP servers.
const SERVER_PORT: u16 = 69;
/// A packet has at least so many bytes (PXE 2.1), and no more than pass without fragments.
const PACKET_SIZE: core::ops::RangeInclusive<u16> = 512..=1468;
/// Where programs lie.
const PROGRAM: u64 = 0x7c00;
const PROGRAM_END: u64 = 0xa_0000;
/// Bytes that are copied at once.
const CHUNK: usize = 16 * 1024;

/// The file that a program reads packet by packet.
#[derive(Debug, Default)]
pub(super) struct Tftp(Option<Connection>);

#[derive(Debug)]
struct Connection {
    file: FileHandle,
    packet_size: u16,
    number: u16,
}

impl Tftp {
    pub(super) fn open(&mut self, network: &mut dyn Network, block: &mut TftpOpen) -> Result<(), Status> {
        if self.0.is_some() {
            return Err(Status::TFTP_OPEN);
        }
        let packet_size = match block.packet_size.get() {
            0 => *PACKET_SIZE.start(),
            small if small < *PACKET_SIZE.start() => return Err(Status::TFTP_PACKET_SIZE),
            size => size.min(*PACKET_SIZE.end()),
        };
        let source = source(block.server, block.gateway, block.port.get(), &block.name, packet_size)?;
        let file = network.file_open(source)?;
        self.0 = Some(Connection { file, packet_size, number: 0 });
        block.packet_size = packet_size.into();
        Ok(())
    }

    pub(super) fn end(&mut self, network: &mut dyn Network) -> Result<(), Status> {
        if self.0.is_none() {
            return Err(Status::TFTP_CLOSED);
        }
        self.close(network);
        Ok(())
    }

    pub(super) fn close(&mut self, network: &mut dyn Network) {
        if let Some(connection) = self.0.take() {
            network.file_close(connection.file);
        }
    }

    /// TFTP_READ. The buffer has room for a packet, whatever BufferSize says: that is an output.
    pub(super) fn read(
        &mut self,
        network: &mut dyn Network,
        memory: &mut Guarded<'_>,
        block: &mut TftpRead,
    ) -> Result<(), Status> {
        let connection = self.0.as_mut().ok_or(Status::TFTP_CLOSED)?;
        memory.writable(block.buffer.into(), connection.packet_size.into())?;
        let mut packet = vec![0; connection.packet_size.into()];
        let length = network.file_read(connection.file, &mut packet)?.min(packet.len());
        packet.truncate(length);
        memory.write(block.buffer.into(), &packet)?;
        connection.number = connection.number.wrapping_add(1);
        block.number = connection.number.into();
        block.size = word(length).into();
        Ok(())
    }
}

/// TFTP_READ_FILE, and MTFTP_READ_FILE, which reads by itself what others would have been sent by multicast.
pub(super) fn read_file(
    network: &mut dyn Network,
    memory: &mut Guarded<'_>,
    block: &mut TftpReadFile,
) -> Result<(), Status> {
    let room = PhysRange::with_length(block.buffer.get().into(), block.size.get().into());
    if room.is_empty() {
        return Err(Status::INVALID_PARAMETER);
    }
    memory.writable_physical(room)?;
    let length = download(network, memory, block, room)?;
    block.size = u32::try_from(length).unwrap_or(u32::MAX).into();
    Ok(())
}

/// RESTART_TFTP: loads a program where programs lie. It may well lie over the parameters of the call.
pub(super) fn restart(network: &mut dyn Network, memory: &mut Guarded<'_>) -> Result<(), Status> {
    let mut block = TftpReadFile::new_zeroed();
    memory.begin(block.as_mut_bytes())?;
    memory.forget_block();
    match download(network, memory, &block, PhysRange::new(PROGRAM, PROGRAM_END)) {
        Ok(0) => Err(memory.refuse(Status::FAILURE)),
        Ok(_) => Ok(()),
        Err(status) => Err(memory.refuse(status)),
    }
}

/// TFTP_GET_FSIZE.
pub(super) fn file_size(network: &mut dyn Network, block: &mut TftpGetFileSize) -> Result<(), Status> {
    let source = source(block.server, block.gateway, 0, &block.name, *PACKET_SIZE.end())?;
    let file = network.file_open(source)?;
    let size = network.file_size(file).and_then(|size| u32::try_from(size).ok());
    network.file_close(file);
    block.size = size.ok_or(Status::TFTP_NO_SIZE)?.into();
    Ok(())
}

/// Reads a whole file into `room`; its bytes. Nothing is written of one that is known to be longer.
fn download(
    network: &mut dyn Network,
    memory: &mut Guarded<'_>,
    block: &TftpReadFile,
    room: PhysRange,
) -> Result<u64, Status> {
    let port = block.server_port.get();
    let source = source(block.server, block.gateway, port, &block.name, *PACKET_SIZE.end())?;
    let file = network.file_open(source)?;
    let result = copy(network, memory, file, room);
    network.file_close(file);
    result
}

fn copy(
    network: &mut dyn Network,
    memory: &mut Guarded<'_>,
    file: FileHandle,
    room: PhysRange,
) -> Result<u64, Status> {
    if network.file_size(file).is_some_and(|size| size > room.length()) {
        return Err(Status::OUT_OF_RESOURCES);
    }
    let mut chunk = vec![0; CHUNK];
    let mut place = room.start();
    loop {
        let length = network.file_read(file, &mut chunk)?.min(CHUNK);
        let data = chunk.get(..length).unwrap_or_default();
        let left = room.end().saturating_sub(place);
        if u64::try_from(length).unwrap_or(u64::MAX) > left {
            return Err(Status::OUT_OF_RESOURCES);
        }
        memory.write_physical(place, data)?;
        place = place.saturating_add(u64::try_from(length).unwrap_or(0));
        if length < CHUNK {
            return Ok(place.saturating_sub(room.start()));
        }
    }
}

fn source(
    server: [u8; 4],
    gateway: [u8; 4],
    port: u16,
    name: &FileName,
    packet_size: u16,
) -> Result<Source<'_>, Status> {
    let server = Ipv4Addr::from(server);
    let name = cut_bytes(name, 0).0;
    if server.is_unspecified() || name.is_empty() {
        return Err(Status::INVALID_PARAMETER);
    }
    let port = if port == 0 { SERVER_PORT } else { port };
    Ok(Source::Tftp { server, gateway: super::gateway(gateway), port, name, packet_size })
}
