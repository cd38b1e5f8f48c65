//! Images with a quirk put before them, for misbehaviour that no stock ROM has.

use crate::failure::{Context, Result, ensure};
use crate::paths;
use crate::process::{run, tool};
use std::path::Path;
use std::process::Command;

/// The image, behind a stub that makes one call of the vendor's driver hang with interrupts open.
pub fn hanging(image: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = assemble(&paths::root().join("tests/quirk/hang.S"))?;
    ensure(bytes.len() == 1024, || format!("the stub has {} bytes", bytes.len()))?;
    bytes.extend_from_slice(image);
    Ok(bytes)
}

/// The bytes of an assembly source that runs at 0000:7C00.
fn assemble(source: &Path) -> Result<Vec<u8>> {
    run(Command::new(tool("as")?).args(["--32", "-o", "quirk.o"]).arg(source))?;
    let mut link = Command::new(tool("ld")?);
    link.args(["-m", "elf_i386", "--oformat", "binary", "-Ttext=0x7c00", "-o", "quirk.bin", "quirk.o"]);
    run(&mut link)?;
    std::fs::read("quirk.bin").context("quirk.bin")
}
