//! The commands: a table, and what they do.

mod dialogs;
mod flow;
mod images;
mod network;
mod values;

pub use dialogs::fill_in;
pub use images::{discard, image};
pub use network::{Vlan, known_card, known_cards};

use crate::Host;
use crate::interpreter::{Failure, Flow};
use crate::options::{Invocation, Options, Words};
use base::text::{cut, has};
use core::ops::Deref;

/// One command.
#[derive(Debug)]
pub struct Command {
    /// How it is used: its names, its options in brackets, and its arguments.
    ///
    /// An option's short name is its first letter, unless both are written. A value in capitals follows it or not;
    /// `NUMBER`, `MS` and `KEY` are checked before the command runs, and so is an argument that is a `NUMBER`. Arguments
    /// may be left out where they are in brackets; with dots there may be more. Where the first one is a `NUMBER|TEXT`,
    /// a number below 0 is no option.
    pub usage: &'static str,
    pub(crate) run: fn(&mut Call<'_>) -> Done,
}

impl Command {
    /// The command of that name.
    pub fn named(name: &[u8]) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.names().any(|own| own.as_bytes() == name))
    }

    /// How it is called.
    pub fn names(&self) -> Words {
        Words(cut(self.usage, b' ').0, b'|')
    }

    /// What may stand behind the name first.
    pub fn options(&self) -> Options {
        Options(cut(self.usage, b' ').1.unwrap_or_default())
    }

    /// What follows, word by word.
    fn arguments(&self) -> Words {
        let mut options = self.options();
        while options.next().is_some() {}
        Words(options.0, b' ')
    }

    /// What its arguments are called, without brackets and dots.
    pub fn argument_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.arguments().map(|word| {
            let word = word.strip_prefix("[").unwrap_or(word);
            cut(cut(word, b'.').0, b']').0
        })
    }

    /// The least and the largest number of arguments.
    pub fn arity(&self) -> (usize, usize) {
        let (mut least, mut most) = (0, 0_usize);
        for word in self.arguments() {
            least += usize::from(!word.starts_with("["));
            most = if has(word.as_bytes(), b'.') { usize::MAX } else { most + 1 };
        }
        (least, most)
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

const fn command(usage: &'static str, run: fn(&mut Call<'_>) -> Done) -> Command {
    Command { usage, run }
}

/// All commands, by their first names. Those that run [`flow::machine`] are carried out by the host alone.
#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("autoboot [CARD...]", network::autoboot),
    command("boot|chain|imgexec [--name NAME] [--timeout MS] [--quiet] [--autofree] [--replace] [-S|--sha256 HEX] [URI|IMAGE [ARGUMENT...]]", images::boot),
    command("calc SETTING NUMBER [OPERATOR...]", values::calculate),
    command("call LABEL [NAME=VALUE...]", flow::call),
    command("certfree [--subject NAME]", flow::machine),
    command("certstat [--subject NAME]", flow::machine),
    command("certstore [--subject NAME] [--keep] [URI|IMAGE]", flow::machine),
    command("choose [--menu NAME] [--default ITEM] [--timeout MS] [--retimeout MS] [--keep] SETTING", dialogs::choose),
    command("clear SETTING", values::clear),
    command("colour [--basic NUMBER] [--rgb NUMBER] NUMBER", flow::machine),
    command("config [BLOCK]", flow::machine),
    command("console [--x NUMBER] [--y NUMBER] [--left NUMBER] [--right NUMBER] [--top NUMBER] [--bottom NUMBER] [--depth NUMBER] [--picture URI|IMAGE] [--keep]", flow::machine),
    command("cpair [--foreground NUMBER] [--background NUMBER] NUMBER", flow::machine),
    command("cpuid [--ext] [--amd] [-c|--ecx] NUMBER", flow::machine),
    command("dhcp|ifconf [--configurator NAME] [--timeout MS] [CARD...]", network::configure),
    command("diag [URI]", flow::machine),
    command("dmesg [URI]", flow::machine),
    command("echo [-n] [TEXT...]", flow::echo),
    command("end", flow::end),
    command("exit [NUMBER]", flow::exit),
    command("fcels [--port PORT] [--id NUMBER] NAME", flow::machine),
    command("fcstat", flow::machine),
    command("features [NAME...]", values::features),
    command("form|menu [--name NAME] [--delete] [TEXT...]", dialogs::menu),
    command("goto LABEL", flow::goto),
    command("help", flow::help),
    command("ifclose [CARD...]", network::close),
    command("iflinkwait [--timeout MS] [CARD...]", network::wait_for_link),
    command("ifopen [CARD...]", network::open),
    command("ifstat [CARD...]", network::machine_with_cards),
    command("imgargs [--name NAME] [--timeout MS] [--quiet] [--autofree] [-S|--sha256 HEX] URI|IMAGE [ARGUMENT...]", images::arguments),
    command("imgdecrypt [--name NAME] [--keep] [--timeout MS] [--quiet] URI|IMAGE URI|IMAGE", flow::machine),
    command("imgextract [--name NAME] [--keep] [--timeout MS] [--quiet] [-S|--sha256 HEX] URI|IMAGE", images::extract),
    command("imgfetch|initrd|module [--name NAME] [--timeout MS] [--quiet] [--autofree] [-S|--sha256 HEX] URI [ARGUMENT...]", images::fetch),
    command("imgfree [IMAGE...]", images::free),
    command("imgload|imgselect|kernel [--name NAME] [--timeout MS] [--quiet] [--autofree] [-S|--sha256 HEX] URI|IMAGE [ARGUMENT...]", images::select),
    command("imgmem [--name NAME] NUMBER NUMBER", flow::machine),
    command("imgset [--keep] [--timeout MS] [--quiet] [-S|--sha256 HEX] SETTING URI|IMAGE", images::set),
    command("imgstat [IMAGE...]", images::list),
    command("imgtrust [--allow] [--permanent]", images::trust),
    command("imgverify [--signer NAME] [--keep] [--timeout MS] [--quiet] URI|IMAGE URI|IMAGE", images::verify),
    command("inc SETTING [NUMBER]", values::increase),
    command("ipstat", flow::machine),
    command("is [--nocase] NUMBER|TEXT OPERATOR NUMBER|TEXT...", values::is),
    command("iseq TEXT TEXT", values::is_equal),
    command("isset TEXT", values::is_set),
    command("item [--menu NAME] [--form NAME] [--key KEY] [--default] [--secret] [--gap] [NAME [TEXT...]]", dialogs::item),
    command("iwlist [CARD...]", flow::machine),
    command("iwstat [CARD...]", flow::machine),
    command("login", flow::machine),
    command("md5sum|sha1sum|sha224sum|sha256sum|sha384sum|sha512sum [--set SETTING] URI|IMAGE...", images::digest),
    command("nslookup SETTING HOST", flow::machine),
    command("nstat", flow::machine),
    command("ntp HOST", flow::machine),
    command("param [--params NAME] [-H|--header] KEY [VALUE...]", dialogs::parameter),
    command("params [--name NAME] [--method METHOD] [--delete]", dialogs::parameters),
    command("pciscan SETTING", flow::machine),
    command("ping [--size NUMBER] [--timeout MS] [--count NUMBER] [--quiet] HOST", flow::machine),
    command("poweroff", flow::machine),
    command("present [--form NAME] [--keep]", dialogs::present),
    command("prompt [--key KEY] [--timeout MS] [TEXT...]", flow::prompt),
    command("pxebs CARD NUMBER", network::machine_with_card),
    command("pxestat [URI]", flow::machine),
    command("read [--timeout MS] SETTING", values::read),
    command("reboot [--warm] [--setup]", flow::machine),
    command("route", flow::machine),
    command("sanboot [--drive NUMBER] [--no-describe] [--keep] [--filename FILE] [--extra FILE] [--label LABEL] [--uuid UUID] [URI...]", flow::machine),
    command("sanhook [--drive NUMBER] [--no-describe] URI...", flow::machine),
    command("sanunhook [--drive NUMBER]", flow::machine),
    command("set SETTING [VALUE...]", values::set),
    command("shell", flow::shell),
    command("shim [--timeout MS] [--quiet] [-l|--require-loader] [-p|--allow-pxe] [-s|--allow-sbat] [URI|IMAGE]", flow::nothing),
    command("show [--quiet] SETTING", values::show),
    command("sleep NUMBER", flow::machine),
    command("startpxe [CARD]", flow::machine),
    command("stoppxe", flow::machine),
    command("sync [--timeout MS]", flow::machine),
    command("time COMMAND [ARGUMENT...]", flow::inner),
    command("usbscan SETTING", flow::machine),
    command("vcreate [--tag NUMBER] [--priority NUMBER] CARD", flow::machine),
    command("vdestroy CARD", flow::machine),
    command("while COMMAND [ARGUMENT...]", flow::inner),
];
