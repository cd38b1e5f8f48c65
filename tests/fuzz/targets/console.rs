//! The screen: keys from a serial line into menus, forms, the editor of settings and a line, and what they print, or
//! anything at all, on a BIOS screen and in pixels.
#![no_main]

use base::{Duration, Instant};
use console::{
    Ansi, Colours, Config, Dialogue, Display, Entry, FONT_LENGTH, Field, Form, Framebuffer, Item, Key,
    LineEdit, MODE_INFO_LENGTH, Margins, Menu, Outcome, SerialKeys, Size, Style, Surface, VideoMode,
};
use libfuzzer_sys::fuzz_target;

/// Notes whether what is printed stays on the screen.
struct Screen {
    size: Size,
    column: usize,
}

impl Display for Screen {
    fn text(&mut self, text: &[u8], _: Style) {
        for byte in text {
            match byte {
                8 => self.column = self.column.checked_sub(1).expect("backspace at the margin"),
                byte => {
                    assert!(*byte >= b' ', "a control character in a dialogue");
                    self.column += 1;
                }
            }
        }
        assert!(self.column < usize::from(self.size.columns), "a line goes on in the next one");
    }

    fn go(&mut self, row: u8, column: u8) {
        assert!(row < self.size.rows - 1);
        self.column = column.into();
    }

    fn clear(&mut self, _: Style) {}

    fn show_cursor(&mut self, _: bool) {}
}

/// A screen of anybody's text.
struct Anything;

impl Display for Anything {
    fn text(&mut self, text: &[u8], _: Style) {
        assert!(!text.contains(&27));
    }

    fn go(&mut self, _: u8, _: u8) {}

    fn clear(&mut self, _: Style) {}

    fn show_cursor(&mut self, _: bool) {}
}

/// Video memory of so many bytes.
struct Memory(usize);

impl Surface for Memory {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.0, "a pixel outside of the screen");
    }
}

/// Whatever the video BIOS says of a mode, text stays on the screen.
fn print_in_pixels(text: &[u8]) {
    let Some((info, text)) = text.split_first_chunk::<MODE_INFO_LENGTH>() else { return };
    // Large ones only take long.
    let Some(mode) = VideoMode::parse(1, info).filter(|mode| mode.length() < 1 << 20) else { return };
    let margin = |place: usize| u32::from(info[200 + place]) * 4;
    let margins = Margins { left: margin(0), right: margin(1), top: margin(2), bottom: margin(3) };
    let surface = Box::new(Memory(mode.length()));
    if let Some(mut screen) = Framebuffer::new(surface, mode, Box::new([0x55; FONT_LENGTH]), margins) {
        Ansi::default().print(text, &mut screen);
    }
}

fn answer(
    dialogue: &mut dyn Dialogue,
    keys: &[Key],
    size: Size,
    mut accepted: impl FnMut(&mut dyn Dialogue),
) {
    let mut screen = Screen { size, column: 0 };
    let mut ansi = Ansi::default();
    for (second, key) in (0..).zip(keys) {
        let mut out = String::new();
        dialogue.draw(&Colours::default(), &mut out);
        ansi.print(out.as_bytes(), &mut screen);
        let now = Instant::ZERO + Duration::from_secs(second);
        if dialogue.key(*key, now) == Outcome::Accepted || dialogue.pass(now) == Outcome::Accepted {
            accepted(dialogue);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    Ansi::default().print(data, &mut Anything);
    print_in_pixels(data);

    // The size of the screen, some lines of text, an empty one, and the keys.
    let [rows, columns, rest @ ..] = data else { return };
    let size = Size { rows: (*rows).max(9), columns: (*columns).max(40) };
    let end = rest.windows(2).position(|pair| pair == b"\n\n").unwrap_or(rest.len());
    let (texts, keys) = rest.split_at(end);
    let texts = String::from_utf8_lossy(texts);
    let texts: Vec<_> = texts.split('\n').collect();
    let mut decoder = SerialKeys::default();
    let keys: Vec<_> = keys.iter().take(200).filter_map(|byte| decoder.feed(*byte)).collect();

    let item = |text: &&str| Item {
        text: (*text).into(),
        is_gap: text.starts_with('-'),
        key: text.chars().next_back().map_or(0, u32::from),
    };
    let items: Vec<_> = texts.iter().map(item).collect();
    let gaps: Vec<_> = items.iter().map(|item| item.is_gap).collect();
    match Menu::new(texts[0], items, texts.len() / 2, size) {
        Some(menu) => {
            let mut menu = menu.with_timeout(Duration::from_secs(30), Duration::from_secs(3), Instant::ZERO);
            answer(&mut menu, &keys, size, |_| ());
            assert!(!gaps[menu.highlighted()]);
        }
        None => assert!(gaps.iter().all(|gap| *gap)),
    }

    let field = |text: &&str| Field {
        label: (*text).into(),
        value: (!text.starts_with('-')).then(|| (*text).into()),
        secret: text.starts_with('*'),
    };
    let mut form = Form::new(texts[0], texts.iter().map(field).collect(), size);
    answer(&mut form, &keys, size, |_| ());
    form.refuse(texts.len() / 2, texts[0]);
    answer(&mut form, &keys, size, |_| ());

    let entry = |text: &&str| Entry {
        name: (*text).into(),
        origin: (*text).into(),
        value: (!text.starts_with('-')).then(|| (*text).into()),
    };
    let mut config = Config::new(size);
    config.show(texts[0], texts.iter().map(entry).collect());
    answer(&mut config, &keys, size, |_| ());

    let mut line = LineEdit::new();
    let mut printed = line.begin(texts[0], texts.join(" ").as_bytes(), size.columns.into());
    for key in &keys {
        printed.push_str(&if *key == Key::Tab { line.complete(&texts, &texts) } else { line.key(*key).0 });
    }
    assert!(!printed.contains('\x1b'));
});
