//! The client against a scripted server over a network that loses, doubles and reorders.
#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers of a few megabytes, and block numbers that are meant to roll over"
)]

use crate::{MAXIMUM_OUTPUT, Options, Transfer, errors};
use alloc::{string::String, vec, vec::Vec};
use base::{Duration, Error, Instant, Sink};
use proptest::prelude::*;
use uri::Uri;

/// What the server does. The default is a good one without a window.
#[derive(Clone, Copy)]
struct Server {
    knows_options: bool,
    window: u64,
    largest_window_answer: Option<u64>,
    refuses_options: Option<u16>,
    silent_for_options: bool,
    rolls_to_one: bool,
    repeats_for_repeated_acks: bool,
    size_error: i64,
    error: Option<u16>,
    dies_after: u64,
    largest_datagram: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            knows_options: true,
            window: 1,
            largest_window_answer: None,
            refuses_options: None,
            silent_for_options: false,
            rolls_to_one: false,
            repeats_for_repeated_acks: false,
            size_error: 0,
            error: None,
            dies_after: u64::MAX,
            largest_datagram: usize::MAX,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Trouble {
    /// Of a thousand datagrams.
    lost: u32,
    doubled: u32,
    delayed: u32,
}

struct Session {
    port: u16,
    block_size: u64,
    window: u64,
    acknowledged: u64,
    optioned: Option<Vec<u8>>,
    resend_at: Instant,
    tries: u8,
}

struct World {
    server: Server,
    file: Vec<u8>,
    trouble: Trouble,
    random: u64,
    now: Instant,
    /// Arrival, order of sending, to the server, the server's port, bytes.
    wire: Vec<(Instant, u64, bool, u16, Vec<u8>)>,
    sent: u64,
    sessions: Vec<Session>,
    next_port: u16,
    requests: Vec<Vec<u8>>,
    client_errors: Vec<(u16, u16)>,
}

/// Checks the order of calls as it takes the bytes.
#[derive(Default)]
struct Checked {
    bytes: Vec<u8>,
    announced: Option<u64>,
    restarts: u32,
    limit: Option<usize>,
}

impl Sink for Checked {
    fn announce(&mut self, length: u64) -> Result<(), Error> {
        assert!(self.announced.is_none() && self.bytes.is_empty());
        self.announced = Some(length);
        Ok(())
    }
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.bytes.extend_from_slice(data);
        if self.limit.is_some_and(|limit| self.bytes.len() > limit) {
            return Err(errors::CANCELLED.of("sink"));
        }
        Ok(())
    }
    fn restart(&mut self) {
        self.announced = None;
        self.bytes.clear();
        self.restarts += 1;
    }
}

impl World {
    fn new(server: Server, length: usize, trouble: Trouble, seed: u64) -> Self {
        let file = (0..length).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        Self {
            server,
            file,
            trouble,
            random: seed * 2 + 1,
            now: Instant::from_micros(1_000_000),
            wire: vec![],
            sent: 0,
            sessions: vec![],
            next_port: 2000,
            requests: vec![],
            client_errors: vec![],
        }
    }

    fn chance(&mut self, of_a_thousand: u32) -> bool {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 1000 < u64::from(of_a_thousand)
    }

    fn send(&mut self, to_server: bool, port: u16, bytes: Vec<u8>) {
        let copies = 1 + u32::from(self.chance(self.trouble.doubled));
        for _ in 0..copies {
            if self.chance(self.trouble.lost) || bytes.len() > self.server.largest_datagram {
                continue;
            }
            let delay = if self.chance(self.trouble.delayed) { 1400 } else { 1000 };
            self.sent += 1;
            let arrival = self.now + Duration::from_micros(delay) + Duration::from_micros(self.sent % 50);
            self.wire.push((arrival, self.sent, to_server, port, bytes.clone()));
        }
    }

    fn number(&self, block: u64) -> u16 {
        if self.server.rolls_to_one && block > 65535 {
            ((block - 1) % 65535 + 1) as u16
        } else {
            block as u16
        }
    }

    fn send_window(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        session.resend_at = self.now + Duration::from_secs(1);
        let (port, size, base, window) =
            (session.port, session.block_size, session.acknowledged, session.window);
        if let Some(options) = session.optioned.clone() {
            return self.send(false, port, options);
        }
        for block in base + 1..=base + window {
            let start = (block - 1) * size;
            if start > self.file.len() as u64 || block > self.server.dies_after {
                break;
            }
            let end = (start + size).min(self.file.len() as u64);
            let mut packet = vec![0, 3];
            packet.extend_from_slice(&self.number(block).to_be_bytes());
            packet.extend_from_slice(&self.file[start as usize..end as usize]);
            self.send(false, port, packet);
        }
    }

    fn request(&mut self, bytes: &[u8]) {
        self.requests.push(bytes.to_vec());
        let words: Vec<&[u8]> = bytes[2..].split(|&b| b == 0).collect();
        assert_eq!((words[0], words[1]), (&b"dir/file"[..], &b"octet"[..]));
        let option = |name: &str| {
            words
                .iter()
                .position(|&w| w == name.as_bytes())
                .map(|i| core::str::from_utf8(words[i + 1]).unwrap().parse::<u64>().unwrap())
        };
        let has_options = words.len() > 3;
        let port = self.next_port;
        self.next_port += 1;
        let refused = self.server.refuses_options.filter(|_| option("windowsize").is_some());
        if let Some(code) = refused.or(self.server.error) {
            return self.send(false, port, [&[0, 5][..], &code.to_be_bytes(), b"no way\0"].concat());
        }
        if self.server.silent_for_options && has_options {
            return;
        }
        let mut session = Session {
            port,
            block_size: 512,
            window: 1,
            acknowledged: 0,
            optioned: None,
            resend_at: self.now,
            tries: 0,
        };
        if self.server.knows_options && has_options {
            let mut answer = vec![0, 6];
            let mut say = |name: &str, value: u64| {
                answer.extend_from_slice(alloc::format!("{name}\0{value}\0").as_bytes());
            };
            if let Some(size) = option("blksize") {
                say("blkSize", size);
                session.block_size = size;
            }
            if let Some(asked) = option("windowsize").filter(|_| self.server.window > 1) {
                session.window = asked.min(self.server.window);
                say("windowsize", self.server.largest_window_answer.unwrap_or(session.window));
            }
            if option("tsize").is_some() {
                say(
                    "tsize",
                    self.file.len().checked_add_signed(self.server.size_error as isize).unwrap() as u64,
                );
            }
            session.optioned = Some(answer);
        }
        self.sessions.push(session);
        self.send_window(self.sessions.len() - 1);
    }

    fn serve(&mut self, port: u16, bytes: &[u8]) {
        if port == 69 {
            assert_eq!(bytes[..2], [0, 1]);
            return self.request(bytes);
        }
        let word = u16::from_be_bytes([bytes[2], bytes[3]]);
        if bytes[1] == 5 {
            self.client_errors.push((port, word));
            self.sessions.retain(|session| session.port != port);
            return;
        }
        assert_eq!((bytes[1], bytes.len()), (4, 4));
        let Some(index) = self.sessions.iter().position(|session| session.port == port) else { return };
        let (base, window) = (self.sessions[index].acknowledged, self.sessions[index].window);
        if self.sessions[index].optioned.is_some() {
            if word == 0 {
                self.sessions[index].optioned = None;
                self.send_window(index);
            }
            return;
        }
        for block in base..=base + window {
            if self.number(block) == word {
                if block == base && !(self.server.repeats_for_repeated_acks || window > 1) {
                    return;
                }
                self.sessions[index].acknowledged = block;
                self.sessions[index].tries = 0;
                return self.send_window(index);
            }
        }
    }

    fn run(&mut self, options: Options, sink: &mut Checked) -> Result<u64, Error> {
        let uri = Uri::parse("tftp://10.0.0.1/dir/file").unwrap();
        let mut transfer = Transfer::new(&uri, options, self.now).unwrap();
        let mut buffer = [0; MAXIMUM_OUTPUT];
        for _ in 0..4_000_000 {
            while let Some((port, length)) = transfer.output(self.now, &mut buffer) {
                self.send(true, port, buffer[..length].to_vec());
            }
            if let Some(result) = transfer.result() {
                assert_eq!(transfer.deadline(), None);
                while let Some(last) = self.wire.pop() {
                    if last.2 {
                        self.serve(last.3, &last.4);
                    }
                }
                return result;
            }
            let next = (0..self.wire.len()).min_by_key(|&i| (self.wire[i].0, self.wire[i].1));
            let arrival = next.map(|i| self.wire[i].0);
            let resend = (0..self.sessions.len()).min_by_key(|&i| self.sessions[i].resend_at);
            let resend_at = resend.map(|i| self.sessions[i].resend_at);
            let deadline = transfer.deadline().unwrap();
            self.now = [arrival, resend_at].iter().flatten().fold(deadline, |a, &b| a.min(b)).max(self.now);
            if arrival.is_some_and(|arrival| arrival <= self.now) {
                let (_, _, to_server, port, bytes) = self.wire.swap_remove(next.unwrap());
                if to_server {
                    self.serve(port, &bytes);
                } else {
                    transfer.input(self.now, port, &bytes, sink);
                }
            } else if resend_at.is_some_and(|at| at <= self.now) {
                let index = resend.unwrap();
                self.sessions[index].tries += 1;
                if self.sessions[index].tries > 5 {
                    self.sessions.remove(index);
                } else {
                    self.send_window(index);
                }
            }
        }
        panic!("no end");
    }

    /// The file must come whole; gives the time it took.
    fn expect_file(&mut self, options: Options) -> (Duration, Checked) {
        let start = self.now;
        let mut sink = Checked::default();
        assert_eq!(self.run(options, &mut sink), Ok(self.file.len() as u64));
        assert!(sink.bytes == self.file, "the bytes differ");
        (self.now.since(start), sink)
    }

    fn expect_error(&mut self) -> (Duration, Error) {
        let start = self.now;
        let error = self.run(Options::default(), &mut Checked::default()).unwrap_err();
        assert!(error.object().starts_with("tftp://10.0.0.1/dir/file"), "{error}");
        (self.now.since(start), error)
    }
}

const NO_TROUBLE: Trouble = Trouble { lost: 0, doubled: 0, delayed: 0 };
const TWO_PERCENT: Trouble = Trouble { lost: 20, doubled: 20, delayed: 20 };

#[test]
fn lengths_at_the_edges_of_blocks_and_windows() {
    for window in [1, 4] {
        for length in [0, 1, 1467, 1468, 1469, 4 * 1468 - 1, 4 * 1468, 4 * 1468 + 1, 100_000] {
            let server = Server { window, ..Server::default() };
            let mut world = World::new(server, length, NO_TROUBLE, 1);
            let (_, sink) = world.expect_file(Options::default());
            assert_eq!(sink.announced, (length > 0).then_some(length as u64));
            assert_eq!((world.requests.len(), world.client_errors.len()), (1, 0));
        }
    }
}

#[test]
fn a_window_is_asked_for_and_used() {
    let lock_step = World::new(Server::default(), 1 << 20, NO_TROUBLE, 1).expect_file(Options::default()).0;
    let server = Server { window: 64, ..Server::default() };
    let windowed = World::new(server, 1 << 20, NO_TROUBLE, 1).expect_file(Options::default()).0;
    assert!(windowed.times(10) < lock_step, "{windowed} against {lock_step}");
}

#[test]
fn loss_doubling_and_reordering_do_no_harm() {
    for (window, repeats) in [(1, false), (16, false), (16, true), (64, false)] {
        for seed in 0..4 {
            let server = Server { window, repeats_for_repeated_acks: repeats, ..Server::default() };
            let mut world = World::new(server, 2 << 20, TWO_PERCENT, seed);
            let (time, sink) = world.expect_file(Options { window_size: 32, ..Options::default() });
            assert_eq!(sink.restarts, 0);
            // Without a window a lost block comes again when the server's own second is over.
            let bound = if window == 1 { 60 } else { 6 };
            assert!(time < Duration::from_secs(bound), "window {window}: {time}");
        }
    }
}

#[test]
fn a_server_without_options_gets_lock_step() {
    let server = Server { knows_options: false, ..Server::default() };
    let mut world = World::new(server, 10_000, TWO_PERCENT, 3);
    let (_, sink) = world.expect_file(Options::default());
    assert_eq!(sink.announced, None);
}

#[test]
fn a_server_that_refuses_or_ignores_options_is_asked_for_less() {
    for code in [0, 4, 8] {
        let server = Server { refuses_options: Some(code), ..Server::default() };
        let mut world = World::new(server, 10_000, NO_TROUBLE, 1);
        let (time, _) = world.expect_file(Options::default());
        assert!(time < Duration::from_secs(1));
        assert_eq!(world.requests.len(), 2);
    }
    let server = Server { silent_for_options: true, ..Server::default() };
    let mut world = World::new(server, 10_000, NO_TROUBLE, 1);
    world.expect_file(Options::default());
    assert_eq!(world.requests.last().unwrap(), b"\0\x01dir/file\0octet\0");
    let server = Server { window: 16, largest_window_answer: Some(65535), ..Server::default() };
    let mut world = World::new(server, 10_000, NO_TROUBLE, 1);
    world.expect_file(Options::default());
    assert_eq!(world.client_errors, [(2000, 8)]);
}

#[test]
fn blocks_too_large_for_the_path_are_made_smaller() {
    let server = Server { window: 16, largest_datagram: 1200, ..Server::default() };
    let mut world = World::new(server, 10_000, NO_TROUBLE, 1);
    let (_, sink) = world.expect_file(Options::default());
    assert_eq!(sink.restarts, 1);
}

#[test]
fn block_numbers_roll_over_to_zero_and_to_one() {
    let length = 70_000 * 16 + 5;
    for (window, rolls_to_one, trouble) in
        [(1, false, NO_TROUBLE), (1, true, NO_TROUBLE), (16, false, TWO_PERCENT), (16, true, NO_TROUBLE)]
    {
        let server = Server { window, rolls_to_one, ..Server::default() };
        let options = Options { block_size: 16, ..Options::default() };
        World::new(server, length, trouble, 1).expect_file(options);
    }
}

#[test]
fn a_missing_last_block_of_no_bytes_is_forgiven() {
    let server = Server { window: 4, dies_after: 3, ..Server::default() };
    World::new(server, 3 * 1468, NO_TROUBLE, 1).expect_file(Options::default());
}

#[test]
fn a_dying_server_is_an_error_within_half_a_minute() {
    for window in [1, 16] {
        let server = Server { window, dies_after: 50, ..Server::default() };
        let (time, error) = World::new(server, 1 << 20, NO_TROUBLE, 1).expect_error();
        assert!(error.is(&errors::SERVER_DIED));
        assert!(time > Duration::from_secs(5) && time < Duration::from_secs(30), "{time}");
    }
    let (time, error) =
        World::new(Server::default(), 10, Trouble { lost: 1000, ..NO_TROUBLE }, 1).expect_error();
    assert!(error.is(&errors::NO_ANSWER));
    assert!(time < Duration::from_secs(25), "{time}");
}

#[test]
fn errors_of_the_server_become_sentences() {
    for (code, kind, requests) in [
        (1, &errors::NOT_FOUND, 1),
        (2, &errors::ACCESS_DENIED, 1),
        (7, &errors::REFUSED, 1),
        (0, &errors::REFUSED, 3),
    ] {
        let mut world = World::new(Server { error: Some(code), ..Server::default() }, 10, NO_TROUBLE, 1);
        let (_, error) = world.expect_error();
        assert!(error.is(kind), "{error}");
        assert_eq!(error.object().ends_with(": no way"), error.is(&errors::REFUSED));
        assert_eq!(world.requests.len(), requests);
    }
}

#[test]
fn a_length_that_is_not_the_announced_one_is_an_error() {
    for (size_error, kind) in [(-10, &errors::TOO_LONG), (10, &errors::TOO_SHORT)] {
        let mut world = World::new(Server { size_error, ..Server::default() }, 5000, NO_TROUBLE, 1);
        assert!(world.expect_error().1.is(kind));
        assert_eq!(world.client_errors, [(2000, 0)]);
    }
}

#[test]
fn a_full_sink_ends_the_transfer() {
    let mut world = World::new(Server::default(), 5000, NO_TROUBLE, 1);
    let mut sink = Checked { limit: Some(2000), ..Checked::default() };
    assert_eq!(world.run(Options::default(), &mut sink).unwrap_err().object(), "sink");
    assert_eq!(world.client_errors, [(2000, 3)]);
}

#[test]
fn foreign_ports_are_told_off_and_change_nothing() {
    let uri = Uri::parse("tftp://h:70/f").unwrap();
    let mut transfer = Transfer::new(&uri, Options::default(), Instant::ZERO).unwrap();
    let (mut buffer, mut sink) = ([0; MAXIMUM_OUTPUT], Checked::default());
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer).unwrap().0, 70);
    transfer.input(Instant::ZERO, 5, b"\0\x03\0\x01short", &mut sink);
    assert_eq!(transfer.result(), Some(Ok(5)));
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer), Some((5, 4)));
    transfer.input(Instant::ZERO, 6, b"\0\x03\0\x01other", &mut sink);
    transfer.input(Instant::ZERO, 6, b"\0\x05\0\0\0", &mut sink);
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer), Some((6, 5)));
    assert_eq!(buffer[..5], *b"\0\x05\0\x05\0");
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer), None);
    transfer.input(Instant::ZERO, 5, b"\0\x03\0\x01short", &mut sink);
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer), Some((5, 4)));
    assert_eq!(sink.bytes, b"short");
}

#[test]
fn cancelling_tells_the_server() {
    let uri = Uri::parse("tftp://h/f").unwrap();
    let mut transfer = Transfer::new(&uri, Options::default(), Instant::ZERO).unwrap();
    let (mut buffer, mut sink) = ([0; MAXIMUM_OUTPUT], Checked::default());
    transfer.output(Instant::ZERO, &mut buffer);
    transfer.input(Instant::ZERO, 5, &[&b"\0\x03\0\x01"[..], &[7; 512]].concat(), &mut sink);
    transfer.cancel();
    assert_eq!(transfer.output(Instant::ZERO, &mut buffer), Some((5, 5)));
    assert!(transfer.result().unwrap().unwrap_err().is(&errors::CANCELLED));
}

#[test]
fn names_that_do_not_fit_a_request_are_refused() {
    for path in [String::new(), "a%00b".into(), "x".repeat(401)] {
        let uri = Uri::parse(&alloc::format!("tftp://h/{path}")).unwrap();
        let result = Transfer::new(&uri, Options::default(), Instant::ZERO);
        assert!(result.err().unwrap().is(&errors::BAD_NAME));
    }
    let uri = Uri::parse(&alloc::format!("tftp://h/{}", "x".repeat(400))).unwrap();
    let mut transfer = Transfer::new(&uri, Options::default(), Instant::ZERO).unwrap();
    assert!(transfer.output(Instant::ZERO, &mut [0; MAXIMUM_OUTPUT]).is_some());
}

proptest! {
    #[test]
    fn any_datagrams_are_safe(
        packets in proptest::collection::vec(
            (0u16..4, 1u8..7, proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40), 0u64..3_000_000),
            0..40,
        )
    ) {
        let uri = Uri::parse("tftp://h/f").unwrap();
        let mut now = Instant::ZERO;
        let mut transfer = Transfer::new(&uri, Options::default(), now).unwrap();
        let mut sink = Checked::default();
        let mut buffer = [0; MAXIMUM_OUTPUT];
        for (port, kind, bytes, wait) in packets {
            let mut outputs = 0;
            while transfer.output(now, &mut buffer).is_some() {
                outputs += 1;
                prop_assert!(outputs <= 3);
            }
            now = now + Duration::from_micros(wait);
            transfer.input(now, port, &[&[0, kind][..], &bytes].concat(), &mut sink);
            prop_assert_eq!(sink.bytes.len() as u64 >= transfer.received(), true);
        }
        // Left alone it ends.
        for _ in 0..100 {
            let Some(deadline) = transfer.deadline() else { break };
            now = now.max(deadline);
            while transfer.output(now, &mut buffer).is_some() {}
        }
        prop_assert!(transfer.result().is_some());
    }
}
