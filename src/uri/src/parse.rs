//! The parts of a URI, RFC 3986 section 3.

use crate::{errors, percent};
use alloc::{string::String, vec::Vec};
use base::Error;
use base::text::{cut, cut_last, has, number, same_word};
use core::fmt;

/// The most bytes of a URI.
pub const MAXIMUM_LENGTH: usize = 16 << 10;

/// A URI or a relative reference.
///
/// It may hold a password: texts for people are made with [`redacted`](Self::redacted), which is also what `Debug`
/// shows. There is no `Display`.
///
/// # Invariants
/// At most [`MAXIMUM_LENGTH`] bytes, printable ASCII without blanks, host and port checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
}

impl Uri {
    /// Reads a URI or a relative reference. Blanks and what is not printable ASCII are percent-encoded.
    ///
    /// # Errors
    /// Too long, or an unusable host or port.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from_clean(Self::clean(text)?)
    }

    pub(crate) fn clean(text: &str) -> Result<String, Error> {
        percent::clean(text.as_bytes(), b"").ok_or_else(|| errors::TOO_LONG.of(harmless(text)))
    }

    /// The URI of a boot file: what DHCP names, on the server that DHCP names.
    ///
    /// `file` is used as it is if it is an absolute URI (`scheme://...`). Otherwise it is a TFTP file name to be
    /// taken literally, byte by byte. `server` is a host name or an address, IPv6 in brackets.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn from_boot_file(server: &str, file: &[u8]) -> Result<Self, Error> {
        if let Ok(text) = core::str::from_utf8(file)
            && let text = text.trim_ascii()
            && let parts = Parts::of(text)
            && !parts.scheme.is_empty()
            && parts.authority.is_some()
        {
            return Self::parse(text);
        }
        let mut text = String::from("tftp://");
        text.push_str(server);
        text.push('/');
        text.push_str(&percent::encode(file));
        Self::parse(&text)
    }

    /// Checks what [`percent::clean`] or [`Parts::compose`] made.
    pub(crate) fn try_from_clean(text: String) -> Result<Self, Error> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(errors::TOO_LONG.of(harmless(&text)));
        }
        let parts = Parts::of(&text);
        if let Some(authority) = parts.authority {
            let authority = Authority::of(authority);
            if !authority.has_valid_host() {
                return Err(errors::BAD_HOST.of(harmless(&text)));
            }
            if authority.port.is_some_and(|port| !port.is_empty() && port_number(port).is_none()) {
                return Err(errors::BAD_PORT.of(harmless(&text)));
            }
        }
        Ok(Self { text })
    }

    /// The whole, with password and all.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme as written; empty for a relative reference.
    pub fn scheme(&self) -> &str {
        self.parts().scheme
    }

    /// Whether it has that scheme; case does not count.
    pub fn has_scheme(&self, name: &str) -> bool {
        same_word(self.scheme().as_bytes(), name.as_bytes())
    }

    /// Whether it has a scheme.
    pub fn is_absolute(&self) -> bool {
        !self.scheme().is_empty()
    }

    /// The host as written, an IPv6 address in its brackets; empty where there is none.
    pub fn host(&self) -> &str {
        self.authority().host
    }

    /// The port, if one is named.
    pub fn port(&self) -> Option<u16> {
        port_number(self.authority().port?)
    }

    /// The user's name, decoded.
    pub fn user(&self) -> Option<Vec<u8>> {
        let user_info = self.authority().user_info?;
        Some(percent::decode(cut(user_info, b':').0))
    }

    /// The user's password, decoded.
    pub fn password(&self) -> Option<Vec<u8>> {
        Some(percent::decode(cut(self.authority().user_info?, b':').1?))
    }

    /// The path as written, still encoded; may be empty.
    pub fn path(&self) -> &str {
        self.parts().path
    }

    /// What follows `?`, still encoded.
    pub fn query(&self) -> Option<&str> {
        self.parts().query
    }

    /// What follows `#`, still encoded.
    pub fn fragment(&self) -> Option<&str> {
        self.parts().fragment
    }

    /// The last component of the decoded path: the name that a download gets. None where the path ends with a slash
    /// or is none (`scheme:text`), or is not UTF-8.
    pub fn file_name(&self) -> Option<String> {
        let path = self.path();
        if self.is_absolute() && !path.starts_with('/') {
            return None;
        }
        let path = String::from_utf8(percent::decode(path)).ok()?;
        Some(cut_last(&path, b'/').1.into()).filter(|name: &String| !name.is_empty())
    }

    /// The file name that a TFTP server is asked for, literally: the decoded path without the one slash that ends
    /// the host (RFC 3617 section 3). `tftp://server//file` asks for `/file`.
    pub fn tftp_file(&self) -> Vec<u8> {
        let path = self.path();
        percent::decode(path.strip_prefix('/').unwrap_or(path))
    }

    /// The URI for the eyes of people: without user, password, query and fragment.
    pub fn redacted(&self) -> String {
        let Authority { host, port, .. } = self.authority();
        let mut parts = Parts { query: None, fragment: None, ..self.parts() };
        let mut authority = String::from(host);
        if let Some(port) = port.filter(|port| !port.is_empty()) {
            authority.push(':');
            authority.push_str(port);
        }
        parts.authority = parts.authority.and(Some(&authority));
        parts.compose()
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts::of(&self.text)
    }

    fn authority(&self) -> Authority<'_> {
        Authority::of(self.parts().authority.unwrap_or_default())
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// The five components of RFC 3986 appendix B.
pub(crate) struct Parts<'a> {
    /// Empty for a relative reference.
    pub(crate) scheme: &'a str,
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let parts = Self::split(text, is_scheme);
        match parts.path.strip_prefix("//") {
            Some(rest) => {
                let authority = cut(rest, b'/').0;
                let path = rest.get(authority.len()..).unwrap_or_default();
                Self { authority: Some(authority), path, ..parts }
            }
            None => parts,
        }
    }

    /// The parts, with the authority still in front of the path.
    pub(crate) fn split(text: &'a str, is_scheme: fn(&str) -> bool) -> Self {
        let (text, fragment) = cut(text, b'#');
        let (text, query) = cut(text, b'?');
        let (scheme, path) = match cut(text, b':') {
            (scheme, Some(rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("", text),
        };
        Self { scheme, authority: None, path, query, fragment }
    }

    /// RFC 3986 section 5.3.
    pub(crate) fn compose(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(self.scheme);
            text.push(':');
        }
        match self.authority {
            Some(authority) => {
                text.push_str("//");
                text.push_str(authority);
            }
            // Such a path would read as a host.
            None if self.path.starts_with("//") => text.push_str("/."),
            None => {}
        }
        text.push_str(self.path);
        for (mark, part) in [('?', self.query), ('#', self.fragment)] {
            if let Some(part) = part {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }
}

/// `user:password@host:port`, RFC 3986 section 3.2.
struct Authority<'a> {
    user_info: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
}

impl<'a> Authority<'a> {
    fn of(text: &'a str) -> Self {
        let (user_info, text) = cut_last(text, b'@');
        let (host, port) = match cut_last(text, b':') {
            // The colons of an IPv6 address lie before the bracket.
            (Some(host), port) if !has(port.as_bytes(), b']') => (host, Some(port)),
            _ => (text, None),
        };
        Self { user_info, host, port }
    }

    fn has_valid_host(&self) -> bool {
        match self.host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(|address| {
                !address.is_empty() && address.bytes().all(|b| b.is_ascii_alphanumeric() || has(b":.%-_~", b))
            }),
            None => !self.host.bytes().any(|b| has(b"[]:", b)),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || has(b"+-.", b))
}

fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    u16::try_from(number(text, 10)?).ok().filter(|&port| digits && port != 0)
}

/// `uri` with user, password and host, or the opaque part, encoded only where that is needed; and with an empty host
/// where a scheme has none.
pub(crate) fn normalised(uri: Uri) -> Result<Uri, Error> {
    let parts = uri.parts();
    let encoded = |part, marks| percent::clean(&percent::decode(part), marks).unwrap_or_default();
    let Some(authority) = parts.authority else {
        if !uri.is_absolute() {
            return Ok(uri);
        }
        if parts.path.starts_with('/') {
            return Uri::try_from_clean(Parts { authority: Some(""), ..parts }.compose());
        }
        let (path, query) = (encoded(parts.path, b"%#"), parts.query.map(|query| encoded(query, b"%#")));
        return Uri::try_from_clean(Parts { path: &path, query: query.as_deref(), ..parts }.compose());
    };
    if !authority.bytes().any(|byte| matches!(byte, b'%' | b'@')) {
        return Ok(uri);
    }
    let (user_info, host) = cut_last(authority, b'@');
    let mut authority = String::new();
    if let Some(user_info) = user_info {
        let (user, password) = cut(user_info, b':');
        authority.push_str(&encoded(user, b"%/#:@?"));
        if let Some(password) = password {
            authority.push(':');
            authority.push_str(&encoded(password, b"%/#:@?"));
        }
        authority.push('@');
    }
    authority.push_str(&encoded(host, b"%/#@?"));
    Uri::try_from_clean(Parts { authority: Some(&authority), ..parts }.compose())
}

/// The begin of an address that could not be read, without what may be a password.
fn harmless(text: &str) -> &str {
    let text = cut(cut(cut_last(text, b'@').1, b'?').0, b'#').0;
    text.get(..text.floor_char_boundary(64)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn all_components_are_found() {
        let all = uri("HTTP://al%40ice:p%3Aw:x@[fe80::1]:8080/a/b%20c.img?x=1&y#part");
        assert_eq!(all.scheme(), "HTTP");
        assert!(all.has_scheme("http") && !all.has_scheme("https"));
        assert_eq!(all.user().unwrap(), b"al@ice");
        assert_eq!(all.password().unwrap(), b"p:w:x");
        assert_eq!(all.host(), "[fe80::1]");
        assert_eq!(all.port(), Some(8080));
        assert_eq!(all.path(), "/a/b%20c.img");
        assert_eq!(all.query(), Some("x=1&y"));
        assert_eq!(all.fragment(), Some("part"));
        assert_eq!(all.file_name().unwrap(), "b c.img");
        assert_eq!(all.redacted(), "HTTP://[fe80::1]:8080/a/b%20c.img");
        assert_eq!(format!("{all:?}"), all.redacted());
    }

    #[test]
    fn missing_components_are_missing() {
        let bare = uri("http://host");
        assert_eq!((bare.path(), bare.port(), bare.query()), ("", None, None));
        assert_eq!((bare.user(), bare.password(), bare.file_name()), (None, None, None));
        assert_eq!(uri("http://host:/").port(), None);
        assert_eq!(uri("http://user@host/").user().unwrap(), b"user");
        assert_eq!(uri("iscsi:10.0.0.1::::iqn.x:y").path(), "10.0.0.1::::iqn.x:y");
        assert!(!uri("boot/script.ipxe").is_absolute());
        assert_eq!(uri("").as_str(), "");
        assert_eq!(uri("1:2").path(), "1:2");
        assert_eq!(uri("x:?@").redacted(), "x:");
        assert_eq!(uri("a/b%2fc%20d").file_name().unwrap(), "c d");
        assert_eq!(uri("a/b%2f").file_name(), None);
    }

    #[test]
    fn what_people_write_is_encoded() {
        assert_eq!(uri("http://h/my file\r\nX: y\u{e4}").as_str(), "http://h/my%20file%0D%0AX:%20y%C3%A4");
        assert_eq!(uri("http://h/100%?{a}|b").as_str(), "http://h/100%?{a}|b");
    }

    #[test]
    fn nonsense_is_refused_without_telling_the_password() {
        for (text, kind) in [
            ("http://a:secret@h:0/", &errors::BAD_PORT),
            ("http://a:secret@h:65536/", &errors::BAD_PORT),
            ("http://a:secret@h:+80/", &errors::BAD_PORT),
            ("http://a:secret@fe80::1/", &errors::BAD_HOST),
            ("http://a:secret@[::1/", &errors::BAD_HOST),
            ("http://a:secret@[]/", &errors::BAD_HOST),
            ("http://a:secret@[::1]x/", &errors::BAD_HOST),
        ] {
            let error = Uri::parse(text).unwrap_err();
            assert!(error.is(kind), "{text}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(Uri::parse(&"x".repeat(MAXIMUM_LENGTH)).is_ok());
        assert!(Uri::parse(&"x".repeat(MAXIMUM_LENGTH + 1)).unwrap_err().is(&errors::TOO_LONG));
        assert!(Uri::parse(&" x".repeat(MAXIMUM_LENGTH / 2)).unwrap_err().is(&errors::TOO_LONG));
    }

    #[test]
    fn boot_files_are_literal_unless_they_are_uris() {
        for file in
            ["undionly.kpxe", "/boot/a b", "Boot\\x64\\wdsnbp.com", "a?b#c%41", "//x", "c:/x", "h\u{e4}"]
        {
            let made = Uri::from_boot_file("10.0.2.2", file.as_bytes()).unwrap();
            assert_eq!((made.scheme(), made.host()), ("tftp", "10.0.2.2"));
            assert_eq!(made.tftp_file(), file.as_bytes());
        }
        assert_eq!(Uri::from_boot_file("s", b"Http://h/%41?q").unwrap().as_str(), "Http://h/%41?q");
        assert_eq!(Uri::from_boot_file("s", b"\xff").unwrap().tftp_file(), b"\xff");
        assert_eq!(uri("tftp://h/a/b").tftp_file(), b"a/b");
        assert_eq!(uri("tftp://h//a%3f").tftp_file(), b"/a?");
    }

    proptest! {
        #[test]
        fn any_text_is_safe_and_stable(text in "\\PC{0,40}|[a-z:/?#@%\\[\\]. ]{0,40}") {
            if let Ok(uri) = Uri::parse(&text) {
                prop_assert!(uri.as_str().bytes().all(|b| b.is_ascii_graphic()));
                prop_assert_eq!(&Uri::parse(uri.as_str()).unwrap(), &uri);
                prop_assert_eq!(uri.parts().compose().replace("/.//", "//"), uri.as_str().replace("/.//", "//"));
                let _ = (uri.host(), uri.port(), uri.user(), uri.password(), uri.file_name(), uri.tftp_file());
                prop_assert!(Uri::parse(&uri.redacted()).is_ok());
            }
        }
    }
}
