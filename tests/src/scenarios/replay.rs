//! Cases of the script language, run in the image: the same effects as the interpreter on the host has, wherever the
//! screen, a server or the booted kernel shows them.
//!
//! The case's script is started by one of ours, which makes its world and says how it ended. Not seen are: blanks at a
//! line's end, exit codes, the list of images, what a program that comes back was given, and how effects on the screen
//! and on the network alternate.

use super::Scenario;
use crate::case::{Boot, Case, Effect, Form, Key, Menu, Program, Prompt, Read, Request, on_the_wire};
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KPXE, Lab, SCRIPT_URI};
use crate::namespace::SERVER;
use crate::qemu::{Control, Machine, Options};
use crate::recorder::{Fillers, Recorder, Seen};
use crate::servers::Dnsmasq;
use crate::{paths, payload, quirk, text};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The cases of ours that run without being named; they are in the quick set.
const QUICK: [&str; 5] =
    ["kernel-arguments", "menu-keys", "nested-scripts", "posted-form", "returning-programs"];

/// The scenarios of this topic: one for each file.
pub fn all() -> Vec<Scenario> {
    let mut files: Vec<_> = fs::read_dir(paths::cases())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().map(|path| scenario(path)).collect()
}

fn scenario(path: &Path) -> Scenario {
    let (about, obstacle) = match Case::read(path) {
        Ok(case) => (case.title.clone(), case.obstacle()),
        Err(failure) => (failure.to_string(), None),
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let quick = QUICK.contains(&name.as_str());
    let path = path.to_owned();
    let run = move |scenario: &str| replay(scenario, &Case::read(&path)?);
    Scenario { quick, by_name: !quick, obstacle, ..Scenario::new(format!("replay-{name}"), about, 300, run) }
}

/// How long the machine may be silent about an effect, in seconds.
const PATIENCE: u64 = 40;

/// How long a download may take, in seconds.
const DOWNLOAD: u64 = 120;

/// The time in which a dialogue that has begun to be drawn listens to the keyboard.
const SETTLE: Duration = Duration::from_millis(500);

/// Said before the case's script starts, and how it ended.
const BEGIN: &str = "RIG-MARK the case begins";
const END: &str = "RIG-MARK the case ends: ";

/// The width of the screen.
const COLUMNS: usize = 80;

fn replay(name: &str, case: &Case) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let payload = payload::prepare()?;
    let initrd = fs::read(&payload.initrd).context("initrd")?;
    let executable =
        if case.is_long() { quirk::kernel()? } else { fs::read(&payload.kernel).context("kernel")? };
    let broken = quirk::truncated_kernel()?;
    let others = vec![
        (SCRIPT_URI.to_owned(), frame(case)?.into_bytes()),
        (format!("http://{SERVER}/initrd"), initrd.clone()),
    ];
    // A kernel finds user space in whatever a case gives it for an initrd.
    let data = if case.booted().is_some() { initrd } else { b"data\n".to_vec() };
    let returning = returning_programs(case)?;
    let recorder = Recorder::start(case, &Fillers { executable, broken, returning, data }, others)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(SCRIPT_URI) })?;
    let card = case.settings.nics.first().ok_or_else(|| Failure::new("no card"))?;
    let mut machine = lab.machine(&Options { mac: card.mac.clone(), ..Options::default() })?;
    machine.expect(BEGIN, 60)?;
    let mut requests = 1;
    for effect in &case.expect {
        if let Effect::Request(_) = effect {
            requests += 1;
            recorder.wait(requests, DOWNLOAD)?;
        }
        live(effect, case, &mut machine)?;
    }
    machine.expect_power_off(30)?;
    check_echoes(case, &machine.transcript().lines())?;
    check_requests(case, &recorder.seen())
}

/// The programs that come back, by name.
fn returning_programs(case: &Case) -> Result<BTreeMap<String, Vec<u8>>> {
    let names = case.responses.boot.keys();
    let programs = names.filter_map(|name| match case.program(name)? {
        Program::Returning { place, has_failed } => Some((name, place, has_failed)),
        _ => None,
    });
    programs.map(|(name, place, has_failed)| Ok((name.clone(), quirk::again(place, has_failed)?))).collect()
}

/// The script that makes the case's world, starts its first script, and says what is left behind.
fn frame(case: &Case) -> Result<String> {
    let first = case.script.first().map(|script| &script.uri).ok_or_else(|| Failure::new("no script"))?;
    let mut lines =
        "#!ipxe\nclear net0.dhcp/filename\nclear net0.dhcp/next-server\nclear net0.dhcp/domain\n".to_owned();
    if !case.is_at_home() {
        // Found before those of the machine, wherever the script names no block.
        lines +=
            &format!("set platform {}\nset buildarch {}\n", case.settings.platform, case.settings.buildarch);
    }
    for (name, value) in &case.settings.values {
        lines += &format!("set {name} {value}\n");
    }
    if case.booted().is_some() {
        lines += &format!("imgfetch --name rig-initrd http://{SERVER}/initrd\n");
    }
    lines += &format!("echo {BEGIN}\nchain --autofree {first} && echo {END}success; || echo {END}failure;\n");
    for effect in &case.expect {
        if let Effect::Final { values } = effect {
            for name in values.keys() {
                lines += &format!("echo RIG-MARK {name}=[${{{name}}}];\n");
            }
        }
    }
    Ok(lines + "poweroff\n")
}

/// Waits for what an effect shows on the screen, and does what the user does.
fn live(effect: &Effect, case: &Case, machine: &mut Machine) -> Result<()> {
    match effect {
        Effect::Echo { echo } => machine.expect(echo, PATIENCE),
        Effect::Menu { menu } => answer_menu(menu, machine),
        Effect::Form { form } => answer_form(form, machine),
        Effect::Read { read } => answer_line(read, machine),
        Effect::Prompt { prompt } => answer_prompt(prompt, machine),
        Effect::Boot { boot: Boot { image, outcome: Some(outcome), .. } } => {
            let failure = match case.program(image) {
                Some(Program::Returning { .. }) => {
                    machine.expect(&format!("Starting {image}"), PATIENCE)?;
                    text::PROGRAM_FAILED
                }
                _ => text::KERNEL_TRUNCATED,
            };
            let failure = failure.iter().filter(|_| outcome == "fail");
            failure.into_iter().try_for_each(|id| machine.expect(id, PATIENCE))
        }
        Effect::Boot { boot } => {
            machine.expect(text::USER_SPACE, 180)?;
            let seen = machine.transcript().between("RIG-MARK bytes=", ";").unwrap_or_default();
            let wanted: String =
                format!("{}\n", boot.args).bytes().map(|byte| format!("{byte:02x}")).collect();
            ensure(seen == wanted, || {
                let seen = machine.transcript().between("RIG-MARK cmdline=", ";").unwrap_or_default();
                format!("the kernel was given {seen:?}, not {:?}", boot.args)
            })
        }
        Effect::End { script_end } => machine.expect(&format!("{END}{};", script_end.status), PATIENCE),
        Effect::Final { values } if case.booted().is_none() => values
            .iter()
            .try_for_each(|(name, value)| machine.expect(&format!("RIG-MARK {name}=[{value}];"), PATIENCE)),
        _ => Ok(()),
    }
}

fn answer_menu(menu: &Menu, machine: &mut Machine) -> Result<()> {
    let mut control = begin(machine, &menu.title, menu.items.iter().map(|(_, text)| text.as_str()))?;
    let user = &menu.user;
    if let Some(wanted) = &user.select {
        let names = || menu.items.iter().filter_map(|(name, _)| name.as_ref());
        let place = |wanted: &String| {
            names().position(|name| name == wanted).ok_or_else(|| Failure(format!("no item is {wanted}")))
        };
        let (from, to) = (place(&menu.initial_selection)?, place(wanted)?);
        let key = if from < to { "down" } else { "up" };
        for _ in 0..from.abs_diff(to) {
            control.keys(&[key])?;
            thread::sleep(SETTLE);
        }
        control.keys(&["ret"])
    } else if let Some(key) = user.key {
        press(&mut control, key)
    } else if user.enter {
        control.keys(&["ret"])
    } else if user.cancel {
        control.keys(&["esc"])
    } else {
        Ok(())
    }
}

/// Waits until a dialogue is drawn, from its title to its last line.
fn begin<'a>(machine: &mut Machine, title: &str, lines: impl Iterator<Item = &'a str>) -> Result<Control> {
    machine.expect(title, PATIENCE)?;
    for line in lines {
        machine.expect(line, PATIENCE)?;
    }
    thread::sleep(SETTLE);
    machine.control()
}

fn press(control: &mut Control, key: Key) -> Result<()> {
    let character = key.character().ok_or_else(|| Failure(format!("{key:?} is no character")))?;
    control.press(character)
}

/// Puts a text where another may stand already.
fn replace(control: &mut Control, text: &str) -> Result<()> {
    control.keys(&["ctrl", "u"])?;
    thread::sleep(SETTLE);
    control.type_line(text)
}

fn answer_form(form: &Form, machine: &mut Machine) -> Result<()> {
    let mut control = begin(machine, &form.title, form.items.iter().map(|(_, label, _)| label.as_str()))?;
    if form.user.cancel {
        return control.keys(&["esc"]);
    }
    for (name, ..) in &form.items {
        let Some(name) = name else { continue };
        match form.user.values.as_ref().and_then(|values| values.get(name)) {
            Some(text) => replace(&mut control, text)?,
            None => control.keys(&["ret"])?,
        }
        thread::sleep(SETTLE);
    }
    Ok(())
}

fn answer_line(read: &Read, machine: &mut Machine) -> Result<()> {
    let mut control = begin(machine, &read.prefill, [].into_iter())?;
    match &read.user.text {
        Some(text) => replace(&mut control, text),
        None => control.keys(&["ctrl", "c"]),
    }
}

fn answer_prompt(prompt: &Prompt, machine: &mut Machine) -> Result<()> {
    machine.expect(&prompt.text, PATIENCE)?;
    let mut control = machine.control()?;
    // What is waited for in less time than dialogues are given may be typed ahead as well.
    prompt.user.key.map_or(Ok(()), |key| press(&mut control, key))
}

/// Each echo that is a line of its own must be one, with its blanks.
fn check_echoes(case: &Case, lines: &[String]) -> Result<()> {
    let mut lines = lines.iter().skip_while(|line| !line.contains(BEGIN));
    let mut is_line_begun = false;
    for effect in &case.expect {
        let Effect::Echo { echo } = effect else {
            is_line_begun = false;
            continue;
        };
        let line = echo.strip_suffix('\n');
        if let (Some(line), false) = (line, is_line_begun)
            && line.len() < COLUMNS
        {
            ensure(lines.any(|seen| seen == line.trim_end()), || format!("no line was {line:?}"))?;
        }
        is_line_begun = line.is_none();
    }
    Ok(())
}

/// The requests must be the case's, no more and no less, in order.
fn check_requests(case: &Case, seen: &[Seen]) -> Result<()> {
    let mut seen = seen.iter().skip(1);
    for effect in &case.expect {
        let Effect::Request(wanted) = effect else { continue };
        let seen = seen.next().ok_or_else(|| Failure(format!("{} was not asked for", wanted.request)))?;
        ensure(is_same(wanted, seen), || format!("expected {wanted:?}, and the server was asked {seen:?}"))?;
    }
    seen.next().map_or(Ok(()), |seen| Err(Failure(format!("{} was asked for, too", seen.address))))
}

fn is_same(wanted: &Request, seen: &Seen) -> bool {
    let usual = if wanted.post_params.is_empty() { "GET" } else { "POST" };
    seen.address == on_the_wire(&wanted.request)
        && seen.method == wanted.method.as_deref().unwrap_or(usual)
        && seen.is_found == (wanted.outcome == "ok")
        && seen.fields() == wanted.post_params
        && wanted.headers.iter().all(|(name, value)| seen.header(name) == Some(value))
}
