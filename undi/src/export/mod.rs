//! The PXE stack that we offer to programs that we start.
//!
//! [`Services`] takes a call - its number and the far pointer to its parameters -, reads and writes the program's
//! memory through [`Memory`] and acts on the network through [`Network`]. The calls of UNDI it hands to an [`Undi`],
//! which acts on the [`Card`] only, and may be had alone. Neither knows hardware. Whatever a program passes, a call is
//! answered, writes to nothing but its parameters and the buffers that they name, and to none of those outside of the
//! [`Fence`].
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
pub use undi::Undi;
pub use world::{Card, Datagram, FileHandle, Memory, Network, Packets, Selectors, Source};

use crate::abi::{Opcode, Plain, Status, UnloadStack};
use alloc::vec::Vec;
use base::SegOff;
use core::net::Ipv4Addr;
use memory::Guarded;

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

/// The services that one program uses, and what it has open.
#[derive(Debug)]
pub struct Services {
    /// The program's arguments, without a zero.
    arguments: Vec<u8>,
    undi: Undi,
    base: preboot::Base,
    udp: udp::Udp,
    tftp: tftp::Tftp,
    files: file::Files,
}

impl Services {
    /// Services for a program that is about to be started with `arguments`. [`install`](Self::install) comes before
    /// its first call. The packets of the DHCP exchange get three times [`PACKET_ROOM`] bytes at `packets`: ours in
    /// base memory, and in the fence.
    pub fn new(undi: Undi, packets: SegOff, arguments: &[u8]) -> Self {
        Self {
            arguments: arguments.into(),
            undi,
            base: preboot::Base::new(packets),
            udp: udp::Udp::default(),
            tftp: tftp::Tftp::default(),
            files: file::Files::default(),
        }
    }

    /// Puts the packets of the DHCP exchange where GET_CACHED_INFO says that they are. False if they do not all lie in
    /// memory. An empty reply becomes the ACK, which then is all that the servers have said.
    pub fn install(&mut self, memory: &mut dyn Memory, packets: &Packets) -> bool {
        self.base.install(packets, &mut |at, data| memory.write(at.linear(), data))
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
        let Self { arguments, undi, base, udp, tftp, files } = self;
        let mut memory = Guarded::new(memory, undi.fence, parameters);
        let memory = &mut memory;
        Answer::Return(match opcode {
            // It has not said by which selectors we are to be reached (PXE 2.1 section 3.2).
            _ if !memory.names(base.packets) => memory.refuse(Status::FAILURE),
            _ if needs_network(opcode) && !undi.is_ready() => memory.refuse(Status::INVALID_STATE),
            _ if is_base_code(opcode) && !base.is_running() => memory.refuse(Status::FAILURE),
            Opcode::UNLOAD_STACK => memory.with(|_, _: &mut UnloadStack| {
                tftp.close(network);
                udp.close(network);
                base.stop(true)
            }),
            Opcode::GET_CACHED_INFO => memory.with(|memory, block| base.cached(memory, block)),
            Opcode::RESTART_TFTP => match tftp::restart(network, memory) {
                Ok(()) => return Answer::Restart,
                Err(status) => status,
            },
            Opcode::START_BASE => memory.with(|memory, _: &mut Plain| base.start(network, memory)),
            Opcode::STOP_BASE => memory.with(|_, _: &mut Plain| {
                tftp.close(network);
                udp.close(network);
                base.stop(false)
            }),
            Opcode::TFTP_OPEN => memory.with(|_, block| tftp.open(network, block)),
            Opcode::TFTP_CLOSE => memory.with(|_, _: &mut Plain| tftp.end(network)),
            Opcode::TFTP_READ => memory.with(|memory, block| tftp.read(network, memory, block)),
            Opcode::TFTP_READ_FILE | Opcode::MTFTP_READ_FILE => {
                memory.with(|memory, block| tftp::read_file(network, memory, block))
            }
            Opcode::TFTP_GET_FSIZE => memory.with(|_, block| tftp::file_size(network, block)),
            Opcode::UDP_OPEN => memory.with(|_, block| udp.open(network, block)),
            Opcode::UDP_CLOSE => memory.with(|_, _: &mut Plain| udp.end(network)),
            Opcode::UDP_READ => memory.with(|memory, block| udp.read(network, memory, block)),
            Opcode::UDP_WRITE => memory.with(|memory, block| udp.write(network, memory, block)),
            Opcode::FILE_OPEN => memory.with(|memory, block| files.open(network, memory, block)),
            Opcode::FILE_CLOSE => memory.with(|_, block| files.close(network, block)),
            Opcode::FILE_SELECT => memory.with(|_, block| files.select(network, block)),
            Opcode::FILE_READ => memory.with(|memory, block| files.read(network, memory, block)),
            Opcode::GET_FILE_SIZE => memory.with(|_, block| files.size(network, block)),
            Opcode::FILE_EXEC => memory.with(|memory, block| file::execute(network, memory, block)),
            Opcode::FILE_API_CHECK => memory.with(|_, block| file::check(block)),
            Opcode::FILE_CMDLINE => memory.with(|memory, block| file::command_line(memory, arguments, block)),
            // FILE_EXIT_HOOK is among them and unsupported, as in all of iPXE's images but `.kkkpxe`.
            _ => undi.carry_out(opcode, memory, network),
        })
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

/// The gateway that a program names, if it names one.
fn gateway(address: [u8; 4]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(address)).filter(|address| !address.is_unspecified())
}
