//! PXE boot menus: asking the user, and finding the boot server of what was chosen.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use base::text::printable;
use base::{Duration, Error};
use console::{Countdown, Item, Key, Menu};
use core::net::{Ipv4Addr, SocketAddrV4};
use dhcp::{BootFile, BootMenu, Discovery, LOCAL_BOOT, Lease, Named, Packet};
use settings::{Scope, Source};

use crate::errors;
use crate::lease::PacketSource;
use crate::machine::Machine;

/// The key that asks for the menu.
const MENU_KEY: Key = Key::Function(8);
/// Answers of boot servers that can wait.
const RECEIVE_CAPACITY: usize = 16 * 1024;

/// What is to be booted.
pub(crate) enum Choice {
    /// The next boot device.
    NextDevice,
    /// These, one after the other.
    Files([Option<BootFile>; 2]),
}

impl Machine {
    /// What to boot by a lease: what the user chooses from its menu, else the files that it names.
    pub(crate) fn choose_boot_file(&mut self, lease: &Lease) -> Result<Choice, Error> {
        let own = self.own_file().map(|file| file.name);
        let Some(menu) = lease.menu(own.as_deref()) else {
            return Ok(Choice::Files([lease.boot.clone(), lease.other_boot.clone()]));
        };
        let item = self.choose_item(&menu)?;
        let Some(item) = menu.items.get(item).filter(|item| item.kind != LOCAL_BOOT) else {
            return Ok(Choice::NextDevice);
        };
        let packet = self.find_boot_server(item.kind, &printable(item.text.as_bytes()))?;
        let file = BootFile::of(&packet, Named::ByProxy);
        let server = packet.server_identifier().map(|server| server.to_string()).unwrap_or_default();
        let file = file.ok_or_else(|| errors::NOTHING_TO_BOOT.of(server))?;
        Ok(Choice::Files([Some(file), None]))
    }

    /// Shows the prompt, and the menu where it is asked for or there is no prompt. The number of the item that was chosen.
    fn choose_item(&mut self, menu: &BootMenu) -> Result<usize, Error> {
        let mut title = String::from("Boot menu");
        if let Some(prompt) = &menu.prompt {
            title = printable(prompt.text.as_bytes());
            let end = hw::clock::now() + prompt.time;
            let is_asked_for = |machine: &mut Self| machine.keyboard.take().filter(|key| *key == MENU_KEY);
            if prompt.time == Duration::default() || self.count_down(&title, end, is_asked_for)?.is_none() {
                return Ok(0);
            }
        }
        let items =
            menu.items.iter().map(|item| Item { text: printable(item.text.as_bytes()), ..Item::default() });
        // There is always an item that can be chosen.
        let Some(mut dialogue) = Menu::new(&title, base::list(items), 0, self.screen.size()) else {
            return Ok(0);
        };
        self.ask(&mut dialogue)?;
        self.leave_dialogue();
        Ok(dialogue.highlighted())
    }

    /// Finds the boot server of an item, which is shown as `name`, by what the lease says of boot servers. Its answer is
    /// made known to scripts.
    pub(crate) fn find_boot_server(&mut self, kind: u16, name: &str) -> Result<Packet, Error> {
        let config = self.dhcp_config()?;
        let Some(network) = &mut self.network else { return Err(errors::NO_CARD.of("none was found")) };
        let Some(lease) = &network.device.lease else { return Err(errors::NO_ADDRESS.of(name)) };
        let now = hw::clock::now();
        let mut discovery = Discovery::new(config, lease.pxe_packet(), lease.address, kind, now);
        // Both use the client's port.
        network.end_exchange();
        let socket = network.stack.udp_open(dhcp::CLIENT_PORT, RECEIVE_CAPACITY)?;
        let mut countdown =
            Countdown::new(&format!("Looking for the boot server of {name}"), discovery.ends());
        let mut now = now;
        let result = loop {
            let Some(network) = &mut self.network else { break Err(errors::NO_ADDRESS.of(name)) };
            let mut take = |from: SocketAddrV4, _: Ipv4Addr, data: &[u8]| {
                discovery.input((*from.ip(), from.port()), data)
            };
            while network.stack.udp_receive(socket, &mut take) {}
            let mut buffer = [0; dhcp::OUTPUT_CAPACITY];
            while let Some(packet) = discovery.output(now, &mut buffer) {
                let data = buffer.get(..packet.length).unwrap_or_default();
                let destination = SocketAddrV4::new(packet.destination, packet.destination_port);
                network.stack.udp_send(socket, destination, data);
            }
            if let Some(result) = discovery.result() {
                break result.clone();
            }
            let line = countdown.update(now);
            self.screen.overwrite(&line.unwrap_or_default());
            match self.round(discovery.deadline().unwrap_or(now)) {
                Ok(later) => now = later,
                Err(error) => break Err(error),
            }
        };
        self.screen.overwrite(&countdown.clear());
        if let Some(network) = &mut self.network {
            network.stack.udp_close(socket);
        }
        let packet = result?;
        if let Ok(block) = self.settings.block(b"pxebs") {
            let source: Box<dyn Source> = Box::new(PacketSource { packet: packet.clone(), file: None });
            self.settings.set_source(block, Scope::Dhcp, Some(source));
        }
        Ok(packet)
    }
}
