//! The network as the firmware uses it: one card, its stack, and the DHCP exchange in the background.
//!
//! There is one stack, so one of the card's devices, which are the card itself and its VLANs, has the network at a time:
//! the one that `dhcp` names last. A connection to another one's subnet gives it the network, and when a device is closed,
//! another one that has an address gets it. Addresses are kept meanwhile; connections are not.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use base::address::are_near;
use base::{Duration, Error, Instant, MacAddress, earliest};
use core::net::{Ipv4Addr, SocketAddrV4};
use dhcp::{Client, Lease};
use link::{Port, Tag};
use net::{Ipv4Config, Stack, TcpHandle, UdpHandle};
use nic::Nic;

use crate::drivers::{self, Card};
use crate::machine::Machine;
use crate::vendor;

/// The card and everything above it.
pub(crate) struct Network {
    pub(crate) port: Box<Port<Card>>,
    pub(crate) stack: Stack,
    /// The exchange that runs, or whose result nobody has taken yet.
    pub(crate) exchange: Option<Exchange>,
    /// The device that has the network.
    pub(crate) device: Device,
    /// The others; the one that had the network last at the end.
    pub(crate) waiting: Vec<Device>,
    /// A connection to a web server that can carry another request.
    pub(crate) idle: Option<IdleConnection>,
    /// The card does not answer any more.
    pub(crate) failure: Option<Error>,
}

/// The card itself, or a VLAN of it.
#[derive(Default)]
pub(crate) struct Device {
    /// `net0`, or `net0-100`.
    pub(crate) name: String,
    /// The tag of its frames, if it is a VLAN.
    pub(crate) tag: Option<Tag>,
    /// The address that it has, and all that came with it.
    pub(crate) lease: Option<Rc<Lease>>,
}

impl Device {
    /// Whether an address is in its subnet.
    fn is_near(&self, address: Ipv4Addr) -> bool {
        self.lease.as_ref().is_some_and(|lease| are_near(address, lease.address, lease.prefix_length))
    }
}

/// What a tag takes of a packet's bytes: some ROMs have room for 1514 bytes of a frame and cut longer ones, all of the
/// emulator among them.
const TAG_LENGTH: u16 = 4;

/// The card itself, as a device.
pub(crate) const CARD: &str = "net0";

/// A DHCP exchange and its socket.
pub(crate) struct Exchange {
    pub(crate) client: Client,
    socket: UdpHandle,
}

/// A connection that waits for the next request to the same server.
pub(crate) struct IdleConnection {
    pub(crate) remote: SocketAddrV4,
    pub(crate) handle: TcpHandle,
}

/// Datagrams of one exchange that can wait.
const DHCP_RECEIVE_CAPACITY: usize = 16 * 1024;

impl Network {
    /// A network on an open card.
    pub(crate) fn new(nic: Card, seed: u64, now: Instant) -> Self {
        let identity = nic.identity();
        let stack = Stack::new(identity.mac, identity.mtu, seed, now);
        Self {
            port: Box::new(Port::new(nic)),
            stack,
            exchange: None,
            device: Device { name: CARD.into(), ..Device::default() },
            waiting: Vec::new(),
            idle: None,
            failure: None,
        }
    }

    /// All devices.
    pub(crate) fn devices(&mut self) -> impl Iterator<Item = &mut Device> {
        core::iter::once(&mut self.device).chain(&mut self.waiting)
    }

    /// Gives the network to the last of those waiting devices that are meant, if there is one.
    pub(crate) fn give_to(&mut self, is_meant: &dyn Fn(&Device) -> bool) {
        let Some(place) = self.waiting.iter().rposition(is_meant) else { return };
        let next = self.waiting.remove(place);
        self.leave();
        self.waiting.push(core::mem::replace(&mut self.device, next));
        self.enter();
    }

    /// Makes what the device has the network's.
    pub(crate) fn enter(&mut self) {
        self.set_tag();
        let taken = self.device.tag.map_or(0, |_| TAG_LENGTH);
        self.stack.set_mtu(self.port.nic().identity().mtu.saturating_sub(taken), hw::clock::now());
        if let Some(lease) = &self.device.lease
            && let Err(error) = configure(&mut self.stack, lease)
        {
            self.failure.get_or_insert(error);
        }
    }

    /// Makes the port one of the device's VLAN.
    pub(crate) fn set_tag(&mut self) {
        let port: &mut Port = &mut *self.port;
        port.set_tag(self.device.tag);
    }

    /// Ends all that goes on in the network.
    fn leave(&mut self) {
        self.end_exchange();
        if let Some(idle) = self.idle.take() {
            self.stack.tcp_abort(idle.handle);
            // The server is told.
            self.step(hw::clock::now());
        }
        self.stack.unconfigure();
    }

    /// Gives the network to a device in whose subnet an address is, unless this one is.
    pub(crate) fn turn_to(&mut self, address: Ipv4Addr) {
        if !self.device.is_near(address) {
            self.give_to(&|device| device.is_near(address));
        }
    }

    /// Takes a device's address.
    pub(crate) fn close(&mut self, name: &str) {
        for device in self.devices().filter(|device| device.name == name) {
            device.lease = None;
        }
        if self.device.name == name {
            self.leave();
            self.give_to(&|device| device.lease.is_some());
        }
    }

    /// The card, without anything above it.
    pub(crate) fn into_card(self) -> Card {
        self.port.into_nic()
    }

    /// How many frames a server may send ahead.
    pub(crate) fn frames_ahead(&self) -> u16 {
        self.port.nic().frames_ahead()
    }

    /// The card's address.
    pub(crate) fn mac(&self) -> MacAddress {
        self.port.nic().identity().mac
    }

    /// One round: frames, the stack, the exchange. Returns at `until`, or earlier if anything happened.
    pub(crate) fn step(&mut self, until: Instant) {
        let now = hw::clock::now();
        // The port of any card: its code is there already.
        let port: &mut Port = &mut *self.port;
        self.stack.send(now, port);
        let exchange = self.exchange.as_ref().and_then(|exchange| exchange.client.deadline());
        let due = earliest(self.stack.deadline(now), exchange).map_or(until, |due| due.min(until));
        if let Err(error) = port.poll(now, due) {
            self.failure.get_or_insert(error);
        }
        let now = hw::clock::now();
        self.stack.receive(now, port);
        self.step_exchange(now);
    }

    /// Closes the connection that is kept for another request, and lets its server and those of others that were closed
    /// know at once.
    pub(crate) fn hang_up(&mut self) {
        if let Some(idle) = self.idle.take() {
            self.stack.tcp_close(idle.handle);
        }
        self.step(hw::clock::now());
    }

    /// Begins a DHCP exchange, in place of one that runs.
    pub(crate) fn start_exchange(&mut self, config: dhcp::Config, now: Instant) -> Result<(), Error> {
        self.end_exchange();
        let socket = self.stack.udp_open_unbound(dhcp::CLIENT_PORT, DHCP_RECEIVE_CAPACITY)?;
        self.exchange = Some(Exchange { client: Client::new(config, now), socket });
        Ok(())
    }

    /// Gives the exchange up, or forgets its result.
    pub(crate) fn end_exchange(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.stack.udp_close(exchange.socket);
        }
    }

    fn step_exchange(&mut self, now: Instant) {
        let Some(Exchange { client, socket, .. }) = self.exchange.as_mut() else { return };
        let mut take = |from: SocketAddrV4, _: Ipv4Addr, data: &[u8]| {
            client.input(now, (*from.ip(), from.port()), dhcp::CLIENT_PORT, data);
        };
        while self.stack.udp_receive(*socket, &mut take) {}
        // A question to port 4011 is sent from the address of the lease, and answered there.
        if self.stack.configuration().is_none()
            && let Some(lease) = client.lease()
            && let Err(error) = configure(&mut self.stack, lease)
        {
            self.failure.get_or_insert(error);
        }
        let mut buffer = [0; dhcp::OUTPUT_CAPACITY];
        while let Some(packet) = client.output(now, &mut buffer) {
            let data = buffer.get(..packet.length).unwrap_or_default();
            let destination = SocketAddrV4::new(packet.destination, packet.destination_port);
            // What cannot be sent now is sent again by the client's own retries.
            self.stack.udp_send(*socket, destination, data);
        }
    }

    /// Uses the address and routes of a lease.
    pub(crate) fn apply(&mut self, lease: Rc<Lease>) -> Result<(), Error> {
        configure(&mut self.stack, &lease)?;
        self.device.lease = Some(lease);
        Ok(())
    }

    /// The name servers and search list in use.
    pub(crate) fn resolvers(&self) -> (Vec<Ipv4Addr>, Vec<String>) {
        self.device
            .lease
            .as_ref()
            .map_or_else(Default::default, |lease| (lease.dns_servers.clone(), lease.search.clone()))
    }

    /// Why the switch keeps our frames, if it is seen to do so.
    pub(crate) fn blocked(&self, now: Instant) -> Option<&'static str> {
        self.port.blocked(now).map(|blocked| blocked.reason.text())
    }
}

impl Machine {
    /// Makes a network of the card that we were loaded from, or else of the first one that a driver of ours starts.
    pub(crate) fn open_network(&mut self) -> Result<(), Error> {
        let card = self.find_card();
        vendor::hush();
        self.vendor_hangs = card.as_ref().is_err_and(|error| error.is(&undi::errors::HANGS));
        self.network = Some(Network::new(card?, hw::clock::noise(), hw::clock::now()));
        Ok(())
    }

    /// The card, open.
    fn find_card(&mut self) -> Result<Card, Error> {
        self.vendor = None;
        let mut found = vendor::find(&self.info, &mut self.memory, &mut self.found);
        let loaded_from = found.as_ref().ok().and_then(|(_, undi)| undi.identity().pci);
        let wanted = self.header.card().or(loaded_from.map(|pci| pci.bus_device_function));
        let mut natives = drivers::native(wanted).into_iter();
        while let Some(native) = natives.next() {
            if let Ok((_, undi)) = &mut found {
                undi.shut_down();
            }
            match native.start(&mut self.memory) {
                Ok(nic) => {
                    let (vendor, mut undi) = found.ok().unzip();
                    if let Some(undi) = &mut undi {
                        undi.rom().give_frames_back();
                    }
                    self.vendor = vendor;
                    return Ok(Card::Native(nic, undi));
                }
                // Another card, or the vendor's UNDI, may do.
                Err(error) if natives.len() > 0 || found.is_ok() => {
                    if let Ok((_, undi)) = &found {
                        drivers::give_back(undi);
                    }
                    self.screen.error(&error);
                }
                Err(error) => return Err(error),
            }
        }
        let (vendor, mut undi) = found?;
        undi.open()?;
        self.vendor = Some(vendor);
        Ok(Card::Undi(undi))
    }
}

fn configure(stack: &mut Stack, lease: &Lease) -> Result<(), Error> {
    let is_default = |route: &&dhcp::Route| route.prefix_length == 0;
    let routes = lease.routes.iter().filter(|route| route.prefix_length != 0);
    stack.configure(Ipv4Config {
        address: lease.address,
        prefix_length: lease.prefix_length,
        gateway: lease.routes.iter().find(is_default).map(|route| route.gateway),
        routes: base::list(routes.map(|route| net::Route {
            destination: route.destination,
            prefix_length: route.prefix_length,
            gateway: route.gateway,
        })),
    })
}

/// The longest that a round may take without looking at the keyboard.
pub(crate) const ROUND: Duration = Duration::from_millis(20);
