//! The descriptions in `variants/*.toml`, elaborated into a list of images.
//!
//! A file with `drivers` describes a set of drivers; its name is the first half of the images' names. Any other file
//! describes a way onto the machine; its name is the suffix. A suffix may inherit from another one.

use anyhow::{Context as _, Result, bail, ensure};
use base::image_header::{DRIVER_NATIVE, DRIVER_UNDI, KEEP_PXE, KEEP_UNDI};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One image to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlan {
    /// The file's name: `undionly.kpxe`.
    pub name: String,
    /// The name of the set of drivers: `undionly`.
    pub driver_set: String,
    /// [`DRIVER_UNDI`] and [`DRIVER_NATIVE`], as the image's header has them.
    pub drivers: u32,
    /// The drivers of our own, sorted.
    pub native: Vec<String>,
    /// Features of the firmware: the drivers of our own and other parts, sorted. Equal ones are one core.
    pub features: Vec<String>,
    /// The assembly file that begins the image, without `.S`.
    pub prefix: String,
    /// [`KEEP_UNDI`] and [`KEEP_PXE`], as the image's header has them.
    pub keep: u32,
    /// What the image is put onto, if no PXE ROM loads it.
    pub medium: Option<Medium>,
    /// The vendor and device of the card that the image is the option ROM of, if it is one.
    pub card: Option<(u16, u16)>,
    /// A BIOS sees only the loader of the ROM, which reads the image from the card.
    pub is_split: bool,
    /// How hard its core is packed.
    pub packing: Packing,
    /// It is built only if it is asked for.
    pub on_request: bool,
    /// The most bytes that the image may have, without its medium, and that a ROM may have as a whole.
    pub budget: usize,
}

/// How an image gets onto a machine without a PXE ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// A hard disk or USB stick, written from its first sector on.
    Disk,
    /// A floppy disk of 1440 KiB.
    Floppy,
    /// A CD.
    Cd,
    /// A boot loader that knows Linux kernels.
    Kernel,
}

/// How hard the core is packed: what takes longer to unpack is smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// It is unpacked soon.
    #[default]
    Quick,
    /// It is as small as it can be.
    Dense,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DriverSet {
    drivers: Vec<Driver>,
    #[serde(default)]
    native: Vec<String>,
    /// Parts of the firmware that are no drivers.
    #[serde(default)]
    parts: Vec<String>,
    /// The usual cards, vendor and device each: the set's ROM is for the first one, and each has one by its own name.
    #[serde(default)]
    cards: Vec<(u16, u16)>,
    variants: Vec<String>,
    /// More variants, which are built if they are asked for.
    #[serde(default)]
    on_request: Vec<String>,
    budget: usize,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    inherit: Option<String>,
    prefix: Option<String>,
    keep: Option<Vec<Keep>>,
    medium: Option<Medium>,
    /// It is a card's option ROM.
    rom: Option<bool>,
    /// A BIOS sees only the loader of that.
    split: Option<bool>,
    packing: Option<Packing>,
    /// Parts of the firmware, beside the set's.
    parts: Option<Vec<String>>,
    /// In place of the set's.
    budget: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Keep {
    Undi,
    Pxe,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Driver {
    Undi,
    UndiRom,
}

/// The feature of the firmware for all of [`Driver`].
const UNDI: &str = "undi";
/// And that for [`Driver::UndiRom`].
const UNDI_ROM: &str = "undi-rom";

/// All images that `files` describe, sorted by set and then in the set's own order. A file is its name without
/// `.toml`, and its text.
pub fn elaborate(files: &[(String, String)]) -> Result<Vec<ImagePlan>> {
    let mut sets = BTreeMap::new();
    let mut variants = BTreeMap::new();
    for (name, text) in files {
        let table: toml::Table = text.parse().with_context(|| format!("{name}.toml is not TOML"))?;
        let wrong = || format!("{name}.toml is not a description");
        if table.contains_key("drivers") {
            sets.insert(name, toml::from_str::<DriverSet>(text).with_context(wrong)?);
        } else {
            variants.insert(name.as_str(), toml::from_str::<Variant>(text).with_context(wrong)?);
        }
    }
    let mut plans = Vec::new();
    for (set_name, set) in sets {
        ensure!(!set.drivers.is_empty() || !set.native.is_empty(), "{set_name}.toml names no driver");
        let is_empty = set.variants.is_empty() && set.on_request.is_empty();
        ensure!(!is_empty, "{set_name}.toml names no variant");
        for suffix in set.variants.iter().chain(&set.on_request) {
            let variant = inherited(suffix, &variants).with_context(|| format!("in {set_name}.toml"))?;
            let mut native = set.native.clone();
            native.sort();
            let is_rom = variant.rom == Some(true);
            ensure!(!is_rom || !set.cards.is_empty(), "{set_name}.toml has no `cards` for its ROM");
            // Where the ROM is ours there is no vendor's stack, and no room for more than a driver.
            let (drivers, parts) =
                if is_rom { Default::default() } else { (&set.drivers[..], &set.parts[..]) };
            let mut features = [&set.native, parts].concat();
            features.extend(variant.parts.unwrap_or_default());
            features.extend((!drivers.is_empty()).then(|| UNDI.to_owned()));
            features.extend(drivers.contains(&Driver::UndiRom).then(|| UNDI_ROM.to_owned()));
            features.sort();
            let plan = ImagePlan {
                name: format!("{set_name}.{suffix}"),
                driver_set: set_name.clone(),
                drivers: if drivers.is_empty() { 0 } else { DRIVER_UNDI }
                    | if native.is_empty() { 0 } else { DRIVER_NATIVE },
                native,
                features,
                is_split: variant.split == Some(true),
                on_request: set.on_request.contains(suffix),
                card: set.cards.first().copied().filter(|_| is_rom),
                prefix: variant
                    .prefix
                    .with_context(|| format!("{suffix}.toml has and inherits no `prefix`"))?,
                keep: variant.keep.unwrap_or_default().iter().fold(0, |bits, keep| match keep {
                    Keep::Undi => bits | KEEP_UNDI,
                    Keep::Pxe => bits | KEEP_PXE,
                }),
                medium: variant.medium,
                packing: variant.packing.unwrap_or_default(),
                budget: variant.budget.unwrap_or(set.budget),
            };
            let cards = if is_rom { &set.cards[..] } else { &[] };
            let by_card = cards.iter().map(|(vendor, device)| ImagePlan {
                name: format!("{vendor:04x}{device:04x}.{suffix}"),
                card: Some((*vendor, *device)),
                ..plan.clone()
            });
            plans.extend([plan.clone()].into_iter().chain(by_card));
        }
    }
    Ok(plans)
}

/// The variant called `name`, with what it does not say itself taken from those it inherits from.
fn inherited(name: &str, variants: &BTreeMap<&str, Variant>) -> Result<Variant> {
    let mut all = Variant { inherit: Some(name.to_owned()), ..Variant::default() };
    for _ in 0..=variants.len() {
        let Some(parent) = all.inherit.take() else { return Ok(all) };
        let Some(parent) = variants.get(parent.as_str()) else { bail!("there is no {parent}.toml") };
        let parent = parent.clone();
        all = Variant {
            inherit: parent.inherit,
            prefix: all.prefix.or(parent.prefix),
            keep: all.keep.or(parent.keep),
            medium: all.medium.or(parent.medium),
            rom: all.rom.or(parent.rom),
            split: all.split.or(parent.split),
            packing: all.packing.or(parent.packing),
            parts: all.parts.or(parent.parts),
            budget: all.budget.or(parent.budget),
        };
    }
    bail!("{name}.toml inherits from itself");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: (&str, &str) = ("some", "drivers = ['undi']\nvariants = ['k', 'kk']\nbudget = 7");
    const BASE: (&str, &str) = ("base", "prefix = 'pxe'\nkeep = []");
    const K: (&str, &str) = ("k", "inherit = 'base'");
    const KK: (&str, &str) = ("kk", "inherit = 'k'\nkeep = ['pxe', 'undi']");

    fn elaborated(files: &[(&str, &str)]) -> Result<Vec<ImagePlan>, String> {
        let files: Vec<_> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        elaborate(&files).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_variant_says_only_what_differs() {
        let plans = elaborated(&[KK, SET, BASE, K]).unwrap();
        let seen: Vec<_> =
            plans.iter().map(|p| (p.name.as_str(), p.prefix.as_str(), p.keep, p.budget)).collect();
        assert_eq!(seen, [("some.k", "pxe", 0, 7), ("some.kk", "pxe", KEEP_UNDI | KEEP_PXE, 7)]);
    }

    #[test]
    fn the_order_of_drivers_does_not_matter() {
        let drivers = |text: &'static str| {
            let plan = elaborated(&[KK, ("some", text), BASE, K]).unwrap().remove(0);
            (plan.drivers, plan.features.join(" "))
        };
        let both = drivers("drivers = ['undi-rom', 'undi']\nvariants = ['k']\nbudget = 7");
        assert_eq!(both, (DRIVER_UNDI, "undi undi-rom".to_owned()));
        assert_eq!(drivers(SET.1), (DRIVER_UNDI, "undi".to_owned()));
        let native = drivers("drivers = []\nnative = ['a']\nvariants = ['k']\nbudget = 7");
        assert_eq!(native, (DRIVER_NATIVE, "a".to_owned()));
    }

    #[test]
    fn a_rom_has_a_card_and_nothing_but_its_driver() {
        let set = "drivers = ['undi']\nnative = ['b', 'a']\nparts = ['p']\ncards = [[1, 2], [1, 0xabcd]]\nvariants = ['k', 'r']\n\
                   on_request = ['kk']\nbudget = 7";
        let plans = elaborated(&[
            KK,
            ("some", set),
            BASE,
            K,
            ("r", "inherit = 'base'\nrom = true\nbudget = 8\nparts = ['z']"),
        ])
        .unwrap();
        let seen: Vec<_> = plans
            .iter()
            .map(|p| (p.name.as_str(), p.card, p.drivers, p.features.join(" "), p.on_request, p.budget))
            .collect();
        let all = DRIVER_UNDI | DRIVER_NATIVE;
        assert_eq!(
            seen,
            [
                ("some.k", None, all, "a b p undi".to_owned(), false, 7),
                ("some.r", Some((1, 2)), DRIVER_NATIVE, "a b z".to_owned(), false, 8),
                ("00010002.r", Some((1, 2)), DRIVER_NATIVE, "a b z".to_owned(), false, 8),
                ("0001abcd.r", Some((1, 0xabcd)), DRIVER_NATIVE, "a b z".to_owned(), false, 8),
                ("some.kk", None, all, "a b p undi".to_owned(), true, 7),
            ]
        );
        let error = elaborated(&[SET, KK, BASE, ("k", "inherit = 'base'\nrom = true")]).unwrap_err();
        assert!(error.contains("some.toml has no `cards`"), "{error}");
    }

    #[test]
    fn wrong_descriptions_are_named() {
        for (file, fragment) in [
            (("k", "inherits = 'base'"), "k.toml is not a description"),
            (("k", "keep = ['undy']"), "k.toml is not a description"),
            (("some", "drivers = ['undo']"), "some.toml is not a description"),
            (("k", "keep ="), "k.toml is not TOML"),
            (("k", "inherit = 'nobody'"), "there is no nobody.toml"),
            (("k", "inherit = 'k'"), "k.toml inherits from itself"),
            (("k", "keep = []"), "k.toml has and inherits no `prefix`"),
        ] {
            let error = elaborated(&[KK, SET, BASE, file]).unwrap_err();
            assert!(error.contains(fragment), "{error}");
        }
        let error = elaborated(&[("some", "drivers = []\nvariants = ['k']\nbudget = 1")]).unwrap_err();
        assert!(error.contains("names no driver"), "{error}");
        let error = elaborated(&[("some", "drivers = ['undi']\nvariants = ['k']")]).unwrap_err();
        assert!(error.contains("some.toml is not a description"), "{error}");
    }

    #[test]
    fn the_descriptions_of_the_project_are_sound() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("variants");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect();
        let plans = elaborate(&files).unwrap();
        for plan in plans.iter().filter(|plan| plan.medium.is_some()) {
            assert!(
                plan.features.contains(&"media".to_owned()),
                "{} cannot take what it is handed",
                plan.name
            );
        }
        let keep = |name: &str| plans.iter().find(|plan| plan.name == name).unwrap().keep;
        for (suffix, bits) in [("pxe", 0), ("kpxe", KEEP_UNDI), ("kkpxe", KEEP_UNDI | KEEP_PXE)] {
            assert_eq!(keep(&format!("undionly.{suffix}")), bits);
            assert_eq!(keep(&format!("undi.{suffix}")), bits);
        }
    }
}
