//! Commands that look at the network.

use alloc::format;
use base::text::printable;
use base::{Duration, Error};
use core::net::{Ipv4Addr, SocketAddrV4};
use nic::Nic;
use script::Invocation;
use settings::Kind;
use uri::Uri;

use crate::errors;
use crate::fetch::Job;
use crate::machine::Machine;
use crate::network::Network;
use crate::screen::say;
use crate::vendor;

/// How long a look-up by command may take.
const LOOKUP: Duration = Duration::from_secs(60);
/// Bytes of data in an echo request, and the time between two of them, unless the script says otherwise.
const ECHO_LENGTH: u64 = 64;
const ECHO_INTERVAL: u64 = 1000;
/// How long a time server may take to answer, and how often it is asked: not more often than RFC 4330 section 10 allows.
const TIME_INTERVAL: Duration = Duration::from_secs(4);
const TIME_QUESTIONS: u32 = 3;
/// Answers of a time server that can wait.
const TIME_CAPACITY: usize = 1024;

impl Machine {
    /// Stores the address of a name.
    pub(crate) fn look_up(&mut self, setting: &[u8], host: &[u8]) -> Result<(), Error> {
        let address = self.address_of(host)?;
        let (block, key) = self.settings.place(setting)?;
        self.settings.store_bytes(block, &key, Kind::Ipv4, address.octets().to_vec())
    }

    fn address_of(&mut self, host: &[u8]) -> Result<Ipv4Addr, Error> {
        let host = core::str::from_utf8(host).unwrap_or_default();
        self.resolve(&Uri::parse(&format!("dns://{host}"))?, &mut Job::quiet(LOOKUP))
    }

    /// Sends echo requests until Ctrl-C, or as many as the script wants. The last one that got no answer, or a wrong one,
    /// makes it fail.
    pub(crate) fn ping(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
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
    pub(crate) fn set_clock(&mut self, host: &[u8]) -> Result<(), Error> {
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
                let mut take = |from: SocketAddrV4, data: &[u8]| {
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
    pub(crate) fn show_neighbours(&mut self) {
        let Some(network) = &self.network else { return };
        for (address, mac) in network.stack.neighbours() {
            match mac {
                Some(mac) => say!(self.screen, "net0: {address} is at {mac}"),
                None => say!(self.screen, "net0: {address} does not answer"),
            }
        }
    }

    /// What was received and sent.
    pub(crate) fn show_counters(&mut self) {
        let Some(Network { stack, port, .. }) = &self.network else { return };
        let net::Counters { received, sent } = stack.counters();
        for (what, tally) in [("received", received), ("sent", sent)] {
            let net::Tally { arp, icmp, tcp, udp, other } = tally;
            say!(self.screen, "net0: {what} ARP:{arp} ICMP:{icmp} TCP:{tcp} UDP:{udp} other:{other}");
        }
        let link::Counters { foreign_vlan, switch, ignored, .. } = port.counters();
        say!(self.screen, "net0: ignored VLAN:{foreign_vlan} switch:{switch} other:{ignored}");
    }

    /// The card, its state and its counters.
    pub(crate) fn show_card(&mut self) {
        let Some(network) = &mut self.network else { return };
        let mac = network.mac();
        let state = if self.settings.latest().is_some() { "open" } else { "closed" };
        let nic = network.port.nic_mut();
        let counters = nic.counters();
        say!(self.screen, "net0: {mac} using {} ({state})", nic.identity().driver);
        say!(
            self.screen,
            "  [TX:{} TXE:{} RX:{} RXE:{}]",
            counters.sent,
            counters.send_errors,
            counters.received,
            counters.receive_drops
        );
        self.name_other_cards();
    }

    /// Names the cards that are not in use.
    pub(crate) fn name_other_cards(&mut self) {
        let Some(pci) = self.network.as_ref().and_then(|network| network.port.nic().identity().pci) else {
            return;
        };
        hw::pci::each_network_card(&mut |other, _, _| {
            if other != pci.bus_device_function {
                let other = vendor::shown(other);
                say!(self.screen, "The card at {other} is left alone: one is driven at a time");
            }
        });
    }

    /// The address and the ways to others.
    pub(crate) fn show_routes(&mut self) {
        let configuration = self.network.as_ref().and_then(|network| network.stack.configuration());
        let Some(net::Ipv4Config { address, prefix_length, gateway, routes }) = configuration else { return };
        say!(self.screen, "net0: {address}/{prefix_length}");
        if let Some(gateway) = gateway {
            say!(self.screen, "net0: 0.0.0.0/0 gw {gateway}");
        }
        for net::Route { destination, prefix_length, gateway } in routes {
            say!(self.screen, "net0: {destination}/{prefix_length} gw {gateway}");
        }
    }
}
