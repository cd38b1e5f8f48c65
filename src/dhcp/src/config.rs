//! Who we say that we are.

use crate::packet::{Builder, Packet, append_option, message, tag};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, MacAddress};
use core::net::Ipv4Addr;

/// The options that we ask for, as the reference does; servers that tell clients apart by this list know it.
const WANTED: &[u8] = &[
    tag::SUBNET_MASK,
    tag::ROUTERS,
    tag::DNS_SERVERS,
    7,
    tag::HOST_NAME,
    tag::DOMAIN_NAME,
    17,
    tag::MTU,
    42,
    tag::VENDOR,
    tag::VENDOR_CLASS,
    tag::BOOT_SERVER_NAME,
    tag::BOOT_FILE,
    tag::SEARCH_LIST,
    tag::CLASSLESS_ROUTES,
    128,
    129,
    130,
    131,
    132,
    133,
    134,
    135,
    tag::IPXE,
    203,
];

/// The longest answer that we take, in bytes: one Ethernet frame's UDP payload.
const MAXIMUM_SIZE: u16 = 1472;

/// What an exchange is about.
#[derive(Clone, Debug)]
pub struct Config {
    /// The card.
    pub mac: MacAddress,
    /// Any number; different ones for different machines and exchanges, so that they do not send in step.
    pub seed: u64,
    /// How long servers are looked for.
    pub total: Duration,
    /// Whether answers shall be broadcast: needed by a network stack that takes nothing before it has an address.
    pub broadcast: bool,
    /// The address that we would like again (option 50).
    pub requested_address: Option<Ipv4Addr>,
    /// Option 61.
    pub client_identifier: ClientIdentifier,
    /// The machine's UUID (option 97), in the byte order of its SMBIOS structure, where the first three fields of
    /// SMBIOS 2.6 and later are little-endian: that is also what PXE ROMs send.
    pub uuid: Option<[u8; 16]>,
    /// Option 60, at most 255 bytes.
    pub vendor_class: Vec<u8>,
    /// Option 77, at most 255 bytes: without the length byte of RFC 3004, as servers' policies compare it.
    pub user_class: Vec<u8>,
    /// The features of this build: tags inside option 175.
    pub features: &'static [u8],
    /// The card's PCI vendor and device id, if it has them.
    pub pci: Option<(u16, u16)>,
    /// Major, minor and patch version of the firmware.
    pub version: [u8; 3],
    /// The file that our own image seems to have come from. An answer that names it again is not worth more than
    /// one without a file.
    pub own_file: Option<String>,
}

/// How option 61 is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientIdentifier {
    /// From hardware type and address.
    Hardware,
    /// These bytes, at most 255.
    Bytes(Vec<u8>),
    /// The option is left out.
    Absent,
}

impl Config {
    /// For the card `mac`, with the values that sites rely on.
    pub fn new(mac: MacAddress, seed: u64) -> Self {
        Self {
            mac,
            seed,
            total: Duration::from_secs(60),
            broadcast: true,
            requested_address: None,
            client_identifier: ClientIdentifier::Hardware,
            uuid: None,
            vendor_class: b"PXEClient:Arch:00000:UNDI:002001".to_vec(),
            user_class: b"iPXE".to_vec(),
            features: &[],
            pci: None,
            version: [0; 3],
            own_file: None,
        }
    }

    /// Takes the identity that the ROM used in its DISCOVER (packet 1 of PXE 2.1 section 4.4.3), so that servers see
    /// the same client again: option 61 as it was there or was not there, and option 97 if no UUID is known.
    /// A packet that is not a DISCOVER of this card is passed over.
    pub fn adopt(&mut self, discover: &[u8]) {
        let Some(packet) = Packet::parse(discover) else { return };
        if packet.mac() != self.mac || packet.message_type() != Some(message::DISCOVER) {
            return;
        }
        self.client_identifier = match packet.option(&[tag::CLIENT_IDENTIFIER]) {
            Some(bytes) => ClientIdentifier::Bytes(bytes),
            None => ClientIdentifier::Absent,
        };
        if let (None, Some(uuid)) = (self.uuid, packet.option(&[tag::MACHINE_UUID])) {
            self.uuid = uuid.strip_prefix(&[0]).and_then(|uuid| uuid.first_chunk()).copied();
        }
    }

    /// Appends what stands in every message of ours.
    pub(crate) fn identify(&self, kind: u8, builder: &mut Builder) {
        builder
            .option(tag::MESSAGE_TYPE, &[kind])
            .option(tag::MAXIMUM_SIZE, &MAXIMUM_SIZE.to_be_bytes())
            .option(tag::PARAMETER_LIST, WANTED)
            .option(tag::VENDOR_CLASS, capped(&self.vendor_class))
            .option(tag::USER_CLASS, capped(&self.user_class))
            .option(tag::ARCHITECTURE, &[0, 0])
            .option(tag::INTERFACE_VERSION, &[1, 2, 1]);
        if let Some(uuid) = &self.uuid {
            let mut value = Vec::from([0]);
            value.extend_from_slice(uuid);
            builder.option(tag::MACHINE_UUID, &value);
        }
        match &self.client_identifier {
            ClientIdentifier::Hardware => {
                let mut value = Vec::from([1]);
                value.extend_from_slice(&self.mac.0);
                builder.option(tag::CLIENT_IDENTIFIER, &value);
            }
            ClientIdentifier::Bytes(bytes) => {
                builder.option(tag::CLIENT_IDENTIFIER, capped(bytes));
            }
            ClientIdentifier::Absent => (),
        }
        let mut own = Vec::new();
        for feature in self.features.iter().take(64) {
            append_option(&mut own, *feature, &[1]);
        }
        if let Some((vendor, device)) = self.pci {
            let [v, w] = vendor.to_be_bytes();
            let [d, e] = device.to_be_bytes();
            append_option(&mut own, tag::IPXE_BUS_ID, &[1, v, w, d, e]);
        }
        append_option(&mut own, tag::IPXE_VERSION, &self.version);
        builder.option(tag::IPXE, &own);
    }
}

fn capped(value: &[u8]) -> &[u8] {
    value.get(..255).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Header, REQUEST};

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn sent(config: &Config) -> Packet {
        let header = Header { op: REQUEST, mac: MAC, ..Header::default() };
        let mut builder = Builder::new(&header, b"", b"");
        config.identify(message::DISCOVER, &mut builder);
        Packet::parse(&builder.finish()).unwrap()
    }

    #[test]
    fn we_say_who_we_are_as_sites_expect() {
        let mut config = Config::new(MAC, 1);
        config.uuid = Some(*b"0123456789abcdef");
        config.features = &[0x10, 0x13, 0x15];
        config.pci = Some((0x8086, 0x100e));
        config.version = [2, 0, 1];
        let packet = sent(&config);
        assert_eq!(packet.text(&[60]), "PXEClient:Arch:00000:UNDI:002001");
        assert_eq!(packet.option(&[77]).unwrap(), b"iPXE".as_slice());
        assert_eq!(packet.option(&[93]).unwrap(), [0, 0].as_slice());
        assert_eq!(packet.option(&[94]).unwrap(), [1, 2, 1].as_slice());
        assert_eq!(packet.option(&[97]).unwrap(), b"\x000123456789abcdef".as_slice());
        assert_eq!(packet.option(&[61]).unwrap(), [1, 2, 0, 0, 0, 0, 1].as_slice());
        assert_eq!(packet.option(&[57]).unwrap(), [5, 0xc0].as_slice());
        assert_eq!(packet.option(&[55]).unwrap().len(), 25);
        let own = [0x10, 1, 1, 0x13, 1, 1, 0x15, 1, 1, 0xb1, 5, 1, 0x80, 0x86, 0x10, 0x0e, 0xeb, 3, 2, 0, 1];
        assert_eq!(packet.option(&[175]).unwrap(), own.as_slice());
    }

    #[test]
    fn the_identifier_of_the_rom_is_kept() {
        let mut config = Config::new(MAC, 1);
        let mut rom = config.clone();
        rom.client_identifier = ClientIdentifier::Bytes(b"\0rom".to_vec());
        rom.uuid = Some([7; 16]);
        config.adopt(sent(&rom).bytes());
        assert_eq!(config.client_identifier, ClientIdentifier::Bytes(b"\0rom".to_vec()));
        assert_eq!(config.uuid, Some([7; 16]));
        rom.client_identifier = ClientIdentifier::Absent;
        config.adopt(sent(&rom).bytes());
        assert_eq!(sent(&config).option(&[61]), None);
    }

    #[test]
    fn a_discover_of_another_card_changes_nothing() {
        let mut config = Config::new(MacAddress([2, 0, 0, 0, 0, 2]), 1);
        let mut rom = Config::new(MAC, 1);
        rom.client_identifier = ClientIdentifier::Absent;
        config.adopt(sent(&rom).bytes());
        config.adopt(&[]);
        assert_eq!(config.client_identifier, ClientIdentifier::Hardware);
    }
}
