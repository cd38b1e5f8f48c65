//! The head of a response: status line and header lines.

use crate::errors;
use alloc::boxed::Box;
use base::ErrorKind;
use base::text::{cut, same_word};
use httparse::{EMPTY_HEADER, ParserConfig};

/// The most header lines.
const HEADER_LIMIT: usize = 64;
/// The longest entity tag or date that is kept.
const VALIDATOR_LIMIT: usize = 256;

/// What a head says, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) keep_alive: bool,
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) location: Option<Box<[u8]>>,
    pub(crate) range: Option<ContentRange>,
    pub(crate) entity_tag: Option<Box<str>>,
    pub(crate) modified: Option<Box<str>>,
    /// Seconds.
    pub(crate) retry_after: Option<u64>,
}

/// `bytes start-end/total`; at least one byte long, and inside of the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) total: Option<u64>,
}

impl Head {
    /// Reads all bytes up to and with the blank line.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static ErrorKind> {
        let mut headers = [EMPTY_HEADER; HEADER_LIMIT];
        let mut response = httparse::Response::new(&mut headers);
        let mut parser = ParserConfig::default();
        parser.ignore_invalid_headers_in_responses(true);
        match parser.parse_response(&mut response, bytes) {
            Ok(status) if status.is_complete() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(&errors::HEAD_TOO_LONG),
            _ => return Err(&errors::NOT_HTTP),
        }
        let mut head = Self {
            status: response.code.unwrap_or_default(),
            keep_alive: response.version == Some(1),
            ..Self::default()
        };
        for header in &*response.headers {
            head.header(header.name, header.value.trim_ascii())?;
        }
        Ok(head)
    }

    fn header(&mut self, name: &str, value: &[u8]) -> Result<(), &'static ErrorKind> {
        let is = |other: &str| same_word(name.as_bytes(), other.as_bytes());
        if is("Content-Length") {
            let length = number(value).ok_or(&errors::BAD_LENGTH)?;
            if self.length.replace(length).is_some_and(|other| other != length) {
                return Err(&errors::BAD_LENGTH);
            }
        } else if is("Transfer-Encoding") {
            if self.chunked || !same_word(value, b"chunked") {
                return Err(&errors::UNKNOWN_CODING);
            }
            self.chunked = true;
        } else if is("Connection") {
            for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                if same_word(option, b"close") {
                    self.keep_alive = false;
                } else if same_word(option, b"keep-alive") {
                    self.keep_alive = true;
                }
            }
        } else if is("Location") {
            self.location.get_or_insert_with(|| value.into());
        } else if is("Content-Range") {
            self.range = ContentRange::parse(value);
        } else if is("ETag") {
            // Weak ones begin with W/ and do not vouch for bytes.
            self.entity_tag = validator(value).filter(|tag| tag.starts_with('"'));
        } else if is("Last-Modified") {
            self.modified = validator(value);
        } else if is("Retry-After") {
            self.retry_after = number(value);
        }
        Ok(())
    }
}

impl ContentRange {
    fn parse(value: &[u8]) -> Option<Self> {
        let (range, total) = cut(core::str::from_utf8(value).ok()?.strip_prefix("bytes ")?, b'/');
        let (start, end) = cut(range, b'-');
        let (start, end) = (number(start.as_bytes())?, number(end?.as_bytes())?);
        let total = if total? == "*" { None } else { Some(number(total?.as_bytes())?) };
        let length = end.checked_sub(start)?.checked_add(1)?;
        total.is_none_or(|total| end < total).then_some(Self { start, length, total })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(digits).ok()?;
    if text.starts_with('+') { None } else { base::text::number(text, 10) }
}

fn validator(value: &[u8]) -> Option<Box<str>> {
    let printable = value.iter().all(|&b| b == b' ' || b.is_ascii_graphic());
    let fits = !value.is_empty() && value.len() <= VALIDATOR_LIMIT;
    core::str::from_utf8(value).ok().filter(|_| printable && fits).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &str) -> Result<Head, &'static ErrorKind> {
        Head::parse(alloc::format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn the_lines_that_matter_are_read() {
        let head = parse(
            "content-LENGTH: 5000000000\r\nETag: \"a b\"\r\nLast-Modified: yesterday\r\nconnection: Foo, Close\r\n\
             Location: /x\r\nLocation: /y\r\nContent-Range: bytes 5-9/*\r\nRetry-After: 7\r\nX y: broken\r\n",
        );
        let expected = Head {
            status: 200,
            keep_alive: false,
            length: Some(5_000_000_000),
            chunked: false,
            location: Some(b"/x"[..].into()),
            range: Some(ContentRange { start: 5, length: 5, total: None }),
            entity_tag: Some("\"a b\"".into()),
            modified: Some("yesterday".into()),
            retry_after: Some(7),
        };
        assert_eq!(head.unwrap(), expected);
        assert!(parse("").unwrap().keep_alive);
        assert!(!Head::parse(b"HTTP/1.0 404 \r\n\r\n").unwrap().keep_alive);
        assert_eq!(parse("ETag: W/\"x\"\r\n").unwrap().entity_tag, None);
        assert_eq!(parse("ETag: \"\u{e4}\"\r\n").unwrap().entity_tag, None);
    }

    #[test]
    fn hostile_lines_are_refused() {
        for bad in ["-1", "+1", "", "1x", "1, 2", "18446744073709551616"] {
            let line = alloc::format!("Content-Length: {bad}\r\n");
            assert_eq!(parse(&line), Err(&errors::BAD_LENGTH), "{bad}");
        }
        assert_eq!(parse("Content-Length: 1\r\nContent-Length: 2\r\n"), Err(&errors::BAD_LENGTH));
        assert!(parse("Content-Length: 1\r\nContent-Length: 1\r\n").is_ok());
        assert_eq!(parse("Transfer-Encoding: gzip, chunked\r\n"), Err(&errors::UNKNOWN_CODING));
        assert_eq!(parse(&"a: b\r\n".repeat(65)), Err(&errors::HEAD_TOO_LONG));
        for bad in [&b"HTTP/2.0 200 OK\r\n\r\n"[..], b"HTTP/1.1 20\r\n\r\n", b"SSH-2.0\r\n\r\n", b"\r\n\r\n"]
        {
            assert_eq!(Head::parse(bad), Err(&errors::NOT_HTTP));
        }
        for bad in ["bytes 9-5/10", "bytes 5-10/10", "bytes */10", "bytes 0-18446744073709551615/*", "5-6/7"]
        {
            assert_eq!(ContentRange::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..200), value in "\\PC{0,30}") {
            let _ = Head::parse(&bytes);
            for name in ["Content-Length", "Content-Range", "ETag", "Connection", "Retry-After", "Location"] {
                let _ = parse(&alloc::format!("{name}: {value}\r\n"));
            }
        }
    }
}
