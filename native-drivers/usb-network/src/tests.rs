//! The driver against a controller and devices of the tests: right ones, and some that do what they like.

extern crate std;
mod messages;

use super::*;
use alloc::vec;
use proptest::prelude::*;
use trial::card::{self, Card, Gadget};
use trial::{PCI, shared::Shared};

const MAC: [u8; 6] = [0x40, 0x54, 0, 0x12, 0x34, 0x56];

type Driver = UsbNetwork<Card, Shared>;

/// A driver for the devices on the ports of a controller that `prepare` makes special.
fn try_driver(
    gadgets: Vec<Option<Gadget>>,
    prepare: impl FnOnce(&mut Card),
) -> Result<Driver, (Error, Vec<(u32, u32)>)> {
    let memory = Shared::new(MEMORY);
    let mut card = Card::new(&memory, gadgets);
    let writes = card.writes.clone();
    prepare(&mut card);
    UsbNetwork::try_new(card, memory, PCI).map_err(|error| (error, writes.borrow().clone()))
}

fn driver_of(gadget: Gadget) -> Driver {
    let mut driver = try_driver(vec![None, Some(gadget)], |_| ()).unwrap();
    driver.open().unwrap();
    driver
}

fn driver() -> Driver {
    driver_of(Gadget::adapter(speed::HIGH, 512))
}

fn card(driver: &mut Driver) -> &mut Card {
    &mut driver.controller.device
}

fn poll(driver: &mut Driver) -> Result<(), Error> {
    driver.poll(Instant::ZERO, Instant::ZERO)
}

#[test]
fn the_first_adapter_is_found_and_left_quiet() {
    for (has_large_contexts, own_pages) in [(false, 0), (true, 7), (false, 256)] {
        let mut driver = try_driver(vec![None, Some(Gadget::adapter(speed::HIGH, 512))], |card| {
            card.has_large_contexts = has_large_contexts;
            card.own_pages = own_pages;
        })
        .unwrap();
        assert_eq!((driver.identity().mac, driver.identity().mtu), (MacAddress(MAC), 1500));
        assert!(card(&mut driver).is_quiet());
        assert_eq!(driver.link(), Link::Down);
        driver.open().unwrap();
        let gadget = card(&mut driver).gadget(1);
        assert_eq!((gadget.configuration, gadget.setting, gadget.filter), (2, 1, 0x0e));
        assert_eq!(driver.link(), Link::Unknown);
    }
}

#[test]
fn an_adapter_is_found_behind_other_devices_and_in_another_configuration() {
    for (speed, packet) in [(speed::FULL, 64), (speed::HIGH, 512), (4, 1024)] {
        let mut gadget = Gadget::adapter(speed, packet);
        gadget.configurations.insert(0, card::OTHER_CONFIGURATION.to_vec());
        let gadgets = vec![Some(Gadget::keyboard()), None, Some(Gadget::silent()), Some(gadget)];
        let mut driver = try_driver(gadgets, |_| ()).unwrap();
        driver.open().unwrap();
        assert_eq!(card(&mut driver).gadget(3).configuration, 2);
    }
}

#[test]
fn short_control_packets_are_learnt() {
    for packet in [8, 16, 32, 64] {
        let mut gadget = Gadget::adapter(speed::FULL, 64);
        gadget.device[7] = packet;
        let mut driver = driver_of(gadget);
        assert_eq!(card(&mut driver).control_packet, packet.into());
    }
}

#[test]
fn a_controller_that_the_bios_uses_is_not_touched() {
    for (is_running, owned, word) in [(true, None, "runs"), (false, Some(1 << 16), "owns")] {
        let (error, writes) = try_driver(vec![Some(Gadget::adapter(speed::HIGH, 512))], |card| {
            card.command = u32::from(is_running);
            card.legacy = owned;
            card.host.is_master = true;
        })
        .unwrap_err();
        assert!(error.is(&errors::IN_USE) && error.object() == word, "{error}");
        assert_eq!(writes, []);
    }
}

#[test]
fn a_controller_that_the_bios_has_taken_meanwhile_is_not_touched() {
    let mut driver = try_driver(vec![Some(Gadget::adapter(speed::HIGH, 512))], |_| ()).unwrap();
    card(&mut driver).command = 1;
    card(&mut driver).writes.borrow_mut().clear();
    assert!(driver.open().unwrap_err().is(&errors::IN_USE));
    driver.close();
    assert_eq!(*card(&mut driver).writes.borrow(), []);
}

#[test]
fn a_closed_controller_is_as_it_was_found() {
    let mut driver = try_driver(vec![None, Some(Gadget::adapter(speed::HIGH, 512)), None], |card| {
        card.legacy = Some(0);
        card.ports[1] &= !registers::port::POWER;
    })
    .unwrap();
    for _ in 0..2 {
        assert!(card(&mut driver).is_quiet());
        assert_eq!(card(&mut driver).legacy, Some(0));
        let powered: Vec<_> =
            card(&mut driver).ports.iter().map(|status| status & registers::port::POWER != 0).collect();
        assert_eq!(powered, [true, false, true]);
        driver.open().unwrap();
        assert_eq!(card(&mut driver).legacy, Some(1 << 24));
        assert!(card(&mut driver).host.is_master);
        driver.close();
        assert!(!driver.transmit(&[0; 60]));
        assert_eq!(driver.receive(), None);
        assert!(poll(&mut driver).is_ok());
    }
}

#[test]
fn events_of_a_closed_controller_are_not_looked_at() {
    let mut driver = driver();
    card(&mut driver).notify(&[0xa1, 0, 1, 0, 0, 0, 0, 0]);
    driver.close();
    card(&mut driver).writes.borrow_mut().clear();
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(*card(&mut driver).writes.borrow(), []);
}

#[test]
fn frames_come_in_order_round_the_ring() {
    let mut driver = driver();
    let (mut number, mut expected) = (0_usize, 0_usize);
    for burst in [1, 50, 127, 3, 127, 127, 64, 127, 1] {
        for _ in 0..burst {
            let mut frame = vec![7; 60 + number % 1400];
            frame[..8].copy_from_slice(&number.to_le_bytes());
            assert!(card(&mut driver).deliver(&frame), "{number}");
            number += 1;
        }
        assert!(driver.may_have_received());
        while let Some(frame) = driver.receive() {
            assert_eq!((&frame[..8], frame.len()), (&expected.to_le_bytes()[..], 60 + expected % 1400));
            expected += 1;
        }
        assert_eq!(expected, number);
        poll(&mut driver).unwrap();
    }
    assert_eq!(driver.counters().received, number as u64);
}

#[test]
fn the_controller_holds_as_many_frames_as_are_promised() {
    let mut driver = driver();
    for _ in 0..9 {
        for _ in 0..driver.frames_ahead() {
            assert!(card(&mut driver).deliver(&[1; 512]) && card(&mut driver).deliver(&[]));
        }
        for _ in 0..driver.frames_ahead() {
            assert_eq!(driver.receive(), Some(&[1; 512][..]));
        }
        assert_eq!(driver.receive(), None);
    }
}

#[test]
fn frames_that_are_too_long_are_dropped() {
    let mut driver = driver();
    for length in [FRAME_CAPACITY + 1, BUFFER, 0, FRAME_CAPACITY] {
        assert!(card(&mut driver).deliver(&vec![2; length]));
    }
    assert_eq!(driver.receive(), Some(&[2; FRAME_CAPACITY][..]));
    assert_eq!(driver.receive(), None);
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 2));
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    let mut driver = driver();
    for round in 1..30_u64 {
        card(&mut driver).is_slow = true;
        let mut taken = 0;
        while driver.transmit(&[taken; 20]) {
            taken += 1;
        }
        assert_eq!(usize::from(taken), TRANSMIT_SLOTS);
        card(&mut driver).is_slow = false;
        card(&mut driver).send();
        for (number, frame) in (0..).zip(core::mem::take(&mut card(&mut driver).gadget(1).frames)) {
            assert_eq!((&frame[..20], &frame[20..]), (&[number; 20][..], &[0; 40][..]));
        }
        poll(&mut driver).unwrap();
        assert_eq!(driver.counters().sent, u64::from(taken) * round);
    }
}

#[test]
fn the_end_of_a_frame_is_told_by_a_packet_that_is_not_full() {
    for (speed, packet) in [(speed::FULL, 64_u16), (speed::HIGH, 512), (4, 1024)] {
        let mut driver = driver_of(Gadget::adapter(speed, packet));
        let lengths = [60, 64, 128, 511, 512, 513, 1024, 1514, 1518];
        for _ in 0..40 {
            for length in lengths {
                assert!(driver.transmit(&vec![3; length]));
            }
            let frames = core::mem::take(&mut card(&mut driver).gadget(1).frames);
            let sent: Vec<_> = frames.iter().map(Vec::len).collect();
            assert_eq!(sent, lengths);
        }
        assert!(driver.transmit(&[3; FRAME_CAPACITY + 1]));
        assert_eq!(driver.counters().send_errors, 1);
    }
}

#[test]
fn the_adapter_tells_of_its_cable() {
    let mut driver = driver();
    for (value, link) in [(1, Link::Up), (0, Link::Down), (1, Link::Up)] {
        card(&mut driver).notify(&[0xa1, 0, value, 0, 0, 0, 0, 0]);
        poll(&mut driver).unwrap();
        assert_eq!(driver.link(), link);
    }
    card(&mut driver).notify(&[0xa1, 0x2a, 0, 0, 0, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    poll(&mut driver).unwrap();
    assert_eq!(driver.link(), Link::Up);
}

#[test]
fn an_adapter_that_cannot_filter_works_all_the_same() {
    let mut gadget = Gadget::adapter(speed::HIGH, 512);
    gadget.stalls = Some(request::SET_PACKET_FILTER);
    let mut driver = driver_of(gadget);
    assert_eq!(card(&mut driver).revived, 1);
    assert!(driver.transmit(&[5; 60]));
    assert_eq!(card(&mut driver).gadget(1).frames.len(), 1);
    assert!(card(&mut driver).deliver(&[6; 60]));
    assert_eq!(driver.receive(), Some(&[6; 60][..]));
}

#[test]
fn what_is_no_adapter_is_said() {
    let (error, _) = try_driver(vec![Some(Gadget::keyboard()), None], |_| ()).unwrap_err();
    assert!(error.is(&errors::NO_ADAPTER), "{error}");
    for request in [request::GET_DESCRIPTOR, request::SET_CONFIGURATION, request::SET_INTERFACE] {
        let mut gadget = Gadget::adapter(speed::HIGH, 512);
        gadget.stalls = Some(request);
        let driver = try_driver(vec![Some(gadget)], |_| ());
        let error = match driver {
            Ok(mut driver) => driver.open().unwrap_err(),
            Err((error, _)) => error,
        };
        assert!(error.is(&errors::NO_ANSWER), "{error}");
    }
    for mac in ["0154001234FF", "000000000000", "40540012345", "4054001234567", "4054001234XY", ""] {
        let mut gadget = Gadget::adapter(speed::HIGH, 512);
        gadget.mac = mac;
        let (error, _) = try_driver(vec![Some(gadget)], |_| ()).unwrap_err();
        assert!(error.is(&errors::NO_ADDRESS), "{error}");
    }
}

#[test]
fn a_transfer_that_fails_costs_frames_and_a_second_one_the_card() {
    let mut driver = driver();
    for _ in 0..3 {
        let endpoint = driver.adapter.unwrap().input.index();
        card(&mut driver).fail(endpoint);
        poll(&mut driver).unwrap();
        assert!(card(&mut driver).deliver(&[6; 60]));
        assert_eq!(driver.receive(), Some(&[6; 60][..]));
        card(&mut driver).host.waited.set(0);
    }
    for is_last in [false, true] {
        let endpoint = driver.adapter.unwrap().output.index();
        card(&mut driver).fail(endpoint);
        card(&mut driver).host.waited.set(0);
        assert_eq!(poll(&mut driver).is_err(), is_last);
    }
    assert!(card(&mut driver).is_quiet());
}

#[test]
fn an_adapter_and_a_controller_that_are_gone_are_told() {
    let mut driver = driver();
    card(&mut driver).unplug(1);
    assert_eq!(driver.link(), Link::Down);
    let error = poll(&mut driver).unwrap_err();
    assert!(error.is(&errors::NO_ADAPTER), "{error}");
    assert!(card(&mut driver).is_quiet());

    let mut driver = self::driver();
    card(&mut driver).is_gone = true;
    assert_eq!(driver.link(), Link::Down);
    assert!(poll(&mut driver).is_err());
    assert!(!card(&mut driver).host.is_master);

    let (error, writes) = try_driver(vec![], |card| card.is_gone = true).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER) && writes.is_empty(), "{error}");
}

#[test]
fn a_controller_that_is_silent_is_not_waited_for_without_end() {
    let gadgets = (0..255).map(|_| Some(Gadget::adapter(speed::HIGH, 512))).collect();
    let (error, _) = try_driver(gadgets, |card| card.is_mute = true).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let gadgets = (0..255).map(|_| Some(Gadget::silent())).collect();
    assert!(try_driver(gadgets, |_| ()).is_err());
}

#[test]
fn a_controller_that_wants_too_much_is_refused() {
    let (error, writes) = try_driver(vec![], |card| card.own_pages = 257).unwrap_err();
    assert!(error.is(&errors::UNSUPPORTED) && writes.is_empty(), "{error}");
}

/// The configuration of an adapter of class CDC-ECM.
fn configuration() -> Vec<u8> {
    Gadget::adapter(speed::HIGH, 512).configurations.remove(0)
}

#[test]
fn an_adapter_is_read_from_its_descriptors() {
    let adapter = descriptors::adapter(&configuration()).unwrap();
    let endpoint = |address, packet, interval| Endpoint { address, packet, interval };
    assert_eq!(
        adapter,
        Adapter {
            configuration: 2,
            control: 0,
            data: 1,
            setting: 1,
            class: Class::Ethernet { mac_string: 5, segment: 1514 },
            notify: Some(endpoint(0x81, 16, 9)),
            input: endpoint(0x82, 512, 0),
            output: endpoint(0x02, 512, 0),
        }
    );
    assert_eq!((adapter.input.index(), adapter.output.index()), (5, 4));
    assert_eq!(descriptors::adapter(&card::OTHER_CONFIGURATION), None);
}

#[test]
fn an_adapter_that_is_cut_off_is_none() {
    let whole = configuration();
    for length in 0..whole.len() {
        assert_eq!(descriptors::adapter(&whole[..length]), None, "{length}");
    }
}

#[test]
fn intervals_are_powers_of_two() {
    for (speed, given, expected) in [
        (speed::FULL, 0, 3),
        (speed::FULL, 32, 8),
        (speed::LOW, 255, 10),
        (speed::HIGH, 9, 8),
        (speed::HIGH, 0, 0),
        (4, 255, 15),
    ] {
        assert_eq!(interval(speed, given), expected);
    }
}

/// The seeds of the fuzz target `drivers` that are for this driver lead it to send and to receive.
#[test]
fn fuzz_seeds_send_and_receive() {
    const SEEDS: [(&str, &[u8]); 6] = [
        ("cdc-ecm", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-cdc-ecm")),
        ("cdc-ecm", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-cdc-ecm-full")),
        ("cdc-ecm", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-lies")),
        ("cdc-ecm", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-twists")),
        ("rndis", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-rndis")),
        ("rndis", include_bytes!("../../../tests/fuzz/corpus/drivers/xhci-rndis-trouble")),
    ];
    for (name, mut seed) in SEEDS {
        let mut pieces = core::iter::from_fn(|| {
            let (length, rest) = seed.split_first_chunk()?;
            let (piece, rest) = rest.split_at(u16::from_le_bytes(*length).into());
            seed = rest;
            Some(piece)
        });
        let head = pieces.next().unwrap();
        let (driver, counters) = trial::play(head[1], &head[2..], pieces).unwrap();
        assert_eq!(driver, name);
        std::eprintln!("{name} {counters:?}");
        assert!(counters.sent > 0 && counters.received > 0, "{driver} {counters:?}");
    }
}

proptest! {
    // Most of the time is waiting for controllers that say nothing any more.
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever a device says of itself, what is made of it can be told to a controller.
    #[test]
    fn descriptors_that_lie_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((0..80_usize, any::<u8>()), 0..6),
    ) {
        let mut changed = configuration();
        for (place, value) in changes {
            if let Some(byte) = changed.get_mut(place) {
                *byte = value;
            }
        }
        let mut both = changed.clone();
        both.extend(messages::configuration());
        for bytes in [&bytes, &changed, &both] {
            let Some(adapter) = descriptors::adapter(bytes) else { continue };
            let pipes = [Some(adapter.input), Some(adapter.output), adapter.notify];
            let mut seen = 0_u32;
            for pipe in pipes.into_iter().flatten() {
                prop_assert!((2..32).contains(&pipe.index()) && (1..=1024).contains(&pipe.packet));
                prop_assert_eq!(seen >> pipe.index() & 1, 0);
                seen |= 1 << pipe.index();
            }
        }
        _ = descriptors::mac_address(&bytes);
    }

    /// Whatever the controller and the device say and write, the driver neither panics nor hangs nor gives more than a
    /// frame, and it tells the controller of no memory but its own.
    #[test]
    fn a_hostile_controller_does_no_harm(
        begin in 0..200_usize,
        twists in prop::collection::vec(any::<u8>(), 0..300),
        lies in prop::collection::vec(any::<u32>(), 0..60),
        descriptor in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
        mut events in prop::collection::vec((0..xhci::SLOTS * 2, any::<u64>()), 0..40),
        steps in prop::collection::vec(any::<u8>(), 1..40),
        is_remote in any::<bool>(),
        gossip in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3),
        transfer in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((0..130_usize, any::<u8>()), 0..4),
    ) {
        let mut gadget = match is_remote {
            false => Gadget::adapter(speed::HIGH, 512),
            true => messages::gadget(),
        };
        gadget.gossip = gossip;
        let mut frames = [messages::message(&[9; 60], 44), messages::message(&[7; 80], 48)].concat();
        for (place, value) in changes {
            frames[place] = value;
        }
        for (place, value) in descriptor {
            if let Some(byte) = gadget.configurations[0].get_mut(place) {
                *byte = value;
            }
        }
        let driver = try_driver(vec![Some(Gadget::keyboard()), Some(gadget)], |card| {
            card.twists = core::iter::repeat_n(0, begin).chain(twists).collect();
        });
        let Ok(mut driver) = driver else { return Ok(()) };
        card(&mut driver).host.waited.set(0);
        _ = driver.open();
        card(&mut driver).is_hostile = true;
        card(&mut driver).host.lies.replace(lies);
        nic::try_out(&mut driver, &steps, |driver| {
            if let Some((place, value)) = events.pop() {
                driver.controller.memory.write64(xhci::EVENTS + 8 * place, value);
            }
            let card = card(driver);
            card.host.waited.set(0);
            card.deliver(&[9; 100]);
            card.deliver(&transfer);
            card.deliver(&frames);
            card.notify(&[0xa1, 0, 1]);
        });
    }
}
