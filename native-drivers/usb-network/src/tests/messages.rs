//! Remote NDIS, by the layer itself and by the driver.

use super::*;
use rndis::{HEADER, heard, information, initialize, next_frame, object, query, set, transfer_limit, wrap};

/// The three classes that are the same.
const CLASSES: [[u8; 3]; 3] = [[2, 2, 0xff], [0xe0, 1, 3], [0xef, 4, 1]];

pub(super) fn gadget() -> Gadget {
    Gadget::remote_ndis(CLASSES[0], speed::HIGH, 512)
}

pub(super) fn configuration() -> Vec<u8> {
    gadget().configurations.remove(0)
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A message with a frame that begins at so many bytes.
pub(super) fn message(frame: &[u8], start: usize) -> Vec<u8> {
    let (length, offset) = (start + frame.len(), start - 8);
    let mut message = bytes(&[1, length as u32, offset as u32, frame.len() as u32, 0, 0, 0, 0, 0, 0, 0]);
    message.resize(start, 0xee);
    message.extend(frame);
    message
}

#[test]
fn messages_are_as_microsoft_has_them() {
    assert_eq!(initialize(2048), bytes(&[2, 24, 1, 1, 0, 2048]));
    assert_eq!(query(0x0101_0101), bytes(&[4, 28, 0x0101_0101, 0x0101_0101, 0, 0, 0]));
    assert_eq!(set(0x0001_010e, 13), bytes(&[5, 32, 0x0001_010e, 0x0001_010e, 4, 20, 0, 13]));
    assert_eq!(object::USUAL_FRAMES, 0xd);
}

#[test]
fn answers_are_told_from_all_else() {
    let question = query(7);
    assert_eq!(heard(&bytes(&[0x8000_0004, 24, 7, 0, 0, 0]), &question), Heard::Done);
    assert_eq!(
        heard(&bytes(&[0x8000_0004, 24, 7, 0xc001_0015, 0, 0]), &question),
        Heard::Refused(0xc001_0015)
    );
    assert_eq!(heard(&bytes(&[8, 12, 99]), &question), Heard::KeepAlive(bytes(&[0x8000_0008, 16, 99, 0])));
    for other in [
        // Another request's, of another kind, of a cable, cut off, and nothing.
        &bytes(&[0x8000_0004, 24, 8, 0, 0, 0])[..],
        &bytes(&[0x8000_0005, 16, 7, 0]),
        &bytes(&[7, 20, 0x4001_000b, 0, 0]),
        &bytes(&[0x8000_0004, 24, 7]),
        &[0],
        &[],
    ] {
        assert_eq!(heard(other, &question), Heard::Other);
    }
}

#[test]
fn what_a_device_says_of_itself_is_read() {
    let answer = |medium| bytes(&[0x8000_0002, 52, 1, 0, 1, 0, 1, medium, 1, 1580, 0, 0, 0]);
    assert_eq!((transfer_limit(&answer(0)), transfer_limit(&answer(1))), (Some(1580), None));
    assert_eq!(transfer_limit(&answer(0)[..36]), None);
    let told = |length, offset| bytes(&[0x8000_0004, 32, 7, 0, length, offset, 0x1122, 0x3344]);
    assert_eq!(information(&told(8, 16)), Some(&[0x22, 0x11, 0, 0, 0x44, 0x33, 0, 0][..]));
    assert_eq!(information(&told(4, 20)), Some(&[0x44, 0x33, 0, 0][..]));
    assert_eq!(information(&told(0, 0)), Some(&[][..]));
    for (length, offset) in [(9, 16), (1, 24), (u32::MAX, 16), (4, u32::MAX), (u32::MAX, u32::MAX)] {
        assert_eq!(information(&told(length, offset)), None);
    }
}

#[test]
fn frames_are_found_in_transfers() {
    let first = message(&[1; 60], 44);
    let second = message(&[2; 61], 52);
    let other = bytes(&[3, 12, 9]);
    let transfer = [&first[..], &other, &second, &[0]].concat();
    let (frame, place) = next_frame(&transfer, 0).unwrap();
    assert_eq!((transfer[frame].to_vec(), place), (vec![1; 60], first.len()));
    let (frame, place) = next_frame(&transfer, place).unwrap();
    assert_eq!((transfer[frame].to_vec(), place), (vec![2; 61], transfer.len() - 1));
    assert_eq!(next_frame(&transfer, place), None);
    for length in 0..first.len() {
        assert_eq!(next_frame(&first[..length], 0), None, "{length}");
    }
    // A message that is shorter than its own beginning, or than its frame, and a frame that is elsewhere.
    for (word, value) in
        [(1, 0), (1, 7), (1, u32::MAX), (1, 103), (2, 37), (2, u32::MAX), (3, 61), (3, u32::MAX)]
    {
        let mut message = first.clone();
        message[4 * word..][..4].copy_from_slice(&value.to_le_bytes());
        assert_eq!(next_frame(&message, 0), None, "{word} {value}");
    }
}

#[test]
fn no_message_fills_its_packets() {
    for packet in [64, 512, 1024] {
        for frame in 60..=FRAME_CAPACITY {
            let mut room = vec![7; 2048];
            let length = wrap(&mut room, frame, packet).unwrap();
            assert!(!length.is_multiple_of(packet));
            let (found, end) = next_frame(&room[..length], 0).unwrap();
            assert_eq!((found, end), (HEADER..HEADER + frame, length));
            assert!(room[HEADER + frame..length].iter().all(|byte| *byte == 0));
        }
    }
    assert_eq!(wrap(&mut [0; 100], 57, 64), None);
}

#[test]
fn adapters_of_remote_ndis_are_found_and_work() {
    for (class, speed, packet) in
        [(CLASSES[0], speed::FULL, 64_u16), (CLASSES[1], speed::HIGH, 512), (CLASSES[2], 4, 1024)]
    {
        let mut driver = driver_of(Gadget::remote_ndis(class, speed, packet));
        let identity = driver.identity();
        assert_eq!((identity.driver, identity.mac, identity.mtu), ("rndis", MacAddress(MAC), 1400));
        let gadget = card(&mut driver).gadget(1);
        assert_eq!((gadget.configuration, gadget.setting, gadget.filter), (3, 0, 0xd));
        assert_eq!(driver.link(), Link::Unknown);
        let lengths = [20, 60, 84, 212, 468, 980, 1514];
        for length in lengths {
            assert!(driver.transmit(&vec![3; length]));
        }
        let transfers = core::mem::take(&mut card(&mut driver).gadget(1).frames);
        for (transfer, length) in transfers.iter().zip(lengths) {
            let (frame, end) = next_frame(transfer, 0).unwrap();
            assert_eq!((frame.len(), end), (length.max(60), transfer.len()));
            assert_eq!(transfer[frame][..length], vec![3; length]);
        }
        assert_eq!(transfers.len(), lengths.len());
        poll(&mut driver).unwrap();
        assert_eq!(driver.counters().sent, lengths.len() as u64);
    }
}

#[test]
fn ethernet_is_taken_where_there_is_both() {
    for is_first in [false, true] {
        let mut gadget = Gadget::adapter(speed::HIGH, 512);
        let mut other = configuration();
        other[5] = 9;
        gadget.configurations.insert(if is_first { 0 } else { 1 }, other);
        let mut driver = driver_of(gadget);
        assert_eq!((driver.identity().driver, card(&mut driver).gadget(1).configuration), ("cdc-ecm", 2));
    }
    // In one configuration, too.
    let both = [configuration(), super::configuration()].concat();
    assert!(matches!(descriptors::adapter(&both).unwrap().class, Class::Ethernet { .. }));
}

#[test]
fn frames_of_a_transfer_are_shown_one_by_one() {
    let mut driver = driver_of(gadget());
    let (mut number, mut expected) = (0_usize, 0_usize);
    for burst in [1, 50, 127, 3, 127, 127] {
        for _ in 0..burst {
            let mut transfer = Vec::new();
            for _ in 0..1 + number % 3 {
                transfer.extend(message(&vec![number as u8; 60 + number % 400], 44));
                number += 1;
            }
            assert!(card(&mut driver).deliver(&transfer));
        }
        while let Some(frame) = driver.receive() {
            assert_eq!(frame, vec![expected as u8; 60 + expected % 400]);
            expected += 1;
        }
        assert_eq!(expected, number);
        poll(&mut driver).unwrap();
    }
    assert_eq!(driver.counters().received, number as u64);
}

#[test]
fn a_transfer_with_wrong_messages_costs_its_own_frames_only() {
    let mut driver = driver_of(gadget());
    let long = message(&[1; FRAME_CAPACITY + 1], 44);
    let mut wrong = message(&[2; 60], 44);
    wrong[12] = 61;
    let right = message(&[3; 60], 44);
    for transfer in [&long[..], &wrong, &[0], &[], &right[..60], &[wrong.clone(), right.clone()].concat()] {
        assert!(card(&mut driver).deliver(transfer));
    }
    assert_eq!(driver.receive(), Some(&[3; 60][..]));
    assert_eq!(driver.receive(), None);
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 1));
}

#[test]
fn a_device_that_answers_late_or_says_other_things_first_is_listened_to() {
    let mut gadget = gadget();
    // Nothing yet, the answer to another request, a cable, and whether we are there.
    let cable = bytes(&[7, 20, 0x4001_000b, 0, 0]);
    gadget.gossip = vec![vec![0], vec![], bytes(&[0x8000_0004, 24, 99, 0, 0, 0]), cable, bytes(&[8, 12, 77])];
    let mut driver = driver_of(gadget);
    assert_eq!(driver.identity().mac, MacAddress(MAC));
    let heard = &card(&mut driver).gadget(1).heard;
    let answers = heard.iter().filter(|message| **message == bytes(&[0x8000_0008, 16, 77, 0])).count();
    // When it is found and when it is opened: three questions each, and the filter.
    assert_eq!(answers, 7);
}

#[test]
fn a_device_that_refuses_or_says_nothing_is_told() {
    let error = |prepare: &dyn Fn(&mut Gadget)| {
        let mut gadget = gadget();
        prepare(&mut gadget);
        match try_driver(vec![Some(gadget)], |_| ()) {
            Ok(mut driver) => {
                card(&mut driver).host.waited.set(0);
                driver.open().unwrap_err()
            }
            Err((error, _)) => error,
        }
    };
    for kind in [2, 4, 5] {
        let error = error(&|gadget| gadget.status = (kind, 0xc000_0001));
        assert!(error.is(&errors::NO_ANSWER) && error.object().contains("c0000001"), "{error}");
    }
    for request in [request::SEND_COMMAND, request::GET_RESPONSE] {
        let error = error(&|gadget| gadget.stalls = Some(request));
        assert!(error.is(&errors::NO_ANSWER), "{error}");
    }
    let error = error(&|gadget| gadget.medium = 1);
    assert!(error.is(&errors::UNSUPPORTED), "{error}");
}

#[test]
fn requests_that_do_not_end_are_not_written_over() {
    let mut gadget = gadget();
    gadget.hangs = Some(request::GET_RESPONSE);
    let (error, _) = try_driver(vec![Some(gadget)], |_| ()).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
}

#[test]
fn a_short_transfer_limit_shortens_packets() {
    for (transfer, mtu) in [(0, 576), (1000, 942), (u32::MAX, 1400)] {
        let mut gadget = gadget();
        gadget.transfer = transfer.max(1);
        assert_eq!(driver_of(gadget).identity().mtu, mtu);
    }
}

proptest! {
    /// Whatever a device says, what is found lies inside of it, and looking ends.
    #[test]
    fn messages_that_lie_do_no_harm(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((0..230_usize, any::<u8>()), 0..6),
    ) {
        let mut changed = [message(&[1; 60], 44), message(&[2; 70], 48)].concat();
        for (place, value) in changes {
            if let Some(byte) = changed.get_mut(place) {
                *byte = value;
            }
        }
        for said in [&noise, &changed] {
            let mut place = 0;
            while let Some((frame, next)) = next_frame(said, place) {
                prop_assert!(place < next && place < frame.start + 1 && frame.end <= next && next <= said.len());
                place = next;
            }
            _ = heard(said, &query(1));
            _ = transfer_limit(said);
            prop_assert!(information(said).is_none_or(|information| information.len() <= said.len()));
        }
    }
}
