//! Lines and dialogues that the user answers.

use alloc::format;
use alloc::vec::Vec;
/// Text of a script for the screen.
pub(crate) use base::text::lossy as shown;
use base::{Duration, Error, Instant};
use console::{Dialogue, Edited, Field, Form, Key, LEAVE, LineEdit, Outcome};
use script::errors::{CANCELLED, TIMEOUT};
use script::{COMMANDS, Line, Selection};

use crate::machine::Machine;

const NEVER: Instant = Instant::from_micros(u64::MAX);

/// When a wait is over; without a limit never.
pub(crate) fn deadline(timeout: Option<Duration>) -> Instant {
    timeout.map_or(NEVER, |timeout| hw::clock::now() + timeout)
}

impl Machine {
    /// The next key, waiting for it until `deadline`.
    pub(crate) fn key(&mut self, deadline: Instant) -> Result<Option<Key>, Error> {
        self.run_until(deadline, |machine, _| machine.keyboard.take())
    }

    /// Lets the user answer until there is something to be done. Then the dialogue stays on the screen, until it is
    /// answered again or [left](Self::leave_dialogue); when it is cancelled it is left.
    pub(crate) fn ask(&mut self, dialogue: &mut dyn Dialogue) -> Result<(), Error> {
        let result = loop {
            // Keys that wait are taken before anything is drawn: a serial line may be slower than they come.
            let now = hw::clock::now();
            let outcome = match self.keyboard.take() {
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

    /// Lets the user choose an item of a menu, and answers its number.
    pub(crate) fn show_menu(&mut self, selection: &Selection<'_>) -> Result<usize, Error> {
        let items = selection.menu.items.iter().map(|item| console::Item {
            text: shown(&item.text),
            is_gap: item.name.is_none(),
            key: item.key.unwrap_or_default(),
        });
        let title = shown(&selection.menu.title);
        let menu = console::Menu::new(&title, base::list(items), selection.initial, self.screen.size());
        let menu = menu.ok_or_else(|| script::errors::NO_ITEMS.of(title.as_str()))?;
        let [timeout, retimeout] = [selection.timeout, selection.retimeout].map(Option::unwrap_or_default);
        let mut menu = menu.with_timeout(timeout, retimeout, hw::clock::now());
        self.ask(&mut menu)?;
        self.leave_dialogue();
        Ok(menu.highlighted())
    }

    /// Lets the user fill in a form whose fields hold `texts`; one of them may have been refused.
    pub(crate) fn show_form(
        &mut self,
        form: &script::Menu,
        mut texts: Vec<Vec<u8>>,
        refused: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let fields = form.items.iter().zip(&texts).map(|(item, text)| Field {
            label: shown(&item.text),
            value: item.name.as_ref().map(|_| shown(text)),
            secret: item.is_secret,
        });
        let mut dialogue = Form::new(&shown(&form.title), base::list(fields), self.screen.size());
        if let Some((field, error)) = refused {
            dialogue.refuse(field, &format!("{error}"));
        }
        self.ask(&mut dialogue)?;
        self.leave_dialogue();
        for (field, text) in texts.iter_mut().enumerate() {
            *text = dialogue.value(field).into();
        }
        Ok(texts)
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
        self.screen.draw(&editor.begin(prompt, line.text, self.screen.width()));
        let mut deadline = deadline(line.timeout);
        let result = loop {
            let key = match self.key(deadline) {
                Ok(Some(key)) => key,
                Ok(None) => break Err(TIMEOUT.error()),
                Err(error) => break Err(error),
            };
            deadline = NEVER;
            let (text, edited) = match key {
                Key::Tab if line.setting.is_none() => {
                    let mut commands = Vec::new();
                    for command in COMMANDS {
                        commands.extend(command.names());
                    }
                    let names = base::list(self.images.registered().map(|image| image.name.as_str()));
                    (editor.complete(&commands, &names), Edited::Going)
                }
                key => editor.key(key),
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
