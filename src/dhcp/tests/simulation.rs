//! The client against small scripted servers, over a network that loses packets on command.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use base::{Duration, Instant, MacAddress};
use core::net::Ipv4Addr;
use dhcp::client::{CLIENT_PORT, OUTPUT_CAPACITY, PXE_PORT, SERVER_PORT};
use dhcp::packet::{Builder, Header, REPLY, message, tag};
use dhcp::{Client, Config, Lease, Named, Packet, State, Transmit, errors};
use proptest::prelude::*;

const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
const MILLISECOND: Duration = Duration::from_millis(1);

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// What one server does. Defaults: an ordinary DHCP server at 10.0.0.1.
#[derive(Clone)]
struct Server {
    address: u8,
    offers: Option<u8>,
    file: &'static str,
    /// Further options of offers and ACKs.
    options: Vec<(u8, Vec<u8>)>,
    /// Milliseconds until it answers.
    delay: u64,
    /// How many DISCOVERs and REQUESTs it does not hear.
    deaf_discovers: u32,
    deaf_requests: u32,
    /// How many REQUESTs it answers with a NAK.
    naks: u32,
    /// Sends a NAK to REQUESTs that are for others.
    meddles: bool,
    /// Talks BOOTP.
    bootp: bool,
    /// Answers on port 4011 with this file.
    pxe_file: Option<&'static str>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: 1,
            offers: Some(100),
            file: "",
            options: Vec::new(),
            delay: 1,
            deaf_discovers: 0,
            deaf_requests: 0,
            naks: 0,
            meddles: false,
            bootp: false,
            pxe_file: None,
        }
    }
}

fn proxy(address: u8, file: &'static str) -> Server {
    let options = vec![(tag::VENDOR_CLASS, b"PXEClient".to_vec())];
    Server { address, offers: None, file, options, ..Server::default() }
}

impl Server {
    fn answer(&mut self, to: &Transmit, request: &Packet) -> Option<(u16, Vec<u8>)> {
        let kind = request.message_type()?;
        let for_us = request.server_identifier() == Some(ip(self.address));
        let (kind, port, file) = match (to.destination_port, kind) {
            (SERVER_PORT, message::DISCOVER) => {
                if self.deaf_discovers > 0 {
                    self.deaf_discovers -= 1;
                    return None;
                }
                (message::OFFER, SERVER_PORT, self.file)
            }
            (SERVER_PORT, message::REQUEST) if for_us => {
                if self.deaf_requests > 0 {
                    self.deaf_requests -= 1;
                    return None;
                }
                let nak = self.naks > 0;
                self.naks = self.naks.saturating_sub(1);
                (if nak { message::NAK } else { message::ACK }, SERVER_PORT, self.file)
            }
            (SERVER_PORT, message::REQUEST) if self.meddles => (message::NAK, SERVER_PORT, ""),
            (PXE_PORT, message::REQUEST) if to.destination == ip(self.address) => {
                (message::ACK, PXE_PORT, self.pxe_file?)
            }
            _ => return None,
        };
        let header = Header {
            op: REPLY,
            xid: request.xid(),
            your: self.offers.filter(|_| kind != message::NAK && port == SERVER_PORT).map(ip),
            next_server: (!file.is_empty()).then_some(ip(self.address)),
            mac: request.mac(),
            ..Header::default()
        };
        let mut builder = Builder::new(&header, b"", file.as_bytes());
        if !self.bootp {
            builder
                .option(tag::MESSAGE_TYPE, &[kind])
                .option(tag::SERVER_IDENTIFIER, &ip(self.address).octets());
        }
        for (tag, value) in &self.options {
            builder.option(*tag, value);
        }
        Some((port, builder.finish()))
    }
}

/// What was seen on the wire: milliseconds, and the packet.
type Log = Vec<(u64, Transmit, Packet)>;

/// Runs until the client is done; says how many milliseconds that took, and what was sent.
fn run(client: &mut Client, servers: &mut [Server]) -> (u64, Log) {
    run_until(client, servers, u64::MAX)
}

fn run_until(client: &mut Client, servers: &mut [Server], end: u64) -> (u64, Log) {
    let mut now = Instant::ZERO;
    let mut log = Log::new();
    let mut on_the_way: Vec<(Instant, Ipv4Addr, u16, Vec<u8>)> = Vec::new();
    let mut buffer = [0; OUTPUT_CAPACITY];
    for _ in 0..10_000 {
        while let Some(transmit) = client.output(now, &mut buffer) {
            let packet = Packet::parse(&buffer[..transmit.length]).unwrap();
            for server in servers.iter_mut() {
                if let Some((port, bytes)) = server.answer(&transmit, &packet) {
                    on_the_way.push((now + MILLISECOND.times(server.delay), ip(server.address), port, bytes));
                }
            }
            log.push((now.as_micros() / 1000, transmit, packet));
        }
        let Some(deadline) = client.deadline() else { break };
        let arrival = on_the_way.iter().map(|(at, ..)| *at).min();
        let next = arrival.map_or(deadline, |at| at.min(deadline));
        assert!(next > now || arrival == Some(next), "the client's deadline has passed, yet it does nothing");
        if next.as_micros() / 1000 > end {
            return (end, log);
        }
        now = next;
        let (arrived, later) = on_the_way.into_iter().partition(|(at, ..)| *at <= now);
        on_the_way = later;
        for (_, source, port, bytes) in arrived {
            client.input(now, (source, port), CLIENT_PORT, &bytes);
        }
    }
    (now.as_micros() / 1000, log)
}

fn client() -> Client {
    Client::new(Config::new(MAC, 7), Instant::ZERO)
}

fn lease(client: &Client) -> &Lease {
    match client.state() {
        State::Bound(lease) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

fn file(client: &Client) -> &str {
    lease(client).boot.as_ref().map_or("", |boot| boot.name.as_str())
}

fn failure(client: &Client) -> &base::Error {
    match client.state() {
        State::Failed(error) => error,
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn an_ordinary_server_gives_a_lease_after_the_wait_for_others() {
    let mut client = client();
    let (time, log) = run(&mut client, &mut [Server::default()]);
    assert_eq!(lease(&client).address, ip(100));
    assert!((2000..2100).contains(&time), "{time}");
    assert_eq!(log[0].1.destination, Ipv4Addr::BROADCAST);
    assert_eq!(
        (log[0].1.source, log[0].1.source_port, log[0].1.destination_port),
        (Ipv4Addr::UNSPECIFIED, 68, 67)
    );
    let request = &log.last().unwrap().2;
    assert_eq!(request.message_type(), Some(message::REQUEST));
    assert_eq!(request.address(&[50]), Some(ip(100)));
    assert_eq!(request.server_identifier(), Some(ip(1)));
    assert!(request.bytes().len() >= 300 && request.bytes()[10] == 0x80);
    assert_eq!((client.offers().len(), client.offers()[0].chosen), (1, true));
    assert_eq!(client.offers()[0].reason, "is the only one");
    assert!(client.deadline().is_none());
}

#[test]
fn the_packets_are_kept_as_they_went_over_the_wire() {
    let mut client = client();
    let servers = &mut [
        Server { deaf_discovers: 1, options: vec![(224, vec![1, 2, 3])], ..Server::default() },
        proxy(2, "proxied"),
    ];
    let (_, log) = run(&mut client, servers);
    let sent = |kind| log.iter().filter(move |(.., packet)| packet.message_type() == Some(kind));
    assert!(sent(message::DISCOVER).count() > 1);
    let lease = lease(&client);
    assert_eq!(lease.discover, sent(message::DISCOVER).next_back().unwrap().2.bytes());
    let (_, to, request) = sent(message::REQUEST).next_back().unwrap();
    assert_eq!(lease.ack.bytes(), servers[0].answer(to, request).unwrap().1);
    let (_, to, discover) = sent(message::DISCOVER).next_back().unwrap();
    assert_eq!(lease.proxy.as_ref().unwrap().bytes(), servers[1].answer(to, discover).unwrap().1);
}

#[test]
fn a_named_file_or_no_proxy_ends_the_wait() {
    let mut named = client();
    let (time, _) = run(&mut named, &mut [Server { file: "boot.ipxe", ..Server::default() }]);
    assert_eq!((file(&named), time < 100), ("boot.ipxe", true));
    let mut flagged = client();
    let options = vec![(tag::IPXE, vec![tag::IPXE_NO_PROXY, 1, 1])];
    let (time, _) = run(&mut flagged, &mut [Server { options, ..Server::default() }]);
    assert_eq!((lease(&flagged).address, time < 100), (ip(100), true));
}

#[test]
fn our_own_file_again_is_worth_waiting_for_better() {
    let mut config = Config::new(MAC, 7);
    config.own_file = Some("undionly.kpxe".into());
    let mut client = Client::new(config, Instant::ZERO);
    let mut servers = [
        Server { file: "undionly.kpxe", ..Server::default() },
        Server { address: 2, file: "menu.ipxe", delay: 500, ..Server::default() },
    ];
    let (time, _) = run(&mut client, &mut servers);
    assert_eq!(file(&client), "menu.ipxe");
    assert!((1000..1100).contains(&time), "{time}");
}

#[test]
fn silence_is_asked_six_times_in_sixty_seconds() {
    for seed in 0..20 {
        let mut client = Client::new(Config::new(MAC, seed), Instant::ZERO);
        let (time, log) = run(&mut client, &mut []);
        assert_eq!(time, 60_000);
        assert!(failure(&client).is(&errors::NO_ANSWER));
        let times: Vec<u64> = log.iter().map(|(at, ..)| *at).collect();
        assert_eq!((times.len(), times[0]), (6, 0));
        for (pair, nominal) in times.windows(2).zip([1000, 2000, 4000, 8000, 16_000]) {
            let gap = pair[1] - pair[0];
            assert!((nominal * 8 / 10 - 1..=nominal * 12 / 10 + 1).contains(&gap), "{times:?}");
        }
        for (at, _, packet) in &log {
            let seconds = u64::from(u16::from_be_bytes([packet.bytes()[8], packet.bytes()[9]]));
            assert_eq!(seconds, at / 1000);
        }
    }
}

#[test]
fn machines_do_not_send_in_step() {
    let times = |last| {
        let mac = MacAddress([2, 0, 0, 0, 0, last]);
        let mut client = Client::new(Config::new(mac, 7), Instant::ZERO);
        let (_, log) = run(&mut client, &mut []);
        (client.xid(), log.iter().map(|(at, ..)| *at).collect::<Vec<_>>())
    };
    let (one, two) = (times(1), times(2));
    assert!(one.0 != two.0 && one.1 != two.1);
}

#[test]
fn lost_packets_are_sent_again() {
    let mut client = client();
    let server = Server { deaf_discovers: 2, deaf_requests: 2, file: "f", ..Server::default() };
    let (time, log) = run(&mut client, &mut [server]);
    assert_eq!(lease(&client).address, ip(100));
    assert_eq!(log.len(), 6);
    assert!(time < 6000, "{time}");
}

#[test]
fn of_two_servers_the_one_with_a_file_wins_and_the_table_says_so() {
    let mut client = client();
    let mut servers = [
        Server::default(),
        Server { address: 2, offers: Some(102), file: "f", delay: 300, ..Server::default() },
    ];
    let (_, log) = run(&mut client, &mut servers);
    assert_eq!(lease(&client).address, ip(102));
    assert_eq!(log.last().unwrap().2.server_identifier(), Some(ip(2)));
    let table: Vec<_> = client.offers().iter().map(|o| (o.server, o.chosen, o.reason)).collect();
    assert_eq!(table, [(ip(1), false, "names no boot file"), (ip(2), true, "names a boot file")]);
}

#[test]
fn the_highest_priority_wins() {
    let mut client = client();
    let options = vec![(tag::IPXE, vec![tag::IPXE_PRIORITY, 1, 5])];
    let mut servers = [
        Server::default(),
        Server { address: 2, offers: Some(102), options, delay: 1500, ..Server::default() },
    ];
    run(&mut client, &mut servers);
    assert_eq!(lease(&client).address, ip(102));
    assert_eq!(client.offers()[1].reason, "has the highest priority");
}

#[test]
fn an_offer_that_comes_late_stands_in_the_table_only() {
    let mut client = client();
    let mut servers = [
        Server { file: "f", deaf_requests: 1, ..Server::default() },
        Server { address: 2, offers: Some(102), file: "g", delay: 100, ..Server::default() },
    ];
    run(&mut client, &mut servers);
    assert_eq!((lease(&client).address, file(&client)), (ip(100), "f"));
    assert_eq!((client.offers()[1].reason, client.offers()[1].chosen), ("came too late", false));
}

#[test]
fn a_proxy_on_port_67_names_the_file() {
    for delay in [1, 900] {
        let mut client = client();
        let mut servers =
            [Server { delay: 400, ..Server::default() }, Server { delay, ..proxy(9, "menu.ipxe") }];
        let (time, log) = run(&mut client, &mut servers);
        assert!(time < 1400, "{time}");
        let lease = lease(&client);
        let boot = lease.boot.as_ref().unwrap();
        assert_eq!((boot.name.as_str(), boot.server, boot.named), ("menu.ipxe", Some(ip(9)), Named::ByProxy));
        assert_eq!((lease.server, lease.proxy.is_some()), (ip(1), true));
        assert!(log.iter().all(|(_, transmit, _)| transmit.destination_port == 67));
        let row = client.offers().iter().find(|offer| offer.proxy).unwrap();
        assert_eq!((row.chosen, row.reason, row.address), (true, "names the boot file", None));
    }
}

#[test]
fn the_leases_own_file_wins_over_the_proxys() {
    let mut client = client();
    let mut servers = [Server { file: "own.ipxe", delay: 50, ..Server::default() }, proxy(9, "proxy.ipxe")];
    run(&mut client, &mut servers);
    assert_eq!(file(&client), "own.ipxe");
    assert_eq!(lease(&client).other_boot.as_ref().unwrap().name, "proxy.ipxe");
    let row = client.offers().iter().find(|offer| offer.proxy).unwrap();
    assert_eq!((row.chosen, row.reason), (false, "the DHCP server's own file wins"));
}

#[test]
fn a_proxy_without_a_file_is_asked_on_port_4011() {
    let mut client = client();
    let mut servers = [Server::default(), Server { pxe_file: Some("menu.ipxe"), ..proxy(9, "") }];
    let (time, log) = run(&mut client, &mut servers);
    assert!(time < 100, "{time}");
    assert_eq!(file(&client), "menu.ipxe");
    let (_, transmit, packet) = log.last().unwrap();
    assert_eq!((transmit.destination, transmit.destination_port, transmit.source), (ip(9), 4011, ip(100)));
    assert_eq!(
        (packet.message_type(), packet.bytes()[12..16].to_vec()),
        (Some(message::REQUEST), vec![10, 0, 0, 100])
    );
    assert_eq!(packet.option(&[93]).unwrap().len(), 2);
}

#[test]
fn a_silent_proxy_costs_two_seconds_and_not_the_lease() {
    let mut client = client();
    let mut servers = [Server::default(), proxy(9, "")];
    let (_, log) = run_until(&mut client, &mut servers, 1000);
    assert!(matches!(client.state(), State::Running { phase: "asking the PXE server for a boot file", .. }));
    assert_eq!(client.lease().unwrap().address, ip(100));
    assert!(log.iter().filter(|(_, transmit, _)| transmit.destination_port == 4011).count() >= 2);
    let mut buffer = [0; OUTPUT_CAPACITY];
    assert!(client.output(Instant::from_micros(2_100_000), &mut buffer).is_none());
    assert_eq!((lease(&client).address, file(&client)), (ip(100), ""));
    assert_eq!(client.offers()[1].reason, "did not answer on port 4011");
}

#[test]
fn a_pxe_server_that_is_the_dhcp_server_too_is_asked_on_port_4011() {
    let mut client = client();
    let options = vec![(tag::VENDOR_CLASS, b"PXEClient".to_vec())];
    let (time, _) =
        run(&mut client, &mut [Server { options, pxe_file: Some("wdsnbp.com"), ..Server::default() }]);
    assert_eq!((file(&client), time < 100), ("wdsnbp.com", true));
}

/// A proxy with a menu, in its offers or on port 4011 only.
fn with_menu(mut server: Server) -> Server {
    let vendor = [6, 1, 3, 9, 12, 0, 0, 1, b'l', 0x80, 1, 5, b'l', b'i', b'n', b'u', b'x'];
    server.options.push((tag::VENDOR, vendor.to_vec()));
    server
}

#[test]
fn a_menu_is_left_to_the_user() {
    let mut client = client();
    let (_, log) = run(&mut client, &mut [Server::default(), with_menu(proxy(9, ""))]);
    assert!(log.iter().all(|(_, transmit, _)| transmit.destination_port != 4011));
    let menu = lease(&client).menu(None).unwrap();
    let kinds: Vec<_> = menu.items.iter().map(|item| item.kind).collect();
    assert_eq!((kinds, file(&client)), (vec![0, 0x8001], ""));
}

#[test]
fn a_file_of_the_dhcp_server_wins_over_the_menu_of_a_proxy() {
    let mut client = client();
    run(&mut client, &mut [Server { file: "f", ..Server::default() }, with_menu(proxy(9, ""))]);
    assert_eq!((lease(&client).menu(None), file(&client)), (None, "f"));
    assert!(lease(&client).menu(Some("f")).is_some());
}

#[test]
fn a_menu_of_the_dhcp_server_itself_wins_over_its_file() {
    let mut client = client();
    let options = vec![(tag::VENDOR_CLASS, b"PXEClient".to_vec())];
    run(&mut client, &mut [with_menu(Server { file: "f", options, ..Server::default() })]);
    assert!(lease(&client).menu(None).is_some());
}

#[test]
fn a_proxy_alone_is_no_lease() {
    let mut client = client();
    let (time, _) = run(&mut client, &mut [proxy(9, "f")]);
    assert_eq!((time, failure(&client).is(&errors::ONLY_PROXY)), (60_000, true));
}

#[test]
fn a_foreign_nak_changes_nothing() {
    let mut client = client();
    let mut servers = [
        Server { delay: 50, file: "f", ..Server::default() },
        Server { address: 2, deaf_discovers: 99, meddles: true, ..Server::default() },
    ];
    let (_, log) = run(&mut client, &mut servers);
    assert_eq!(lease(&client).address, ip(100));
    assert_eq!(log.len(), 2);
}

#[test]
fn a_nak_leads_back_to_discovery_without_the_old_address() {
    let mut config = Config::new(MAC, 7);
    config.requested_address = Some(ip(77));
    let mut client = Client::new(config, Instant::ZERO);
    let (time, log) = run(&mut client, &mut [Server { naks: 1, file: "f", ..Server::default() }]);
    assert_eq!(lease(&client).address, ip(100));
    assert_eq!(log[0].2.address(&[50]), Some(ip(77)));
    let kinds: Vec<_> = log.iter().map(|(_, _, packet)| packet.message_type().unwrap()).collect();
    assert_eq!(kinds, [1, 3, 1, 3]);
    assert_eq!(log[2].2.address(&[50]), None);
    assert!((800..1300).contains(&time), "{time}");
}

#[test]
fn a_server_that_only_refuses_ends_in_its_own_sentence() {
    let mut client = client();
    let (time, log) = run(&mut client, &mut [Server { naks: 9999, file: "f", ..Server::default() }]);
    assert!(failure(&client).is(&errors::REFUSED));
    assert_eq!(failure(&client).object(), "10.0.0.1");
    assert!((60_000..75_000).contains(&time) && log.len() < 200, "{time} {}", log.len());
}

#[test]
fn a_server_that_never_confirms_loses_to_the_other() {
    let mut client = client();
    let mut servers = [
        Server { deaf_requests: 9999, file: "f", ..Server::default() },
        Server { address: 2, offers: Some(102), delay: 30, file: "g", ..Server::default() },
    ];
    run(&mut client, &mut servers[..1]);
    assert!(failure(&client).is(&errors::NOT_CONFIRMED));
    let mut client = Client::new(Config::new(MAC, 7), Instant::ZERO);
    servers[0].options = vec![(tag::IPXE, vec![tag::IPXE_PRIORITY, 1, 5])];
    servers[0].delay = 60;
    servers[1].file = "";
    run(&mut client, &mut servers);
    assert_eq!(lease(&client).address, ip(102));
}

#[test]
fn bootp_answers_are_taken_at_once() {
    let mut client = client();
    let (_, log) = run(&mut client, &mut [Server { bootp: true, file: "f", ..Server::default() }]);
    assert_eq!((lease(&client).address, file(&client)), (ip(100), "f"));
    assert_eq!((lease(&client).server, log.len()), (ip(1), 1));
}

#[test]
fn a_blocked_link_gets_more_time_and_is_tried_when_it_opens() {
    let mut client = client();
    client.extend(Duration::from_secs(180));
    let mut servers = [Server { deaf_discovers: 5, file: "f", ..Server::default() }];
    let (time, _) = run_until(&mut client, &mut servers, 20_000);
    assert!(client.lease().is_none());
    let mut buffer = [0; OUTPUT_CAPACITY];
    let now = Instant::from_micros(time * 1000);
    assert!(client.output(now, &mut buffer).is_none());
    client.hurry(now);
    assert!(client.output(now, &mut buffer).is_some());
    let mut client = Client::new(Config::new(MAC, 7), Instant::ZERO);
    client.extend(Duration::from_secs(180));
    assert_eq!(run(&mut client, &mut []).0, 180_000);
}

#[test]
fn a_file_in_an_overloaded_packet_is_found() {
    let mut client = client();
    let mut buffer = [0; OUTPUT_CAPACITY];
    client.output(Instant::ZERO, &mut buffer).unwrap();
    let header = Header { op: REPLY, xid: client.xid(), your: Some(ip(100)), mac: MAC, ..Header::default() };
    for kind in [message::OFFER, message::ACK] {
        let mut builder =
            Builder::new(&header, &[67, 4, b'b', b'o', b'o', b't', 255], &[54, 4, 10, 0, 0, 1, 255]);
        builder.option(53, &[kind]).option(52, &[3]);
        client.input(Instant::ZERO, (ip(1), 67), 68, &builder.finish());
        client.output(Instant::ZERO, &mut buffer);
    }
    assert_eq!((file(&client), lease(&client).server), ("boot", ip(1)));
}

#[test]
fn answers_that_are_not_for_this_exchange_are_passed_over() {
    let good = Header { op: REPLY, xid: client().xid(), your: Some(ip(100)), mac: MAC, ..Header::default() };
    let takes = |header: Header, source: u16, local: u16, kind: u8| {
        let mut client = client();
        let mut builder = Builder::new(&header, b"", b"f");
        builder.option(53, &[kind]).option(54, &[10, 0, 0, 1]);
        client.input(Instant::ZERO, (ip(1), source), local, &builder.finish());
        !client.offers().is_empty()
    };
    assert!(takes(good.clone(), 67, 68, message::OFFER));
    assert!(!takes(Header { op: 1, ..good.clone() }, 67, 68, message::OFFER));
    assert!(!takes(Header { xid: 0, ..good.clone() }, 67, 68, message::OFFER));
    assert!(!takes(Header { mac: MacAddress([2; 6]), ..good.clone() }, 67, 68, message::OFFER));
    assert!(!takes(Header { your: Some(Ipv4Addr::BROADCAST), ..good.clone() }, 67, 68, message::OFFER));
    assert!(!takes(good.clone(), 4011, 68, message::OFFER));
    assert!(!takes(good.clone(), 67, 4011, message::OFFER));
    assert!(!takes(good, 67, 68, message::ACK));
}

/// A packet for the exchange of `client`, as from 10.0.0.`server` by option 54.
fn packet(
    client: &Client,
    kind: u8,
    server: u8,
    address: Option<u8>,
    fill: impl FnOnce(&mut Builder),
) -> Vec<u8> {
    let your = address.map(ip);
    let header = Header { op: REPLY, xid: client.xid(), your, mac: MAC, ..Header::default() };
    let mut builder = Builder::new(&header, b"", b"");
    builder.option(53, &[kind]).option(54, &ip(server).octets());
    fill(&mut builder);
    builder.finish()
}

#[test]
fn only_the_chosen_servers_ack_for_the_offered_address_is_taken() {
    let takes = |kind, port, server, address| {
        let mut client = client();
        let mut buffer = [0; OUTPUT_CAPACITY];
        client.output(Instant::ZERO, &mut buffer).unwrap();
        let offer = packet(&client, message::OFFER, 1, Some(100), |b| {
            b.option(67, b"f");
        });
        client.input(Instant::ZERO, (ip(1), 67), 68, &offer);
        client.output(Instant::ZERO, &mut buffer).unwrap();
        assert!(matches!(
            client.state(),
            State::Running { phase: "waiting for the DHCP server to confirm", .. }
        ));
        let ack = packet(&client, kind, server, Some(address), |_| ());
        client.input(Instant::ZERO, (ip(1), port), 68, &ack);
        matches!(client.state(), State::Bound(_))
    };
    assert!(takes(message::ACK, 67, 1, 100));
    assert!(!takes(message::ACK, 67, 2, 100));
    assert!(!takes(message::ACK, 67, 1, 101));
    assert!(!takes(message::ACK, 4011, 1, 100));
    assert!(!takes(message::DISCOVER, 67, 1, 100));
}

#[test]
fn only_the_asked_pxe_servers_answer_is_taken() {
    let takes = |kind, source: u8, port, local, server| {
        let mut client = client();
        let mut buffer = [0; OUTPUT_CAPACITY];
        client.output(Instant::ZERO, &mut buffer).unwrap();
        let pxe = |b: &mut Builder| {
            b.option(60, b"PXEClient");
        };
        let proxy = packet(&client, message::OFFER, 9, None, pxe);
        client.input(Instant::ZERO, (ip(9), 67), 68, &proxy);
        let offer = packet(&client, message::OFFER, 1, Some(100), |_| ());
        client.input(Instant::ZERO, (ip(1), 67), 68, &offer);
        client.output(Instant::ZERO, &mut buffer).unwrap();
        let ack = packet(&client, message::ACK, 1, Some(100), |_| ());
        client.input(Instant::ZERO, (ip(1), 67), 68, &ack);
        client.output(Instant::ZERO, &mut buffer).unwrap();
        let answer = packet(&client, kind, server, None, |b| {
            b.option(67, b"menu.ipxe");
        });
        client.input(Instant::ZERO, (ip(source), port), local, &answer);
        matches!(client.state(), State::Bound(lease) if lease.boot.is_some())
    };
    assert!(takes(message::ACK, 9, 4011, 68, 9));
    assert!(takes(message::OFFER, 9, 4011, 4011, 9));
    assert!(!takes(message::ACK, 8, 4011, 68, 8));
    assert!(!takes(message::ACK, 9, 67, 68, 9));
    assert!(!takes(message::NAK, 9, 4011, 68, 9));
}

proptest! {
    /// Whatever comes in: no panic, and the exchange comes to an end in bounded time.
    #[test]
    fn hostile_packets_do_no_harm(
        steps in proptest::collection::vec((0u8..7, proptest::collection::vec(any::<u8>(), 0..300), 0u64..3000), 0..60),
        seed in any::<u64>(),
    ) {
        let mut client = Client::new(Config::new(MAC, seed), Instant::ZERO);
        let mut buffer = [0; OUTPUT_CAPACITY];
        let mut now = Instant::ZERO;
        for (kind, options, wait) in steps {
            for _ in 0..20 {
                if client.output(now, &mut buffer).is_none() { break; }
            }
            prop_assert!(client.output(now, &mut buffer).is_none());
            let header = Header { op: REPLY, xid: client.xid(), your: (kind % 2 == 0).then_some(ip(9)), mac: MAC, ..Header::default() };
            let mut builder = Builder::new(&header, &options, &options);
            builder.option(53, &[kind]);
            let mut bytes = builder.finish();
            bytes.truncate(243);
            bytes.extend_from_slice(&options);
            let port = if kind == 5 { PXE_PORT } else { SERVER_PORT };
            client.input(now, (ip(9), port), CLIENT_PORT, &bytes);
            client.input(now, (ip(9), port), CLIENT_PORT, &options);
            now = now + MILLISECOND.times(wait);
        }
        for _ in 0..1000 {
            let Some(deadline) = client.deadline() else { break };
            now = now.max(deadline);
            client.output(now, &mut buffer);
        }
        prop_assert!(client.deadline().is_none());
    }
}
