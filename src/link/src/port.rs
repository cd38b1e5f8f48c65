//! A card with what belongs to it above the driver.

use alloc::vec::Vec;
use base::{Error, Instant};
use nic::{Link, Nic};

use crate::queue::TransmitQueue;
use crate::tag::{self, Tag};
use crate::watch::{Blocked, Watch};
use crate::{HEADER_LENGTH, ether_type};

/// Frames that may wait for the card.
const QUEUE_CAPACITY: usize = 16;

/// A network card and the layer above it.
///
/// Parts that do not care which card it is take a `&mut Port`; a `&mut Port<SomeCard>` becomes one by itself.
pub struct Port<N: Nic + ?Sized = dyn Nic> {
    queue: TransmitQueue,
    watch: Watch,
    counters: Counters,
    /// The VLAN whose frames pass; none: those without a tag.
    tag: Option<Tag>,
    /// The one frame whose tag was put in or taken off last.
    copy: Vec<u8>,
    nic: N,
}

/// Frames counted by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All frames that the card delivered.
    pub received: u64,
    /// Frames of a VLAN that is not ours, or of none where ours is one.
    pub foreign_vlan: u64,
    /// Frames of the switch itself: spanning tree, LACP, EAPOL, LLDP.
    pub switch: u64,
    /// Frames that are malformed or of a protocol that nobody here speaks.
    pub ignored: u64,
    /// Frames that the card took from the transmit queue.
    pub sent: u64,
}

/// What [`Port::receive`] found.
pub enum Received<'a> {
    /// No frame is there.
    Nothing,
    /// A frame was there and is dealt with.
    Handled,
    /// An Ethernet frame with IPv4 or ARP, and the queue for an answer to it.
    Frame(&'a [u8], &'a mut TransmitQueue),
}

impl<N: Nic> Port<N> {
    /// A port around `nic`.
    pub fn new(nic: N) -> Self {
        Self {
            queue: TransmitQueue::new(QUEUE_CAPACITY),
            watch: Watch::default(),
            counters: Counters::default(),
            tag: None,
            copy: Vec::new(),
            nic,
        }
    }

    /// The card, without the port.
    pub fn into_nic(self) -> N {
        self.nic
    }
}

impl<N: Nic + ?Sized> Port<N> {
    /// The card.
    pub fn nic(&self) -> &N {
        &self.nic
    }

    /// The card, to open or close it.
    pub fn nic_mut(&mut self) -> &mut N {
        &mut self.nic
    }

    /// Moves frames between the card and its driver; called once in each round of the loop, before the stack is
    /// polled. `until` is when the caller next has something to do of its own.
    pub fn poll(&mut self, now: Instant, until: Instant) -> Result<(), Error> {
        self.flush();
        self.nic.poll(now, until)
    }

    /// Whether frames can pass. What was learnt of the switch is forgotten when the link is down.
    pub fn link(&mut self) -> Link {
        let link = self.nic.link();
        if link == Link::Down {
            self.watch = Watch::default();
        }
        link
    }

    /// Why the switch does not forward, if it is known that it does not.
    pub fn blocked(&self, now: Instant) -> Option<Blocked> {
        self.watch.blocked(now)
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Makes it a port of that VLAN, or of the wire itself. Frames that the card does not take any more are dropped:
    /// they belong to the one before.
    pub fn set_tag(&mut self, tag: Option<Tag>) {
        self.flush();
        self.queue.clear();
        self.tag = tag;
    }

    /// The queue of frames to be sent.
    pub fn queue(&mut self) -> &mut TransmitQueue {
        &mut self.queue
    }

    /// Hands the queue to the card, as far as it takes it.
    pub fn flush(&mut self) {
        self.counters.sent += self.queue.flush(&mut self.nic, self.tag, &mut self.copy);
    }

    /// Takes one frame from the card and sorts it.
    pub fn receive(&mut self, now: Instant) -> Received<'_> {
        let Some(mut frame) = self.nic.receive() else {
            return Received::Nothing;
        };
        self.counters.received += 1;
        let Some(mut kind) = ether_type_of(frame) else {
            self.counters.ignored += 1;
            return Received::Handled;
        };
        // A tag of VLAN 0 only carries a priority: such a frame is of no VLAN.
        let own = self.tag.map_or(0, Tag::vlan);
        let mut is_own = own == 0;
        if kind == ether_type::VLAN {
            is_own = Tag::of(frame).is_some_and(|tag| tag.vlan() == own);
            if !is_own {
                self.counters.foreign_vlan += 1;
                return Received::Handled;
            }
            tag::take_off(frame, &mut self.copy);
            frame = &self.copy;
            kind = ether_type_of(frame).unwrap_or_default();
        }
        let body = frame.get(HEADER_LENGTH..).unwrap_or_default();
        match kind {
            ether_type::IPV4 | ether_type::ARP => {
                self.watch.ordinary();
                if !is_own {
                    self.counters.foreign_vlan += 1;
                    return Received::Handled;
                }
                return Received::Frame(frame, &mut self.queue);
            }
            ether_type::SLOW => self.watch.slow_protocol(body, now),
            ether_type::EAPOL => self.watch.authentication(body, now),
            ether_type::LLDP => {}
            ..ether_type::FIRST => self.watch.logical_link(body, now),
            _ => {
                self.watch.ordinary();
                self.counters.ignored += 1;
                return Received::Handled;
            }
        }
        self.counters.switch += 1;
        Received::Handled
    }
}

/// The EtherType of `frame`, if it has a whole header.
fn ether_type_of(frame: &[u8]) -> Option<u16> {
    let header = frame.first_chunk::<HEADER_LENGTH>()?;
    let [.., high, low] = *header;
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::vec;
    use base::{Duration, MacAddress};
    use nic::{Counters as NicCounters, Identity};
    use proptest::prelude::*;

    use super::*;
    use crate::Reason;

    struct Card {
        identity: Identity,
        arrived: VecDeque<Vec<u8>>,
        lent: Vec<u8>,
        room: usize,
        sent: Vec<Vec<u8>>,
        waited_until: Instant,
        link: Link,
    }

    impl Nic for Card {
        fn identity(&self) -> &Identity {
            &self.identity
        }
        fn open(&mut self) -> Result<(), Error> {
            Ok(())
        }
        fn close(&mut self) {}
        fn link(&mut self) -> Link {
            self.link
        }
        fn poll(&mut self, _now: Instant, until: Instant) -> Result<(), Error> {
            self.waited_until = until;
            Ok(())
        }
        fn receive(&mut self) -> Option<&[u8]> {
            self.lent = self.arrived.pop_front()?;
            Some(&self.lent)
        }
        fn can_transmit(&self) -> bool {
            self.room > 0
        }
        fn transmit(&mut self, frame: &[u8]) -> bool {
            self.room -= 1;
            self.sent.push(frame.to_vec());
            true
        }
        fn counters(&self) -> NicCounters {
            NicCounters::default()
        }
        fn frames_ahead(&self) -> u16 {
            128
        }
    }

    fn port() -> Port<Card> {
        let mac = MacAddress([2, 0, 0, 0, 0, 1]);
        Port::new(Card {
            identity: Identity { driver: "test", mac, permanent_mac: mac, mtu: 1500, pci: None },
            arrived: VecDeque::new(),
            lent: Vec::new(),
            room: 0,
            sent: Vec::new(),
            waited_until: Instant::ZERO,
            link: Link::Up,
        })
    }

    fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x11; 12];
        frame.extend(kind.to_be_bytes());
        frame.extend(body);
        frame
    }

    /// What the port lends to the stack when `frame` arrives.
    fn arrive(port: &mut Port<Card>, frame: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        port.nic_mut().arrived.push_back(frame);
        // The stack knows the port without its card's type.
        let port: &mut Port = port;
        match port.receive(now) {
            Received::Frame(frame, _) => Some(frame.to_vec()),
            Received::Handled | Received::Nothing => None,
        }
    }

    const START: Instant = Instant::from_micros(1_000_000);

    fn after(seconds: u64) -> Instant {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_stack_gets_ip_and_arp_only() {
        let mut port = port();
        for kind in [ether_type::IPV4, ether_type::ARP] {
            assert_eq!(arrive(&mut port, frame(kind, b"body"), START), Some(frame(kind, b"body")));
        }
        for kind in [0x86dd, 0x22f0, ether_type::LLDP, ether_type::SLOW, 46] {
            assert_eq!(arrive(&mut port, frame(kind, b"body"), START), None);
        }
        assert_eq!(arrive(&mut port, vec![0; 13], START), None);
        assert!(matches!(port.receive(START), Received::Nothing));
        let expected = Counters { received: 8, switch: 3, ignored: 3, ..Counters::default() };
        assert_eq!(port.counters(), expected);
    }

    #[test]
    fn a_priority_tag_is_taken_off_and_other_vlans_are_dropped() {
        let mut port = port();
        let tagged = |tag: u16| frame(ether_type::VLAN, &[&tag.to_be_bytes()[..], &[8, 0], b"body"].concat());
        assert_eq!(arrive(&mut port, tagged(0xe000), START), Some(frame(ether_type::IPV4, b"body")));
        assert_eq!(arrive(&mut port, tagged(0xe001), START), None);
        assert_eq!(arrive(&mut port, frame(ether_type::VLAN, &[0]), START), None);
        assert_eq!(arrive(&mut port, frame(ether_type::VLAN, &[0, 0]), START), None);
        assert_eq!(port.counters().foreign_vlan, 2);
    }

    #[test]
    fn a_port_of_a_vlan_sees_frames_of_that_vlan_only() {
        let mut port = port();
        port.set_tag(Some(Tag::new(100, 3)));
        let tagged = |tag: u16, kind: [u8; 2]| {
            frame(ether_type::VLAN, &[&tag.to_be_bytes()[..], &kind, b"body"].concat())
        };
        // Whatever its priority; with a second tag inside it is of no protocol that is spoken here.
        assert_eq!(arrive(&mut port, tagged(0xe064, [8, 0]), START), Some(frame(ether_type::IPV4, b"body")));
        assert_eq!(arrive(&mut port, tagged(100, [0x81, 0]), START), None);
        let foreign = [tagged(101, [8, 0]), tagged(0, [8, 0]), frame(ether_type::ARP, b"body")];
        for frame in foreign {
            assert_eq!(arrive(&mut port, frame, START), None);
        }
        // The switch speaks to the port, not to a VLAN.
        arrive(&mut port, bridge(2, 0x0e), START);
        assert!(port.blocked(START).is_some());
        let expected =
            Counters { received: 6, foreign_vlan: 3, switch: 1, ignored: 1, ..Counters::default() };
        assert_eq!(port.counters(), expected);
    }

    #[test]
    fn what_is_sent_in_a_vlan_has_its_tag_and_nothing_is_sent_in_another() {
        let mut port = port();
        let send = |port: &mut Port<Card>, byte| {
            port.queue().reserve(60).unwrap().fill(byte);
            port.queue().commit();
        };
        port.nic_mut().room = 1;
        send(&mut port, 1);
        send(&mut port, 2);
        port.set_tag(Some(Tag::new(100, 3)));
        port.nic_mut().room = 9;
        send(&mut port, 3);
        port.set_tag(None);
        send(&mut port, 4);
        port.flush();
        let tagged = [&[3; 12][..], &[0x81, 0, 0x60, 100], &[3; 48]].concat();
        assert_eq!(port.nic().sent, [vec![1; 60], tagged, vec![4; 60]]);
        assert_eq!(port.counters().sent, 3);
    }

    #[test]
    fn a_frame_may_take_the_place_of_the_one_before() {
        let mut queue = TransmitQueue::new(3);
        for number in [1, 2, 2, 3] {
            queue.reserve(60).unwrap().fill(number);
            queue.commit_over(|frame, before| before.next() == Some(frame));
        }
        assert!(!queue.has_room());
        let mut port = port();
        port.nic_mut().room = 9;
        *port.queue() = queue;
        port.flush();
        assert_eq!(port.nic().sent.iter().map(|frame| frame[0]).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn the_queue_keeps_the_order_and_its_bound() {
        let mut port = port();
        let mut number = 0_u8;
        while let Some(frame) = port.queue().reserve(60) {
            frame.fill(number);
            port.queue().commit();
            number += 1;
        }
        assert_eq!(usize::from(number), QUEUE_CAPACITY);
        port.queue().commit();
        port.nic_mut().room = 3;
        port.flush();
        assert!(port.queue().has_room() && !port.queue().is_empty());
        port.queue().reserve(1514).unwrap().fill(99);
        port.queue().commit();
        assert!(port.queue().reserve(1515).is_none());
        port.nic_mut().room = 100;
        port.poll(START, after(5)).unwrap();
        assert_eq!(port.nic().waited_until, after(5));
        let sent: Vec<u8> = port.nic().sent.iter().map(|frame| frame[0]).collect();
        assert_eq!(sent, [&(0..16).collect::<Vec<u8>>()[..], &[99]].concat());
        assert_eq!(port.counters().sent, 17);
    }

    /// A bridge's message: protocol, version, type, flags, identifiers, times in 1/256 s with a forward delay of 10 s.
    fn bridge(kind: u8, flags: u8) -> Vec<u8> {
        let mut body = vec![0x42, 0x42, 0x03, 0, 0, kind, kind, flags];
        body.extend([7; 28]);
        body.extend([10, 0]);
        frame(38, &body)
    }

    #[test]
    fn the_old_spanning_tree_blocks_until_an_ordinary_frame_comes() {
        let mut port = port();
        arrive(&mut port, bridge(0, 0), START);
        arrive(&mut port, bridge(0, 0), after(2));
        let blocked = port.blocked(after(3)).unwrap();
        assert_eq!(blocked.reason, Reason::SpanningTree);
        assert_eq!(blocked.until, Some(after(20)));
        arrive(&mut port, frame(ether_type::ARP, &[]), after(4));
        assert_eq!(port.blocked(after(4)), None);
        arrive(&mut port, bridge(0, 0), after(6));
        assert_eq!(port.blocked(after(6)), None);
        // A new cable is a new port.
        port.nic_mut().link = Link::Down;
        assert_eq!(port.link(), Link::Down);
        arrive(&mut port, bridge(0, 0), after(8));
        assert!(port.blocked(after(8)).is_some());
    }

    #[test]
    fn rapid_spanning_tree_tells_the_state() {
        let mut port = port();
        arrive(&mut port, bridge(2, 0x0e), START);
        assert_eq!(port.blocked(after(1)).map(|blocked| blocked.reason), Some(Reason::SpanningTree));
        // Learning is not forwarding yet; hellos that stay away prove nothing any more.
        arrive(&mut port, bridge(2, 0x1c), after(2));
        assert!(port.blocked(after(11)).is_some());
        assert!(port.blocked(after(13)).is_none());
        arrive(&mut port, bridge(2, 0x3c), after(4));
        assert_eq!(port.blocked(after(4)), None);
    }

    #[test]
    fn spanning_tree_of_one_vlan_counts() {
        let mut port = port();
        let body = [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b][..], &bridge(2, 0x0e)[17..]].concat();
        arrive(&mut port, frame(50, &body), START);
        assert!(port.blocked(START).is_some());
    }

    #[test]
    fn an_aggregate_that_is_not_there_blocks() {
        let lacp = |state| {
            let mut body = vec![1, 1, 1, 20];
            body.extend([9; 14]);
            body.push(state);
            frame(ether_type::SLOW, &body)
        };
        let mut port = port();
        arrive(&mut port, lacp(0x45), START);
        assert_eq!(port.blocked(START).map(|blocked| blocked.reason), Some(Reason::Aggregation));
        arrive(&mut port, lacp(0x3d), START);
        assert_eq!(port.blocked(START), None);
    }

    #[test]
    fn a_request_for_identity_blocks_until_success() {
        let eap = |code| frame(ether_type::EAPOL, &[2, 0, 0, 5, code, 1, 0, 5, 1]);
        let mut port = port();
        arrive(&mut port, eap(1), START);
        assert_eq!(port.blocked(after(80)).map(|blocked| blocked.reason), Some(Reason::Authentication));
        assert_eq!(port.blocked(after(90)), None);
        arrive(&mut port, eap(3), after(5));
        assert_eq!(port.blocked(after(6)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(
            body in proptest::collection::vec(any::<u8>(), 0..1600),
            kind in prop_oneof![
                Just(ether_type::VLAN), Just(ether_type::SLOW), Just(ether_type::EAPOL), 0..1600_u16, any::<u16>()
            ],
            cut in 0..1600_usize,
            vlan in prop_oneof![Just(None), (0..4095_u16).prop_map(Some)],
        ) {
            let mut whole = frame(kind, &body);
            // Often enough it is our VLAN.
            if let (Some(vlan), Some(tag)) = (vlan, whole.get_mut(14..16)) && cut % 2 == 0 {
                tag.copy_from_slice(&vlan.to_be_bytes());
            }
            whole.truncate(cut);
            let mut port = port();
            port.set_tag(vlan.map(|vlan| Tag::new(vlan, 0)));
            if let Some(frame) = arrive(&mut port, whole.clone(), START) {
                prop_assert!(frame == whole || frame.len() + 4 == whole.len());
            }
            port.blocked(START);
            prop_assert_eq!(port.counters().received, 1);
        }
    }
}
