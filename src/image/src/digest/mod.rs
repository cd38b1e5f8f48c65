//! Digests of files, as `md5sum` and its like show them.

mod md5;
mod sha1;

use alloc::vec::Vec;
use sha2::Digest;

/// The digest of `bytes` by the algorithm of that name, which is `md5`, `sha1`, `sha224`, `sha256`, `sha384` or
/// `sha512` (RFC 1321, FIPS 180-4); none for any other name.
pub fn digest(algorithm: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        "md5" => md5::digest(bytes),
        "sha1" => sha1::digest(bytes),
        "sha224" => sha2::Sha224::digest(bytes).to_vec(),
        "sha256" => sha2::Sha256::digest(bytes).to_vec(),
        "sha384" => sha2::Sha384::digest(bytes).to_vec(),
        "sha512" => sha2::Sha512::digest(bytes).to_vec(),
        _ => return None,
    })
}

/// Bytes that one step of MD5 and SHA-1 takes.
const BLOCK: usize = 64;

/// Hands all blocks to `step`: those of `bytes`, and one or two that a one, zeros, and the length in bits fill up (RFC
/// 1321 sections 3.1 and 3.2, FIPS 180-4 section 5.1.1). `order` makes bytes of the length.
fn each_block(bytes: &[u8], order: fn(u64) -> [u8; 8], step: &mut dyn FnMut(&[u8; BLOCK])) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut tail = rest.to_vec();
    tail.push(0x80);
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    tail.resize(end - 8, 0);
    tail.extend_from_slice(&order((bytes.len() as u64).wrapping_mul(8)));
    for block in blocks.iter().chain(tail.as_chunks().0) {
        step(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_its_algorithm() {
        // RFC 1321 appendix A.5, FIPS 180-4's examples: the digests of "abc" begin so.
        for (algorithm, length, start) in [
            ("md5", 16, [0x90, 0x01]),
            ("sha1", 20, [0xa9, 0x99]),
            ("sha224", 28, [0x23, 0x09]),
            ("sha256", 32, [0xba, 0x78]),
            ("sha384", 48, [0xcb, 0x00]),
            ("sha512", 64, [0xdd, 0xaf]),
        ] {
            let digest = digest(algorithm, b"abc").unwrap();
            assert_eq!((digest.len(), &digest[..2]), (length, &start[..]), "{algorithm}");
        }
        assert_eq!(digest("md4", b"abc"), None);
    }
}
