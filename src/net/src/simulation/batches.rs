//! However many frames are received at once, what is read and acknowledged is the same.

use alloc::vec::Vec;
use base::{Duration, Instant};
use core::net::{Ipv4Addr, SocketAddrV4};
use proptest::collection::vec;
use proptest::prelude::*;

use super::wire::{CLIENT, Host, SERVER, arp_reply, checksum, ipv4_frame, mac_of};
use crate::{TcpHandle, TcpState};

/// The server's first sequence number: the stream wraps around.
const FIRST: u32 = 0xffff_e000;
const STREAM: usize = 40_000;
const PUSH: u8 = 0x08;
const ACKNOWLEDGE: u8 = 0x10;
const FINISH: u8 = 0x01;

/// A host with an open connection, and what came of it.
struct Client {
    host: Host,
    handle: TcpHandle,
    /// The client's port, and its sequence number.
    port: [u8; 2],
    own: [u8; 4],
    now: Instant,
    read: Vec<u8>,
    /// Bytes of the stream that were acknowledged.
    acknowledged: usize,
}

impl Client {
    fn new(capacity: usize) -> Self {
        let mut host = Host::configured(CLIENT, 1);
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80);
        let handle = host.stack.tcp_connect(remote, capacity, Instant::ZERO).unwrap();
        let question = host.sent(Instant::ZERO);
        let request = host.answer(Instant::ZERO, arp_reply(&question[0], mac_of(SERVER))).remove(0);
        let own = u32::from_be_bytes(request[38..42].try_into().unwrap()).wrapping_add(1);
        let (port, own) = (request[34..36].try_into().unwrap(), own.to_be_bytes());
        let mut client =
            Self { host, handle, port, own, now: Instant::ZERO, read: Vec::new(), acknowledged: 0 };
        let answer = client.segment(FIRST.wrapping_sub(1), 0x12, &[]);
        client.receive(&[answer]);
        client
    }

    fn segment(&self, sequence: u32, flags: u8, data: &[u8]) -> Vec<u8> {
        let addresses = (Ipv4Addr::new(10, 0, 0, 2), self.host.address);
        let header = [
            &[0, 80],
            &self.port[..],
            &sequence.to_be_bytes(),
            &self.own,
            &[0x50, flags, 0x20, 0, 0, 0, 0, 0],
        ];
        let mut segment = [&header.concat(), data].concat();
        let halves = [addresses.0.octets(), addresses.1.octets()].concat();
        let pseudo: u32 = halves.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        let sum = checksum(pseudo + 6 + u32::try_from(segment.len()).unwrap(), &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4_frame(mac_of(CLIENT), addresses, 6, 0, &segment)
    }

    /// A part of the stream.
    fn part(&self, start: usize, length: usize, flags: u8) -> Vec<u8> {
        let data: Vec<u8> = (start..(start + length).min(STREAM)).map(byte).collect();
        self.segment(FIRST.wrapping_add(u32::try_from(start).unwrap()), flags, &data)
    }

    /// A round in which these frames have come together.
    fn receive(&mut self, frames: &[Vec<u8>]) {
        self.now = self.now + Duration::from_micros(10);
        self.host.port.nic_mut().arrived.extend(frames.iter().cloned());
        self.round();
    }

    fn round(&mut self) {
        for frame in self.host.sent(self.now) {
            let number = u32::from_be_bytes(frame[42..46].try_into().unwrap());
            self.acknowledged = self.acknowledged.max(number.wrapping_sub(FIRST) as usize);
        }
    }

    /// Reads what there is. All that waits to be acknowledged is acknowledged then.
    fn settle(&mut self) {
        let read = &mut self.read;
        self.host.stack.tcp_receive(self.handle, &mut |data| {
            read.extend_from_slice(data);
            data.len()
        });
        self.now = self.now + Duration::from_millis(20);
        self.round();
    }
}

fn byte(place: usize) -> u8 {
    u8::try_from(place % 251).unwrap()
}

/// Segments of the stream: where each begins, its length and flags, and what is done to its frame.
fn parts() -> impl Strategy<Value = Vec<(i32, usize, u8, Option<prop::sample::Index>)>> {
    // Mostly, each goes on where the one before ends.
    let gap = prop_oneof![12 => Just(0), 1 => 1..4000_i32, 1 => -5000..0_i32];
    let flags = prop_oneof![9 => Just(ACKNOWLEDGE), 2 => Just(ACKNOWLEDGE | PUSH), 1 => Just(0)];
    let damage = prop_oneof![20 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    vec((gap, prop_oneof![3 => Just(1460_usize), 1 => 1..1460_usize], flags, damage), 1..60)
}

/// The frames of these parts, for a client or for one that is its twin.
fn frames(client: &Client, parts: Vec<(i32, usize, u8, Option<prop::sample::Index>)>) -> Vec<Vec<u8>> {
    let mut place = 0_usize;
    let parts = parts.into_iter().map(|(gap, length, flags, damage)| {
        let start = place.saturating_add_signed(gap as isize).min(STREAM - 1);
        let mut frame = client.part(start, length, flags);
        place = start + length;
        if let Some(index) = damage {
            let place = 14 + index.index(frame.len() - 14);
            frame[place] ^= 4;
        }
        frame
    });
    parts.collect()
}

proptest! {
    #[test]
    fn it_does_not_matter_how_many_frames_come_at_once(
        parts in parts(),
        sizes in vec(1..20_usize, 60),
        place in any::<prop::sample::Index>(),
    ) {
        let (mut together, mut apart) = (Client::new(60_000), Client::new(60_000));
        let mut frames = frames(&together, parts);
        frames.insert(place.index(frames.len()), together.part(STREAM - 100, 100, ACKNOWLEDGE | FINISH));
        let mut rest = &frames[..];
        for size in sizes {
            let (batch, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            together.receive(batch);
            for frame in batch {
                apart.receive(core::slice::from_ref(frame));
            }
            together.settle();
            apart.settle();
            prop_assert_eq!(together.acknowledged, apart.acknowledged);
            prop_assert_eq!(together.read.len(), apart.read.len());
        }
        prop_assert!(together.read.iter().copied().eq((0..together.read.len()).map(byte)));
        prop_assert_eq!(together.host.stack.tcp_state(together.handle), apart.host.stack.tcp_state(apart.handle));
    }

    #[test]
    fn what_is_read_is_the_stream_also_at_the_edge_of_the_window(
        parts in parts(),
        sizes in vec(1..20_usize, 60),
        capacity in 2048..12_000_usize,
    ) {
        let mut client = Client::new(capacity);
        let frames = frames(&client, parts);
        let mut rest = &frames[..];
        for size in sizes {
            let (batch, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            client.receive(batch);
            client.settle();
        }
        // The sender begins again where it was told to.
        for _ in 0..STREAM / 1460 * 10 {
            if client.host.stack.tcp_state(client.handle) == Ok(TcpState::PeerClosed) {
                break;
            }
            let start = client.acknowledged.min(STREAM - 1);
            let end = if start + 1460 >= STREAM { FINISH } else { 0 };
            let part = client.part(start, 1460, ACKNOWLEDGE | end);
            client.receive(&[part]);
            client.settle();
        }
        prop_assert_eq!(client.host.stack.tcp_state(client.handle), Ok(TcpState::PeerClosed));
        prop_assert!(client.read.iter().copied().eq((0..STREAM).map(byte)));
    }
}

#[test]
fn a_sender_hears_of_each_segment_after_a_gap() {
    let mut client = Client::new(60_000);
    let starts = [0, 1460, 2920, 5840, 7300, 8760];
    let frames: Vec<_> = starts.iter().map(|start| client.part(*start, 1460, ACKNOWLEDGE)).collect();
    client.host.port.nic_mut().arrived.extend(frames);
    let now = client.now;
    let numbers: Vec<u32> = client
        .host
        .sent(now)
        .iter()
        .map(|frame| u32::from_be_bytes(frame[42..46].try_into().unwrap()).wrapping_sub(FIRST))
        .collect();
    assert_eq!(numbers, [4380; 3]);
}
