//! Whole scripts in a small world.

use crate::errors::{
    CANCELLED, NO_CARD, NO_LABEL, NOT_EXECUTABLE, NOT_IN_SCRIPT, TOO_LONG, UNKNOWN_COMMAND, UNKNOWN_OPTION,
};
use crate::{
    COMMANDS, Command, Drafts, Failure, Fetch, Fetched, Handle, Host, Image, ImageId, Images, Invocation,
    Line, Menu, Selection, Start, Takes, Type, is_script, run, set_working_uri, working_uri,
};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use base::{Duration, Error, Instant};
use proptest::prelude::*;
use settings::Tree;

base::errors! {
    MISSING = "TEST-01", "{} was not found", "none";
    BROKEN = "TEST-02", "{} came back with an error", "none";
}

/// Notes what happens. Files are found by name; those that begin with `ELF` are programs that come back, with an
/// error if they go on with `-`.
struct World {
    tree: Tree,
    images: Images,
    drafts: Drafts,
    files: Vec<(&'static str, Vec<u8>)>,
    contents: Vec<Vec<u8>>,
    lines: VecDeque<&'static str>,
    keys: VecDeque<Option<u32>>,
    log: Vec<String>,
    said: String,
    reports: Vec<Error>,
    polls: u32,
}

impl World {
    fn new(files: &[(&'static str, &str)]) -> Self {
        Self {
            tree: Tree::new(),
            images: Images::new(),
            drafts: Drafts::new(),
            files: files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect(),
            contents: Vec::new(),
            lines: VecDeque::new(),
            keys: VecDeque::new(),
            log: Vec::new(),
            said: String::new(),
            reports: Vec::new(),
            polls: 10_000,
        }
    }

    fn add(&mut self, name: &str, content: Vec<u8>) -> ImageId {
        let kind = match &content[..] {
            text if is_script(text) => Type::Script,
            [b'E', b'L', b'F', ..] => Type::Program("elf"),
            _ if content.starts_with(b"GZ") => Type::Archive("gzip"),
            _ => Type::Data,
        };
        let size = content.len() as u64;
        self.contents.push(content);
        let handle = Handle(u32::try_from(self.contents.len() - 1).unwrap());
        self.images.register(Fetched {
            uri: format!("http://host/{name}"),
            name: name.into(),
            kind,
            size,
            handle,
        })
    }
}

impl Host for World {
    fn settings(&mut self) -> &mut Tree {
        &mut self.tree
    }
    fn images(&mut self) -> &mut Images {
        &mut self.images
    }
    fn drafts(&mut self) -> &mut Drafts {
        &mut self.drafts
    }
    fn features(&self) -> &'static str {
        "HTTP TFTP"
    }
    fn now(&self) -> Instant {
        Instant::from_micros(self.log.len() as u64 * 1_500_000)
    }
    fn print(&mut self, text: &[u8]) {
        self.log.push(String::from_utf8_lossy(text).into());
    }
    fn say(&mut self, text: &[u8]) {
        self.said.push_str(&String::from_utf8_lossy(text));
    }
    fn report(&mut self, error: &Error) {
        self.reports.push(error.clone());
    }
    fn poll(&mut self) -> Result<(), Error> {
        self.polls = self.polls.checked_sub(1).ok_or_else(|| CANCELLED.error())?;
        Ok(())
    }
    fn read_line(&mut self, line: &Line<'_>) -> Result<Vec<u8>, Error> {
        if let Some(setting) = line.setting {
            let [setting, text] = [setting, line.text].map(String::from_utf8_lossy);
            self.log.push(format!("read {setting} [{text}]"));
        }
        match self.lines.pop_front() {
            Some("^C") => Err(CANCELLED.error()),
            Some(line) => Ok(line.as_bytes().to_vec()),
            None => Err(MISSING.of("the keyboard")),
        }
    }
    fn prompt(
        &mut self,
        text: &[u8],
        _: Option<u32>,
        timeout: Option<Duration>,
    ) -> Result<Option<u32>, Error> {
        let time = timeout.map_or(0, Duration::as_millis);
        self.log.push(format!("prompt {} {time}", String::from_utf8_lossy(text)));
        self.keys.pop_front().ok_or_else(|| CANCELLED.error())
    }
    fn choose(&mut self, selection: &Selection<'_>) -> Result<usize, Error> {
        let Selection { menu, initial, timeout, .. } = selection;
        let time = timeout.map_or(0, Duration::as_millis);
        self.log.push(format!("choose {} {initial} {time}", String::from_utf8_lossy(&menu.title)));
        let key = self.keys.pop_front().flatten().ok_or_else(|| CANCELLED.error())?;
        menu.items.iter().position(|item| item.key == Some(key)).ok_or_else(|| MISSING.of("key"))
    }
    fn present(
        &mut self,
        form: &Menu,
        mut texts: Vec<Vec<u8>>,
        refused: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let shown: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text)).collect();
        let refused = refused.map(|refused| refused.0);
        self.log.push(format!(
            "present {} [{}] {refused:?}",
            String::from_utf8_lossy(&form.title),
            shown.join(",")
        ));
        for text in &mut texts {
            match self.lines.pop_front() {
                Some("^C") => return Err(CANCELLED.error()),
                Some("=") => {}
                line => *text = line.unwrap_or_default().as_bytes().to_vec(),
            }
        }
        Ok(texts)
    }
    fn cards(&mut self) -> Vec<String> {
        ["net0", "net1"].map(String::from).into()
    }
    fn open(&mut self, card: &str) -> Result<(), Error> {
        let block = self.tree.block(card.as_bytes())?;
        self.tree.open_card(block);
        Ok(())
    }
    fn close(&mut self, card: &str) {
        if let Some(block) = self.tree.find(card.as_bytes()) {
            self.tree.close_card(block);
        }
    }
    fn wait_for_link(&mut self, card: &str, _: Option<Duration>) -> Result<(), Error> {
        if card == "net1" { Ok(()) } else { Err(BROKEN.of(card)) }
    }
    fn configure(
        &mut self,
        card: &str,
        configurator: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let time = timeout.map_or(0, Duration::as_millis);
        self.log.push(format!("configure {card} {} {time}", configurator.unwrap_or("-")));
        if card == "net1" { Ok(()) } else { Err(BROKEN.of(card)) }
    }
    fn fetch_boot_file(&mut self) -> Result<Fetched, Error> {
        self.fetch(&Fetch { uri: "named", parameters: None, timeout: None, quiet: false })
    }
    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error> {
        let parameters = request.parameters.map_or(Vec::new(), |parameters| parameters.list.clone());
        let sent = parameters.iter().map(|parameter| {
            let [key, value] = [&parameter.key, &parameter.value].map(|text| String::from_utf8_lossy(text));
            format!(" {}{key}={value}", if parameter.is_header { "header " } else { "" })
        });
        self.log.push(format!("fetch {}{}", request.uri, sent.collect::<String>()));
        let file = self.files.iter().find(|file| file.0 == request.uri);
        let content = file.ok_or_else(|| MISSING.of(request.uri))?.1.clone();
        let id = self.add(request.uri, content);
        let Image { uri, name, kind, size, handle, .. } = self.images.remove(id).unwrap();
        Ok(Fetched { uri, name, kind, size, handle })
    }
    fn content(&self, handle: Handle) -> &[u8] {
        &self.contents[handle.0 as usize]
    }
    fn release(&mut self, handle: Handle) {
        self.contents[handle.0 as usize].clear();
    }
    fn execute(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).unwrap().clone();
        let others: Vec<_> = self.images.registered().map(|image| image.name.as_str()).collect();
        let text = String::from_utf8_lossy(&image.command_line);
        self.log.push(format!("boot {} [{text}] with {}", image.name, others.join(",")));
        if self.content(image.handle).starts_with(b"ELF-") { Err(BROKEN.of(image.name)) } else { Ok(()) }
    }
    fn digest(&mut self, algorithm: &str, _: ImageId) -> Result<Vec<u8>, Error> {
        Ok(algorithm.as_bytes().to_vec())
    }
    fn extract(&mut self, id: ImageId) -> Result<Fetched, Error> {
        let Image { name, handle, .. } = self.images.image(id).unwrap().clone();
        if !name.contains('.') {
            return Err(BROKEN.of(name));
        }
        let inside = self.content(handle).strip_prefix(b"GZ").unwrap_or(b"inside").to_vec();
        let id = self.add("extracted", inside);
        let Image { uri, name, kind, size, handle, .. } = self.images.remove(id).unwrap();
        Ok(Fetched { uri, name, kind, size, handle })
    }
    fn verify(&mut self, id: ImageId, signature: ImageId, signer: Option<&[u8]>) -> Result<(), Error> {
        let [image, signature] = [id, signature].map(|id| self.images.image(id).unwrap().name.clone());
        self.log.push(format!("verify {image} {signature} {signer:?}"));
        if image == "forged" { Err(BROKEN.of(image)) } else { Ok(()) }
    }
    fn command(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let words: Vec<_> = command.words().iter().map(|word| String::from_utf8_lossy(word)).collect();
        self.log.push(words.join(" "));
        match command.name() {
            "poweroff" => Err(crate::errors::LEFT.error()),
            "ping" => Err(BROKEN.of("ping")),
            _ => Ok(()),
        }
    }
}

fn play(world: &mut World, script: &str) -> Result<(), Failure> {
    let id = world.add("start", format!("#!ipxe\n{script}").into_bytes());
    world.images.image_mut(id).unwrap().autofree = true;
    run(world, Start::Image(id))
}

/// What a script echoes and how it ends.
fn echoes(script: &str) -> (String, Result<(), Failure>) {
    let mut world = World::new(&[]);
    let status = play(&mut world, script);
    (world.log.concat(), status)
}

#[test]
fn operators_go_from_left_to_right() {
    for (script, output) in [
        ("isset x || echo A && echo B", "B\n"),
        ("isset ${no} && echo C || echo D", "D\n"),
        ("isset ${no} || isset ${no} || echo E && echo F", "E\nF\n"),
        ("isset ${no} && echo G && echo H || echo I ; echo J", "I\nJ\n"),
        ("isset ${no} ||\n||\n;\n&& echo after", "after\n"),
        ("isset ${no} && || echo still", "still\n"),
        ("echo shown # not\n# x && exit 1\nisset ${no} || # fine\necho a#b c#", "shown\na#b c#\n"),
        ("echo one&&echo two;  three", "one&&echo two; three\n"),
        ("echo a ${none} b\necho -n x\necho -- -n", "a  b\nx-n\n"),
    ] {
        assert_eq!(echoes(script), (output.into(), Ok(())), "{script}");
    }
    assert_eq!(
        echoes("isset ${no} &&\necho never").1.unwrap_err().number(),
        Failure::Error(crate::errors::FALSE.error()).number()
    );
}

#[test]
fn jumps_drop_the_rest_of_the_line() {
    let (output, status) = echoes(
        "goto ${none}b && echo no ; echo no\n:a echo a\nexit 3 && echo no\n :b\techo b\ngoto nowhere || echo handled\ngoto a",
    );
    assert_eq!((output.as_str(), status), ("b\nhandled\na\n", Err(Failure::Exit(3))));
    let (output, status) = echoes("set n:int32 0\n:again inc n\niseq ${n} 3 || goto again\necho ${n}");
    assert_eq!((output.as_str(), status), ("3\n", Ok(())));
}

#[test]
fn the_message_names_command_and_line() {
    let mut world = World::new(&[]);
    let status = play(&mut world, "echo a \\\n b\n\nfrobnicate now\necho no");
    let Err(Failure::Error(error)) = status else { panic!() };
    assert!(error.is(&UNKNOWN_COMMAND));
    assert_eq!(error.to_string(), "unknown command frobnicate in line 5 [SCRIPT-01]");
    assert_eq!(world.reports, [error]);
    assert_eq!(world.said, "start stopped in line 5\n");
}

#[test]
fn a_script_has_the_status_of_its_last_line() {
    let mut world = World::new(&[
        ("seven", "#!ipxe\nexit 7"),
        ("broken", "#!ipxe\nisset ${none}\nexit 0"),
        ("tail", "#!ipxe\necho begin\necho lost \\\n"),
        ("mid", "#!ipxe\nexit\necho lost \\"),
        ("semi", "#!ipxe\nisset ${none} ; echo inside"),
    ]);
    let script = "chain seven || echo ${errno} ${errno:int32}\nchain broken || echo broken\nchain tail || echo tail\n\
                  chain mid && chain semi && echo fine\nchain missing || echo ${errno}";
    assert_eq!(play(&mut world, script), Ok(()));
    let missing = format!("{:#x}\n", Failure::Error(MISSING.error()).number());
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["0x7 7\n", "broken\n", "begin\n", "tail\n", "inside\n", "fine\n", &missing]);
}

#[test]
fn scripts_nest_with_their_own_place_and_labels() {
    let mut world = World::new(&[
        ("a/two", "#!ipxe\necho 2 ${cwuri}\nchain lib || echo ${errno:int32}\necho 2 ${cwduri}"),
        ("lib", "#!ipxe\n:leaf\nimgstat lib || echo hidden\ngoto outer || exit 11"),
    ]);
    set_working_uri(&mut world.tree, Some("tftp://first/x"));
    assert_eq!(play(&mut world, "chain a/two\ngoto leaf || echo own\nexit 0\n:outer"), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["2 http://host/a/two\n", "hidden\n", "11\n", "2 http://host/a/\n", "own\n"]);
    assert_eq!(working_uri(&world.tree).unwrap(), "tftp://first/x");
    let names: Vec<_> = world.images.registered().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["lib", "a/two"]);
}

#[test]
fn a_replacement_reports_to_the_caller_of_the_replaced() {
    let mut world = World::new(&[
        ("mid", "#!ipxe\nchain --replace notes || echo no\nchain --replace leaf && echo no || echo no"),
        ("leaf", "#!ipxe\nexit 4"),
        ("notes", "text"),
        ("tool", "ELF-"),
        ("end", "#!ipxe\nchain --replace tool"),
    ]);
    assert_eq!(
        play(
            &mut world,
            "chain mid || echo ${errno:int32}\nimgstat mid || echo gone\nchain end || echo ${cwuri}"
        ),
        Ok(())
    );
    assert_eq!(
        world.log,
        [
            "fetch mid",
            "fetch notes",
            "no\n",
            "fetch leaf",
            "4\n",
            "gone\n",
            "fetch end",
            "fetch tool",
            "boot tool [] with notes,leaf",
            "http://host/start\n"
        ]
    );
    let status = run(&mut world, Start::Line(b"chain --replace leaf"));
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&NOT_IN_SCRIPT)));
    assert!(world.images.find(b"leaf").is_some());
}

#[test]
fn a_kernel_gets_its_arguments_and_images() {
    let mut world = World::new(&[("vmlinuz", "ELF"), ("initrd", "data"), ("readme", "text")]);
    let script = "kernel vmlinuz   root=/dev/nfs ${none} x\ninitrd --name a initrd\ninitrd initrd /etc/x mode=644\n\
                  kernel readme words || echo no\nboot && boot vmlinuz again\nimgargs vmlinuz\nboot\nimgfree\nboot";
    assert_eq!(play(&mut world, script), Ok(()));
    let boots: Vec<_> = world.log.iter().filter(|line| line.starts_with("boot")).cloned().collect();
    assert_eq!(
        boots,
        [
            "boot vmlinuz [root=/dev/nfs  x] with a,initrd,readme",
            "boot vmlinuz [again] with a,initrd,readme",
            "boot vmlinuz [] with a,initrd,readme"
        ]
    );
    assert!(world.reports.iter().all(|error| error.is(&NOT_EXECUTABLE)) && world.reports.len() == 1);
    assert!(world.said.contains("nothing to boot"));
    assert!(world.contents.iter().all(Vec::is_empty));
}

#[test]
fn images_are_listed_and_freed_by_name() {
    let mut world = World::new(&[("x", "data"), ("k", "ELF")]);
    let script = "imgfetch -qn a x\nimgfetch -nb x\nimgfetch -qt500 -n c x one two\nimgfetch --name=c x\nkernel -a k quiet\nimgstat\n\
                  imgfree a nope b || echo stopped\nimgstat b && imgfree c c && imgstat c || echo none\nboot && imgstat k || echo freed";
    assert_eq!(play(&mut world, script), Ok(()));
    let listing = "a : 4 bytes [data]\nb : 4 bytes [data]\nc : 4 bytes [data] \"one two\"\nc : 4 bytes [data]\n\
                   k : 3 bytes [elf] [SELECTED] [AUTOFREE] \"quiet\"\nb : 4 bytes [data]\n";
    assert_eq!(world.said, listing);
    assert_eq!(world.log[5..], ["stopped\n", "none\n", "boot k [quiet] with b", "freed\n"]);
}

#[test]
fn options_are_read_as_they_always_were() {
    for bad in [
        "imgfetch -qz x",
        "imgfetch -t one x",
        "imgfetch -qn",
        "imgfetch --name -x x",
        "prompt --time 5",
        "prompt --timeout=soon",
        "prompt --timeout ${none} x",
        "chain --autofree=yes x",
        "echo - single",
        "echo --help",
        "set -h",
        "exit 1 2",
        "exit soon",
        "goto a b",
        "iseq a",
        "set",
        "set -5 x",
        "isset -1",
        "dhcp -c warp",
        "imgfetch a --name",
        "sleep",
        "clear a b",
        "chain -rx",
    ] {
        let mut world = World::new(&[("x", "data")]);
        let status = play(&mut world, bad);
        assert!(matches!(status, Err(Failure::Error(_))), "{bad}");
        assert!(world.log.iter().all(|line| line.starts_with("fetch a")), "{bad}: {:?}", world.log);
    }
    let mut world = World::new(&[]);
    world.keys.extend([Some(97), Some(0x11_197e), Some(27), None]);
    let script = "prompt --timeout 10 --timeout=1500 -k a first  one && echo 1\nprompt --key 0x197e && echo 2\n\
                  prompt -kb || echo 3\nprompt || echo 4\nisset -- -1 && iseq -- -1 -1 && echo 5\ndhcp --wrong || reboot -w";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "prompt first one 1500",
            "1\n",
            "prompt  0",
            "2\n",
            "prompt  0",
            "3\n",
            "prompt  0",
            "4\n",
            "5\n",
            "reboot -w"
        ]
    );
    assert!(world.reports.last().unwrap().is(&UNKNOWN_OPTION));
    assert!(world.said.starts_with("usage: dhcp|ifconf [--configurator NAME]"));
}

#[test]
fn cards_are_tried_until_one_works() {
    let mut world = World::new(&[]);
    let card = world.tree.block(b"net0").unwrap();
    world.tree.open_card(card);
    assert_eq!(
        play(&mut world, "dhcp -t 5000\nifconf -c dhcp net7 net1 net0\ndhcp netX\ndhcp net7 || echo none"),
        Ok(())
    );
    assert_eq!(
        world.log,
        [
            "configure net0 - 5000",
            "configure net1 - 5000",
            "configure net1 dhcp 0",
            "configure net1 - 0",
            "none\n"
        ]
    );
}

#[test]
fn settings_are_shown_and_counted() {
    let mut world = World::new(&[]);
    let script = "set a.b/c one  two\nshow c && show --quiet c\nshow nope || echo unset\ninc fresh\ninc fresh 0x10\necho ${fresh}\n\
                  set small:uint8 254\ninc small 3\necho ${small}\nset s 7\ninc s || echo text\ninc nowhere/x || echo no block\n\
                  inc fresh two || echo bad\nclear c\nclear c\nset c:int8 x || echo refused [${c}]";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.said, "a.b/c:string = one two\none two\nusage: inc SETTING [NUMBER]\n");
    assert_eq!(world.log.concat(), "unset\n17\n0x1\ntext\nno block\nbad\nrefused [one two]\n");
}

#[test]
fn the_shell_goes_on_until_exit() {
    let mut world = World::new(&[("sub", "#!ipxe\necho in sub\nisset ${none}")]);
    world.lines.extend([
        "echo one ; nonsense",
        "",
        "^C",
        "goto x",
        "chain sub || echo ${errno}",
        "exit 5 ; echo no",
    ]);
    assert_eq!(play(&mut world, "shell || echo shell gave ${errno:int32}\nhelp"), Ok(()));
    assert_eq!(world.log[..3], ["one\n", "fetch sub", "in sub\n"]);
    assert_eq!(world.log.last().unwrap(), "shell gave 5\n");
    assert!(world.reports[0].is(&UNKNOWN_COMMAND) && world.reports[0].object() == "nonsense");
    assert!(world.reports[1].is(&NOT_IN_SCRIPT));
    assert!(world.said.contains("chain") && world.said.contains("sleep"));

    world.lines.push_back("exit");
    assert_eq!(run(&mut world, Start::Shell), Ok(()));
    assert!(run(&mut world, Start::Shell).is_err());
}

#[test]
fn a_loop_ends_at_the_keyboard() {
    let mut world = World::new(&[("loop", "#!ipxe\n:l\ngoto l")]);
    let status = play(&mut world, "chain loop || echo no");
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&CANCELLED)));
    assert_eq!(world.log, ["fetch loop"]);
    assert!(world.images.find(b"loop").is_some());

    world.polls = 100;
    world.lines.extend(["chain loop", "echo alive", "exit"]);
    assert_eq!(run(&mut world, Start::Shell), Ok(()));
    assert_eq!(world.log.last().unwrap(), "alive\n");
}

#[test]
fn scripts_cannot_go_down_for_ever() {
    let mut world = World::new(&[("self", "#!ipxe\ninc depth\nimgfetch self\nchain self")]);
    assert!(play(&mut world, "chain self || echo ${depth}").is_ok());
    assert_eq!(world.log.last().unwrap(), "99\n");
    assert_eq!(world.reports.len(), 1);
    // Replacing does not go down.
    let mut world =
        World::new(&[("self", "#!ipxe\ninc n\niseq ${n} 500 && exit 9 ||\nchain --replace self")]);
    assert_eq!(play(&mut world, "chain self"), Err(Failure::Exit(9)));
}

#[test]
fn only_what_can_be_booted_is_started() {
    let mut world =
        World::new(&[("page", "<html>"), ("glued", "#!ipxe2\necho bad"), ("bad\x07name", "ELF-")]);
    let script =
        "chain page || chain glued || kernel page || echo none\nimgstat page && echo kept\nchain bad\x07name";
    let status = play(&mut world, script);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&BROKEN)));
    assert_eq!(world.log[2..4], ["none\n", "kept\n"]);
    let mut empty = World::new(&[]);
    let id = empty.add("data", vec![0xff; 10]);
    assert!(
        matches!(run(&mut empty, Start::Image(id)), Err(Failure::Error(error)) if error.is(&NOT_EXECUTABLE))
    );
    assert_eq!(empty.reports.len(), 1);
}

#[test]
fn long_lines_and_many_words_work() {
    let words = "word ".repeat(2000);
    assert_eq!(echoes(&format!("echo {words}")).0.len(), 10_000);
    let (output, status) = echoes(&format!("set a b\necho {}", "${a}".repeat(1024)));
    assert_eq!((output.len(), status), (1025, Ok(())));
    assert!(echoes(&format!("goto {}", "x".repeat(4096))).1.is_err_and(|failure| {
        matches!(failure, Failure::Error(error) if error.is(&NO_LABEL) && error.object().len() == 64)
    }));
    let heavy =
        format!("set a:hexraw {}\n", "61".repeat(15_000)) + "echo -n x ${a}\necho" + &" ${a}".repeat(20);
    let (output, status) = echoes(&heavy);
    assert_eq!(output.len(), 30_002);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&TOO_LONG)));
    let (output, status) = echoes(&format!("echo begin\necho {}", "x".repeat(33_000)));
    assert_eq!(output, "begin\n");
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&TOO_LONG)));
    let operators = "&& || ; ".repeat(2000);
    assert_eq!(echoes(&operators), (String::new(), Ok(())));
}

#[test]
fn lines_are_repeated_while_the_condition_holds() {
    for (script, output) in [
        ("set n:int32 0\nwhile is ${n} < 3\necho ${n}\ninc n\nend\necho after", "0\n1\n2\nafter\n"),
        ("while isset ${none}\necho never\nwhile isset x\nend\nend\necho after", "after\n"),
        // The whole line is the condition, and may have a label.
        (
            ":top while isset ${none} || inc n && is ${n} <> 3\necho ${n} # end\n  :x end\necho after",
            "1\n2\nafter\n",
        ),
        (
            "while is ${a:int32}0 < 2\ninc a && set b:int32 0\nwhile is ${b} < 2\ninc b && echo ${a}.${b}\nend\nend",
            "1.1\n1.2\n",
        ),
        ("while isset x\ninc n\nis ${n} = 3 && goto out ||\nend\n:out echo ${n}", "3\n"),
        ("goto in\nwhile is ${n} < 2\n:in inc n\nend\necho ${n}", "2\n"),
        ("while isset x\nexit 0\nend", ""),
        ("while echo once && isset ${none} || isset ${none}\nend\necho after", "once\nafter\n"),
    ] {
        assert_eq!(echoes(script), (output.into(), Ok(())), "{script}");
    }
    for script in ["end", "isset x && end", "while isset ${none}", "while isset x\nsleep x\nend"] {
        assert!(echoes(script).1.is_err(), "{script}");
    }
}

#[test]
fn parts_of_a_script_are_called() {
    for (script, output) in [
        (
            "call twice text=ab && echo back ${text}\nexit\n:twice\nset text ${text}${text}\nexit",
            "back abab\n",
        ),
        ("call none || echo no label\ncall l a=1 b= c && echo [${a}${b}${c}]\nexit\n:l", "no label\n[1]\n"),
        ("call f || echo failed ; call g && echo ended\nexit\n:f exit 5\n:g echo g\n", "failed\ng\nended\n"),
        // Jumps stay in the call.
        ("call f\necho back\nexit\n:f goto g\n:h exit\n:g echo g\ngoto h", "g\nback\n"),
        ("set n:int32 0\ncall f\nexit\n:f inc n\nis ${n} < 5 && call f ||\necho ${n}", "5\n5\n5\n5\n5\n"),
        (
            "while inc n && is ${n} < 3\ncall f\nend\nexit\n:f while inc m && is ${m} <= ${n}\necho ${n}\nend",
            "1\n",
        ),
        ("call deep || echo too deep\nexit\n:deep inc n\ncall deep || is ${n} > 90", "too deep\n"),
    ] {
        let (mut seen, status) = echoes(script);
        if script.contains("deep") {
            assert!(status.is_ok());
            seen = "too deep\n".into();
        }
        assert_eq!((seen.as_str(), status), (output, Ok(())), "{script}");
    }
    let mut world = World::new(&[("k", "ELF")]);
    assert_eq!(play(&mut world, "call f\necho never\nexit\n:f chain --replace k"), Ok(()));
    assert_eq!(world.log, ["fetch k", "boot k [] with "]);
}

#[test]
fn numbers_and_texts_are_compared_and_numbers_computed() {
    let yes = [
        "2 < 10",
        "2 <= 2",
        "0x10 = 16",
        "-1 < 0",
        "3 <> 4",
        "4 >= 4",
        "1 + 1 = 2",
        "7 % 4 * 2 = 6",
        "1",
        "abc prefix ab",
        "--nocase Dell same dELL",
        "--nocase ABC prefix ab",
        "a prefix ${none}",
        "a same a",
    ];
    let no = ["2 > 10", "2 < 2", "1 - 1", "a same b", "A same a", "ab prefix abc", "ab prefix b", "0"];
    let faulty =
        ["a < b", "1 = ", "1 &&& 2", "1 / 0", "1 % 0 = 0", "1 + 2 +", "${none} = 0", "1 ${none} 1", "1 eq 1"];
    for (tests, outcome) in [(&yes[..], "yes\n"), (&no, "no\n"), (&faulty, "no\n")] {
        for test in tests {
            let short = test.split(' ').count() < 3;
            let script = format!("is {test}{} && echo yes || echo no", if short { " + 0" } else { "" });
            let mut world = World::new(&[]);
            let _ = play(&mut world, &script);
            assert_eq!(world.log, [outcome], "{script}");
            assert_eq!(
                world.reports.len(),
                usize::from(outcome == "no\n" && faulty.contains(test)),
                "{script}"
            );
        }
    }
    for (script, output) in [
        ("calc n 2 + 3 * 4\necho ${n}", "20\n"),
        ("calc n:uint8 7 / 2 - 4\necho ${n}", "0xff\n"),
        ("calc a.b/n -9 / 2\necho n ${n:int16}", "n -4\n"),
        ("set n 010\ncalc n ${n} * ${n}\necho ${n}", "64\n"),
        ("calc n 1 / 0 || echo none${n}", "none\n"),
        ("calc big:string 9223372036854775807 + 1\necho n ${big}", "n -9223372036854775808\n"),
        ("calc n -9223372036854775808 / -1 || echo none${n}", "none\n"),
        ("calc n 5 < 6 + 1\necho ${n}", "2\n"),
    ] {
        assert_eq!(echoes(script).0, output, "{script}");
    }
}

#[test]
fn scripts_ask_what_there_is() {
    let (output, _) = echoes(
        "features http while && echo both\nfeatures HTTPS || echo no HTTPS\nfeatures tftp htt || echo no\n",
    );
    assert_eq!(output, "both\nno HTTPS\nno\n");
    let mut world = World::new(&[]);
    assert_eq!(play(&mut world, "features"), Ok(()));
    assert!(world.said.starts_with("HTTP TFTP calc "));
}

#[test]
fn only_the_file_with_the_digest_is_taken() {
    // The digest of everything in this world.
    let digest = b"sha256".map(|byte| format!("{byte:02X}")).concat();
    let mut world = World::new(&[("k", "ELF"), ("x", "data")]);
    let script = format!(
        "kernel --sha256 00 k || imgstat k || echo refused\nkernel --sha256 {digest} k && imgstat k && echo taken\n\
         imgargs --sha256={digest}00 k a || imgstat k || echo dropped\nimgset --sha256 ${{none}} s x || echo none ${{s}}\n\
         imgset -S {digest} s x && echo ${{s}}\nkernel k\nboot --sha256 12 || echo not booted"
    );
    assert_eq!(play(&mut world, &script), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(echoed, ["refused\n", "taken\n", "dropped\n", "none \n", "data\n", "not booted\n"]);
}

#[test]
fn large_menus_and_forms_work_and_have_an_end() {
    let mut world = World::new(&[]);
    world.keys.push_back(Some(u32::from(b'z')));
    let items: String = (1..500).map(|item| format!("item i{item} Item {item}\n")).collect();
    let script = format!(
        "menu Large\n{items}item --key z last The last one\nchoose name && echo ${{name}}\n\
         set text {}\nmenu Endless\n:more inc n && item ${{n}} ${{text}} && goto more || echo ${{n}}\n\
         params\n:most inc m && param ${{m}} ${{text}} && goto most || echo ${{m}}",
        "x".repeat(10_000)
    );
    assert_eq!(play(&mut world, &script), Ok(()));
    assert_eq!(world.log, ["choose Large 0 0", "last\n", "27\n", "27\n"]);
    assert!(world.reports.iter().all(|error| error.is(&TOO_LONG)));
}

#[test]
fn the_table_of_commands_is_sound() {
    assert!(COMMANDS.iter().flat_map(|command| command.names().next()).is_sorted());
    for command in COMMANDS {
        let (least, most) = command.arity();
        assert!(least <= most, "{}", command.usage);
        for (index, option) in command.options().enumerate() {
            let mut others = command.options().skip(index + 1);
            assert!(others.all(|other| other.short != option.short && other.long != option.long));
            assert!(option.short != b'h' && option.long != "help", "{}", command.usage);
        }
    }
    let of = |name: &[u8]| Command::named(name).unwrap();
    assert_eq!(of(b"item").arity(), (0, usize::MAX));
    assert_eq!(of(b"inc").arity(), (1, 2));
    assert_eq!(of(b"md5sum").arity(), (1, usize::MAX));
    assert_eq!(of(b"login").arity(), (0, 0));
    assert_eq!(of(b"sanboot").options().count(), 7);
    let shim: Vec<_> =
        of(b"shim").options().map(|option| (option.short, option.long, option.takes)).collect();
    assert_eq!(shim[0], (b't', "timeout", Takes::Number));
    assert_eq!(shim[2], (b'l', "require-loader", Takes::Nothing));
    assert_eq!(of(b"chain").argument_names().collect::<Vec<_>>(), ["URI|IMAGE", "ARGUMENT"]);
}

#[test]
fn menus_are_written_shown_and_used_up() {
    let mut world = World::new(&[]);
    world.keys.extend([Some(98), None, Some(0x73), Some(99)]);
    let script = "item a A || echo no menu\nmenu Which  one\nitem --gap top\nitem a A\nitem -k b --default b B two\nitem\n\
                  choose --timeout 5000 x && echo ${x}\nchoose x || echo used up\n\
                  form --name ${none} Other\nitem --form= -k 0x73 s\nitem --menu ${none} --key c c C\n\
                  choose --menu= --keep x || echo cancelled ${x}\nchoose -m ${none} -kd c x && echo ${x}\n\
                  choose --menu ${none} --default nope y:uint8 || echo refused [${y}]\n\
                  menu --name gaps\nitem --menu gaps\nchoose --menu gaps x || choose --menu gaps x || echo none\n\
                  menu --name m\nmenu --name m --delete\nitem -m m a || echo deleted\nmenu\nitem --key 1x a || echo no key";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "no menu\n",
            "choose Which one 2 5000",
            "b\n",
            "used up\n",
            "choose Other 0 0",
            "cancelled b\n",
            "choose Other 1 0",
            "s\n",
            "choose Other 0 0",
            "refused []\n",
            "none\n",
            "deleted\n",
            "no key\n",
        ]
    );
}

#[test]
fn a_form_stays_until_everything_fits() {
    let mut world = World::new(&[]);
    world.lines.extend(["alice", "", "x", "=", "", "7", "^C"]);
    let script = "set port:int16 80\nset net0/user guest\nform Who\nitem user Name\nitem --gap text\nitem --secret port:int16 Port\n\
                  present --keep && echo ${user} ${port}\npresent || echo cancelled\npresent || echo gone\n\
                  form\nitem x:nonsense\npresent || echo no type";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "present Who [guest,,80] None",
            "present Who [alice,,x] Some(2)",
            "alice 7\n",
            "present Who [alice,,7] None",
            "cancelled\n",
            "gone\n",
            "no type\n",
        ]
    );
}

#[test]
fn a_field_without_a_type_is_text() {
    let mut world = World::new(&[]);
    world.lines.extend(["=", "B", "="]);
    let script = "set n:uint8 65\nset m:uint8 65\nset gone:int16 5\nform Types\nitem n\nitem m\nitem gone\npresent\n\
                  echo ${n} ${n:uint8} ${m} [${gone}]";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["present Types [A,A,] None", "A 0x41 B []\n"]);
}

#[test]
fn a_line_is_stored_with_the_type_of_what_was_there() {
    let mut world = World::new(&[]);
    world.lines.extend(["0x10", "many", "", "two  words", "^C"]);
    let script = "set n:int8 5\nread n && echo ${n}\nread n || echo kept ${n}\nread n\nisset ${n} || echo removed\n\
                  read a.b/n && echo ${n}\nread ip:ipv4 || echo cancelled";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "read n [5]",
            "16\n",
            "read n [16]",
            "kept 16\n",
            "read n [16]",
            "removed\n",
            "read a.b/n []",
            "two  words\n",
            "read ip:ipv4 []",
            "cancelled\n",
        ]
    );
}

#[test]
fn parameters_go_with_one_request() {
    let mut world = World::new(&[("x", "data")]);
    let script = "param a b || echo no list\nparams\nparam key two  words\nparam -H X-Id 7\nimgfetch x##params\nimgfetch x##params\n\
                  params --name p --method PUT\nparam --params p a\nimgfetch missing##params=p || imgfetch x##params=p\n\
                  params -n p\nparams -dn p\nparam --params p a || echo deleted";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "no list\n",
            "fetch x key=two words header X-Id=7",
            "fetch x",
            "fetch missing a=",
            "fetch x",
            "deleted\n"
        ]
    );
}

#[test]
fn only_verified_images_run_if_that_is_asked_for() {
    let mut world =
        World::new(&[("k", "ELF"), ("forged", "ELF"), ("k.sig", "s"), ("sub", "#!ipxe\nchain --replace k")]);
    let script = "imgtrust\nkernel k\nboot || echo refused\nimgverify -s ca k k.sig && imgstat k.sig || boot\n\
                  imgverify --keep k nothing || boot\nimgverify --keep forged k.sig || boot forged || imgstat k.sig && echo bad\n\
                  chain sub || echo sub refused\nimgtrust --allow\nchain sub && imgtrust --permanent\nimgtrust --allow || echo final\nimgtrust";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(
        world.log,
        [
            "fetch k",
            "refused\n",
            "fetch k.sig",
            "verify k k.sig Some([99, 97])",
            "boot k [] with ",
            "fetch nothing",
            "boot k [] with ",
            "fetch forged",
            "fetch k.sig",
            "verify forged k.sig None",
            "bad\n",
            "fetch sub",
            "sub refused\n",
            "boot k [] with forged,k.sig",
            "final\n",
        ]
    );
}

#[test]
fn an_image_that_may_not_run_stays_where_it_is() {
    let mut world = World::new(&[("k", "ELF"), ("l", "ELF"), ("p", "ELF")]);
    let script = "kernel k\nkernel l\nimgtrust\nchain k || chain --autofree l || imgtrust --allow\nchain p";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["fetch k", "fetch l", "fetch p", "boot p [] with k"]);
    let names: Vec<_> = world.images.registered().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["k", "p"]);
    let script = "imgfetch l\nimgtrust\nchain k || imgtrust --allow\nchain p";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log.last().unwrap(), "boot p [] with k,l");
}

#[test]
fn files_become_settings_digests_and_other_files() {
    let mut world = World::new(&[("motd", "hello"), ("a.gz", "packed"), ("plain", "x")]);
    let script = "imgset text motd && echo ${text}\nimgstat motd || imgset -k n:uint8 motd && imgstat motd && echo ${n:hexraw}\n\
                  imgset text:nonsense motd || echo no type\nsha256sum motd\nmd5sum -s sum motd && echo ${sum}\nsha1sum --set sum:base64 motd && echo ${sum}\n\
                  imgextract a.gz && imgstat a && imgstat a.gz || echo extracted\nimgextract -kn b a.gz && imgstat b\nimgextract plain || imgstat plain || echo gone";
    assert_eq!(play(&mut world, script), Ok(()));
    let echoed: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(
        echoed,
        ["hello\n", "68656c6c6f\n", "no type\n", "6d6435\n", "c2hhMQ==\n", "extracted\n", "gone\n"]
    );
    assert!(world.said.contains("736861323536  motd\n"));
}

#[test]
fn what_is_in_an_archive_runs_in_its_place() {
    let files =
        [("s.gz", "GZ#!ipxe\necho inside ${x}"), ("k.gz", "GZELF"), ("d.gz", "GZdata"), ("g.gz", "GZGZELF")];
    let mut world = World::new(&files);
    let script = "set x y\nchain s.gz\nkernel k.gz args\nimgfetch --name d.gz d.gz\nboot\nimgstat k.gz\n\
                  chain d.gz || chain g.gz || echo neither\nimgtrust\nchain --name again k.gz || echo untrusted";
    assert_eq!(play(&mut world, script), Ok(()));
    let log: Vec<_> = world.log.iter().filter(|line| !line.starts_with("fetch")).cloned().collect();
    assert_eq!(log, ["inside y\n", "boot k.gz [args] with s.gz,d.gz", "neither\n", "untrusted\n"]);
    assert!(world.said.contains("k.gz : 3 bytes [elf]"), "{}", world.said);
}

#[test]
fn names_may_be_given_to_images_that_are_here() {
    let mut world = World::new(&[("k", "ELF")]);
    assert_eq!(
        play(
            &mut world,
            "kernel k one\nkernel --name new k\nimgstat new && chain new && imgstat k || echo renamed"
        ),
        Ok(())
    );
    assert_eq!(world.log, ["fetch k", "boot new [one] with ", "renamed\n"]);
}

#[test]
fn what_the_network_names_is_started() {
    let mut world = World::new(&[("named", "#!ipxe\necho here\nautoboot || exit 7")]);
    assert_eq!(play(&mut world, "autoboot net0 || echo no address\nautoboot net1 || echo ${errno}"), Ok(()));
    assert_eq!(
        world.log[..5],
        ["configure net0 - 0", "no address\n", "configure net1 - 0", "fetch named", "here\n"]
    );
    assert!(world.reports.iter().any(|error| error.is(&crate::errors::TOO_DEEP)));
    assert_eq!(world.log.last().unwrap(), "0x7\n");
}

#[test]
fn cards_are_opened_and_closed() {
    let mut world = World::new(&[]);
    let script = "ifopen net9 || ifopen net0 net9 || echo last counts\nifopen net9 net1 && echo ${netX/x}\niflinkwait && echo up\n\
                  iflinkwait net0 || echo down\nifclose netX\nifopen\nifclose\nset netX/x 1 || echo closed\ndhcp --configurator ipv6 net1";
    for card in ["net0", "net1"] {
        let block = world.tree.block(card.as_bytes()).unwrap();
        world.tree.publish(block, b"x", settings::Kind::String, Some(card.as_bytes()));
    }
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["last counts\n", "net1\n", "up\n", "down\n", "closed\n", "configure net1 ipv6 0"]);
    assert_eq!(world.tree.latest(), world.tree.find(b"net1"));
}

#[test]
fn boot_servers_are_looked_for_by_a_card_that_is_there() {
    let mut world = World::new(&[]);
    assert_eq!(
        play(&mut world, "pxebs net9 1 || pxebs netX 1 || echo none\nifopen net1\npxebs netX 1"),
        Ok(())
    );
    assert_eq!(world.log, ["none\n", "pxebs netX 1"]);
    assert!(world.reports.iter().all(|error| error.is(&NO_CARD)) && world.reports.len() == 2);
}

#[test]
fn the_card_opened_last_is_looked_for_when_its_turn_comes() {
    let mut world = World::new(&[]);
    for card in ["net0", "net1"] {
        world.tree.block(card.as_bytes()).unwrap();
    }
    let script = "ifopen net0 net1\nifclose netX netX || exit 1\nifopen netX || echo none\nifopen net1 netX && echo both";
    assert_eq!(play(&mut world, script), Ok(()));
    assert_eq!(world.log, ["none\n", "both\n"]);
    assert_eq!(world.tree.latest(), world.tree.find(b"net1"));
    world.tree.close_card(world.tree.latest().unwrap());
    assert_eq!(world.tree.latest(), None);
}

#[test]
fn what_only_the_machine_can_do_is_checked_first() {
    let mut world = World::new(&[]);
    let script = "sleep soon || sleep 0x2\ncpuid || cpuid --ext 29\nping -c 2x h || ping --count 2 h || echo no answer\n\
                  time time echo x\ntime frobnicate || time sleep 1 x || time || echo bad\ntime goto l\n:l\nconsole --x 1024 -y 768 --keep\n\
                  poweroff || echo never\necho never";
    let status = play(&mut world, script);
    assert!(matches!(status, Err(Failure::Error(error)) if error.is(&crate::errors::LEFT)));
    assert_eq!(
        world.log,
        [
            "sleep 0x2",
            "cpuid --ext 29",
            "ping --count 2 h",
            "no answer\n",
            "x\n",
            "bad\n",
            "console --x 1024 -y 768 --keep",
            "poweroff"
        ]
    );
    assert!(world.said.contains("time: 1.5 s\n"));
}

#[test]
fn error_numbers_have_the_class_of_posix() {
    let mut world = World::new(&[]);
    let script = "echo ${errno}\nimgstat x || echo ${errno}\nclear x\necho -x || echo ${errno}\nset n:int8 x || echo ${errno}";
    assert_eq!(play(&mut world, script), Ok(()));
    let classes: Vec<_> = world.log.iter().map(|line| &line[..4]).collect();
    assert_eq!(classes, ["0x0\n", "0x2d", "0x1c", "0x1d"]);
    let mut world = World::new(&[("a", "#!ipxe\nexit 7"), ("b", "#!ipxe\nexit 0xfffffffe")]);
    assert_eq!(play(&mut world, "chain a || echo ${errno}\nchain b || echo ${errno}"), Ok(()));
    assert_eq!(world.log, ["fetch a", "0x7\n", "fetch b", "0x2\n"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_script_ends(text in proptest::collection::vec(prop::sample::select(&[
        "set", "x", "y", "${x}", "${${y}}", "${", "}", "goto", ":l", "l", "exit", "||", "&&", ";", "#", "\\\n", "\n", "\n", "\n", "echo",
        "chain", "self", "--replace", "-ra", "shell", "imgfree", "boot", "kernel", "data", "-n", "--", "inc", "isset", "iseq", "sleep", "0x7",
        "help", "imgstat", "dhcp", "netX", "menu", "item", "choose", "present", "form", "read", "param", "params", "x##params", "time",
        "imgset", "imgverify", "imgtrust", "ifclose", "ifopen", "md5sum", "imgextract", "-k", "prompt", "show", "clear", "${cwuri}", "cwuri", "\u{fe}", "imgargs", "imgfetch", "--name=self",
    ][..]), 0..80)) {
        let script = text.join(" ");
        let mut world = World::new(&[("self", "#!ipxe\n"), ("data", "ELF")]);
        world.files[0].1.extend_from_slice(script.as_bytes());
        world.polls = 300;
        set_working_uri(&mut world.tree, Some("http://host/"));
        let _ = play(&mut world, &script);
        prop_assert_eq!(working_uri(&world.tree).unwrap(), "http://host/");
    }

    #[test]
    fn any_bytes_are_fine(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::new(&[]);
        let _ = run(&mut world, Start::Line(&line));
    }
}
