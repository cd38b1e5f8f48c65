//! Datagrams, with and without an address.

use alloc::vec;
use alloc::vec::Vec;
use base::{Duration, Instant, MacAddress};
use core::net::{Ipv4Addr, SocketAddrV4};

use super::wire::{
    CLIENT, Host, Network, SERVER, Weather, arp_reply, arp_target, checksum, ipv4_frame, mac_of, udp,
};
use crate::errors;

const OFFERED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
const DHCP_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const EVERYBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);

fn read(host: &mut Host, handle: crate::UdpHandle) -> Vec<(SocketAddrV4, Vec<u8>)> {
    let mut all = Vec::new();
    while host.stack.udp_receive(handle, &mut |from, _, data| all.push((from, data.to_vec()))) {}
    all
}

#[test]
fn a_window_of_blocks_fits_into_the_receive_buffer() {
    const BLOCKS: usize = 64;
    let mut network = Network::new(1, Weather::default());
    let sender = network.server().udp_open(69, 1024).unwrap();
    let receiver = network.client().udp_open(0, 128 * 1024).unwrap();
    let port = network.client().udp_port(receiver);
    assert!(port >= 0xc000);
    let destination = network.hosts[CLIENT].at(port);
    let mut sent = 0;
    network.run(Duration::from_secs(5), |network| {
        let block = vec![u8::try_from(sent).unwrap(); 1468];
        if sent < BLOCKS && network.server().udp_send(sender, destination, &block) {
            sent += 1;
        }
        sent == BLOCKS
    });
    for _ in 0..200 {
        network.step();
    }
    let received = read(&mut network.hosts[CLIENT], receiver);
    assert_eq!(received.len(), BLOCKS);
    for (number, (from, block)) in received.iter().enumerate() {
        assert_eq!(*from, network.hosts[SERVER].at(69));
        assert!(block.len() == 1468 && block.iter().all(|byte| usize::from(*byte) == number));
    }
}

/// Sends a DHCP message and gives back the frame.
fn broadcast(host: &mut Host, handle: crate::UdpHandle) -> Vec<u8> {
    assert!(host.stack.udp_send(handle, EVERYBODY, b"discover"));
    let mut frames = host.sent(Instant::ZERO);
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

#[test]
fn dhcp_is_sent_from_no_address_with_and_without_one() {
    for mut host in [Host::new(CLIENT, 1), Host::configured(CLIENT, 1)] {
        let handle = host.stack.udp_open_unbound(68, 4096).unwrap();
        let frame = broadcast(&mut host, handle);
        assert_eq!(frame[..6], MacAddress::BROADCAST.0);
        assert_eq!(frame[26..34], [0, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(frame[34..38], [0, 68, 0, 67]);
        assert_eq!(&frame[42..50], b"discover");
    }
}

#[test]
fn other_sockets_need_an_address() {
    let mut host = Host::new(CLIENT, 1);
    let handle = host.stack.udp_open(0, 4096).unwrap();
    assert!(!host.stack.udp_send(handle, EVERYBODY, b"x"));
    assert!(!host.stack.udp_send(handle, SocketAddrV4::new(DHCP_SERVER, 53), b"x"));
    assert!(host.sent(Instant::ZERO).is_empty());
}

#[test]
fn answers_to_any_address_reach_the_unbound_socket_only() {
    let offer =
        |to, destination, port| ipv4_frame(to, (DHCP_SERVER, destination), 17, 0, &udp(67, port, b"offer"));
    for mut host in [Host::new(CLIENT, 1), Host::configured(CLIENT, 1)] {
        let dhcp = host.stack.udp_open_unbound(68, 4096).unwrap();
        let other = host.stack.udp_open(5000, 4096).unwrap();
        let own = mac_of(CLIENT);
        for frame in [
            offer(own, OFFERED, 68),
            offer(MacAddress::BROADCAST, Ipv4Addr::BROADCAST, 68),
            offer(MacAddress::BROADCAST, OFFERED, 68),
        ] {
            assert!(host.answer(Instant::ZERO, frame).is_empty());
            assert_eq!(read(&mut host, dhcp), [(SocketAddrV4::new(DHCP_SERVER, 67), b"offer".to_vec())]);
        }
        // Not for this card; not for this socket; not whole.
        host.answer(Instant::ZERO, offer(mac_of(5), OFFERED, 68));
        host.answer(Instant::ZERO, offer(own, OFFERED, 5000));
        host.answer(Instant::ZERO, ipv4_frame(own, (DHCP_SERVER, OFFERED), 17, 0x2000, &udp(67, 68, b"off")));
        assert_eq!(read(&mut host, dhcp), []);
        assert_eq!(read(&mut host, other), []);
    }
}

#[test]
fn a_datagram_says_to_whom_it_was_sent() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(5000, 4096).unwrap();
    for to in [host.address, Ipv4Addr::BROADCAST] {
        let datagram = udp(67, 5000, b"offer");
        host.answer(Instant::ZERO, ipv4_frame(mac_of(CLIENT), (DHCP_SERVER, to), 17, 0, &datagram));
        let mut said = None;
        assert!(host.stack.udp_receive(handle, &mut |_, to, _| said = Some(to)));
        assert_eq!(said, Some(to));
    }
}

#[test]
fn nothing_answers_for_an_address_that_is_not_ours() {
    let mut host = Host::configured(CLIENT, 1);
    host.stack.udp_open_unbound(68, 4096).unwrap();
    let mut question = vec![0; crate::neighbours::FRAME_LENGTH];
    crate::neighbours::write_question(&mut question, mac_of(SERVER), DHCP_SERVER, OFFERED);
    assert!(host.answer(Instant::ZERO, question.clone()).is_empty());
    crate::neighbours::write_question(&mut question, mac_of(SERVER), DHCP_SERVER, host.address);
    assert_eq!(host.answer(Instant::ZERO, question).len(), 1);
}

#[test]
fn a_fragmented_datagram_is_put_together() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(5000, 8192).unwrap();
    let data: Vec<u8> = (0..3000_usize).map(|number| number.to_le_bytes()[0]).collect();
    let whole = udp(53, 5000, &data);
    let addresses = (DHCP_SERVER, host.address);
    for (offset, more) in [(1480, 0x2000), (2960, 0), (0, 0x2000)] {
        let part = &whole[offset..whole.len().min(offset + 1480)];
        let field = u16::try_from(offset / 8).unwrap() | more;
        host.answer(Instant::ZERO, ipv4_frame(mac_of(CLIENT), addresses, 17, field, part));
    }
    assert_eq!(read(&mut host, handle), [(SocketAddrV4::new(DHCP_SERVER, 53), data)]);
}

#[test]
fn what_was_damaged_on_the_way_is_dropped_whole_or_in_fragments() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(5000, 8192).unwrap();
    let mut datagram = udp(53, 5000, &[7; 2000]);
    datagram[6] = 1;
    let addresses = (DHCP_SERVER, host.address);
    for (part, field) in [(&datagram[..1480], 0x2000), (&datagram[1480..], 185)] {
        host.answer(Instant::ZERO, ipv4_frame(mac_of(CLIENT), addresses, 17, field, part));
    }
    let mut datagram = udp(53, 5000, &[7; 100]);
    datagram[6] = 1;
    host.answer(Instant::ZERO, ipv4_frame(mac_of(CLIENT), addresses, 17, 0, &datagram));
    assert_eq!(read(&mut host, handle), []);
}

#[test]
fn a_silent_neighbour_does_not_hold_up_the_others() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(0, 4096).unwrap();
    let silent = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 50), 53);
    let lively = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 51), 53);
    assert!(host.stack.udp_send(handle, silent, b"first"));
    assert!(host.stack.udp_send(handle, lively, b"second"));
    let questions = host.sent(Instant::ZERO);
    let targets: Vec<_> = questions.iter().filter_map(|frame| arp_target(frame)).collect();
    assert_eq!(targets, [*silent.ip(), *lively.ip()]);
    let frames = host.answer(Instant::from_micros(300), arp_reply(&questions[1], mac_of(8)));
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0][..6], mac_of(8).0);
    assert_eq!(&frames[0][42..], b"second");
}

#[test]
fn ports_are_given_out_once_and_come_back() {
    let mut host = Host::new(CLIENT, 1);
    let first = host.stack.udp_open(68, 1024).unwrap();
    assert!(host.stack.udp_open(68, 1024).unwrap_err().is(&errors::PORT_IN_USE));
    host.stack.udp_close(first);
    assert_eq!(host.stack.udp_port(first), 0);
    assert!(!host.stack.udp_send(first, EVERYBODY, b"x"));
    assert!(host.stack.udp_open(68, 1024).is_ok());
}

#[test]
fn an_echo_request_is_answered() {
    let mut host = Host::configured(CLIENT, 1);
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 2, b'p', b'i', b'n', b'g'];
    let sum = checksum(0, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let echo = ipv4_frame(mac_of(CLIENT), (DHCP_SERVER, host.address), 1, 0, &message);
    // Who sends an echo request has asked for our link address before, and so told its own.
    let mut question = vec![0; crate::neighbours::FRAME_LENGTH];
    crate::neighbours::write_question(&mut question, mac_of(SERVER), DHCP_SERVER, host.address);
    assert_eq!(host.answer(Instant::ZERO, question).len(), 1);
    let answers = host.answer(Instant::ZERO, echo);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0][34], 0);
    assert_eq!(&answers[0][42..46], b"ping");
}

#[test]
fn a_flood_for_a_closed_port_is_answered_once_in_a_round() {
    let mut host = Host::configured(CLIENT, 1);
    let mut question = vec![0; crate::neighbours::FRAME_LENGTH];
    crate::neighbours::write_question(&mut question, mac_of(SERVER), DHCP_SERVER, host.address);
    host.answer(Instant::ZERO, question);
    let addresses = (DHCP_SERVER, host.address);
    for _ in 0..3 {
        let frame = ipv4_frame(mac_of(CLIENT), addresses, 17, 0, &udp(67, 4000, b"nobody"));
        host.port.nic_mut().arrived.extend(core::iter::repeat_n(frame, 50));
        let answers = host.sent(Instant::ZERO);
        assert_eq!(answers.len(), 1);
        // "Port unreachable".
        assert_eq!((answers[0][23], &answers[0][34..36]), (1, &[3, 3][..]));
    }
}

#[test]
fn a_group_is_sent_to_without_asking_for_it() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(68, 4096).unwrap();
    let group = SocketAddrV4::new(Ipv4Addr::new(224, 129, 2, 3), 4011);
    assert!(host.stack.udp_send(handle, group, b"who?"));
    let frames = host.sent(Instant::ZERO);
    assert_eq!(frames.len(), 1);
    // RFC 1112 section 6.4: 23 bits of the group's address.
    assert_eq!(frames[0][..6], [1, 0, 0x5e, 1, 2, 3]);
    assert_eq!(frames[0][26..34], [10, 0, 0, 1, 224, 129, 2, 3]);
}
