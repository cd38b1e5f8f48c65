//! The network card behind the vendor's UNDI.
//!
//! All decisions are here; [`Rom`] only carries them out. A ROM is called as little as it needs (field note A6): the
//! card is opened first, and started up and initialized only if that fails. Initializing is tried ten times, 200 ms
//! apart, from [`Nic::poll`]; until then the link counts as down.
//!
//! Frames are looked for by polling. If none has come 125 ms after the first was sent, the interrupt line is opened
//! as well (field note A2); after 250 ms UNDI_ISR PROCESS is tried without an interrupt, once for each time that the
//! card is opened, and kept only if it yields a frame (field note A1). A ROM whose START told of frames sent is not
//! tried so: it knows when there is something to do, and some lock up when PROCESS comes unasked.
//!
//! A card that has received frames for us and then hears nothing more, whatever is sent, is closed and opened again,
//! once for each silence (field note A21): a receiver that stopped because its buffers were full may wait for ever.
//! Seen with QEMU's eepro100, whose RU Resume does not take what has queued up meanwhile. If that does not help, the
//! card is shut down and initialized, once: not at first, as its link may go down for it, and a switch port with
//! spanning tree then stays closed for half a minute.

use crate::abi::{self, Information, InterfaceInfo, NicType, Opcode, PacketFilter, Status};
use crate::control::{RECEIVE_SLOTS, TRANSMIT_SLOTS};
use crate::errors;
use crate::find::Memory;
use crate::plan::Card;
use crate::quirks;
use alloc::string::{String, ToString};
use base::{Duration, Error, Instant, MacAddress, SegOff};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity};
use zerocopy::{FromZeros, IntoBytes};

/// Attempts at UNDI_INITIALIZE (field note A5).
const ATTEMPTS: u8 = 10;
/// The time between two of them.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(200);
/// A buffer that the ROM never said it had sent is used again after this.
const TRANSMIT_LIMIT: Duration = Duration::from_millis(200);
/// The longest that one downcall waits for a first frame.
const LINGER: Duration = Duration::from_millis(1);
/// How long one waits for another frame.
const QUIET: Duration = Duration::from_micros(60);
/// UNDI_ISR calls in one downcall (field note A10).
const CALLS: u16 = 512;
/// Silence after which the interrupt line is opened.
const SILENCE_LINE: Duration = Duration::from_millis(125);
/// Silence after which PROCESS is tried without OURS.
const SILENCE_PROCESS: Duration = Duration::from_millis(250);
/// Silence, and frames sent into it, after which the receiver is taken for stuck.
const SILENCE_STUCK: Duration = Duration::from_secs(3);
const SENT_INTO_SILENCE: u16 = 3;
const SILENCE_TRIES: u8 = 2;

/// What one downcall of the pump is to do.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Transmit slots to be sent, after those of the last order.
    pub transmit: u16,
    /// The most frames to be received.
    pub room: u16,
    /// How long to wait for the first frame.
    pub linger: Duration,
    /// How long to wait for another.
    pub quiet: Duration,
    /// The most calls of UNDI_ISR PROCESS and GET_NEXT.
    pub calls: u16,
    /// Call PROCESS without asking START.
    pub process_first: bool,
    /// Open the interrupt line.
    pub interrupts: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Frames received, into the slots after those of the last downcall.
    pub frames: u16,
    /// Frames or parts of frames that made no sense.
    pub dropped: u16,
    /// Frames that the ROM now says it has sent.
    pub completed: u16,
    /// Slots of the order that the ROM took, or refused for good.
    pub taken: u16,
    /// Bit n: the n-th of these was refused.
    pub refused: u16,
    /// Interrupts that were the card's.
    pub interrupts: u16,
    /// Too many interrupts were not: the line is masked for good.
    pub line_lost: bool,
    /// How often, since the start, a frame lay over the interrupt table, which was put back.
    pub restorations: u32,
}

/// The vendor's ROM, or a fake of it.
pub trait Rom: Memory {
    /// Calls the API. `parameters` begin with the status word; the block is copied below 1 MiB and back. An error
    /// means that the ROM is not to be called again.
    fn call(&mut self, opcode: Opcode, parameters: &mut [u8]) -> Result<Status, Error>;

    /// A buffer below 1 MiB for calls that copy something out; dead once frames are sent.
    fn scratch(&self) -> (SegOff, &[u8]);

    /// Makes another entry point the one that is called.
    fn set_entry(&mut self, entry: SegOff);

    /// Masks `line` and hooks its interrupt.
    fn hook(&mut self, line: u8);

    /// Takes the hook off, and leaves the line masked; false where somebody hooked the vector after us.
    fn unhook(&mut self) -> bool;

    /// Number of receive slots, at most 64.
    fn receive_slots(&self) -> usize;

    /// The frame in a receive slot.
    fn frame(&self, slot: usize) -> &[u8];

    /// Fills a transmit slot with `frame`, sent by `station`.
    fn load(&mut self, slot: usize, frame: &[u8], station: MacAddress) -> bool;

    /// Forgets what is in both rings: the next slots are the first ones.
    fn reset(&mut self);

    /// Moves frames. An error means that the ROM is not to be called again.
    fn pump(&mut self, order: &Order) -> Result<Outcome, Error>;
}

/// How frames are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// START says when there is something to do.
    Start,
    /// START needed the interrupt line open.
    Interrupt,
    /// PROCESS is called always.
    Process,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// INITIALIZE failed so many times; it is due again at that time, set by the first poll.
    Opening {
        attempts: u8,
        due: Option<Instant>,
    },
    Open,
    /// A call did not come back.
    Dead,
}

/// A network card driven through the vendor's UNDI.
pub struct UndiNic<R: Rom> {
    rom: R,
    identity: Identity,
    interrupt: Option<u8>,
    etherboot: bool,
    frames_ahead: u16,
    /// All frames are asked for: the only portable way to multicasts, by which a switch tells of itself (field note
    /// A11).
    promiscuous: bool,
    state: State,
    hooked: bool,
    mode: Mode,
    line_lost: bool,
    restorations: u32,
    process_tried: bool,
    /// START led to what was sent being reported.
    start_tells: bool,
    first_sent: Option<Instant>,
    heard: bool,
    /// A frame for our own address came, so what lies between lets them through.
    reached: bool,
    silence: Silence,
    receive: ReceiveRing,
    transmit: TransmitRing,
    counters: Counters,
}

/// What was sent since the last frame that came.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    since: Option<Instant>,
    sent: u16,
    /// How often the card was opened again because of it.
    tries: u8,
}

impl Silence {
    fn sent(&mut self, frames: u16, now: Instant) {
        if frames > 0 {
            self.since.get_or_insert(now);
            self.sent = self.sent.saturating_add(frames);
        }
    }

    fn is_suspicious(&self, now: Instant) -> bool {
        let long = self.since.is_some_and(|since| now.since(since) >= SILENCE_STUCK);
        long && self.sent >= SENT_INTO_SILENCE && self.tries < SILENCE_TRIES
    }
}

impl<R: Rom> UndiNic<R> {
    /// Asks the ROM what card it drives. Nothing is started yet.
    pub fn try_new(mut rom: R) -> Result<Self, Error> {
        let information = information(&mut rom)?;
        let permanent = station(&information.permanent_address);
        // Field note A13: the current address counts.
        let Some(mac) = station(&information.current_address).or(permanent) else {
            let shown = address(&information.current_address);
            return Err(errors::NO_ADDRESS.of(shown.to_string()));
        };
        let mtu = match information.mtu.get() {
            mtu @ 576..1500 => mtu,
            _ => 1500,
        };
        let pci = pci(&mut rom)?;
        let mut interface = InterfaceInfo::new_zeroed();
        let answer = rom.call(Opcode::GET_IFACE_INFO, interface.as_mut_bytes())?;
        let interrupt = match information.interrupt.get().to_le_bytes() {
            // Field note A4. IRQ 2 is the second controller, 0 the timer.
            [line @ (1 | 3..=15), 0] => Some(line),
            _ => None,
        };
        let permanent_mac = permanent.unwrap_or(mac);
        Ok(Self {
            receive: ReceiveRing::new(rom.receive_slots()),
            rom,
            identity: Identity { driver: "undionly", mac, permanent_mac, mtu, pci },
            interrupt,
            etherboot: answer == Status::SUCCESS && interface.kind.starts_with(b"Etherboot"),
            frames_ahead: quirks::frames_ahead(pci),
            promiscuous: true,
            state: State::Closed,
            hooked: false,
            mode: Mode::Start,
            line_lost: false,
            restorations: 0,
            process_tried: false,
            start_tells: false,
            first_sent: None,
            heard: false,
            reached: false,
            silence: Silence::default(),
            transmit: TransmitRing::default(),
            counters: Counters::default(),
        })
    }

    /// How frames are found, and why so, and what the card did besides.
    pub fn mode(&self) -> String {
        let how = match (self.mode, self.heard) {
            (Mode::Start, false) => "polling: no frame has come yet",
            (Mode::Start, true) => "polling: UNDI_ISR START reports frames",
            (Mode::Interrupt, _) => "interrupts: polling alone found no frame in 125 ms",
            (Mode::Process, _) => "polling with UNDI_ISR PROCESS: START reported no frame in 250 ms",
        };
        let line = match self.interrupt {
            None => ", no usable interrupt line".into(),
            Some(line) if self.line_lost => alloc::format!(", IRQ {line} masked: it fired without cause"),
            Some(line) => alloc::format!(", IRQ {line}"),
        };
        let harm = match self.restorations {
            0 => String::new(),
            times => {
                alloc::format!("; the card wrote frames over the interrupt table, times put back: {times}")
            }
        };
        [how, &line, &harm].concat()
    }

    /// Whether the ROM may be called: no call was abandoned.
    pub fn is_alive(&self) -> bool {
        self.state != State::Dead
    }

    /// The card's interrupt line, unless it was given up.
    pub fn line(&self) -> Option<u8> {
        self.interrupt.filter(|_| !self.line_lost)
    }

    /// What matters of the card when we leave it.
    pub(crate) fn card(&self) -> Card {
        Card { alive: self.is_alive(), hooked: self.hooked, etherboot: self.etherboot, line: self.interrupt }
    }

    /// The ROM, for calls while the card is closed.
    pub fn rom(&mut self) -> &mut R {
        &mut self.rom
    }

    /// Makes the ROM let go of the card, for another driver; [`Nic::open`] takes it back.
    pub fn shut_down(&mut self) {
        self.close();
        // The base code may have it open still. Refusals change nothing: the other driver resets the card.
        for opcode in [Opcode::CLOSE, Opcode::SHUTDOWN] {
            let _ = self.simple(opcode);
        }
    }

    /// A call that is not followed by others if it does not come back.
    fn call(&mut self, opcode: Opcode, parameters: &mut [u8]) -> Result<Status, Error> {
        let answer = self.rom.call(opcode, parameters);
        if answer.is_err() {
            self.state = State::Dead;
        }
        answer
    }

    fn simple(&mut self, opcode: Opcode) -> Result<Status, Error> {
        self.call(opcode, &mut [0; 2])
    }

    fn undi_open(&mut self) -> Result<Status, Error> {
        let mut open = abi::Open::new_zeroed();
        let mut filter = PacketFilter::DIRECTED | PacketFilter::BROADCAST;
        filter.set(PacketFilter::PROMISCUOUS, self.promiscuous);
        open.filter = filter.bits().into();
        self.call(Opcode::OPEN, open.as_mut_bytes())
    }

    /// One attempt; `Ok(None)` when the card is open, else what failed and may work later.
    fn initialize(&mut self) -> Result<Option<(Opcode, Status)>, Error> {
        let answer = self.call(Opcode::INITIALIZE, abi::Initialize::new_zeroed().as_mut_bytes())?;
        if answer != Status::SUCCESS {
            return Ok(Some((Opcode::INITIALIZE, answer)));
        }
        let answer = self.undi_open()?;
        // What it refuses may be the filter.
        self.promiscuous &= answer == Status::SUCCESS;
        Ok((answer != Status::SUCCESS).then_some((Opcode::OPEN, answer)))
    }

    fn opened(&mut self) {
        self.state = State::Open;
        self.mode = Mode::Start;
        self.process_tried = false;
        self.line_lost = false;
        self.first_sent = None;
        self.heard = false;
        self.reached = false;
        self.silence = Silence::default();
        self.receive = ReceiveRing::new(self.rom.receive_slots());
        self.transmit = TransmitRing::default();
        self.rom.reset();
    }

    fn retry(&mut self, now: Instant, attempts: u8, due: Option<Instant>) -> Result<(), Error> {
        match due {
            None => {
                self.state = State::Opening { attempts, due: Some(now + ATTEMPT_INTERVAL) };
                return Ok(());
            }
            Some(due) if now < due => return Ok(()),
            Some(_) => {}
        }
        match self.initialize()? {
            None => self.opened(),
            Some((call, status)) if attempts.saturating_add(1) >= ATTEMPTS => {
                self.close();
                return Err(errors::refused(&errors::NOT_STARTED, call, status));
            }
            Some(_) => {
                let due = Some(now + ATTEMPT_INTERVAL);
                self.state = State::Opening { attempts: attempts.saturating_add(1), due };
            }
        }
        Ok(())
    }

    /// One downcall, unless there is nothing to gain from it.
    fn pump(&mut self, now: Instant, until: Instant) -> Result<(), Error> {
        self.transmit.expire(now);
        let room = self.receive.room();
        let waiting = self.receive.pending > 0;
        if self.transmit.queued == 0 && (waiting || room == 0) {
            return Ok(());
        }
        let silence = match self.first_sent {
            Some(sent) if !self.heard => now.since(sent),
            _ => Duration::ZERO,
        };
        if silence >= SILENCE_LINE && self.interrupt.is_some() && self.mode == Mode::Start {
            self.mode = Mode::Interrupt;
        }
        let trial = silence >= SILENCE_PROCESS && !self.process_tried && !self.start_tells;
        self.process_tried |= trial;
        // With all slots taken there is more to send; a ROM that has yet to send what it took is given time.
        let is_full = usize::from(self.transmit.queued) == TRANSMIT_SLOTS;
        let linger = if waiting || trial || is_full { Duration::ZERO } else { until.since(now).min(LINGER) };
        let order = Order {
            transmit: self.transmit.queued,
            room,
            linger,
            quiet: QUIET,
            calls: CALLS,
            process_first: trial || self.mode == Mode::Process,
            interrupts: self.mode == Mode::Interrupt,
        };
        let outcome = match self.rom.pump(&order) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.state = State::Dead;
                return Err(error);
            }
        };
        self.receive.filled(outcome.frames);
        let (sent, failed) = self.transmit.taken(&outcome, now);
        if sent > 0 {
            self.first_sent.get_or_insert(now);
        }
        self.counters.sent = self.counters.sent.saturating_add(sent.into());
        self.counters.send_errors = self.counters.send_errors.saturating_add(failed.into());
        self.counters.received = self.counters.received.saturating_add(outcome.frames.into());
        self.counters.receive_drops = self.counters.receive_drops.saturating_add(outcome.dropped.into());
        self.line_lost = outcome.line_lost;
        self.restorations = outcome.restorations;
        self.start_tells |= outcome.completed > 0 && !order.process_first;
        if outcome.frames > 0 && !self.heard {
            self.heard = true;
            if trial {
                self.mode = Mode::Process;
            } else if outcome.interrupts == 0 {
                // They came although the line was silent.
                self.mode = Mode::Start;
            }
        }
        if outcome.frames > 0 {
            self.silence = Silence::default();
        } else {
            self.silence.sent(sent, now);
        }
        if self.reached && self.silence.is_suspicious(now) {
            self.reopen()?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let tries = self.silence.tries + 1;
        self.simple(Opcode::CLOSE)?;
        self.state = State::Closed;
        if tries == 1 {
            self.open()?;
        } else {
            self.simple(Opcode::SHUTDOWN)?;
            self.start()?;
        }
        self.silence.tries = tries;
        self.reached = true;
        Ok(())
    }

    /// Initializes and opens the card, now or in later polls.
    fn start(&mut self) -> Result<(), Error> {
        if self.initialize()?.is_none() {
            self.opened();
            return Ok(());
        }
        self.simple(Opcode::STARTUP)?;
        self.state = State::Opening { attempts: 1, due: None };
        Ok(())
    }
}

impl<R: Rom> Nic for UndiNic<R> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        match self.state {
            State::Open | State::Opening { .. } => return Ok(()),
            State::Dead => return Err(errors::HANGS.of("an earlier call")),
            State::Closed => {}
        }
        if let (Some(line), false) = (self.interrupt, self.hooked) {
            self.rom.hook(line);
            self.hooked = true;
        }
        if self.undi_open()? == Status::SUCCESS {
            self.opened();
            return Ok(());
        }
        // It may have been open already, or not even started.
        self.simple(Opcode::CLOSE)?;
        if self.undi_open()? == Status::SUCCESS {
            self.opened();
            return Ok(());
        }
        self.start()
    }

    fn close(&mut self) {
        if matches!(self.state, State::Open | State::Opening { .. }) {
            self.state = State::Closed;
            // A ROM that yielded nothing is set up from the start the next time (field note A21).
            let barren = self.first_sent.is_some() && !self.heard;
            if self.simple(Opcode::CLOSE).is_ok() && barren {
                // What it answers changes nothing: it is opened anew in any case.
                drop(self.simple(Opcode::SHUTDOWN));
            }
        }
        if self.hooked {
            self.hooked = !self.rom.unhook();
        }
    }

    fn link(&mut self) -> Link {
        if self.state == State::Open { Link::Unknown } else { Link::Down }
    }

    fn poll(&mut self, now: Instant, until: Instant) -> Result<(), Error> {
        match self.state {
            State::Closed | State::Dead => Ok(()),
            State::Opening { attempts, due } => self.retry(now, attempts, due),
            State::Open => self.pump(now, until),
        }
    }

    fn receive(&mut self) -> Option<&[u8]> {
        let slot = self.receive.take()?;
        let frame = self.rom.frame(slot);
        self.reached |= frame.starts_with(&self.identity.mac.0);
        Some(frame)
    }

    fn can_transmit(&self) -> bool {
        self.state == State::Open && self.transmit.free_slot().is_some()
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        let slot = match self.transmit.free_slot() {
            Some(slot) if self.state == State::Open && frame.len() <= FRAME_CAPACITY => slot,
            _ => return false,
        };
        let loaded = self.rom.load(slot, frame, self.identity.mac);
        self.transmit.queued += u16::from(loaded);
        loaded
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        self.frames_ahead
    }
}

/// After a drop the card writes to no memory of ours.
impl<R: Rom> Drop for UndiNic<R> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The receive slots: filled in a circle by the pump, emptied in the same order.
struct ReceiveRing {
    count: usize,
    next: usize,
    pending: usize,
}

impl ReceiveRing {
    fn new(count: usize) -> Self {
        Self { count: count.min(RECEIVE_SLOTS), next: 0, pending: 0 }
    }

    /// Slots that may be written. A lent frame is dead by the next poll, so its slot counts as free.
    fn room(&self) -> u16 {
        u16::try_from(self.count.saturating_sub(self.pending)).unwrap_or(0)
    }

    fn filled(&mut self, frames: u16) {
        self.pending = self.pending.saturating_add(frames.into()).min(self.count);
    }

    fn take(&mut self) -> Option<usize> {
        self.pending = self.pending.checked_sub(1)?;
        let slot = self.next;
        self.next = if slot + 1 >= self.count { 0 } else { slot + 1 };
        Some(slot)
    }
}

/// The transmit slots, in a circle: in flight from `oldest`, then queued, then free.
#[derive(Default)]
struct TransmitRing {
    oldest: usize,
    in_flight: u16,
    queued: u16,
    /// The ROM did not take all that was queued. More is not handed in then: a newer acknowledgement takes the place of
    /// one that waits above us.
    is_slow: bool,
    sent_at: [Instant; TRANSMIT_SLOTS],
    /// Slots that were used again without a word from the ROM: the word may still come, and is not for others.
    late: u16,
    late_since: Instant,
}

impl TransmitRing {
    fn slot(&self, distance: u16) -> usize {
        (self.oldest + usize::from(distance)) % TRANSMIT_SLOTS
    }

    fn free_slot(&self) -> Option<usize> {
        let used = self.in_flight + self.queued;
        (usize::from(used) < TRANSMIT_SLOTS && !self.is_slow).then(|| self.slot(used))
    }

    fn retire(&mut self) {
        self.oldest = self.slot(1);
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn expire(&mut self, now: Instant) {
        while self.in_flight > 0 {
            let sent = self.sent_at.get(self.oldest).copied().unwrap_or_default();
            if now.since(sent) < TRANSMIT_LIMIT {
                break;
            }
            self.retire();
            self.late = self.late.saturating_add(1);
            self.late_since = now;
        }
        // A word that is ten times too late will not come.
        if now.since(self.late_since) >= TRANSMIT_LIMIT.times(10) {
            self.late = 0;
        }
    }

    /// Takes in what the pump did at `now`; returns how many frames were sent, and how many were refused.
    fn taken(&mut self, outcome: &Outcome, now: Instant) -> (u16, u16) {
        let taken = outcome.taken.min(self.queued);
        for distance in self.in_flight..self.in_flight + taken {
            let slot = self.slot(distance);
            if let Some(sent_at) = self.sent_at.get_mut(slot) {
                *sent_at = now;
            }
        }
        self.in_flight += taken;
        self.queued -= taken;
        self.is_slow = self.queued > 0;
        let mut completed = outcome.completed;
        let late = self.late.min(completed);
        self.late -= late;
        completed -= late;
        for _ in 0..completed.min(self.in_flight) {
            self.retire();
        }
        let refused = u16::try_from(outcome.refused.count_ones()).unwrap_or(0).min(taken);
        (taken - refused, refused)
    }
}

/// UNDI_GET_INFORMATION, with the card started first where the ROM wants that.
fn information<R: Rom>(rom: &mut R) -> Result<Information, Error> {
    let mut information = Information::new_zeroed();
    let mut answer = rom.call(Opcode::GET_INFORMATION, information.as_mut_bytes())?;
    if answer != Status::SUCCESS {
        rom.call(Opcode::STARTUP, &mut [0; 2])?;
        rom.call(Opcode::INITIALIZE, abi::Initialize::new_zeroed().as_mut_bytes())?;
        information = Information::new_zeroed();
        answer = rom.call(Opcode::GET_INFORMATION, information.as_mut_bytes())?;
    }
    if answer == Status::SUCCESS {
        Ok(information)
    } else {
        Err(errors::refused(&errors::REFUSED, Opcode::GET_INFORMATION, answer))
    }
}

/// Where the card sits. A ROM that leaves the type as it was is taken for a PCI card's (field note A9).
fn pci<R: Rom>(rom: &mut R) -> Result<Option<PciIdentity>, Error> {
    let mut kind = NicType { kind: abi::NIC_UNSET, ..NicType::default() };
    let answer = rom.call(Opcode::GET_NIC_TYPE, kind.as_mut_bytes())?;
    let sound = answer == Status::SUCCESS
        && matches!(kind.kind, abi::NIC_PCI | abi::NIC_UNSET)
        && !matches!(kind.vendor.get(), 0 | 0xffff);
    Ok(sound.then(|| PciIdentity {
        bus_device_function: kind.bus_device_function.get(),
        vendor: kind.vendor.get(),
        device: kind.device.get(),
    }))
}

fn address(bytes: &[u8; 16]) -> MacAddress {
    MacAddress(bytes.first_chunk().copied().unwrap_or_default())
}

fn station(bytes: &[u8; 16]) -> Option<MacAddress> {
    Some(address(bytes)).filter(|mac| mac.is_unicast())
}

#[cfg(test)]
mod tests;
