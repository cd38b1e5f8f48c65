//! Looks for mistakes in scripts without running them. What only a run can know is never complained about.

mod flow;
mod names;
mod parse;
mod stock;
#[cfg(test)]
mod tests;

use self::names::Names;
use self::parse::{Line, Script, UNKNOWN, Word};
use self::stock::Stock;
use anyhow::{Context as _, Result, ensure};
use base::Error;
use script::lexer::BadLine;
use script::{Command, Invocation, errors, is_script, slice};
use settings::{Key, Scope, split};
use std::collections::HashSet;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The scripts. What one of them sets counts as set in all
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A setting that comes from elsewhere, for instance from the script that chains these
    #[arg(long, value_name = "NAME")]
    set: Vec<String>,
    /// The scripts are for this firmware only: do not say what iPXE lacks
    #[arg(long)]
    only_here: bool,
}

/// Prints what was found, a sentence each, and fails if one of them is more than a note.
pub(super) fn check(options: &Options) -> Result<()> {
    let mut scripts = Vec::new();
    for file in &options.files {
        let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        scripts.push((file.display().to_string(), text));
    }
    let scripts: Vec<_> = scripts.iter().map(|(file, text)| (file.as_str(), text.as_slice())).collect();
    let found = find(&scripts, &options.set, options.only_here);
    found.iter().for_each(|finding| println!("{finding}"));
    let problems = found.iter().filter(|finding| !finding.is_note).count();
    ensure!(problems == 0, "{problems} of these must be looked at");
    Ok(())
}

/// A sentence about a place in a file.
struct Finding {
    file: String,
    line: u32,
    column: usize,
    sentence: String,
    /// Nothing is wrong.
    is_note: bool,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, column, sentence, is_note } = self;
        let note = if *is_note { "note: " } else { "" };
        write!(f, "{file}:{line}:{column}: {note}{sentence}")
    }
}

/// What is found in one file.
struct Findings<'a> {
    file: &'a str,
    list: Vec<Finding>,
    /// Commands that were noted: once is enough.
    noted: HashSet<&'static str>,
}

impl Findings<'_> {
    fn problem(&mut self, line: &Line, offset: usize, sentence: impl Into<String>) {
        self.add(line.place(offset), sentence.into(), false);
    }

    fn note(&mut self, line: &Line, offset: usize, sentence: impl Into<String>) {
        self.add(line.place(offset), sentence.into(), true);
    }

    fn add(&mut self, (line, column): (u32, usize), sentence: String, is_note: bool) {
        self.list.push(Finding { file: self.file.to_owned(), line, column, sentence, is_note });
    }
}

/// All that is to be said about the scripts, given by name and content.
fn find(scripts: &[(&str, &[u8])], set_elsewhere: &[String], only_here: bool) -> Vec<Finding> {
    let mut names = Names::default();
    set_elsewhere.iter().for_each(|name| names.add(name));
    let parsed: Vec<_> = scripts.iter().map(|(_, text)| Script::parse(text)).collect();
    parsed.iter().for_each(|script| names.collect(script));
    let mut all = Vec::new();
    for ((file, text), script) in scripts.iter().zip(&parsed) {
        let mut findings = Findings { file, list: Vec::new(), noted: HashSet::new() };
        if !is_script(text) {
            findings.add(
                (1, 1),
                "a script begins with #!ipxe and a blank or the end of the line".into(),
                false,
            );
        }
        match &script.bad {
            Some((BadLine::Dangling, line)) => {
                findings.add((*line, 1), "the script ends behind a backslash".into(), false);
            }
            Some((BadLine::TooLong, line)) => {
                findings.add((*line, 1), "the line is longer than 32 KiB".into(), false);
            }
            None => {}
        }
        for line in &script.lines {
            let mut check = Check { line, names: &names, only_here, findings: &mut findings };
            for (_, words) in &line.commands {
                words.iter().for_each(|word| check.references(word));
                check.command(words);
            }
        }
        flow::check(script, &mut findings);
        findings.list.sort_by_key(|finding| (finding.line, finding.column));
        all.append(&mut findings.list);
    }
    all
}

/// The checks of one line.
struct Check<'c, 'f> {
    line: &'c Line,
    names: &'c Names,
    only_here: bool,
    findings: &'c mut Findings<'f>,
}

impl Check<'_, '_> {
    fn problem(&mut self, offset: usize, sentence: impl Into<String>) {
        self.findings.problem(self.line, offset, sentence);
    }

    fn references(&mut self, word: &Word) {
        for (name, start) in &word.references {
            let offset = word.offset + start;
            if name.contains(&UNKNOWN) {
                continue;
            }
            let (reference, start, length) = slice(name);
            if !self.only_here && (start, length) != (0, -1) {
                self.problem(offset, "iPXE cannot cut slices out of settings");
            }
            match split(reference) {
                Err(error) if error.object().is_empty() => {
                    self.problem(offset, "this reference does not name a setting");
                }
                Err(error) => self.problem(offset, sentence(&error)),
                Ok(_) if !self.names.may_be_set(name) => {
                    let name = String::from_utf8_lossy(name);
                    self.problem(offset, format!("nothing sets {name}, so ${{{name}}} is always empty"));
                }
                Ok(_) => {}
            }
        }
        if let Some(start) = word.text.windows(2).position(|pair| pair == b"${") {
            self.problem(word.offset + start, "this ${ has no } in the same word");
        }
    }

    fn command(&mut self, words: &[Word]) {
        let Some((name, rest)) = words.split_first().filter(|(name, _)| name.is_known()) else { return };
        let stock = Stock::named(&name.text);
        let shown = String::from_utf8_lossy(&name.text);
        let Some(command) = Command::named(&name.text) else {
            self.problem(
                name.offset,
                match stock {
                    Some(_) => format!("{shown} is a command of iPXE that this firmware does not have"),
                    None => format!("unknown command {shown}"),
                },
            );
            return;
        };
        match stock {
            _ if self.only_here => {}
            None => self.problem(name.offset, format!("iPXE does not have the command {shown}")),
            Some(stock) if !stock.is_usual && self.findings.noted.insert(stock.name) => {
                let sentence = format!("iPXE for BIOS machines has {shown} only if it is built with it");
                self.findings.note(self.line, name.offset, sentence);
            }
            Some(_) => {}
        }
        let samples: Vec<_> = words.iter().map(Word::sample).collect();
        let mut left = samples.get(1..).unwrap_or_default();
        match Invocation::read(command, &samples, &mut left) {
            Ok(invocation) => {
                if !self.only_here
                    && let Some(stock) = stock
                {
                    self.options(command, stock, &invocation, words);
                }
                let arguments = words.get(words.len() - invocation.arguments.len()..).unwrap_or_default();
                self.settings(command, arguments);
            }
            Err(error) if error.is(&errors::HELP) => {}
            Err(error) if error.is(&errors::ARGUMENTS) => self.count(command, words, left.len()),
            Err(error) => {
                let fault = words.get(words.len() - left.len() - 1);
                if let Some(word) = fault.filter(|word| word.is_known()) {
                    self.problem(word.offset, sentence(&error));
                }
            }
        }
        if PREFIXES.contains(&name.text.as_slice()) {
            self.command(rest);
        }
    }

    /// There are too many or too few arguments: the last `count` words.
    fn count(&mut self, command: &Command, words: &[Word], count: usize) {
        let (least, most) = command.arity();
        let first = words.len() - count;
        let place = if count < least {
            words.first()
        } else if command.options().next().is_some() && words.iter().skip(first).any(|word| !word.is_known())
        {
            // What is not known may be an option.
            None
        } else {
            words.get(first + most)
        };
        if let Some(word) = place {
            let much = if count < least { "few" } else { "many" };
            self.problem(word.offset, format!("too {much} arguments: {}", command.usage));
        }
    }

    /// Options that iPXE does not have.
    fn options(&mut self, command: &Command, stock: &Stock, invocation: &Invocation<'_>, words: &[Word]) {
        let given = command.options().filter(|choice| invocation.flag(choice.short));
        for choice in given.filter(|choice| !stock.has(choice.long)) {
            let long = format!("--{}", choice.long);
            let short = [b'-', choice.short];
            let is_it =
                |word: &&Word| word.text.starts_with(long.as_bytes()) || word.text.starts_with(&short);
            let offset = words.iter().find(is_it).or(words.first()).map_or(0, |word| word.offset);
            self.problem(offset, format!("{} of iPXE does not have the option {long}", invocation.name()));
        }
    }

    /// Arguments that are settings, and what is stored there.
    fn settings(&mut self, command: &Command, arguments: &[Word]) {
        let names = command.argument_names().zip(arguments);
        for (_, word) in names.filter(|(name, word)| *name == "SETTING" && word.is_known()) {
            if let Err(error) = split(&word.text) {
                return self.problem(word.offset, sentence(&error));
            }
        }
        let (true, Some((setting, values))) = (is(command, "set"), arguments.split_first()) else { return };
        if values.is_empty() && setting.text.contains(&b'=') {
            return self
                .problem(setting.offset, "set takes the name and the value with a blank between them");
        }
        let Some(first) = values.first().filter(|_| setting.is_known() && values.iter().all(Word::is_known))
        else {
            return;
        };
        let Ok((block, name, kind)) = split(&setting.text) else { return };
        let scope = if block.is_some_and(|block| block == b"smbios") { Scope::Smbios } else { Scope::Dhcp };
        let texts: Vec<_> = values.iter().map(|word| word.text.as_slice()).collect();
        let value = texts.join(&b' ');
        if let Some(kind) = Key::new(name, kind, scope).kind
            && kind.parse(&value).is_none()
        {
            let value = String::from_utf8_lossy(&value);
            self.problem(first.offset, format!("{value} is no value of the type {}", kind.name()));
        }
    }
}

/// Commands behind which another one stands.
const PREFIXES: [&[u8]; 2] = [b"time", b"while"];

fn is(command: &Command, name: &str) -> bool {
    command.names().any(|own| own == name)
}

/// Whether a command fails whatever the world is like.
fn is_misused(words: &[Word]) -> bool {
    let Some(command) = words.first().and_then(|name| Command::named(&name.text)) else { return false };
    let texts: Vec<_> = words.iter().map(|word| word.text.clone()).collect();
    words.iter().all(Word::is_known) && Invocation::new(command, &texts).is_err()
}

/// What an error says, without its number.
fn sentence(error: &Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" [").map_or(text.as_str(), |(sentence, _)| sentence).to_owned()
}
