//! Menus, forms and the editor of settings, answered from the keyboard.

use super::Scenario;
use crate::failure::Result;
use crate::lab::{KPXE, Lab};
use crate::qemu::Options;
use std::thread;
use std::time::Duration;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("dialogues-keys", "a menu, a form, login and config take keys", 120, keys).quick(),
        Scenario::new(
            "dialogues-time",
            "a menu and a prompt that nobody answers go on, and seconds are counted",
            120,
            time,
        ),
    ]
}

/// The time in which a dialogue that has begun to be drawn listens to the keyboard.
const SETTLE: Duration = Duration::from_millis(500);

fn keys(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(
        "menu Pick a system\nitem --gap Systems\nitem one First system\nitem two Second system\n\
         item --key x three Third system\nchoose --default two system\necho RIG-MARK system ${system};\n\
         menu Pick by key\nitem one First system\nitem --key x three Third system\n\
         choose system\necho RIG-MARK shortcut ${system};\n\
         set user nobody\nform Who are you\nitem user Name of the user\nitem --secret word Password\n\
         present\necho RIG-MARK form ${user} ${word};\n\
         login\necho RIG-MARK login ${username} ${password};\n\
         config\necho RIG-MARK config ${hostname};\n\
         menu Leave\nitem one First system\nchoose system || echo RIG-MARK cancelled\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("Second system", 60)?;
    let mut control = machine.control()?;
    thread::sleep(SETTLE);
    for key in ["up", "down", "ret"] {
        control.keys(&[key])?;
        thread::sleep(SETTLE);
    }
    machine.expect("RIG-MARK system two;", 20)?;
    machine.expect("Third system", 20)?;
    thread::sleep(SETTLE);
    control.keys(&["x"])?;
    machine.expect("RIG-MARK shortcut three;", 20)?;
    machine.expect("Password", 20)?;
    thread::sleep(SETTLE);
    // What stands there goes first.
    control.keys(&["ctrl", "u"])?;
    thread::sleep(SETTLE);
    control.type_line("joe")?;
    control.type_line("geheim")?;
    machine.expect("RIG-MARK form joe geheim;", 20)?;
    machine.expect("Password", 20)?;
    thread::sleep(SETTLE);
    control.type_line("jane")?;
    control.type_line("secret")?;
    machine.expect("RIG-MARK login jane secret;", 20)?;
    machine.expect("hostname", 20)?;
    thread::sleep(SETTLE);
    // Seven blocks come first, and eight settings before hostname.
    for key in ["down"; 15] {
        control.keys(&[key])?;
        thread::sleep(Duration::from_millis(200));
    }
    control.keys(&["ret"])?;
    thread::sleep(SETTLE);
    control.type_line("desk")?;
    thread::sleep(SETTLE);
    control.keys(&["ctrl", "x"])?;
    machine.expect("RIG-MARK config desk;", 20)?;
    machine.expect("First system", 20)?;
    thread::sleep(SETTLE);
    control.keys(&["esc"])?;
    machine.expect("RIG-MARK cancelled", 20)?;
    machine.expect_power_off(20)
}

fn time(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(
        "menu Nobody is here\nitem one First system\nitem --default two Second system\n\
         choose --timeout 3000 system\necho RIG-MARK system ${system};\n\
         sleep 3\necho RIG-MARK awake\nprompt --timeout 3000 Press a key || echo RIG-MARK no key\n\
         echo -n RIG-MARK half\nsleep 2\necho RIG-MARK line\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK system two;", 60)?;
    // What is waited for is said, with the seconds that are left, and gone afterwards.
    for text in ["Sleeping 3 s", "Sleeping 1 s", "RIG-MARK awake", "Press a key 2 s", "RIG-MARK no key"] {
        machine.expect(text, 20)?;
    }
    // But not over what a script has printed.
    machine.expect("RIG-MARK half RIG-MARK line", 20)?;
    machine.expect_power_off(20)
}
