//! Cases of the script language, as JSON files: scripts, the world that they run in, and their effects. The members
//! are those that `cargo xtask script conform` reads, and `expect`, the effects that it prints.

use crate::failure::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::iter;
use std::path::Path;

/// One case. What the user does is in its effects.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Its name, which is unique.
    pub id: String,
    /// A few words.
    pub title: String,
    /// The first one is started, the others are on servers.
    pub script: Vec<Script>,
    /// The machine before.
    pub settings: Settings,
    /// What servers answer.
    pub responses: Responses,
    /// What must be seen.
    pub expect: Vec<Effect>,
}

/// A script and its address.
#[derive(Debug, Deserialize)]
pub struct Script {
    /// The address.
    pub uri: String,
    /// The script.
    pub text: String,
}

/// The machine before the script runs.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// The kind of firmware.
    pub platform: String,
    /// The processor.
    pub buildarch: String,
    /// The network cards.
    pub nics: Vec<Card>,
    /// Names of cards.
    pub open_interfaces_at_start: Vec<String>,
    /// Names of settings and their values.
    pub values: Vec<(String, String)>,
}

/// A network card.
#[derive(Debug, Deserialize)]
pub struct Card {
    /// Its address, as six hexadecimal numbers.
    pub mac: String,
}

/// What servers answer.
#[derive(Debug, Deserialize)]
pub struct Responses {
    /// By absolute address; the last answer repeats.
    pub requests: BTreeMap<String, OneOrMany>,
    /// By the name of a program: how it ends each time that it is started.
    pub boot: BTreeMap<String, Vec<String>>,
}

/// The answers to one address.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// Always the same.
    One(Response),
    /// One after the other.
    Many(Vec<Response>),
}

/// The answer to a request.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Response {
    /// A file.
    File(File),
    /// It is not there.
    NotFound {},
}

/// A file that a server has.
#[derive(Debug, Deserialize)]
#[serde(tag = "content", rename_all = "lowercase")]
pub enum File {
    /// The script that has this address in the case.
    Script {
        /// The address.
        script: String,
    },
    /// A program.
    Executable,
    /// These bytes, or some that are neither a script nor a program.
    Data {
        /// The bytes.
        text: Option<String>,
    },
}

/// Something outside of the script that it changed or asked.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Effect {
    /// It said something.
    Echo {
        /// What, with the line's end.
        echo: String,
    },
    /// It asked a server.
    Request(Request),
    /// It showed a menu.
    Menu {
        /// The menu.
        menu: Menu,
    },
    /// It showed a form.
    Form {
        /// The form.
        form: Form,
    },
    /// It asked for a line.
    Read {
        /// What was there before, and the answer.
        read: Read,
    },
    /// It waited for a key.
    Prompt {
        /// What for.
        prompt: Prompt,
    },
    /// It had the machine do something.
    Command {
        /// The words of the command.
        command: Vec<String>,
        /// What became of it.
        outcome: String,
    },
    /// It started a program.
    Boot {
        /// The program.
        boot: Boot,
    },
    /// It ended.
    End {
        /// How.
        script_end: End,
    },
    /// Values of settings after it.
    Final {
        /// By name.
        #[serde(rename = "final")]
        values: BTreeMap<String, String>,
    },
    /// Anything else.
    Other(Value),
}

/// A request to a server.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The address.
    pub request: String,
    /// Whether the file was there: `ok` or `fail`.
    pub outcome: String,
    /// The fields of the form that was posted.
    #[serde(default)]
    pub post_params: Vec<(String, String)>,
    /// Headers of the script's own.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The method, if the script named one.
    pub method: Option<String>,
}

/// A menu and the answer.
#[derive(Debug, Deserialize)]
pub struct Menu {
    /// Its title.
    pub title: String,
    /// Name and text of each item; those without a name cannot be chosen.
    pub items: Vec<(Option<String>, String)>,
    /// The name of the item that is highlighted at first.
    pub initial_selection: String,
    /// The answer.
    pub user: User,
}

/// A form and the answer.
#[derive(Debug, Deserialize)]
pub struct Form {
    /// Its title.
    pub title: String,
    /// Name, label and secrecy of each field; those without a name are text only.
    pub items: Vec<(Option<String>, String, bool)>,
    /// The answer.
    pub user: User,
}

/// A line that is asked for.
#[derive(Debug, Deserialize)]
pub struct Read {
    /// The text that stands there at first.
    pub prefill: String,
    /// The answer.
    pub user: User,
}

/// A key that is waited for.
#[derive(Debug, Deserialize)]
pub struct Prompt {
    /// What is said.
    pub text: String,
    /// The time for it; 0 is without end.
    pub timeout_ms: u64,
    /// The answer.
    pub user: User,
}

/// What the user does; nothing is to wait until the time is up.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// Takes the item of this name.
    pub select: Option<String>,
    /// Presses this key.
    pub key: Option<Key>,
    /// Presses Enter.
    pub enter: bool,
    /// Presses Escape.
    pub cancel: bool,
    /// Has this line when Enter is pressed.
    pub text: Option<String>,
    /// Has these texts in the fields of a form.
    pub values: Option<BTreeMap<String, String>>,
}

/// A key.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// The key of this character.
    Character(char),
    /// The key that gives this number.
    Number(u32),
}

impl Key {
    /// Its character, if it has one.
    pub fn character(self) -> Option<char> {
        match self {
            Self::Character(character) => Some(character),
            Self::Number(number) => char::from_u32(number),
        }
    }
}

/// A program that is started.
#[derive(Debug, Deserialize)]
pub struct Boot {
    /// What scripts call it.
    pub image: String,
    /// Its arguments.
    pub args: String,
    /// How it came back, if it did.
    pub outcome: Option<String>,
}

/// What a program does when it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It never comes back.
    Kernel,
    /// It cannot be started.
    Broken,
    /// It comes back.
    Returning {
        /// Which one of those that do: less than [`RETURNING`](Self::RETURNING).
        place: u8,
        /// Bit N says whether with an error, where it was started N times before; bit 15 is for all later starts as well.
        has_failed: u16,
    },
}

impl Program {
    /// So many programs that come back can be told apart.
    pub const RETURNING: u8 = 12;
}

/// How a run ended.
#[derive(Debug, Deserialize)]
pub struct End {
    /// `success` or `failure`.
    pub status: String,
}

/// The time below which a key cannot be pressed, in milliseconds.
const REACTION: u64 = 1000;

/// The longest command line that Linux keeps on x86 (COMMAND_LINE_SIZE, which is 2048, without its end).
const KEPT_ARGUMENTS: usize = 2047;

/// How a program ends that cannot be started.
const FAIL: &str = "fail";

/// How one ends that comes back without an error.
const OK: &str = "ok";

/// How one ends that never comes back.
const TERMINAL: &str = "terminal";

/// Commands whose work is not looked at, which do nothing to the rig.
const QUIET: [&str; 6] = ["colour", "cpair", "ifstat", "route", "sleep", "sync"];

impl Case {
    /// Reads the file of a case.
    pub fn read(path: &Path) -> Result<Self> {
        serde_json::from_str(&fs::read_to_string(path).context(path.display())?).context(path.display())
    }

    /// The addresses that it asks for.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let requests = self.expect.iter().filter_map(|effect| match effect {
            Effect::Request(request) => Some(request.request.as_str()),
            _ => None,
        });
        self.script.iter().take(1).map(|script| script.uri.as_str()).chain(requests)
    }

    /// The arguments of the program that ends it, if one does.
    pub fn booted(&self) -> Option<&str> {
        self.expect.iter().find_map(|effect| match effect {
            Effect::Boot { boot: Boot { args, outcome: None, .. } } => Some(args.as_str()),
            _ => None,
        })
    }

    /// Whether the arguments are more than Linux keeps, so that another kernel has to tell what it was given.
    pub fn is_long(&self) -> bool {
        self.booted().is_some_and(|arguments| arguments.len() > KEPT_ARGUMENTS)
    }

    /// What the program of this name does when it is started, if the rig has one that does.
    pub fn program(&self, name: &str) -> Option<Program> {
        let endings = self.responses.boot.get(name).map(Vec::as_slice).unwrap_or_default();
        let is_any = |wanted: &str| endings.iter().any(|ending| ending == wanted);
        match (is_any(OK), is_any(FAIL), is_any(TERMINAL)) {
            (false, false, _) => Some(Program::Kernel),
            (false, true, false) => Some(Program::Broken),
            (true, _, false) => self.returning(name, endings),
            (_, _, true) => None,
        }
    }

    fn returning(&self, name: &str, endings: &[String]) -> Option<Program> {
        let others = self.responses.boot.iter().take_while(|(other, _)| other.as_str() < name);
        let earlier = others.filter(|(_, endings)| endings.iter().any(|ending| ending == OK)).count();
        let place = u8::try_from(earlier).ok().filter(|place| *place < Program::RETURNING)?;
        let statuses = u16::BITS as usize;
        let last = endings.last().filter(|_| endings.len() <= statuses)?;
        let each = endings.iter().chain(iter::repeat(last)).take(statuses).enumerate();
        let has_failed = each.fold(0, |all, (start, ending)| all | u16::from(ending == FAIL) << start);
        Some(Program::Returning { place, has_failed })
    }

    /// Whether the machine is of the kind that the image is for.
    pub fn is_at_home(&self) -> bool {
        let Settings { platform, buildarch, .. } = &self.settings;
        (platform.as_str(), buildarch.as_str()) == ("pcbios", "x86_64")
    }

    /// Why the rig cannot provide its world, or not see its effects, in one sentence.
    pub fn obstacle(&self) -> Option<String> {
        let Settings { platform, buildarch, nics, open_interfaces_at_start, values } = &self.settings;
        let is_named = |script: &Script| script.text.contains("builtin/");
        if !self.is_at_home() && self.script.iter().any(is_named) {
            return Some(format!("the script must not see that it does not run on {platform}, {buildarch}"));
        }
        if nics.len() != 1 {
            return Some(format!("it needs {} cards, and the machine has one", nics.len()));
        }
        if open_interfaces_at_start.as_slice() != ["net0"] {
            return Some("the card must be closed at first, and the script comes over it".to_owned());
        }
        if let Some((name, value)) = values.iter().find(|(_, value)| !is_literal(value)) {
            return Some(format!("a line of a script cannot set {name} to {value:?}"));
        }
        if let Some(address) = self.addresses().find(|address| authority(address).is_none()) {
            return Some(format!("no server of the rig answers for {address}"));
        }
        self.expect.iter().find_map(|effect| effect.obstacle().or_else(|| self.obstacle_to_boot(effect)))
    }

    fn obstacle_to_boot(&self, effect: &Effect) -> Option<String> {
        let Effect::Boot { boot: Boot { image, outcome, .. } } = effect else { return None };
        let comes_back = match self.program(image) {
            None => return Some(format!("the rig has no program that ends as {image} does")),
            Some(program) => program != Program::Kernel,
        };
        // A server has the program by the last part of an address.
        let is_there = self.addresses().any(|address| name(address) == *image);
        (comes_back != outcome.is_some() || (comes_back && !is_there))
            .then(|| format!("the rig cannot tell which file is {image}"))
    }
}

impl Effect {
    fn obstacle(&self) -> Option<String> {
        match self {
            Self::Echo { echo } if !is_typable(echo.trim_end_matches('\n')) => {
                Some("it prints what a serial line does not show".to_owned())
            }
            Self::Prompt {
                prompt: Prompt { timeout_ms: 1..REACTION, user: User { key: Some(_), .. }, .. },
            } => Some("a key must be pressed in less than a second".to_owned()),
            Self::Command { command, outcome } => {
                let name = command.first().map(String::as_str).unwrap_or_default();
                let is_quiet = QUIET.contains(&name) && outcome == "ok";
                (!is_quiet).then(|| format!("the rig has nothing for {name} to act on"))
            }
            Self::Other(effect) => {
                let kind = effect.as_object().and_then(|members| members.keys().next());
                Some(format!("the rig cannot play this effect: {}", kind.map_or("none", String::as_str)))
            }
            _ => None,
        }
    }
}

/// Whether `set` stores this value as it is written.
fn is_literal(value: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && !word.starts_with('#') && !["&&", "||", ";"].contains(&word);
    is_typable(value) && !value.contains("${") && value.split(' ').all(is_word)
}

/// Whether the keys of a keyboard and the screen have all of its characters.
fn is_typable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Name and port of an HTTP server below `example` (RFC 6761 section 6.5), which the rig answers for.
pub fn authority(address: &str) -> Option<(&str, u16)> {
    let rest = address.strip_prefix("http://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, port.parse().ok()?),
        None => (authority, 80),
    };
    name.ends_with(".example").then_some((name, port))
}

/// What a file of this address is called at first: the last part of the path.
pub fn name(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    String::from_utf8_lossy(&uri::decode(last)).into_owned()
}

/// An address as a request to a server tells it: without a fragment, and with a path.
pub fn on_the_wire(address: &str) -> String {
    let address = address.split('#').next().unwrap_or_default();
    let start = address.find("://").map_or(0, |place| place + 3);
    let (host, path) =
        address.split_at(address[start..].find(['/', '?']).map_or(address.len(), |end| start + end));
    let host = host.strip_suffix(":80").unwrap_or(host);
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_requests() {
        assert_eq!(on_the_wire("http://a.example"), "http://a.example/");
        assert_eq!(on_the_wire("http://a.example:80?x#y"), "http://a.example/?x");
        assert_eq!(on_the_wire("http://a.example:8080/b?c"), "http://a.example:8080/b?c");
        assert_eq!(authority("http://a.example:8080/b"), Some(("a.example", 8080)));
        assert_eq!(authority("https://a.example/b"), None);
        assert_eq!(authority("http://192.0.2.1/b"), None);
        assert_eq!(name("http://a.example/b/c%20d?e/f#g"), "c d");
    }

    #[test]
    fn programs_end_as_the_case_says() {
        let path = crate::paths::cases().join("returning-programs.json");
        let mut case = Case::read(&path).unwrap();
        let list = |endings: &[&str]| endings.iter().map(|ending| (*ending).to_owned()).collect::<Vec<_>>();
        let endings: &[(&str, &[&str])] = &[
            ("a", &["ok"]),
            ("b", &["fail", "fail"]),
            ("c", &["fail", "ok"]),
            ("d", &["ok", "terminal"]),
            ("e", &["ok", "fail"]),
            ("f", &["terminal"]),
            ("g", &["fail", "terminal"]),
            ("h", &["ok"; 17]),
        ];
        case.responses.boot = endings.iter().map(|(name, all)| ((*name).to_owned(), list(all))).collect();
        let returning = |place, has_failed| Some(Program::Returning { place, has_failed });
        assert_eq!(case.program("a"), returning(0, 0));
        assert_eq!(case.program("b"), Some(Program::Broken));
        assert_eq!(case.program("c"), returning(1, 1));
        assert_eq!(case.program("d"), None);
        assert_eq!(case.program("e"), returning(3, 0xfffe));
        assert_eq!(case.program("f"), Some(Program::Kernel));
        assert_eq!(case.program("g"), None);
        assert_eq!(case.program("h"), None);
        assert_eq!(case.program("not listed"), Some(Program::Kernel));
    }

    #[test]
    fn what_set_takes_apart_is_no_literal() {
        assert!(is_literal("a b"));
        for value in ["", " a", "a  b", "a || b", "a #b", "${a}", "\u{e9}"] {
            assert!(!is_literal(value), "{value}");
        }
    }

    #[test]
    fn each_case_of_ours_can_be_replayed() {
        let folder = crate::paths::cases();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let case = Case::read(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(case.id.as_str()));
            assert_eq!(case.obstacle(), None, "{}", case.id);
        }
    }
}
