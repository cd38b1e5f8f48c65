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
        Scenario::new("diagnostics-syslog", "a syslog server takes the log line by line", 120, syslog),
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
    for text in [
        "!PXE at ",
        "UNDI segments: ",
        "polling: UNDI_ISR START",
        "ns for an empty one",
        "this image keeps the UNDI",
    ] {
        ensure(said(text) == 1, || format!("{text:?} was said {} times", said(text)))?;
    }
    machine.expect_power_off(10)
}

fn http(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!("echo RIG-MARK unique\ndiag http://{SERVER}/report\necho RIG-MARK sent\npoweroff"))?;
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
    lab.script(&format!(
        "echo RIG-MARK unique\ndiag tftp://{ATFTP}/report.txt\necho RIG-MARK sent\n\
         dmesg tftp://{ATFTP}/none/log.txt || echo RIG-MARK refused\npoweroff"
    ))?;
    lab.usual_servers()?;
    lab.keep(servers::atftpd(&lab.tftp_root())?);
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK sent", 90)?;
    check_report(&std::fs::read_to_string(lab.tftp_root().join("report.txt"))?)?;
    machine.expect(tftp::errors::ACCESS_DENIED.id(), 30)?;
    machine.expect("RIG-MARK refused", 30)?;
    machine.expect_power_off(10)
}

/// Whether a report has a part of each kind.
fn check_report(report: &str) -> Result<()> {
    for text in [
        "iPXE 2.0.0+rs, build ",
        "processor: QEMU TCG CPU",
        "system: Rig Bench",
        "BIOS: SeaBIOS",
        "PCI 0000:00:02.0: 8086:100e class 0200",
        "!PXE at ",
        "the ROM's ACK, 1260 bytes: address 10.77.0.115, server 10.77.0.1, file undionly.kpxe",
        "our ACK, ",
        "0x0 0x9c3ff 1",
        "RIG-MARK unique",
    ] {
        ensure(report.contains(text), || format!("no {text:?} in the report"))?;
    }
    Ok(())
}

fn syslog(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!("echo RIG-MARK unique\ndmesg syslog://{SERVER}\necho RIG-MARK sent\npoweroff"))?;
    lab.usual_servers()?;
    let socket = UdpSocket::bind((SERVER, 514))?;
    socket.set_read_timeout(Some(Duration::from_secs(90)))?;
    let mut machine = lab.machine(&Options::default())?;
    let mut buffer = [0; 2048];
    loop {
        let length = socket.recv(&mut buffer).context("no line came")?;
        let line = String::from_utf8_lossy(&buffer[..length]);
        ensure(line.starts_with("<134>ipxe: "), || format!("a line is {line:?}"))?;
        if line == "<134>ipxe: RIG-MARK unique" {
            break;
        }
    }
    machine.expect("RIG-MARK sent", 30)?;
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
