//! TCP/IP behind our own types, with smoltcp inside.
//!
//! A [`Stack`] is a value: frames come from a [`link::Port`], time is an argument, sockets are named by handles that
//! are never used twice. No type of smoltcp is seen outside, so another stack would be a change of this crate only.
//!
//! The loop of the firmware, in each round:
//! 1. `stack.send(now, &mut port)` sends what is due;
//! 2. `port.poll(now, until)` moves frames between the card and its driver, until `stack.deadline(now)` or the clients'
//!    own deadlines, whichever is earlier;
//! 3. `stack.receive(now, &mut port)` takes what came in; neither polls the card;
//! 4. the clients read and write their sockets.
//!
//! What smoltcp does not do well is done here: finding neighbours ([`Stack::unanswered_neighbour`]), sockets that
//! work without an address ([`Stack::udp_open_unbound`]), and saying why a connection ended.
#![no_std]

extern crate alloc;

mod device;
mod echo;
pub mod errors;
mod neighbours;
mod ntp;
mod packet;
mod random;
mod run;
#[cfg(test)]
mod simulation;
mod stack;
mod tcp;
mod udp;

pub use device::{Counters, Tally};
pub use echo::{ECHO_LIMIT, EchoReply};
pub use ntp::{NTP_LENGTH, NTP_PORT, ntp_answer, ntp_question};
pub use stack::{Ipv4Config, Route, Stack};
pub use tcp::{CONNECT_TIMEOUT, TcpHandle, TcpState};
pub use udp::UdpHandle;
