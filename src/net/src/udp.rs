//! UDP sockets.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use base::Error;
use core::net::{Ipv4Addr, SocketAddrV4};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket, UdpMetadata};
use smoltcp::wire::{IpAddress, IpEndpoint};

use crate::stack::Stack;
use crate::{errors, stack};

/// Datagrams and bytes that one socket can have waiting to be sent.
const SEND_DATAGRAMS: usize = 8;
const SEND_CAPACITY: usize = 8 * 1024;
/// The receive buffer has a slot for each so many bytes: the smallest block of TFTP fills one.
const BYTES_PER_SLOT: usize = 512;
/// The most bytes that a receive buffer may have.
const RECEIVE_LIMIT: usize = 4 << 20;

/// Names a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpHandle(u32);

/// What belongs to a UDP socket on our side.
pub(crate) struct Endpoint {
    handle: UdpHandle,
    socket: SocketHandle,
    port: u16,
    is_unbound: bool,
    /// Datagrams for neighbours that are still asked for: one that is silent must not stop those behind it.
    waiting: Vec<Waiting>,
}

struct Waiting {
    neighbour: Ipv4Addr,
    destination: SocketAddrV4,
    data: Box<[u8]>,
}

impl Endpoint {
    pub(crate) fn is_unbound(&self) -> bool {
        self.is_unbound
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Stack {
    /// Opens a socket on `local_port`, or on a port that nobody can foresee if that is 0. `receive_capacity` bytes of
    /// datagrams can wait to be read: for TFTP a whole window of blocks and a bit.
    pub fn udp_open(&mut self, local_port: u16, receive_capacity: usize) -> Result<UdpHandle, Error> {
        self.open(local_port, receive_capacity, false)
    }

    /// Opens a socket that works without an address, for DHCP: it also takes datagrams to any address if they are
    /// sent to our card, and what it sends to 255.255.255.255 comes from 0.0.0.0 always (RFC 2131 section 4.1).
    pub fn udp_open_unbound(&mut self, local_port: u16, receive_capacity: usize) -> Result<UdpHandle, Error> {
        self.open(local_port, receive_capacity, true)
    }

    /// The socket's local port; 0 if it is closed.
    pub fn udp_port(&self, handle: UdpHandle) -> u16 {
        self.place(handle).and_then(|place| self.endpoints.get(place)).map_or(0, Endpoint::port)
    }

    /// Takes one datagram to be sent. False if it cannot be sent now: too many are waiting, it is too long, the
    /// socket is closed, there is no address or no way to the destination.
    pub fn udp_send(&mut self, handle: UdpHandle, destination: SocketAddrV4, data: &[u8]) -> bool {
        let Some(index) = self.place(handle) else { return false };
        let next_hop = if destination.ip().is_multicast() || self.is_broadcast(*destination.ip()) {
            None
        } else {
            let Ok(neighbour) = self.next_hop(*destination.ip()) else {
                return false;
            };
            Some(neighbour)
        };
        let Self { sockets, endpoints, neighbours, configuration, .. } = self;
        let Some(endpoint) = endpoints.get_mut(index) else {
            return false;
        };
        if let Some(neighbour) = next_hop {
            neighbours.want(neighbour);
            if !neighbours.is_known(neighbour) {
                // The oldest is the least likely to be of use still.
                if endpoint.waiting.len() >= SEND_DATAGRAMS {
                    endpoint.waiting.remove(0);
                }
                endpoint.waiting.push(Waiting { neighbour, destination, data: data.into() });
                return true;
            }
        }
        let source = if endpoint.is_unbound && destination.ip().is_broadcast() {
            Ipv4Addr::UNSPECIFIED
        } else if let Some(configuration) = configuration {
            configuration.address
        } else {
            return false;
        };
        send(sockets.get_mut(endpoint.socket), source, destination, data)
    }

    /// Lends the oldest datagram that was received to `take`, with its sender and the address that it was sent to. False
    /// if there is none.
    pub fn udp_receive(
        &mut self,
        handle: UdpHandle,
        take: &mut dyn FnMut(SocketAddrV4, Ipv4Addr, &[u8]),
    ) -> bool {
        let Some(endpoint) = self.place(handle).and_then(|place| self.endpoints.get(place)) else {
            return false;
        };
        let Ok((data, metadata)) = self.sockets.get_mut::<Socket<'static>>(endpoint.socket).recv() else {
            return false;
        };
        let IpAddress::Ipv4(address) = metadata.endpoint.addr;
        let to = metadata.local_address.map_or(Ipv4Addr::UNSPECIFIED, |IpAddress::Ipv4(to)| to);
        take(SocketAddrV4::new(address, metadata.endpoint.port), to, data);
        true
    }

    /// Closes the socket. What waits to be sent or read is lost.
    pub fn udp_close(&mut self, handle: UdpHandle) {
        if let Some(index) = self.place(handle) {
            let endpoint = self.endpoints.swap_remove(index);
            self.sockets.remove(endpoint.socket);
        }
    }

    /// Sends the datagrams whose neighbour has answered meanwhile, and drops those whose neighbour is given up.
    pub(crate) fn send_waiting_datagrams(&mut self) {
        let Self { sockets, endpoints, neighbours, configuration, .. } = self;
        let source = configuration.as_ref().map(|configuration| configuration.address);
        for endpoint in endpoints {
            let socket = sockets.get_mut::<Socket<'static>>(endpoint.socket);
            endpoint.waiting.retain(|waiting| {
                let known = neighbours.is_known(waiting.neighbour);
                if let Some(source) = source
                    && known
                {
                    send(socket, source, waiting.destination, &waiting.data);
                }
                !known && neighbours.is_asked_for(waiting.neighbour)
            });
        }
    }

    /// Where the socket is among the others.
    fn place(&self, handle: UdpHandle) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.handle == handle)
    }

    fn open(
        &mut self,
        local_port: u16,
        receive_capacity: usize,
        is_unbound: bool,
    ) -> Result<UdpHandle, Error> {
        let port = if local_port == 0 { self.free_udp_port() } else { local_port };
        let mut socket = Socket::new(
            buffer(receive_capacity / BYTES_PER_SLOT + 4, receive_capacity.min(RECEIVE_LIMIT))?,
            buffer(SEND_DATAGRAMS, SEND_CAPACITY)?,
        );
        if self.endpoints.iter().any(|endpoint| endpoint.port == port) || socket.bind(port).is_err() {
            return Err(errors::PORT_IN_USE.of(port.to_string()));
        }
        let handle = UdpHandle(self.new_handle());
        let socket = self.sockets.add(socket);
        self.endpoints.push(Endpoint { handle, socket, port, is_unbound, waiting: Vec::new() });
        Ok(handle)
    }

    fn free_udp_port(&mut self) -> u16 {
        loop {
            let port = self.random.port();
            if !self.endpoints.iter().any(|endpoint| endpoint.port == port) {
                return port;
            }
        }
    }
}

fn send(socket: &mut Socket<'static>, source: Ipv4Addr, destination: SocketAddrV4, data: &[u8]) -> bool {
    let endpoint = IpEndpoint::new(IpAddress::Ipv4(*destination.ip()), destination.port());
    let mut metadata = UdpMetadata::from(endpoint);
    metadata.local_address = Some(IpAddress::Ipv4(source));
    socket.send_slice(data, metadata).is_ok()
}

fn buffer(datagrams: usize, bytes: usize) -> Result<PacketBuffer<'static>, Error> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(datagrams).map_err(|_| errors::NO_MEMORY.of("a UDP socket"))?;
    slots.resize(datagrams, PacketMetadata::EMPTY);
    let bytes = stack::memory(bytes).ok_or_else(|| errors::NO_MEMORY.of("a UDP socket"))?;
    Ok(PacketBuffer::new(slots, bytes))
}
