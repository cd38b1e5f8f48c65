//! MD5 (RFC 1321), rolled up: the code of the crate `md-5` is 64 steps in a row, 10 KB of a packed image.

use super::{BLOCK, each_block};
use alloc::vec::Vec;

/// The 4294967296 times absolute sine of 1 to 64 (RFC 1321 section 3.4).
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// By how many bits the four rounds rotate, in turns (section 3.4).
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Each round takes word `factor * step + offset` of the block (section 3.4).
const ORDERS: [(usize, usize); 4] = [(1, 0), (5, 1), (3, 5), (7, 0)];

/// The digest of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> Vec<u8> {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    each_block(bytes, u64::to_le_bytes, &mut |block| step(&mut state, block));
    state.map(u32::to_le_bytes).as_flattened().to_vec()
}

/// Takes in one block (section 3.4).
fn step(state: &mut [u32; 4], block: &[u8; BLOCK]) {
    let [mut a, mut b, mut c, mut d] = *state;
    let words = block.as_chunks::<4>().0;
    for (number, sine) in SINES.iter().enumerate() {
        let round = number / 16;
        let mixed = match round {
            0 => (b & c) | (!b & d),
            1 => (b & d) | (c & !d),
            2 => b ^ c ^ d,
            _ => c ^ (b | !d),
        };
        let (factor, offset) = ORDERS.get(round).copied().unwrap_or_default();
        let word = words.get((factor * number + offset) % 16).copied().unwrap_or_default();
        let rotation =
            ROTATIONS.get(round).and_then(|turns| turns.get(number % 4)).copied().unwrap_or_default();
        let sum = a.wrapping_add(mixed).wrapping_add(u32::from_le_bytes(word)).wrapping_add(*sine);
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(rotation)));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old = old.wrapping_add(new);
    }
}

#[cfg(test)]
mod tests {
    use ::md5::Digest;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_crate_says(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(super::digest(&bytes), ::md5::Md5::digest(&bytes).to_vec());
        }
    }
}
