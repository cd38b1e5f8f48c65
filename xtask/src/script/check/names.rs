//! Settings: which ones scripts give a value, and which ones are there without that.

use super::parse::{Script, UNKNOWN, Word, matches};
use super::{PREFIXES, is};
use script::{Command, Invocation};
use settings::{Key, Scope, split};
use std::collections::HashSet;

/// What all scripts together say about settings.
#[derive(Default)]
pub(super) struct Names {
    /// Those that get a value, as references without a type; parts may be unknown.
    set: HashSet<Vec<u8>>,
    /// Those that a script tests: its author knows that they may be missing.
    tested: HashSet<Vec<u8>>,
    /// Names of items; they are settings if there is a form.
    items: HashSet<Vec<u8>>,
    has_form: bool,
}

impl Names {
    /// Adds a setting that something else sets.
    pub(super) fn add(&mut self, name: &str) {
        self.set.insert(name.as_bytes().to_vec());
    }

    pub(super) fn collect(&mut self, script: &Script) {
        for (_, words) in script.lines.iter().flat_map(|line| &line.commands) {
            self.command(words);
        }
    }

    fn command(&mut self, words: &[Word]) {
        let Some((name, rest)) = words.split_first() else { return };
        if PREFIXES.contains(&name.text.as_slice()) {
            return self.command(rest);
        }
        if name.text == b"call" {
            let parts = rest.iter().filter_map(|word| word.text.split(|byte| *byte == b'=').next());
            self.set.extend(parts.map(|name| bare(name).to_vec()));
        }
        if name.text == b"isset" {
            let references = rest.iter().flat_map(|word| &word.references);
            self.tested.extend(references.map(|(name, _)| bare(name).to_vec()));
        }
        let Some(command) = Command::named(&name.text) else { return };
        // As written, so that what is unknown stays so; but an option may want a number where a reference stands.
        let texts: Vec<_> = words.iter().map(|word| word.text.clone()).collect();
        let samples: Vec<_> = words.iter().map(Word::sample).collect();
        let read = Invocation::new(command, &texts).or_else(|_| Invocation::new(command, &samples));
        let Ok(invocation) = read else { return self.guess(command, words) };
        let arguments = words.get(words.len() - invocation.arguments.len()..).unwrap_or_default();
        let argument = |place: usize| arguments.get(place).map(|word| bare(&word.text).to_vec());
        if is(command, "item") {
            self.items.extend(argument(0));
        }
        self.has_form |= is(command, "present");
        self.set.extend(target(command).and_then(argument));
        if command.options().any(|choice| choice.long == "set")
            && let Some(name) = invocation.value(b's')
        {
            self.set.insert(bare(name).to_vec());
        }
    }

    /// Of a command that cannot be read any word may be the setting.
    fn guess(&mut self, command: &Command, words: &[Word]) {
        self.has_form |= is(command, "present");
        if target(command).is_some() || is(command, "item") {
            self.set.extend(words.iter().skip(1).map(|word| bare(&word.text).to_vec()));
        }
    }

    /// Whether a setting may have a value.
    pub(super) fn may_be_set(&self, reference: &[u8]) -> bool {
        let name = bare(reference);
        let (block, setting) = parts(name);
        let is_ours = |known: &Vec<u8>| {
            let (of, known) = parts(known);
            // A block is searched with all that are inside it, and all blocks are inside the one without a name.
            let is_inside = |block: &[u8]| {
                let outside = of.and_then(|of| of.strip_prefix(block));
                outside.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
            };
            let may_be = of.is_some_and(|of| of.contains(&UNKNOWN));
            matches(known, setting) && (may_be || block.is_none_or(is_inside))
        };
        name.contains(&UNKNOWN)
            || block.map_or_else(|| is_predefined(setting), is_known_block)
            || self.tested.contains(name)
            || self.set.iter().any(is_ours)
            || (self.has_form && self.items.iter().any(is_ours))
    }
}

/// Which argument is a setting that the command gives a value.
fn target(command: &Command) -> Option<usize> {
    let place = command.argument_names().position(|name| name == "SETTING")?;
    (!is(command, "clear") && !is(command, "show")).then_some(place)
}

/// A reference without its type.
fn bare(reference: &[u8]) -> &[u8] {
    let block = reference.iter().position(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let colon = reference.iter().skip(block).position(|byte| *byte == b':');
    colon.and_then(|colon| reference.get(..block + colon)).unwrap_or(reference)
}

/// Block and name of a reference without a type.
fn parts(reference: &[u8]) -> (Option<&[u8]>, &[u8]) {
    split(reference)
        .map_or((None, reference), |(block, name, _)| (block.filter(|block| !block.is_empty()), name))
}

/// Whether it has a value, or a meaning, without any script.
fn is_predefined(name: &[u8]) -> bool {
    let key = Key::new(name, None, Scope::Dhcp);
    key.tag.is_some() || key.kind.is_some() || PLAIN.iter().any(|plain| plain.as_bytes() == name)
}

/// Whether the machine fills that block.
fn is_known_block(block: &[u8]) -> bool {
    let name = block.split(|byte| *byte == b'.').next().unwrap_or_default();
    let card = name.strip_prefix(b"net").and_then(|rest| rest.first());
    card.is_some_and(|first| first.is_ascii_digit() || *first == b'X')
        || BLOCKS.iter().any(|known| known.as_bytes() == name)
}

/// Predefined settings that have neither a number nor a type of their own.
const PLAIN: [&str; 22] = [
    "asset",
    "board-serial",
    "buildarch",
    "bustype",
    "chip",
    "cpumodel",
    "cpuvendor",
    "cwduri",
    "cwuri",
    "dmesg",
    "ifname",
    "key",
    "keymap",
    "linktype",
    "manufacturer",
    "no-pxedhcp",
    "peerhost",
    "platform",
    "product",
    "serial",
    "ssid",
    "version",
];

/// Blocks that no script has to make, but those of network cards.
const BLOCKS: [&str; 12] = [
    "acpi",
    "boot",
    "builtin",
    "cpuid",
    "efi",
    "memmap",
    "pci",
    "proxydhcp",
    "pxebs",
    "smbios",
    "usb",
    "vmware",
];
