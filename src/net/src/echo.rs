//! Echo requests and their replies (ICMP, RFC 792): whether a host is there, and how far away.

use alloc::vec;
use base::Error;
use core::net::Ipv4Addr;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, IpAddress};

use crate::errors;
use crate::stack::{self, Stack};

/// The most bytes of data in a request: an Ethernet frame's, without the headers of IP and ICMP.
pub const ECHO_LIMIT: usize = 1472;

/// A request under way, and a reply or two that came in one round.
const SLOTS: usize = 4;
const CAPACITY: usize = 4 * 1500;

/// A reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// Who sent it.
    pub from: Ipv4Addr,
    /// The number of the request that it answers.
    pub sequence: u16,
    /// Bytes of data in it.
    pub length: usize,
    /// Whether these are the bytes that a request of that length has.
    pub is_intact: bool,
}

impl Stack {
    /// Begins to listen for replies. There is one listener at a time: the one before is closed.
    pub fn echo_open(&mut self) -> Result<(), Error> {
        self.echo_close();
        let buffer = || {
            let bytes = stack::memory(CAPACITY).ok_or_else(|| errors::NO_MEMORY.of("an ICMP socket"))?;
            Ok::<_, Error>(PacketBuffer::new(vec![PacketMetadata::EMPTY; SLOTS], bytes))
        };
        let mut socket = Socket::new(buffer()?, buffer()?);
        let identifier = self.random.port();
        // A fresh socket can be bound to any identifier.
        let _ = socket.bind(Endpoint::Ident(identifier));
        self.echo = Some((self.sockets.add(socket), identifier));
        Ok(())
    }

    /// Asks `destination` to send `length` bytes back, at most [`ECHO_LIMIT`]. A request that still waits for its
    /// neighbour's address makes this one be left out.
    pub fn echo_send(&mut self, destination: Ipv4Addr, sequence: u16, length: usize) -> Result<(), Error> {
        let Some((handle, identifier)) = self.echo else { return Ok(()) };
        let neighbour = self.next_hop(destination)?;
        self.neighbours.want(neighbour);
        let socket = self.sockets.get_mut::<Socket<'static>>(handle);
        let data = base::list(pattern().take(length.min(ECHO_LIMIT)));
        let request = Icmpv4Repr::EchoRequest { ident: identifier, seq_no: sequence, data: &data };
        if socket.send_queue() == 0
            && let Ok(packet) = socket.send(request.buffer_len(), IpAddress::Ipv4(destination))
        {
            // The sum is made when the packet goes out.
            request.emit(&mut Icmpv4Packet::new_unchecked(packet), &ChecksumCapabilities::ignored());
        }
        Ok(())
    }

    /// The next reply that came.
    pub fn echo_receive(&mut self) -> Option<EchoReply> {
        let socket = self.sockets.get_mut::<Socket<'static>>(self.echo?.0);
        loop {
            let (packet, IpAddress::Ipv4(from)) = socket.recv().ok()?;
            let Ok(packet) = Icmpv4Packet::new_checked(packet) else { continue };
            // Whoever asks us with the same identifier is answered elsewhere.
            if let Ok(Icmpv4Repr::EchoReply { seq_no: sequence, data, .. }) =
                Icmpv4Repr::parse(&packet, &ChecksumCapabilities::ignored())
            {
                let is_intact = data.iter().copied().eq(pattern().take(data.len()));
                return Some(EchoReply { from, sequence, length: data.len(), is_intact });
            }
        }
    }

    /// Listens no more.
    pub fn echo_close(&mut self) {
        if let Some((handle, _)) = self.echo.take() {
            self.sockets.remove(handle);
        }
    }
}

/// What requests are filled with.
fn pattern() -> impl Iterator<Item = u8> {
    (0..=u8::MAX).cycle()
}
