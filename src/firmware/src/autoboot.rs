//! What to boot when nobody says so.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use base::{Duration, Error, Sink};
use console::Table;
use dhcp::{BootFile, Lease};
use http::Content;
use hw::memory::{Pages, PhysicalMemory};
use image::{Format, HandedOver, recognise};
use script::{Failure, Fetched, ImageId, Start, set_working_uri};
use uri::Uri;

use crate::boot_menu::Choice;
use crate::errors;
use crate::fetch::{Download, Manner};
use crate::machine::Machine;
use crate::media::handed_over;
use crate::screen::say;
use crate::store::Target;

/// What is looked for beside our own image.
const AUTOEXEC: &str = "autoexec.ipxe";
/// How long its server may be silent.
const AUTOEXEC_PATIENCE: Duration = Duration::from_secs(1);
/// How long DHCP has precedence over it.
const DHCP_PRECEDENCE: Duration = Duration::from_secs(3);
/// How long a shell can be asked for before the next boot device gets its turn.
const LAST_CHANCE: Duration = Duration::from_secs(10);

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A script ran to its end, or said `exit`: there is nothing more to do.
    Finished,
    /// It is noted why nothing was booted.
    Failed,
    /// The file is our own image again, which says nothing about what to boot.
    OwnImage,
}

impl Machine {
    /// Boots what there is to boot, and leaves to the next boot device if that comes to nothing.
    pub(crate) fn autoboot(&mut self) -> ! {
        self.shell_key = true;
        let wants_shell = match self.try_all() {
            Ok(Outcome::Finished) => self.exit(),
            Ok(_) => {
                self.show_tried();
                self.last_chance().is_err()
            }
            // The key that asks for a shell, or Ctrl-C, which then means the same.
            Err(_) => true,
        };
        if wants_shell {
            self.shell_key = false;
            // Whatever ends the shell, the user wants out.
            let _ = script::run(&mut self.host(), Start::Shell);
        }
        self.exit()
    }

    /// The script inside the image; else what DHCP names; else the script beside the image. An error means that the
    /// user wants a shell.
    fn try_all(&mut self) -> Result<Outcome, Error> {
        let embedded = self.take_embedded();
        if let Err(error) = self.apply_cached() {
            say!(self.screen, "{error}");
        }
        if let Some(script) = embedded {
            // What is inside our image is beside it, as far as relative addresses go.
            let own = self.own_address();
            set_working_uri(&mut self.settings, own.as_ref().map(Uri::as_str));
            return Ok(self.run_script(script, "the script inside this image"));
        }
        let started = hw::clock::now();
        if let Err(error) = self.start_dhcp(None) {
            self.note("network", error.to_string());
            return Ok(Outcome::Failed);
        }
        let autoexec = self.fetch_autoexec()?;
        let deadline = autoexec.is_some().then_some(started + DHCP_PRECEDENCE);
        let lease = self.await_dhcp(deadline)?;
        let mut outcome = Outcome::OwnImage;
        match lease {
            Some(Ok(lease)) => {
                let server = lease.server;
                if let Err(error) = self.apply_exchange(lease.clone()) {
                    self.fail(format!("DHCP from {server}"), &error);
                }
                let files = match self.choose_boot_file(&lease) {
                    Ok(Choice::NextDevice) => return Ok(Outcome::Finished),
                    Ok(Choice::Files(files)) => files,
                    Err(error) if error.is(&script::errors::CANCELLED) => return Err(error),
                    Err(error) => {
                        self.fail("the boot menu", &error);
                        return Ok(Outcome::Failed);
                    }
                };
                if let [None, _] = files {
                    self.fail(format!("DHCP from {server}"), &errors::NOTHING_TO_BOOT.of(server.to_string()));
                }
                for file in files.into_iter().flatten() {
                    match self.boot_file(&file)? {
                        Outcome::Finished => return Ok(Outcome::Finished),
                        Outcome::Failed => outcome = Outcome::Failed,
                        Outcome::OwnImage => {}
                    }
                }
            }
            Some(Err(error)) => self.fail("DHCP", &error),
            None => self.note("DHCP", "no answer in 3 s, and a script is here"),
        }
        match autoexec {
            Some((script, uri)) if outcome == Outcome::OwnImage => {
                Ok(self.run_script(script, &uri.redacted()))
            }
            _ => Ok(outcome),
        }
    }

    /// Shows an error, and notes it for the table at the end.
    fn fail(&mut self, what: impl Into<String>, error: &Error) {
        self.screen.error(error);
        self.note(what, error.to_string());
    }

    /// Uses the lease of the ROM, if it has one for this card.
    fn apply_cached(&mut self) -> Result<(), Error> {
        let (Some(vendor), Some(network)) = (&self.vendor, &self.network) else { return Ok(()) };
        let Some(ack) = &vendor.cached().ack else { return Ok(()) };
        let mut lease = Lease::from_cached(ack, vendor.cached().reply.as_deref(), network.mac())?;
        lease.discover = vendor.cached().discover.clone().unwrap_or_default();
        self.apply_lease(Rc::new(lease))
    }

    /// The file of our own image, by the packets that the ROM has kept.
    pub(crate) fn own_file(&self) -> Option<BootFile> {
        let (vendor, network) = (self.vendor.as_ref()?, self.network.as_ref()?);
        let cached = vendor.cached();
        dhcp::lease::cached_boot_file(cached.ack.as_deref(), cached.reply.as_deref(), network.mac())
    }

    /// Its address.
    fn own_address(&self) -> Option<Uri> {
        address(&self.own_file()?).ok()
    }

    /// The script beside our image, if there is one. Nothing is said about it if there is none.
    fn fetch_autoexec(&mut self) -> Result<Option<(Fetched, Uri)>, Error> {
        let Some(uri) = self.own_address().and_then(|own| own.join(AUTOEXEC).ok()) else { return Ok(None) };
        let manner = Manner { quiet: true, patience: Some(AUTOEXEC_PATIENCE), ..Manner::default() };
        match self.download(&uri, Content::default(), manner) {
            Ok(Download { pages, uri, .. }) if recognise(pages.bytes()) == Format::Script => {
                Ok(Some((self.fetched(pages, uri.as_str(), AUTOEXEC.into()), uri)))
            }
            Ok(Download { pages, .. }) => {
                self.note(uri.redacted(), "not a script");
                self.memory.free(pages);
                Ok(None)
            }
            Err(error) if error.is(&script::errors::CANCELLED) => Err(error),
            Err(error) => {
                self.note(uri.redacted(), error.to_string());
                Ok(None)
            }
        }
    }

    /// Boots a file that DHCP names. An error means that the user wants a shell; failures are noted.
    fn boot_file(&mut self, file: &BootFile) -> Result<Outcome, Error> {
        let what = address(file).map_or_else(|_| "the file that DHCP names".into(), |uri| uri.redacted());
        match self.download_boot_file(file) {
            Ok(fetched) => Ok(self.run_script(fetched, &what)),
            Err(error) if error.is(&script::errors::CANCELLED) => Err(error),
            Err(error) => {
                self.fail(what, &error);
                Ok(if error.is(&errors::OWN_IMAGE) { Outcome::OwnImage } else { Outcome::Failed })
            }
        }
    }

    /// Downloads a file that DHCP names, if it is not our own image again.
    pub(crate) fn download_boot_file(&mut self, file: &BootFile) -> Result<Fetched, Error> {
        let Download { pages, uri, .. } =
            self.download(&address(file)?, Content::default(), Manner::default())?;
        if let Format::Own(header) = recognise(pages.bytes())
            && header.is_same_firmware(&self.header)
        {
            self.memory.free(pages);
            return Err(errors::OWN_IMAGE.of(uri.redacted()));
        }
        Ok(self.fetched(pages, uri.as_str(), uri.file_name().unwrap_or_default()))
    }

    /// Runs what was downloaded, mostly a script; comes back when it has failed or ended.
    fn run_script(&mut self, fetched: Fetched, what: &str) -> Outcome {
        let id: ImageId = self.images.register(fetched);
        self.shell_key = false;
        let result = script::run(&mut self.host(), Start::Image(id));
        self.shell_key = true;
        let outcome = match result {
            Ok(()) => return Outcome::Finished,
            Err(Failure::Exit(status)) => format!("exit {status}"),
            Err(Failure::Error(error)) => error.to_string(),
        };
        self.note(what, outcome);
        Outcome::Failed
    }

    /// The script that was appended to this image, or what a boot loader has handed over: a command line as a script, or
    /// else an initrd. Beside a command line, the initrd is an image that it can use.
    fn take_embedded(&mut self) -> Option<Fetched> {
        let trailer = hw::memory::script(&self.info);
        let Some(HandedOver { script, initrd }) = handed_over(trailer) else {
            let pages = copied(&mut self.memory, trailer);
            return self.named(pages, "embedded");
        };
        let pages = [copied(&mut self.memory, &script), copied(&mut self.memory, initrd)];
        let [script, initrd] = pages;
        let (script, initrd) = (self.named(script, "<CMDLINE>"), self.named(initrd, "<INITRD>"));
        match (script, initrd) {
            (Some(script), Some(initrd)) => {
                self.images.register(initrd);
                Some(script)
            }
            (script, initrd) => script.or(initrd),
        }
    }

    /// What is in these pages, if there was anything and memory for it.
    fn named(&mut self, pages: Option<Result<Pages, Error>>, name: &str) -> Option<Fetched> {
        match pages? {
            Ok(pages) => Some(self.fetched(pages, "", name.into())),
            Err(error) => {
                self.screen.error(&error);
                None
            }
        }
    }

    fn show_tried(&mut self) {
        if self.tried.is_empty() {
            return;
        }
        let mut table = Table::new(&["tried", "result"]);
        for (what, result) in &self.tried {
            table.row(&[what, result]);
        }
        self.screen.say(b"\n");
        self.screen.say(table.render().as_bytes());
    }

    /// Offers a shell for a while. An error means that it is wanted.
    fn last_chance(&mut self) -> Result<(), Error> {
        let end = hw::clock::now() + LAST_CHANCE;
        self.count_down("Ctrl-B for a shell; else the next boot device", end, |_| None).map(drop)
    }
}

/// A copy of what came with our image; none of nothing.
fn copied(memory: &mut PhysicalMemory, bytes: &[u8]) -> Option<Result<Pages, Error>> {
    if bytes.is_empty() {
        return None;
    }
    let mut target = Target::default();
    let mut writer = target.writer(memory);
    let copied = writer.announce(bytes.len() as u64).and_then(|()| writer.write(bytes));
    Some(copied.and_then(|()| target.finish(memory)).map(|(pages, _)| pages))
}

/// The address of a boot file.
fn address(file: &BootFile) -> Result<Uri, Error> {
    let server = file.server.map(|server| server.to_string()).unwrap_or_default();
    Uri::from_boot_file(&server, file.name.as_bytes())
}
