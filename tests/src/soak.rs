//! Boots to the first script line whose network and timing a seed decides.

use crate::failure::{Result, ensure};
use crate::lab::Lab;
use crate::namespace::SERVER;
use crate::peer::Weather;
use crate::qemu::Options;
use crate::random::Random;
use crate::rom::Quirk;
use crate::scenarios::variants::CARDS;
use crate::{paths, text};
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The images that take turns.
pub const IMAGES: [&str; 6] =
    ["undionly.pxe", "undionly.kpxe", "undionly.kkpxe", "undi.pxe", "undi.kpxe", "undi.kkpxe"];

/// How the ROM of the tests takes turns with the stock ones: as it should be, and with interrupts and frames that come
/// otherwise.
const ROMS: [Option<Quirk>; 6] = [
    None,
    Some(Quirk::IrqSilent),
    Some(Quirk::IrqStuck),
    Some(Quirk::StartNever),
    Some(Quirk::TransmitBusy),
    Some(Quirk::Parts),
];

/// What the machine boots from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The stock ROM of a card.
    Stock(&'static str),
    /// The ROM of the tests.
    Tests(Option<Quirk>),
}

/// One boot, all of which its seed decides but the host's own scheduling.
#[derive(Clone, Debug)]
pub struct Boot {
    seed: u64,
    source: Source,
    image: &'static str,
    weather: Weather,
    /// When the emulator stands still, and how long. The machine's clocks go on, so its timer's interrupts come late and
    /// all at once.
    pauses: Vec<(Duration, Duration)>,
}

impl Boot {
    /// The boot of that seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut below = |bound: u64| random.next_bits() % bound;
        let mut permille = |bound| u16::try_from(below(bound)).unwrap_or_default();
        let weather = Weather {
            loss: permille(50),
            duplication: permille(30),
            reordering: permille(30),
            noise: permille(200),
            delay: permille(40),
            seed,
        };
        let mut pauses: Vec<_> = (0..below(12))
            .map(|_| (Duration::from_millis(below(8_000)), Duration::from_millis(below(300))))
            .collect();
        pauses.sort_unstable();
        let mut index = |length: usize| usize::try_from(below(length as u64)).unwrap_or_default();
        let source = index(CARDS.len() + ROMS.len());
        let source = match CARDS.get(source) {
            Some(card) => Source::Stock(card),
            None => Source::Tests(ROMS[source - CARDS.len()]),
        };
        let image = IMAGES[index(IMAGES.len())];
        Self { seed, source, image, weather, pauses }
    }

    /// What is special about it, in one line.
    pub fn about(&self) -> String {
        let Weather { loss, duplication, reordering, noise, delay, .. } = self.weather;
        let source = match self.source {
            Source::Stock(card) => card.to_owned(),
            Source::Tests(quirk) => {
                format!("the ROM of the tests ({})", quirk.map_or("no quirk".to_owned(), Quirk::name))
            }
        };
        format!(
            "{} over {source}; of 1000 frames {loss} lost, {duplication} doubled, {reordering} out of order, {noise} behind a \
             stranger's, up to {delay} ms late; {} pauses",
            self.image,
            self.pauses.len()
        )
    }

    /// The folder of its logs.
    pub fn name(&self) -> String {
        format!("soak-{}", self.seed)
    }

    /// Boots: the script that DHCP names must run its first line, which fetches a file, and its second, which switches
    /// the machine off. To be called in namespaces of its own.
    pub fn run(&self) -> Result<()> {
        let mut lab = Lab::try_new(&self.name(), self.image)?;
        lab.www("first", b"1")?;
        lab.script(&format!("imgfetch http://{SERVER}/first\npoweroff"))?;
        lab.usual_servers()?;
        lab.weather(self.weather);
        let options = match self.source {
            Source::Stock(card) => Options { card: card.to_owned(), ..Options::default() },
            Source::Tests(quirk) => {
                let quirks: Vec<_> = quirk.into_iter().map(|quirk| (quirk, 1)).collect();
                lab.quirk_rom(&quirks)?
            }
        };
        let mut machine = lab.machine(&options)?;
        machine.expect(text::BIOS_BANNER, 30)?;
        let started = Instant::now();
        for (at, length) in &self.pauses {
            thread::sleep(at.saturating_sub(started.elapsed()));
            machine.pause(*length)?;
        }
        if let Err(failure) = machine.expect_power_off(60) {
            // Twice, to show whether it moves.
            let mut control = machine.control()?;
            for of in ["status", "pic", "registers", "registers"] {
                eprintln!("{of}: {}", control.ask(of)?.replace("\\r\\n", "\n"));
            }
            // It stays in the folder as memory.bin: real mode's vectors, stacks and code.
            control.memory(0, 1 << 20)?;
            return Err(failure);
        }
        ensure(machine.transcript().count(text::NEXT_DEVICE) == 0, || "the script failed".to_owned())?;
        ensure(lab.facts()?.request("/first").is_some(), || "the script's first line did not run".to_owned())
    }

    /// Throws away the logs of a boot that went well: a thousand of them would fill a disk.
    pub fn forget(&self) {
        // What cannot be removed is overwritten the next time.
        let _ = fs::remove_dir_all(paths::scenario(&self.name()));
    }
}

/// Which seeds ended how, from the file that they were noted in. One that has failed once has failed.
pub fn results(file: &str) -> BTreeMap<u64, bool> {
    let mut results = BTreeMap::new();
    for line in file.lines() {
        let mut words = line.split(' ');
        if let (Some(Ok(seed)), Some(outcome)) = (words.next().map(str::parse), words.next()) {
            *results.entry(seed).or_insert(true) &= outcome == "pass";
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_boot() {
        let about = |seed| Boot::from_seed(seed).about();
        assert_eq!(about(7), about(7));
        assert_ne!(about(7), about(8));
    }

    #[test]
    fn results_are_read_back() {
        let file = "images 0a1b\n1 pass\n3 FAIL it hung\n3 pass\n";
        assert_eq!(results(file), BTreeMap::from([(1, true), (3, false)]));
    }
}
