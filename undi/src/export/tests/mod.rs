//! Each call with right and wrong parameters, and all of them with any.

mod anything;
mod fake;
mod file;
mod preboot;
mod protected;
mod structures;
mod tftp;
mod udp;
mod undi;

use super::*;
use crate::abi::base_code::*;
use crate::abi::file::*;
use crate::abi::*;
use alloc::vec;
use base::{MacAddress, PhysRange};
use core::net::SocketAddrV4;
use fake::*;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

fn far(at: SegOff) -> FarPointer {
    at.into()
}

fn name(text: &[u8]) -> FileName {
    let mut name = [0; 128];
    name[..text.len()].copy_from_slice(text);
    name
}

/// An Ethernet frame with 46 bytes of payload.
fn frame(to: MacAddress, kind: u16, fill: u8) -> Vec<u8> {
    [&to.0[..], &[2, 0, 0, 0, 0, 9], &kind.to_be_bytes(), &[fill; 46]].concat()
}

fn tftp_open(block: &mut TftpOpen) {
    block.server = SERVER.octets();
    block.name = name(b"boot/file");
    block.packet_size = 512.into();
}

#[test]
fn what_is_not_there_is_unsupported() {
    let mut world = World::new();
    let known =
        [0..=0x0e, 0x11..=0x15, 0x20..=0x25, 0x30..=0x33, 0x70..=0x71, 0x73..=0x73, 0x75..=0x76, 0xe0..=0xe8];
    for opcode in (0..=0x200).chain([0xffff]) {
        if !known.iter().any(|range| range.contains(&opcode)) {
            assert_eq!(world.plain(Opcode(opcode)), Status::UNSUPPORTED, "{opcode:#x}");
        }
    }
}

#[test]
fn parameters_that_cannot_be_answered_in_are_not_touched() {
    for at in [
        SegOff::default(),
        SegOff::new(0, 0x400),
        SegOff::new(0x4f, 0xe),
        SegOff::new(0x9000, 0x100),
        SegOff::new(0x8fff, 0xf),
        SegOff::new(0xa000, 0),
        SegOff::new(0x9fff, 0xf),
        SegOff::new(0x2000, 0xffff),
        SegOff::new(0xffff, 0x10),
        SegOff::new(0xffff, 0xffff),
    ] {
        for opcode in [Opcode::UDP_OPEN, Opcode::STARTUP, Opcode(0x99), Opcode::RESTART_TFTP] {
            let mut world = World::new();
            let answer = world.services.call(opcode, at, &mut world.memory, &mut world.network);
            assert_eq!(answer, Answer::Return(Status::INVALID_PARAMETER), "{at}");
            assert_eq!((answer.ax(), world.memory.written.len()), (EXIT_FAILURE, 0));
        }
    }
}
