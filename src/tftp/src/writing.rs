//! Writing, against a scripted server over a network that loses and doubles.

use crate::{MAXIMUM_OUTPUT, Options, Transfer, errors};
use alloc::{collections::VecDeque, format, vec, vec::Vec};
use base::{Duration, Error, Instant, Sink};
use proptest::prelude::*;
use uri::Uri;

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Agrees to this block size.
    Options(usize),
    /// Knows no options: ACK 0.
    Plain,
    /// Refuses options with this error.
    Refuses(u8),
    /// Says nothing to a request with options.
    Silent,
    /// Refuses the file with this error.
    Error(u8),
    /// Takes so many blocks.
    Dies(u16),
}

/// What came of one request.
struct Session {
    port: u16,
    block_size: usize,
    /// The last block taken.
    last: u16,
    written: Vec<u8>,
    is_complete: bool,
}

struct Server {
    manner: Manner,
    /// Datagrams of a thousand that are lost, and as many that are doubled, either way.
    trouble: u64,
    random: u64,
    requests: Vec<Vec<u8>>,
    sessions: Vec<Session>,
    told_off: Vec<(u16, u8)>,
}

/// There is nothing to be read.
struct Nothing;

impl Sink for Nothing {
    fn announce(&mut self, _: u64) -> Result<(), Error> {
        panic!("announced");
    }
    fn write(&mut self, _: &[u8]) -> Result<(), Error> {
        panic!("written");
    }
    fn restart(&mut self) {
        panic!("restarted");
    }
}

impl Server {
    fn new(manner: Manner, trouble: u64, seed: u64) -> Self {
        Self { manner, trouble, random: seed * 2 + 1, requests: vec![], sessions: vec![], told_off: vec![] }
    }

    /// How many copies of a datagram arrive.
    fn copies(&mut self) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match (self.random >> 33) % 1000 {
            chance if chance < self.trouble => 0,
            chance if chance < 2 * self.trouble => 2,
            _ => 1,
        }
    }

    /// Takes a datagram; gives the answers with their port.
    fn take(&mut self, port: u16, data: &[u8]) -> Option<(u16, Vec<u8>)> {
        if port == 69 {
            return self.request(data);
        }
        let number = u16::from_be_bytes([data[2], data[3]]);
        if data[1] == 5 {
            self.told_off.push((port, data[3]));
            return None;
        }
        assert_eq!(data[..2], [0, 3]);
        let session = self.sessions.iter_mut().find(|session| session.port == port)?;
        if self.manner == Manner::Dies(session.last) {
            return None;
        }
        assert!(data.len() - 4 <= session.block_size);
        if number == session.last.wrapping_add(1) {
            assert!(!session.is_complete, "a block after the last one");
            session.written.extend_from_slice(&data[4..]);
            session.is_complete = data.len() - 4 < session.block_size;
            session.last = number;
        } else {
            assert_eq!(number, session.last, "only the last block is repeated");
        }
        Some((port, vec![0, 4, data[2], data[3]]))
    }

    fn request(&mut self, data: &[u8]) -> Option<(u16, Vec<u8>)> {
        let words: Vec<&[u8]> = data[2..].split(|byte| *byte == 0).collect();
        assert_eq!((&data[..2], words[0], words[1]), (&[0, 2][..], &b"dir/file"[..], &b"octet"[..]));
        self.requests.push(data.to_vec());
        let port = 2000 + u16::try_from(self.requests.len()).unwrap();
        let is_plain = words.len() == 3;
        let (block_size, answer) = match self.manner {
            Manner::Error(code) => return Some((port, vec![0, 5, 0, code, b'n', b'o', 0])),
            Manner::Refuses(code) if !is_plain => return Some((port, vec![0, 5, 0, code, 0])),
            Manner::Silent if !is_plain => return None,
            Manner::Options(size) if !is_plain => {
                (size, [b"\0\x06", format!("blksize\0{size}\0tsize\x007\0").as_bytes()].concat())
            }
            _ => (512, vec![0, 4, 0, 0]),
        };
        self.sessions.push(Session { port, block_size, last: 0, written: vec![], is_complete: false });
        Some((port, answer))
    }

    fn run(&mut self, content: &[u8]) -> (Duration, Result<u64, Error>) {
        let uri = Uri::parse("tftp://10.0.0.1/dir/file").unwrap();
        let mut now = Instant::ZERO;
        let mut transfer = Transfer::new(&uri, Options::default(), now).unwrap();
        transfer.write(content.to_vec());
        let mut buffer = [0; MAXIMUM_OUTPUT];
        let mut wire: VecDeque<(u16, Vec<u8>)> = VecDeque::new();
        loop {
            while let Some((port, length)) = transfer.output(now, &mut buffer) {
                for _ in 0..self.copies() {
                    if let Some(answer) = self.take(port, &buffer[..length]) {
                        wire.extend(core::iter::repeat_n(answer, self.copies()));
                    }
                }
            }
            if let Some(result) = transfer.result() {
                return (now.since(Instant::ZERO), result);
            }
            match wire.pop_front() {
                Some((port, data)) => {
                    now = now + Duration::from_millis(1);
                    transfer.input(now, port, &data, &mut Nothing);
                }
                None => now = now.max(transfer.deadline().unwrap()),
            }
        }
    }

    fn expect_file(&mut self, length: usize) {
        let content: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
        assert_eq!(self.run(&content).1, Ok(length as u64));
        let complete: Vec<_> = self.sessions.iter().filter(|session| session.is_complete).collect();
        assert!(complete.len() == 1 && complete[0].written == content, "the bytes differ");
    }
}

#[test]
fn lengths_at_the_edges_of_blocks() {
    for (manner, size) in [(Manner::Options(1024), 1024), (Manner::Options(700), 700), (Manner::Plain, 512)] {
        for length in [0, 1, size - 1, size, size + 1, 3 * size, 20_000] {
            let mut server = Server::new(manner, 0, 1);
            server.expect_file(length);
            assert_eq!((server.requests.len(), server.told_off.len()), (1, 0));
            assert_eq!(server.requests[0], b"\0\x02dir/file\0octet\0blksize\x001024\0");
        }
    }
}

#[test]
fn a_server_that_refuses_or_ignores_options_is_asked_without() {
    for manner in [Manner::Refuses(0), Manner::Refuses(4), Manner::Refuses(8), Manner::Silent] {
        let mut server = Server::new(manner, 0, 1);
        server.expect_file(3000);
        assert_eq!(server.requests.last().unwrap(), b"\0\x02dir/file\0octet\0");
    }
}

#[test]
fn more_than_was_asked_for_is_refused() {
    let mut server = Server::new(Manner::Options(1025), 0, 1);
    server.expect_file(3000);
    assert_eq!(server.told_off, [(2001, 8)]);
}

#[test]
fn loss_and_doubling_do_no_harm() {
    for manner in [Manner::Options(1024), Manner::Plain] {
        for seed in 0..20 {
            Server::new(manner, 30, seed).expect_file(100_000);
        }
    }
}

#[test]
fn errors_of_the_server_become_sentences() {
    for (code, kind) in [(1, &errors::NOT_FOUND), (2, &errors::ACCESS_DENIED), (3, &errors::REFUSED)] {
        let (_, result) = Server::new(Manner::Error(code), 0, 1).run(b"content");
        let error = result.unwrap_err();
        assert!(error.is(kind) && error.object().starts_with("tftp://10.0.0.1/dir/file"), "{error}");
    }
}

#[test]
fn a_dying_or_silent_server_is_an_error_within_half_a_minute() {
    for (manner, trouble, kind) in
        [(Manner::Dies(3), 0, &errors::SERVER_DIED), (Manner::Plain, 1000, &errors::NO_ANSWER)]
    {
        let (time, result) = Server::new(manner, trouble, 1).run(&[7; 9000]);
        assert!(result.unwrap_err().is(kind));
        assert!(time > Duration::from_secs(5) && time < Duration::from_secs(30), "{time}");
    }
}

proptest! {
    #[test]
    fn any_datagrams_are_safe(
        packets in proptest::collection::vec(
            (0u16..4, 3u8..7, proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40), 0u64..3_000_000),
            0..40,
        )
    ) {
        let uri = Uri::parse("tftp://h/f").unwrap();
        let mut now = Instant::ZERO;
        let mut transfer = Transfer::new(&uri, Options::default(), now).unwrap();
        transfer.write(vec![1; 1500]);
        let mut buffer = [0; MAXIMUM_OUTPUT];
        for (port, kind, bytes, wait) in packets {
            let mut outputs = 0;
            while transfer.output(now, &mut buffer).is_some() {
                outputs += 1;
                prop_assert!(outputs <= 3);
            }
            now = now + Duration::from_micros(wait);
            transfer.input(now, port, &[&[0, kind][..], &bytes].concat(), &mut Nothing);
            prop_assert!(transfer.received() <= 1500);
        }
        if let Some(Ok(length)) = transfer.result() {
            prop_assert_eq!(length, 1500);
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
