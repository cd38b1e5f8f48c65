//! Network cards.

use super::{Call, Done, flow};
use crate::Host;
use crate::errors::{CANCELLED, NO_CARD, NO_CONFIGURATOR, NO_TRUNK, NO_VLAN, OUT_OF_RANGE};
use crate::interpreter::Flow;
use crate::location::readable;
use crate::options::{Invocation, text};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use base::text::has;
use settings::Tree;

/// The last VLAN that can be, and the last priority (IEEE 802.1Q-2018, 9.6).
const LAST_TAG: u16 = 4094;
const LAST_PRIORITY: u8 = 7;

/// What can get an address for a card.
const CONFIGURATORS: [&str; 2] = ["dhcp", "ipv6"];

pub(super) fn open(call: &mut Call<'_>) -> Done {
    for_each(call, false, &mut |host, card| host.open(card))
}

pub(super) fn close(call: &mut Call<'_>) -> Done {
    for_each(call, false, &mut |host, card| {
        host.close(card);
        Ok(())
    })
}

pub(super) fn wait_for_link(call: &mut Call<'_>) -> Done {
    let timeout = call.time(b't');
    for_each(call, true, &mut |host, card| {
        or_close(host, card, &mut |host| host.wait_for_link(card, timeout))
    })
}

pub(super) fn configure(call: &mut Call<'_>) -> Done {
    let configurator = call.value(b'c').map(text).transpose()?;
    if let Some(name) = configurator.filter(|name| !CONFIGURATORS.contains(name)) {
        return Err(NO_CONFIGURATOR.of(readable(name.as_bytes())).into());
    }
    let timeout = call.time(b't');
    for_each(call, true, &mut |host, card| {
        or_close(host, card, &mut |host| host.configure(card, configurator, timeout))
    })
}

/// Gets an address, and starts what the network names.
pub(super) fn autoboot(call: &mut Call<'_>) -> Done {
    configure(call)?;
    let fetched = call.host.fetch_boot_file()?;
    Ok(Flow::Execute(call.host.images().register(fetched)))
}

/// Carried out by the host, with a card that is there.
pub(super) fn machine_with_card(call: &mut Call<'_>) -> Done {
    known_card(&call.invocation, call.host)?;
    flow::machine(call)
}

/// Carried out by the host, with those of the cards named that are there, or with all.
pub(super) fn machine_with_cards(call: &mut Call<'_>) -> Done {
    let done = flow::machine(call);
    if call.arguments.is_empty() {
        return done;
    }
    done?;
    for_each(call, false, &mut |_, _| Ok(()))
}

type Work<'a> = &'a mut dyn FnMut(&mut dyn Host, &str) -> Result<(), Error>;

/// Does it with the cards that are named, or with all. Of the failures the last one counts. `is_search`: the first
/// card that works is the only one that is needed.
fn for_each(call: &mut Call<'_>, is_search: bool, work: Work<'_>) -> Done {
    let all = call.host.cards();
    let named: Vec<&[u8]> = match call.arguments {
        [] => base::list(all.iter().map(String::as_bytes)),
        arguments => base::list(arguments.iter().map(Vec::as_slice)),
    };
    let mut last = Err(NO_CARD.of(""));
    for (index, name) in named.into_iter().enumerate() {
        if let Err(error) = &last
            && index > 0
        {
            call.host.report(error);
        }
        let name = card(call.host.settings(), name);
        last = if all.contains(&name) {
            work(call.host, &name)
        } else {
            Err(NO_CARD.of(readable(name.as_bytes())))
        };
        match &last {
            Ok(()) if is_search => break,
            Err(error) if error.is(&CANCELLED) => break,
            _ => {}
        }
    }
    last?;
    Ok(Flow::Next)
}

/// Opens a card for something, and closes it if that fails.
fn or_close(
    host: &mut dyn Host,
    card: &str,
    work: &mut dyn FnMut(&mut dyn Host) -> Result<(), Error>,
) -> Result<(), Error> {
    host.open(card)?;
    let result = work(host);
    if result.is_err() {
        host.close(card);
    }
    result
}

/// A VLAN of a card, as `vcreate` and `vdestroy` name it.
#[derive(Debug)]
pub struct Vlan {
    /// The card that carries it.
    pub trunk: String,
    /// What it is called as a card: `net0-100`.
    pub name: String,
    /// Its number, 0 to 4094; 0 is no VLAN, but a priority for frames without one.
    pub tag: u16,
    /// The priority of what is sent, 0 to 7.
    pub priority: u8,
}

impl Vlan {
    /// What `vcreate` is to make of a card that is there.
    pub fn to_create(command: &Invocation<'_>, host: &mut dyn Host) -> Result<Self, Error> {
        let trunk = known_card(command, host)?;
        if Self::is_name(&trunk) {
            return Err(NO_TRUNK.of(trunk));
        }
        let number = |letter| command.number(letter).unwrap_or(0);
        match (u16::try_from(number(b't')), u8::try_from(number(b'p'))) {
            (Ok(tag @ ..=LAST_TAG), Ok(priority @ ..=LAST_PRIORITY)) => {
                Ok(Self { name: format!("{trunk}-{tag}"), trunk, tag, priority })
            }
            _ => Err(OUT_OF_RANGE.of(command.name())),
        }
    }

    /// Whether a card of this name is a VLAN: the names of others have no dash.
    pub fn is_name(card: &str) -> bool {
        has(card.as_bytes(), b'-')
    }

    /// The name of the VLAN that `vdestroy` is to take away.
    pub fn to_destroy(command: &Invocation<'_>, host: &mut dyn Host) -> Result<String, Error> {
        let name = known_card(command, host)?;
        if Self::is_name(&name) { Ok(name) } else { Err(NO_VLAN.of(name)) }
    }
}

/// Those of the cards that are a command's arguments that are there; all without arguments.
pub fn known_cards(command: &Invocation<'_>, host: &mut dyn Host) -> Vec<String> {
    let mut cards = host.cards();
    if !command.arguments.is_empty() {
        let named: Vec<_> = base::list(command.arguments.iter().map(|name| card(host.settings(), name)));
        cards.retain(|card| named.contains(card));
    }
    cards
}

/// The card that is a command's first argument.
pub fn known_card(command: &Invocation<'_>, host: &mut dyn Host) -> Result<String, Error> {
    let name = card(host.settings(), command.argument(0));
    if host.cards().contains(&name) { Ok(name) } else { Err(NO_CARD.of(readable(command.argument(0)))) }
}

/// The name of a card; `netX` is the one opened last.
fn card(settings: &Tree, name: &[u8]) -> String {
    let latest = settings.latest().filter(|_| name == b"netX");
    let name = latest.map_or_else(|| name.to_vec(), |block| settings.name(block));
    String::from_utf8(name).unwrap_or_default()
}
