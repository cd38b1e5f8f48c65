//! A machine that is played: a `Host` that looks its answers up in a [`Scenario`] and writes down what it is asked.

use super::scenario::{Answer, Card, Content, Outcome, Response, Scenario, Sets};
use anyhow::{Context as _, Result, bail};
use base::{Duration, Error, Instant};
use script::{
    Drafts, Failure, Fetch, Fetched, Handle, Host, ImageId, Images, Invocation, Line, Menu, Parameter,
    Selection, Start, Type, Vlan, errors, expand, is_script, working_uri,
};
use serde_json::{Map, Value, json};
use settings::{Kind, Scope, Tree};
use std::collections::HashMap;
use std::path::{Component, Path};
use uri::Uri;

base::errors! {
    /// The scenario says so.
    FAILED = "PLAY-01", "{} fails", "the scenario says so";
    /// Nobody answers.
    NOT_FOUND = "PLAY-02", "{} is not there", "the scenario has no answer for this address";
    /// What the played machine cannot do.
    NOT_PLAYED = "PLAY-03", "{} cannot be played", "it needs a real machine";
    /// The script asks the user, and there is no answer.
    NO_CHOICE = "PLAY-04", "the scenario does not say what the user does at {}", "add it to the choices";
    /// A script that waits for a user or server who never does anything else.
    ENDLESS = "PLAY-05", "{} lines have run and there is no end", "say in a scenario what the user does, or what fails";
}

/// Commands that act on the world outside of scripts only.
const DEVICE_COMMANDS: [&str; 20] = [
    "colour",
    "config",
    "console",
    "cpair",
    "cpuid",
    "ifstat",
    "login",
    "nslookup",
    "ntp",
    "ping",
    "poweroff",
    "reboot",
    "route",
    "sanboot",
    "sanhook",
    "sanunhook",
    "sleep",
    "sync",
    "vcreate",
    "vdestroy",
];

/// Commands that show what there is, and nothing else.
const SHOWING_COMMANDS: [&str; 3] = ["certstat", "ipstat", "nstat"];

/// What programs consist of.
const PROGRAM: &[u8] = b"\x7fprogram";

/// The key of that name.
const ENTER: u32 = 0x0d;

/// Those that do not come back, unless the scenario says so.
const TERMINAL_COMMANDS: [&str; 3] = ["sanboot", "reboot", "poweroff"];

/// Who is told what happens.
pub(super) trait Audience {
    /// A script has changed or asked something outside of itself.
    fn effect(&mut self, effect: Value);

    /// A command says something of its own.
    fn say(&mut self, _text: &str) {}

    /// A command has failed.
    fn failure(&mut self, _error: &Error) {}
}

impl Audience for Vec<Value> {
    fn effect(&mut self, effect: Value) {
        self.push(effect);
    }
}

/// Runs the first script and returns all effects.
pub(super) fn play(scenario: Scenario) -> Result<Vec<Value>> {
    let mut effects = Vec::new();
    perform(scenario, &mut effects)?;
    Ok(effects)
}

/// Runs the first script before an audience.
pub(super) fn perform(scenario: Scenario, audience: &mut dyn Audience) -> Result<()> {
    let mut world = World::new(scenario, audience)?;
    let first = world.scenario.script.first().context("there is no script")?;
    let uri = Uri::locate(None, &first.uri).map_err(|error| anyhow::anyhow!("{error}"))?;
    let fetched = world.add(&uri, first.text.clone().into_bytes(), false);
    let id = world.images.register(fetched);
    if let Some(image) = world.images.image_mut(id) {
        image.autofree = true;
    }
    let (status, code) = match script::run(&mut world, Start::Image(id)) {
        Ok(()) => ("success", json!(0)),
        Err(Failure::Exit(code)) => {
            ("failure", if code.cast_signed() > 0 { json!(code) } else { Value::Null })
        }
        Err(Failure::Error(_)) => ("failure", Value::Null),
    };
    if !world.has_left {
        world.audience.effect(json!({"script_end": {"status": status, "exit_code": code}}));
    }
    let mut values = Map::new();
    for name in &world.scenario.report {
        let text = expand(&world.tree, format!("${{{name}}}").as_bytes()).unwrap_or_default();
        values.insert(name.clone(), shown(&text).into());
    }
    world.audience.effect(json!({"final": values}));
    match world.stuck {
        Some(error) => bail!("{error}: {}", error.kind().hint()),
        None => Ok(()),
    }
}

struct World<'a> {
    scenario: Scenario,
    tree: Tree,
    images: Images,
    drafts: Drafts,
    contents: Vec<Vec<u8>>,
    audience: &'a mut dyn Audience,
    /// Why the play cannot go on.
    stuck: Option<Error>,
    /// Lines that have run.
    lines: u32,
    /// How often something was asked for, by what it is and its name.
    counts: HashMap<(&'static str, String), usize>,
    has_left: bool,
}

impl<'a> World<'a> {
    fn new(scenario: Scenario, audience: &'a mut dyn Audience) -> Result<Self> {
        let mut tree = Tree::new();
        let settings = &scenario.settings;
        for (name, value) in [
            ("platform", &settings.platform),
            ("buildarch", &settings.buildarch),
            ("version", &settings.version),
        ] {
            tree.publish(Tree::BUILTIN, name.as_bytes(), Kind::String, Some(value.as_bytes()));
        }
        for (device, card) in (3..).zip(&settings.nics) {
            publish_card(&mut tree, device, card)?;
        }
        for card in &settings.open_interfaces_at_start {
            tree.open_card(tree.find(card.as_bytes()).with_context(|| format!("{card} is no card"))?);
        }
        store(&mut tree, &settings.values);
        Ok(Self {
            scenario,
            tree,
            images: Images::new(),
            drafts: Drafts::new(),
            contents: Vec::new(),
            audience,
            stuck: None,
            lines: 0,
            counts: HashMap::new(),
            has_left: false,
        })
    }

    /// How often this was asked for before.
    fn count(&mut self, what: &'static str, name: &str) -> usize {
        let count = self.counts.entry((what, name.to_owned())).or_default();
        *count += 1;
        *count - 1
    }

    /// What the user does; `usual` if that is not settled.
    fn choice(&mut self, at: &str, usual: Value) -> Result<Map<String, Value>, Error> {
        if self.scenario.usual.user
            && let Value::Object(usual) = usual
        {
            return Ok(usual);
        }
        let index = self.count("choice", "");
        let choice = self.scenario.choices.get(index).cloned();
        if let Some(mut choice) = choice
            && choice.remove("type").as_ref().and_then(Value::as_str) == Some(at)
        {
            return Ok(choice);
        }
        Err(self.stuck(at))
    }

    /// The scenario and the script have nothing to do with each other from here on: all ends.
    fn stuck(&mut self, at: &str) -> Error {
        self.stuck = Some(NO_CHOICE.of(at));
        self.leave()
    }

    fn add(&mut self, uri: &Uri, content: Vec<u8>, is_program: bool) -> Fetched {
        let kind = match &content {
            _ if is_program => Type::Program("executable"),
            text if is_script(text) => Type::Script,
            _ => Type::Data,
        };
        let size = content.len() as u64;
        let handle = Handle(u32::try_from(self.contents.len()).unwrap_or(u32::MAX));
        self.contents.push(content);
        Fetched { uri: uri.as_str().into(), name: uri.file_name().unwrap_or_default(), kind, size, handle }
    }

    /// The text of a script on the server.
    fn script(&self, uri: &str) -> Option<Vec<u8>> {
        let script = self.scenario.script.iter().skip(1).find(|script| script.uri == uri)?;
        Some(script.text.clone().into_bytes())
    }

    /// What lies beside the first script, or some program, if that is usual.
    fn file(&self, address: &str) -> Option<(Vec<u8>, bool)> {
        let folder = self.scenario.usual.folder.as_ref()?;
        let first = &self.scenario.script.first()?.uri;
        let base = first.get(..=first.rfind('/')?)?;
        let name = address.strip_prefix(base).and_then(|path| path.split(['?', '#']).next());
        let name = name.and_then(|path| String::from_utf8(uri::decode(path)).ok()).unwrap_or_default();
        let is_inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        let content =
            Some(folder.join(&name)).filter(|_| is_inside).and_then(|path| std::fs::read(path).ok());
        let content = content.unwrap_or_else(|| PROGRAM.to_vec());
        let is_program = !is_script(&content);
        Some((content, is_program))
    }

    /// Content and whether that is a program; none for what is not found.
    fn response(&mut self, address: &str) -> Option<(Vec<u8>, bool)> {
        let index = self.count("request", address);
        let Some(response) = self.scenario.responses.requests.get(address).and_then(|all| all.get(index))
        else {
            return self.script(address).map(|text| (text, false)).or_else(|| self.file(address));
        };
        let Response { result: Outcome::Ok, content, script, text } = response else { return None };
        match content {
            Content::Script => script.as_ref().and_then(|uri| self.script(uri)).map(|text| (text, false)),
            Content::Executable => Some((PROGRAM.to_vec(), true)),
            Content::Data => {
                Some((text.as_ref().map_or(b"\0data".to_vec(), |text| text.clone().into_bytes()), false))
            }
        }
    }

    fn leave(&mut self) -> Error {
        self.has_left = true;
        errors::LEFT.error()
    }

    /// What becomes of a command of the machine.
    fn device(&mut self, words: &[Vec<u8>]) -> Result<(), Error> {
        let words: Vec<_> = words.iter().map(|word| shown(word)).collect();
        let line = words.join(" ");
        let name = words.first().map(String::as_str).unwrap_or_default();
        let is_meant = |pattern: &str| {
            line.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let place = self.scenario.responses.commands.iter().position(|command| is_meant(&command.words));
        let usual = if TERMINAL_COMMANDS.contains(&name) { Outcome::Terminal } else { Outcome::Ok };
        let mut answer = Answer { result: usual, sets: Vec::new() };
        if let Some(place) = place {
            let index = self.count("command", &place.to_string());
            let command = self.scenario.responses.commands.get(place);
            let results = command.map(|command| command.results.as_slice()).unwrap_or_default();
            answer = results.get(index).or(results.last()).cloned().unwrap_or(answer);
        }
        self.audience.effect(json!({"command": words, "outcome": answer.result.name()}));
        store(&mut self.tree, &answer.sets);
        match answer.result {
            Outcome::Ok => Ok(()),
            Outcome::Terminal => Err(self.leave()),
            Outcome::Fail | Outcome::NotFound => Err(FAILED.of(name)),
        }
    }

    /// A VLAN is another card like the one that carries it.
    fn create_vlan(&mut self, vlan: &Vlan) {
        let cards = &mut self.scenario.settings.nics;
        let is_new = cards.iter().all(|card| card.name != vlan.name);
        let trunk = (3..).zip(&*cards).find(|(_, card)| card.name == vlan.trunk);
        if is_new && let Some((device, trunk)) = trunk {
            let card = Card { name: vlan.name.clone(), ..trunk.clone() };
            // The address is one already.
            let _ = publish_card(&mut self.tree, device, &card);
            cards.push(card);
        }
    }

    fn destroy_vlan(&mut self, name: &str) {
        self.close(name);
        self.scenario.settings.nics.retain(|card| card.name != name);
        for block in [format!("{name}.dhcp"), name.to_owned()] {
            if let Some(block) = self.tree.find(block.as_bytes()) {
                self.tree.set_source(block, Scope::Dhcp, None);
            }
        }
    }

    fn name_of(&self, id: ImageId) -> String {
        self.images.image(id).map(|image| image.name.clone()).unwrap_or_default()
    }
}

/// What scripts know of a card.
fn publish_card(tree: &mut Tree, device: u8, card: &Card) -> Result<()> {
    let block = tree.block(card.name.as_bytes()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let mac = Kind::Hex.parse(card.mac.as_bytes()).context("this is no address of a card")?;
    tree.publish_replaceable(block, b"mac", Kind::Hex, &mac);
    tree.publish(block, b"hwaddr", Kind::Hex, Some(&mac));
    tree.publish(block, b"bustype", Kind::String, Some(b"PCI"));
    tree.publish(block, b"busloc", Kind::Uint32, Some(&[0, 0, 0, device << 3]));
    // PCI, vendor 8086h, device 100eh.
    tree.publish(block, b"busid", Kind::Hex, Some(&[0x01, 0x80, 0x86, 0x10, 0x0e]));
    tree.publish(block, b"linktype", Kind::String, Some(b"Ethernet"));
    tree.publish(block, b"chip", Kind::String, Some(card.chip.as_bytes()));
    tree.publish(block, b"ifname", Kind::String, Some(card.name.as_bytes()));
    Ok(())
}

/// Stores values as `set` would, but literally. What is refused is left out.
fn store(tree: &mut Tree, sets: &Sets) {
    for (name, value) in sets {
        let _ = tree.store(name.as_bytes(), value.as_bytes());
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn millis(time: Option<Duration>) -> u64 {
    time.map_or(0, Duration::as_millis)
}

/// Where the numbers of keys begin that are no characters. Smaller ones that are not ASCII count from here, as in
/// scripts.
const SPECIAL_KEYS: u32 = 0x11_0000;

/// A key, which is written as a character or a number.
fn key(choice: &Map<String, Value>) -> Option<u32> {
    let number = match choice.get("key")? {
        Value::String(text) => return text.chars().next().map(u32::from),
        number => u32::try_from(number.as_u64()?).ok()?,
    };
    Some(if (0x80..SPECIAL_KEYS).contains(&number) { number + SPECIAL_KEYS } else { number })
}

/// Adds a member to an effect.
fn put(effect: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = effect {
        members.insert(name.to_owned(), value.into());
    }
}

fn is_true(choice: &Map<String, Value>, name: &str) -> bool {
    choice.get(name) == Some(&Value::Bool(true))
}

impl Host for World<'_> {
    fn settings(&mut self) -> &mut Tree {
        &mut self.tree
    }

    fn images(&mut self) -> &mut Images {
        &mut self.images
    }

    fn drafts(&mut self) -> &mut Drafts {
        &mut self.drafts
    }

    fn print(&mut self, text: &[u8]) {
        self.audience.effect(json!({"echo": shown(text)}));
    }

    fn say(&mut self, text: &[u8]) {
        self.audience.say(&shown(text));
    }

    fn report(&mut self, error: &Error) {
        self.audience.failure(error);
    }

    fn features(&self) -> &'static str {
        "HTTP TFTP DNS bzImage"
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn poll(&mut self) -> Result<(), Error> {
        self.lines = self.lines.saturating_add(1);
        match self.scenario.usual.lines {
            Some(limit) if self.lines > limit => Err(ENDLESS.of(limit.to_string())),
            _ => Ok(()),
        }
    }

    fn read_line(&mut self, line: &Line<'_>) -> Result<Vec<u8>, Error> {
        let choice = self.choice("read", json!({"text": shown(line.text)}))?;
        let setting = shown(line.setting.unwrap_or_default());
        self.audience
            .effect(json!({"read": {"setting": setting, "prefill": shown(line.text), "user": choice}}));
        match choice.get("text").and_then(Value::as_str) {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Err(errors::CANCELLED.error()),
        }
    }

    fn prompt(
        &mut self,
        text: &[u8],
        wanted: Option<u32>,
        timeout: Option<Duration>,
    ) -> Result<Option<u32>, Error> {
        let usual = match timeout {
            Some(_) => json!({"timeout": true}),
            None => json!({"key": wanted.unwrap_or(ENTER)}),
        };
        let choice = self.choice("prompt", usual)?;
        let (wanted, timeout) = (wanted.unwrap_or(0), millis(timeout));
        self.audience.effect(
            json!({"prompt": {"text": shown(text), "key": wanted, "timeout_ms": timeout, "user": choice}}),
        );
        Ok(key(&choice))
    }

    fn choose(&mut self, selection: &Selection<'_>) -> Result<usize, Error> {
        let choice = self.choice("menu", json!({"enter": true}))?;
        let items = &selection.menu.items;
        let name = |item: &script::Item| item.name.as_deref().map(shown);
        self.audience.effect(json!({"menu": {
            "title": shown(&selection.menu.title),
            "items": items.iter().map(|item| json!([name(item), shown(&item.text)])).collect::<Vec<_>>(),
            "initial_selection": items.get(selection.initial).and_then(name),
            "timeout_ms": millis(selection.timeout),
            "user": choice,
        }}));
        if is_true(&choice, "cancel") {
            return Err(errors::CANCELLED.error());
        }
        if let Some(wanted) = choice.get("select").and_then(Value::as_str) {
            let place = items.iter().position(|item| name(item).as_deref() == Some(wanted));
            return place.ok_or_else(|| self.stuck("menu"));
        }
        if let Some(key) = key(&choice) {
            let has_key = |item: &script::Item| item.name.is_some() && item.key == Some(key);
            let below = items.iter().skip(selection.initial).position(has_key);
            let place = below.map(|place| place + selection.initial);
            let place = place.or_else(|| items.iter().position(has_key));
            return place.ok_or_else(|| self.stuck("menu"));
        }
        Ok(selection.initial)
    }

    fn present(
        &mut self,
        form: &Menu,
        mut texts: Vec<Vec<u8>>,
        _refused: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let choice = self.choice("form", json!({"values": {}}))?;
        let name = |item: &script::Item| item.name.as_deref().map(shown);
        let row = |item: &script::Item| json!([name(item), shown(&item.text), item.is_secret]);
        self.audience.effect(json!({"form": {
            "title": shown(&form.title),
            "items": form.items.iter().map(row).collect::<Vec<_>>(),
            "user": choice,
        }}));
        if is_true(&choice, "cancel") {
            return Err(errors::CANCELLED.error());
        }
        let values = choice.get("values").and_then(Value::as_object);
        for (item, text) in form.items.iter().zip(&mut texts) {
            let value = name(item).and_then(|name| values?.get(&name)?.as_str());
            if let Some(value) = value {
                *text = value.as_bytes().to_vec();
            }
        }
        Ok(texts)
    }

    fn cards(&mut self) -> Vec<String> {
        self.scenario.settings.nics.iter().map(|card| card.name.clone()).collect()
    }

    fn open(&mut self, card: &str) -> Result<(), Error> {
        if let Some(block) = self.tree.find(card.as_bytes()) {
            self.tree.open_card(block);
        }
        Ok(())
    }

    fn close(&mut self, card: &str) {
        if let Some(block) = self.tree.find(card.as_bytes()) {
            self.tree.close_card(block);
        }
    }

    fn wait_for_link(&mut self, _card: &str, _timeout: Option<Duration>) -> Result<(), Error> {
        Ok(())
    }

    fn configure(
        &mut self,
        card: &str,
        configurator: Option<&str>,
        _timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let index = self.count("configure", "");
        let responses = &self.scenario.responses;
        let usual = Answer { result: responses.configure_default, sets: Vec::new() };
        let answer = responses.configure.get(index).cloned().unwrap_or(usual);
        let outcome = answer.result.name();
        self.audience.effect(
            json!({"configure": {"interface": card, "configurator": configurator, "outcome": outcome}}),
        );
        store(&mut self.tree, &answer.sets);
        if answer.result != Outcome::Ok {
            return Err(FAILED.of(card));
        }
        // A card of the scenario has from the beginning what it is given.
        let lease = self.scenario.usual.vlan_lease.iter().flatten().filter(|_| Vlan::is_name(card));
        for (name, value) in lease {
            self.tree.store(format!("{card}.dhcp/{name}").as_bytes(), value.as_bytes())?;
        }
        Ok(())
    }

    fn fetch_boot_file(&mut self) -> Result<Fetched, Error> {
        Err(NOT_PLAYED.of("autoboot"))
    }

    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error> {
        let base = working_uri(&self.tree).and_then(|base| Uri::parse(&base).ok());
        let uri = Uri::locate(base.as_ref(), request.uri).inspect_err(|_| {
            self.audience.effect(json!({"request": request.uri, "outcome": "fail"}));
        })?;
        let response = self.response(uri.as_str());
        let outcome = if response.is_some() { "ok" } else { "fail" };
        let mut effect = json!({"request": uri.as_str(), "outcome": outcome});
        if let Some(parameters) = request.parameters {
            let select = |is_header: bool| {
                let of_kind = move |parameter: &&Parameter| parameter.is_header == is_header;
                let pair = |parameter: &Parameter| json!([shown(&parameter.key), shown(&parameter.value)]);
                parameters.list.iter().filter(of_kind).map(pair).collect::<Vec<_>>()
            };
            for (name, list) in [("post_params", select(false)), ("headers", select(true))] {
                if !list.is_empty() {
                    put(&mut effect, name, list);
                }
            }
            if let Some(method) = &parameters.method {
                put(&mut effect, "method", shown(method));
            }
        }
        self.audience.effect(effect);
        let (content, is_program) = response.ok_or_else(|| NOT_FOUND.of(uri.redacted()))?;
        Ok(self.add(&uri, content, is_program))
    }

    fn content(&self, handle: Handle) -> &[u8] {
        self.contents.get(handle.0 as usize).map(Vec::as_slice).unwrap_or_default()
    }

    fn release(&mut self, handle: Handle) {
        if let Some(content) = self.contents.get_mut(handle.0 as usize) {
            *content = Vec::new();
        }
    }

    fn execute(&mut self, id: ImageId) -> Result<(), Error> {
        let name = self.name_of(id);
        let arguments = self.images.image(id).map(|image| shown(&image.command_line)).unwrap_or_default();
        let others = self.images.registered().map(|image| {
            let mut other = json!({"name": image.name, "args": shown(&image.command_line)});
            if image.kind == Type::Script {
                put(&mut other, "type", "script");
            }
            other
        });
        let others: Vec<_> = others.collect();
        let mut boot = json!({"image": name, "args": arguments, "other_images": others});
        let index = self.count("boot", &name);
        let results = self.scenario.responses.boot.get(&name);
        let outcome = results.and_then(|results| results.get(index).or(results.last())).copied();
        let outcome = outcome.unwrap_or(Outcome::Terminal);
        if outcome != Outcome::Terminal {
            put(&mut boot, "outcome", outcome.name());
        }
        self.audience.effect(json!({"boot": boot}));
        match outcome {
            Outcome::Ok => Ok(()),
            Outcome::Terminal => Err(self.leave()),
            Outcome::Fail | Outcome::NotFound => Err(FAILED.of(name)),
        }
    }

    fn digest(&mut self, algorithm: &str, id: ImageId) -> Result<Vec<u8>, Error> {
        let content = self.images.image(id).map(|image| self.content(image.handle)).unwrap_or_default();
        image::digest(algorithm, content).ok_or_else(|| NOT_PLAYED.of(algorithm))
    }

    fn extract(&mut self, id: ImageId) -> Result<Fetched, Error> {
        let Some(image) = self.images.image(id).filter(|_| self.scenario.usual.folder.is_some()) else {
            return Err(NOT_PLAYED.of(self.name_of(id)));
        };
        let (uri, content) = (Uri::locate(None, &image.uri)?, self.content(image.handle).to_vec());
        Ok(self.add(&uri, content, true))
    }

    fn verify(&mut self, id: ImageId, _signature: ImageId, _signer: Option<&[u8]>) -> Result<(), Error> {
        let name = self.name_of(id);
        let outcome = self.scenario.responses.verify.get(&name).copied().unwrap_or_default();
        self.audience.effect(json!({"verify": name, "outcome": outcome.name()}));
        if outcome == Outcome::Ok { Ok(()) } else { Err(FAILED.of(name)) }
    }

    fn command(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        if SHOWING_COMMANDS.contains(&command.name()) {
            return Ok(());
        }
        let is_usual = self.scenario.usual.folder.is_some() && !command.name().ends_with("scan");
        if !is_usual && !DEVICE_COMMANDS.contains(&command.name()) {
            return Err(NOT_PLAYED.of(command.name()));
        }
        let has_vlans = self.scenario.usual.vlan_lease.is_some();
        match command.name() {
            "vcreate" if has_vlans => {
                let vlan = Vlan::to_create(command, self)?;
                self.device(command.words())?;
                self.create_vlan(&vlan);
            }
            "vdestroy" if has_vlans => {
                let name = Vlan::to_destroy(command, self)?;
                self.device(command.words())?;
                self.destroy_vlan(&name);
            }
            _ => self.device(command.words())?,
        }
        if self.scenario.usual.folder.is_some() && command.name() == "nslookup" {
            self.tree.store(command.argument(0), b"192.0.2.1")?;
        }
        Ok(())
    }

    fn shell(&mut self) -> Result<bool, Error> {
        self.device(&[b"shell".to_vec()]).map(|()| false)
    }
}
