//! Commands that try the network out: `ping`, `ntp`, `nstat`, `ipstat`.

use alloc::format;
use base::text::printable;
use base::{Duration, Error};
use core::net::{Ipv4Addr, SocketAddrV4};
use script::Invocation;

use crate::errors;
use crate::machine::Machine;
use crate::network::Network;
use crate::screen::say;

/// Bytes of data in an echo request, and the time between two of them, unless the script says otherwise.
const ECHO_LENGTH: u64 = 64;
const ECHO_INTERVAL: u64 = 1000;
/// How long a time server may take to answer, and how often it is asked: not more often than RFC 4330 section 10 allows.
const TIME_INTERVAL: Duration = Duration::from_secs(4);
const TIME_QUESTIONS: u32 = 3;
/// Answers of a time server that can wait.
const TIME_CAPACITY: usize = 1024;

impl Machine {
    /// Carries out one of them.
    pub(crate) fn try_network(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        match command.name() {
            "ipstat" => self.show_counters(),
            "nstat" => self.show_neighbours(),
            "ntp" => return self.set_clock(command.argument(0)),
            _ => return self.ping(command),
        }
        Ok(())
    }

    /// Sends echo requests until Ctrl-C, or as many as the script wants. The last one that got no answer, or a wrong one,
    /// makes it fail.
    fn ping(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let length = command.number(b's').unwrap_or(ECHO_LENGTH);
        let interval = Duration::from_millis(command.number(b't').unwrap_or(ECHO_INTERVAL).max(1));
        let count = command.number(b'c').unwrap_or(u64::MAX);
        let length = usize::try_from(length).ok().filter(|length| *length <= net::ECHO_LIMIT);
        let length = length.ok_or_else(|| errors::TOO_LONG.of(command.name()))?;
        let address = self.address_of(command.argument(0))?;
        self.stack(&address)?.echo_open()?;
        let mut result = Ok(());
        for sequence in 1..=count {
            match self.echo(address, sequence, length, interval, command.flag(b'q')) {
                Err(error) if error.is(&script::errors::CANCELLED) => {
                    result = Err(error);
                    break;
                }
                Err(error) => {
                    if !command.flag(b'q') {
                        say!(self.screen, "{error}");
                    }
                    result = Err(error);
                }
                Ok(()) => {}
            }
        }
        if let Some(network) = &mut self.network {
            network.stack.echo_close();
        }
        result
    }

    /// One echo request. The whole interval passes, but after the last one.
    fn echo(
        &mut self,
        address: Ipv4Addr,
        number: u64,
        length: usize,
        interval: Duration,
        is_quiet: bool,
    ) -> Result<(), Error> {
        // The number in the packet starts anew after 65535.
        let sequence = u16::try_from(number & 0xffff).unwrap_or_default();
        let started = hw::clock::now();
        self.stack(&address)?.echo_send(address, sequence, length)?;
        let reply = self.run_until(started + interval, |machine, now| {
            let reply = machine.network.as_mut()?.stack.echo_receive()?;
            (reply.from == address && reply.sequence == sequence).then_some((reply, now))
        })?;
        let Some((reply, now)) = reply else { return Err(errors::NO_ECHO.of(format!("{address}"))) };
        if !reply.is_intact || reply.length != length {
            return Err(errors::WRONG_ECHO.of(format!("{address}")));
        }
        if !is_quiet {
            let micros = now.since(started).as_micros();
            let (whole, tenths) = (micros / 1000, micros / 100 % 10);
            say!(self.screen, "{length} bytes from {address}: seq={number} time={whole}.{tenths} ms");
        }
        self.run_until(started + interval, |_, _| None::<()>).map(drop)
    }

    /// Sets the clock by a time server.
    fn set_clock(&mut self, host: &[u8]) -> Result<(), Error> {
        let server = self.address_of(host)?;
        let socket = self.stack(&server)?.udp_open(0, TIME_CAPACITY)?;
        let mut result = Ok(None);
        for _ in 0..TIME_QUESTIONS {
            let nonce = hw::clock::noise();
            let remote = SocketAddrV4::new(server, net::NTP_PORT);
            if let Some(network) = &mut self.network {
                network.stack.udp_send(socket, remote, &net::ntp_question(nonce));
            }
            let mut answer = None;
            result = self.run_until(hw::clock::now() + TIME_INTERVAL, |machine, _| {
                let mut take = |from: SocketAddrV4, _: Ipv4Addr, data: &[u8]| {
                    if from == remote {
                        answer = net::ntp_answer(data, nonce, server);
                    }
                };
                machine.network.as_mut()?.stack.udp_receive(socket, &mut take);
                answer.take()
            });
            if !matches!(result, Ok(None)) {
                break;
            }
        }
        if let Some(network) = &mut self.network {
            network.stack.udp_close(socket);
        }
        let seconds = result?.ok_or_else(|| net::errors::NO_ANSWER.of(printable(host)))??;
        hw::clock::set_unix_time(seconds);
        Ok(())
    }

    /// The stack, if it has an address to reach another one from.
    fn stack(&mut self, other: &Ipv4Addr) -> Result<&mut net::Stack, Error> {
        let network = self.network.as_mut().filter(|network| network.stack.configuration().is_some());
        Ok(&mut network.ok_or_else(|| errors::NO_ADDRESS.of(format!("{other}")))?.stack)
    }

    /// Who was asked for by ARP.
    fn show_neighbours(&mut self) {
        let Some(network) = &self.network else { return };
        for (address, mac) in network.stack.neighbours() {
            match mac {
                Some(mac) => say!(self.screen, "{}: {address} is at {mac}", network.device.name),
                None => say!(self.screen, "{}: {address} does not answer", network.device.name),
            }
        }
    }

    /// What was received and sent.
    fn show_counters(&mut self) {
        let Some(Network { stack, port, device, .. }) = &self.network else { return };
        let name = &device.name;
        let net::Counters { received, sent } = stack.counters();
        for (what, tally) in [("received", received), ("sent", sent)] {
            let net::Tally { arp, icmp, tcp, udp, other } = tally;
            say!(self.screen, "{name}: {what} ARP:{arp} ICMP:{icmp} TCP:{tcp} UDP:{udp} other:{other}");
        }
        let link::Counters { foreign_vlan, switch, ignored, .. } = port.counters();
        say!(self.screen, "{name}: ignored VLAN:{foreign_vlan} switch:{switch} other:{ignored}");
    }
}
