//! SHA-1 (FIPS 180-4), rolled up: the code of the crate `sha1` is 80 steps in a row.

use super::{BLOCK, each_block};
use alloc::vec::Vec;

/// The constants of the four rounds (section 4.2.1).
const CONSTANTS: [u32; 4] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

/// The digest of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> Vec<u8> {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    each_block(bytes, u64::to_be_bytes, &mut |block| step(&mut state, block));
    state.map(u32::to_be_bytes).as_flattened().to_vec()
}

/// Takes in one block (section 6.1.3: of the schedule of words only 16 are kept).
fn step(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for number in 0..80 {
        let round = number / 20;
        let at = |behind: usize| words.get((number + behind) % 16).copied().unwrap_or_default();
        let mut word = at(0);
        if number >= 16 {
            word = (word ^ at(2) ^ at(8) ^ at(13)).rotate_left(1);
        }
        if let Some(place) = words.get_mut(number % 16) {
            *place = word;
        }
        let mixed = match round {
            0 => (b & c) | (!b & d),
            2 => (b & c) | (b & d) | (c & d),
            _ => b ^ c ^ d,
        };
        let constant = CONSTANTS.get(round).copied().unwrap_or_default();
        let sum = mixed.wrapping_add(e).wrapping_add(constant).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, a.rotate_left(5).wrapping_add(sum));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e]) {
        *old = old.wrapping_add(new);
    }
}

#[cfg(test)]
mod tests {
    use ::sha1::Digest;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_crate_says(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(super::digest(&bytes), ::sha1::Sha1::digest(&bytes).to_vec());
        }
    }
}
