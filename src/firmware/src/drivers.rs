//! Who drives the card: a driver of ours, where the build has one for it, or the vendor's UNDI.

use alloc::boxed::Box;
use alloc::vec::Vec;
use base::{Duration, Error, Instant};
use hw::memory::{DmaMemory, PhysicalMemory};
use hw::pci::Function;
use nic::{Counters, Identity, Link, Nic, PciIdentity};
use undi::UndiNic;

use crate::vendor_rom::VendorRom;

/// A driver of ours.
struct Driver {
    /// Whether it is for a card of this vendor and device.
    drives: fn(u16, u16) -> bool,
    /// Bytes of memory that it shares with the card.
    memory: usize,
    make: Make,
}

/// Makes the driver of a card that is reset and stays quiet.
type Make = fn(Function, DmaMemory, PciIdentity) -> Result<Box<dyn Nic>, Error>;

/// The drivers of this build: each feature of the crate is a line.
const DRIVERS: &[Driver] = &[
    #[cfg(feature = "e1000")]
    Driver {
        drives: e1000::drives,
        memory: e1000::MEMORY,
        make: |card, memory, pci| Ok(Box::new(e1000::E1000::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "eepro100")]
    Driver {
        drives: eepro100::drives,
        memory: eepro100::MEMORY,
        make: |card, memory, pci| Ok(Box::new(eepro100::Eepro100::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "ns8390")]
    Driver {
        drives: ns8390::drives,
        memory: ns8390::MEMORY,
        make: |card, memory, pci| Ok(Box::new(ns8390::Ns8390::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "pcnet32")]
    Driver {
        drives: pcnet32::drives,
        memory: pcnet32::MEMORY,
        make: |card, memory, pci| Ok(Box::new(pcnet32::Pcnet32::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "rtl8139")]
    Driver {
        drives: rtl8139::drives,
        memory: rtl8139::MEMORY,
        make: |card, memory, pci| Ok(Box::new(rtl8139::Rtl8139::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "rtl8169")]
    Driver {
        drives: rtl8169::drives,
        memory: rtl8169::MEMORY,
        make: |card, memory, pci| Ok(Box::new(rtl8169::Rtl8169::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "tulip")]
    Driver {
        drives: tulip::drives,
        memory: tulip::MEMORY,
        make: |card, memory, pci| Ok(Box::new(tulip::Tulip::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "virtio-net")]
    Driver {
        drives: virtio_net::drives,
        memory: virtio_net::MEMORY,
        make: |card, memory, pci| Ok(Box::new(virtio_net::VirtioNet::try_new(card, memory, pci)?)),
    },
    #[cfg(feature = "vmxnet3")]
    Driver {
        drives: vmxnet3::drives,
        memory: vmxnet3::MEMORY,
        make: |card, memory, pci| Ok(Box::new(vmxnet3::Vmxnet3::try_new(card, memory, pci)?)),
    },
];

/// The same for cards on a USB controller, each of which is the device that such a driver is for.
const USB_DRIVERS: &[Driver] = &[
    #[cfg(feature = "usb-network")]
    Driver {
        drives: |_, _| true,
        memory: usb_network::MEMORY,
        make: |card, memory, pci| Ok(Box::new(usb_network::UsbNetwork::try_new(card, memory, pci)?)),
    },
];

/// How long a frame is waited for in one poll.
const PATIENCE: Duration = Duration::from_millis(1);

/// A card and its driver.
pub(crate) enum Card {
    Undi(UndiNic<VendorRom>),
    /// By a driver of ours; the vendor's UNDI that is in memory is shut down meanwhile.
    Native(Box<dyn Nic>, Option<UndiNic<VendorRom>>),
}

impl Card {
    /// The vendor's UNDI, at work or not.
    pub(crate) fn undi(&mut self) -> Option<&mut UndiNic<VendorRom>> {
        match self {
            Self::Undi(undi) => Some(undi),
            Self::Native(_, undi) => undi.as_mut(),
        }
    }

    /// Gives the card back to the vendor's UNDI, if that is in memory. Otherwise it is quiet.
    pub(crate) fn into_undi(self) -> Option<UndiNic<VendorRom>> {
        match self {
            Self::Undi(undi) => Some(undi),
            Self::Native(mut nic, undi) => {
                nic.close();
                if let Some(undi) = &undi {
                    give_back(undi);
                }
                undi
            }
        }
    }

    /// Whether a driver of ours is at work.
    pub(crate) fn is_native(&self) -> bool {
        !(DRIVERS.is_empty() && USB_DRIVERS.is_empty()) && matches!(self, Self::Native(..))
    }

    fn driver(&self) -> &dyn Nic {
        match self {
            Self::Undi(undi) => undi,
            Self::Native(nic, _) => &**nic,
        }
    }

    fn driver_mut(&mut self) -> &mut dyn Nic {
        match self {
            Self::Undi(undi) => undi,
            Self::Native(nic, _) => &mut **nic,
        }
    }
}

/// Has the card's function as the vendor's UNDI has set it up: a bus master, which many ROMs make of it at POST only.
pub(crate) fn give_back(undi: &UndiNic<VendorRom>) {
    if let Some(pci) = undi.identity().pci {
        hw::pci::set_bus_mastering(pci.bus_device_function, pci.vendor, pci.device, true);
    }
}

impl Nic for Card {
    fn identity(&self) -> &Identity {
        self.driver().identity()
    }

    fn open(&mut self) -> Result<(), Error> {
        self.driver_mut().open()
    }

    fn close(&mut self) {
        self.driver_mut().close();
    }

    fn link(&mut self) -> Link {
        self.driver_mut().link()
    }

    fn poll(&mut self, now: Instant, until: Instant) -> Result<(), Error> {
        self.driver_mut().poll(now, until)?;
        if let Self::Native(nic, _) = self {
            hw::clock::spin_until(until.min(now + PATIENCE), &|| nic.may_have_received());
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        self.driver().may_have_received()
    }

    fn receive(&mut self) -> Option<&[u8]> {
        self.driver_mut().receive()
    }

    fn can_transmit(&self) -> bool {
        self.driver().can_transmit()
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.driver_mut().transmit(frame)
    }

    fn counters(&self) -> Counters {
        self.driver().counters()
    }

    fn frames_ahead(&self) -> u16 {
        self.driver().frames_ahead()
    }
}

/// The card at `wanted`, or else all, that a driver of ours is for, in the order in which they are to be tried. Cards of
/// PCI come before USB.
pub(crate) fn native(wanted: Option<u16>) -> Vec<Native> {
    let mut found = Vec::new();
    let mut take = |driver, bus_device_function, vendor, device| {
        if wanted.is_none_or(|wanted| wanted == bus_device_function) {
            found.push(Native { driver, pci: PciIdentity { bus_device_function, vendor, device } });
        }
    };
    if !DRIVERS.is_empty() {
        hw::pci::each_network_card(&mut |place, vendor, device| {
            if let Some(driver) = DRIVERS.iter().find(|driver| (driver.drives)(vendor, device)) {
                take(driver, place, vendor, device);
            }
        });
    }
    if let Some(driver) = USB_DRIVERS.first() {
        hw::pci::each_usb_controller(&mut |place, vendor, device| take(driver, place, vendor, device));
    }
    found
}

/// A card that a driver of ours is for.
pub(crate) struct Native {
    driver: &'static Driver,
    pci: PciIdentity,
}

impl Native {
    /// Starts the driver. Nobody else may use the card any more.
    pub(crate) fn start(self, memory: &mut PhysicalMemory) -> Result<Box<dyn Nic>, Error> {
        let shared = memory.allocate_for_device(self.driver.memory);
        let shared = shared.ok_or_else(|| nic::errors::NO_MEMORY.error())?;
        let card = Function::claim(self.pci.bus_device_function, memory);
        let mut nic = (self.driver.make)(card, shared, self.pci)?;
        nic.open()?;
        Ok(nic)
    }
}
