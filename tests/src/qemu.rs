//! The machine: QEMU with SeaBIOS and a network card's stock ROM, its screen on a pipe.
//!
//! It runs under TCG always, as KVM cannot run all 16-bit code. With `graphics=off` SeaBIOS sends all text of
//! INT 10h to the first serial port, where the kernel's console is as well.

use crate::expect::Transcript;
use crate::failure::{Context, Failure, Result, ensure};
use crate::paths;
use crate::peer;
use crate::process::{Guarded, tool};
use crate::quirk;
use crate::screen::Screen;
use crate::text;
use base::MacAddress;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// QEMU's name of a card, with our ROM on it.
pub fn with_rom(card: &str, rom: &str) -> String {
    format!("{card},romfile={}", paths::images().join(rom).display())
}

/// How the machine's card is wired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// To `tap0` of the scenario's bridge, through the [`peer`].
    Bridge,
    /// The same, and frames of this VLAN go to `tap1` of another bridge.
    Trunk(u16),
    /// To `tap0` itself, where a frame must not take longer than what is measured.
    Tap,
    /// To QEMU's built-in servers: TFTP from this folder, and this file named by DHCP.
    User {
        /// What TFTP serves.
        tftp: PathBuf,
        /// The boot file of every DHCP answer.
        bootfile: String,
    },
}

/// The counter plugin, where a run counts.
#[derive(Clone, Debug)]
pub struct Counting {
    /// The plugin's shared object.
    pub plugin: PathBuf,
    /// Where it writes its counters.
    pub output: PathBuf,
}

/// The machine to be started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The emulator, if not the usual one: a copy of that ([`without_ethernet_class`]).
    pub emulator: Option<PathBuf>,
    /// QEMU's name of the card's model.
    pub card: String,
    /// The card's address, as six hexadecimal numbers.
    pub mac: String,
    /// Files that the emulator shows the machine (fw_cfg), by name.
    pub files: Vec<(String, PathBuf)>,
    /// QEMU's name of the processor.
    pub processor: String,
    /// Memory in MiB.
    pub memory: u32,
    /// How much of it lies below 4 GiB, in MiB, if not all that can; the rest lies above.
    pub memory_below: Option<u32>,
    /// It has a screen, beside the serial port that shows the same text: what is drawn in pixels is on the screen only.
    pub screen: bool,
    /// The BIOS leaves the serial port alone, and shows text on the screen.
    pub own_serial: bool,
    /// The ACPI table SPCR names the first serial port.
    pub names_serial: bool,
    /// Its wire.
    pub wire: Wire,
    /// The counter plugin.
    pub counting: Option<Counting>,
    /// What it boots from in place of the card.
    pub medium: Vec<String>,
    /// What its clock shows when it is switched on, as year-month-dayThour:minute:second, if not the time.
    pub clock: Option<String>,
    /// Each instruction takes [`INSTRUCTION`] of the machine's time, and waiting takes none of ours.
    pub counted_time: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            emulator: None,
            card: "e1000".to_owned(),
            mac: MacAddress(MAC).to_string(),
            files: Vec::new(),
            processor: "max".to_owned(),
            memory: 256,
            memory_below: None,
            screen: false,
            own_serial: false,
            names_serial: false,
            wire: Wire::Bridge,
            counting: None,
            medium: Vec::new(),
            clock: None,
            counted_time: false,
        }
    }
}

/// Nanoseconds of an instruction where time is counted so, a power of two. Few enough instructions per second that the
/// firmware, which gives an interval timer a bounded number of looks, can measure its clock.
pub const INSTRUCTION: u64 = 64;

/// The usual address of the machine's card.
pub const MAC: [u8; 6] = [0x52, 0x54, 0, 0x77, 0, 0x10];

/// The machine's UUID.
pub const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";

/// The machine's control socket, relative to the scenario's folder.
const CONTROL: &str = "control.sock";

/// The environment variable that has the card's frames written to `wire.pcap` in the scenario's folder.
const CAPTURE: &str = "RIG_CAPTURE";

/// The environment variable that names another emulator.
const EMULATOR: &str = "RIG_QEMU";

/// QEMU.
fn emulator() -> Result<PathBuf> {
    std::env::var_os(EMULATOR).map_or_else(|| tool("qemu-system-x86_64"), |path| Ok(path.into()))
}

/// Whether the emulator has such a device.
pub fn has_device(name: &str) -> bool {
    let help = emulator()
        .and_then(|path| Ok(Command::new(path).args(["-device", &format!("{name},help")]).output()?));
    // It says so of a device that it does not have on its other output, and succeeds all the same.
    help.is_ok_and(|output| !output.stdout.is_empty())
}

/// A copy of the emulator, in the scenario's folder, whose USB adapter has Remote NDIS only. QEMU's `usb-net` has
/// CDC-ECM in another configuration, and no option for that; here the class of that configuration is one that nobody
/// knows. All else of the adapter, its Remote NDIS included, is QEMU's own.
pub fn without_ethernet_class() -> Result<PathBuf> {
    /// The control interface of CDC-ECM among the emulator's descriptors: number 0, setting 0, an endpoint, and its
    /// class.
    const INTERFACE: [u8; 6] = [0, 0, 1, 2, 6, 0];
    const SUBCLASS: usize = 4;
    let usual = emulator()?;
    let mut program = fs::read(&usual).context("the emulator")?;
    let mut places = program.windows(INTERFACE.len()).enumerate().filter(|(_, bytes)| *bytes == INTERFACE);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        return Err(Failure(format!("{} has no one place with usb-net's descriptors", usual.display())));
    };
    program[place + SUBCLASS] = 0xff;
    // It looks for its own files beside the folder that it is in.
    let folder = std::env::current_dir()?.join("emulator");
    let copy = folder.join("bin/qemu-system-x86_64");
    fs::create_dir_all(folder.join("bin")).context("emulator/bin")?;
    fs::write(&copy, program).context("emulator/bin")?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let above = usual.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
    for name in ["lib", "share"] {
        symlink(above.join(name), folder.join(name)).context(name)?;
    }
    Ok(copy)
}

/// A running machine. It is switched off when this value ends.
#[derive(Debug)]
pub struct Machine {
    emulator: Guarded,
    transcript: Arc<Transcript>,
    place: usize,
    next_device: bool,
}

impl Machine {
    /// Switches it on. It boots from the card, then from a disk that says [`text::NEXT_DEVICE`].
    pub fn start(options: &Options) -> Result<Self> {
        fs::write("next.img", disk(quirk::next_device()?)).context("next.img")?;
        let mut command = Command::new(options.emulator.clone().map_or_else(emulator, Ok)?);
        fs::write(SPCR, spcr()).context(SPCR)?;
        command.args(arguments(options)).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create("qemu.log")?);
        let mut emulator = Guarded::start("qemu-system-x86_64", &mut command)?;
        let transcript = Arc::new(Transcript::default());
        let listener = Arc::clone(&transcript);
        let mut log = File::create("serial.log").context("serial.log")?;
        let Some(mut serial) = emulator.child().stdout.take() else {
            return Err(Failure::new("the emulator has no serial port"));
        };
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = serial.read(&mut buffer) {
                // A full disk shows in the scenario's own report soon enough.
                let _ = log.write_all(&buffer[..length]);
                listener.add(&buffer[..length]);
            }
            listener.end();
        });
        Ok(Self { emulator, transcript, place: 0, next_device: false })
    }

    /// All that it has said.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Waits until it says `wanted`, after what was waited for before.
    pub fn expect(&mut self, wanted: &str, seconds: u64) -> Result<()> {
        self.expect_any(&[wanted], seconds).map(drop)
    }

    /// Waits until it says one of `wanted`; gives which.
    pub fn expect_any(&mut self, wanted: &[&str], seconds: u64) -> Result<usize> {
        let fatal: Vec<&str> = match self.next_device {
            true => text::FATAL.to_vec(),
            false => text::FATAL.iter().copied().chain([text::NEXT_DEVICE]).collect(),
        };
        let fatal = if wanted.contains(&text::NEXT_DEVICE) { text::FATAL } else { &fatal };
        let seen = self.transcript.wait(self.place, wanted, fatal, Duration::from_secs(seconds));
        if seen.is_err() && self.transcript.count(text::DUMP) > 0 {
            // The rest of the dump is what the log is read for; if it does not come, the failure is the same.
            let _ = self.transcript.wait(0, &[text::DUMP_END], &[], Duration::from_secs(3));
        }
        let (index, place) = seen?;
        self.place = place;
        self.next_device |= wanted[index] == text::NEXT_DEVICE;
        if self.transcript.count(text::BIOS_BANNER) > 1 {
            return Err(Failure::new("the machine was reset"));
        }
        Ok(index)
    }

    /// Stops the emulator and lets it go on, again and again, as a busy host does. The clocks of the machine, which are
    /// the host's, go on. It ends with what is given back.
    pub fn starve(&mut self, run: Duration, stop: Duration) -> Result<Starvation> {
        let id = self.emulator.child().id();
        let [run, stop] = [run, stop].map(|length| length.as_secs_f32());
        let cycle = format!("while kill -STOP {id}; do sleep {stop}; kill -CONT {id}; sleep {run}; done");
        let cycle = Guarded::start("sh", Command::new("/bin/sh").args(["-c", &cycle]))?;
        Ok(Starvation { id, cycle })
    }

    /// Stops the emulator for a while, if it has not ended. The clocks of the machine, which are the host's, go on.
    pub fn pause(&mut self, length: Duration) -> Result<()> {
        let child = self.emulator.child();
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        // It stays a process until it is waited for.
        let id = child.id();
        signal(id, "STOP")?;
        thread::sleep(length);
        signal(id, "CONT")
    }

    /// Waits until it switches itself off.
    pub fn expect_power_off(&mut self, seconds: u64) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < deadline {
            if let Some(status) = self.emulator.child().try_wait()? {
                return if status.success() { Ok(()) } else { Err(Failure(format!("QEMU ended: {status}"))) };
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(Failure(format!("the machine did not switch itself off within {seconds} s")))
    }

    /// Sends text to its serial port.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let Some(serial) = &mut self.emulator.child().stdin else {
            return Err(Failure::new("the emulator has no serial port"));
        };
        serial.write_all(text.as_bytes())?;
        Ok(serial.flush()?)
    }

    /// A connection for commands to the emulator.
    pub fn control(&self) -> Result<Control> {
        Control::connect()
    }
}

fn arguments(options: &Options) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    let mut add = |words: &str| arguments.extend(words.split_whitespace().map(str::to_owned));
    add(if options.own_serial { "-M pc -device VGA" } else { "-M pc,graphics=off" });
    add("-accel tcg -nodefaults -display none -no-reboot -boot menu=off");
    add(&format!("-cpu {}", options.processor));
    add("-serial stdio -monitor none");
    add(&format!(
        "-smbios type=1,manufacturer=Rig,product=Bench,serial=RIG-1,uuid={UUID} -smbios type=3,asset=A-7"
    ));
    add(&format!("-m {}", options.memory));
    if options.counting.is_some() {
        // What the host takes to find a page of memory when it is touched first is not to be measured.
        let size = options.memory;
        add(&format!(
            "-object memory-backend-ram,id=ram,size={size}M,prealloc=on -machine memory-backend=ram"
        ));
    }
    if let Some(below) = options.memory_below {
        add(&format!("-machine max-ram-below-4g={below}M"));
    }
    if options.screen && !options.own_serial {
        add("-device VGA");
    }
    if options.names_serial {
        add(&format!("-acpitable sig=SPCR,rev=2,data={SPCR}"));
    }
    add(&format!("-qmp unix:{CONTROL},server=on,wait=off"));
    match &options.wire {
        Wire::Bridge | Wire::Trunk(_) => {
            let dgram = |id: &str, local: &str, remote: &str| {
                format!(
                    "-netdev dgram,id={id},local.type=unix,local.path={local},remote.type=unix,remote.path={remote}"
                )
            };
            add(&dgram("n0", peer::MACHINE_SOCKET, peer::MACHINE_PEER_SOCKET));
            add(&dgram("n1", peer::NETWORK_SOCKET, peer::NETWORK_PEER_SOCKET));
            add("-netdev tap,id=t0,ifname=tap0,script=no,downscript=no,vnet_hdr=off");
            add("-netdev hubport,id=h0,hubid=0,netdev=n1 -netdev hubport,id=h1,hubid=0,netdev=t0");
            if options.wire != Wire::Bridge {
                add(&dgram("n2", peer::VLAN_SOCKET, peer::VLAN_PEER_SOCKET));
                add("-netdev tap,id=t1,ifname=tap1,script=no,downscript=no,vnet_hdr=off");
                add("-netdev hubport,id=h2,hubid=1,netdev=n2 -netdev hubport,id=h3,hubid=1,netdev=t1");
            }
        }
        Wire::Tap => add("-netdev tap,id=n0,ifname=tap0,script=no,downscript=no,vnet_hdr=off"),
        Wire::User { tftp, bootfile } => {
            add(&format!("-netdev user,id=n0,tftp={},bootfile={bootfile}", tftp.display()));
        }
    }
    add(&format!("-device {},netdev=n0,bootindex=1,mac={}", options.card, options.mac));
    for (name, path) in &options.files {
        add(&format!("-fw_cfg name={name},file={}", path.display()));
    }
    add(
        "-drive if=none,id=d0,format=raw,snapshot=on,file=next.img -device ide-hd,id=disk,drive=d0,bootindex=2",
    );
    for argument in &options.medium {
        arguments.push(argument.clone());
    }
    let mut add = |words: &str| arguments.extend(words.split_whitespace().map(str::to_owned));
    if std::env::var_os(CAPTURE).is_some() {
        add("-object filter-dump,id=f0,netdev=n0,file=wire.pcap");
    }
    if let Some(Counting { plugin, output }) = &options.counting {
        add(&format!("-plugin {},out={},pc=7c00", plugin.display(), output.display()));
    }
    if let Some(time) = &options.clock {
        add(&format!("-rtc base={time}"));
    }
    if options.counted_time {
        add(&format!("-icount shift={},sleep=off", INSTRUCTION.ilog2()));
    }
    arguments
}

/// The table that names a serial console, relative to the scenario's folder.
const SPCR: &str = "spcr.bin";

/// The table without its header ("Serial Port Console Redirection Table", Microsoft): a 16550 at I/O port 3F8h, 115200
/// bits a second.
fn spcr() -> [u8; 44] {
    let mut table = [0; 44];
    table[4..10].copy_from_slice(&[1, 8, 0, 1, 0xf8, 0x03]);
    table[22] = 7;
    table
}

/// A disk that begins with `bytes`: one cylinder, as smaller ones confuse geometry guessing.
fn disk(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(63 * 16 * 512, 0);
    bytes
}

/// The emulator's control socket (QMP).
#[derive(Debug)]
pub struct Control {
    answers: BufReader<UnixStream>,
    commands: UnixStream,
}

impl Control {
    fn connect() -> Result<Self> {
        let commands = UnixStream::connect(CONTROL).context(CONTROL)?;
        commands.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut control = Self { answers: BufReader::new(commands.try_clone()?), commands };
        control.command("{\"execute\":\"qmp_capabilities\"}")?;
        Ok(control)
    }

    /// Sends a command and waits for its answer, skipping greetings and events.
    fn command(&mut self, json: &str) -> Result<String> {
        writeln!(self.commands, "{json}")?;
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).context("control socket")? == 0 {
                return Err(Failure::new("the emulator closed its control socket"));
            }
            if line.contains("\"error\"") {
                return Err(Failure(format!("{json}: {line}")));
            }
            if line.contains("\"return\"") {
                return Ok(line);
            }
        }
    }

    /// What the emulator knows about something (`info` of its monitor); a line break is `\\r\\n` in JSON.
    pub fn ask(&mut self, what: &str) -> Result<String> {
        self.monitor(&format!("info {what}"))
    }

    /// What the emulator's monitor says to a line.
    fn monitor(&mut self, line: &str) -> Result<String> {
        let line = format!("{{\"command-line\":\"{line}\"}}");
        self.command(&format!("{{\"execute\":\"human-monitor-command\",\"arguments\":{line}}}"))
    }

    /// The command register of the first card on PCI, 00:02.0, read by the two ports of configuration space while the
    /// machine stands still.
    pub fn card_command(&mut self) -> Result<u32> {
        self.command("{\"execute\":\"stop\"}")?;
        let selected = self.port(0xcf8)?;
        self.monitor("o /w 0xcf8 0x80001004")?;
        let command = self.port(0xcfc)?;
        self.monitor(&format!("o /w 0xcf8 {selected:#x}"))?;
        self.command("{\"execute\":\"cont\"}")?;
        Ok(command & 0xffff)
    }

    /// The 32 bits that a port has.
    fn port(&mut self, port: u16) -> Result<u32> {
        let said = self.monitor(&format!("i /w {port:#x}"))?;
        let digits = said.rsplit("0x").next().unwrap_or_default();
        let end = digits.find(|digit: char| !digit.is_ascii_hexdigit()).unwrap_or(digits.len());
        u32::from_str_radix(&digits[..end], 16).map_err(|_| Failure(said))
    }

    /// Where the BIOS has put those regions of PCI devices that may lie above 4 GiB.
    pub fn wide_regions(&mut self) -> Result<Vec<u64>> {
        let said = self.ask("pci")?;
        let regions = said.split("64 bit ").skip(1).filter_map(|region| region.split_once(" at 0x"));
        let digits = regions.map(|(_, place)| place.split(|digit: char| !digit.is_ascii_hexdigit()).next());
        Ok(digits.filter_map(|digits| u64::from_str_radix(digits?, 16).ok()).collect())
    }

    /// Presses keys together, by QEMU's names: `["ctrl", "b"]`.
    pub fn keys(&mut self, keys: &[&str]) -> Result<()> {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("{{\"type\":\"qcode\",\"data\":\"{key}\"}}")).collect();
        let keys = keys.join(",");
        self.command(&format!("{{\"execute\":\"send-key\",\"arguments\":{{\"keys\":[{keys}]}}}}")).map(drop)
    }

    /// Types the character's keys on an American keyboard.
    pub fn press(&mut self, character: char) -> Result<()> {
        let lower = character.to_ascii_lowercase().to_string();
        let keys: &[&str] = match character {
            'a'..='z' | '0'..='9' => &[&lower],
            'A'..='Z' => &["shift", &lower],
            ' ' => &["spc"],
            '-' => &["minus"],
            '_' => &["shift", "minus"],
            '=' => &["equal"],
            '/' => &["slash"],
            '.' => &["dot"],
            ',' => &["comma"],
            ':' => &["shift", "semicolon"],
            ';' => &["semicolon"],
            '\r' => &["ret"],
            '\x1b' => &["esc"],
            '\x01'..='\x1a' => &["ctrl", &char::from(character as u8 | 0x60).to_string()],
            _ => return Err(Failure(format!("the rig does not know the key of {character:?}"))),
        };
        self.keys(keys)?;
        // A key is held down for 100 ms; the next one must find the buffer's end.
        thread::sleep(Duration::from_millis(150));
        Ok(())
    }

    /// Types a line, one key at a time, then Enter.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        line.chars().try_for_each(|character| self.press(character))?;
        self.keys(&["ret"])
    }

    /// Raises a non-maskable interrupt, as a machine's own dump button does, if the core's code is running, which is
    /// linked at the top of the address space; whether it was. Anywhere else it would hit the BIOS or the ROM.
    pub fn interrupt_core(&mut self) -> Result<bool> {
        self.command("{\"execute\":\"stop\"}")?;
        let is_core = self.ask("registers")?.contains("RIP=ffffffff8");
        if is_core {
            self.command("{\"execute\":\"inject-nmi\"}")?;
        }
        self.command("{\"execute\":\"cont\"}")?;
        Ok(is_core)
    }

    /// Pulls the network cable out of the card, or puts it back.
    pub fn plug(&mut self, is_in: bool) -> Result<()> {
        let arguments = format!("{{\"name\":\"n0\",\"up\":{is_in}}}");
        self.command(&format!("{{\"execute\":\"set_link\",\"arguments\":{arguments}}}")).map(drop)
    }

    /// What stands on the screen in its text mode, a line for each row.
    pub fn text(&mut self) -> Result<String> {
        let arguments = "{\"val\":753664,\"size\":4000,\"filename\":\"text.bin\"}";
        self.command(&format!("{{\"execute\":\"pmemsave\",\"arguments\":{arguments}}}"))?;
        let cells = fs::read("text.bin").context("text.bin")?;
        let rows = cells.chunks(160).map(|row| row.iter().step_by(2).map(|byte| char::from(*byte)).collect());
        Ok(rows.collect::<Vec<String>>().join("\n"))
    }

    /// Bytes of memory.
    pub fn memory(&mut self, address: usize, length: usize) -> Result<Vec<u8>> {
        let arguments = format!("{{\"val\":{address},\"size\":{length},\"filename\":\"memory.bin\"}}");
        self.command(&format!("{{\"execute\":\"pmemsave\",\"arguments\":{arguments}}}"))?;
        fs::read("memory.bin").context("memory.bin")
    }

    /// The screen as it is now, and as PNG in the scenario's folder.
    pub fn screen(&mut self, name: &str) -> Result<Screen> {
        let file = format!("{name}.png");
        let arguments = format!("{{\"filename\":\"{file}\",\"format\":\"png\"}}");
        self.command(&format!("{{\"execute\":\"screendump\",\"arguments\":{arguments}}}"))?;
        Screen::read(&file)
    }

    /// Waits until the screen is as `wanted` says.
    pub fn expect_screen(
        &mut self,
        name: &str,
        seconds: u64,
        mut wanted: impl FnMut(&Screen) -> bool,
    ) -> Result<Screen> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let screen = self.screen(name)?;
            if wanted(&screen) {
                return Ok(screen);
            }
            if Instant::now() >= deadline {
                return Err(Failure(format!(
                    "the screen did not look as wanted within {seconds} s: {name}.png"
                )));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// An emulator that does not get all the time that it wants.
#[derive(Debug)]
pub struct Starvation {
    id: u32,
    cycle: Guarded,
}

impl Drop for Starvation {
    fn drop(&mut self) {
        self.cycle.end();
        // If it has ended meanwhile, nothing is to be done.
        let _ = signal(self.id, "CONT");
    }
}

/// Sends the process a signal.
fn signal(id: u32, name: &str) -> Result<()> {
    let status = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {id}")]).status()?;
    ensure(status.success(), || format!("the emulator could not be sent {name}: {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridged_machine_has_a_tap_and_a_peer() {
        let arguments = arguments(&Options::default()).join(" ");
        assert!(arguments.contains("ifname=tap0") && arguments.contains(peer::MACHINE_PEER_SOCKET));
        assert!(arguments.contains("-device e1000,netdev=n0,bootindex=1"));
    }
}
