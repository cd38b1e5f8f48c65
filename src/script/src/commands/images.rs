//! Images.

use super::{Call, Done};
use crate::drafts::take;
use crate::errors::{NO_IMAGE, NOT_EXECUTABLE, TRUST_IS_SET, WRONG_DIGEST};
use crate::interpreter::Flow;
use crate::location::readable;
use crate::options::text;
use crate::{Fetch, Host, Image, ImageId, Type};
use alloc::vec::Vec;
use base::text::cut_last;
use base::{Duration, Error};
use settings::Kind;

pub(super) fn fetch(call: &mut Call<'_>) -> Done {
    let (name, timeout, quiet) = (call.argument(0), call.time(b't'), call.flag(b'q'));
    let id = download(call.host, name, timeout, quiet, false)?;
    let id = checked(call, id)?;
    adjust(call, id, false)?;
    Ok(Flow::Next)
}

pub(super) fn select(call: &mut Call<'_>) -> Done {
    let id = acquire_program(call)?;
    adjust(call, id, false)?;
    check_executable(call, id)?;
    call.host.images().select(id);
    Ok(Flow::Next)
}

pub(super) fn arguments(call: &mut Call<'_>) -> Done {
    let id = acquire(call, 0)?;
    adjust(call, id, true)?;
    Ok(Flow::Next)
}

pub(super) fn boot(call: &mut Call<'_>) -> Done {
    let id = if call.arguments.is_empty() {
        let Some(id) = call.host.images().selected() else {
            call.host.say(b"nothing to boot: no image is selected, kernel selects one\n");
            return Ok(Flow::Next);
        };
        checked(call, id)?
    } else {
        acquire_program(call)?
    };
    adjust(call, id, false)?;
    if !call.flag(b'r') {
        return Ok(Flow::Execute(id));
    }
    check_executable(call, id)?;
    Ok(Flow::Replace(id))
}

pub(super) fn free(call: &mut Call<'_>) -> Done {
    if call.arguments.is_empty() {
        everything(call).into_iter().for_each(|id| discard(call.host, id));
    }
    for name in call.arguments {
        let id = find(call, name)?;
        discard(call.host, id);
    }
    Ok(Flow::Next)
}

pub(super) fn list(call: &mut Call<'_>) -> Done {
    if call.arguments.is_empty() {
        everything(call).into_iter().for_each(|id| describe(call, id));
    }
    for name in call.arguments {
        let id = find(call, name)?;
        describe(call, id);
    }
    Ok(Flow::Next)
}

pub(super) fn extract(call: &mut Call<'_>) -> Done {
    let id = acquire_program(call)?;
    let extracted = call.host.extract(id);
    let name = call.host.images().image(id).map(|image| image.name.clone()).unwrap_or_default();
    discard_unless_kept(call, id);
    let mut extracted = extracted?;
    let (stem, rest) = cut_last(&name, b'.');
    extracted.name = stem.unwrap_or(rest).into();
    let id = call.host.images().register(extracted);
    rename(call, id)?;
    Ok(Flow::Next)
}

/// The bytes of a file become the value of a setting as they are.
pub(super) fn set(call: &mut Call<'_>) -> Done {
    let reference = call.argument(0);
    let (block, key) = call.host.settings().place(reference)?;
    let id = acquire(call, 1)?;
    let data = match call.host.images().image(id).map(|image| image.handle) {
        Some(handle) => call.host.content(handle).to_vec(),
        None => Vec::new(),
    };
    discard_unless_kept(call, id);
    call.host.settings().store_bytes(block, &key, key.kind.unwrap_or(Kind::String), data)?;
    Ok(Flow::Next)
}

pub(super) fn digest(call: &mut Call<'_>) -> Done {
    let algorithm = call.name().strip_suffix("sum").unwrap_or_default();
    if let Some(reference) = call.value(b's') {
        call.host.settings().place(reference)?;
    }
    for index in 0..call.arguments.len() {
        let id = acquire(call, index)?;
        let digest = call.host.digest(algorithm, id)?;
        if let Some(reference) = call.value(b's') {
            let settings = call.host.settings();
            let (block, key) = settings.place(reference)?;
            settings.store_bytes(block, &key, key.kind.unwrap_or(Kind::HexRaw), digest)?;
            continue;
        }
        let mut out = Kind::HexRaw.format(&digest).unwrap_or_default();
        out.extend_from_slice(b"  ");
        if let Some(image) = call.host.images().image(id) {
            out.extend_from_slice(image.name.as_bytes());
        }
        out.push(b'\n');
        call.host.say(&out);
    }
    Ok(Flow::Next)
}

/// Says whether images must be verified before they run, perhaps for good.
pub(super) fn trust(call: &mut Call<'_>) -> Done {
    let (is_required, is_permanent) = (!call.flag(b'a'), call.flag(b'p'));
    if !call.host.images().require_trust(is_required, is_permanent) {
        return Err(TRUST_IS_SET.error().into());
    }
    Ok(Flow::Next)
}

pub(super) fn verify(call: &mut Call<'_>) -> Done {
    let id = acquire(call, 0)?;
    let signature = acquire(call, 1)?;
    set_trusted(call, id, false);
    let result = call.host.verify(id, signature, call.invocation.value(b's'));
    discard_unless_kept(call, signature);
    result?;
    set_trusted(call, id, true);
    Ok(Flow::Next)
}

fn set_trusted(call: &mut Call<'_>, id: ImageId, is_trusted: bool) {
    if let Some(image) = call.host.images().image_mut(id) {
        image.is_trusted = is_trusted;
    }
}

fn discard_unless_kept(call: &mut Call<'_>, id: ImageId) {
    if !call.flag(b'k') {
        discard(call.host, id);
    }
}

fn describe(call: &mut Call<'_>, id: ImageId) {
    let images = call.host.images();
    let is_selected = images.selected() == Some(id);
    let Some(image) = images.image(id) else { return };
    let mut out =
        alloc::format!("{} : {} bytes [{}]", image.name, image.size, image.kind.name()).into_bytes();
    for (is_so, tag) in
        [(is_selected, " [SELECTED]"), (image.is_trusted, " [TRUSTED]"), (image.autofree, " [AUTOFREE]")]
    {
        if is_so {
            out.extend_from_slice(tag.as_bytes());
        }
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
    base::list(call.host.images().registered().map(Image::id))
}

fn find(call: &mut Call<'_>, name: &[u8]) -> Result<ImageId, Error> {
    call.host.images().find(name).ok_or_else(|| NO_IMAGE.of(readable(name)))
}

/// The image of that argument: one of that name, or else downloaded.
fn acquire(call: &mut Call<'_>, index: usize) -> Result<ImageId, Error> {
    acquire_for(call, index, false)
}

/// The same of the first argument, to be started or, if it is an archive, unpacked.
fn acquire_program(call: &mut Call<'_>) -> Result<ImageId, Error> {
    acquire_for(call, 0, true)
}

fn acquire_for(call: &mut Call<'_>, index: usize, runs: bool) -> Result<ImageId, Error> {
    let (name, timeout, quiet) = (call.argument(index), call.time(b't'), call.flag(b'q'));
    let id = image(call.host, name, timeout, quiet, runs)?;
    checked(call, id)
}

/// The image of that name, or else downloaded from that address; to be started then if it `runs`.
pub fn image(
    host: &mut dyn Host,
    name: &[u8],
    timeout: Option<Duration>,
    quiet: bool,
    runs: bool,
) -> Result<ImageId, Error> {
    match host.images().find(name) {
        Some(id) => Ok(id),
        None => download(host, name, timeout, quiet, runs),
    }
}

/// Gives up an image.
pub fn discard(host: &mut dyn Host, id: ImageId) {
    if let Some(image) = host.images().remove(id) {
        host.release(image.handle);
    }
}

/// Frees an image that is not the one whose digest the script names, or of which nobody can tell.
fn checked(call: &mut Call<'_>, id: ImageId) -> Result<ImageId, Error> {
    let Some(wanted) = call.value(b'S') else { return Ok(id) };
    let error = match call.host.digest("sha256", id) {
        Ok(digest) if Kind::HexRaw.parse(wanted).is_some_and(|wanted| wanted == digest) => return Ok(id),
        Ok(_) => WRONG_DIGEST.error(),
        Err(error) => error,
    };
    discard(call.host, id);
    Err(error)
}

/// What stands behind an address to say that parameters go with it, perhaps with a character (`=` as a rule) and
/// their name.
const PARAMETERS: &[u8] = b"##params";

fn download(
    host: &mut dyn Host,
    address: &[u8],
    timeout: Option<Duration>,
    quiet: bool,
    runs: bool,
) -> Result<ImageId, Error> {
    let mut uri = text(address)?;
    let mut parameters = None;
    // The standard library's search is for long texts, and long itself.
    let mark = address.windows(PARAMETERS.len()).position(|part| part == PARAMETERS);
    if let Some((before, behind)) = mark.and_then(|mark| uri.split_at_checked(mark)) {
        uri = before;
        let name =
            behind.as_bytes().get(PARAMETERS.len()..).and_then(<[u8]>::split_first).map(|(_, name)| name);
        // They go with one request, whether it succeeds or not.
        parameters = take(&mut host.drafts().parameters, name);
    }
    let fetched = host.fetch(&Fetch { uri, parameters: parameters.as_ref(), timeout, quiet, runs })?;
    Ok(host.images().register(fetched))
}

/// Applies name, command line and flags. Without arguments the command line stays, unless it is to be cleared.
fn adjust(call: &mut Call<'_>, id: ImageId, clears: bool) -> Result<(), Error> {
    rename(call, id)?;
    let command_line = call.joined(1);
    let changes = clears || call.arguments.len() > 1;
    let autofree = call.flag(b'a');
    if let Some(image) = call.host.images().image_mut(id) {
        image.autofree |= autofree;
        if changes {
            image.command_line = command_line;
        }
    }
    Ok(())
}

fn rename(call: &mut Call<'_>, id: ImageId) -> Result<(), Error> {
    let Some(name) = call.value(b'n') else { return Ok(()) };
    let name = text(name)?;
    if let Some(image) = call.host.images().image_mut(id) {
        image.name = name.into();
    }
    Ok(())
}

fn check_executable(call: &mut Call<'_>, id: ImageId) -> Result<(), Error> {
    let Some(image) = call.host.images().image(id) else { return Ok(()) };
    if image.kind == Type::Data {
        return Err(NOT_EXECUTABLE.of(readable(image.name.as_bytes())));
    }
    Ok(())
}
