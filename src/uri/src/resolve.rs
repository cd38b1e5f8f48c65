//! Relative references, RFC 3986 section 5.2.

use crate::Uri;
use crate::parse::{Parts, normalised};
use alloc::string::String;
use base::Error;
use base::text::{cut, cut_last};

impl Uri {
    /// What `reference` means for somebody who is at this URI. Where this URI is itself relative, the reference is
    /// the answer.
    ///
    /// # Errors
    /// The result is too long.
    pub fn resolve(&self, reference: &Self) -> Result<Self, Error> {
        let (base, own) = (self.parts(), reference.parts());
        if base.scheme.is_empty() && own.scheme.is_empty() {
            return Ok(reference.clone());
        }
        let path;
        let mut target = Parts { scheme: base.scheme, ..own };
        if !own.scheme.is_empty() {
            target.scheme = own.scheme;
            path = remove_dots(own.path);
        } else if own.authority.is_some() {
            path = remove_dots(own.path);
        } else {
            target.authority = base.authority;
            if own.path.is_empty() {
                target.query = own.query.or(base.query);
                path = base.path.into();
            } else if own.path.starts_with('/') {
                path = remove_dots(own.path);
            } else {
                path = remove_dots(&merge(&base, own.path));
            }
        }
        target.path = &path;
        Self::try_from_clean(target.compose())
    }

    /// [`resolve`](Self::resolve) for a reference that is still text.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn join(&self, reference: &str) -> Result<Self, Error> {
        self.resolve(&Self::parse(reference)?)
    }
}

impl Uri {
    /// What a script that is at `base` means by `reference`. That is older than RFC 3986 in some points, and scripts
    /// rely on it:
    ///
    /// - Letters, hyphens and underscores before a colon are a scheme, digits are not: `52:54:00.ipxe` is a file.
    /// - Only dots at the beginning of a relative path move it, and what follows them stays as it is.
    /// - What begins with `//` is a path.
    /// - User, password and host are encoded anew, and so is what a scheme without a path is followed by.
    /// - A scheme with a path, but without a host, has an empty one: `tftp:/file` is `tftp:///file`.
    /// - What begins with a colon is an address with an empty scheme.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn locate(base: Option<&Self>, reference: &str) -> Result<Self, Error> {
        let text = Self::clean(reference)?;
        let mut parts = Parts::split(&text, is_scheme);
        let is_relative = parts.scheme.is_empty() && !parts.path.starts_with(':');
        let Some(base) = base.filter(|_| is_relative) else {
            return normalised(Self::try_from_clean(text)?);
        };
        let from = base.parts();
        parts.scheme = from.scheme;
        parts.authority = from.authority;
        let path;
        if parts.path.is_empty() {
            parts.path = from.path;
            if parts.query.is_none() {
                parts.query = from.query;
                parts.fragment = parts.fragment.or(from.fragment);
            }
        } else if !parts.path.starts_with('/') {
            path = beside(from.path, parts.path);
            parts.path = &path;
        }
        normalised(Self::try_from_clean(parts.compose())?)
    }
}

/// What scripts take for a scheme.
fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-' || b == b'_')
}

/// `path` as seen from the file `base`.
fn beside(base: &str, path: &str) -> String {
    let mut directory = cut_last(base, b'/').0.unwrap_or_default();
    let mut path = path;
    loop {
        let (first, rest) = cut(path, b'/');
        match first {
            "." => {}
            ".." => directory = cut_last(directory, b'/').0.unwrap_or_default(),
            _ => break,
        }
        path = rest.unwrap_or_default();
    }
    let mut out = String::from(directory);
    if !out.ends_with('/') {
        out.push('/');
    }
    out.push_str(path);
    out
}

/// RFC 3986 section 5.2.3.
fn merge(base: &Parts<'_>, path: &str) -> String {
    let mut merged = match cut_last(base.path, b'/').0 {
        Some(directory) => String::from(directory) + "/",
        None if base.authority.is_some() => String::from("/"),
        None => String::new(),
    };
    merged.push_str(path);
    merged
}

/// RFC 3986 section 5.2.4. A path that does not begin with a slash is opaque and stays.
fn remove_dots(path: &str) -> String {
    let mut rest = path.strip_prefix('/');
    if rest.is_none() {
        return path.into();
    }
    let mut output = String::new();
    while let Some(segments) = rest {
        let segment;
        (segment, rest) = cut(segments, b'/');
        match segment {
            ".." => output.truncate(cut_last(&output, b'/').0.map_or(0, str::len)),
            "." => {}
            _ => {
                output.push('/');
                output.push_str(segment);
                continue;
            }
        }
        if rest.is_none() {
            output.push('/');
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_rfc() {
        let base = Uri::parse("http://a/b/c/d;p?q").unwrap();
        for (reference, target) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
            ("http:g", "http:g"),
        ] {
            assert_eq!(base.join(reference).unwrap().as_str(), target, "{reference}");
        }
    }

    #[test]
    fn scripts_mean_files_beside_them() {
        let base = Uri::parse("http://u%41:p%3A@h:8080/a/b/start.ipxe?token=1").unwrap();
        for (reference, target) in [
            ("one", "/a/b/one"),
            ("./two", "/a/b/two"),
            ("../three", "/a/three"),
            ("./.././../../x/", "/x/"),
            ("/six", "/six"),
            ("?x=7", "/a/b/start.ipxe?x=7"),
            ("c/d?y=&z", "/a/b/c/d?y=&z"),
            ("//other/nine", "//other/nine"),
            ("nine/../ten", "/a/b/nine/../ten"),
            (".eleven", "/a/b/.eleven"),
            ("...", "/a/b/..."),
            ("..", "/a/"),
            (".", "/a/b/"),
            ("#twelve", "/a/b/start.ipxe?token=1#twelve"),
            ("", "/a/b/start.ipxe?token=1"),
            ("52:54:00.ipxe", "/a/b/52:54:00.ipxe"),
            ("v2:x", "/a/b/v2:x"),
        ] {
            let located = Uri::locate(Some(&base), reference).unwrap();
            assert_eq!(located.as_str(), alloc::format!("http://uA:p%3A@h:8080{target}"), "{reference}");
        }
        for (reference, target) in [
            ("fe:ed.ipxe", "fe:ed.ipxe"),
            ("ib_srp:x", "ib_srp:x"),
            ("http://a b:c%2f@h", "http://a%20b:c%2F@h"),
            ("http://@h/", "http://@h/"),
            ("http://u:p:q@h/", "http://u:p%3Aq@h/"),
            ("tftp:/a//b?c#d", "tftp:///a//b?c#d"),
            ("iscsi:%41%23::b%20?%4", "iscsi:A%23::b%20?%254"),
            (":x", ":x"),
            ("Fe:ed.ipxe", "Fe:ed.ipxe"),
            ("://h/x", "://h/x"),
            ("http://boot%2eexample:80/%2e", "http://boot.example:80/%2e"),
        ] {
            assert_eq!(Uri::locate(Some(&base), reference).unwrap().as_str(), target);
            assert_eq!(Uri::locate(None, reference).unwrap().as_str(), target);
        }
        assert_eq!(Uri::locate(Some(&Uri::parse("http://h").unwrap()), "x").unwrap().as_str(), "http://h/x");
        assert_eq!(Uri::locate(None, "a/b").unwrap().as_str(), "a/b");
        let twice = Uri::parse("http://h//a//b/c").unwrap();
        for (reference, target) in
            [("x", "//a//b/x"), ("../x", "//a/x"), ("../../x", "//a/x"), ("../../../x", "/x")]
        {
            let located = Uri::locate(Some(&twice), reference).unwrap();
            assert_eq!(located.as_str(), alloc::format!("http://h{target}"), "{reference}");
        }
    }

    #[test]
    fn files_beside_a_boot_file() {
        let at = |file: &[u8], reference| {
            Uri::from_boot_file("h", file).unwrap().join(reference).unwrap().tftp_file()
        };
        assert_eq!(at(b"undionly.kpxe", "autoexec.ipxe"), b"autoexec.ipxe");
        assert_eq!(at(b"/boot/undionly.kpxe", "autoexec.ipxe"), b"/boot/autoexec.ipxe");
        assert_eq!(at(b"a/b c/x", "../y"), b"a/y");
        let base = Uri::parse("http://u:p@h:81/dir/script?x").unwrap();
        assert_eq!(base.join("vmlinuz").unwrap().as_str(), "http://u:p@h:81/dir/vmlinuz");
        assert_eq!(Uri::parse("http://h").unwrap().join("x").unwrap().as_str(), "http://h/x");
        assert_eq!(Uri::parse("a/b").unwrap().join("c/../d").unwrap().as_str(), "c/../d");
    }

    #[test]
    fn a_path_never_becomes_a_host() {
        assert_eq!(Uri::parse("x:/a").unwrap().join("/.//evil/y").unwrap().host(), "");
    }

    proptest! {
        #[test]
        fn locating_is_safe(base in "[a-c:/?#.%@]{0,30}", reference in "[a-c:/?#.%@ ]{0,30}") {
            if let Ok(target) = Uri::locate(Uri::parse(&base).ok().as_ref(), &reference) {
                prop_assert_eq!(Uri::parse(target.as_str()).unwrap(), target);
            }
        }

        #[test]
        fn resolving_is_safe(base in "[a-c:/?#.%]{0,30}", reference in "[a-c:/?#.%@]{0,30}") {
            if let (Ok(base), Ok(reference)) = (Uri::parse(&base), Uri::parse(&reference))
                && let Ok(target) = base.resolve(&reference)
            {
                prop_assert_eq!(Uri::parse(target.as_str()).unwrap(), target);
            }
        }
    }
}
