//! Boots to the first script line whose network and timing a seed decides.

use crate::failure::{Result, ensure};
use crate::lab::{KKPXE, KPXE, Lab};
use crate::namespace::SERVER;
use crate::peer::Weather;
use crate::qemu::Options;
use crate::random::Random;
use crate::scenarios::variants::CARDS;
use crate::{paths, text};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The images that take turns.
const IMAGES: [&str; 3] = ["undionly.pxe", KPXE, KKPXE];

/// One boot, all of which its seed decides but the host's own scheduling.
#[derive(Clone, Debug)]
pub struct Boot {
    seed: u64,
    card: &'static str,
    image: &'static str,
    weather: Weather,
    /// When the machine stands still, and how long: its timer's interrupts then come late or all at once.
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
        let card = CARDS[usize::try_from(below(CARDS.len() as u64)).unwrap_or_default()];
        let image = IMAGES[usize::try_from(below(IMAGES.len() as u64)).unwrap_or_default()];
        Self { seed, card, image, weather, pauses }
    }

    /// What is special about it, in one line.
    pub fn about(&self) -> String {
        let Weather { loss, duplication, reordering, noise, delay, .. } = self.weather;
        format!(
            "{} over {}; of 1000 frames {loss} lost, {duplication} doubled, {reordering} out of order, {noise} behind a \
             stranger's, up to {delay} ms late; {} pauses",
            self.image,
            self.card,
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
        let mut machine = lab.machine(&Options { card: self.card.to_owned(), ..Options::default() })?;
        machine.expect(text::BIOS_BANNER, 30)?;
        let started = Instant::now();
        let mut control = machine.control()?;
        for (at, length) in &self.pauses {
            thread::sleep(at.saturating_sub(started.elapsed()));
            if let Err(failure) = control.pause(*length) {
                // It may have switched itself off already; one that stands still for good is the emulator's fault.
                machine.expect_power_off(5).map_err(|_| failure)?;
                break;
            }
        }
        if let Err(failure) = machine.expect_power_off(60) {
            // Twice, to show whether it moves.
            for of in ["status", "pic", "registers", "registers"] {
                eprintln!("{of}: {}", control.ask(of)?.replace("\\r\\n", "\n"));
            }
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

/// Which seeds ended how, from the file that they were noted in.
pub fn results(file: &str) -> impl Iterator<Item = (u64, bool)> {
    file.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?.parse().ok()?, words.next()? == "pass"))
    })
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
        let file = "image 0a1b\n1 pass\n3 FAIL it hung\n";
        assert_eq!(results(file).collect::<Vec<_>>(), [(1, true), (3, false)]);
    }
}
