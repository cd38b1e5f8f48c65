//! In which state a next program finds the machine, as `tests/quirk/state.S` says it.

use crate::expect::Transcript;
use crate::failure::{Failure, Result, ensure};

/// The command register's bit for a card that may write to memory (PCI 3.0, section 6.2.2).
const BUS_MASTER: u16 = 1 << 2;
/// The status register's bit for a card that asks for an interrupt (PCI 3.0, section 6.2.3).
const INTERRUPT: u16 = 1 << 3;

/// What [`text::NEXT_DEVICE`](crate::text::NEXT_DEVICE) or the stub before our image said of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// KiB of free base memory, by the BIOS data area.
    pub mark_kib: u16,
    /// The same by INT 12h.
    pub int_12: u16,
    /// The interrupt lines that are masked, IRQ 0 in bit 0.
    pub masks: u16,
    /// Those whose interrupts are in service.
    pub service: u16,
    /// A sum of the interrupt table.
    pub vectors: u16,
    /// The vectors that lead into base memory, and where they lead.
    pub hooks: Vec<(u8, u32)>,
    /// The entries of the memory map below 1 MiB: start, length, kind.
    pub low_map: Vec<(u32, u32, u16)>,
    /// A sum of the whole map.
    pub map: u16,
    /// The network card's command register.
    pub command: u16,
    /// Its status register.
    pub status: u16,
    /// Its interrupt line.
    pub line: u8,
}

impl State {
    /// What `who` said.
    pub fn said_by(transcript: &Transcript, who: &str) -> Result<Self> {
        let text = transcript.between(&format!("RIG-MARK {who}"), ";");
        let text = text.ok_or_else(|| Failure(format!("{who} says nothing of its state")))?;
        Self::parse(&text).ok_or_else(|| Failure(format!("{who} says of its state only {text}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let all = |name: &str| text.split(&format!("{name}=")).skip(1).map(str::to_owned).collect::<Vec<_>>();
        let word = |name: &str| u16::from_str_radix(all(name).first()?.get(..4)?, 16).ok();
        let hook =
            |text: &String| Some((u8::try_from(number(text.get(..4)?)?).ok()?, number(text.get(4..12)?)?));
        let entry = |text: &String| {
            let kind = u16::from_str_radix(text.get(16..20)?, 16).ok()?;
            Some((number(text.get(..8)?)?, number(text.get(8..16)?)?, kind))
        };
        Some(Self {
            mark_kib: word("mark")?,
            int_12: word("int12")?,
            masks: word("masks")?,
            service: word("service")?,
            vectors: word("vectors")?,
            hooks: all("hook").iter().map(hook).collect::<Option<_>>()?,
            low_map: all("below-1m").iter().map(entry).collect::<Option<_>>()?,
            map: word("map")?,
            command: word("card")?,
            status: word("status")?,
            line: word("line")?.to_le_bytes()[0],
        })
    }

    /// Whether the card may write to memory.
    pub fn is_bus_master(&self) -> bool {
        self.command & BUS_MASTER != 0
    }

    fn asks_for_interrupt(&self) -> bool {
        self.status & INTERRUPT != 0
    }

    /// KiB of base memory that the map calls usable.
    pub fn map_kib(&self) -> Option<u32> {
        self.low_map
            .iter()
            .find(|(start, _, kind)| (*start, *kind) == (0, 1))
            .map(|(_, length, _)| length >> 10)
    }

    /// No vector leads into memory that is free, no interrupt is in service, and the card's does not come unasked.
    pub fn ensure_settled(&self) -> Result<()> {
        let free = u32::from(self.mark_kib) << 10;
        let stale = self.hooks.iter().find(|(_, place)| *place < free);
        ensure(stale.is_none(), || format!("a vector leads into free memory: {self:x?}"))?;
        ensure(self.int_12 == self.mark_kib, || format!("INT 12h and 0040:0013 differ: {self:x?}"))?;
        ensure(self.service == 0, || format!("an interrupt is in service: {self:x?}"))?;
        let is_masked = self.masks.checked_shr(self.line.into()).is_none_or(|masks| masks & 1 != 0);
        ensure(is_masked || !self.asks_for_interrupt(), || format!("the card's line is stuck: {self:x?}"))
    }

    /// The same, and the card does nothing.
    pub fn ensure_quiet(&self) -> Result<()> {
        self.ensure_settled()?;
        ensure(!self.is_bus_master(), || format!("the card is a bus master: {self:x?}"))?;
        ensure(!self.asks_for_interrupt(), || format!("the card asks for an interrupt: {self:x?}"))
    }

    /// Memory and vectors are as `before`.
    pub fn ensure_kept(&self, before: &Self) -> Result<()> {
        let facts = |state: &Self| {
            let Self { mark_kib, vectors, map, hooks, low_map, .. } = state.clone();
            (mark_kib, vectors, map, hooks, low_map)
        };
        ensure(facts(self) == facts(before), || format!("{before:x?} has become {self:x?}"))
    }

    /// Of the vectors, some may have been taken off since `before`, and none was put on or leads elsewhere.
    pub fn ensure_no_new_hook(&self, before: &Self) -> Result<()> {
        let new = self.hooks.iter().find(|hook| !before.hooks.contains(hook));
        ensure(new.is_none(), || format!("{before:x?} has got hooks: {self:x?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &[u8] = b"RIG-MARK me mark=0271 int12=0271 masks=8eb8 service=0001 vectors=f8d5 hook=0015 0009c400 \
        hook=001a0009d000 below-1m=000000000009c4000001 below-1m=0009c40000003c000002 map=cc0f card=0107 status=0018 \
        line=010a;";

    #[test]
    fn a_state_is_read() {
        let transcript = Transcript::default();
        transcript.add(SAID);
        let state = State::said_by(&transcript, "me").unwrap();
        assert_eq!((state.mark_kib, state.int_12, state.masks, state.service), (625, 625, 0x8eb8, 1));
        assert_eq!(state.hooks, [(0x15, 0x9c400), (0x1a, 0x9d000)]);
        assert_eq!(state.low_map, [(0, 0x9c400, 1), (0x9c400, 0x3c00, 2)]);
        assert_eq!(
            (state.map_kib(), state.map, state.command, state.status),
            (Some(625), 0xcc0f, 0x107, 0x18)
        );
        assert!(State::said_by(&transcript, "you").is_err());
        assert!(State::parse("mark=0271").is_none());
    }

    #[test]
    fn what_still_acts_is_noticed() {
        let transcript = Transcript::default();
        transcript.add(SAID);
        let state = State::said_by(&transcript, "me").unwrap();
        let quiet = State { service: 0, command: 3, status: 0x10, ..state.clone() };
        quiet.ensure_quiet().unwrap();
        assert!(State { service: 1, ..quiet.clone() }.ensure_quiet().is_err());
        assert!(State { command: 7, ..quiet.clone() }.ensure_quiet().is_err());
        let asking = State { status: 0x18, ..quiet.clone() };
        assert!(asking.ensure_quiet().is_err());
        asking.ensure_settled().unwrap();
        assert!(State { masks: 0, ..asking }.ensure_settled().is_err());
        assert!(State { int_12: 639, ..quiet.clone() }.ensure_quiet().is_err());
        assert!(State { mark_kib: 626, int_12: 626, ..quiet.clone() }.ensure_quiet().is_err());
        quiet.ensure_kept(&state).unwrap();
        let more = State { hooks: vec![(0x15, 0x9c400), (0x1c, 0x9d000)], ..quiet.clone() };
        assert!(more.ensure_kept(&quiet).is_err() && more.ensure_no_new_hook(&quiet).is_err());
        let fewer = State { hooks: vec![(0x15, 0x9c400)], ..quiet.clone() };
        assert!(fewer.ensure_kept(&quiet).is_err());
        fewer.ensure_no_new_hook(&quiet).unwrap();
    }
}
