//! The matrix: every image, on every card whose stock ROM the emulator has and on the ROM of the tests, boots Linux,
//! goes on to the next boot device, and starts another network boot program.

use super::Scenario;
use crate::failure::{Context, Result};
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::{Machine, Options};
use crate::{paths, text};
use image_variants::assemble::embed_script;

/// The sets of drivers.
const SETS: [&str; 2] = ["undionly", "undi"];
/// What of the vendor's stack is kept.
const SUFFIXES: [&str; 3] = ["pxe", "kpxe", "kkpxe"];
/// QEMU's names of the cards.
pub const CARDS: [&str; 8] =
    ["e1000", "e1000e", "i82559c", "ne2k_pci", "pcnet", "rtl8139", "virtio-net-pci", "vmxnet3"];

/// In place of a card: the RTL8139 with the ROM of the tests, whose base code has no TFTP.
const TEST_ROM: &str = "test-rom";

/// What the machine ends up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Linux,
    NextDevice,
    Program,
}

const GOALS: [Goal; 3] = [Goal::Linux, Goal::NextDevice, Goal::Program];

impl Goal {
    /// The last part of a scenario's name.
    fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::NextDevice => "exit",
            Self::Program => "nbp",
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy)]
struct Cell {
    set: &'static str,
    suffix: &'static str,
    card: &'static str,
    goal: Goal,
}

impl Cell {
    fn image(self) -> String {
        format!("{}.{}", self.set, self.suffix)
    }

    fn name(self) -> String {
        format!("variants-{}-{}-{}-{}", self.set, self.suffix, self.card, self.goal.name())
    }

    /// In the quick set.
    fn is_quick(self) -> bool {
        matches!(
            (self.set, self.suffix, self.card, self.goal),
            ("undionly", "kpxe", "e1000" | "virtio-net-pci", Goal::Linux)
                | ("undionly", "kkpxe", "rtl8139", Goal::Linux)
                | ("undionly", "kpxe", "e1000", Goal::Program)
        )
    }

    /// Among what runs without being named: each card with both ways to keep the UNDI, and one of each kind else.
    fn is_usual(self) -> bool {
        let is_stock = self.card != TEST_ROM && self.suffix != "pxe";
        let is_card = self.set == "undionly" && is_stock && self.goal == Goal::Linux;
        let is_kind = match self.goal {
            Goal::Linux => self.set == "undi" && self.suffix == "pxe",
            Goal::NextDevice => self.set == "undi" && self.suffix == "kkpxe",
            Goal::Program => self.set == "undionly",
        };
        is_card || self.card == "e1000" && is_kind
    }

    fn scenario(self) -> Scenario {
        let image = self.image();
        let card = self.card;
        let about = match self.goal {
            Goal::Linux => format!("{image} boots a Debian kernel by HTTP over the ROM of {card}"),
            Goal::NextDevice => format!("{image} leaves the ROM of {card} to the next boot device"),
            Goal::Program if card == TEST_ROM => format!("{image} starts itself again over {card}"),
            Goal::Program => {
                format!("{image} starts pxelinux, which uses the ROM of {card} and returns")
            }
        };
        let scenario = Scenario::new(self.name(), about, 240, move |name| self.run(name));
        match (self.is_quick(), self.is_usual()) {
            (true, _) => scenario.quick(),
            (_, true) => scenario,
            _ => scenario.by_name(),
        }
    }

    fn run(self, name: &str) -> Result<()> {
        let mut lab = Lab::try_new(name, &self.image())?;
        lab.usual_servers()?;
        match self.goal {
            Goal::Linux => lab.script(&boot_lines(""))?,
            Goal::NextDevice => lab.script("echo RIG-MARK leaving\nexit")?,
            Goal::Program if self.card == TEST_ROM => {
                let image = std::fs::read(paths::images().join(self.image())).context("the image")?;
                let script = format!("#!ipxe\ndhcp\nchain http://{SERVER}/second.ipxe\n");
                let image = embed_script(&image, script.as_bytes()).context("embedding")?;
                lab.www("second.nbp", &image)?;
                lab.www("second.ipxe", b"#!ipxe\necho RIG-MARK second\nexit\n")?;
                lab.script(&format!("chain http://{SERVER}/second.nbp"))?;
            }
            Goal::Program => {
                lab.pxelinux("DEFAULT leave\nSAY RIG-MARK pxelinux\nLABEL leave\nLOCALBOOT 0\n")?;
                lab.script(&format!("chain tftp://{SERVER}/pxelinux.0 && echo RIG-MARK back\nexit"))?;
            }
        }
        let options = match self.card {
            TEST_ROM => lab.quirk_rom(&[])?,
            card => Options { card: card.to_owned(), ..Options::default() },
        };
        let mut machine = lab.machine(&options)?;
        self.expect(&mut machine)
    }

    fn expect(self, machine: &mut Machine) -> Result<()> {
        match self.goal {
            Goal::Linux => return expect_user_space(machine, 200),
            Goal::NextDevice => machine.expect("RIG-MARK leaving", 120)?,
            Goal::Program if self.card == TEST_ROM => machine.expect("RIG-MARK second", 120)?,
            Goal::Program => {
                machine.expect("RIG-MARK pxelinux", 180)?;
                machine.expect("RIG-MARK back", 60)?;
            }
        }
        machine.expect(text::NEXT_DEVICE, 60)
    }
}

fn cells() -> impl Iterator<Item = Cell> {
    let images = SETS.into_iter().flat_map(|set| SUFFIXES.map(|suffix| (set, suffix)));
    let cards = || CARDS.into_iter().chain([TEST_ROM]);
    let rows = images.flat_map(move |(set, suffix)| cards().map(move |card| (set, suffix, card)));
    rows.flat_map(|(set, suffix, card)| GOALS.map(|goal| Cell { set, suffix, card, goal }))
}

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    cells().map(Cell::scenario).collect()
}

/// The matrix as a table, from what is known of each scenario by its name: whether it passed, and none if it did not
/// run. Empty if none of it ran.
pub fn matrix(verdict: impl Fn(&str) -> Option<bool>) -> String {
    let cells: Vec<(Cell, Option<bool>)> = cells().map(|cell| (cell, verdict(&cell.name()))).collect();
    let mut lines = String::new();
    for row in cells.chunks(GOALS.len()).filter(|row| row.iter().any(|(_, verdict)| verdict.is_some())) {
        lines += &format!("{:16}{:16}", row[0].0.image(), row[0].0.card);
        for (_, verdict) in row {
            let word = verdict.map_or("-", |passed| if passed { "pass" } else { "FAIL" });
            lines += &format!("{word:6}");
        }
        lines = lines.trim_end().to_owned() + "\n";
    }
    if !lines.is_empty() {
        let goals = GOALS.map(|goal| format!("{:6}", goal.name())).concat();
        lines.insert_str(0, &format!("{:16}{:16}{}\n", "image", "card", goals.trim_end()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_the_rows_that_ran() {
        assert_eq!(matrix(|_| None), "");
        let table = matrix(|name| match name {
            "variants-undi-kpxe-pcnet-linux" => Some(true),
            "variants-undi-kpxe-pcnet-nbp" => Some(false),
            _ => None,
        });
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let titles = vec!["image", "card", "linux", "exit", "nbp"];
        assert_eq!(words, [titles, vec!["undi.kpxe", "pcnet", "pass", "-", "FAIL"]]);
    }
}
