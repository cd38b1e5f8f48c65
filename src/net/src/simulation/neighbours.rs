//! Finding neighbours and ways.

use alloc::vec;
use base::{Duration, Instant};
use core::net::{Ipv4Addr, SocketAddrV4};

use super::wire::{CLIENT, Host, arp_reply, arp_target, configuration, mac_of};
use crate::{Ipv4Config, Route, errors};

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// The first address that is asked for after a connection to `remote` was begun.
fn asked_for(host: &mut Host, remote: Ipv4Addr) -> Option<Ipv4Addr> {
    host.stack.tcp_connect(SocketAddrV4::new(remote, 80), 4096, Instant::ZERO).ok()?;
    host.sent(Instant::ZERO).iter().find_map(|frame| arp_target(frame))
}

#[test]
fn the_most_special_route_is_taken() {
    let mut host = Host::new(CLIENT, 1);
    let route = |destination, prefix_length, gateway| Route { destination, prefix_length, gateway };
    host.stack
        .configure(Ipv4Config {
            routes: vec![
                route(Ipv4Addr::new(192, 168, 0, 0), 16, address(251)),
                route(Ipv4Addr::new(192, 168, 7, 0), 24, address(252)),
                // Not in the subnet, so of no use.
                route(Ipv4Addr::new(172, 16, 0, 0), 12, Ipv4Addr::new(10, 9, 9, 9)),
                route(Ipv4Addr::new(172, 16, 0, 0), 77, address(253)),
            ],
            ..configuration(address(1))
        })
        .unwrap();
    assert_eq!(asked_for(&mut host, address(9)), Some(address(9)));
    assert_eq!(asked_for(&mut host, Ipv4Addr::new(192, 168, 7, 1)), Some(address(252)));
    assert_eq!(asked_for(&mut host, Ipv4Addr::new(192, 168, 8, 1)), Some(address(251)));
    assert_eq!(asked_for(&mut host, Ipv4Addr::new(172, 16, 0, 1)), Some(address(254)));
}

#[test]
fn destinations_without_a_way_are_errors_at_once() {
    let mut host = Host::new(CLIENT, 1);
    let connect = |host: &mut Host, remote| {
        host.stack.tcp_connect(SocketAddrV4::new(remote, 80), 4096, Instant::ZERO).unwrap_err()
    };
    assert!(connect(&mut host, address(9)).is(&errors::NO_ADDRESS));
    host.stack.configure(Ipv4Config { gateway: None, ..configuration(address(1)) }).unwrap();
    for remote in [
        Ipv4Addr::new(192, 0, 2, 1),
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        address(255),
        Ipv4Addr::new(224, 0, 0, 1),
    ] {
        assert!(connect(&mut host, remote).is(&errors::NO_ROUTE), "{remote}");
    }
}

#[test]
fn addresses_that_no_host_can_have_are_refused() {
    let mut host = Host::new(CLIENT, 1);
    for (own, prefix_length) in [
        (Ipv4Addr::UNSPECIFIED, 24),
        (Ipv4Addr::BROADCAST, 24),
        (Ipv4Addr::new(239, 1, 1, 1), 24),
        (address(1), 33),
    ] {
        let error = host.stack.configure(Ipv4Config { prefix_length, ..configuration(own) }).unwrap_err();
        assert!(error.is(&errors::BAD_ADDRESS));
    }
    assert_eq!(host.stack.configuration(), None);
    for gateway in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), address(1)] {
        for prefix_length in [0, 24, 31, 32] {
            let configuration =
                Ipv4Config { gateway: Some(gateway), prefix_length, ..configuration(address(1)) };
            host.stack.configure(configuration).unwrap();
            assert_eq!(host.stack.configuration().unwrap().gateway, None);
        }
    }
}

#[test]
fn a_lost_question_is_repeated_soon_and_a_silent_neighbour_is_given_up() {
    let mut host = Host::configured(CLIENT, 1);
    let handle = host.stack.udp_open(0, 4096).unwrap();
    assert!(host.stack.udp_send(handle, SocketAddrV4::new(address(9), 53), b"question"));
    let mut asked = vec![];
    let mut now = Instant::ZERO;
    while let Some(deadline) = {
        host.sent(now).iter().for_each(|_| asked.push(now.as_micros() / 1000));
        host.stack.deadline(now)
    } {
        now = deadline.max(now + Duration::from_millis(1));
        assert!(now.as_micros() < 60_000_000);
    }
    assert_eq!(asked, [0, 100, 300, 700, 1500, 2500, 3500, 4500]);
    // An answer that comes now finds nothing to be sent.
    assert_eq!(host.stack.unanswered_neighbour(), Some(address(9)));
}

#[test]
fn a_second_server_is_found_without_delay() {
    let mut host = Host::configured(CLIENT, 1);
    let now = Instant::ZERO;
    for last in [8, 9] {
        host.stack.tcp_connect(SocketAddrV4::new(address(last), 80), 4096, now).unwrap();
        let question = host.sent(now);
        assert_eq!(arp_target(&question[0]), Some(address(last)));
        let request = host.answer(now, arp_reply(&question[0], mac_of(last.into())));
        assert_eq!(request.len(), 1);
        assert_eq!(request[0][..6], mac_of(last.into()).0);
    }
}

#[test]
fn an_answer_that_smoltcp_does_not_take_is_asked_for_again() {
    let mut host = Host::configured(CLIENT, 1);
    host.stack.tcp_connect(SocketAddrV4::new(address(9), 80), 4096, Instant::ZERO).unwrap();
    let question = host.sent(Instant::ZERO);
    let mut wrong = arp_reply(&question[0], mac_of(8));
    wrong[22] = 1;
    host.answer(Instant::ZERO, wrong);
    let mut now = Instant::ZERO;
    let again = loop {
        now = now + Duration::from_millis(10);
        assert!(now.as_micros() < 2_000_000);
        if let Some(frame) = host.sent(now).pop() {
            break frame;
        }
    };
    assert_eq!(host.answer(now, arp_reply(&again, mac_of(8))).len(), 1);
}
