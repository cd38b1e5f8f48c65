//! The matrix: every image, on every card whose stock ROM the emulator has and on the ROM of the tests, boots Linux,
//! goes on to the next boot device, and starts another network boot program.

use super::Scenario;
use crate::failure::{Context, Result};
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::{Machine, Options};
use crate::quirk::{self, Quirk};
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

/// The same, where the PXE stack cannot be found any more, so that the UNDI is loaded from the ROM.
const LOADED: &str = "test-rom-loaded";

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It cannot be run here, and why.
    Skip(String),
}

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
    /// Its ROM is that of the tests.
    fn is_test_rom(self) -> bool {
        [TEST_ROM, LOADED].contains(&self.card)
    }

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
        let is_stock = !self.is_test_rom() && self.suffix != "pxe";
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
            Goal::Program if self.is_test_rom() => format!("{image} starts itself again over {card}"),
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
            Goal::Program if self.is_test_rom() => {
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
            LOADED => {
                let image = std::fs::read(paths::images().join(self.image())).context("the image")?;
                lab.tftp(&self.image(), &quirk::before(&image, Quirk::Forget)?)?;
                lab.quirk_rom(&[])?
            }
            card => Options { card: card.to_owned(), ..Options::default() },
        };
        let mut machine = lab.machine(&options)?;
        self.expect(&mut machine)
    }

    fn expect(self, machine: &mut Machine) -> Result<()> {
        if self.card == LOADED {
            machine.expect(text::BY_LOADER, 60)?;
        }
        match self.goal {
            Goal::Linux => return expect_user_space(machine, 200),
            Goal::NextDevice => {
                machine.expect("RIG-MARK leaving", 120)?;
                // Where nothing is unloaded, what started us goes on; an UNDI that was loaded has no base code.
                let is_whole = self.suffix == "kkpxe" || self.suffix == "kpxe" && self.card == LOADED;
                machine.expect(if is_whole { text::LEAVING_RETURN } else { text::LEAVING_INT_18 }, 60)?;
                if is_whole && self.is_test_rom() {
                    machine.expect(text::ROM_RETURNED, 30)?;
                }
            }
            Goal::Program if self.is_test_rom() => machine.expect("RIG-MARK second", 120)?,
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
    let rows = images.flat_map(|(set, suffix)| {
        let loaded = (set == "undi").then_some(LOADED);
        CARDS.into_iter().chain([TEST_ROM]).chain(loaded).map(move |card| (set, suffix, card))
    });
    rows.flat_map(|(set, suffix, card)| GOALS.map(|goal| Cell { set, suffix, card, goal }))
}

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    cells().map(Cell::scenario).collect()
}

/// The matrix as a table, from what is known of each scenario by its name, and none if it was not chosen; below it, why
/// a cell is empty. Empty if none of it was chosen.
pub fn matrix(verdict: impl Fn(&str) -> Option<Verdict>) -> String {
    let cells: Vec<(Cell, Option<Verdict>)> = cells().map(|cell| (cell, verdict(&cell.name()))).collect();
    let mut lines = String::new();
    let mut reasons = String::new();
    let mut not_chosen = None;
    let is_shown = |row: &&[(Cell, Option<Verdict>)]| row.iter().any(|(_, verdict)| verdict.is_some());
    for row in cells.chunks(GOALS.len()).filter(is_shown) {
        lines += &format!("{:16}{:17}", row[0].0.image(), row[0].0.card);
        for (cell, verdict) in row {
            let word = match verdict {
                Some(Verdict::Pass) => "pass",
                Some(Verdict::Fail) => "FAIL",
                Some(Verdict::Skip(reason)) => {
                    reasons += &format!("skip: {}: {reason}\n", cell.name());
                    "skip"
                }
                None => {
                    not_chosen.get_or_insert_with(|| cell.name());
                    "-"
                }
            };
            lines += &format!("{word:6}");
        }
        lines = lines.trim_end().to_owned() + "\n";
    }
    if !lines.is_empty() {
        let goals = GOALS.map(|goal| format!("{:6}", goal.name())).concat();
        lines.insert_str(0, &format!("{:16}{:17}{}\n", "image", "card", goals.trim_end()));
    }
    if let Some(name) = not_chosen {
        reasons += &format!("-: was not chosen; `cargo xtask test boot {name}` is one of them\n");
    }
    lines + &reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_the_rows_that_ran() {
        assert_eq!(matrix(|_| None), "");
        let table = matrix(|name| match name {
            "variants-undi-kpxe-pcnet-linux" => Some(Verdict::Pass),
            "variants-undi-kpxe-pcnet-nbp" => Some(Verdict::Fail),
            _ => None,
        });
        let lines: Vec<&str> = table.lines().collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), "image card linux exit nbp");
        assert_eq!(words(lines[1]), "undi.kpxe pcnet pass - FAIL");
        assert!(lines[2].starts_with("-: ") && lines[2].contains("variants-undi-kpxe-pcnet-exit"));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn what_cannot_be_run_has_not_passed() {
        let table = matrix(|name| match name.starts_with("variants-undi-pxe-test-rom-loaded-") {
            true => Some(Verdict::Skip("no emulator".to_owned())),
            false => None,
        });
        assert_eq!((table.matches("skip: ").count(), table.matches("no emulator").count()), (3, 3));
        assert!(!table.contains("pass") && !table.contains("- "));
    }
}
