//! Menus, forms and the editor of settings, as a user sees them: on a terminal that others wrote, on a BIOS screen, and
//! in pixels, which must always show the same.

use crate::framebuffer::tests::Seen;
use crate::{
    Ansi, Colours, Config, Dialogue, Display, Entry, Field, Form, Item, Key, LEAVE, Margins, Menu, Outcome,
    Request, Size, Style,
};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use base::{Duration, Instant};
use core::num::NonZero;
use proptest::prelude::*;

const SIZE: Size = Size { rows: 25, columns: 80 };

/// The text mode of a PC, as INT 10h drives it.
struct Bios {
    cells: Vec<(u8, u8)>,
    row: u8,
    column: u8,
    cursor: bool,
}

impl Display for Bios {
    fn text(&mut self, text: &[u8], style: Style) {
        for byte in text {
            match byte {
                8 => self.column = self.column.saturating_sub(1),
                13 => self.column = 0,
                _ => {
                    assert!(*byte >= 0x20, "control character {byte} in a dialogue");
                    self.cells[usize::from(self.row) * 80 + usize::from(self.column)] = (*byte, style.vga());
                    self.column += 1;
                    assert!(self.column < 80, "a BIOS would go to the next line");
                }
            }
        }
    }

    fn go(&mut self, row: u8, column: u8) {
        assert!(row < 24 && column < 79, "{row}, {column}");
        (self.row, self.column) = (row, column);
    }

    fn clear(&mut self, style: Style) {
        self.cells.fill((b' ', style.vga()));
    }

    fn show_cursor(&mut self, visible: bool) {
        self.cursor = visible;
    }
}

/// All screens, and how much was printed on them.
struct Screens {
    terminal: vt100::Parser,
    ansi: Ansi,
    bios: Bios,
    /// In some tests only, as drawing takes its time.
    pixels: Option<Seen>,
    printed: usize,
}

/// A colour of VGA's text modes; yellow is no brown here.
fn vga_colour(number: u8) -> u32 {
    let part = |bit: u8| u32::from(number >> bit & 1) * 0xaa + u32::from(number >> 3) * 0x55;
    part(2) << 16 | part(1) << 8 | part(0)
}

impl Screens {
    fn new() -> Self {
        Self {
            terminal: vt100::Parser::new(NonZero::new(25).unwrap(), NonZero::new(80).unwrap(), 0),
            ansi: Ansi::default(),
            bios: Bios { cells: vec![(b'?', 7); 80 * 25], row: 0, column: 0, cursor: true },
            pixels: None,
            printed: 0,
        }
    }

    /// Prints what a dialogue has to say.
    fn draw(&mut self, dialogue: &mut dyn Dialogue) {
        let mut out = String::new();
        dialogue.draw(&Colours::default(), &mut out);
        self.print(&out);
    }

    fn print(&mut self, out: &str) {
        self.printed = out.len();
        self.terminal.process(out.as_bytes());
        self.ansi.print(out.as_bytes(), &mut self.bios);
        self.pixels.iter_mut().for_each(|pixels| pixels.print(out));
        let screen = self.terminal.screen();
        assert_eq!(screen.hide_cursor(), !self.bios.cursor);
        let places = (0_u16..25).flat_map(|row| (0_u16..80).map(move |column| (row, column)));
        for ((row, column), (byte, attribute)) in places.zip(&self.bios.cells) {
            let cell = screen.cell(row, column).unwrap();
            let shown = match cell.contents() {
                "" => b' ',
                "ä" => 0x84,
                "ü" => 0x81,
                text => text.bytes().next().unwrap(),
            };
            let colour = |colour, usual| match colour {
                vt100::Color::Idx(number) => [0, 4, 2, 6, 1, 5, 3, 7][usize::from(number)],
                _ => usual,
            };
            let bold = u8::from(cell.bold()) << 3;
            let seen = colour(cell.bgcolor(), 0) << 4 | bold | colour(cell.fgcolor(), 7);
            assert_eq!((shown, seen), (*byte, *attribute), "row {row}, column {column}");
        }
        if !screen.hide_cursor() {
            let place = (self.bios.row.into(), self.bios.column.into());
            assert_eq!(screen.cursor_position(), place);
        }
    }

    /// Draws everything anew, which must make no difference.
    fn redraw(&mut self, dialogue: &mut dyn Dialogue) {
        self.draw(dialogue);
        let before = self.bios.cells.clone();
        dialogue.redraw();
        self.draw(dialogue);
        assert!(before == self.bios.cells);
        let Some(pixels) = &self.pixels else { return };
        for (place, (byte, attribute)) in before.into_iter().enumerate() {
            let (character, foreground, background) = pixels.place(place / 80, place % 80);
            assert_eq!(character, byte);
            assert_eq!((foreground, background), (vga_colour(attribute & 15), vga_colour(attribute >> 4)));
        }
    }

    /// The screen as text, without the spaces that end lines and the lines that are empty.
    fn text(&self) -> String {
        let lines: Vec<_> =
            self.terminal.screen().rows(0, 80).map(|line| line.trim_end().to_owned()).collect();
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The texts on this background.
    fn on(&self, background: u8) -> Vec<String> {
        let screen = self.terminal.screen();
        let rows = (0..25).map(|row| {
            let cells = (0..80).filter_map(|column| screen.cell(row, column));
            let cells = cells.filter(|cell| cell.bgcolor() == vt100::Color::Idx(background));
            let text: String =
                cells.map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect();
            text.trim().to_owned()
        });
        rows.filter(|row| !row.is_empty()).collect()
    }

    /// What is highlighted.
    fn highlighted(&self) -> Vec<String> {
        self.on(RED)
    }
}

const RED: u8 = 1;
const CYAN: u8 = 6;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn item(text: &str, key: char) -> Item {
    Item { text: text.into(), is_gap: false, key: if key == ' ' { 0 } else { key.into() } }
}

fn gap(text: &str, key: char) -> Item {
    Item { is_gap: true, ..item(text, key) }
}

/// Presses a key, and draws.
fn press(screens: &mut Screens, dialogue: &mut dyn Dialogue, key: Key) -> Outcome {
    let outcome = dialogue.key(key, at(0));
    screens.draw(dialogue);
    outcome
}

/// Types characters.
fn enter(screens: &mut Screens, dialogue: &mut dyn Dialogue, text: &str) {
    for letter in text.chars() {
        assert_eq!(press(screens, dialogue, Key::Char(letter)), Outcome::Going);
    }
}

fn small_menu() -> Menu {
    let items = vec![
        gap("--- Installers ---", 'i'),
        item("Debian \x1b[1m12\x1b[22m\x1b[2J", 'd'),
        item("Fedora", 'f'),
        gap("", ' '),
        gap("--- Tools ---", 't'),
        item("Memory test", 'd'),
        item("Küche", 'k'),
    ];
    Menu::new("Choose", items, 0, SIZE).unwrap()
}

#[test]
fn a_menu_shows_its_items() {
    let mut screens = Screens::new();
    let mut menu = small_menu();
    screens.draw(&mut menu);
    assert_eq!(
        screens.text(),
        "                                     Choose
 --- Installers ---
 Debian 12
 Fedora
 --- Tools ---
 Memory test
 Küche"
    );
    assert_eq!(menu.highlighted(), 1);
    assert!(screens.terminal.screen().hide_cursor());
}

#[test]
fn keys_move_over_gaps() {
    let mut screens = Screens::new();
    let mut menu = small_menu();
    for (key, wanted) in [
        (Key::Up, 1),
        (Key::Down, 2),
        (Key::Down, 5),
        (Key::Down, 6),
        (Key::Down, 6),
        (Key::Tab, 1),
        (Key::End, 6),
        (Key::Up, 5),
        (Key::PageUp, 1),
        (Key::PageDown, 6),
        (Key::Home, 1),
        (Key::Tab, 2),
        (Key::Left, 2),
    ] {
        assert_eq!(press(&mut screens, &mut menu, key), Outcome::Going);
        assert_eq!(menu.highlighted(), wanted, "{key:?}");
    }
    assert_eq!(screens.highlighted(), ["Fedora"]);
    assert_eq!(menu.key(Key::Enter, at(0)), Outcome::Accepted);
    assert_eq!(menu.key(Key::Escape, at(0)), Outcome::Cancelled);
    assert_eq!(menu.key(Key::Control(b'c'), at(0)), Outcome::Cancelled);
}

#[test]
fn shortcut_keys_choose_or_jump() {
    let mut menu = small_menu();
    assert_eq!((menu.key(Key::Char('x'), at(0)), menu.highlighted()), (Outcome::Going, 1));
    assert_eq!((menu.key(Key::Char('f'), at(0)), menu.highlighted()), (Outcome::Accepted, 2));
    // The next one from here on goes first.
    assert_eq!((menu.key(Key::Char('d'), at(0)), menu.highlighted()), (Outcome::Accepted, 5));
    menu.key(Key::End, at(0));
    assert_eq!((menu.key(Key::Char('d'), at(0)), menu.highlighted()), (Outcome::Accepted, 1));
    // A gap's key goes on behind it.
    assert_eq!((menu.key(Key::Char('t'), at(0)), menu.highlighted()), (Outcome::Going, 5));
    assert_eq!((menu.key(Key::Char('i'), at(0)), menu.highlighted()), (Outcome::Going, 1));
}

#[test]
fn the_time_is_counted_down() {
    let mut screens = Screens::new();
    let timeout = Duration::from_millis(2500);
    let mut menu = small_menu().with_timeout(timeout, Duration::from_secs(9), at(0));
    screens.draw(&mut menu);
    assert!(screens.text().ends_with("Chosen in 3 s"));
    assert_eq!(menu.deadline(), Some(at(500)));
    assert_eq!(menu.pass(at(500)), Outcome::Going);
    screens.draw(&mut menu);
    assert!(screens.text().ends_with("Chosen in 2 s"));
    assert!(screens.printed < 150, "{}", screens.printed);
    assert_eq!(menu.deadline(), Some(at(1500)));
    assert_eq!(menu.pass(at(2499)), Outcome::Going);
    // A key sets the time anew.
    assert_eq!(menu.key(Key::Down, at(2499)), Outcome::Going);
    assert_eq!(menu.pass(at(2500)), Outcome::Going);
    screens.draw(&mut menu);
    assert!(screens.text().ends_with("Chosen in 9 s"));
    assert_eq!(menu.pass(at(11_499)), Outcome::Accepted);
}

#[test]
fn a_key_ends_the_time() {
    let mut screens = Screens::new();
    let mut menu = small_menu().with_timeout(Duration::from_secs(5), Duration::default(), at(0));
    screens.draw(&mut menu);
    press(&mut screens, &mut menu, Key::Down);
    assert_eq!((menu.deadline(), menu.pass(at(60_000))), (None, Outcome::Going));
    assert!(screens.text().ends_with("Küche"));
}

#[test]
fn long_menus_scroll() {
    let mut screens = Screens::new();
    let items = (0..500).map(|number| item(&format!("item {number}"), ' ')).collect();
    let mut menu = Menu::new("Many", items, 250, SIZE).unwrap();
    screens.draw(&mut menu);
    assert_eq!(screens.highlighted(), ["item 250"]);
    assert_eq!(screens.text().lines().filter(|line| line.starts_with(" item")).count(), 19);
    assert_eq!(screens.text().matches("...").count(), 2);
    press(&mut screens, &mut menu, Key::Up);
    // Two rows, and no more.
    assert!(screens.printed < 250, "{}", screens.printed);
    assert_eq!(screens.highlighted(), ["item 249"]);
    press(&mut screens, &mut menu, Key::End);
    assert!(screens.text().ends_with("item 499"));
    assert_eq!(screens.text().matches("...").count(), 1);
    press(&mut screens, &mut menu, Key::PageUp);
    assert_eq!(screens.highlighted(), ["item 480"]);
}

#[test]
fn a_first_heading_comes_back_into_sight() {
    let mut screens = Screens::new();
    let mut items = vec![gap("heading", ' '), gap("", ' ')];
    items.extend((0..40).map(|number| item(&format!("item {number}"), ' ')));
    let mut menu = Menu::new("", items, 41, SIZE).unwrap();
    screens.draw(&mut menu);
    assert!(!screens.text().contains("heading"));
    (0..39).for_each(|_| _ = press(&mut screens, &mut menu, Key::Up));
    assert_eq!(screens.highlighted(), ["item 0"]);
    assert!(screens.text().starts_with(" heading\n item 0"));
}

#[test]
fn a_menu_without_items_is_none() {
    assert!(Menu::new("", vec![], 0, SIZE).is_none());
    assert!(Menu::new("", vec![gap("only", 'x')], 0, SIZE).is_none());
    assert_eq!(Menu::new("", vec![item("a", ' ')], 99, SIZE).unwrap().highlighted(), 0);
}

fn field(label: &str, value: &str, secret: bool) -> Field {
    Field { label: label.into(), value: Some(value.into()), secret }
}

fn login() -> Form {
    Form::new("Login", vec![field("Username", "admin", false), field("Password", "", true)], SIZE)
}

#[test]
fn a_form_is_filled_in() {
    let mut screens = Screens::new();
    let mut form = login();
    screens.draw(&mut form);
    assert_eq!(
        screens.text(),
        "                                     Login
 Username
 admin
 Password
 Enter: next field   Ctrl-X: done   Esc: cancel"
    );
    assert_eq!(screens.terminal.screen().cursor_position(), (4, 6));
    enter(&mut screens, &mut form, "2");
    // The cursor moves, one character is printed.
    assert!(screens.printed < 50, "{}", screens.printed);
    assert_eq!(press(&mut screens, &mut form, Key::Enter), Outcome::Going);
    enter(&mut screens, &mut form, "geheim");
    assert!(screens.text().contains("\n Password\n ******\n"));
    assert_eq!(screens.on(CYAN), ["admin2", "******"]);
    assert_eq!(press(&mut screens, &mut form, Key::Enter), Outcome::Accepted);
    assert_eq!((form.value(0), form.value(1), form.value(2)), ("admin2", "geheim", ""));
    assert_eq!(press(&mut screens, &mut form, Key::Escape), Outcome::Cancelled);
}

#[test]
fn keys_may_come_faster_than_they_are_drawn() {
    let fields = ["Name", "Owner", "Key"].map(|label| field(label, "", label == "Key"));
    let mut form = Form::new("Register", fields.to_vec(), SIZE);
    let mut screens = Screens::new();
    screens.draw(&mut form);
    for letter in "lab\njoe\nsecret".chars() {
        let key = if letter == '\n' { Key::Enter } else { Key::Char(letter) };
        form.key(key, at(0));
    }
    screens.draw(&mut form);
    assert_eq!(screens.on(CYAN), ["lab", "joe", "******"]);
}

#[test]
fn what_is_refused_can_be_put_right() {
    let mut screens = Screens::new();
    let mut form = Form::new(
        "Network",
        vec![
            field("Address", "192.0.2.x", false),
            Field { label: "leave empty if unknown:".into(), ..Field::default() },
            field("Gateway", "", false),
        ],
        SIZE,
    );
    screens.draw(&mut form);
    press(&mut screens, &mut form, Key::Down);
    enter(&mut screens, &mut form, "gw");
    assert_eq!(press(&mut screens, &mut form, Key::Control(b'x')), Outcome::Accepted);
    form.refuse(0, "this is no address");
    screens.draw(&mut form);
    assert!(
        screens
            .text()
            .contains(" Address\n 192.0.2.x\n this is no address\n leave empty if unknown:\n Gateway\n gw\n")
    );
    assert_eq!(screens.on(RED), ["this is no address"]);
    press(&mut screens, &mut form, Key::Backspace);
    enter(&mut screens, &mut form, "7");
    assert_eq!(press(&mut screens, &mut form, Key::Control(b'x')), Outcome::Accepted);
    assert_eq!((form.value(0), form.value(2)), ("192.0.2.7", "gw"));
    assert!(!screens.text().contains("this is no address"));
    // Texts and numbers that there are not cannot be refused.
    form.refuse(1, "x");
    form.refuse(9, "x");
    screens.draw(&mut form);
    assert!(screens.on(RED).is_empty());
}

#[test]
fn long_forms_scroll_with_their_labels() {
    let mut screens = Screens::new();
    let fields = (0..20).map(|number| field(&format!("label {number}"), &format!("value {number}"), false));
    let mut form = Form::new("", fields.collect(), SIZE);
    screens.draw(&mut form);
    for number in 0..20 {
        let text = format!(" label {number}\n value {number}\n");
        assert!(screens.text().contains(&text), "{text}");
        press(&mut screens, &mut form, Key::Tab);
    }
    assert_eq!(screens.terminal.screen().cursor_position().0, 4);
    press(&mut screens, &mut form, Key::End);
    enter(&mut screens, &mut form, &"x".repeat(100));
    press(&mut screens, &mut form, Key::PageUp);
    assert_eq!(form.value(19), format!("value 19{}", "x".repeat(100)));
}

#[test]
fn a_form_without_fields_can_be_left() {
    let text = || Field { label: "text".into(), ..Field::default() };
    for fields in [vec![], vec![text()]] {
        let mut screens = Screens::new();
        let mut form = Form::new("", fields, SIZE);
        screens.draw(&mut form);
        press(&mut screens, &mut form, Key::Down);
        enter(&mut screens, &mut form, "x");
        assert_eq!(press(&mut screens, &mut form, Key::Enter), Outcome::Accepted);
        assert_eq!(form.value(0), "");
    }
}

fn entry(name: &str, origin: &str, value: Option<&str>) -> Entry {
    Entry { name: name.into(), origin: origin.into(), value: value.map(Into::into) }
}

fn settings() -> Vec<Entry> {
    vec![
        entry("net0/", "", None),
        entry("hostname", "net0.dhcp", Some("host1\x1b[2J")),
        entry("filename", "", Some("")),
    ]
}

#[test]
fn settings_are_edited() {
    let mut screens = Screens::new();
    let mut config = Config::new(SIZE);
    config.show("Settings", settings());
    screens.draw(&mut config);
    assert_eq!(
        screens.text(),
        "                                    Settings
 net0/                                 ...
 hostname                net0.dhcp     host1?[2J
 filename
 Enter: edit, or go there   Ctrl-D: delete   Ctrl-X: leave"
    );
    assert_eq!(press(&mut screens, &mut config, Key::Enter), Outcome::Accepted);
    assert_eq!(config.request(), Some(Request::Enter(0)));
    assert_eq!(config.request(), None);
    assert_eq!(press(&mut screens, &mut config, Key::Control(b'd')), Outcome::Going);

    press(&mut screens, &mut config, Key::Down);
    assert_eq!(press(&mut screens, &mut config, Key::Enter), Outcome::Going);
    press(&mut screens, &mut config, Key::Control(b'u'));
    enter(&mut screens, &mut config, "new");
    assert_eq!(screens.on(CYAN), ["new"]);
    assert!(screens.text().contains(" hostname                net0.dhcp     new\n"));
    assert_eq!(press(&mut screens, &mut config, Key::Enter), Outcome::Accepted);
    assert_eq!(config.request(), Some(Request::Store(1, "new".into())));
    config.refuse("hostname cannot be stored");
    screens.draw(&mut config);
    assert_eq!(
        screens.highlighted(),
        ["hostname                net0.dhcp     host1?[2J", "hostname cannot be stored"]
    );

    assert_eq!(press(&mut screens, &mut config, Key::Control(b'd')), Outcome::Accepted);
    assert_eq!(config.request(), Some(Request::Store(1, String::new())));
    assert_eq!(screens.on(RED).len(), 1, "the alert is gone");
    // The place is kept when the values change, and not in another block.
    config.show("Settings", settings());
    screens.draw(&mut config);
    assert!(screens.highlighted()[0].starts_with("hostname"));
    config.show("net0", vec![entry("mac", "", Some("52:54:00:12:34:56")), entry("ip", "", Some(""))]);
    screens.draw(&mut config);
    assert!(screens.highlighted()[0].starts_with("mac"));

    press(&mut screens, &mut config, Key::Enter);
    enter(&mut screens, &mut config, "x");
    assert_eq!(press(&mut screens, &mut config, Key::Escape), Outcome::Going);
    assert!(screens.text().contains("52:54:00:12:34:56\n"));
    assert_eq!(press(&mut screens, &mut config, Key::Control(b'x')), Outcome::Cancelled);
}

#[test]
fn no_settings_are_no_trouble() {
    let mut screens = Screens::new();
    let mut config = Config::new(SIZE);
    screens.draw(&mut config);
    for key in [Key::Enter, Key::Down, Key::Control(b'd'), Key::End] {
        assert_eq!(press(&mut screens, &mut config, key), Outcome::Going);
    }
}

#[test]
fn the_screen_is_left_clean() {
    let mut screens = Screens::new();
    screens.draw(&mut login());
    screens.print(LEAVE);
    assert_eq!(screens.text(), "");
    assert!(screens.bios.cells.iter().all(|cell| *cell == (b' ', 7)));
    assert_eq!((screens.bios.row, screens.bios.column, screens.bios.cursor), (0, 0, true));
}

#[test]
fn pixels_show_the_same() {
    let mut screens = Screens::new();
    screens.pixels = Some(Seen::new(640, 400, 32, Margins::default()));
    let mut form = login();
    enter(&mut screens, &mut form, "admin");
    screens.redraw(&mut form);
    let mut config = Config::new(SIZE);
    config.show("Settings", settings());
    press(&mut screens, &mut config, Key::Down);
    screens.redraw(&mut config);
    let items = (0..60).map(|number| item(&format!("item {number}"), ' ')).collect();
    let mut menu = Menu::new("Systems", items, 2, SIZE).unwrap();
    press(&mut screens, &mut menu, Key::PageDown);
    screens.redraw(&mut menu);
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => prop::sample::select(&['a', 'b', ' ', 'ä', 'ü'][..]).prop_map(Key::Char),
        2 => prop::sample::select(&b"abefdkuw"[..]).prop_map(Key::Control),
        9 => prop::sample::select(&[
            Key::Left, Key::Right, Key::Home, Key::End, Key::Up, Key::Down, Key::Backspace, Key::Delete, Key::Tab,
            Key::PageUp, Key::PageDown, Key::Enter,
        ][..]),
    ]
}

/// No drawing prints more than the whole screen with a change of colours in each row.
const MOST: usize = 25 * (80 + 40);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn menus_take_any_keys(
        items in proptest::collection::vec((".{0,90}", any::<bool>(), prop::sample::select(&['a', 'b', ' '][..])), 0..60),
        first in 0_usize..70,
        keys in proptest::collection::vec(any_key(), 0..60),
    ) {
        let gaps: Vec<_> = items.iter().map(|item| item.1).collect();
        // Only one column for each character, and what the test's BIOS screen can show.
        let text = |text: &str| text.chars().filter(|letter| letter.is_ascii()).collect::<String>();
        let items = items.iter().map(|(text_, is_gap, key)| Item { is_gap: *is_gap, ..item(&text(text_), *key) });
        let Some(mut menu) = Menu::new("title", items.collect(), first, SIZE) else {
            prop_assert!(gaps.iter().all(|gap| *gap));
            return Ok(());
        };
        let mut screens = Screens::new();
        for key in keys {
            press(&mut screens, &mut menu, key);
            prop_assert!(!gaps[menu.highlighted()]);
            prop_assert_eq!(screens.on(RED).len() <= 1, true);
            prop_assert!(screens.printed <= MOST);
        }
        screens.redraw(&mut menu);
    }

    #[test]
    fn forms_take_any_keys(
        values in proptest::collection::vec(("[ -~äü]{0,100}", any::<bool>(), any::<bool>()), 0..12),
        keys in proptest::collection::vec((any_key(), any::<bool>()), 0..80),
    ) {
        let field = |(value, secret, text): &(String, bool, bool)| Field {
            label: "label".into(),
            value: (!text).then(|| value.clone()),
            secret: *secret,
        };
        let mut form = Form::new("title", values.iter().map(field).collect(), SIZE);
        let mut screens = Screens::new();
        for (key, is_drawn) in keys {
            if form.key(key, at(0)) == Outcome::Accepted {
                form.refuse(values.len() / 2, "refused");
            }
            if is_drawn {
                screens.draw(&mut form);
            }
            prop_assert!(screens.printed <= MOST);
        }
        screens.redraw(&mut form);
        if values.iter().any(|value| !value.2) {
            prop_assert!(screens.printed == 0 || !screens.terminal.screen().hide_cursor());
        }
    }

    #[test]
    fn the_editor_of_settings_takes_any_keys(
        entries in proptest::collection::vec((".{0,40}", ".{0,20}", any::<Option<String>>()), 0..40),
        keys in proptest::collection::vec(any_key(), 0..80),
    ) {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(name, origin, value)| Entry {
                name,
                origin,
                value: value.map(|text| text.chars().filter(char::is_ascii).collect()),
            })
            .collect();
        let mut config = Config::new(SIZE);
        config.show("title", entries.clone());
        let mut screens = Screens::new();
        for key in keys {
            if press(&mut screens, &mut config, key) == Outcome::Accepted {
                match config.request().unwrap() {
                    Request::Enter(entry) => prop_assert!(entries[entry].value.is_none()),
                    Request::Store(entry, _) => prop_assert!(entries[entry].value.is_some()),
                }
                config.show("title", entries.clone());
            }
            prop_assert!(screens.printed <= MOST);
        }
        screens.redraw(&mut config);
    }
}
