//! The one error type: a stable short id, one sentence of cause, one line of what to try.
//!
//! Each crate declares its kinds of failure with [`errors!`](crate::errors) in a module `errors`, next to the code
//! that meets them. The documentation's table is made from these declarations.

use crate::text::cut;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// One kind of failure, as constant text of three lines: id, cause and hint.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorKind(&'static str);

/// The longest constant text of an [`ErrorKind`], in bytes.
pub const TEXT_LIMIT: usize = 120;

impl ErrorKind {
    /// Of a text as [`errors!`](crate::errors) makes it.
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// Stable and short, for searching: `DHCP-01`.
    pub const fn id(&self) -> &'static str {
        let mut rest = self.0.as_bytes();
        let mut length = 0;
        while let [byte, behind @ ..] = rest
            && *byte != b'\n'
        {
            rest = behind;
            length += 1;
        }
        self.0.split_at(length).0
    }

    /// What happened, one sentence without a full stop; `{}` stands for the object's name.
    pub fn cause(&self) -> &'static str {
        self.texts().0
    }

    /// What to try, one line.
    pub fn hint(&self) -> &'static str {
        self.texts().1.unwrap_or_default()
    }

    fn texts(&self) -> (&'static str, Option<&'static str>) {
        cut(cut(self.0, b'\n').1.unwrap_or_default(), b'\n')
    }

    /// This failure, of the thing called `object`.
    pub fn of(&'static self, object: impl Into<String>) -> Error {
        Error::new(self, object.into())
    }

    /// This failure, where the text names no object.
    pub fn error(&'static self) -> Error {
        Error::new(self, String::new())
    }
}

/// What went wrong, with what, and what to try. It is one word long, for it is part of most results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failure>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    kind: &'static ErrorKind,
    object: String,
}

impl Error {
    #[cold]
    fn new(kind: &'static ErrorKind, object: String) -> Self {
        Self(Box::new(Failure { kind, object }))
    }

    /// The kind of failure.
    pub fn kind(&self) -> &'static ErrorKind {
        self.0.kind
    }

    /// The name of the thing that failed; may be empty.
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// The same failure of another object: a caller that knows a better name puts it in.
    #[must_use]
    pub fn named(self, object: impl Into<String>) -> Self {
        self.kind().of(object)
    }

    /// Whether this is a failure of that kind.
    pub fn is(&self, kind: &ErrorKind) -> bool {
        self.kind() == kind
    }
}

/// `sentence [ID]`; the hint is printed by those that have a line for it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.kind().cause();
        let (before, rest) = cut(cause, b'{');
        f.write_str(before)?;
        if let Some(rest) = rest {
            f.write_str(self.object())?;
            f.write_str(rest.strip_prefix('}').unwrap_or(rest))?;
        }
        f.write_str(" [")?;
        f.write_str(self.kind().id())?;
        f.write_str("]")
    }
}

/// Declares the kinds of failure of one crate, and `ALL`, the list of them.
///
/// The texts' lengths are checked when the crate is compiled. All ids of a crate have one prefix.
#[macro_export]
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $cause:literal, $hint:literal;)+) => {
        $(
            $(#[$doc])*
            #[allow(unreachable_pub, reason = "a program's own kinds are for itself only")]
            pub static $name: $crate::ErrorKind = {
                assert!($cause.len() <= $crate::error::TEXT_LIMIT && $hint.len() <= $crate::error::TEXT_LIMIT);
                $crate::ErrorKind::new(concat!($id, "\n", $cause, "\n", $hint))
            };
        )+
        /// All kinds of failure that this crate knows.
        #[allow(unreachable_pub, reason = "as above")]
        pub static ALL: &[&$crate::ErrorKind] = &[$(&$name),+];
    };
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    crate::errors! {
        /// For the tests below.
        MISSING = "TEST-01", "{} is not there", "look elsewhere";
        /// For the tests below.
        PLAIN = "TEST-02", "nothing works", "try again";
    }

    #[test]
    fn the_object_stands_in_the_sentence() {
        assert_eq!(MISSING.of("vmlinuz").to_string(), "vmlinuz is not there [TEST-01]");
        assert_eq!(PLAIN.error().to_string(), "nothing works [TEST-02]");
        assert!(MISSING.of("a").named("b").is(&MISSING));
        assert_eq!(ALL.len(), 2);
    }
}
