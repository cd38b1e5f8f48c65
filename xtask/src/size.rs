//! `cargo xtask size`: how large the images are, beside their budgets and the peer.

use crate::build;
use anyhow::{Context as _, Result};
use base::image_header::ImageHeader;
use image_variants::rom;
use image_variants::variants::ImagePlan;
use std::fs;

/// Debian's iPXE, from the package `ipxe`.
const PEER: &str = "/usr/lib/ipxe/undionly.kpxe";

/// Builds all images and prints a table of them.
pub(crate) fn size() -> Result<()> {
    build::build(&[])?;
    println!();
    let titles = ["image", "text", "rodata", "data", "low", "front", "packed", "image", "budget", "left"];
    println!("{}", line(&titles.map(str::to_owned)));
    // On a medium the image is the same as without one.
    for plan in build::plans()?.into_iter().filter(|plan| plan.medium.is_none() && !plan.on_request) {
        let file = fs::read(build::bin(&plan.name))?;
        println!("{}", line(&row(&plan, &file)?));
    }
    match fs::metadata(PEER) {
        Ok(peer) => println!("\nThe peer, {PEER}: {} bytes", peer.len()),
        Err(_) => println!("\nThe peer, {PEER}, is not installed (package ipxe)."),
    }
    Ok(())
}

fn row(plan: &ImagePlan, file: &[u8]) -> Result<[String; 10]> {
    // A ROM is all of its file; its loader counts as front, too.
    let start = match plan.card {
        Some(_) => rom::check(file)?.image.unwrap_or_default().0,
        None => 0,
    };
    let header = ImageHeader::read(file.get(start..).unwrap_or_default())
        .with_context(|| format!("bin/{} is not one of our images", plan.name))?;
    let left = plan.budget.saturating_sub(file.len());
    Ok([
        plan.name.clone(),
        header.core_text_length.to_string(),
        header.core_rodata_length.to_string(),
        header.core_data_length.to_string(),
        header.low_length.to_string(),
        (start + header.payload_offset as usize).to_string(),
        header.payload_length.to_string(),
        file.len().to_string(),
        plan.budget.to_string(),
        left.to_string(),
    ])
}

/// Words in columns: the first to the left, numbers to the right.
fn line(words: &[String; 10]) -> String {
    let [name, numbers @ ..] = words;
    let numbers: String = numbers.iter().map(|number| format!("{number:>8}")).collect();
    format!("{name:<16}{numbers}")
}
