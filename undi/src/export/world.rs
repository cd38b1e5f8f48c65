//! What the services need of the machine: the program's memory, and the network.

use crate::abi::Status;
use crate::find;
use alloc::vec::Vec;
use base::{Instant, PhysRange};
use core::net::{Ipv4Addr, SocketAddrV4};
use nic::Nic;

/// Physical memory as the program that calls sees it. Which of it a call may write to is not decided here: that is
/// the [`Fence`](super::Fence)'s.
pub trait Memory: find::Memory {
    /// How a program that calls in 16-bit protected mode names memory; none in real mode.
    fn selectors(&self) -> Option<Selectors> {
        None
    }

    /// Writes all of `data` from the physical `address` on; false, and nothing written, where that is not all RAM.
    fn write(&mut self, address: u32, data: &[u8]) -> bool;
}

/// What segments of far pointers are in 16-bit protected mode (PXE 2.1 section 3.2): selectors of the caller's tables.
#[derive(Clone, Copy, Debug)]
pub struct Selectors {
    /// The caller's GDT.
    pub table: PhysRange,
    /// Its selector for its LDT; null if it has none.
    pub local: u16,
    /// What the caller has put into `!PXE` for our data, where our buffers are; null if it has put in nothing.
    pub data: u16,
}

/// Names a file that is open in the [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHandle(pub u32);

/// A file to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// By TFTP.
    Tftp {
        /// The server, never 0.0.0.0.
        server: Ipv4Addr,
        /// The way to it, where the program names one; a hint.
        gateway: Option<Ipv4Addr>,
        /// The server's port.
        port: u16,
        /// The name as the program gave it, not empty, without zeros; any other bytes.
        name: &'a [u8],
        /// The most bytes of a packet.
        packet_size: u16,
    },
    /// By its address, not empty, without zeros; any other bytes.
    Uri(&'a [u8]),
}

/// A datagram that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// To which of our addresses.
    pub to: Ipv4Addr,
    /// Its bytes.
    pub data: &'a [u8],
}

/// The packets of our DHCP exchange, as they went over the wire. An empty one is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// The DISCOVER that we sent last.
    pub discover: Vec<u8>,
    /// The ACK.
    pub ack: Vec<u8>,
    /// The answer of a proxyDHCP or boot server.
    pub reply: Vec<u8>,
}

/// The card, as an [`Undi`](super::Undi) acts on it.
///
/// # Invariants
/// An error is the status that the program is answered; it is never [`Status::SUCCESS`].
pub trait Card {
    /// Its driver. An UNDI opens and closes the card, and polls it, only while the program uses the UNDI.
    /// [`Status::FAILURE`] if there is none any more.
    fn nic(&mut self) -> Result<&mut dyn Nic, Status>;

    /// The time now.
    fn now(&self) -> Instant;

    /// Bits per second of the medium.
    fn speed(&mut self) -> u32;

    /// STOP_UNDI: gives up the driver, and our hooks on interrupts. [`Status::KEEP_UNDI`] or [`Status::KEEP_ALL`] if
    /// they are in use by others, as where somebody has hooked an interrupt over us.
    fn release(&mut self) -> Result<(), Status>;
}

/// The network above the card, as the services act on it.
///
/// # Invariants
/// Each method comes back within a bound of its own, said with it. Errors are those of [`Card`].
pub trait Network: Card {
    /// One round of card and stack; at most a few milliseconds.
    fn step(&mut self);

    /// The station's IP address.
    fn address(&self) -> Option<Ipv4Addr>;

    /// Uses another IP address; the rest of the configuration stays.
    fn set_address(&mut self, address: Ipv4Addr) -> Result<(), Status>;

    /// Runs the DHCP exchange anew and uses what it gives; at most a minute.
    fn configure(&mut self) -> Result<Packets, Status>;

    /// Receives datagrams for `port`, not 0, from now on, and keeps several. Success if it does so already.
    fn udp_open(&mut self, port: u16) -> Result<(), Status>;

    /// Receives none for `port` any more.
    fn udp_close(&mut self, port: u16);

    /// Sends a datagram from `port`, which is open. Waits at most 4 seconds until the neighbour is known;
    /// [`Status::ARP_TIMEOUT`] if it stays silent. `gateway` is the way there that the program names; a hint.
    fn udp_send(
        &mut self,
        port: u16,
        to: SocketAddrV4,
        gateway: Option<Ipv4Addr>,
        data: &[u8],
    ) -> Result<(), Status>;

    /// Lends the oldest datagram that came for `port` to `take`; false, without waiting, if there is none.
    fn udp_receive(&mut self, port: u16, take: &mut dyn FnMut(Datagram<'_>)) -> bool;

    /// Opens a file; comes back when its server has answered, or after at most a minute.
    fn file_open(&mut self, source: Source<'_>) -> Result<FileHandle, Status>;

    /// The file's bytes, if they are known.
    fn file_size(&mut self, file: FileHandle) -> Option<u64>;

    /// Whether [`file_read`](Self::file_read) of one byte comes back at once, with a byte, at the end of the file or
    /// with an error. Does a round of work on it, but takes no more from the server than there is a bound for: a
    /// program may ask for ever, and never read.
    fn file_ready(&mut self, file: FileHandle) -> bool;

    /// The next bytes of the file: as many as there is room for, fewer only at its end. At most a minute without
    /// a byte.
    fn file_read(&mut self, file: FileHandle, into: &mut [u8]) -> Result<usize, Status>;

    /// Closes the file.
    fn file_close(&mut self, file: FileHandle);

    /// Runs a line of our script language. This alone has no bound, and if it starts something it may not come back.
    fn execute(&mut self, command: &[u8]) -> Result<(), Status>;

    /// Whether the program that calls has its memory still: none of it was used for what a line has done. Otherwise it has
    /// ended, and the call must not return to it.
    fn has_program(&self) -> bool;
}
