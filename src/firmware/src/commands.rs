//! Commands that act on the machine only: what they mean here.

use alloc::format;
use alloc::string::String;
use base::text::printable;
use base::{Duration, Error};
use console::{Config, DEFAULT, Entry, Request};
use script::{Invocation, Item, Menu};
use settings::{Key, Kind, Scope, Tree};

use crate::dialogue::shown;
use crate::errors;
use crate::machine::Machine;
use crate::report::Subject;

impl Machine {
    /// Carries out a command, which was checked against its line in the table.
    pub(crate) fn carry_out(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        let number = |letter, usual| command.number(letter).unwrap_or(usual);
        let argument = || settings::number(command.argument(0)).unwrap_or_default();
        let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let index = byte(argument());
        match command.name() {
            "colour" => {
                let value = command.number(b'r').and_then(|value| u32::try_from(value).ok());
                let basic = byte(number(b'b', DEFAULT.into()));
                if !self.screen.colours.set_colour(index.into(), basic, value) {
                    return Err(script::errors::OUT_OF_RANGE.of(command.name()));
                }
            }
            "config" => return self.configure_settings(command.argument(0)),
            "console" => return self.configure_console(command),
            "cpair" => {
                let [foreground, background] = [b'f', b'b'].map(|side| byte(number(side, DEFAULT.into())));
                if !self.screen.colours.set_pair(index.into(), foreground, background) {
                    return Err(script::errors::OUT_OF_RANGE.of(command.name()));
                }
            }
            "cpuid" => {
                let is_extended = command.flag(b'e') || command.flag(b'a');
                let [ecx, edx] = hw::cpu::features(is_extended);
                let features = if command.flag(b'c') { ecx } else { edx };
                let has = 1_u32.checked_shl(index.into()).is_some_and(|bit| features & bit != 0);
                return if has { Ok(()) } else { Err(script::errors::FALSE.error()) };
            }
            "diag" => return self.report(Subject::Everything, command),
            "dmesg" => return self.report(Subject::Log, command),
            "ifstat" => self.show_cards(command),
            "login" => {
                let item = |name: &str, text: &str, is_secret| Item {
                    name: Some(name.into()),
                    text: text.into(),
                    key: None,
                    is_default: false,
                    is_secret,
                };
                let items = [item("username", "Username", false), item("password", "Password", true)];
                return script::fill_in(&mut self.host(), &Menu::new(b"Login", items.into()));
            }
            "nslookup" => return self.look_up(command.argument(0), command.argument(1)),
            "ipstat" | "nstat" | "ntp" | "ping" => return self.try_network(command),
            "pciscan" => return self.next_pci_function(command.argument(0)),
            "poweroff" => {
                self.close_network();
                hw::power::power_off();
                return Err(errors::POWER.error());
            }
            "pxebs" => {
                let kind = settings::number(command.argument(1)).and_then(|kind| u16::try_from(kind).ok());
                let name = printable(command.argument(1));
                let kind = kind.ok_or_else(|| dhcp::errors::NO_WAY.of(name.as_str()))?;
                let card = script::known_card(command, &mut self.host())?;
                if let Some(network) = &mut self.network {
                    network.give_to(&|device| device.name == card && device.lease.is_some());
                    if network.device.name != card {
                        return Err(errors::NO_ADDRESS.of(card));
                    }
                }
                return self.find_boot_server(kind, &name).map(drop);
            }
            "pxestat" => return self.report(Subject::PxeStack, command),
            "reboot" => {
                self.close_network();
                hw::power::reboot(command.flag(b'w'));
            }
            "route" => self.show_routes(),
            "sleep" => {
                let end = hw::clock::now() + Duration::from_secs(argument());
                return self.count_down("Sleeping", end, |_| None).map(drop);
            }
            // Nothing goes on behind a command's back.
            "sync" => {}
            "vcreate" => return self.create_vlan(command),
            "vdestroy" => return self.destroy_vlan(command),
            name => return Err(errors::NOT_BUILT.of(name)),
        }
        Ok(())
    }

    /// Steps a setting on to the next PCI function; at the end it is cleared.
    fn next_pci_function(&mut self, reference: &[u8]) -> Result<(), Error> {
        let last = self
            .settings
            .value(reference)
            .map(|value| value.iter().fold(0_u16, |number, byte| number << 8 | u16::from(*byte)));
        let mut next = None;
        hw::pci::each(&mut |card| {
            let place = hw::pci::place(card.address());
            if next.is_none() && last.is_none_or(|last| place > last) {
                next = Some(place);
            }
        });
        let (block, key) = self.settings.place(reference)?;
        let value = next.map(|place| place.to_be_bytes().to_vec()).unwrap_or_default();
        self.settings.store_bytes(block, &key, key.kind.unwrap_or(Kind::Uint16), value)?;
        next.map(drop).ok_or_else(|| script::errors::FALSE.error())
    }

    /// The editor of settings, until the user leaves it.
    fn configure_settings(&mut self, name: &[u8]) -> Result<(), Error> {
        let mut block = self.settings.block(name)?;
        let mut editor = Config::new(self.screen.size());
        loop {
            let parent = self.settings.parent(block);
            let blocks = base::list(parent.into_iter().chain(self.settings.children(block)));
            let names = self.settings.names(block);
            let mut entries = base::list(blocks.iter().map(|other| Entry {
                name: if Some(*other) == parent { "..".into() } else { shown(&self.settings.name(*other)) },
                ..Entry::default()
            }));
            for name in &names {
                let found = self.settings.fetch(block, &Key::new(name, None, Scope::Dhcp));
                let origin = found.as_ref().map(|found| self.settings.name(found.block)).unwrap_or_default();
                let value = found.and_then(|found| found.kind.format(&found.data)).unwrap_or_default();
                entries.push(Entry { name: shown(name), origin: shown(&origin), value: Some(shown(&value)) });
            }
            let title = match self.settings.name(block) {
                name if name.is_empty() => String::from("Settings"),
                name => format!("Settings of {}", shown(&name)),
            };
            editor.show(&title, entries);
            if self.ask(&mut editor).is_err() {
                return Ok(());
            }
            match editor.request() {
                Some(Request::Enter(place)) => block = blocks.get(place).copied().unwrap_or(Tree::ROOT),
                Some(Request::Store(place, text)) => {
                    let Some(name) = names.get(place.saturating_sub(blocks.len())) else { continue };
                    let key = Key::new(name, None, Scope::Dhcp);
                    let kind = key.kind.unwrap_or(Kind::String);
                    if let Err(error) = self.settings.store_text(block, &key, kind, text.as_bytes()) {
                        editor.refuse(&format!("{error}"));
                    }
                }
                None => return Ok(()),
            }
        }
    }
}
