//! From sources to the images in `bin/`.

use crate::toolchain::Toolchain;
use crate::{setup, shell};
use anyhow::{Context as _, Result, bail};
use image_variants::assemble;
use image_variants::link_unit::{Core, Front};
use image_variants::payload::{self, Payload};
use image_variants::variants::{self, ImagePlan, Packing};
use image_variants::{media, rom};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the images of these names: `undionly.kpxe`, or `undionly` for all of that set; `e1000.mrom`,
/// `e1000e.mrom` and `8086100e.mrom` are named by driver and card. No name means all but those that are built on request only.
pub(crate) fn build(names: &[String]) -> Result<()> {
    setup::need(setup::Purpose::Build)?;
    let plans = chosen(plans()?, names)?;
    fs::create_dir_all(bin(""))?;
    // The unpacker is linked once for all that are packed alike.
    for (packing, unpacker) in [(Packing::Quick, "unpack"), (Packing::Dense, "unpack-dense")] {
        let plans: Vec<_> = plans.iter().filter(|plan| plan.packing == packing).collect();
        if plans.is_empty() {
            continue;
        }
        let front = read(&link_unit("unpack", unpacker, "unpack.ld", &[])?)?;
        let front = Front::from_elf(&front).with_context(|| format!("in the link unit `{unpacker}`"))?;
        // The core is linked once for all that have the same drivers of our own and other parts.
        let mut sets: Vec<_> = plans.iter().map(|plan| &plan.features).collect();
        sets.sort();
        sets.dedup();
        for set in sets {
            let elf = link_unit("firmware", "firmware", "core.ld", set)?;
            let core = Core::from_elf(&read(&elf)?).context("in the link unit `firmware`")?;
            let payload = Payload::pack(&core, packing)?;
            for plan in plans.iter().filter(|plan| plan.features == *set) {
                let length = assemble(plan, &front, &payload)?;
                fs::copy(&elf, bin(&elf_of(plan)))?;
                println!("bin/{}: {length} bytes of {}", plan.name, plan.budget);
            }
        }
    }
    Ok(())
}

/// Writes the image that `plan` describes, and answers how many bytes count for its budget.
fn assemble(plan: &ImagePlan, front: &Front, payload: &Payload) -> Result<usize> {
    let image = assemble::image(plan, &front.flat, payload)?;
    let (file, length) = match (plan.medium, plan.card) {
        (Some(medium), _) => (media::put(medium, front, &image)?, image.len()),
        (None, Some(card)) => {
            let devices = devices(plan, card.0);
            // What a BIOS reads whole has no room for an UNDI loader.
            let undi_loader = if plan.is_split { &front.rom_loader[..] } else { &[] };
            let rom = rom::make(&front.rom, undi_loader, &image, &plan.name, card, &devices, plan.is_split)?;
            let length = rom.len();
            (rom, length)
        }
        (None, None) => (image.clone(), image.len()),
    };
    assemble::check_budget(plan, length)?;
    fs::write(bin(&plan.name), file)?;
    Ok(length)
}

/// The core's file with all names in it: that of the set, that of a ROM with the ROM's suffix, and that of a ROM for its card
/// alone by the ROM's name.
fn elf_of(plan: &ImagePlan) -> String {
    match plan.name.rsplit_once('.').filter(|_| plan.card.is_some()) {
        None => format!("{}.elf", plan.driver_set),
        Some((_, suffix)) if plan.is_split => format!("{}.{suffix}.elf", plan.driver_set),
        Some(_) => format!("{}.elf", plan.name),
    }
}

/// A file among the results.
pub(crate) fn bin(name: &str) -> PathBuf {
    shell::root().join("bin").join(name)
}

/// All images that there are.
pub(crate) fn plans() -> Result<Vec<ImagePlan>> {
    let folder = shell::root().join("image-variants/variants");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if let (Some(name), Some("toml")) =
            (path.file_stem(), path.extension().and_then(|name| name.to_str()))
        {
            files.push((name.to_string_lossy().into_owned(), fs::read_to_string(&path)?));
        }
    }
    variants::elaborate(&files).context("in image-variants/variants")
}

/// Those of `plans` that `names` ask for.
fn chosen(plans: Vec<ImagePlan>, names: &[String]) -> Result<Vec<ImagePlan>> {
    if names.is_empty() {
        return Ok(plans.into_iter().filter(|plan| !plan.on_request).collect());
    }
    let mut chosen: Vec<ImagePlan> = Vec::new();
    for name in names {
        let fits = |plan: &&ImagePlan| plan.name == *name || plan.driver_set == *name;
        let mut found: Vec<_> = plans.iter().filter(fits).cloned().collect();
        if found.is_empty() {
            found.extend(by_other_name(&plans, name));
        }
        if found.is_empty() {
            let known: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
            bail!("there is no image `{name}`; there are {}", known.join(" "));
        }
        chosen.extend(found);
    }
    chosen.dedup();
    Ok(chosen.into_iter().map(narrowed).collect())
}

/// A ROM that a BIOS reads whole has no room for more than the driver of its own card.
fn narrowed(mut plan: ImagePlan) -> ImagePlan {
    if let Some((vendor, device)) = plan.card.filter(|_| !plan.is_split) {
        let (own, others): (Vec<_>, Vec<_>) =
            plan.native.drain(..).partition(|driver| is_for(driver, vendor, device));
        plan.features.retain(|feature| !others.contains(feature));
        plan.native = own;
    }
    plan
}

/// QEMU's names of cards that are no driver's, and the card of each.
const QEMU_NAMES: [(&str, (u16, u16)); 5] = [
    ("e1000e", (0x8086, 0x10d3)),
    ("igb", (0x8086, 0x10c9)),
    ("ne2k_pci", (0x10ec, 0x8029)),
    ("pcnet", (0x1022, 0x2000)),
    ("virtio", (0x1af4, 0x1000)),
];

/// The image that is named by its driver (`e1000.mrom`), by QEMU's name of a card (`pcnet.kpxe`), or by a card's vendor and
/// device (`8086100e.mrom`): of those that have the driver, that with the fewest others.
fn by_other_name(plans: &[ImagePlan], name: &str) -> Option<ImagePlan> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let is_hex = stem.len() == 8 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    let card = u32::from_str_radix(stem, 16).ok().filter(|_| is_hex);
    let card = card.map(|card| ((card >> 16) as u16, (card & 0xffff) as u16));
    let qemu_card = QEMU_NAMES.iter().find(|(name, _)| *name == stem).map(|(_, card)| *card);
    let card = card.or(qemu_card);
    let fits = |plan: &&ImagePlan| {
        let is_driven = match card {
            Some((vendor, device)) => drives(plan, vendor, device),
            // A ROM's own card is to be that driver's.
            None => plan.native.iter().any(|driver| {
                driver == stem && plan.card.is_none_or(|(vendor, device)| is_for(stem, vendor, device))
            }),
        };
        is_driven && plan.name.rsplit_once('.').is_some_and(|name| name.1 == suffix)
    };
    let plan = plans.iter().filter(fits).min_by_key(|plan| plan.native.len())?;
    let card = plan.card.map(|own| card.unwrap_or(own));
    Some(ImagePlan { name: name.to_owned(), card, ..plan.clone() })
}

/// Whether a driver of the image is for that card.
fn drives(plan: &ImagePlan, vendor: u16, device: u16) -> bool {
    plan.native.iter().any(|driver| is_for(driver, vendor, device))
}

/// Whether a driver is for that card.
fn is_for(driver: &str, vendor: u16, device: u16) -> bool {
    match driver {
        "e1000" => e1000::drives(vendor, device),
        "eepro100" => eepro100::drives(vendor, device),
        "ns8390" => ns8390::drives(vendor, device),
        "pcnet32" => pcnet32::drives(vendor, device),
        "rtl8139" => rtl8139::drives(vendor, device),
        "rtl8169" => rtl8169::drives(vendor, device),
        "tulip" => tulip::drives(vendor, device),
        "virtio-net" => virtio_net::drives(vendor, device),
        "vmxnet3" => vmxnet3::drives(vendor, device),
        _ => false,
    }
}

/// All devices of that vendor that the image drives.
fn devices(plan: &ImagePlan, vendor: u16) -> Vec<u16> {
    (0..=u16::MAX).filter(|device| drives(plan, vendor, *device)).collect()
}

/// Links a binary of the package, with these features, by `linker/SCRIPT`, and answers its ELF file.
fn link_unit(package: &str, binary: &str, script: &str, features: &[String]) -> Result<PathBuf> {
    let linker = shell::root().join("linker");
    let mut cargo = Toolchain::find().rustc();
    cargo.args(["--package", package, "--bin", binary, "--features", &features.join(","), "--"]);
    cargo.arg(format!("-Clink-arg=-L{}", linker.display()));
    cargo.arg(format!("-Clink-arg=-T{}", linker.join(script).display()));
    // Cargo does not know that the scripts are input: this makes it link again when one has changed.
    cargo.arg(format!("--cfg=linker_scripts=\"{}\"", digest_of_files(&linker)?));
    shell::run(&mut cargo)?;
    Ok(shell::target().join("firmware/x86_64-ipxe/release").join(binary))
}

/// A short digest of the contents of all files in `folder`.
fn digest_of_files(folder: &Path) -> Result<String> {
    let files = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let contents = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    Ok(payload::digest(&contents.concat()).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Vec<String> {
        let asked: Vec<_> = asked.iter().map(|name| (*name).to_owned()).collect();
        chosen(plans().unwrap(), &asked).unwrap().into_iter().map(|plan| plan.name).collect()
    }

    #[test]
    fn images_are_known_by_several_names() {
        assert_eq!(names(&["undionly.kpxe"]), ["undionly.kpxe"]);
        assert_eq!(names(&["intel.mrom", "e1000.mrom"]), ["intel.mrom", "e1000.mrom"]);
        assert_eq!(names(&["rtl8139.mrom", "rtl8169.rom"]), ["rtl8139.mrom", "rtl8169.rom"]);
        assert_eq!(
            names(&["e1000.kpxe", "pcnet.pxe", "virtio.rom"]),
            ["e1000.kpxe", "pcnet.pxe", "virtio.rom"]
        );
        assert!(names(&["intel"]).contains(&"808610d3.mrom".to_owned()));
        assert!(!names(&[]).contains(&"intel.kpxe".to_owned()));
        assert!(chosen(plans().unwrap(), &["80868139.mrom".to_owned()]).is_err());
    }

    #[test]
    fn a_rom_is_for_its_own_card_and_lists_the_others() {
        for (name, set, card) in [
            ("808610ea.mrom", "intel", (0x8086, 0x10ea)),
            ("80861031.mrom", "eepro100", (0x8086, 0x1031)),
            ("13170985.mrom", "tulip", (0x1317, 0x0985)),
            ("10ec8139.mrom", "realtek", (0x10ec, 0x8139)),
            ("10ec8125.rom", "realtek", (0x10ec, 0x8125)),
            ("11864300.mrom", "realtek", (0x1186, 0x4300)),
            ("11131211.mrom", "realtek", (0x1113, 0x1211)),
            ("1af41000.mrom", "virtio-net", (0x1af4, 0x1000)),
            ("rtl8139.mrom", "realtek", (0x10ec, 0x8139)),
            ("rtl8169.mrom", "realtek", (0x10ec, 0x8168)),
            ("e1000e.mrom", "intel", (0x8086, 0x10d3)),
            ("ne2k_pci.rom", "ns8390", (0x10ec, 0x8029)),
        ] {
            let plan = by_other_name(&plans().unwrap(), name).unwrap();
            assert_eq!((plan.name.as_str(), plan.driver_set.as_str(), plan.card), (name, set, Some(card)));
            assert!(devices(&plan, card.0).contains(&card.1), "{name}");
        }
        for (name, set) in [("rtl8139.pxe", "realtek"), ("igb.kkpxe", "intel"), ("pcnet.kpxe", "pcnet32")] {
            let plan = by_other_name(&plans().unwrap(), name).unwrap();
            assert_eq!((plan.driver_set.as_str(), plan.card), (set, None));
        }
    }

    #[test]
    fn a_rom_that_is_read_whole_has_the_driver_of_its_card_only() {
        for (name, native, vendor, driven, other) in [
            ("realtek.rom", &["rtl8169"][..], 0x10ec, 0x8125, Some(0x8139)),
            ("10ec8139.rom", &["rtl8139"], 0x10ec, 0x8139, Some(0x8168)),
            ("realtek.mrom", &["rtl8139", "rtl8169"], 0x10ec, 0x8139, None),
            ("10ec8139.mrom", &["rtl8139", "rtl8169"], 0x10ec, 0x8168, None),
        ] {
            let plans = chosen(plans().unwrap(), &[name.to_owned()]).unwrap();
            let [plan] = &plans[..] else { panic!("{name}") };
            assert_eq!(plan.native, native);
            assert!(native.iter().all(|driver| plan.features.contains(&(*driver).to_owned())));
            let devices = devices(plan, vendor);
            assert!(devices.contains(&driven), "{name}");
            assert!(other.is_none_or(|other| !devices.contains(&other)), "{name}");
            let drivers = plan.features.iter().filter(|feature| feature.starts_with("rtl"));
            assert_eq!(drivers.count(), native.len(), "{name}");
        }
    }

    #[test]
    fn the_usual_card_of_a_rom_is_driven() {
        for plan in plans().unwrap() {
            assert!(plan.card.is_none_or(|(vendor, device)| drives(&plan, vendor, device)), "{}", plan.name);
        }
    }
}
