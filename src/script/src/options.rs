//! Options and arguments of commands.

use crate::Host;
use crate::commands::Command;
use crate::errors::{ARGUMENTS, HELP, MISSING_VALUE, NOT_A_NUMBER, NOT_TEXT, UNKNOWN_OPTION};
use crate::location::readable;
use alloc::vec::Vec;
use base::{Duration, Error, ErrorKind};

/// An option that a command has.
pub(crate) struct Choice {
    /// `-x`
    pub(crate) short: u8,
    /// `--name`
    pub(crate) long: &'static str,
    /// Whether a value follows.
    pub(crate) value: bool,
}

/// A command with its words sorted out.
pub(crate) struct Call<'a> {
    pub(crate) host: &'a mut dyn Host,
    /// By short name; of an option given twice the last counts.
    options: Vec<(u8, &'a [u8])>,
    pub(crate) arguments: &'a [Vec<u8>],
}

impl<'a> Call<'a> {
    /// Reads `words`, the first of which is the command's name.
    pub(crate) fn new(
        host: &'a mut dyn Host,
        command: &'static Command,
        words: &'a [Vec<u8>],
    ) -> Result<Self, Error> {
        let mut words = words.get(1..).unwrap_or_default();
        let mut options = Vec::new();
        let known = |matches: &dyn Fn(&Choice) -> bool| command.options.iter().find(|choice| matches(choice));
        while let Some((word, rest)) = words.split_first() {
            let Some(text) = word.strip_prefix(b"-") else { break };
            words = rest;
            if text == b"-" {
                break;
            }
            let bad = |kind: &'static ErrorKind| kind.of(readable(word));
            if text == b"h" || text == b"-help" {
                return Err(HELP.error());
            }
            if let Some(long) = text.strip_prefix(b"-") {
                let equals = long.iter().position(|byte| *byte == b'=');
                let name = long.get(..equals.unwrap_or(long.len())).unwrap_or(long);
                let choice =
                    known(&|choice| choice.long.as_bytes() == name).ok_or_else(|| bad(&UNKNOWN_OPTION))?;
                let value = match (choice.value, equals.and_then(|place| long.get(place + 1..))) {
                    (false, None) => &b""[..],
                    (false, Some(_)) => return Err(bad(&UNKNOWN_OPTION)),
                    (true, Some(value)) => value,
                    (true, None) => next_value(&mut words).ok_or_else(|| bad(&MISSING_VALUE))?,
                };
                options.push((choice.short, value));
                continue;
            }
            let mut letters = text;
            if letters.is_empty() {
                return Err(bad(&UNKNOWN_OPTION));
            }
            while let Some((letter, rest)) = letters.split_first() {
                letters = rest;
                if *letter == b'h' {
                    return Err(HELP.error());
                }
                let choice = known(&|choice| choice.short == *letter).ok_or_else(|| bad(&UNKNOWN_OPTION))?;
                let mut value = &b""[..];
                if choice.value {
                    value = core::mem::take(&mut letters);
                    if value.is_empty() {
                        value = next_value(&mut words).ok_or_else(|| bad(&MISSING_VALUE))?;
                    }
                }
                options.push((choice.short, value));
            }
        }
        let count = words.len();
        if count < command.least || count > command.most {
            return Err(ARGUMENTS.of(command.name));
        }
        Ok(Self { host, options, arguments: words })
    }

    /// Whether that option was given.
    pub(crate) fn flag(&self, short: u8) -> bool {
        self.value(short).is_some()
    }

    /// The value of that option.
    pub(crate) fn value(&self, short: u8) -> Option<&'a [u8]> {
        self.options.iter().rev().find(|option| option.0 == short).map(|option| option.1)
    }

    /// The option `--timeout`, in milliseconds; 0 is none.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Error> {
        let Some(text) = self.value(b't') else { return Ok(None) };
        let time = number(text)?;
        Ok((time != 0).then_some(Duration::from_millis(time)))
    }

    /// The argument of that place, empty if there is none.
    pub(crate) fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The arguments from `first` on, joined by single blanks.
    pub(crate) fn joined(&self, first: usize) -> Vec<u8> {
        self.arguments.get(first..).unwrap_or_default().join(&b' ')
    }
}

fn next_value<'a>(words: &mut &'a [Vec<u8>]) -> Option<&'a [u8]> {
    let (value, rest) = words.split_first()?;
    if value.first() == Some(&b'-') {
        return None;
    }
    *words = rest;
    Some(value)
}

/// A number, or the error that says it is none.
pub(crate) fn number(text: &[u8]) -> Result<u64, Error> {
    settings::number(text).ok_or_else(|| NOT_A_NUMBER.of(readable(text)))
}

/// Text, or the error that says it is none.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Error> {
    core::str::from_utf8(bytes).map_err(|_| NOT_TEXT.of(readable(bytes)))
}
