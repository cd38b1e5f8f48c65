//! What is booted: the script inside the image, the file that DHCP names, `autoexec.ipxe`, or the next device.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, SCRIPT_URI, boot_lines, expect_user_space};
use crate::qemu::{Machine, Options};
use crate::servers::Dnsmasq;
use crate::text::{self, Ending};
use std::thread;
use std::time::Duration;

/// A script that shows that it runs, and then switches the machine off.
const AUTOEXEC: &[u8] = b"#!ipxe\necho RIG-MARK autoexec\npoweroff\n";

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "autoboot-embedded",
            "the image's own script runs, and nothing is sent before",
            240,
            embedded,
        )
        .quick(),
        Scenario::new("autoboot-autoexec", "our own image as answer: autoexec.ipxe runs", 120, autoexec)
            .quick(),
        Scenario::new(
            "autoboot-autoexec-no-answer",
            "no DHCP answer: autoexec.ipxe runs",
            120,
            autoexec_no_answer,
        ),
        Scenario::new(
            "autoboot-named-file-wins",
            "a file named by DHCP goes before autoexec.ipxe, and boots a kernel",
            240,
            named_wins,
        ),
        Scenario::new("autoboot-own-image", "our own image as only answer ends the loop", 120, own_image)
            .quick(),
        Scenario::new("autoboot-exit", "exit goes on to the next boot device", 120, exit).quick(),
        Scenario::new("autoboot-exit-kkpxe", "exit of the image that keeps all", 120, exit_kkpxe),
        Scenario::new(
            "autoboot-shell",
            "Ctrl-B in the countdown gives a shell that takes commands",
            180,
            shell,
        )
        .quick(),
    ]
}

/// One of the errors, then the countdown, and then the next boot device.
pub fn expect_ending(machine: &mut Machine, ending: Ending) -> Result<()> {
    expect_error(machine, ending)?;
    machine.expect(text::NEXT_DEVICE, 60)
}

/// Waits for an error, and the countdown after it.
pub fn expect_error(machine: &mut Machine, ending: Ending) -> Result<()> {
    let ids: Vec<String> = ending.iter().map(|id| format!("[{id}]")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    machine.expect_any(&ids, 150)?;
    machine.expect(text::COUNTDOWN, 60)
}

fn embedded(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.embed(&format!("echo RIG-MARK embedded\nsleep 4\ndhcp\necho RIG-MARK joined\n{}", boot_lines("")))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK embedded", 60)?;
    thread::sleep(Duration::from_secs(2));
    let early = lab.facts()?.dhcp_by_image;
    ensure(early == 0, || format!("{early} DHCP frames were sent before the script asked"))?;
    machine.expect("RIG-MARK joined", 30)?;
    expect_user_space(&mut machine, 200)
}

fn autoexec(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("autoexec.ipxe", AUTOEXEC)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(KPXE) })?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK autoexec", 90)?;
    machine.expect_power_off(10)
}

fn autoexec_no_answer(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("autoexec.ipxe", AUTOEXEC)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(KPXE) })?;
    lab.no_dhcp_for_image();
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK autoexec", 90)?;
    machine.expect_power_off(10)
}

fn named_wins(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("autoexec.ipxe", AUTOEXEC)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    expect_user_space(&mut machine, 200)?;
    let wrong = machine.transcript().count("RIG-MARK autoexec");
    ensure(wrong == 0, || "autoexec.ipxe ran as well".to_owned())
}

fn own_image(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(KPXE) })?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, text::OWN_IMAGE)?;
    let starts = machine.transcript().count(text::BANNER);
    ensure(starts == 1, || format!("our image started {starts} times"))
}

fn exit(name: &str) -> Result<()> {
    exit_of(name, KPXE)
}

fn exit_kkpxe(name: &str) -> Result<()> {
    exit_of(name, crate::lab::KKPXE)
}

fn exit_of(name: &str, image: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script("echo RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK leaving", 90)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

fn shell(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.nginx()?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(SCRIPT_URI) })?;
    // There is no script behind the name, so the countdown comes.
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(text::SHELL_OFFER, 90)?;
    machine.expect(text::COUNTDOWN, 60)?;
    let mut control = machine.control()?;
    control.keys(&["ctrl", "b"])?;
    machine.expect(text::PROMPT, 20)?;
    // The answer must be the command's, not the echo of the keys.
    control.type_line("echo rig-${} mark".replace("${}", "shell").as_str())?;
    machine.expect("rig-shell mark", 20)?;
    machine.expect("rig-shell mark", 20)?;
    // Tab completes the command, the history brings the line back.
    control.keys(&["e"])?;
    control.keys(&["c"])?;
    control.keys(&["tab"])?;
    control.type_line("completed")?;
    machine.expect("\ncompleted", 20)?;
    control.keys(&["up"])?;
    control.type_line("-again")?;
    machine.expect("\ncompleted-again", 20)?;
    thread::sleep(Duration::from_secs(12));
    control.type_line("exit")?;
    machine.expect(text::NEXT_DEVICE, 60)
}
