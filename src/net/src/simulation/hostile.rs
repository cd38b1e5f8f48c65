//! Whatever comes, nothing panics.

use alloc::vec::Vec;
use base::{Duration, Instant, MacAddress};
use core::net::{Ipv4Addr, SocketAddrV4};
use proptest::collection::vec;
use proptest::prelude::*;

use super::wire::{CLIENT, Host, SERVER, arp_reply, checksum, ipv4_frame, mac_of};
use crate::{TcpHandle, TcpState};

/// A host with sockets of all kinds and a half-open connection to 10.0.0.2:80, and the connection's first segment.
fn busy_host() -> (Host, TcpHandle, Vec<u8>) {
    let mut host = Host::configured(CLIENT, 1);
    host.stack.udp_open_unbound(68, 4096).unwrap();
    host.stack.udp_open(5000, 4096).unwrap();
    host.stack.tcp_listen(23, 4096).unwrap();
    let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80);
    let handle = host.stack.tcp_connect(remote, 8192, Instant::ZERO).unwrap();
    let question = host.sent(Instant::ZERO);
    let request = host.answer(Instant::ZERO, arp_reply(&question[0], mac_of(SERVER))).remove(0);
    (host, handle, request)
}

fn destination() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        4 => Just(Ipv4Addr::new(10, 0, 0, 1)),
        1 => Just(Ipv4Addr::BROADCAST),
        1 => Just(Ipv4Addr::new(10, 0, 0, 255)),
        1 => any::<u32>().prop_map(Ipv4Addr::from),
    ]
}

fn source() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![4 => Just(Ipv4Addr::new(10, 0, 0, 2)), 1 => Just(Ipv4Addr::UNSPECIFIED), 1 => any::<u32>().prop_map(Ipv4Addr::from)]
}

proptest! {
    #[test]
    fn any_frame(frames in vec(vec(any::<u8>(), 0..1600), 0..20), kind in any::<u8>()) {
        let (mut host, _, _) = busy_host();
        for (index, mut frame) in frames.into_iter().enumerate() {
            // Most are given an address and a type that let them in.
            if index % 8 != 0 && frame.len() >= 14 {
                frame[..6].copy_from_slice(&mac_of(CLIENT).0);
                frame[12..14].copy_from_slice(&[8, if kind & 1 == 0 { 6 } else { 0 }]);
            }
            let now = Instant::from_micros(index as u64 * 1000);
            host.answer(now, frame);
            host.stack.deadline(now);
        }
    }

    #[test]
    fn any_packet(
        packets in vec((source(), destination(), prop_oneof![Just(1_u8), Just(6), Just(17), any::<u8>()], any::<u16>(), any::<bool>(), vec(any::<u8>(), 0..1480)), 0..20)
    ) {
        let (mut host, _, _) = busy_host();
        for (index, (source, destination, protocol, fragment, whole, body)) in packets.into_iter().enumerate() {
            let fragment = if whole { 0 } else { fragment };
            let to = if index % 2 == 0 { mac_of(CLIENT) } else { MacAddress::BROADCAST };
            let now = Instant::from_micros(index as u64 * 1000);
            host.answer(now, ipv4_frame(to, (source, destination), protocol, fragment, &body));
            host.stack.deadline(now);
        }
    }

    /// Segments with right checksums, close to what the connection expects.
    #[test]
    fn any_segment(
        segments in vec((-3_i32..5000, -3_i32..5000, any::<u8>(), any::<u16>(), 5_u8..16, vec(any::<u8>(), 0..60), any::<bool>()), 1..40),
        orderly in any::<bool>(),
    ) {
        let (mut host, handle, request) = busy_host();
        let theirs = 0xffff_fff0_u32;
        let own = u32::from_be_bytes(request[38..42].try_into().unwrap());
        let addresses = (Ipv4Addr::new(10, 0, 0, 2), host.address);
        let mut now = Instant::ZERO;
        let first = (0, 1, 0x12, 8192, 5, Vec::new(), true);
        let segments = orderly.then_some(first).into_iter().chain(segments);
        for (sequence, acknowledged, flags, window, length, data, to_connection) in segments {
            let mut segment = Vec::new();
            segment.extend(&request[36..38]);
            if to_connection {
                segment.extend(&request[34..36]);
            } else {
                segment.extend([0, 23]);
            }
            segment.extend(theirs.wrapping_add_signed(sequence).to_be_bytes());
            segment.extend(own.wrapping_add_signed(acknowledged).to_be_bytes());
            segment.extend([length << 4, flags]);
            segment.extend(window.to_be_bytes());
            segment.extend([0; 4]);
            segment.extend(&data);
            let pseudo: u32 = addresses.0.octets().chunks(2).chain(addresses.1.octets().chunks(2))
                .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
            let sum = checksum(pseudo + 6 + u32::try_from(segment.len()).unwrap(), &segment);
            segment[16..18].copy_from_slice(&sum.to_be_bytes());
            now = now + Duration::from_millis(u64::from(window % 300));
            host.answer(now, ipv4_frame(mac_of(CLIENT), addresses, 6, 0, &segment));
            host.stack.deadline(now);
            if (sequence, acknowledged, flags) == (0, 1, 0x12) {
                prop_assert_eq!(host.stack.tcp_state(handle), Ok(TcpState::Established));
            }
            host.stack.tcp_send(handle, b"more");
            host.stack.tcp_receive(handle, &mut |data| data.len().min(20));
        }
    }
}
