//! Names and numbers of settings, and what is known of them beforehand.

use crate::{Kind, number};

/// The number of a setting. Parts are packed with the first one highest: DHCP option 175, suboption 1 is `0xaf01`.
/// The highest byte is the [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u64);

impl Tag {
    /// A DHCP option.
    pub const fn option(code: u8) -> Self {
        Self(code as u64)
    }

    /// An option within a DHCP option.
    pub const fn within(outer: u8, inner: u8) -> Self {
        Self((outer as u64) << 8 | inner as u64)
    }

    /// A number that means something else than a DHCP option.
    pub const fn of(scope: Scope, number: u64) -> Self {
        Self((scope as u64) << 56 | number & (u64::MAX >> 8))
    }

    /// What the number means.
    pub fn is_of(self, scope: Scope) -> bool {
        self.0 >> 56 == scope as u64
    }

    /// The address that a DHCP server gave, which is a field and not an option: 175.2.
    pub const ADDRESS: Self = Self::within(175, 2);

    /// The address of the next server, which is a field and not an option: 175.3.
    pub const NEXT_SERVER: Self = Self::within(175, 3);

    /// The processor's maker; numbered beyond what can be written.
    pub const CPU_VENDOR: Self = Self::of(Scope::Cpuid, 1 << 48);
    /// The processor's name.
    pub const CPU_MODEL: Self = Self::of(Scope::Cpuid, 2 << 48);
    /// The machine's UUID, in the order of the text.
    pub const UUID: Self = Self::of(Scope::Smbios, 0x01_08_10);
    /// Seconds since 1970.
    pub const UNIX_TIME: Self = Self::of(Scope::Builtin, 1);
    /// The last of what was said.
    pub const LOG: Self = Self::of(Scope::Builtin, 2);

    /// As a DHCP option and perhaps an option in it; none for numbers that are neither.
    pub fn dhcp(self) -> Option<(u8, Option<u8>)> {
        match self.0.to_be_bytes() {
            [0, 0, 0, 0, 0, 0, 0, 0] => None,
            [0, 0, 0, 0, 0, 0, 0, code] => Some((code, None)),
            [0, 0, 0, 0, 0, 0, outer, inner] => Some((outer, Some(inner))),
            _ => None,
        }
    }

    /// `67`, `175.1` or `43.0x9`.
    fn parse(name: &[u8], scope: Scope) -> Option<Self> {
        let mut tag = 0_u64;
        for part in name.split(|byte| *byte == b'.') {
            if !part.first()?.is_ascii_digit() {
                return None;
            }
            tag = tag << 8 | number(part)?;
        }
        Some(Self::of(scope, tag)).filter(|tag| tag.0 != 0)
    }
}

/// What the numbers of settings mean in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// DHCP options; also in blocks that are not from DHCP.
    #[default]
    Dhcp,
    /// Instance, type, offset and length in the SMBIOS tables. Length 0: the string whose number is at the offset.
    Smbios,
    /// Bus, device and function as one number, offset and length in the configuration space.
    Pci,
    /// Register (EAX 0 to EDX 3) and leaf, whose bit 31 may be set; or subleaf, 40h, register and leaf.
    Cpuid,
    /// What is known of the firmware only when it is asked for; the numbers are private.
    Builtin,
}

/// A setting, named.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The name, or the number as it was written.
    pub name: &'a [u8],
    /// The number, for settings that have one.
    pub tag: Option<Tag>,
    /// The type asked for, or the one that belongs to the setting.
    pub kind: Option<Kind>,
}

impl<'a> Key<'a> {
    /// The setting called `name`, which may be a number, read as `kind` if given. `scope` is for numbers.
    pub fn new(name: &'a [u8], kind: Option<Kind>, scope: Scope) -> Self {
        if let Some(known) = PREDEFINED.iter().find(|known| known.0.as_bytes() == name) {
            let tag = (known.2 != 0).then_some(Tag(known.2));
            return Self { name, tag, kind: kind.or(Some(known.1)) };
        }
        let tag = Tag::parse(name, scope);
        let known = PREDEFINED.iter().find(|known| tag == Some(Tag(known.2)));
        let name = known.map_or(name, |known| known.0.as_bytes());
        Self { name, tag, kind: kind.or(known.map(|known| known.1)) }
    }
}

/// The names of all settings that are known beforehand.
pub(crate) fn names() -> impl Iterator<Item = &'static [u8]> {
    PREDEFINED.iter().map(|known| known.0.as_bytes())
}

const fn site(code: u8) -> u64 {
    Tag::within(175, code).0
}

const fn smbios(kind: u8, offset: u8) -> u64 {
    Tag::of(Scope::Smbios, (kind as u64) << 16 | (offset as u64) << 8).0
}

/// Name, type and number (0 for none) of the settings that have a number or are not plain strings.
static PREDEFINED: [(&str, Kind, u64); 60] = [
    ("ip", Kind::Ipv4, Tag::ADDRESS.0),
    ("netmask", Kind::Ipv4, 1),
    ("gateway", Kind::Ipv4, 3),
    ("static-routes", Kind::Hex, 121),
    ("dns", Kind::Ipv4, 6),
    ("ntp", Kind::Ipv4, 42),
    ("syslog", Kind::Ipv4, 7),
    ("syslogs", Kind::String, site(0x55)),
    ("hostname", Kind::String, 12),
    ("domain", Kind::String, 15),
    ("dnssl", Kind::DnsSearchList, 119),
    ("root-path", Kind::String, 17),
    ("mtu", Kind::Int16, 26),
    ("dhcp-server", Kind::Ipv4, 54),
    ("vendor-class", Kind::String, 60),
    ("user-class", Kind::String, 77),
    ("filename", Kind::String, 67),
    ("next-server", Kind::Ipv4, Tag::NEXT_SERVER.0),
    ("priority", Kind::Int8, site(1)),
    ("keep-san", Kind::Int8, site(8)),
    ("skip-san-boot", Kind::Int8, site(9)),
    ("scriptlet", Kind::String, site(0x51)),
    ("trust", Kind::Hex, site(0x5a)),
    ("cert", Kind::Hex, site(0x5b)),
    ("privkey", Kind::Hex, site(0x5c)),
    ("crosscert", Kind::String, site(0x5d)),
    ("san-retries", Kind::Int8, site(0xbb)),
    ("san-filename", Kind::String, site(0xbc)),
    ("san-drive", Kind::Uint8, site(0xbd)),
    ("username", Kind::String, site(0xbe)),
    ("password", Kind::String, site(0xbf)),
    ("reverse-username", Kind::String, site(0xc0)),
    ("reverse-password", Kind::String, site(0xc1)),
    ("uid", Kind::Uint32, site(0xc2)),
    ("gid", Kind::Uint32, site(0xc3)),
    ("initiator-iqn", Kind::String, 203),
    ("errno", Kind::Uint32, 0),
    ("unixtime", Kind::Uint32, Tag::UNIX_TIME.0),
    ("dmesg", Kind::String, Tag::LOG.0),
    ("sysmac", Kind::Hex, 0),
    ("memsize", Kind::Int32, 0),
    ("cpuvendor", Kind::String, Tag::CPU_VENDOR.0),
    ("cpumodel", Kind::String, Tag::CPU_MODEL.0),
    ("uuid", Kind::Uuid, Tag::UUID.0),
    ("manufacturer", Kind::String, smbios(1, 4)),
    ("product", Kind::String, smbios(1, 5)),
    ("serial", Kind::String, smbios(1, 7)),
    ("asset", Kind::String, smbios(3, 8)),
    ("board-serial", Kind::String, smbios(2, 7)),
    ("mac", Kind::Hex, 0),
    ("hwaddr", Kind::Hex, 0),
    ("busloc", Kind::Uint32, 0),
    ("busid", Kind::Hex, 0),
    ("peerdist", Kind::Int8, 0),
    ("active-scan", Kind::Int8, 0),
    ("len6", Kind::Int8, 0),
    ("ip6", Kind::Ipv6, 0),
    ("gateway6", Kind::Ipv6, 0),
    ("dns6", Kind::Ipv6, 0),
    ("vram", Kind::Base64, 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_parts_of_any_base() {
        assert_eq!(Tag::parse(b"67", Scope::Dhcp), Some(Tag::option(67)));
        assert_eq!(Tag::parse(b"0x43", Scope::Dhcp), Some(Tag::option(67)));
        assert_eq!(Tag::parse(b"175.0xc8", Scope::Dhcp), Some(Tag::within(175, 200)));
        for name in [&b""[..], b"0", b"1.", b".1", b"12x", b"-5", b"mac", b"1..2", b"1. 2"] {
            assert_eq!(Tag::parse(name, Scope::Dhcp), None);
        }
        assert_eq!(Tag::option(67).dhcp(), Some((67, None)));
        assert_eq!(Tag::within(43, 9).dhcp(), Some((43, Some(9))));
        assert_eq!(Tag(0x01_02_03).dhcp(), None);
    }

    #[test]
    fn known_numbers_have_the_type_of_their_name() {
        let key = Key::new(b"1", None, Scope::Dhcp);
        assert_eq!((key.name, key.kind), (&b"netmask"[..], Some(Kind::Ipv4)));
        let key = Key::new(b"1", None, Scope::Smbios);
        assert_eq!((key.name, key.kind), (&b"1"[..], None));
        assert_eq!(Key::new(b"ip", Some(Kind::Hex), Scope::Dhcp).kind, Some(Kind::Hex));
        assert_eq!(Key::new(b"mac", None, Scope::Dhcp).tag, None);
        let [key, other] = [b"serial", &b"1.7.0"[..]].map(|name| Key::new(name, None, Scope::Smbios));
        assert_eq!((key.name, key.tag, key.kind), (other.name, other.tag, other.kind));
    }

    #[test]
    fn no_name_or_number_is_there_twice() {
        for (index, known) in PREDEFINED.iter().enumerate() {
            let others = PREDEFINED.iter().skip(index + 1);
            assert!(others.clone().all(|other| other.0 != known.0), "{}", known.0);
            assert!(known.2 == 0 || others.clone().all(|other| other.2 != known.2), "{}", known.0);
        }
    }
}
