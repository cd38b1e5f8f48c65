//! Settings.

use super::{Call, Done};
use crate::Line;
use crate::errors::{FALSE, NOT_COUNTABLE, NOT_SET};
use crate::interpreter::{Failure, Flow};
use crate::location::readable;
use crate::options::number;
use alloc::vec::Vec;
use settings::Kind;

pub(super) fn set(call: &mut Call<'_>) -> Done {
    let (reference, value) = (call.argument(0), call.joined(1));
    call.host.settings().store(reference, &value)?;
    Ok(Flow::Next)
}

pub(super) fn clear(call: &mut Call<'_>) -> Done {
    let reference = call.argument(0);
    call.host.settings().clear(reference)?;
    Ok(Flow::Next)
}

pub(super) fn show(call: &mut Call<'_>) -> Done {
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

/// What cannot be read as a number counts as 0, but the type stays that of what was found.
pub(super) fn increase(call: &mut Call<'_>) -> Done {
    let step = match call.arguments.get(1) {
        Some(step) => number(step)?,
        None => 1,
    };
    let reference = call.argument(0);
    let settings = call.host.settings();
    let (block, key) = settings.resolve(reference).ok_or_else(|| NOT_SET.of(readable(reference)))?;
    let (kind, old) = match settings.fetch(block, &key) {
        Some(found) => (found.kind, Kind::integer(&found.data).unwrap_or(0)),
        None => (key.kind.unwrap_or(Kind::Int32), 0),
    };
    if !kind.is_number() {
        return Err(NOT_COUNTABLE.of(readable(reference)).into());
    }
    let sum = alloc::format!("{}", old.wrapping_add_unsigned(step));
    settings.store_text(block, &key, kind, sum.as_bytes())?;
    Ok(Flow::Next)
}

/// The line is stored with the type of the value that was there.
pub(super) fn read(call: &mut Call<'_>) -> Done {
    let reference = call.argument(0);
    let settings = call.host.settings();
    let (block, key) = settings.place(reference)?;
    let (kind, text) = match settings.fetch(block, &key) {
        Some(found) => (found.kind, found.kind.format(&found.data).unwrap_or_default()),
        None => (key.kind.unwrap_or(Kind::String), Vec::new()),
    };
    let line = Line { setting: Some(reference), text: &text, timeout: call.time(b't') };
    let text = call.host.read_line(&line)?;
    call.host.settings().store_text(block, &key, kind, &text)?;
    Ok(Flow::Next)
}

pub(super) fn is_set(call: &mut Call<'_>) -> Done {
    answer(!call.argument(0).is_empty())
}

pub(super) fn is_equal(call: &mut Call<'_>) -> Done {
    answer(call.argument(0) == call.argument(1))
}

fn answer(yes: bool) -> Done {
    if yes { Ok(Flow::Next) } else { Err(Failure::from(FALSE.error())) }
}
