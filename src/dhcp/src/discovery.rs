//! Finding the PXE boot server of a menu's item: by multicast, by broadcast, and in the list that came with the menu
//! (PXE 2.1 sections 2.2 and 2.4).
//!
//! It is used as the [`Client`](crate::Client) is, once our address is in use: [`input`](Discovery::input) takes what
//! arrives on UDP port 68, [`output`](Discovery::output) gives what is to be sent until it gives nothing more.

use crate::client::{CLIENT_PORT, PXE_PORT, SERVER_PORT, Transmit};
use crate::config::Config;
use crate::errors;
use crate::lease::is_host;
use crate::menu::entries;
use crate::packet::{Builder, Header, Packet, REPLY, REQUEST, message, tag};
use crate::random::Random;
use alloc::format;
use alloc::vec::Vec;
use base::{Duration, Error, Instant, list};
use core::net::Ipv4Addr;

/// Bits of the discovery control byte.
const NO_BROADCAST: u8 = 1 << 0;
const NO_MULTICAST: u8 = 1 << 1;
const LISTED_ONLY: u8 = 1 << 2;

/// How long each way is tried, how often a question is repeated on it, and how many listed servers are asked.
const PATIENCE: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_secs(1);
const SERVER_LIMIT: usize = 16;

/// The search for one boot server.
#[derive(Clone, Debug)]
pub struct Discovery {
    config: Config,
    address: Ipv4Addr,
    kind: u16,
    xid: u32,
    random: Random,
    started: Instant,
    /// Whom to ask, one after the other, the next one last.
    ways: Vec<(Ipv4Addr, u16)>,
    /// The servers whose answers count, if not those of all.
    listed: Option<Vec<Ipv4Addr>>,
    next: Instant,
    ends: Instant,
    result: Option<Result<Packet, Error>>,
}

impl Discovery {
    /// The search for a boot server of this kind, which begins now. `offer` is the packet with the menu, `address` our
    /// own.
    pub fn new(config: Config, offer: &Packet, address: Ipv4Addr, kind: u16, now: Instant) -> Self {
        let mut random = Random::new(config.seed);
        let xid = u32::from_le_bytes(random.next());
        let control = offer.byte(&[tag::VENDOR, tag::PXE_DISCOVERY_CONTROL]).unwrap_or_default();
        let servers = offer.option(&[tag::VENDOR, tag::PXE_BOOT_SERVERS]).unwrap_or_default();
        let mut listed: Vec<Ipv4Addr> = Vec::new();
        for (entry, addresses) in entries(&servers, 4) {
            for address in addresses.as_chunks().0 {
                let address = Ipv4Addr::from_octets(*address);
                if u16::from_be_bytes(*entry) == kind && is_host(address) && listed.len() < SERVER_LIMIT {
                    listed.push(address);
                }
            }
        }
        let group = offer.address(&[tag::VENDOR, tag::PXE_MULTICAST]).filter(|group| group.is_multicast());
        let mut ways = list(listed.iter().rev().map(|server| (*server, PXE_PORT)));
        if control & NO_BROADCAST == 0 {
            ways.push((Ipv4Addr::BROADCAST, SERVER_PORT));
        }
        if let Some(group) = group.filter(|_| control & NO_MULTICAST == 0) {
            ways.push((group, PXE_PORT));
        }
        let result = ways.is_empty().then(|| Err(errors::NO_WAY.of(format!("{kind}"))));
        let listed = (control & LISTED_ONLY != 0).then_some(listed);
        let ends = now + PATIENCE;
        Self { config, address, kind, xid, random, started: now, ways, listed, next: now, ends, result }
    }

    /// The boot server's packet, or why there is none; none while the search goes on.
    pub fn result(&self) -> Option<&Result<Packet, Error>> {
        self.result.as_ref()
    }

    /// When [`output`](Self::output) must be called next; none if the search is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.result.is_none().then(|| self.next.min(self.ends))
    }

    /// When the search is over at the latest.
    pub fn ends(&self) -> Instant {
        self.ends + PATIENCE.times(self.ways.len().saturating_sub(1) as u64)
    }

    /// The next packet to be sent now, written to the front of `buffer`, which has
    /// [`OUTPUT_CAPACITY`](crate::OUTPUT_CAPACITY) bytes.
    pub fn output(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        while self.result.is_none() && now >= self.ends {
            self.ways.pop();
            self.next = now;
            self.ends = now + PATIENCE;
            if self.ways.is_empty() {
                self.result = Some(Err(errors::NO_BOOT_SERVER.of(format!("{}", self.kind))));
            }
        }
        if self.result.is_some() || now < self.next {
            return None;
        }
        self.next = now + self.random.around(INTERVAL);
        let (destination, destination_port) = *self.ways.last()?;
        let packet = question(&self.config, self.xid, now.since(self.started), self.address, Some(self.kind));
        buffer.get_mut(..packet.len())?.copy_from_slice(&packet);
        let source = self.address;
        let length = packet.len();
        Some(Transmit { source, source_port: CLIENT_PORT, destination, destination_port, length })
    }

    /// Takes in what came by UDP. What is no boot server's answer to this search is passed over.
    pub fn input(&mut self, source: (Ipv4Addr, u16), payload: &[u8]) {
        let Some(packet) = Packet::parse(payload) else { return };
        let server = packet.server_identifier().unwrap_or(source.0);
        let is_listed = |listed: &Vec<Ipv4Addr>| listed.contains(&server) || listed.contains(&source.0);
        let item = packet.option(&[tag::VENDOR, tag::PXE_BOOT_ITEM]);
        // A DHCP server may take a question by broadcast for the renewal of a lease, and confirm that.
        let is_for_item = item.is_some_and(|item| item.first_chunk() == Some(&self.kind.to_be_bytes()));
        if self.result.is_none()
            && matches!(source.1, SERVER_PORT | PXE_PORT)
            && packet.op() == REPLY
            && packet.xid() == self.xid
            && packet.mac() == self.config.mac
            && packet.message_type() == Some(message::ACK)
            && is_for_item
            && self.listed.as_ref().is_none_or(is_listed)
        {
            self.result = Some(Ok(packet));
        }
    }
}

/// The question to a PXE server, for a file or for the boot server of a menu's item.
pub(crate) fn question(
    config: &Config,
    xid: u32,
    passed: Duration,
    address: Ipv4Addr,
    item: Option<u16>,
) -> Vec<u8> {
    let header = Header {
        op: REQUEST,
        xid,
        seconds: u16::try_from(passed.as_secs()).unwrap_or(u16::MAX),
        mac: config.mac,
        client: Some(address),
        ..Header::default()
    };
    let mut builder = Builder::new(&header, b"", b"");
    config.identify(message::REQUEST, &mut builder);
    if let Some([high, low]) = item.map(u16::to_be_bytes) {
        builder.option(tag::VENDOR, &[tag::PXE_BOOT_ITEM, 4, high, low, 0, 0, 255]);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use base::MacAddress;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 1, 2, 3);
    const KIND: u16 = 0x8001;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    /// A search by an offer with this control byte, a group, and two servers of the kind.
    fn search(control: u8) -> Discovery {
        let mut builder = Builder::new(&Header { op: REPLY, mac: MAC, ..Header::default() }, b"", b"");
        let mut vendor = vec![6, 1, control, 7, 4, 224, 1, 2, 3, 8, 18];
        vendor.extend([0x80, 2, 1, 10, 0, 0, 9, 0x80, 1, 2, 10, 0, 0, 7, 10, 0, 0, 8]);
        builder.option(43, &vendor);
        let offer = Packet::parse(&builder.finish()).unwrap();
        Discovery::new(Config::new(MAC, 3), &offer, OWN, KIND, Instant::ZERO)
    }

    /// Runs to the end: who was asked, in order, without repetitions, and after how many seconds it ended.
    fn asked(discovery: &mut Discovery) -> (Vec<(Ipv4Addr, u16)>, u64) {
        let (mut all, mut now, end) = (Vec::new(), Instant::ZERO, discovery.ends());
        let mut buffer = [0; crate::OUTPUT_CAPACITY];
        while let Some(deadline) = discovery.deadline() {
            now = now.max(deadline);
            while let Some(transmit) = discovery.output(now, &mut buffer) {
                assert_eq!((transmit.source, transmit.source_port), (OWN, 68));
                let packet = Packet::parse(&buffer[..transmit.length]).unwrap();
                assert_eq!(packet.option(&[43, 71]).unwrap(), [0x80, 1, 0, 0].as_slice());
                all.push((transmit.destination, transmit.destination_port));
            }
        }
        assert!(all.len() >= 6);
        all.dedup();
        assert!(now >= end);
        (all, now.since(Instant::ZERO).as_secs())
    }

    /// Servers that answer for another item, and that take us for a DHCP client.
    const OTHER: u8 = 5;
    const RENEWER: u8 = 4;

    fn answer(discovery: &Discovery, server: u8) -> Vec<u8> {
        let header = Header { op: REPLY, mac: MAC, xid: discovery.xid, ..Header::default() };
        let mut builder = Builder::new(&header, b"", b"linux.0");
        builder.option(53, &[5]).option(54, &ip(server).octets());
        if server != RENEWER {
            builder.option(43, &[71, 4, 0x80, if server == OTHER { 2 } else { 1 }, 0, 0]);
        }
        builder.finish()
    }

    #[test]
    fn ways_are_those_that_the_offer_allows() {
        let (group, all, first, second) =
            ((GROUP, 4011), (Ipv4Addr::BROADCAST, 67), (ip(7), 4011), (ip(8), 4011));
        assert_eq!(asked(&mut search(0)), (vec![group, all, first, second], 12));
        assert_eq!(asked(&mut search(1)), (vec![group, first, second], 9));
        assert_eq!(asked(&mut search(2)), (vec![all, first, second], 9));
        let mut discovery = search(3);
        assert_eq!(asked(&mut discovery), (vec![first, second], 6));
        let error = discovery.result().unwrap().as_ref().unwrap_err();
        assert!(error.is(&errors::NO_BOOT_SERVER) && error.object() == "32769");
    }

    #[test]
    fn without_a_way_it_ends_at_once() {
        let mut builder = Builder::new(&Header::default(), b"", b"");
        builder.option(43, &[6, 1, 3, 8, 7, 0x80, 9, 1, 10, 0, 0, 9]);
        let offer = Packet::parse(&builder.finish()).unwrap();
        let discovery = Discovery::new(Config::new(MAC, 3), &offer, OWN, KIND, Instant::ZERO);
        assert!(discovery.result().unwrap().as_ref().unwrap_err().is(&errors::NO_WAY));
        assert_eq!(discovery.deadline(), None);
    }

    #[test]
    fn an_answer_ends_it() {
        for port in [67, 4011] {
            let mut discovery = search(0);
            let bytes = answer(&discovery, 7);
            discovery.input((ip(7), port), &bytes);
            let packet = discovery.result().unwrap().as_ref().unwrap();
            assert_eq!((packet.file_name().as_str(), discovery.deadline()), ("linux.0", None));
            assert!(discovery.output(Instant::from_micros(1), &mut [0; crate::OUTPUT_CAPACITY]).is_none());
        }
    }

    #[test]
    fn other_answers_are_passed_over() {
        let mut discovery = search(0);
        for server in [OTHER, RENEWER] {
            let bytes = answer(&discovery, server);
            discovery.input((ip(7), 67), &bytes);
        }
        assert!(discovery.result().is_none());
        let mut discovery = search(4);
        let good = answer(&discovery, 7);
        let mut other_exchange = good.clone();
        other_exchange[4] ^= 1;
        let mut offer = good.clone();
        offer[242] = 2;
        for bytes in [&other_exchange, &offer, &answer(&discovery, 6)] {
            discovery.input((ip(6), 4011), bytes);
        }
        discovery.input((ip(7), 69), &good);
        assert!(discovery.result().is_none());
        discovery.input((ip(7), 4011), &good);
        assert!(discovery.result().is_some());
    }
}
