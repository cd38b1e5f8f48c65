//! The second emulator, Bochs: it checks the limits of segments, which QEMU's translator does not.
//!
//! Its card is an NE2000 on PCI with the stock ROM of QEMU's, wired to Bochs' built-in DHCP and TFTP; the host's
//! loopback interface is 10.0.2.2 from inside. Its screen is a VNC server (RFB), used for its keyboard only.

use crate::failure::{Context, Result};
use crate::process::{Guarded, tool};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/bochs/VGABIOS-lgpl-latest";
const ROM: &str = "/usr/lib/ipxe/qemu/pxe-ne2k_pci.rom";

/// Kinds of disks.
#[derive(Clone, Copy, Debug)]
pub enum Disk {
    /// A floppy disk of 1.44 MB.
    Floppy,
    /// A hard disk.
    Hard,
    /// A CD.
    Cd,
}

impl Disk {
    /// The configuration of one with that image.
    fn lines(self, image: &Path) -> String {
        let image = image.display();
        match self {
            Self::Floppy => format!("floppya: 1_44={image}, status=inserted\nboot: floppy"),
            Self::Hard => format!("ata0-master: type=disk, mode=flat, path={image}\nboot: disk"),
            Self::Cd => format!("ata0-master: type=cdrom, path={image}, status=inserted\nboot: cdrom"),
        }
    }
}

/// A running machine. It is switched off when this value ends.
#[derive(Debug)]
pub struct Bochs {
    emulator: Guarded,
    keyboard: Option<TcpStream>,
}

impl Bochs {
    /// Switches it on. It boots from a disk with that image, and the card has no ROM; else by the card's. DHCP names
    /// `bootfile`, and TFTP serves `tftp`.
    pub fn start(disk: Option<(Disk, &Path)>, tftp: &Path, bootfile: &str) -> Result<Self> {
        let (rom, medium) = match disk {
            None => (format!(", bootrom={ROM}"), "boot: network".to_owned()),
            Some((kind, image)) => (String::new(), kind.lines(image)),
        };
        fs::write("slirp.conf", format!("# slirp config\nbootfile = {bootfile}\n"))?;
        // A fault that nobody handles ends the emulator instead of resetting the machine.
        fs::write(
            "bochsrc",
            format!(
                "display_library: rfb, options=\"timeout=0\"\n\
                 romimage: file={BIOS}\nvgaromimage: file={VGA_BIOS}\nmegs: 128\n\
                 cpu: model=corei7_sandy_bridge_2600k, ips=50000000, reset_on_triple_fault=0\n\
                 pci: enabled=1, chipset=i440fx, slot1=ne2k\n\
                 ne2k: type=pci, mac=52:54:00:77:00:10, ethmod=slirp, ethdev={}, script=slirp.conf{rom}\n\
                 {medium}\nlog: bochs.log\npanic: action=fatal\n",
                tftp.display()
            ),
        )?;
        let log = File::create("serial.log")?;
        let mut command = Command::new(tool("bochs")?);
        command.args(["-q", "-f", "bochsrc"]).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut emulator = Guarded::start("bochs", &mut command)?;
        // Debian's Bochs stops in its debugger first.
        if let Some(input) = &mut emulator.child().stdin {
            input.write_all(b"continue\n")?;
        }
        Ok(Self { emulator, keyboard: None })
    }

    /// Fails if the emulator has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        self.emulator.still_runs().context("see bochs.log")
    }

    /// Types a line of lower-case letters and spaces, and Enter.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        const RETURN: u32 = 0xff0d;
        let keyboard = match &mut self.keyboard {
            Some(keyboard) => keyboard,
            none => none.insert(
                TcpStream::connect(("127.0.0.1", 5900)).and_then(handshake).context("Bochs' screen")?,
            ),
        };
        for key in line.chars().map(u32::from).chain([RETURN]) {
            for pressed in [1, 0] {
                // RFC 6143, 7.5.4: KeyEvent
                let [a, b, c, d] = key.to_be_bytes();
                keyboard.write_all(&[4, pressed, 0, 0, a, b, c, d])?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

/// RFC 6143, 7.1 and 7.3, in version 3.3 of the protocol: versions, no security, a shared desktop.
fn handshake(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.read_exact(&mut [0; 12])?;
    stream.write_all(b"RFB 003.003\n")?;
    stream.read_exact(&mut [0; 4])?;
    stream.write_all(&[1])?;
    let mut parameters = [0; 24];
    stream.read_exact(&mut parameters)?;
    let name = usize::from(u16::from_be_bytes([parameters[22], parameters[23]]));
    stream.read_exact(&mut vec![0; name])?;
    // The server sends pictures unasked, and the machine stands still where nobody takes them.
    stream.set_read_timeout(None)?;
    let mut pictures = stream.try_clone()?;
    thread::spawn(move || io::copy(&mut pictures, &mut io::sink()));
    Ok(stream)
}
