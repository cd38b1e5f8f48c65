//! What a device says of itself (USB 2.0, chapter 9; CDC 1.2; ECM120; [MS-RNDIS]), every byte of which may be wrong.

use base::MacAddress;

/// Types of descriptors.
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const CLASS_SPECIFIC: u8 = 0x24;

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number, 1 to 15, and bit 7 where it sends to us.
    pub address: u8,
    /// The most bytes of a packet, 1 to 1024.
    pub packet: u16,
    /// How often it is to be asked, in a unit that depends on the speed.
    pub interval: u8,
}

impl Endpoint {
    /// Its place among the contexts of a device, 2 to 31 (xHCI 1.2, section 4.5.1).
    pub fn index(&self) -> u32 {
        u32::from(self.address & 0xf) << 1 | u32::from(self.address >> 7)
    }

    fn is_in(&self) -> bool {
        self.address & 0x80 != 0
    }
}

/// How an adapter carries frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The Ethernet Networking Control Model: a frame is a transfer.
    Ethernet {
        /// Which string is the station's address.
        mac_string: u8,
        /// The most bytes of a frame.
        segment: u16,
    },
    /// Remote NDIS: a frame is in a message, of which a transfer has some.
    RemoteNdis,
}

/// A network adapter: one configuration of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// How it carries frames.
    pub class: Class,
    /// The configuration's number.
    pub configuration: u8,
    /// The interface that is told of filters and tells of the cable.
    pub control: u8,
    /// The interface that carries frames.
    pub data: u8,
    /// The setting of it that has endpoints.
    pub setting: u8,
    /// Tells of the cable, or of messages.
    pub notify: Option<Endpoint>,
    /// Frames to us, in bulk.
    pub input: Endpoint,
    /// Frames from us, in bulk.
    pub output: Endpoint,
}

/// An interface's setting (USB 2.0, table 9-12).
#[derive(Clone, Copy, Default)]
struct Interface {
    number: u8,
    setting: u8,
    class: [u8; 3],
}

impl Interface {
    /// Communications, Ethernet Networking Control Model, no protocol (ECM120, section 4.2; CDC 1.2, section 4.3).
    const ETHERNET: [u8; 3] = [2, 6, 0];
    /// Remote NDIS: as a modem of the vendor's own protocol, as a wireless controller, and among what is miscellaneous
    /// (the first is in [MS-RNDIS]'s description of USB; all are in the list of classes of usb.org, or were so used
    /// before).
    const REMOTE_NDIS: [[u8; 3]; 3] = [[2, 2, 0xff], [0xe0, 1, 3], [0xef, 4, 1]];
    /// Data, no subclass, no protocol (CDC 1.2, section 4.5).
    const DATA: [u8; 3] = [10, 0, 0];
}

/// A control interface, and what the functional descriptors of it say.
#[derive(Clone, Copy)]
struct Functions {
    control: u8,
    data: Option<u8>,
    ethernet: Option<(u8, u16)>,
    notify: Option<Endpoint>,
}

/// Descriptors, one after the other, as long as they are whole.
fn each<'a>(mut rest: &'a [u8], mut take: impl FnMut(u8, &'a [u8])) {
    while let [length, kind, ..] = rest {
        // Each is two bytes long at least, or they do not end.
        let Some((descriptor, behind)) = rest.split_at_checked(usize::from(*length).max(2)) else { return };
        take(*kind, descriptor);
        rest = behind;
    }
}

/// Shows each interface setting's descriptors to `take`, the interface's own first.
fn each_of_interfaces<'a>(configuration: &'a [u8], mut take: impl FnMut(Interface, u8, &'a [u8])) {
    let mut interface = None;
    each(configuration, |kind, descriptor| {
        if let (INTERFACE, [_, _, number, setting, _, class, subclass, protocol, ..]) = (kind, descriptor) {
            let class = [*class, *subclass, *protocol];
            interface = Some(Interface { number: *number, setting: *setting, class });
        }
        if let Some(interface) = interface {
            take(interface, kind, descriptor);
        }
    });
}

/// An endpoint of this kind of transfer (USB 2.0, table 9-13).
fn endpoint(kind: u8, descriptor: &[u8], transfer: u8) -> Option<Endpoint> {
    let [_, ENDPOINT, address, attributes, low, high, interval, ..] = *descriptor else { return None };
    let packet = u16::from_le_bytes([low, high]) & 0x7ff;
    let is_right = kind == ENDPOINT && attributes & 3 == transfer;
    let is_possible = address & 0xf != 0 && (1..=1024).contains(&packet);
    (is_right && is_possible).then_some(Endpoint { address: address & 0x8f, packet, interval })
}

/// The network adapter in a configuration, if there is one that is whole; Ethernet's own class before Remote NDIS.
pub fn adapter(configuration: &[u8]) -> Option<Adapter> {
    ethernet(configuration).or_else(|| remote_ndis(configuration))
}

fn ethernet(configuration: &[u8]) -> Option<Adapter> {
    /// Ethernet's own, where an adapter does not say (ECM120, table 3).
    const USUAL_SEGMENT: u16 = 1514;
    let functions = functions(configuration, &[Interface::ETHERNET], |functions| {
        functions.data.is_some() && functions.ethernet.is_some()
    })?;
    let (mac_string, segment) = functions.ethernet?;
    let segment = if segment == 0 { USUAL_SEGMENT } else { segment };
    carried(configuration, Class::Ethernet { mac_string, segment }, functions, functions.data?)
}

fn remote_ndis(configuration: &[u8]) -> Option<Adapter> {
    let functions = functions(configuration, &Interface::REMOTE_NDIS, |_| true)?;
    // Some do not say which interface carries frames: it is the next one.
    let data = functions.data.unwrap_or(functions.control.wrapping_add(1));
    carried(configuration, Class::RemoteNdis, functions, data)
}

/// The first control interface of these classes that is whole, or else the last one.
fn functions(
    configuration: &[u8],
    classes: &[[u8; 3]],
    is_whole: fn(&Functions) -> bool,
) -> Option<Functions> {
    const INTERRUPT: u8 = 3;
    /// Subtypes of functional descriptors (CDC 1.2, table 13).
    const UNION: u8 = 6;
    const ETHERNET: u8 = 0xf;

    let mut found: Option<Functions> = None;
    each_of_interfaces(configuration, |interface, kind, descriptor| {
        if !classes.contains(&interface.class) {
            return;
        }
        if kind == INTERFACE && !found.as_ref().is_some_and(is_whole) {
            found = Some(Functions { control: interface.number, data: None, ethernet: None, notify: None });
        }
        let Some(functions) = found.as_mut().filter(|found| found.control == interface.number) else {
            return;
        };
        match *descriptor {
            [_, CLASS_SPECIFIC, UNION, control, data, ..] if control == interface.number => {
                functions.data = Some(data);
            }
            [_, CLASS_SPECIFIC, ETHERNET, mac, _, _, _, _, low, high, ..] => {
                functions.ethernet = Some((mac, u16::from_le_bytes([low, high])));
            }
            _ => functions.notify = functions.notify.or(endpoint(kind, descriptor, INTERRUPT)),
        }
    });
    found
}

/// The adapter whose frames that data interface carries, if it has both endpoints.
fn carried(configuration: &[u8], class: Class, functions: Functions, data: u8) -> Option<Adapter> {
    const BULK: u8 = 2;
    let (mut input, mut output) = (None, None);
    let mut setting = None;
    each_of_interfaces(configuration, |interface, kind, descriptor| {
        if interface.number != data || interface.class != Interface::DATA {
            return;
        }
        // The first setting with both endpoints is the one; the usual one without any is skipped.
        let is_whole = input.is_some() && output.is_some();
        if kind == INTERFACE && !is_whole {
            (setting, input, output) = (Some(interface.setting), None, None);
        }
        if let Some(endpoint) =
            endpoint(kind, descriptor, BULK).filter(|_| setting == Some(interface.setting))
        {
            let place = if endpoint.is_in() { &mut input } else { &mut output };
            place.get_or_insert(endpoint);
        }
    });
    let (input, output, setting) = (input?, output?, setting?);
    let notify = functions.notify.filter(|notify| notify.is_in() && notify.address != input.address);
    let number = *configuration.get(5)?;
    Some(Adapter {
        class,
        configuration: number,
        control: functions.control,
        data,
        setting,
        notify,
        input,
        output,
    })
}

/// The station's address in a string descriptor: twelve hexadecimal digits (ECM120, table 3).
pub fn mac_address(string: &[u8]) -> Option<MacAddress> {
    let [length, 3, text @ ..] = string else { return None };
    let text = text.get(..usize::from(*length).checked_sub(2)?)?;
    let mut digits = text.chunks_exact(2).map(|unit| {
        let character = char::from_u32(u16::from_le_bytes([*unit.first()?, *unit.get(1)?]).into())?;
        u8::try_from(character.to_digit(16)?).ok()
    });
    let mut bytes = [0; 6];
    for byte in &mut bytes {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    digits.next().is_none().then_some(MacAddress(bytes))
}
