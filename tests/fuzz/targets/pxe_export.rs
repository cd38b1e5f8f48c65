//! A program that calls our PXE stack with anything, over a network that answers anything.
//!
//! The input is cut into calls: opcode, then segment, offset and bytes of the parameters. What the network says is made
//! of the bytes of the calls, too. Every other input calls in protected mode, with the input for segment descriptors.
#![no_main]

use base::{Error, Instant, MacAddress, PhysRange, SegOff};
use core::net::{Ipv4Addr, SocketAddrV4};
use libfuzzer_sys::fuzz_target;
use nic::{Counters, Identity, Link, Nic};
use undi::abi::{Opcode, Status};
use undi::export::{
    Answer, Card, Datagram, Fence, FileHandle, Memory, Network, Packets, Selectors, Services, Source, Undi,
};
use undi::find;

const MEMORY_END: usize = 0x12_0000;
const OURS: PhysRange = PhysRange::new(0x9_0000, 0x9_8000);
const PACKETS: SegOff = SegOff::new(0x9000, 0);
const FRAME: SegOff = SegOff::new(0x9000, 0x1000);

/// Its memory, and its GDT if it calls in protected mode.
struct Program(Vec<u8>, Option<Selectors>);

impl find::Memory for Program {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        self.0.as_slice().read(address, into)
    }
}

impl Memory for Program {
    fn selectors(&self) -> Option<Selectors> {
        self.1
    }

    fn write(&mut self, address: u32, data: &[u8]) -> bool {
        let start = address as usize;
        let range = PhysRange::with_length(address.into(), data.len() as u64);
        let packets = PhysRange::with_length(0x9_0000, 3 * 1260);
        let is_own = packets.contains(range) || PhysRange::with_length(0x9_1000, 256).contains(range);
        let is_ram = (start >= 0x500 && range.end() <= 0xa_0000) || start >= 0x10_0000;
        assert!(is_own || (is_ram && !range.overlaps(OURS)), "it writes to {address:#x}");
        let place = self.0.get_mut(start..start + data.len());
        place.map(|place| place.copy_from_slice(data)).is_some()
    }
}

struct State {
    identity: Identity,
    is_open: bool,
}

struct World {
    card: State,
    answers: Vec<u8>,
    ports: Vec<u16>,
    files: Vec<u32>,
}

impl World {
    fn next(&mut self) -> u8 {
        self.answers.pop().unwrap_or_default()
    }

    fn result(&mut self) -> Result<(), Status> {
        match self.next() {
            0..=200 => Ok(()),
            other => Err(Status(other.into())),
        }
    }
}

impl Nic for World {
    fn identity(&self) -> &Identity {
        &self.card.identity
    }
    fn open(&mut self) -> Result<(), Error> {
        assert!(!self.card.is_open);
        self.card.is_open = self.next() < 200;
        if self.card.is_open { Ok(()) } else { Err(undi::errors::NOT_STARTED.of("the card")) }
    }
    fn close(&mut self) {
        self.card.is_open = false;
    }
    fn link(&mut self) -> Link {
        Link::Unknown
    }
    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.next() < 200 { Ok(()) } else { Err(undi::errors::HANGS.of("the card")) }
    }
    fn receive(&mut self) -> Option<&[u8]> {
        assert!(self.card.is_open, "a closed card is asked for frames");
        let length = usize::from(self.next()) * 8;
        self.answers.get(..length)
    }
    fn can_transmit(&self) -> bool {
        self.answers.len() & 1 == 0
    }
    fn transmit(&mut self, frame: &[u8]) -> bool {
        assert!(self.card.is_open, "a closed card sends");
        assert!((14..=nic::FRAME_CAPACITY).contains(&frame.len()));
        self.next() < 200
    }
    fn counters(&self) -> Counters {
        Counters { received: u64::MAX, ..Counters::default() }
    }
    fn frames_ahead(&self) -> u16 {
        1
    }
}

impl Card for World {
    fn nic(&mut self) -> Result<&mut dyn Nic, Status> {
        Ok(self)
    }
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn speed(&mut self) -> u32 {
        10_000_000
    }
    fn release(&mut self) -> Result<(), Status> {
        self.result()
    }
}

impl Network for World {
    fn step(&mut self) {}
    fn address(&self) -> Option<Ipv4Addr> {
        None
    }
    fn set_address(&mut self, _address: Ipv4Addr) -> Result<(), Status> {
        self.result()
    }
    fn configure(&mut self) -> Result<Packets, Status> {
        self.result()?;
        Ok(Packets { discover: vec![1; 300], ack: self.answers.clone(), reply: Vec::new() })
    }
    fn udp_open(&mut self, port: u16) -> Result<(), Status> {
        assert!(port != 0 && !self.ports.contains(&port) && self.ports.len() < 16);
        self.result()?;
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
        _to: SocketAddrV4,
        _gateway: Option<Ipv4Addr>,
        _data: &[u8],
    ) -> Result<(), Status> {
        assert!(self.ports.contains(&port));
        self.result()
    }
    fn udp_receive(&mut self, port: u16, take: &mut dyn FnMut(Datagram<'_>)) -> bool {
        assert!(self.ports.contains(&port));
        let from = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.next().into());
        let to = Ipv4Addr::from([self.next(), 0, 0, 1]);
        take(Datagram { from, to, data: &self.answers });
        self.next() != 0
    }
    fn file_open(&mut self, source: Source<'_>) -> Result<FileHandle, Status> {
        let text = match source {
            Source::Tftp { name, .. } => name,
            Source::Uri(uri) => uri,
        };
        assert!(!text.is_empty() && !text.contains(&0));
        self.result()?;
        let handle = self.files.last().map_or(0, |last| last + 1);
        self.files.push(handle);
        assert!(self.files.len() < 16);
        Ok(FileHandle(handle))
    }
    fn file_size(&mut self, file: FileHandle) -> Option<u64> {
        assert!(self.files.contains(&file.0));
        let size = self.next();
        (size != 0).then_some(u64::from(size) << (size & 31))
    }
    fn file_ready(&mut self, file: FileHandle) -> bool {
        assert!(self.files.contains(&file.0));
        self.next() & 1 == 0
    }
    fn file_read(&mut self, file: FileHandle, into: &mut [u8]) -> Result<usize, Status> {
        assert!(self.files.contains(&file.0));
        self.result()?;
        // A network that lies about what it has written, too.
        Ok(if self.answers.is_empty() { 0 } else { into.len() + usize::from(self.next() & 1) })
    }
    fn file_close(&mut self, file: FileHandle) {
        let place = self.files.iter().position(|open| *open == file.0).expect("it is open");
        self.files.remove(place);
    }
    fn execute(&mut self, command: &[u8]) -> Result<(), Status> {
        assert!(!command.contains(&0));
        self.result()
    }
    fn has_program(&self) -> bool {
        self.answers.len().is_multiple_of(2)
    }
}

fuzz_target!(|data: &[u8]| {
    let mac = MacAddress([2, 0, 0, 0, 0, 1]);
    let identity = Identity { driver: "test", mac, permanent_mac: mac, mtu: 1500, pci: None };
    let card = State { identity, is_open: true };
    let mut world = World { card, answers: Vec::new(), ports: Vec::new(), files: Vec::new() };
    let mut program = Program(vec![0; MEMORY_END], None);
    if data.first().is_some_and(|first| first & 1 != 0) {
        const TABLE: PhysRange = PhysRange::new(0x500, 0x600);
        const OURS: u64 = 0xffff | 0x9_0000 << 16 | 0x93 << 40;
        let entries = [&[0; 8], &OURS.to_le_bytes(), data].concat();
        let length = entries.len().min(TABLE.length() as usize);
        program.0[TABLE.start() as usize..][..length].copy_from_slice(&entries[..length]);
        let local = data.get(1).copied().unwrap_or_default().into();
        program.1 = Some(Selectors { table: TABLE, local, data: 8 });
    }
    let undi = Undi::new(Fence::new([OURS, PhysRange::default()]), FRAME, 256);
    let mut services = Services::new(undi, PACKETS, data.get(..8).unwrap_or_default());
    let packets = Packets { discover: vec![1; 300], ack: data.to_vec(), reply: data.to_vec() };
    assert!(services.install(&mut program, &packets));
    for call in fuzz::pieces(data).take(64) {
        let [opcode, a, b, c, d, parameters @ ..] = call else { continue };
        let at = SegOff::new(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let start = at.linear() as usize;
        if let Some(place) = program.0.get_mut(start..start + parameters.len()) {
            place.copy_from_slice(parameters);
        }
        world.answers = parameters.to_vec();
        let answer = services.call(Opcode((*opcode).into()), at, &mut program, &mut world);
        assert!(answer.ax() <= 1 && (answer != Answer::Restart || *opcode == 0x73));
    }
    world.answers.clear();
    services.close(&mut world);
    assert!(world.ports.is_empty() && world.files.is_empty() && world.card.is_open);
});
