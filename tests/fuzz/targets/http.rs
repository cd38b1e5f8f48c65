//! HTTP: the streams of servers that keep to nothing, one piece after the other; a download over many connections.
#![no_main]

use base::{Duration, Instant};
use http::{Action, Content, Download, Options};
use libfuzzer_sys::fuzz_target;
use uri::Uri;

fuzz_target!(|data: &[u8]| {
    let Ok(uri) = Uri::parse("http://user:pass@10.0.0.1/a/b?c") else { return };
    let Ok(mut download) = Download::new(uri, Content::default(), Options::default()) else { return };
    let mut now = Instant::ZERO;
    let mut sink = fuzz::Counter::default();
    let mut pieces = fuzz::pieces(data);
    let mut buffer = [0; 512];
    // Each turn eats a piece, waits, or is one of the few that end: a download that needs more has no bound.
    for _ in 0..10_000 {
        match download.action(now) {
            Action::Connect { .. } => download.connected(now, false),
            Action::Transfer { until } => {
                while download.output(now, &mut buffer) > 0 {}
                match pieces.next().map(<[u8]>::split_first) {
                    Some(Some((0, _))) => download.end_of_stream(now),
                    Some(Some((1, _))) => now = until + Duration::from_millis(1),
                    Some(Some((2, _))) => {
                        download.lost(now, http::errors::NO_ANSWER.of("x"));
                    }
                    Some(Some((_, bytes))) => download.input(now, bytes, &mut sink),
                    Some(None) => {}
                    // Nothing comes any more.
                    None => now = until + Duration::from_millis(1),
                }
            }
            Action::Release { .. } => {}
            Action::Wait { until } => now = until,
            Action::Finished => {
                if let Some(Ok(length)) = download.result() {
                    assert_eq!(length, sink.written);
                }
                return;
            }
        }
    }
    panic!("the download does not end");
});
