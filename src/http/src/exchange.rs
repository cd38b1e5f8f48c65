//! One request and its response.

use crate::chunked::Chunked;
use crate::errors;
use crate::head::Head;
use crate::request::Request;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use base::{Error, ErrorKind, Sink};
use uri::Uri;

/// The most provisional answers (1xx) before the real one.
const PROVISIONAL_LIMIT: u8 = 8;
/// The longest body that is worth reading to keep a connection, where it is not wanted for itself.
const DISCARD_LIMIT: u64 = 4096;

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The body is complete, and so many bytes long.
    Done(u64),
    /// What was asked for is at this absolute address.
    Redirect(Uri),
    /// There is nothing.
    Failed(Error),
}

/// One request and its response, over a byte stream that the caller owns.
///
/// Each byte that arrives goes into [`input`](Self::input), also when there is an [`outcome`](Self::outcome)
/// already, as long as the caller holds the stream for this exchange.
pub struct Exchange {
    uri: Uri,
    /// The answer to HEAD has no body.
    is_head: bool,
    unsent: Vec<u8>,
    sent: usize,
    head: Vec<u8>,
    provisional: u8,
    stage: Stage,
    /// The first byte asked for.
    start: u64,
    validator: Option<Box<str>>,
    total: Option<u64>,
    /// Bytes of the body that went into the sink.
    received: u64,
    /// Bytes of the body that have to come, where that is known.
    expected: Option<u64>,
    retry_after: Option<u64>,
    keep_alive: bool,
    surplus: bool,
    sink_used: bool,
    /// What the outcome will be when the body, which nobody wants, has passed.
    verdict: Option<Outcome>,
    outcome: Option<Outcome>,
}

enum Stage {
    Head,
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Exchange {
    /// The most bytes of a response before its body.
    pub const HEAD_LIMIT: usize = 16384;

    /// An exchange that has yet to send `request`.
    pub fn new(request: Request<'_>) -> Self {
        Self {
            uri: request.uri.clone(),
            is_head: request.content.method == "HEAD",
            unsent: request.to_bytes(),
            sent: 0,
            head: Vec::new(),
            provisional: 0,
            stage: Stage::Head,
            start: request.range.map_or(0, |range| range.start),
            validator: request.range.map(|range| range.validator.into()),
            total: request.range.and_then(|range| range.total),
            received: 0,
            expected: None,
            retry_after: None,
            keep_alive: true,
            surplus: false,
            sink_used: request.sink_used,
            verdict: None,
            outcome: None,
        }
    }

    /// The end, once there is one.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Takes the end out.
    pub fn into_outcome(self) -> Option<Outcome> {
        self.outcome
    }

    /// How many bytes of the file the sink has, those of earlier exchanges counted.
    pub fn position(&self) -> u64 {
        self.start.saturating_add(self.received)
    }

    /// The length of the whole file, if the server named it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The strong entity tag, or else the date, of the file as far as the sink has it.
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// Seconds after which a busy server asks to be tried again.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// Whether the stream can carry another exchange. Meaningful when there is an outcome.
    pub fn is_reusable(&self) -> bool {
        self.keep_alive
    }

    /// Whether the server sent more than it announced.
    pub fn has_surplus(&self) -> bool {
        self.surplus
    }

    /// Whether the sink was told anything by this or an earlier exchange.
    pub fn sink_used(&self) -> bool {
        self.sink_used
    }

    /// Whether not one byte of an answer has come.
    pub fn is_unanswered(&self) -> bool {
        self.head.is_empty() && self.provisional == 0
    }

    /// The next bytes to send; 0 when all are sent.
    pub fn output(&mut self, buffer: &mut [u8]) -> usize {
        let unsent = self.unsent.get(self.sent..).unwrap_or_default();
        let length = unsent.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(unsent) {
            *to = *from;
        }
        self.sent += length;
        length
    }

    /// Takes bytes of the stream, all of them.
    pub fn input(&mut self, data: &[u8], sink: &mut dyn Sink) {
        let mut rest = data;
        while self.outcome.is_none() && !rest.is_empty() {
            rest = self.piece(rest, sink);
        }
        if !rest.is_empty() {
            self.keep_alive = false;
            self.surplus |= matches!(self.outcome, Some(Outcome::Done(_)));
        }
    }

    /// The peer closed the stream.
    pub fn end_of_stream(&mut self) {
        self.keep_alive = false;
        if self.outcome.is_none() {
            match self.stage {
                Stage::UntilClose => self.finish(),
                _ if self.verdict.is_some() => self.finish(),
                Stage::Head => self.fail(&errors::NO_ANSWER),
                _ => self.fail(&errors::SHORT_BODY),
            }
        }
    }

    /// Works on the begin of `data` and gives the rest, which is shorter.
    fn piece<'a>(&mut self, data: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
        match &mut self.stage {
            Stage::Head => {
                let Some((&byte, rest)) = data.split_first() else { return data };
                self.head.push(byte);
                if byte == b'\n' && (self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n")) {
                    if let Err(error) = self.read_head(sink) {
                        self.keep_alive = false;
                        self.outcome = Some(Outcome::Failed(error));
                    }
                } else if self.head.len() >= Self::HEAD_LIMIT {
                    self.fail(&errors::HEAD_TOO_LONG);
                }
                rest
            }
            Stage::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                let (body, rest) = data.split_at_checked(length).unwrap_or((data, &[]));
                *left -= length as u64;
                let is_last = *left == 0;
                self.body(body, sink);
                if is_last {
                    self.finish();
                }
                rest
            }
            Stage::Chunked(chunked) => match chunked.take(data) {
                Ok((body, rest)) => {
                    let is_last = chunked.is_finished();
                    self.body(body, sink);
                    if is_last {
                        self.finish();
                    }
                    rest
                }
                Err(_) => {
                    self.fail(&errors::BAD_CHUNK);
                    &[]
                }
            },
            Stage::UntilClose => {
                self.body(data, sink);
                &[]
            }
        }
    }

    fn read_head(&mut self, sink: &mut dyn Sink) -> Result<(), Error> {
        let head = Head::parse(&self.head).map_err(|kind| self.error(kind))?;
        if head.status < 200 {
            self.provisional += 1;
            if head.status == 101 || self.provisional > PROVISIONAL_LIMIT {
                return Err(self.error(&errors::NOT_HTTP));
            }
            self.head.clear();
            return Ok(());
        }
        self.keep_alive = head.keep_alive;
        self.retry_after = head.retry_after;
        self.stage = match head.length {
            _ if self.is_head || matches!(head.status, 204 | 304) => Stage::Length(0),
            // RFC 9112 section 6.3: chunks win over a length, and such a stream is not trusted with more.
            length if head.chunked => {
                self.keep_alive &= length.is_none();
                Stage::Chunked(Chunked::default())
            }
            Some(length) => Stage::Length(length),
            None => {
                self.keep_alive = false;
                Stage::UntilClose
            }
        };
        match head.status {
            206 => self.accept_part(&head)?,
            200..300 => self.accept_whole(head, sink)?,
            _ => self.reject(head),
        }
        if matches!(self.stage, Stage::Length(0)) {
            self.finish();
        }
        Ok(())
    }

    fn accept_whole(&mut self, head: Head, sink: &mut dyn Sink) -> Result<(), Error> {
        self.start = 0;
        self.total = head.length.filter(|_| !head.chunked);
        self.validator = head.entity_tag.or(head.modified);
        if !self.is_head {
            self.expected = self.total;
            if self.sink_used {
                sink.restart();
            }
            self.sink_used = true;
            if let Some(total) = self.total {
                sink.announce(total)?;
            }
        }
        Ok(())
    }

    fn accept_part(&mut self, head: &Head) -> Result<(), Error> {
        let fits = |ours: &str| {
            // A server that answers with another tag has ignored If-Range.
            let theirs = if ours.starts_with('"') { &head.entity_tag } else { &head.modified };
            theirs.as_deref().is_none_or(|theirs| theirs == ours)
        };
        let range = head.range.filter(|range| {
            range.start == self.start
                && self.validator.as_deref().is_some_and(fits)
                && (self.total.is_none() || range.total.is_none() || self.total == range.total)
                && head.length.is_none_or(|length| head.chunked || length == range.length)
        });
        let range = range.ok_or_else(|| self.error(&errors::BAD_RANGE))?;
        self.total = self.total.or(range.total);
        self.expected = Some(range.length);
        if matches!(self.stage, Stage::UntilClose) {
            self.stage = Stage::Length(range.length);
        }
        Ok(())
    }

    /// Redirects and errors. Their bodies are read only where that is little and saves the connection.
    fn reject(&mut self, head: Head) {
        let kind: &'static ErrorKind = match head.status {
            401 => &errors::LOGIN_NEEDED,
            403 => &errors::FORBIDDEN,
            404 | 410 => &errors::NOT_FOUND,
            416 if self.validator.is_some() => &errors::BAD_RANGE,
            429 | 503 => &errors::SERVER_BUSY,
            500.. => &errors::SERVER_FAILED,
            _ => &errors::REFUSED,
        };
        let has_own_text = matches!(head.status, 401 | 403 | 404);
        let verdict = match head.location {
            Some(location) if matches!(head.status, 301 | 302 | 303 | 307 | 308) => {
                let target = core::str::from_utf8(&location).ok().and_then(|text| self.uri.join(text).ok());
                match target {
                    Some(target) => Outcome::Redirect(target),
                    None => Outcome::Failed(self.error(&errors::BAD_REDIRECT)),
                }
            }
            _ if has_own_text => Outcome::Failed(self.error(kind)),
            _ => {
                let mut object = self.uri.redacted();
                object.push_str(" (status ");
                object.push_str(&head.status.to_string());
                object.push(')');
                Outcome::Failed(kind.of(object))
            }
        };
        self.verdict = Some(verdict);
        if !matches!(self.stage, Stage::Length(length) if length <= DISCARD_LIMIT) || !self.keep_alive {
            self.keep_alive = false;
            self.finish();
        }
    }

    fn body(&mut self, data: &[u8], sink: &mut dyn Sink) {
        if data.is_empty() || self.verdict.is_some() {
            return;
        }
        let received = self.received.saturating_add(data.len() as u64);
        if self.expected.is_some_and(|expected| received > expected) {
            return self.fail(&errors::BAD_RANGE);
        }
        match sink.write(data) {
            Ok(()) => self.received = received,
            Err(error) => {
                self.keep_alive = false;
                self.outcome = Some(Outcome::Failed(error));
            }
        }
    }

    /// The body has passed.
    fn finish(&mut self) {
        if self.outcome.is_none() {
            self.outcome = match self.verdict.take() {
                None if self.expected.is_some_and(|expected| expected != self.received) => {
                    return self.fail(&errors::SHORT_BODY);
                }
                None => Some(Outcome::Done(self.received)),
                verdict => verdict,
            };
        }
    }

    fn error(&self, kind: &'static ErrorKind) -> Error {
        kind.of(self.uri.redacted())
    }

    fn fail(&mut self, kind: &'static ErrorKind) {
        self.keep_alive = false;
        self.outcome = Some(Outcome::Failed(self.error(kind)));
    }
}
