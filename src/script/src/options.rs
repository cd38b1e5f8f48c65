//! Options and arguments of commands.

use crate::commands::Command;
use crate::errors::{ARGUMENTS, HELP, MISSING_VALUE, NOT_A_NUMBER, NOT_TEXT, UNKNOWN_OPTION};
use crate::location::readable;
use alloc::vec::Vec;
use base::text::{cut, cut_bytes};
use base::{Duration, Error, ErrorKind};

/// An option that a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `-x`; unique in its command.
    pub short: u8,
    /// `--name`
    pub long: &'static str,
    /// What follows.
    pub takes: Takes,
}

/// The options of a command, read from its usage. What is left is its arguments.
#[derive(Debug)]
pub struct Options(pub(crate) &'static str);

impl Iterator for Options {
    type Item = Choice;

    fn next(&mut self) -> Option<Choice> {
        let (option, rest) = cut(self.0.strip_prefix("[-")?, b']');
        self.0 = rest.unwrap_or_default().trim_ascii_start();
        let (names, value) = cut(option, b' ');
        let (short, long) = cut(names, b'|');
        let short = short.strip_prefix("-").unwrap_or(short);
        let long = long.and_then(|long| long.strip_prefix("--")).unwrap_or(short);
        let takes = match value {
            None => Takes::Nothing,
            Some("NUMBER" | "MS") => Takes::Number,
            Some("KEY") => Takes::Key,
            Some(_) => Takes::Text,
        };
        Some(Choice { short: *short.as_bytes().first()?, long, takes })
    }
}

/// The parts of a text that are not empty, and what stands between them.
#[derive(Debug)]
pub struct Words(pub(crate) &'static str, pub(crate) u8);

impl Iterator for Words {
    type Item = &'static str;

    fn next(&mut self) -> Option<&'static str> {
        while !self.0.is_empty() {
            let (word, rest) = cut(self.0, self.1);
            self.0 = rest.unwrap_or_default();
            if !word.is_empty() {
                return Some(word);
            }
        }
        None
    }
}

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// Anything.
    Text,
    /// A number; of milliseconds 0 is no limit.
    Number,
    /// A character, or the number of a key.
    Key,
}

impl Takes {
    fn check(self, text: &[u8]) -> Result<(), Error> {
        match self {
            Self::Nothing | Self::Text => Ok(()),
            Self::Number => number(text).map(drop),
            Self::Key => key(text).map(drop),
        }
    }
}

/// A command as it was written, with its words sorted out and numbers checked.
#[derive(Debug)]
pub struct Invocation<'a> {
    words: &'a [Vec<u8>],
    /// By short name; of an option given twice the last counts.
    options: Vec<(u8, &'a [u8])>,
    /// What is left behind the options.
    pub arguments: &'a [Vec<u8>],
}

impl<'a> Invocation<'a> {
    /// Reads `words`, the first of which is the command's name.
    pub fn new(command: &'static Command, words: &'a [Vec<u8>]) -> Result<Self, Error> {
        Self::read(command, words, &mut words.get(1..).unwrap_or_default())
    }

    /// As [`new`](Self::new), for callers that want to know where it failed: `rest`, at first all words behind the
    /// name, then begins behind the word at fault. If the number of arguments is wrong, it is the arguments.
    pub fn read(
        command: &'static Command,
        words: &'a [Vec<u8>],
        rest: &mut &'a [Vec<u8>],
    ) -> Result<Self, Error> {
        let mut options = Vec::new();
        let known = |matches: &dyn Fn(&Choice) -> bool| command.options().find(matches);
        let may_be_negative = command.argument_names().next() == Some("NUMBER|TEXT");
        while let Some((word, after)) = rest.split_first() {
            let Some(text) = word.strip_prefix(b"-") else { break };
            if may_be_negative && settings::number(word).is_some() {
                break;
            }
            *rest = after;
            if text == b"-" {
                break;
            }
            let bad = |kind: &'static ErrorKind| kind.of(readable(word));
            if text == b"h" || text == b"-help" {
                return Err(HELP.error());
            }
            if let Some(long) = text.strip_prefix(b"-") {
                let (name, value) = cut_bytes(long, b'=');
                let choice =
                    known(&|choice| choice.long.as_bytes() == name).ok_or_else(|| bad(&UNKNOWN_OPTION))?;
                let value = match (choice.takes, value) {
                    (Takes::Nothing, None) => &b""[..],
                    (Takes::Nothing, Some(_)) => return Err(bad(&UNKNOWN_OPTION)),
                    (_, Some(value)) => value,
                    (_, None) => next_value(rest).ok_or_else(|| bad(&MISSING_VALUE))?,
                };
                choice.takes.check(value)?;
                options.push((choice.short, value));
                continue;
            }
            let mut letters = text;
            if letters.is_empty() {
                return Err(bad(&UNKNOWN_OPTION));
            }
            while let Some((letter, after)) = letters.split_first() {
                letters = after;
                if *letter == b'h' {
                    return Err(HELP.error());
                }
                let choice = known(&|choice| choice.short == *letter).ok_or_else(|| bad(&UNKNOWN_OPTION))?;
                let mut value = &b""[..];
                if choice.takes != Takes::Nothing {
                    value = core::mem::take(&mut letters);
                    if value.is_empty() {
                        value = next_value(rest).ok_or_else(|| bad(&MISSING_VALUE))?;
                    }
                    choice.takes.check(value)?;
                }
                options.push((choice.short, value));
            }
        }
        let (least, most) = command.arity();
        let arguments = *rest;
        if arguments.len() < least || arguments.len() > most {
            return Err(ARGUMENTS.of(readable(words.first().map(Vec::as_slice).unwrap_or_default())));
        }
        for (name, word) in command.argument_names().zip(arguments) {
            *rest = rest.get(1..).unwrap_or_default();
            if name == "NUMBER" {
                number(word)?;
            }
        }
        Ok(Self { words, options, arguments })
    }

    /// The command's name, as it was written.
    pub fn name(&self) -> &'a str {
        self.words.first().and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// All words, with the name.
    pub fn words(&self) -> &'a [Vec<u8>] {
        self.words
    }

    /// Whether the option of that letter was given.
    pub fn flag(&self, short: u8) -> bool {
        self.value(short).is_some()
    }

    /// What follows that option.
    pub fn value(&self, short: u8) -> Option<&'a [u8]> {
        self.options.iter().rev().find(|option| option.0 == short).map(|option| option.1)
    }

    /// The number that follows that option, of which 32 bits count.
    pub fn number(&self, short: u8) -> Option<u64> {
        self.value(short).and_then(settings::number).map(|number| number & 0xffff_ffff)
    }

    /// The time that follows that option, if it is a limit.
    pub fn time(&self, short: u8) -> Option<Duration> {
        self.number(short).filter(|time| *time != 0).map(Duration::from_millis)
    }

    /// The argument of that place, empty if there is none. One function of the program: it is asked for everywhere.
    #[inline(never)]
    pub fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The arguments from `first` on, joined by single blanks.
    pub fn joined(&self, first: usize) -> Vec<u8> {
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

/// A character, or the number of a key; numbers that are not ASCII are counted from the first special key. 0 is none.
pub(crate) fn key(text: &[u8]) -> Result<Option<u32>, Error> {
    if let [character] = text {
        return Ok(Some(u32::from(*character)));
    }
    let code = u32::try_from(number(text)?).unwrap_or(u32::MAX);
    Ok(Some(if (0x80..SPECIAL_KEYS).contains(&code) { code + SPECIAL_KEYS } else { code })
        .filter(|key| *key != 0))
}

/// The number of the first key that is not a character.
const SPECIAL_KEYS: u32 = 0x11_0000;
