//! The exchange with the servers: DISCOVER, REQUEST, and the question to a proxyDHCP server on port 4011.
//!
//! The caller delivers what arrives on UDP ports 68 and 4011 to [`input`](Client::input), and calls
//! [`output`](Client::output) until it gives nothing more: after each input, and when the
//! [`deadline`](Client::deadline) has come. Between the ACK and the end of the exchange [`lease`](Client::lease)
//! is there already, and its address must be in use for the answer on port 4011 to arrive.
//!
//! Servers are looked for at 0, 1, 3, 7, 15 and 31 s with 20 % jitter, for 60 s in all. Offers are collected until 2 s
//! after the first one with an address; not at all once an offer carries PXE data (it comes from a PXE server or names
//! a file other than our own image) or says that there is no proxy (175.176).

use crate::config::Config;
use crate::discovery::question;
use crate::errors;
use crate::lease::{Lease, Named, is_host};
use crate::offer::{Offer, choose, record};
use crate::packet::{Builder, Header, Packet, REPLY, REQUEST, message, tag};
use crate::random::Random;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use base::{Duration, Error, ErrorKind, Instant};
use core::net::Ipv4Addr;

/// Room for the longest packet that [`Client::output`] makes.
pub const OUTPUT_CAPACITY: usize = 1472;
/// The port of clients.
pub const CLIENT_PORT: u16 = 68;
/// The port of DHCP servers.
pub const SERVER_PORT: u16 = 67;
/// The port of PXE servers.
pub const PXE_PORT: u16 = 4011;

/// How long further offers are waited for, and how long for a PXE server.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a server may take to confirm.
const CONFIRM: Duration = Duration::from_secs(10);

/// A packet to be sent by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Our address; zero while we have none.
    pub source: Ipv4Addr,
    /// Our port.
    pub source_port: u16,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// The port there.
    pub destination_port: u16,
    /// Bytes in the buffer.
    pub length: usize,
}

/// How far the exchange is.
#[derive(Clone, Debug)]
pub enum State<'a> {
    /// It goes on.
    Running {
        /// What is waited for, as words for people.
        phase: &'static str,
        /// Packets sent in this phase.
        attempt: u32,
        /// When the next one is due.
        next: Instant,
        /// When this phase ends at the latest.
        ends: Instant,
    },
    /// We have an address.
    Bound(&'a Rc<Lease>),
    /// It has failed.
    Failed(&'a Error),
}

#[derive(Clone, Debug)]
enum Phase {
    Discover,
    Request,
    Proxy(Ipv4Addr),
    Bound,
    Failed(Error),
}

/// One exchange.
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    random: Random,
    xid: u32,
    started: Instant,
    total: Duration,
    phase: Phase,
    attempt: u32,
    next: Instant,
    ends: Instant,
    collect_until: Option<Instant>,
    offers: Vec<Offer>,
    /// Place of the offer that was taken, and of the proxy's.
    chosen: usize,
    proxy: Option<usize>,
    lease: Option<Rc<Lease>>,
    /// The DISCOVER that was sent last.
    discover: Vec<u8>,
    /// Why the last request failed.
    refusal: Option<(&'static ErrorKind, Ipv4Addr)>,
}

impl Client {
    /// An exchange that begins now.
    pub fn new(config: Config, now: Instant) -> Self {
        let [a, b, c, d, e, f] = config.mac.0;
        let mut random = Random::new(config.seed ^ u64::from_le_bytes([f, e, d, c, b, a, 0, 0]));
        let xid = u32::from_le_bytes(random.next());
        let total = config.total;
        Self {
            config,
            random,
            xid,
            started: now,
            total,
            phase: Phase::Discover,
            attempt: 0,
            next: now,
            ends: now + total,
            collect_until: None,
            offers: Vec::new(),
            chosen: 0,
            proxy: None,
            lease: None,
            discover: Vec::new(),
            refusal: None,
        }
    }

    /// How far the exchange is.
    pub fn state(&self) -> State<'_> {
        let phase = match (&self.phase, &self.lease) {
            (Phase::Failed(error), _) => return State::Failed(error),
            (Phase::Bound, Some(lease)) => return State::Bound(lease),
            (Phase::Request, _) => "waiting for the DHCP server to confirm",
            (Phase::Proxy(_), _) => "asking the PXE server for a boot file",
            _ if self.collect_until.is_some() => "waiting for more offers",
            _ if self.offers.iter().any(|offer| offer.live) => "waiting for a DHCP server beside the proxy",
            _ => "waiting for a DHCP server",
        };
        State::Running { phase, attempt: self.attempt, next: self.next, ends: self.ends }
    }

    /// The lease, from the ACK on; the answer of a proxyDHCP server may still come in.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_deref()
    }

    /// Who offered what, which won and why.
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// The exchange's number.
    pub fn xid(&self) -> u32 {
        self.xid
    }

    /// Looks for servers until `total` after the start of the exchange, if that is later than so far: for a link that
    /// is known to be blocked.
    pub fn extend(&mut self, total: Duration) {
        self.total = self.total.max(total);
        if matches!(self.phase, Phase::Discover) {
            self.ends = self.ends.max(self.started + self.total);
        }
    }

    /// Sends the next packet now, and begins the retries anew: for a link that has just opened.
    pub fn hurry(&mut self, now: Instant) {
        self.attempt = 0;
        self.next = now;
    }

    /// When [`output`](Self::output) must be called next; none if the exchange is over.
    pub fn deadline(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Bound | Phase::Failed(_)) {
            return None;
        }
        let until = self.collect_until.unwrap_or(self.ends);
        Some(self.next.min(self.ends).min(until))
    }

    /// The next packet to be sent now, written to the front of `buffer`, which has [`OUTPUT_CAPACITY`] bytes.
    pub fn output(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.expire(now);
        self.deadline()?;
        if now < self.next {
            return None;
        }
        let step = match self.phase {
            Phase::Discover => Duration::from_secs(1 << self.attempt.min(5)),
            _ => Duration::from_millis(500 << self.attempt.min(3)),
        };
        self.next = now + self.random.around(step);
        self.attempt = self.attempt.saturating_add(1);
        if matches!(self.phase, Phase::Discover) && undisturbed(self.attempt) >= self.total {
            self.next = self.ends;
        }
        let (packet, source, destination, destination_port) = self.packet(now);
        let length = packet.len();
        buffer.get_mut(..length)?.copy_from_slice(&packet);
        if matches!(self.phase, Phase::Discover) {
            self.discover = packet;
        }
        Some(Transmit { source, source_port: CLIENT_PORT, destination, destination_port, length })
    }

    /// Takes in what came by UDP to `local_port`. Whatever is not a part of this exchange is passed over.
    pub fn input(&mut self, now: Instant, source: (Ipv4Addr, u16), local_port: u16, payload: &[u8]) {
        let Some(packet) = Packet::parse(payload) else { return };
        if packet.op() != REPLY || packet.xid() != self.xid || packet.mac() != self.config.mac {
            return;
        }
        let server = packet.server_identifier().unwrap_or(source.0);
        let kind = packet.message_type();
        match (source.1, local_port) {
            (SERVER_PORT, CLIENT_PORT) => match (&self.phase, kind) {
                (Phase::Discover | Phase::Request, Some(message::OFFER)) => self.offered(now, server, packet),
                (Phase::Discover, None) => self.offered(now, server, packet),
                (Phase::Request, None | Some(message::ACK)) => self.acknowledged(now, server, packet),
                (Phase::Request, Some(message::NAK)) => self.refused(now, server),
                _ => (),
            },
            (PXE_PORT, CLIENT_PORT | PXE_PORT) => {
                let Phase::Proxy(asked) = self.phase else { return };
                let answer = matches!(kind, Some(message::OFFER | message::ACK));
                if answer && (server == asked || source.0 == asked) {
                    self.bind(Some(packet));
                }
            }
            _ => (),
        }
    }

    fn offered(&mut self, now: Instant, server: Ipv4Addr, packet: Packet) {
        let address = Some(packet.your_address()).filter(|address| is_host(*address));
        let proxy = address.is_none();
        if proxy && !(packet.is_pxe() && packet.message_type().is_some()) {
            return;
        }
        let late = !matches!(self.phase, Phase::Discover);
        if late
            && self.offers.iter().any(|offer| offer.live && offer.server == server && offer.proxy == proxy)
        {
            return;
        }
        let file = packet.file_name();
        let names_file = !file.is_empty() && self.config.own_file.as_ref() != Some(&file);
        let alone = packet.byte(&[tag::IPXE, tag::IPXE_NO_PROXY]).is_some_and(|byte| byte != 0);
        let ends_wait = alone || names_file || packet.is_pxe();
        let offer = Offer {
            server,
            address,
            file,
            proxy,
            chosen: false,
            reason: if late { "came too late" } else { "" },
            packet,
            names_file,
            ends_wait,
            live: !late,
            failures: 0,
        };
        record(&mut self.offers, offer);
        if late {
            return;
        }
        if !proxy {
            self.collect_until = self.collect_until.or(Some(now + PATIENCE));
        }
        // A proxy that came first waits for the first address, and then no longer.
        if self.collect_until.is_some() && self.offers.iter().any(|offer| offer.live && offer.ends_wait) {
            self.collect_until = Some(now);
        }
    }

    fn expire(&mut self, now: Instant) {
        match self.phase {
            Phase::Discover if self.collect_until.is_some_and(|until| now >= until.min(self.ends)) => {
                self.take(now)
            }
            Phase::Discover if now >= self.ends => {
                let name = self.config.mac.to_string();
                let error = match self.refusal {
                    Some((kind, server)) => kind.of(server.to_string()),
                    None if self.offers.is_empty() => errors::NO_ANSWER.of(name),
                    None => errors::ONLY_PROXY.of(name),
                };
                self.phase = Phase::Failed(error);
            }
            Phase::Request if now >= self.ends => {
                self.start_over(now, &errors::NOT_CONFIRMED, "did not confirm")
            }
            Phase::Proxy(_) if now >= self.ends => self.bind(None),
            _ => (),
        }
    }

    /// The offers are all in: takes the best one.
    fn take(&mut self, now: Instant) {
        let chosen = choose(&mut self.offers, false);
        self.proxy = choose(&mut self.offers, true);
        self.collect_until = None;
        let Some((place, offer)) = chosen.and_then(|place| Some((place, self.offers.get(place)?))) else {
            return;
        };
        self.chosen = place;
        if offer.packet.message_type().is_none() {
            // A BOOTP server has given the address away already.
            let (server, packet) = (offer.server, offer.packet.clone());
            self.confirmed(now, server, packet);
        } else {
            self.enter(Phase::Request, now, CONFIRM);
        }
    }

    fn acknowledged(&mut self, now: Instant, server: Ipv4Addr, packet: Packet) {
        let Some(offer) = self.offers.get(self.chosen) else { return };
        if offer.server == server && offer.address == Some(packet.your_address()) {
            self.confirmed(now, server, packet);
        }
    }

    fn refused(&mut self, now: Instant, server: Ipv4Addr) {
        if self.offers.get(self.chosen).is_some_and(|offer| offer.server == server) {
            self.start_over(now, &errors::REFUSED, "refused its address");
        }
    }

    /// Back to looking for servers; this one is the last choice from now on.
    fn start_over(&mut self, now: Instant, kind: &'static ErrorKind, reason: &'static str) {
        if let Some(offer) = self.offers.get_mut(self.chosen) {
            offer.failures = offer.failures.saturating_add(1);
            offer.chosen = false;
            offer.reason = reason;
            self.refusal = Some((kind, offer.server));
        }
        for offer in &mut self.offers {
            offer.live = false;
        }
        self.config.requested_address = None;
        self.phase = Phase::Discover;
        self.attempt = 0;
        self.next = now + self.random.around(Duration::from_secs(1));
        self.ends = self.started + self.total;
        self.expire(now);
    }

    /// We have an address. A PXE server that has not named a file yet is asked for one if nobody else has.
    fn confirmed(&mut self, now: Instant, server: Ipv4Addr, ack: Packet) {
        let mut lease = Lease::new(ack, server, None);
        lease.discover = core::mem::take(&mut self.discover);
        let served =
            lease.boot.as_ref().is_some_and(|boot| self.config.own_file.as_ref() != Some(&boot.name));
        self.lease = Some(Rc::new(lease));
        let place = self.proxy.unwrap_or(self.chosen);
        match self.offers.get(place) {
            Some(offer) if offer.proxy && (!offer.file.is_empty() || has_menu(&offer.packet)) => {
                let packet = offer.packet.clone();
                self.bind(Some(packet));
            }
            Some(offer) if !served && !has_menu(&offer.packet) && offer.packet.is_pxe() => {
                let server = offer.server;
                self.enter(Phase::Proxy(server), now, PATIENCE);
            }
            _ => self.bind(None),
        }
    }

    fn bind(&mut self, proxy: Option<Packet>) {
        // Nobody has it before it is complete.
        let Some(lease) = self.lease.as_mut().and_then(Rc::get_mut) else { return };
        lease.set_proxy(proxy);
        if let Some(offer) = self.proxy.and_then(|place| self.offers.get_mut(place)) {
            if let Some(packet) = &lease.proxy {
                offer.file = packet.file_name();
            }
            let named = lease.boot.as_ref().map(|boot| boot.named);
            offer.chosen = named == Some(Named::ByProxy);
            offer.reason = match named {
                Some(Named::ByProxy) => "names the boot file",
                Some(Named::ByLease) => "the DHCP server's own file wins",
                None if lease.proxy.is_none() => "did not answer on port 4011",
                None => "names no boot file",
            };
        }
        self.phase = Phase::Bound;
    }

    fn enter(&mut self, phase: Phase, now: Instant, time: Duration) {
        self.phase = phase;
        self.attempt = 0;
        self.next = now;
        self.ends = now + time;
    }

    /// The packet of this phase, and from where to where it goes.
    fn packet(&self, now: Instant) -> (Vec<u8>, Ipv4Addr, Ipv4Addr, u16) {
        let passed = now.since(self.started);
        if let (Phase::Proxy(server), Some(lease)) = (&self.phase, &self.lease) {
            let packet = question(&self.config, self.xid, passed, lease.address, None);
            return (packet, lease.address, *server, PXE_PORT);
        }
        let header = Header {
            op: REQUEST,
            xid: self.xid,
            seconds: u16::try_from(passed.as_secs()).unwrap_or(u16::MAX),
            broadcast: self.config.broadcast,
            mac: self.config.mac,
            ..Header::default()
        };
        let mut builder = Builder::new(&header, b"", b"");
        let wished = if matches!(self.phase, Phase::Discover) {
            self.config.identify(message::DISCOVER, &mut builder);
            self.config.requested_address
        } else {
            self.config.identify(message::REQUEST, &mut builder);
            let offer = self.offers.get(self.chosen);
            if let Some(offer) = offer {
                builder.option(tag::SERVER_IDENTIFIER, &offer.server.octets());
            }
            offer.and_then(|offer| offer.address)
        };
        if let Some(wished) = wished {
            builder.option(tag::REQUESTED_ADDRESS, &wished.octets());
        }
        (builder.finish(), Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, SERVER_PORT)
    }
}

/// Whether the user is to be asked, so that the packet says all that can be known yet.
fn has_menu(packet: &Packet) -> bool {
    packet.option(&[tag::VENDOR, tag::PXE_MENU]).is_some()
}

/// When the DISCOVER after so many is due, without jitter: 1, 3, 7, 15, 31 s, and every 32 s from then on. What would
/// come after the end is not sent before it by jitter either.
fn undisturbed(sent: u32) -> Duration {
    let doubled = (1 << sent.min(5)) - 1;
    Duration::from_secs(doubled + 32 * u64::from(sent.saturating_sub(5)))
}
