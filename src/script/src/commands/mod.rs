//! The commands: a table, and what they do.

mod dialogs;
mod flow;
mod images;
mod network;
mod values;

pub use dialogs::fill_in;

use crate::Host;
use crate::interpreter::{Failure, Flow};
use crate::options::{Choice, Invocation, Takes};
use alloc::string::String;
use core::ops::Deref;

/// One command.
#[derive(Debug)]
pub struct Command {
    /// How it is called.
    pub name: &'static str,
    /// What may stand behind the name first.
    pub options: &'static [Choice],
    /// What follows: words in capitals, in brackets where they may be left out, with dots where there may be more.
    /// `NUMBER` is checked before the command runs.
    pub arguments: &'static str,
    pub(crate) run: fn(&mut Call<'_>) -> Done,
}

impl Command {
    /// The command of that name.
    pub fn named(name: &[u8]) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name.as_bytes() == name)
    }

    /// What its arguments are called, without brackets and dots.
    pub fn argument_names(&self) -> impl Iterator<Item = &'static [u8]> + use<> {
        self.arguments.as_bytes().split(|byte| *byte == b' ').map(|word| {
            let word = word.strip_prefix(b"[").unwrap_or(word);
            let end = word.iter().position(|byte| b".]".contains(byte)).unwrap_or(word.len());
            word.get(..end).unwrap_or_default()
        })
    }

    /// The least and the largest number of arguments.
    pub fn arity(&self) -> (usize, usize) {
        let (mut least, mut most) = (0, 0_usize);
        for word in self.arguments.as_bytes().split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            least += usize::from(!word.starts_with(b"["));
            most = most.saturating_add(if word.contains(&b'.') { usize::MAX } else { 1 });
        }
        (least, most)
    }

    /// How it is used, in one line.
    pub fn usage(&self) -> String {
        let mut text = String::from(self.name);
        for option in self.options {
            let name = option.takes.name();
            text.push_str(" [--");
            text.push_str(option.long);
            if !name.is_empty() {
                text.push(' ');
                text.push_str(name);
            }
            text.push(']');
        }
        if !self.arguments.is_empty() {
            text.push(' ');
            text.push_str(self.arguments);
        }
        text
    }
}

/// A command that runs.
pub(crate) struct Call<'a> {
    pub(crate) host: &'a mut dyn Host,
    pub(crate) invocation: Invocation<'a>,
}

impl<'a> Deref for Call<'a> {
    type Target = Invocation<'a>;

    fn deref(&self) -> &Invocation<'a> {
        &self.invocation
    }
}

pub(crate) type Done = Result<Flow, Failure>;

const fn option(short: u8, long: &'static str, takes: Takes) -> Choice {
    Choice { short, long, takes }
}

const fn flag(short: u8, long: &'static str) -> Choice {
    option(short, long, Takes::Nothing)
}

const fn text(short: u8, long: &'static str, name: &'static str) -> Choice {
    option(short, long, Takes::Text(name))
}

const fn number(short: u8, long: &'static str) -> Choice {
    option(short, long, Takes::Number)
}

const TIMEOUT: Choice = option(b't', "timeout", Takes::Time);
const KEY: Choice = option(b'k', "key", Takes::Key);
const NAME: Choice = text(b'n', "name", "NAME");
const QUIET: Choice = flag(b'q', "quiet");
const KEEP: Choice = flag(b'k', "keep");
const AUTOFREE: Choice = flag(b'a', "autofree");
const DRIVE: Choice = number(b'd', "drive");
const NO_DESCRIBE: Choice = flag(b'n', "no-describe");

/// Options of what makes an image.
const IMAGE: &[Choice] = &[NAME, TIMEOUT, QUIET, AUTOFREE];
const BOOT: &[Choice] = &[NAME, TIMEOUT, QUIET, AUTOFREE, flag(b'r', "replace")];
const MENU: &[Choice] = &[NAME, flag(b'd', "delete")];
const DIGEST: &[Choice] = &[text(b's', "set", "SETTING")];
const CONFIGURE: &[Choice] = &[text(b'c', "configurator", "NAME"), TIMEOUT];
const CERTIFICATE: &[Choice] = &[text(b's', "subject", "NAME")];

const FETCHED: &str = "URI [ARGUMENT...]";
const SELECTED: &str = "URI|IMAGE [ARGUMENT...]";
const BOOTED: &str = "[URI|IMAGE [ARGUMENT...]]";
const CARDS: &str = "[CARD...]";

const fn command(
    name: &'static str,
    options: &'static [Choice],
    arguments: &'static str,
    run: fn(&mut Call<'_>) -> Done,
) -> Command {
    Command { name, options, arguments, run }
}

/// All commands, by name. Those that run [`flow::machine`] are carried out by the host alone.
pub static COMMANDS: &[Command] = &[
    command("autoboot", &[], CARDS, flow::machine),
    command("boot", BOOT, BOOTED, images::boot),
    command("certfree", CERTIFICATE, "", flow::machine),
    command("certstat", CERTIFICATE, "", flow::machine),
    command("certstore", &[text(b's', "subject", "NAME"), KEEP], "[URI|IMAGE]", flow::machine),
    command("chain", BOOT, BOOTED, images::boot),
    command(
        "choose",
        &[
            text(b'm', "menu", "NAME"),
            text(b'd', "default", "ITEM"),
            TIMEOUT,
            option(b'r', "retimeout", Takes::Time),
            KEEP,
        ],
        "SETTING",
        dialogs::choose,
    ),
    command("clear", &[], "SETTING", values::clear),
    command("colour", &[number(b'b', "basic"), number(b'r', "rgb")], "NUMBER", flow::machine),
    command("config", &[], "[BLOCK]", flow::machine),
    command(
        "console",
        &[
            number(b'x', "x"),
            number(b'y', "y"),
            number(b'l', "left"),
            number(b'r', "right"),
            number(b't', "top"),
            number(b'b', "bottom"),
            number(b'd', "depth"),
            text(b'p', "picture", "URI|IMAGE"),
            KEEP,
        ],
        "",
        flow::machine,
    ),
    command("cpair", &[number(b'f', "foreground"), number(b'b', "background")], "NUMBER", flow::machine),
    command("cpuid", &[flag(b'e', "ext"), flag(b'a', "amd"), flag(b'c', "ecx")], "NUMBER", flow::machine),
    command("dhcp", CONFIGURE, CARDS, network::configure),
    command("diag", &[], "[URI]", flow::machine),
    command("dmesg", &[], "[URI]", flow::machine),
    command("echo", &[flag(b'n', "n")], "[TEXT...]", flow::echo),
    command("exit", &[], "[NUMBER]", flow::exit),
    command("form", MENU, "[TEXT...]", dialogs::menu),
    command("goto", &[], "LABEL", flow::goto),
    command("help", &[], "", flow::help),
    command("ifclose", &[], CARDS, network::close),
    command("ifconf", CONFIGURE, CARDS, network::configure),
    command("iflinkwait", &[TIMEOUT], CARDS, network::wait_for_link),
    command("ifopen", &[], CARDS, network::open),
    command("ifstat", &[], CARDS, flow::machine),
    command("imgargs", IMAGE, SELECTED, images::arguments),
    command("imgexec", BOOT, BOOTED, images::boot),
    command("imgextract", &[NAME, KEEP, TIMEOUT, QUIET], "URI|IMAGE", images::extract),
    command("imgfetch", IMAGE, FETCHED, images::fetch),
    command("imgfree", &[], "[IMAGE...]", images::free),
    command("imgload", IMAGE, SELECTED, images::select),
    command("imgmem", &[NAME], "NUMBER NUMBER", flow::machine),
    command("imgselect", IMAGE, SELECTED, images::select),
    command("imgset", &[KEEP, TIMEOUT, QUIET], "SETTING URI|IMAGE", images::set),
    command("imgstat", &[], "[IMAGE...]", images::list),
    command("imgtrust", &[flag(b'a', "allow"), flag(b'p', "permanent")], "", images::trust),
    command(
        "imgverify",
        &[text(b's', "signer", "NAME"), KEEP, TIMEOUT, QUIET],
        "URI|IMAGE URI|IMAGE",
        images::verify,
    ),
    command("inc", &[], "SETTING [NUMBER]", values::increase),
    command("initrd", IMAGE, FETCHED, images::fetch),
    command("ipstat", &[], "", flow::machine),
    command("iseq", &[], "TEXT TEXT", values::is_equal),
    command("isset", &[], "TEXT", values::is_set),
    command(
        "item",
        &[
            text(b'm', "menu", "NAME"),
            text(b'f', "form", "NAME"),
            KEY,
            flag(b'd', "default"),
            flag(b's', "secret"),
            flag(b'g', "gap"),
        ],
        "[NAME [TEXT...]]",
        dialogs::item,
    ),
    command("kernel", IMAGE, SELECTED, images::select),
    command("login", &[], "", flow::machine),
    command("md5sum", DIGEST, "URI|IMAGE...", images::digest),
    command("menu", MENU, "[TEXT...]", dialogs::menu),
    command("module", IMAGE, FETCHED, images::fetch),
    command("nslookup", &[], "SETTING HOST", flow::machine),
    command("nstat", &[], "", flow::machine),
    command("ntp", &[], "HOST", flow::machine),
    command(
        "param",
        &[text(b'p', "params", "NAME"), flag(b'H', "header")],
        "KEY [VALUE...]",
        dialogs::parameter,
    ),
    command("params", &[NAME, text(b'm', "method", "METHOD"), flag(b'd', "delete")], "", dialogs::parameters),
    command("pciscan", &[], "SETTING", flow::machine),
    command("ping", &[number(b's', "size"), TIMEOUT, number(b'c', "count"), QUIET], "HOST", flow::machine),
    command("poweroff", &[], "", flow::machine),
    command("present", &[text(b'f', "form", "NAME"), KEEP], "", dialogs::present),
    command("prompt", &[KEY, TIMEOUT], "[TEXT...]", flow::prompt),
    command("pxebs", &[], "CARD NUMBER", flow::machine),
    command("pxestat", &[], "[URI]", flow::machine),
    command("read", &[TIMEOUT], "SETTING", values::read),
    command("reboot", &[flag(b'w', "warm"), flag(b's', "setup")], "", flow::machine),
    command("route", &[], "", flow::machine),
    command(
        "sanboot",
        &[
            DRIVE,
            NO_DESCRIBE,
            KEEP,
            text(b'f', "filename", "FILE"),
            text(b'e', "extra", "FILE"),
            text(b'l', "label", "LABEL"),
            text(b'u', "uuid", "UUID"),
        ],
        "[URI...]",
        flow::machine,
    ),
    command("sanhook", &[DRIVE, NO_DESCRIBE], "URI...", flow::machine),
    command("sanunhook", &[DRIVE], "", flow::machine),
    command("set", &[], "SETTING [VALUE...]", values::set),
    command("sha1sum", DIGEST, "URI|IMAGE...", images::digest),
    command("sha224sum", DIGEST, "URI|IMAGE...", images::digest),
    command("sha256sum", DIGEST, "URI|IMAGE...", images::digest),
    command("sha384sum", DIGEST, "URI|IMAGE...", images::digest),
    command("sha512sum", DIGEST, "URI|IMAGE...", images::digest),
    command("shell", &[], "", flow::shell),
    command(
        "shim",
        &[TIMEOUT, QUIET, flag(b'l', "require-loader"), flag(b'p', "allow-pxe"), flag(b's', "allow-sbat")],
        "[URI|IMAGE]",
        flow::nothing,
    ),
    command("show", &[QUIET], "SETTING", values::show),
    command("sleep", &[], "NUMBER", flow::machine),
    command("startpxe", &[], "[CARD]", flow::machine),
    command("stoppxe", &[], "", flow::machine),
    command("sync", &[TIMEOUT], "", flow::machine),
    command("time", &[], "COMMAND [ARGUMENT...]", flow::time),
    command("usbscan", &[], "SETTING", flow::machine),
    command("vcreate", &[number(b't', "tag"), number(b'p', "priority")], "CARD", flow::machine),
    command("vdestroy", &[], "CARD", flow::machine),
];
