//! The network between the machine and the servers, in user space: one datagram is one Ethernet frame.
//!
//! Frames pass through here both ways, so here weather is made (loss, duplication, reordering, seeded), and here
//! facts are read that hold for any firmware alike: who asked for what, and when the data came.
//!
//! All ROMs of the emulator are iPXE's and call themselves so in DHCP. A vendor's ROM does not, and sites give our
//! image to those and the script to user class `iPXE`. So until our image has been asked for, the ROM's user class
//! is overwritten: servers see an ordinary vendor's ROM.

use crate::boot_server::BootServer;
use crate::failure::{Context, Result};
use crate::frame::{self, Frame};
use crate::random::Random;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The socket names, relative to the scenario's folder: the machine's card, and the side of the servers.
pub const MACHINE_SOCKET: &str = "machine.sock";
/// Where the peer listens for the machine.
pub const MACHINE_PEER_SOCKET: &str = "machine-peer.sock";
/// The emulator's end towards the tap.
pub const NETWORK_SOCKET: &str = "network.sock";
/// Where the peer listens for the network.
pub const NETWORK_PEER_SOCKET: &str = "network-peer.sock";

/// The emulator's end towards the tap of the VLAN.
pub const VLAN_SOCKET: &str = "vlan.sock";
/// Where the peer listens for the VLAN.
pub const VLAN_PEER_SOCKET: &str = "vlan-peer.sock";

/// Chances in 1000 for each frame, once our image runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// The frame is dropped.
    pub loss: u16,
    /// The frame comes twice.
    pub duplication: u16,
    /// The frame comes after its successor.
    pub reordering: u16,
    /// A frame that concerns nobody comes before it: an interrupt at another time.
    pub noise: u16,
    /// The most milliseconds that one frame in 50, and all behind it, may come late.
    pub delay: u16,
    /// Where the generator starts.
    pub seed: u64,
}

/// What the network does to frames.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The name under which the machine fetches our image: its request is the border between ROM and image.
    pub image: String,
    /// Our image runs from the beginning: what started it sends nothing.
    pub image_runs: bool,
    /// What happens to frames.
    pub weather: Weather,
    /// DHCP servers fall silent for our image.
    pub no_dhcp_for_image: bool,
    /// There is a boot server that listens to many only.
    pub boot_server: Option<BootServer>,
    /// Frames with the tag of this VLAN go to a network of its own, without the tag, and come from there. Those of other
    /// VLANs are lost.
    pub vlan: Option<u16>,
}

/// One file that the machine asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path of an HTTP GET, or the name of a TFTP read request.
    pub name: String,
    /// When it was asked for.
    pub at: Instant,
    /// The first and the last frame with data since.
    pub data: Option<(Instant, Instant)>,
    /// Bytes of payload in those frames, headers of the protocol and repetitions included.
    pub data_bytes: u64,
    /// All frames that the machine had been sent when it asked.
    pub frames_before: u64,
}

/// What was seen on the wire.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Our image has been asked for by the ROM, or came from elsewhere.
    pub image_requested: bool,
    /// Our image has sent something.
    pub image_speaks: bool,
    /// DHCP frames that our image sent.
    pub dhcp_by_image: u32,
    /// Files asked for, in order.
    pub requests: Vec<Request>,
    /// Frames sent to the machine.
    pub frames_to_machine: u64,
    /// Frames dropped, doubled and delayed on purpose.
    pub harmed: u64,
    /// The first bytes of all frames with a tag that the machine sent, and their length.
    pub tagged: Vec<([u8; 16], usize)>,
}

impl Facts {
    /// The last request for a file of that name.
    pub fn request(&self, name: &str) -> Option<&Request> {
        self.requests.iter().rev().find(|request| request.name == name)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    FromMachine,
    ToMachine,
}

/// The running network.
#[derive(Clone, Debug)]
pub struct Peer {
    facts: Arc<Mutex<Facts>>,
}

/// How long a frame that was taken out of order waits at most for its successor.
const HOLD: Duration = Duration::from_millis(5);

/// A broadcast of EtherType 88B5h, which IEEE 802 leaves to local experiments.
const NOISE: [u8; 60] = {
    let mut frame = [0; 60];
    let header = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x77, 0, 0x66, 0x88, 0xb5];
    frame.split_at_mut(header.len()).0.copy_from_slice(&header);
    frame
};

impl Peer {
    /// Starts forwarding in the current folder. It ends with the process.
    pub fn start(rules: Rules) -> Result<Self> {
        let facts = Facts { image_requested: rules.image_runs, ..Facts::default() };
        let peer = Self { facts: Arc::new(Mutex::new(facts)) };
        let machine = Arc::new(bind(MACHINE_PEER_SOCKET)?);
        let network = Arc::new(bind(NETWORK_PEER_SOCKET)?);
        let mut pumps = vec![
            (Direction::FromMachine, machine.clone(), network.clone(), NETWORK_SOCKET, None),
            (Direction::ToMachine, network, machine.clone(), MACHINE_SOCKET, None),
        ];
        if rules.vlan.is_some() {
            let vlan = Arc::new(bind(VLAN_PEER_SOCKET)?);
            pumps.push((Direction::ToMachine, vlan, machine, MACHINE_SOCKET, rules.vlan));
        }
        for (direction, from, to, target, tag) in pumps {
            let facts = Arc::clone(&peer.facts);
            let random = Random::new(rules.weather.seed ^ u64::from(direction == Direction::ToMachine));
            let pump =
                Pump { direction, to, target: target.into(), tag, rules: rules.clone(), facts, random };
            thread::spawn(move || pump.run(&from));
        }
        Ok(peer)
    }

    /// What was seen so far.
    pub fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }
}

fn bind(path: &str) -> Result<UnixDatagram> {
    // Left over from an earlier run, if it is there.
    let _ = std::fs::remove_file(path);
    UnixDatagram::bind(path).context(path)
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pump {
    direction: Direction,
    to: Arc<UnixDatagram>,
    target: PathBuf,
    /// The VLAN whose tag is put in.
    tag: Option<u16>,
    rules: Rules,
    facts: Arc<Mutex<Facts>>,
    random: Random,
}

impl Pump {
    fn run(mut self, from: &UnixDatagram) {
        let mut buffer = [0; 65536];
        let mut held: Option<Vec<u8>> = None;
        loop {
            let patience = held.is_some().then_some(HOLD);
            let received = from.set_read_timeout(patience).and_then(|()| from.recv(&mut buffer));
            let Ok(length) = received else {
                if let Some(late) = held.take() {
                    self.send(&late);
                }
                continue;
            };
            let bytes = &mut buffer[..length];
            if self.direction == Direction::FromMachine
                && let Some(answer) = self.rules.boot_server.as_ref().and_then(|server| server.answer(bytes))
            {
                // As in `send`.
                let _ = from.send_to(&answer, MACHINE_SOCKET);
            }
            if !self.look(bytes) {
                continue;
            }
            let weather = self.rules.weather;
            let stormy = lock(&self.facts).image_speaks;
            let mut happens = |permille| stormy && permille > 0 && self.random.chance(permille);
            let (lost, doubled, late) =
                (happens(weather.loss), happens(weather.duplication), happens(weather.reordering));
            let (noisy, held_up) = (happens(weather.noise), happens(20) && weather.delay > 0);
            if lost || doubled || late {
                lock(&self.facts).harmed += 1;
            }
            if held_up {
                thread::sleep(Duration::from_millis(self.random.next_bits() % u64::from(weather.delay)));
            }
            if noisy && self.direction == Direction::ToMachine {
                self.send(&NOISE);
            }
            if lost {
                continue;
            }
            if late && held.is_none() {
                held = Some(bytes.to_vec());
                continue;
            }
            self.send(bytes);
            if doubled {
                self.send(bytes);
            }
            if let Some(late) = held.take() {
                self.send(&late);
            }
        }
    }

    fn send(&self, bytes: &[u8]) {
        if self.direction == Direction::ToMachine {
            lock(&self.facts).frames_to_machine += 1;
        }
        // The machine may not be there yet, or no longer: a frame to nobody is lost as on any wire.
        let _ = match (self.tag, frame::vlan(bytes)) {
            (Some(tag), _) => self.to.send_to(&frame::tagged(bytes, tag), &self.target),
            (None, Some(vlan)) if self.rules.vlan == Some(vlan) => {
                self.to.send_to(&frame::untagged(bytes), VLAN_SOCKET)
            }
            (None, Some(_)) => return,
            (None, None) => self.to.send_to(bytes, &self.target),
        };
    }

    /// Takes notes of a frame, and perhaps changes it; whether it passes.
    fn look(&self, bytes: &mut [u8]) -> bool {
        let facts = &mut *lock(&self.facts);
        let is_tagged = self.direction == Direction::FromMachine && frame::vlan(bytes).is_some();
        if is_tagged && let Some(head) = bytes.first_chunk() {
            facts.tagged.push((*head, bytes.len()));
        }
        let inner;
        let seen = match is_tagged {
            true => {
                inner = frame::untagged(bytes);
                Frame::parse(&inner)
            }
            false => Frame::parse(bytes),
        };
        let Some(seen) = seen else { return true };
        match self.direction {
            Direction::FromMachine => {
                let name = seen.request();
                if let Some(name) = &name {
                    facts.requests.push(Request {
                        name: name.clone(),
                        at: Instant::now(),
                        data: None,
                        data_bytes: 0,
                        frames_before: facts.frames_to_machine,
                    });
                }
                let is_image =
                    name.as_deref().is_some_and(|name| name.trim_start_matches('/') == self.rules.image);
                let speaks = seen.is_dhcp() || (name.is_some() && !is_image);
                facts.image_speaks |= facts.image_requested && speaks;
                facts.dhcp_by_image += u32::from(facts.image_requested && seen.is_dhcp());
                facts.image_requested |= is_image;
                if !facts.image_requested && seen.is_dhcp() {
                    frame::overwrite_user_class(bytes);
                }
            }
            Direction::ToMachine => {
                let length = seen.data_length();
                if let Some(request) = facts.requests.last_mut()
                    && length > 0
                {
                    let now = Instant::now();
                    request.data = Some((request.data.map_or(now, |(first, _)| first), now));
                    request.data_bytes += length as u64;
                }
                if self.rules.no_dhcp_for_image && facts.image_requested && seen.is_dhcp() {
                    return false;
                }
            }
        }
        true
    }
}
