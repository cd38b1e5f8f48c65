//! The PXE ROM of the tests, as it should be and with each of its quirks.

use super::Scenario;
use crate::failure::Result;
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::rom::Quirk;

const BOUND: u64 = 120;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("quirks-none", "a vendor's ROM as it should be", BOUND, |name| boots(name, KPXE, &[]))
            .quick(),
    ]
}

/// The image boots a Debian kernel by HTTP.
fn boots(name: &str, image: &str, quirks: &[(Quirk, u8)]) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(quirks)?;
    let mut machine = lab.machine(&options)?;
    expect_user_space(&mut machine, 100)
}
