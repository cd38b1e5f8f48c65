//! One file, from or to one server.

use crate::packet::{self, OptionAck, Packet, Writer};
use crate::{errors, timer::Timer};
use alloc::{boxed::Box, string::String, vec::Vec};
use base::text::{has, printable};
use base::{Error, ErrorKind, Instant, Sink};
use uri::Uri;

/// The port that requests go to where the URI names no other.
pub const SERVER_PORT: u16 = 69;

/// Room that [`Transfer::output`] needs, in bytes: a block that is written.
pub const MAXIMUM_OUTPUT: usize = 4 + CAREFUL_BLOCK as usize;

const MAXIMUM_NAME: usize = 400;
/// The block size of RFC 1350, in use where no other is agreed on.
const PLAIN_BLOCK: u16 = 512;
/// Asked for where larger blocks were of no use, and for writing: it passes any tunnel.
const CAREFUL_BLOCK: u16 = 1024;
/// What the n-th sending of a request asks for, if that is not more than was already found too much.
const REQUEST_LEVELS: [Level; 5] = [Level::Window, Level::Window, Level::Block, Level::Plain, Level::Plain];
/// How often the same block is asked for again; with the growing waits between, 10 to 25 seconds.
const BLOCK_RETRIES: u8 = 9;
/// The same for the first block while less can still be asked for.
const FIRST_BLOCK_RETRIES: u8 = 5;

/// What may be asked of a server.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The largest block, 8 to 65464 bytes; an MTU of 1500 leaves 1468 (RFC 2348).
    pub block_size: u16,
    /// The most blocks in a row without an acknowledgement, from 1 (RFC 7440).
    pub window_size: u16,
    /// Any number that other machines do not have, for the jitter of the waits.
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { block_size: 1468, window_size: 16, seed: 1 }
    }
}

/// What is asked of the server, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Window,
    Block,
    Plain,
}

impl Level {
    fn next(self) -> Option<Self> {
        match self {
            Self::Window => Some(Self::Block),
            Self::Block => Some(Self::Plain),
            Self::Plain => None,
        }
    }
}

/// What [`Transfer::output`] gives next.
enum Outgoing {
    Nothing,
    Request,
    /// The acknowledgement of the last block, or the block after it.
    Answer,
    Abort(u16),
}

/// The reading or writing of one file.
///
/// Addresses are the caller's: it hands in only what came from the server's address to its own port, and should use
/// a local port that no recent transfer had.
pub struct Transfer {
    name: Box<str>,
    file: Vec<u8>,
    /// What is written; none where the file is read.
    content: Option<Vec<u8>>,
    server_port: u16,
    options: Options,
    level: Level,
    /// The server's port for this transfer; none before its first answer.
    port: Option<u16>,
    /// The port of an attempt given up, from which late packets may come.
    old_port: Option<u16>,
    block_size: u16,
    window: u16,
    /// Number of the last block that came in order, or that the server took.
    block: u16,
    /// Blocks in order since the last acknowledgement.
    unacknowledged: u16,
    /// The present gap was already answered.
    gap_answered: bool,
    /// The server sent something since the last progress.
    heard: bool,
    /// The sink was told something of this or an earlier attempt.
    sink_used: bool,
    received: u64,
    total: Option<u64>,
    timer: Timer,
    outgoing: Outgoing,
    /// A port to be told off, with the error code.
    reproach: Option<(u16, u16)>,
    result: Option<Result<u64, Error>>,
}

impl Transfer {
    /// Asks for the file that `uri` names ([`Uri::tftp_file`]). The request is the first output.
    ///
    /// # Errors
    /// The name cannot be put into a request.
    pub fn new(uri: &Uri, options: Options, now: Instant) -> Result<Self, Error> {
        let file = uri.tftp_file();
        if file.is_empty() || file.len() > MAXIMUM_NAME || has(&file, 0) {
            return Err(errors::BAD_NAME.of(uri.redacted()));
        }
        let mut transfer = Self {
            name: uri.redacted().into(),
            file,
            content: None,
            server_port: uri.port().unwrap_or(SERVER_PORT),
            options: Options {
                block_size: options.block_size.clamp(8, 65464),
                window_size: options.window_size.max(1),
                ..options
            },
            level: Level::Window,
            port: None,
            old_port: None,
            block_size: PLAIN_BLOCK,
            window: 1,
            block: 0,
            unacknowledged: 0,
            gap_answered: false,
            heard: false,
            sink_used: false,
            received: 0,
            total: None,
            timer: Timer::new(options.seed, now),
            outgoing: Outgoing::Nothing,
            reproach: None,
            result: None,
        };
        transfer.request(Level::Window, now);
        Ok(transfer)
    }

    /// Makes it the writing of `content` to the file, before the first output. Nothing is put into the sink then.
    pub fn write(&mut self, content: Vec<u8>) {
        self.options.block_size = self.options.block_size.min(CAREFUL_BLOCK);
        self.options.window_size = 1;
        self.level = Level::Block;
        self.content = Some(content);
    }

    /// Bytes received in order so far, or taken by the server; falls back to 0 where the transfer begins again.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The file's length, if the server named it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The end: the number of bytes, or why there is none. Send what [`output`](Self::output) still gives.
    pub fn result(&self) -> Option<Result<u64, Error>> {
        self.result.clone()
    }

    /// When to call [`output`](Self::output) although nothing came; none at the end.
    pub fn deadline(&self) -> Option<Instant> {
        self.result.is_none().then_some(self.timer.due)
    }

    /// Gives the transfer up and tells the server so.
    pub fn cancel(&mut self) {
        self.abort(packet::UNDEFINED, errors::CANCELLED.of(&*self.name));
    }

    /// The next datagram to send, as its destination port and length. Call it until it gives none, after each
    /// input and at the deadline. `buffer` has [`MAXIMUM_OUTPUT`] bytes.
    pub fn output(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(u16, usize)> {
        let mut writer = Writer::new(buffer);
        if let Some((port, code)) = self.reproach.take() {
            writer.word(5).word(code).text(b"");
            return Some((port, writer.finish()?));
        }
        if self.result.is_none() && now >= self.timer.due {
            self.time_out(now);
        }
        let port = self.port.unwrap_or(self.server_port);
        match core::mem::replace(&mut self.outgoing, Outgoing::Nothing) {
            Outgoing::Nothing => return None,
            Outgoing::Request => self.write_request(&mut writer),
            Outgoing::Answer => {
                self.unacknowledged = 0;
                match self.next_block() {
                    None => writer.word(4).word(self.block),
                    Some(data) => writer.word(3).word(self.block.wrapping_add(1)).bytes(data),
                };
            }
            Outgoing::Abort(code) => {
                writer.word(5).word(code).text(b"");
            }
        }
        self.timer.sent(now);
        Some((port, writer.finish()?))
    }

    /// A datagram from the server's address and `source_port`.
    pub fn input(&mut self, now: Instant, source_port: u16, datagram: &[u8], sink: &mut dyn Sink) {
        let Some(packet) = Packet::parse(datagram) else { return };
        if self.port.is_some_and(|port| port != source_port) {
            // RFC 1350 section 4: not ours, which must not disturb the transfer. An error is never answered.
            if !matches!(packet, Packet::Error { .. }) {
                self.reproach = Some((source_port, packet::UNKNOWN_TRANSFER));
            }
            return;
        }
        if self.port.is_none() && self.old_port == Some(source_port) && source_port != self.server_port {
            return;
        }
        if let Some(result) = &self.result {
            if result.is_ok() && matches!(packet, Packet::Data { .. }) {
                // The last acknowledgement was lost.
                self.outgoing = Outgoing::Answer;
            }
            return;
        }
        match packet {
            Packet::Error { code, message } => self.refused(now, code, message),
            Packet::OptionAck(options) if self.port.is_none() => {
                self.agree(now, source_port, &options, sink);
            }
            Packet::OptionAck(_) => self.heard = true,
            Packet::Acknowledgement(block) => self.acknowledged(now, source_port, block, sink),
            Packet::Data { .. } if self.content.is_some() => {}
            Packet::Data { block, data } => {
                if self.port.is_none() {
                    if block != 1 || data.len() > usize::from(PLAIN_BLOCK) {
                        return;
                    }
                    self.begin(source_port, sink);
                }
                self.data(now, block, data, sink);
            }
        }
    }

    /// Begins from the first byte, asking for no more than `level`.
    fn request(&mut self, level: Level, now: Instant) {
        if let Some(port) = self.port.take() {
            self.old_port = Some(port);
            self.reproach = Some((port, packet::UNDEFINED));
        }
        self.level = level;
        self.received = 0;
        self.total = None;
        self.timer.retries = 0;
        self.timer.sent(now);
        self.outgoing = Outgoing::Request;
    }

    fn write_request(&self, writer: &mut Writer<'_>) {
        let operation = if self.content.is_some() { 2 } else { 1 };
        writer.word(operation).text(&self.file).text(b"octet");
        let mut block_size = self.options.block_size;
        match self.level {
            Level::Plain => return,
            Level::Block => block_size = block_size.min(CAREFUL_BLOCK),
            Level::Window if self.options.window_size > 1 => {
                writer.option(b"windowsize", self.options.window_size);
            }
            Level::Window => {}
        }
        writer.option(b"blksize", block_size);
        if self.content.is_none() {
            writer.option(b"tsize", 0);
        }
    }

    /// The server has taken the request, so far without options.
    fn begin(&mut self, port: u16, sink: &mut dyn Sink) {
        self.port = Some(port);
        self.block_size = PLAIN_BLOCK;
        self.window = 1;
        self.block = 0;
        self.unacknowledged = 0;
        self.gap_answered = false;
        self.heard = false;
        if core::mem::take(&mut self.sink_used) {
            sink.restart();
        }
    }

    fn agree(&mut self, now: Instant, port: u16, options: &OptionAck, sink: &mut dyn Sink) {
        let Some(next) = self.level.next() else {
            // An answer to a request given up.
            self.reproach = Some((port, packet::UNKNOWN_TRANSFER));
            return;
        };
        let within = |value: Option<u64>, default: u16, least: u16, most: u16| match value {
            None => Some(default),
            Some(value) => u16::try_from(value).ok().filter(|value| (least..=most).contains(value)),
        };
        let block_size = within(options.block_size, PLAIN_BLOCK, 8, self.options.block_size);
        let window = within(options.window_size, 1, 1, self.options.window_size);
        let (Some(block_size), Some(window)) = (block_size, window) else {
            // More than was asked for (RFC 7440 section 3).
            self.reproach = Some((port, packet::BAD_OPTIONS));
            return self.request(next, now);
        };
        self.begin(port, sink);
        self.block_size = block_size;
        self.window = window;
        self.timer.progress(now);
        self.outgoing = Outgoing::Answer;
        // Some servers that do not know the length return our own 0.
        self.total = options.total.filter(|&total| total != 0 && total != u64::MAX && self.content.is_none());
        if let Some(total) = self.total {
            self.sink_used = true;
            if let Err(error) = sink.announce(total) {
                self.abort(packet::DISK_FULL, error);
            }
        }
    }

    fn data(&mut self, now: Instant, block: u16, data: &[u8], sink: &mut dyn Sink) {
        if data.len() > usize::from(self.block_size) {
            return;
        }
        self.heard = true;
        let expected = self.block.wrapping_add(1);
        // After 65535 some servers go on with 1. With a window that cannot be told from a lost block 0.
        let rolled_to_one = expected == 0 && block == 1 && self.window == 1;
        if block != expected && !rolled_to_one {
            // A gap is answered once and at once (RFC 7440 section 4); an old block not at all, so that a doubled
            // packet does not double all that follow.
            if block.wrapping_sub(expected) < self.window && !self.gap_answered {
                self.gap_answered = true;
                self.outgoing = Outgoing::Answer;
            }
            return;
        }
        let received = self.received.saturating_add(data.len() as u64);
        let is_last = data.len() < usize::from(self.block_size);
        if self.total.is_some_and(|total| received > total) {
            return self.abort(packet::UNDEFINED, errors::TOO_LONG.of(&*self.name));
        }
        if is_last && self.total.is_some_and(|total| received < total) {
            return self.abort(packet::UNDEFINED, errors::TOO_SHORT.of(&*self.name));
        }
        self.sink_used = true;
        if let Err(error) = sink.write(data) {
            return self.abort(packet::DISK_FULL, error);
        }
        self.block = block;
        self.received = received;
        self.gap_answered = false;
        self.heard = false;
        self.timer.progress(now);
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        if is_last {
            self.result = Some(Ok(received));
        }
        if is_last || self.unacknowledged >= self.window {
            self.outgoing = Outgoing::Answer;
        }
    }

    /// What is to be written next; less than a block at the end.
    fn next_block(&self) -> Option<&[u8]> {
        let start = usize::try_from(self.received).ok()?;
        let rest = self.content.as_ref()?.get(start..)?;
        Some(rest.get(..self.block_size.into()).unwrap_or(rest))
    }

    /// The server has taken block `block`; 0 is the request.
    fn acknowledged(&mut self, now: Instant, port: u16, block: u16, sink: &mut dyn Sink) {
        let Some(data) = self.next_block() else { return };
        let length = data.len();
        if self.port.is_none() && block == 0 {
            self.begin(port, sink);
        } else if self.port.is_some() && block == self.block.wrapping_add(1) {
            self.block = block;
            self.received += length as u64;
            if length < usize::from(self.block_size) {
                self.result = Some(Ok(self.received));
                return;
            }
        } else {
            // An old one, which must not be answered (RFC 1123 section 4.2.3.1).
            return;
        }
        self.timer.progress(now);
        self.outgoing = Outgoing::Answer;
    }

    fn refused(&mut self, now: Instant, code: u16, message: &[u8]) {
        let about_options =
            matches!(code, packet::UNDEFINED | packet::ILLEGAL_OPERATION | packet::BAD_OPTIONS);
        if about_options
            && self.port.is_none()
            && let Some(next) = self.level.next()
        {
            return self.request(next, now);
        }
        let kind: &'static ErrorKind = match code {
            1 => &errors::NOT_FOUND,
            2 => &errors::ACCESS_DENIED,
            _ => &errors::REFUSED,
        };
        let mut object = String::from(&*self.name);
        if kind.id() == errors::REFUSED.id() && !message.is_empty() {
            object.push_str(": ");
            object.push_str(&printable(message.get(..64).unwrap_or(message)));
        }
        self.result = Some(Err(kind.of(object)));
        self.outgoing = Outgoing::Nothing;
    }

    fn time_out(&mut self, now: Instant) {
        self.timer.retries = self.timer.retries.saturating_add(1);
        let is_first = self.received == 0 && self.level != Level::Plain;
        if self.port.is_none() {
            match REQUEST_LEVELS.get(usize::from(self.timer.retries)) {
                Some(&level) => {
                    self.level = self.level.max(level);
                    self.outgoing = Outgoing::Request;
                }
                None if self.old_port.is_some() => self.fail(&errors::SERVER_DIED),
                None => self.fail(&errors::NO_ANSWER),
            }
        } else if self.timer.retries <= if is_first { FIRST_BLOCK_RETRIES } else { BLOCK_RETRIES } {
            self.gap_answered = false;
            self.outgoing = Outgoing::Answer;
        } else if self.total == Some(self.received) {
            // Only the empty block that ends a file of full blocks is missing.
            self.result = Some(Ok(self.received));
        } else {
            // Blocks that never arrive may be too large for the path, and a server that talks on without getting
            // forward may not master windows.
            let hopeful = is_first || (self.window > 1 && self.heard);
            match self.level.next() {
                Some(next) if hopeful => self.request(next, now),
                _ => self.fail(&errors::SERVER_DIED),
            }
        }
    }

    fn fail(&mut self, kind: &'static ErrorKind) {
        self.abort(packet::UNDEFINED, kind.of(&*self.name));
    }

    fn abort(&mut self, code: u16, error: Error) {
        if self.result.is_none() {
            self.result = Some(Err(error));
            self.outgoing = if self.port.is_some() { Outgoing::Abort(code) } else { Outgoing::Nothing };
        }
    }
}
