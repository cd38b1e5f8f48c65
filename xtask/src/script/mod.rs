//! Scripts on the author's machine: the interpreter is the firmware's, the world is played.

mod check;
mod conform;
mod narrate;
mod run;
mod scenario;
#[cfg(test)]
mod tests;
mod world;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Look for mistakes in scripts without running them
    Check(check::Options),
    /// Run a script and say what it does, a sentence for each effect
    Run(run::Options),
    /// Read one case from standard input, as JSON, and print its effects as a JSON array
    Conform,
}

pub(crate) fn run(task: &Task) -> Result<()> {
    match task {
        Task::Check(options) => check::check(options),
        Task::Run(options) => run::run(options),
        Task::Conform => conform::conform(),
    }
}
