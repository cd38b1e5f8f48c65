//! The colours of dialogues, which scripts may change.

use crate::ansi::push_sequence;
use alloc::string::String;

/// Sixteen colours by number, and eight pairs of them with a purpose each.
#[derive(Clone, Debug)]
pub struct Colours {
    colours: [(u8, Option<u32>); 16],
    pairs: [(u8, u8); 8],
}

/// What a pair of colours is for: the numbers that scripts know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Pair {
    Default,
    Normal,
    Selected,
    Separator,
    Edited,
    Alert,
    Uri,
    Pxe,
}

/// The basic colour that a screen has by itself; transparent on a picture.
pub const DEFAULT: u8 = 9;
/// The colour that is [`DEFAULT`] on a picture, and else blue: the usual background.
pub const MAGIC: u8 = 15;

const CYAN: u8 = 6;
const WHITE: u8 = 7;
const RED: u8 = 1;
const BLUE: u8 = 4;
const BLACK: u8 = 0;

impl Default for Colours {
    fn default() -> Self {
        let mut colours = [(DEFAULT, None); 16];
        (0..).zip(&mut colours).take(8).for_each(|(basic, colour)| colour.0 = basic);
        let mut this = Self {
            colours,
            pairs: [
                (DEFAULT, DEFAULT),
                (WHITE, MAGIC),
                (WHITE, RED),
                (CYAN, MAGIC),
                (BLACK, CYAN),
                (WHITE, RED),
                (CYAN, MAGIC),
                (BLACK, WHITE),
            ],
        };
        this.set_picture(false);
        this
    }
}

impl Colours {
    /// Makes `colour` (0 to 15) a basic one (0 to 7, or [`DEFAULT`]), and on screens that can a value (24 bits: red,
    /// green, blue). False if there is no such colour.
    pub fn set_colour(&mut self, colour: usize, basic: u8, value: Option<u32>) -> bool {
        let found = self.colours.get_mut(colour).filter(|_| basic < 8 || basic == DEFAULT);
        found.map(|found| *found = (basic, value)).is_some()
    }

    /// Makes `pair` (0 to 7) of these colours (0 to 15). False if there is no such pair or colour.
    pub fn set_pair(&mut self, pair: usize, foreground: u8, background: u8) -> bool {
        let found = self.pairs.get_mut(pair).filter(|_| foreground.max(background) < 16);
        found.map(|found| *found = (foreground, background)).is_some()
    }

    /// Whether a picture is behind the text.
    pub fn set_picture(&mut self, shown: bool) {
        self.set_colour(MAGIC.into(), if shown { DEFAULT } else { BLUE }, None);
    }

    /// Switches the screen to a pair: SGR, with a value of a colour only where one was set.
    pub(crate) fn select(&self, pair: Pair, out: &mut String) {
        let (foreground, background) = self.pairs.get(pair as usize).copied().unwrap_or_default();
        push_sequence(out, &[0], 'm');
        for (colour, base) in [(foreground, 30), (background, 40)] {
            let (basic, value) = self.colours.get(usize::from(colour)).copied().unwrap_or_default();
            push_sequence(out, &[base + basic], 'm');
            if let Some(value) = value {
                let [_, red, green, blue] = value.to_be_bytes();
                push_sequence(out, &[base + 8, 2, red, green, blue], 'm');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(colours: &Colours, pair: Pair) -> String {
        let mut out = String::new();
        colours.select(pair, &mut out);
        out
    }

    #[test]
    fn pairs_are_as_scripts_know_them() {
        let mut colours = Colours::default();
        assert_eq!(selected(&colours, Pair::Normal), "\x1b[0m\x1b[37m\x1b[44m");
        assert_eq!(selected(&colours, Pair::Default), "\x1b[0m\x1b[39m\x1b[49m");
        colours.set_picture(true);
        assert_eq!(selected(&colours, Pair::Separator), "\x1b[0m\x1b[36m\x1b[49m");
    }

    #[test]
    fn scripts_may_change_them() {
        let mut colours = Colours::default();
        assert!(colours.set_colour(6, 2, Some(0x00ff_8000)) && colours.set_pair(4, 6, 8));
        assert_eq!(selected(&colours, Pair::Edited), "\x1b[0m\x1b[32m\x1b[38;2;255;128;0m\x1b[49m");
        assert!(!colours.set_colour(16, 0, None) && !colours.set_colour(0, 8, None));
        assert!(!colours.set_pair(8, 0, 0) && !colours.set_pair(0, 0, 16));
    }
}
