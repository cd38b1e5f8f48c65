//! Echo requests and replies between two hosts.

use super::wire::{CLIENT, Network, SERVER, Weather, mac_of};
use crate::{ECHO_LIMIT, EchoReply};
use base::Duration;

/// The reply that comes within two seconds.
fn ask(network: &mut Network, sequence: u16, length: usize) -> Option<EchoReply> {
    let server = network.hosts[SERVER].address;
    network.client().echo_send(server, sequence, length).unwrap();
    let mut reply = None;
    let end = network.now + Duration::from_secs(2);
    network.run(Duration::from_secs(3), |network| {
        reply = network.client().echo_receive();
        reply.is_some() || network.now >= end
    });
    reply
}

#[test]
fn each_request_is_answered_with_its_bytes() {
    let mut network = Network::new(1, Weather::default());
    network.client().echo_open().unwrap();
    let from = network.hosts[SERVER].address;
    for (sequence, length) in [(1, 0), (2, 64), (3, ECHO_LIMIT), (u16::MAX, 1)] {
        let reply = EchoReply { from, sequence, length, is_intact: true };
        assert_eq!(ask(&mut network, sequence, length), Some(reply));
    }
    assert_eq!(ask(&mut network, 5, 9000).map(|reply| reply.length), Some(ECHO_LIMIT));
    let client = network.client();
    let neighbours: alloc::vec::Vec<_> = client.neighbours().collect();
    assert_eq!(neighbours, [(from, Some(mac_of(SERVER)))]);
    let counters = client.counters();
    assert_eq!((counters.sent.icmp, counters.received.icmp), (5, 5));
    assert_eq!((counters.sent.arp, counters.received.tcp), (1, 0));
    client.echo_close();
    assert_eq!(ask(&mut network, 6, 1), None);
}

#[test]
fn who_is_not_there_does_not_answer() {
    let mut network = Network::new(1, Weather::default());
    network.client().echo_open().unwrap();
    let nobody = core::net::Ipv4Addr::new(10, 0, 0, 99);
    for sequence in 0..20 {
        network.client().echo_send(nobody, sequence, 64).unwrap();
        for _ in 0..20 {
            network.step();
        }
    }
    assert_eq!(network.client().echo_receive(), None);
    assert_eq!(network.client().counters().sent.icmp, 0);
    // And nobody else has to wait for that.
    network.client().echo_open().unwrap();
    assert!(ask(&mut network, 1, 64).is_some());
    let away = core::net::Ipv4Addr::BROADCAST;
    assert!(network.hosts[CLIENT].stack.echo_send(away, 1, 1).is_err());
}
