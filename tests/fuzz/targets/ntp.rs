//! Answers of time servers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::Ipv4Addr;

const NONCE: u64 = 0x0123_4567_89ab_cdef;

fuzz_target!(|data: &[u8]| {
    let mut answer = data.to_vec();
    // A server sends our nonce back, whatever else it says.
    if let Some(place) = answer.get_mut(24..32) {
        place.copy_from_slice(&NONCE.to_be_bytes());
    }
    let time = net::ntp_answer(&answer, NONCE, Ipv4Addr::LOCALHOST);
    assert!(time.is_none() || data.len() >= net::NTP_LENGTH);
    let _ = net::ntp_answer(data, NONCE, Ipv4Addr::LOCALHOST);
});
