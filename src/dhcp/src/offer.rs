//! Who offered what, and which offer is taken.
//!
//! The rule for offers with an address: servers that have not failed us in this exchange come first; then the highest
//! 175.1 priority; then an offer that names a boot file (other than our own image); then the one that came first.
//! Among proxyDHCP offers the same rule chooses one. Whose file is booted in the end is decided by
//! [`Lease::set_proxy`](crate::Lease::set_proxy).

use crate::packet::Packet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// The most offers that are kept.
const CAPACITY: usize = 16;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The server's identifier, or where the packet came from if it names none.
    pub server: Ipv4Addr,
    /// The address offered; none from a proxyDHCP server.
    pub address: Option<Ipv4Addr>,
    /// The boot file; may be empty.
    pub file: String,
    /// Whether it is from a proxyDHCP server.
    pub proxy: bool,
    /// Whether it won.
    pub chosen: bool,
    /// Why it won or lost, a few words; empty while that is open.
    pub reason: &'static str,
    /// The packet.
    pub packet: Packet,
    /// Whether it names a file that is worth something.
    pub(crate) names_file: bool,
    /// Whether there is nothing more to wait for once it is there.
    pub(crate) ends_wait: bool,
    /// Whether it belongs to the present round.
    pub(crate) live: bool,
    /// How often the server has failed us.
    pub(crate) failures: u8,
}

/// Worth of an offer, the greater the better, with the reasons for which a greater one wins and a lesser one loses.
type Worth = [(i16, &'static str, &'static str); 3];

impl Offer {
    fn worth(&self) -> Worth {
        [
            (-i16::from(self.failures), "the others failed before", "failed before"),
            (i16::from(self.packet.priority()), "has the highest priority", "has a lower priority"),
            (i16::from(self.names_file), "names a boot file", "names no boot file"),
        ]
    }

    /// The first point in which the two differ: the difference, and this one's reason.
    fn compare(&self, other: &Self) -> (i16, &'static str) {
        for ((mine, wins, loses), (theirs, ..)) in self.worth().into_iter().zip(other.worth()) {
            if mine != theirs {
                return (mine.saturating_sub(theirs), if mine > theirs { wins } else { loses });
            }
        }
        (0, "")
    }
}

/// Puts an offer into the table, in the place of an earlier one of the same server.
pub(crate) fn record(offers: &mut Vec<Offer>, mut offer: Offer) {
    if let Some(old) = offers.iter_mut().find(|old| old.server == offer.server && old.proxy == offer.proxy) {
        offer.failures = old.failures;
        *old = offer;
    } else if offers.len() < CAPACITY {
        offers.push(offer);
    }
}

/// Chooses among the live offers that are (not) from a proxy, and writes down why. Returns the winner's place.
pub(crate) fn choose(offers: &mut [Offer], proxy: bool) -> Option<usize> {
    let eligible = |offer: &Offer| offer.live && offer.proxy == proxy;
    let best = |offers: &[Offer], without: Option<usize>| {
        let mut best: Option<(usize, &Offer)> = None;
        for (place, offer) in offers.iter().enumerate() {
            let better = best.is_none_or(|(_, best)| offer.compare(best).0 > 0);
            if eligible(offer) && Some(place) != without && better {
                best = Some((place, offer));
            }
        }
        best.map(|(place, _)| place)
    };
    let winner = best(offers, None)?;
    let second = best(offers, Some(winner));
    let chosen = offers.get(winner)?.clone();
    let reason = match second.and_then(|place| offers.get(place)) {
        None => "is the only one",
        Some(second) => match chosen.compare(second) {
            (0, _) => "answered first",
            (_, reason) => reason,
        },
    };
    for (place, offer) in offers.iter_mut().enumerate().filter(|(_, offer)| eligible(offer)) {
        offer.chosen = place == winner;
        offer.reason = match offer.compare(&chosen) {
            _ if place == winner => reason,
            (0, _) => "answered later",
            (_, reason) => reason,
        };
    }
    Some(winner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Builder, Header};
    use alloc::vec;

    fn offer(server: u8, priority: u8, names_file: bool) -> Offer {
        let mut builder = Builder::new(&Header::default(), b"", b"");
        builder.option(175, &[1, 1, priority]);
        Offer {
            server: Ipv4Addr::new(10, 0, 0, server),
            address: Some(Ipv4Addr::new(10, 0, 0, 100)),
            file: String::new(),
            proxy: false,
            chosen: false,
            reason: "",
            packet: Packet::parse(&builder.finish()).unwrap(),
            names_file,
            ends_wait: false,
            live: true,
            failures: 0,
        }
    }

    #[test]
    fn priority_beats_a_file_beats_coming_first() {
        let mut offers =
            vec![offer(1, 0, false), offer(2, 0, true), offer(3, 5, false), offer(4, 0x80, true)];
        assert_eq!(choose(&mut offers, false), Some(2));
        let reasons: Vec<_> = offers.iter().map(|offer| offer.reason).collect();
        let lower = "has a lower priority";
        assert_eq!(reasons, [lower, lower, "has the highest priority", lower]);
        offers.remove(2);
        assert_eq!(choose(&mut offers, false), Some(1));
        assert_eq!((offers[0].reason, offers[1].reason), ("names no boot file", "names a boot file"));
        assert!(offers[1].chosen && !offers[0].chosen);
    }

    #[test]
    fn equals_are_taken_in_order_and_failures_put_last() {
        let mut offers = vec![offer(1, 0, true), offer(2, 0, true)];
        assert_eq!(choose(&mut offers, false), Some(0));
        assert_eq!((offers[0].reason, offers[1].reason), ("answered first", "answered later"));
        offers[0].failures = 1;
        assert_eq!(choose(&mut offers, false), Some(1));
        assert_eq!((offers[0].reason, offers[1].reason), ("failed before", "the others failed before"));
        offers[1].live = false;
        assert_eq!(choose(&mut offers, false), Some(0));
        assert_eq!(offers[0].reason, "is the only one");
        assert_eq!(choose(&mut offers, true), None);
    }

    #[test]
    fn the_table_is_bounded_and_repeats_replace() {
        let mut offers = Vec::new();
        for server in 0..40 {
            record(&mut offers, offer(server, 0, false));
        }
        assert_eq!(offers.len(), CAPACITY);
        offers[3].failures = 2;
        record(&mut offers, offer(3, 9, true));
        assert_eq!(offers.len(), CAPACITY);
        assert_eq!((offers[3].failures, offers[3].packet.priority()), (2, 9));
    }
}
