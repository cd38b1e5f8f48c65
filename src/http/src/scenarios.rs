//! Downloads from scripted servers.

use crate::{Action, Content, Download, Exchange, Options, Outcome, Range, Request, errors};
use alloc::string::String;
use alloc::{format, vec, vec::Vec};
use base::{Duration, Error, ErrorKind, Instant, Sink};
use proptest::prelude::*;
use uri::Uri;

/// What follows the bytes of a reply.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    KeepOpen,
    Close,
    Reset,
}

type Reply = (Vec<u8>, Then);

/// Takes the bytes and checks the order of calls.
#[derive(Default, Debug, PartialEq)]
struct Checked {
    bytes: Vec<u8>,
    announced: Option<u64>,
    restarts: u32,
}

impl Sink for Checked {
    fn announce(&mut self, length: u64) -> Result<(), Error> {
        assert!(self.announced.is_none() && self.bytes.is_empty());
        self.announced = Some(length);
        if length > 1 << 40 { Err(errors::REFUSED.of("sink")) } else { Ok(()) }
    }
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        assert!(!data.is_empty());
        self.bytes.extend_from_slice(data);
        Ok(())
    }
    fn restart(&mut self) {
        self.announced = None;
        self.bytes.clear();
        self.restarts += 1;
    }
}

/// All that can be seen of a download from outside.
struct Seen {
    result: Result<u64, Error>,
    sink: Checked,
    /// Host and port, then the head of each request.
    requests: Vec<String>,
    connections: usize,
    surplus: bool,
    time: Duration,
}

impl Seen {
    fn expect(&self, body: &[u8]) -> &Self {
        assert_eq!(self.result, Ok(body.len() as u64));
        assert_eq!(self.sink.bytes, body);
        self
    }

    fn expect_error(&self, kind: &'static ErrorKind) -> &Self {
        let error = self.result.as_ref().unwrap_err();
        assert!(error.is(kind), "{error}");
        assert!(!error.object().contains("secret"));
        self
    }
}

fn fetch_in_pieces(uri: &str, piece: usize, server: impl FnMut(usize, &str) -> Reply) -> Seen {
    send_in_pieces(uri, Content::default(), piece, server)
}

fn send_in_pieces(
    uri: &str,
    content: Content,
    piece: usize,
    mut server: impl FnMut(usize, &str) -> Reply,
) -> Seen {
    let mut download = Download::new(Uri::parse(uri).unwrap(), content, Options::default()).unwrap();
    let (mut now, mut sink) = (Instant::ZERO, Checked::default());
    let (mut requests, mut connections): (Vec<String>, usize) = (vec![], 0);
    // Host, port and, while in use, how the server left it.
    let (mut idle, mut current): (Option<String>, Option<(String, Then)>) = (None, None);
    for _ in 0..10_000 {
        match download.action(now) {
            Action::Connect { host, port, fresh } => {
                assert!(current.is_none());
                let place = format!("{host}:{port}");
                let reused = !fresh && idle.take().as_ref() == Some(&place);
                connections += usize::from(!reused);
                current = Some((place, Then::KeepOpen));
                download.connected(now, reused);
            }
            Action::Transfer { until } => {
                let (place, _) = current.clone().unwrap();
                let mut request = vec![];
                let mut buffer = [0; 7];
                loop {
                    let length = download.output(now, &mut buffer);
                    if length == 0 {
                        break;
                    }
                    request.extend_from_slice(&buffer[..length]);
                }
                if request.is_empty() {
                    now = until;
                    continue;
                }
                let request = String::from_utf8(request).unwrap();
                assert!(request.ends_with("\r\n\r\n"));
                let (bytes, then) = server(requests.len(), &request);
                requests.push(format!("{place} {request}"));
                now = now + Duration::from_millis(1);
                for part in bytes.chunks(piece) {
                    download.input(now, part, &mut sink);
                }
                match then {
                    Then::KeepOpen => {}
                    Then::Close => download.end_of_stream(now),
                    Then::Reset => download.lost(now, errors::REFUSED.of("reset")),
                }
                current = Some((place, then));
            }
            Action::Release { reusable } => {
                let (place, then) = current.take().unwrap();
                assert!(!reusable || then == Then::KeepOpen);
                idle = reusable.then_some(place);
            }
            Action::Wait { until } => {
                assert!(until > now && current.is_none());
                now = until;
            }
            Action::Finished => {
                assert!(current.is_none());
                return Seen {
                    result: download.result().unwrap(),
                    sink,
                    requests,
                    connections,
                    surplus: download.has_surplus(),
                    time: now.since(Instant::ZERO),
                };
            }
        }
    }
    panic!("no end");
}

fn fetch(uri: &str, server: impl FnMut(usize, &str) -> Reply) -> Seen {
    fetch_in_pieces(uri, 1000, server)
}

fn open(text: &str) -> Reply {
    (text.as_bytes().to_vec(), Then::KeepOpen)
}

fn closed(text: &str) -> Reply {
    (text.as_bytes().to_vec(), Then::Close)
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"v1\"\r\n\r\n0123456789";

#[test]
fn a_length_chunks_or_the_end_bound_the_body() {
    let seen = fetch("http://user:secret@h:81/x", |_, _| open(WHOLE));
    seen.expect(b"0123456789");
    assert_eq!((seen.sink.announced, seen.surplus, seen.sink.restarts), (Some(10), false, 0));
    assert!(seen.requests[0].starts_with("h:81 GET /x HTTP/1.1\r\nHost: h:81\r\n"));
    assert!(!seen.requests[0].contains("Range"));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\n wo\r\n0\r\nX: y\r\n\r\n";
    assert_eq!(fetch("http://h/", |_, _| open(chunks)).expect(b"hello wo").sink.announced, None);
    fetch("http://h/", |_, _| closed("HTTP/1.0 200 OK\r\n\r\nall of it")).expect(b"all of it");
    fetch("http://h/", |_, _| closed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).expect(b"");
}

#[test]
fn provisional_answers_are_skipped_up_to_a_limit() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    fetch("http://h/", |_, _| open(&format!("{early}{WHOLE}"))).expect(b"0123456789");
    fetch("http://h/", |_, _| open(&early.repeat(100))).expect_error(&errors::NOT_HTTP);
    fetch("http://h/", |_, _| open("HTTP/1.1 101 Switching\r\n\r\n")).expect_error(&errors::NOT_HTTP);
}

#[test]
fn a_body_longer_than_announced_is_cut_with_a_warning() {
    let seen = fetch("http://h/", |_, _| open(&format!("{WHOLE}surplus")));
    assert!(seen.expect(b"0123456789").surplus);
}

#[test]
fn a_body_that_stays_short_is_an_error_in_bounded_time() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
    let seen = fetch("http://h/", |_, _| closed(short));
    seen.expect_error(&errors::SHORT_BODY);
    assert_eq!(seen.requests.len(), 5);
    assert!(seen.time < Duration::from_secs(10));
    let seen = fetch("http://h/", |_, _| open(short));
    seen.expect_error(&errors::STALLED);
    assert!(seen.time < Duration::from_secs(60), "{}", seen.time);
    let seen = fetch("http://h/", |_, _| (short.into(), Then::Reset));
    assert_eq!(seen.result.unwrap_err().object(), "reset");
    fetch("http://h/", |_, _| closed("")).expect_error(&errors::NO_ANSWER);
    fetch("http://h/", |_, _| closed("HTTP/1.1 200 O")).expect_error(&errors::NO_ANSWER);
}

#[test]
fn a_lost_connection_is_resumed_where_it_stopped() {
    for (then, validator, header) in [
        (Then::Close, "\"v1\"", "ETag: \"v1\""),
        (Then::Reset, "\"v1\"", "ETag: \"v1\"\r\nLast-Modified: long ago"),
        (Then::KeepOpen, "long ago", "ETag: W/\"v1\"\r\nLast-Modified: long ago"),
    ] {
        let seen = fetch("http://h/", |number, _| {
            match number {
            0 => (format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{header}\r\n\r\n0123").into(), then),
            1 => (
                format!("HTTP/1.1 206 Part\r\nContent-Range: bytes 4-9/10\r\n{header}\r\nContent-Length: 6\r\n\r\n456")
                    .into(),
                then,
            ),
            _ => open("HTTP/1.1 206 Part\r\nContent-Range: bytes 7-9/10\r\n\r\n789"),
        }
        });
        seen.expect(b"0123456789");
        assert_eq!((seen.sink.restarts, seen.connections), (0, 3));
        assert!(seen.requests[1].contains(&format!("\r\nRange: bytes=4-\r\nIf-Range: {validator}\r\n")));
        assert!(seen.requests[2].contains("\r\nRange: bytes=7-\r\n"));
    }
}

#[test]
fn what_cannot_be_resumed_begins_again() {
    let begin = |header: &str| closed(&format!("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n{header}\r\n0123"));
    // No validator.
    let seen = fetch("http://h/", |number, _| if number == 0 { begin("") } else { open(WHOLE) });
    assert_eq!(seen.expect(b"0123456789").sink.restarts, 1);
    assert!(!seen.requests[1].contains("Range"));
    // The whole, another length, another part, another tag, or nothing instead of the rest.
    for (answer, requests) in [
        (WHOLE, 2),
        ("HTTP/1.1 206 Part\r\nContent-Range: bytes 4-9/10\r\n\r\n456789", 3),
        ("HTTP/1.1 206 Part\r\nContent-Range: bytes 5-11/12\r\n\r\n456789", 3),
        ("HTTP/1.1 206 Part\r\nContent-Range: bytes 4-11/12\r\nETag: \"v9\"\r\n\r\n45678901", 3),
        ("HTTP/1.1 206 Part\r\nContent-Range: bytes 4-11/12\r\nContent-Length: 7\r\n\r\n45678901", 3),
        ("HTTP/1.1 206 Part\r\n\r\n45678901", 3),
        ("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", 3),
    ] {
        let seen = fetch("http://h/", |number, _| match number {
            0 => begin("ETag: \"v1\"\r\n"),
            1 => open(answer),
            _ => open(WHOLE),
        });
        assert_eq!(seen.expect(b"0123456789").sink.restarts, 1, "{answer}");
        assert_eq!(seen.requests.len(), requests, "{answer}");
    }
}

#[test]
fn a_server_that_gives_little_at_a_time_is_followed_to_the_end() {
    let seen = fetch("http://h/", |number, _| match number {
        0 => closed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"v1\"\r\n\r\n0"),
        n => open(&format!(
            "HTTP/1.1 206 Part\r\nContent-Length: 1\r\nContent-Range: bytes {n}-{n}/10\r\n\r\n{n}"
        )),
    });
    assert_eq!((seen.expect(b"0123456789").requests.len(), seen.connections), (10, 2));
}

#[test]
fn a_connection_of_the_pool_that_is_dead_is_replaced_at_once() {
    let seen = fetch("http://h/a", |number, _| match number {
        0 => open("HTTP/1.1 302 Found\r\nLocation: b\r\nContent-Length: 5\r\n\r\nmoved"),
        1 => closed(""),
        _ => open(WHOLE),
    });
    seen.expect(b"0123456789");
    assert_eq!(seen.connections, 2);
    assert!(seen.time < Duration::from_millis(10));
}

#[test]
fn redirects_are_followed_with_the_connection_where_possible() {
    let seen = fetch("http://user:secret@h/a/b", |number, _| match number {
        0 => open("HTTP/1.1 301 Moved\r\nLocation: ../c d?q#f\r\nContent-Length: 5\r\n\r\nmoved"),
        1 => open("HTTP/1.1 307 Moved\r\nLocation: //other:8080/x\r\nTransfer-Encoding: chunked\r\n\r\n"),
        _ => open(WHOLE),
    });
    seen.expect(b"0123456789");
    assert_eq!((seen.connections, seen.sink.restarts), (2, 0));
    assert!(seen.requests[1].starts_with("h:80 GET /c%20d?q HTTP/1.1\r\n"));
    assert!(seen.requests[1].contains("\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    assert!(seen.requests[2].starts_with("other:8080 GET /x HTTP/1.1\r\nHost: other:8080\r\n"));
    assert!(!seen.requests[2].contains("Authorization"));
}

#[test]
fn redirects_have_an_end() {
    let to = |target: &str| {
        open(&format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n"))
    };
    let seen = fetch("http://h/a", |number, _| to(["/b", "/a"][number % 2]));
    assert_eq!(seen.expect_error(&errors::REDIRECT_LOOP).requests.len(), 2);
    let seen = fetch("http://h/0", |number, _| to(&format!("/{}", number + 1)));
    assert_eq!(seen.expect_error(&errors::TOO_MANY_REDIRECTS).requests.len(), 11);
    let seen = fetch("http://h/0", |n, _| if n < 10 { to(&format!("/{}", n + 1)) } else { open(WHOLE) });
    seen.expect(b"0123456789");
    fetch("http://h/", |_, _| to("https://h/")).expect_error(&errors::UNSUPPORTED);
    fetch("http://h/", |_, _| to("http://h:x/")).expect_error(&errors::BAD_REDIRECT);
    fetch("http://h/", |_, _| open("HTTP/1.1 302 Found\r\n\r\n")).expect_error(&errors::REFUSED);
}

#[test]
fn statuses_become_sentences() {
    for (status, kind) in [
        (401, &errors::LOGIN_NEEDED),
        (403, &errors::FORBIDDEN),
        (404, &errors::NOT_FOUND),
        (410, &errors::NOT_FOUND),
        (416, &errors::REFUSED),
        (500, &errors::SERVER_FAILED),
        (503, &errors::SERVER_BUSY),
        (304, &errors::REFUSED),
        (999, &errors::SERVER_FAILED),
    ] {
        let reply = format!("HTTP/1.1 {status} Text\r\nContent-Length: 4\r\n\r\nbody");
        let seen = fetch("http://u:secret@h/f?secret", |_, _| open(&reply));
        let error = seen.expect_error(kind).result.as_ref().unwrap_err();
        assert!(error.object().starts_with("http://h/f"));
        assert_eq!((seen.requests.len(), seen.sink), (1, Checked::default()));
    }
}

#[test]
fn a_busy_server_is_tried_again_when_it_says_so() {
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n";
    let seen = fetch("http://h/", |number, _| open(if number == 0 { busy } else { WHOLE }));
    assert!(seen.expect(b"0123456789").time >= Duration::from_secs(3));
    assert_eq!(fetch("http://h/", |_, _| open(busy)).expect_error(&errors::SERVER_BUSY).requests.len(), 5);
}

#[test]
fn what_changes_something_is_asked_once() {
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    for content in [Content::post(), Content::new("DELETE").unwrap()] {
        let send = |server: fn(usize) -> Reply| {
            send_in_pieces("http://h/", content.clone(), 1000, |number, _| server(number))
        };
        for (server, kind) in [
            ((|_| (vec![], Then::Reset)) as fn(usize) -> Reply, &errors::REFUSED),
            (|_| closed(""), &errors::NO_ANSWER),
        ] {
            assert_eq!(send(server).expect_error(kind).requests.len(), 1);
        }
        let seen = send_in_pieces("http://h/", content.clone(), 1000, |_, _| open(busy));
        assert_eq!(seen.expect_error(&errors::SERVER_BUSY).requests.len(), 1);
        let seen = send_in_pieces("http://h/", content.clone(), 1000, |number, _| {
            open(if number == 0 { moved } else { WHOLE })
        });
        assert!(seen.expect(b"0123456789").requests[1].contains(" GET /there "));
    }
}

#[test]
fn hostile_answers_end_in_errors() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(Exchange::HEAD_LIMIT));
    fetch("http://h/", |_, _| open(&long)).expect_error(&errors::HEAD_TOO_LONG);
    fetch("http://h/", |_, _| open("SSH-2.0-OpenSSH\r\n\r\n")).expect_error(&errors::NOT_HTTP);
    let header = |line: &str| open(&format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\nxyz\r\n"));
    fetch("http://h/", |_, _| header("Content-Length: x")).expect_error(&errors::BAD_LENGTH);
    fetch("http://h/", |_, _| header("Transfer-Encoding: gzip")).expect_error(&errors::UNKNOWN_CODING);
    fetch("http://h/", |_, _| header("Transfer-Encoding: chunked")).expect_error(&errors::BAD_CHUNK);
    let seen = fetch("http://h/", |_, _| header("Content-Length: 18446744073709551615"));
    assert_eq!(seen.result.unwrap_err().object(), "sink");
    let unasked = "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-2/3\r\n\r\nxyz";
    fetch("http://h/", |_, _| open(unasked)).expect_error(&errors::BAD_RANGE);
}

#[test]
fn only_http_addresses_are_taken() {
    for uri in ["https://h/", "http:///x", "tftp://h/x", "x", "http:x"] {
        let result = Download::new(Uri::parse(uri).unwrap(), Content::default(), Options::default());
        assert!(result.err().unwrap().is(&errors::UNSUPPORTED), "{uri}");
    }
}

#[test]
fn an_address_that_never_worked_is_not_tried_again() {
    let mut download =
        Download::new(Uri::parse("http://h/").unwrap(), Content::default(), Options::default()).unwrap();
    assert_eq!(download.action(Instant::ZERO), Action::Connect { host: "h", port: 80, fresh: false });
    download.lost(Instant::ZERO, errors::REFUSED.of("connect"));
    assert_eq!(download.action(Instant::ZERO), Action::Finished);
    assert_eq!(download.result().unwrap().unwrap_err().object(), "connect");
}

#[test]
fn head_requests_have_no_body() {
    let uri = Uri::parse("http://h/").unwrap();
    let head = Content::new("HEAD").unwrap();
    let request = Request { uri: &uri, content: &head, user_agent: "", range: None, sink_used: false };
    let (mut exchange, mut sink) = (Exchange::new(request), Checked::default());
    exchange.input(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", &mut sink);
    assert_eq!(exchange.outcome(), Some(&Outcome::Done(0)));
    assert_eq!((exchange.total(), exchange.is_reusable()), (Some(99_999_999_999_999), true));
    assert_eq!(sink, Checked::default());
}

/// Feeds `bytes` in pieces whose lengths `cuts` give, then the end, and shows all that came of it.
fn exchange_in_pieces(bytes: &[u8], cuts: &[usize], range: bool) -> String {
    let uri = Uri::parse("http://h/d/f").unwrap();
    let range = range.then_some(Range { start: 4, validator: "\"v1\"", total: Some(10) });
    let get = Content::default();
    let request = Request { uri: &uri, content: &get, user_agent: "", range, sink_used: false };
    let (mut exchange, mut sink) = (Exchange::new(request), Checked::default());
    let (mut rest, mut cuts) = (bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        exchange.input(piece, &mut sink);
        rest = tail;
    }
    exchange.end_of_stream();
    format!("{:?} {sink:?} {} {}", exchange.outcome().unwrap(), exchange.has_surplus(), exchange.position())
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.1 206 Part\r\n"),
        Just("HTTP/1.1 302 Found\r\n"),
        Just("HTTP/1.1 100 Continue\r\n\r\n"),
        Just("HTTP/1.1 404 Gone\n"),
        Just("Content-Length: 6\r\n"),
        Just("Content-Range: bytes 4-9/10\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("Location: x\r\n"),
        Just("ETag: \"v1\"\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("3\r\nabc\r\n"),
        Just("0\r\n\r\n"),
        Just("456789"),
        Just("\u{0}\u{ff}"),
    ];
    proptest::collection::vec(lines, 0..12).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        answer in answers(),
        cuts in proptest::collection::vec(1usize..9, 1..9),
        range in any::<bool>(),
    ) {
        let status = [&b"HTTP/1.1 200 OK\r\n"[..], &answer].concat();
        for bytes in [&answer, &status] {
            let whole = exchange_in_pieces(bytes, &[usize::MAX], range);
            prop_assert_eq!(exchange_in_pieces(bytes, &[1], range), whole.clone());
            prop_assert_eq!(exchange_in_pieces(bytes, &cuts, range), whole);
        }
    }

    #[test]
    fn any_server_comes_to_an_end(
        replies in proptest::collection::vec((answers(), 0u8..3), 1..6),
        piece in 1usize..50,
    ) {
        let seen = fetch_in_pieces("http://h/", piece, |number, _| {
            let (bytes, then) = &replies[number % replies.len()];
            (bytes.clone(), [Then::KeepOpen, Then::Close, Then::Reset][usize::from(*then)])
        });
        if let Ok(length) = seen.result {
            prop_assert_eq!(seen.sink.bytes.len() as u64, length);
        }
    }
}
