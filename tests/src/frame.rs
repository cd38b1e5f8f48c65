//! As much of Ethernet, IPv4, UDP and TCP as the peer looks at.

const UDP: u8 = 17;
const TCP: u8 = 6;
const DHCP_PORTS: [u16; 3] = [67, 68, 4011];

/// An IPv4 frame with UDP or TCP in it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    protocol: u8,
    source: u16,
    destination: u16,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame, if it is of that kind and has no tag.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(12..14)? != [8, 0] {
            return None;
        }
        let packet = bytes.get(14..)?;
        let total = usize::from(word(packet, 2)?);
        let packet = packet.get(..total)?;
        let protocol = *packet.get(9)?;
        let segment = packet.get(usize::from(packet.first()? & 0xf) * 4..)?;
        let header = match protocol {
            UDP => 8,
            TCP => usize::from(segment.get(12)? >> 4) * 4,
            _ => return None,
        };
        let payload = segment.get(header..)?;
        Some(Self { protocol, source: word(segment, 0)?, destination: word(segment, 2)?, payload })
    }

    /// Whether it is of a DHCP client or server.
    pub fn is_dhcp(&self) -> bool {
        self.protocol == UDP && DHCP_PORTS.contains(&self.source) && DHCP_PORTS.contains(&self.destination)
    }

    /// The name of the file that it asks for by TFTP or HTTP.
    pub fn request(&self) -> Option<String> {
        let (name, end) = match (self.protocol, self.destination) {
            (UDP, 69) => (self.payload.strip_prefix(&[0, 1])?, 0),
            (TCP, _) => (self.payload.strip_prefix(b"GET ")?, b' '),
            _ => return None,
        };
        let name = name.split(|&byte| byte == end).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Bytes of a server's data in it: the payload of TCP, or of UDP that is not DHCP and not DNS.
    pub fn data_length(&self) -> usize {
        if self.protocol == UDP && (self.is_dhcp() || self.source == 53) { 0 } else { self.payload.len() }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let pair: &[u8; 2] = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*pair))
}

/// Where a frame has its tag, if it has one (IEEE 802.1Q).
const TAG: std::ops::Range<usize> = 12..16;

/// The VLAN of a frame with a tag.
pub fn vlan(frame: &[u8]) -> Option<u16> {
    let [0x81, 0, high, low] = frame.get(TAG)? else { return None };
    Some(u16::from_be_bytes([*high, *low]) & 0xfff)
}

/// The frame without its tag.
pub fn untagged(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.drain(TAG);
    frame
}

/// The frame with a tag, of priority 0.
pub fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let [high, low] = vlan.to_be_bytes();
    frame.splice(TAG.start..TAG.start, [0x81, 0, high, low]);
    frame
}

/// Writes another user class (option 77) over `iPXE` in a DHCP frame, and takes out the UDP checksum.
pub fn overwrite_user_class(frame: &mut [u8]) {
    const CLASS: &[u8; 6] = b"\x4d\x04iPXE";
    let udp = 14 + usize::from(frame.get(14).copied().unwrap_or_default() & 0xf) * 4;
    let options = udp + 8 + 240;
    let Some(tail) = frame.get_mut(options..) else { return };
    let Some(at) = tail.windows(CLASS.len()).position(|window| window == CLASS) else { return };
    tail[at + 2..at + CLASS.len()].copy_from_slice(b"ROM0");
    frame[udp + 6..udp + 8].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(protocol: u8, ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
        let transport = if protocol == UDP { 8 } else { 20 };
        let mut frame = vec![0; 14 + 20 + transport];
        frame[12] = 8;
        frame[14] = 0x45;
        let total = u16::try_from(20 + transport + payload.len()).unwrap();
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[23] = protocol;
        frame[34..36].copy_from_slice(&ports[0].to_be_bytes());
        frame[36..38].copy_from_slice(&ports[1].to_be_bytes());
        if protocol == TCP {
            frame[46] = 0x50;
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn requests_are_named() {
        let bytes = frame(UDP, [2000, 69], b"\0\x01undionly.kpxe\0octet\0");
        assert_eq!(Frame::parse(&bytes).unwrap().request().as_deref(), Some("undionly.kpxe"));
        let bytes = frame(TCP, [2000, 80], b"GET /a/b HTTP/1.1\r\n");
        assert_eq!(Frame::parse(&bytes).unwrap().request().as_deref(), Some("/a/b"));
        assert_eq!(Frame::parse(&frame(UDP, [69, 2000], b"\0\x03\0\x01data")).unwrap().request(), None);
    }

    #[test]
    fn tags_come_and_go() {
        let bytes = frame(UDP, [2000, 69], b"\0\x01a\0octet\0");
        let marked = tagged(&bytes, 100);
        assert_eq!((vlan(&bytes), vlan(&marked), vlan(&marked[..15])), (None, Some(100), None));
        assert_eq!(untagged(&marked), bytes);
        assert!(Frame::parse(&marked).is_none());
    }

    #[test]
    fn padding_is_not_data() {
        let mut bytes = frame(TCP, [80, 2000], b"");
        bytes.extend_from_slice(&[0; 6]);
        assert_eq!(Frame::parse(&bytes).unwrap().data_length(), 0);
    }

    #[test]
    fn broken_frames_are_no_frames() {
        let whole = frame(TCP, [80, 2000], b"data");
        for length in 0..whole.len() {
            assert!(Frame::parse(&whole[..length]).is_none());
        }
    }

    #[test]
    fn the_user_class_is_overwritten_and_nothing_else() {
        let mut payload = vec![0; 240];
        payload.extend_from_slice(b"\x35\x01\x01\x4d\x04iPXE\xff");
        let mut bytes = frame(UDP, [68, 67], &payload);
        bytes[40] = 0xaa;
        overwrite_user_class(&mut bytes);
        assert!(bytes.ends_with(b"\x35\x01\x01\x4d\x04ROM0\xff"));
        assert_eq!(bytes[40], 0);
        overwrite_user_class(&mut [0; 20]);
    }
}
