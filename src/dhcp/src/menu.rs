//! Boot menus: what a PXE server lets the user choose from (option 43; PXE 2.1 section 2.2, table 2-1, and RFC 4578).

use crate::packet::{Packet, tag};
use alloc::string::String;
use alloc::vec::Vec;
use base::Duration;
use base::text::lossy;

/// In the discovery control byte: the file that the packet names is booted, without a menu.
const FILE_WITHOUT_MENU: u8 = 1 << 3;
/// Instead of a time: the menu is shown at once.
const AT_ONCE: u8 = 255;

/// A menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootMenu {
    /// What there is; the first one is taken where nobody chooses. Never empty.
    pub items: Vec<BootItem>,
    /// What is shown before the menu, which then has to be asked for (by F8).
    pub prompt: Option<BootPrompt>,
}

/// A line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootItem {
    /// The kind of boot server: [`LOCAL_BOOT`], or a number that the administrator has chosen.
    pub kind: u16,
    /// What is shown.
    pub text: String,
}

/// The item that means the next boot device.
pub const LOCAL_BOOT: u16 = 0;

/// What is shown before a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootPrompt {
    /// The text.
    pub text: String,
    /// How long the menu can be asked for; then the first item is taken. Zero is not at all.
    pub time: Duration,
}

impl BootMenu {
    /// The menu in a packet; none if it has none or prefers the file that it names.
    pub fn of(packet: &Packet) -> Option<Self> {
        let control = packet.byte(&[tag::VENDOR, tag::PXE_DISCOVERY_CONTROL]).unwrap_or_default();
        if !packet.is_pxe() || (control & FILE_WITHOUT_MENU != 0 && !packet.file_name().is_empty()) {
            return None;
        }
        let menu = packet.option(&[tag::VENDOR, tag::PXE_MENU])?;
        let items = entries(&menu, 1)
            .map(|(kind, text)| BootItem { kind: u16::from_be_bytes(*kind), text: lossy(text) });
        let items = base::list(items);
        let prompt = packet.option(&[tag::VENDOR, tag::PXE_MENU_PROMPT]).unwrap_or_default();
        let prompt = prompt.split_first().filter(|(seconds, _)| **seconds != AT_ONCE);
        let prompt = prompt.map(|(seconds, text)| BootPrompt {
            text: lossy(text),
            time: Duration::from_secs((*seconds).into()),
        });
        (!items.is_empty()).then_some(Self { items, prompt })
    }
}

/// Walks entries of two bytes of type, a count, and `count * unit` bytes. One that is cut off ends the walk.
pub(crate) fn entries(list: &[u8], unit: usize) -> impl Iterator<Item = (&[u8; 2], &[u8])> {
    let mut rest = list;
    core::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<2>()?;
        let (&count, after) = after.split_first()?;
        let (value, after) = after.split_at_checked(usize::from(count).checked_mul(unit)?)?;
        rest = after;
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Builder, Header, REPLY};
    use proptest::prelude::*;

    fn packet(file: &[u8], vendor: &[u8]) -> Packet {
        let mut builder = Builder::new(&Header { op: REPLY, ..Header::default() }, b"", file);
        builder.option(60, b"PXEClient");
        for part in vendor.chunks(255) {
            builder.option(43, part);
        }
        Packet::parse(&builder.finish()).unwrap()
    }

    const MENU: [u8; 15] = [9, 13, 0, 0, 2, b'h', b'd', 0x80, 1, 5, b'l', b'i', b'n', b'u', b'x'];

    fn menu(file: &[u8], more: &[u8]) -> Option<BootMenu> {
        BootMenu::of(&packet(file, &[&MENU, more].concat()))
    }

    #[test]
    fn items_and_prompt_are_found() {
        let found = menu(b"", &[10, 4, 7, b'F', b'8', b'!', 255]).unwrap();
        let items: Vec<_> = found.items.iter().map(|item| (item.kind, item.text.as_str())).collect();
        assert_eq!(items, [(LOCAL_BOOT, "hd"), (0x8001, "linux")]);
        assert_eq!(found.prompt, Some(BootPrompt { text: "F8!".into(), time: Duration::from_secs(7) }));
        for more in [&[][..], &[10, 0], &[10, 3, 255, b'F', b'8']] {
            assert_eq!(menu(b"", more).unwrap().prompt, None);
        }
        assert_eq!(menu(b"", &[10, 1, 0]).unwrap().prompt.unwrap().time, Duration::default());
    }

    #[test]
    fn a_file_wins_over_the_menu_if_the_server_says_so() {
        assert!(menu(b"f", &[6, 1, 7]).is_some());
        assert!(menu(b"f", &[6, 1, 8]).is_none());
        assert!(menu(b"", &[6, 1, 8]).is_some());
    }

    #[test]
    fn other_packets_have_no_menu() {
        assert_eq!(BootMenu::of(&packet(b"", &[6, 1, 3])), None);
        assert_eq!(BootMenu::of(&packet(b"", &[9, 0])), None);
        assert_eq!(BootMenu::of(&packet(b"", &[9, 4, 0, 1, 9, b'x'])), None);
        let mut builder = Builder::new(&Header::default(), b"", b"");
        builder.option(43, &MENU);
        assert_eq!(BootMenu::of(&Packet::parse(&builder.finish()).unwrap()), None);
    }

    #[test]
    fn a_menu_may_be_longer_than_an_option() {
        let line = [&[0x80, 9, 100][..], &[b'x'; 100]].concat();
        let list = [line.as_slice(); 2].concat();
        let vendor = [&[9, 206][..], &list, &[9, 103], &line].concat();
        assert_eq!(BootMenu::of(&packet(b"", &vendor)).unwrap().items.len(), 3);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(vendor in proptest::collection::vec(any::<u8>(), 0..300)) {
            let found = BootMenu::of(&packet(b"", &[&[9, 200][..], &vendor].concat()));
            prop_assert!(found.is_none_or(|menu| !menu.items.is_empty() && menu.items.len() <= 100));
        }
    }
}
