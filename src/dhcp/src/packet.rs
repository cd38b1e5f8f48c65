//! DHCPv4 and BOOTP packets: reading what came from outside, and building what we send.
//!
//! Reading is lenient where servers are sloppy: an option that runs past the end of its area ends that area, a
//! missing end option or magic cookie is no error. Fixed fields and options of fixed length are read from the front
//! of what is there. Sources: RFC 951, RFC 2131, RFC 2132, RFC 3396 (long options), RFC 4578 (PXE).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base::MacAddress;
use base::text::{cut_bytes, lossy};
use core::net::Ipv4Addr;

/// Bytes of the fixed part: everything before the magic cookie.
pub const FIXED_LENGTH: usize = 236;
/// The most bytes of a packet that are looked at.
pub const LENGTH_LIMIT: usize = 2048;
/// What we send is padded to this length: some servers and relays drop less.
pub const PADDED_LENGTH: usize = 552;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const SNAME: usize = 44;
const FILE: usize = 108;

/// `op` of what a client sends.
pub const REQUEST: u8 = 1;
/// `op` of what a server sends.
pub const REPLY: u8 = 2;

/// Values of option 53.
pub mod message {
    /// A client looks for servers.
    pub const DISCOVER: u8 = 1;
    /// A server offers.
    pub const OFFER: u8 = 2;
    /// A client takes an offer.
    pub const REQUEST: u8 = 3;
    /// The server confirms.
    pub const ACK: u8 = 5;
    /// The server refuses.
    pub const NAK: u8 = 6;
}

/// Option tags, by RFC 2132 unless said otherwise.
pub mod tag {
    /// Subnet mask.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers.
    pub const ROUTERS: u8 = 3;
    /// Name servers.
    pub const DNS_SERVERS: u8 = 6;
    /// The client's host name.
    pub const HOST_NAME: u8 = 12;
    /// The domain of names without one.
    pub const DOMAIN_NAME: u8 = 15;
    /// The largest IP packet on this link.
    pub const MTU: u8 = 26;
    /// Vendor-specific options, encapsulated; here those of PXE.
    pub const VENDOR: u8 = 43;
    /// The address that the client would like.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// Seconds that the lease is valid.
    pub const LEASE_TIME: u8 = 51;
    /// `file` (1) and `sname` (2) hold options.
    pub const OVERLOAD: u8 = 52;
    /// Kind of message.
    pub const MESSAGE_TYPE: u8 = 53;
    /// Address of the server.
    pub const SERVER_IDENTIFIER: u8 = 54;
    /// Tags of the options that the client wants.
    pub const PARAMETER_LIST: u8 = 55;
    /// The longest message that the client takes.
    pub const MAXIMUM_SIZE: u8 = 57;
    /// Vendor class.
    pub const VENDOR_CLASS: u8 = 60;
    /// Client identifier.
    pub const CLIENT_IDENTIFIER: u8 = 61;
    /// Name of the boot server.
    pub const BOOT_SERVER_NAME: u8 = 66;
    /// Boot file name.
    pub const BOOT_FILE: u8 = 67;
    /// User class (RFC 3004, but see [`crate::Config`]).
    pub const USER_CLASS: u8 = 77;
    /// Architecture of the client (RFC 4578).
    pub const ARCHITECTURE: u8 = 93;
    /// Version of the network interface (RFC 4578).
    pub const INTERFACE_VERSION: u8 = 94;
    /// UUID of the machine (RFC 4578).
    pub const MACHINE_UUID: u8 = 97;
    /// Domain search list (RFC 3397).
    pub const SEARCH_LIST: u8 = 119;
    /// Classless static routes (RFC 3442).
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// Options of this family of boot firmware, encapsulated.
    pub const IPXE: u8 = 175;
    /// In 175: priority of this offer, -128 to 127.
    pub const IPXE_PRIORITY: u8 = 1;
    /// In 175: do not wait for a proxyDHCP server.
    pub const IPXE_NO_PROXY: u8 = 0xb0;
    /// In 175: kind of bus, vendor and device of the card.
    pub const IPXE_BUS_ID: u8 = 0xb1;
    /// In 175: version of the firmware.
    pub const IPXE_VERSION: u8 = 0xeb;
    /// In 43: how boot servers are found, and whether there is a menu (PXE 2.1 section 2.2).
    pub const PXE_DISCOVERY_CONTROL: u8 = 6;
    /// In 43: the group of boot servers.
    pub const PXE_MULTICAST: u8 = 7;
    /// In 43: boot servers of each type (PXE 2.1 section 2.2).
    pub const PXE_BOOT_SERVERS: u8 = 8;
    /// In 43: the boot menu.
    pub const PXE_MENU: u8 = 9;
    /// In 43: the text before the menu, and how long it stands.
    pub const PXE_MENU_PROMPT: u8 = 10;
    /// In 43: the menu item that was chosen.
    pub const PXE_BOOT_ITEM: u8 = 71;
}

/// A packet from outside, with its bytes as they came.
///
/// # Invariants
/// It has at least [`FIXED_LENGTH`] bytes and at most [`LENGTH_LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Box<[u8]>,
}

impl Packet {
    /// Takes a copy of `bytes`; none if they are too few or too many for a packet.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let fits = (FIXED_LENGTH..=LENGTH_LIMIT).contains(&bytes.len());
        fits.then(|| Self { bytes: bytes.into() })
    }

    /// The packet as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// [`REQUEST`] or [`REPLY`].
    pub fn op(&self) -> u8 {
        self.field(0, 1).first().copied().unwrap_or_default()
    }

    /// The exchange that it belongs to.
    pub fn xid(&self) -> u32 {
        u32::from(self.address_at(4))
    }

    /// `yiaddr`: the address that the client gets.
    pub fn your_address(&self) -> Ipv4Addr {
        self.address_at(16)
    }

    /// `siaddr`: the server to use next; zero for none.
    pub fn next_server(&self) -> Ipv4Addr {
        self.address_at(20)
    }

    /// The first six bytes of `chaddr`.
    pub fn mac(&self) -> MacAddress {
        MacAddress(self.field(28, 6).first_chunk().copied().unwrap_or_default())
    }

    /// Option 53; none in a BOOTP packet.
    pub fn message_type(&self) -> Option<u8> {
        self.byte(&[tag::MESSAGE_TYPE])
    }

    /// Option 54.
    pub fn server_identifier(&self) -> Option<Ipv4Addr> {
        self.address(&[tag::SERVER_IDENTIFIER])
    }

    /// Whether option 60 says that the sender knows PXE.
    pub fn is_pxe(&self) -> bool {
        self.option(&[tag::VENDOR_CLASS]).is_some_and(|class| class.starts_with(b"PXEClient"))
    }

    /// 175.1: the higher, the better; 0 if not said.
    pub fn priority(&self) -> i8 {
        self.byte(&[tag::IPXE, tag::IPXE_PRIORITY]).map_or(0, |byte| i8::from_le_bytes([byte]))
    }

    /// The boot file: option 67, else the `file` field unless that holds options; empty for none.
    pub fn file_name(&self) -> String {
        let option = self.text(&[tag::BOOT_FILE]);
        if !option.is_empty() || self.overload() & 1 != 0 {
            return option;
        }
        text_of(self.field(FILE, FIXED_LENGTH - FILE))
    }

    /// The boot server's name: option 66, else the `sname` field unless that holds options; empty for none.
    pub fn server_name(&self) -> String {
        let option = self.text(&[tag::BOOT_SERVER_NAME]);
        if !option.is_empty() || self.overload() & 2 != 0 {
            return option;
        }
        text_of(self.field(SNAME, FILE - SNAME))
    }

    /// The value at `path`: `[43, 9]` is option 9 inside option 43. Parts of a long option are joined (RFC 3396).
    pub fn option(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (&first, nested) = path.split_first()?;
        let mut found = gather(&mut self.options(), first)?;
        for &tag in nested {
            found = gather(&mut Options::new(&found), tag)?;
        }
        Some(found)
    }

    /// The first byte of an option.
    pub fn byte(&self, path: &[u8]) -> Option<u8> {
        self.option(path)?.first().copied()
    }

    /// The first four bytes of an option as an address.
    pub fn address(&self, path: &[u8]) -> Option<Ipv4Addr> {
        self.option(path)?.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes))
    }

    /// An option as a list of addresses; empty if it is not there.
    pub fn addresses(&self, path: &[u8]) -> Vec<Ipv4Addr> {
        let value = self.option(path).unwrap_or_default();
        base::list(value.as_chunks::<4>().0.iter().map(|bytes| Ipv4Addr::from(*bytes)))
    }

    /// An option as text, up to the first NUL, without 0xff at its end; empty if it is not there.
    pub fn text(&self, path: &[u8]) -> String {
        text_of(&self.option(path).unwrap_or_default())
    }

    /// All options with their tags, in the order of RFC 3396: options field, `file`, `sname`.
    pub fn options(&self) -> Options<'_> {
        let overload = self.overload();
        let file = if overload & 1 == 0 { &[] } else { self.field(FILE, FIXED_LENGTH - FILE) };
        let sname = if overload & 2 == 0 { &[] } else { self.field(SNAME, FILE - SNAME) };
        Options { others: [file, sname], ..self.main_options() }
    }

    /// The packet as if its sender had named this file at `next_server`, and no server by name. Options in `changed`
    /// stand in the place of the sender's. A file that is too long for its field is in option 67.
    pub fn renamed(&self, next_server: Ipv4Addr, file: &[u8], changed: &[(u8, Vec<u8>)]) -> Vec<u8> {
        // One byte less: a zero ends the field.
        let fits = file.len() < FIXED_LENGTH - FILE;
        let mut bytes = self.field(0, SNAME).to_vec();
        if let Some(field) = bytes.get_mut(20..24) {
            field.copy_from_slice(&next_server.octets());
        }
        bytes.resize(FILE, 0);
        bytes.extend_from_slice(if fits { file } else { &[] });
        bytes.resize(FIXED_LENGTH, 0);
        bytes.extend_from_slice(&COOKIE);
        for (tag, value) in self.options() {
            let is_left_out = matches!(tag, tag::OVERLOAD | tag::BOOT_SERVER_NAME | tag::BOOT_FILE);
            if !is_left_out && changed.iter().all(|(other, _)| *other != tag) {
                append_option(&mut bytes, tag, value);
            }
        }
        for (tag, value) in changed {
            append_option(&mut bytes, *tag, value);
        }
        if !fits {
            append_option(&mut bytes, tag::BOOT_FILE, file);
        }
        bytes.push(255);
        bytes
    }

    fn main_options(&self) -> Options<'_> {
        let after = self.bytes.get(FIXED_LENGTH..).unwrap_or_default();
        Options::new(after.strip_prefix(&COOKIE).unwrap_or_default())
    }

    fn overload(&self) -> u8 {
        let mut values = self.main_options().filter(|(tag, _)| *tag == tag::OVERLOAD);
        values.next().and_then(|(_, value)| value.first().copied()).unwrap_or_default()
    }

    fn field(&self, offset: usize, length: usize) -> &[u8] {
        self.bytes.get(offset..).and_then(|rest| rest.get(..length)).unwrap_or_default()
    }

    fn address_at(&self, offset: usize) -> Ipv4Addr {
        self.field(offset, 4).first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |bytes| (*bytes).into())
    }
}

/// Walks the `tag, length, value` triples of up to three areas. Each step takes at least one byte; a lying length ends
/// the walk of an area.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    /// The areas that follow.
    others: [&'a [u8]; 2],
}

impl<'a> Options<'a> {
    /// Over the options in `area`.
    pub fn new(area: &'a [u8]) -> Self {
        Self { rest: area, others: [&[]; 2] }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut rest = core::mem::take(&mut self.rest);
            while let [0, after @ ..] = rest {
                rest = after;
            }
            if let [tag @ 1..=254, length, after @ ..] = rest
                && let Some((value, after)) = after.split_at_checked(usize::from(*length))
            {
                self.rest = after;
                return Some((*tag, value));
            }
            match self.others {
                [[], []] => return None,
                [next, last] => (self.rest, self.others) = (next, [last, &[]]),
            }
        }
    }
}

fn gather(options: &mut dyn Iterator<Item = (u8, &[u8])>, wanted: u8) -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    for (_, value) in options.filter(|(tag, _)| *tag == wanted) {
        found.get_or_insert_default().extend_from_slice(value);
    }
    found
}

fn text_of(bytes: &[u8]) -> String {
    let mut bytes = cut_bytes(bytes, 0).0;
    while let [front @ .., 0xff] = bytes {
        bytes = front;
    }
    lossy(bytes)
}

/// The fixed fields of a packet to be built.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// [`REQUEST`] or [`REPLY`].
    pub op: u8,
    /// The exchange.
    pub xid: u32,
    /// Seconds since the client began.
    pub seconds: u16,
    /// Whether answers shall be broadcast.
    pub broadcast: bool,
    /// `ciaddr`: the address that the client has.
    pub client: Option<Ipv4Addr>,
    /// `yiaddr`: the address that the client gets.
    pub your: Option<Ipv4Addr>,
    /// `siaddr`: the server to use next.
    pub next_server: Option<Ipv4Addr>,
    /// The client's card.
    pub mac: MacAddress,
}

/// Builds a packet.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// A packet without options. `server_name` and `file` are cut at 64 and 128 bytes.
    pub fn new(header: &Header, server_name: &[u8], file: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(PADDED_LENGTH);
        bytes.extend_from_slice(&[header.op, 1, 6, 0]);
        bytes.extend_from_slice(&header.xid.to_be_bytes());
        bytes.extend_from_slice(&header.seconds.to_be_bytes());
        bytes.extend_from_slice(&[if header.broadcast { 0x80 } else { 0 }, 0]);
        for address in [header.client, header.your, header.next_server] {
            bytes.extend_from_slice(&address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
        }
        bytes.resize(28, 0);
        bytes.extend_from_slice(&header.mac.0);
        bytes.resize(SNAME, 0);
        bytes.extend(server_name.iter().take(FILE - SNAME));
        bytes.resize(FILE, 0);
        bytes.extend(file.iter().take(FIXED_LENGTH - FILE));
        bytes.resize(FIXED_LENGTH, 0);
        bytes.extend_from_slice(&COOKIE);
        Self { bytes }
    }

    /// Appends an option, in several parts if it is longer than 255 bytes (RFC 3396).
    pub fn option(&mut self, tag: u8, value: &[u8]) -> &mut Self {
        append_option(&mut self.bytes, tag, value);
        self
    }

    /// The packet, ended and padded to [`PADDED_LENGTH`].
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(255);
        let length = self.bytes.len().max(PADDED_LENGTH);
        self.bytes.resize(length, 0);
        self.bytes
    }
}

/// Appends one option to an area of options, as [`Builder::option`] does.
pub fn append_option(area: &mut Vec<u8>, tag: u8, value: &[u8]) {
    let mut rest = value;
    loop {
        let (part, after) = rest.split_at_checked(255).unwrap_or((rest, &[]));
        area.extend_from_slice(&[tag, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        area.extend_from_slice(part);
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn packet(fill: impl FnOnce(&mut Builder)) -> Packet {
        let header = Header { op: REPLY, xid: 0x0102_0304, ..Header::default() };
        let mut builder = Builder::new(&header, b"server", b"file");
        fill(&mut builder);
        Packet::parse(&builder.finish()).unwrap()
    }

    #[test]
    fn a_packet_names_another_file() {
        let header = Header {
            op: REPLY,
            xid: 7,
            your: Some([10, 0, 0, 2].into()),
            next_server: Some([10, 0, 0, 1].into()),
            ..Header::default()
        };
        let mut builder = Builder::new(&header, b"server", b"\x03\x04\x0a\x00\x00\xfe\xff");
        builder.option(tag::MESSAGE_TYPE, &[message::ACK]).option(tag::OVERLOAD, &[1]);
        builder.option(tag::BOOT_SERVER_NAME, b"other").option(tag::BOOT_FILE, b"http://a/boot.ipxe");
        builder.option(209, b"theirs").option(210, b"kept/");
        let packet = Packet::parse(&builder.finish()).unwrap();
        let server = Ipv4Addr::new(10, 0, 0, 9);
        let renamed = |file: &[u8]| {
            let bytes = packet.renamed(server, file, &[(209, b"ours".to_vec()), (211, b"new".to_vec())]);
            Packet::parse(&bytes).unwrap()
        };
        let new = renamed(b"boot/pxelinux.0");
        assert_eq!((new.xid(), new.your_address(), new.next_server()), (7, [10, 0, 0, 2].into(), server));
        assert_eq!((new.server_name(), new.file_name()), (String::new(), "boot/pxelinux.0".into()));
        assert_eq!(new.bytes()[108..124], *b"boot/pxelinux.0\0");
        assert_eq!(new.option(&[tag::BOOT_FILE]), None);
        // What lay in the field of the file is not lost.
        assert_eq!(new.address(&[tag::ROUTERS]), Some([10, 0, 0, 254].into()));
        assert_eq!(new.message_type(), Some(message::ACK));
        let texts = [209, 210, 211].map(|tag| new.text(&[tag]));
        assert_eq!(texts, ["ours", "kept/", "new"]);
        for length in [127, 128, 300] {
            let file = vec![b'x'; length];
            let new = renamed(&file);
            assert_eq!(new.file_name().as_bytes(), file);
            assert_eq!(new.option(&[tag::BOOT_FILE]).is_some(), length > 127);
        }
    }

    #[test]
    fn fields_lie_where_rfc_2131_puts_them() {
        let header = Header {
            op: REPLY,
            xid: 0xaabb_ccdd,
            seconds: 0x0102,
            broadcast: true,
            client: Some([1, 1, 1, 1].into()),
            your: Some([2, 2, 2, 2].into()),
            next_server: Some([3, 3, 3, 3].into()),
            mac: MacAddress([2, 3, 4, 5, 6, 7]),
        };
        let bytes = Builder::new(&header, b"s", b"f").finish();
        assert_eq!(bytes[..16], [2, 1, 6, 0, 0xaa, 0xbb, 0xcc, 0xdd, 1, 2, 0x80, 0, 1, 1, 1, 1]);
        assert_eq!(bytes[44..46], [b's', 0]);
        assert_eq!(bytes[108..110], [b'f', 0]);
        assert_eq!(bytes[236..241], [99, 130, 83, 99, 255]);
        assert_eq!(bytes.len(), PADDED_LENGTH);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.op(), packet.xid()), (REPLY, 0xaabb_ccdd));
        assert_eq!(packet.your_address(), Ipv4Addr::new(2, 2, 2, 2));
        assert_eq!(packet.next_server(), Ipv4Addr::new(3, 3, 3, 3));
        assert_eq!(packet.mac(), MacAddress([2, 3, 4, 5, 6, 7]));
        assert_eq!((packet.message_type(), packet.is_pxe()), (None, false));
    }

    #[test]
    fn overloaded_fields_hold_options_and_no_names() {
        let mut bytes = packet(|b| {
            b.option(52, &[3]).option(67, b"boot/");
        })
        .bytes()
        .to_vec();
        bytes[108..236].fill(0);
        bytes[44..108].fill(0);
        bytes[108..116].copy_from_slice(&[67, 3, b'k', b'p', b'x', 12, 1, b'h']);
        bytes[44..50].copy_from_slice(&[67, 1, b'e', 66, 1, b's']);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.file_name(), "boot/kpxe");
        assert_eq!(packet.server_name(), "s");
        assert_eq!(packet.text(&[12]), "h");
    }

    #[test]
    fn overload_of_one_field_leaves_the_other() {
        let one = packet(|b| {
            b.option(52, &[1]);
        });
        assert_eq!((one.file_name().as_str(), one.server_name().as_str()), ("", "server"));
        let two = packet(|b| {
            b.option(52, &[2]);
        });
        assert_eq!((two.file_name().as_str(), two.server_name().as_str()), ("file", ""));
    }

    #[test]
    fn an_overload_option_inside_file_is_not_followed() {
        let mut bytes = packet(|b| {
            b.option(52, &[1]);
        })
        .bytes()
        .to_vec();
        bytes[108..112].copy_from_slice(&[52, 1, 3, 255]);
        bytes[44..47].copy_from_slice(&[12, 1, b'h']);
        assert_eq!(Packet::parse(&bytes).unwrap().option(&[12]), None);
    }

    #[test]
    fn long_options_are_split_and_joined() {
        let long: Vec<u8> = (0..=255).cycle().take(700).collect();
        let packet = packet(|b| {
            b.option(43, &long);
        });
        assert_eq!(packet.option(&[43]).unwrap(), long);
        assert_eq!(packet.options().filter(|(tag, _)| *tag == 43).count(), 3);
    }

    #[test]
    fn nested_options_are_found_even_across_parts() {
        let packet = packet(|b| {
            b.option(175, &[1, 1, 0xfe, 0xb0, 1]).option(175, &[1, 255, 9, 1, 9]);
            b.option(43, &[0, 9, 3, 0, 1, 0]);
        });
        assert_eq!(packet.option(&[175, 0xb0]).unwrap(), [1].as_slice());
        assert_eq!(packet.option(&[175, 9]), None);
        assert_eq!(packet.priority(), -2);
        assert_eq!(packet.option(&[43, 9]).unwrap(), [0, 1, 0].as_slice());
        assert_eq!(packet.option(&[43, 9, 7]), None);
        assert_eq!(packet.option(&[]), None);
    }

    #[test]
    fn texts_end_at_nul_and_lose_filling() {
        let packet = packet(|b| {
            b.option(67, b"a.kpxe\0junk").option(12, b"host\xff").option(15, b"");
        });
        assert_eq!(packet.file_name(), "a.kpxe");
        assert_eq!(packet.text(&[12]), "host");
        assert_eq!(packet.text(&[15]), "");
        assert_eq!(packet.option(&[15]).unwrap().len(), 0);
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        let mut bytes = packet(|_| ()).bytes().to_vec();
        bytes.truncate(240);
        bytes.extend_from_slice(&[53, 1, 2, 54, 200, 1, 2]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.message_type(), Some(2));
        assert_eq!(packet.server_identifier(), None);
        assert_eq!(Packet::parse(&bytes[..235]), None);
        assert_eq!(Packet::parse(&vec![0; LENGTH_LIMIT + 1]), None);
        bytes[236] = 0;
        assert_eq!(Packet::parse(&bytes).unwrap().options().count(), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..700), path in proptest::collection::vec(any::<u8>(), 0..4)) {
            if let Some(cookie) = bytes.get_mut(236..240) {
                cookie.copy_from_slice(&COOKIE);
            }
            if let Some(packet) = Packet::parse(&bytes) {
                let _ = (packet.option(&path), packet.file_name(), packet.server_name(), packet.priority());
                let _ = (packet.addresses(&path), packet.address(&path), packet.message_type(), packet.is_pxe());
                let total: usize = packet.options().map(|(_, value)| value.len() + 2).sum();
                prop_assert!(total <= bytes.len());
            }
        }

        #[test]
        fn what_is_built_is_read_again(tag in 1u8..255, value in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assume!(tag != 52);
            let packet = packet(|b| { b.option(tag, &value); });
            prop_assert_eq!(packet.option(&[tag]).unwrap(), value);
        }
    }
}
