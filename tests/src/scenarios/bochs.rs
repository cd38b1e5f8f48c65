//! The image in the emulator that enforces what a real-mode segment is.

use super::Scenario;
use crate::bochs::Bochs;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab};
use std::thread;
use std::time::{Duration, Instant};

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![Scenario::new("bochs", "Bochs: DHCP, a script by HTTP, a line typed at the prompt", 400, bochs)]
}

fn bochs(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("autoexec.ipxe", b"#!ipxe\nchain http://10.0.2.2:8080/boot.ipxe\n")?;
    lab.script("shell")?;
    lab.www("typed", b"1")?;
    lab.nginx()?;
    let mut machine = Bochs::start(&lab.tftp_root(), KPXE)?;
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
