//! Lines and dialogues that the user answers.

use alloc::vec::Vec;
use base::{Error, Instant};
use console::{Dialogue, Edited, Key, LEAVE, LineEdit, Outcome, Size};
use script::errors::{CANCELLED, TIMEOUT};
use script::{COMMANDS, Line};

use crate::machine::Machine;

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Machine {
    /// Lets the user answer until there is something to be done. Then the dialogue stays on the screen, until it is
    /// answered again or [left](Self::leave_dialogue); when it is cancelled it is left.
    #[expect(dead_code, reason = "waits for the commands choose, present, config and login")]
    pub(crate) fn ask(&mut self, dialogue: &mut dyn Dialogue) -> Result<(), Error> {
        let result = loop {
            // Keys that wait are taken before anything is drawn: a serial line may be slower than they come.
            let key = self.keyboard.take().and_then(|key| console::bios_key(key.scan_code, key.ascii));
            let now = hw::clock::now();
            let outcome = match key {
                Some(key) => dialogue.key(key, now),
                None => {
                    self.screen.refresh(dialogue);
                    let deadline = dialogue.deadline().unwrap_or(NEVER);
                    match self.run_until(deadline, |machine, _| machine.keyboard.waits().then_some(())) {
                        Ok(None) => dialogue.pass(hw::clock::now()),
                        Ok(Some(())) => Outcome::Going,
                        Err(error) => break Err(error),
                    }
                }
            };
            match outcome {
                Outcome::Going => {}
                Outcome::Accepted => return Ok(()),
                Outcome::Cancelled => break Err(CANCELLED.error()),
            }
        };
        self.leave_dialogue();
        result
    }

    /// Cleans the screen behind a dialogue.
    pub(crate) fn leave_dialogue(&mut self) {
        self.screen.draw(LEAVE);
    }

    /// Lets the user edit a line. Commands of the shell have a history, and Tab to complete words.
    pub(crate) fn edit_line(&mut self, line: &Line<'_>) -> Result<Vec<u8>, Error> {
        // What is typed for a setting is no command to come back to.
        let (mut editor, prompt) = match line.setting {
            Some(_) => (LineEdit::new(), ""),
            None => (core::mem::take(&mut self.editor), "iPXE> "),
        };
        self.screen.draw(&editor.begin(prompt, line.text));
        let mut deadline = line.timeout.map_or(NEVER, |timeout| hw::clock::now() + timeout);
        let result = loop {
            let key = self.run_until(deadline, |machine, _| machine.keyboard.take());
            let key = match key {
                Ok(Some(key)) => console::bios_key(key.scan_code, key.ascii),
                Ok(None) => break Err(TIMEOUT.error()),
                Err(error) => break Err(error),
            };
            deadline = NEVER;
            let (text, edited) = match key {
                None => continue,
                Some(Key::Tab) if line.setting.is_none() => {
                    let commands: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
                    let names: Vec<_> = self.images.registered().map(|image| image.name.as_str()).collect();
                    (editor.complete(&commands, &names), Edited::Going)
                }
                Some(key) => editor.key(key),
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
        if line.setting.is_none() {
            self.editor = editor;
        }
        result
    }
}

/// How large the screen is.
#[expect(dead_code, reason = "the same")]
pub(crate) fn screen_size() -> Size {
    let (rows, columns) = hw::bios::screen_size();
    Size { rows, columns }
}
