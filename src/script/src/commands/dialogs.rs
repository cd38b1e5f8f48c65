//! Menus, forms, and parameters of requests.

use super::{Call, Done};
use crate::drafts::{Item, Menu, Name, Parameter, Parameters, find, take};
use crate::errors::{NO_ITEMS, NO_MENU, NO_PARAMETERS};
use crate::interpreter::{Failure, Flow};
use crate::location::readable;
use crate::options::key;
use crate::{Host, Selection};
use alloc::vec::Vec;
use base::Error;
use settings::{BlockId, Key, Kind};

pub(super) fn menu(call: &mut Call<'_>) -> Done {
    let name: Name = call.value(b'n').map(<[u8]>::to_vec);
    let menu = Menu { name, title: call.joined(0), ..Menu::default() };
    let menus = &mut call.host.drafts().menus;
    take(menus, menu.name.as_deref());
    if !call.flag(b'd') {
        call.host.drafts().menus.push(menu);
    }
    Ok(Flow::Next)
}

pub(super) fn item(call: &mut Call<'_>) -> Done {
    let name = call.value(b'm').or(call.value(b'f'));
    let is_gap = call.flag(b'g') || call.arguments.is_empty();
    let item = Item {
        name: if is_gap { None } else { Some(call.argument(0).to_vec()) },
        text: call.joined(usize::from(!is_gap)),
        key: call.value(b'k').map_or(Ok(None), key)?,
        is_default: call.flag(b'd'),
        is_secret: call.flag(b's'),
    };
    let menu = find(&mut call.host.drafts().menus, name).ok_or_else(|| no_menu(name))?;
    menu.size.grow(item.text.len() + item.name.as_ref().map_or(0, Vec::len), &menu.title)?;
    menu.items.push(item);
    Ok(Flow::Next)
}

fn no_menu(name: Option<&[u8]>) -> Error {
    NO_MENU.of(readable(name.unwrap_or(b"without a name")))
}

/// Takes a menu or form for as long as `work` shows it. Afterwards it is gone, unless it is to be kept.
fn with_menu(
    call: &mut Call<'_>,
    option: u8,
    work: impl FnOnce(&mut Call<'_>, &Menu) -> Result<(), Failure>,
) -> Done {
    let name = call.value(option);
    let menu = take(&mut call.host.drafts().menus, name).ok_or_else(|| no_menu(name))?;
    let done = work(call, &menu);
    if call.flag(b'k') {
        call.host.drafts().menus.push(menu);
    }
    done.map(|()| Flow::Next)
}

pub(super) fn choose(call: &mut Call<'_>) -> Done {
    let reference = call.argument(0);
    let (block, setting) = call.host.settings().place(reference)?;
    with_menu(call, b'm', |call, menu| {
        let asked = call.value(b'd');
        let mut initial = None;
        for (index, item) in menu.items.iter().enumerate() {
            let Some(name) = &item.name else { continue };
            let is_wanted = asked.map_or(item.is_default, |asked| asked == name);
            if initial.is_none() || is_wanted {
                initial = Some(index);
            }
        }
        let initial = initial.ok_or_else(|| NO_ITEMS.of(readable(&menu.title)))?;
        let (timeout, retimeout) = (call.time(b't'), call.time(b'r'));
        let chosen = call.host.choose(&Selection { menu, initial, timeout, retimeout })?;
        let name = menu.items.get(chosen).and_then(|item| item.name.as_deref()).unwrap_or_default();
        call.host.settings().store_text(block, &setting, setting.kind.unwrap_or(Kind::String), name)?;
        Ok(())
    })
}

pub(super) fn present(call: &mut Call<'_>) -> Done {
    with_menu(call, b'f', |call, form| Ok(fill_in(call.host, form)?))
}

/// Shows a form until all that is in it could be stored.
///
/// # Errors
/// There is no field, or the host gave up.
pub fn fill_in(host: &mut dyn Host, form: &Menu) -> Result<(), Error> {
    if form.items.iter().all(|item| item.name.is_none()) {
        return Err(NO_ITEMS.of(readable(&form.title)));
    }
    let mut texts = Vec::new();
    let mut fields: Vec<Option<(BlockId, Key<'_>, Kind)>> = Vec::new();
    for item in &form.items {
        let (mut field, mut text) = (None, Vec::new());
        if let Some(name) = &item.name {
            let settings = host.settings();
            let (block, key) = settings.place(name)?;
            let kind = key.kind.unwrap_or(Kind::String);
            if let Some(found) = settings.fetch(block, &key) {
                text = kind.format(&found.data).unwrap_or_default();
            }
            field = Some((block, key, kind));
        }
        fields.push(field);
        texts.push(text);
    }
    let mut refused = None;
    loop {
        texts = host.present(form, texts, refused.take())?;
        for (index, (field, text)) in fields.iter().zip(&texts).enumerate() {
            if let Some((block, key, kind)) = field
                && let Err(error) = host.settings().store_text(*block, key, *kind, text)
            {
                refused.get_or_insert((index, error));
            }
        }
        if refused.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn parameters(call: &mut Call<'_>) -> Done {
    let parameters = Parameters {
        name: call.value(b'n').map(<[u8]>::to_vec),
        method: call.value(b'm').map(<[u8]>::to_vec),
        ..Parameters::default()
    };
    take(&mut call.host.drafts().parameters, parameters.name.as_deref());
    if !call.flag(b'd') {
        call.host.drafts().parameters.push(parameters);
    }
    Ok(Flow::Next)
}

pub(super) fn parameter(call: &mut Call<'_>) -> Done {
    let name = call.value(b'p');
    let parameter =
        Parameter { key: call.argument(0).to_vec(), value: call.joined(1), is_header: call.flag(b'H') };
    let Some(parameters) = find(&mut call.host.drafts().parameters, name) else {
        return Err(NO_PARAMETERS.of(readable(name.unwrap_or(b"without a name"))).into());
    };
    parameters.size.grow(parameter.key.len() + parameter.value.len(), &parameter.key)?;
    parameters.list.push(parameter);
    Ok(Flow::Next)
}
