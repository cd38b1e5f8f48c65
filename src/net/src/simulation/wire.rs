//! The link and the hosts on it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use base::{Duration, Error, Instant, MacAddress};
use core::net::{Ipv4Addr, SocketAddrV4};
use link::Port;
use nic::{Counters, Identity, Link, Nic};

use crate::random::Random;
use crate::{Ipv4Config, Stack};

/// A card whose two ends are queues.
pub(super) struct MemoryNic {
    identity: Identity,
    pub(super) arrived: VecDeque<Vec<u8>>,
    pub(super) sent: VecDeque<Vec<u8>>,
    lent: Vec<u8>,
}

/// Frames that a card holds until it drops what comes.
const RING: usize = 64;

impl MemoryNic {
    pub(super) fn new(mac: MacAddress) -> Self {
        let identity = Identity { driver: "memory", mac, permanent_mac: mac, mtu: 1500, pci: None };
        Self { identity, arrived: VecDeque::new(), sent: VecDeque::new(), lent: Vec::new() }
    }
}

impl Nic for MemoryNic {
    fn identity(&self) -> &Identity {
        &self.identity
    }
    fn open(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn close(&mut self) {}
    fn link(&mut self) -> Link {
        Link::Up
    }
    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        Ok(())
    }
    fn receive(&mut self) -> Option<&[u8]> {
        self.lent = self.arrived.pop_front()?;
        Some(&self.lent)
    }
    fn can_transmit(&self) -> bool {
        true
    }
    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.sent.push_back(frame.to_vec());
        true
    }
    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn frames_ahead(&self) -> u16 {
        128
    }
}

/// A stack with its card.
pub(super) struct Host {
    pub(super) port: Box<Port<MemoryNic>>,
    pub(super) stack: Stack,
    pub(super) address: Ipv4Addr,
}

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

pub(super) fn mac_of(host: usize) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, u8::try_from(host).unwrap() + 1])
}

pub(super) fn configuration(address: Ipv4Addr) -> Ipv4Config {
    Ipv4Config { address, prefix_length: 24, gateway: Some(Ipv4Addr::new(10, 0, 0, 254)), routes: Vec::new() }
}

impl Host {
    /// The host of that number, without an address yet.
    pub(super) fn new(number: usize, seed: u64) -> Self {
        let address = Ipv4Addr::new(10, 0, 0, u8::try_from(number).unwrap() + 1);
        let stack = Stack::new(mac_of(number), 1500, seed.wrapping_add(number as u64), Instant::ZERO);
        Self { port: Box::new(Port::new(MemoryNic::new(mac_of(number)))), stack, address }
    }

    pub(super) fn configured(number: usize, seed: u64) -> Self {
        let mut host = Self::new(number, seed);
        host.stack.configure(configuration(host.address)).unwrap();
        host
    }

    pub(super) fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, port)
    }

    /// One round of the loop.
    pub(super) fn poll(&mut self, now: Instant) {
        self.stack.send(now, &mut *self.port);
        self.port.poll(now, now).unwrap();
        self.stack.receive(now, &mut *self.port);
    }

    /// A round in which `frame` arrives; what is sent in it.
    pub(super) fn answer(&mut self, now: Instant, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.port.nic_mut().arrived.push_back(frame);
        self.sent(now)
    }

    /// A round; what is sent in it, and because of it.
    pub(super) fn sent(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.poll(now);
        self.stack.send(now, &mut *self.port);
        self.port.nic_mut().sent.drain(..).collect()
    }
}

/// What the link does to frames, in frames of a thousand.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) late: u64,
}

struct Flight {
    due: Instant,
    to: usize,
    frame: Vec<u8>,
}

/// Two hosts and the link between them.
pub(super) struct Network {
    pub(super) hosts: [Host; 2],
    pub(super) now: Instant,
    weather: Weather,
    random: Random,
    flights: VecDeque<Flight>,
    /// When the link to each host has room for the next frame.
    free_at: [Instant; 2],
    /// Frames of the client, looked at as they leave.
    pub(super) inspect: fn(&mut Inspection, &[u8]),
    pub(super) inspection: Inspection,
}

/// What an inspection remembers.
#[derive(Default)]
pub(super) struct Inspection {
    pub(super) frames: usize,
    pub(super) first_sequence: Option<u32>,
    pub(super) scale: u32,
    /// The last byte of the stream that the client invited so far, counted from its begin.
    pub(super) right_edge: u64,
    /// The smallest window that the client announced.
    pub(super) least_window: Option<u64>,
}

const DELAY: Duration = Duration::from_micros(500);
/// The time that one frame takes on the link: 1 Gbit/s.
const FRAME_TIME: Duration = Duration::from_micros(12);

impl Network {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            hosts: [Host::configured(CLIENT, seed), Host::configured(SERVER, seed)],
            now: Instant::from_micros(1_000_000),
            weather,
            random: Random::new(seed),
            flights: VecDeque::new(),
            free_at: [Instant::ZERO; 2],
            inspect: |_, _| {},
            inspection: Inspection::default(),
        }
    }

    pub(super) fn client(&mut self) -> &mut Stack {
        &mut self.hosts[CLIENT].stack
    }

    pub(super) fn server(&mut self) -> &mut Stack {
        &mut self.hosts[SERVER].stack
    }

    /// Both hosts do a round, then the time moves on to the next event.
    pub(super) fn step(&mut self) {
        for index in [CLIENT, SERVER] {
            self.hosts[index].poll(self.now);
            let sent: Vec<_> = self.hosts[index].port.nic_mut().sent.drain(..).collect();
            for frame in sent {
                if index == CLIENT {
                    (self.inspect)(&mut self.inspection, &frame);
                }
                self.launch(1 - index, frame);
            }
        }
        let now = self.now;
        let deadlines = self.hosts.iter_mut().filter_map(|host| host.stack.deadline(now));
        let next = self.flights.iter().map(|flight| flight.due).chain(deadlines).min();
        // A deadline in the past means "again, at once": that must not stop the clock for ever.
        self.now =
            next.unwrap_or(now).max(now + Duration::from_micros(1)).min(now + Duration::from_millis(100));
        let now = self.now;
        let mut index = 0;
        while index < self.flights.len() {
            if self.flights[index].due <= now {
                let flight = self.flights.remove(index).unwrap();
                let arrived = &mut self.hosts[flight.to].port.nic_mut().arrived;
                if arrived.len() < RING {
                    arrived.push_back(flight.frame);
                }
            } else {
                index += 1;
            }
        }
    }

    /// Steps until `done` says so; fails if that takes longer than `limit`.
    pub(super) fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            self.step();
            assert!(self.now.since(start) < limit, "not done in time");
        }
        self.now.since(start)
    }

    fn launch(&mut self, to: usize, frame: Vec<u8>) {
        // One after the other.
        self.free_at[to] = self.free_at[to].max(self.now) + FRAME_TIME;
        if self.happens(self.weather.lost) {
            return;
        }
        let copies = if self.happens(self.weather.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let extra = if self.happens(self.weather.late) { self.random.next() % 2_000 } else { 0 };
            let due = self.free_at[to] + DELAY + Duration::from_micros(extra);
            self.flights.push_back(Flight { due, to, frame: frame.clone() });
        }
    }

    fn happens(&mut self, of_a_thousand: u64) -> bool {
        self.random.next() % 1_000 < of_a_thousand
    }
}

/// An IPv4 frame with a right header checksum.
pub(super) fn ipv4_frame(
    to: MacAddress,
    (source, destination): (Ipv4Addr, Ipv4Addr),
    protocol: u8,
    fragment: u16,
    body: &[u8],
) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(to.0);
    frame.extend(mac_of(SERVER).0);
    frame.extend([0x08, 0x00]);
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    header[4..6].copy_from_slice(&[0x12, 0x34]);
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[8] = 64;
    header[9] = protocol;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    let checksum = checksum(0, &header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(header);
    frame.extend(body);
    frame
}

/// A UDP packet without a checksum, which IPv4 allows.
pub(super) fn udp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(source.to_be_bytes());
    packet.extend(destination.to_be_bytes());
    packet.extend(u16::try_from(8 + data.len()).unwrap().to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(data);
    packet
}

/// The answer to an ARP request.
pub(super) fn arp_reply(request: &[u8], mac: MacAddress) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(&request[6..12]);
    frame.extend(mac.0);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2]);
    frame.extend(mac.0);
    frame.extend(&request[38..42]);
    frame.extend(&request[22..32]);
    frame
}

/// The address that a frame asks for by ARP.
pub(super) fn arp_target(frame: &[u8]) -> Option<Ipv4Addr> {
    crate::neighbours::wanted_by(frame)
}

/// The Internet checksum (RFC 1071) of `bytes`, begun with `sum`.
pub(super) fn checksum(sum: u32, bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from));
    let mut sum = sum + words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
