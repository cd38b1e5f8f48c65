//! `cargo xtask embed`: an image with a site's own script inside, without a compiler.

use anyhow::{Context as _, Result, ensure};
use image_variants::assemble;
use std::fs;
use std::path::{Path, PathBuf};

/// What goes where.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The image; a script that it has already is replaced
    image: PathBuf,
    /// The script, which begins with #!ipxe
    script: PathBuf,
    /// The new image
    output: PathBuf,
}

/// Writes the image with the script appended.
pub(crate) fn embed(options: &Options) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let script = read(&options.script)?;
    let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    ensure!(line.starts_with(b"#!ipxe"), "{} does not begin with #!ipxe", options.script.display());
    let image = assemble::embed_script(&read(&options.image)?, &script)
        .with_context(|| format!("in {}", options.image.display()))?;
    fs::write(&options.output, &image)
        .with_context(|| format!("cannot write {}", options.output.display()))?;
    println!("{}: {} bytes", options.output.display(), image.len());
    Ok(())
}
