//! PXE structures in memory that says anything, and a ROM that answers anything.
#![no_main]

use base::{Duration, Error, Instant, MacAddress, SegOff};
use libfuzzer_sys::fuzz_target;
use nic::Nic;
use undi::abi::{Opcode, Status};
use undi::driver::{Order, Outcome};
use undi::find::{Hints, Memory};
use undi::{Rom, UndiNic};

const SLOTS: usize = 8;
const SLOT_LENGTH: usize = 1536;
/// Where in memory the input lies; before it, the BIOS says where free memory ends.
const PLACE: u32 = 0x9_0000;
const BASE_MEMORY: u32 = 0x413;

struct World<'a> {
    data: &'a [u8],
    /// What answers are made of.
    answers: &'a [u8],
    slots: Vec<u8>,
    calls: u32,
}

impl World<'_> {
    fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.answers.split_first() else { return 0 };
        self.answers = rest;
        first
    }
}

fn read(data: &[u8], address: u32, into: &mut [u8]) -> bool {
    for (byte, address) in into.iter_mut().zip(address..) {
        *byte = match address {
            BASE_MEMORY => 0x40,
            0x414 => 2,
            0xa_0000.. => return false,
            _ => {
                let at = address.checked_sub(PLACE).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| data.get(at)).copied().unwrap_or_default()
            }
        };
    }
    true
}

impl Memory for World<'_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        read(self.data, address, into)
    }
}

impl Rom for World<'_> {
    fn call(&mut self, opcode: Opcode, parameters: &mut [u8]) -> Result<Status, Error> {
        self.calls += 1;
        assert!(self.calls < 10_000, "it calls without end");
        let kind = self.next();
        if kind == 0xff {
            return Err(undi::errors::HANGS.of(opcode.name()));
        }
        if kind & 1 != 0 {
            let length = parameters.len().min(self.answers.len());
            let (answer, rest) = self.answers.split_at(length);
            parameters[..length].copy_from_slice(answer);
            self.answers = rest;
        }
        Ok(Status(u16::from(kind >> 1)))
    }

    fn scratch(&self) -> (SegOff, &[u8]) {
        (SegOff::new(0x9000, 0), &self.slots)
    }

    fn set_entry(&mut self, _entry: SegOff) {}

    fn hook(&mut self, _line: u8) {}

    fn unhook(&mut self) -> bool {
        self.next() & 1 == 0
    }

    fn receive_slots(&self) -> usize {
        SLOTS
    }

    fn frame(&self, slot: usize) -> &[u8] {
        let length = usize::from(self.slots[slot * SLOT_LENGTH]) * 6;
        &self.slots[slot * SLOT_LENGTH..][..length]
    }

    fn load(&mut self, _slot: usize, frame: &[u8], _station: MacAddress) -> bool {
        frame.len() <= SLOT_LENGTH
    }

    fn reset(&mut self) {}

    fn pump(&mut self, order: &Order) -> Result<Outcome, Error> {
        let kind = self.next();
        if kind == 0xff {
            return Err(undi::errors::HANGS.of("UNDI_ISR"));
        }
        let (frames, taken, completed) = (self.next(), self.next(), self.next());
        // The pump's own promises, which 16-bit code of ours keeps: no more than was ordered.
        Ok(Outcome {
            frames: u16::from(frames).min(order.room),
            dropped: u16::from(kind),
            completed: u16::from(completed),
            taken: u16::from(taken).min(order.transmit),
            refused: u16::from(kind),
            interrupts: u16::from(kind & 3),
            line_lost: kind == 0xfe,
            restorations: u32::from(kind),
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let pointer = |at: usize| {
        let bytes: &[u8] = data.get(at..at + 4).unwrap_or(&[0; 4]);
        SegOff::new(u16::from_le_bytes([bytes[2], bytes[3]]), u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    let hints = Hints { stack: pointer(0), es_bx: pointer(4), int_1a: Some(pointer(8)), free_end: 0 };
    let world = World {
        data,
        answers: data,
        slots: data.iter().copied().cycle().take(SLOTS * SLOT_LENGTH).collect(),
        calls: 0,
    };
    if data.is_empty() {
        return;
    }
    let stack = undi::find::find(&world, &hints);
    if let Ok(stack) = &stack {
        let _ = undi::find::find_again(&world, stack);
    }
    let Ok(mut card) = UndiNic::try_new(world) else { return };
    let _ = undi::cached::cached_packet(card.rom(), undi::cached::ACK);
    let mut now = Instant::ZERO;
    if card.open().is_ok() {
        for _ in 0..40 {
            let _ = card.transmit(data);
            if card.poll(now, now + Duration::from_millis(5)).is_err() {
                break;
            }
            let mut received = 0;
            while card.receive().is_some() {
                received += 1;
                assert!(received <= SLOTS, "it receives without end");
            }
            now = now + Duration::from_millis(50);
        }
        let _ = (card.mode(), card.link(), card.counters(), card.can_transmit());
    }
    if let Ok(stack) = stack {
        let purpose = if data[0] & 12 == 0 { undi::Purpose::NextDevice } else { undi::Purpose::System };
        let keep = undi::Keep::from_bits(u32::from(data[0]));
        let _ = undi::foresee(&mut card, &stack, keep, 600);
        let departure = undi::leave(&mut card, &stack, keep, purpose);
        assert!((576..=640).contains(&departure.mark_kib), "the mark was 576 KiB");
    } else {
        card.close();
    }
});
