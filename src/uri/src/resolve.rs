//! Relative references, RFC 3986 section 5.2.

use crate::Uri;
use crate::parse::Parts;
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
        fn resolving_is_safe(base in "[a-c:/?#.%]{0,30}", reference in "[a-c:/?#.%@]{0,30}") {
            if let (Ok(base), Ok(reference)) = (Uri::parse(&base), Uri::parse(&reference))
                && let Ok(target) = base.resolve(&reference)
            {
                prop_assert_eq!(Uri::parse(target.as_str()).unwrap(), target);
            }
        }
    }
}
