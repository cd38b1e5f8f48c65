//! Text in pixels, over a picture: what the emulator's screen shows.

use super::Scenario;
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::{Control, Options};
use crate::screen::{self, Screen, TEXT_MODE, WHITE};
use std::thread;
use std::time::Duration;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "pictures-kernel",
            "text and a menu over a picture, and text again for the kernel",
            240,
            kernel,
        )
        .quick(),
        Scenario::new("pictures-kinds", "pictures of all kinds, sizes and depths", 180, kinds),
        Scenario::new(
            "pictures-screens",
            "menu, form, login, config and a picture as they look: those of the README",
            180,
            screens,
        ),
        Scenario::new("pictures-refused", "where a picture cannot be shown, text goes on", 120, refused),
    ]
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const RED: [u8; 3] = [0xaa, 0, 0];
const BLUE: [u8; 3] = [0, 0, 0xaa];

/// What the picture has there: left and right differ in each column, and so do rows.
fn colour(column: u32, row: u32) -> [u8; 3] {
    let low = |number: u32| number.to_le_bytes()[0];
    [low(column), low(row), if column < WIDTH / 2 { 0x40 } else { 0xc0 }]
}

fn pixels() -> Vec<[u8; 3]> {
    (0..HEIGHT).flat_map(|row| (0..WIDTH).map(move |column| colour(column, row))).collect()
}

/// Whether the screen shows the picture there, which begins at this column and row.
fn shows_picture(screen: &Screen, (left, top): (u32, u32), places: &[(u32, u32)]) -> bool {
    places.iter().all(|(column, row)| screen.pixel(left + column, top + row) == colour(*column, *row))
}

const CORNERS: [(u32, u32); 4] = [(0, 0), (WIDTH - 1, 0), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1)];

fn machine_with_screen() -> Options {
    Options { screen: true, ..Options::default() }
}

fn kernel(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("splash.png", &screen::encode(WIDTH, HEIGHT, &pixels())?)?;
    let boot = boot_lines("");
    lab.script(&format!(
        "echo RIG-MARK begin\n\
         console --picture splash.png --left 40 --right 64 --top 96 --bottom 64 --keep\n\
         imgstat splash.png && imgfree splash.png && echo \u{2588}\u{2588}\n\
         prompt Press a key\n\
         menu Systems\nitem one First system\nitem two Second system\nchoose system\n\
         console\necho RIG-MARK text ${{system}};\n\
         console --x 800 --y 600 --depth 32\necho \u{2588}\nprompt\n{boot}"
    ))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&machine_with_screen())?;
    machine.expect("RIG-MARK begin", 60)?;
    let mut control = machine.control()?;
    // The image was kept, so the second line has two full characters: 16 pixels, 16 rows.
    let text = |screen: &Screen| {
        screen.size() == (640, 480)
            && screen.is_all(40..56, 112..128, WHITE)
            && screen.pixel(56, 112) != WHITE
    };
    let screen = control.expect_screen("text", 60, text)?;
    ensure(shows_picture(&screen, (0, 0), &CORNERS), || "the picture is not around the text".to_owned())?;
    ensure(shows_picture(&screen, (0, 0), &[(56, 112), (300, 300), (39, 120)]), || {
        "the picture is not behind the text".to_owned()
    })?;
    control.keys(&["ret"])?;
    let menu = |screen: &Screen| screen.count(RED) > 2000;
    let screen = control.expect_screen("menu", 20, menu)?;
    ensure(shows_picture(&screen, (0, 0), &CORNERS) && screen.count(BLUE) == 0, || {
        "the menu is not on the picture".to_owned()
    })?;
    control.keys(&["down"])?;
    control.keys(&["ret"])?;
    machine.expect("RIG-MARK text two;", 20)?;
    let pixels = |screen: &Screen| screen.size() == (800, 600) && screen.is_all(0..8, 0..16, WHITE);
    let screen = control.expect_screen("no-picture", 20, pixels)?;
    ensure(screen.is_all(8..800, 0..16, [0; 3]), || "the background is not black".to_owned())?;
    control.keys(&["ret"])?;
    expect_text_mode(&mut control, "kernel")?;
    expect_user_space(&mut machine, 200)
}

fn expect_text_mode(control: &mut Control, name: &str) -> Result<()> {
    control.expect_screen(name, 60, |screen| screen.size() == TEXT_MODE).map(drop)
}

fn kinds(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("splash.png", &screen::encode(WIDTH, HEIGHT, &pixels())?)?;
    let mut anymap = format!("P6\n{WIDTH} {HEIGHT}\n255\n").into_bytes();
    anymap.extend(pixels().as_flattened());
    lab.www("splash.ppm", &anymap)?;
    let odd: Vec<_> = (0..420).flat_map(|row| (0..600).map(move |column| colour(column, row))).collect();
    lab.www("odd.png", &screen::encode(600, 420, &odd)?)?;
    lab.script(
        "echo RIG-MARK begin\nconsole --picture splash.ppm\nprompt\n\
         console --picture splash.png --x 1024 --y 768 --left 16 --top 16\necho \u{2588}\nprompt\n\
         console --picture odd.png --left 16 --top 16\necho \u{2588}\nprompt\n\
         console --picture splash.png --x 320 --y 200 --depth 24\nprompt\n\
         console\necho RIG-MARK done\npoweroff",
    )?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&machine_with_screen())?;
    machine.expect("RIG-MARK begin", 60)?;
    let mut control = machine.control()?;
    control.expect_screen("anymap", 60, |screen| {
        screen.size() == (640, 480) && shows_picture(screen, (0, 0), &CORNERS[1..])
    })?;
    control.keys(&["ret"])?;
    // In the middle of a larger screen; margins are meant for the screen that was asked for.
    let screen = control.expect_screen("larger", 60, |screen| {
        screen.size() == (1024, 768)
            && shows_picture(screen, (192, 144), &CORNERS)
            && screen.is_all(16..24, 16..32, WHITE)
    })?;
    ensure(screen.is_all(24..192, 0..768, [0; 3]), || "it is not black beside the picture".to_owned())?;
    control.keys(&["ret"])?;
    // No mode is as small as this one: the next larger has it in its middle, and so are its margins.
    control.expect_screen("odd", 60, |screen| {
        screen.size() == (640, 480)
            && screen.pixel(19, 100) == [0; 3]
            && shows_picture(screen, (20, 30), &[(0, 0), (599, 0), (0, 419)])
            && screen.is_all(36..44, 46..62, WHITE)
    })?;
    control.keys(&["ret"])?;
    // The smallest screen of this depth, which shows the middle of a picture that is larger.
    control.expect_screen("smaller", 60, |screen| {
        let (width, height) = screen.size();
        width < 640
            && height < 480
            && screen.pixel(width - 1, height - 1) == {
                let (right, bottom) = ((640 + width) / 2 - 1, (480 + height) / 2 - 1);
                colour(right, bottom)
            }
    })?;
    control.keys(&["ret"])?;
    machine.expect("RIG-MARK done", 20)?;
    machine.expect_power_off(20)
}

/// An evening in the mountains.
fn landscape(width: u32, height: u32) -> Vec<[u8; 3]> {
    let (across, down) = (f64::from(width), f64::from(height));
    // How high the mountains are, the far ones first, and their colours.
    let ridges =
        [(0.55, 9.0, 0.3, [62, 60, 92]), (0.66, 6.0, 2.1, [40, 42, 68]), (0.80, 4.0, 4.0, [20, 24, 42])];
    let pixel = |column: u32, row: u32| {
        let (x, y) = (f64::from(column) / across, f64::from(row) / down);
        let mut colour =
            [24.0 + 200.0 * y * y, 36.0 + 90.0 * y, 84.0 + 40.0 * y].map(|part: f64| part.min(235.0));
        for (level, waves, shift, shade) in ridges {
            let ridge = (x * waves + shift).sin() * 0.06
                + (x * waves * 2.7 + shift * 3.0).sin() * 0.03
                + (x * waves * 7.3).sin() * 0.008;
            if y > level + ridge {
                colour = shade.map(f64::from);
            }
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 235")]
        colour.map(|part| part as u8)
    };
    (0..height).flat_map(|row| (0..width).map(move |column| pixel(column, row))).collect()
}

/// The script of the pictures in the README.
const SCREENS: &str = "\
menu --name boot Boot menu of the lab
item --menu boot --gap Install
item --menu boot debian Debian 12, text installer
item --menu boot ubuntu Ubuntu 24.04, autoinstall
item --menu boot windows Windows 11 (wimboot)
item --menu boot --gap
item --menu boot --gap Tools
item --menu boot memtest Memtest86+
item --menu boot rescue Rescue system
item --menu boot shell Shell
item --menu boot local Boot from the local disk
choose --menu boot --default ubuntu --timeout 60000 --keep system
form Register this machine
item hostname Name of the machine
item owner Owner
item --secret key Key
present
login
config net0
console --picture splash.png --left 96 --right 96 --top 64 --bottom 64
colour --rgb 0xffd080 6
colour --rgb 0x304878 1
choose --menu boot --default ubuntu --timeout 60000 system
poweroff";

fn screens(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("splash.png", &screen::encode(800, 600, &landscape(800, 600))?)?;
    lab.script(SCREENS)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&machine_with_screen())?;
    machine.expect("Boot from the local disk", 60)?;
    let mut control = machine.control()?;
    let shows = |control: &mut Control, name: &str, texts: &[&str]| {
        for _ in 0..100 {
            let text = control.text()?;
            if texts.iter().all(|wanted| text.contains(wanted)) {
                return control.screen(name).map(drop);
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err(Failure(format!("the screen does not show {texts:?}")))
    };
    shows(&mut control, "menu", &["Boot menu of the lab", "Memtest86+", "Chosen in"])?;
    control.keys(&["ret"])?;
    shows(&mut control, "form", &["Register this machine"])?;
    control.type_line("lab-17")?;
    control.type_line("joe")?;
    "secret".chars().try_for_each(|letter| control.press(letter))?;
    shows(&mut control, "form", &["lab-17", "joe", "******"])?;
    control.keys(&["ret"])?;
    shows(&mut control, "login", &["Username", "Password"])?;
    control.type_line("admin")?;
    "geheim".chars().try_for_each(|letter| control.press(letter))?;
    shows(&mut control, "login", &["admin", "******"])?;
    control.keys(&["ret"])?;
    shows(&mut control, "config", &["Settings of net0", "10.77.0.115"])?;
    for _ in 0..4 {
        control.keys(&["down"])?;
        thread::sleep(Duration::from_millis(200));
    }
    shows(&mut control, "config", &["gateway"])?;
    control.keys(&["ctrl", "x"])?;
    let blue = [0x30, 0x48, 0x78];
    let is_drawn = |screen: &Screen| {
        screen.size() == (800, 600) && screen.count(blue) > 5000 && screen.count([0xff, 0xd0, 0x80]) > 100
    };
    control.expect_screen("picture", 60, is_drawn)?;
    thread::sleep(Duration::from_secs(1));
    control.screen("picture")?;
    control.keys(&["ret"])?;
    machine.expect_power_off(20)
}

fn refused(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let picture = screen::encode(WIDTH, HEIGHT, &pixels())?;
    lab.www("splash.png", &picture)?;
    lab.www("half.png", &picture[..picture.len() / 2])?;
    lab.www("text.png", b"no picture")?;
    let lines = format!(
        "console --picture http://{SERVER}/splash.png && console || echo RIG-MARK refused\n\
         console --x 9999 --y 9999 || echo RIG-MARK large\n\
         console --picture half.png || echo RIG-MARK half\n\
         console --picture text.png || echo RIG-MARK text\n\
         console --x 640 --left 400 || echo RIG-MARK narrow\n\
         imgstat half.png || echo RIG-MARK gone\npoweroff"
    );
    lab.script(&lines)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&machine_with_screen())?;
    for text in [
        "[BOOT-17]",
        "RIG-MARK large",
        "[PICT-02]",
        "RIG-MARK half",
        "[PICT-01]",
        "RIG-MARK text",
        "[BOOT-18]",
        "RIG-MARK narrow",
        "RIG-MARK gone",
    ] {
        machine.expect(text, 60)?;
    }
    ensure(machine.transcript().count("RIG-MARK refused") == 0, || "the picture was refused".to_owned())?;
    machine.expect_power_off(20)?;
    // Without any screen there are no pixels either.
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("[BOOT-17]", 60)?;
    machine.expect("RIG-MARK refused", 20)?;
    machine.expect_power_off(20)
}
