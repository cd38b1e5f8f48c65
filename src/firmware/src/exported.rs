//! PXE of our own for network boot programs: [`undi::export`] over our network, while a driver of ours has the card.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use base::{Duration, Error, Instant, PhysRange, SegOff, Sink};
use core::net::{Ipv4Addr, SocketAddrV4};
use dhcp::packet::tag;
use hw::guest::{self, Answer, Call, Program};
use hw::low::LowMemory;
use net::UdpHandle;
use nic::Nic;
use script::Start;
use settings::{Key, Tag, Tree};
use undi::abi::{Opcode, Status};
use undi::export::{
    self, Card, Datagram, Fence, FileHandle, Network as _, PACKET_ROOM, Packets, Places, Selectors, Services,
    Source, Undi,
};
use undi::find;
use uri::Uri;

use crate::fetch::{Http, Job, Tftp};
use crate::machine::Machine;
use crate::network::Network;

/// The longest that a program waits for a server.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest that it waits for a neighbour.
const NEIGHBOUR_LIMIT: Duration = Duration::from_secs(4);
/// How long we may stay in one round of the network.
const ROUND: Duration = Duration::from_millis(2);
/// Bytes for datagrams that wait for a program.
const RECEIVE_CAPACITY: usize = 8 * 2048;
/// No more is taken from a server while so many bytes of its file were not read.
const UNREAD_LIMIT: usize = 64 * 1024;
/// Sockets and files that a program has open at a time.
const OPEN_LIMIT: usize = 16;
/// A server that has no such file says so.
const NOT_FOUND: [&base::ErrorKind; 2] = [&tftp::errors::NOT_FOUND, &http::errors::NOT_FOUND];
/// How the names of those blocks of settings end that are what others have said.
const ORIGINS: [&[u8]; 3] = [b".dhcp", b"proxydhcp", b"builtin"];
/// What cards of ours run at, or more.
pub(crate) const SPEED: u32 = 1_000_000_000;

/// Where things are in the memory that programs are told of.
pub(crate) const BANG_PXE: u16 = 0;
pub(crate) const PXENV: u16 = 0x60;
const PACKETS: u16 = 0x100;
const FRAME: u16 = PACKETS + 3 * PACKET_ROOM;
pub(crate) const FRAME_ROOM: u16 = 0x600;
const _: () = assert!(FRAME_ROOM as usize >= nic::FRAME_CAPACITY);
const LENGTH: u16 = FRAME + FRAME_ROOM;
/// What it takes of base memory, in whole KiB.
pub(crate) const ROOM: usize = LENGTH.next_multiple_of(1024) as usize;

/// The structures and buffers that a program is told of.
pub(crate) struct Exported {
    memory: LowMemory,
}

impl Exported {
    /// None if base memory has no room.
    pub(crate) fn try_new() -> Option<Self> {
        let mut memory = LowMemory::allocate_data(LENGTH.into())?;
        let segment = memory.far().segment;
        let code = find::Segment { segment: hw::low::segment(), size: u16::MAX };
        let data = find::Segment { segment, size: LENGTH };
        let places = Places {
            entry: guest::entry_by_stack(),
            protected_entry: guest::protected_entry(),
            register_entry: guest::entry_by_registers(),
            bang_pxe: SegOff::new(segment, BANG_PXE),
            stack: data,
            undi_data: data,
            undi_code: code,
            base_data: data,
            base_code: code,
            ..Places::default()
        };
        put(&mut memory, BANG_PXE, &export::bang_pxe(&places));
        put(&mut memory, PXENV, &export::pxenv_plus(&places));
        Some(Self { memory })
    }

    /// What a program finds.
    pub(crate) fn pxe(&self) -> guest::Pxe {
        let segment = self.memory.far().segment;
        guest::Pxe { bang_pxe: SegOff::new(segment, BANG_PXE), pxenv: SegOff::new(segment, PXENV) }
    }

    /// Runs a program that was fetched from `origin`, if that is known, with `arguments`. Keys are the program's.
    pub(crate) fn run(
        &mut self,
        machine: &mut Machine,
        program: Program<'_>,
        origin: Option<Uri>,
        arguments: &[u8],
    ) -> Option<u16> {
        let segment = self.memory.far().segment;
        let at = |offset| SegOff::new(segment, offset);
        let packets = machine.packets_for(origin.as_ref());
        machine.keyboard.is_lent = true;
        if let Some(network) = &mut machine.network {
            network.hang_up();
        }
        let mut world = World { machine, packets, origin, sockets: Vec::new(), files: Vec::new(), next: 0 };
        let own = &mut self.memory;
        let mut services = None;
        let answer = program.run(Some(&mut |call: Call, memory: &mut guest::Memory<'_>| {
            let mut memory = Memory { own: &mut *own, theirs: memory, protected: call.protected };
            let services = services.get_or_insert_with(|| {
                let undi = Undi::new(memory.fence(), at(FRAME), FRAME_ROOM);
                let mut services = Services::new(undi, at(PACKETS), arguments);
                services.install(&mut memory, &world.packets);
                services
            });
            match services.call(Opcode(call.opcode), call.parameters, &mut memory, &mut world) {
                export::Answer::Restart => Answer::Restart,
                answer if world.has_program() => Answer::Return(answer.ax()),
                answer => Answer::End(answer.ax()),
            }
        }));
        if let Some(mut services) = services {
            services.close(&mut world);
        }
        world.close_all();
        world.machine.keyboard.is_lent = false;
        answer
    }
}

impl Machine {
    /// The packets of DHCP, as they would be if the servers had named the program that was fetched from `origin`: it
    /// looks for its other files beside itself. By TFTP that is a server and a path; otherwise the file is the whole
    /// address, and the server the one that DHCP has named. What a script has set counts before either.
    fn packets_for(&mut self, origin: Option<&Uri>) -> Packets {
        let server = origin
            .filter(|origin| origin.has_scheme("tftp"))
            .and_then(|origin| self.resolve(origin, &mut Job::quiet(LIMIT)).ok());
        let Some(lease) = self.network.as_ref().and_then(|network| network.device.lease.as_ref()) else {
            return Packets::default();
        };
        let of_script = |tag| Some((tag, self.set_by_script(Tag::option(tag))?));
        let changed = base::list((1..u8::MAX).filter_map(of_script));
        let file = match self.set_by_script(Tag::option(tag::BOOT_FILE)) {
            Some(file) => Some(file),
            None if server.is_some() => origin.map(Uri::tftp_file),
            None => origin.map(|origin| origin.as_str().into()),
        };
        let next = self.set_by_script(Tag::NEXT_SERVER).and_then(|data| <[u8; 4]>::try_from(data).ok());
        let server = next.map(Ipv4Addr::from).or(server);
        let renamed = |packet: &dhcp::Packet| {
            let file = file.clone().unwrap_or_else(|| packet.file_name().into_bytes());
            packet.renamed(server.unwrap_or_else(|| packet.next_server()), &file, &changed)
        };
        let ack = renamed(&lease.ack);
        let sent = Some(lease.discover.clone()).filter(|discover| !discover.is_empty());
        Packets {
            // There is one always: programs learn from it who they are.
            discover: sent.unwrap_or_else(|| ack.clone()),
            ack,
            reply: lease.proxy.as_ref().map(renamed).unwrap_or_default(),
        }
    }

    /// The bytes of a setting that a script has set.
    fn set_by_script(&self, tag: Tag) -> Option<Vec<u8>> {
        let key = Key { name: b"", tag: Some(tag), kind: None };
        let found = self.settings.fetch(Tree::ROOT, &key)?;
        let name = self.settings.name(found.block);
        let is_of_server = ORIGINS.iter().any(|end| name.ends_with(end));
        (!is_of_server).then_some(found.data)
    }
}

pub(crate) fn put(memory: &mut LowMemory, offset: u16, data: &[u8]) -> bool {
    let start = usize::from(offset);
    let room = memory.bytes_mut().get_mut(start..start + data.len());
    room.map(|room| room.copy_from_slice(data)).is_some()
}

/// The memory of a call: the program's, and what we have told it of.
pub(crate) struct Memory<'a, 'b> {
    pub(crate) own: &'a mut LowMemory,
    pub(crate) theirs: &'a mut guest::Memory<'b>,
    pub(crate) protected: Option<guest::Protected>,
}

impl Memory<'_, '_> {
    /// Nothing is written to base memory that is ours, but to the part of it that is the program's.
    pub(crate) fn fence(&self) -> Fence {
        let stack = self.theirs.stack();
        let free_end = u64::from(hw::low::allocated());
        Fence::new([PhysRange::new(free_end, stack.start()), PhysRange::new(stack.end(), 0xa_0000)])
    }
}

impl find::Memory for Memory<'_, '_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        self.theirs.read(address, into)
    }
}

impl export::Memory for Memory<'_, '_> {
    fn selectors(&self) -> Option<Selectors> {
        let guest::Protected { table, local, code } = self.protected?;
        let pxe = self.own.bytes().get(BANG_PXE.into()..).unwrap_or_default();
        Some(Selectors { table, local, data: export::data_selector(pxe, code) })
    }

    fn write(&mut self, address: u32, data: &[u8]) -> bool {
        let offset =
            address.checked_sub(self.own.far().linear()).and_then(|offset| u16::try_from(offset).ok());
        offset.is_some_and(|offset| put(self.own, offset, data)) || self.theirs.write(address, data)
    }
}

/// A file that a program reads.
struct File {
    handle: FileHandle,
    way: Way,
    bytes: Stream,
}

/// How a file comes.
enum Way {
    Tftp(Box<Tftp>),
    Http(Box<Http>),
    /// It has come, or never will; no server knows of us any more.
    Over(Result<u64, Error>),
}

impl Way {
    fn total(&self) -> Option<u64> {
        match self {
            Self::Tftp(tftp) => tftp.transfer.total(),
            Self::Http(http) => http.download.total(),
            Self::Over(result) => result.as_ref().ok().copied(),
        }
    }

    fn result(&self) -> Option<Result<u64, Error>> {
        match self {
            Self::Tftp(tftp) => tftp.transfer.result(),
            Self::Http(http) => http.download.result(),
            Self::Over(result) => Some(result.clone()),
        }
    }

    /// Lets the server know at once: the program may never call again, or drive the card by itself.
    fn close(self, network: &mut Network) {
        match self {
            Self::Tftp(tftp) => tftp.close(network, hw::clock::now()),
            Self::Http(mut http) => {
                http.abort(Some(network));
                network.hang_up();
            }
            Self::Over(_) => {}
        }
    }
}

/// What has come of a file and was not read yet.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// Bytes that were read.
    given: u64,
    /// Bytes that came before, and come again as the transfer has begun anew.
    again: u64,
}

impl Sink for Stream {
    fn announce(&mut self, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let known = usize::try_from(self.again).unwrap_or(usize::MAX).min(data.len());
        self.again -= known as u64;
        self.bytes.extend_from_slice(data.get(known..).unwrap_or_default());
        Ok(())
    }

    fn restart(&mut self) {
        self.bytes.clear();
        self.again = self.given;
    }
}

/// The network as the services see it.
struct World<'a> {
    machine: &'a mut Machine,
    packets: Packets,
    /// Where the program is from: other files are beside it.
    origin: Option<Uri>,
    sockets: Vec<(u16, UdpHandle)>,
    files: Vec<File>,
    next: u32,
}

impl World<'_> {
    fn network(&mut self) -> Result<&mut Network, Status> {
        self.machine.network.as_mut().ok_or(Status::FAILURE)
    }

    /// A round of the machine. The time then.
    fn round(&mut self) -> Instant {
        // Nobody can interrupt it, as no key is looked at.
        let round = self.machine.round(hw::clock::now() + ROUND);
        round.unwrap_or_else(|_| hw::clock::now())
    }

    /// Moves what can be moved of a file.
    fn pump(&mut self, handle: FileHandle) -> Option<&mut File> {
        let now = hw::clock::now();
        let file = self.files.iter_mut().find(|file| file.handle == handle)?;
        if file.bytes.bytes.len() < UNREAD_LIMIT
            && let Some(network) = self.machine.network.as_mut()
        {
            match &mut file.way {
                Way::Tftp(tftp) => tftp.exchange(network, &mut file.bytes, now),
                Way::Http(http) => {
                    // In this order: a connection that was not looked at for long has not stalled.
                    http.transfer(network, &mut file.bytes, now);
                    if let Err(error) = self.machine.prepare(http, &mut Job::quiet(LIMIT)) {
                        http.download.lost(now, error);
                    }
                }
                Way::Over(_) => return Some(file),
            }
            if let Some(result) = file.way.result() {
                let way = core::mem::replace(&mut file.way, Way::Over(result));
                if let Some(network) = self.machine.network.as_mut() {
                    way.close(network);
                }
            }
        }
        Some(file)
    }

    /// Waits until a byte of the file can be read, or its end is known.
    fn await_file(&mut self, handle: FileHandle) -> Result<(), Status> {
        let end = hw::clock::now() + LIMIT;
        loop {
            let file = self.pump(handle).ok_or(Status::TFTP_CLOSED)?;
            match file.way.result() {
                _ if !file.bytes.bytes.is_empty() => return Ok(()),
                Some(Ok(_)) => return Ok(()),
                Some(Err(error)) if NOT_FOUND.iter().any(|kind| error.is(kind)) => {
                    return Err(Status::TFTP_NOT_FOUND);
                }
                Some(Err(_)) => return Err(Status::TFTP_ERROR),
                None => {}
            }
            if self.round() >= end {
                return Err(Status::TFTP_READ_TIMEOUT);
            }
        }
    }

    /// Begins to read a file, with packets of a size.
    fn begin(&mut self, uri: Uri, block_size: u16) -> Result<Way, Status> {
        if uri.has_scheme("http") {
            let http = Http::new(uri, http::Content::default());
            return Ok(Way::Http(Box::new(http.map_err(|_| Status::INVALID_PARAMETER)?)));
        }
        if !uri.has_scheme("tftp") {
            return Err(Status::UNSUPPORTED);
        }
        let tftp = self.machine.open_tftp(&uri, None, block_size, &mut Job::quiet(LIMIT));
        Ok(Way::Tftp(Box::new(tftp.map_err(|_| Status::FAILURE)?)))
    }

    fn close_all(&mut self) {
        for (_, socket) in core::mem::take(&mut self.sockets) {
            if let Ok(network) = self.network() {
                network.stack.udp_close(socket);
            }
        }
    }
}

impl Card for World<'_> {
    fn nic(&mut self) -> Result<&mut dyn Nic, Status> {
        Ok(self.network()?.port.nic_mut())
    }

    fn now(&self) -> Instant {
        hw::clock::now()
    }

    fn speed(&mut self) -> u32 {
        SPEED
    }

    /// The driver's memory is what we all lie in.
    fn release(&mut self) -> Result<(), Status> {
        Err(Status::KEEP_UNDI)
    }
}

impl export::Network for World<'_> {
    fn step(&mut self) {
        self.round();
    }

    fn address(&self) -> Option<Ipv4Addr> {
        self.machine.network.as_ref()?.stack.configuration().map(|configuration| configuration.address)
    }

    fn set_address(&mut self, address: Ipv4Addr) -> Result<(), Status> {
        let stack = &mut self.network()?.stack;
        let configuration = stack.configuration().cloned().ok_or(Status::FAILURE)?;
        if configuration.address == address {
            return Ok(());
        }
        let configuration = net::Ipv4Config { address, ..configuration };
        stack.configure(configuration).map_err(|_| Status::INVALID_PARAMETER)
    }

    fn configure(&mut self) -> Result<Packets, Status> {
        // The lease is in use all the time.
        Ok(self.packets.clone())
    }

    fn udp_open(&mut self, port: u16) -> Result<(), Status> {
        if self.sockets.iter().any(|(open, _)| *open == port) {
            return Ok(());
        }
        if self.sockets.len() >= OPEN_LIMIT {
            return Err(Status::OUT_OF_RESOURCES);
        }
        let socket = self.network()?.stack.udp_open(port, RECEIVE_CAPACITY).map_err(|_| Status::UDP_OPEN)?;
        self.sockets.push((port, socket));
        Ok(())
    }

    fn udp_close(&mut self, port: u16) {
        if let Some(place) = self.sockets.iter().position(|(open, _)| *open == port) {
            let (_, socket) = self.sockets.swap_remove(place);
            if let Ok(network) = self.network() {
                network.stack.udp_close(socket);
            }
        }
    }

    fn udp_send(
        &mut self,
        port: u16,
        to: SocketAddrV4,
        _: Option<Ipv4Addr>,
        data: &[u8],
    ) -> Result<(), Status> {
        let socket = self.sockets.iter().find(|(open, _)| *open == port).ok_or(Status::UDP_CLOSED)?.1;
        let end = hw::clock::now() + NEIGHBOUR_LIMIT;
        while !self.network()?.stack.udp_send(socket, to, data) {
            if self.round() >= end {
                return Err(Status::ARP_TIMEOUT);
            }
        }
        self.round();
        Ok(())
    }

    fn udp_receive(&mut self, port: u16, take: &mut dyn FnMut(Datagram<'_>)) -> bool {
        let Some(&(_, socket)) = self.sockets.iter().find(|(open, _)| *open == port) else { return false };
        let Ok(network) = self.network() else { return false };
        network.stack.udp_receive(socket, &mut |from, to, data| take(Datagram { from, to, data }))
    }

    fn file_open(&mut self, source: Source<'_>) -> Result<FileHandle, Status> {
        if self.files.len() >= OPEN_LIMIT {
            return Err(Status::OUT_OF_RESOURCES);
        }
        let (uri, packet_size) = match source {
            Source::Tftp { server, port, name, packet_size, .. } => {
                (Uri::from_boot_file(&format!("{server}:{port}"), name), packet_size)
            }
            Source::Uri(text) => {
                let text = core::str::from_utf8(text).map_err(|_| Status::INVALID_PARAMETER)?;
                (Uri::locate(self.origin.as_ref(), text), tftp::Options::default().block_size)
            }
        };
        let way = self.begin(uri.map_err(|_| Status::INVALID_PARAMETER)?, packet_size)?;
        let handle = FileHandle(self.next);
        self.next = self.next.wrapping_add(1);
        self.files.push(File { handle, way, bytes: Stream::default() });
        match self.await_file(handle) {
            Ok(()) => Ok(handle),
            Err(status) => {
                self.file_close(handle);
                Err(if status == Status::TFTP_READ_TIMEOUT { Status::TFTP_OPEN_TIMEOUT } else { status })
            }
        }
    }

    fn file_size(&mut self, file: FileHandle) -> Option<u64> {
        self.files.iter().find(|other| other.handle == file)?.way.total()
    }

    fn file_ready(&mut self, handle: FileHandle) -> bool {
        self.round();
        self.pump(handle).is_none_or(|file| !file.bytes.bytes.is_empty() || file.way.result().is_some())
    }

    fn file_read(&mut self, handle: FileHandle, into: &mut [u8]) -> Result<usize, Status> {
        let mut filled = 0;
        while filled < into.len() {
            self.await_file(handle)?;
            let file = self.files.iter_mut().find(|file| file.handle == handle).ok_or(Status::TFTP_CLOSED)?;
            let room = into.get_mut(filled..).unwrap_or_default();
            let length = room.len().min(file.bytes.bytes.len());
            if length == 0 {
                break;
            }
            for (place, byte) in room.iter_mut().zip(file.bytes.bytes.drain(..length)) {
                *place = byte;
            }
            file.bytes.given += length as u64;
            filled += length;
        }
        Ok(filled)
    }

    fn file_close(&mut self, handle: FileHandle) {
        let Some(place) = self.files.iter().position(|file| file.handle == handle) else { return };
        let file = self.files.swap_remove(place);
        if let Ok(network) = self.network() {
            file.way.close(network);
        }
    }

    fn execute(&mut self, command: &[u8]) -> Result<(), Status> {
        self.machine.keyboard.is_lent = false;
        let result = script::run(&mut self.machine.host(), Start::Line(command));
        self.machine.keyboard.is_lent = true;
        result.map_err(|_| Status::FAILURE)
    }

    fn has_program(&self) -> bool {
        self.machine.memory.is_lent()
    }
}
