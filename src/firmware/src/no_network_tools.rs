//! In a build that is as small as it can be: the commands that try the network out are left out.

use base::Error;
use script::Invocation;

use crate::errors;
use crate::machine::Machine;

impl Machine {
    /// Says so.
    pub(crate) fn try_network(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        Err(errors::LEFT_OUT.of(command.name()))
    }
}
