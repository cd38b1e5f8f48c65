//! From an address to bytes in memory.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Error, Instant, Sink};
use console::{Countdown, Progress};
use core::net::{Ipv4Addr, SocketAddrV4};
use http::Content;
use hw::memory::{Pages, PhysicalMemory};
use net::{TcpState, UdpHandle};
use uri::Uri;

use crate::ahead::Ahead;
use crate::errors;
use crate::machine::Machine;
use crate::network::{IdleConnection, Network};
use crate::screen::{Screen, say};
use crate::store::Target;

/// How a download is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Show nothing.
    pub(crate) quiet: bool,
    /// The longest time the whole may take.
    pub(crate) timeout: Option<Duration>,
    /// Give up if not one byte came after this time.
    pub(crate) patience: Option<Duration>,
    /// The most bytes that are of use.
    pub(crate) limit: Option<u64>,
    /// What is in it is wanted next, if it is an archive.
    pub(crate) unpacks: bool,
}

/// What was downloaded.
pub(crate) struct Download {
    pub(crate) pages: Pages,
    /// The address that it came from, after redirects.
    pub(crate) uri: Uri,
    /// What was unpacked meanwhile.
    pub(crate) ahead: Ahead,
}

/// What our requests call us.
const USER_AGENT: &str = concat!("iPXE/", env!("CARGO_PKG_VERSION"));
/// Bytes of a TCP segment: what a server may send ahead is counted in frames, and told to it in bytes.
const TCP_SEGMENT: usize = 1460;
/// Bytes before the data of a packet: IPv4, UDP, and TFTP's own.
const TFTP_HEADERS: u16 = 20 + 8 + 4;
/// TFTP blocks that a server may send ahead.
const TFTP_WINDOW: u16 = 32;
const TFTP_RECEIVE_CAPACITY: usize = 96 * 1024;
const DNS_RECEIVE_CAPACITY: usize = 8 * 1024;

/// A download under way: where it goes, and when it must be over.
pub(crate) struct Job {
    target: Target,
    /// The line on the screen; none for a quiet job.
    progress: Option<Progress>,
    /// Bytes so far.
    received: u64,
    started: Instant,
    manner: Manner,
}

impl Job {
    /// A job without a line on the screen, begun now.
    pub(crate) fn quiet(timeout: Duration) -> Self {
        let manner = Manner { quiet: true, timeout: Some(timeout), ..Manner::default() };
        Self { target: Target::default(), progress: None, received: 0, started: hw::clock::now(), manner }
    }

    /// Shows how far the job is.
    fn show(&mut self, received: u64, total: Option<u64>, now: Instant, screen: &mut Screen) {
        self.received = received;
        if received > 0
            && let Some(text) =
                self.progress.as_mut().and_then(|progress| progress.update(now, received, total))
        {
            screen.overwrite(&text);
        }
    }

    /// Unpacks some of what has come of an archive whose length is known: while it is not, there is hardly any memory to
    /// unpack it into. Returns until when the next round may wait then: not at all if there is more to do.
    fn unpack(&mut self, total: Option<u64>, until: Instant, memory: &mut PhysicalMemory) -> Instant {
        if total.is_some() && self.target.unpack(memory) { Instant::ZERO } else { until }
    }

    /// Shows what the job waits for, if that takes long enough to wonder.
    fn show_wait(&self, countdown: &mut Countdown, since: Instant, now: Instant, screen: &mut Screen) {
        if self.progress.is_some()
            && now.since(since) >= WONDER
            && let Some(text) = countdown.update(now)
        {
            screen.overwrite(&text);
        }
    }

    /// Ends the line on the screen.
    fn end(&mut self, complete: bool, screen: &mut Screen) {
        if let Some(progress) = &mut self.progress {
            let now = hw::clock::now();
            if complete {
                screen.keep(&progress.finish(now, self.received));
            } else {
                screen.draw(progress.abandon());
            }
        }
    }

    /// When the job is to be given up, with the error that it then has. It is asked in each round, and so names nothing
    /// before it has to.
    pub(crate) fn check(&self, name: &dyn Fn() -> String, received: u64, now: Instant) -> Result<(), Error> {
        let passed = now.since(self.started);
        let impatient = self.manner.patience.is_some_and(|patience| received == 0 && passed >= patience);
        if impatient || self.manner.timeout.is_some_and(|timeout| passed >= timeout) {
            return Err(errors::TIMEOUT.of(name()));
        }
        Ok(())
    }
}

impl Machine {
    /// Downloads `uri` into memory. What `content` says is sent along where the protocol can.
    pub(crate) fn download(
        &mut self,
        uri: &Uri,
        content: Content,
        manner: Manner,
    ) -> Result<Download, Error> {
        let started = hw::clock::now();
        let mut job = Job {
            target: Target::new(manner.limit, Ahead::new(manner.unpacks)),
            progress: (!manner.quiet).then(|| Progress::new(&uri.redacted(), started)),
            received: 0,
            started,
            manner,
        };
        let result = if uri.has_scheme("tftp") {
            self.tftp(uri, None, &mut job).map(|()| uri.clone())
        } else if uri.has_scheme("http") {
            self.http(uri, content, &mut job)
        } else {
            Err(errors::NO_SCHEME.of(uri.scheme()))
        };
        job.end(result.is_ok(), &mut self.screen);
        match result {
            Ok(uri) => {
                let (pages, ahead) = job.target.finish(&mut self.memory)?;
                Ok(Download { pages, uri, ahead })
            }
            Err(error) => {
                job.target.abandon(&mut self.memory);
                Err(error)
            }
        }
    }

    pub(crate) fn network(&mut self, uri: &Uri) -> Result<&mut Network, Error> {
        let network = self.network.as_mut().filter(|network| network.stack.configuration().is_some());
        network.ok_or_else(|| errors::NO_ADDRESS.of(uri.redacted()))
    }

    /// Begins to read a file, in blocks of at most `block_size` bytes, or to write `content` to it.
    pub(crate) fn open_tftp(
        &mut self,
        uri: &Uri,
        content: Option<Vec<u8>>,
        block_size: u16,
        job: &mut Job,
    ) -> Result<Tftp, Error> {
        let server = self.resolve(uri, job)?;
        let network = self.network(uri)?;
        let window_size = TFTP_WINDOW.min(network.frames_ahead());
        let block_size = block_size.min(network.stack.mtu().saturating_sub(TFTP_HEADERS));
        let options = tftp::Options { block_size, window_size, seed: low_half(hw::clock::noise()) };
        let mut transfer = tftp::Transfer::new(uri, options, hw::clock::now())?;
        if let Some(content) = content {
            transfer.write(content);
        }
        let socket = self.network(uri)?.stack.udp_open(0, TFTP_RECEIVE_CAPACITY)?;
        Ok(Tftp { transfer, server, socket })
    }

    /// Reads a file into the job's target, or writes `content` to it.
    pub(crate) fn tftp(&mut self, uri: &Uri, content: Option<Vec<u8>>, job: &mut Job) -> Result<(), Error> {
        let mut tftp = self.open_tftp(uri, content, tftp::Options::default().block_size, job)?;
        let mut now = hw::clock::now();
        let mut wait = Wait::new(now);
        let result = loop {
            let Self { network: Some(network), memory, .. } = self else {
                break Err(errors::NO_ADDRESS.of(uri.redacted()));
            };
            tftp.exchange(network, &mut job.target.writer(memory), now);
            let transfer = &tftp.transfer;
            if let Some(result) = transfer.result() {
                job.received = transfer.received();
                break result.map(drop).map_err(|error| explain(network, error));
            }
            let due = transfer.deadline().unwrap_or(now);
            let until = job.unpack(transfer.total(), due, memory);
            if wait.moves(transfer.received(), now) {
                wait.end(&mut self.screen);
                job.show(transfer.received(), transfer.total(), now, &mut self.screen);
            } else {
                wait.show("No answer yet; asking again in", due, now, job, &mut self.screen);
            }
            let round = self
                .round(until)
                .and_then(|now| job.check(&|| uri.redacted(), transfer.received(), now).map(|()| now));
            match round {
                Ok(later) => now = later,
                Err(error) => break Err(error),
            }
        };
        wait.end(&mut self.screen);
        if let Some(network) = &mut self.network {
            tftp.close(network, now);
        }
        result
    }

    fn http(&mut self, uri: &Uri, content: Content, job: &mut Job) -> Result<Uri, Error> {
        let mut http = Http::new(uri.clone(), content)?;
        let mut now = hw::clock::now();
        let mut wait = Wait::new(now);
        let result = loop {
            let was_connected = http.connection.is_some();
            let until = match self.prepare(&mut http, job) {
                Ok(Some(until)) => until,
                Ok(None) => {
                    break http.download.result().unwrap_or_else(|| Err(errors::TIMEOUT.of(uri.redacted())));
                }
                Err(error) => break Err(error),
            };
            now = now.max(hw::clock::now());
            let mut next = until;
            if http.connection.is_none() {
                wait.show("Trying again", until, now, job, &mut self.screen);
            } else {
                if !was_connected {
                    wait.moved = now;
                }
                if let Self { network: Some(network), memory, .. } = self {
                    http.transfer(network, &mut job.target.writer(memory), now);
                    next = job.unpack(http.download.total(), until, memory);
                }
                if wait.moves(http.download.received(), now) {
                    wait.end(&mut self.screen);
                    job.show(http.download.received(), http.download.total(), now, &mut self.screen);
                } else {
                    wait.show("Waiting for data", until, now, job, &mut self.screen);
                }
            }
            let name = || http.download.uri().redacted();
            let received = http.download.received();
            match self.round(next).and_then(|now| job.check(&name, received, now).map(|()| now)) {
                Ok(later) => now = later,
                Err(error) => break Err(error),
            }
        };
        wait.end(&mut self.screen);
        http.abort(self.network.as_mut());
        let length = result?;
        job.received = length;
        if http.download.has_surplus() {
            let name = http.download.uri().redacted();
            say!(
                self.screen,
                "Warning: the server sent more than it announced for {name}; {length} bytes are used"
            );
        }
        Ok(http.download.uri().clone())
    }

    /// Does what a download by HTTP wants done but the moving of bytes: makes its connections, and lets them go. Until
    /// when it can wait then; none when it has ended.
    pub(crate) fn prepare(&mut self, http: &mut Http, job: &mut Job) -> Result<Option<Instant>, Error> {
        loop {
            let now = hw::clock::now();
            match http.download.action(now) {
                http::Action::Connect { port, fresh, .. } => {
                    match self.connect(&http.download.uri().clone(), port, fresh, job) {
                        Ok((remote, handle, reused)) => {
                            http.connection = Some(IdleConnection { remote, handle });
                            http.download.connected(hw::clock::now(), reused);
                        }
                        Err(error) if error.is(&script::errors::CANCELLED) => return Err(error),
                        Err(error) => http.download.lost(hw::clock::now(), error),
                    }
                }
                http::Action::Release { reusable } => {
                    let network = self.network(http.download.uri())?;
                    if let Some(connection) = http.connection.take() {
                        if reusable && network.idle.is_none() {
                            network.idle = Some(connection);
                        } else {
                            network.stack.tcp_close(connection.handle);
                        }
                    }
                }
                http::Action::Finished => return Ok(None),
                http::Action::Wait { until } | http::Action::Transfer { until } => return Ok(Some(until)),
            }
        }
    }

    /// A connection to the server of `uri`: the one that is kept open, unless it must be `fresh`, or a new one, when
    /// it is established.
    fn connect(
        &mut self,
        uri: &Uri,
        port: u16,
        fresh: bool,
        job: &mut Job,
    ) -> Result<(SocketAddrV4, net::TcpHandle, bool), Error> {
        let server = self.resolve(uri, job)?;
        let remote = SocketAddrV4::new(server, port);
        let network = self.network(uri)?;
        if let Some(idle) = network.idle.take() {
            if idle.remote == remote
                && !fresh
                && network.stack.tcp_state(idle.handle) == Ok(TcpState::Established)
            {
                return Ok((remote, idle.handle, true));
            }
            network.stack.tcp_close(idle.handle);
        }
        let capacity = usize::from(network.frames_ahead()) * TCP_SEGMENT;
        let handle = network.stack.tcp_connect(remote, capacity, hw::clock::now())?;
        let since = hw::clock::now();
        let mut countdown = Countdown::new(&format!("Connecting to {remote}"), since + net::CONNECT_TIMEOUT);
        let settled = self.run_until(since + CONNECT_LIMIT, |machine, now| {
            job.show_wait(&mut countdown, since, now, &mut machine.screen);
            let network = machine.network.as_mut()?;
            match network.stack.tcp_state(handle) {
                Ok(TcpState::Connecting) => job.check(&|| uri.redacted(), 0, now).err().map(Err),
                Ok(_) => Some(Ok(())),
                Err(error) => Some(Err(explain(network, error))),
            }
        });
        self.screen.overwrite(&countdown.clear());
        match settled.and_then(|settled| settled.unwrap_or_else(|| Err(errors::TIMEOUT.of(uri.redacted())))) {
            Ok(()) => Ok((remote, handle, false)),
            Err(error) => {
                if let Some(network) = &mut self.network {
                    network.stack.tcp_abort(handle);
                }
                Err(error)
            }
        }
    }

    /// The address of the server that `uri` names, in reach.
    pub(crate) fn resolve(&mut self, uri: &Uri, job: &mut Job) -> Result<Ipv4Addr, Error> {
        let address = self.look_up_server(uri, job)?;
        self.network(uri)?.turn_to(address);
        Ok(address)
    }

    fn look_up_server(&mut self, uri: &Uri, job: &mut Job) -> Result<Ipv4Addr, Error> {
        let name = uri.host();
        let seed = hw::clock::noise();
        let now = hw::clock::now();
        let network = self.network(uri)?;
        let (servers, search) = network.resolvers();
        let mut resolver = dns::Resolver::new(name, &servers, &search, seed, now);
        if let dns::State::Found(addresses) = resolver.state() {
            return addresses.first().copied().ok_or_else(|| errors::NO_ADDRESS.of(name));
        }
        let port = resolver.source_port();
        let socket = network.stack.udp_open(port, DNS_RECEIVE_CAPACITY)?;
        let since = now;
        let mut countdown = Countdown::new(&format!("Looking up {name}"), since + dns::TOTAL_TIME);
        let mut now = now;
        let result = loop {
            let Some(network) = &mut self.network else { break Err(errors::NO_ADDRESS.of(name)) };
            let mut take = |from: SocketAddrV4, _: Ipv4Addr, data: &[u8]| {
                resolver.input(now, (*from.ip(), from.port()), port, data);
            };
            while network.stack.udp_receive(socket, &mut take) {}
            let mut buffer = [0; dns::OUTPUT_CAPACITY];
            while let Some(packet) = resolver.output(now, &mut buffer) {
                let data = buffer.get(..packet.length).unwrap_or_default();
                network.stack.udp_send(
                    socket,
                    SocketAddrV4::new(packet.destination, packet.destination_port),
                    data,
                );
            }
            match resolver.state() {
                dns::State::Found(addresses) => {
                    break addresses.first().copied().ok_or_else(|| errors::NO_ADDRESS.of(name));
                }
                dns::State::Failed(error) => break Err(error.clone()),
                dns::State::Running { .. } => {}
            }
            job.show_wait(&mut countdown, since, now, &mut self.screen);
            let due = resolver.deadline().unwrap_or(now);
            match self.round(due).and_then(|now| job.check(&|| name.into(), 0, now).map(|()| now)) {
                Ok(later) => now = later,
                Err(error) => break Err(error),
            }
        };
        self.screen.overwrite(&countdown.clear());
        if let Some(network) = &mut self.network {
            network.stack.udp_close(socket);
        }
        result
    }
}

/// A wait is shown when it takes longer than this.
const WONDER: Duration = Duration::from_secs(1);

/// What a download waits for while nothing moves.
struct Wait {
    received: u64,
    moved: Instant,
    countdown: Option<(&'static str, Instant, Countdown)>,
}

impl Wait {
    fn new(now: Instant) -> Self {
        Self { received: 0, moved: now, countdown: None }
    }

    /// Whether bytes have come lately.
    fn moves(&mut self, received: u64, now: Instant) -> bool {
        if self.received != received {
            (self.received, self.moved) = (received, now);
        }
        now.since(self.moved) < WONDER
    }

    /// Counts down to `until`, in the place of the progress.
    fn show(&mut self, what: &'static str, until: Instant, now: Instant, job: &Job, screen: &mut Screen) {
        if job.progress.is_none() {
            return;
        }
        if self.countdown.as_ref().is_none_or(|before| (before.0, before.1) != (what, until)) {
            self.end(screen);
            self.countdown = Some((what, until, Countdown::new(what, until)));
        }
        let text = self.countdown.as_mut().and_then(|(_, _, countdown)| countdown.update(now));
        screen.overwrite(&text.unwrap_or_default());
    }

    fn end(&mut self, screen: &mut Screen) {
        if let Some((_, _, mut countdown)) = self.countdown.take() {
            screen.overwrite(&countdown.clear());
        }
    }
}

/// The longest time that a connection may take; the stack gives up earlier.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// A download by HTTP, and the connection that carries it.
pub(crate) struct Http {
    pub(crate) download: http::Download,
    connection: Option<IdleConnection>,
}

impl Http {
    pub(crate) fn new(uri: Uri, content: Content) -> Result<Self, Error> {
        let seed = low_half(hw::clock::noise());
        let options = http::Options { user_agent: USER_AGENT, seed, ..http::Options::default() };
        Ok(Self { download: http::Download::new(uri, content, options)?, connection: None })
    }

    /// Moves bytes between the connection, if there is one, and the download.
    pub(crate) fn transfer(&mut self, network: &mut Network, sink: &mut dyn Sink, now: Instant) {
        let Self { download, connection: Some(IdleConnection { handle, .. }) } = self else { return };
        let handle = *handle;
        let mut buffer = [0; 1024];
        loop {
            let length = download.output(now, &mut buffer);
            if length == 0 {
                break;
            }
            // Requests are shorter than the send buffer, which is empty before each.
            network.stack.tcp_send(handle, buffer.get(..length).unwrap_or_default());
        }
        network.stack.tcp_receive(handle, &mut |data| {
            download.input(now, data, sink);
            data.len()
        });
        match network.stack.tcp_state(handle) {
            Ok(TcpState::PeerClosed | TcpState::Closed) => download.end_of_stream(now),
            Ok(TcpState::Connecting | TcpState::Established) => {}
            Err(error) => download.lost(now, explain(network, error)),
        }
    }

    /// Ends the connection, if there is one still.
    pub(crate) fn abort(&mut self, network: Option<&mut Network>) {
        if let (Some(connection), Some(network)) = (self.connection.take(), network) {
            network.stack.tcp_abort(connection.handle);
        }
    }
}

/// A transfer by TFTP, and the socket that carries it.
pub(crate) struct Tftp {
    pub(crate) transfer: tftp::Transfer,
    server: Ipv4Addr,
    socket: UdpHandle,
}

impl Tftp {
    /// Moves datagrams between the server and the transfer.
    pub(crate) fn exchange(&mut self, network: &mut Network, sink: &mut dyn Sink, now: Instant) {
        let Self { transfer, server, socket } = self;
        let mut take = |from: SocketAddrV4, _: Ipv4Addr, data: &[u8]| {
            if from.ip() == server {
                transfer.input(now, from.port(), data, sink);
            }
        };
        while network.stack.udp_receive(*socket, &mut take) {}
        self.send(network, now);
    }

    fn send(&mut self, network: &mut Network, now: Instant) {
        let mut buffer = [0; tftp::MAXIMUM_OUTPUT];
        while let Some((port, length)) = self.transfer.output(now, &mut buffer) {
            let data = buffer.get(..length).unwrap_or_default();
            network.stack.udp_send(self.socket, SocketAddrV4::new(self.server, port), data);
        }
    }

    /// Ends it. The server is told at once: by the last acknowledgement, or that no more is wanted.
    pub(crate) fn close(mut self, network: &mut Network, now: Instant) {
        self.transfer.cancel();
        self.send(network, now);
        network.step(now);
        network.stack.udp_close(self.socket);
    }
}

/// Adds to an error of a wait what is known about the reason.
fn explain(network: &Network, error: Error) -> Error {
    match network.stack.unanswered_neighbour() {
        Some(neighbour) => {
            let object: String = format!("{} (no answer to ARP for {neighbour})", error.object());
            error.named(object)
        }
        None => error,
    }
}

fn low_half(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}
