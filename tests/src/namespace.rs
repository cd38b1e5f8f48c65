//! A network of its own for each scenario: a network and a process namespace that end with the scenario.
//!
//! [`enter`] starts a program inside; [`build`] is called there and lays the wires: the bridge `br0` with the
//! servers' addresses, and `tap0` for the machine; `br1` and `tap1` for what is in a VLAN. Nothing has a name outside,
//! so nothing can be left behind.

use crate::expect::tail;
use crate::failure::{Context, Failure, Result};
use crate::paths;
use crate::process::{self, Guarded, tool};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The address of the ordinary servers (dnsmasq, nginx).
pub const SERVER: &str = "10.77.0.1";
/// The address of the servers that misbehave on purpose: not on the bridge, where dnsmasq takes TFTP's port of all
/// addresses.
pub const ROGUE: &str = "10.77.0.2";
/// The address of atftpd, likewise.
pub const ATFTP: &str = "10.77.0.3";
/// The address of the servers in the VLAN, where there is one.
pub const IN_VLAN: &str = "10.88.0.1";
/// The address of ISC dhcpd where it is a second host on the network.
pub const SECOND: &str = "10.77.0.5";

/// The commands that lay the wires, for `ip -batch`.
const WIRES: &str = "\
link set lo up
link add br0 type bridge stp_state 0 forward_delay 0
tuntap add dev tap0 mode tap
link set tap0 master br0
link set tap0 up
link add br1 type bridge stp_state 0 forward_delay 0
tuntap add dev tap1 mode tap
link set tap1 master br1
link set tap1 up
address add 10.77.0.1/24 dev br0
address add 10.88.0.1/24 dev br1
address add 10.77.0.2/32 dev lo
address add 10.77.0.3/32 dev lo
address add fd77::1/64 dev br0 nodad
link set br0 up
link set br1 up
";

/// The flags with which `unshare` works here: as root, or else by a user namespace.
fn flags() -> Result<&'static [&'static str]> {
    let unshare = tool("unshare")?;
    let candidates: [&[&str]; 2] = [
        &["--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
        &["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ];
    let works = |flags: &[&str]| process::run(Command::new(&unshare).args(flags).arg("true")).is_ok();
    candidates.into_iter().find(|flags| works(flags)).ok_or_else(|| {
        Failure::new("boot scenarios need a network namespace: run as root, or allow `unshare -Urn` to users")
    })
}

/// A command that runs in new namespaces; arguments of the program follow. All of its processes die with it.
fn enter(program: &Path) -> Result<Command> {
    let mut command = Command::new(tool("unshare")?);
    command.args(flags()?).arg("--").arg(program);
    Ok(command)
}

/// The argument by which a program starts itself inside namespaces of its own.
pub const INSIDE: &str = "--inside";

/// Starts this program inside, with [`INSIDE`] and `arguments`, for the scenario `name`; gives what it said. Its folder
/// is emptied before: logs of an earlier run would be taken for this one's.
pub fn run_self<'a>(
    name: &str,
    arguments: impl IntoIterator<Item = &'a OsStr>,
    bound: Duration,
) -> Result<String> {
    let folder = paths::scenario(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).context(folder.display())?;
    let log = folder.join("rig.log");
    let mut command = enter(&std::env::current_exe()?)?;
    run(name, command.arg(INSIDE).args(arguments), &log, bound)?;
    fs::read_to_string(&log).context(log.display())
}

/// Runs such a command to its end, its outputs into `log`, and ends it at its bound. Its failure is the log's line
/// that begins with `FAILURE`.
fn run(name: &str, command: &mut Command, log: &Path, bound: Duration) -> Result<()> {
    let out = File::create(log).context(log.display())?;
    let errors = out.try_clone()?;
    // The pipe is what `end_with_parent` hears; waiting with `wait` would close it.
    let mut process = Guarded::start(name, command.stdin(Stdio::piped()).stdout(out).stderr(errors))?;
    let deadline = Instant::now() + bound;
    let status = loop {
        if let Some(status) = process.child().try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            return Err(Failure(format!("not done after its bound of {} s", bound.as_secs())));
        }
        thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(log).unwrap_or_default();
    let reason = said.lines().rev().find_map(|line| line.strip_prefix("FAILURE "));
    Err(Failure(reason.map_or_else(|| format!("{status}\n{}", tail(&said, 10)), str::to_owned)))
}

/// Ends this process, the first in its namespace, and so all others there, when the one that started it is gone:
/// a key pressed there is a signal that `unshare` does not pass on.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
}

/// Lays the wires. To be called once, inside.
pub fn build() -> Result<()> {
    let mut ip = Command::new(tool("ip")?)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("starting ip")?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(WIRES.as_bytes())?;
    }
    // QEMU's socket network devices reorder frames when a socket's queue, of 10 frames by default, is full. Where this
    // may not be set (a user namespace), scenarios work as well: the network is allowed to reorder.
    let _ = fs::write("/proc/sys/net/unix/max_dgram_qlen", "1000");
    let status = ip.wait()?;
    if status.success() { Ok(()) } else { Err(Failure(format!("laying the wires with ip: {status}"))) }
}
