//! A program's memory and a network for the tests.

use crate::abi::{Opcode, Status};
use crate::export::{
    Answer, Card, Datagram, Fence, FileHandle, Memory, Network, Packets, Selectors, Services, Source, Undi,
};
use crate::find;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use base::{Error, Instant, MacAddress, PhysRange, SegOff};
use core::net::{Ipv4Addr, SocketAddrV4};
use nic::{Counters, Identity, Link, Nic, PciIdentity};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 1, 2, 3]);
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Where parameters are put, and texts and data beside them.
pub(super) const BLOCK: SegOff = SegOff::new(0x2000, 0x10);
pub(super) const TEXT: SegOff = SegOff::new(0x2000, 0x800);
pub(super) const DATA: SegOff = SegOff::new(0x3000, 0);
/// Our low block, and our buffers in it.
pub(super) const RESERVED: PhysRange = PhysRange::new(0x9_0000, 0x9_8000);
const PACKETS: SegOff = SegOff::new(0x9000, 0);
pub(super) const FRAME: SegOff = SegOff::new(0x9000, 0x1000);
/// RAM ends here.
pub(super) const MEMORY_END: usize = 0x18_0000;

/// A fence around it.
pub(super) fn fence() -> Fence {
    Fence::new([RESERVED, PhysRange::default()])
}

/// Memory that notes what was written.
pub(super) struct FakeMemory {
    pub(super) bytes: Vec<u8>,
    pub(super) written: Vec<PhysRange>,
    /// For a program in protected mode.
    pub(super) selectors: Option<Selectors>,
}

impl find::Memory for FakeMemory {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        self.bytes.as_slice().read(address, into)
    }
}

impl Memory for FakeMemory {
    fn selectors(&self) -> Option<Selectors> {
        self.selectors
    }

    fn write(&mut self, address: u32, data: &[u8]) -> bool {
        let start = address as usize;
        let Some(place) = self.bytes.get_mut(start..start + data.len()) else { return false };
        place.copy_from_slice(data);
        self.written.push(PhysRange::with_length(address.into(), data.len() as u64));
        true
    }
}

pub(super) struct FakeCard {
    pub(super) identity: Identity,
    pub(super) is_open: bool,
    pub(super) is_broken: bool,
    pub(super) arrived: VecDeque<Vec<u8>>,
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) room: usize,
    pub(super) counters: Counters,
    lent: Vec<u8>,
}

impl Nic for FakeCard {
    fn identity(&self) -> &Identity {
        &self.identity
    }
    fn open(&mut self) -> Result<(), Error> {
        assert!(!self.is_open, "it is open already");
        self.is_open = !self.is_broken;
        if self.is_open { Ok(()) } else { Err(crate::errors::HANGS.of("the card")) }
    }
    fn close(&mut self) {
        self.is_open = false;
    }
    fn link(&mut self) -> Link {
        Link::Up
    }
    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_broken { Err(crate::errors::HANGS.of("the card")) } else { Ok(()) }
    }
    fn receive(&mut self) -> Option<&[u8]> {
        assert!(self.is_open, "a closed card is asked for frames");
        self.lent = self.arrived.pop_front()?;
        Some(&self.lent)
    }
    fn can_transmit(&self) -> bool {
        self.room > 0
    }
    fn transmit(&mut self, frame: &[u8]) -> bool {
        assert!(self.is_open, "a closed card sends");
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        self.sent.push(frame.to_vec());
        true
    }
    fn counters(&self) -> Counters {
        self.counters
    }
    fn frames_ahead(&self) -> u16 {
        32
    }
}

/// What a [`FakeNetwork`] was asked to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Tftp { server: Ipv4Addr, gateway: Option<Ipv4Addr>, port: u16, name: Vec<u8>, packet_size: u16 },
    Uri(Vec<u8>),
}

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentDatagram {
    pub(super) port: u16,
    pub(super) to: SocketAddrV4,
    pub(super) gateway: Option<Ipv4Addr>,
    pub(super) data: Vec<u8>,
}

pub(super) struct FakeNetwork {
    pub(super) card: FakeCard,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) ports: Vec<u16>,
    /// Datagrams on their way in: port, from, to, data.
    pub(super) datagrams: Vec<(u16, SocketAddrV4, Ipv4Addr, Vec<u8>)>,
    pub(super) sent: Vec<SentDatagram>,
    /// What all files contain.
    pub(super) content: Vec<u8>,
    pub(super) knows_size: bool,
    pub(super) is_ready: bool,
    pub(super) asked: Vec<Asked>,
    /// Open files and how much of each was read.
    pub(super) files: Vec<(FileHandle, usize)>,
    /// What fails, with what.
    pub(super) failure: Option<Status>,
    pub(super) commands: Vec<Vec<u8>>,
    /// What a command does takes the memory of the program.
    pub(super) is_taken: bool,
    pub(super) is_released: bool,
    pub(super) exchanges: u32,
}

impl FakeNetwork {
    fn check(&self) -> Result<(), Status> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl Card for FakeNetwork {
    fn nic(&mut self) -> Result<&mut dyn Nic, Status> {
        Ok(&mut self.card)
    }
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn speed(&mut self) -> u32 {
        1_000_000_000
    }
    fn release(&mut self) -> Result<(), Status> {
        self.check()?;
        self.is_released = true;
        Ok(())
    }
}

impl Network for FakeNetwork {
    fn step(&mut self) {}
    fn address(&self) -> Option<Ipv4Addr> {
        self.address
    }
    fn set_address(&mut self, address: Ipv4Addr) -> Result<(), Status> {
        self.check()?;
        self.address = Some(address);
        Ok(())
    }
    fn configure(&mut self) -> Result<Packets, Status> {
        self.check()?;
        self.exchanges += 1;
        Ok(Packets { discover: vec![1; 300], ack: vec![7; 310], reply: Vec::new() })
    }
    fn udp_open(&mut self, port: u16) -> Result<(), Status> {
        assert_ne!(port, 0);
        self.ports.push(port);
        Ok(())
    }
    fn udp_close(&mut self, port: u16) {
        let place = self.ports.iter().position(|open| *open == port).expect("it is open");
        self.ports.remove(place);
    }
    fn udp_send(
        &mut self,
        port: u16,
        to: SocketAddrV4,
        gateway: Option<Ipv4Addr>,
        data: &[u8],
    ) -> Result<(), Status> {
        assert!(self.ports.contains(&port));
        self.check()?;
        self.sent.push(SentDatagram { port, to, gateway, data: data.into() });
        Ok(())
    }
    fn udp_receive(&mut self, port: u16, take: &mut dyn FnMut(Datagram<'_>)) -> bool {
        assert!(self.ports.contains(&port));
        let Some(place) = self.datagrams.iter().position(|(to, ..)| *to == port) else { return false };
        let (_, from, to, data) = self.datagrams.remove(place);
        take(Datagram { from, to, data: &data });
        true
    }
    fn file_open(&mut self, source: Source<'_>) -> Result<FileHandle, Status> {
        self.asked.push(match source {
            Source::Tftp { server, gateway, port, name, packet_size } => {
                Asked::Tftp { server, gateway, port, name: name.into(), packet_size }
            }
            Source::Uri(uri) => Asked::Uri(uri.into()),
        });
        self.check()?;
        let handle = FileHandle(u32::try_from(self.asked.len()).unwrap());
        self.files.push((handle, 0));
        Ok(handle)
    }
    fn file_size(&mut self, file: FileHandle) -> Option<u64> {
        assert!(self.files.iter().any(|(open, _)| *open == file));
        self.knows_size.then_some(self.content.len() as u64)
    }
    fn file_ready(&mut self, file: FileHandle) -> bool {
        assert!(self.files.iter().any(|(open, _)| *open == file));
        self.is_ready
    }
    fn file_read(&mut self, file: FileHandle, into: &mut [u8]) -> Result<usize, Status> {
        self.check()?;
        let (_, done) = self.files.iter_mut().find(|(open, _)| *open == file).expect("it is open");
        let rest = &self.content[*done..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        *done += length;
        Ok(length)
    }
    fn file_close(&mut self, file: FileHandle) {
        let place = self.files.iter().position(|(open, _)| *open == file).expect("it is open");
        self.files.remove(place);
    }
    fn execute(&mut self, command: &[u8]) -> Result<(), Status> {
        self.check()?;
        self.commands.push(command.into());
        Ok(())
    }
    fn has_program(&self) -> bool {
        !self.is_taken
    }
}

/// A program with its services.
pub(super) struct World {
    pub(super) memory: FakeMemory,
    pub(super) network: FakeNetwork,
    pub(super) services: Services,
}

impl World {
    /// A program that was just started, with the packets of an exchange without a proxy.
    pub(super) fn new() -> Self {
        let pci = PciIdentity { bus_device_function: 0x18, vendor: 0x8086, device: 0x100e };
        let identity = Identity { driver: "test", mac: MAC, permanent_mac: MAC, mtu: 1500, pci: Some(pci) };
        let card = FakeCard {
            identity,
            is_open: true,
            is_broken: false,
            arrived: VecDeque::new(),
            sent: Vec::new(),
            room: usize::MAX,
            counters: Counters::default(),
            lent: Vec::new(),
        };
        let network = FakeNetwork {
            card,
            address: Some(ADDRESS),
            ports: Vec::new(),
            datagrams: Vec::new(),
            sent: Vec::new(),
            content: (0..=255).cycle().take(1500).collect(),
            knows_size: true,
            is_ready: true,
            asked: Vec::new(),
            files: Vec::new(),
            failure: None,
            commands: Vec::new(),
            is_taken: false,
            is_released: false,
            exchanges: 0,
        };
        let mut world = Self {
            memory: FakeMemory { bytes: vec![0; MEMORY_END], written: Vec::new(), selectors: None },
            network,
            services: Services::new(Undi::new(fence(), FRAME, 1518), PACKETS, b"quiet splash"),
        };
        let packets = Packets { discover: vec![1; 548], ack: vec![2; 300], reply: Vec::new() };
        assert!(world.services.install(&mut world.memory, &packets));
        world.memory.written.clear();
        world
    }

    /// Puts bytes into the program's memory.
    pub(super) fn put(&mut self, at: SegOff, bytes: &[u8]) {
        let start = at.linear() as usize;
        self.memory.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// What lies in the program's memory.
    pub(super) fn at(&self, at: SegOff, length: usize) -> &[u8] {
        &self.memory.bytes[at.linear() as usize..][..length]
    }

    /// A call with its parameters at [`BLOCK`], which are as the call leaves them then. AX and the status in them are
    /// what the answer says.
    pub(super) fn call<T>(&mut self, opcode: Opcode, block: &mut T) -> Status
    where
        T: FromBytes + IntoBytes + KnownLayout + Immutable,
    {
        self.put(BLOCK, block.as_bytes());
        self.put(BLOCK, &[0xee; 2]);
        let answer = self.services.call(opcode, BLOCK, &mut self.memory, &mut self.network);
        let Answer::Return(status) = answer else { panic!("it does not return") };
        *block = T::read_from_bytes(self.at(BLOCK, size_of::<T>())).unwrap();
        assert_eq!(block.as_bytes()[..2], status.0.to_le_bytes());
        assert_eq!(answer.ax(), u16::from(status != Status::SUCCESS));
        status
    }

    /// The same, of a call without parameters that matter.
    pub(super) fn plain(&mut self, opcode: Opcode) -> Status {
        self.call(opcode, &mut [0_u8; 64])
    }

    /// The same, with parameters that are filled in by `fill`.
    pub(super) fn with<T>(&mut self, opcode: Opcode, fill: impl FnOnce(&mut T)) -> (Status, T)
    where
        T: FromBytes + IntoBytes + KnownLayout + Immutable,
    {
        let mut block = T::new_zeroed();
        fill(&mut block);
        (self.call(opcode, &mut block), block)
    }
}
