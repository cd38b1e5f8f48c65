//! What a boot shows, in numbers. All are whole, so that a run can be handed from process to process as text.

use crate::counter::Counters;

/// What is known of one download.
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
    /// The same from when the BIOS starts the card's ROM, with each of [`Card::roms`](super::Card::roms) or with the
    /// emulator's.
    pub rom_to_script: [u64; 2],
    /// The download by HTTP from nginx.
    pub http: Download,
    /// The download by TFTP from atftpd.
    pub tftp: Download,
}

impl Run {
    const TIMES: usize = 3;
    const WORDS: usize = Self::TIMES + 2 * Download::WORDS;

    fn words(&self) -> [u64; Self::WORDS] {
        let [rom, split_rom] = self.rom_to_script;
        let times = [self.to_script, rom, split_rom].into_iter();
        let mut words = times.chain(self.http.words()).chain(self.tftp.words());
        std::array::from_fn(|_| words.next().unwrap_or_default())
    }

    fn from_words(words: [u64; Self::WORDS]) -> Self {
        let download = |first: usize| Download::from_words(std::array::from_fn(|word| words[first + word]));
        Self {
            to_script: words[0],
            rom_to_script: [words[1], words[2]],
            http: download(Self::TIMES),
            tftp: download(Self::TIMES + Download::WORDS),
        }
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

    /// The median of each number, by itself.
    pub fn median(runs: &[Self]) -> Self {
        Self::from_words(std::array::from_fn(|word| {
            middle(runs.iter().map(|run| run.words()[word]).collect())
        }))
    }
}

/// What an empty round trip costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// Guest instructions.
    pub instructions: u64,
    /// Nanoseconds of the host's clock.
    pub nanoseconds: u64,
}

/// The number in the middle.
pub(super) fn middle(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const DOWNLOAD: Download = Download {
        bytes: 3 << 20,
        length: 1_000_000,
        frames: 100,
        work: Counters { instructions: 5_000, cr0_writes: 250, msr_writes: 40 },
        own_count: 21,
    };
    pub(crate) const RUN: Run = Run {
        to_script: 1_250_000,
        rom_to_script: [2_000_000, 1_000_000],
        http: DOWNLOAD,
        tftp: Download { frames: 7, ..DOWNLOAD },
    };

    #[test]
    fn runs_travel_as_lines() {
        assert_eq!(Run::from_line(&RUN.to_line()), Some(RUN));
        assert_eq!(Run::from_line("RUN 1 2"), None);
    }
}
