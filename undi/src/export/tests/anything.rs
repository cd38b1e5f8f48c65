//! All calls with any parameters.

use super::*;
use proptest::prelude::*;

/// Bytes of parameters, and what else a call may write to by what they say: offset of a far pointer and of a word with
/// the room there.
fn shape(opcode: u16) -> (u64, Option<(usize, usize)>) {
    match opcode {
        0x00 => (12, None),
        0x03 => (14, None),
        0x04 | 0x09 => (132, None),
        0x06 => (136, None),
        0x08 => (20, None),
        0x0a | 0x0d => (18, None),
        0x0b => (3, None),
        0x0c => (50, None),
        0x11 => (22, None),
        0x12 => (17, None),
        0x13 => (42, None),
        0x14 => (16, None),
        0x15 | 0x70 => (12, None),
        0x20 | 0x25 => (142, None),
        0x23 | 0x24 => (158, None),
        0x22 => (10, None),
        0x30 => (6, None),
        0x32 => (20, Some((16, 14))),
        0x33 => (20, None),
        0x71 => (12, Some((6, 4))),
        0xe0 => (12, None),
        0xe1 => (4, None),
        0xe2 | 0xe5 | 0xe7 => (6, None),
        0xe3 => (10, Some((6, 4))),
        0xe4 => (8, None),
        0xe6 => (20, None),
        0xe8 => (8, Some((4, 2))),
        _ => (2, None),
    }
}

fn opcodes() -> impl Strategy<Value = u16> {
    prop_oneof![
        0..=0x16_u16,
        0x20..=0x26_u16,
        0x30..=0x34_u16,
        0x6f..=0x77_u16,
        0xdf..=0xe9_u16,
        any::<u16>()
    ]
}

/// Far pointers, many of them near to what matters.
fn pointers() -> impl Strategy<Value = SegOff> {
    let segment = prop_oneof![
        Just(0x2000_u16),
        Just(0),
        Just(0x40),
        0x8ff0..0x9010_u16,
        0x9ff0..0xa010_u16,
        any::<u16>()
    ];
    let offset = prop_oneof![0..0x40_u16, 0xff00..=0xffff_u16, any::<u16>()];
    (segment, offset).prop_map(|(segment, offset)| SegOff::new(segment, offset))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn whatever_is_called_nothing_else_is_written(
        calls in proptest::collection::vec(
            (opcodes(), pointers(), pointers(), proptest::collection::vec(any::<u8>(), 158), any::<bool>()), 1..12),
        failing in any::<bool>(),
    ) {
        let mut world = World::new();
        let own = [PhysRange::with_length(0x9_0000, 3 * 1260), PhysRange::with_length(0x9_1000, 1518)];
        for (opcode, at, buffer, mut bytes, is_tame) in calls {
            world.network.card.arrived.push_back(frame(MAC, 0x0800, 3));
            world.network.datagrams.push((68, SocketAddrV4::new(SERVER, 69), ADDRESS, vec![1; 600]));
            world.network.failure = (failing && bytes[157] & 3 == 0).then_some(Status::FAILURE);
            let (length, pointer) = shape(opcode);
            // Half of the calls are such that more than a refusal comes of them.
            let place = match (opcode, pointer) {
                (0x22, _) => Some((6, None)),
                (_, Some((place, size))) => Some((place, Some(size))),
                _ => None,
            };
            let at = if is_tame { BLOCK } else { at };
            if is_tame {
                bytes[2..6].copy_from_slice(&if opcode == 0x71 { [2, 0, 0, 4] } else { SERVER.octets() });
                bytes[3] = if matches!(opcode, 0x14 | 0x71) { 0 } else { bytes[3] };
            }
            if let Some((place, _)) = place {
                bytes[place..place + 4].copy_from_slice(far(buffer).as_bytes());
            }
            let start = at.linear() as usize;
            if start + bytes.len() <= MEMORY_END && start >= 0x500 {
                world.put(at, &bytes);
            }
            world.memory.written.clear();
            let answer = world.services.call(Opcode(opcode), at, &mut world.memory, &mut world.network);
            prop_assert!(matches!(answer, Answer::Return(_)) || opcode == 0x73);
            let word = |place: usize| u64::from(u16::from_le_bytes([bytes[place], bytes[place + 1]]));
            let room = match (opcode, place) {
                (0x23 | 0x24, _) => {
                    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                    PhysRange::with_length(number(134).into(), number(130).into())
                }
                (0x73, _) => PhysRange::new(0x7c00, 0xa_0000),
                (_, Some((_, size))) => PhysRange::with_length(buffer.linear().into(), size.map_or(1468, word)),
                _ => PhysRange::default(),
            };
            let block = PhysRange::with_length(at.linear().into(), length);
            for written in &world.memory.written {
                let is_own = own.iter().any(|own| own.contains(*written));
                prop_assert!(is_own || block.contains(*written) || room.contains(*written), "{opcode:#x} {written:?}");
                let is_ram = (written.start() >= 0x500 && written.end() <= 0xa_0000) || written.start() >= 0x10_0000;
                prop_assert!(is_own || (is_ram && !written.overlaps(RESERVED)), "{opcode:#x} {written:?}");
            }
        }
        world.services.close(&mut world.network);
        prop_assert!(world.network.ports.is_empty() && world.network.files.is_empty());
        prop_assert!(world.network.card.is_open);
    }
}
