//! What the user answers.

use alloc::vec::Vec;
use base::{Error, Instant};
use console::{Edited, Key};
use script::errors::CANCELLED;

use crate::machine::Machine;

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Machine {
    /// Lets the user edit a line, with the history of all lines so far, and Tab to complete words.
    pub(crate) fn edit_line(&mut self, prompt: &str, line: &[u8]) -> Result<Vec<u8>, Error> {
        let mut editor = core::mem::take(&mut self.editor);
        self.screen.draw(&editor.begin(prompt, line));
        let result = loop {
            let key = self.run_until(NEVER, |machine, _| {
                let key = machine.keyboard.take()?;
                console::bios_key(key.scan_code, key.ascii)
            });
            let (text, edited) = match key {
                Err(error) => break Err(error),
                Ok(None) => continue,
                Ok(Some(Key::Tab)) => {
                    let names: Vec<_> = self.images.registered().map(|image| image.name.as_str()).collect();
                    (editor.complete(&script::command_names(), &names), Edited::Going)
                }
                Ok(Some(key)) => editor.key(key),
            };
            self.screen.draw(&text);
            match edited {
                Edited::Going => {}
                Edited::Entered => break Ok(editor.line()),
                Edited::Cancelled => break Err(CANCELLED.error()),
            }
        };
        if result.is_err() {
            self.screen.draw("\r\n");
        }
        self.editor = editor;
        result
    }
}
