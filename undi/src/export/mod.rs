//! The PXE stack that we offer to programs that we start.
//!
//! [`Services`] takes a call - its number and the far pointer to its parameters -, reads and writes the program's
//! memory through [`Memory`] and acts on the network through [`Network`]. It knows no hardware. Whatever a program
//! passes, a call is answered, writes to nothing but its parameters and the buffers that they name, and to none of
//! those outside of the [`Fence`].
//!
//! Programs call in real mode, or in 16-bit protected mode; then segments are selectors ([`Selectors`]).
//!
//! A call with parameters that cannot be written to is answered with failure in AX alone. A pointer that is null,
//! leaves its segment or 1 MiB, leads behind the fence or over the parameters is [`Status::INVALID_PARAMETER`].
//!
//! Sources: PXE 2.1 sections 3 and 4; `PXE extensions` of iPXE for the calls from e0h on.

mod file;
mod memory;
mod preboot;
mod structures;
#[cfg(test)]
mod tests;
mod tftp;
mod udp;
mod undi;
mod world;

pub use memory::Fence;
pub use preboot::PACKET_ROOM;
pub use structures::{Places, bang_pxe, data_selector, pxenv_plus};
pub use world::{Datagram, FileHandle, Memory, Network, Packets, Part, Selectors, Source};

use crate::abi::base_code::TftpReadFile;
use crate::abi::{Initialize, Opcode, Plain, Status, UnloadStack};
use alloc::vec::Vec;
use base::SegOff;
use core::net::Ipv4Addr;
use memory::Guarded;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// PXENV_EXIT_SUCCESS, in AX.
pub const EXIT_SUCCESS: u16 = 0;
/// PXENV_EXIT_FAILURE, in AX.
pub const EXIT_FAILURE: u16 = 1;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It returns. The status is in its parameters already, if they could be written to; AX is [`Answer::ax`], and
    /// the carry flag is set for failure.
    Return(Status),
    /// RESTART_TFTP: another program is at 0:7C00 and is to be entered as the one that called was. The call does not
    /// return.
    Restart,
}

impl Answer {
    /// AX on return.
    pub fn ax(self) -> u16 {
        match self {
            Self::Return(Status::SUCCESS) | Self::Restart => EXIT_SUCCESS,
            Self::Return(_) => EXIT_FAILURE,
        }
    }
}

/// Places of ours in base memory whose addresses programs are told. The fence must contain them.
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// Three times [`PACKET_ROOM`] bytes: the packets of the DHCP exchange.
    pub packets: SegOff,
    /// A received frame, or the part of it that has room.
    pub frame: SegOff,
    /// Bytes at `frame`, at least 64.
    pub frame_room: u16,
}

/// The services that one program uses, and what it has open.
#[derive(Debug)]
pub struct Services {
    fence: Fence,
    buffers: Buffers,
    /// The program's arguments, without a zero.
    arguments: Vec<u8>,
    undi: undi::Undi,
    base: preboot::Base,
    udp: udp::Udp,
    tftp: tftp::Tftp,
    files: file::Files,
}

impl Services {
    /// Services for a program that is about to be started with `arguments`. [`install`](Self::install) comes before
    /// its first call.
    pub fn new(fence: Fence, buffers: Buffers, arguments: &[u8]) -> Self {
        Self {
            fence,
            buffers,
            arguments: arguments.into(),
            undi: undi::Undi::default(),
            base: preboot::Base::default(),
            udp: udp::Udp::default(),
            tftp: tftp::Tftp::default(),
            files: file::Files::default(),
        }
    }

    /// The same for a program that we are the UNDI of, loaded and not started yet: the card is closed.
    pub fn stopped(self) -> Self {
        Self { undi: undi::Undi::stopped(), ..self }
    }

    /// Puts the packets of the DHCP exchange where GET_CACHED_INFO says that they are. False if they do not all lie in
    /// memory. An empty reply becomes the ACK, which then is all that the servers have said.
    pub fn install(&mut self, memory: &mut dyn Memory, packets: &Packets) -> bool {
        self.base.install(self.buffers, packets, &mut |at, data| memory.write(at.linear(), data))
    }

    /// Closes all that the program has left open, when it has ended. The card is the stack's again, and open unless
    /// it does not answer.
    pub fn close(&mut self, network: &mut dyn Network) {
        self.udp.close(network);
        self.tftp.close(network);
        self.files.close_all(network);
        self.undi.give_back(network);
    }

    /// Carries out a call with its parameters at `parameters`.
    pub fn call(
        &mut self,
        opcode: Opcode,
        parameters: SegOff,
        memory: &mut dyn Memory,
        network: &mut dyn Network,
    ) -> Answer {
        let Self { fence, buffers, arguments, undi, base, udp, tftp, files } = self;
        let buffers = *buffers;
        let mut call = Call { network, memory: Guarded::new(memory, fence, parameters) };
        if !call.memory.names(buffers.packets) {
            // It has not said by which selectors we are to be reached (PXE 2.1 section 3.2).
            return call.refuse(Status::FAILURE);
        }
        if needs_network(opcode) && !undi.is_ready() {
            return call.refuse(Status::INVALID_STATE);
        }
        if is_base_code(opcode) && !base.is_running() {
            return call.refuse(Status::FAILURE);
        }
        match opcode {
            Opcode::START_UNDI => call.with(|network, _, block| undi.start(network, block)),
            Opcode::STARTUP => call.with(|_, _, _: &mut Plain| undi.startup()),
            Opcode::CLEANUP => call.with(|network, _, _: &mut Plain| undi.cleanup(network)),
            Opcode::INITIALIZE => call.with(|network, _, _: &mut Initialize| undi.initialize(network)),
            Opcode::RESET_ADAPTER => call.with(|network, _, block| undi.reset(network, block)),
            Opcode::SHUTDOWN => call.with(|network, _, _: &mut Plain| undi.shutdown(network)),
            Opcode::OPEN => call.with(|_, _, block| undi.open(block)),
            Opcode::CLOSE => call.with(|_, _, _: &mut Plain| undi.close()),
            Opcode::TRANSMIT => call.with(|network, memory, block| undi.transmit(network, memory, block)),
            Opcode::SET_MCAST_ADDRESS => call.with(|_, _, block| undi.set_multicast(block)),
            Opcode::SET_STATION_ADDRESS => call.with(|network, _, block| undi.set_address(network, block)),
            Opcode::SET_PACKET_FILTER => call.with(|_, _, block| undi.set_filter(block)),
            Opcode::GET_INFORMATION => call.with(|network, _, block| undi::information(network, block)),
            Opcode::GET_STATISTICS => call.with(|network, _, block| undi.statistics(network, block)),
            Opcode::CLEAR_STATISTICS => call.with(|network, _, _: &mut Plain| undi.clear_statistics(network)),
            Opcode::GET_MCAST_ADDRESS => call.with(|_, _, block| undi::multicast_address(block)),
            Opcode::GET_NIC_TYPE => call.with(|network, _, block| undi::nic_type(network, block)),
            Opcode::GET_IFACE_INFO => call.with(|network, _, block| undi::interface(network, block)),
            Opcode::ISR => call.with(|network, memory, block| undi.isr(network, memory, buffers, block)),
            // Both calls have this number. An UNDI is stopped after it was shut down, so one at work is asked for its
            // state.
            Opcode::STOP_UNDI if undi.is_ready() => call.with(|_, _, block| undi.state(block)),
            Opcode::STOP_UNDI => call.with(|network, _, _: &mut UnloadStack| undi.stop(network)),
            Opcode::UNLOAD_STACK => call.with(|network, _, _: &mut UnloadStack| {
                base.unload(network)?;
                tftp.close(network);
                udp.close(network);
                Ok(())
            }),
            Opcode::GET_CACHED_INFO => call.with(|_, memory, block| base.cached(memory, buffers, block)),
            Opcode::RESTART_TFTP => call.restart(),
            Opcode::START_BASE => {
                call.with(|network, memory, _: &mut Plain| base.start(network, memory, buffers))
            }
            Opcode::STOP_BASE => call.with(|network, _, _: &mut Plain| {
                tftp.close(network);
                udp.close(network);
                base.stop()
            }),
            Opcode::TFTP_OPEN => call.with(|network, _, block| tftp.open(network, block)),
            Opcode::TFTP_CLOSE => call.with(|network, _, _: &mut Plain| tftp.end(network)),
            Opcode::TFTP_READ => call.with(|network, memory, block| tftp.read(network, memory, block)),
            Opcode::TFTP_READ_FILE | Opcode::MTFTP_READ_FILE => {
                call.with(|network, memory, block| tftp::read_file(network, memory, block))
            }
            Opcode::TFTP_GET_FSIZE => call.with(|network, _, block| tftp::file_size(network, block)),
            Opcode::UDP_OPEN => call.with(|network, _, block| udp.open(network, block)),
            Opcode::UDP_CLOSE => call.with(|network, _, _: &mut Plain| udp.end(network)),
            Opcode::UDP_READ => call.with(|network, memory, block| udp.read(network, memory, block)),
            Opcode::UDP_WRITE => call.with(|network, memory, block| udp.write(network, memory, block)),
            Opcode::FILE_OPEN => call.with(|network, memory, block| files.open(network, memory, block)),
            Opcode::FILE_CLOSE => call.with(|network, _, block| files.close(network, block)),
            Opcode::FILE_SELECT => call.with(|network, _, block| files.select(network, block)),
            Opcode::FILE_READ => call.with(|network, memory, block| files.read(network, memory, block)),
            Opcode::GET_FILE_SIZE => call.with(|network, _, block| files.size(network, block)),
            Opcode::FILE_EXEC => call.with(|network, memory, block| file::execute(network, memory, block)),
            Opcode::FILE_API_CHECK => call.with(|_, _, block| file::check(block)),
            Opcode::FILE_CMDLINE => {
                call.with(|_, memory, block| file::command_line(memory, arguments, block))
            }
            // UNDI_INITIATE_DIAGS and UNDI_FORCE_INTERRUPT are among them: there is nothing to be tested by a program,
            // and our cards never interrupt. So is FILE_EXIT_HOOK, as in all of iPXE's images but `.kkkpxe`.
            _ => call.refuse(Status::UNSUPPORTED),
        }
    }
}

/// Whether the call belongs to the base code, which can be stopped and unloaded.
fn is_base_code(opcode: Opcode) -> bool {
    matches!(opcode.0, 0x20..=0x33) || opcode == Opcode::RESTART_TFTP
}

/// Whether the call is answered by the network: the card must be initialized.
fn needs_network(opcode: Opcode) -> bool {
    let reads_file = matches!(opcode, Opcode::FILE_OPEN | Opcode::FILE_SELECT | Opcode::FILE_READ);
    let opens = is_base_code(opcode) && !matches!(opcode, Opcode::TFTP_CLOSE | Opcode::UDP_CLOSE);
    reads_file || opens || opcode == Opcode::START_BASE
}

/// A call that is under way.
struct Call<'a> {
    network: &'a mut dyn Network,
    memory: Guarded<'a>,
}

impl Call<'_> {
    /// Reads the parameters, acts on them, and writes them back with the status; after a failure the status only.
    fn with<T: FromBytes + IntoBytes + KnownLayout + Immutable>(
        &mut self,
        act: impl FnOnce(&mut dyn Network, &mut Guarded<'_>, &mut T) -> Result<(), Status>,
    ) -> Answer {
        let mut block = T::new_zeroed();
        if let Err(status) = self.memory.begin(block.as_mut_bytes()) {
            return Answer::Return(status);
        }
        let result = act(self.network, &mut self.memory, &mut block);
        self.memory.end(block.as_mut_bytes(), result)
    }

    /// Answers with `status`, whatever the parameters are.
    fn refuse(&mut self, status: Status) -> Answer {
        self.with(|_, _, _: &mut Plain| Err(status))
    }

    /// RESTART_TFTP: the new program may well lie over the parameters of the call.
    fn restart(&mut self) -> Answer {
        let mut block = TftpReadFile::new_zeroed();
        if let Err(status) = self.memory.begin(block.as_mut_bytes()) {
            return Answer::Return(status);
        }
        self.memory.forget_block();
        match tftp::load(self.network, &mut self.memory, &block) {
            Ok(()) => Answer::Restart,
            Err(status) => self.refuse(status),
        }
    }
}

/// The gateway that a program names, if it names one.
fn gateway(address: [u8; 4]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(address)).filter(|address| !address.is_unspecified())
}
