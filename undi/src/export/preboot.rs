//! The base code itself, and the packets that it keeps (PXE 2.1 section 4.2).

use super::memory::{Guarded, word};
use super::world::{Network, Packets};
use crate::abi::{CachedInfo, Status};
use crate::cached::{ACK, DISCOVER, REPLY};
use alloc::vec;
use base::SegOff;

/// Bytes kept of each packet: BOOTPLAYER of the specification, exactly. `pxeboot.n12` of Windows takes the BufferLimit
/// that it is told for the size of its own buffer, which is that structure.
pub const PACKET_ROOM: u16 = 1260;

/// The base code.
#[derive(Debug)]
pub(super) struct Base {
    /// A place of ours, with three times [`PACKET_ROOM`] bytes.
    pub(super) packets: SegOff,
    is_running: bool,
    /// UNLOAD_STACK was called: it does not come back.
    is_gone: bool,
    /// Bytes of packets 1, 2 and 3.
    lengths: [u16; 3],
}

impl Base {
    pub(super) fn new(packets: SegOff) -> Self {
        Self { packets, is_running: true, is_gone: false, lengths: [0; 3] }
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    pub(super) fn install(
        &mut self,
        packets: &Packets,
        write: &mut dyn FnMut(SegOff, &[u8]) -> bool,
    ) -> bool {
        let reply = if packets.reply.is_empty() { &packets.ack } else { &packets.reply };
        let mut all = true;
        for (kind, packet) in [(DISCOVER, &packets.discover), (ACK, &packets.ack), (REPLY, reply)] {
            let mut room = vec![0; PACKET_ROOM.into()];
            let length = packet.len().min(room.len());
            for (place, byte) in room.iter_mut().zip(packet) {
                *place = *byte;
            }
            if let Some((at, kept)) = self.place(kind).zip(self.length_mut(kind)) {
                *kept = word(length);
                all &= write(at, &room);
            }
        }
        all
    }

    /// Where a packet is kept.
    fn place(&self, kind: u16) -> Option<SegOff> {
        let number = kind.checked_sub(DISCOVER).filter(|_| kind <= REPLY)?;
        let offset = self.packets.offset.checked_add(number.checked_mul(PACKET_ROOM)?)?;
        Some(SegOff::new(self.packets.segment, offset))
    }

    fn length_mut(&mut self, kind: u16) -> Option<&mut u16> {
        self.lengths.get_mut(usize::from(kind.checked_sub(DISCOVER)?))
    }

    /// GET_CACHED_INFO. With no room given, the program is told where the packet is and how long it may become: it
    /// may change it there for whom it starts, and that then counts. BufferLimit is written only then, as programs of
    /// older versions have a structure without it, and ask for a copy.
    pub(super) fn cached(&mut self, memory: &mut Guarded<'_>, block: &mut CachedInfo) -> Result<(), Status> {
        let kind = block.kind.get();
        let kept = self.length_mut(kind).map(|length| usize::from(*length)).filter(|length| *length > 0);
        let (at, kept) = self.place(kind).zip(kept).ok_or(Status::INVALID_PARAMETER)?;
        let mut packet = vec![0; PACKET_ROOM.into()];
        memory.read_own(at, &mut packet)?;
        let used = packet.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        packet.truncate(kept.max(used));
        if block.size.get() == 0 {
            block.size = word(packet.len()).into();
            block.buffer = memory.told(at);
            block.limit = PACKET_ROOM.into();
            return Ok(());
        }
        packet.truncate(block.size.get().into());
        memory.write(block.buffer.into(), &packet)?;
        block.size = word(packet.len()).into();
        Ok(())
    }

    /// STOP_BASE, or where it `goes` for good, UNLOAD_STACK.
    pub(super) fn stop(&mut self, goes: bool) -> Result<(), Status> {
        self.is_running = false;
        self.is_gone |= goes;
        Ok(())
    }

    /// START_BASE: with an address from DHCP, asked for anew if it was stopped.
    pub(super) fn start(
        &mut self,
        network: &mut dyn Network,
        memory: &mut Guarded<'_>,
    ) -> Result<(), Status> {
        if self.is_gone {
            return Err(Status::FAILURE);
        }
        if !self.is_running {
            let packets = network.configure()?;
            if !self.install(&packets, &mut |at, data| memory.write_own(at, data).is_ok()) {
                return Err(Status::FAILURE);
            }
            self.is_running = true;
        }
        Ok(())
    }
}
