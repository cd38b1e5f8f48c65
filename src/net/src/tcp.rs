//! TCP connections.

use alloc::string::{String, ToString};
use base::{Duration, Error, ErrorKind, Instant, earliest};
use core::net::SocketAddrV4;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::wire::{IpAddress, IpEndpoint};

use crate::errors;
use crate::stack::{self, Stack};

/// Bytes that can wait to be sent: requests are short.
const SEND_CAPACITY: usize = 16 * 1024;
/// The bytes that a receive buffer may have: at least one segment, and no more than is sensible.
const LEAST_RECEIVE_CAPACITY: usize = 2 * 1024;
const MOST_RECEIVE_CAPACITY: usize = 16 << 20;
/// How long the other side may take to accept a connection: questions are sent after 0, 1, 3 and 7 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);
/// The silence after which the other side is asked whether it is there.
const KEEP_ALIVE: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(1);
/// How long a closed connection may take to say farewell before its memory is freed.
const FAREWELL: Duration = Duration::from_secs(2);

/// Names a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpHandle(u32);

/// Where a connection stands, as its user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// Not open yet.
    Connecting,
    /// Open, or closed by the other side with bytes left to read.
    Established,
    /// The other side will send no more and all it sent was read. Sending is still possible.
    PeerClosed,
    /// Closed by us, or never known.
    Closed,
}

/// What belongs to a connection on our side.
pub(crate) struct Connection {
    handle: TcpHandle,
    socket: SocketHandle,
    phase: Phase,
    /// The other end, once there is one.
    remote: Option<SocketAddrV4>,
}

enum Phase {
    /// Waits for somebody to connect.
    Listening,
    /// Gives up at that time.
    Connecting(Instant),
    Open,
    /// Never opened. The name is the object of the error.
    Failed(&'static ErrorKind, String),
    /// Given up by the user; gone at that time, which is set by the next poll.
    Leaving(Option<Instant>),
}

impl Connection {
    /// What the user knows it by.
    fn name(&self) -> String {
        self.remote.map(|remote| remote.to_string()).unwrap_or_default()
    }
}

impl Stack {
    /// Begins a connection to `remote`, with room for `receive_capacity` bytes that were not read yet. That is also
    /// what the other side is told, so it never sends more than can be kept.
    pub fn tcp_connect(
        &mut self,
        remote: SocketAddrV4,
        receive_capacity: usize,
        now: Instant,
    ) -> Result<TcpHandle, Error> {
        let neighbour = self.next_hop(*remote.ip())?;
        let mut socket = socket(receive_capacity).ok_or_else(|| errors::NO_MEMORY.of(remote.to_string()))?;
        let port = self.free_tcp_port();
        let endpoint = IpEndpoint::new(IpAddress::Ipv4(*remote.ip()), remote.port());
        if self.is_broadcast(*remote.ip())
            || socket.connect(self.interface.context(), endpoint, port).is_err()
        {
            return Err(errors::NO_ROUTE.of(remote.to_string()));
        }
        self.neighbours.want(neighbour);
        Ok(self.add_connection(socket, Phase::Connecting(now + CONNECT_TIMEOUT), Some(remote)))
    }

    /// Waits for one connection to `local_port`. It is [`TcpState::Connecting`] until somebody connects.
    pub fn tcp_listen(&mut self, local_port: u16, receive_capacity: usize) -> Result<TcpHandle, Error> {
        let mut socket = socket(receive_capacity).ok_or_else(|| errors::NO_MEMORY.of("a listener"))?;
        if socket.listen(local_port).is_err() {
            return Err(errors::NO_ADDRESS.error());
        }
        Ok(self.add_connection(socket, Phase::Listening, None))
    }

    /// Where the connection stands. An error if it ended against our will and all that came before was read.
    pub fn tcp_state(&mut self, handle: TcpHandle) -> Result<TcpState, Error> {
        let Some(connection) = self.connections.iter().find(|connection| connection.handle == handle) else {
            return Ok(TcpState::Closed);
        };
        let socket = self.sockets.get_mut::<Socket<'static>>(connection.socket);
        match &connection.phase {
            Phase::Leaving(_) => Ok(TcpState::Closed),
            Phase::Listening | Phase::Connecting(_) => Ok(TcpState::Connecting),
            Phase::Failed(kind, object) => Err(kind.of(object.as_str())),
            Phase::Open if socket.may_recv() => Ok(TcpState::Established),
            Phase::Open if is_finished(socket) => Ok(TcpState::PeerClosed),
            Phase::Open => Err(errors::RESET.of(connection.name())),
        }
    }

    /// Takes as much of `data` as there is room for and sends it. Returns how many bytes that is.
    pub fn tcp_send(&mut self, handle: TcpHandle, data: &[u8]) -> usize {
        self.tcp_socket(handle).map_or(0, |socket| socket.send_slice(data).unwrap_or(0))
    }

    /// Lends the bytes that were received to `take`, in order, as often as there are any and it takes them all.
    /// `take` returns how many bytes it has taken. Returns the sum.
    pub fn tcp_receive(&mut self, handle: TcpHandle, take: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        let Some(socket) = self.tcp_socket(handle) else {
            return 0;
        };
        let mut sum = 0;
        while socket.can_recv() {
            let lend = |data: &mut [u8]| {
                let taken = take(data).min(data.len());
                (taken, (taken, taken == data.len()))
            };
            let Ok((taken, all)) = socket.recv(lend) else {
                break;
            };
            sum += taken;
            if !all {
                break;
            }
        }
        sum
    }

    /// Closes the connection: what waits to be sent is still sent, what comes is thrown away. The handle is dead.
    pub fn tcp_close(&mut self, handle: TcpHandle) {
        if let Some(socket) = self.tcp_socket(handle) {
            socket.close();
        }
        self.leave(handle);
    }

    /// Breaks the connection off with a reset. The handle is dead.
    pub fn tcp_abort(&mut self, handle: TcpHandle) {
        if let Some(socket) = self.tcp_socket(handle) {
            socket.abort();
        }
        self.leave(handle);
    }

    /// Looks at what became of the connections, after smoltcp has worked.
    pub(crate) fn settle_connections(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            self.settle_connection(index, now);
        }
        let Self { connections, sockets, .. } = self;
        connections.retain(|connection| {
            let Phase::Leaving(Some(deadline)) = connection.phase else {
                return true;
            };
            let socket = sockets.get::<Socket<'static>>(connection.socket);
            // A reset to be sent keeps its endpoint until it is sent.
            let is_over = match socket.state() {
                State::Closed => socket.remote_endpoint().is_none(),
                State::TimeWait => true,
                _ => false,
            };
            if is_over || now >= deadline {
                sockets.remove(connection.socket);
                return false;
            }
            true
        });
    }

    /// When a connection is next given up.
    pub(crate) fn connections_deadline(&self, now: Instant) -> Option<Instant> {
        let due = |connection: &Connection| match connection.phase {
            Phase::Connecting(deadline) => Some(deadline),
            Phase::Leaving(deadline) => Some(deadline.unwrap_or(now)),
            _ => None,
        };
        self.connections.iter().map(due).fold(None, earliest)
    }

    fn settle_connection(&mut self, index: usize, now: Instant) -> Option<()> {
        let connection = self.connections.get_mut(index)?;
        let socket = self.sockets.get_mut::<Socket<'static>>(connection.socket);
        let deadline = match connection.phase {
            Phase::Leaving(None) => {
                connection.phase = Phase::Leaving(Some(now + FAREWELL));
                return None;
            }
            Phase::Connecting(deadline) => Some(deadline),
            Phase::Listening => None,
            _ => return None,
        };
        connection.phase = match socket.state() {
            State::Closed if !socket.can_recv() && !is_finished(socket) => {
                Phase::Failed(&errors::REFUSED, connection.name())
            }
            State::SynSent | State::SynReceived | State::Listen => {
                deadline.filter(|deadline| now >= *deadline)?;
                socket.abort();
                let remote = connection.remote?;
                let neighbour = self.next_hop(*remote.ip()).ok();
                let phase = match neighbour.filter(|neighbour| self.neighbours.is_unanswered(*neighbour)) {
                    Some(neighbour) => Phase::Failed(&errors::NO_NEIGHBOUR, neighbour.to_string()),
                    None => Phase::Failed(&errors::NO_ANSWER, remote.to_string()),
                };
                self.connections.get_mut(index)?.phase = phase;
                return Some(());
            }
            _ => Phase::Open,
        };
        if let Some(IpEndpoint { addr: IpAddress::Ipv4(address), port }) = socket.remote_endpoint() {
            connection.remote = Some(SocketAddrV4::new(address, port));
        }
        Some(())
    }

    fn add_connection(
        &mut self,
        socket: Socket<'static>,
        phase: Phase,
        remote: Option<SocketAddrV4>,
    ) -> TcpHandle {
        let handle = TcpHandle(self.new_handle());
        let socket = self.sockets.add(socket);
        self.connections.push(Connection { handle, socket, phase, remote });
        handle
    }

    fn leave(&mut self, handle: TcpHandle) {
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.handle == handle) {
            connection.phase = Phase::Leaving(None);
        }
    }

    /// The socket of a connection that its user has not given up.
    fn tcp_socket(&mut self, handle: TcpHandle) -> Option<&mut Socket<'static>> {
        let connection = self.connections.iter().find(|connection| connection.handle == handle)?;
        if matches!(connection.phase, Phase::Leaving(_)) {
            return None;
        }
        Some(self.sockets.get_mut(connection.socket))
    }

    fn free_tcp_port(&mut self) -> u16 {
        loop {
            let port = self.random.port();
            let is_taken = |connection: &Connection| {
                let socket = self.sockets.get::<Socket<'static>>(connection.socket);
                socket.local_endpoint().is_some_and(|endpoint| endpoint.port == port)
            };
            if !self.connections.iter().any(is_taken) {
                return port;
            }
        }
    }
}

/// Whether the other side closed the connection in order, with all that it sent received and read.
fn is_finished(socket: &mut Socket<'static>) -> bool {
    matches!(socket.peek(0), Err(RecvError::Finished))
}

fn socket(receive_capacity: usize) -> Option<Socket<'static>> {
    let receive_capacity = receive_capacity.clamp(LEAST_RECEIVE_CAPACITY, MOST_RECEIVE_CAPACITY);
    let receive = SocketBuffer::new(stack::memory(receive_capacity)?);
    let send = SocketBuffer::new(stack::memory(SEND_CAPACITY)?);
    let mut socket = Socket::new(receive, send);
    // What is written is a whole request; waiting for more of it only costs time.
    socket.set_nagle_enabled(false);
    // One that only receives would not notice that the path is gone, and a stuck card would not be noticed either.
    socket.set_keep_alive(Some(KEEP_ALIVE));
    Some(socket)
}
