//! Boots again and again, with network and timing that a seed decides, and notes how each boot ended.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::indexing_slicing,
    reason = "this runs on the host, where std is at home and a panic is a failed test"
)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tests::failure::{Context, Failure, Result};
use tests::soak::{self, Boot};
use tests::{namespace, paths, payload};

const HELP: &str = "\
Boots to the first script line again and again; network, card, image and timing of each boot are decided by its seed.

usage: soak [--bin DIR] [--jobs N] [--boots N | --seed SEED]

  --boots N    the seeds 1 to N (default: 1000); those that are in the file already are not done again
  --seed SEED  this one only, as often as you ask, and its logs are kept
  --bin DIR    take the images from there (default: bin/)
  --jobs N     run so many at once (default: 2)

Each result is appended to target/soak.txt at once, so that a run can be interrupted and goes on where it was. The file
begins anew when an image has changed.
";

/// One boot may take so long.
const BOUND: Duration = Duration::from_secs(120);

struct Arguments {
    boots: u64,
    seed: Option<u64>,
    jobs: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [flag, images, seed] if flag == namespace::INSIDE => inside(images, seed),
        _ => parse(&arguments).and_then(|arguments| match arguments {
            Some(arguments) => {
                // Before there are namespaces, from which nothing can be downloaded.
                payload::prepare()?;
                arguments.seed.map_or_else(|| soak(&arguments), replay)
            }
            None => {
                print!("{HELP}");
                Ok(())
            }
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("FAILURE {failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Option<Arguments>> {
    let mut arguments = Arguments { boots: 1000, seed: None, jobs: 2 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure(format!("{word} needs a value")));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--boots" => arguments.boots = value()?.parse().context(word)?,
            "--seed" => arguments.seed = Some(value()?.parse().context(word)?),
            "--jobs" => arguments.jobs = value()?.parse().context(word)?,
            "--bin" => paths::choose_images(fs::canonicalize(value()?).context(word)?),
            _ => return Err(Failure(format!("{word} is no option; see --help"))),
        }
    }
    Ok(Some(arguments))
}

fn inside(images: &str, seed: &str) -> Result<()> {
    namespace::end_with_parent();
    paths::choose_images(images.into());
    Boot::from_seed(seed.parse().context(seed)?).run()
}

fn outside(boot: &Boot, seed: u64) -> Result<()> {
    let images = paths::images();
    namespace::run_self(&boot.name(), [images.as_os_str(), seed.to_string().as_ref()], BOUND).map(drop)
}

fn replay(seed: u64) -> Result<()> {
    let boot = Boot::from_seed(seed);
    println!("{}", boot.about());
    outside(&boot, seed).context(format!("logs: {}", paths::scenario(&boot.name()).display()))?;
    println!("pass");
    Ok(())
}

fn soak(arguments: &Arguments) -> Result<()> {
    let path = paths::target().join("soak.txt");
    let mut images = Vec::new();
    for name in soak::IMAGES {
        let image = paths::images().join(name);
        images.extend(fs::read(&image).context(image.display())?);
    }
    let digest = image_variants::payload::digest(&images);
    let header = format!("images {:016x}", u64::from_be_bytes(digest));
    let mut file = fs::read_to_string(&path).unwrap_or_default();
    if !file.starts_with(&header) {
        file = format!("{header}\n");
        fs::write(&path, &file).context(path.display())?;
    }
    let results = soak::results(&file);
    let mut seeds = (1..=arguments.boots).filter(|seed| !results.contains_key(seed)).collect::<Vec<_>>();
    seeds.reverse();
    println!("{} boots to go; results go to {}", seeds.len(), path.display());
    let seeds = Mutex::new(seeds);
    let log = Mutex::new(OpenOptions::new().append(true).open(&path).context(path.display())?);
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(seed) = { seeds.lock().unwrap_or_else(PoisonError::into_inner).pop() } {
                    let boot = Boot::from_seed(seed);
                    let line = match outside(&boot, seed) {
                        Ok(()) => {
                            boot.forget();
                            format!("{seed} pass")
                        }
                        Err(failure) => {
                            let reason = failure.0.lines().next().unwrap_or_default().to_owned();
                            println!("FAIL {seed}: {}\n  {}", failure, boot.about());
                            format!("{seed} FAIL {reason}")
                        }
                    };
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = writeln!(log, "{line}") {
                        println!("FAIL {seed}: its result could not be noted: {error}");
                    }
                    if seed % 50 == 0 {
                        println!("{line}");
                    }
                }
            });
        }
    });
    let results = soak::results(&fs::read_to_string(&path).context(path.display())?);
    let wanted = || results.range(1..=arguments.boots).map(|(_, passed)| *passed);
    let passed = wanted().filter(|passed| *passed).count() as u64;
    println!("{passed} of {} boots passed", arguments.boots);
    if passed == arguments.boots { Ok(()) } else { Err(Failure::new("see above; replay one by --seed")) }
}
