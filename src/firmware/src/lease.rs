//! DHCP: the exchange, joining it, and what a lease means for the rest of the machine.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base::{Duration, Error, Instant};
use console::{Countdown, Table};
use dhcp::{Lease, Packet};
use settings::{BlockId, Kind, Scope, Source, Tag, Tree};
use uri::Uri;

use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

/// Features of this build, as tags inside option 175: HTTP, TFTP, DNS, bzImage, VLAN.
const FEATURES: &[u8] = &[0x13, 0x15, 0x17, 0x18, 0x26];
/// How long servers are looked for behind a switch port that is seen to be blocked (field note B1).
const BLOCKED_TOTAL: Duration = Duration::from_secs(180);
/// A wait is shown when it takes longer than this.
const WONDER: Duration = Duration::from_millis(1500);
/// How much longer than an exchange its end is waited for.
const SLACK: Duration = Duration::from_millis(100);

impl Machine {
    /// Begins a DHCP exchange in the background, unless one runs already.
    pub(crate) fn start_dhcp(&mut self, total: Option<Duration>) -> Result<(), Error> {
        let mut config = self.dhcp_config()?;
        let Some(network) = &mut self.network else { return Ok(()) };
        if network.exchange.is_some() {
            return Ok(());
        }
        if let Some(total) = total {
            config.total = total;
        }
        network.start_exchange(config, hw::clock::now())
    }

    /// Who we are to DHCP servers.
    pub(crate) fn dhcp_config(&self) -> Result<dhcp::Config, Error> {
        let uuid = crate::hardware::uuid(&self.info);
        let cached = self.vendor.as_ref().map(|vendor| vendor.cached());
        let Some(network) = &self.network else { return Err(errors::NO_CARD.of("none was found")) };
        let mut config = dhcp::Config::new(network.mac(), hw::clock::noise());
        config.uuid = uuid;
        config.features = FEATURES;
        config.version = [2, 0, 0];
        let identity = nic::Nic::identity(network.port.nic());
        config.pci = identity.pci.map(|pci| (pci.vendor, pci.device));
        if let Some(cached) = cached {
            if let Some(discover) = &cached.discover {
                config.adopt(discover);
            }
            config.own_file = self.own_file().map(|file| file.name);
            // Its address is of the card's own network.
            let ack = cached.ack.as_deref().filter(|_| network.device.tag.is_none());
            config.requested_address = ack.and_then(Packet::parse).map(|ack| ack.your_address());
        }
        Ok(config)
    }

    /// Waits for the exchange that runs, until `deadline` at the latest, and tells what it waits for. None if it
    /// goes on still.
    pub(crate) fn await_dhcp(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<Result<Rc<Lease>, Error>>, Error> {
        let since = hw::clock::now();
        let mut shown: Option<(String, Countdown)> = None;
        let mut reason = None;
        let answer = self.run_until(deadline.unwrap_or(Instant::from_micros(u64::MAX)), |machine, now| {
            let network = machine.network.as_mut()?;
            if let Some(error) = &network.failure {
                return Some(Err(error.clone()));
            }
            let blocked = network.blocked(now);
            let exchange = network.exchange.as_mut()?;
            if blocked.is_some() {
                exchange.client.extend(BLOCKED_TOTAL);
            } else if reason.is_some() {
                exchange.client.hurry(now);
            }
            reason = blocked;
            match exchange.client.state() {
                dhcp::State::Bound(lease) => return Some(Ok(lease.clone())),
                dhcp::State::Failed(error) => return Some(Err(error.clone())),
                dhcp::State::Running { phase, ends, .. } if now.since(since) >= WONDER => {
                    let text = blocked.unwrap_or(phase);
                    if shown.as_ref().is_none_or(|(before, _)| before != text) {
                        shown = Some((text.to_string(), Countdown::new(&format!("DHCP: {text}"), ends)));
                    }
                    let line = shown.as_mut().and_then(|(_, countdown)| countdown.update(now));
                    machine.screen.overwrite(&line.unwrap_or_default());
                }
                dhcp::State::Running { .. } => {}
            }
            None
        });
        if let Some((_, mut countdown)) = shown {
            self.screen.overwrite(&countdown.clear());
        }
        answer
    }

    /// Takes the result of the exchange: shows who offered what if that is not plain, and uses the lease.
    pub(crate) fn apply_exchange(&mut self, lease: Rc<Lease>) -> Result<(), Error> {
        if let Some(network) = &mut self.network {
            let offers = network.exchange.as_ref().map(|exchange| exchange.client.offers());
            if let Some(table) = offers.and_then(offers_table) {
                self.screen.say(table.as_bytes());
            }
            network.end_exchange();
        }
        self.apply_lease(lease)
    }

    /// Uses a lease, and makes it known to scripts.
    pub(crate) fn apply_lease(&mut self, lease: Rc<Lease>) -> Result<(), Error> {
        let Some(network) = &mut self.network else { return Err(errors::NO_CARD.of("none was found")) };
        publish(&mut self.settings, &network.device.name, &lease);
        let is_news = network.device.lease.as_ref().is_none_or(|old| {
            (old.address, old.prefix_length, &old.routes)
                != (lease.address, lease.prefix_length, &lease.routes)
        });
        let gateway = lease.routes.iter().find(|route| route.prefix_length == 0);
        let gateway = gateway.map(|route| format!(" gw {}", route.gateway)).unwrap_or_default();
        if is_news {
            say!(
                self.screen,
                "{}: {}/{}{gateway}, from {}",
                network.device.name,
                lease.address,
                lease.prefix_length,
                lease.server
            );
        }
        network.apply(lease)
    }

    /// The `dhcp` command: joins the exchange that runs or begins one, and applies it whole.
    pub(crate) fn dhcp(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        self.start_dhcp(timeout)?;
        // An exchange that was begun just now ends by itself, and says why.
        let deadline = timeout.map(|timeout| hw::clock::now() + timeout + SLACK);
        let result = self.await_dhcp(deadline)?;
        let result = result.unwrap_or_else(|| Err(errors::TIMEOUT.of("dhcp")));
        match result {
            Ok(lease) => self.apply_exchange(lease),
            Err(error) => {
                if let Some(network) = &mut self.network {
                    network.end_exchange();
                }
                Err(error)
            }
        }
    }
}

/// Who offered what, if several did.
fn offers_table(offers: &[dhcp::Offer]) -> Option<String> {
    if offers.len() < 2 {
        return None;
    }
    let mut table = Table::new(&["server", "address", "file", "", "why"]);
    for offer in offers {
        let address = offer.address.map_or_else(|| "proxy".to_string(), |address| address.to_string());
        let chosen = if offer.chosen { "won" } else { "lost" };
        // A file may be an address with a password in it.
        let file = Uri::parse(&offer.file).map_or_else(|_| offer.file.clone(), |uri| uri.redacted());
        table.row(&[&offer.server.to_string(), &address, &file, chosen, offer.reason]);
    }
    Some(table.render())
}

/// The block with what a device's DHCP server says.
pub(crate) fn packet_block(device: &str) -> Vec<u8> {
    let mut name = device.as_bytes().to_vec();
    name.extend_from_slice(b".dhcp");
    name
}

/// Makes a lease known as settings.
fn publish(settings: &mut Tree, device: &str, lease: &Lease) {
    let boot = lease.boot.as_ref();
    let boot_file =
        |named| boot.filter(|boot| boot.named == named).map(|boot| boot.name.clone().into_bytes());
    if let Ok(block) = settings.block(&packet_block(device)) {
        let file = boot_file(dhcp::Named::ByLease);
        settings.set_source(
            block,
            Scope::Dhcp,
            Some(Box::new(PacketSource { packet: lease.ack.clone(), file })),
        );
    }
    if let Ok(block) = settings.block(b"proxydhcp") {
        let file = boot_file(dhcp::Named::ByProxy);
        let source =
            lease.proxy.clone().map(|packet| Box::new(PacketSource { packet, file }) as Box<dyn Source>);
        settings.set_source(block, Scope::Dhcp, source);
    }
}

/// A packet as a holder of settings.
pub(crate) struct PacketSource {
    pub(crate) packet: Packet,
    /// The boot file, from wherever in the packet it was.
    pub(crate) file: Option<Vec<u8>>,
}

/// Inside option 175, scripts find the address and the server of the packet's fixed fields (settings `ip` and
/// `next-server`).
const ENCAPSULATED: u8 = 175;
const YOUR_ADDRESS: u8 = 2;
const NEXT_SERVER: u8 = 3;

impl Source for PacketSource {
    fn value(&self, tag: Tag) -> Option<(Kind, Vec<u8>)> {
        let is_set = |address: &core::net::Ipv4Addr| !address.is_unspecified();
        let address = |address| Some(address).filter(is_set).map(|address| address.octets().to_vec());
        let value = match tag.dhcp()? {
            (ENCAPSULATED, Some(YOUR_ADDRESS)) => address(self.packet.your_address()),
            (ENCAPSULATED, Some(NEXT_SERVER)) => address(self.packet.next_server()),
            (dhcp::packet::tag::BOOT_FILE, None) => {
                let name = || Some(self.packet.file_name().into_bytes()).filter(|name| !name.is_empty());
                self.file.clone().or_else(name)
            }
            (tag, Some(inner)) => self.packet.option(&[tag, inner]),
            (tag, None) => self.packet.option(&[tag]),
        };
        Some((Kind::String, value?))
    }
}

/// What is known of the card, for scripts, as the device of that name.
pub(crate) fn publish_card(
    settings: &mut Tree,
    name: &str,
    identity: &nic::Identity,
) -> Result<BlockId, Error> {
    let block = settings.block(name.as_bytes())?;
    settings.publish(block, b"ifname", Kind::String, Some(name.as_bytes()));
    settings.publish_replaceable(block, b"mac", Kind::Hex, &identity.mac.0);
    settings.publish(block, b"hwaddr", Kind::Hex, Some(&identity.permanent_mac.0));
    settings.publish(block, b"chip", Kind::String, Some(identity.driver.as_bytes()));
    settings.publish(block, b"linktype", Kind::String, Some(b"Ethernet"));
    if let Some(pci) = identity.pci {
        settings.publish(block, b"bustype", Kind::String, Some(b"PCI"));
        let location = u32::from(pci.bus_device_function).to_be_bytes();
        settings.publish(block, b"busloc", Kind::Uint32, Some(&location));
        let [a, b] = pci.vendor.to_be_bytes();
        let [c, d] = pci.device.to_be_bytes();
        settings.publish(block, b"busid", Kind::HexRaw, Some(&[1, a, b, c, d]));
    }
    Ok(block)
}
