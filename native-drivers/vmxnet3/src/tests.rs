//! The driver against a device of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x15ad, device: 0x07b0 };

#[derive(Debug, Default)]
struct Card {
    answer: u32,
    is_active: bool,
    /// It refuses to be activated.
    refuses: bool,
    has_link: bool,
    mac: [u32; 2],
    shared: u32,
    /// Where the driver has come to, and where the device has, in descriptors and completions.
    receive_producer: u32,
    transmit_producer: u32,
    received: u32,
    sent: u32,
    /// Frames that the device has thrown away between those that it delivered.
    completed: u32,
    host: Host,
}

impl Card {
    fn new() -> Self {
        Self { has_link: true, mac: MacAddress(MAC).to_registers(), ..Self::default() }
    }
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, bar: u8, offset: u32, size: usize) -> u32 {
        assert_eq!((bar, size), (layout::DEVICE, 4));
        match offset {
            device_register::VERSIONS | device_register::UPT_VERSIONS => 3,
            device_register::COMMAND => self.answer,
            device_register::MAC_LOW => self.mac[0],
            device_register::MAC_HIGH => self.mac[1],
            _ => panic!("{offset:x}"),
        }
    }

    fn write(&mut self, bar: u8, offset: u32, size: usize, value: u32) {
        assert_eq!(size, 4);
        match (bar, offset) {
            (layout::DEVICE, device_register::VERSIONS | device_register::UPT_VERSIONS) => {
                assert_eq!(value, 1)
            }
            (layout::DEVICE, device_register::SHARED_LOW) => self.shared = value,
            (layout::DEVICE, device_register::SHARED_HIGH) => assert_eq!(value, 0),
            (layout::DEVICE, device_register::MAC_LOW) => self.mac[0] = value,
            (layout::DEVICE, device_register::MAC_HIGH) => self.mac[1] = value,
            (layout::DEVICE, device_register::COMMAND) => {
                self.answer = 0;
                match value {
                    command::ACTIVATE if self.refuses => self.answer = 1,
                    command::ACTIVATE => {
                        assert!(self.host.is_master);
                        (self.is_active, self.received, self.sent, self.completed) = (true, 0, 0, 0);
                    }
                    command::QUIESCE | command::RESET => self.is_active = false,
                    command::LINK => self.answer = u32::from(self.has_link) | 10_000 << 16,
                    command::PERMANENT_MAC_LOW => self.answer = MacAddress(MAC).to_registers()[0],
                    command::PERMANENT_MAC_HIGH => self.answer = MacAddress(MAC).to_registers()[1],
                    command::UPDATE_RECEIVE_MODE | command::UPDATE_VLAN_FILTER => {}
                    _ => panic!("{value:x}"),
                }
            }
            (layout::REGISTERS, register::INTERRUPT_MASK) => assert_eq!(value, 1),
            (layout::REGISTERS, register::RECEIVE_PRODUCER) => self.receive_producer = value,
            (layout::REGISTERS, register::TRANSMIT_PRODUCER) => self.transmit_producer = value,
            _ => panic!("{bar} {offset:x}"),
        }
    }
}

type Driver = Vmxnet3<Card, HostMemory>;

fn driver() -> Driver {
    let mut driver = Vmxnet3::try_new(Card::new(), HostMemory(vec![0; MEMORY]), PCI).unwrap();
    driver.open().unwrap();
    driver
}

/// Where something is that the driver tells of at `offset`.
fn follow(driver: &Driver, offset: usize) -> usize {
    (driver.memory.read64(offset) - HOST_MEMORY_ADDRESS) as usize
}

/// What a queue's structure says, the transmit queue being the first.
fn configuration(driver: &Driver, number: usize) -> usize {
    assert!(driver.device.is_active && driver.device.host.is_master);
    let shared = (u64::from(driver.device.shared) - HOST_MEMORY_ADDRESS) as usize;
    assert_eq!(driver.memory.read32(shared), 0xbabe_fee1);
    follow(driver, shared + 40) + 256 * number + 16
}

/// What the device does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], flags: u32, error: u32) -> bool {
    let queue = configuration(driver, 1);
    let [ring, completions] = [0, 16].map(|at| follow(driver, queue + at));
    let [size, limit] = [40, 48].map(|at| driver.memory.read32(queue + at));
    let count = driver.device.received;
    let slot = count % size;
    let descriptor = ring + slot as usize * 16;
    let word = driver.memory.read32(descriptor + 8);
    if slot == driver.device.receive_producer {
        assert_eq!(word >> 31, (count / size) & 1, "a slot that is not the device's");
        return false;
    }
    assert_ne!(word >> 31, (count / size) & 1);
    assert!((word & 0x3fff) as usize >= frame.len());
    let buffer = follow(driver, descriptor);
    driver.memory.bytes_mut(buffer, frame.len()).copy_from_slice(frame);
    let completion = completions + (driver.device.completed % limit) as usize * 16;
    driver.memory.write32(completion, slot | flags);
    driver.memory.write32(completion + 8, frame.len() as u32 | error);
    let generation = !(driver.device.completed / limit) << 31;
    driver.memory.write32(completion + 12, generation | 3 << 24);
    driver.device.received += 1;
    driver.device.completed += 1;
    true
}

/// The frames that the device finds in the transmit ring.
fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let queue = configuration(driver, 0);
    let [ring, completions] = [0, 16].map(|at| follow(driver, queue + at));
    let size = driver.memory.read32(queue + 40);
    let mut frames = Vec::new();
    while driver.device.sent % size != driver.device.transmit_producer {
        let count = driver.device.sent;
        let descriptor = ring + (count % size) as usize * 16;
        let word = driver.memory.read32(descriptor + 8);
        assert_ne!(word >> 14 & 1, (count / size) & 1);
        assert_eq!(driver.memory.read32(descriptor + 12), 0x3000);
        let buffer = follow(driver, descriptor);
        frames.push(driver.memory.bytes(buffer, (word & 0x3fff) as usize).to_vec());
        let completion = completions + (count % size) as usize * 16;
        driver.memory.write32(completion, count % size);
        driver.memory.write32(completion + 12, !(count / size) << 31);
        driver.device.sent += 1;
    }
    frames
}

const WHOLE: u32 = completion::WHOLE;

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn frames_come_in_order_round_the_rings() {
    let mut driver = driver();
    assert_eq!((driver.identity().mac, driver.link()), (MacAddress(MAC), Link::Up));
    let bursts = [1, 100, 111, 3, 111, 64, 111, 111, 1, 111];
    nic::receives_in_order(&mut driver, &bursts, |driver, frame| deliver(driver, frame, WHOLE, 0));
}

#[test]
fn the_device_holds_as_many_frames_as_are_promised() {
    let mut driver = driver();
    nic::holds_what_it_promises(&mut driver, |driver, frame| deliver(driver, frame, WHOLE, 0));
    while deliver(&mut driver, &[0; 60], WHOLE, 0) {}
    assert!(driver.receive().is_some());
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    assert!(!driver.may_have_received());
    for (flags, error) in [(0, 0), (1 << 14, 0), (1 << 15, 0), (WHOLE, completion::ERROR), (WHOLE | 0xfff, 0)]
    {
        assert!(deliver(&mut driver, &[0; 60], flags, error));
    }
    assert!(deliver(&mut driver, &[0; FRAME_CAPACITY + 1], WHOLE, 0));
    assert!(deliver(&mut driver, &[9; 60], WHOLE, 0));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[9; 60][..]));
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 6));
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    nic::sends_padded(&mut driver(), TRANSMIT_SLOTS as usize - 1, sent);
}

#[test]
fn a_queue_that_failed_is_begun_anew() {
    let mut driver = driver();
    driver.memory.write32(SHARED + shared::EVENTS, 1);
    poll(&mut driver);
    assert_eq!(driver.memory.read32(SHARED + shared::EVENTS), 0);
    assert!(deliver(&mut driver, &[2; 60], WHOLE, 0));
    assert_eq!(driver.receive(), Some(&[2; 60][..]));
    driver.device.refuses = true;
    assert!(driver.open().is_err_and(|error| error.is(&errors::NO_ANSWER)));
    assert!(!driver.device.host.is_master && !driver.can_transmit());
}

#[test]
fn a_closed_device_is_quiet() {
    let mut driver = driver();
    driver.device.has_link = false;
    assert_eq!(driver.link(), Link::Down);
    driver.close();
    assert_eq!((driver.device.host.is_master, driver.device.is_active), (false, false));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_device_that_is_gone_or_of_another_kind_is_told() {
    for (lie, error) in [(u32::MAX, &errors::NO_ANSWER), (2, &errors::UNSUPPORTED)] {
        let card = Card::new();
        card.host.lies.replace(vec![lie; 1000]);
        let told = Vmxnet3::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
        assert!(told.is(error), "{told}");
    }
    let card = Card { mac: [0, 0], ..Card::new() };
    let told = Vmxnet3::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(told.is(&errors::NO_ADDRESS), "{told}");
    assert!(Vmxnet3::try_new(Card::new(), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
}

proptest! {
    /// Whatever the device says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_device_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((0..RECEIVE_BUFFERS, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver();
        driver.device.host.lies.replace(lies);
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| driver.device.host.waited.set(0));
    }
}
