//! TFTP: datagrams of a server that keeps to nothing.
#![no_main]

use base::{Duration, Instant};
use libfuzzer_sys::fuzz_target;
use tftp::{MAXIMUM_OUTPUT, Options, Transfer};
use uri::Uri;

fuzz_target!(|data: &[u8]| {
    let Ok(uri) = Uri::parse("tftp://10.0.0.1/file") else { return };
    let mut now = Instant::ZERO;
    let Ok(mut transfer) = Transfer::new(&uri, Options::default(), now) else { return };
    let mut sink = fuzz::Counter::default();
    let mut buffer = [0; MAXIMUM_OUTPUT];
    for piece in fuzz::pieces(data) {
        let mut sent = 0;
        while transfer.output(now, &mut buffer).is_some() {
            sent += 1;
            assert!(sent < 100, "it sends without end");
        }
        let Some((port, datagram)) = piece.split_first() else { continue };
        transfer.input(now, 2000 + u16::from(port & 1), datagram, &mut sink);
        now = now + Duration::from_millis(u64::from(port >> 1) * 20);
    }
    if let Some(Ok(length)) = transfer.result() {
        assert_eq!(length, sink.written);
    }
});
