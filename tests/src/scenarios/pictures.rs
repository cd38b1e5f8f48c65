//! Text in pixels, over a picture: what the emulator's screen shows.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::Options;
use crate::screen::{self, Screen, TEXT_MODE, WHITE};

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

fn expect_text_mode(control: &mut crate::qemu::Control, name: &str) -> Result<()> {
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
