//! Servers that others wrote, each in at least one boot.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, SCRIPT_URI, boot_lines, check_digest, expect_user_space};
use crate::namespace::{ATFTP, SERVER};
use crate::qemu::{Options, Wire};
use crate::servers::{self, Dhcpd, Dnsmasq};

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("servers-builtin", "QEMU's built-in DHCP and TFTP; autoexec.ipxe", 240, builtin)
            .quick(),
        Scenario::new(
            "servers-dnsmasq-tftp",
            "dnsmasq gives addresses, script and kernel",
            240,
            dnsmasq_only,
        ),
        Scenario::new("servers-proxy", "dnsmasq as proxyDHCP beside ISC dhcpd", 240, proxy).quick(),
        Scenario::new("servers-dhcpd", "ISC dhcpd gives the script to user class iPXE only", 240, dhcpd)
            .quick(),
        Scenario::new("servers-atftpd", "atftpd with windowsize negotiated", 240, atftpd).quick(),
        Scenario::new("servers-nginx-auth", "nginx asks for a password; the URI has it", 240, authentication),
    ]
}

fn builtin(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    // The machine reaches the host's loopback interface, and nginx on it, as 10.0.2.2.
    let script = boot_lines("").replace(&format!("http://{SERVER}/"), "http://10.0.2.2:8080/");
    lab.tftp("autoexec.ipxe", format!("#!ipxe\n{script}\n").as_bytes())?;
    lab.nginx()?;
    let wire = Wire::User { tftp: lab.tftp_root(), bootfile: KPXE.to_owned() };
    let mut machine = lab.machine(&Options { wire, ..Options::default() })?;
    expect_user_space(&mut machine, 200)
}

fn dnsmasq_only(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let script = boot_lines("").replace("http://", "tftp://");
    lab.tftp("boot.ipxe", format!("#!ipxe\n{script}\n").as_bytes())?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some("boot.ipxe") })?;
    let mut machine = lab.machine(&Options::default())?;
    expect_user_space(&mut machine, 200)
}

fn proxy(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&boot_lines(""))?;
    lab.nginx()?;
    lab.keep(servers::dhcpd(Dhcpd::AddressesOnly)?);
    lab.dnsmasq(&Dnsmasq::Proxy { rom: KPXE, ipxe: SCRIPT_URI })?;
    let mut machine = lab.machine(&Options::default())?;
    expect_user_space(&mut machine, 200)?;
    ensure(lab.log("dhcpd.log")?.contains("DHCPACK on 10.77.0.1"), || "dhcpd gave no address".to_owned())
}

fn dhcpd(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&boot_lines(""))?;
    lab.nginx()?;
    lab.dnsmasq(&Dnsmasq::TftpOnly)?;
    lab.keep(servers::dhcpd(Dhcpd::Files { rom: KPXE, ipxe: SCRIPT_URI })?);
    let mut machine = lab.machine(&Options::default())?;
    expect_user_space(&mut machine, 200)
}

fn atftpd(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let file = lab.big_file(16)?;
    lab.script(&boot_lines(&format!("initrd tftp://{ATFTP}/16M.bin /rig/big\n")))?;
    lab.usual_servers()?;
    lab.keep(servers::atftpd(&lab.tftp_root())?);
    let mut machine = lab.machine(&Options { memory: 512, ..Options::default() })?;
    expect_user_space(&mut machine, 200)?;
    check_digest(&machine, "big", &file.sha256)?;
    let log = lab.log("atftpd.log")?;
    ensure(log.contains("windowsize"), || "atftpd's log has no windowsize".to_owned())
}

fn authentication(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    std::fs::create_dir_all("www/secret")?;
    lab.www("secret/note", b"known to few")?;
    lab.script(&boot_lines(&format!("initrd http://rig:pass@{SERVER}/secret/note /rig/note\n")))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    expect_user_space(&mut machine, 200)?;
    // echo -n 'known to few' | sha256sum
    check_digest(&machine, "note", "81feeed8e5be5a203ab63c2da11c50d7d140c2f87568af4c4dfd256a99ba5aeb")
}
