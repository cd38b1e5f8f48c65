//! UDP (PXE 2.1 section 4.3).
//!
//! A program has no sockets: a port is listened on from the first time that it is written from or read at. Datagrams
//! that came meanwhile wait in the stack.

use super::memory::{Guarded, word};
use super::world::Network;
use crate::abi::Status;
use crate::abi::base_code::{UdpOpen, UdpRead, UdpWrite};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

/// The port that is sent from where the program names none.
const DEFAULT_PORT: u16 = 2069;
/// Ports that are listened on at once; another one takes the place of the oldest.
const PORTS: usize = 8;
/// Datagrams that are looked at in one call, for one to another address.
const LOOKS: u8 = 32;

/// The UDP of a program.
#[derive(Debug, Default)]
pub(super) struct Udp {
    is_open: bool,
    /// The oldest first.
    ports: Vec<u16>,
}

impl Udp {
    pub(super) fn open(&mut self, network: &mut dyn Network, block: &UdpOpen) -> Result<(), Status> {
        if self.is_open {
            return Err(Status::UDP_OPEN);
        }
        let address = Ipv4Addr::from(block.address);
        if !address.is_unspecified() && network.address() != Some(address) {
            if address.is_broadcast() || address.is_multicast() || address.is_loopback() {
                return Err(Status::INVALID_PARAMETER);
            }
            network.set_address(address)?;
        }
        self.is_open = true;
        Ok(())
    }

    pub(super) fn end(&mut self, network: &mut dyn Network) -> Result<(), Status> {
        self.require_open()?;
        self.close(network);
        Ok(())
    }

    pub(super) fn close(&mut self, network: &mut dyn Network) {
        for port in self.ports.drain(..) {
            network.udp_close(port);
        }
        self.is_open = false;
    }

    fn require_open(&self) -> Result<(), Status> {
        if self.is_open { Ok(()) } else { Err(Status::UDP_CLOSED) }
    }

    fn listen(&mut self, network: &mut dyn Network, port: u16) -> Result<(), Status> {
        if self.ports.contains(&port) {
            return Ok(());
        }
        if self.ports.len() >= PORTS {
            network.udp_close(self.ports.remove(0));
        }
        network.udp_open(port)?;
        self.ports.push(port);
        Ok(())
    }

    /// UDP_READ: the oldest datagram that fits what the program asks for; those to another address are dropped. What
    /// is longer than the buffer is cut. With no datagram there is no waiting, and the answer is FAILURE.
    pub(super) fn read(
        &mut self,
        network: &mut dyn Network,
        memory: &mut Guarded<'_>,
        block: &mut UdpRead,
    ) -> Result<(), Status> {
        self.require_open()?;
        let room = usize::from(block.size.get());
        memory.writable(block.buffer.into(), room)?;
        let wanted = Some(Ipv4Addr::from(block.destination)).filter(|address| !address.is_unspecified());
        let port = block.destination_port.get();
        if port != 0 {
            self.listen(network, port)?;
        }
        network.step();
        let mut looks = LOOKS;
        for &listened in self.ports.iter().filter(|listened| port == 0 || **listened == port) {
            let mut datagram = None;
            while looks > 0 && datagram.is_none() {
                let arrived = network.udp_receive(listened, &mut |arrived| {
                    if wanted.is_none_or(|wanted| wanted == arrived.to) {
                        let data = arrived.data.get(..room.min(arrived.data.len())).unwrap_or_default();
                        datagram = Some((arrived.from, arrived.to, data.to_vec()));
                    }
                });
                if !arrived {
                    break;
                }
                looks -= 1;
            }
            if let Some((from, to, data)) = datagram {
                memory.write(block.buffer.into(), &data)?;
                block.source = from.ip().octets();
                block.source_port = from.port().into();
                block.destination = to.octets();
                block.destination_port = listened.into();
                block.size = word(data.len()).into();
                return Ok(());
            }
        }
        Err(Status::FAILURE)
    }

    pub(super) fn write(
        &mut self,
        network: &mut dyn Network,
        memory: &Guarded<'_>,
        block: &UdpWrite,
    ) -> Result<(), Status> {
        self.require_open()?;
        let destination = Ipv4Addr::from(block.destination);
        let destination_port = block.destination_port.get();
        if destination.is_unspecified() || destination_port == 0 {
            return Err(Status::INVALID_PARAMETER);
        }
        let mut data = vec![0; block.size.get().into()];
        memory.read(block.buffer.into(), &mut data)?;
        let port = Some(block.source_port.get()).filter(|port| *port != 0).unwrap_or(DEFAULT_PORT);
        self.listen(network, port)?;
        let to = SocketAddrV4::new(destination, destination_port);
        network.udp_send(port, to, super::gateway(block.gateway), &data)
    }
}
