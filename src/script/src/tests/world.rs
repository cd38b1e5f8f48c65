//! A small world for scripts.

use crate::errors::CANCELLED;
use crate::{
    Drafts, Fetch, Fetched, Handle, Host, Image, ImageId, Images, Invocation, Line, Menu, Selection, Type,
    is_script,
};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Error, Instant};
use settings::Tree;

base::errors! {
    MISSING = "TEST-01", "{} was not found", "none";
    BROKEN = "TEST-02", "{} came back with an error", "none";
}

/// Notes what happens. Files are found by name; those that begin with `ELF` are programs that come back, with an
/// error if they go on with `-`.
pub(super) struct World {
    pub(super) tree: Tree,
    pub(super) images: Images,
    pub(super) drafts: Drafts,
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    pub(super) contents: Vec<Vec<u8>>,
    pub(super) lines: VecDeque<&'static str>,
    pub(super) keys: VecDeque<Option<u32>>,
    pub(super) log: Vec<String>,
    /// What was fetched to be started.
    pub(super) runs: Vec<String>,
    pub(super) said: String,
    pub(super) reports: Vec<Error>,
    pub(super) polls: u32,
}

impl World {
    pub(super) fn new(files: &[(&'static str, &str)]) -> Self {
        Self {
            tree: Tree::new(),
            images: Images::new(),
            drafts: Drafts::new(),
            files: files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect(),
            contents: Vec::new(),
            lines: VecDeque::new(),
            keys: VecDeque::new(),
            log: Vec::new(),
            runs: Vec::new(),
            said: String::new(),
            reports: Vec::new(),
            polls: 10_000,
        }
    }

    pub(super) fn add(&mut self, name: &str, content: Vec<u8>) -> ImageId {
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
        self.fetch(&Fetch { uri: "named", parameters: None, timeout: None, quiet: false, runs: true })
    }
    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error> {
        let parameters = request.parameters.map_or(Vec::new(), |parameters| parameters.list.clone());
        let sent = parameters.iter().map(|parameter| {
            let [key, value] = [&parameter.key, &parameter.value].map(|text| String::from_utf8_lossy(text));
            format!(" {}{key}={value}", if parameter.is_header { "header " } else { "" })
        });
        self.log.push(format!("fetch {}{}", request.uri, sent.collect::<String>()));
        if request.runs {
            self.runs.push(request.uri.into());
        }
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
