//! Why a scenario or a step of the rig failed: one text for a person.

use core::fmt;

/// One sentence that says what was expected and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

/// What every step of the rig gives back.
pub type Result<T> = core::result::Result<T, Failure>;

impl Failure {
    /// A failure with that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Puts "what was being done" before the text of an error.
pub trait Context<T> {
    /// The same result, with `doing` before the error's text.
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for core::result::Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}

/// A failure if `holds` is false.
pub fn ensure(holds: bool, text: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure(text())) }
}
