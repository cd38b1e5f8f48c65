//! Commands of others: each is printed before it runs.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder)
}

/// The folder that cargo builds into: as the environment says, else `target`.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(target)
}

/// `command` as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    let variables = command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value)));
    for (name, value) in variables {
        words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// `word` in quotes where a shell would take it apart.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c)) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Prints and runs `command` in the root of the workspace; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_in(root(), command)
}

/// Prints and runs `command` in `folder`; anything but success is an error.
pub(crate) fn run_in(folder: &Path, command: &mut Command) -> Result<()> {
    announce(command.current_dir(folder));
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", command.get_program().to_string_lossy());
    }
    Ok(())
}

/// Prints `command`, which is about to run.
pub(crate) fn announce(command: &Command) {
    eprintln!("+ {}", shown(command));
}

/// Runs `command` silently and answers what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.current_dir(root()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: is it installed? `cargo xtask setup` installs what is missing",
        shown(command)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_would_be_typed() {
        let mut command = Command::new("ld");
        command.arg("-T").arg("a file").arg("it's").env("A", "b c").env_remove("D");
        assert_eq!(shown(&command), r"A='b c' ld -T 'a file' 'it'\''s'");
    }
}
