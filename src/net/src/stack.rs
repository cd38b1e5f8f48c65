//! The stack: addresses, routes, and the round of work.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use base::address::are_near;
use base::{Error, Instant, MacAddress, earliest};
use core::net::Ipv4Addr;
use link::{Port, Received, TransmitQueue};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Cidr};

use crate::device::{Counters, Device};
use crate::errors;
use crate::neighbours::{self, Neighbours};
use crate::packet::{Packet, UDP};
use crate::random::Random;
use crate::run::Run;
use crate::tcp::Connection;
use crate::udp::Endpoint;

/// Frames that one [`Stack::receive`] takes in, and rounds that one [`Stack::send`] makes, at most.
const WORK_PER_POLL: usize = 64;

/// The fewest bytes of an IP packet that a network must carry (RFC 791 section 3.2: 576 can be reassembled).
const LEAST_MTU: u16 = 576;
/// The most bytes of an IP packet that a frame holds.
const MOST_MTU: u16 = 1500;

/// How long the rest of a fragmented packet is waited for. The 15 s of RFC 791 would let a few packets with a lost
/// fragment keep out all others.
const REASSEMBLY_TIMEOUT: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(2);

/// Who we are on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4Config {
    /// Our address.
    pub address: Ipv4Addr,
    /// Bits of the address that name the subnet, 0 to 32.
    pub prefix_length: u8,
    /// The router to everywhere else.
    pub gateway: Option<Ipv4Addr>,
    /// Routers to certain subnets (DHCP options 121 and 33).
    pub routes: Vec<Route>,
}

/// A router to a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// An address of the subnet.
    pub destination: Ipv4Addr,
    /// Bits of it that name the subnet, 0 to 32.
    pub prefix_length: u8,
    /// The router.
    pub gateway: Ipv4Addr,
}

/// A TCP/IP host on one port.
pub struct Stack {
    pub(crate) interface: Box<Interface>,
    /// Takes in nothing but fragments: smoltcp alone sees the whole packet, and so has to look at its checksum. What it
    /// answers gets lost if it knows no neighbour, as it hears no ARP: sockets send by the other.
    assembly: Box<Interface>,
    pub(crate) sockets: SocketSet<'static>,
    pub(crate) neighbours: Neighbours,
    pub(crate) random: Random,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) connections: Vec<Connection>,
    /// The listener for echo replies, and its identifier.
    pub(crate) echo: Option<(SocketHandle, u16)>,
    pub(crate) configuration: Option<Ipv4Config>,
    mac: MacAddress,
    mtu: u16,
    last_handle: u32,
    counters: Counters,
    run: Run,
}

impl Stack {
    /// A host without an address. `mac` is the card's address, `mtu` the largest IP packet in bytes; `random_seed`
    /// must differ from boot to boot, for ports and sequence numbers come from it.
    pub fn new(mac: MacAddress, mtu: u16, random_seed: u64, now: Instant) -> Self {
        let mtu = mtu.clamp(LEAST_MTU, MOST_MTU);
        let mut random = Random::new(random_seed);
        Self {
            interface: interface(mac, mtu, false, random.next(), now),
            assembly: interface(mac, mtu, true, random.next(), now),
            sockets: SocketSet::new(Vec::new()),
            neighbours: Neighbours::default(),
            random,
            endpoints: Vec::new(),
            connections: Vec::new(),
            echo: None,
            configuration: None,
            mac,
            mtu,
            last_handle: 0,
            counters: Counters::default(),
            run: Run::default(),
        }
    }

    /// Takes the address and routes in place of those before. A router that is not in the subnet is left out, for
    /// nothing can be sent to it. Connections go on if the address is the same, and break off if it is not.
    pub fn configure(&mut self, mut configuration: Ipv4Config) -> Result<(), Error> {
        let Ipv4Config { address, prefix_length, .. } = configuration;
        if !is_unicast(address) || prefix_length > 32 {
            return Err(errors::BAD_ADDRESS.of(address.to_string()));
        }
        let subnet = Ipv4Cidr::new(address, prefix_length);
        let is_router: &dyn Fn(Ipv4Addr) -> bool =
            &|router| is_unicast(router) && router != address && are_near(router, address, prefix_length);
        configuration.gateway = configuration.gateway.filter(|router| is_router(*router));
        configuration.routes.retain(|route| route.prefix_length <= 32 && is_router(route.gateway));
        if self.configuration.as_ref() == Some(&configuration) {
            return Ok(());
        }
        self.neighbours.clear();
        self.set_addresses(Some(IpCidr::Ipv4(subnet)));
        self.interface.routes_mut().update(|table| {
            table.clear();
            let default = configuration.gateway.map(|gateway| Route {
                destination: Ipv4Addr::UNSPECIFIED,
                prefix_length: 0,
                gateway,
            });
            for route in configuration.routes.iter().copied().chain(default) {
                let entry = smoltcp::iface::Route {
                    cidr: IpCidr::Ipv4(Ipv4Cidr::new(route.destination, route.prefix_length)),
                    via_router: route.gateway.into(),
                    preferred_until: None,
                    expires_at: None,
                };
                // DHCP cannot carry more routes than the table holds.
                let _ = table.push(entry);
            }
        });
        self.configuration = Some(configuration);
        Ok(())
    }

    /// Gives the address up. Connections break off.
    pub fn unconfigure(&mut self) {
        self.configuration = None;
        self.neighbours.clear();
        self.set_addresses(None);
        self.interface.routes_mut().update(|table| table.clear());
    }

    /// The largest IP packet, in bytes.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Makes that the largest IP packet. The address is given up, and connections break off.
    pub fn set_mtu(&mut self, mtu: u16, now: Instant) {
        self.unconfigure();
        self.mtu = mtu.clamp(LEAST_MTU, MOST_MTU);
        // smoltcp asks for it only once.
        self.interface = interface(self.mac, self.mtu, false, self.random.next(), now);
        self.assembly = interface(self.mac, self.mtu, true, self.random.next(), now);
    }

    fn set_addresses(&mut self, address: Option<IpCidr>) {
        for interface in [&mut self.interface, &mut self.assembly] {
            interface.update_ip_addrs(|addresses| {
                addresses.clear();
                // The table has room for more than one.
                addresses.extend(address);
            });
        }
    }

    /// The address and routes in use.
    pub fn configuration(&self) -> Option<&Ipv4Config> {
        self.configuration.as_ref()
    }

    /// A neighbour, perhaps a router, that is asked for by ARP and did not answer the first three questions.
    pub fn unanswered_neighbour(&self) -> Option<Ipv4Addr> {
        self.neighbours.unanswered()
    }

    /// The neighbours that were asked for, with their answers.
    pub fn neighbours(&self) -> impl Iterator<Item = (Ipv4Addr, Option<MacAddress>)> {
        self.neighbours.all()
    }

    /// What was received and sent.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Sends what is due: a bounded number of frames. The users of sockets have read what came before, so that an
    /// acknowledgement of it opens the window again.
    pub fn send(&mut self, now: Instant, port: &mut Port) {
        self.neighbours.forget(now);
        self.ask_neighbours(now, port.queue());
        self.transmit(now, port);
        port.flush();
    }

    /// Takes in what the card received: a bounded number of frames. The card itself is polled by the caller.
    pub fn receive(&mut self, now: Instant, port: &mut Port) {
        self.take_in(now, port);
        // Before their users write others.
        self.send_waiting_datagrams();
        self.settle_connections(now);
        port.flush();
    }

    /// When the stack next has something to do if no frame arrives; never before `now`.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let sockets = self.interface.poll_at(time(now), &self.sockets);
        let sockets = sockets.map(|at| Instant::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
        let others = earliest(self.neighbours.deadline(now), self.connections_deadline(now));
        earliest(sockets, others).map(|at| at.max(now))
    }

    fn take_in(&mut self, now: Instant, port: &mut Port) {
        for _ in 0..WORK_PER_POLL {
            // Any frame may be answered with one.
            if !port.queue().has_room() {
                port.flush();
                if !port.queue().has_room() {
                    break;
                }
            }
            match port.receive(now) {
                Received::Nothing => break,
                Received::Handled => {}
                Received::Frame(frame, queue) => {
                    self.counters.received.count(frame);
                    let packet = Packet::parse(frame);
                    if packet.as_ref().is_some_and(|packet| !packet.is_intact()) {
                        continue;
                    }
                    if packet.as_ref().is_some_and(|packet| self.run.hold(frame, packet)) {
                        continue;
                    }
                    self.take_held(now, queue);
                    if let Some(configuration) = &self.configuration {
                        self.neighbours.hear(frame, configuration.address, now);
                    }
                    // smoltcp takes in packets to its own addresses, or to any address. The second is on for single
                    // frames only: all it does with those is to put them into the socket, it answers none.
                    let is_for_unbound =
                        packet.as_ref().is_some_and(|packet| self.is_for_unbound(frame, packet));
                    self.interface.set_any_ip(is_for_unbound);
                    let is_fragment = packet.as_ref().is_some_and(|packet| packet.is_fragment);
                    let is_answered = self.take(now, frame, is_fragment, queue);
                    match packet {
                        Some(packet) if !is_answered => self.run.begin(frame, &packet),
                        _ => self.run.end(),
                    }
                }
            }
        }
        self.take_held(now, port.queue());
        // The first segment of the next time is not held back: smoltcp acknowledges at once what comes in two parts.
        self.run.end();
        self.interface.set_any_ip(false);
    }

    /// Gives smoltcp the segments that were held back, which are answered only if they exceed the window.
    fn take_held(&mut self, now: Instant, queue: &mut TransmitQueue) {
        let mut run = core::mem::take(&mut self.run);
        if let Some(frame) = run.frame() {
            self.interface.set_any_ip(false);
            if self.take(now, frame, false, queue) {
                run.end();
            }
            run.empty();
        }
        self.run = run;
    }

    /// Gives smoltcp a frame; whether it was answered.
    fn take(&mut self, now: Instant, frame: &[u8], is_fragment: bool, queue: &mut TransmitQueue) -> bool {
        let before = self.counters.sent;
        let Self { interface, assembly, sockets, neighbours, counters, mtu, .. } = self;
        let interface = if is_fragment { assembly } else { interface };
        let mut device = Device {
            frame: Some(frame),
            queue,
            neighbours,
            counters,
            mtu: (*mtu).into(),
            is_checked: is_fragment,
        };
        interface.poll_ingress_single(time(now), &mut device, sockets);
        before != self.counters.sent
    }

    fn transmit(&mut self, now: Instant, port: &mut Port) {
        for _ in 0..WORK_PER_POLL {
            if !port.queue().has_room() {
                port.flush();
            }
            let Self { interface, sockets, neighbours, counters, mtu, .. } = self;
            let mut device = Device {
                frame: None,
                queue: port.queue(),
                neighbours,
                counters,
                mtu: (*mtu).into(),
                is_checked: false,
            };
            if interface.poll_egress(time(now), &mut device, sockets) == PollResult::None {
                break;
            }
        }
    }

    fn ask_neighbours(&mut self, now: Instant, queue: &mut TransmitQueue) {
        let Some(own) = self.configuration.as_ref().map(|configuration| configuration.address) else {
            return;
        };
        while queue.has_room()
            && let Some(target) = self.neighbours.question(now)
            && let Some(frame) = queue.reserve(neighbours::FRAME_LENGTH)
        {
            neighbours::write_question(frame, self.mac, own, target);
            self.counters.sent.count(frame);
            queue.commit();
        }
    }

    /// Whether `frame` is an unfragmented UDP packet, sent to us or to all at layer 2, for a socket that takes
    /// packets to any address.
    fn is_for_unbound(&self, frame: &[u8], packet: &Packet<'_>) -> bool {
        let Some([_, _, high, low]) = packet.payload.first_chunk() else { return false };
        let port = u16::from_be_bytes([*high, *low]);
        let is_for_us =
            |destination: &[u8; 6]| [self.mac, MacAddress::BROADCAST].contains(&MacAddress(*destination));
        packet.protocol == UDP
            && !packet.is_fragment
            && frame.first_chunk().is_some_and(is_for_us)
            && self.endpoints.iter().any(|endpoint| endpoint.is_unbound() && endpoint.port() == port)
    }

    /// The neighbour that packets to `destination` go to. An error if there is no address or no way.
    pub(crate) fn next_hop(&self, destination: Ipv4Addr) -> Result<Ipv4Addr, Error> {
        let configuration = self.configuration.as_ref().ok_or_else(|| errors::NO_ADDRESS.error())?;
        if !is_unicast(destination) {
            return Err(errors::NO_ROUTE.of(destination.to_string()));
        }
        if are_near(destination, configuration.address, configuration.prefix_length) {
            return Ok(destination);
        }
        let leads_there = |route: &&Route| are_near(destination, route.destination, route.prefix_length);
        let route = configuration.routes.iter().filter(leads_there).max_by_key(|route| route.prefix_length);
        let router = route.map(|route| route.gateway).or(configuration.gateway);
        router.ok_or_else(|| errors::NO_ROUTE.of(destination.to_string()))
    }

    /// Whether packets to `destination` go to all stations of the subnet.
    pub(crate) fn is_broadcast(&self, destination: Ipv4Addr) -> bool {
        destination.is_broadcast()
            || self.configuration.as_ref().is_some_and(|configuration| {
                let subnet = Ipv4Cidr::new(configuration.address, configuration.prefix_length);
                subnet.broadcast() == Some(destination)
            })
    }

    /// A number that no socket had before.
    pub(crate) fn new_handle(&mut self) -> u32 {
        self.last_handle = self.last_handle.wrapping_add(1);
        self.last_handle
    }
}

/// smoltcp's part; `is_checked` for the one that takes in fragments.
fn interface(mac: MacAddress, mtu: u16, is_checked: bool, random_seed: u64, now: Instant) -> Box<Interface> {
    let mut config = Config::new(EthernetAddress(mac.0).into());
    config.random_seed = random_seed;
    let mut device = Device {
        frame: None,
        queue: &mut TransmitQueue::new(0),
        neighbours: &mut Neighbours::default(),
        counters: &mut Counters::default(),
        mtu: mtu.into(),
        is_checked,
    };
    let mut interface = Interface::new(config, &mut device, time(now));
    interface.set_reassembly_timeout(REASSEMBLY_TIMEOUT);
    Box::new(interface)
}

/// Whether one host can have `address`, as far as the address alone tells.
pub(crate) fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_broadcast() || address.is_multicast())
}

/// `now` for smoltcp.
pub(crate) fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// `length` zeroed bytes, if there is memory for them.
pub(crate) fn memory(length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).ok()?;
    bytes.resize(length, 0);
    Some(bytes)
}
