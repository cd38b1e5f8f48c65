//! The payload: the core in one piece, filtered and compressed.

use crate::PAGE;
use crate::link_unit::Core;
use crate::variants::Packing;
use anyhow::{Result, anyhow, ensure};
use sha2::{Digest as _, Sha256};
use unpack::code::encode;
use unpack::model::{Dense, Quick};
use zerocopy::FromZeros as _;

/// A packed payload and the header's numbers about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The compressed bytes.
    pub packed: Vec<u8>,
    /// The first bytes of the uncompressed payload's SHA-256.
    pub build_id: [u8; 8],
    /// Bytes of text, read-only data and data, each rounded up to pages.
    pub lengths: [usize; 3],
    /// The parts' zeroed memory, as in [`Core`].
    pub bss_length: usize,
    /// Bytes of the low block.
    pub low_length: usize,
    /// What the low block needs in memory, as in [`Core`].
    pub low_memory_length: usize,
}

impl Payload {
    /// Packs `core`.
    pub fn pack(core: &Core, packing: Packing) -> Result<Self> {
        let (plain, lengths) = plain(core);
        Ok(Self {
            packed: compress(&plain, lengths[0], packing)?,
            build_id: digest(&plain),
            lengths,
            bss_length: core.bss_length,
            low_length: core.low.len(),
            low_memory_length: core.low_memory_length,
        })
    }
}

/// The first bytes of the SHA-256 of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.iter_mut().zip(Sha256::digest(bytes)).for_each(|(to, from)| *to = from);
    first
}

/// The uncompressed payload, and the rounded lengths of its first three parts.
pub fn plain(core: &Core) -> (Vec<u8>, [usize; 3]) {
    let mut plain = Vec::new();
    let lengths = [&core.text, &core.rodata, &core.data].map(|part| {
        let length = part.len().next_multiple_of(PAGE);
        plain.extend(part);
        plain.resize(plain.len() + length - part.len(), 0);
        length
    });
    plain.extend(&core.low);
    (plain, lengths)
}

/// `plain`, whose first `code_length` bytes are machine code, through the filter of operands and then packed.
pub fn compress(plain: &[u8], code_length: usize, packing: Packing) -> Result<Vec<u8>> {
    ensure!(!plain.is_empty(), "there is nothing to compress");
    let mut filtered = plain.to_vec();
    unpack::operands::encode(filtered.get_mut(..code_length).unwrap_or_default());
    let no_memory = |_| anyhow!("no memory for the packer's model");
    Ok(match packing {
        Packing::Quick => encode(&filtered, code_length, &mut *Quick::new_box_zeroed().map_err(no_memory)?),
        Packing::Dense => encode(&filtered, code_length, &mut *Dense::new_box_zeroed().map_err(no_memory)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unpack::code::decode;

    const PACKINGS: [Packing; 2] = [Packing::Quick, Packing::Dense];

    /// `packed` through the code that the image itself carries.
    fn unpacked(packed: &[u8], length: usize, code_length: usize, packing: Packing) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        match packing {
            Packing::Quick => {
                decode(packed, &mut bytes, code_length, &mut *Quick::new_box_zeroed().unwrap()).ok()?;
            }
            Packing::Dense => {
                decode(packed, &mut bytes, code_length, &mut *Dense::new_box_zeroed().unwrap()).ok()?;
            }
        }
        unpack::operands::decode(bytes.get_mut(..code_length).unwrap_or_default());
        Some(bytes)
    }

    #[test]
    fn real_code_is_packed_small_and_unpacked_by_the_unpacker() {
        // This test's own machine code, which is as good as any.
        let code = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let code = &code[..code.len().min(300_000)];
        let [quick, dense] = PACKINGS.map(|packing| {
            let packed = compress(code, code.len(), packing).unwrap();
            assert!(unpacked(&packed, code.len(), code.len(), packing).unwrap() == code);
            packed.len()
        });
        assert!(quick < code.len() / 2, "{quick} of {}", code.len());
        assert!(dense < quick * 98 / 100, "{dense} of {quick}");
    }

    #[test]
    fn parts_begin_on_pages_and_the_low_block_ends_the_payload() {
        let core = Core {
            text: vec![1; PAGE],
            rodata: vec![],
            data: vec![3; 5],
            low: vec![4; 7],
            bss_length: PAGE,
            low_memory_length: 2 * PAGE,
        };
        let (bytes, lengths) = plain(&core);
        assert_eq!(lengths, [PAGE, 0, PAGE]);
        assert_eq!(bytes.len(), 2 * PAGE + 7);
        assert_eq!(&bytes[PAGE - 1..PAGE + 6], [1, 3, 3, 3, 3, 3, 0]);
        assert_eq!(&bytes[2 * PAGE..], [4; 7]);
    }

    #[test]
    fn the_build_id_is_that_of_the_bytes() {
        // SHA-256 of nothing (FIPS 180-4 examples).
        assert_eq!(digest(b""), [0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14]);
    }

    fn packings() -> impl Strategy<Value = Packing> {
        prop::sample::select(&PACKINGS)
    }

    proptest! {
        // Each case fills the memory of two models.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_survive(
            bytes in prop::collection::vec(any::<u8>(), 1..2000), code_length in 0_usize..2000, packing in packings(),
        ) {
            let packed = compress(&bytes, code_length, packing).unwrap();
            prop_assert_eq!(unpacked(&packed, bytes.len(), code_length, packing), Some(bytes));
        }

        #[test]
        fn what_was_not_packed_does_no_harm(
            packed in prop::collection::vec(any::<u8>(), 0..300), length in 0_usize..3000, code_length in 0_usize..3000,
            packing in packings(),
        ) {
            unpacked(&packed, length, code_length, packing);
            unpacked(&[0xff; 20], length, code_length, packing);
        }

        #[test]
        fn compressible_bytes_survive(
            pieces in prop::collection::vec((any::<u8>(), 1_usize..400), 1..20), packing in packings(),
        ) {
            let bytes: Vec<u8> = pieces.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
            prop_assert_eq!(unpacked(&compress(&bytes, 0, packing).unwrap(), bytes.len(), 0, packing), Some(bytes));
        }
    }
}
