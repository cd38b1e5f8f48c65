//! `cargo xtask symbolize`: from an address of an exception dump to a line of the sources.

use crate::{build, shell};
use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// Prints the function and line at each of `addresses`, with all that was inlined there.
pub(crate) fn symbolize(set: &str, addresses: &[String]) -> Result<()> {
    let elf = build::bin(&format!("{set}.elf"));
    ensure!(elf.exists(), "there is no {}: build the sources that the image was made of", elf.display());
    let mut command = Command::new("addr2line");
    command.arg("--exe").arg(&elf).args([
        "--addresses",
        "--functions",
        "--inlines",
        "--demangle",
        "--pretty-print",
    ]);
    for address in addresses {
        command.arg(format!("{:#x}", parse(address)?));
    }
    shell::run(&mut command)
}

/// An address as the dump prints it: hexadecimal, with or without `0x`, perhaps with `_` or `` ` `` between digits.
fn parse(address: &str) -> Result<u64> {
    let digits: String = address.trim_start_matches("0x").chars().filter(|c| !"_`".contains(*c)).collect();
    u64::from_str_radix(&digits, 16).with_context(|| format!("`{address}` is no hexadecimal address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_dumps_print_them() {
        let address = 0xffff_ffff_8000_1234;
        for text in ["0xffffffff80001234", "ffffffff80001234", "ffffffff_80001234", "FFFFFFFF`80001234"] {
            assert_eq!(parse(text).unwrap(), address);
        }
        assert!(parse("core").is_err() && parse("").is_err());
    }
}
