//! The expander: any word, with settings whose values refer to each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use script::{expand, innermost};
use settings::Tree;

fuzz_target!(|data: &[u8]| {
    let mut tree = Tree::new();
    let mut parts = data.split(|&byte| byte == b'\n');
    let word = parts.next().unwrap_or_default();
    for (name, value) in [&b"a"[..], b"b", b"c:hex", b"net0/d", b"1"].into_iter().zip(parts) {
        let _ = tree.store(name, value);
    }
    if let Ok(text) = expand(&tree, word) {
        assert!(innermost(&text).is_none());
    }
});
