//! What a boot loader hands over to an image that it takes for a Linux kernel: a command line and an initrd.
//!
//! The setup code of such an image puts them where other images have a script, and in front of them a zero byte, which
//! no script begins with: zero, the command line, zero, the initrd.

use alloc::vec::Vec;

/// A script of one line, and a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOver<'a> {
    /// The command line as a script, without the words of the boot loader; empty if nothing is left.
    pub script: Vec<u8>,
    /// The initrd; empty for none.
    pub initrd: &'a [u8],
}

/// How words begin that boot loaders add: GRUB and SYSLINUX say what they have loaded, and SYSLINUX also as what.
const OF_LOADERS: [&[u8]; 2] = [b"BOOT_IMAGE=", b"initrd="];

/// Takes apart what stands behind an image; none if it is a script.
///
/// Words of the boot loader are taken away at the begin and at the end of the command line, where loaders and their
/// configurations put them: in between they may be arguments of a command.
pub fn handed_over(trailer: &[u8]) -> Option<HandedOver<'_>> {
    let rest = trailer.strip_prefix(&[0])?;
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let mut command = parts.next()?.trim_ascii();
    let initrd = parts.next().unwrap_or_default();
    let is_of_loader = |word: &[u8]| OF_LOADERS.iter().any(|begin| word.starts_with(begin));
    while let Some(end) =
        end_of_first_word(command).filter(|end| command.get(..*end).is_some_and(is_of_loader))
    {
        command = command.get(end..).unwrap_or_default().trim_ascii_start();
    }
    while let Some(start) =
        start_of_last_word(command).filter(|start| command.get(*start..).is_some_and(is_of_loader))
    {
        command = command.get(..start).unwrap_or_default().trim_ascii_end();
    }
    let mut script = Vec::new();
    if !command.is_empty() {
        script.extend_from_slice(b"#!ipxe\n");
        script.extend_from_slice(command);
    }
    Some(HandedOver { script, initrd })
}

fn end_of_first_word(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(u8::is_ascii_whitespace);
    (!text.is_empty()).then_some(end.unwrap_or(text.len()))
}

fn start_of_last_word(text: &[u8]) -> Option<usize> {
    let before = text.iter().rposition(u8::is_ascii_whitespace);
    (!text.is_empty()).then_some(before.map_or(0, |before| before + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn script(command: &str) -> alloc::string::String {
        let trailer = [b"\0", command.as_bytes(), b"\0initrd"].concat();
        let HandedOver { script, initrd } = handed_over(&trailer).unwrap();
        assert_eq!(initrd, b"initrd");
        alloc::string::String::from_utf8(script).unwrap()
    }

    #[test]
    fn words_of_boot_loaders_are_no_commands() {
        for command in [
            "dhcp && chain http://a/b initrd=c quiet",
            "BOOT_IMAGE=/boot/ipxe.lkrn dhcp && chain http://a/b initrd=c quiet",
            "BOOT_IMAGE=ipxe.lkrn initrd=x.ipxe  dhcp && chain http://a/b initrd=c quiet ",
            "dhcp && chain http://a/b initrd=c quiet initrd=x.ipxe BOOT_IMAGE=ipxe.lkrn",
        ] {
            assert_eq!(script(command), "#!ipxe\ndhcp && chain http://a/b initrd=c quiet");
        }
    }

    #[test]
    fn nothing_left_is_no_script() {
        for command in ["", " ", "BOOT_IMAGE=/ipxe.lkrn", "BOOT_IMAGE=(hd0)/a initrd=b", "initrd=b"] {
            assert_eq!(script(command), "");
        }
    }

    #[test]
    fn scripts_are_not_taken_apart() {
        assert_eq!(handed_over(b""), None);
        assert_eq!(handed_over(b"#!ipxe\nshell"), None);
        assert_eq!(
            handed_over(b"\0shell"),
            Some(HandedOver { script: b"#!ipxe\nshell".to_vec(), initrd: b"" })
        );
        assert_eq!(handed_over(b"\0\0a\0b"), Some(HandedOver { script: vec![], initrd: b"a\0b" }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(parts) = handed_over(&[&[0], bytes.as_slice()].concat()) {
                prop_assert!(parts.script.len() + parts.initrd.len() <= bytes.len() + 7);
            }
        }
    }
}
