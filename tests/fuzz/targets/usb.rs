//! Descriptors of a USB device: any configuration, and any string; and its messages of Remote NDIS.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usb_network::{descriptors, rndis};

fuzz_target!(|data: &[u8]| {
    if let Some(adapter) = descriptors::adapter(data) {
        let endpoints = [Some(adapter.input), Some(adapter.output), adapter.notify];
        let mut seen = 0_u32;
        for endpoint in endpoints.into_iter().flatten() {
            assert!((2..32).contains(&endpoint.index()) && (1..=1024).contains(&endpoint.packet));
            assert!(seen >> endpoint.index() & 1 == 0, "one context for two endpoints");
            seen |= 1 << endpoint.index();
        }
    }
    if let Some(mac) = descriptors::mac_address(data) {
        let text = mac.to_string().replace(':', "");
        let string: Vec<u8> =
            [26, 3].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(descriptors::mac_address(&string), Some(mac));
    }
    let mut place = 0;
    while let Some((frame, next)) = rndis::next_frame(data, place) {
        assert!(place < next && place <= frame.start && frame.start <= frame.end && frame.end <= next);
        assert!(next <= data.len());
        place = next;
    }
    let question = rndis::query(rndis::object::PERMANENT_ADDRESS);
    if let rndis::Heard::KeepAlive(answer) = rndis::heard(data, &question) {
        assert_eq!(answer.len(), 16);
    }
    let _ = rndis::transfer_limit(data);
    assert!(rndis::information(data).is_none_or(|information| information.len() <= data.len()));
});
