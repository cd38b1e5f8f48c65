//! Images with a quirk put before them, for misbehaviour that no stock ROM has.

use crate::failure::{Context, Result, ensure};
use crate::paths;
use crate::process::{run, tool};
use std::process::Command;

/// What happens before an image runs; the symbols of `tests/quirk/stub.S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// The vendor's stack cannot be found any more.
    Forget,
    /// The vendor's stack is unloaded.
    Unload,
    /// One call of the vendor's driver hangs with interrupts open.
    Hang,
    /// INT 18h comes back without doing anything.
    Int18,
    /// The state of the machine is printed.
    State,
    /// The image returns to the stub, which sends and receives by the vendor's UNDI, and says what came.
    Return,
}

/// The image, behind a stub that does `quirk`.
pub fn before(image: &[u8], quirk: Quirk) -> Result<Vec<u8>> {
    let symbol = match quirk {
        Quirk::Forget => "FORGET",
        Quirk::Unload => "UNLOAD",
        Quirk::Hang => "HANG",
        Quirk::Int18 => "INT_18",
        Quirk::State => "STATE",
        Quirk::Return => "RETURN",
    };
    let mut bytes = assemble("stub.S", &[(symbol, 1)])?;
    ensure(bytes.len() == 1024, || format!("the stub has {} bytes", bytes.len()))?;
    bytes.extend_from_slice(image);
    Ok(bytes)
}

/// A disk whose boot sector says [`NEXT_DEVICE`](crate::text::NEXT_DEVICE) and in which state it found the machine.
pub fn next_device() -> Result<Vec<u8>> {
    assemble("next.S", &[])
}

/// A boot program that only receives `frames` frames, each time all that there are. Events of the counter plugin mark
/// the beginning (1) and the end (2) of each time, and the end of all (3).
pub fn receiver(frames: u64) -> Result<Vec<u8>> {
    assemble("receive.S", &[("FRAMES", frames)])
}

/// A boot program that only takes frames from a card's ring, and never ends: first [`BARE_LOOP_SPEED`] without a pause,
/// then [`BARE_LOOP_FRAMES`], each time all that there are. Events as those of [`receiver`].
/// It is for QEMU's e1000 or virtio-net-pci.
pub fn bare_loop(is_virtio: bool) -> Result<Vec<u8>> {
    // The device and its vendor (PCI ID database).
    let device = if is_virtio { 0x1000_1af4 } else { 0x100e_8086 };
    assemble("bare_loop.S", &[("DEVICE", device), ("SPEED", BARE_LOOP_SPEED), ("FRAMES", BARE_LOOP_FRAMES)])
}

/// What the program of [`bare_loop`] receives.
pub const BARE_LOOP_SPEED: u64 = 100_000;
/// And then.
pub const BARE_LOOP_FRAMES: u64 = 2000;

/// A boot program that writes over all memory that it is told is free, and returns `status`.
pub fn program(status: u16) -> Result<Vec<u8>> {
    assemble("program.S", &[("STATUS", status.into())])
}

/// A boot program that calls a PXE stack of ours a thousand times, also out of a handler of the timer's interrupt.
pub fn upcall() -> Result<Vec<u8>> {
    assemble("upcall.S", &[])
}

/// A boot program that calls a PXE stack of ours [`EMPTY_UPCALLS`] times for nothing, in each of `rounds` rounds. Events
/// of the counter plugin mark the beginning (1) and the end (2) of each, and the end of all (3).
pub fn empty_upcall(rounds: u64) -> Result<Vec<u8>> {
    assemble("empty_upcall.S", &[("ROUNDS", rounds), ("TIMES", EMPTY_UPCALLS)])
}

/// The calls in a round of [`empty_upcall`].
pub const EMPTY_UPCALLS: u64 = 1000;

/// A boot program that makes every call of a PXE stack, rightly and wrongly. It says of each whether the answer was
/// right, and in the end how many were not. The server that the DHCP ACK names has [`CALLS_FILE`] with
/// [`calls_file`]. With `unload` it unloads the base code in the end, else `next.nbp` of that server takes its place.
pub fn calls(unload: bool) -> Result<Vec<u8>> {
    let mut symbols = vec![("FILE_SIZE", CALLS_FILE_SIZE as u64)];
    symbols.extend(unload.then_some(("UNLOAD", 1)));
    assemble("calls.S", &symbols)
}

/// A boot program that calls a PXE stack in 16-bit protected mode, and says what was wrong with that. The server that the
/// DHCP ACK names has [`CALLS_FILE`] with [`calls_file`].
pub fn protected() -> Result<Vec<u8>> {
    assemble("protected.S", &[("FILE_SIZE", CALLS_FILE_SIZE as u64)])
}

/// A boot program that has `exec.ipxe` of the web server run by FILE_EXEC.
pub fn exec() -> Result<Vec<u8>> {
    assemble("exec.S", &[])
}

/// A boot program that reads [`CALLS_FILE`] by HTTP from beside itself and by TFTP, and then never calls again.
pub fn read() -> Result<Vec<u8>> {
    assemble("read.S", &[])
}

/// What the program of [`calls`] reads.
pub const CALLS_FILE: &str = "calls.bin";

/// The bytes of [`CALLS_FILE`].
const CALLS_FILE_SIZE: usize = 1500;

/// The content of [`CALLS_FILE`].
pub fn calls_file() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(CALLS_FILE_SIZE).collect()
}

/// A boot program that comes back at once, as [`Program::Returning`](crate::case::Program::Returning) says.
pub fn again(place: u8, has_failed: u16) -> Result<Vec<u8>> {
    assemble("again.S", &[("PROGRAM", u64::from(place) << 16 | u64::from(has_failed))])
}

/// An option ROM for QEMU's virtio-rng-pci that says [`MAP_WATCHED`] at POST, and then [`MAP_ASKED`] whenever the BIOS is
/// asked for its map of memory.
pub fn map_watch() -> Result<Vec<u8>> {
    let mut rom = assemble("map_watch.S", &[])?;
    let sum = rom.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    // Its last byte is free.
    if let Some(last) = rom.last_mut() {
        *last = sum.wrapping_neg();
    }
    Ok(rom)
}

/// Said by the ROM of [`map_watch`].
pub const MAP_WATCHED: &str = "RIG-MARK watching";
/// Said by it, too.
pub const MAP_ASKED: &str = "RIG-MARK memory-asked";

/// A kernel that only says what it was given, and keeps arguments of any length.
pub fn kernel() -> Result<Vec<u8>> {
    assemble("kernel.S", &[])
}

/// The same with almost all of it missing, by its own words: a small file that cannot be started.
pub fn truncated_kernel() -> Result<Vec<u8>> {
    let mut kernel = kernel()?;
    // syssize, in units of 16 bytes (Linux boot protocol).
    kernel[0x1f4..0x1f8].copy_from_slice(&0x1_0000_u32.to_le_bytes());
    Ok(kernel)
}

/// An ELF file for 32-bit protected mode that only says in which state it found the machine.
pub fn executable() -> Result<Vec<u8>> {
    linked_executable(&[])
}

/// The same with a header of multiboot 1, in a file for 64 bits.
pub fn executable_of_64_bits() -> Result<Vec<u8>> {
    linked_executable(&[("MULTIBOOT", 1)])?;
    let mut convert = Command::new(tool("objcopy")?);
    run(convert.args(["-O", "elf64-x86-64", "executable.elf", "executable64.elf"]))?;
    std::fs::read("executable64.elf").context("executable64.elf")
}

fn linked_executable(symbols: &[(&str, u64)]) -> Result<Vec<u8>> {
    object("executable.S", symbols)?;
    let mut link = Command::new(tool("ld")?);
    run(link.args(["-m", "elf_i386", "-Ttext=0x200000", "-o", "executable.elf", "quirk.o"]))?;
    std::fs::read("executable.elf").context("executable.elf")
}

/// The bytes of an assembly source that runs at 0000:7C00, with these symbols.
fn assemble(source: &str, symbols: &[(&str, u64)]) -> Result<Vec<u8>> {
    object(source, symbols)?;
    let mut link = Command::new(tool("ld")?);
    link.args(["-m", "elf_i386", "--oformat", "binary", "-Ttext=0x7c00", "-o", "quirk.bin", "quirk.o"]);
    run(&mut link)?;
    std::fs::read("quirk.bin").context("quirk.bin")
}

/// Assembles a source to `quirk.o`.
fn object(source: &str, symbols: &[(&str, u64)]) -> Result<()> {
    let folder = paths::root().join("tests/quirk");
    let mut assembler = Command::new(tool("as")?);
    assembler.args(["--32", "-o", "quirk.o", "-I"]).arg(&folder);
    for (symbol, value) in symbols {
        assembler.arg("--defsym").arg(format!("{symbol}={value}"));
    }
    run(assembler.arg(folder.join(source))).map(drop)
}
