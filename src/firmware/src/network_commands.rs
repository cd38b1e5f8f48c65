//! Commands that look at the network.

use alloc::format;
use base::text::printable;
use base::{Duration, Error};
use core::net::{Ipv4Addr, SocketAddrV4};
use link::Tag;
use nic::Nic;
use script::{Host, Invocation, Vlan};
use settings::{Kind, Scope};
use uri::Uri;

use crate::errors;
use crate::fetch::Job;
use crate::lease::{packet_block, publish_card};
use crate::machine::Machine;
use crate::network::{CARD, Device, Network};
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

    /// Makes a device of a VLAN of the card. One that is there gets another priority, as in iPXE.
    pub(crate) fn create_vlan(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let Vlan { name, tag, priority, .. } = Vlan::to_create(command, self)?;
        let Some(network) = &mut self.network else { return Ok(()) };
        let tag = Some(Tag::new(tag, priority));
        let known = network.devices().find(|device| device.name == name);
        let is_known = known.is_some_and(|device| {
            device.tag = tag;
            true
        });
        if is_known {
            network.port.set_tag(network.device.tag);
            return Ok(());
        }
        publish_card(&mut self.settings, &name, network.port.nic().identity())?;
        network.waiting.push(Device { name, tag, lease: None });
        Ok(())
    }

    /// Takes the device of a VLAN away, and what is known of it.
    pub(crate) fn destroy_vlan(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let name = Vlan::to_destroy(command, self)?;
        self.close(&name);
        if let Some(network) = &mut self.network {
            if network.device.name == name {
                network.give_to(&|device| device.tag.is_none());
            }
            network.waiting.retain(|device| device.name != name);
        }
        for block in [packet_block(&name), name.into_bytes()] {
            if let Some(block) = self.settings.find(&block) {
                self.settings.set_source(block, Scope::Dhcp, None);
            }
        }
        Ok(())
    }

    /// Who was asked for by ARP.
    pub(crate) fn show_neighbours(&mut self) {
        let Some(network) = &self.network else { return };
        for (address, mac) in network.stack.neighbours() {
            match mac {
                Some(mac) => say!(self.screen, "{}: {address} is at {mac}", network.device.name),
                None => say!(self.screen, "{}: {address} does not answer", network.device.name),
            }
        }
    }

    /// What was received and sent.
    pub(crate) fn show_counters(&mut self) {
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

    /// The card, its state and its counters, and its VLANs.
    pub(crate) fn show_card(&mut self) {
        let Some(network) = &mut self.network else { return };
        let mac = network.mac();
        let settings = &self.settings;
        let state = |name: &str| match settings.find(name.as_bytes()) {
            Some(block) if settings.is_open(block) => "open",
            _ => "closed",
        };
        let nic = network.port.nic();
        let counters = nic.counters();
        say!(self.screen, "{CARD}: {mac} using {} ({})", nic.identity().driver, state(CARD));
        say!(
            self.screen,
            "  [TX:{} TXE:{} RX:{} RXE:{}]",
            counters.sent,
            counters.send_errors,
            counters.received,
            counters.receive_drops
        );
        for Device { name, tag, .. } in network.devices() {
            if let Some(tag) = tag {
                let (vlan, priority) = (tag.vlan(), tag.priority());
                say!(self.screen, "{name}: {mac}, VLAN {vlan}, priority {priority} ({})", state(name));
            }
        }
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
        let Some(network) = &self.network else { return };
        let Some(configuration) = network.stack.configuration() else { return };
        let (name, net::Ipv4Config { address, prefix_length, gateway, routes }) =
            (&network.device.name, configuration);
        say!(self.screen, "{name}: {address}/{prefix_length}");
        if let Some(gateway) = gateway {
            say!(self.screen, "{name}: 0.0.0.0/0 gw {gateway}");
        }
        for net::Route { destination, prefix_length, gateway } in routes {
            say!(self.screen, "{name}: {destination}/{prefix_length} gw {gateway}");
        }
    }
}
