//! The memory that the driver and its 16-bit pump share.
//!
//! One block below 1 MiB: [`PumpControl`] on its first page, the transmit buffers on the following ones. The pump
//! addresses all of it through the block's segment, by the offsets of the fields here. The receive slots lie in
//! blocks of their own, because 64 of them do not fit one segment.

use crate::abi::{
    FarPointer, Isr, PROTOCOL_ARP, PROTOCOL_IP, PROTOCOL_UNKNOWN, TO_ADDRESS, TO_BROADCAST, Transmit,
    TransmitDescriptor,
};
use crate::driver::{Order, Outcome};
use base::SegOff;
use nic::{FRAME_CAPACITY, FRAME_MINIMUM};
use static_assertions::const_assert;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a receive slot and of a transmit buffer: a frame, rounded up to what vendors' drivers may touch.
pub const SLOT_LENGTH: usize = 1536;
/// Most receive slots.
pub const RECEIVE_SLOTS: usize = 64;
/// Transmit buffers; a power of two, as the pump wraps by a mask.
pub const TRANSMIT_SLOTS: usize = 16;
/// Where the transmit buffers begin in the block.
pub const TRANSMIT_BUFFERS: usize = 4096;
/// Bytes of the block.
pub const BLOCK_LENGTH: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS * SLOT_LENGTH;
/// Bytes of an Ethernet header.
const HEADER: usize = 14;

const_assert!(SLOT_LENGTH >= FRAME_CAPACITY && SLOT_LENGTH.is_multiple_of(16));
const_assert!(TRANSMIT_SLOTS.is_power_of_two() && TRANSMIT_SLOTS <= 16);
const_assert!(size_of::<PumpControl>() <= TRANSMIT_BUFFERS);
const_assert!(BLOCK_LENGTH <= 0xfff0);

/// One transmission: the parameter block and what it points at.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TransmitBlock {
    /// For UNDI_TRANSMIT.
    pub parameters: Transmit,
    /// Its descriptor.
    pub descriptor: TransmitDescriptor,
    reserved: [u8; 4],
}

/// What the pump and the interrupt handler read and write. Times are ticks of the time stamp counter.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PumpControl {
    /// The ROM's entry point.
    pub entry: FarPointer,
    /// When the last frame came, at first when the pump was entered.
    pub stamp: u32,
    /// The pump leaves this long after `stamp`.
    pub limit: u32,
    /// The `limit` once a frame has come.
    pub quiet: u32,
    /// What the pump finds at `PUMP_CANARY_PLACE` as long as no frame lies over the interrupt table.
    pub canary: u32,
    /// The stack pointer across a call of the ROM.
    pub saved_sp: u16,
    /// Calls of UNDI_ISR PROCESS and GET_NEXT left (field note A10).
    pub calls: u16,
    /// Rounds left, in case time stands still.
    pub rounds: u16,
    /// Frames that may still be received.
    pub room: u16,
    /// The receive slot for the next frame.
    pub write: u16,
    /// Number of receive slots.
    pub slot_count: u16,
    /// Bytes of the current frame that have come.
    pub part: u16,
    /// Bytes it will have.
    pub part_total: u16,
    /// Frames received in this downcall.
    pub frames: u16,
    /// Frames, or parts of them, that made no sense.
    pub dropped: u16,
    /// UNDI_ISR answers "sent".
    pub completed: u16,
    /// The transmit slot that is next.
    pub transmit_next: u16,
    /// Slots from there that are to be sent.
    pub transmit_left: u16,
    /// Slots that the ROM took or refused for good.
    pub taken: u16,
    /// Bit n: the n-th of these was refused.
    pub refused: u16,
    /// Interrupts that were the card's.
    pub interrupts: u16,
    /// Interrupts that were not, since the pump was entered.
    pub strange: u16,
    /// The port of the interrupt mask: 21h, A1h, or 0 for a card without an interrupt.
    pub mask_port: u16,
    /// The line's bit there.
    pub mask_bit: u8,
    /// Whether the line is open now.
    pub line_open: u8,
    /// Whether it is to be open while the pump runs.
    pub line_wanted: u8,
    /// Whether it was given up, and stays masked.
    pub line_lost: u8,
    /// Whether the handler answers what is not the card's by itself: the old one is the BIOS's stub.
    pub stub: u8,
    /// Whether somebody is inside the ROM: the call's opcode in the pump, 1 for those that Rust makes.
    pub busy: u8,
    /// Whether UNDI_ISR has more to say before DONE.
    pub unfinished: u8,
    /// Whether the handler saw START answer OURS.
    pub triggered: u8,
    /// Whether PROCESS is called without waiting for OURS.
    pub process_first: u8,
    reserved: [u8; 3],
    /// For the pump.
    pub isr: Isr,
    /// For the interrupt handler.
    pub handler_isr: Isr,
    /// For all other calls.
    pub parameters: [u8; 160],
    /// Length of the frame in each receive slot.
    pub lengths: [u16; RECEIVE_SLOTS],
    /// Where the receive slots are.
    pub slots: [FarPointer; RECEIVE_SLOTS],
    /// The transmissions.
    pub transmit: [TransmitBlock; TRANSMIT_SLOTS],
    /// Room for a packet that a call copies out.
    pub scratch: [u8; SLOT_LENGTH],
}

impl PumpControl {
    /// Takes in what the driver wants of the next downcall.
    pub fn give(&mut self, order: &Order, ticks_per_microsecond: u32) {
        self.limit = ticks(order.linger.as_micros(), ticks_per_microsecond);
        self.quiet = ticks(order.quiet.as_micros(), ticks_per_microsecond);
        self.calls = order.calls;
        self.rounds = u16::MAX;
        self.room = order.room;
        self.transmit_left = order.transmit;
        self.process_first = order.process_first.into();
        self.line_wanted = order.interrupts.into();
        for counter in [
            &mut self.frames,
            &mut self.dropped,
            &mut self.completed,
            &mut self.taken,
            &mut self.refused,
            &mut self.interrupts,
            &mut self.strange,
        ] {
            *counter = 0;
        }
    }

    /// What came of it, and of the interrupt table since the start.
    pub fn outcome(&self, restorations: u32) -> Outcome {
        Outcome {
            frames: self.frames,
            dropped: self.dropped,
            completed: self.completed,
            taken: self.taken,
            refused: self.refused,
            interrupts: self.interrupts,
            line_lost: self.line_lost != 0,
            restorations,
        }
    }

    /// The length of the frame in `slot`.
    pub fn length(&self, slot: usize) -> usize {
        self.lengths.get(slot).map_or(0, |length| usize::from(*length).min(SLOT_LENGTH))
    }
}

/// So many microseconds in ticks, at most half a turn of the 32-bit counter that the pump compares.
fn ticks(micros: u64, per_microsecond: u32) -> u32 {
    let ticks = micros.saturating_mul(per_microsecond.into()).min(1 << 31);
    u32::try_from(ticks).unwrap_or(1 << 31)
}

/// Puts `frame` into transmit slot `slot` of the shared block, which lies at `segment`.
///
/// IPv4 and ARP frames from `station` are handed to the ROM without their header, with its contents as parameters:
/// some ROMs insist on building it (field note A8). All others go as they are. What is sent is padded to 60 bytes
/// (field note A7) and the rest of the buffer zeroed. False where there is no such slot or the frame is too long.
pub fn load(block: &mut [u8], segment: u16, slot: usize, frame: &[u8], station: [u8; 6]) -> bool {
    let Ok((control, _)) = PumpControl::mut_from_prefix(block) else { return false };
    let Some(job) = control.transmit.get_mut(slot) else { return false };
    let buffer_offset = TRANSMIT_BUFFERS + slot * SLOT_LENGTH;
    let Some((destination, rest)) = frame.split_first_chunk::<6>() else { return false };
    let protocol = match rest.strip_prefix(&station) {
        Some([0x08, 0x00, ..]) => PROTOCOL_IP,
        Some([0x08, 0x06, ..]) => PROTOCOL_ARP,
        _ => PROTOCOL_UNKNOWN,
    };
    let broadcast = *destination == base::MacAddress::BROADCAST.0;
    let skipped = if protocol == PROTOCOL_UNKNOWN { 0 } else { HEADER };
    let length = frame.len().max(FRAME_MINIMUM).saturating_sub(skipped);
    let at = |offset: usize| SegOff::new(segment, u16::try_from(offset).unwrap_or(0));
    let descriptor_offset = core::mem::offset_of!(PumpControl, transmit)
        + slot * size_of::<TransmitBlock>()
        + core::mem::offset_of!(TransmitBlock, descriptor);
    let Ok(length) = u16::try_from(length) else { return false };
    if frame.len() > FRAME_CAPACITY {
        return false;
    }
    job.parameters = Transmit {
        protocol,
        flag: if broadcast { TO_BROADCAST } else { TO_ADDRESS },
        destination: at(buffer_offset).into(),
        descriptor: at(descriptor_offset).into(),
        ..Transmit::default()
    };
    job.descriptor = TransmitDescriptor {
        length: length.into(),
        data: at(buffer_offset + skipped).into(),
        ..TransmitDescriptor::default()
    };
    let Some(buffer) = block.get_mut(buffer_offset..buffer_offset + SLOT_LENGTH) else { return false };
    let (to, padding) = buffer.split_at_mut(frame.len());
    to.copy_from_slice(frame);
    padding.fill(0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const STATION: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn frame(destination: [u8; 6], kind: [u8; 2], length: usize) -> Vec<u8> {
        let mut frame = [&destination[..], &STATION, &kind].concat();
        frame.resize(length, 0x55);
        frame
    }

    fn loaded(frame: &[u8], slot: usize) -> (Transmit, TransmitDescriptor, Vec<u8>) {
        // Two buffers: a page boundary is what the block has on the machine, any alignment of 4 serves here.
        let mut block = vec![0xffu32; BLOCK_LENGTH / 4];
        let block = block.as_mut_bytes();
        assert!(load(block, 0x8000, slot, frame, STATION));
        let (control, _) = PumpControl::ref_from_prefix(block).unwrap();
        let job = control.transmit[slot];
        let at = usize::from(job.descriptor.data.offset.get());
        let length = usize::from(job.descriptor.length.get());
        (job.parameters, job.descriptor, block[at..at + length].to_vec())
    }

    #[test]
    fn an_ip_frame_goes_without_its_header_and_padded() {
        let frame = frame([2, 0, 0, 0, 0, 9], [8, 0], 54);
        let (parameters, descriptor, data) = loaded(&frame, 3);
        assert_eq!((parameters.protocol, parameters.flag), (PROTOCOL_IP, TO_ADDRESS));
        assert_eq!(usize::from(parameters.destination.offset.get()), TRANSMIT_BUFFERS + 3 * SLOT_LENGTH);
        assert_eq!(descriptor.block_count.get(), 0);
        assert_eq!(data.len(), 46);
        assert_eq!(data[..40], frame[14..]);
        assert_eq!(data[40..], [0; 6]);
    }

    #[test]
    fn a_broadcast_says_so() {
        let (parameters, ..) = loaded(&frame([0xff; 6], [8, 6], 42), 0);
        assert_eq!((parameters.protocol, parameters.flag), (PROTOCOL_ARP, TO_BROADCAST));
    }

    #[test]
    fn other_frames_go_whole() {
        for (source, kind) in [(STATION, [0x81, 0]), ([2, 0, 0, 0, 0, 7], [8, 0])] {
            let mut frame = frame([2, 0, 0, 0, 0, 9], kind, FRAME_CAPACITY);
            frame[6..12].copy_from_slice(&source);
            let (parameters, _, data) = loaded(&frame, TRANSMIT_SLOTS - 1);
            assert_eq!(parameters.protocol, PROTOCOL_UNKNOWN);
            assert_eq!(data, frame);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut block = vec![0u32; BLOCK_LENGTH / 4];
        let block = block.as_mut_bytes();
        assert!(!load(block, 0, TRANSMIT_SLOTS, &[0; 60], STATION));
        assert!(!load(block, 0, 0, &[0; FRAME_CAPACITY + 1], STATION));
        assert!(!load(block, 0, 0, &[0; 5], STATION));
        assert!(!load(&mut block[..100], 0, 0, &[0; 60], STATION));
    }

    #[test]
    fn long_times_do_not_wrap() {
        assert_eq!(ticks(u64::MAX, 5000), 1 << 31);
        assert_eq!(ticks(1000, 3000), 3_000_000);
    }
}
