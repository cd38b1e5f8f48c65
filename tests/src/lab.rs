//! One scenario's laboratory: its folder, its network, its servers, its machine.

use crate::boot_server::BootServer;
use crate::failure::{Context, Failure, Result, ensure};
use crate::namespace::{self, SERVER};
use crate::payload::{self, BigFile, Payload};
use crate::peer::{Facts, Peer, Rules, Weather};
use crate::process::Guarded;
use crate::qemu::{Machine, Options, Wire};
use crate::rom::{self, Quirk};
use crate::servers::{self, Dnsmasq};
use crate::{paths, text};
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the image that most scenarios boot.
pub const KPXE: &str = "undionly.kpxe";
/// The image that keeps nothing of the vendor's stack that it can do without.
pub const PXE: &str = "undionly.pxe";
/// The image that keeps all of the vendor's stack.
pub const KKPXE: &str = "undionly.kkpxe";
/// The script that most scenarios are given, as its URI.
pub const SCRIPT_URI: &str = "http://10.77.0.1/boot.ipxe";

/// The laboratory. Servers and machine end with it.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    payload: Payload,
    servers: Vec<Guarded>,
    rules: Rules,
    peer: Option<Peer>,
}

impl Lab {
    /// An empty one: a fresh folder, which becomes the current one, and the wires. The image under test has this
    /// name.
    pub fn try_new(name: &str, image: &str) -> Result<Self> {
        Self::with_image(name, &paths::images().join(image))
    }

    /// The same with an image that is somewhere else.
    pub fn with_image(name: &str, path: &Path) -> Result<Self> {
        let image = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = paths::scenario(name);
        for part in ["www", "tftp"] {
            let part = folder.join(part);
            // What an earlier run served is not to be served again.
            let _ = fs::remove_dir_all(&part);
            fs::create_dir_all(&part).context(part.display())?;
        }
        std::env::set_current_dir(&folder)?;
        namespace::build()?;
        let rules = Rules { image: image.clone(), ..Rules::default() };
        let lab = Self { folder, payload: payload::prepare()?, servers: Vec::new(), rules, peer: None };
        lab.tftp(&image, &fs::read(path).context(path.display())?)?;
        lab.link_payload("")?;
        Ok(lab)
    }

    /// Lets both servers have the payload's kernel and initrd in that folder.
    pub fn link_payload(&self, folder: &str) -> Result<()> {
        for root in ["www", "tftp"] {
            fs::create_dir_all(self.folder.join(root).join(folder)).context(folder)?;
        }
        let name = |file| Path::new(folder).join(file).display().to_string();
        self.link(&self.payload.kernel, &name("vmlinuz"))?;
        self.link(&self.payload.initrd, &name("initrd"))
    }

    /// What TFTP serves.
    pub fn tftp_root(&self) -> PathBuf {
        self.folder.join("tftp")
    }

    /// Puts a file where nginx serves it.
    pub fn www(&self, name: &str, content: &[u8]) -> Result<()> {
        write(&self.folder.join("www").join(name), content)
    }

    /// Puts a file where TFTP serves it.
    pub fn tftp(&self, name: &str, content: &[u8]) -> Result<()> {
        write(&self.folder.join("tftp").join(name), content)
    }

    /// Puts the script that DHCP names where nginx serves it.
    pub fn script(&self, lines: &str) -> Result<()> {
        self.www("boot.ipxe", format!("#!ipxe\n{lines}\n").as_bytes())
    }

    /// Puts a script into the image under test.
    pub fn embed(&self, lines: &str) -> Result<()> {
        let name = &self.rules.image;
        let image = fs::read(paths::images().join(name)).context(name)?;
        let script = format!("#!ipxe\n{lines}\n");
        self.tftp(name, &image_variants::assemble::embed_script(&image, script.as_bytes()).context(name)?)
    }

    /// Lets HTTP and TFTP serve a file that is somewhere else.
    pub fn link(&self, target: &Path, name: &str) -> Result<()> {
        for root in ["www", "tftp"] {
            std::os::unix::fs::symlink(target, self.folder.join(root).join(name)).context(name)?;
        }
        Ok(())
    }

    /// Lets TFTP serve PXELINUX, with its configuration.
    pub fn pxelinux(&self, configuration: &str) -> Result<()> {
        for (file, name) in [(paths::PXELINUX, "pxelinux.0"), (paths::LDLINUX, "ldlinux.c32")] {
            self.tftp(name, &fs::read(file).context(file)?)?;
        }
        fs::create_dir_all(self.tftp_root().join("pxelinux.cfg"))?;
        self.tftp("pxelinux.cfg/default", configuration.as_bytes())
    }

    /// A big file that HTTP and TFTP serve under its own name.
    pub fn big_file(&self, mebibytes: usize) -> Result<BigFile> {
        let file = payload::big_file(mebibytes)?;
        self.link(&file.path, &format!("{mebibytes}M.bin"))?;
        Ok(file)
    }

    /// Adds nginx.
    pub fn nginx(&mut self) -> Result<()> {
        let server = servers::nginx(&self.folder.join("www"))?;
        self.servers.push(server);
        Ok(())
    }

    /// Adds a dnsmasq.
    pub fn dnsmasq(&mut self, role: &Dnsmasq<'_>) -> Result<()> {
        let server = role.start(&self.tftp_root())?;
        self.servers.push(server);
        Ok(())
    }

    /// Adds another running server.
    pub fn keep(&mut self, server: Guarded) {
        self.servers.push(server);
    }

    /// The usual network: nginx, and dnsmasq that gives the image to ROMs and the script by HTTP to user class iPXE.
    pub fn usual_servers(&mut self) -> Result<()> {
        self.nginx()?;
        let image = self.rules.image.clone();
        self.dnsmasq(&Dnsmasq::Full { rom: Some(&image), ipxe: Some(SCRIPT_URI) })
    }

    /// The network's weather, once our image runs.
    pub fn weather(&mut self, weather: Weather) {
        self.rules.weather = weather;
    }

    /// DHCP servers fall silent once our image is asked for.
    pub fn no_dhcp_for_image(&mut self) {
        self.rules.no_dhcp_for_image = true;
    }

    /// Puts a boot server on the wire that listens to many only.
    pub fn boot_server(&mut self, server: BootServer) {
        self.rules.boot_server = Some(server);
    }

    /// A machine whose card has the ROM of the tests, with these quirks. It boots our image without the network.
    pub fn quirk_rom(&mut self, quirks: &[(Quirk, u8)]) -> Result<Options> {
        self.rules.image_runs = true;
        rom::machine(&self.tftp_root().join(&self.rules.image), quirks)
    }

    /// Switches a machine on.
    pub fn machine(&mut self, options: &Options) -> Result<Machine> {
        self.rules.image_runs |= !options.medium.is_empty() || options.card.contains("romfile=");
        if let Wire::Trunk(vlan) = options.wire {
            self.rules.vlan = Some(vlan);
        }
        if matches!(options.wire, Wire::Bridge | Wire::Trunk(_)) {
            self.peer = Some(Peer::start(self.rules.clone())?);
        }
        Machine::start(options)
    }

    /// What was seen on the wire.
    pub fn facts(&self) -> Result<Facts> {
        self.peer.as_ref().map(Peer::facts).ok_or_else(|| Failure::new("this machine has no peer"))
    }

    /// A file that a server wrote in the scenario's folder.
    pub fn log(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.join(name)).context(name)
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    // What is linked there is not ours.
    let _ = fs::remove_file(path);
    fs::write(path, content).context(path.display())
}

/// The script lines that boot the payload's kernel by HTTP, with `extra` lines before `boot`. The kernel counts the timer's
/// interrupts when it starts, and panics if an emulator that does not get its time has too few; it is told not to.
pub fn boot_lines(extra: &str) -> String {
    format!(
        "kernel http://{SERVER}/vmlinuz console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\n\
         initrd http://{SERVER}/initrd\n{extra}boot"
    )
}

/// KiB of base memory that may be ours when a kernel is started; and where a call of the ROM may come back still, and
/// write to the block that it was given.
const BASE_MEMORY: u16 = 24;
const BASE_MEMORY_WITH_BLOCK: u16 = 40;

/// Waits for user space and for the machine to switch itself off; then the command line must be as the script had
/// it, and where we started the kernel, little of base memory was in use.
pub fn expect_user_space(machine: &mut Machine, seconds: u64) -> Result<()> {
    machine.expect(text::USER_SPACE, seconds)?;
    let transcript = machine.transcript();
    let hangs = transcript.count(text::CALL_NOT_BACK) > 0;
    let limit = if hangs { BASE_MEMORY_WITH_BLOCK } else { BASE_MEMORY };
    for in_use in transcript.all_between("Base memory in use: ", " KiB") {
        let is_little = in_use.parse().is_ok_and(|kib: u16| kib <= limit);
        ensure(is_little, || format!("{in_use} KiB of base memory were in use"))?;
    }
    let line = machine.transcript().between("RIG-MARK cmdline=", ";").unwrap_or_default();
    ensure(line.contains("console=ttyS0,115200panic=-1no_timer_checkquietrig=on"), || {
        format!("the command line was {line:?}")
    })?;
    machine.expect_power_off(20)
}

/// Whether the kernel saw the file `/rig/NAME` with that digest.
pub fn check_digest(machine: &Machine, name: &str, sha256: &str) -> Result<()> {
    let seen = machine.transcript().between(&format!("RIG-MARK file=/rig/{name} sha256="), ";");
    ensure(seen.as_deref() == Some(sha256), || {
        format!("/rig/{name} arrived as {}, not as {sha256}", seen.as_deref().unwrap_or("nothing"))
    })
}
