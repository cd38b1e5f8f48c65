//! Measures our image against Debian's iPXE and LPXELINUX, in one network, one after the other.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::indexing_slicing,
    reason = "this runs on the host, where std is at home and a panic is a failed test"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tests::bench::{self, Card, Contender, RoundTrip, Run};
use tests::failure::{Context, Failure, Result, ensure};
use tests::process::run as run_tool;
use tests::{namespace, paths};

const HELP: &str = "\
Measures our undionly.kpxe, ipxe.pxe and ROMs against Debian's packages ipxe, ipxe-qemu and pxelinux, interleaved, in one
network.

usage: bench [--bin DIR] [--runs N] [--card NAME] [--images] [--save]

  --bin DIR   take our image from there (default: bin/)
  --runs N    so many runs of each (default: 5); medians are printed; 0 for the round trips between the modes only
  --card NAME measure this card only, by the name of its table, as \"e1000, native driver\"; nothing is saved
  --images    print the images that are measured of those that are built on request only, and exit
  --save      put the table into BENCHMARKS.md

The network: QEMU's e1000 and virtio-net-pci with their stock ROMs, and its rtl8139 with the ROM of the tests; dnsmasq
with router advertisements and immediate offers names the script to user class iPXE; nginx serves 16 MiB by HTTP (256 to
native drivers), atftpd by TFTP, with windowsize for those who ask. An image's card is on the tap itself, and the facts are
read from nginx's log and the tap's counters; only the frames of the e1000 with its stock ROM pass an observer, from whom the
facts are then. What the guest's processor does is counted by a plugin, for all images alike:
  rate        bytes / (last - first frame of the download; with data, where there is an observer)
  to script   from the image's first instruction (at 7C00h) to the request that the first script line makes; of a ROM,
              from the BIOS's last word before it starts the ROM that it boots from
  switches    mode switches of the image per frame received in the download (writes of EFER / 2)
An empty downcall is measured by the firmware itself (pxestat), once in time, and once with a clock that counts
instructions; an empty upcall by a boot program that asks our own PXE stack for UNDI_GET_STATE. The column of the ROM
alone is of frames of 1514 bytes that are waiting in the card, and thrown away. The bare loop takes such frames from
the ring of the card and gives the buffers back: its bytes per second are of frames that come as fast as the card takes
them, straight from the peer, its instructions of frames that are there.
";

/// One run may take so long.
const BOUND: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [flag, images, card, contender, plugin] if flag == namespace::INSIDE => {
            inside(images, card, contender, plugin)
        }
        [flag, images, clock, plugin] if flag == namespace::INSIDE => {
            round_trip_inside(images, clock, plugin)
        }
        _ => outside(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("FAILURE {failure}");
            ExitCode::FAILURE
        }
    }
}

fn inside(images: &str, card: &str, contender: &str, plugin: &str) -> Result<()> {
    namespace::end_with_parent();
    paths::choose_images(images.into());
    let contender =
        Contender::named(contender).ok_or_else(|| Failure(format!("there is no contender {contender}")))?;
    let card = Card::named(card).ok_or_else(|| Failure(format!("there is no card {card}")))?;
    println!("{}", bench::run(card, contender, plugin.as_ref())?.to_line());
    Ok(())
}

fn round_trip_inside(images: &str, which: &str, plugin: &str) -> Result<()> {
    namespace::end_with_parent();
    paths::choose_images(images.into());
    if which == UPCALL {
        let RoundTrip { instructions, nanoseconds } = bench::upcall(plugin.as_ref())?;
        println!("{INSTRUCTIONS} {instructions}\n{NANOSECONDS} {nanoseconds}");
    } else {
        println!("{which} {}", bench::downcall(which == INSTRUCTIONS)?);
    }
    Ok(())
}

/// What is measured of a round trip: of a downcall one at a time, as it is measured by its own clock.
const INSTRUCTIONS: &str = "instructions";
const NANOSECONDS: &str = "nanoseconds";
/// Or both, of an upcall.
const UPCALL: &str = "upcall";

fn outside(words: &[String]) -> Result<()> {
    let (mut runs, mut save, mut only_images, mut cards) = (5, false, false, Card::ALL.to_vec());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure(format!("{word} needs a value")));
        match word.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            "--bin" => paths::choose_images(fs::canonicalize(value()?).context(word)?),
            "--runs" => runs = value()?.parse().context(word)?,
            "--card" => {
                let name = value()?;
                cards = vec![Card::named(name).ok_or_else(|| Failure(format!("there is no card {name}")))?];
            }
            "--images" => only_images = true,
            "--save" => save = true,
            _ => return Err(Failure(format!("{word} is no option; see --help"))),
        }
    }
    if only_images {
        cards.iter().flat_map(|card| card.roms()).for_each(|rom| println!("{rom}"));
        return Ok(());
    }
    tests::payload::prepare()?;
    let plugin = tests::counter::build()?;
    let mut tables = Vec::new();
    let are_all = cards.len() == Card::ALL.len() && runs > 0;
    for card in cards.into_iter().filter(|_| runs > 0) {
        let mut all = vec![Vec::new(); card.contenders().len()];
        for number in 1..=runs {
            for (contender, results) in card.contenders().iter().zip(&mut all) {
                let run = measure(card, *contender, &plugin).context(format!("run {number}"))?;
                println!("run {number} of {} on {}: {}", contender.name(), card.name(), run.report());
                results.push(run);
            }
        }
        tables.push(bench::table(card, &all.iter().map(|runs| Run::median(runs)).collect::<Vec<_>>()));
    }
    if are_all || runs == 0 {
        let [instructions, nanoseconds, upcall] =
            [INSTRUCTIONS, NANOSECONDS, UPCALL].map(|which| round_trip(which, &plugin));
        let downcall =
            RoundTrip { instructions: instructions?.instructions, nanoseconds: nanoseconds?.nanoseconds };
        tables.push(bench::round_trip_table(downcall, upcall?));
    }
    let table = tables.join("\n");
    println!("\n{table}");
    if save && are_all {
        save_table(&table)?;
    }
    Ok(())
}

fn measure(card: Card, contender: Contender, plugin: &Path) -> Result<Run> {
    let (images, card, contender) = (paths::images(), card.name(), contender.name());
    let arguments = [images.as_os_str(), card.as_ref(), contender.as_ref(), plugin.as_os_str()];
    let doing = || format!("{contender} on {card}");
    let said = namespace::run_self("bench", arguments, BOUND).context(doing())?;
    said.lines().find_map(Run::from_line).ok_or_else(|| Failure(doing()))
}

fn round_trip(which: &str, plugin: &Path) -> Result<RoundTrip> {
    let images = paths::images();
    let arguments = [images.as_os_str(), which.as_ref(), plugin.as_os_str()];
    let said = namespace::run_self("bench", arguments, BOUND).context("an empty round trip")?;
    let number = |unit| said.lines().find_map(|line| line.strip_prefix(unit)?.trim().parse().ok());
    let trip = RoundTrip {
        instructions: number(INSTRUCTIONS).unwrap_or_default(),
        nanoseconds: number(NANOSECONDS).unwrap_or_default(),
    };
    ensure(trip != RoundTrip::default(), || format!("an empty round trip has no {which}"))?;
    println!("an empty round trip ({which}): {trip:?}");
    Ok(trip)
}

/// Puts the table between its two marks in `BENCHMARKS.md`, which is made if it is not there.
fn save_table(table: &str) -> Result<()> {
    const BEGIN: &str = "<!-- bench: begin -->";
    const END: &str = "<!-- bench: end -->";
    let path = paths::root().join("BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_else(|_| format!("# Benchmarks\n\n{BEGIN}\n{END}\n"));
    let emulator = run_tool(Command::new("/usr/bin/qemu-system-x86_64").arg("--version"))?;
    let emulator = emulator.lines().next().unwrap_or_default().to_owned();
    let (head, rest) =
        old.split_once(BEGIN).ok_or_else(|| Failure(format!("BENCHMARKS.md has no {BEGIN}")))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| Failure(format!("BENCHMARKS.md has no {END}")))?;
    let note = format!(
        "{emulator}, TCG; 16 MiB by HTTP from nginx and by TFTP from atftpd, for native drivers 256 MiB; medians."
    );
    fs::write(&path, format!("{head}{BEGIN}\n{table}\n{note}\n{END}{tail}")).context(path.display())
}
