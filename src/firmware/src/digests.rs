//! Digests of files.

use alloc::vec::Vec;
use base::Error;

use crate::errors;

/// The digest of `bytes` by the algorithm of that name.
pub(crate) fn digest(algorithm: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    image::digest(algorithm, bytes).ok_or_else(|| errors::NOT_BUILT.of(algorithm))
}
