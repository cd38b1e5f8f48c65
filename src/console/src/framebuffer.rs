//! Text on a screen of pixels, over a picture.

use crate::{Colour, DEFAULT, Display, Size, Style, VideoMode};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Where the pixels are shown.
pub trait Surface {
    /// Changes bytes from `offset` on. They lie within [`VideoMode::length`].
    fn write(&mut self, offset: usize, bytes: &[u8]);
}

/// Bytes of a font: one for each row of each of 256 characters, the leftmost pixel in the highest bit.
pub const FONT_LENGTH: usize = 256 * ROWS;
/// Rows of a character.
const ROWS: usize = 16;
/// Columns of a character: 640 pixels show a line of 80.
const COLUMNS: usize = 8;

/// The part of the screen that shows text, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// Left of it.
    pub left: u32,
    /// Right of it.
    pub right: u32,
    /// Above.
    pub top: u32,
    /// Below.
    pub bottom: u32,
}

impl Margins {
    /// Margins that were meant for a screen of `width` and `height` on a larger one, in whose middle that one lies. A
    /// margin of 0 stays at the edge.
    #[must_use]
    pub fn on(self, mode: &VideoMode, width: u32, height: u32) -> Self {
        let moved = |margin, pixels: u16, wanted| match margin {
            0 => 0,
            _ => u32::from(pixels).saturating_sub(wanted) / 2 + margin,
        };
        Self {
            left: moved(self.left, mode.width, width),
            right: moved(self.right, mode.width, width),
            top: moved(self.top, mode.height, height),
            bottom: moved(self.bottom, mode.height, height),
        }
    }
}

/// What is shown in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    character: u8,
    foreground: u32,
    /// None shows the picture.
    background: Option<u32>,
}

/// A screen of pixels with text on it.
pub struct Framebuffer {
    surface: Box<dyn Surface>,
    mode: VideoMode,
    font: Box<[u8; FONT_LENGTH]>,
    /// The picture, as large as the screen, in pixels of the mode, without gaps between rows; empty for black.
    picture: Vec<u8>,
    /// The first pixel of the text.
    left: usize,
    top: usize,
    size: Size,
    /// The places for characters, row by row.
    cells: Vec<Cell>,
    /// The place of the cursor.
    cursor: usize,
    shows_cursor: bool,
}

impl Framebuffer {
    /// A screen in that mode, to be shown by [`show`](Self::show). None if the margins leave too little room for text.
    pub fn new(
        surface: Box<dyn Surface>,
        mode: VideoMode,
        font: Box<[u8; FONT_LENGTH]>,
        margins: Margins,
    ) -> Option<Self> {
        let places = |pixels: u16, before: u32, after: u32, each: usize, least: u8| {
            let places = u32::from(pixels).checked_sub(before)?.checked_sub(after)? as usize / each;
            Some(u8::try_from(places).unwrap_or(u8::MAX)).filter(|places| *places >= least)
        };
        let size = Size {
            rows: places(mode.height, margins.top, margins.bottom, ROWS, Size::LEAST.rows)?,
            columns: places(mode.width, margins.left, margins.right, COLUMNS, Size::LEAST.columns)?,
        };
        Some(Self {
            surface,
            mode,
            font,
            picture: Vec::new(),
            left: margins.left as usize,
            top: margins.top as usize,
            size,
            cells: alloc::vec![blank(Style::PLAIN); usize::from(size.rows) * usize::from(size.columns)],
            cursor: 0,
            shows_cursor: true,
        })
    }

    /// How much text there is room for.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Bytes of a picture as large as the screen.
    pub fn picture_length(&self) -> usize {
        usize::from(self.mode.width) * usize::from(self.mode.height) * self.mode.bytes()
    }

    /// Puts a picture behind the text: so many zeroed bytes as [`picture_length`](Self::picture_length) says, to be
    /// filled by [`set_pixel`](Self::set_pixel).
    pub fn set_picture(&mut self, room: Vec<u8>) {
        self.picture = room;
    }

    /// Colours one pixel of a picture of `width` and `height`, which lies in the middle of the screen; what is outside
    /// is left out.
    pub fn set_pixel(&mut self, [width, height]: [u32; 2], [column, row]: [u32; 2], colour: u32) {
        let place = |screen: u16, picture: u32, place: u32| {
            let place = (i64::from(screen) - i64::from(picture)) / 2 + i64::from(place);
            usize::try_from(place).ok().filter(|place| *place < usize::from(screen))
        };
        let column = place(self.mode.width, width, column);
        let row = place(self.mode.height, height, row);
        if let (Some(column), Some(row)) = (column, row) {
            let bytes = self.mode.bytes();
            let offset = (row * usize::from(self.mode.width) + column) * bytes;
            let room = self.picture.get_mut(offset..offset + bytes).unwrap_or_default();
            room.iter_mut().zip(self.mode.pixel(colour)).for_each(|(to, from)| *to = from);
        }
    }

    /// Shows everything, after the mode was set.
    pub fn show(&mut self) {
        let length = usize::from(self.mode.width) * self.mode.bytes();
        let black = alloc::vec![0; length];
        for row in 0..usize::from(self.mode.height) {
            let pixels = self.picture.get(row * length..(row + 1) * length).unwrap_or(&black);
            self.surface.write(row * usize::from(self.mode.pitch), pixels);
        }
        (0..self.cells.len()).for_each(|place| self.draw(place));
    }

    fn columns(&self) -> usize {
        self.size.columns.into()
    }

    /// Changes a place, if that makes a difference.
    fn put(&mut self, place: usize, cell: Cell) {
        if let Some(old) = self.cells.get_mut(place)
            && *old != cell
        {
            *old = cell;
            self.draw(place);
        }
    }

    /// Draws a place, with the cursor if it is there.
    fn draw(&mut self, place: usize) {
        let Some(cell) = self.cells.get(place).copied() else { return };
        let bytes = self.mode.bytes();
        let foreground = self.mode.pixel(cell.foreground);
        let background = cell.background.map(|colour| self.mode.pixel(colour));
        let x = self.left + place % self.columns() * COLUMNS;
        let y = self.top + place / self.columns() * ROWS;
        for line in 0..ROWS {
            let is_cursor = self.shows_cursor && place == self.cursor && line >= ROWS - 2;
            let bits = self.font.get(usize::from(cell.character) * ROWS + line).copied().unwrap_or(0);
            let mut bits = if is_cursor { !0 } else { bits };
            let mut pixels = [0; COLUMNS * 4];
            let mut behind = ((y + line) * usize::from(self.mode.width) + x) * bytes;
            for pixel in pixels.chunks_exact_mut(bytes).take(COLUMNS) {
                let colour = match (bits >> 7, &background) {
                    (1, _) => &foreground,
                    (_, Some(background)) => background,
                    // Without a picture, black is behind.
                    _ => self.picture.get(behind..).unwrap_or_default(),
                };
                pixel.iter_mut().zip(colour).for_each(|(to, from)| *to = *from);
                bits <<= 1;
                behind += bytes;
            }
            let offset = (y + line) * usize::from(self.mode.pitch) + x * bytes;
            self.surface.write(offset, pixels.get(..COLUMNS * bytes).unwrap_or_default());
        }
    }

    /// Moves the cursor, or shows or hides it.
    fn set_cursor(&mut self, place: usize, shown: bool) {
        let old = core::mem::replace(&mut self.cursor, place);
        self.shows_cursor = shown;
        self.draw(old);
        self.draw(place);
    }
}

impl Display for Framebuffer {
    fn text(&mut self, text: &[u8], style: Style) {
        let (mut place, shown) = (self.cursor, self.shows_cursor);
        let columns = self.columns();
        self.set_cursor(place, false);
        for byte in text {
            match byte {
                7 => {}
                8 => place -= usize::from(place % columns != 0),
                10 => place += columns,
                13 => place -= place % columns,
                _ => {
                    self.put(place, Cell { character: *byte, ..blank(style) });
                    place += 1;
                }
            }
            if place >= self.cells.len() {
                place -= columns;
                for place in 0..self.cells.len() {
                    let below = self.cells.get(place + columns).copied();
                    self.put(place, below.unwrap_or(blank(Style::PLAIN)));
                }
            }
        }
        self.set_cursor(place, shown);
    }

    fn go(&mut self, row: u8, column: u8) {
        let [row, column] = [row.min(self.size.rows - 1), column.min(self.size.columns - 1)].map(usize::from);
        self.set_cursor(row * self.columns() + column, self.shows_cursor);
    }

    fn clear(&mut self, style: Style) {
        (0..self.cells.len()).for_each(|place| self.put(place, blank(style)));
    }

    fn show_cursor(&mut self, visible: bool) {
        self.set_cursor(self.cursor, visible);
    }
}

/// A free place of that style.
fn blank(style: Style) -> Cell {
    let usual = |colour: Colour| colour.basic == DEFAULT && colour.value.is_none();
    let white = Colour { basic: 7, value: None };
    let foreground = if usual(style.foreground) { white } else { style.foreground };
    Cell {
        character: b' ',
        foreground: value(foreground, style.bold),
        background: (!usual(style.background)).then(|| value(style.background, false)),
    }
}

/// A colour, 24 bits; a basic one in VGA's shades, but for yellow, which is brown there.
fn value(colour: Colour, bold: bool) -> u32 {
    const PARTS: [u32; 3] = [0xaa_0000, 0xaa00, 0xaa];
    let bit = |place: usize| u32::from(colour.basic >> place & 1);
    let basic = (0..).zip(PARTS).fold(0, |sum, (place, part)| sum + bit(place) * part);
    colour.value.unwrap_or(basic + if bold { 0x55_5555 } else { 0 })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Ansi;
    use crate::video::tests::info;
    use alloc::format;
    use alloc::rc::Rc;
    use alloc::string::String;
    use core::cell::RefCell;
    use proptest::prelude::*;

    /// Video memory that its owner and the screen share.
    #[derive(Clone, Default)]
    pub(crate) struct Memory(Rc<RefCell<Vec<u8>>>);

    impl Surface for Memory {
        fn write(&mut self, offset: usize, bytes: &[u8]) {
            let mut memory = self.0.borrow_mut();
            memory[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// A screen whose memory is seen.
    pub(crate) struct Seen {
        pub(crate) screen: Framebuffer,
        memory: Memory,
    }

    /// What stands in a place: the character, its colour, and the one behind.
    type Place = (u8, u32, u32);

    impl Seen {
        pub(crate) fn new(width: u16, height: u16, depth: u8, margins: Margins) -> Self {
            let fields = if depth == 16 { [[5, 11], [6, 5], [5, 0]] } else { [[8, 16], [8, 8], [8, 0]] };
            let mode = VideoMode { width, height, depth, fields, ..VideoMode::parse(1, &info()).unwrap() };
            // Rows have a gap behind them.
            let pitch = width * u16::from(depth / 8) + 12;
            let mode = VideoMode { pitch, ..mode };
            let memory = Memory::default();
            memory.0.borrow_mut().resize(mode.length(), 0xee);
            // The first row of a character has its number in its bits, the next is full, and the others are empty.
            let mut font = Box::new([0; FONT_LENGTH]);
            for character in 0..=255 {
                font[usize::from(character) * ROWS] = character;
                font[usize::from(character) * ROWS + 1] = 0xff;
            }
            let screen = Framebuffer::new(Box::new(memory.clone()), mode, font, margins).unwrap();
            Self { screen, memory }
        }

        fn pixel(&self, x: usize, y: usize) -> u32 {
            let mode = &self.screen.mode;
            let offset = y * usize::from(mode.pitch) + x * mode.bytes();
            let memory = self.memory.0.borrow();
            memory[offset..offset + mode.bytes()]
                .iter()
                .rev()
                .fold(0, |pixel, byte| pixel << 8 | u32::from(*byte))
        }

        pub(crate) fn place(&self, row: usize, column: usize) -> Place {
            let (x, y) = (self.screen.left + column * COLUMNS, self.screen.top + row * ROWS);
            let (foreground, background) = (self.pixel(x, y + 1), self.pixel(x, y + 2));
            let bits = (x..x + COLUMNS).map(|x| u8::from(self.pixel(x, y) == foreground));
            (bits.fold(0, |bits, bit| bits << 1 | bit), foreground, background)
        }

        /// Where the cursor is seen.
        fn cursor(&self) -> Option<(usize, usize)> {
            let Size { rows, columns } = self.screen.size;
            let mut places =
                (0..rows.into()).flat_map(|row| (0..columns.into()).map(move |column| (row, column)));
            places.find(|(row, column)| {
                let (x, y) = (self.screen.left + column * COLUMNS, self.screen.top + row * ROWS);
                self.pixel(x, y + ROWS - 1) == self.pixel(x, y + 1)
            })
        }

        fn line(&self, row: usize) -> String {
            let line: Vec<_> =
                (0..self.screen.size.columns.into()).map(|column| self.place(row, column).0).collect();
            format!("{}", line.trim_ascii_end().escape_ascii())
        }

        pub(crate) fn print(&mut self, text: &str) {
            Ansi::default().print(text.as_bytes(), &mut self.screen);
        }
    }

    const WHITE: u32 = 0xaa_aaaa;
    const NONE: Margins = Margins { left: 0, right: 0, top: 0, bottom: 0 };

    #[test]
    fn text_is_drawn_in_colours() {
        let mut seen = Seen::new(640, 480, 32, NONE);
        seen.screen.show();
        assert_eq!(seen.screen.size(), Size { rows: 30, columns: 80 });
        seen.print("a\x1b[1;31;44mb\x1b[0;38;2;1;2;3mc\x1b[33;7m\u{e4}");
        assert_eq!(seen.place(0, 0), (b'a', WHITE, 0));
        assert_eq!(seen.place(0, 1), (b'b', 0xff_5555, 0xaa));
        assert_eq!(seen.place(0, 2), (b'c', 0x01_0203, 0));
        assert_eq!(seen.place(0, 3), (0x84, 0xaa_aa00, 0));
        assert_eq!(seen.cursor(), Some((0, 4)));
        seen.print("\x1b[5;6H");
        assert_eq!(seen.cursor(), Some((4, 5)));
        seen.print("\x1b[?25l");
        assert_eq!(seen.cursor(), None);
        seen.print("\x1b[42m\x1b[2J");
        assert_eq!(seen.place(0, 0), (b' ', WHITE, 0xaa00));
        // Pixels behind the rows were never touched.
        assert_eq!(seen.pixel(640, 479), 0xeeee_eeee);
    }

    #[test]
    fn a_picture_is_behind_text() {
        // 4 pixels wider and 2 higher than the screen.
        let mut seen = Seen::new(400, 200, 16, Margins { left: 24, right: 32, top: 8, bottom: 0 });
        assert_eq!(seen.screen.size(), Size { rows: 12, columns: 43 });
        let length = seen.screen.picture_length();
        seen.screen.set_picture(alloc::vec![0; length]);
        for row in 0..202 {
            (0..404).for_each(|column| {
                seen.screen.set_pixel(
                    [404, 202],
                    [column, row],
                    if row % 2 == 0 { 0xff_0000 } else { column },
                );
            });
        }
        seen.screen.show();
        // Row 1 of the picture is the first on the screen, and its column 2.
        assert_eq!((seen.pixel(0, 0), seen.pixel(0, 1)), (2 >> 3, 0xf800));
        assert_eq!(seen.pixel(399, 0), 0x191 >> 3 & 0x1f);
        seen.print("a\x1b[44mb");
        assert_eq!(seen.pixel(24 + COLUMNS, 8 + 3), 0x15);
        assert_eq!(seen.pixel(24, 8 + 3), 0xf800);
        // The letter has one row in its colour, 16 bits of it.
        assert_eq!(seen.pixel(24, 8 + 1), 0xad55);
        seen.print("\x1b[0m\x1b[2J");
        assert_eq!((seen.pixel(24 + COLUMNS, 11), seen.pixel(24, 13)), (0xf800, 0xf800));
    }

    #[test]
    fn a_small_picture_is_in_the_middle() {
        let mut seen = Seen::new(640, 480, 24, NONE);
        let length = seen.screen.picture_length();
        seen.screen.set_picture(alloc::vec![0; length]);
        for column in 0..40 {
            (0..20).for_each(|row| seen.screen.set_pixel([40, 20], [column, row], 0x12_3456));
        }
        seen.screen.show();
        for (x, y, colour) in
            [(300, 230, 0x12_3456), (339, 249, 0x12_3456), (299, 230, 0), (340, 230, 0), (300, 250, 0)]
        {
            assert_eq!(seen.pixel(x, y), colour, "{x}, {y}");
        }
    }

    #[test]
    fn margins_move_with_the_middle() {
        let mode = VideoMode { width: 800, height: 600, ..VideoMode::parse(1, &info()).unwrap() };
        let margins = Margins { left: 32, right: 0, top: 16, bottom: 8 };
        assert_eq!(margins.on(&mode, 800, 600), margins);
        assert_eq!(margins.on(&mode, 640, 480), Margins { left: 112, right: 0, top: 76, bottom: 68 });
        let memory = || Box::new(Memory::default());
        let font = || Box::new([0; FONT_LENGTH]);
        for margins in [
            Margins { left: 800, ..NONE },
            Margins { right: 481, ..NONE },
            Margins { top: 457, ..NONE },
            Margins { bottom: u32::MAX, ..NONE },
        ] {
            assert!(Framebuffer::new(memory(), mode, font(), margins).is_none(), "{margins:?}");
        }
        assert!(Framebuffer::new(memory(), mode, font(), Margins { right: 480, ..NONE }).is_some());
    }

    #[test]
    fn lines_go_on_and_the_screen_scrolls() {
        let mut seen = Seen::new(320, 144, 32, NONE);
        seen.screen.show();
        for line in 0..9 {
            seen.print(&format!("line {line}\r\n"));
        }
        assert_eq!(
            (seen.line(0), seen.line(7), seen.line(8)),
            ("line 1".into(), "line 8".into(), String::new())
        );
        seen.print(&"x".repeat(41));
        assert_eq!((seen.line(7), seen.line(8)), ("x".repeat(40), "x".into()));
        seen.print("\x08\x08\x08y\x07z\rw");
        assert_eq!(seen.line(8), "wz");
        assert_eq!(seen.cursor(), Some((8, 1)));
    }

    proptest! {
        #[test]
        fn any_text_stays_on_the_screen(text in "([ -~\r\n\x08]{0,50}|\x1b\\[[0-9;]{0,12}[HJm])*", depth in prop::sample::select(&[16, 24, 32][..])) {
            let mut seen = Seen::new(330, 150, depth, Margins { left: 3, right: 2, top: 1, bottom: 2 });
            seen.screen.show();
            seen.print(&text);
            prop_assert!(seen.cursor().is_some());
            // What is shown is what is kept.
            let before = seen.memory.0.borrow().clone();
            seen.screen.show();
            prop_assert!(before == *seen.memory.0.borrow());
        }
    }
}
