//! Files for the kernel's root file system: an image with a command line gets the headers of a cpio archive.
//!
//! The format is the one called newc. There is no trailer: the kernel reads on to the next archive.

use crate::command_line::{value, words};
use alloc::vec::Vec;
use base::text::number;

const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
/// Headers, names and data begin at multiples of this.
const ALIGNMENT: usize = 4;

/// The headers that belong immediately before a payload of `length` bytes, by the command line of its image:
/// a path, and perhaps `mode=` (octal, 0644 if not said) and `mkdir=` (how many of the innermost directories of the
/// path are made too, -1 for all, 0 if not said). Nothing where there is no path: then the image goes as it is.
///
/// A file has less than 4 GiB. The result's length is a multiple of 4.
pub fn headers(command_line: &[u8], length: u32) -> Vec<u8> {
    let mut headers = Vec::new();
    let mut words = words(command_line);
    let Some(path) = words.next() else { return headers };
    let mut mode = 0o644;
    let mut directories = 0;
    for word in words {
        if let Some(value) = value(word, b"mode=") {
            mode = number(value, 8).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(mode) & 0o7777;
        } else if let Some(value) = value(word, b"mkdir=") {
            directories = match value.parse::<i32>() {
                Ok(count) => usize::try_from(count).unwrap_or(usize::MAX),
                Err(_) => directories,
            };
        }
    }
    let mut parents = Vec::new();
    for (end, byte) in path.iter().enumerate() {
        let parent = path.get(..end).unwrap_or_default();
        if *byte == b'/' && is_directory(parent) {
            parents.push(parent);
        }
    }
    let skipped = parents.len().saturating_sub(directories);
    for parent in parents.into_iter().skip(skipped) {
        entry(&mut headers, parent, DIRECTORY | 0o755, 0);
    }
    entry(&mut headers, path, FILE | mode, length);
    headers
}

/// Whether a prefix of a path names a directory that may be missing.
fn is_directory(prefix: &[u8]) -> bool {
    !prefix.is_empty() && !prefix.ends_with(b"/")
}

fn entry(to: &mut Vec<u8>, name: &[u8], mode: u32, length: u32) {
    let name_length = u32::try_from(name.len()).map_or(u32::MAX, |length| length.saturating_add(1));
    // Number, mode, owner, group, links, time, length, four device numbers, length of the name, check sum.
    let fields = [0, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
    to.extend_from_slice(b"070701");
    for field in fields {
        for digit in (0..8u32).rev() {
            let value = (field >> (4 * digit)) as usize & 0xf;
            to.extend(b"0123456789abcdef".get(value));
        }
    }
    to.extend_from_slice(name);
    to.push(0);
    to.resize(to.len().next_multiple_of(ALIGNMENT), 0);
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use proptest::prelude::*;

    /// Reads headers back: name, mode, length.
    fn read(mut bytes: &[u8]) -> Vec<(String, u32, u32)> {
        let mut found = vec![];
        while !bytes.is_empty() {
            assert_eq!(&bytes[..6], b"070701");
            let field = |index: usize| {
                let text = core::str::from_utf8(&bytes[6 + 8 * index..14 + 8 * index]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let name_length = field(11) as usize;
            assert_eq!(bytes[110 + name_length - 1], 0);
            let name = core::str::from_utf8(&bytes[110..110 + name_length - 1]).unwrap().to_string();
            assert_eq!(field(4), 1);
            found.push((name, field(1), field(6)));
            bytes = &bytes[(110 + name_length).next_multiple_of(4)..];
        }
        found
    }

    fn names(command_line: &str) -> Vec<String> {
        read(&headers(command_line.as_bytes(), 5)).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn a_file_as_the_kernel_documents_it() {
        let bytes = headers(b"/etc/rc mode=755", 0x123);
        let expected = b"070701000000000000\
            81ed0000000000000000000000010000000000000123\
            0000000000000000000000000000000000000008\
            00000000/etc/rc\0\0\0";
        assert_eq!(bytes, expected.to_vec());
    }

    #[test]
    fn directories_are_made_on_demand() {
        assert_eq!(names("/a/b/c/d"), ["/a/b/c/d"]);
        assert_eq!(names("/a/b/c/d mkdir=1"), ["/a/b/c", "/a/b/c/d"]);
        assert_eq!(names("a//b/c mkdir=2"), ["a", "a//b", "a//b/c"]);
        assert_eq!(names("/a/b/c mkdir=-1"), ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(names("a mkdir=9"), ["a"]);
        assert_eq!(names("a/b mkdir=x mode=9"), ["a/b"]);
        let all = read(&headers(b"x/y mkdir=1 mode=4711", 9));
        assert_eq!(all, [("x".to_string(), 0o040755, 0), ("x/y".to_string(), 0o104711, 9)]);
    }

    #[test]
    fn no_path_no_archive() {
        assert!(headers(b"  ", 5).is_empty());
    }

    proptest! {
        #[test]
        fn any_command_line_gives_whole_headers(text in "[a-z/ =é-]{0,60}( mkdir=-?[0-9]{1,3})?", length: u32) {
            let found = read(&headers(text.as_bytes(), length));
            prop_assert_eq!(found.is_empty(), text.trim().is_empty());
            if let Some(last) = found.last() {
                prop_assert_eq!(last.2, length);
                prop_assert_eq!(Some(last.0.as_str()), text.split_ascii_whitespace().next());
            }
        }
    }
}
