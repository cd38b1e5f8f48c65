//! Digests of files, as `md5sum` and its like show them.

mod md5;

use alloc::vec::Vec;
use sha2::Digest;

/// The digest of `bytes` by the algorithm of that name, which is `md5`, `sha1`, `sha224`, `sha256`, `sha384` or
/// `sha512` (RFC 1321, FIPS 180-4); none for any other name.
pub fn digest(algorithm: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        "md5" => md5::digest(bytes).to_vec(),
        "sha1" => sha1::Sha1::digest(bytes).to_vec(),
        "sha224" => sha2::Sha224::digest(bytes).to_vec(),
        "sha256" => sha2::Sha256::digest(bytes).to_vec(),
        "sha384" => sha2::Sha384::digest(bytes).to_vec(),
        "sha512" => sha2::Sha512::digest(bytes).to_vec(),
        _ => return None,
    })
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
