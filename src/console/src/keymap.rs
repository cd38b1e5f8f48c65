//! Keyboard layouts. A BIOS knows the American one only: what it says was typed is translated.

use crate::charset::substitute;
use crate::keys::{Key, bios_key};

/// Names, what keys are changed to, and what they are with AltGr. Both are pairs of characters: what the key types on an
/// American keyboard, with Shift or without, and what it types here. The key beside the left Shift, which American
/// keyboards lack, is 1, and 2 with Shift. Dead keys type their accent. (Source: xkeyboard-config 2.35; what a BIOS cannot
/// show is left out, and with AltGr what is no ASCII.)
type Layout = (&'static str, &'static str, &'static str);

static LAYOUTS: [Layout; 11] = [
    ("us", "", ""),
    ("uk", "@\"#£\"@~¬\\#|~\x01\\\x02|", "`|"),
    (
        "de",
        "@\"^&&/*(())=_?<;>:?_\x01<\x02>#§-ß=´+`yzYZ[ü{Ü]+}*;ö:Ö'ä\"Ä`^~°\\#|'zyZY/-",
        "7{8[9]0}-\\q@]~\x01|",
    ),
    (
        "sg",
        "@\"^&&/*(())=_?<;>:?_\x01<\x02>!+#*$ç-'=^+`yzYZ[ü{è]¨}!;ö:é'ä\"à`§~°\\$|£zyZY/-",
        "2@3#7|9]0}=~[[]]'{\\}\x01\\",
    ),
    (
        "es",
        "@\"^&&/*(())=_?<;>:?_\x01<\x02>#·-'=¡+¿[`{^]+}*;ñ:Ñ'´\"¨`º~ª\\ç|Ç/-",
        "1|2@3#4~[[]];~'{`\\\\}\x01|",
    ),
    ("pt", "@\"^&&/*(())=_?<;>:?_\x01<\x02>-'=«+»[+{*]´}`;ç:Ç'º\"ª`\\~|\\~|^/-", "2@7{8[9]0}-\\q@"),
    ("it", "@\"^&&/*(())=_?<;>:?_\x01<\x02>#£-'=ì+^[è{é]+}*;ò:ç'à\"°`\\~|\\ù|§/-", "7{8[9]0}-`=~q@[[]];@'#"),
    (
        "se fi",
        "@\"^&&/*(())=_?<;>:?_\x01<\x02>$¤-+=´+`[å{Å]¨}^;ö:Ö'ä\"Ä`§~½\\'|*/-",
        "2@4$7{8[9]0}-\\]~\x01|",
    ),
    (
        "no no-latin1",
        "@\"^&&/*(())=_?<;>:?_\x01<\x02>$¤-+=\\+`[å{Å]¨}^;ø:Ø'æ\"Æ`|~§\\'|*/-",
        "2@4$7{8[9]0}]~",
    ),
    ("dk", "@\"^&&/*(())=_?<;>:?_\x01<\x02>$¤-+=´+`[å{Å]¨}^;æ:Æ'ø\"Ø`½~§\\'|*/-", "2@4$7{8[9]0}=|]~\x01\\"),
    (
        "fr",
        "\x01<\x02>1&!12é@23\"#34'$45(%56-^67è&78_*89ç(90à)0-)_°qaQAwzWZ[^{¨]$}£aqAQ;m:M'ù\"%`²\\*|µzwZWm,M?,;<..:>//!?§",
        "2~3#4{5[6|7`8\\9^0@-]=}",
    ),
];

/// Scan codes of keys that INT 16h reports with Alt, from one on, and what they type without.
const ALT: [(u8, &[u8]); 5] = [
    (0x10, b"qwertyuiop[]"),
    (0x1e, b"asdfghjkl;'`"),
    (0x2b, b"\\zxcvbnm,./"),
    (0x56, &[OTHER]),
    (0x78, b"1234567890-="),
];

/// The key beside the left Shift: its scan code, and what stands for it here.
const OTHER_SCAN_CODE: u8 = 0x56;
const OTHER: u8 = 1;

/// A keyboard layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keymap {
    plain: &'static str,
    alt_gr: &'static str,
}

impl Keymap {
    /// The layout of that name: `de`, `uk` ...
    pub fn named(name: &str) -> Option<Self> {
        let layout = LAYOUTS.iter().find(|layout| {
            layout.0.as_bytes().split(|byte| *byte == b' ').any(|known| known == name.as_bytes())
        })?;
        Some(Self { plain: layout.1, alt_gr: layout.2 })
    }

    /// The key that INT 16h reported: AH is the scan code, AL the character.
    pub fn key(self, scan_code: u8, character: u8, with_alt_gr: bool) -> Option<Key> {
        if character == 0 && with_alt_gr {
            let typed =
                ALT.iter().find_map(|(first, typed)| typed.get(usize::from(scan_code.checked_sub(*first)?)));
            if let Some(letter) = typed.and_then(|typed| substitute(self.alt_gr, char::from(*typed))) {
                return Some(Key::Char(letter));
            }
        }
        let key = bios_key(scan_code, character)?;
        Some(match key {
            Key::Char(typed) => {
                let shifted = typed == '|';
                let from = match scan_code {
                    OTHER_SCAN_CODE => char::from(OTHER + u8::from(shifted)),
                    _ => typed,
                };
                Key::Char(substitute(self.plain, from).unwrap_or(typed))
            }
            Key::Control(typed) => match substitute(self.plain, typed.into()) {
                Some(letter @ 'a'..='z') => Key::Control(letter as u8),
                _ => key,
            },
            _ => key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn typed(layout: &str, scan_code: u8, character: u8) -> Option<Key> {
        Keymap::named(layout).unwrap().key(scan_code, character, false)
    }

    #[test]
    fn keys_type_what_is_printed_on_them() {
        for (layout, scan_code, character, letter) in [
            ("us", 0x15, b'y', 'y'),
            ("de", 0x15, b'y', 'z'),
            ("de", 0x2c, b'Z', 'Y'),
            ("de", 0x27, b';', 'ö'),
            ("de", 0x08, b'&', '/'),
            ("de", 0x2b, b'\\', '#'),
            ("de", 0x56, b'\\', '<'),
            ("de", 0x56, b'|', '>'),
            ("fr", 0x10, b'q', 'a'),
            ("fr", 0x02, b'1', '&'),
            ("fr", 0x02, b'!', '1'),
            ("fr", 0x33, b',', ';'),
            ("uk", 0x03, b'@', '"'),
            ("uk", 0x56, b'|', '|'),
            ("es", 0x27, b';', 'ñ'),
            ("fi", 0x27, b';', 'ö'),
            ("dk", 0x27, b';', 'æ'),
            ("no", 0x28, b'\'', 'æ'),
            ("sg", 0x1a, b'[', 'ü'),
        ] {
            assert_eq!(typed(layout, scan_code, character), Some(Key::Char(letter)), "{layout} {character}");
        }
        assert_eq!(typed("fr", 0x10, 0x11), Some(Key::Control(b'a')));
        assert_eq!(typed("de", 0x2e, 3), Some(Key::Control(b'c')));
        assert_eq!(typed("de", 0x48, 0xe0), Some(Key::Up));
        assert_eq!(typed("de", 0x1c, 13), Some(Key::Enter));
        assert!(
            Keymap::named("xx").is_none() && Keymap::named("").is_none() && Keymap::named("se fi").is_none()
        );
    }

    #[test]
    fn alt_gr_has_a_third_character() {
        let with_alt_gr = |layout, scan_code| Keymap::named(layout).unwrap().key(scan_code, 0, true);
        assert_eq!(with_alt_gr("de", 0x10), Some(Key::Char('@')));
        assert_eq!(with_alt_gr("de", 0x82), Some(Key::Char('\\')));
        assert_eq!(with_alt_gr("de", 0x56), Some(Key::Char('|')));
        assert_eq!(with_alt_gr("fr", 0x7d), Some(Key::Char('|')));
        assert_eq!(with_alt_gr("us", 0x10), None);
        assert_eq!(with_alt_gr("de", 0x3b), Some(Key::Function(1)));
        assert_eq!(Keymap::named("de").unwrap().key(0x10, 0, false), None);
    }

    /// Scripts are typed in ASCII.
    #[test]
    fn all_of_ascii_can_be_typed() {
        for (names, plain, alt_gr) in LAYOUTS {
            let letters: Vec<_> = plain.chars().collect();
            assert_eq!((letters.len() % 2, alt_gr.chars().count() % 2), (0, 0), "{names}");
            let keys = (' '..='~').chain(['\x01', '\x02']);
            let unchanged = keys.clone().filter(|key| substitute(plain, *key).is_none());
            let changed = keys.clone().filter_map(|key| substitute(plain, key));
            let third = keys.filter_map(|key| substitute(alt_gr, key));
            let all: Vec<_> = unchanged.chain(changed).chain(third).collect();
            let missing: Vec<_> = (' '..='~').filter(|letter| !all.contains(letter)).collect();
            assert!(missing.is_empty(), "{names}: {missing:?}");
        }
    }

    proptest! {
        #[test]
        fn any_key_is_fine(scan_code in any::<u8>(), character in any::<u8>(), with_alt_gr in any::<bool>()) {
            for (names, ..) in LAYOUTS {
                let name = names.split(' ').next().unwrap();
                let _ = Keymap::named(name).unwrap().key(scan_code, character, with_alt_gr);
            }
        }
    }
}
