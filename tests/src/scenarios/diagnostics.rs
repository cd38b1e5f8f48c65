//! What the firmware tells of the machine and of itself.

use super::Scenario;
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KPXE, Lab};
use crate::namespace::{ATFTP, SERVER};
use crate::qemu::Options;
use crate::servers::{self, POSTED};
use std::net::UdpSocket;
use std::time::Duration;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("diagnostics-screen", "dmesg and pxestat show what they should", 120, screen),
        Scenario::new("diagnostics-http", "a web server takes the whole report by POST", 120, http).quick(),
        Scenario::new(
            "diagnostics-clock",
            "the clock is right where others take the processor away",
            180,
            clock,
        ),
        Scenario::new("diagnostics-tftp", "a TFTP server takes the whole report as a file", 120, tftp_write),
        Scenario::new(
            "diagnostics-network",
            "ping, nslookup, nstat and ipstat see the servers",
            120,
            network,
        )
        .quick(),
        Scenario::new("diagnostics-time", "ntp sets the clock by chrony", 120, time),
        Scenario::new(
            "diagnostics-syslog",
            "a syslog server takes the whole report line by line",
            120,
            syslog,
        ),
    ]
}

fn screen(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script("echo RIG-MARK unique\ndmesg\npxestat\necho RIG-MARK shown\npoweroff")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK shown", 90)?;
    let said = |text: &str| machine.transcript().count(text);
    ensure(said("RIG-MARK unique") == 2, || "dmesg does not repeat what was said".to_owned())?;
    // The log has what was known at start.
    for (text, count) in [
        ("!PXE at ", 2),
        ("UNDI segments: ", 2),
        ("UNDI: kept, as the image asks", 2),
        ("polling: UNDI_ISR START", 1),
        ("ns for an empty one", 1),
        ("this image keeps the UNDI", 2),
    ] {
        ensure(said(text) == count, || format!("{text:?} was said {} times", said(text)))?;
    }
    machine.expect_power_off(10)
}

fn http(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&diag(&format!("http://{SERVER}/report")))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK sent", 90)?;
    let mut posted = std::fs::read_dir(POSTED).context(POSTED)?;
    let file = posted.next().ok_or_else(|| Failure::new("nothing was posted"))??;
    check_report(&std::fs::read_to_string(file.path())?)?;
    machine.expect_power_off(10)
}

fn tftp_write(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let rest = format!("dmesg tftp://{ATFTP}/none/log.txt || echo RIG-MARK refused\npoweroff");
    lab.script(&diag(&format!("tftp://{ATFTP}/report.txt")).replace("poweroff", &rest))?;
    lab.usual_servers()?;
    lab.keep(servers::atftpd(&lab.tftp_root())?);
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK sent", 90)?;
    check_report(&std::fs::read_to_string(lab.tftp_root().join("report.txt"))?)?;
    machine.expect(tftp::errors::ACCESS_DENIED.id(), 30)?;
    machine.expect("RIG-MARK refused", 30)?;
    machine.expect_power_off(10)
}

/// A script after which a report to `address` has something of each kind.
fn diag(address: &str) -> String {
    format!(
        "imgfetch http://{SERVER}/none ||\necho RIG-MARK unique\ndiag {address}\necho RIG-MARK sent\npoweroff"
    )
}

/// Whether a report has a part of each kind.
fn check_report(report: &str) -> Result<()> {
    for text in [
        "iPXE 2.0.0+rs, build ",
        "processor: QEMU TCG CPU",
        "system: Rig Bench",
        "BIOS: SeaBIOS",
        "PCI 0000:00:00.0: 8086:1237 class 0600",
        "PCI 0000:00:02.0: 8086:100e class 0200",
        "!PXE at ",
        "UNDI segments: ",
        "polling: UNDI_ISR START reports frames, IRQ ",
        "this image keeps the UNDI; when a system is started",
        "  UNDI: kept, as the image asks",
        "frames: ",
        " ns for an empty one",
        "the ROM's ACK, 1260 bytes: address 10.77.0.115, server 10.77.0.1, file undionly.kpxe",
        "our ACK, ",
        "0x0 0x9c3ff 1",
        "--- what was tried\ntftp://10.77.0.1/autoexec.ipxe: the TFTP server has no file",
        "RIG-MARK unique",
        http::errors::NOT_FOUND.id(),
    ] {
        ensure(report.contains(text), || format!("no {text:?} in the report"))?;
    }
    Ok(())
}

fn syslog(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&diag(&format!("syslog://{SERVER}")))?;
    lab.usual_servers()?;
    let socket = UdpSocket::bind((SERVER, 514))?;
    socket.set_read_timeout(Some(Duration::from_secs(90)))?;
    let mut machine = lab.machine(&Options::default())?;
    let mut buffer = [0; 2048];
    let mut report = String::new();
    // The log, which comes last, has the script's line.
    while !report.ends_with("RIG-MARK unique\n") {
        let length = socket.recv(&mut buffer).context("no line came")?;
        let line = String::from_utf8_lossy(&buffer[..length]);
        let line = line.strip_prefix("<134>ipxe: ").ok_or_else(|| Failure(format!("a line is {line:?}")))?;
        report.extend([line, "\n"]);
    }
    machine.expect("RIG-MARK sent", 30)?;
    check_report(&report)?;
    machine.expect_power_off(10)
}

fn network(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!(
        "ping --count 3 files.rig.test && echo RIG-MARK there ||\n\
         ping -c 1 -s 1472 -q {SERVER} && echo RIG-MARK large ||\n\
         ping -c 2 -t 300 10.77.0.99 || echo RIG-MARK nobody\n\
         ping -s 9000 {SERVER} || echo RIG-MARK too large\n\
         nstat\nipstat\necho RIG-MARK endless\nping {SERVER} || echo RIG-MARK interrupted\npoweroff"
    ))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    for number in 1..=3 {
        machine.expect(&format!("64 bytes from {SERVER}: seq={number} time="), 90)?;
    }
    for mark in ["there", "large"] {
        machine.expect(&format!("RIG-MARK {mark}"), 20)?;
    }
    machine.expect("no echo from 10.77.0.99", 20)?;
    for mark in ["nobody", "too large"] {
        machine.expect(&format!("RIG-MARK {mark}"), 20)?;
    }
    machine.expect(&format!("net0: {SERVER} is at "), 10)?;
    machine.expect("net0: sent ARP:", 10)?;
    machine.expect("RIG-MARK endless", 10)?;
    machine.expect("seq=3", 30)?;
    machine.control()?.keys(&["ctrl", "c"])?;
    machine.expect("RIG-MARK interrupted", 10)?;
    let received = machine.transcript().between("net0: received ", "net0: sent").unwrap_or_default();
    ensure(received.contains("ICMP:4"), || format!("the echoes were not counted: {received:?}"))?;
    machine.expect_power_off(10)
}

/// The machine's clock is a year behind, and right after `ntp`.
fn time(name: &str) -> Result<()> {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map(|since| since.as_secs()).context("the clock of this machine")
    };
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!(
        "echo RIG-MARK before=${{unixtime}};\nntp {SERVER}\necho RIG-MARK after=${{unixtime}};\n\
         ntp 10.77.0.99 || echo RIG-MARK no server\npoweroff"
    ))?;
    lab.usual_servers()?;
    lab.keep(servers::chronyd()?);
    let options = Options { clock: Some("2020-02-29T12:00:00".to_owned()), ..Options::default() };
    let mut machine = lab.machine(&options)?;
    machine.expect("RIG-MARK after=", 90)?;
    let right = now()?;
    machine.expect("RIG-MARK no server", 60)?;
    let seen = |name: &str| -> Result<u64> {
        let text = machine.transcript().between(&format!("RIG-MARK {name}="), ";").unwrap_or_default();
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        u64::from_str_radix(digits, 16).context(format!("{name} was {text:?}"))
    };
    // 2020-02-29 12:00 is 1582977600.
    let (before, after) = (seen("before")?, seen("after")?);
    ensure(before.abs_diff(1_582_977_600) < 200, || format!("the clock was {before} at first"))?;
    ensure(after.abs_diff(right) < 60, || format!("the clock became {after}, at {right}"))?;
    machine.expect_power_off(10)
}

/// Two boots, the second of which gets the processor for a third of the time, in pieces of some milliseconds.
fn clock(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script("diag\necho RIG-MARK shown\npoweroff")?;
    lab.usual_servers()?;
    let calm = frequency(&mut lab, false)?;
    let starved = frequency(&mut lab, true)?;
    ensure(starved.abs_diff(calm) * 20 < calm, || format!("{calm} MHz became {starved} MHz"))
}

/// The processor's frequency as `diag` shows it.
fn frequency(lab: &mut Lab, is_starved: bool) -> Result<u32> {
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("Filename: undionly.kpxe", 60)?;
    let starvation = match is_starved {
        true => Some(machine.starve(Duration::from_millis(6), Duration::from_millis(12))?),
        false => None,
    };
    machine.expect("Ctrl-B: shell", 60)?;
    drop(starvation);
    machine.expect("processor: ", 60)?;
    machine.expect("RIG-MARK shown", 60)?;
    let line = machine.transcript().between("processor: ", "MHz").unwrap_or_default();
    machine.expect_power_off(10)?;
    line.rsplit(',').next().unwrap_or_default().parse().context(format!("the processor is {line:?}"))
}
