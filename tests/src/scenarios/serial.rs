//! The serial console: named by the BIOS or chosen, beside the screen, and never twice. And keyboards.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::qemu::Options;
use crate::text;
use std::thread;
use std::time::Duration;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "serial-named",
            "text and keys on the line that the ACPI table SPCR names, and on the screen",
            240,
            named,
        )
        .quick(),
        Scenario::new(
            "serial-mirror",
            "a BIOS that shows its screen on that line shows everything once",
            120,
            mirror,
        ),
        Scenario::new("serial-chosen", "a script chooses the line and gives it up", 120, chosen),
        Scenario::new("serial-keymap", "a keyboard types what its layout says", 120, keymap),
    ]
}

fn named(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let boot = boot_lines("");
    lab.script(&format!(
        "echo RIG-MARK begin\nshell\n\
         menu Systems\nitem one First system\nitem two Second system\nchoose --keep system\n\
         echo RIG-MARK system ${{system}};\n\
         choose system || echo RIG-MARK escaped\n\
         prompt --key x && echo RIG-MARK key || echo RIG-MARK none\n{boot}"
    ))?;
    lab.usual_servers()?;
    let options = Options { own_serial: true, names_serial: true, ..Options::default() };
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BANNER, 60)?;
    machine.expect("RIG-MARK begin", 60)?;
    machine.expect(text::PROMPT, 20)?;
    machine.send("set x typed\r\necho RIG-MARK ${x};\r")?;
    machine.expect("RIG-MARK typed;", 20)?;
    // The line comes before the screen.
    machine.expect(text::PROMPT, 20)?;
    let screen = machine.control()?.text()?;
    ensure(screen.contains("RIG-MARK begin") && screen.contains("RIG-MARK typed;"), || {
        format!("the screen shows\n{screen}")
    })?;
    // The last line but one again, and then the last with something behind it.
    machine.send("\x1b[A\x1bOA\x1b[B again\r")?;
    machine.expect("RIG-MARK typed; again", 20)?;
    machine.send("exit\r")?;
    machine.expect("Second system", 20)?;
    machine.send("\x1b[B\r")?;
    machine.expect("RIG-MARK system two;", 20)?;
    machine.expect("Second system", 20)?;
    machine.send("\x1b")?;
    machine.expect("RIG-MARK escaped", 20)?;
    machine.send("x")?;
    machine.expect("RIG-MARK key", 20)?;
    expect_user_space(&mut machine, 200)
}

fn mirror(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(
        "echo RIG-MARK once\nset serial-port 1\necho RIG-MARK chosen\nprompt\necho RIG-MARK key\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { names_serial: true, ..Options::default() })?;
    machine.expect("RIG-MARK chosen", 60)?;
    // The BIOS takes the keys, too.
    machine.send("x")?;
    machine.expect("RIG-MARK key", 20)?;
    machine.expect_power_off(20)?;
    for text in ["RIG-MARK once", "RIG-MARK chosen", "RIG-MARK key", text::BANNER] {
        let count = machine.transcript().count(text);
        ensure(count == 1, || format!("{text:?} came {count} times"))?;
    }
    Ok(())
}

fn chosen(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(
        "echo RIG-MARK screen\nset serial-port 1\necho RIG-MARK chosen\nset serial-port 4\n\
         prompt\necho RIG-MARK key\nset serial-port 0\necho RIG-MARK given up\n\
         set serial-port com1\nset serial-port 1\necho RIG-MARK again\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { own_serial: true, ..Options::default() })?;
    machine.expect("RIG-MARK chosen", 60)?;
    // Another port is not there, and this one stays.
    machine.expect("[BOOT-19]", 20)?;
    machine.send("x")?;
    machine.expect("RIG-MARK key", 20)?;
    machine.expect("RIG-MARK again", 20)?;
    machine.expect_power_off(20)?;
    for text in ["RIG-MARK screen", "RIG-MARK given up"] {
        ensure(machine.transcript().count(text) == 0, || format!("{text:?} came to the line"))?;
    }
    ensure(machine.transcript().count("[BOOT-19]") == 1, || "a line that was given up was used".to_owned())?;
    Ok(())
}

fn keymap(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(
        "set keymap de\necho RIG-MARK german\nread word\necho RIG-MARK word ${word};\n\
         set keymap xx\nclear keymap\necho RIG-MARK american\nread other\necho RIG-MARK other ${other};\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK german", 60)?;
    let mut control = machine.control()?;
    for keys in [
        &["y"][..],
        &["shift", "y"],
        &["minus"],
        &["shift", "7"],
        &["alt_r", "q"],
        &["less"],
        &["shift", "less"],
    ] {
        thread::sleep(Duration::from_millis(200));
        control.keys(keys)?;
    }
    thread::sleep(Duration::from_millis(200));
    control.keys(&["ret"])?;
    // The rig leaves out what is not ASCII.
    machine.expect("RIG-MARK word zZ/@<>;", 20)?;
    machine.expect("[BOOT-20]", 20)?;
    machine.expect("RIG-MARK american", 20)?;
    control.type_line("yz")?;
    machine.expect("RIG-MARK other yz;", 20)?;
    machine.expect_power_off(20)
}
