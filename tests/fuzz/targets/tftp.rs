//! TFTP: datagrams of a server that keeps to nothing, to a client that reads and to one that writes.
#![no_main]

use base::{Duration, Instant};
use libfuzzer_sys::fuzz_target;
use tftp::{MAXIMUM_OUTPUT, Options, Transfer};
use uri::Uri;

/// Bytes that are written: some blocks.
const CONTENT: usize = 2500;

fuzz_target!(|data: &[u8]| {
    let Ok(uri) = Uri::parse("tftp://10.0.0.1/file") else { return };
    for content in [None, Some(vec![1; CONTENT])] {
        let is_reading = content.is_none();
        let Ok(mut transfer) = Transfer::new(&uri, Options::default(), Instant::ZERO) else { return };
        if let Some(content) = content {
            transfer.write(content);
        }
        let (result, written) = play(transfer, data);
        assert!(is_reading || written == 0, "something was read");
        let whole = if is_reading { written } else { CONTENT as u64 };
        assert!(result.is_none_or(|length| length == whole), "it ended well before the end");
    }
});

/// Hands in the datagrams. Gives the length if the transfer ended well, and what was put into the sink.
fn play(mut transfer: Transfer, data: &[u8]) -> (Option<u64>, u64) {
    let mut now = Instant::ZERO;
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
    (transfer.result().and_then(Result::ok), sink.written)
}
