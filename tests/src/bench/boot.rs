//! Boots that are measured: started, waited for, and read off the wire or the tap's counters, the servers' logs and the
//! counter plugin.

use super::numbers::middle;
use super::{Card, Contender, Download, FRAMES, LAST, MARKS, MEASURED, NATIVE, RoundTrip, Run, SWITCHES};
use crate::counter::{self, Counters, Event};
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KPXE, Lab};
use crate::namespace::SERVER;
use crate::peer::{Facts, Request};
use crate::qemu::{Counting, INSTRUCTION, MAC, Machine, Options, Wire, with_rom};
use crate::{paths, peer, quirk, servers, text};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest frame, and the bytes of a TCP stream in each that comes to nobody.
const FRAME_LENGTH: usize = 1514;
const FRAME_BYTES: u64 = 1460;

/// Boots and measures. To be called in namespaces of its own.
pub fn run(card: Card, contender: Contender, plugin: &Path) -> Result<Run> {
    let mut lab = Lab::with_image("bench", &contender.image(card))?;
    let mut sizes: Vec<u64> = card.downloads().map(|source| source.mebibytes).collect();
    // The same file by HTTP and by TFTP.
    sizes.dedup();
    for mebibytes in sizes {
        lab.big_file(usize::try_from(mebibytes).context("a file's size")?)?;
    }
    for mark in MARKS.into_iter().chain([LAST]) {
        lab.www(mark.trim_start_matches('/'), b"1")?;
    }
    let is_nobody = matches!(contender, Contender::RomAlone | Contender::BareLoop);
    if is_nobody || !card.is_native() {
        contender.instruct(&lab, card)?;
    }
    lab.usual_servers()?;
    lab.keep(servers::atftpd(&lab.tftp_root())?);
    let output = Path::new("counters").to_owned();
    // The last run's would tell that this one has begun.
    let _ = fs::remove_file(&output);
    let counting = Counting { plugin: plugin.to_owned(), output: output.clone() };
    let options = match card {
        Card::Stock => Options::default(),
        Card::Test => lab.quirk_rom(&[])?,
        Card::NativeE1000 => Options { memory: 1024, ..Options::default() },
        Card::NativeVirtio => {
            Options { memory: 1024, card: "virtio-net-pci".to_owned(), ..Options::default() }
        }
    };
    let options = Options { counting: Some(counting), ..options };
    match contender {
        Contender::RomAlone => rom_alone(&mut lab, &options, &output),
        Contender::BareLoop => bare_loop(&mut lab, &options, &output),
        Contender::Ours | Contender::Ipxe | Contender::Lpxelinux if card.is_on_tap() => {
            let options = Options { wire: Wire::Tap, ..options };
            let run = on_tap(card, contender, &mut lab, &options, &output)?;
            Ok(Run { rom_to_script: from_roms(card, contender, &mut lab, &options)?, ..run })
        }
        Contender::Ours | Contender::Ipxe | Contender::Lpxelinux => {
            watched(card, contender, &mut lab, &options, &output)
        }
    }
}

/// Measures with an observer between the card and the tap, who sees every frame.
fn watched(card: Card, contender: Contender, lab: &mut Lab, options: &Options, output: &Path) -> Result<Run> {
    let mut machine = lab.machine(options)?;
    let started = image_begins(output)?;
    // Counters at a download's request and at that behind it: between them is a download and nothing else.
    let counted = |name: &str| {
        wait(PATIENCE, name, || {
            Ok(if lab.facts()?.request(name).is_some() { Some(counter::read(output)?.0) } else { None })
        })
    };
    let mut work = Vec::new();
    for (source, end) in card.downloads().zip(ends(card)) {
        let before = counted(&source.request())?;
        work.push(counted(end)? - before);
    }
    let own_counts = own_counts(&mut machine, contender)?;
    let facts = lab.facts()?;
    let mut downloads = Vec::new();
    for (((source, end), work), own_count) in card.downloads().zip(ends(card)).zip(work).zip(own_counts) {
        let Request { name, data, data_bytes, frames_before, .. } = asked(&facts, &source.request())?;
        ensure(*data_bytes >= source.bytes(), || {
            format!("the download of {name} has {data_bytes} bytes only")
        })?;
        let (first, last) = data.ok_or_else(|| Failure(format!("the download of {name} has no data")))?;
        downloads.push(Download {
            bytes: source.bytes(),
            length: micros(last - first),
            frames: asked(&facts, end)?.frames_before - frames_before,
            work,
            own_count,
        });
    }
    // LPXELINUX runs no script.
    let first = facts.request(MARKS[0]).filter(|_| contender != Contender::Lpxelinux);
    let to_script = first.map_or(0, |first| micros(first.at.saturating_duration_since(started)));
    Ok(Run { to_script, ..with_downloads(downloads) })
}

/// The request behind each of the card's downloads.
fn ends(card: Card) -> impl Iterator<Item = &'static str> {
    MARKS.into_iter().take(card.downloads().count()).skip(1).chain([LAST])
}

/// The mode switches of each download as the firmware itself counts them; 0 where it does not.
fn own_counts(machine: &mut Machine, contender: Contender) -> Result<[u64; MARKS.len()]> {
    if contender == Contender::Lpxelinux {
        return Ok([0; MARKS.len()]);
    }
    machine.expect(MEASURED, 30).or_else(|failure| {
        // What the script says after the measurement is not measured.
        ensure(machine.transcript().count(text::NEXT_DEVICE) == 0, || failure.0)
    })?;
    let numbers = machine.transcript().between(SWITCHES, ";").unwrap_or_default();
    let mut numbers = numbers.split(',').map(|number| number.parse::<u64>().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    Ok(std::array::from_fn(|_| {
        let before = number();
        number().saturating_sub(before)
    }))
}

/// A run of which nothing else is known.
fn with_downloads(downloads: Vec<Download>) -> Run {
    let mut downloads = downloads.into_iter();
    let mut download = || downloads.next().unwrap_or_default();
    Run { http: download(), tftp: download(), ..Run::default() }
}

/// When the image's first instruction is seen.
fn image_begins(output: &Path) -> Result<Instant> {
    wait(PATIENCE, "the image's first instruction", || {
        Ok(counter::read(output).is_ok_and(|(_, events)| !events.is_empty()).then(Instant::now))
    })
}

/// The same with the card on the tap: what the observer would have seen is in the log of nginx and in the counters of the
/// tap. A download's frames and work are those from the request before it to the one behind it.
fn on_tap(card: Card, contender: Contender, lab: &mut Lab, options: &Options, output: &Path) -> Result<Run> {
    if card.is_native() {
        // The emulator's ROM is iPXE, so it is given the script, too. It gets another one.
        lab.script(&format!("chain tftp://{SERVER}/{NATIVE}"))?;
    }
    let mut machine = lab.machine(options)?;
    let started = image_begins(output)?;
    if card.is_native() {
        contender.instruct(lab, card)?;
    }
    let mut before = Mark::wait(MARKS[0], lab, output)?;
    let to_script = micros(started.elapsed());
    let mut downloads = Vec::new();
    for (source, end) in card.downloads().zip(ends(card)) {
        let after = Mark::wait(end, lab, output)?;
        let frames = after.frames() - before.frames();
        ensure(frames * FRAME_LENGTH as u64 >= source.bytes(), || {
            format!("{} has come in {frames} frames only", source.request())
        })?;
        downloads.push(Download {
            bytes: source.bytes(),
            length: after.since(before.frames()),
            frames,
            work: after.work - before.work,
            own_count: 0,
        });
        before = after;
    }
    let own_counts = own_counts(&mut machine, contender)?;
    for (download, own_count) in downloads.iter_mut().zip(own_counts) {
        download.own_count = own_count;
    }
    Ok(Run { to_script, ..with_downloads(downloads) })
}

/// Microseconds from when the BIOS starts the card's ROM, with each of our ROMs for it, to the request that the script's
/// first line makes. iPXE is in the ROM that the emulator's card has, so that is measured as often.
fn from_roms(card: Card, contender: Contender, lab: &mut Lab, options: &Options) -> Result<[u64; 2]> {
    let mut times = [0; 2];
    for (time, rom) in times.iter_mut().zip(card.roms()) {
        lab.www(rom, b"1")?;
        lab.script(&format!("imgfetch http://{SERVER}/{rom}\nsleep 60"))?;
        let model = &options.card;
        let model = if contender == Contender::Ours { with_rom(model, rom) } else { model.clone() };
        let mut machine = lab.machine(&Options { card: model, ..options.clone() })?;
        machine.expect(text::BIOS_STARTS_ROM, PATIENCE.as_secs())?;
        let started = Instant::now();
        wait(PATIENCE, rom, || Ok(is_served(&format!("/{rom}"), lab)?.then_some(())))?;
        *time = micros(started.elapsed());
    }
    Ok(times)
}

/// What had happened when nginx had served a file.
struct Mark {
    work: Counters,
    /// How many frames the tap had handed to the machine, and when, as often as was looked; not empty.
    seen: Vec<(Instant, u64)>,
}

impl Mark {
    /// Frames that may belong to a request before a download or behind it.
    const EDGE: u64 = 12;

    /// Waits for the file of that name.
    fn wait(name: &str, lab: &Lab, output: &Path) -> Result<Self> {
        let mut seen = Vec::new();
        wait(PATIENCE, name, || {
            seen.push((Instant::now(), frames_to_machine()?));
            Ok(is_served(name, lab)?.then_some(()))
        })?;
        Ok(Self { work: counter::read(output)?.0, seen })
    }

    fn frames(&self) -> u64 {
        self.seen.last().map_or(0, |(_, frames)| *frames)
    }

    /// Microseconds in which all frames came, of which there were `before` before them, but for those at the edges.
    fn since(&self, before: u64) -> u64 {
        let reached = |count: u64| self.seen.iter().find(|(_, frames)| *frames >= count);
        match (reached(before + Self::EDGE), reached(self.frames().saturating_sub(Self::EDGE))) {
            (Some((first, _)), Some((last, _))) => micros(last.saturating_duration_since(*first)),
            _ => 0,
        }
    }
}

/// Whether nginx has served the file of that name.
fn is_served(name: &str, lab: &Lab) -> Result<bool> {
    Ok(is_in(name, &lab.log("nginx/access.log")?))
}

/// Whether this log of nginx has the file of that name.
fn is_in(name: &str, log: &str) -> bool {
    log.lines().any(|line| line.split(' ').nth(3) == Some(name))
}

/// The frames that the tap has handed to the machine.
fn frames_to_machine() -> Result<u64> {
    let counters = fs::read_to_string("/proc/net/dev")?;
    let tap = counters.lines().find_map(|line| line.trim().strip_prefix("tap0:")).unwrap_or_default();
    // Eight numbers of what was received from it, and then of what was sent the bytes and the packets.
    tap.split_whitespace().nth(9).unwrap_or_default().parse().context("the counters of tap0")
}

/// What [`quirk::receiver`] needs for its frames.
fn rom_alone(lab: &mut Lab, options: &Options, output: &Path) -> Result<Run> {
    let times = flood(lab, options, output)?;
    let nanoseconds: u64 = times.iter().map(|time| time.nanoseconds).sum();
    Ok(received(FRAMES, nanoseconds, sum(&times)))
}

/// How long [`quirk::bare_loop`] needs for frames that come as fast as they can, and its work for those that are there.
fn bare_loop(lab: &mut Lab, options: &Options, output: &Path) -> Result<Run> {
    let times = flood(lab, options, output)?;
    let (speed, rest) = times.split_first().ok_or_else(|| Failure::new("the loop has received nothing"))?;
    let Counters { instructions, cr0_writes, msr_writes } = sum(rest);
    let all = |number| number * quirk::BARE_LOOP_SPEED / quirk::BARE_LOOP_FRAMES;
    let work = Counters {
        instructions: all(instructions),
        cr0_writes: all(cr0_writes),
        msr_writes: all(msr_writes),
    };
    Ok(received(quirk::BARE_LOOP_SPEED, speed.nanoseconds, work))
}

fn sum(times: &[Marked]) -> Counters {
    times.iter().fold(Counters::default(), |sum, time| sum + time.work)
}

/// Frames that came to nobody, as a download.
fn received(frames: u64, nanoseconds: u64, work: Counters) -> Run {
    let length = nanoseconds / 1000;
    Run {
        http: Download { bytes: frames * FRAME_BYTES, length, frames, work, own_count: 0 },
        ..Run::default()
    }
}

/// Sends more frames than the card can take until the boot program has had enough.
fn flood(lab: &mut Lab, options: &Options, output: &Path) -> Result<Vec<Marked>> {
    let _machine = lab.machine(options)?;
    let mut frame = [0; FRAME_LENGTH];
    frame[..MAC.len()].copy_from_slice(&MAC);
    frame[12..14].copy_from_slice(&[8, 0]);
    let wire = UnixDatagram::unbound()?;
    wire.set_write_timeout(Some(Duration::from_millis(100)))?;
    wait(Duration::from_secs(120), "the last frame", || {
        // Nobody is there yet, or no longer takes frames: then it is time to look as well.
        let _ = (0..10_000).try_for_each(|_| wire.send_to(&frame, peer::MACHINE_SOCKET).map(drop));
        Ok(marked(output))
    })
}

/// What lies between two marks of a boot program of the tests.
struct Marked {
    nanoseconds: u64,
    work: Counters,
}

/// All that lies between events 1 and 2 of the counter plugin, once there is event 3.
fn marked(output: &Path) -> Option<Vec<Marked>> {
    let (_, events) = counter::read(output).ok()?;
    if events.last().is_none_or(|event| event.id != 3) {
        return None;
    }
    let pairs = events.windows(2).filter(|pair| (pair[0].id, pair[1].id) == (1, 2));
    let marked = |pair: &[Event]| Marked {
        nanoseconds: pair[1].at - pair[0].at,
        work: pair[1].counters - pair[0].counters,
    };
    Some(pairs.map(marked).collect())
}

/// How often an empty round trip is asked for; each time the mean of a thousand is taken.
const ROUND_TRIPS: usize = 5;

/// Guest instructions, or with `counted_time` off nanoseconds, of an empty downcall: from long mode to real mode and
/// back. To be called in namespaces of its own.
pub fn downcall(counted_time: bool) -> Result<u64> {
    let mut lab = Lab::try_new("bench", KPXE)?;
    lab.embed(&format!("{}echo {MEASURED}\nsleep 60", "pxestat\n".repeat(ROUND_TRIPS)))?;
    // No network, so nothing that time could run out for.
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&Options { counted_time, ..options })?;
    machine.expect(MEASURED, 240)?;
    let numbers = machine.transcript().all_between("mode switches,", "ns for an empty one");
    let numbers: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    ensure(numbers.len() == ROUND_TRIPS, || format!("pxestat gives {numbers:?}"))?;
    Ok(middle(numbers) / if counted_time { INSTRUCTION } else { 1 })
}

/// An empty upcall: a boot program asks our own PXE stack what is known at once. To be called in namespaces of its own.
pub fn upcall(plugin: &Path) -> Result<RoundTrip> {
    let mut lab = Lab::with_image("bench", &paths::images().join(NATIVE))?;
    lab.usual_servers()?;
    lab.www("upcall.nbp", &quirk::empty_upcall(ROUND_TRIPS as u64)?)?;
    lab.script(&format!("chain http://{SERVER}/upcall.nbp"))?;
    let output = Path::new("counters");
    // As in `run`.
    let _ = fs::remove_file(output);
    let counting = Counting { plugin: plugin.to_owned(), output: output.to_owned() };
    let _machine = lab.machine(&Options { counting: Some(counting), ..Options::default() })?;
    let rounds = wait(Duration::from_secs(240), "the last empty upcall", || Ok(marked(output)))?;
    let median =
        |number: fn(&Marked) -> u64| middle(rounds.iter().map(number).collect()) / quirk::EMPTY_UPCALLS;
    Ok(RoundTrip {
        instructions: median(|round| round.work.instructions),
        nanoseconds: median(|round| round.nanoseconds),
    })
}

fn asked<'f>(facts: &'f Facts, name: &str) -> Result<&'f Request> {
    facts.request(name).ok_or_else(|| Failure(format!("{name} was never asked for")))
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

fn wait<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(found) = look()? {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(Failure(format!("{what} was not seen in {} s", patience.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_nginx_is_understood() {
        let log = "12.345 10.77.0.9 \"GET /first HTTP/1.1\" 200 1 0.000 \"-\"\n\
                   17.500 10.77.0.9 \"GET /second HTTP/1.1\" 200 1 0.000 \"-\"\n";
        assert!(is_in("/first", log) && is_in("/second", log));
        assert!(!is_in("/last", log) && !is_in("/fir", log));
    }

    #[test]
    fn a_download_takes_as_long_as_frames_come() {
        let start = Instant::now();
        let seen = [(0, 100), (40, 105), (50, 300), (250, 5095), (260, 5100), (400, 5104)];
        let seen = seen.map(|(at, frames)| (start + Duration::from_millis(at), frames)).to_vec();
        let mark = Mark { work: Counters::default(), seen };
        assert_eq!((mark.frames(), mark.since(100)), (5104, 200_000));
        assert_eq!(Mark { work: Counters::default(), seen: Vec::new() }.since(0), 0);
    }
}
