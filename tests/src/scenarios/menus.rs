//! PXE boot menus: the prompt, the menu, and finding the boot server of what was chosen.

use super::Scenario;
use crate::boot_server::BootServer;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::qemu::{Machine, Options};
use crate::servers::Dnsmasq;
use crate::text;
use std::net::Ipv4Addr;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let group = Ipv4Addr::new(224, 77, 0, 1);
    vec![
        Scenario::new("menu-choice", "F8 shows dnsmasq's menu; the second item boots Linux", 240, choice)
            .quick(),
        Scenario::new("menu-default", "the first item is taken when the prompt's time is up", 180, default),
        Scenario::new("menu-at-once", "without a prompt the menu comes at once", 180, at_once),
        Scenario::new("menu-local", "local boot leads to the next boot device", 180, local),
        Scenario::new("menu-command", "pxebs finds dnsmasq's boot server for a script", 180, command),
        Scenario::new("menu-multicast", "a boot server is found by multicast", 180, move |name| {
            found(name, 1, group)
        }),
        Scenario::new("menu-broadcast", "a boot server is found by broadcast", 180, |name| {
            found(name, 2, Ipv4Addr::BROADCAST)
        }),
        Scenario::new("menu-nobody", "a boot server that is not there ends in its own sentence", 180, nobody),
    ]
}

const PROMPT: &str = "Press F8 for the rig's menu";
const FIRST: &str = "pxe-service=tag:ipxe,x86PC,The first item,first.ipxe";
const SECOND: &str = "pxe-service=tag:ipxe,x86PC,The second item,second.ipxe";
const DISK: &str = "pxe-service=tag:ipxe,x86PC,The disk of this machine";

/// A machine that is given a menu by dnsmasq, and the scripts of two items.
fn start(name: &str, lines: &[&str]) -> Result<(Lab, Machine)> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("first.ipxe", b"#!ipxe\necho RIG-MARK first\npoweroff\n")?;
    lab.tftp("second.ipxe", format!("#!ipxe\necho RIG-MARK second\n{}\n", boot_lines("")).as_bytes())?;
    lab.nginx()?;
    lab.dnsmasq(&Dnsmasq::Menu { rom: KPXE, lines })?;
    let machine = lab.machine(&Options::default())?;
    Ok((lab, machine))
}

fn choice(name: &str) -> Result<()> {
    let prompt = format!("pxe-prompt=tag:ipxe,{PROMPT},30");
    let (lab, mut machine) = start(name, &[&prompt, FIRST, SECOND, DISK])?;
    machine.expect(PROMPT, 90)?;
    machine.control()?.keys(&["f8"])?;
    for item in ["The first item", "The second item", "The disk of this machine"] {
        machine.expect(item, 30)?;
    }
    let mut control = machine.control()?;
    control.keys(&["down"])?;
    control.keys(&["ret"])?;
    machine.expect("RIG-MARK second", 60)?;
    expect_user_space(&mut machine, 150)?;
    ensure(lab.log("dnsmasq.log")?.contains("second.ipxe"), || "dnsmasq did not name the file".to_owned())
}

fn default(name: &str) -> Result<()> {
    let prompt = format!("pxe-prompt=tag:ipxe,{PROMPT},2");
    let (_lab, mut machine) = start(name, &[&prompt, FIRST, SECOND])?;
    machine.expect(PROMPT, 90)?;
    machine.expect("RIG-MARK first", 60)?;
    machine.expect_power_off(10)
}

fn at_once(name: &str) -> Result<()> {
    let (_lab, mut machine) = start(name, &[FIRST, SECOND])?;
    machine.expect("The first item", 90)?;
    machine.expect("The second item", 10)?;
    machine.control()?.keys(&["ret"])?;
    machine.expect("RIG-MARK first", 60)?;
    machine.expect_power_off(10)
}

fn local(name: &str) -> Result<()> {
    let prompt = format!("pxe-prompt=tag:ipxe,{PROMPT},0");
    let (_lab, mut machine) = start(name, &[&prompt, DISK, FIRST])?;
    machine.expect(text::NEXT_DEVICE, 90)
}

fn command(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.embed(
        "dhcp\npxebs net7 32768 || echo RIG-MARK no card\npxebs net0 1 || echo RIG-MARK refused\n\
         pxebs netX 32768 && echo RIG-MARK found ${pxebs/filename}\n\
         chain tftp://${pxebs/next-server}/${pxebs/filename}",
    )?;
    lab.tftp("first.ipxe", b"#!ipxe\necho RIG-MARK first\npoweroff\n")?;
    lab.dnsmasq(&Dnsmasq::Menu { rom: KPXE, lines: &[FIRST, SECOND] })?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(script::errors::NO_CARD.id(), 90)?;
    machine.expect("RIG-MARK no card", 10)?;
    machine.expect(dhcp::errors::NO_WAY.id(), 10)?;
    machine.expect("RIG-MARK refused", 10)?;
    machine.expect("RIG-MARK found first.ipxe", 30)?;
    machine.expect("RIG-MARK first", 30)?;
    machine.expect_power_off(10)
}

/// A menu of one item, 4711, whose boot servers are found as `control` says.
fn menu(control: u8) -> [String; 5] {
    [
        "dhcp-option-force=tag:ipxe,60,PXEClient".to_owned(),
        format!("dhcp-option-force=tag:ipxe,vendor:PXEClient,6,{control}b"),
        "dhcp-option-force=tag:ipxe,vendor:PXEClient,7,224.77.0.1".to_owned(),
        // The item and its text, which is `away`; a prompt without a time.
        "dhcp-option-force=tag:ipxe,vendor:PXEClient,9,12:67:04:61:77:61:79".to_owned(),
        "dhcp-option-force=tag:ipxe,vendor:PXEClient,10,00:72:69:67".to_owned(),
    ]
}

fn found(name: &str, control: u8, listens: Ipv4Addr) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("away.ipxe", b"#!ipxe\necho RIG-MARK away, from ${pxebs/dhcp-server}\npoweroff\n")?;
    let lines = menu(control);
    lab.dnsmasq(&Dnsmasq::Menu { rom: KPXE, lines: &lines.each_ref().map(String::as_str) })?;
    lab.boot_server(BootServer { listens, kind: 0x1267, file: "away.ipxe" });
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(&format!("RIG-MARK away, from {}", crate::namespace::SECOND), 120)?;
    machine.expect_power_off(10)
}

fn nobody(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let lines = menu(0);
    lab.dnsmasq(&Dnsmasq::Menu { rom: KPXE, lines: &lines.each_ref().map(String::as_str) })?;
    let mut machine = lab.machine(&Options::default())?;
    super::autoboot::expect_ending(&mut machine, text::NO_BOOT_SERVER)
}
