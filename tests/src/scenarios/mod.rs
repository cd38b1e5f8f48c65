//! The scenarios: data and a function each, one file per topic.

pub mod autoboot;
pub mod bochs;
pub mod diagnostics;
pub mod dialogues;
pub mod drivers;
pub mod errors;
pub mod images;
pub mod language;
pub mod leaving;
pub mod loader;
pub mod media;
pub mod memory;
pub mod menus;
pub mod nbp;
pub mod pictures;
pub mod quirks;
pub mod replay;
pub mod roms;
pub mod serial;
pub mod servers;
pub mod transfer;
pub mod variants;
pub mod vlan;

use crate::failure::Result;

/// What a scenario does, given its name.
type Run = dyn Fn(&str) -> Result<()> + Send + Sync;

/// One thing that must be seen working.
pub struct Scenario {
    /// Its name: topic, then what is special, joined by `-`.
    pub name: String,
    /// What it shows, in one line.
    pub about: String,
    /// It may take so many seconds.
    pub bound: u64,
    /// It belongs to the quick set: one of each kind, in a few minutes.
    pub quick: bool,
    /// It runs only where a filter names it: there are many of its kind.
    pub by_name: bool,
    /// The image that it needs of those that are built on request only.
    pub needs: Option<String>,
    /// Why it cannot be run here, in one sentence.
    pub obstacle: Option<String>,
    /// Runs it in its own process.
    pub run: Box<Run>,
}

impl Scenario {
    /// A scenario that is not in the quick set.
    pub fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        bound: u64,
        run: impl Fn(&str) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            bound,
            quick: false,
            by_name: false,
            needs: None,
            obstacle: None,
            run: Box::new(run),
        }
    }

    /// The same scenario, in the quick set.
    #[must_use]
    pub fn quick(self) -> Self {
        Self { quick: true, ..self }
    }

    /// The same scenario, which runs only where a filter names it.
    #[must_use]
    pub fn by_name(self) -> Self {
        Self { by_name: true, ..self }
    }

    /// The same scenario of an image that is built on request only, which runs only where a filter names it.
    #[must_use]
    pub fn needs(self, image: &str) -> Self {
        Self { needs: Some(image.to_owned()), ..self.by_name() }
    }
}

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    [
        variants::all(),
        autoboot::all(),
        servers::all(),
        transfer::all(),
        errors::all(),
        images::all(),
        leaving::all(),
        loader::all(),
        diagnostics::all(),
        dialogues::all(),
        drivers::all(),
        roms::all(),
        language::all(),
        pictures::all(),
        serial::all(),
        replay::all(),
        media::all(),
        menus::all(),
        nbp::all(),
        quirks::all(),
        memory::all(),
        bochs::all(),
        vlan::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The scenarios that the filters choose: names that contain one of them; `quick` is the quick set, and no filter is
/// all but those that run by name only.
pub fn chosen(filters: &[String]) -> Vec<Scenario> {
    let fits = |scenario: &Scenario, filter: &str| match filter {
        "quick" => scenario.quick,
        part => scenario.name.contains(part),
    };
    let wanted = |scenario: &Scenario| match filters {
        [] => !scenario.by_name,
        _ => filters.iter().any(|filter| fits(scenario, filter)),
    };
    all().into_iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = all().into_iter().map(|scenario| scenario.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn filters_choose() {
        let usual = chosen(&[]).len();
        let by_name = all().iter().filter(|scenario| scenario.by_name).count();
        assert_eq!(usual + by_name, all().len());
        let quick = chosen(&["quick".to_owned()]).len();
        assert!(quick > 0 && quick < usual);
        assert_eq!(chosen(&["variants-".to_owned()]).len(), 171);
    }
}
