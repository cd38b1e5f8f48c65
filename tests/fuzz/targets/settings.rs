//! Settings: names, types and values from scripts; DHCP options through a source.
#![no_main]

use libfuzzer_sys::fuzz_target;
use settings::{Kind, Tree};

fuzz_target!(|data: &[u8]| {
    let mut tree = Tree::new();
    for line in data.split(|&byte| byte == b'\n') {
        let (reference, text) = match line.iter().position(|&byte| byte == b' ') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let _ = tree.value(reference);
        if tree.store(reference, text).is_ok() {
            let _ = tree.text(reference);
        }
        if text == b"-" {
            let _ = tree.clear(reference);
        }
        if let Some(kind) = Kind::named(reference) {
            if let Some(value) = kind.parse(text) {
                let shown = kind.format(&value);
                assert!(shown.is_some(), "{} took a value that it cannot show", kind.name());
            }
            let _ = kind.format(text);
        }
    }
});
