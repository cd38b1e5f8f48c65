//! The image in the emulator that enforces what a real-mode segment is.

use super::Scenario;
use crate::bochs::{Bochs, Disk};
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab};
use std::thread;
use std::time::{Duration, Instant};

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let disk = |name: &str, image: &'static str, kind| {
        let about = format!("the same from {image}, with the driver of ours");
        Scenario::new(format!("bochs-{name}"), about, 400, move |name| prompt(name, image, Some(kind)))
            .by_name()
    };
    vec![
        Scenario::new("bochs", "Bochs: DHCP, a script by HTTP, a line typed at the prompt", 400, |name| {
            prompt(name, KPXE, None)
        }),
        disk("floppy", "ipxe.dsk", Disk::Floppy),
        disk("usb", "ipxe.usb", Disk::Hard),
        disk("cd", "ipxe.iso", Disk::Cd),
    ]
}

/// From a disk, or else by the card's ROM. DHCP names what is to be fetched: the script, or our image. The script asks DHCP
/// itself, whatever the ROM was told.
fn prompt(name: &str, image: &str, disk: Option<Disk>) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.tftp("autoexec.ipxe", b"#!ipxe\ndhcp && chain http://10.0.2.2:8080/boot.ipxe\n")?;
    lab.script("shell")?;
    lab.www("typed", b"1")?;
    lab.nginx()?;
    let file = lab.tftp_root().join(image);
    let bootfile = if disk.is_some() { "autoexec.ipxe" } else { image };
    let mut machine = Bochs::start(disk.map(|disk| (disk, file.as_path())), &lab.tftp_root(), bootfile)?;
    let deadline = Instant::now() + Duration::from_secs(380);
    let asked =
        |file: &str| -> Result<bool> { Ok(lab.log("nginx/access.log")?.contains(&format!("GET /{file} "))) };
    while !asked("boot.ipxe")? {
        machine.still_runs()?;
        ensure(Instant::now() < deadline, || "the script was never asked for".to_owned())?;
        thread::sleep(Duration::from_millis(500));
    }
    while !asked("typed")? {
        machine.type_line("imgfetch typed")?;
        machine.still_runs()?;
        ensure(Instant::now() < deadline, || "the prompt does not do what is typed".to_owned())?;
        thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}
