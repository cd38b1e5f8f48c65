//! One measured boot, and what is made of several.

use crate::counter::{self, Counters, Event};
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KPXE, Lab};
use crate::namespace::{ATFTP, SERVER};
use crate::peer::{Facts, Request};
use crate::qemu::{Counting, INSTRUCTION, MAC, Options, Wire};
use crate::{paths, peer, quirk, servers, text};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const MEBIBYTE: u64 = 1 << 20;
/// Our image with drivers of our own.
const NATIVE: &str = "ipxe.pxe";
/// Frames that the ROM alone receives, and the bytes of a TCP stream in each.
const FRAMES: u64 = 2000;
const FRAME_BYTES: u64 = 1460;

/// Whose image is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Our image.
    Ours,
    /// The image of the same name of Debian's package `ipxe`.
    Ipxe,
    /// The `lpxelinux.0` of Debian's package `pxelinux`, which has TCP over UNDI.
    Lpxelinux,
    /// Nobody's: a few instructions that call the ROM and throw away what they receive.
    RomAlone,
    /// Nobody's: a few instructions that take frames from the card's ring and give the buffers back.
    BareLoop,
}

impl Contender {
    const ALL: [Self; 5] = [Self::Ours, Self::Ipxe, Self::Lpxelinux, Self::RomAlone, Self::BareLoop];

    /// What the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Ipxe => "iPXE",
            Self::Lpxelinux => "LPXELINUX",
            Self::RomAlone => "the ROM alone",
            Self::BareLoop => "bare loop",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contender| contender.name() == name)
    }

    fn image(self, card: Card) -> PathBuf {
        match (self, card) {
            (Self::Ours | Self::BareLoop, Card::NativeE1000 | Card::NativeVirtio) => {
                paths::images().join(NATIVE)
            }
            (Self::Ipxe, Card::NativeE1000 | Card::NativeVirtio) => paths::IPXE_NATIVE.into(),
            (Self::Ours | Self::RomAlone | Self::BareLoop, _) => paths::images().join(KPXE),
            (Self::Ipxe, Card::Stock) => paths::IPXE.into(),
            // It goes on calling the entry point that it was given, which goes with the base code that it unloads.
            (Self::Ipxe, Card::Test) => paths::IPXE_KEEPING.into(),
            (Self::Lpxelinux, _) => paths::LPXELINUX.into(),
        }
    }

    /// Puts what it is to do where it looks for it: a file by HTTP, a file by TFTP unless there is a native driver, and
    /// requests that mark where they begin and end.
    fn instruct(self, lab: &Lab, card: Card) -> Result<()> {
        let downloads = card.downloads().map(|download| download.uri());
        match self {
            Self::Ours | Self::Ipxe => {
                let fetches = [format!("http://{SERVER}{FIRST}")].into_iter().chain(downloads);
                let lines = fetches
                    .enumerate()
                    .map(|(place, uri)| format!("imgfetch {uri}\nset switches{place} ${{mode-switches}}\n"));
                let lines: String = lines.collect();
                lab.script(&format!(
                    "{lines}imgfetch http://{SERVER}{LAST}\n\
                     echo {SWITCHES}${{switches0}},${{switches1}},${{switches2}};\necho {MEASURED}\nsleep 60"
                ))
            }
            Self::Lpxelinux => {
                lab.tftp("ldlinux.c32", &fs::read(paths::LDLINUX).context(paths::LDLINUX)?)?;
                fs::create_dir_all(lab.tftp_root().join("pxelinux.cfg"))?;
                let configuration = format!(
                    "DEFAULT bench\nLABEL bench\nKERNEL http://{SERVER}/vmlinuz\n\
                     INITRD {},http://{SERVER}{LAST}\n",
                    downloads.collect::<Vec<_>>().join(",")
                );
                lab.tftp("pxelinux.cfg/default", configuration.as_bytes())
            }
            // In place of our image.
            Self::RomAlone => lab.tftp(KPXE, &quirk::receiver(FRAMES)?),
            Self::BareLoop => lab.tftp(NATIVE, &quirk::bare_loop(card == Card::NativeVirtio)?),
        }
    }
}

/// What the machine is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// QEMU's e1000 with its stock ROM, which is iPXE's: 32-bit code behind real-mode entry points.
    Stock,
    /// QEMU's rtl8139 with the ROM of the tests: real-mode code, as a vendor's is.
    Test,
    /// QEMU's e1000, driven natively.
    NativeE1000,
    /// QEMU's virtio-net-pci, driven natively.
    NativeVirtio,
}

impl Card {
    /// All, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Stock, Self::Test, Self::NativeE1000, Self::NativeVirtio];

    /// What the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "e1000",
            Self::Test => "test ROM",
            Self::NativeE1000 => "e1000, native driver",
            Self::NativeVirtio => "virtio-net, native driver",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|card| card.name() == name)
    }

    /// Who is measured on it, in the order of the table's columns. The base code of the test ROM has no TFTP, by which
    /// LPXELINUX gets its parts.
    pub const fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Stock => &[Contender::Ours, Contender::Ipxe, Contender::Lpxelinux],
            Self::Test => &[Contender::Ours, Contender::Ipxe, Contender::RomAlone],
            Self::NativeE1000 | Self::NativeVirtio => {
                &[Contender::Ours, Contender::Ipxe, Contender::BareLoop]
            }
        }
    }

    const fn is_native(self) -> bool {
        matches!(self, Self::NativeE1000 | Self::NativeVirtio)
    }

    /// What is downloaded, in this order.
    fn downloads(self) -> impl Iterator<Item = Source> {
        let http = Source { is_tftp: false, mebibytes: if self.is_native() { NATIVE_MEBIBYTES } else { 16 } };
        let tftp = Source { is_tftp: true, mebibytes: 16 };
        [http].into_iter().chain((!self.is_native()).then_some(tftp))
    }

    /// How many times as fast as the peers ours is to be.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Stock => "at least 4x, 1.2x",
            Self::Test => "at least 6x",
            Self::NativeE1000 | Self::NativeVirtio => "at least 2x",
        }
    }
}

/// What is downloaded.
#[derive(Clone, Copy)]
struct Source {
    is_tftp: bool,
    mebibytes: u64,
}

impl Source {
    /// As a request names it: the observer on the wire tells the two protocols apart by the slash.
    fn request(self) -> String {
        format!("{}{}M.bin", if self.is_tftp { "" } else { "/" }, self.mebibytes)
    }

    fn uri(self) -> String {
        if self.is_tftp {
            format!("tftp://{ATFTP}/{}", self.request())
        } else {
            format!("http://{SERVER}{}", self.request())
        }
    }

    fn bytes(self) -> u64 {
        self.mebibytes * MEBIBYTE
    }
}

/// What a driver that has the card to itself downloads.
const NATIVE_MEBIBYTES: u64 = 256;
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST: &str = "/first";
const LAST: &str = "/last";
const MEASURED: &str = "RIG-MARK measured";
const SWITCHES: &str = "RIG-MARK switches ";

/// What is known of one download. All numbers are whole, so that a run can be handed from process to process as
/// text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Download {
    /// Its bytes.
    pub bytes: u64,
    /// Microseconds that it took.
    pub length: u64,
    /// Frames sent to the machine.
    pub frames: u64,
    /// The processor's work.
    pub work: Counters,
    /// Mode switches, as the firmware itself counts them; 0 where it does not.
    pub own_count: u64,
}

impl Download {
    /// Bytes per second.
    fn rate(&self) -> u64 {
        self.bytes * 1_000_000 / self.length.max(1)
    }

    fn switches_per_frame(&self) -> String {
        thousandths(self.work.msr_writes, self.frames * 2)
    }

    /// What `text` says of a download, if there was one.
    fn per_frame(&self, text: impl FnOnce(&Self) -> String) -> String {
        if self.frames == 0 { "-".to_owned() } else { text(self) }
    }

    fn report(&self) -> String {
        format!(
            "{} MiB/s, {} frames, per frame {} switches by EFER, {} by its own count, {} CR0 writes, {} instructions",
            hundredths(self.rate(), 1 << 20),
            self.frames,
            self.switches_per_frame(),
            thousandths(self.own_count, self.frames),
            hundredths(self.work.cr0_writes, self.frames),
            self.work.instructions / self.frames.max(1),
        )
    }

    const WORDS: usize = 7;

    fn words(&self) -> [u64; Self::WORDS] {
        let Counters { instructions, cr0_writes, msr_writes } = self.work;
        [self.bytes, self.length, self.frames, instructions, cr0_writes, msr_writes, self.own_count]
    }

    fn from_words(words: [u64; Self::WORDS]) -> Self {
        let [bytes, length, frames, instructions, cr0_writes, msr_writes, own_count] = words;
        Self { bytes, length, frames, work: Counters { instructions, cr0_writes, msr_writes }, own_count }
    }
}

/// What one boot shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Microseconds from the image's first instruction to the first script line's request; 0 for an image that runs
    /// no scripts.
    pub to_script: u64,
    /// The download by HTTP from nginx.
    pub http: Download,
    /// The download by TFTP from atftpd.
    pub tftp: Download,
}

impl Run {
    const WORDS: usize = 1 + 2 * Download::WORDS;

    fn words(&self) -> [u64; Self::WORDS] {
        let mut words = [self.to_script; Self::WORDS];
        words[1..=Download::WORDS].copy_from_slice(&self.http.words());
        words[1 + Download::WORDS..].copy_from_slice(&self.tftp.words());
        words
    }

    fn from_words(words: [u64; Self::WORDS]) -> Self {
        let download = |first: usize| Download::from_words(std::array::from_fn(|word| words[first + word]));
        Self { to_script: words[0], http: download(1), tftp: download(1 + Download::WORDS) }
    }

    /// As one line of text.
    pub fn to_line(&self) -> String {
        format!("RUN {}", self.words().map(|word| word.to_string()).join(" "))
    }

    /// From that line.
    pub fn from_line(line: &str) -> Option<Self> {
        let words: Option<Vec<u64>> =
            line.strip_prefix("RUN ")?.split(' ').map(|word| word.parse().ok()).collect();
        Some(Self::from_words(words?.try_into().ok()?))
    }

    /// For a person.
    pub fn report(&self) -> String {
        format!(
            "{} s to script\n  HTTP {}\n  TFTP {}",
            hundredths(self.to_script, 1_000_000),
            self.http.report(),
            self.tftp.report()
        )
    }

    /// The median of each number, by itself.
    pub fn median(runs: &[Self]) -> Self {
        Self::from_words(std::array::from_fn(|word| {
            middle(runs.iter().map(|run| run.words()[word]).collect())
        }))
    }
}

/// Boots and measures. To be called in namespaces of its own.
pub fn run(card: Card, contender: Contender, plugin: &Path) -> Result<Run> {
    let mut lab = Lab::with_image("bench", &contender.image(card))?;
    let mut sizes: Vec<u64> = card.downloads().map(|source| source.mebibytes).collect();
    // The same file by HTTP and by TFTP.
    sizes.dedup();
    for mebibytes in sizes {
        lab.big_file(usize::try_from(mebibytes).context("a file's size")?)?;
    }
    lab.www("first", b"1")?;
    lab.www("last", b"1")?;
    let is_driver = card.is_native() && contender != Contender::BareLoop;
    if !is_driver {
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
    if is_driver {
        return native(card, contender, lab, &options, &output);
    }
    let mut machine = lab.machine(&options)?;

    match contender {
        Contender::RomAlone => return rom_alone(&output),
        Contender::BareLoop => return bare_loop(&output),
        Contender::Ours | Contender::Ipxe | Contender::Lpxelinux => {}
    }
    let started = image_begins(&output)?;
    // Counters at a request and at the next one: between them is a download and nothing else.
    let counted = |name: &str| {
        wait(PATIENCE, name, || {
            Ok(if lab.facts()?.request(name).is_some() { Some(counter::read(&output)?.0) } else { None })
        })
    };
    let sources: Vec<Source> = card.downloads().collect();
    let names: Vec<String> = sources.iter().map(|source| source.request()).chain([LAST.to_owned()]).collect();
    let work = names.iter().map(|name| counted(name)).collect::<Result<Vec<_>>>()?;
    let mut switches = Vec::new();
    if contender != Contender::Lpxelinux {
        machine.expect(MEASURED, 30).or_else(|failure| {
            // What the script says after the measurement is not measured.
            ensure(machine.transcript().count(text::NEXT_DEVICE) == 0, || failure.0)
        })?;
        let numbers = machine.transcript().between(SWITCHES, ";").unwrap_or_default();
        switches = numbers.split(',').map(|number| number.parse::<u64>().unwrap_or(0)).collect();
    }
    let facts = lab.facts()?;
    let requests = names.iter().map(|name| asked(&facts, name)).collect::<Result<Vec<_>>>()?;
    let switches = |place: usize| switches.get(place).copied().unwrap_or(0);
    let mut downloads = sources.iter().enumerate().map(|(place, source)| -> Result<Download> {
        let Request { name, data, data_bytes, frames_before, .. } = requests[place];
        ensure(*data_bytes >= source.bytes(), || {
            format!("the download of {name} has {data_bytes} bytes only")
        })?;
        let (first, last) = data.ok_or_else(|| Failure(format!("the download of {name} has no data")))?;
        Ok(Download {
            bytes: source.bytes(),
            length: micros(last - first),
            frames: requests[place + 1].frames_before - frames_before,
            work: work[place + 1] - work[place],
            own_count: switches(place + 1).saturating_sub(switches(place)),
        })
    });
    let mut download = || downloads.next().transpose().map(Option::unwrap_or_default);
    let first = facts.request(FIRST).map(|first| first.at.saturating_duration_since(started));
    Ok(Run { to_script: first.map_or(0, micros), http: download()?, tftp: download()? })
}

/// When the image's first instruction is seen.
fn image_begins(output: &Path) -> Result<Instant> {
    wait(PATIENCE, "the image's first instruction", || {
        Ok(counter::read(output).is_ok_and(|(_, events)| !events.is_empty()).then(Instant::now))
    })
}

/// The same for a driver that has the card to itself, with the card on the tap: the peer takes longer for a frame than
/// such a driver. What the peer would have seen is in the log of nginx and in the counters of the tap.
fn native(card: Card, contender: Contender, mut lab: Lab, options: &Options, output: &Path) -> Result<Run> {
    let source = Source { is_tftp: false, mebibytes: NATIVE_MEBIBYTES };
    // The emulator's ROM is iPXE, so it is given the script, too. It gets another one.
    lab.script(&format!("chain tftp://{SERVER}/{NATIVE}"))?;
    let _machine = lab.machine(&Options { wire: Wire::Tap, ..options.clone() })?;
    let started = image_begins(output)?;
    contender.instruct(&lab, card)?;
    let served = |name: &str| {
        let seen = wait(PATIENCE, name, || Ok(Served::of(name, &lab.log("nginx/access.log")?)))?;
        Ok::<_, Failure>((seen, counter::read(output)?.0, frames_to_machine()?))
    };
    let (_, work_before, frames_before) = served(FIRST)?;
    let to_script = micros(started.elapsed());
    let (last, work, frames) = served(LAST)?;
    let (download, ..) = served(&source.request())?;
    ensure(download.bytes >= source.bytes(), || format!("{} bytes only were served", download.bytes))?;
    let http = Download {
        bytes: source.bytes(),
        length: last.from.saturating_sub(download.from) * 1000,
        frames: frames - frames_before,
        work: work - work_before,
        own_count: 0,
    };
    Ok(Run { to_script, http, ..Run::default() })
}

/// A file that nginx has served, as its log says.
#[derive(Debug, PartialEq, Eq)]
struct Served {
    /// Milliseconds of the host's clock when it was asked for.
    from: u64,
    /// The bytes sent.
    bytes: u64,
}

impl Served {
    /// The file of that name.
    fn of(name: &str, log: &str) -> Option<Self> {
        let line = log.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let [to, _, _, _, _, _, bytes, time, ..] = *line.rev().find(|words| words.get(3) == Some(&name))?
        else {
            return None;
        };
        let milliseconds = |text: &str| text.replace('.', "").parse::<u64>().ok();
        Some(Self { from: milliseconds(to)?.checked_sub(milliseconds(time)?)?, bytes: bytes.parse().ok()? })
    }
}

/// The frames that the tap has handed to the machine.
fn frames_to_machine() -> Result<u64> {
    let counters = fs::read_to_string("/proc/net/dev")?;
    let tap = counters.lines().find_map(|line| line.trim().strip_prefix("tap0:")).unwrap_or_default();
    // Eight numbers of what was received from it, and then of what was sent the bytes and the packets.
    tap.split_whitespace().nth(9).unwrap_or_default().parse().context("the counters of tap0")
}

/// What [`quirk::receiver`] needs for its frames.
fn rom_alone(output: &Path) -> Result<Run> {
    let times = flood(output)?;
    let nanoseconds: u64 = times.iter().map(|time| time.nanoseconds).sum();
    Ok(received(FRAMES, nanoseconds, sum(&times)))
}

/// How long [`quirk::bare_loop`] needs for frames that come as fast as they can, and its work for those that are there.
fn bare_loop(output: &Path) -> Result<Run> {
    let times = flood(output)?;
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
fn flood(output: &Path) -> Result<Vec<Marked>> {
    let mut frame = [0; 1514];
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

/// What an empty round trip costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// Guest instructions.
    pub instructions: u64,
    /// Nanoseconds of the host's clock.
    pub nanoseconds: u64,
}

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

/// The number in the middle.
fn middle(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The round trips as a Markdown table.
pub fn round_trip_table(downcall: RoundTrip, upcall: RoundTrip) -> String {
    let cells = |trip: RoundTrip| format!("{} | {}", trip.instructions, hundredths(trip.nanoseconds, 1000));
    format!(
        "| ours | guest instructions | microseconds |\n|---|---|---|\n\
         | empty downcall: from long mode to real mode, interrupts let in, and back | {} |\n\
         | empty upcall: UNDI_GET_STATE, from real mode to long mode and back | {} |\n\n\
         An upcall ends the downcall that runs the program, and the next one goes on with it.\n",
        cells(downcall),
        cells(upcall)
    )
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

/// The comparison as a Markdown table, on one card: a run each of its contenders.
pub fn table(card: Card, runs: &[Run]) -> String {
    let names: Vec<&str> = card.contenders().iter().map(|contender| contender.name()).collect();
    let mut table = format!(
        "| {} | {} | wanted |\n|---{}|---|\n",
        card.name(),
        names.join(" | "),
        "|---".repeat(names.len())
    );
    let mut row = |measure: &str, wanted: &str, cells: Vec<String>| {
        table.push_str(&format!("| {measure} | {} | {wanted} |\n", cells.join(" | ")));
    };
    let to_script = if card.is_native() { "at most 1x" } else { "at most 0.5x" };
    let numbers = |number: fn(&Run) -> u64| runs.iter().map(number).collect::<Vec<_>>();
    row("HTTP, MiB/s", card.wanted(), ratios(&numbers(|run| run.http.rate()), MEBIBYTE));
    if !card.is_native() {
        row("TFTP, MiB/s", card.wanted(), ratios(&numbers(|run| run.tftp.rate()), MEBIBYTE));
    }
    let times = ratios(&numbers(|run| run.to_script), 1_000_000);
    row("first instruction to first script line, s", to_script, times);
    let downloads =
        [("HTTP", (|run: &Run| run.http) as fn(&Run) -> Download), ("TFTP", |run: &Run| run.tftp)];
    for (name, download) in downloads.into_iter().take(card.downloads().count()) {
        let downloads: Vec<Download> = runs.iter().map(download).collect();
        let each =
            |text: fn(&Download) -> String| downloads.iter().map(|it| it.per_frame(text)).collect::<Vec<_>>();
        let ours = |text: String| {
            let mut cells = vec!["-".to_owned(); runs.len()];
            cells[0] = text;
            cells
        };
        let mut row = |measure: &str, wanted: &str, cells| row(&format!("{name}, {measure}"), wanted, cells);
        if !card.is_native() {
            let of_ours = downloads[0];
            row("mode switches per received frame", "at most 0.1", ours(of_ours.switches_per_frame()));
            let own = thousandths(of_ours.own_count, of_ours.frames);
            row("the same by the firmware's own count", "the same", ours(own));
            row(
                "CR0 writes per received frame, the ROM's included",
                "-",
                each(|it| hundredths(it.work.cr0_writes, it.frames)),
            );
        }
        row("microseconds per received frame", "-", each(|it| hundredths(it.length, it.frames)));
        let wanted = if card.is_native() { "at most half" } else { "-" };
        row(
            "guest instructions per received frame",
            wanted,
            each(|it| (it.work.instructions / it.frames).to_string()),
        );
    }
    table
}

/// Cells, of which the peers' say also how many times as much ours is.
fn ratios(numbers: &[u64], unit: u64) -> Vec<String> {
    let ours = numbers.first().copied().unwrap_or(0);
    let cell = |number: &u64| match *number {
        0 => "-".to_owned(),
        number if number == ours => hundredths(number, unit),
        number => format!("{} ({}x)", hundredths(number, unit), hundredths(ours, number)),
    };
    numbers.iter().map(cell).collect()
}

/// `number / unit` with three digits after the point.
fn thousandths(number: u64, unit: u64) -> String {
    let thousandths = u128::from(number) * 1000 / u128::from(unit.max(1));
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// `number / unit` with two digits after the point.
fn hundredths(number: u64, unit: u64) -> String {
    let hundredths = u128::from(number) * 100 / u128::from(unit.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWNLOAD: Download = Download {
        bytes: 3 << 20,
        length: 1_000_000,
        frames: 100,
        work: Counters { instructions: 5_000, cr0_writes: 250, msr_writes: 40 },
        own_count: 21,
    };
    const RUN: Run = Run { to_script: 1_250_000, http: DOWNLOAD, tftp: Download { frames: 7, ..DOWNLOAD } };

    #[test]
    fn runs_travel_as_lines() {
        assert_eq!(Run::from_line(&RUN.to_line()), Some(RUN));
        assert_eq!(Run::from_line("RUN 1 2"), None);
    }

    #[test]
    fn the_log_of_nginx_is_understood() {
        let log = "12.345 10.77.0.9 \"GET /first HTTP/1.1\" 200 1 0.000 \"-\"\n\
                   17.500 10.77.0.9 \"GET /256M.bin HTTP/1.1\" 200 268435700 5.125 \"-\"\n";
        let download = Served { from: 12_375, bytes: 268_435_700 };
        assert_eq!(Served::of("/256M.bin", log), Some(download));
        assert_eq!(Served::of("/last", log), None);
    }

    #[test]
    fn the_table_has_ratios() {
        let slow = Run { to_script: 5_000_000, http: Download { length: 3_000_000, ..DOWNLOAD }, ..RUN };
        let ours = Run::median(&[slow, RUN, RUN]);
        let table = table(Card::Stock, &[ours, slow, Run { to_script: 0, ..RUN }]);
        for row in [
            "| HTTP, MiB/s | 3.00 | 1.00 (3.00x) |",
            "| 1.25 | 5.00 (0.25x) | - |",
            "received frame | 0.200 | - | - |",
            "own count | 0.210 | - | - |",
            "included | 2.50 | 2.50 | 2.50 |",
            "HTTP, microseconds per received frame | 10000.00 | 30000.00 | 10000.00 |",
        ] {
            assert!(table.contains(row), "{row} is not in\n{table}");
        }
    }
}
