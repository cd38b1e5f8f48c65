//! The search for the addresses of one name.
//!
//! The caller opens UDP port [`source_port`](Resolver::source_port), delivers what arrives there to
//! [`input`](Resolver::input), and calls [`output`](Resolver::output) until it gives nothing more: after each input,
//! and when the [`deadline`](Resolver::deadline) has come.
//!
//! Each question goes to all servers at once, at 0, 1, 3 and 7 s with 20 % jitter; the first one that knows an address
//! wins. A server that says "no such name" is believed once all have answered or half a second has passed, so that
//! every server gets its chance. A name without a dot is tried with each domain of the search list and then as it is;
//! a name with dots first as it is; a name that ends with a dot only as it is.
//!
//! Only A records are asked for. AAAA would be a second question beside the first, with an outcome of its own.

use crate::errors;
use crate::message::{ALIAS_LIMIT, Answer, QUESTION_LIMIT, answer, question};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base::domain_name;
use base::text::has;
use base::{Duration, Error, Instant};
use core::mem::{Discriminant, discriminant};
use core::net::Ipv4Addr;

/// Room for the longest packet that [`Resolver::output`] makes.
pub const OUTPUT_CAPACITY: usize = QUESTION_LIMIT;
/// The port of DNS servers.
pub const SERVER_PORT: u16 = 53;

/// The most servers that are asked, and the most domains that are tried.
const SERVER_LIMIT: usize = 8;
const SEARCH_LIMIT: usize = 8;
/// How long one question may take, and the whole search.
const QUESTION_TIME: Duration = Duration::from_secs(10);
/// The longest that a search takes.
pub const TOTAL_TIME: Duration = Duration::from_secs(30);
/// How long the others are waited for when one server knows nothing.
const GRACE: Duration = Duration::from_millis(500);

/// A packet to be sent by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// The port there.
    pub destination_port: u16,
    /// Our port.
    pub source_port: u16,
    /// Bytes in the buffer.
    pub length: usize,
}

/// How far the search is.
#[derive(Clone, Debug)]
pub enum State<'a> {
    /// It goes on.
    Running {
        /// How often the present question was sent.
        attempt: u32,
        /// When it is sent again.
        next: Instant,
        /// When it is given up.
        ends: Instant,
    },
    /// The addresses, at least one, in the server's order.
    Found(&'a [Ipv4Addr]),
    /// There are none.
    Failed(&'a Error),
}

/// A server and what it said about the present question.
#[derive(Clone, Debug)]
struct Server {
    address: Ipv4Addr,
    said: Option<Discriminant<Answer>>,
    /// The present round's question is still to be sent.
    due: bool,
}

/// One search.
#[derive(Clone, Debug)]
pub struct Resolver {
    text: Box<str>,
    random: u64,
    source_port: u16,
    servers: Vec<Server>,
    /// Names to try, the last one first.
    candidates: Vec<Vec<u8>>,
    /// The name asked for now, how many aliases led there, and the question's number.
    name: Vec<u8>,
    aliases: u32,
    id: u16,
    attempt: u32,
    next: Instant,
    ends: Instant,
    total: Instant,
    /// When negative answers are believed.
    grace: Option<Instant>,
    /// Some name tried was there, but had no address.
    exists: bool,
    result: Option<Result<Vec<Ipv4Addr>, Error>>,
}

impl Resolver {
    /// Looks up `name`, which may also be a numeric address, with `search` as list of domains. `seed` is any number,
    /// a different one each time.
    pub fn new(name: &str, servers: &[Ipv4Addr], search: &[String], seed: u64, now: Instant) -> Self {
        let mut list: Vec<Server> = Vec::new();
        for &address in servers {
            if list.len() < SERVER_LIMIT && list.iter().all(|server| server.address != address) {
                list.push(Server { address, said: None, due: false });
            }
        }
        let mut resolver = Self {
            text: name.into(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            source_port: 0,
            servers: list,
            candidates: candidates(name, search),
            name: Vec::new(),
            aliases: 0,
            id: 0,
            attempt: 0,
            next: now,
            ends: now,
            total: now + TOTAL_TIME,
            grace: None,
            exists: false,
            result: None,
        };
        for _ in 0..8 {
            resolver.random();
        }
        resolver.source_port = 0xc000 | resolver.random();
        if let Ok(address) = name.parse() {
            resolver.result = Some(Ok(Vec::from([address])));
        } else if domain_name::of_text(name).is_none() {
            resolver.fail(&errors::BAD_NAME);
        } else if resolver.servers.is_empty() {
            resolver.fail(&errors::NO_SERVER);
        } else {
            resolver.next_candidate(now);
        }
        resolver
    }

    /// How far the search is.
    pub fn state(&self) -> State<'_> {
        match &self.result {
            None => State::Running { attempt: self.attempt, next: self.next, ends: self.ends },
            Some(Ok(addresses)) => State::Found(addresses),
            Some(Err(error)) => State::Failed(error),
        }
    }

    /// The UDP port that questions are sent from: 49152 to 65535.
    pub fn source_port(&self) -> u16 {
        self.source_port
    }

    /// When [`output`](Self::output) must be called next; none if the search is over.
    pub fn deadline(&self) -> Option<Instant> {
        if self.result.is_some() {
            return None;
        }
        let soonest = self.next.min(self.ends);
        Some(self.grace.map_or(soonest, |grace| grace.min(soonest)))
    }

    /// The next packet to be sent now, written to the front of `buffer`, which has [`OUTPUT_CAPACITY`] bytes.
    pub fn output(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.expire(now);
        if self.result.is_some() {
            return None;
        }
        if now >= self.next {
            // A new round, for those that have not answered, or with an error that may pass.
            let step = Duration::from_secs(1 << self.attempt.min(3));
            let percent = 80 + u64::from(self.random() % 41);
            self.next = now + Duration::from_micros(step.as_micros() / 100 * percent);
            self.attempt = self.attempt.saturating_add(1);
            for server in &mut self.servers {
                if server.said == Some(discriminant(&Answer::Failure)) {
                    server.said = None;
                }
                server.due = server.said.is_none();
            }
        }
        let server = self.servers.iter_mut().find(|server| server.due)?;
        server.due = false;
        let packet = question(self.id, &self.name);
        buffer.get_mut(..packet.len())?.copy_from_slice(&packet);
        Some(Transmit {
            destination: server.address,
            destination_port: SERVER_PORT,
            source_port: self.source_port,
            length: packet.len(),
        })
    }

    /// Takes in what came by UDP to `local_port`. Whatever does not answer the present question is passed over.
    pub fn input(&mut self, now: Instant, source: (Ipv4Addr, u16), local_port: u16, payload: &[u8]) {
        if self.result.is_some() || local_port != self.source_port || source.1 != SERVER_PORT {
            return;
        }
        let Some(server) = self.servers.iter_mut().find(|server| server.address == source.0) else { return };
        let Some(said) = answer(payload, self.id, &self.name, self.aliases) else { return };
        server.due = false;
        match said {
            Answer::Addresses(addresses) => self.result = Some(Ok(addresses)),
            Answer::Alias(_, aliases) if aliases >= ALIAS_LIMIT => self.fail(&errors::ALIAS_LOOP),
            Answer::AliasLoop => self.fail(&errors::ALIAS_LOOP),
            Answer::Alias(name, aliases) => self.ask(name, aliases, now),
            said => {
                if matches!(said, Answer::NotFound | Answer::NoAddress) && self.grace.is_none() {
                    self.grace = Some(now + GRACE);
                }
                server.said = Some(discriminant(&said));
                let errors_may_pass = self.attempt < 2;
                let settled = |server: &Server| {
                    let may_pass = |said| errors_may_pass && said == discriminant(&Answer::Failure);
                    server.said.is_some_and(|said| !may_pass(said))
                };
                if self.servers.iter().all(settled) {
                    self.conclude(now);
                }
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        let believed = self.grace.is_some_and(|grace| now >= grace);
        if self.result.is_none() && (believed || now >= self.ends) {
            self.conclude(now);
        }
    }

    /// The present question is over without an address.
    fn conclude(&mut self, now: Instant) {
        let said = |wanted| self.servers.iter().any(|server| server.said == Some(discriminant(wanted)));
        let exists = said(&Answer::NoAddress);
        if exists || said(&Answer::NotFound) {
            self.exists |= exists;
            self.next_candidate(now);
        } else if said(&Answer::Truncated) {
            self.fail(&errors::TRUNCATED);
        } else if said(&Answer::Failure) {
            self.fail(&errors::SERVER_FAILURE);
        } else {
            self.fail(&errors::NO_ANSWER);
        }
    }

    fn next_candidate(&mut self, now: Instant) {
        match self.candidates.pop() {
            Some(name) => self.ask(name, 0, now),
            None if self.exists => self.fail(&errors::NO_ADDRESS),
            None => self.fail(&errors::NOT_FOUND),
        }
    }

    fn ask(&mut self, name: Vec<u8>, aliases: u32, now: Instant) {
        self.name = name;
        self.aliases = aliases;
        self.id = self.random();
        self.attempt = 0;
        self.next = now;
        self.ends = self.total.min(now + QUESTION_TIME);
        self.grace = None;
        for server in &mut self.servers {
            server.said = None;
            server.due = false;
        }
    }

    fn fail(&mut self, kind: &'static base::ErrorKind) {
        self.result = Some(Err(kind.of(self.text.clone())));
    }

    /// The next 16 bits of a xorshift generator.
    fn random(&mut self) -> u16 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let [.., a, b] = self.random.to_le_bytes();
        u16::from_le_bytes([a, b])
    }
}

/// The names to try, the last one first. Names that would be too long are left out.
fn candidates(name: &str, search: &[String]) -> Vec<Vec<u8>> {
    let search = if name.ends_with('.') { &[] } else { search };
    let mut names = Vec::new();
    for domain in search.iter().take(SEARCH_LIMIT).rev() {
        let mut full = String::from(name);
        full.push('.');
        full.push_str(domain);
        if let Some(full) = domain_name::of_text(&full) {
            names.push(full);
        }
    }
    if let Some(own) = domain_name::of_text(name) {
        let is_last_tried = !has(name.as_bytes(), b'.');
        names.insert(if is_last_tried { 0 } else { names.len() }, own);
    }
    names
}
