//! `cargo xtask tidy`: the rules of the project that no compiler checks.

use crate::layers::Metadata;
use crate::{errors, shell};
use anyhow::{Result, bail};
use std::fs;
use std::process::Command;

/// Where `unsafe` may be: folders, and the one entry file of the composition. `undi` has one module more.
const FENCE: &[&str] = &["src/hw/", "src/unpack/", "src/firmware/src/entry.rs"];

/// The crate in which one file may have `unsafe`.
const ONE_FILE: &str = "undi/";

/// What only paths of a developer's machine have.
const MACHINE_PATHS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Checks all rules; the error lists everything that is against them.
pub(crate) fn tidy() -> Result<()> {
    let mut complaints = Vec::new();
    let mut cargo = Command::new("cargo");
    let metadata = shell::output(cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata = Metadata::parse(&metadata)?;
    complaints.extend(metadata.complaints());
    for package in &metadata.packages {
        if !inherits_lints(&fs::read_to_string(&package.manifest_path)?)? {
            complaints.push(format!("{}: its Cargo.toml lacks `[lints] workspace = true`", package.name));
        }
    }
    let files = files()?;
    let sources: Vec<_> = files.iter().filter(|file| file.0.ends_with(".rs")).collect();
    complaints.extend(outside_the_fence(sources.iter().map(|(name, text)| (name.as_str(), text.as_str()))));
    for (name, text) in &files {
        complaints.extend(machine_paths(name, text));
    }
    complaints.extend(errors::complaints()?);
    if complaints.is_empty() {
        println!("tidy: {} files and {} crates follow the rules", files.len(), metadata.packages.len());
        return Ok(());
    }
    bail!("not tidy:\n  {}", complaints.join("\n  "));
}

/// Names and contents of all text files of the project that git knows or would take.
fn files() -> Result<Vec<(String, String)>> {
    let mut git = Command::new("git");
    let names = shell::output(git.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(shell::root().join(name)).ok()?));
    Ok(names.lines().filter_map(read).collect())
}

fn inherits_lints(manifest: &str) -> Result<bool> {
    let manifest: toml::Table = manifest.parse()?;
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    Ok(lints.and_then(toml::Value::as_bool) == Some(true))
}

fn outside_the_fence<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut one_file = None;
    for (name, _) in sources.filter(|(_, text)| has_unsafe(text)) {
        if FENCE.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        if name.starts_with(ONE_FILE) && one_file.is_none() {
            one_file = Some(name);
            continue;
        }
        complaints.push(match one_file {
            Some(first) if name.starts_with(ONE_FILE) => {
                format!("{name}: `unsafe` here and in {first}; one file may")
            }
            _ => format!("{name}: `unsafe` outside of the fence"),
        });
    }
    complaints
}

/// Whether there is the keyword `unsafe`, or a permission of it, outside of comments and strings.
fn has_unsafe(source: &str) -> bool {
    without_comments_and_strings(source)
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| matches!(word, "unsafe" | "unsafe_code"))
}

/// `source` with blanks for comments, strings and character literals.
fn without_comments_and_strings(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_length(rest),
            'r' if !code.ends_with(is_word) => raw_string_length(rest).unwrap_or(0),
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => {
                rest.get(2..).and_then(|r| r.find('\'')).map_or(rest.len(), |end| end + 3)
            }
            _ => 0,
        };
        if length == 0 {
            code.push(character);
        } else {
            code.push(' ');
        }
        rest = rest.get(length.max(character.len_utf8())..).unwrap_or_default();
    }
    code
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Length of the string literal at the start of `rest`, with its quotes.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (index, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !escaped => return index + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    rest.len()
}

/// Length of the raw string literal at the start of `rest`, if there is one.
fn raw_string_length(rest: &str) -> Option<usize> {
    let hashes = rest.get(1..)?.chars().take_while(|c| *c == '#').count();
    let body = rest.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(rest.len(), |at| 2 + hashes + at + end.len()))
}

fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, line)| MACHINE_PATHS.iter().any(|path| line.contains(path)));
    found
        .map(|(number, line)| format!("{name}:{}: a path of one machine: {}", number + 1, line.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyword_is_found_where_it_is_one() {
        for source in
            ["unsafe { a() }", "a(); unsafe\nfn b() {}", "#![allow(unsafe_code)]", "'\"' ; unsafe {}"]
        {
            assert!(has_unsafe(source), "{source}");
        }
        assert!(has_unsafe("\"\\\\\"; unsafe {}"));
        assert!(has_unsafe("r\"\\\"; unsafe {}"));
        assert!(has_unsafe("'\\''; unsafe {}"));
        assert!(has_unsafe("fn f<'a>(a: &'a str) { unsafe {} }"));
        for source in [
            "// unsafe",
            "/* unsafe */",
            "\"unsafe\"",
            "\"\\\" unsafe\"",
            "unsafely()",
            "r#\"\"unsafe\"#",
            "'\\u{1}'",
        ] {
            assert!(!has_unsafe(source), "{source}");
        }
    }

    #[test]
    fn the_fence_has_one_gate_in_undi() {
        let with = "unsafe {}";
        let complaints = |names: &[&'static str]| outside_the_fence(names.iter().map(|name| (*name, with)));
        assert_eq!(complaints(&["src/hw/src/a.rs", "src/firmware/src/entry.rs", "undi/src/a.rs"]), [""; 0]);
        assert_eq!(complaints(&["undi/src/a.rs", "undi/src/b.rs"]).len(), 1);
        assert_eq!(complaints(&["src/net/src/lib.rs", "src/firmware/src/lib.rs"]).len(), 2);
    }

    #[test]
    fn manifests_must_inherit_the_lints() {
        assert!(inherits_lints("[lints]\nworkspace = true").unwrap());
        assert!(inherits_lints("lints.workspace = true").unwrap());
        assert!(!inherits_lints("[lints.rust]\nunsafe_code = 'warn'").unwrap());
    }

    #[test]
    fn paths_of_machines_are_found_with_their_line() {
        let text = format!("one\nsee {}me/x\n", "/ho");
        assert_eq!(
            machine_paths("a.md", &text),
            [format!("a.md:2: a path of one machine: see {}me/x", "/ho")]
        );
        assert_eq!(machine_paths("a.md", "/usr/bin/cargo"), [""; 0]);
    }
}
