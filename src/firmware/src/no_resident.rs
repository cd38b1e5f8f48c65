//! In place of being an UNDI, in images that no UNDI loader starts.

use crate::machine::Machine;

/// Nobody has called a loader.
pub(crate) fn serve(_: &mut Machine) {}
