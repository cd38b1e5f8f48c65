//! The resolver against small scripted servers, and against hostile answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use base::domain_name::{self, NAME_LIMIT};
use base::{Duration, Instant};
use core::net::Ipv4Addr;
use dns::message::{ALIAS_LIMIT, Answer, answer, question};
use dns::resolver::{OUTPUT_CAPACITY, SERVER_PORT};
use dns::{Resolver, State, errors};
use proptest::prelude::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn server(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// A response with records that are given as (owner, type, data).
fn response(asked: &[u8], code: u8, records: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let mut bytes = asked.to_vec();
    bytes[2] = 0x81;
    bytes[3] = 0x80 | code;
    bytes[7] = u8::try_from(records.len()).unwrap();
    for (owner, kind, data) in records {
        bytes.extend_from_slice(owner);
        bytes.extend_from_slice(&[0, *kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        bytes.extend_from_slice(data);
    }
    bytes
}

fn found(asked: &[u8]) -> Vec<u8> {
    response(asked, 0, &[(&[0xc0, 12], 1, &ADDRESS.octets())])
}

/// The name in a question, as text.
fn asked_name(asked: &[u8]) -> String {
    let mut text = String::new();
    let mut at = 12;
    while asked[at] != 0 {
        let end = at + 1 + usize::from(asked[at]);
        text.push_str(core::str::from_utf8(&asked[at + 1..end]).unwrap());
        text.push('.');
        at = end;
    }
    text
}

/// Runs with servers that answer after a millisecond; says how long it took and what was asked of whom.
fn run(
    resolver: &mut Resolver,
    mut servers: impl FnMut(Ipv4Addr, &str, &[u8]) -> Option<Vec<u8>>,
) -> (u64, Vec<(u8, String)>) {
    let mut now = Instant::ZERO;
    let mut log = Vec::new();
    let mut buffer = [0; OUTPUT_CAPACITY];
    let mut answers = Vec::new();
    for _ in 0..10_000 {
        while let Some(transmit) = resolver.output(now, &mut buffer) {
            assert_eq!((transmit.destination_port, transmit.source_port), (53, resolver.source_port()));
            let asked = &buffer[..transmit.length];
            let name = asked_name(asked);
            if let Some(bytes) = servers(transmit.destination, &name, asked) {
                answers.push((transmit.destination, bytes));
            }
            log.push((transmit.destination.octets()[3], name));
        }
        let Some(deadline) = resolver.deadline() else { break };
        assert!(deadline > now, "the resolver's deadline has passed, yet it does nothing");
        if answers.is_empty() {
            now = deadline;
            continue;
        }
        now = now + Duration::from_millis(1);
        for (source, bytes) in answers.drain(..) {
            resolver.input(now, (source, SERVER_PORT), resolver.source_port(), &bytes);
        }
    }
    (now.as_micros() / 1000, log)
}

fn resolver(name: &str, servers: u8, search: &[&str]) -> Resolver {
    let servers: Vec<_> = (1..=servers).map(server).collect();
    let search: Vec<String> = search.iter().map(ToString::to_string).collect();
    Resolver::new(name, &servers, &search, 42, Instant::ZERO)
}

fn address(resolver: &Resolver) -> Ipv4Addr {
    match resolver.state() {
        State::Found(addresses) => addresses[0],
        other => panic!("nothing found: {other:?}"),
    }
}

fn failure(resolver: &Resolver) -> &'static str {
    match resolver.state() {
        State::Failed(error) => error.kind().id(),
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn a_number_needs_no_server_and_a_bad_name_asks_none() {
    assert_eq!(address(&resolver("192.0.2.1", 0, &[])), ADDRESS);
    assert_eq!(failure(&resolver("example.org", 0, &[])), errors::NO_SERVER.id());
    for bad in ["", ".", "a..b", "a b", "\u{fc}.example", &"x".repeat(64), &"abc.".repeat(64)] {
        assert_eq!(failure(&resolver(bad, 1, &[])), errors::BAD_NAME.id(), "{bad}");
    }
}

#[test]
fn the_answer_of_a_server_is_taken() {
    let mut resolver = resolver("Boot.Example.org", 1, &[]);
    let (time, log) = run(&mut resolver, |_, _, asked| Some(found(asked)));
    assert_eq!((address(&resolver), time), (ADDRESS, 1));
    assert_eq!(log, [(1, "boot.example.org.".to_string())]);
    assert_eq!(resolver.deadline(), None);
}

#[test]
fn a_dead_first_server_costs_nothing() {
    let mut resolver = resolver("a.test", 3, &[]);
    let (time, log) = run(&mut resolver, |who, _, asked| (who == server(2)).then(|| found(asked)));
    assert_eq!((address(&resolver), time, log.len()), (ADDRESS, 1, 3));
}

#[test]
fn a_server_that_knows_wins_over_one_that_does_not() {
    let mut resolver = resolver("a.test", 2, &[]);
    run(&mut resolver, |who, _, asked| {
        Some(if who == server(1) { response(asked, 3, &[]) } else { found(asked) })
    });
    assert_eq!(address(&resolver), ADDRESS);
}

#[test]
fn unknown_silent_failing_and_addressless_are_told_apart() {
    let outcome = |code: Option<u8>, servers: u8| {
        let mut resolver = resolver("a.test", servers, &[]);
        let (time, log) =
            run(
                &mut resolver,
                |who, _, asked| {
                    if who == server(1) { Some(response(asked, code?, &[])) } else { None }
                },
            );
        (failure(&resolver), time, log.len())
    };
    assert_eq!(outcome(Some(3), 1), (errors::NOT_FOUND.id(), 1, 1));
    assert_eq!(outcome(Some(0), 1), (errors::NO_ADDRESS.id(), 1, 1));
    assert_eq!(outcome(None, 1), (errors::NO_ANSWER.id(), 10_000, 4));
    let (id, time, sent) = outcome(Some(2), 1);
    assert_eq!((id, sent), (errors::SERVER_FAILURE.id(), 2));
    assert!((800..1300).contains(&time));
    // The silent second server gets half a second, and its silence outlasts an error of the first.
    assert_eq!(outcome(Some(3), 2), (errors::NOT_FOUND.id(), 501, 2));
    assert_eq!(outcome(Some(5), 2).0, errors::SERVER_FAILURE.id());
}

#[test]
fn lost_questions_are_sent_again() {
    let mut resolver = resolver("a.test", 1, &[]);
    let mut lost = 0;
    let (_, log) = run(&mut resolver, |_, _, asked| {
        lost += 1;
        (lost > 3).then(|| found(asked))
    });
    assert_eq!((address(&resolver), log.len()), (ADDRESS, 4));
}

#[test]
fn short_names_go_through_the_search_list_first() {
    let names = |name: &str| -> Vec<String> {
        let mut resolver = resolver(name, 1, &["one.test", "two.test."]);
        let (_, log) = run(&mut resolver, |_, _, asked| Some(response(asked, 3, &[])));
        assert_eq!(failure(&resolver), errors::NOT_FOUND.id());
        log.into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names("boot"), ["boot.one.test.", "boot.two.test.", "boot."]);
    assert_eq!(names("boot.x"), ["boot.x.", "boot.x.one.test.", "boot.x.two.test."]);
    assert_eq!(names("boot.x."), ["boot.x."]);
    let mut resolver = resolver("boot", 1, &["one.test", "two.test"]);
    run(&mut resolver, |_, name, asked| {
        Some(if name == "boot.two.test." { found(asked) } else { response(asked, 3, &[]) })
    });
    assert_eq!(address(&resolver), ADDRESS);
}

#[test]
fn aliases_are_followed_in_one_answer_and_over_several() {
    let (one, two) = (domain_name::of_text("one.test").unwrap(), domain_name::of_text("two.test").unwrap());
    let mut first = resolver("a.test", 1, &[]);
    let (_, log) = run(&mut first, |_, _, asked| {
        // Out of order, as a server may send them; another host's address is not ours.
        let records: [(&[u8], u8, &[u8]); 4] = [
            (b"\x05other\0", 1, &[9, 9, 9, 9]),
            (&two, 1, &ADDRESS.octets()),
            (&one, 5, &two),
            (&[0xc0, 12], 5, &one),
        ];
        Some(response(asked, 0, &records))
    });
    assert_eq!((address(&first), log.len()), (ADDRESS, 1));
    let mut second = resolver("a.test", 1, &[]);
    let (_, log) = run(&mut second, |_, name, asked| {
        Some(if name == "one.test." { found(asked) } else { response(asked, 0, &[(&[0xc0, 12], 5, &one)]) })
    });
    assert_eq!((address(&second), log.len()), (ADDRESS, 2));
}

#[test]
fn alias_circles_end() {
    let (a, b) = (domain_name::of_text("a.test").unwrap(), domain_name::of_text("b.test").unwrap());
    let mut one = resolver("a.test", 1, &[]);
    run(&mut one, |_, _, asked| Some(response(asked, 0, &[(&a, 5, &b), (&b, 5, &a)])));
    assert_eq!(failure(&one), errors::ALIAS_LOOP.id());
    let mut two = resolver("a.test", 1, &[]);
    let (_, log) = run(&mut two, |_, name, asked| {
        let to = if name == "a.test." { &b } else { &a };
        Some(response(asked, 0, &[(&[0xc0, 12], 5, to)]))
    });
    assert_eq!(failure(&two), errors::ALIAS_LOOP.id());
    assert!(log.len() <= ALIAS_LIMIT as usize + 1);
}

#[test]
fn a_cut_off_answer_is_used_as_far_as_it_goes() {
    let cut = |asked: &[u8], with_address: bool| {
        let mut bytes = if with_address { found(asked) } else { response(asked, 0, &[]) };
        bytes[2] |= 2;
        bytes[7] = 3;
        Some(bytes)
    };
    let mut one = resolver("a.test", 1, &[]);
    run(&mut one, |_, _, asked| cut(asked, true));
    assert_eq!(address(&one), ADDRESS);
    let mut two = resolver("a.test", 1, &[]);
    run(&mut two, |_, _, asked| cut(asked, false));
    assert_eq!(failure(&two), errors::TRUNCATED.id());
}

#[test]
fn answers_that_do_not_match_are_passed_over() {
    let takes = |source: (Ipv4Addr, u16), port_offset: u16, change: fn(&mut Vec<u8>)| {
        let mut resolver = resolver("a.test", 1, &[]);
        let mut buffer = [0; OUTPUT_CAPACITY];
        let transmit = resolver.output(Instant::ZERO, &mut buffer).unwrap();
        let mut bytes = found(&buffer[..transmit.length]);
        change(&mut bytes);
        resolver.input(Instant::ZERO, source, resolver.source_port() ^ port_offset, &bytes);
        matches!(resolver.state(), State::Found(_))
    };
    let good = (server(1), 53);
    assert!(takes(good, 0, |_| ()));
    assert!(takes(good, 0, |bytes| bytes[13] = b'A'));
    assert!(!takes((server(2), 53), 0, |_| ()));
    assert!(!takes((server(1), 54), 0, |_| ()));
    assert!(!takes(good, 1, |_| ()));
    assert!(!takes(good, 0, |bytes| bytes[0] ^= 1));
    assert!(!takes(good, 0, |bytes| bytes[2] &= 0x7f));
    assert!(!takes(good, 0, |bytes| bytes[5] = 2));
    assert!(!takes(good, 0, |bytes| bytes[13] = b'b'));
    assert!(!takes(good, 0, |bytes| bytes[21] = 28));
    assert!(!takes(good, 0, |bytes| bytes.truncate(30)));
}

#[test]
fn ids_and_ports_differ_from_search_to_search() {
    let ids: Vec<_> = (0..20)
        .map(|seed| {
            let mut resolver = Resolver::new("a.test", &[server(1)], &[], seed, Instant::ZERO);
            let mut buffer = [0; OUTPUT_CAPACITY];
            resolver.output(Instant::ZERO, &mut buffer).unwrap();
            assert!(resolver.source_port() >= 0xc000);
            ([buffer[0], buffer[1]], resolver.source_port())
        })
        .collect();
    for (place, one) in ids.iter().enumerate() {
        assert!(ids[..place].iter().all(|other| other != one));
    }
}

#[test]
fn pointers_go_backwards_only() {
    let name = domain_name::of_text("a.test").unwrap();
    let asked = question(7, &name);
    let at = u8::try_from(asked.len()).unwrap();
    for pointer in [at, at + 2, 0xff] {
        let bytes = response(&asked, 0, &[(&[0xc0, pointer], 1, &[1, 2, 3, 4])]);
        assert_eq!(answer(&bytes, 7, &name, 0), Some(Answer::NoAddress));
    }
    let long = domain_name::of_text(&["x"; 127].join(".")).unwrap();
    assert_eq!(long.len(), NAME_LIMIT);
    assert_eq!(domain_name::of_text(&["x"; 128].join(".")), None);
    assert_eq!(answer(&found(&question(7, &long)), 7, &long, 0), Some(Answer::Addresses(vec![ADDRESS])));
}

/// Any byte, but more often one that means something in a message.
fn byte() -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(|byte| {
        if byte & 1 == 0 { [0, 0xc0, 12, 1, 5, 4, 0, 1][usize::from(byte >> 5)] } else { byte }
    })
}

proptest! {
    #[test]
    fn hostile_answers_do_no_harm(
        tails in proptest::collection::vec((any::<[u8; 6]>(), proptest::collection::vec(byte(), 0..200)), 0..12),
    ) {
        let mut resolver = resolver("a.test", 2, &["b.test"]);
        let mut tails = tails.into_iter();
        let (time, _) = run(&mut resolver, |_, _, asked| {
            let (head, tail) = tails.next()?;
            let mut bytes = asked.to_vec();
            bytes[2] = 0x80 | (head[0] & 7);
            bytes[3] = head[1] & 3;
            bytes[6..8].copy_from_slice(&head[2..4]);
            bytes.extend_from_slice(&tail);
            Some(bytes)
        });
        prop_assert!(resolver.deadline().is_none() && time <= 30_000);
    }

    #[test]
    fn any_bytes_at_all_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in ".{0,300}") {
        let _ = answer(&bytes, 7, &bytes, 0);
        let _ = Resolver::new(&name, &[server(1)], core::slice::from_ref(&name), 1, Instant::ZERO);
        if let Some(name) = domain_name::of_text(&name) {
            prop_assert!(name.len() <= NAME_LIMIT);
            prop_assert_eq!(answer(&found(&question(9, &name)), 9, &name, 0), Some(Answer::Addresses(vec![ADDRESS])));
        }
    }
}
