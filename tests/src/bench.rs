//! One measured boot, and what is made of several.

use crate::counter::{self, Counters};
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KPXE, Lab};
use crate::namespace::SERVER;
use crate::qemu::{Counting, Options};
use crate::text;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of the download.
pub const SIZE: usize = 16 << 20;

/// The script: its first line makes a request, then comes the download, then a request that ends it.
fn script() -> String {
    format!(
        "imgfetch http://{SERVER}/first\nset before ${{mode-switches}}\nimgfetch http://{SERVER}/16M.bin\n\
         set after ${{mode-switches}}\nimgfetch http://{SERVER}/last\n\
         echo RIG-MARK switches before=${{before}} after=${{after}};\necho RIG-MARK measured\nsleep 60"
    )
}

/// What one boot shows. All numbers are whole, so that a run can be handed from process to process as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Bytes per second of the download.
    pub rate: u64,
    /// Microseconds from the image's first instruction to the first script line's request.
    pub to_script: u64,
    /// Frames sent to the machine in the download.
    pub frames: u64,
    /// The processor's work in the download.
    pub work: Counters,
    /// Mode switches in the download, as the firmware itself counts them; 0 where it does not.
    pub own_count: u64,
}

impl Run {
    /// As one line of text.
    pub fn to_line(&self) -> String {
        let Counters { instructions, cr0_writes, msr_writes } = self.work;
        let Self { rate, to_script, frames, own_count, .. } = self;
        format!("RUN {rate} {to_script} {frames} {instructions} {cr0_writes} {msr_writes} {own_count}")
    }

    /// From that line.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("RUN ")?.split(' ').map_while(|word| word.parse().ok());
        let mut next = || words.next();
        Some(Self {
            rate: next()?,
            to_script: next()?,
            frames: next()?,
            work: Counters { instructions: next()?, cr0_writes: next()?, msr_writes: next()? },
            own_count: next()?,
        })
    }

    /// For a person.
    pub fn report(&self) -> String {
        format!(
            "{} MiB/s, {} s to script, {} frames, per frame {} switches by EFER, {} by its own count, {} CR0 writes, {} instructions",
            hundredths(self.rate, 1 << 20),
            hundredths(self.to_script, 1_000_000),
            self.frames,
            self.switches_per_frame(),
            thousandths(self.own_count, self.frames),
            hundredths(self.work.cr0_writes, self.frames),
            self.work.instructions / self.frames.max(1),
        )
    }

    fn switches_per_frame(&self) -> String {
        thousandths(self.work.msr_writes, self.frames * 2)
    }
}

/// Boots and measures. To be called in namespaces of its own.
pub fn run(plugin: &Path) -> Result<Run> {
    let mut lab = Lab::try_new("bench", KPXE)?;
    lab.big_file(SIZE >> 20)?;
    lab.www("first", b"1")?;
    lab.www("last", b"1")?;
    lab.script(&script())?;
    lab.usual_servers()?;
    let output = Path::new("counters").to_owned();
    // The last run's would tell that this one has begun.
    let _ = std::fs::remove_file(&output);
    let counting = Counting { plugin: plugin.to_owned(), output: output.clone() };
    let mut machine = lab.machine(&Options { counting: Some(counting), ..Options::default() })?;

    let patience = Duration::from_secs(120);
    let started = wait(patience, "the image's first instruction", || {
        Ok(counter::read(&output).is_ok_and(|(_, events)| events > 0).then(Instant::now))
    })?;
    // Counters at the request itself and at the next one: between them is the download and nothing else.
    let counted = |name: &str| {
        wait(patience, name, || {
            Ok(if lab.facts()?.request(name).is_some() { Some(counter::read(&output)?.0) } else { None })
        })
    };
    let before = counted("/16M.bin")?;
    let after = counted("/last")?;
    machine.expect("RIG-MARK measured", 30).or_else(|failure| {
        // What the script says after the measurement is not measured.
        ensure(machine.transcript().count(text::NEXT_DEVICE) == 0, || failure.0)
    })?;

    let count = |before: &str, after: &str| {
        machine.transcript().between(before, after).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    let own_count = count("after=", ";").saturating_sub(count("RIG-MARK switches before=", "after="));
    let facts = lab.facts()?;
    let asked = |name: &str| {
        facts.request(name).cloned().ok_or_else(|| Failure(format!("{name} was never asked for")))
    };
    let (first, download, last) = (asked("/first")?, asked("/16M.bin")?, asked("/last")?);
    let (begin, end) = download.data.ok_or_else(|| Failure::new("the download has no data"))?;
    ensure(download.data_bytes >= SIZE as u64, || {
        format!("the download has {} bytes only", download.data_bytes)
    })?;
    let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    Ok(Run {
        rate: SIZE as u64 * 1_000_000 / micros(end - begin).max(1),
        to_script: micros(first.at.saturating_duration_since(started)),
        frames: last.frames_before - download.frames_before,
        work: Counters {
            instructions: after.instructions - before.instructions,
            cr0_writes: after.cr0_writes - before.cr0_writes,
            msr_writes: after.msr_writes - before.msr_writes,
        },
        own_count,
    })
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

/// The median of each number, by itself.
pub fn median(runs: &[Run]) -> Run {
    let of = |number: fn(&Run) -> u64| {
        let mut numbers: Vec<u64> = runs.iter().map(number).collect();
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied().unwrap_or_default()
    };
    Run {
        rate: of(|run| run.rate),
        to_script: of(|run| run.to_script),
        frames: of(|run| run.frames),
        work: Counters {
            instructions: of(|run| run.work.instructions),
            cr0_writes: of(|run| run.work.cr0_writes),
            msr_writes: of(|run| run.work.msr_writes),
        },
        own_count: of(|run| run.own_count),
    }
}

/// The comparison as a Markdown table.
pub fn table(ours: &Run, theirs: &Run) -> String {
    let rows = [
        [
            "HTTP download over UNDI, MiB/s".to_owned(),
            hundredths(ours.rate, 1 << 20),
            hundredths(theirs.rate, 1 << 20),
            format!("{}x", hundredths(ours.rate, theirs.rate)),
            "at least 2.0x".to_owned(),
        ],
        [
            "first instruction to first script line, s".to_owned(),
            hundredths(ours.to_script, 1_000_000),
            hundredths(theirs.to_script, 1_000_000),
            format!("{}x", hundredths(ours.to_script, theirs.to_script)),
            "at most 0.5x".to_owned(),
        ],
        [
            "mode switches per received frame".to_owned(),
            ours.switches_per_frame(),
            "-".to_owned(),
            "-".to_owned(),
            "at most 0.2".to_owned(),
        ],
        [
            "the same by the firmware's own count".to_owned(),
            thousandths(ours.own_count, ours.frames),
            "-".to_owned(),
            "-".to_owned(),
            "the same".to_owned(),
        ],
        [
            "CR0 writes per received frame, the ROM's included".to_owned(),
            hundredths(ours.work.cr0_writes, ours.frames),
            hundredths(theirs.work.cr0_writes, theirs.frames),
            "-".to_owned(),
            "-".to_owned(),
        ],
    ];
    let mut table = "| measure | ours | Debian's iPXE | ratio | wanted |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
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

    const RUN: Run = Run {
        rate: 3 << 20,
        to_script: 1_250_000,
        frames: 100,
        work: Counters { instructions: 5_000, cr0_writes: 250, msr_writes: 40 },
        own_count: 21,
    };

    #[test]
    fn runs_travel_as_lines() {
        assert_eq!(Run::from_line(&RUN.to_line()), Some(RUN));
        assert_eq!(Run::from_line("RUN 1 2"), None);
    }

    #[test]
    fn the_table_has_ratios() {
        let slow = Run { rate: 1 << 20, to_script: 5_000_000, ..RUN };
        let table = table(&median(&[slow, RUN, RUN]), &slow);
        assert!(
            table.contains("| 3.00 | 1.00 | 3.00x |") && table.contains("| 1.25 | 5.00 | 0.25x |"),
            "{table}"
        );
        assert!(table.contains("| 0.200 | - |") && table.contains("| 0.210 | - |"), "{table}");
    }
}
