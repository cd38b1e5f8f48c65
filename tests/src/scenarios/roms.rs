//! Our own option ROMs: what the BIOS sees of them, and which card they boot from. How they transfer is in `drivers`.

use super::Scenario;
use super::media::{FLOPPY, from_device};
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::{Machine, Options, with_rom};
use crate::{paths, quirk, text};
use base::image_header::{KEEP_UNDI, MAGIC, ROM_PARAMETERS};
use std::fs;

/// The scenarios of this topic. Of ROMs only `virtio-net.mrom` is built without being asked for.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "roms-linux",
            "virtio-net.mrom shrinks to 4 KiB at most, takes no base memory, and boots Linux by HTTP",
            120,
            |name| {
                let says = ["no PXE stack is in use", " received, 0 dropped, "];
                linux(name, "virtio-net.mrom", &boot_lines("pxestat\n"), &says)
            },
        ),
        Scenario::new(
            "roms-whole",
            "virtio-net.rom, which a BIOS reads whole, does the same, and says what it lacks",
            120,
            whole,
        )
        .needs("virtio-net.rom"),
        Scenario::new(
            "roms-without-pmm",
            "a BIOS without memory for the image: the ROM says so, and reads it from the card when it boots",
            120,
            |name| without_pmm(name, "virtio-net.mrom", 4096),
        ),
        Scenario::new(
            "roms-whole-without-pmm",
            "the same of virtio-net.rom, which keeps the image in the window",
            120,
            |name| without_pmm(name, "virtio-net.rom", 0x20000),
        )
        .needs("virtio-net.rom"),
        Scenario::new(
            "roms-map",
            "a ROM does not ask the BIOS for its map of memory before it boots",
            120,
            map,
        ),
        Scenario::new(
            "roms-hidden",
            "a BIOS that shows the card's ROM nowhere: virtio-net.mrom says so, and the next device boots",
            120,
            hidden,
        ),
        Scenario::new(
            "roms-two-cards",
            "of two cards, that with our ROM is driven, not the first one",
            120,
            two_cards,
        )
        .needs("intel.mrom"),
        Scenario::new(
            "roms-two-roms",
            "two cards with our ROM: that is driven which the BIOS boots",
            120,
            two_roms,
        )
        .needs("intel.mrom"),
        Scenario::new("roms-beside", "the ROM boots beside that of another vendor's card", 120, beside)
            .needs("intel.mrom"),
        Scenario::new("roms-menu", "the BIOS's boot menu calls the ROM by its name and starts it", 120, menu)
            .needs("intel.mrom"),
        Scenario::new(
            "roms-exit",
            "beside the screen's, a ROM says that it has no pixels; exit leads to the next boot device",
            120,
            exit,
        )
        .needs("intel.mrom"),
        Scenario::new(
            "roms-undi-linux",
            "undi.dsk loads the UNDI of virtio-net.mrom, boots Linux by HTTP through it, and stops it before",
            180,
            |name| undi_linux(name, 0, "UNDI: given up"),
        )
        .needs(LOADING),
        Scenario::new("roms-undi-kept", "the same, and the UNDI stays beneath Linux", 180, |name| {
            undi_linux(name, KEEP_UNDI, "UNDI: kept, as the image asks")
        })
        .needs(LOADING),
        Scenario::new("roms-undi-no-memory", "no memory for a second core: the loader fails", 120, |name| {
            // 12 MiB above 32 are enough for one.
            undi_refused(name, |_| {}, 44, "needs 9 MiB of memory above 32 MiB")
        })
        .needs(LOADING),
        Scenario::new(
            "roms-undi-damaged",
            "the image in the card has changed: the loader fails",
            120,
            |name| undi_refused(name, |rom| rom[0x1_0000] ^= 1, 256, text::BANNER),
        )
        .needs(LOADING),
    ]
}

/// It is started from a disk, where no UNDI is in memory, and loads that of a card from the card's ROM.
const LOADING: &str = "undi.dsk";

/// A machine with that card, and more words for the emulator.
fn machine(card: &str, more: &[&str]) -> Options {
    let medium = more.iter().map(|word| (*word).to_owned()).collect();
    Options { card: card.to_owned(), medium, ..Options::default() }
}

/// Said by the script of [`lab`], which the image fetches by HTTP.
const SCRIPT: &str = "RIG-MARK the-script";

/// A laboratory whose script says [`SCRIPT`].
fn lab(name: &str, rom: &str) -> Result<Lab> {
    let mut lab = Lab::try_new(name, rom)?;
    lab.script(&format!("echo {SCRIPT}\nshell"))?;
    lab.usual_servers()?;
    Ok(lab)
}

/// What a ROM has said at POST: how many bytes of it stay, where, and KiB of base memory.
fn said(machine: &Machine) -> Result<(usize, usize, usize)> {
    let number = |before: &str, after: &str, radix| {
        let text = machine.transcript().between(before, after).unwrap_or_default();
        usize::from_str_radix(text.trim(), radix).context(format!("{before}{text}"))
    };
    // The transcript's words are without blanks between.
    Ok((number("ROM of ", " bytes", 10)?, number("bytes at ", ",", 16)?, number("base memory ", " KiB", 10)?))
}

/// Checks that what stays is a ROM, of at most `limit` bytes, and that base memory is as it is without a ROM.
fn check_window(machine: &Machine, limit: usize) -> Result<()> {
    let (length, place, base_memory) = said(machine)?;
    ensure(length <= limit, || format!("{length} bytes of the ROM stay"))?;
    ensure(base_memory >= 639, || format!("only {base_memory} KiB of base memory are left"))?;
    let rom = machine.control()?.memory(place, length)?;
    let sum = rom.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    ensure(rom.starts_with(&[0x55, 0xaa]) && usize::from(rom[2]) * 512 == length && sum == 0, || {
        format!("what stays at {place:#x} is no ROM of {length} bytes: {:02x?}, sum {sum}", &rom[..8])
    })
}

fn linux(name: &str, rom: &str, script: &str, says: &[&str]) -> Result<()> {
    let mut lab = Lab::try_new(name, rom)?;
    lab.script(script)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&machine(&with_rom("virtio-net-pci", rom), &[]))?;
    machine.expect(&format!("iPXE {rom} (PCI 00:02.0): image in memory"), 60)?;
    machine.expect(&format!("iPXE {rom} (PCI 00:02.0) boots"), 60)?;
    check_window(&machine, 4096)?;
    machine.expect("by virtio-net, PCI 00:02.0; no PXE stack", 60)?;
    for text in says {
        machine.expect(text, 60)?;
    }
    expect_user_space(&mut machine, 60)
}

/// What this ROM lacks is named, and the script goes on.
fn whole(name: &str) -> Result<()> {
    let kernel = format!("http://{SERVER}/vmlinuz");
    let lacks = format!(
        "ping --count 1 {SERVER} || sha1sum {kernel} || imgfetch --sha256 00 {kernel} || echo RIG-MARK goes on\nimgfree\n"
    );
    let says = [
        "ping is not in an image",
        "sha1 is not in an image",
        "sha256 is not in an image",
        "RIG-MARK goes on",
    ];
    linux(name, "virtio-net.rom", &(lacks + &boot_lines("")), &says)
}

/// The ROM is left with so many bytes at most.
fn without_pmm(name: &str, rom: &str, window: usize) -> Result<()> {
    const BIOS: &str = "/usr/share/seabios/bios-256k.bin";
    const SIGNATURE: &[u8] = b"$PMM";
    let lab = &mut lab(name, rom)?;
    let mut bios = fs::read(BIOS).context(BIOS)?;
    let places: Vec<_> = (0..bios.len()).filter(|at| bios[*at..].starts_with(SIGNATURE)).collect();
    ensure(!places.is_empty(), || format!("{BIOS} has no PMM"))?;
    for place in places {
        bios[place] = b'#';
    }
    fs::write("bios.bin", bios)?;
    let card = with_rom("virtio-net-pci", rom);
    let mut machine = lab.machine(&machine(&card, &["-bios", "bios.bin"]))?;
    machine.expect(&format!("iPXE {rom} (PCI 00:02.0): the BIOS has no memory for its image"), 60)?;
    machine.expect(&format!("iPXE {rom} (PCI 00:02.0) boots"), 60)?;
    check_window(&machine, window)?;
    machine.expect("by virtio-net, PCI 00:02.0; no PXE stack", 60)?;
    machine.expect(SCRIPT, 60)
}

/// A BIOS may have no map yet while it starts ROMs.
fn map(name: &str) -> Result<()> {
    let lab = &mut lab(name, "virtio-net.mrom")?;
    fs::write("watch.rom", quirk::map_watch()?).context("watch.rom")?;
    let card = with_rom("virtio-net-pci,addr=6", "virtio-net.mrom");
    let mut machine =
        lab.machine(&machine(&card, &["-device", "virtio-rng-pci,addr=4,romfile=watch.rom"]))?;
    machine.expect(quirk::MAP_WATCHED, 60)?;
    machine.expect("iPXE virtio-net.mrom (PCI 00:06.0): image in memory", 60)?;
    machine.expect(SCRIPT, 60)?;
    let told = machine.transcript();
    let asked = |before, after| {
        let between = told.between(before, after).unwrap_or_default();
        between.contains(&quirk::MAP_ASKED.replace(' ', ""))
    };
    ensure(!asked(quirk::MAP_WATCHED, "(PCI 00:06.0) boots"), || "the ROM asked at POST".to_owned())?;
    ensure(asked("(PCI 00:06.0) boots", SCRIPT), || "nobody asked at all".to_owned())
}

/// Has a ROM clear the address of its own window before it does anything else, as if the BIOS had done so once the ROM
/// was copied: PCI BIOS service B10Dh, by code in the padding before the image, to which the entry leads first.
fn hide(rom: &mut [u8]) -> Result<()> {
    const ENTRY: u16 = 4;
    const CHECKSUM: usize = 6;
    // pushaw; movw %ax, %bx; movw $0xb10d, %ax; movw $0x30, %di; xorl %ecx, %ecx; int $0x1a; popaw; jmp
    const CODE: [u8; 16] = *b"\x60\x89\xc3\xb8\x0d\xb1\xbf\x30\x00\x66\x31\xc9\xcd\x1a\x61\xe9";
    let word = |at: usize| u16::from_le_bytes([rom[at], rom[at + 1]]);
    // A jump is followed by how far it leads from its own end, which is that of the padding for the second one.
    let (image, entry) = (word(ROM_PARAMETERS + 4), word(ENTRY.into()));
    let start = (ENTRY + 2).wrapping_add(entry);
    let jump = image - 2;
    let code = jump - 16;
    let padding = usize::from(code)..usize::from(image);
    ensure(rom[padding].iter().all(|byte| *byte == 0), || "the ROM has no padding".to_owned())?;
    let mut put = |at: u16, bytes: &[u8]| rom[usize::from(at)..][..bytes.len()].copy_from_slice(bytes);
    put(ENTRY, &(code - (ENTRY + 2)).to_le_bytes());
    put(code, &CODE);
    put(jump, &start.wrapping_sub(image).to_le_bytes());
    let visible = usize::from(rom[2]) * 512;
    let sum = rom[..visible].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    rom[CHECKSUM] = rom[CHECKSUM].wrapping_sub(sum);
    Ok(())
}

fn hidden(name: &str) -> Result<()> {
    const SAYS: &str = "the BIOS shows the card's ROM nowhere";
    let lab = &mut lab(name, "virtio-net.mrom")?;
    let path = paths::images().join("virtio-net.mrom");
    let mut rom = fs::read(&path).context(path.display())?;
    hide(&mut rom)?;
    fs::write("card.mrom", rom).context("card.mrom")?;
    let rom = std::env::current_dir()?.join("card.mrom").display().to_string();
    let mut machine = lab.machine(&machine(&format!("virtio-net-pci,romfile={rom}"), &[]))?;
    machine.expect(&format!("iPXE virtio-net.mrom (PCI 00:02.0): {SAYS}"), 60)?;
    machine.expect("iPXE virtio-net.mrom (PCI 00:02.0) boots", 60)?;
    machine.expect(SAYS, 30)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

/// The first card on the bus, which is not connected to anything.
const FIRST: &str = "e1000,addr=4,mac=52:54:00:77:00:99";

fn two_cards(name: &str) -> Result<()> {
    let lab = &mut lab(name, "intel.mrom")?;
    let card = with_rom("e1000,addr=6", "intel.mrom");
    let mut machine = lab.machine(&machine(&card, &["-device", &format!("{FIRST},romfile=")]))?;
    machine.expect("iPXE intel.mrom (PCI 00:06.0) boots", 60)?;
    machine.expect("by e1000, PCI 00:06.0; no PXE stack", 60)?;
    machine.expect(SCRIPT, 60)
}

fn two_roms(name: &str) -> Result<()> {
    let lab = &mut lab(name, "intel.mrom")?;
    let card = with_rom("e1000,addr=6", "intel.mrom");
    let mut machine = lab.machine(&machine(&card, &["-device", &with_rom(FIRST, "intel.mrom")]))?;
    machine.expect("iPXE intel.mrom (PCI 00:04.0): image in memory", 60)?;
    machine.expect("iPXE intel.mrom (PCI 00:06.0): image in memory", 60)?;
    machine.expect("iPXE intel.mrom (PCI 00:06.0) boots", 60)?;
    machine.expect("by e1000, PCI 00:06.0; no PXE stack", 60)?;
    machine.expect(SCRIPT, 60)
}

fn beside(name: &str) -> Result<()> {
    let lab = &mut lab(name, "intel.mrom")?;
    let card = with_rom("e1000,addr=6", "intel.mrom");
    // With the stock ROM of the emulator.
    let mut machine = lab.machine(&machine(&card, &["-device", "rtl8139,addr=4"]))?;
    machine.expect("iPXE intel.mrom (PCI 00:06.0) boots", 60)?;
    check_window(&machine, 4096)?;
    machine.expect("by e1000, PCI 00:06.0; no PXE stack", 60)?;
    machine.expect(SCRIPT, 60)
}

fn menu(name: &str) -> Result<()> {
    let lab = &mut lab(name, "intel.mrom")?;
    // The disk comes first, so what starts the ROM is the menu.
    let card = with_rom("e1000", "intel.mrom");
    let words = ["-boot", "menu=on,splash-time=20000", "-set", "device.disk.bootindex=0"];
    let mut machine = lab.machine(&machine(&card, &words))?;
    machine.expect("Press ESC for boot menu", 60)?;
    let mut control = machine.control()?;
    control.press('\x1b')?;
    machine.expect("2. iPXE intel.mrom (PCI 00:02.0)", 60)?;
    control.press('2')?;
    machine.expect("iPXE intel.mrom (PCI 00:02.0) boots", 60)?;
    machine.expect(SCRIPT, 60)
}

fn exit(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "intel.mrom")?;
    lab.script("console --x 800 || echo RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    let options = Options { screen: true, ..machine(&with_rom("e1000", "intel.mrom"), &[]) };
    let mut machine = lab.machine(&options)?;
    machine.expect("this build has no part that does text in pixels", 60)?;
    machine.expect("RIG-MARK leaving", 60)?;
    machine.expect(text::NEXT_DEVICE, 60)
}

/// A machine with a card whose ROM is the file, which boots from the file of [`LOADING`].
fn loading_machine(rom: &str, medium: &str) -> Options {
    let card = format!("virtio-net-pci,romfile={rom}");
    Options { card, ..from_device(medium, FLOPPY) }
}

/// Boots by the UNDI of the card's ROM, with an image that wants this kept of it.
fn undi_linux(name: &str, keep: u32, ending: &str) -> Result<()> {
    // In the header, behind the magic number and the build id.
    const KEEP: usize = 16;
    let mut lab = Lab::try_new(name, LOADING)?;
    lab.script(&boot_lines("ifstat\npxestat\n"))?;
    lab.usual_servers()?;
    let mut disk = fs::read(paths::images().join(LOADING)).context(LOADING)?;
    let header = disk.windows(MAGIC.len()).position(|bytes| bytes == MAGIC);
    let header = header.ok_or_else(|| Failure::new(format!("{LOADING} has no header")))?;
    disk[header + KEEP..][..4].copy_from_slice(&keep.to_le_bytes());
    fs::write("disk.img", disk).context("disk.img")?;
    let rom = paths::images().join("virtio-net.mrom").display().to_string();
    let disk = std::env::current_dir()?.join("disk.img").display().to_string();
    let mut machine = lab.machine(&loading_machine(&rom, &disk))?;
    machine.expect("iPXE virtio-net.mrom (PCI 00:02.0): image in memory", 60)?;
    machine.expect(text::BANNER, 60)?;
    machine.expect(text::BY_LOADER, 90)?;
    machine.expect(ending, 90)?;
    expect_user_space(&mut machine, 90)
}

/// The loader of a ROM that was changed fails and says why in these words, on a machine with so many MiB. The program
/// that has called it goes on.
fn undi_refused(name: &str, change: fn(&mut [u8]), memory: u32, words: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, LOADING)?;
    lab.usual_servers()?;
    let path = paths::images().join("virtio-net.mrom");
    let mut rom = fs::read(&path).context(path.display())?;
    change(&mut rom);
    fs::write("card.mrom", rom).context("card.mrom")?;
    let rom = std::env::current_dir()?.join("card.mrom").display().to_string();
    let mut machine = lab.machine(&Options { memory, ..loading_machine(&rom, LOADING) })?;
    machine.expect(words, 60)?;
    machine.expect(&format!("[{}]", undi::errors::REFUSED.id()), 60)?;
    machine.expect(text::COUNTDOWN, 60)?;
    machine.expect(text::LEAVING_RETURN, 60)
}
