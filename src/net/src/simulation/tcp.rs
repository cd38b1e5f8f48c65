//! Connections.

use alloc::string::ToString;
use alloc::vec::Vec;
use base::{Duration, Instant};
use core::net::{Ipv4Addr, SocketAddrV4};

use super::wire::{
    CLIENT, Host, Inspection, Network, SERVER, Weather, arp_reply, arp_target, configuration, mac_of,
};
use crate::random::Random;
use crate::{TcpHandle, TcpState, errors};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn body(length: usize) -> Vec<u8> {
    let mut random = Random::new(7);
    (0..length).map(|_| random.next().to_le_bytes()[0]).collect()
}

fn connect(network: &mut Network, capacity: usize) -> TcpHandle {
    let remote = network.hosts[SERVER].at(PORT);
    let now = network.now;
    network.client().tcp_connect(remote, capacity, now).unwrap()
}

/// Fetches `body` and returns what arrived, and how long it took.
fn download(network: &mut Network, body: &[u8], capacity: usize) -> (Vec<u8>, Duration) {
    let serving = network.server().tcp_listen(PORT, 4096).unwrap();
    let fetching = connect(network, capacity);
    let (mut asked, mut request, mut sent, mut received) = (0, Vec::new(), 0, Vec::new());
    let duration = network.run(Duration::from_secs(600), |network| {
        let client = network.client();
        if client.tcp_state(fetching).unwrap() != TcpState::Connecting {
            asked += client.tcp_send(fetching, &REQUEST[asked..]);
        }
        client.tcp_receive(fetching, &mut |data| {
            received.extend_from_slice(data);
            data.len()
        });
        let finished = client.tcp_state(fetching).unwrap() == TcpState::PeerClosed;
        let server = network.server();
        server.tcp_receive(serving, &mut |data| {
            request.extend_from_slice(data);
            data.len()
        });
        if request == REQUEST && sent < body.len() {
            sent += server.tcp_send(serving, &body[sent..]);
            if sent == body.len() {
                server.tcp_close(serving);
            }
        }
        finished
    });
    network.client().tcp_close(fetching);
    (received, duration)
}

fn downloads_exactly(weather: Weather, seeds: u64) -> Duration {
    let body = body(4 << 20);
    let mut longest = Duration::ZERO;
    for seed in 0..seeds {
        let mut network = Network::new(seed, weather);
        let (received, duration) = download(&mut network, &body, 256 * 1024);
        assert!(received == body, "seed {seed}: the bytes differ");
        longest = longest.max(duration);
    }
    longest
}

#[test]
fn four_mebibytes_arrive_over_a_good_link() {
    let duration = downloads_exactly(Weather::default(), 1);
    // The sender has a small buffer and slow start; a retransmission timeout of a second would show.
    assert!(duration < Duration::from_millis(900), "{duration}");
}

#[test]
fn four_mebibytes_arrive_at_two_percent_loss() {
    downloads_exactly(Weather { lost: 20, doubled: 20, late: 50 }, 2);
}

#[test]
fn four_mebibytes_arrive_at_five_percent_loss() {
    downloads_exactly(Weather { lost: 50, doubled: 10, late: 100 }, 1);
}

#[test]
fn two_runs_of_one_seed_are_the_same() {
    let weather = Weather { lost: 30, doubled: 10, late: 30 };
    let run = |seed| download(&mut Network::new(seed, weather), &body(300_000), 64 * 1024).1;
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

/// Keeps the furthest byte that the client ever invited.
fn watch_window(inspection: &mut Inspection, frame: &[u8]) {
    if frame[12..14] != [8, 0] || frame[23] != 6 {
        return;
    }
    let tcp = &frame[34..];
    inspection.frames += 1;
    let window = u64::from(u16::from_be_bytes([tcp[14], tcp[15]]));
    let is_request = tcp[13] & 0x02 != 0;
    if is_request {
        let scale = tcp[20..].windows(3).find(|option| option[..2] == [3, 3]).expect("a window scale");
        inspection.scale = scale[2].into();
        return;
    }
    let acknowledged = u32::from_be_bytes([tcp[8], tcp[9], tcp[10], tcp[11]]);
    let first = *inspection.first_sequence.get_or_insert(acknowledged);
    let window = window << inspection.scale;
    inspection.least_window = Some(inspection.least_window.map_or(window, |least| least.min(window)));
    let edge = u64::from(acknowledged.wrapping_sub(first)) + window;
    inspection.right_edge = inspection.right_edge.max(edge);
}

#[test]
fn the_window_is_never_larger_than_what_can_be_stored() {
    const CAPACITY: usize = 300_000;
    let body = body(1 << 20);
    let mut network = Network::new(1, Weather { lost: 10, doubled: 10, late: 50 });
    network.inspect = watch_window;
    let serving = network.server().tcp_listen(PORT, 4096).unwrap();
    let fetching = connect(&mut network, CAPACITY);
    let (mut sent, mut received) = (0, 0_usize);
    let mut pauses = Random::new(5);
    let mut read_at = network.now;
    network.run(Duration::from_secs(600), |network| {
        sent += network.server().tcp_send(serving, &body[sent..]);
        // A slow reader, so that the buffer fills up.
        if network.now >= read_at {
            read_at = network.now + Duration::from_millis(pauses.next() % 50);
            let mut budget = 20_000;
            network.client().tcp_receive(fetching, &mut |data| {
                let taken = data.len().min(budget);
                assert!(data[..taken] == body[received..received + taken]);
                budget -= taken;
                received += taken;
                taken
            });
        }
        assert!(network.inspection.right_edge <= (received + CAPACITY) as u64, "more invited than fits");
        received == body.len()
    });
    // The buffer was used, and its size was not cut by a missing scale.
    assert!(network.inspection.scale > 0);
    assert!(network.inspection.right_edge > CAPACITY as u64);
}

#[test]
fn who_reads_at_once_leaves_the_window_open() {
    const CAPACITY: usize = 60_000;
    let mut network = Network::new(1, Weather::default());
    network.inspect = watch_window;
    assert!(download(&mut network, &body(1 << 20), CAPACITY).0 == body(1 << 20));
    assert_eq!(network.inspection.least_window, Some(CAPACITY as u64));
}

#[test]
fn a_full_buffer_stops_the_sender_and_reading_starts_it_again() {
    let body = body(200_000);
    let mut network = Network::new(2, Weather::default());
    let serving = network.server().tcp_listen(PORT, 4096).unwrap();
    let fetching = connect(&mut network, 32 * 1024);
    let mut sent = 0;
    let start = network.now;
    network.run(Duration::from_secs(60), |network| {
        sent += network.server().tcp_send(serving, &body[sent..]);
        network.now.since(start) > Duration::from_secs(10)
    });
    assert!(sent < 32 * 1024 + 16 * 1024 + 1);
    let mut received = Vec::new();
    network.run(Duration::from_secs(60), |network| {
        sent += network.server().tcp_send(serving, &body[sent..]);
        network.client().tcp_receive(fetching, &mut |data| {
            received.extend_from_slice(data);
            data.len()
        });
        received.len() == body.len()
    });
    assert!(received == body);
}

fn run_to_error(network: &mut Network, handle: TcpHandle) -> (base::Error, Duration) {
    let mut error = None;
    let duration = network.run(Duration::from_secs(60), |network| {
        error = network.client().tcp_state(handle).err();
        error.is_some()
    });
    (error.unwrap(), duration)
}

#[test]
fn nobody_listening_is_a_refusal() {
    let mut network = Network::new(3, Weather::default());
    let handle = connect(&mut network, 4096);
    let (error, duration) = run_to_error(&mut network, handle);
    assert_eq!(error.to_string(), "10.0.0.2:80 refused the connection [NET-03]");
    assert!(duration < Duration::from_millis(100));
}

#[test]
fn a_neighbour_that_is_not_there_is_named() {
    let mut network = Network::new(4, Weather::default());
    let now = network.now;
    let remote = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), PORT);
    let handle = network.client().tcp_connect(remote, 4096, now).unwrap();
    network.run(Duration::from_secs(5), |network| network.client().unanswered_neighbour().is_some());
    assert_eq!(network.client().unanswered_neighbour(), Some(Ipv4Addr::new(10, 0, 0, 254)));
    let (error, _) = run_to_error(&mut network, handle);
    assert_eq!(error.to_string(), "no answer to ARP for 10.0.0.254 [NET-05]");
}

#[test]
fn a_machine_that_answers_arp_only_does_not_answer() {
    let mut host = Host::configured(CLIENT, 5);
    let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), PORT);
    let mut now = Instant::from_micros(1);
    let handle = host.stack.tcp_connect(remote, 4096, now).unwrap();
    let mut requests = 0;
    let error = loop {
        let mut sent = host.sent(now);
        while let Some(frame) = sent.pop() {
            if arp_target(&frame).is_some() {
                sent.extend(host.answer(now, arp_reply(&frame, mac_of(8))));
            } else {
                requests += 1;
            }
        }
        if let Err(error) = host.stack.tcp_state(handle) {
            break error;
        }
        now = now + Duration::from_millis(50);
        assert!(now.as_micros() < 60_000_000);
    };
    assert!(error.is(&errors::NO_ANSWER));
    assert!(requests >= 4, "{requests} connection requests");
}

/// A connection over which the server has sent `data`, all of it acknowledged and none of it read.
fn connected(network: &mut Network, data: &[u8]) -> (TcpHandle, TcpHandle) {
    let serving = network.server().tcp_listen(PORT, 4096).unwrap();
    let fetching = connect(network, 4096);
    let mut sent = 0;
    let mut settled = None;
    network.run(Duration::from_secs(60), |network| {
        sent += network.server().tcp_send(serving, &data[sent..]);
        let now = network.now;
        let begin = *settled.get_or_insert(now);
        sent == data.len() && now.since(begin) > Duration::from_secs(1)
    });
    (serving, fetching)
}

#[test]
fn bytes_before_a_reset_are_read_and_then_it_is_an_error() {
    let mut network = Network::new(6, Weather::default());
    let (serving, fetching) = connected(&mut network, b"half");
    network.server().tcp_abort(serving);
    for _ in 0..50 {
        network.step();
    }
    assert_eq!(network.client().tcp_state(fetching), Ok(TcpState::Established));
    let mut received = Vec::new();
    network.client().tcp_receive(fetching, &mut |data| {
        received.extend_from_slice(data);
        data.len()
    });
    assert_eq!(received, b"half");
    let error = network.client().tcp_state(fetching).unwrap_err();
    assert_eq!(error.to_string(), "10.0.0.2:80 broke off the connection [NET-06]");
}

#[test]
fn a_closed_connection_is_forgotten_and_its_handle_is_harmless() {
    let mut network = Network::new(7, Weather { lost: 100, doubled: 0, late: 0 });
    let (serving, fetching) = connected(&mut network, b"some bytes that nobody reads");
    network.client().tcp_close(fetching);
    network.server().tcp_abort(serving);
    assert_eq!(network.client().tcp_state(fetching), Ok(TcpState::Closed));
    assert_eq!(network.client().tcp_send(fetching, b"more"), 0);
    assert_eq!(network.client().tcp_receive(fetching, &mut |_| panic!("nothing to read")), 0);
    network.run(Duration::from_secs(10), |network| {
        network
            .hosts
            .iter()
            .all(|host| host.stack.connections.is_empty() && host.stack.sockets.iter().next().is_none())
    });
}

#[test]
fn what_was_written_before_closing_is_sent() {
    let mut network = Network::new(8, Weather { lost: 50, doubled: 0, late: 0 });
    let (serving, fetching) = connected(&mut network, b"");
    assert_eq!(network.client().tcp_send(fetching, b"farewell"), 8);
    network.client().tcp_close(fetching);
    let mut received = Vec::new();
    network.run(Duration::from_secs(60), |network| {
        let server = network.server();
        server.tcp_receive(serving, &mut |data| {
            received.extend_from_slice(data);
            data.len()
        });
        server.tcp_state(serving) == Ok(TcpState::PeerClosed)
    });
    assert_eq!(received, b"farewell");
}

#[test]
fn without_the_address_the_connection_is_broken() {
    let mut network = Network::new(9, Weather::default());
    let (_, fetching) = connected(&mut network, b"");
    network.client().unconfigure();
    let (error, _) = run_to_error(&mut network, fetching);
    assert!(error.is(&errors::RESET));
}

#[test]
fn the_same_address_again_does_not_disturb() {
    let mut network = Network::new(10, Weather::default());
    let (_, fetching) = connected(&mut network, b"x");
    let mut same = network.client().configuration().unwrap().clone();
    same.gateway = None;
    network.client().configure(same).unwrap();
    for _ in 0..20 {
        network.step();
    }
    assert_eq!(network.client().tcp_state(fetching), Ok(TcpState::Established));
}

#[test]
fn ports_and_sequence_numbers_differ_from_seed_to_seed() {
    let first = |seed| {
        let mut host = Host::configured(CLIENT, seed);
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), PORT);
        host.stack.tcp_connect(remote, 4096, Instant::ZERO).unwrap();
        let question = host.sent(Instant::ZERO);
        let request = host.answer(Instant::ZERO, arp_reply(&question[0], mac_of(8))).remove(0);
        (request[34..36].to_vec(), request[38..42].to_vec())
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1).0, first(2).0);
    assert_ne!(first(1).1, first(2).1);
}

/// Ethernet's header with a tag, and that of IPv4.
const TAGGED_TCP: usize = 18 + 20;

#[test]
fn in_a_vlan_packets_leave_room_for_the_tag() {
    let mut network = Network::new(3, Weather::default());
    for host in &mut network.hosts {
        host.port.set_tag(Some(link::Tag::new(100, 5)));
        host.stack.set_mtu(1496, network.now);
        assert_eq!(host.stack.configuration(), None);
        host.stack.configure(configuration(host.address)).unwrap();
    }
    network.inspect = |inspection, frame| {
        assert_eq!(frame[12..16], [0x81, 0, 0xa0, 100]);
        assert!((64..=1514).contains(&frame.len()));
        // Of the connection's first segment, the option that says how much one may carry (RFC 9293 section 3.7.1).
        if frame[27] == 6 && frame[TAGGED_TCP + 13] == 2 {
            assert_eq!(frame[TAGGED_TCP + 20..][..4], [2, 4, 0x05, 0xb0]);
            inspection.frames += 1;
        }
    };
    let body = body(100_000);
    assert!(download(&mut network, &body, 64 << 10).0 == body);
    assert_eq!(network.inspection.frames, 1);
}
