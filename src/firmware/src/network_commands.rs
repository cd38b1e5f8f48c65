//! Commands that look at the network.

use alloc::format;
use base::{Duration, Error};
use core::net::Ipv4Addr;
use link::Tag;
use nic::Nic;
use script::{Host, Invocation, Vlan};
use settings::{Kind, Scope};
use uri::Uri;

use crate::fetch::Job;
use crate::lease::{packet_block, publish_card};
use crate::machine::Machine;
use crate::network::{CARD, Device};
use crate::screen::say;
use crate::vendor;

/// How long a look-up by command may take.
const LOOKUP: Duration = Duration::from_secs(60);

impl Machine {
    /// Stores the address of a name.
    pub(crate) fn look_up(&mut self, setting: &[u8], host: &[u8]) -> Result<(), Error> {
        let address = self.address_of(host)?;
        let (block, key) = self.settings.place(setting)?;
        self.settings.store_bytes(block, &key, Kind::Ipv4, address.octets().to_vec())
    }

    /// The address of a host by its name.
    pub(crate) fn address_of(&mut self, host: &[u8]) -> Result<Ipv4Addr, Error> {
        let host = core::str::from_utf8(host).unwrap_or_default();
        self.resolve(&Uri::parse(&format!("dns://{host}"))?, &mut Job::quiet(LOOKUP))
    }

    /// Makes a device of a VLAN of the card. One that is there gets another priority, as in iPXE.
    pub(crate) fn create_vlan(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let Vlan { name, tag, priority, .. } = Vlan::to_create(command, &mut self.host())?;
        let Some(network) = &mut self.network else { return Ok(()) };
        let tag = Some(Tag::new(tag, priority));
        let known = network.devices().find(|device| device.name == name);
        let is_known = known.is_some_and(|device| {
            device.tag = tag;
            true
        });
        if is_known {
            network.set_tag();
            return Ok(());
        }
        publish_card(&mut self.settings, &name, network.port.nic().identity())?;
        network.waiting.push(Device { name, tag, lease: None });
        Ok(())
    }

    /// Takes the device of a VLAN away, and what is known of it.
    pub(crate) fn destroy_vlan(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let name = Vlan::to_destroy(command, &mut self.host())?;
        self.host().close(&name);
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

    /// The card, its state and its counters, and its VLANs, as far as they are meant.
    pub(crate) fn show_cards(&mut self, command: &Invocation<'_>) {
        let meant = script::known_cards(command, &mut self.host());
        let is_meant = |name: &str| meant.iter().any(|meant| meant == name);
        let Some(network) = &mut self.network else { return };
        let mac = network.mac();
        let settings = &self.settings;
        let state = |name: &str| match settings.find(name.as_bytes()) {
            Some(block) if settings.is_open(block) => "open",
            _ => "closed",
        };
        let nic = network.port.nic();
        let counters = nic.counters();
        if is_meant(CARD) {
            say!(self.screen, "{CARD}: {mac} using {} ({})", nic.identity().driver, state(CARD));
            say!(
                self.screen,
                "  [TX:{} TXE:{} RX:{} RXE:{}]",
                counters.sent,
                counters.send_errors,
                counters.received,
                counters.receive_drops
            );
        }
        for Device { name, tag, .. } in network.devices() {
            if let Some(tag) = tag.filter(|_| is_meant(name)) {
                let (vlan, priority) = (tag.vlan(), tag.priority());
                say!(self.screen, "{name}: {mac}, VLAN {vlan}, priority {priority} ({})", state(name));
            }
        }
        if command.arguments.is_empty() {
            self.name_other_cards();
        }
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
