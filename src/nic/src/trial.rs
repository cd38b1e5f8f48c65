//! For the tests of drivers: what each must do with a card that is right, and bear with one that is not.

use crate::{FRAME_CAPACITY, FRAME_MINIMUM, Nic};
use alloc::vec;
use alloc::vec::Vec;
use base::Instant;

/// Has a driver receive bursts of so many frames, of all lengths, with a poll after each, and looks whether it shows all
/// of them in order. `deliver` is what the card does with a frame from the wire: false if it has no room.
pub fn receives_in_order<N: Nic>(
    nic: &mut N,
    bursts: &[usize],
    mut deliver: impl FnMut(&mut N, &[u8]) -> bool,
) {
    let (mut delivered, mut shown) = (0, 0);
    for burst in bursts {
        for _ in 0..*burst {
            assert!(deliver(nic, &numbered(delivered)), "no room for frame {delivered}");
            delivered += 1;
        }
        poll(nic);
        while let Some(frame) = nic.receive() {
            assert_eq!(frame, numbered(shown), "frame {shown}");
            shown += 1;
        }
        assert_eq!(shown, delivered);
    }
    assert_eq!(nic.counters().received, delivered as u64);
}

/// A frame with its number in it.
fn numbered(number: usize) -> Vec<u8> {
    let length = FRAME_MINIMUM + number * 37 % (FRAME_CAPACITY - FRAME_MINIMUM + 1);
    number.to_le_bytes().into_iter().chain((0..=u8::MAX).cycle()).take(length).collect()
}

/// Looks whether as many frames as the driver promises find room between two polls, again and again.
pub fn holds_what_it_promises<N: Nic>(nic: &mut N, mut deliver: impl FnMut(&mut N, &[u8]) -> bool) {
    for _ in 0..9 {
        for number in 0..nic.frames_ahead() {
            assert!(deliver(nic, &[0; FRAME_CAPACITY]), "no room for frame {number}");
        }
        poll(nic);
        while nic.receive().is_some() {}
    }
}

/// Has a driver send as many frames as it takes, which is to be `room`, again and again, and looks whether they leave
/// padded and in order, and are counted. `sent` is what the card has sent since it was called last.
pub fn sends_padded<N: Nic>(nic: &mut N, room: usize, mut sent: impl FnMut(&mut N) -> Vec<Vec<u8>>) {
    for round in 1..6 {
        let mut taken = 0;
        while nic.transmit(&[taken; 20]) {
            taken += 1;
        }
        assert_eq!((usize::from(taken), nic.can_transmit()), (room, false));
        let expected: Vec<_> = (0..taken).map(|number| [vec![number; 20], vec![0; 40]].concat()).collect();
        assert_eq!(sent(nic), expected);
        poll(nic);
        assert_eq!((nic.counters().sent, nic.can_transmit()), (u64::from(taken) * round, true));
    }
}

/// Does with a card what a stack may do, a thing for each of `steps`, in whatever order, and `before` each. No frame may
/// be longer than [`FRAME_CAPACITY`].
pub fn try_out<N: Nic>(nic: &mut N, steps: &[u8], mut before: impl FnMut(&mut N)) {
    const MORE_THAN_ANY_RING_HAS: usize = 300;
    for step in steps {
        before(nic);
        // Errors are as right as successes: what counts is that nothing panics or hangs.
        match step % 5 {
            0 => _ = nic.poll(Instant::ZERO, Instant::ZERO),
            1 => {
                for _ in 0..MORE_THAN_ANY_RING_HAS {
                    let length = nic.receive().map_or(0, <[u8]>::len);
                    assert!(length <= FRAME_CAPACITY, "a frame of {length} bytes");
                }
            }
            2 => _ = nic.transmit(&[0; 1514]),
            3 => _ = nic.link(),
            _ => {
                nic.close();
                _ = nic.open();
            }
        }
    }
}

/// Opens a card, does with it what [`try_out`] does, and closes it: whatever it says, it has an address that a station
/// can have, and when it is not open it neither has the bus nor transfers.
pub fn try_all<N: Nic>(
    nic: &mut N,
    steps: &[u8],
    has_bus: impl Fn(&N) -> bool,
    mut before: impl FnMut(&mut N),
) {
    assert!(!has_bus(nic), "a card has the bus before it is opened");
    assert!(nic.identity().mac.is_unicast());
    before(nic);
    _ = nic.open();
    try_out(nic, steps, &mut before);
    before(nic);
    nic.close();
    assert!(!has_bus(nic), "a closed card has the bus");
    assert!(nic.receive().is_none() && !nic.transmit(&[0; 60]), "a closed card transfers");
}

fn poll(nic: &mut impl Nic) {
    let polled = nic.poll(Instant::ZERO, Instant::ZERO);
    assert!(polled.is_ok(), "{polled:?}");
}
