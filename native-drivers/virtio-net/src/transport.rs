//! How the device is told things: by the capabilities of version 1, or by the ports of the time before (Virtual I/O
//! Device Version 1.2, sections 4.1.4 and 4.1.4.10).

use base::Error;
use hw::device::Device;
use nic::errors;

/// Bits of the device's status (section 2.1).
pub(crate) mod status {
    pub(crate) const ACKNOWLEDGE: u8 = 1;
    pub(crate) const DRIVER: u8 = 2;
    pub(crate) const DRIVER_OK: u8 = 4;
    pub(crate) const FEATURES_OK: u8 = 8;
}

/// VIRTIO_F_VERSION_1.
pub(crate) const VERSION_1: u64 = 1 << 32;

/// A structure in one of the device's regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    bar: u8,
    offset: u32,
}

/// A device and the way to talk to it.
#[derive(Debug)]
pub(crate) struct Transport<D: Device> {
    pub(crate) device: D,
    way: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// Ports in the first region.
    Legacy,
    /// Structures that capabilities point to.
    Modern { common: Place, notify: Place, multiplier: u32, configuration: Place },
}

impl Way {
    /// Where the device's status is.
    fn status(self) -> Place {
        match self {
            Self::Legacy => Place { bar: 0, offset: LEGACY_STATUS },
            Self::Modern { common: Place { bar, offset }, .. } => Place { bar, offset: offset + STATUS },
        }
    }
}

/// Where a queue's three parts are in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueAddresses {
    pub(crate) descriptors: u64,
    pub(crate) available: u64,
    pub(crate) used: u64,
}

// The ports of a legacy device.
const LEGACY_FEATURES: u32 = 0x00;
const LEGACY_DRIVER_FEATURES: u32 = 0x04;
const LEGACY_QUEUE_PAGE: u32 = 0x08;
const LEGACY_QUEUE_SIZE: u32 = 0x0c;
const LEGACY_QUEUE_SELECT: u32 = 0x0e;
const LEGACY_NOTIFY: u32 = 0x10;
const LEGACY_STATUS: u32 = 0x12;
const LEGACY_CONFIGURATION: u32 = 0x14;

// The common structure of a modern one.
const FEATURE_SELECT: u32 = 0x00;
const FEATURES: u32 = 0x04;
const DRIVER_FEATURE_SELECT: u32 = 0x08;
const DRIVER_FEATURES: u32 = 0x0c;
const NUMBER_OF_QUEUES: u32 = 0x12;
const STATUS: u32 = 0x14;
const QUEUE_SELECT: u32 = 0x16;
const QUEUE_SIZE: u32 = 0x18;
const QUEUE_ENABLE: u32 = 0x1c;
const QUEUE_NOTIFY_OFFSET: u32 = 0x1e;
const QUEUE_ADDRESSES: u32 = 0x20;

impl<D: Device> Transport<D> {
    /// Finds out how to talk to `device`.
    pub(crate) fn new(device: D) -> Self {
        let way = modern(&device).unwrap_or(Way::Legacy);
        Self { device, way }
    }

    /// Whether the device is of version 1.
    pub(crate) fn is_modern(&self) -> bool {
        matches!(self.way, Way::Modern { .. })
    }

    fn status(&self) -> u8 {
        let Place { bar, offset } = self.way.status();
        self.device.read8(bar, offset)
    }

    fn set_status(&mut self, status: u8) {
        let Place { bar, offset } = self.way.status();
        self.device.write8(bar, offset, status);
    }

    /// Adds to the status.
    pub(crate) fn announce(&mut self, bits: u8) {
        let status = self.status();
        self.set_status(status | bits);
    }

    /// Stops the device (section 2.4).
    pub(crate) fn reset(&mut self) -> Result<(), Error> {
        self.set_status(0);
        let Place { bar, offset } = self.way.status();
        match self.device.becomes(|device| device.read8(bar, offset) == 0) {
            true => Ok(()),
            false => Err(errors::NO_ANSWER.of("its reset does not end")),
        }
    }

    /// Agrees on those of `wanted` that the device has, and answers them (section 3.1.1).
    pub(crate) fn negotiate(&mut self, wanted: u64) -> Result<u64, Error> {
        let offered = match self.way {
            Way::Legacy => u64::from(self.device.read32(0, LEGACY_FEATURES)),
            Way::Modern { common, .. } => [1, 0].into_iter().fold(0, |features, half| {
                self.device.write32(common.bar, common.offset + FEATURE_SELECT, half);
                features << 32 | u64::from(self.device.read32(common.bar, common.offset + FEATURES))
            }),
        };
        let agreed = offered & wanted;
        let [low, high] = [agreed as u32, (agreed >> 32) as u32];
        let Way::Modern { common, .. } = self.way else {
            self.device.write32(0, LEGACY_DRIVER_FEATURES, low);
            return Ok(agreed);
        };
        for (half, bits) in [(0, low), (1, high)] {
            self.device.write32(common.bar, common.offset + DRIVER_FEATURE_SELECT, half);
            self.device.write32(common.bar, common.offset + DRIVER_FEATURES, bits);
        }
        self.announce(status::FEATURES_OK);
        match agreed & VERSION_1 != 0 && self.status() & status::FEATURES_OK != 0 {
            true => Ok(agreed),
            false => Err(errors::UNSUPPORTED.of("features")),
        }
    }

    /// Selects a queue, asks for at most `wanted` descriptors in it, and answers how many it has; 0 if it is not there.
    /// A legacy device decides alone.
    pub(crate) fn queue_size(&mut self, queue: u16, wanted: u16) -> u16 {
        match self.way {
            Way::Legacy => {
                self.device.write16(0, LEGACY_QUEUE_SELECT, queue);
                self.device.read16(0, LEGACY_QUEUE_SIZE)
            }
            Way::Modern { common: Place { bar, offset }, .. } => {
                self.device.write16(bar, offset + QUEUE_SELECT, queue);
                let size = self.device.read16(bar, offset + QUEUE_SIZE).min(wanted);
                self.device.write16(bar, offset + QUEUE_SIZE, size);
                size
            }
        }
    }

    /// Gives the queue that is selected to the device; answers how it is notified of news in it.
    pub(crate) fn enable_queue(&mut self, addresses: QueueAddresses) -> Doorbell {
        match self.way {
            Way::Legacy => {
                self.device.write32(0, LEGACY_QUEUE_PAGE, (addresses.descriptors >> 12) as u32);
                Doorbell { bar: 0, offset: LEGACY_NOTIFY }
            }
            Way::Modern { common: Place { bar, offset }, notify, multiplier, .. } => {
                let parts = [addresses.descriptors, addresses.available, addresses.used];
                for (at, address) in (offset + QUEUE_ADDRESSES..).step_by(8).zip(parts) {
                    self.device.write32(bar, at, address as u32);
                    self.device.write32(bar, at + 4, (address >> 32) as u32);
                }
                let number = self.device.read16(bar, offset + QUEUE_NOTIFY_OFFSET);
                self.device.write16(bar, offset + QUEUE_ENABLE, 1);
                let away = u32::from(number).wrapping_mul(multiplier);
                Doorbell { bar: notify.bar, offset: notify.offset.wrapping_add(away) }
            }
        }
    }

    /// Tells the device of news in a queue.
    pub(crate) fn ring(&mut self, doorbell: Doorbell, queue: u16) {
        self.device.write16(doorbell.bar, doorbell.offset, queue);
    }

    /// A byte of what the device says of itself (section 5.1.4).
    pub(crate) fn configuration(&self, offset: u32) -> u8 {
        match self.way {
            Way::Legacy => self.device.read8(0, LEGACY_CONFIGURATION + offset),
            Way::Modern { configuration, .. } => {
                self.device.read8(configuration.bar, configuration.offset.wrapping_add(offset))
            }
        }
    }
}

/// Where a queue's news are told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doorbell {
    bar: u8,
    offset: u32,
}

/// Looks for the capabilities of version 1 (section 4.1.4); none if one is missing, or where it points to is not to be
/// reached.
fn modern<D: Device>(device: &D) -> Option<Way> {
    const COMMAND_AND_STATUS: u16 = 0x04;
    const HAS_CAPABILITIES: u32 = 1 << 20;
    const FIRST_CAPABILITY: u16 = 0x34;
    const VENDOR_SPECIFIC: u32 = 9;
    const COMMON: u32 = 1;
    const NOTIFY: u32 = 2;
    const CONFIGURATION: u32 = 4;
    /// As many as there is room for in 256 bytes.
    const CAPABILITIES: u32 = 48;

    if device.read_configuration(COMMAND_AND_STATUS) & HAS_CAPABILITIES == 0 {
        return None;
    }
    let (mut common, mut notify, mut configuration) = (None, None, None);
    let mut at = device.read_configuration(FIRST_CAPABILITY) & 0xfc;
    for _ in 0..CAPABILITIES {
        if at < 0x40 {
            break;
        }
        let place = at as u16;
        let word = |number: u16| device.read_configuration(place + 4 * number);
        let head = word(0);
        if head & 0xff == VENDOR_SPECIFIC {
            let found = Place { bar: word(1) as u8, offset: word(2) };
            // The first of each kind is the one that the device prefers.
            match head >> 24 {
                COMMON => common = common.or(Some(found)),
                NOTIFY => notify = notify.or(Some((found, word(4)))),
                CONFIGURATION => configuration = configuration.or(Some(found)),
                _ => {}
            }
        }
        at = head >> 8 & 0xfc;
    }
    let (common, (notify, multiplier), configuration) = (common?, notify?, configuration?);
    let is_there =
        common.offset < 1 << 31 && device.read16(common.bar, common.offset + NUMBER_OF_QUEUES) != u16::MAX;
    is_there.then_some(Way::Modern { common, notify, multiplier, configuration })
}
