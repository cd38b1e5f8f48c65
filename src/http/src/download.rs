//! The fetching of one file, over as many connections as it takes.

use crate::content::Content;
use crate::errors;
use crate::exchange::{Exchange, Outcome};
use crate::request::{Range, Request, default_port};
use alloc::boxed::Box;
use alloc::vec::Vec;
use base::{Duration, Error, ErrorKind, Instant, Sink};
use uri::Uri;

/// The most redirects of one download.
pub const REDIRECT_LIMIT: usize = 10;

/// The first wait before a lost connection is made again; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait, also when a busy server asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How to go about it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Begins with `iPXE/`.
    pub user_agent: &'static str,
    /// A connection on which no byte moves for so long is given up.
    pub stall: Duration,
    /// How often in a row a connection may be lost without a byte gained.
    pub retries: u8,
    /// Any number that other machines do not have, for the jitter of the waits.
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { user_agent: "iPXE/2.0.0", stall: Duration::from_secs(10), retries: 4, seed: 1 }
    }
}

/// What the caller has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Make a connection, and say [`connected`](Download::connected) or [`lost`](Download::lost).
    Connect {
        /// Name or address, an IPv6 address in brackets.
        host: &'a str,
        /// TCP port.
        port: u16,
        /// Not one that was used before.
        fresh: bool,
    },
    /// Send what [`output`](Download::output) gives, hand what arrives to [`input`](Download::input), report the end
    /// with [`end_of_stream`](Download::end_of_stream) or [`lost`](Download::lost), and ask again at `until` at the
    /// latest.
    Transfer {
        /// When the connection counts as stalled.
        until: Instant,
    },
    /// Let the connection go: into the pool if it is reusable and has no unread bytes, else close it. Said once.
    Release {
        /// Another request may be sent on it.
        reusable: bool,
    },
    /// There is no connection, and nothing to do before this time.
    Wait {
        /// When to ask again.
        until: Instant,
    },
    /// There is no connection, and there is a [`result`](Download::result).
    Finished,
}

/// The fetching of one file into one sink.
///
/// ```text
/// loop {
///     match download.action(now) {
///         Action::Connect { host, port, fresh } => ... download.connected(now, reused),
///         Action::Transfer { until } => ... download.output(...), download.input(...),
///         Action::Release { reusable } => ...
///         Action::Wait { until } => ...
///         Action::Finished => break download.result(),
///     }
/// }
/// ```
pub struct Download {
    uri: Uri,
    content: Content,
    options: Options,
    state: State,
    exchange: Option<Box<Exchange>>,
    /// The connection carried an exchange before this one.
    reused: bool,
    fresh: bool,
    /// The last time that a byte moved.
    moved: Instant,
    /// Where the wait after the present connection ends.
    wait_until: Instant,
    visited: Vec<Uri>,
    /// Bytes in the sink.
    position: u64,
    /// The most that ever were there.
    best: u64,
    total: Option<u64>,
    validator: Option<Box<str>>,
    sink_used: bool,
    surplus: bool,
    failures: u8,
    random: u32,
    result: Option<Result<u64, Error>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Disconnected,
    Connected,
    Releasing { reusable: bool },
}

impl Download {
    /// Will fetch `uri` with what is sent along. Any method but GET and HEAD is asked once: it is not sent again where a
    /// connection is lost, nor to where a server redirects to, which is asked by GET (RFC 9110 sections 9.2.2 and 15.4).
    ///
    /// # Errors
    /// It is not an http address with a host.
    pub fn new(uri: Uri, content: Content, options: Options) -> Result<Self, Error> {
        check(&uri)?;
        Ok(Self {
            uri,
            fresh: !content.is_safe(),
            content,
            options,
            state: State::Disconnected,
            exchange: None,
            reused: false,
            moved: Instant::ZERO,
            wait_until: Instant::ZERO,
            visited: Vec::new(),
            position: 0,
            best: 0,
            total: None,
            validator: None,
            sink_used: false,
            surplus: false,
            failures: 0,
            random: options.seed | 1,
            result: None,
        })
    }

    /// The address of the file after the redirects so far.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Bytes of the file in the sink.
    pub fn received(&self) -> u64 {
        self.exchange.as_ref().map_or(self.position, |exchange| exchange.position())
    }

    /// The length of the file, if the server named it.
    pub fn total(&self) -> Option<u64> {
        self.exchange.as_ref().map_or(self.total, |exchange| exchange.total())
    }

    /// The server sent more than it announced: worth a warning, the file has the announced length.
    pub fn has_surplus(&self) -> bool {
        self.surplus
    }

    /// The end: the file's length, or why there is none.
    pub fn result(&self) -> Option<Result<u64, Error>> {
        self.result.clone()
    }

    /// What to do next.
    pub fn action(&mut self, now: Instant) -> Action<'_> {
        if self.state == State::Connected {
            self.look(now);
        }
        match self.state {
            State::Connected => Action::Transfer { until: self.moved + self.options.stall },
            State::Releasing { reusable } => {
                self.state = State::Disconnected;
                Action::Release { reusable }
            }
            State::Disconnected if self.result.is_some() => Action::Finished,
            State::Disconnected if now < self.wait_until => Action::Wait { until: self.wait_until },
            State::Disconnected => Action::Connect {
                host: self.uri.host(),
                port: self.uri.port().or_else(|| default_port(&self.uri)).unwrap_or(80),
                fresh: self.fresh,
            },
        }
    }

    /// There is a connection; `reused` says that it carried an exchange before.
    pub fn connected(&mut self, now: Instant, reused: bool) {
        if self.position == 0 {
            // Nothing to resume: the whole is asked for.
            self.validator = None;
        }
        let range = self.validator.as_deref().map(|validator| Range {
            start: self.position,
            validator,
            total: self.total,
        });
        self.exchange = Some(Box::new(Exchange::new(Request {
            uri: &self.uri,
            content: &self.content,
            user_agent: self.options.user_agent,
            range,
            sink_used: self.sink_used,
        })));
        self.state = State::Connected;
        self.reused = reused;
        self.moved = now;
    }

    /// The connection could not be made, or broke, for the reason that `error` gives.
    pub fn lost(&mut self, now: Instant, error: Error) {
        match self.state {
            // An address that never worked is not tried again.
            State::Disconnected if self.sink_used || self.failures > 0 => self.retry(now, error, None),
            State::Disconnected => self.result = Some(Err(error)),
            State::Connected => self.interrupted(now, error),
            State::Releasing { .. } => {}
        }
    }

    /// The next bytes to send; 0 when all are sent.
    pub fn output(&mut self, now: Instant, buffer: &mut [u8]) -> usize {
        let length = self.exchange.as_mut().map_or(0, |exchange| exchange.output(buffer));
        if length > 0 {
            self.moved = now;
        }
        length
    }

    /// Takes bytes that arrived, all of them.
    pub fn input(&mut self, now: Instant, data: &[u8], sink: &mut dyn Sink) {
        if let Some(exchange) = &mut self.exchange
            && !data.is_empty()
        {
            exchange.input(data, sink);
            self.moved = now;
        }
    }

    /// The server closed the connection in good order, after all bytes that were handed in.
    pub fn end_of_stream(&mut self, now: Instant) {
        if let Some(exchange) = &mut self.exchange {
            exchange.end_of_stream();
            self.look(now);
        }
    }

    /// Sees whether the exchange has ended or stalled.
    fn look(&mut self, now: Instant) {
        let Some(exchange) = self.exchange.take_if(|exchange| exchange.outcome().is_some()) else {
            if now >= self.moved + self.options.stall {
                self.interrupted(now, errors::STALLED.of(self.uri.redacted()));
            }
            return;
        };
        if self.reused && exchange.is_unanswered() {
            return self.replace_connection();
        }
        self.remember(&exchange);
        self.fresh = false;
        self.surplus |= exchange.has_surplus();
        self.state = State::Releasing { reusable: exchange.is_reusable() };
        let retry_after = exchange.retry_after();
        match exchange.into_outcome() {
            Some(Outcome::Done(length)) => match self.total {
                // A server may send less than the range that was asked for.
                Some(total) if self.position < total && length > 0 => {}
                Some(total) if self.position < total => {
                    self.retry(now, errors::SHORT_BODY.of(self.uri.redacted()), None);
                }
                _ => self.result = Some(Ok(self.position)),
            },
            Some(Outcome::Redirect(target)) => self.redirect(target),
            Some(Outcome::Failed(error)) => {
                if error.is(&errors::BAD_RANGE) {
                    self.validator = None;
                    self.retry(now, error, None);
                } else if error.is(&errors::SHORT_BODY) || error.is(&errors::NO_ANSWER) {
                    self.retry(now, error, None);
                } else if error.is(&errors::SERVER_BUSY) && retry_after.is_some() {
                    self.retry(now, error, retry_after);
                } else {
                    self.result = Some(Err(error));
                }
            }
            None => {}
        }
    }

    /// The exchange ended before its end.
    fn interrupted(&mut self, now: Instant, error: Error) {
        self.state = State::Releasing { reusable: false };
        let Some(exchange) = self.exchange.take() else { return };
        if self.reused && exchange.is_unanswered() {
            return self.replace_connection();
        }
        self.remember(&exchange);
        self.retry(now, error, None);
    }

    /// The server had given up a connection of the pool, which is no failure.
    fn replace_connection(&mut self) {
        self.state = State::Releasing { reusable: false };
        self.fresh = true;
    }

    fn remember(&mut self, exchange: &Exchange) {
        self.position = exchange.position();
        self.total = exchange.total();
        self.validator = exchange.validator().map(Into::into);
        self.sink_used = exchange.sink_used();
    }

    fn redirect(&mut self, target: Uri) {
        if !self.content.is_safe() {
            self.content = Content::default();
        }
        let old = core::mem::replace(&mut self.uri, target);
        self.visited.push(old);
        let kind: &'static ErrorKind = if self.visited.contains(&self.uri) {
            &errors::REDIRECT_LOOP
        } else if self.visited.len() > REDIRECT_LIMIT {
            &errors::TOO_MANY_REDIRECTS
        } else {
            if let Err(error) = check(&self.uri) {
                self.result = Some(Err(error));
            }
            return;
        };
        self.result = Some(Err(kind.of(self.uri.redacted())));
    }

    /// Tries again after a wait, unless that was in vain too often. `at_least` is in seconds.
    fn retry(&mut self, now: Instant, error: Error, at_least: Option<u64>) {
        if self.position > self.best {
            self.best = self.position;
            self.failures = 0;
        }
        if !self.content.is_safe() || self.failures >= self.options.retries {
            self.result = Some(Err(error));
            return;
        }
        let wait = FIRST_WAIT.times(1 << self.failures.min(7));
        let wait = wait.max(Duration::from_secs(at_least.unwrap_or(0))).min(LONGEST_WAIT);
        self.failures += 1;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let jitter = wait.as_micros() / 2 * u64::from(self.random >> 16) / 0x1_0000;
        self.wait_until = now + wait + Duration::from_micros(jitter);
        self.fresh = true;
    }
}

fn check(uri: &Uri) -> Result<(), Error> {
    if uri.has_scheme("http") && !uri.host().is_empty() {
        Ok(())
    } else {
        Err(errors::UNSUPPORTED.of(uri.redacted()))
    }
}
