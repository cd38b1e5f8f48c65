//! The world as commands see it.

use crate::{Handle, ImageId, Images, Type};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Error};
use settings::Tree;

/// What a download is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// The address, as written: relative to [`working_uri`](crate::working_uri).
    pub uri: &'a str,
    /// The longest time the whole may take.
    pub timeout: Option<Duration>,
    /// Show no progress.
    pub quiet: bool,
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

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What was said so far.
    Log,
    /// The vendor's PXE stack, and what is done with it.
    PxeStack,
    /// Everything that helps to find a fault.
    Everything,
}

/// Everything that commands can look at and act on.
///
/// Whatever waits must notice Ctrl-C and then return [`CANCELLED`](crate::errors::CANCELLED).
pub trait Host {
    /// All settings.
    fn settings(&mut self) -> &mut Tree;

    /// All images.
    fn images(&mut self) -> &mut Images;

    /// Puts what a script says on the screen, byte for byte; it may move the cursor and choose colours.
    fn print(&mut self, text: &[u8]);

    /// Puts text of ours on the screen. Names from outside may be in it: all that cannot be printed but line feeds
    /// is to be replaced.
    fn say(&mut self, text: &[u8]);

    /// Shows why a command failed. The script may have an answer to that and go on.
    fn report(&mut self, error: &Error);

    /// Called before each line of a script, so that a loop of jumps lets the rest of the world run. An error ends all
    /// scripts up to the next shell.
    fn poll(&mut self) -> Result<(), Error>;

    /// Lets the user edit a line and returns it when Enter is pressed. The host keeps the history. At Ctrl-C the
    /// shell asks again; any other error ends it.
    fn read_line(&mut self, prompt: &str) -> Result<Vec<u8>, Error>;

    /// Shows `text` and waits for a key: its character, or 0x110000 and more for special keys. None if none came in
    /// time. Any key ends it; `wanted` is the one that the script hopes for.
    fn prompt(
        &mut self,
        text: &[u8],
        wanted: Option<u32>,
        timeout: Option<Duration>,
    ) -> Result<Option<u32>, Error>;

    /// Waits.
    fn sleep(&mut self, time: Duration) -> Result<(), Error>;

    /// The names of all network cards: `net0` ...
    fn cards(&mut self) -> Vec<String>;

    /// Opens a card and gets an address within `timeout`, by `configurator` (so far `dhcp`) or by whatever serves. A
    /// card that fails is closed.
    fn configure(
        &mut self,
        card: &str,
        configurator: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<(), Error>;

    /// Downloads.
    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error>;

    /// The bytes of an image, empty if it is gone.
    fn content(&self, handle: Handle) -> &[u8];

    /// Gives up an image's memory.
    fn release(&mut self, handle: Handle);

    /// Starts an image that is not a script. It is not registered at that moment. Returns if the program comes back.
    fn execute(&mut self, image: ImageId) -> Result<(), Error>;

    /// Shows what is known, or sends it to an address.
    fn diagnose(&mut self, subject: Subject, to: Option<&str>) -> Result<(), Error>;

    /// Turns the machine off; returns only if that fails.
    fn power_off(&mut self) -> Result<(), Error>;

    /// Resets the machine, with the warm boot flag set on demand; returns only if that fails.
    fn reboot(&mut self, warm: bool) -> Result<(), Error>;
}
