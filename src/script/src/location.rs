//! Where relative addresses start from, and names as messages show them.

use alloc::string::String;
use settings::{Kind, Tree};

/// The current working URI, which is that of the script that runs. Kept as `builtin/cwuri`.
pub fn working_uri(settings: &Tree) -> Option<String> {
    settings.value(b"builtin/cwuri").and_then(|uri| String::from_utf8(uri).ok())
}

/// Changes the current working URI, and `cwduri` with it, which is its directory.
pub fn set_working_uri(settings: &mut Tree, uri: Option<&str>) {
    let uri = uri.map(str::as_bytes);
    settings.publish(Tree::BUILTIN, b"cwuri", Kind::String, uri);
    settings.publish(Tree::BUILTIN, b"cwduri", Kind::String, uri.map(directory));
}

/// The address up to the last slash of its path.
fn directory(uri: &[u8]) -> &[u8] {
    let end = uri.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(uri.len());
    let path = uri.get(..end).unwrap_or(uri);
    let host = path.windows(3).position(|three| three == b"://").map_or(0, |place| place + 3);
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) if slash >= host => path.get(..=slash).unwrap_or(path),
        _ => path,
    }
}

/// A name for a message: at most 64 characters, those that cannot be printed replaced.
pub(crate) fn readable(name: &[u8]) -> String {
    base::text::printable(name.get(..64).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_ends_in_a_slash() {
        for (uri, out) in [
            ("http://boot.example/start.ipxe", "http://boot.example/"),
            (
                "https://us%40er:pw@boot.example:8443/top/s.ipxe?k=/v",
                "https://us%40er:pw@boot.example:8443/top/",
            ),
            ("tftp://192.0.2.9", "tftp://192.0.2.9"),
            ("tftp:/boot/x", "tftp:/boot/"),
        ] {
            let mut tree = Tree::new();
            set_working_uri(&mut tree, Some(uri));
            assert_eq!(working_uri(&tree).unwrap(), uri);
            assert_eq!(tree.text(b"cwduri").unwrap(), out.as_bytes());
            set_working_uri(&mut tree, None);
            assert_eq!(working_uri(&tree), None);
        }
    }
}
