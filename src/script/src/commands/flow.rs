//! Text, the order of things, and what only the machine can do.

use super::{COMMANDS, Call, Done};
use crate::errors::{OTHER_KEY, TIMEOUT};
use crate::interpreter::Flow;
use crate::options::{key, number};
use alloc::vec::Vec;
use base::text::cut_bytes;

/// Carried out by the host.
pub(super) fn machine(call: &mut Call<'_>) -> Done {
    call.host.command(&call.invocation)?;
    Ok(Flow::Next)
}

/// Nothing to do on this platform.
pub(super) fn nothing(_: &mut Call<'_>) -> Done {
    Ok(Flow::Next)
}

pub(super) fn echo(call: &mut Call<'_>) -> Done {
    let mut line = call.joined(0);
    if !call.flag(b'n') {
        line.push(b'\n');
    }
    call.host.print(&line);
    Ok(Flow::Next)
}

pub(super) fn exit(call: &mut Call<'_>) -> Done {
    let Some(status) = call.arguments.first() else { return Ok(Flow::Exit(0)) };
    let [.., a, b, c, d] = number(status)?.to_be_bytes();
    Ok(Flow::Exit(u32::from_be_bytes([a, b, c, d])))
}

pub(super) fn goto(call: &mut Call<'_>) -> Done {
    Ok(Flow::Goto { label: call.argument(0).to_vec(), is_call: false })
}

/// Sets what is named, and goes to the label for a while.
pub(super) fn call(call: &mut Call<'_>) -> Done {
    for word in call.arguments.get(1..).unwrap_or_default() {
        let (name, value) = cut_bytes(word, b'=');
        call.host.settings().store(name, value.unwrap_or_default())?;
    }
    Ok(Flow::Goto { label: call.argument(0).to_vec(), is_call: true })
}

pub(super) fn end(_: &mut Call<'_>) -> Done {
    Ok(Flow::End)
}

pub(super) fn shell(_: &mut Call<'_>) -> Done {
    Ok(Flow::Shell)
}

/// Of what stands behind `time` it is told how long it takes; behind `while` it is a condition.
pub(super) fn inner(call: &mut Call<'_>) -> Done {
    Ok(Flow::Words { words: call.arguments.to_vec(), is_condition: call.name() != "time" })
}

pub(super) fn help(call: &mut Call<'_>) -> Done {
    let mut column = 0;
    let mut out = Vec::new();
    for command in COMMANDS {
        for name in command.names() {
            out.extend_from_slice(name.as_bytes());
            column += 1;
            if column % 6 == 0 {
                out.push(b'\n');
            } else {
                out.resize(out.len() + 12_usize.saturating_sub(name.len()), b' ');
            }
        }
    }
    out.extend_from_slice(b"\nCOMMAND --help shows how a command is used\n");
    call.host.say(&out);
    Ok(Flow::Next)
}

pub(super) fn prompt(call: &mut Call<'_>) -> Done {
    let wanted = call.value(b'k').map_or(Ok(None), key)?;
    let line = call.joined(0);
    let timeout = call.time(b't');
    match call.host.prompt(&line, wanted, timeout)? {
        None => Err(TIMEOUT.error().into()),
        Some(pressed) if wanted.is_some_and(|wanted| wanted != pressed) => Err(OTHER_KEY.error().into()),
        Some(_) => Ok(Flow::Next),
    }
}
