//! The command `console`: text in pixels, over a picture.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use console::{FONT_LENGTH, Framebuffer, Margins, Surface, VideoMode};
use hw::memory::PhysicalMemory;
use hw::video::{self, VideoMemory};
use picture::Picture;
use script::{Invocation, discard, image};

use crate::errors;
use crate::machine::Machine;
use crate::screen::Screen;

/// A screen of pixels, and the text on it.
pub(crate) type Pixels = Framebuffer;

/// The least screen, if a script does not say.
const LEAST: [u32; 2] = [640, 480];
/// The least bits of a pixel.
const LEAST_DEPTH: u32 = 16;
/// What the heap takes for itself.
const HEAP_MARGIN: usize = 64 * 1024;

/// Video memory that is written to.
struct Target(VideoMemory);

impl Surface for Target {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.0.write(offset, bytes);
    }
}

impl Machine {
    /// Shows pixels as the options say; without any, text. What cannot be done changes nothing.
    pub(crate) fn configure_console(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        if b"xydp".iter().all(|option| !command.flag(*option)) {
            self.screen.show_text();
            self.leave_dialogue();
            return Ok(());
        }
        // A setting that is empty names no picture.
        let name = command.value(b'p').filter(|name| !name.is_empty());
        let id = name.map(|name| image(&mut self.host(), name, None, false, false)).transpose()?;
        let handle = id.and_then(|id| self.images.image(id)).map(|image| image.handle);
        let prepared = handle
            .map(|handle| Picture::open(self.store.bytes(handle)))
            .transpose()
            .and_then(|picture| prepare(command, picture.as_ref(), &mut self.memory));
        if let Some(id) = id.filter(|_| !command.flag(b'k')) {
            discard(&mut self.host(), id);
        }
        let (mode, pixels) = prepared?;
        if !video::set_mode(mode.number) {
            return Err(errors::NO_VIDEO_MODE.of(size(mode.width.into(), mode.height.into())));
        }
        self.screen.show_pixels(pixels, id.is_some());
        Ok(())
    }
}

impl Screen {
    /// Shows text in pixels, in a mode that was set.
    fn show_pixels(&mut self, mut pixels: Box<Pixels>, has_picture: bool) {
        pixels.show();
        self.pixels = Some(pixels);
        self.colours.set_picture(has_picture);
    }
}

/// Chooses a mode, and makes a screen for it.
fn prepare(
    command: &Invocation<'_>,
    picture: Option<&Picture<'_>>,
    memory: &mut PhysicalMemory,
) -> Result<(VideoMode, Box<Framebuffer>), Error> {
    let number = |option, usual| match command.number(option) {
        None | Some(0) => usual,
        Some(number) => u32::try_from(number).unwrap_or(u32::MAX),
    };
    let [width, height] = picture.map_or(LEAST, |picture| [picture.width, picture.height]);
    let (width, height) = (number(b'x', width), number(b'y', height));
    let depth = number(b'd', LEAST_DEPTH);
    let mut best: Option<VideoMode> = None;
    video::each_mode(&mut |number, info| {
        let rank = |mode: &VideoMode| mode.rank(width, height, depth);
        if let Some(mode) = VideoMode::parse(number, info)
            && let Some(found) = rank(&mode)
            && best.as_ref().and_then(rank).is_none_or(|best| found < best)
        {
            best = Some(mode);
        }
    });
    let mut font = Box::new([0; FONT_LENGTH]);
    let mode = best.filter(|_| video::font(&mut font));
    let target = mode.and_then(|mode| Some((mode, VideoMemory::at(memory, mode.address, mode.length())?)));
    let (mode, target) = target.ok_or_else(|| errors::NO_VIDEO_MODE.of(size(width, height)))?;
    let margin = |option| number(option, 0);
    let margins =
        Margins { left: margin(b'l'), right: margin(b'r'), top: margin(b't'), bottom: margin(b'b') };
    let pixels = Framebuffer::new(Box::new(Target(target)), mode, font, margins.on(&mode, width, height));
    let mut pixels = Box::new(pixels.ok_or_else(|| errors::NO_TEXT_ROOM.of(size(width, height)))?);
    if let Some(picture) = picture {
        pixels.set_picture(room(pixels.picture_length(), memory)?);
        let Picture { width, height, .. } = picture;
        picture
            .decode(&mut |column, row, colour| pixels.set_pixel([*width, *height], [column, row], colour))?;
    }
    Ok((mode, pixels))
}

fn size(width: u32, height: u32) -> String {
    format!("{width} x {height}")
}

/// So many zeros, for which the heap may have to grow.
fn room(length: usize, memory: &mut PhysicalMemory) -> Result<Vec<u8>, Error> {
    let mut room = Vec::new();
    if room.try_reserve_exact(length).is_err() {
        memory.grow_heap((length + HEAP_MARGIN) as u64);
        room.try_reserve_exact(length).map_err(|_| errors::NO_ROOM.of("the picture"))?;
    }
    room.resize(length, 0);
    Ok(room)
}
