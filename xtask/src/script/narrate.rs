//! Effects of a script as sentences.

use super::world::Audience;
use base::Error;
use serde_json::Value;
use std::io::Write;

/// Tells what happens, at the moment it happens.
pub(super) struct Narrator<W> {
    pub(super) out: W,
    /// Whether the script ended well or handed the machine over.
    pub(super) has_succeeded: bool,
}

impl<W: Write> Narrator<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, has_succeeded: true }
    }
}

impl<W: Write> Audience for Narrator<W> {
    fn effect(&mut self, effect: Value) {
        if effect.get("script_end").is_some_and(|end| text(end, "status") == "failure") {
            self.has_succeeded = false;
        }
        for sentence in sentences(&effect) {
            self.say(&sentence);
        }
    }

    fn say(&mut self, text: &str) {
        // Nobody reads on if the other end of a pipe is closed.
        let _ = writeln!(self.out, "{}", text.trim_end());
    }

    fn failure(&mut self, error: &Error) {
        self.say(&format!("{error}: {}", error.kind().hint()));
    }
}

/// One for each effect, but for the last, which may have one for each setting.
fn sentences(effect: &Value) -> Vec<String> {
    let Some((kind, what)) =
        effect.as_object().and_then(|effect| effect.iter().find(|(name, _)| KINDS.contains(&name.as_str())))
    else {
        return vec![effect.to_string()];
    };
    let outcome = text(effect, "outcome");
    vec![match kind.as_str() {
        "echo" => format!("{} is printed.", quoted(what)),
        "request" => {
            let verb = if outcome == "ok" { "is" } else { "cannot be" };
            let mut sentence = format!("{} {verb} downloaded", plain(what));
            if let Some(method) = effect.get("method") {
                sentence.push_str(&format!(" by {}", plain(method)));
            }
            for (member, called) in [("headers", "header"), ("post_params", "field")] {
                for pair in effect.get(member).and_then(Value::as_array).into_iter().flatten() {
                    sentence.push_str(&format!(", {called} {}={}", plain(&pair[0]), quoted(&pair[1])));
                }
            }
            sentence + "."
        }
        "configure" => {
            let by = what["configurator"].as_str().map(|name| format!(" by {name}")).unwrap_or_default();
            let verb = if text(what, "outcome") == "ok" { "is" } else { "cannot be" };
            format!("{} {verb} configured{by}.", text(what, "interface"))
        }
        "prompt" => {
            let time = match what["timeout_ms"].as_u64() {
                None | Some(0) => String::new(),
                Some(time) => format!(" {time} ms"),
            };
            let wanted = match what["key"].as_u64() {
                None | Some(0) => "a key".to_owned(),
                Some(_) => format!("the key {}", key(&what["key"])),
            };
            let done = match what["user"].get("key") {
                Some(pressed) => format!("{} is pressed", key(pressed)),
                None => "none is pressed".to_owned(),
            };
            format!("The prompt {} waits{time} for {wanted}, and {done}.", quoted(&what["text"]))
        }
        "read" => {
            let done = match what["user"].get("text") {
                Some(text) => format!("enters {}", quoted(text)),
                None => "cancels that".to_owned(),
            };
            format!("{} is asked for, and the user {done}.", text(what, "setting"))
        }
        "menu" => {
            let user = &what["user"];
            let done = match (user.get("select"), user.get("key")) {
                (Some(name), _) => format!("takes {}", plain(name)),
                (_, Some(pressed)) => format!("presses {}", key(pressed)),
                _ if user.get("cancel").is_some() => "cancels it".to_owned(),
                _ => format!("takes what is highlighted, {}", text(what, "initial_selection")),
            };
            format!("The menu {} offers {}; the user {done}.", quoted(&what["title"]), names(&what["items"]))
        }
        "form" => {
            let user = &what["user"];
            let done = match user.get("values").and_then(Value::as_object) {
                Some(values) if values.is_empty() => "leaves all as it is".to_owned(),
                Some(values) => {
                    let fields = values.iter().map(|(name, value)| format!("{} for {name}", quoted(value)));
                    format!("enters {}", fields.collect::<Vec<_>>().join(", "))
                }
                None => "cancels it".to_owned(),
            };
            format!(
                "The form {} asks for {}; the user {done}.",
                quoted(&what["title"]),
                names(&what["items"])
            )
        }
        "verify" => {
            format!("The signature of {} is {}.", plain(what), if outcome == "ok" { "good" } else { "bad" })
        }
        "command" => {
            let words: Vec<_> = what.as_array().into_iter().flatten().map(plain).collect();
            let done = match outcome {
                "ok" => "succeeds",
                "fail" => "fails",
                _ => "does not come back",
            };
            format!("The command {} {done}.", words.join(" "))
        }
        "boot" => boot(what),
        "script_end" => match what["exit_code"].as_u64() {
            Some(0) => "The script ends.".to_owned(),
            Some(code) => format!("The script ends with status {code}."),
            None => "The script fails.".to_owned(),
        },
        _ => {
            let values = what.as_object().into_iter().flatten();
            return values.map(|(name, value)| format!("{name} is {} at the end.", quoted(value))).collect();
        }
    }]
}

/// What effects are called; each has one of these.
const KINDS: [&str; 12] = [
    "boot",
    "command",
    "configure",
    "echo",
    "final",
    "form",
    "menu",
    "prompt",
    "read",
    "request",
    "script_end",
    "verify",
];

fn boot(what: &Value) -> String {
    let mut sentence = format!("{} is started", text(what, "image"));
    if !text(what, "args").is_empty() {
        sentence.push_str(&format!(" with {}", quoted(&what["args"])));
    }
    let others: Vec<_> = what["other_images"].as_array().into_iter().flatten().collect();
    if !others.is_empty() {
        let with = |image: &&Value| match text(image, "args") {
            "" => text(image, "name").to_owned(),
            _ => format!("{} {}", text(image, "name"), quoted(&image["args"])),
        };
        sentence.push_str(&format!(", beside {},", others.iter().map(with).collect::<Vec<_>>().join(", ")));
    }
    sentence
        + match text(what, "outcome") {
            "ok" => " and comes back.",
            "fail" => " and fails.",
            _ => " and does not come back.",
        }
}

/// The names of a menu's items, without the gaps.
fn names(items: &Value) -> String {
    let names = items.as_array().into_iter().flatten().filter_map(|item| item.get(0)?.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// A key that is a character, or a number.
fn key(key: &Value) -> String {
    let character = key.as_u64().and_then(|key| char::from_u32(u32::try_from(key).ok()?));
    match character.filter(char::is_ascii_graphic) {
        Some(character) => character.to_string(),
        None => key.as_str().map_or_else(|| key.to_string(), str::to_owned),
    }
}

/// Text in quotes, with what cannot be seen escaped.
fn quoted(value: &Value) -> String {
    format!("{:?}", plain(value).strip_suffix('\n').unwrap_or(plain(value)))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
