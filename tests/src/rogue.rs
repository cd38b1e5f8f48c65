//! Servers that misbehave on purpose, at [`ROGUE`]. They run on threads and end with the process.

use crate::failure::{Context, Result};
use crate::namespace::ROGUE;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// What an HTTP server does with every request.
#[derive(Clone, Debug)]
pub enum Http {
    /// Answers with this status line's end, as `404 Not Found`.
    Status(&'static str),
    /// Redirects to another name, always.
    RedirectLoop,
    /// Sends half of the body, closes, and refuses all connections from then on.
    Dies(Vec<u8>),
    /// Sends half of the body and then nothing more; later connections get no answer at all.
    Stalls(Vec<u8>),
    /// Announces twice the length of what it sends, closes, and does not know ranges.
    Short(Vec<u8>),
    /// Announces this length and sends the whole, which is more.
    Long {
        /// What is sent.
        body: Vec<u8>,
        /// What is announced.
        announced: usize,
    },
    /// Sends the last bytes, so many, some seconds after all others.
    HoldsBack(Vec<u8>, usize),
    /// Sends half of the body and closes; then sends what is asked for of it, or all of another file that has taken its
    /// place.
    Breaks(Vec<u8>, Option<Vec<u8>>),
}

/// How long the last bytes are held back.
const HELD_BACK: Duration = Duration::from_secs(6);

impl Http {
    /// Starts it on port 80.
    pub fn start(self) -> Result<()> {
        let listener = TcpListener::bind((ROGUE, 80)).context("HTTP server that misbehaves")?;
        thread::spawn(move || {
            let mut silent = Vec::new();
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept() {
                count += 1;
                // A client that goes away in the middle is the client's affair.
                match self.serve(&stream, count) {
                    Ok(Next::Close) | Err(_) => {}
                    Ok(Next::Silent) => silent.push(stream),
                    Ok(Next::Refuse) => return,
                }
            }
        });
        Ok(())
    }

    fn serve(&self, stream: &TcpStream, count: u32) -> std::io::Result<Next> {
        if matches!(self, Self::Stalls(_)) && count > 1 {
            return Ok(Next::Silent);
        }
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        let mut start = 0;
        while lines.read_line(&mut line)? > 2 {
            println!("HTTP request {count}: {}", line.trim_end());
            let range = line.strip_prefix("Range: bytes=").and_then(|range| range.split('-').next());
            start = range.and_then(|start| start.parse().ok()).unwrap_or(start);
            line.clear();
        }
        let ok =
            |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: \"rig\"\r\n\r\n");
        let send = |head: String, body: &[u8]| -> std::io::Result<()> {
            let mut stream = stream;
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)
        };
        match self {
            Self::Status(status) => {
                send(
                    format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"),
                    b"no\r\n",
                )?;
            }
            Self::RedirectLoop => {
                let head = format!("HTTP/1.1 302 Found\r\nLocation: /again-{count}\r\nContent-Length: 0\r\n");
                send(head + "Connection: close\r\n\r\n", b"")?;
            }
            Self::Dies(body) => {
                send(ok(body.len()), &body[..body.len() / 2])?;
                return Ok(Next::Refuse);
            }
            Self::Stalls(body) => {
                send(ok(body.len()), &body[..body.len() / 2])?;
                return Ok(Next::Silent);
            }
            Self::Short(body) => send(ok(body.len() * 2), body)?,
            Self::Long { body, announced } => send(ok(*announced), body)?,
            Self::HoldsBack(body, last) => {
                let (first, last) = body.split_at(body.len() - last);
                send(ok(body.len()), first)?;
                thread::sleep(HELD_BACK);
                send(String::new(), last)?;
            }
            Self::Breaks(body, _) if count == 1 => send(ok(body.len()), &body[..body.len() / 2])?,
            Self::Breaks(_, Some(other)) => send(ok(other.len()).replace("rig", "other"), other)?,
            Self::Breaks(body, None) => {
                let (end, rest) = (body.len() - 1, &body[start.min(body.len())..]);
                let range = format!("Content-Range: bytes {start}-{end}/{}\r\n", body.len());
                let ok = ok(rest.len()).replace("200 OK\r\n", &format!("206 Partial Content\r\n{range}"));
                send(ok, rest)?;
            }
        }
        Ok(Next::Close)
    }
}

/// What becomes of a connection, and of the server.
enum Next {
    Close,
    Silent,
    Refuse,
}

/// What a TFTP server does with every request.
#[derive(Clone, Debug)]
pub enum Tftp {
    /// Sends half of the file and then nothing more, and answers no further request.
    Dies(Vec<u8>),
    /// Announces half of the file's length as `tsize` and sends the whole.
    MoreThanAnnounced(Vec<u8>),
}

impl Tftp {
    /// Starts it on port 69.
    pub fn start(self) -> Result<()> {
        let socket = UdpSocket::bind((ROGUE, 69)).context("TFTP server that misbehaves")?;
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                println!("TFTP request: {}", String::from_utf8_lossy(&buffer[2..length]).replace('\0', " "));
                if self.transfer(client).is_err() || matches!(self, Self::Dies(_)) {
                    return;
                }
            }
        });
        Ok(())
    }

    fn transfer(&self, client: SocketAddr) -> std::io::Result<()> {
        const BLOCK: usize = 1024;
        let (file, announced, end) = match self {
            Self::Dies(file) => (file, file.len(), file.len() / BLOCK / 2),
            Self::MoreThanAnnounced(file) => (file, file.len() / 2, usize::MAX),
        };
        let socket = UdpSocket::bind((ROGUE, 0))?;
        socket.connect(client)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let options = format!("\0\x06blksize\0{BLOCK}\0tsize\0{announced}\0");
        exchange(&socket, options.as_bytes(), 0)?;
        for (index, data) in file.chunks(BLOCK).chain([&[][..]]).enumerate().take(end) {
            let number = u16::try_from((index + 1) & 0xffff).unwrap_or_default();
            let mut packet = vec![0, 3];
            packet.extend_from_slice(&number.to_be_bytes());
            packet.extend_from_slice(data);
            exchange(&socket, &packet, number)?;
        }
        Ok(())
    }
}

/// Sends a packet until its acknowledgement comes; an error packet, or five silences, end the transfer.
fn exchange(socket: &UdpSocket, packet: &[u8], number: u16) -> std::io::Result<()> {
    let mut answer = [0; 600];
    for _ in 0..5 {
        socket.send(packet)?;
        while let Ok(length) = socket.recv(&mut answer) {
            match answer[..length] {
                [0, 4, high, low, ..] if u16::from_be_bytes([high, low]) == number => return Ok(()),
                [0, 5, ..] => return Err(std::io::Error::other("the client gave up")),
                _ => {}
            }
        }
    }
    Err(std::io::Error::other("the client is silent"))
}
