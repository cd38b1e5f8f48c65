//! The contract between a network card's driver and the network stack.
//!
//! A driver is polled. It owns its receive and transmit buffers; frames are lent to the stack as slices and never
//! allocated one by one. Frames are Ethernet frames without the frame check sequence.
#![no_std]

extern crate alloc;

pub mod errors;
pub mod ring;
#[cfg(not(target_os = "none"))]
mod trial;

#[cfg(not(target_os = "none"))]
pub use trial::{holds_what_it_promises, receives_in_order, sends_padded, try_all, try_out};

use alloc::string::ToString;
use base::{Error, Instant, MacAddress};

/// The most bytes of an Ethernet frame that every driver takes and may deliver: 14 header, 1500 payload, 4 VLAN tag.
pub const FRAME_CAPACITY: usize = 1518;

/// The fewest bytes of a frame on the wire. Drivers pad what they send to this (field note A7).
pub const FRAME_MINIMUM: usize = 60;

/// Copies `frame` to the beginning of `room`, with zeros after it up to [`FRAME_MINIMUM`]; how long it is then. None, and
/// nothing is copied, if it is longer than [`FRAME_CAPACITY`] or than `room`.
pub fn put_padded(frame: &[u8], room: &mut [u8]) -> Option<usize> {
    let length = frame.len().max(FRAME_MINIMUM);
    let target = room.get_mut(..length).filter(|_| frame.len() <= FRAME_CAPACITY)?;
    let (head, padding) = target.split_at_mut_checked(frame.len())?;
    head.copy_from_slice(frame);
    padding.fill(0);
    Some(length)
}

/// What a card is, for people and for settings.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The driver's name: `undionly`, `e1000`.
    pub driver: &'static str,
    /// The address in use.
    pub mac: MacAddress,
    /// The address burnt in; differs where a management controller gives the card another (field note A13).
    pub permanent_mac: MacAddress,
    /// The largest IP packet.
    pub mtu: u16,
    /// Where the card sits and what it is, if it is on PCI.
    pub pci: Option<PciIdentity>,
}

impl Identity {
    /// Of a card on PCI whose address is not known yet.
    pub fn new(driver: &'static str, pci: PciIdentity) -> Self {
        let mac = MacAddress([0; 6]);
        Self { driver, mac, permanent_mac: mac, mtu: 1500, pci: Some(pci) }
    }

    /// Takes the address that the card has. One that no station can have is refused ([`errors::NO_ADDRESS`]).
    pub fn set_address(&mut self, mac: MacAddress) -> Result<(), Error> {
        if !mac.is_unicast() {
            return Err(errors::NO_ADDRESS.of(mac.to_string()));
        }
        (self.mac, self.permanent_mac) = (mac, mac);
        Ok(())
    }
}

/// A card's place and kind on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciIdentity {
    /// Bus, device and function: `bbbbbbbb dddddfff`.
    pub bus_device_function: u16,
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
}

/// Whether frames can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The card cannot tell.
    Unknown,
    /// The cable is in.
    Up,
    /// It is not.
    Down,
}

/// Frames counted since the card was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Frames that the driver had to drop on their way in.
    pub receive_drops: u64,
    /// Frames that could not be sent.
    pub send_errors: u64,
}

/// A network card.
///
/// # Invariants
/// No method waits. After `close`, and after the value is dropped, the card writes to no memory of ours.
pub trait Nic {
    /// What the card is.
    fn identity(&self) -> &Identity;

    /// Makes the card ready to send and receive.
    fn open(&mut self) -> Result<(), Error>;

    /// Makes the card quiet.
    fn close(&mut self);

    /// Whether frames can pass.
    fn link(&mut self) -> Link;

    /// Moves frames between the card and the driver's buffers: bounded work, called once in each round of the loop.
    /// `until` is when the caller next has something to do of its own: a driver whose poll is dear may stay in it
    /// until a frame arrives or that time has come; a millisecond at most where it took all frames that it could, as
    /// more may wait.
    fn poll(&mut self, now: Instant, until: Instant) -> Result<(), Error>;

    /// Whether there may be a received frame, cheap enough to be asked without end while one is waited for.
    fn may_have_received(&self) -> bool {
        true
    }

    /// The next received frame; valid until the next call.
    fn receive(&mut self) -> Option<&[u8]>;

    /// Whether [`transmit`](Self::transmit) would take a frame now.
    fn can_transmit(&self) -> bool;

    /// Takes a copy of `frame` to be sent, at the latest by the next `poll`; false if there is no room.
    fn transmit(&mut self, frame: &[u8]) -> bool;

    /// What was counted so far.
    fn counters(&self) -> Counters;

    /// How many frames may come between two polls. More may be lost, so servers are not to send more ahead.
    fn frames_ahead(&self) -> u16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_padded_and_those_that_do_not_fit_are_not_copied() {
        let mut room = [7; 2048];
        assert_eq!(put_padded(&[1; 20], &mut room), Some(60));
        assert_eq!((&room[..20], &room[20..60], room[60]), (&[1; 20][..], &[0; 40][..], 7));
        assert_eq!(put_padded(&[2; FRAME_CAPACITY], &mut room), Some(FRAME_CAPACITY));
        assert_eq!(put_padded(&[3; FRAME_CAPACITY + 1], &mut room), None);
        assert_eq!(put_padded(&[3; 61], &mut room[..60]), None);
        assert_eq!(put_padded(&[3; 20], &mut room[..59]), None);
        assert_eq!(room[0], 2);
    }
}
