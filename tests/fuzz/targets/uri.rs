//! URIs: whatever is written, what is parsed is printable, is parsed again as the same, and resolves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uri::Uri;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    let _ = Uri::from_boot_file(second, first.as_bytes());
    let Ok(uri) = Uri::parse(first) else { return };
    assert!(uri.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(Uri::parse(uri.as_str()).as_ref().map(Uri::as_str), Ok(uri.as_str()));
    let _ = (uri.host(), uri.port(), uri.user(), uri.password(), uri.query(), uri.fragment());
    let _ = (uri.file_name(), uri.tftp_file(), uri.redacted());
    if let Ok(joined) = uri.join(second) {
        assert!(joined.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
});
