//! The time, by the simple network time protocol (SNTP, RFC 4330): one question, one answer.

use alloc::format;
use alloc::string::ToString;
use base::Error;
use base::text::printable;
use core::net::Ipv4Addr;

use crate::errors;

/// Where time servers listen.
pub const NTP_PORT: u16 = 123;
/// Bytes of a message without authentication (RFC 4330 section 4).
pub const NTP_LENGTH: usize = 48;

/// Version 4, mode 3: a client.
const QUESTION: u8 = 4 << 3 | 3;
/// The mode of a server.
const SERVER: u8 = 4;
/// The leap indicator of a server that is not synchronised.
const ALARM: u8 = 3;
/// From 1900, where time stamps begin, to 1970, in seconds.
const EPOCH: u32 = 2_208_988_800;

/// The question. `nonce` is any number that a stranger cannot foresee: it stands for the time of sending, which the
/// server sends back and has no use for.
pub fn ntp_question(nonce: u64) -> [u8; NTP_LENGTH] {
    let mut message = [0; NTP_LENGTH];
    let [first, .., a, b, c, d, e, f, g, h] = &mut message;
    *first = QUESTION;
    [*a, *b, *c, *d, *e, *f, *g, *h] = nonce.to_be_bytes();
    message
}

/// The seconds since 1970 by the answer of `server`, or why it has none to give. None if this is no answer to the
/// question with that nonce (RFC 4330 section 5).
pub fn ntp_answer(message: &[u8], nonce: u64, server: Ipv4Addr) -> Option<Result<u32, Error>> {
    let message: &[u8; NTP_LENGTH] = message.first_chunk()?;
    let [flags, stratum, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *message;
    let originate = message.get(24..32)?.first_chunk()?;
    let seconds = u32::from_be_bytes(*message.get(40..44)?.first_chunk()?);
    if flags & 7 != SERVER || u64::from_be_bytes(*originate) != nonce {
        return None;
    }
    Some(match stratum {
        // Why it does not want to answer, in four letters (section 8).
        0 => Err(errors::NO_TIME.of(format!("{server} ({})", printable(&[a, b, c, d])))),
        1..16 if flags >> 6 != ALARM && seconds != 0 => {
            // Numbers without the highest bit are of the time from 2036 on (section 3): both wrap to the same.
            Ok(seconds.wrapping_sub(EPOCH))
        }
        _ => Err(errors::NO_TIME.of(server.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const NONCE: u64 = 0x0123_4567_89ab_cdef;

    fn answer(flags: u8, stratum: u8, seconds: u32) -> [u8; NTP_LENGTH] {
        let mut message = [0; NTP_LENGTH];
        message[0] = flags;
        message[1] = stratum;
        message[12..16].copy_from_slice(b"RATE");
        message[24..32].copy_from_slice(&NONCE.to_be_bytes());
        message[40..44].copy_from_slice(&seconds.to_be_bytes());
        message
    }

    fn time(message: &[u8]) -> Option<Result<u32, Error>> {
        ntp_answer(message, NONCE, SERVER_ADDRESS)
    }

    #[test]
    fn a_question_has_nothing_but_its_nonce() {
        let question = ntp_question(NONCE);
        assert_eq!((question[0], &question[40..]), (0x23, NONCE.to_be_bytes().as_slice()));
        assert!(question[1..40].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn both_eras_are_known() {
        // 2026-01-01, 2036-02-07 06:28:16 where the 32 bits run over, and a second before.
        for (stamp, unix) in [(3_976_214_400, 1_767_225_600), (1, 2_085_978_497), (u32::MAX, 2_085_978_495)] {
            assert_eq!(time(&answer(0x24, 2, stamp)), Some(Ok(unix)));
        }
    }

    #[test]
    fn servers_without_the_time_are_named() {
        let reason = |message: [u8; NTP_LENGTH]| time(&message).unwrap().unwrap_err().to_string();
        assert_eq!(reason(answer(0x24, 0, 0)), "the time server 192.0.2.1 (RATE) gives no time [NET-10]");
        for message in [answer(0xe4, 2, 9), answer(0x24, 16, 9), answer(0x24, 2, 0)] {
            assert_eq!(reason(message), "the time server 192.0.2.1 gives no time [NET-10]");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_passed_over() {
        assert_eq!(time(&answer(0x25, 2, 9)), None);
        assert_eq!(ntp_answer(&answer(0x24, 2, 9), NONCE + 1, SERVER_ADDRESS), None);
        assert_eq!(time(&answer(0x24, 2, 9)[..47]), None);
        assert_eq!(time(&ntp_question(NONCE)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), nonce: u64) {
            let _ = ntp_answer(&bytes, nonce, SERVER_ADDRESS);
        }
    }
}
