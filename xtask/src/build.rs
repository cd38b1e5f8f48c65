//! From sources to the images in `bin/`.

use crate::toolchain::Toolchain;
use crate::{setup, shell};
use anyhow::{Context as _, Result, bail};
use image_variants::assemble;
use image_variants::link_unit::{Core, Front};
use image_variants::media;
use image_variants::payload::{self, Payload};
use image_variants::variants::{self, ImagePlan};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the images of these names (`undionly.kpxe`, or `undionly` for all of that set); no name means all.
pub(crate) fn build(names: &[String]) -> Result<()> {
    setup::need(setup::Purpose::Build)?;
    let plans = chosen(plans()?, names)?;
    let front = link_unit("unpack", "unpack.ld", &[])?;
    let front = read(&front)?;
    let front = Front::from_elf(&front).context("in the link unit `unpack`")?;
    fs::create_dir_all(bin(""))?;
    // The core is linked once for all that have the same drivers of our own.
    let mut sets: Vec<_> = plans.iter().map(|plan| &plan.native).collect();
    sets.sort();
    sets.dedup();
    for set in sets {
        let elf = link_unit("firmware", "core.ld", set)?;
        let core = Core::from_elf(&read(&elf)?).context("in the link unit `firmware`")?;
        let payload = Payload::pack(&core)?;
        for plan in plans.iter().filter(|plan| plan.native == *set) {
            let image = assemble::image(plan, &front.flat, &payload)?;
            let file =
                plan.medium.map_or_else(|| Ok(image.clone()), |medium| media::put(medium, &front, &image))?;
            fs::write(bin(&plan.name), file)?;
            fs::copy(&elf, bin(&format!("{}.elf", plan.driver_set)))?;
            println!("bin/{}: {} bytes of {}", plan.name, image.len(), plan.budget);
        }
    }
    Ok(())
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
    let fits = |plan: &ImagePlan, name: &String| plan.name == *name || plan.driver_set == *name;
    if let Some(name) = names.iter().find(|name| !plans.iter().any(|plan| fits(plan, name))) {
        let known: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
        bail!("there is no image `{name}`; there are {}", known.join(" "));
    }
    Ok(plans
        .into_iter()
        .filter(|plan| names.is_empty() || names.iter().any(|name| fits(plan, name)))
        .collect())
}

/// Links the package's binary of the same name, with these features, by `linker/SCRIPT`, and answers its ELF file.
fn link_unit(package: &str, script: &str, features: &[String]) -> Result<PathBuf> {
    let linker = shell::root().join("linker");
    let mut cargo = Toolchain::find().rustc();
    cargo.args(["--package", package, "--bin", package, "--features", &features.join(","), "--"]);
    cargo.arg(format!("-Clink-arg=-L{}", linker.display()));
    cargo.arg(format!("-Clink-arg=-T{}", linker.join(script).display()));
    // Cargo does not know that the scripts are input: this makes it link again when one has changed.
    cargo.arg(format!("--cfg=linker_scripts=\"{}\"", digest_of_files(&linker)?));
    shell::run(&mut cargo)?;
    Ok(shell::target().join("firmware/x86_64-ipxe/release").join(package))
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
