//! One case in, its effects out.

use super::scenario::Scenario;
use super::world;
use anyhow::{Context as _, Result};

pub(super) fn conform() -> Result<()> {
    let scenario: Scenario =
        serde_json::from_reader(std::io::stdin().lock()).context("this is no case of a script")?;
    println!("{}", serde_json::to_string(&world::play(scenario)?)?);
    Ok(())
}
