//! Characters beyond ASCII: UTF-8, which scripts and terminals speak, and code page 437, which the BIOS speaks.

/// The upper half of code page 437, as the Unicode consortium maps it (`VENDORS/MICSFT/PC/CP437.TXT`).
#[rustfmt::skip]
static UPPER: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å',
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ',
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»',
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐',
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧',
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩',
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// The letters from U+00C0 to U+00FF without what the code page lacks.
const PLAIN_LETTERS: &[u8; 64] = b"AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTsaaaaaaaceeeeiiiidnooooo/ouuuuyty";

/// What stands for other characters that the code page lacks, in pairs.
const SUBSTITUTES: &str = "‐-‑-–-—-‘'’'“\"”\"….•*€E©c®r←<→>↑^↓v▲^▼v►>◄<━─┃│┏┌┓┐┗└┛┘╭┌╮┐╰└╯┘";

/// The byte that shows a character on a BIOS screen, or what is nearest to it: `?` where there is none.
pub(crate) fn to_bios(letter: char) -> u8 {
    if letter.is_ascii() {
        return letter as u8;
    }
    if let Some((byte, _)) = (0x80..=0xff).zip(&UPPER).find(|(_, upper)| **upper == letter) {
        return byte;
    }
    let plain = (letter as usize).checked_sub(0xc0).and_then(|place| PLAIN_LETTERS.get(place).copied());
    plain.unwrap_or_else(|| substitute(SUBSTITUTES, letter).map_or(b'?', to_bios))
}

/// What stands behind a character in a text of pairs.
pub(crate) fn substitute(pairs: &str, of: char) -> Option<char> {
    let mut pairs = pairs.chars();
    while let (Some(letter), Some(other)) = (pairs.next(), pairs.next()) {
        if letter == of {
            return Some(other);
        }
    }
    None
}

/// The character that the BIOS means by a byte.
pub(crate) fn from_bios(byte: u8) -> char {
    let upper = usize::from(byte).checked_sub(0x80).and_then(|place| UPPER.get(place));
    upper.copied().unwrap_or(char::from(byte))
}

/// Puts the bytes of UTF-8 together to characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Utf8 {
    value: u32,
    /// Bytes that the character still needs.
    missing: u32,
}

impl Utf8 {
    /// Takes a byte; some if that completes a character. What is not UTF-8, or a control character beyond ASCII, is
    /// left out.
    pub(crate) fn feed(&mut self, byte: u8) -> Option<char> {
        let bits = u32::from(byte);
        match byte.leading_ones() {
            0 => {
                self.missing = 0;
                return Some(char::from(byte));
            }
            1 => {
                self.missing = self.missing.checked_sub(1)?;
                self.value = self.value << 6 | bits & 0x3f;
            }
            length => {
                self.missing = length - 1;
                self.value = bits & (0x7f >> length);
            }
        }
        char::from_u32(self.value).filter(|letter| self.missing == 0 && *letter >= '\u{a0}')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    #[test]
    fn the_code_page_is_complete() {
        assert_eq!(UPPER.len(), 128);
        for byte in 0..=255 {
            assert_eq!(to_bios(from_bios(byte)), byte);
        }
        assert_eq!((to_bios('ä'), to_bios('│'), to_bios('Ж')), (0x84, 0xb3, b'?'));
    }

    #[test]
    fn what_the_code_page_lacks_is_shown_by_what_is_like_it() {
        let shown = |text: &str| text.chars().map(|letter| char::from(to_bios(letter))).collect::<String>();
        assert_eq!(shown("ÀÃÈÐ×Ý ãõøþ"), "AAEDxY aoot");
        assert_eq!(shown("“a” – ‘b’…"), "\"a\" - 'b'.");
        assert_eq!((to_bios('━'), to_bios('╭')), (to_bios('─'), to_bios('┌')));
        assert_eq!(SUBSTITUTES.chars().count() % 2, 0);
        // No substitute needs another one, or is a control character.
        assert!(
            SUBSTITUTES.chars().skip(1).step_by(2).all(|letter| to_bios(letter) >= b' ' && letter != '?')
        );
    }

    fn decoded(bytes: &[u8]) -> String {
        let mut decoder = Utf8::default();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    }

    #[test]
    fn what_is_not_utf8_is_left_out() {
        assert_eq!(decoded(b"a\xe4b\xff\x80\xc2\x9bc\xc0\x9b\xed\xa0\x80d"), "abcd");
    }

    proptest! {
        #[test]
        fn utf8_comes_through(text in "[ -~\u{a0}-\u{10ffff}]{0,40}") {
            prop_assert_eq!(decoded(text.as_bytes()), text);
        }

        #[test]
        fn any_bytes_are_fine(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(decoded(&bytes).chars().count() <= bytes.len());
        }
    }
}
