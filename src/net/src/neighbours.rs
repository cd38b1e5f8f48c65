//! Asking for the link addresses of neighbours (ARP, RFC 826).
//!
//! smoltcp keeps the answers; this decides when to ask. smoltcp asks for one neighbour a second at most, whichever
//! it is, so that a lost question or a second server would cost a second each.

use alloc::vec::Vec;
use base::{Duration, Instant, MacAddress, earliest};
use core::net::Ipv4Addr;
use link::{HEADER_LENGTH, ether_type};

/// Bytes of an Ethernet frame with an ARP packet for IPv4.
pub(crate) const FRAME_LENGTH: usize = HEADER_LENGTH + 28;

/// Neighbours that are looked after at once. smoltcp's own table must not be smaller.
const CAPACITY: usize = 16;
/// smoltcp forgets an answer after 60 s; the address must be asked for again before.
const MEMORY: Duration = Duration::from_secs(50);
/// The first question is repeated after this time, then after twice as long, and so on.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);
/// The longest time between two questions.
const LAST_INTERVAL: Duration = Duration::from_secs(1);
/// Questions until we stop; the next packet for the neighbour begins anew. They take 5 s.
const QUESTIONS: u8 = 8;
/// Unanswered questions that are worth a word: one or two may get lost.
const QUESTIONS_UNTIL_WARNING: u8 = 3;

#[derive(Default)]
pub(crate) struct Neighbours {
    entries: Vec<Entry>,
}

struct Entry {
    address: Ipv4Addr,
    state: State,
    /// Questions since the last answer.
    asked: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be asked for at the next opportunity.
    Wanted,
    /// The question is repeated at that time.
    Asking(Instant),
    /// No longer asked for.
    Silent,
    /// Answered at that time.
    Known(Instant, MacAddress),
}

impl Neighbours {
    /// Somebody has a packet for `address`.
    pub(crate) fn want(&mut self, address: Ipv4Addr) {
        if !self.is_known(address) {
            self.miss(address);
        }
    }

    /// smoltcp has a packet for `address` and does not know the neighbour, whatever we think.
    pub(crate) fn miss(&mut self, address: Ipv4Addr) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.address == address) {
            if !matches!(entry.state, State::Asking(_)) {
                entry.state = State::Wanted;
            }
            return;
        }
        if self.entries.len() >= CAPACITY {
            self.entries.remove(0);
        }
        self.entries.push(Entry { address, state: State::Wanted, asked: 0 });
    }

    /// Whether packets for `address` can be sent at once.
    pub(crate) fn is_known(&self, address: Ipv4Addr) -> bool {
        self.entries.iter().any(|entry| entry.address == address && matches!(entry.state, State::Known(..)))
    }

    /// Whether an answer from `address` may still come.
    pub(crate) fn is_asked_for(&self, address: Ipv4Addr) -> bool {
        let hopeful = |entry: &Entry| matches!(entry.state, State::Wanted | State::Asking(_));
        self.entries.iter().any(|entry| entry.address == address && hopeful(entry))
    }

    /// The address to be asked for now, if there is one. To be called until there is none.
    pub(crate) fn question(&mut self, now: Instant) -> Option<Ipv4Addr> {
        for entry in &mut self.entries {
            match entry.state {
                State::Asking(next) if now >= next && entry.asked >= QUESTIONS => entry.state = State::Silent,
                State::Asking(next) if now < next => {}
                State::Wanted | State::Asking(_) => {
                    let factor = 1_u64.checked_shl(entry.asked.into()).unwrap_or(u64::MAX);
                    entry.asked = entry.asked.saturating_add(1);
                    entry.state = State::Asking(now + FIRST_INTERVAL.times(factor).min(LAST_INTERVAL));
                    return Some(entry.address);
                }
                _ => {}
            }
        }
        None
    }

    /// When [`question`](Self::question) is next due.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let due = |entry: &Entry| match entry.state {
            State::Wanted => Some(now),
            State::Asking(next) => Some(next),
            State::Silent | State::Known(..) => None,
        };
        self.entries.iter().map(due).fold(None, earliest)
    }

    /// Looks at a received frame: an ARP packet to `own` from a neighbour that is asked for answers the question.
    pub(crate) fn hear(&mut self, frame: &[u8], own: Ipv4Addr, now: Instant) {
        if let Some(packet) = Packet::read(frame)
            && packet.target == own
            && let Some(entry) = self.entries.iter_mut().find(|entry| entry.address == packet.sender)
        {
            entry.state = State::Known(now, packet.sender_mac);
            entry.asked = 0;
        }
    }

    /// Forgets answers that smoltcp is about to forget. They are asked for again when they are wanted.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.entries.retain(|entry| !matches!(entry.state, State::Known(at, _) if now.since(at) > MEMORY));
    }

    /// Forgets everything: we have another address.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// All that were asked for, with their answers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Ipv4Addr, Option<MacAddress>)> {
        self.entries.iter().map(|entry| match entry.state {
            State::Known(_, mac) => (entry.address, Some(mac)),
            _ => (entry.address, None),
        })
    }

    /// A neighbour that does not answer.
    pub(crate) fn unanswered(&self) -> Option<Ipv4Addr> {
        self.entries.iter().find(|entry| is_unanswered(entry)).map(|entry| entry.address)
    }

    /// Whether `address` does not answer.
    pub(crate) fn is_unanswered(&self, address: Ipv4Addr) -> bool {
        self.entries.iter().any(|entry| entry.address == address && is_unanswered(entry))
    }
}

fn is_unanswered(entry: &Entry) -> bool {
    entry.asked >= QUESTIONS_UNTIL_WARNING
}

/// What counts in an ARP packet here.
struct Packet {
    operation: u16,
    sender_mac: MacAddress,
    sender: Ipv4Addr,
    target: Ipv4Addr,
}

impl Packet {
    fn read(frame: &[u8]) -> Option<Self> {
        let kind = frame.get(HEADER_LENGTH - 2..)?.first_chunk::<2>()?;
        let operation = frame.get(HEADER_LENGTH + 6..)?.first_chunk::<2>()?;
        let sender_mac = frame.get(HEADER_LENGTH + 8..)?.first_chunk::<6>()?;
        let sender = frame.get(HEADER_LENGTH + 14..)?.first_chunk::<4>()?;
        let target = frame.get(HEADER_LENGTH + 24..)?.first_chunk::<4>()?;
        (u16::from_be_bytes(*kind) == ether_type::ARP).then_some(Self {
            operation: u16::from_be_bytes(*operation),
            sender_mac: MacAddress(*sender_mac),
            sender: (*sender).into(),
            target: (*target).into(),
        })
    }
}

/// The address that an outgoing frame asks for, if it is an ARP request.
pub(crate) fn wanted_by(frame: &[u8]) -> Option<Ipv4Addr> {
    let packet = Packet::read(frame)?;
    (packet.operation == 1).then_some(packet.target)
}

/// Ethernet: to all, from us, EtherType. ARP: Ethernet addresses of 6 bytes, IPv4 addresses of 4, request; our addresses,
/// those of the neighbour.
const QUESTION: &[u8; FRAME_LENGTH] =
    b"\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x08\x06\0\x01\x08\0\x06\x04\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Writes the question for `target` into `frame`, of [`FRAME_LENGTH`] bytes.
pub(crate) fn write_question(frame: &mut [u8], mac: MacAddress, own: Ipv4Addr, target: Ipv4Addr) {
    let Some(frame) = frame.first_chunk_mut() else { return };
    *frame = *QUESTION;
    frame[6..12].copy_from_slice(&mac.0);
    frame[22..28].copy_from_slice(&mac.0);
    frame[28..32].copy_from_slice(&own.octets());
    frame[38..42].copy_from_slice(&target.octets());
}
