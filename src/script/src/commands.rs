//! The commands.

use crate::errors::{
    FALSE, NO_CARD, NO_CONFIGURATOR, NO_IMAGE, NOT_COUNTABLE, NOT_EXECUTABLE, NOT_SET, OTHER_KEY, TIMEOUT,
};
use crate::interpreter::{Failure, Flow};
use crate::location::readable;
use crate::options::{Call, Choice, number, text};
use crate::{Fetch, Image, ImageId, Subject, Type};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Error};
use settings::{Kind, Tree};

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// What follows the name.
    pub(crate) usage: &'static str,
    pub(crate) options: &'static [Choice],
    /// The least number of arguments.
    pub(crate) least: usize,
    /// The most.
    pub(crate) most: usize,
    pub(crate) run: fn(&mut Call<'_>) -> Result<Flow, Failure>,
}

type Done = Result<Flow, Failure>;

const fn flag(short: u8, long: &'static str) -> Choice {
    Choice { short, long, value: false }
}

const fn value(short: u8, long: &'static str) -> Choice {
    Choice { short, long, value: true }
}

const FETCH: &[Choice] = &[
    value(b'n', "name"),
    value(b't', "timeout"),
    flag(b'q', "quiet"),
    flag(b'a', "autofree"),
    flag(b'r', "replace"),
];
/// All of the above but `--replace`.
const IMAGE: &[Choice] =
    &[value(b'n', "name"), value(b't', "timeout"), flag(b'q', "quiet"), flag(b'a', "autofree")];
const CARDS: &[Choice] = &[value(b'c', "configurator"), value(b't', "timeout")];

const IMAGE_USAGE: &str = "[--name NAME] [--timeout MS] [--quiet] [--autofree] URI [ARGUMENT...]";
const SELECT_USAGE: &str = "[--name NAME] [--timeout MS] [--quiet] [--autofree] URI|IMAGE [ARGUMENT...]";
const BOOT_USAGE: &str =
    "[--name NAME] [--timeout MS] [--quiet] [--autofree] [--replace] [URI|IMAGE [ARGUMENT...]]";
const CARDS_USAGE: &str = "[--configurator NAME] [--timeout MS] [CARD...]";

/// Any number of arguments.
const ANY: usize = usize::MAX;

const fn command(
    name: &'static str,
    usage: &'static str,
    options: &'static [Choice],
    least: usize,
    most: usize,
    run: fn(&mut Call<'_>) -> Done,
) -> Command {
    Command { name, usage, options, least, most, run }
}

/// All commands, by name.
pub(crate) static COMMANDS: &[Command] = &[
    command("boot", BOOT_USAGE, FETCH, 0, ANY, boot),
    command("chain", BOOT_USAGE, FETCH, 0, ANY, boot),
    command("clear", "SETTING", &[], 1, 1, clear),
    command("dhcp", CARDS_USAGE, CARDS, 0, ANY, configure),
    command("diag", "[URI]", &[], 0, 1, |call| diagnose(call, Subject::Everything)),
    command("dmesg", "[URI]", &[], 0, 1, |call| diagnose(call, Subject::Log)),
    command("echo", "[-n] [TEXT...]", &[flag(b'n', "n")], 0, ANY, echo),
    command("exit", "[STATUS]", &[], 0, 1, exit),
    command("goto", "LABEL", &[], 1, 1, goto),
    command("help", "", &[], 0, 0, help),
    command("ifconf", CARDS_USAGE, CARDS, 0, ANY, configure),
    command("imgargs", SELECT_USAGE, IMAGE, 1, ANY, image_arguments),
    command("imgexec", BOOT_USAGE, FETCH, 0, ANY, boot),
    command("imgfetch", IMAGE_USAGE, IMAGE, 1, ANY, fetch),
    command("imgfree", "[IMAGE...]", &[], 0, ANY, free),
    command("imgload", SELECT_USAGE, IMAGE, 1, ANY, select),
    command("imgselect", SELECT_USAGE, IMAGE, 1, ANY, select),
    command("imgstat", "[IMAGE...]", &[], 0, ANY, list),
    command("inc", "SETTING [STEP]", &[], 1, 2, increase),
    command("initrd", IMAGE_USAGE, IMAGE, 1, ANY, fetch),
    command("iseq", "TEXT TEXT", &[], 2, 2, is_equal),
    command("isset", "TEXT", &[], 1, 1, is_set),
    command("kernel", SELECT_USAGE, IMAGE, 1, ANY, select),
    command("module", IMAGE_USAGE, IMAGE, 1, ANY, fetch),
    command("poweroff", "", &[], 0, 0, power_off),
    command(
        "prompt",
        "[--key KEY] [--timeout MS] [TEXT...]",
        &[value(b'k', "key"), value(b't', "timeout")],
        0,
        ANY,
        prompt,
    ),
    command("pxestat", "[URI]", &[], 0, 1, |call| diagnose(call, Subject::PxeStack)),
    command("reboot", "[--warm] [--setup]", &[flag(b'w', "warm"), flag(b's', "setup")], 0, 0, reboot),
    command("set", "SETTING [VALUE...]", &[], 1, ANY, set),
    command("shell", "", &[], 0, 0, shell),
    command("show", "[--quiet] SETTING", &[flag(b'q', "quiet")], 1, 1, show),
    command("sleep", "SECONDS", &[], 1, 1, sleep),
];

// Text and flow.

fn echo(call: &mut Call<'_>) -> Done {
    let mut line = call.joined(0);
    if !call.flag(b'n') {
        line.push(b'\n');
    }
    call.host.print(&line);
    Ok(Flow::Next)
}

fn exit(call: &mut Call<'_>) -> Done {
    let Some(status) = call.arguments.first() else { return Ok(Flow::Exit(0)) };
    let [.., a, b, c, d] = number(status)?.to_be_bytes();
    Ok(Flow::Exit(u32::from_be_bytes([a, b, c, d])))
}

fn goto(call: &mut Call<'_>) -> Done {
    Ok(Flow::Goto(call.argument(0).to_vec()))
}

fn shell(_: &mut Call<'_>) -> Done {
    Ok(Flow::Shell)
}

/// The names of all commands.
pub fn command_names() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.name).collect()
}

fn help(call: &mut Call<'_>) -> Done {
    let mut column = 0;
    let mut out = Vec::new();
    for command in COMMANDS {
        out.extend_from_slice(command.name.as_bytes());
        column += 1;
        if column % 6 == 0 {
            out.push(b'\n');
        } else {
            out.resize(out.len() + 12_usize.saturating_sub(command.name.len()), b' ');
        }
    }
    out.extend_from_slice(b"\nCOMMAND --help shows how a command is used\n");
    call.host.say(&out);
    Ok(Flow::Next)
}

fn sleep(call: &mut Call<'_>) -> Done {
    call.host.sleep(Duration::from_secs(number(call.argument(0))?))?;
    Ok(Flow::Next)
}

fn prompt(call: &mut Call<'_>) -> Done {
    let key = call.value(b'k').map(key).transpose()?;
    let timeout = call.timeout()?;
    let line = call.joined(0);
    match call.host.prompt(&line, key, timeout)? {
        None => Err(TIMEOUT.error().into()),
        Some(pressed) if key.is_some_and(|key| key != pressed) => Err(OTHER_KEY.error().into()),
        Some(_) => Ok(Flow::Next),
    }
}

/// A character, or the number of a key; numbers that are not ASCII are counted from the first special key.
fn key(text: &[u8]) -> Result<u32, Error> {
    if let [character] = text {
        return Ok(u32::from(*character));
    }
    let code = u32::try_from(number(text)?).unwrap_or(u32::MAX);
    Ok(if (0x80..SPECIAL_KEYS).contains(&code) { code + SPECIAL_KEYS } else { code })
}

/// The number of the first key that is not a character.
const SPECIAL_KEYS: u32 = 0x11_0000;

fn power_off(call: &mut Call<'_>) -> Done {
    call.host.power_off()?;
    Ok(Flow::Next)
}

fn reboot(call: &mut Call<'_>) -> Done {
    let warm = call.flag(b'w');
    call.host.reboot(warm)?;
    Ok(Flow::Next)
}

// Settings.

fn set(call: &mut Call<'_>) -> Done {
    let (reference, value) = (call.argument(0), call.joined(1));
    call.host.settings().store(reference, &value)?;
    Ok(Flow::Next)
}

fn clear(call: &mut Call<'_>) -> Done {
    let reference = call.argument(0);
    call.host.settings().clear(reference)?;
    Ok(Flow::Next)
}

fn show(call: &mut Call<'_>) -> Done {
    let (reference, quiet) = (call.argument(0), call.flag(b'q'));
    let settings = call.host.settings();
    let found =
        settings.resolve(reference).and_then(|(block, key)| settings.fetch(block, &key).map(|f| (key, f)));
    let Some((key, found)) = found else { return Err(NOT_SET.of(readable(reference)).into()) };
    let value = found.kind.format(&found.data).unwrap_or_default();
    let mut out = Vec::new();
    if !quiet {
        out = settings.name(found.block);
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(key.name);
        out.push(b':');
        out.extend_from_slice(found.kind.name().as_bytes());
        out.extend_from_slice(b" = ");
    }
    out.extend_from_slice(&value);
    out.push(b'\n');
    call.host.say(&out);
    Ok(Flow::Next)
}

fn increase(call: &mut Call<'_>) -> Done {
    let step = match call.arguments.get(1) {
        Some(step) => number(step)?,
        None => 1,
    };
    let reference = call.argument(0);
    let not_set = || Failure::from(NOT_SET.of(readable(reference)));
    let settings = call.host.settings();
    let (block, key) = settings.resolve(reference).ok_or_else(not_set)?;
    let (kind, old) = match settings.fetch(block, &key) {
        Some(found) => (found.kind, Kind::integer(&found.data).filter(|_| found.kind.is_number())),
        None => (key.kind.unwrap_or(Kind::Int32), Some(0)),
    };
    let sum = old.map(|old| alloc::format!("{}", old.wrapping_add_unsigned(step)));
    let data = sum.filter(|_| kind.is_number()).and_then(|sum| kind.parse(sum.as_bytes()));
    let data = data.ok_or_else(|| NOT_COUNTABLE.of(readable(reference)))?;
    settings.store_bytes(block, &key, kind, data)?;
    Ok(Flow::Next)
}

fn is_set(call: &mut Call<'_>) -> Done {
    answer(!call.argument(0).is_empty())
}

fn is_equal(call: &mut Call<'_>) -> Done {
    answer(call.argument(0) == call.argument(1))
}

fn answer(yes: bool) -> Done {
    if yes { Ok(Flow::Next) } else { Err(FALSE.error().into()) }
}

// The network.

fn configure(call: &mut Call<'_>) -> Done {
    let configurator = call.value(b'c').map(text).transpose()?;
    if let Some(name) = configurator.filter(|name| *name != "dhcp") {
        return Err(NO_CONFIGURATOR.of(readable(name.as_bytes())).into());
    }
    let timeout = call.timeout()?;
    let all = call.host.cards();
    let mut last = NO_CARD.error();
    let named: Vec<String> = call.arguments.iter().map(|name| card(call.host.settings(), name)).collect();
    for name in if named.is_empty() { &all } else { &named } {
        let result = if all.contains(name) {
            call.host.configure(name, configurator, timeout)
        } else {
            Err(NO_CARD.of(readable(name.as_bytes())))
        };
        match result {
            Ok(()) => return Ok(Flow::Next),
            Err(error) if error.is(&crate::errors::CANCELLED) => return Err(error.into()),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// The name of a card; `netX` is the one opened last.
fn card(settings: &Tree, name: &[u8]) -> String {
    let latest = settings.latest().filter(|_| name == b"netX");
    let name = latest.map_or_else(|| name.to_vec(), |block| settings.name(block));
    String::from_utf8(name).unwrap_or_default()
}

fn diagnose(call: &mut Call<'_>, subject: Subject) -> Done {
    let to = call.arguments.first().map(|uri| text(uri)).transpose()?;
    call.host.diagnose(subject, to)?;
    Ok(Flow::Next)
}

// Images.

fn fetch(call: &mut Call<'_>) -> Done {
    let id = download(call)?;
    adjust(call, id, false);
    Ok(Flow::Next)
}

fn select(call: &mut Call<'_>) -> Done {
    let id = acquire(call)?;
    adjust(call, id, false);
    check_executable(call, id)?;
    call.host.images().select(id);
    Ok(Flow::Next)
}

fn image_arguments(call: &mut Call<'_>) -> Done {
    let id = acquire(call)?;
    adjust(call, id, true);
    Ok(Flow::Next)
}

fn boot(call: &mut Call<'_>) -> Done {
    let id = if call.arguments.is_empty() {
        let Some(id) = call.host.images().selected() else {
            call.host.say(b"nothing to boot: no image is selected, kernel selects one\n");
            return Ok(Flow::Next);
        };
        id
    } else {
        acquire(call)?
    };
    adjust(call, id, false);
    check_executable(call, id)?;
    Ok(if call.flag(b'r') { Flow::Replace(id) } else { Flow::Execute(id) })
}

fn free(call: &mut Call<'_>) -> Done {
    if call.arguments.is_empty() {
        everything(call).into_iter().for_each(|id| discard(call, id));
    }
    for name in call.arguments {
        let id = find(call, name)?;
        discard(call, id);
    }
    Ok(Flow::Next)
}

fn discard(call: &mut Call<'_>, id: ImageId) {
    if let Some(image) = call.host.images().remove(id) {
        call.host.release(image.handle);
    }
}

fn list(call: &mut Call<'_>) -> Done {
    if call.arguments.is_empty() {
        everything(call).into_iter().for_each(|id| describe(call, id));
    }
    for name in call.arguments {
        let id = find(call, name)?;
        describe(call, id);
    }
    Ok(Flow::Next)
}

fn describe(call: &mut Call<'_>, id: ImageId) {
    let images = call.host.images();
    let selected = images.selected() == Some(id);
    let Some(image) = images.image(id) else { return };
    let mut out =
        alloc::format!("{} : {} bytes [{}]", image.name, image.size, image.kind.name()).into_bytes();
    if selected {
        out.extend_from_slice(b" [SELECTED]");
    }
    if image.autofree {
        out.extend_from_slice(b" [AUTOFREE]");
    }
    if !image.command_line.is_empty() {
        out.extend_from_slice(b" \"");
        out.extend_from_slice(&image.command_line);
        out.push(b'"');
    }
    out.push(b'\n');
    call.host.say(&out);
}

fn everything(call: &mut Call<'_>) -> Vec<ImageId> {
    call.host.images().registered().map(Image::id).collect()
}

fn find(call: &mut Call<'_>, name: &[u8]) -> Result<ImageId, Error> {
    call.host.images().find(name).ok_or_else(|| NO_IMAGE.of(readable(name)))
}

/// The image of the first argument: one of that name, or else downloaded.
fn acquire(call: &mut Call<'_>) -> Result<ImageId, Error> {
    let name = call.argument(0);
    match call.host.images().find(name) {
        Some(id) => Ok(id),
        None => download(call),
    }
}

fn download(call: &mut Call<'_>) -> Result<ImageId, Error> {
    let name = text(call.value(b'n').unwrap_or_default())?;
    let request = Fetch { uri: text(call.argument(0))?, timeout: call.timeout()?, quiet: call.flag(b'q') };
    let mut fetched = call.host.fetch(&request)?;
    if !name.is_empty() {
        fetched.name = name.into();
    }
    Ok(call.host.images().register(fetched))
}

/// Applies command line and flags. Without arguments the command line stays, unless it is to be cleared.
fn adjust(call: &mut Call<'_>, id: ImageId, clears: bool) {
    let command_line = call.joined(1);
    let changes = clears || call.arguments.len() > 1;
    let autofree = call.flag(b'a');
    if let Some(image) = call.host.images().image_mut(id) {
        image.autofree |= autofree;
        if changes {
            image.command_line = command_line;
        }
    }
}

fn check_executable(call: &mut Call<'_>, id: ImageId) -> Result<(), Error> {
    let Some(image) = call.host.images().image(id) else { return Ok(()) };
    if image.kind == Type::Data {
        return Err(NOT_EXECUTABLE.of(readable(image.name.as_bytes())));
    }
    Ok(())
}
