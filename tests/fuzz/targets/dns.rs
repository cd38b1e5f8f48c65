//! DNS: messages of a server, alone and in a search.
#![no_main]

use base::{Duration, Instant};
use dns::{Resolver, State};
use libfuzzer_sys::fuzz_target;
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Some(name) = base::domain_name::of_text(&text) {
        let _ = dns::message::question(1, &name);
    }
    if let Some(name) = base::domain_name::of_text("www.example.org") {
        let id = data.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
        let _ = dns::message::answer(data, id, &name, 0);
    }

    let mut now = Instant::ZERO;
    let search = ["example.org".to_owned(), text.chars().take(80).collect()];
    let mut resolver = Resolver::new("www", &[SERVER, Ipv4Addr::new(10, 0, 0, 2)], &search, 1, now);
    let mut buffer = [0; 1500];
    let mut id = [0; 2];
    let mut sent = 0;
    for piece in fuzz::pieces(data) {
        while let Some(packet) = resolver.output(now, &mut buffer) {
            id = [buffer[0], buffer[1]];
            assert!(packet.length <= buffer.len());
            sent += 1;
            assert!(sent < 2000, "it asks without end");
        }
        let Some((kind, rest)) = piece.split_first() else { continue };
        // A server answers with the question's number, whatever else it says.
        let mut answer = rest.to_vec();
        if let Some(number) = answer.get_mut(..2) {
            number.copy_from_slice(&id);
        }
        let server = Ipv4Addr::new(10, 0, 0, 1 + (kind & 1));
        resolver.input(now, (server, 53), resolver.source_port(), &answer);
        now = now + Duration::from_millis(u64::from(kind >> 1) * 10);
    }
    if let State::Found(addresses) = resolver.state() {
        assert!(!addresses.is_empty());
    }
});
