//! What is known of the machine, for people who look for a fault: the commands `pxestat`, `dmesg` and `diag`.

use alloc::format;
use alloc::string::String;
use base::Error;
use base::image_header::{KEEP_PXE, KEEP_UNDI};
use base::text::printable;
use core::fmt::{self, Write};
use dhcp::Packet;
use hw::pci::{PciHeader, Ports};
use nic::Nic;
use script::Invocation;
use undi::{Keep, foresee};
use uri::Uri;

use crate::entry::VERSION;
use crate::machine::Machine;
use crate::screen::Screen;

/// Lines of text. They may have names from outside in them, which are made printable when they are shown or sent.
#[derive(Debug, Default)]
struct Report(String);

/// Adds a line: `line!(report, "{} is here", name)`.
macro_rules! line {
    ($report:expr, $($argument:tt)*) => {
        $report.line(format_args!($($argument)*))
    };
}

impl Report {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        // Formatting into a string fails only where a part says so, and none of ours does.
        let _ = self.0.write_fmt(text);
        self.0.push('\n');
    }

    fn title(&mut self, name: &str) {
        line!(self, "--- {name}");
    }

    /// What was said last.
    fn log(&mut self) {
        hw::log::last(hw::log::CAPACITY, &mut |text| {
            self.0.extend(text.iter().filter(|byte| **byte != b'\r').map(|byte| char::from(*byte)));
        });
    }

    /// A packet in hexadecimal, without the lines that are all zeros.
    fn dump(&mut self, name: &str, packet: &[u8]) {
        let summary = Packet::parse(packet).map(|packet| {
            let server = packet.server_identifier().unwrap_or(packet.next_server());
            let file = printable(packet.file_name().as_bytes());
            format!(": address {}, server {server}, file {file}", packet.your_address())
        });
        line!(self, "{name}, {} bytes{}", packet.len(), summary.unwrap_or_default());
        for (number, bytes) in
            packet.chunks(16).enumerate().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0))
        {
            let mut text = format!("{:04x} ", number * 16);
            for byte in bytes {
                let _ = write!(text, " {byte:02x}");
            }
            line!(self, "{text}  {}", printable(bytes));
        }
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// What was said so far.
    Log,
    /// The vendor's PXE stack, and what is done with it.
    PxeStack,
    /// Everything that helps to find a fault.
    Everything,
}

impl Machine {
    /// Shows what is known, or sends it to the address that the command names.
    pub(crate) fn report(&mut self, subject: Subject, command: &Invocation<'_>) -> Result<(), Error> {
        let text = self.known(subject);
        let Some(address) = command.arguments.first() else {
            self.screen.show(text.as_bytes());
            return Ok(());
        };
        let uri = Uri::parse(core::str::from_utf8(address).unwrap_or_default())?;
        self.upload(&uri, text.as_bytes())
    }

    /// What is known of `subject`, in lines.
    fn known(&mut self, subject: Subject) -> String {
        let mut report = Report::default();
        match subject {
            Subject::Log => report.log(),
            Subject::PxeStack => {
                self.report_stack(&mut report);
                self.report_counters(&mut report);
            }
            Subject::Everything => {
                self.report_machine(&mut report);
                report.title("PXE stack and network card");
                self.report_stack(&mut report);
                self.report_counters(&mut report);
                self.report_packets(&mut report);
                report.title("memory map: first and last address, kind");
                for entry in self.info.e820.iter().take(self.info.e820_count as usize) {
                    let last = entry.start.wrapping_add(entry.length).wrapping_sub(1);
                    line!(report, "{:#x} {last:#x} {}", entry.start, entry.kind);
                }
                report.title("what was tried");
                for (what, result) in &self.tried {
                    line!(report, "{what}: {result}");
                }
                report.title("the last of the log");
                report.log();
            }
        }
        report.0
    }

    fn report_machine(&self, report: &mut Report) {
        let header = &self.header;
        report.title("machine");
        line!(
            report,
            "iPXE {VERSION}, build {:016x}, drivers {:08x}, keeps{}",
            u64::from_be_bytes(header.build_id),
            header.drivers,
            kept(header.keep)
        );
        let name = printable(&self.settings.text(b"cpumodel").unwrap_or_default());
        line!(report, "processor: {name}, {} MHz", hw::clock::ticks_per_microsecond());
        let table = crate::hardware::smbios_table(&self.info).unwrap_or_default().0;
        for (what, kind, fields) in [
            ("system", smbios::SYSTEM, [4, 5, 6]),
            ("board", smbios::BOARD, [4, 5, 6]),
            ("BIOS", smbios::BIOS, [4, 5, 8]),
        ] {
            if let Some(structure) = smbios::find(&table, kind, 0) {
                let [a, b, c] = fields.map(|field| structure.string(field).unwrap_or_default());
                line!(report, "{what}: {a} {b} {c}");
            }
        }
        hw::pci::each(&mut |card: PciHeader| {
            let (revision, class, subclass, _) = card.revision_and_class(Ports);
            let (vendor, device) = card.id(Ports);
            let command = card.command(Ports).bits();
            line!(
                report,
                "PCI {}: {vendor:04x}:{device:04x} class {class:02x}{subclass:02x} revision {revision:02x} \
                 command {command:04x}",
                card.address()
            );
        });
    }

    /// Keeps in the log what was found of the vendor's stack, and what is to become of it: when we leave, nobody can ask
    /// for it any more.
    pub(crate) fn log_stack(&mut self) {
        if self.found.is_some() {
            let mut report = Report::default();
            self.report_stack(&mut report);
            Screen::log(&report.0);
        }
    }

    fn report_stack(&mut self, report: &mut Report) {
        let (found, now) = (hw::low::found_base_memory_kib(), hw::low::base_memory_kib());
        line!(report, "base memory: {found} KiB when we came, {now} KiB now");
        if let Some(lines) = &self.found {
            report.0.push_str(lines.as_ref());
        }
        let undi = self.network.as_mut().and_then(|network| network.port.nic_mut().undi());
        let (Some(vendor), Some(nic)) = (&self.vendor, undi) else {
            line!(report, "no PXE stack is in use");
            return;
        };
        line!(report, "{}", nic.mode());
        line!(
            report,
            "this image keeps{}; when a system is started, if the ROM agrees:",
            kept(self.header.keep)
        );
        let keep = Keep::from_bits(self.header.keep);
        for step in foresee(nic, vendor.stack(), keep, found).lines {
            line!(report, "  {step}");
        }
    }

    fn report_counters(&self, report: &mut Report) {
        let Some(network) = &self.network else { return };
        let counters = network.port.nic().counters();
        line!(
            report,
            "frames: {} received, {} dropped, {} sent, {} not sent; {} mode switches, {} ns for an empty one",
            counters.received,
            counters.receive_drops,
            counters.sent,
            counters.send_errors,
            hw::realmode::switches(),
            empty_downcall()
        );
    }

    fn report_packets(&self, report: &mut Report) {
        report.title("DHCP packets");
        if let Some(vendor) = &self.vendor {
            let cached = vendor.cached();
            for (name, packet) in
                [("DISCOVER", &cached.discover), ("ACK", &cached.ack), ("reply", &cached.reply)]
            {
                report.dump(&format!("the ROM's {name}"), packet.as_deref().unwrap_or_default());
            }
        }
        if let Some(lease) = self.network.as_ref().and_then(|network| network.device.lease.as_ref()) {
            let proxy = lease.proxy.as_ref().map(|packet| ("our proxy's offer", packet));
            for (name, packet) in [("our ACK", &lease.ack)].into_iter().chain(proxy) {
                report.dump(name, packet.bytes());
            }
        }
    }
}

/// How long a downcall takes that only lets interrupts in: nanoseconds, the mean of a thousand.
fn empty_downcall() -> u64 {
    let start = hw::clock::now();
    for _ in 0..1000 {
        hw::interrupts::window();
    }
    // One takes as many nanoseconds as a thousand take microseconds.
    hw::clock::now().since(start).as_micros()
}

/// The policy of an image, in words.
fn kept(keep: u32) -> &'static str {
    match (keep & KEEP_UNDI != 0, keep & KEEP_PXE != 0) {
        (_, true) => " UNDI and base code",
        (true, false) => " the UNDI",
        (false, false) => " nothing of the PXE stack",
    }
}
