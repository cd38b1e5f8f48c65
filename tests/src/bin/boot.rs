//! Boots images in an emulator, scenario by scenario.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::indexing_slicing,
    reason = "this runs on the host, where std is at home and a panic is a failed test"
)]

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tests::failure::{Context, Failure, Result};
use tests::scenarios::variants::Verdict;
use tests::scenarios::{self, Scenario};
use tests::{namespace, paths, payload};

const HELP: &str = "\
Boots images in an emulator against real servers, and says what passed.

usage: boot [--bin DIR] [--jobs N] [--list | --images] [FILTER...]

  FILTER      run the scenarios whose names contain it; `quick` runs one of each
              kind, in a few minutes; without a filter all run but those
              that are many of a kind: `variants` and `replay` name them
  --list      print the names that the filters choose, and run nothing
  --images    print the images that these need of those that are built on
              request only, and run nothing
  --bin DIR   take the images from there (default: bin/)
  --jobs N    run so many at once (default: 3)

Each scenario keeps its logs in target/boot/NAME; with RIG_CAPTURE=1 in the environment also the frames that the card
saw, as wire.pcap. With RIG_CASES=DIR the scenarios `replay-` are the cases in DIR instead of those in tests/cases.
RIG_QEMU=FILE is another emulator: QEMU has igb from version 8 on.
Needs root, or user namespaces.
";

struct Arguments {
    filters: Vec<String>,
    jobs: usize,
    list: bool,
    images: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, images, name] = arguments.as_slice()
        && flag == namespace::INSIDE
    {
        return inside(images, name);
    }
    let outcome = parse(&arguments).and_then(|arguments| match arguments {
        Some(arguments) => run_all(&arguments),
        None => {
            print!("{HELP}");
            Ok(true)
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("boot: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Option<Arguments>> {
    let mut arguments = Arguments { filters: Vec::new(), jobs: 3, list: false, images: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure(format!("{word} needs a value")));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--list" => arguments.list = true,
            "--images" => arguments.images = true,
            "--jobs" => arguments.jobs = value()?.parse().context(word)?,
            "--bin" => {
                let path = fs::canonicalize(value()?).context(word)?;
                paths::choose_images(path);
            }
            flag if flag.starts_with('-') => return Err(Failure(format!("{flag} is no option; see --help"))),
            filter => arguments.filters.push(filter.to_owned()),
        }
    }
    Ok(Some(arguments))
}

/// Runs one scenario. Everything here is in namespaces of its own.
fn inside(images: &str, name: &str) -> ExitCode {
    namespace::end_with_parent();
    paths::choose_images(images.into());
    let Some(scenario) = scenarios::all().into_iter().find(|scenario| scenario.name == name) else {
        eprintln!("no scenario has the name {name}");
        return ExitCode::FAILURE;
    };
    match (scenario.run)(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("FAILURE {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(arguments: &Arguments) -> Result<bool> {
    let chosen = scenarios::chosen(&arguments.filters);
    if chosen.is_empty() {
        return Err(Failure::new("no scenario has such a name; `boot --list` names them"));
    }
    if arguments.list {
        for scenario in &chosen {
            println!("{:28} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    if arguments.images {
        let needed: BTreeSet<_> = chosen.iter().filter_map(|scenario| scenario.needs.as_deref()).collect();
        for image in needed {
            println!("{image}");
        }
        return Ok(true);
    }
    payload::prepare()?;
    let names: Vec<String> = chosen.iter().map(|scenario| scenario.name.clone()).collect();
    let width = chosen.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let queue = Mutex::new(VecDeque::from(chosen));
    let failed: Mutex<Vec<(String, Failure)>> = Mutex::default();
    let skipped: Mutex<Vec<(String, String)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = lock(&queue).pop_front();
                    let Some(scenario) = next else { return };
                    if let Some(obstacle) = scenario.obstacle {
                        println!("skip  {:width$}          {obstacle}", scenario.name);
                        lock(&skipped).push((scenario.name, obstacle));
                        continue;
                    }
                    let start = Instant::now();
                    let verdict = outside(&scenario);
                    let word = if verdict.is_ok() { "pass" } else { "FAIL" };
                    let seconds = start.elapsed().as_secs();
                    println!("{word}  {:width$}  {seconds:4} s  {}", scenario.name, scenario.about);
                    if let Err(failure) = verdict {
                        lock(&failed).push((scenario.name, failure));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (name, failure) in &failed {
        let folder = paths::scenario(name);
        println!("\n--- {name}: {failure}\n    logs: {}", folder.display());
        for log in ["serial.log", "qemu.log"] {
            let bytes = fs::read(folder.join(log)).unwrap_or_default();
            let transcript = tests::expect::Transcript::default();
            transcript.add(&bytes);
            println!("{}", transcript.tail(25));
        }
    }
    let skipped = skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
    let matrix = scenarios::variants::matrix(|name| {
        let obstacle = skipped.iter().find(|(skipped, _)| skipped == name);
        if let Some((_, obstacle)) = obstacle {
            return Some(Verdict::Skip(obstacle.clone()));
        }
        let has_failed = failed.iter().any(|(failed, _)| failed == name);
        let is_chosen = names.iter().any(|other| other == name);
        is_chosen.then_some(if has_failed { Verdict::Fail } else { Verdict::Pass })
    });
    if !matrix.is_empty() {
        println!("\n{matrix}");
    }
    let passed = names.len() - failed.len() - skipped.len();
    println!("\n{passed} passed, {} failed, {} cannot be run here", failed.len(), skipped.len());
    Ok(failed.is_empty())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one scenario in a process of its own, and ends it at its bound.
fn outside(scenario: &Scenario) -> Result<()> {
    let images = paths::images();
    let arguments = [images.as_os_str(), scenario.name.as_ref()];
    namespace::run_self(&scenario.name, arguments, Duration::from_secs(scenario.bound)).map(drop)
}
