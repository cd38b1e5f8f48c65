//! `cargo xtask errors`: the table of all errors in `docs/errors.md`, made from the crates' declarations.
//!
//! The example `errors` prints the table, as only an example can depend on all crates without making `cargo xtask`
//! need them for everything else.

use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Writes the table.
pub(crate) fn write() -> Result<()> {
    let table = table()?;
    let path = path();
    fs::create_dir_all(shell::root().join("docs"))?;
    fs::write(&path, table).with_context(|| format!("cannot write {}", path.display()))?;
    println!("docs/errors.md is written");
    Ok(())
}

/// What is wrong with the table, or with the errors themselves.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let table = table()?;
    let mut complaints: Vec<_> =
        double_ids(&table).iter().map(|id| format!("{id} stands for two errors")).collect();
    if fs::read_to_string(path()).unwrap_or_default() != table {
        complaints.push("docs/errors.md is not what the code says: run `cargo xtask errors`".to_owned());
    }
    Ok(complaints)
}

fn path() -> PathBuf {
    shell::root().join("docs/errors.md")
}

fn table() -> Result<String> {
    shell::output(Command::new("cargo").args(["run", "--quiet", "--package", "xtask", "--example", "errors"]))
}

/// The ids that begin more than one row.
fn double_ids(table: &str) -> Vec<String> {
    let mut ids: Vec<_> =
        table.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect();
    ids.sort_unstable();
    let pairs = ids.iter().zip(ids.iter().skip(1));
    pairs.filter(|(one, next)| one == next).map(|(id, _)| (*id).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_one_error() {
        let table = "| id | a |\n|---|---|\n| `A-01` | x |\n| `A-02` | x |\n| `A-01` | y |\n";
        assert_eq!(double_ids(table), ["A-01"]);
    }
}
