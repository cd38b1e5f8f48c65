//! Which lines of a script can be reached. Each command may succeed or fail, unless it is known to do neither.

use super::parse::{Line, Script, Word, matches};
use super::{Findings, is_misused};
use script::lexer::Operator;
use std::collections::HashMap;

/// The first line of each label.
type Labels<'a> = HashMap<&'a [u8], usize>;

/// By the line of `while` that of its `end`, and the other way round.
type Loops = HashMap<usize, usize>;

fn loops(script: &Script, findings: &mut Findings<'_>) -> Loops {
    let (mut loops, mut open) = (Loops::new(), Vec::new());
    let lone = |line: &Line, findings: &mut Findings<'_>, sentence: &str| {
        let place = line.commands.first().and_then(|(_, words)| words.first()).map_or(0, |word| word.offset);
        findings.problem(line, place, sentence);
    };
    for (index, line) in script.lines.iter().enumerate() {
        let first = line.commands.first().and_then(|(_, words)| words.first());
        match first.map(|word| word.text.as_slice()) {
            Some(b"while") => open.push(index),
            Some(b"end") => match open.pop() {
                Some(start) => loops.extend([(start, index), (index, start)]),
                None => lone(line, findings, "no while stands before this end"),
            },
            _ => {}
        }
        for (_, words) in line.commands.iter().skip(1) {
            if let Some(word) = words.first().filter(|word| [&b"while"[..], b"end"].contains(&&*word.text)) {
                findings.problem(line, word.offset, "while and end stand first in their lines");
            }
        }
    }
    for line in open.into_iter().filter_map(|index| script.lines.get(index)) {
        lone(line, findings, "this while has no end");
    }
    loops
}

pub(super) fn check(script: &Script, findings: &mut Findings<'_>) {
    let loops = loops(script, findings);
    let mut labels = Labels::new();
    let mut is_double = vec![false; script.lines.len()];
    for ((index, line), is_double) in script.lines.iter().enumerate().zip(&mut is_double) {
        let Some(label) = &line.label else { continue };
        if let Some(first) = labels.get(label.text.as_slice()).and_then(|first| script.lines.get(*first)) {
            let sentence = format!(
                "label {} is in line {} already, and goto finds only that one",
                shown(&label.text),
                first.place(0).0
            );
            findings.problem(line, label.offset, sentence);
            *is_double = true;
        } else {
            labels.insert(&label.text, index);
        }
    }
    let reached = Reached::find(script, &labels, &loops, false);
    let surely = Reached::find(script, &labels, &loops, true);
    for (index, at, label) in &reached.missing {
        let Some(line) = script.lines.get(*index) else { continue };
        findings.problem(line, *at, format!("there is no label {} in this script", shown(label)));
    }
    for (index, at) in &reached.dead {
        let Some(line) = script.lines.get(*index) else { continue };
        findings.problem(line, *at, "this never runs: what stands before it never goes on");
    }
    let (mut before, mut surely_before) = (true, true);
    for (index, line) in script.lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let is_reached = |reached: &Reached| reached.lines.get(index) == Some(&true);
        let start = line.commands.first().and_then(|(_, words)| words.first()).map_or(0, |word| word.offset);
        match &line.label {
            _ if is_reached(&surely) => {}
            // The end of a loop that is always left.
            None if loops.contains_key(&index) => {}
            Some(_) if is_double.get(index) == Some(&true) => {}
            Some(label) if !is_reached(&reached) => {
                let sentence = format!("label {} is never reached", shown(&label.text));
                findings.problem(line, label.offset, sentence);
            }
            None if !is_reached(&reached) && before => {
                findings.problem(line, start, "this is never reached: the line before never goes on");
            }
            _ if is_reached(&reached) && surely_before => {
                let at = line.label.as_ref().map_or(start, |label| label.offset);
                let sentence = "this is reached only if what was booted comes back; \
                                a failure ends the script in the line before, unless || follows there";
                findings.note(line, at, sentence);
            }
            _ => {}
        }
        (before, surely_before) = (is_reached(&reached), is_reached(&surely));
    }
}

/// A name with references as `${}`.
fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    for part in String::from_utf8_lossy(name).chars() {
        match part {
            '\0' if text.ends_with("${}") => {}
            '\0' => text.push_str("${}"),
            part => text.push(part),
        }
    }
    text
}

#[derive(Default)]
struct Reached {
    lines: Vec<bool>,
    /// Jumps to nowhere: line, place in it, label.
    missing: Vec<(usize, usize, Vec<u8>)>,
    /// Commands that never run in lines that do: line, place in it.
    dead: Vec<(usize, usize)>,
}

/// How a command may end.
#[derive(Clone, Copy)]
struct Ends {
    well: bool,
    badly: bool,
}

impl Reached {
    /// `boots`: what is booted does not come back.
    fn find(script: &Script, labels: &Labels<'_>, loops: &Loops, boots: bool) -> Self {
        let mut reached = Self { lines: vec![false; script.lines.len()], ..Self::default() };
        let mut waiting = vec![0];
        while let Some(index) = waiting.pop() {
            let Some(is_reached) = reached.lines.get_mut(index).filter(|is_reached| !**is_reached) else {
                continue;
            };
            *is_reached = true;
            let Some(line) = script.lines.get(index) else { continue };
            let ends = reached.walk(index, line, labels, boots, &mut waiting);
            match loops.get(&index) {
                Some(start) if *start < index => waiting.push(*start),
                end => {
                    waiting.extend(ends.well.then_some(index + 1));
                    waiting.extend(end.filter(|_| ends.badly).map(|end| end + 1));
                }
            }
        }
        reached
    }

    /// Goes through one line, and says how it may end.
    fn walk(
        &mut self,
        index: usize,
        line: &Line,
        labels: &Labels<'_>,
        boots: bool,
        waiting: &mut Vec<usize>,
    ) -> Ends {
        let mut now = Ends { well: true, badly: false };
        for (operator, words) in &line.commands {
            let at = words.first().map_or(0, |word| word.offset);
            let (runs, skipped) = match operator {
                Operator::Always => (now.well || now.badly, Ends { well: false, badly: false }),
                Operator::And => (now.well, Ends { well: false, ..now }),
                Operator::Or => (now.badly, Ends { badly: false, ..now }),
            };
            if !runs {
                // `|| command` behind what cannot fail is caution.
                if *operator != Operator::Or && !now.well && !now.badly {
                    self.dead.push((index, at));
                }
                continue;
            }
            let ends = self.command(index, words, labels, boots, waiting);
            now = Ends { well: skipped.well || ends.well, badly: skipped.badly || ends.badly };
        }
        now
    }

    fn command(
        &mut self,
        index: usize,
        words: &[Word],
        labels: &Labels<'_>,
        boots: bool,
        waiting: &mut Vec<usize>,
    ) -> Ends {
        let Some((name, rest)) = words.split_first() else { return Ends { well: true, badly: false } };
        let is_flag = |word: &&Word| word.text == b"--replace" || word.text == b"-r";
        match name.text.as_slice() {
            // That is told already: nothing else is to follow from it.
            _ if is_misused(words) => {}
            b"time" | b"while" => return self.command(index, rest, labels, boots, waiting),
            b"exit" => return Ends { well: false, badly: false },
            b"goto" | b"call" => {
                let Some(label) = rest.iter().find(|word| word.text != b"--") else {
                    return Ends { well: false, badly: true };
                };
                let found =
                    labels.iter().filter(|(name, _)| matches(&label.text, name)).map(|(_, line)| *line);
                let before = waiting.len();
                waiting.extend(found);
                let is_found = waiting.len() > before;
                if !is_found {
                    self.missing.push((index, label.offset, label.text.clone()));
                }
                let comes_back = name.text == b"call";
                return Ends { well: comes_back, badly: comes_back || !is_found || !label.is_known() };
            }
            b"boot" | b"chain" | b"imgexec"
                if rest.iter().take_while(|word| word.text.starts_with(b"-")).any(|word| is_flag(&word)) =>
            {
                return Ends { well: false, badly: true };
            }
            b"boot" | b"chain" | b"imgexec" if boots && rest.is_empty() => {
                return Ends { well: false, badly: true };
            }
            b"reboot" | b"poweroff" if boots => return Ends { well: false, badly: true },
            // It may be a jump.
            _ if !name.is_known() && matches(&name.text, b"goto") => {
                if let Some(label) = rest.first() {
                    waiting.extend(
                        labels.iter().filter(|(name, _)| matches(&label.text, name)).map(|(_, line)| *line),
                    );
                }
            }
            _ => {}
        }
        Ends { well: true, badly: true }
    }
}
