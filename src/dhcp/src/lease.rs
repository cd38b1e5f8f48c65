//! What a DHCP exchange gives, or the packets that the vendor's ROM has kept of its own.

use crate::errors;
use crate::menu::BootMenu;
use crate::packet::{Packet, message, tag};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base::text::trim_end;
use base::{Error, MacAddress, list};
use core::net::Ipv4Addr;

/// The most names of a search list, and the most routes, that are taken.
const LIST_LIMIT: usize = 16;

/// An address and all that came with it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Our address.
    pub address: Ipv4Addr,
    /// Bits of the network part, 1 to 32; by the class of the address if the server gave no mask.
    pub prefix_length: u8,
    /// Classless routes (option 121) if there are any, else the first router (option 3) as default (RFC 3442).
    pub routes: Vec<Route>,
    /// Name servers.
    pub dns_servers: Vec<Ipv4Addr>,
    /// The domain, without a dot at its end; may be empty.
    pub domain: String,
    /// Domains to try for short names: option 119, else the domain.
    pub search: Vec<String>,
    /// Our name; may be empty.
    pub host_name: String,
    /// The DHCP server.
    pub server: Ipv4Addr,
    /// `siaddr` of the ACK; zero for none.
    pub next_server: Ipv4Addr,
    /// The file to boot.
    pub boot: Option<BootFile>,
    /// The file that the other of the two packets names.
    pub other_boot: Option<BootFile>,
    /// The largest IP packet on this link, 68 or more.
    pub mtu: Option<u16>,
    /// Seconds; `u32::MAX` means for ever.
    pub lease_time: Option<u32>,
    /// The DISCOVER that was sent last, as it was sent; empty for [`from_cached`](Self::from_cached).
    pub discover: Vec<u8>,
    /// The server's packet.
    pub ack: Packet,
    /// The proxyDHCP server's packet.
    pub proxy: Option<Packet>,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network that is reached; host bits are zero.
    pub destination: Ipv4Addr,
    /// Bits of its network part, 0 to 32; 0 is the default route.
    pub prefix_length: u8,
    /// The router, or zero if the network lies on our own link.
    pub gateway: Ipv4Addr,
}

/// A file to boot and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    /// As the server wrote it: a path, or a whole URI.
    pub name: String,
    /// The server for a path: `siaddr`, else the boot server's name if that is an address, else the DHCP server.
    pub server: Option<Ipv4Addr>,
    /// Which packet named it.
    pub named: Named,
}

/// A packet of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The DHCP server's.
    ByLease,
    /// The proxyDHCP server's, or that of a PXE boot server.
    ByProxy,
}

impl Lease {
    /// The lease that the packets which the ROM has kept describe (PXE 2.1 section 4.4.3: `ack` is packet 2, `proxy`
    /// packet 3), for the card `mac`. A `proxy` that is empty, not for this card or the same as `ack` is left out.
    ///
    /// # Errors
    /// `ack` is no answer, gives no usable address, or is for another card.
    pub fn from_cached(ack: &[u8], proxy: Option<&[u8]>, mac: MacAddress) -> Result<Self, Error> {
        let ack = Packet::parse(ack).ok_or_else(|| errors::CACHED_UNUSABLE.of("it is too short"))?;
        if ack.mac() != mac {
            return Err(errors::CACHED_FOREIGN.of(ack.mac().to_string()));
        }
        if !matches!(ack.message_type(), None | Some(message::ACK)) {
            return Err(errors::CACHED_UNUSABLE.of("it is not an ACK"));
        }
        if !is_host(ack.your_address()) {
            return Err(errors::CACHED_UNUSABLE.of("it gives no address"));
        }
        let proxy = proxy.and_then(Packet::parse).filter(|proxy| proxy.mac() == mac && *proxy != ack);
        let server = ack.server_identifier().unwrap_or_else(|| ack.next_server());
        Ok(Self::new(ack, server, proxy))
    }

    /// The lease that `server` gave with `ack`, perhaps with the answer of a proxyDHCP server.
    pub fn new(ack: Packet, server: Ipv4Addr, proxy: Option<Packet>) -> Self {
        let address = ack.your_address();
        let mask = ack.address(&[tag::SUBNET_MASK]).map_or(0, |mask| bits(mask.to_bits().leading_ones()));
        let domain = trim_end(&ack.text(&[tag::DOMAIN_NAME]), b'.').to_string();
        let mut search = search_list(&ack.option(&[tag::SEARCH_LIST]).unwrap_or_default());
        if search.is_empty() && !domain.is_empty() {
            search.push(domain.clone());
        }
        let mut lease = Self {
            address,
            prefix_length: if mask == 0 { class_prefix(address) } else { mask },
            routes: routes(&ack),
            dns_servers: list(ack.addresses(&[tag::DNS_SERVERS]).into_iter().filter(|a| is_host(*a))),
            domain,
            search,
            host_name: ack.text(&[tag::HOST_NAME]),
            server,
            next_server: ack.next_server(),
            boot: None,
            other_boot: None,
            mtu: number(&ack, tag::MTU).filter(|mtu| *mtu >= 68),
            lease_time: ack.address(&[tag::LEASE_TIME]).map(u32::from),
            discover: Vec::new(),
            ack,
            proxy: None,
        };
        lease.set_proxy(proxy);
        lease
    }

    /// The packet with PXE's own options: the proxy's if it has them, else the DHCP server's.
    pub fn pxe_packet(&self) -> &Packet {
        let has_options = |packet: &&Packet| packet.option(&[tag::VENDOR]).is_some();
        self.proxy.as_ref().filter(has_options).unwrap_or(&self.ack)
    }

    /// The menu from which the user is to choose. A file that the DHCP server names wins over the menu of another server,
    /// unless it is our own image.
    pub fn menu(&self, own_file: Option<&str>) -> Option<BootMenu> {
        let packet = self.pxe_packet();
        let named = self.boot.as_ref().filter(|boot| boot.named == Named::ByLease);
        let is_settled = named.is_some_and(|boot| own_file != Some(boot.name.as_str()));
        BootMenu::of(packet).filter(|_| !is_settled || core::ptr::eq(packet, &self.ack))
    }

    /// Puts in the answer of a proxyDHCP server, and decides anew whose file is booted.
    ///
    /// The rule: the packet with the higher 175.1 priority wins if it names a file; at equal priority the lease's
    /// file wins over the proxy's. Name and server always come from one packet.
    pub fn set_proxy(&mut self, proxy: Option<Packet>) {
        let mut first = BootFile::of(&self.ack, Named::ByLease);
        let mut second = proxy.as_ref().and_then(|proxy| BootFile::of(proxy, Named::ByProxy));
        let outranked = proxy.as_ref().is_some_and(|proxy| proxy.priority() > self.ack.priority());
        if first.is_none() || (outranked && second.is_some()) {
            core::mem::swap(&mut first, &mut second);
        }
        self.boot = first;
        self.other_boot = second;
        self.proxy = proxy;
    }
}

impl BootFile {
    /// The file that `packet` names.
    pub fn of(packet: &Packet, named: Named) -> Option<Self> {
        let name = packet.file_name();
        if name.is_empty() {
            return None;
        }
        let server = Some(packet.next_server())
            .filter(|address| is_host(*address))
            .or_else(|| packet.server_name().parse().ok())
            .or_else(|| packet.server_identifier());
        Some(Self { name, server, named })
    }
}

/// Where the image that the ROM started came from, by the packets that the ROM has kept: packet 3 if it names a file,
/// else packet 2. Packets for another card than `mac` say nothing.
pub fn cached_boot_file(ack: Option<&[u8]>, proxy: Option<&[u8]>, mac: MacAddress) -> Option<BootFile> {
    [(proxy, Named::ByProxy), (ack, Named::ByLease)].into_iter().find_map(|(bytes, named)| {
        let packet = Packet::parse(bytes?).filter(|packet| packet.mac() == mac)?;
        BootFile::of(&packet, named)
    })
}

/// Whether one host can have this address.
pub(crate) fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    (1..224).contains(&first) && first != 127
}

/// The prefix length by the class of an address (RFC 791).
fn class_prefix(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..128, ..] => 8,
        [128..192, ..] => 16,
        _ => 24,
    }
}

fn routes(ack: &Packet) -> Vec<Route> {
    if let Some(value) = ack.option(&[tag::CLASSLESS_ROUTES]) {
        let routes = classless_routes(&value);
        if !routes.is_empty() {
            return routes;
        }
    }
    let gateway = ack.addresses(&[tag::ROUTERS]).into_iter().find(|address| is_host(*address));
    list(gateway.map(|gateway| Route { destination: Ipv4Addr::UNSPECIFIED, prefix_length: 0, gateway }))
}

/// The routes of option 121 (RFC 3442); from the first one that is broken, the rest is left out.
pub fn classless_routes(value: &[u8]) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut rest = value;
    while let Some((&prefix_length, after)) = rest.split_first() {
        if prefix_length > 32 || routes.len() == LIST_LIMIT {
            break;
        }
        let Some((significant, after)) = after.split_at_checked(usize::from(prefix_length.div_ceil(8)))
        else {
            break;
        };
        let Some((gateway, after)) = after.split_first_chunk::<4>() else { break };
        let mut destination = [0; 4];
        for (to, from) in destination.iter_mut().zip(significant) {
            *to = *from;
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix_length)).unwrap_or(0);
        let destination = Ipv4Addr::from_bits(u32::from_be_bytes(destination) & mask);
        routes.push(Route { destination, prefix_length, gateway: (*gateway).into() });
        rest = after;
    }
    routes
}

/// The names of option 119 (RFC 3397); from the first one that is broken, the rest is left out.
pub fn search_list(value: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut position = 0;
    while position < value.len() && names.len() < LIST_LIMIT {
        let Some((name, next)) = base::domain_name::read(value, position) else { break };
        let Some(name) = base::domain_name::to_text(&name) else { break };
        if !name.is_empty() {
            names.push(name);
        }
        position = next;
    }
    names
}

fn number(packet: &Packet, tag: u8) -> Option<u16> {
    packet.option(&[tag])?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// A number of bits, at most 32.
fn bits(count: u32) -> u8 {
    u8::try_from(count).unwrap_or(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Builder, Header, REPLY};
    use alloc::vec;
    use proptest::prelude::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn ack(file: &[u8], fill: impl FnOnce(&mut Builder)) -> Vec<u8> {
        let header = Header {
            op: REPLY,
            mac: MAC,
            your: Some([192, 168, 7, 20].into()),
            next_server: Some([192, 168, 7, 2].into()),
            ..Header::default()
        };
        let mut builder = Builder::new(&header, b"", file);
        builder.option(53, &[5]).option(54, &[192, 168, 7, 1]);
        fill(&mut builder);
        builder.finish()
    }

    fn proxy(file: &[u8], priority: u8) -> Vec<u8> {
        let header = Header { op: REPLY, mac: MAC, ..Header::default() };
        let mut builder = Builder::new(&header, b"", file);
        builder.option(53, &[2]).option(54, &[192, 168, 7, 9]).option(175, &[1, 1, priority]);
        builder.finish()
    }

    #[test]
    fn everything_in_the_packet_is_found() {
        let bytes = ack(b"boot.ipxe", |b| {
            b.option(1, &[255, 255, 252, 0]).option(3, &[192, 168, 7, 254, 192, 168, 7, 253]);
            b.option(6, &[9, 9, 9, 9, 0, 0, 0, 0, 8, 8, 8, 8, 1])
                .option(12, b"host")
                .option(15, b"example.org.\0");
            b.option(26, &[0x23, 0x28]).option(51, &[0, 0, 0x0e, 0x10]);
            b.option(119, b"\x03eng\x07example\x03org\0\x03ops\xc0\x04");
        });
        let lease = Lease::from_cached(&bytes, None, MAC).unwrap();
        assert_eq!((lease.address, lease.prefix_length), (Ipv4Addr::new(192, 168, 7, 20), 22));
        let default = Route {
            destination: Ipv4Addr::UNSPECIFIED,
            prefix_length: 0,
            gateway: Ipv4Addr::new(192, 168, 7, 254),
        };
        assert_eq!(lease.routes, [default]);
        assert_eq!(lease.dns_servers, [Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::new(8, 8, 8, 8)]);
        assert_eq!((lease.domain.as_str(), lease.host_name.as_str()), ("example.org", "host"));
        assert_eq!(lease.search, ["eng.example.org", "ops.example.org"]);
        assert_eq!((lease.mtu, lease.lease_time), (Some(9000), Some(3600)));
        assert_eq!(lease.server, Ipv4Addr::new(192, 168, 7, 1));
        assert_eq!(lease.ack.bytes(), bytes);
        let boot = lease.boot.unwrap();
        assert_eq!((boot.name.as_str(), boot.named), ("boot.ipxe", Named::ByLease));
        assert_eq!(boot.server, Some(Ipv4Addr::new(192, 168, 7, 2)));
    }

    #[test]
    fn what_is_missing_has_sensible_values() {
        let lease = Lease::from_cached(&ack(b"", |_| ()), None, MAC).unwrap();
        assert_eq!((lease.prefix_length, lease.mtu, lease.lease_time), (24, None, None));
        assert_eq!((lease.routes.len(), lease.boot), (0, None));
        let lease = Lease::from_cached(
            &ack(b"", |b| {
                b.option(15, b"d.test").option(26, &[0, 67]);
            }),
            None,
            MAC,
        );
        let lease = lease.unwrap();
        assert_eq!((lease.search, lease.mtu), (vec!["d.test".to_string()], None));
        assert_eq!(class_prefix([10, 0, 0, 1].into()), 8);
        assert_eq!(class_prefix([172, 16, 0, 1].into()), 16);
    }

    #[test]
    fn classless_routes_replace_the_router() {
        let value = [
            24, 10, 1, 2, 192, 168, 7, 3, 0, 192, 168, 7, 4, 9, 10, 255, 0, 0, 0, 0, 32, 1, 2, 3, 4, 5, 6, 7,
            8,
        ];
        let bytes = ack(b"", |b| {
            b.option(3, &[192, 168, 7, 254]).option(121, &value);
        });
        let routes = Lease::from_cached(&bytes, None, MAC).unwrap().routes;
        let route = |destination: [u8; 4], prefix_length, gateway: [u8; 4]| Route {
            destination: destination.into(),
            prefix_length,
            gateway: gateway.into(),
        };
        let expected = [
            route([10, 1, 2, 0], 24, [192, 168, 7, 3]),
            route([0, 0, 0, 0], 0, [192, 168, 7, 4]),
            route([10, 128, 0, 0], 9, [0, 0, 0, 0]),
            route([1, 2, 3, 4], 32, [5, 6, 7, 8]),
        ];
        assert_eq!(routes, expected);
        assert_eq!(classless_routes(&[33, 1, 2, 3, 4, 5, 6, 7, 8, 9]), []);
        assert_eq!(classless_routes(&[24, 10, 1]), []);
        assert_eq!(classless_routes(&[0, 1, 2, 3, 4, 8, 10, 1]).len(), 1);
        let broken = ack(b"", |b| {
            b.option(3, &[192, 168, 7, 254]).option(121, &[40]);
        });
        assert_eq!(Lease::from_cached(&broken, None, MAC).unwrap().routes.len(), 1);
    }

    #[test]
    fn pointers_in_a_search_list_never_go_round() {
        assert_eq!(search_list(&[0xc0, 0]), Vec::<String>::new());
        assert_eq!(search_list(b"\x01a\xc0\0"), Vec::<String>::new());
        assert_eq!(search_list(b"\x01a\0\xc0\x05\xc0\x03"), ["a"]);
        assert_eq!(search_list(b"\x01a\0\x01b\xc0\0\x01c\xc0\x03"), ["a", "b.a", "c.b.a"]);
        assert_eq!(search_list(b"\x05a b.c\0"), Vec::<String>::new());
        assert_eq!(search_list(&[0; 100]), Vec::<String>::new());
    }

    #[test]
    fn the_file_is_the_leases_unless_the_proxy_outranks_it() {
        let named = |lease_file: &[u8], proxy_file: &[u8], priority| {
            let proxy = proxy(proxy_file, priority);
            let lease = Lease::from_cached(&ack(lease_file, |_| ()), Some(&proxy), MAC).unwrap();
            (lease.boot.map(|boot| boot.name), lease.other_boot.map(|boot| boot.name))
        };
        let text = |text: &str| Some(text.to_string());
        assert_eq!(named(b"a", b"b", 0), (text("a"), text("b")));
        assert_eq!(named(b"a", b"b", 1), (text("b"), text("a")));
        assert_eq!(named(b"a", b"b", 0xff), (text("a"), text("b")));
        assert_eq!(named(b"a", b"", 1), (text("a"), None));
        assert_eq!(named(b"", b"b", 0xff), (text("b"), None));
        assert_eq!(named(b"", b"", 1), (None, None));
    }

    #[test]
    fn our_own_image_came_from_packet_three_or_two() {
        let two = ack(b"two.kpxe", |_| ());
        let three = proxy(b"three.kpxe", 0);
        let boot = cached_boot_file(Some(&two), Some(&three), MAC).unwrap();
        assert_eq!((boot.name.as_str(), boot.server), ("three.kpxe", Some([192, 168, 7, 9].into())));
        let boot = cached_boot_file(Some(&two), Some(&proxy(b"", 0)), MAC).unwrap();
        assert_eq!((boot.name.as_str(), boot.server), ("two.kpxe", Some([192, 168, 7, 2].into())));
        assert_eq!(cached_boot_file(Some(&two), Some(&[0; 548]), MAC).unwrap().name, "two.kpxe");
        assert_eq!(cached_boot_file(Some(&two), None, MacAddress([2; 6])), None);
        assert_eq!(cached_boot_file(None, None, MAC), None);
    }

    #[test]
    fn a_server_is_found_where_siaddr_is_zero() {
        let header = Header { op: REPLY, mac: MAC, ..Header::default() };
        let mut builder = Builder::new(&header, b"10.9.8.7", b"f");
        builder.option(54, &[10, 0, 0, 1]);
        let packet = Packet::parse(&builder.finish()).unwrap();
        assert_eq!(BootFile::of(&packet, Named::ByLease).unwrap().server, Some([10, 9, 8, 7].into()));
        let mut builder = Builder::new(&header, b"a.name", b"f");
        builder.option(54, &[10, 0, 0, 1]);
        let packet = Packet::parse(&builder.finish()).unwrap();
        assert_eq!(BootFile::of(&packet, Named::ByLease).unwrap().server, Some([10, 0, 0, 1].into()));
    }

    #[test]
    fn cached_packets_that_are_not_ours_are_refused() {
        let good = ack(b"", |_| ());
        let refused =
            |bytes: &[u8]| Lease::from_cached(bytes, None, MAC).err().map(|error| error.kind().id());
        assert_eq!(refused(&good), None);
        assert_eq!(refused(&good[..200]), Some("DHCP-05"));
        let mut other = good.clone();
        other[33] = 9;
        assert_eq!(refused(&other), Some("DHCP-06"));
        let mut nowhere = good.clone();
        nowhere[16..20].fill(0);
        assert_eq!(refused(&nowhere), Some("DHCP-05"));
        let mut offer = good;
        offer[242] = 2;
        assert_eq!(refused(&offer), Some("DHCP-05"));
    }

    #[test]
    fn a_copy_of_the_ack_is_no_proxy() {
        let bytes = ack(b"f", |_| ());
        assert_eq!(Lease::from_cached(&bytes, Some(&bytes), MAC).unwrap().proxy, None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(options in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = ack(b"f", |_| ());
            bytes.truncate(246);
            bytes.extend_from_slice(&options);
            let _ = Lease::from_cached(&bytes, Some(&bytes), MAC);
        }

        #[test]
        fn lists_are_bounded(value in proptest::collection::vec(prop_oneof![Just(0u8), Just(0xc0), Just(1), any::<u8>()], 0..400)) {
            prop_assert!(search_list(&value).iter().all(|name| name.len() <= 253));
            prop_assert!(search_list(&value).len() <= LIST_LIMIT);
            prop_assert!(classless_routes(&value).iter().all(|route| route.prefix_length <= 32));
        }
    }
}
