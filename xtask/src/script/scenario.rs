//! The world that a script runs in, as JSON: who is asked what, and what the answer is.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::PathBuf;

/// All that is known beforehand.
#[derive(Deserialize)]
pub(super) struct Scenario {
    /// The first one is started, the others are on a server.
    #[serde(default)]
    pub(super) script: Vec<Script>,
    #[serde(default)]
    pub(super) settings: Settings,
    /// What the user does, in order.
    #[serde(default)]
    pub(super) choices: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(super) responses: Responses,
    /// Settings whose values are shown at the end.
    #[serde(default)]
    pub(super) report: Vec<String>,
    #[serde(skip)]
    pub(super) usual: Usual,
}

/// What becomes of things that the scenario says nothing about. By default they fail.
#[derive(Default)]
pub(super) struct Usual {
    /// Everything succeeds. What is asked for beside the first script is looked for in this folder; all else that is
    /// downloaded is a program.
    pub(super) folder: Option<PathBuf>,
    /// The user waits where a time runs out, and else takes what is offered.
    pub(super) user: bool,
    /// How many lines may run.
    pub(super) lines: Option<u32>,
    /// What DHCP gives to a VLAN that `vcreate` has made: names of settings in its block, and values. In a case the command
    /// makes none.
    pub(super) vlan_lease: Option<Sets>,
}

#[derive(Deserialize)]
pub(super) struct Script {
    pub(super) uri: String,
    pub(super) text: String,
}

/// The machine before the script starts.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) platform: String,
    pub(super) buildarch: String,
    pub(super) version: String,
    pub(super) nics: Vec<Card>,
    /// The last one is `netX`.
    pub(super) open_interfaces_at_start: Vec<String>,
    pub(super) values: Sets,
}

#[derive(Clone, Deserialize)]
pub(super) struct Card {
    pub(super) name: String,
    pub(super) mac: String,
    pub(super) chip: String,
}

/// Names of settings and what they become.
pub(super) type Sets = Vec<(String, String)>;

/// What the world answers.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Responses {
    /// By absolute address.
    pub(super) requests: HashMap<String, OneOrMany<Response>>,
    /// One for each attempt to configure one card.
    pub(super) configure: Vec<Answer>,
    /// What becomes of the attempts after those.
    pub(super) configure_default: Outcome,
    pub(super) commands: Vec<Command>,
    /// Signatures that are good or bad, by name of the image.
    pub(super) verify: HashMap<String, Outcome>,
    /// Programs that come back, by name of the image.
    pub(super) boot: HashMap<String, Vec<Outcome>>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    #[default]
    Ok,
    Fail,
    /// The machine is handed over.
    Terminal,
    NotFound,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail | Self::NotFound => "fail",
            Self::Terminal => "terminal",
        }
    }
}

/// An outcome and what it leaves behind.
#[derive(Clone, Deserialize)]
pub(super) struct Answer {
    pub(super) result: Outcome,
    #[serde(default)]
    pub(super) sets: Sets,
}

/// The answers to a command, or to all that begin with these words.
#[derive(Deserialize)]
pub(super) struct Command {
    #[serde(rename = "match")]
    pub(super) words: String,
    pub(super) results: Vec<Answer>,
}

/// The answer to a request.
#[derive(Clone, Deserialize)]
pub(super) struct Response {
    pub(super) result: Outcome,
    #[serde(default)]
    pub(super) content: Content,
    /// For scripts: whose text it is.
    pub(super) script: Option<String>,
    /// For data: the bytes.
    pub(super) text: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    #[default]
    Data,
    Script,
    Executable,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The answer to the question of that number; the last one repeats.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(many) => many.get(index).or(many.last()),
        }
    }
}
