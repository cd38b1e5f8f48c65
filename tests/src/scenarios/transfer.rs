//! Big files arrive bit-exact over UNDI; the kernel's own `sha256sum` is the judge.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, check_digest, expect_user_space};
use crate::namespace::SERVER;
use crate::peer::Weather;
use crate::qemu::Options;

/// Two of a hundred frames lost, two doubled, two out of order.
const STORM: Weather = Weather { loss: 20, duplication: 20, reordering: 20, noise: 0, delay: 0, seed: 77 };

/// Half of the frames come behind one that is not for us.
const NOISE: Weather = Weather { loss: 0, duplication: 0, reordering: 0, noise: 500, delay: 0, seed: 77 };

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("transfer-http", "64 MiB by HTTP arrive bit-exact", 300, |name| {
            transfer(name, "http", 64, Weather::default())
        })
        .quick(),
        Scenario::new("transfer-tftp", "16 MiB by TFTP arrive bit-exact", 300, |name| {
            transfer(name, "tftp", 16, Weather::default())
        })
        .quick(),
        Scenario::new(
            "transfer-http-storm",
            "64 MiB by HTTP through loss, duplication and reordering",
            600,
            |name| transfer(name, "http", 64, STORM),
        ),
        Scenario::new(
            "transfer-tftp-storm",
            "16 MiB by TFTP through loss, duplication and reordering",
            600,
            |name| transfer(name, "tftp", 16, STORM),
        ),
        Scenario::new(
            "transfer-small-ring",
            "files by HTTP over a card that keeps 9 frames, among frames for others",
            300,
            |name| transfer_over("ne2k_pci", name, "http", 1, NOISE),
        ),
    ]
}

fn transfer(name: &str, scheme: &str, mebibytes: usize, weather: Weather) -> Result<()> {
    transfer_over("e1000", name, scheme, mebibytes, weather)
}

fn transfer_over(card: &str, name: &str, scheme: &str, mebibytes: usize, weather: Weather) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let file = lab.big_file(mebibytes)?;
    lab.script(&boot_lines(&format!("initrd {scheme}://{SERVER}/{mebibytes}M.bin /rig/big\n")))?;
    lab.usual_servers()?;
    lab.weather(weather);
    let mut machine = lab.machine(&Options { card: card.to_owned(), memory: 512, ..Options::default() })?;
    expect_user_space(&mut machine, 580)?;
    check_digest(&machine, "big", &file.sha256)?;
    let harmed = lab.facts()?.harmed;
    ensure(weather.loss == 0 || harmed > 500, || format!("the weather harmed {harmed} frames only"))
}
