//! `cargo xtask run`: an image in QEMU, from the card's own PXE ROM to what the script boots.

use crate::setup::{self, Purpose};
use crate::{build, demonstration, http, shell};
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The host, as seen by the machine in QEMU's user network.
const HOST: &str = "10.0.2.2";

/// What is to be run, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The image that the card's ROM fetches by TFTP
    #[arg(default_value = "undionly.kpxe")]
    image: String,
    /// The network card: e1000, e1000e, eepro100, ne2k_pci, pcnet, rtl8139, virtio, vmxnet3
    #[arg(long, value_name = "MODEL", default_value = "e1000")]
    nic: String,
    /// A script to run; it and the files beside it are served by HTTP [default: boot a Debian kernel]
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Let nobody type: wait until the machine has said what --until names, and end with 0
    #[arg(long)]
    headless: bool,
    /// What --headless waits for
    #[arg(long, value_name = "TEXT", default_value = demonstration::MARKER)]
    until: String,
    /// How long --headless waits
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    bound: u64,
}

/// Builds the image and runs it.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(Purpose::Run)?;
    let on_medium = build::plans()?.iter().any(|plan| plan.name == options.image && plan.medium.is_some());
    ensure!(!on_medium, "{} is not for a PXE ROM: give it to QEMU as a disk, CD or kernel", options.image);
    build::build(std::slice::from_ref(&options.image))?;
    let script = match &options.script {
        Some(script) => script.canonicalize().with_context(|| format!("there is no {}", script.display()))?,
        None => demonstration::prepare()?,
    };
    let (Some(folder), Some(name)) = (script.parent(), script.file_name().and_then(|name| name.to_str()))
    else {
        bail!("{} is no file that can be served", script.display());
    };
    let port = http::serve(folder.to_owned())?;
    let work = Folder::new()?;
    fs::copy(build::bin(&options.image), work.0.join(&options.image))
        .with_context(|| format!("`{}` is not one image", options.image))?;
    // QEMU names one boot file to every client, so our image is offered itself again, and then looks for this one.
    let chain = format!("#!ipxe\nchain http://{HOST}:{port}/{}\n", percent_encoded(name));
    fs::write(work.0.join("autoexec.ipxe"), chain)?;

    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(arguments(&work.0, &options.image, card(&options.nic)));
    if options.headless {
        return watch(qemu.args(["-serial", "stdio", "-monitor", "none"]), options);
    }
    eprintln!(
        "The machine's screen follows. Ctrl-A X switches it off, Ctrl-A C switches to QEMU's monitor and back."
    );
    shell::run(qemu.args(["-serial", "mon:stdio"]))
}

/// QEMU's arguments, but for where the serial line goes. `graphics=off` lets the BIOS show its screen there.
fn arguments(folder: &Path, image: &str, card: &str) -> Vec<String> {
    let fixed = "-accel tcg -M pc,graphics=off -cpu max -m 512 -nodefaults -display none -no-reboot -boot n";
    let mut arguments: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
    // A comma in a path is written twice.
    let folder = folder.display().to_string().replace(',', ",,");
    arguments.extend(["-netdev".to_owned(), format!("user,id=n0,tftp={folder},bootfile={image}")]);
    arguments.extend(["-device".to_owned(), format!("{card},netdev=n0")]);
    arguments
}

/// QEMU's name of a card that people call otherwise.
fn card(name: &str) -> &str {
    match name {
        "eepro100" => "i82559c",
        "virtio" => "virtio-net-pci",
        _ => name,
    }
}

/// Runs `qemu`, passes on what the machine says, and waits for the text.
fn watch(qemu: &mut Command, options: &Options) -> Result<()> {
    qemu.stdin(Stdio::null()).stdout(Stdio::piped());
    shell::announce(qemu);
    let mut machine = Machine(qemu.spawn().context("cannot start QEMU")?);
    let serial = machine.0.stdout.take().context("QEMU has no output")?;
    let said = read_in_pieces(serial);
    let deadline = Instant::now() + Duration::from_secs(options.bound);
    let mut log = String::new();
    let missed = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match said.recv_timeout(left) {
            Ok(piece) => {
                std::io::stdout().write_all(&piece)?;
                std::io::stdout().flush()?;
                log.push_str(&String::from_utf8_lossy(&piece));
                if without_escapes(&log).contains(&options.until) {
                    println!("\nseen: {}", options.until);
                    return Ok(());
                }
            }
            Err(RecvTimeoutError::Timeout) => break format!("within {} seconds", options.bound),
            Err(RecvTimeoutError::Disconnected) => break "before the machine was switched off".to_owned(),
        }
    };
    let log = without_escapes(&log);
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n  ");
    ensure!(!lines.is_empty(), "`{}` was not seen {missed}: the machine said nothing at all", options.until);
    bail!("`{}` was not seen {missed}. The last lines:\n  {tail}", options.until);
}

/// A running QEMU, which does not outlive this value.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What comes from `source`, as it comes; disconnected at its end.
fn read_in_pieces(mut source: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 4096];
        while let Ok(length @ 1..) = source.read(&mut buffer) {
            if sender.send(buffer.iter().take(length).copied().collect()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// `text` without the terminal's control sequences (`ESC [ ... letter`) and carriage returns.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\x1b' => {
                if rest.next_if_eq(&'[').is_some() {
                    while rest.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                    rest.next();
                }
            }
            '\r' => {}
            _ => plain.push(character),
        }
    }
    plain
}

/// `name` as one segment of a URI's path (RFC 3986 section 3.3).
fn percent_encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The TFTP folder of one run, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = shell::target().join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is found under the target folder, and does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_do_not_hide_words() {
        assert_eq!(without_escapes("a\x1b[1;31mb\x1b[0mc\r\nd\x1b[2J"), "abc\nd");
        assert_eq!(without_escapes("end\x1b["), "end");
        assert_eq!(without_escapes("a\x1bb"), "ab");
    }

    #[test]
    fn names_go_into_uris() {
        assert_eq!(percent_encoded("my boot.ipxe"), "my%20boot.ipxe");
        assert_eq!(percent_encoded("a/b"), "a%2Fb");
    }

    #[test]
    fn commas_in_paths_do_not_end_an_option() {
        let arguments = arguments(Path::new("/a,b"), "x.kpxe", card("virtio"));
        assert!(arguments.contains(&"user,id=n0,tftp=/a,,b,bootfile=x.kpxe".to_owned()));
        assert!(arguments.contains(&"virtio-net-pci,netdev=n0".to_owned()));
    }
}
