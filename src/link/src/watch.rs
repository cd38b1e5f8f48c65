//! Why a switch may not be forwarding yet, as far as its own frames tell.
//!
//! Nothing is answered: a port that authenticates by the card's address (MAB) goes wrong when a supplicant seems to
//! be there (field note B7).

use base::{Duration, Instant};

/// What keeps the switch's port from forwarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Spanning tree: the port is listening or learning (IEEE 802.1D, 802.1w).
    SpanningTree,
    /// Link aggregation: the port is not part of an aggregate yet (LACP, IEEE 802.1AX).
    Aggregation,
    /// Authentication: the switch asks who we are (IEEE 802.1X).
    Authentication,
}

impl Reason {
    /// It in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::SpanningTree => "the switch keeps this port closed (spanning tree)",
            Self::Aggregation => "the switch wants link aggregation (LACP)",
            Self::Authentication => "the switch asks for 802.1X authentication",
        }
    }
}

/// A port of a switch that does not forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What keeps it.
    pub reason: Reason,
    /// When it should forward at the latest, if the switch's frames say so.
    pub until: Option<Instant>,
}

/// A hello is sent every 2 s; without one for this long what it said is void.
const SPANNING_TREE_MEMORY: Duration = Duration::from_secs(10);
/// Slow LACP frames come every 30 s, a request for identity at least every 60 s.
const SLOW_MEMORY: Duration = Duration::from_secs(90);

/// What was seen of the switch since the link came up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// An ordinary frame came through, so the port forwards, unless rapid spanning tree says otherwise.
    forwards: bool,
    block: Option<Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    reason: Reason,
    since: Instant,
    until: Option<Instant>,
    expires: Instant,
}

impl Watch {
    pub(crate) fn blocked(&self, now: Instant) -> Option<Blocked> {
        let block = self.block.filter(|block| now < block.expires)?;
        Some(Blocked { reason: block.reason, until: block.until })
    }

    /// A frame of some station behind the switch.
    pub(crate) fn ordinary(&mut self) {
        *self = Self { forwards: true, block: None };
    }

    /// An IEEE 802.3 frame: `body` begins with the LLC header.
    pub(crate) fn logical_link(&mut self, body: &[u8], now: Instant) {
        // 42 is spanning tree's service access point; Cisco's variant for each VLAN comes in a SNAP header.
        let bridge_data = body
            .strip_prefix(&[0x42, 0x42, 0x03])
            .or_else(|| body.strip_prefix(&[0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x01, 0x0b]));
        let Some(&[0, 0, _version, kind, flags, ..]) = bridge_data else {
            return;
        };
        let forward_delay = match bridge_data.and_then(|data| data.get(33)) {
            Some(seconds) => u64::from(*seconds).clamp(4, 30),
            None => 15,
        };
        let since = match self.block {
            Some(block) if block.reason == Reason::SpanningTree => block.since,
            _ => now,
        };
        // Listening and learning take a forward delay each (IEEE 802.1D-2004, 17.20).
        let until = since + Duration::from_secs(2 * forward_delay);
        match kind {
            // A configuration message of the old protocol does not tell the port's state.
            0 if !self.forwards => self.set(Reason::SpanningTree, since, Some(until), until),
            // IEEE 802.1D-2004, 9.3.3: bit 5 of the flags is "forwarding".
            2 if flags & 0x20 == 0 => {
                self.set(Reason::SpanningTree, since, Some(until), now + SPANNING_TREE_MEMORY);
            }
            2 => self.clear(Reason::SpanningTree),
            _ => {}
        }
    }

    /// A frame of the slow protocols: `body` begins with the subtype.
    pub(crate) fn slow_protocol(&mut self, body: &[u8], now: Instant) {
        const LACP: u8 = 1;
        // Byte 18 is the actor's state; 38 is synchronised, collecting and distributing (IEEE 802.1AX, 6.4.2.3).
        if let (Some(&LACP), Some(state)) = (body.first(), body.get(18)) {
            if state & 0x38 == 0x38 {
                self.clear(Reason::Aggregation);
            } else if !self.forwards {
                self.set(Reason::Aggregation, now, None, now + SLOW_MEMORY);
            }
        }
    }

    /// A frame of IEEE 802.1X: `body` begins with the version.
    pub(crate) fn authentication(&mut self, body: &[u8], now: Instant) {
        // Version, type (0 is EAP), length, EAP code (RFC 3748 section 4: 1 request, 3 success).
        match body {
            [_, 0, _, _, 1, ..] if !self.forwards => {
                self.set(Reason::Authentication, now, None, now + SLOW_MEMORY);
            }
            [_, 0, _, _, 3, ..] => self.clear(Reason::Authentication),
            _ => {}
        }
    }

    fn set(&mut self, reason: Reason, since: Instant, until: Option<Instant>, expires: Instant) {
        self.block = Some(Block { reason, since, until, expires });
    }

    fn clear(&mut self, reason: Reason) {
        if self.block.is_some_and(|block| block.reason == reason) {
            self.block = None;
        }
    }
}
