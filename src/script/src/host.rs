//! The world as commands see it.

use crate::{Drafts, Handle, ImageId, Images, Invocation, Menu, Parameters, Type};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Error, Instant};
use settings::Tree;

/// What a download is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// The address, as written: relative to [`working_uri`](crate::working_uri).
    pub uri: &'a str,
    /// What goes with the request.
    pub parameters: Option<&'a Parameters>,
    /// The longest time the whole may take.
    pub timeout: Option<Duration>,
    /// Show no progress.
    pub quiet: bool,
    /// It is fetched to be started: if it is an archive, what is in it is wanted next.
    pub runs: bool,
}

/// What was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The absolute address; empty for an image that has none, whose scripts keep the current one.
    pub uri: String,
    /// The last part of its path, decoded; empty if there is none.
    pub name: String,
    /// What it is, judged by its content.
    pub kind: Type,
    /// Its length in bytes.
    pub size: u64,
    /// What the host knows it by.
    pub handle: Handle,
}

/// A line that the user is to type.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The setting that it is for; none for a command of the shell, of which the host keeps a history.
    pub setting: Option<&'a [u8]>,
    /// What stands there at first.
    pub text: &'a [u8],
    /// The longest time until the first key.
    pub timeout: Option<Duration>,
}

/// A menu, and how to show it.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// What to show.
    pub menu: &'a Menu,
    /// The item that is highlighted at first. It has a name.
    pub initial: usize,
    /// After this time the highlighted item is taken.
    pub timeout: Option<Duration>,
    /// What is left of that time once a key was pressed.
    pub retimeout: Option<Duration>,
}

/// Everything that commands can look at and act on.
///
/// Whatever waits must notice Ctrl-C and then return [`CANCELLED`](crate::errors::CANCELLED). What hands the machine
/// over does not return; a host that only plays a machine returns [`LEFT`](crate::errors::LEFT).
pub trait Host {
    /// All settings.
    fn settings(&mut self) -> &mut Tree;

    /// All images.
    fn images(&mut self) -> &mut Images;

    /// Menus, forms and parameters that are being written.
    fn drafts(&mut self) -> &mut Drafts;

    /// Puts what a script says on the screen, byte for byte; it may move the cursor and choose colours.
    fn print(&mut self, text: &[u8]);

    /// Puts text of ours on the screen. Names from outside may be in it: all that cannot be printed but line feeds
    /// is to be replaced.
    fn say(&mut self, text: &[u8]);

    /// Shows why a command failed. The script may have an answer to that and go on.
    fn report(&mut self, error: &Error);

    /// What this build can do, for instance `HTTP`, with blanks between.
    fn features(&self) -> &'static str;

    /// The time.
    fn now(&self) -> Instant;

    /// Called before each line of a script, so that a loop of jumps lets the rest of the world run. An error ends all
    /// scripts up to the next shell.
    fn poll(&mut self) -> Result<(), Error>;

    /// Lets the user edit a line and returns it when Enter is pressed. At Ctrl-C the shell asks again; any other error
    /// ends it.
    fn read_line(&mut self, line: &Line<'_>) -> Result<Vec<u8>, Error>;

    /// Shows `text` and waits for a key: its character, or 0x110000 and more for special keys. None if none came in
    /// time. Any key ends it; `wanted` is the one that the script hopes for.
    fn prompt(
        &mut self,
        text: &[u8],
        wanted: Option<u32>,
        timeout: Option<Duration>,
    ) -> Result<Option<u32>, Error>;

    /// Shows a menu and returns which item was taken.
    fn choose(&mut self, selection: &Selection<'_>) -> Result<usize, Error>;

    /// Shows a form and returns what stands in its fields when it is submitted. `texts` has one entry for each item,
    /// gaps included. `refused` says which of them could not be stored the last time, and why.
    fn present(
        &mut self,
        form: &Menu,
        texts: Vec<Vec<u8>>,
        refused: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error>;

    /// The names of all network cards: `net0` ...
    fn cards(&mut self) -> Vec<String>;

    /// Opens a card, unless it is open. The host keeps [`Tree::latest`] up to date.
    fn open(&mut self, card: &str) -> Result<(), Error>;

    /// Closes a card, unless it is closed.
    fn close(&mut self, card: &str);

    /// Waits until the link of an open card is up.
    fn wait_for_link(&mut self, card: &str, timeout: Option<Duration>) -> Result<(), Error>;

    /// Gets an address for an open card within `timeout`, by `configurator` or by whatever serves.
    fn configure(
        &mut self,
        card: &str,
        configurator: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<(), Error>;

    /// Downloads what the network names to boot.
    fn fetch_boot_file(&mut self) -> Result<Fetched, Error>;

    /// Downloads.
    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error>;

    /// The bytes of an image, empty if it is gone.
    fn content(&self, handle: Handle) -> &[u8];

    /// Gives up an image's memory.
    fn release(&mut self, handle: Handle);

    /// Starts an image that is not a script. It is not registered at that moment. Returns if the program comes back.
    fn execute(&mut self, image: ImageId) -> Result<(), Error>;

    /// The digest of an image, by the algorithm of that name: `md5`, `sha256` ...
    fn digest(&mut self, algorithm: &str, image: ImageId) -> Result<Vec<u8>, Error>;

    /// What is in an archive that holds one file.
    fn extract(&mut self, image: ImageId) -> Result<Fetched, Error>;

    /// Checks a detached signature, which must be from `signer` if one is named.
    fn verify(&mut self, image: ImageId, signature: ImageId, signer: Option<&[u8]>) -> Result<(), Error>;

    /// Carries out a command that acts on the machine only, `reboot` for instance.
    fn command(&mut self, command: &Invocation<'_>) -> Result<(), Error>;

    /// The user is to get a shell. True if its lines are to be read with [`read_line`](Self::read_line); false if the
    /// host had something of its own for that.
    fn shell(&mut self) -> Result<bool, Error> {
        Ok(true)
    }
}
