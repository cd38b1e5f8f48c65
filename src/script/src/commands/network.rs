//! Network cards.

use super::{Call, Done};
use crate::Host;
use crate::errors::{CANCELLED, NO_CARD, NO_CONFIGURATOR};
use crate::interpreter::Flow;
use crate::location::readable;
use crate::options::text;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use settings::Tree;

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

/// The name of a card; `netX` is the one opened last.
fn card(settings: &Tree, name: &[u8]) -> String {
    let latest = settings.latest().filter(|_| name == b"netX");
    let name = latest.map_or_else(|| name.to_vec(), |block| settings.name(block));
    String::from_utf8(name).unwrap_or_default()
}
