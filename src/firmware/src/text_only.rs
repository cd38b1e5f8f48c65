//! The command `console` of a build without pixels: it has text.

use base::Error;
use console::{Display, Size, Style};
use script::Invocation;

use crate::errors;
use crate::machine::Machine;

/// There are none.
pub(crate) enum Pixels {}

impl Pixels {
    pub(crate) fn size(&self) -> Size {
        match *self {}
    }
}

impl Display for Pixels {
    fn text(&mut self, _: &[u8], _: Style) {
        match *self {}
    }

    fn go(&mut self, _: u8, _: u8) {
        match *self {}
    }

    fn clear(&mut self, _: Style) {
        match *self {}
    }

    fn show_cursor(&mut self, _: bool) {
        match *self {}
    }
}

impl Machine {
    /// Text it is already; whoever asks for pixels or a picture is told that there are none.
    pub(crate) fn configure_console(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        if b"xydp".iter().any(|option| command.flag(*option)) {
            return Err(errors::NOT_BUILT.of("text in pixels or pictures"));
        }
        self.leave_dialogue();
        Ok(())
    }
}
