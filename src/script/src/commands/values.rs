//! Settings.

use super::{Call, Done};
use crate::Line;
use crate::errors::{ARGUMENTS, FALSE, NO_OPERATOR, NOT_A_NUMBER, NOT_COUNTABLE, NOT_SET};
use crate::interpreter::{Failure, Flow};
use crate::location::readable;
use crate::options::{Words, number};
use alloc::vec::Vec;
use base::Error;
use base::text::{has, same_word};
use settings::{BlockId, Key, Kind, Tree};

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
    let value = found.kind.format(&found.data).ok_or_else(|| NOT_SET.of(readable(reference)))?;
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
        Some(found) => (found.kind, found.kind.number(&found.data).unwrap_or(0)),
        None => (key.kind.unwrap_or(Kind::Int32), 0),
    };
    if !kind.is_number() {
        return Err(NOT_COUNTABLE.of(readable(reference)).into());
    }
    store_number(settings, block, &key, kind, old.wrapping_add_unsigned(step))
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

/// Texts compared; or numbers, of which the result is not to be 0.
pub(super) fn is(call: &mut Call<'_>) -> Done {
    let (mut left, right) = (call.argument(0), call.argument(2));
    answer(match call.argument(1) {
        operator @ (b"same" | b"prefix") => {
            if operator == b"prefix" {
                left = left.get(..right.len()).unwrap_or(left);
            }
            if call.flag(b'n') { same_word(left, right) } else { left == right }
        }
        _ => evaluate(call.arguments)? != 0,
    })
}

pub(super) fn calculate(call: &mut Call<'_>) -> Done {
    let result = evaluate(call.arguments.get(1..).unwrap_or_default())?;
    let reference = call.argument(0);
    let settings = call.host.settings();
    let (block, key) = settings.place(reference)?;
    store_number(settings, block, &key, key.kind.unwrap_or(Kind::Int32), result)
}

/// `1 + 2 * 3 > 8`, from left to right as commands in a line. A comparison, of `<`, `=` and `>` those that are to be
/// true, gives 1 or 0.
fn evaluate(words: &[Vec<u8>]) -> Result<i64, Error> {
    let mut operator = &b"+"[..];
    let mut result = 0_i64;
    for (index, word) in words.iter().enumerate() {
        if index % 2 == 1 {
            operator = word;
            continue;
        }
        let operand = number(word)?.cast_signed();
        let value = match operator {
            b"+" => Some(result.wrapping_add(operand)),
            b"-" => Some(result.wrapping_sub(operand)),
            b"*" => Some(result.wrapping_mul(operand)),
            b"/" => result.checked_div(operand),
            b"%" => result.checked_rem(operand),
            [_, ..] if operator.iter().all(|byte| has(b"<=>", *byte)) => {
                let order = b'='.wrapping_add_signed(result.cmp(&operand) as i8);
                Some(has(operator, order).into())
            }
            _ => return Err(NO_OPERATOR.of(readable(operator))),
        };
        result = value.ok_or_else(|| NOT_A_NUMBER.of("a division by 0"))?;
    }
    if words.len().is_multiple_of(2) { Err(ARGUMENTS.of(readable(operator))) } else { Ok(result) }
}

fn store_number(settings: &mut Tree, block: BlockId, key: &Key<'_>, kind: Kind, number: i64) -> Done {
    settings.store_text(block, key, kind, alloc::format!("{number}").as_bytes())?;
    Ok(Flow::Next)
}

/// Additions to the language of iPXE.
const FEATURES: &str = "calc call is sha256 slice while";

/// Whether all of these are there; without names, which there are.
pub(super) fn features(call: &mut Call<'_>) -> Done {
    let own = call.host.features();
    if call.arguments.is_empty() {
        call.host.say(alloc::format!("{own} {FEATURES}\n").as_bytes());
    }
    for name in call.arguments {
        let is_it = |own: &str| same_word(own.as_bytes(), name);
        if ![own, FEATURES].into_iter().any(|features| Words(features, b' ').any(is_it)) {
            return answer(false);
        }
    }
    answer(true)
}

fn answer(yes: bool) -> Done {
    if yes { Ok(Flow::Next) } else { Err(Failure::from(FALSE.error())) }
}
