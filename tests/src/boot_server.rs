//! A PXE boot server that listens to a group or to broadcasts only, as no server of Debian does. It lives on the wire.

use crate::namespace::{SECOND, SERVER};
use dhcp::Packet;
use dhcp::packet::{Builder, Header, REPLY, message, tag};
use std::net::Ipv4Addr;

/// What it does.
#[derive(Clone, Debug)]
pub struct BootServer {
    /// Where it listens: a group, or the broadcast address.
    pub listens: Ipv4Addr,
    /// The kind of server that it is.
    pub kind: u16,
    /// The file that it names, which the ordinary TFTP server has.
    pub file: &'static str,
}

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;

impl BootServer {
    /// Its answer to a frame, as a frame.
    pub fn answer(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let from: [u8; 6] = *frame.get(6..)?.first_chunk()?;
        let packet = frame.get(ETHERNET..)?;
        let [0x45, _, _, _, _, _, _, _, _, 17, _, _, a, b, c, d, to @ ..] = packet else { return None };
        let to = Ipv4Addr::from(*to.first_chunk::<4>()?);
        let port = u16::from_be_bytes(*packet.get(IPV4 + 2..)?.first_chunk()?);
        let wanted = if to.is_broadcast() { 67 } else { 4011 };
        let question = Packet::parse(packet.get(IPV4 + UDP..)?)?;
        let item = question.option(&[tag::VENDOR, tag::PXE_BOOT_ITEM])?;
        if to != self.listens || port != wanted || item.first_chunk() != Some(&self.kind.to_be_bytes()) {
            return None;
        }
        let header = Header {
            op: REPLY,
            xid: question.xid(),
            mac: question.mac(),
            next_server: SERVER.parse().ok(),
            ..Header::default()
        };
        let second: Ipv4Addr = SECOND.parse().ok()?;
        let mut builder = Builder::new(&header, b"", self.file.as_bytes());
        builder
            .option(tag::MESSAGE_TYPE, &[message::ACK])
            .option(tag::SERVER_IDENTIFIER, &second.octets())
            .option(tag::VENDOR_CLASS, b"PXEClient")
            .option(tag::VENDOR, &[&[tag::PXE_BOOT_ITEM, 4], &*item].concat());
        let payload = builder.finish();
        let length = |headers: usize| u16::try_from(headers + payload.len()).map(u16::to_be_bytes);
        let mut answer = [from.as_slice(), &[0x52, 0x54, 0, 0x77, 0, 0x55, 8, 0]].concat();
        let mut ip = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, *a, *b, *c, *d];
        ip[2..4].copy_from_slice(&length(IPV4 + UDP).ok()?);
        ip[12..16].copy_from_slice(&second.octets());
        let (words, _) = ip.as_chunks::<2>();
        let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).ok()?;
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        answer.extend(ip);
        // From port 4011 to 68, without a sum, which IPv4 allows.
        answer.extend([0x0f, 0xab, 0, 68]);
        answer.extend(length(UDP).ok()?);
        answer.extend([0, 0]);
        answer.extend(payload);
        Some(answer)
    }
}
