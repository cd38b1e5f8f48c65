//! The world as script commands see it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base::text::printable;
use base::{Duration, Error, Instant};
use console::Key;
use http::Content;
use image::{Format, RECOGNISE_LENGTH, recognise};
use script::{
    Drafts, Fetch, Fetched, Handle, Host, ImageId, Images, Invocation, Line, Menu, Parameters, Selection,
    Type, working_uri,
};
use settings::{Kind, Tree};
use uri::Uri;

use crate::boot_menu::Choice;
use crate::dialogue::{deadline, shown};
use crate::digests::digest;
use crate::errors;
use crate::fetch::{Download, Manner};
use crate::machine::Machine;
use crate::network::{CARD, Network};
use crate::network_program;

/// What `imgstat` calls a Linux kernel.
pub(crate) const BZIMAGE: &str = "bzImage";
/// And other programs.
const MULTIBOOT: &str = "Multiboot";
const ELF: &str = "ELF";
const NBP: &str = "NBP";

/// What the first line says that this build can do.
pub(crate) const FEATURES: &str = if cfg!(feature = "archives") {
    "HTTP TFTP DNS VLAN bzImage MBOOT ELF NBP GZIP XZ ZSTD"
} else {
    "HTTP TFTP DNS VLAN bzImage MBOOT ELF NBP GZIP"
};

/// What the heap must have in one piece before a line of a script runs, so that no line uses it up.
const SPARE: usize = 3 << 20;

impl Machine {
    /// What scripts act on: with `&mut` before it, it is a `dyn Host`.
    pub(crate) fn host(&mut self) -> &mut Self {
        self
    }

    /// Takes a download into the store, and says what it is.
    pub(crate) fn fetched(&mut self, pages: hw::memory::Pages, uri: &str, name: String) -> Fetched {
        let bytes = pages.bytes();
        let size = bytes.len() as u64;
        let kind = match recognise(bytes.get(..RECOGNISE_LENGTH).unwrap_or(bytes)) {
            Format::Script => Type::Script,
            Format::BzImage => Type::Program(BZIMAGE),
            Format::Multiboot => Type::Program(MULTIBOOT),
            Format::Elf => Type::Program(ELF),
            Format::Archive(kind) => Type::Archive(kind),
            Format::Own(_) | Format::Code if size <= network_program::capacity() => Type::Program(NBP),
            _ => Type::Data,
        };
        Fetched { uri: uri.into(), name, kind, size, handle: self.store.add(pages) }
    }

    /// The bytes that an initrd may have beside those that are here, if a kernel was chosen.
    fn initrd_limit(&self) -> Option<u64> {
        let kernel = self.images.image(self.images.selected()?)?;
        let bytes = self.store.bytes(kernel.handle);
        let header = image::bzimage::Header::parse(&kernel.name, bytes, bytes.len() as u64).ok()?;
        let usual = header.usual_place();
        let exclusions = [usual, header.runtime(usual)];
        let ceiling = header.initrd_ceiling(&kernel.command_line).min(self.memory.end());
        let budget = image::budget(self.memory.map(), ceiling, &exclusions);
        let others = self.images.registered().filter(|image| image.id() != kernel.id());
        let taken = others.map(|image| image::initrd_length(&image.command_line, image.size));
        Some(budget.saturating_sub(taken.sum()))
    }
}

/// Of a borrowed machine: a `dyn Host` comes with the code that drops what it is of, and no machine is ever dropped.
impl Host for &mut Machine {
    fn settings(&mut self) -> &mut Tree {
        &mut self.settings
    }

    fn images(&mut self) -> &mut Images {
        &mut self.images
    }

    fn drafts(&mut self) -> &mut Drafts {
        &mut self.drafts
    }

    fn print(&mut self, text: &[u8]) {
        self.screen.print(text);
    }

    fn say(&mut self, text: &[u8]) {
        self.screen.say(text);
    }

    fn report(&mut self, error: &Error) {
        self.screen.error(error);
    }

    fn poll(&mut self) -> Result<(), Error> {
        if Vec::<u8>::new().try_reserve_exact(SPARE).is_err() {
            return Err(errors::FULL.error());
        }
        self.round(Instant::ZERO).map(drop)
    }

    fn features(&self) -> &'static str {
        FEATURES
    }

    fn now(&self) -> Instant {
        hw::clock::now()
    }

    fn read_line(&mut self, line: &Line<'_>) -> Result<Vec<u8>, Error> {
        self.edit_line(line)
    }

    fn prompt(
        &mut self,
        text: &[u8],
        _: Option<u32>,
        timeout: Option<Duration>,
    ) -> Result<Option<u32>, Error> {
        // A text that can be drawn over itself has the seconds behind it.
        let is_plain = (1..64).contains(&text.len()) && text.iter().all(|byte| (b' '..=b'~').contains(byte));
        let line = core::str::from_utf8(text).ok().filter(|_| is_plain && self.screen.begins_line());
        let key = match (line, timeout) {
            (Some(line), Some(timeout)) => {
                let key =
                    self.count_down(line, hw::clock::now() + timeout, |machine| machine.keyboard.take());
                self.screen.print(text);
                key
            }
            _ => {
                self.screen.print(text);
                self.key(deadline(timeout))
            }
        };
        self.screen.print(b"\n");
        Ok(key?.map(Key::code))
    }

    fn choose(&mut self, selection: &Selection<'_>) -> Result<usize, Error> {
        self.show_menu(selection)
    }

    fn present(
        &mut self,
        form: &Menu,
        texts: Vec<Vec<u8>>,
        refused: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.show_form(form, texts, refused)
    }

    fn cards(&mut self) -> Vec<String> {
        let devices = self.network.iter_mut().flat_map(Network::devices);
        let mut names: Vec<String> = base::list(devices.map(|device| device.name.clone()));
        // The card itself comes first, whatever has the network.
        if let Some(place) = names.iter().position(|name| name == CARD) {
            names.swap(0, place);
        }
        names
    }

    /// The driver stays loaded all the time; only what scripts see of it is opened and closed. With a VLAN, the card that
    /// carries it is open.
    fn open(&mut self, card: &str) -> Result<(), Error> {
        for name in [CARD, card] {
            let block = self.settings.block(name.as_bytes())?;
            self.settings.open_card(block);
        }
        Ok(())
    }

    fn close(&mut self, card: &str) {
        if let Some(network) = &mut self.network {
            network.close(card);
        }
        if let Some(block) = self.settings.find(card.as_bytes()) {
            self.settings.close_card(block);
        }
    }

    /// UNDI does not tell, and the card was of use already.
    fn wait_for_link(&mut self, _: &str, _: Option<Duration>) -> Result<(), Error> {
        Ok(())
    }

    fn configure(&mut self, card: &str, _: Option<&str>, timeout: Option<Duration>) -> Result<(), Error> {
        if let Some(network) = &mut self.network {
            network.give_to(&|device| device.name == card);
        }
        self.dhcp(timeout)
    }

    fn fetch_boot_file(&mut self) -> Result<Fetched, Error> {
        let lease = self.network.as_ref().and_then(|network| network.device.lease.clone());
        let lease = lease.ok_or_else(|| errors::NO_ADDRESS.of("autoboot"))?;
        match self.choose_boot_file(&lease)? {
            Choice::Files([Some(file), _]) => self.download_boot_file(&file),
            Choice::Files(_) => Err(errors::NOTHING_TO_BOOT.of(lease.server.to_string())),
            Choice::NextDevice => Err(errors::NEXT_DEVICE.error()),
        }
    }

    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error> {
        let base = working_uri(&self.settings).and_then(|base| Uri::parse(&base).ok());
        let uri = Uri::locate(base.as_ref(), request.uri)?;
        let content = request.parameters.map_or_else(|| Ok(Content::default()), content)?;
        let limit = self.initrd_limit();
        let manner = Manner {
            quiet: request.quiet,
            timeout: request.timeout,
            patience: None,
            limit,
            unpacks: request.runs,
        };
        if request.runs {
            self.store.inside.forget(&mut self.memory);
        }
        // Whoever redirects does not rename.
        let name = uri.file_name().unwrap_or_default();
        let Download { pages, uri, ahead } = self.download(&uri, content, manner)?;
        // What a download has cost, for those who measure.
        let switches = hw::realmode::switches().to_be_bytes();
        self.settings.publish(Tree::BUILTIN, b"mode-switches", Kind::Int32, Some(&switches));
        let fetched = self.fetched(pages, uri.as_str(), name);
        self.unpack_ahead(ahead, &fetched)?;
        Ok(fetched)
    }

    fn content(&self, handle: Handle) -> &[u8] {
        self.store.bytes(handle)
    }

    fn release(&mut self, handle: Handle) {
        self.store.release(handle, &mut self.memory);
    }

    fn execute(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the image"))?;
        match image.kind {
            // It would lie over the program that has called for it, and the low block has a stack for one only.
            Type::Program(NBP) if self.memory.is_lent() => Err(errors::PROGRAM_RUNS.of(image.name.as_str())),
            Type::Program(NBP) => self.run_network_program(id),
            Type::Program(_) => {
                // A program that has called for it ends now.
                self.memory.take_back();
                self.boot(id)
            }
            _ => Err(errors::CANNOT_START.of(image.name.as_str())),
        }
    }

    fn digest(&mut self, algorithm: &str, id: ImageId) -> Result<Vec<u8>, Error> {
        let bytes = self.images.image(id).map(|image| self.store.bytes(image.handle)).unwrap_or_default();
        digest(algorithm, bytes)
    }

    fn extract(&mut self, id: ImageId) -> Result<Fetched, Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the image"))?;
        let Type::Archive(kind) = image.kind else {
            return Err(errors::NO_ARCHIVE.of(image.name.as_str()));
        };
        let (name, uri, handle) = (image.name.clone(), image.uri.clone(), image.handle);
        let pages = self.unpack(&name, kind, handle)?;
        Ok(self.fetched(pages, &uri, name))
    }

    fn verify(&mut self, _: ImageId, _: ImageId, _: Option<&[u8]>) -> Result<(), Error> {
        Err(errors::NOT_BUILT.of("imgverify"))
    }

    fn command(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        self.carry_out(command)
    }
}

/// What a script wants sent: with fields it is posted, unless the script says how.
fn content(parameters: &Parameters) -> Result<Content, Error> {
    let fields = base::list(parameters.list.iter().filter(|parameter| !parameter.is_header));
    let usual: &[u8] = if fields.is_empty() { b"GET" } else { b"POST" };
    let method = shown(parameters.method.as_deref().unwrap_or(usual));
    let mut content =
        Content::new(&method).map_err(|_| errors::BAD_PARAMETER.of(printable(method.as_bytes())))?;
    for header in parameters.list.iter().filter(|parameter| parameter.is_header) {
        let name = shown(&header.key);
        content
            .header(&name, &shown(&header.value))
            .map_err(|_| errors::BAD_PARAMETER.of(printable(name.as_bytes())))?;
    }
    if !fields.is_empty() {
        content.set_fields(fields.iter().map(|field| (field.key.as_slice(), field.value.as_slice())));
    }
    Ok(content)
}
