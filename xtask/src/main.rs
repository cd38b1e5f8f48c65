//! The only build entry: `cargo xtask help` lists what it does.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    reason = "runs on the host only"
)]

mod build;
mod ci;
mod demonstration;
mod embed;
mod errors;
mod http;
mod layers;
mod reproduce;
mod run;
mod script;
mod setup;
mod shell;
mod size;
mod symbolize;
mod test;
mod tidy;
mod toolchain;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, runs and tests the firmware. Every command that is run is printed.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing on this machine, with apt-get
    Setup,
    /// Build images into bin/
    Build {
        /// An image (undionly.kpxe) or a set of drivers (undionly); all if none is named
        image: Vec<String>,
    },
    /// Put a script into a finished image
    Embed(embed::Options),
    /// Boot an image in QEMU: the card's own ROM fetches it, and it boots a Debian kernel or your script
    Run(run::Options),
    /// Run the tests
    Test {
        /// Which kind; both if none is named
        kind: Option<test::Kind>,
        /// Only those whose names contain one of these; `quick` for one scenario of each kind
        #[arg(allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Measure our image against Debian's iPXE
    Bench {
        /// Passed on to the program that measures; --help lists what it takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Boot again and again, with network and timing that a seed decides
    Soak {
        /// Passed on to the program that boots; --help lists what it takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fuzz a parser of what comes from outside
    Fuzz {
        /// The target; each in turn if none is named
        target: Option<String>,
        /// How long each runs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Run scripts on this machine, with the firmware's own interpreter
    #[command(subcommand)]
    Script(script::Task),
    /// Build all images and print what is how large
    Size,
    /// Build the last commit a second time, in another folder, and compare the bytes
    Reproduce,
    /// Name the function and line at an address of an exception dump
    Symbolize {
        /// Hexadecimal, as the dump prints it
        #[arg(required = true)]
        address: Vec<String>,
        /// The set of drivers of the image that printed it
        #[arg(long, default_value = "undionly")]
        set: String,
    },
    /// Check the rules that no compiler checks: layers, the fence around unsafe code, the table of errors
    Tidy,
    /// Write docs/errors.md
    Errors,
    /// Check the format, the lints and the rules, and build: all that is quick
    Check,
    /// Do all that must succeed before a change goes in
    Ci,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Setup => setup::all(),
        Task::Build { image } => build::build(&image),
        Task::Embed(options) => embed::embed(&options),
        Task::Reproduce => reproduce::reproduce(),
        Task::Run(options) => run::run(&options),
        Task::Test { kind, filter } => test::test(kind, &filter),
        Task::Bench { arguments } => test::rig_on_request("bench", &arguments),
        Task::Soak { arguments } => test::rig("soak", &arguments),
        Task::Fuzz { target, seconds } => test::fuzz(target.as_deref(), seconds),
        Task::Script(task) => script::run(&task),
        Task::Size => size::size(),
        Task::Symbolize { address, set } => symbolize::symbolize(&set, &address),
        Task::Tidy => tidy::tidy(),
        Task::Errors => errors::write(),
        Task::Check => ci::checks(),
        Task::Ci => ci::ci(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
