//! The driver against a ROM that misbehaves.

use super::*;
use crate::fake::{FakeRom, MAC, Sees};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn nic(rom: FakeRom) -> UndiNic<FakeRom> {
    let mut nic = UndiNic::try_new(rom).unwrap();
    nic.open().unwrap();
    nic.rom.calls.clear();
    nic
}

fn poll(nic: &mut UndiNic<FakeRom>, millis: u64) {
    nic.poll(at(millis), at(millis + 10)).unwrap();
}

fn frames(nic: &mut UndiNic<FakeRom>) -> Vec<Vec<u8>> {
    core::iter::from_fn(|| nic.receive().map(<[u8]>::to_vec)).collect()
}

#[test]
fn a_stack_that_is_already_started_is_only_opened() {
    let mut nic = UndiNic::try_new(FakeRom::default()).unwrap();
    assert_eq!(nic.rom.calls, [Opcode::GET_INFORMATION, Opcode::GET_NIC_TYPE, Opcode::GET_IFACE_INFO]);
    nic.rom.calls.clear();
    nic.open().unwrap();
    assert_eq!(nic.rom.calls, [Opcode::OPEN]);
    assert_eq!((nic.rom.filter, nic.rom.hooked), (7, Some(11)));
    assert_eq!(nic.link(), Link::Unknown);
}

#[test]
fn a_stack_that_refuses_all_frames_is_asked_for_our_own() {
    let mut rom = FakeRom::default();
    rom.failing.push((Opcode::OPEN, Status::FAILURE, 3));
    let mut nic = nic(rom);
    poll(&mut nic, 0);
    poll(&mut nic, 200);
    assert_eq!(nic.link(), Link::Unknown);
    assert_eq!(nic.rom.filter, 3);
}

#[test]
fn a_stack_left_open_is_closed_first() {
    let mut rom = FakeRom::default();
    rom.failing.push((Opcode::OPEN, Status::INVALID_STATE, 1));
    let mut nic = UndiNic::try_new(rom).unwrap();
    nic.rom.calls.clear();
    nic.open().unwrap();
    assert_eq!(nic.rom.calls, [Opcode::OPEN, Opcode::CLOSE, Opcode::OPEN]);
}

#[test]
fn initialize_is_tried_ten_times() {
    for (failures, comes_up) in [(9, true), (10, false)] {
        let mut rom = FakeRom::default();
        rom.failing.push((Opcode::OPEN, Status::INVALID_STATE, 2));
        rom.failing.push((Opcode::INITIALIZE, Status::MEDIA_TEST_FAILED, failures));
        let mut nic = UndiNic::try_new(rom).unwrap();
        nic.open().unwrap();
        assert_eq!(nic.link(), Link::Down);
        assert!(!nic.can_transmit() && !nic.transmit(&[0; 60]));
        let mut error = None;
        for millis in (0..3000).step_by(50) {
            if let Err(failure) = nic.poll(at(millis), at(millis + 50)) {
                error = Some((millis, failure.to_string()));
            }
        }
        let attempts = nic.rom.calls.iter().filter(|call| **call == Opcode::INITIALIZE).count();
        assert_eq!(attempts, 10);
        assert_eq!(nic.rom.calls.iter().filter(|call| **call == Opcode::STARTUP).count(), 1);
        assert_eq!(nic.link() == Link::Unknown, comes_up);
        if comes_up {
            assert_eq!(error, None);
        } else {
            let text =
                "the network card could not be started: UNDI_INITIALIZE: media test failed (61h) [UNDI-06]";
            assert_eq!(error.unwrap(), (1800, text.into()));
            assert_eq!(nic.rom.hooked, None);
        }
    }
}

#[test]
fn the_current_address_counts() {
    let nic = nic(FakeRom::default());
    assert_eq!(nic.identity.mac, MacAddress(MAC));
    assert_eq!(nic.identity.permanent_mac, MacAddress([0x52, 0x54, 0, 9, 9, 9]));
    let mut rom = FakeRom::default();
    rom.information.current_address = [0; 16];
    rom.information.mtu = 60_000.into();
    let nic = UndiNic::try_new(rom).unwrap();
    assert_eq!(nic.identity.mac, nic.identity.permanent_mac);
    assert_eq!(nic.identity.mtu, 1500);
    let mut rom = FakeRom::default();
    rom.information.current_address = [0xff; 16];
    rom.information.permanent_address = [0; 16];
    let error = UndiNic::try_new(rom).err().unwrap();
    assert!(error.is(&errors::NO_ADDRESS) && error.object() == "ff:ff:ff:ff:ff:ff");
}

#[test]
fn an_unset_card_type_is_taken_for_pci() {
    let nic = nic(FakeRom::default());
    let pci = nic.identity.pci.unwrap();
    assert_eq!((pci.vendor, pci.device, pci.bus_device_function), (0x8086, 0x1572, 0x0100));
    for (kind, vendor) in [(3, 0x8086), (2, 0), (2, 0xffff)] {
        let rom = FakeRom {
            nic_type: Some(NicType { kind, vendor: vendor.into(), ..NicType::default() }),
            ..FakeRom::default()
        };
        assert_eq!(UndiNic::try_new(rom).unwrap().identity.pci, None);
    }
}

#[test]
fn a_strange_interrupt_number_means_polling() {
    for line in [0, 2, 16, 255, 256, 0x0b0b] {
        let mut rom = FakeRom::default();
        rom.information.interrupt = line.into();
        let nic = nic(rom);
        assert_eq!(nic.rom.hooked, None);
        assert_eq!(nic.mode(), "polling: no frame has come yet, no usable interrupt line");
    }
}

#[test]
fn frames_come_and_go_in_order() {
    let mut nic = nic(FakeRom::default());
    for round in 0..100u8 {
        assert!(nic.transmit(&[round; 60]));
        nic.rom.wire.extend([vec![round; 64], vec![round + 1; 65], vec![round + 2; 66]]);
        nic.rom.completes = 1;
        poll(&mut nic, u64::from(round));
        assert_eq!(frames(&mut nic), [vec![round; 64], vec![round + 1; 65], vec![round + 2; 66]]);
        assert_eq!(nic.rom.sent.last().unwrap(), &[round; 60]);
    }
    assert_eq!(nic.counters(), Counters { received: 300, sent: 100, ..Counters::default() });
    assert_eq!(nic.mode(), "polling: UNDI_ISR START reports frames, IRQ 11");
    assert!(nic.rom.orders.iter().all(|order| !order.process_first && !order.interrupts));
}

#[test]
fn a_receiver_that_falls_silent_is_opened_again_and_then_initialized() {
    let mut nic = nic(FakeRom::default());
    let talk = |nic: &mut UndiNic<FakeRom>, millis: core::ops::Range<u64>| {
        for millis in millis.step_by(500) {
            assert!(nic.transmit(&[1; 60]));
            poll(nic, millis);
        }
        let count = |call| nic.rom.calls.iter().filter(|other| **other == call).count();
        assert_eq!(count(Opcode::CLOSE), count(Opcode::OPEN));
        (count(Opcode::OPEN), count(Opcode::INITIALIZE))
    };
    // Nothing has reached us yet: the switch may keep the port closed, and would begin anew.
    assert_eq!(talk(&mut nic, 0..20_000), (0, 0));
    nic.rom.wire.push_back([&MAC[..], &[0; 60]].concat());
    poll(&mut nic, 20_000);
    assert_eq!(frames(&mut nic).len(), 1);
    assert_eq!(talk(&mut nic, 20_500..23_500), (0, 0));
    assert_eq!(talk(&mut nic, 23_500..26_500), (1, 0));
    assert_eq!(talk(&mut nic, 26_500..40_000), (2, 1));
    assert_eq!(nic.rom.calls[2..], [Opcode::CLOSE, Opcode::SHUTDOWN, Opcode::INITIALIZE, Opcode::OPEN]);
    assert_eq!(nic.link(), Link::Unknown);
    // It hears again, and may fall silent again.
    nic.rom.wire.push_back([&MAC[..], &[0; 60]].concat());
    poll(&mut nic, 40_000);
    assert_eq!(frames(&mut nic).len(), 1);
    assert_eq!(talk(&mut nic, 40_500..60_000), (4, 2));
}

#[test]
fn a_full_ring_is_not_overwritten() {
    let mut nic = nic(FakeRom::default());
    nic.rom.endless = true;
    nic.rom.wire.extend((0..64).map(|n| vec![n; 60]));
    poll(&mut nic, 0);
    assert_eq!(nic.receive().unwrap()[0], 0);
    assert!(nic.transmit(&[1; 60]));
    poll(&mut nic, 1);
    assert_eq!((nic.rom.orders[1].room, nic.rom.orders[1].linger), (1, Duration::ZERO));
    // Nothing to send and something to read: no downcall.
    poll(&mut nic, 2);
    assert_eq!(nic.rom.orders.len(), 2);
    let all = frames(&mut nic);
    assert_eq!(all.len(), 64);
    assert!((1..64_u8).all(|n| all[usize::from(n) - 1] == [n; 60]) && all[63] == [0xee; 60]);
}

#[test]
fn a_frame_stays_queued_while_the_rom_has_no_room() {
    let mut nic = nic(FakeRom::default());
    nic.rom.resources = 1;
    nic.rom.refuses = Some(9);
    for first in [1, 2, 9, 3] {
        assert!(nic.transmit(&[first; 60]));
    }
    poll(&mut nic, 0);
    assert_eq!(nic.rom.sent, [[1; 60]]);
    // What waits outside may still be replaced by what is newer.
    assert!(!nic.can_transmit());
    nic.rom.resources = 9;
    poll(&mut nic, 1);
    assert_eq!(nic.rom.sent, [[1; 60], [2; 60], [3; 60]]);
    assert!(nic.can_transmit());
    assert_eq!((nic.counters().sent, nic.counters().send_errors), (3, 1));
}

#[test]
fn a_transmit_buffer_rests_until_it_is_sent_or_200_ms() {
    let mut nic = nic(FakeRom::default());
    for n in 0..16 {
        assert!(nic.transmit(&[n; 60]));
    }
    assert!(!nic.can_transmit() && !nic.transmit(&[99; 60]));
    poll(&mut nic, 0);
    assert!(!nic.can_transmit());
    nic.rom.completes = 2;
    poll(&mut nic, 10);
    // With all slots full of frames to be sent, more may wait; with all slots sent, time is what helps.
    assert_eq!(nic.rom.orders.iter().map(|order| order.linger.as_micros()).collect::<Vec<_>>(), [0, 1000]);
    assert!(nic.transmit(&[16; 60]) && nic.transmit(&[17; 60]) && !nic.can_transmit());
    poll(&mut nic, 199);
    assert!(!nic.can_transmit());
    poll(&mut nic, 200);
    assert!((0..14).all(|n| nic.transmit(&[n; 60])) && !nic.can_transmit());
    // The word on those 14 comes late: it must not free what was sent after them.
    nic.rom.completes = 14;
    poll(&mut nic, 201);
    assert!(!nic.can_transmit());
    nic.rom.completes = 1;
    poll(&mut nic, 202);
    assert!(nic.can_transmit());
}

#[test]
fn a_rom_that_says_sent_too_often_frees_only_what_was_sent() {
    let mut nic = nic(FakeRom::default());
    assert!(nic.transmit(&[1; 60]));
    nic.rom.completes = u16::MAX;
    poll(&mut nic, 0);
    assert_eq!((nic.transmit.in_flight, nic.transmit.queued), (0, 0));
}

#[test]
fn the_line_is_opened_when_polling_finds_nothing() {
    let mut nic = nic(FakeRom { sees: Sees::Interrupt, ..FakeRom::default() });
    nic.rom.wire.push_back(vec![7; 60]);
    poll(&mut nic, 0);
    poll(&mut nic, 1000);
    assert!(nic.transmit(&[1; 60]));
    poll(&mut nic, 2000);
    poll(&mut nic, 2124);
    assert!(nic.rom.orders.iter().all(|order| !order.interrupts));
    poll(&mut nic, 2125);
    assert_eq!(frames(&mut nic), [[7; 60]]);
    assert_eq!(nic.mode(), "interrupts: polling alone found no frame in 125 ms, IRQ 11");
    poll(&mut nic, 9000);
    assert!(nic.rom.orders.iter().all(|order| !order.process_first));
}

#[test]
fn a_line_that_did_nothing_is_closed_again() {
    let mut nic = nic(FakeRom::default());
    assert!(nic.transmit(&[1; 60]));
    poll(&mut nic, 0);
    poll(&mut nic, 130);
    nic.rom.wire.push_back(vec![7; 60]);
    poll(&mut nic, 140);
    poll(&mut nic, 150);
    poll(&mut nic, 400);
    assert_eq!(frames(&mut nic), [[7; 60]]);
    assert_eq!(nic.mode(), "polling: UNDI_ISR START reports frames, IRQ 11");
}

#[test]
fn process_is_tried_once_and_kept_if_it_yields() {
    let mut rom = FakeRom { sees: Sees::Process, strange_interrupts: true, ..FakeRom::default() };
    rom.wire.push_back(vec![7; 60]);
    let mut nic = nic(rom);
    assert!(nic.transmit(&[1; 60]));
    for millis in [0, 130, 249] {
        poll(&mut nic, millis);
        assert!(!nic.rom.orders.last().unwrap().process_first);
    }
    poll(&mut nic, 250);
    assert_eq!(frames(&mut nic), [[7; 60]]);
    nic.rom.wire.push_back(vec![8; 60]);
    poll(&mut nic, 251);
    assert_eq!(frames(&mut nic), [[8; 60]]);
    let text = "polling with UNDI_ISR PROCESS: START reported no frame in 250 ms";
    assert!(nic.mode().starts_with(text));
}

#[test]
fn process_is_not_tried_where_start_tells_of_frames_sent() {
    let mut nic = nic(FakeRom { locks_up_at_process: true, ..FakeRom::default() });
    assert!(nic.transmit(&[7; 60]));
    poll(&mut nic, 0);
    nic.rom.completes = 1;
    poll(&mut nic, 10);
    // Nobody answers for a while; then the receiver is opened again, for other reasons.
    poll(&mut nic, 400);
    nic.close();
    nic.open().unwrap();
    assert!(nic.transmit(&[7; 60]));
    poll(&mut nic, 500);
    poll(&mut nic, 900);
    assert!(nic.rom.orders.iter().all(|order| !order.process_first));
}

#[test]
fn process_that_yields_nothing_is_not_tried_again() {
    let mut nic = nic(FakeRom { strange_interrupts: true, ..FakeRom::default() });
    assert!(nic.transmit(&[1; 60]));
    for millis in (0..5000).step_by(100) {
        poll(&mut nic, millis);
    }
    assert_eq!(nic.rom.orders.iter().filter(|order| order.process_first).count(), 1);
    assert!(nic.mode().ends_with(", IRQ 11 masked: it fired without cause"));
}

#[test]
fn a_rom_that_locks_up_is_never_called_again() {
    let mut nic = nic(FakeRom { locks_up_at_process: true, ..FakeRom::default() });
    assert!(nic.transmit(&[1; 60]));
    poll(&mut nic, 0);
    let error = nic.poll(at(300), at(301)).unwrap_err();
    let text = "the network card's ROM did not come back from UNDI_ISR [UNDI-03]";
    assert_eq!(error.to_string(), text);
    let calls = nic.rom.calls.len();
    poll(&mut nic, 400);
    assert!(!nic.can_transmit() && nic.open().is_err());
    nic.close();
    assert_eq!((nic.rom.orders.len(), nic.rom.calls.len(), nic.rom.hooked), (2, calls, None));
}

#[test]
fn a_rom_that_yielded_nothing_is_shut_down_before_it_is_opened_again() {
    let mut nic = nic(FakeRom::default());
    assert!(nic.transmit(&[1; 60]));
    poll(&mut nic, 0);
    nic.close();
    assert_eq!(nic.rom.calls, [Opcode::CLOSE, Opcode::SHUTDOWN]);
    nic.open().unwrap();
    nic.rom.calls.clear();
    nic.rom.wire.push_back(vec![7; 60]);
    poll(&mut nic, 0);
    nic.close();
    assert_eq!(nic.rom.calls, [Opcode::CLOSE]);
}

#[test]
fn a_hook_that_cannot_come_off_is_not_put_on_twice() {
    let mut nic = nic(FakeRom { hooked_over: true, ..FakeRom::default() });
    nic.close();
    assert!(nic.card().hooked);
    nic.open().unwrap();
    assert!(nic.card().hooked);
}

proptest! {
    #[test]
    fn never_panics_on_any_outcome_or_answer(
        interrupt: u16, mtu: u16, current: [u8; 16], failing in prop::collection::vec((1u16..0x80, 0u16..0x70), 0..6),
        polls in prop::collection::vec((0u64..400, 0u16..20, any::<u16>(), 0usize..20), 0..40),
    ) {
        let mut rom = FakeRom { endless: true, ..FakeRom::default() };
        rom.information.interrupt = interrupt.into();
        rom.information.mtu = mtu.into();
        rom.information.current_address = current;
        rom.failing = failing.into_iter().map(|(call, status)| (Opcode(call), Status(status), 3)).collect();
        let Ok(mut nic) = UndiNic::try_new(rom) else { return Ok(()) };
        let mut millis = 0;
        if nic.open().is_err() {
            return Ok(());
        }
        for (step, resources, completes, sends) in polls {
            millis += step;
            nic.rom.resources = resources;
            nic.rom.completes = completes;
            for _ in 0..sends {
                nic.transmit(&[1; 60]);
            }
            let _ = nic.poll(at(millis), at(millis + 1));
            prop_assert!(nic.receive.pending <= 64);
            prop_assert!(nic.transmit.in_flight + nic.transmit.queued <= 16);
            nic.receive();
        }
    }
}
