//! Servers that others wrote: started by full path from files made in the scenario's folder, waited for until they
//! answer, and ended with it.

use crate::failure::{Context, Failure, Result, ensure};
use crate::namespace::{ATFTP, IN_VLAN, SECOND, SERVER};
use crate::process::{Guarded, run, tool};
use std::fs;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// What dnsmasq does in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dnsmasq<'a> {
    /// DHCP with these two boot files, for ROMs and for user class iPXE; TFTP, DNS, and router advertisements.
    Full {
        /// For all clients that do not say user class iPXE; none sends no name.
        rom: Option<&'a str>,
        /// For user class iPXE.
        ipxe: Option<&'a str>,
    },
    /// ProxyDHCP with these two boot files, beside another DHCP server; TFTP.
    Proxy {
        /// For ROMs.
        rom: &'a str,
        /// For user class iPXE.
        ipxe: &'a str,
    },
    /// DHCP, which gives this image to ROMs; TFTP, and further lines for the image, whose tag is `ipxe`.
    Menu {
        /// For all clients that do not say user class iPXE.
        rom: &'a str,
        /// Lines of the configuration.
        lines: &'a [&'a str],
    },
    /// TFTP only.
    TftpOnly,
    /// DHCP that names no file, and TFTP, in the VLAN.
    InVlan,
}

impl Dnsmasq<'_> {
    /// Its name, and where it listens: the bridge and its address.
    fn place(&self) -> (&'static str, &'static str, &'static str) {
        if *self == Self::InVlan { ("dnsmasq-vlan", "br1", IN_VLAN) } else { ("dnsmasq", "br0", SERVER) }
    }

    fn configuration(&self, tftp_root: &Path) -> String {
        let (name, bridge, address) = self.place();
        let mut lines = vec![
            "keep-in-foreground".to_owned(),
            "no-resolv".to_owned(),
            "no-hosts".to_owned(),
            "user=root".to_owned(),
            format!("interface={bridge}"),
            "bind-interfaces".to_owned(),
            // Where the other servers are.
            "except-interface=lo".to_owned(),
            format!("listen-address={address}"),
            "pid-file=".to_owned(),
            format!("dhcp-leasefile={name}.leases"),
            "log-facility=-".to_owned(),
            "log-dhcp".to_owned(),
            "log-queries".to_owned(),
            "enable-tftp".to_owned(),
            format!("tftp-root={}", tftp_root.display()),
            "tftp-no-fail".to_owned(),
        ];
        let mut add = |line: String| lines.push(line);
        match self {
            Self::Full { rom, ipxe } => {
                add("dhcp-range=10.77.0.100,10.77.0.150,255.255.255.0,1h".to_owned());
                add("dhcp-range=fd77::,ra-only".to_owned());
                add("enable-ra".to_owned());
                add("dhcp-authoritative".to_owned());
                // Offers at once: no probing of the address before, and nothing to wait for after.
                add("no-ping".to_owned());
                add("dhcp-option-force=encap:175,176,1b".to_owned());
                add("dhcp-userclass=set:ipxe,iPXE".to_owned());
                add("domain=rig.test".to_owned());
                add("local=/rig.test/".to_owned());
                add(format!("address=/files.rig.test/{SERVER}"));
                // For the names of cases.
                add(format!("address=/example/{SERVER}"));
                if let Some(file) = rom {
                    add(format!("dhcp-boot=tag:!ipxe,{file},,{SERVER}"));
                }
                if let Some(file) = ipxe {
                    add(format!("dhcp-boot=tag:ipxe,{file},,{SERVER}"));
                }
            }
            Self::Proxy { rom, ipxe } => {
                add("port=0".to_owned());
                add("dhcp-range=10.77.0.0,proxy,255.255.255.0".to_owned());
                add("dhcp-userclass=set:ipxe,iPXE".to_owned());
                add(format!("pxe-service=tag:!ipxe,x86PC,\"Rig\",{rom}"));
                add(format!("pxe-service=tag:ipxe,x86PC,\"Rig\",{ipxe}"));
            }
            Self::Menu { rom, lines } => {
                add("port=0".to_owned());
                add("dhcp-range=10.77.0.100,10.77.0.150,255.255.255.0,1h".to_owned());
                add("dhcp-authoritative".to_owned());
                add("no-ping".to_owned());
                add("dhcp-userclass=set:ipxe,iPXE".to_owned());
                add(format!("dhcp-boot=tag:!ipxe,{rom},,{SERVER}"));
                lines.iter().for_each(|line| add((*line).to_owned()));
            }
            Self::TftpOnly => add("port=0".to_owned()),
            Self::InVlan => {
                add("port=0".to_owned());
                add("dhcp-range=10.88.0.100,10.88.0.150,255.255.255.0,1h".to_owned());
                add("dhcp-authoritative".to_owned());
                add("no-ping".to_owned());
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Starts it; TFTP serves `tftp_root`.
    pub fn start(&self, tftp_root: &Path) -> Result<Guarded> {
        let (name, _, address) = self.place();
        let file = |kind: &str| format!("{name}.{kind}");
        fs::write(file("conf"), self.configuration(tftp_root))?;
        // Leases of an earlier run would be kept in mind.
        let _ = fs::remove_file(file("leases"));
        let mut command = Command::new(tool("dnsmasq")?);
        let mut server =
            Guarded::start_logged(name, command.args(["-C", &file("conf")]), file("log").as_ref())?;
        until(name, &mut server, || tftp_answers(address))?;
        Ok(server)
    }
}

/// Where nginx keeps what is posted to it, in the scenario's folder.
pub const POSTED: &str = "nginx/posted";

/// Starts nginx, which serves `www`, allows `secret/` only to user `rig` with password `pass`, and keeps what is
/// posted to `report` as a file in [`POSTED`].
pub fn nginx(www: &Path) -> Result<Guarded> {
    let folder = std::env::current_dir()?;
    for name in ["posted", "body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        fs::create_dir_all(folder.join("nginx").join(name))?;
    }
    fs::write("nginx/users", "rig:{PLAIN}pass\n")?;
    let configuration = format!(
        "daemon off;\nmaster_process off;\nuser root;\npid nginx.pid;\nerror_log error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n  sendfile on;\n  default_type application/octet-stream;\n\
         \x20 log_format rig '$msec $remote_addr \"$request\" $status $bytes_sent $request_time \"$http_range\"';\n\
         \x20 access_log access.log rig;\n\
         \x20 client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n\
         \x20 uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n\
         \x20 server {{\n    listen {SERVER}:80;\n    listen {IN_VLAN}:80;\n    listen 127.0.0.1:8080;\n    root {};\n\
         \x20   location /secret/ {{ auth_basic rig; auth_basic_user_file {}; }}\n\
         \x20   location = /report {{ client_body_temp_path posted; client_body_in_file_only on;\n\
         \x20     proxy_pass http://127.0.0.1:8080/taken; }}\n\
         \x20   location = /taken {{ return 204; }}\n  }}\n}}\n",
        www.display(),
        folder.join("nginx/users").display(),
    );
    fs::write("nginx/nginx.conf", configuration)?;
    let mut command = Command::new(tool("nginx")?);
    command.arg("-p").arg(folder.join("nginx")).args(["-c", "nginx.conf", "-e", "error.log"]);
    let mut server = Guarded::start_logged("nginx", &mut command, "nginx.log".as_ref())?;
    until("nginx", &mut server, || TcpStream::connect("127.0.0.1:8080").is_ok())?;
    Ok(server)
}

/// The boot file that ISC dhcpd gives.
#[derive(Clone, Copy, Debug)]
pub enum Dhcpd<'a> {
    /// The image to ROMs, the script to user class iPXE, as sites have it.
    Files {
        /// For all clients that do not say user class iPXE.
        rom: &'a str,
        /// For user class iPXE.
        ipxe: &'a str,
    },
    /// Addresses only, as a second host on the network: its own namespace at [`SECOND`].
    AddressesOnly,
}

/// Starts ISC dhcpd.
pub fn dhcpd(files: Dhcpd<'_>) -> Result<Guarded> {
    let choice = match files {
        Dhcpd::Files { rom, ipxe } => format!(
            "  next-server {SERVER};\n  if exists user-class and option user-class = \"iPXE\" {{\n    \
             filename \"{ipxe}\";\n  }} else {{\n    filename \"{rom}\";\n  }}\n"
        ),
        Dhcpd::AddressesOnly => String::new(),
    };
    fs::write(
        "dhcpd.conf",
        format!(
            "authoritative;\nping-check false;\ndefault-lease-time 3600;\n\
             subnet 10.77.0.0 netmask 255.255.255.0 {{\n  range 10.77.0.160 10.77.0.190;\n  \
             option routers {SERVER};\n{choice}}}\n"
        ),
    )?;
    fs::write("dhcpd.leases", "")?;
    let arguments = ["-4", "-f", "-d", "--no-pid", "-cf", "dhcpd.conf", "-lf", "dhcpd.leases"];
    let mut server = match files {
        Dhcpd::Files { .. } => {
            let mut command = Command::new(tool("dhcpd")?);
            Guarded::start_logged("dhcpd", command.args(arguments).arg("br0"), "dhcpd.log".as_ref())?
        }
        Dhcpd::AddressesOnly => {
            second_host(&format!("exec {} {} eth1", tool("dhcpd")?.display(), arguments.join(" ")))?
        }
    };
    until("dhcpd", &mut server, || {
        fs::read_to_string("dhcpd.log").is_ok_and(|log| log.contains("Server starting service"))
    })?;
    Ok(server)
}

/// Runs a shell command on a second host: a namespace whose `eth1` is on the bridge, with address [`SECOND`].
fn second_host(command: &str) -> Result<Guarded> {
    let ip = tool("ip")?;
    let script = format!(
        "read wired && {ip} link set lo up && {ip} address add {SECOND}/24 dev eth1 && {ip} link set eth1 up && {command}",
        ip = ip.display()
    );
    let log = fs::File::create("dhcpd.log")?;
    let mut shell = Command::new(tool("unshare")?);
    shell
        .args(["--net", "--", "/bin/sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut host = Guarded::start("dhcpd", &mut shell)?;
    let id = host.child().id();
    let settle = Instant::now() + PATIENCE;
    let ours = fs::read_link("/proc/self/ns/net")?;
    while fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|theirs| theirs == ours) {
        ensure(Instant::now() < settle, || "the second host has no network of its own".to_owned())?;
        thread::sleep(Duration::from_millis(10));
    }
    run(Command::new(&ip).args(["link", "add", "second", "type", "veth", "peer", "name", "eth1"]))?;
    run(Command::new(&ip).args(["link", "set", "eth1", "netns"]).arg(id.to_string()))?;
    run(Command::new(&ip).args(["link", "set", "second", "master", "br0", "up"]))?;
    let Some(mut input) = host.child().stdin.take() else {
        return Err(Failure::new("the second host has no input"));
    };
    input.write_all(b"wired\n")?;
    Ok(host)
}

/// Starts chrony as a time server that is right by definition, and leaves the clock of this machine alone.
pub fn chronyd() -> Result<Guarded> {
    fs::write(
        "chrony.conf",
        format!("local stratum 5\nallow\nbindaddress {SERVER}\ncmdport 0\npidfile chronyd.pid\n"),
    )?;
    let mut command = Command::new(tool("chronyd")?);
    let folder = std::env::current_dir()?;
    command.args(["-x", "-d", "-u", "root", "-f"]).arg(folder.join("chrony.conf"));
    let mut server = Guarded::start_logged("chronyd", &mut command, "chronyd.log".as_ref())?;
    until("chronyd", &mut server, || {
        let ask = || -> std::io::Result<usize> {
            let socket = UdpSocket::bind((SERVER, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(300)))?;
            socket.send_to(&net::ntp_question(1), (SERVER, net::NTP_PORT))?;
            socket.recv(&mut [0; 100])
        };
        ask().is_ok()
    })?;
    Ok(server)
}

/// Starts atftpd at [`ATFTP`], which knows `windowsize`; it serves `tftp_root`.
pub fn atftpd(tftp_root: &Path) -> Result<Guarded> {
    let mut command = Command::new(tool("atftpd")?);
    command.args([
        "--daemon",
        "--no-fork",
        "--user",
        "root",
        "--group",
        "root",
        "--verbose=7",
        "--logfile",
        "-",
    ]);
    command.args(["--bind-address", ATFTP, "--port", "69"]).arg(tftp_root);
    let mut server = Guarded::start_logged("atftpd", &mut command, "atftpd.log".as_ref())?;
    until("atftpd", &mut server, || tftp_answers(ATFTP))?;
    Ok(server)
}

/// Whether a TFTP server says anything to a request for a file that it cannot have.
fn tftp_answers(address: &str) -> bool {
    let ask = || -> std::io::Result<usize> {
        let socket = UdpSocket::bind((SERVER, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        socket.send_to(b"\0\x01are-you-there\0octet\0", (address, 69))?;
        socket.recv(&mut [0; 600])
    };
    ask().is_ok()
}

fn until(name: &str, server: &mut Guarded, mut ready: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        server.still_runs().context(format!("see {name}.log"))?;
        ensure(Instant::now() < deadline, || format!("{name} does not answer; see {name}.log"))?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_user_class_ipxe_is_given_the_script() {
        let full = Dnsmasq::Full { rom: Some("undionly.kpxe"), ipxe: Some("boot.ipxe") };
        let text = full.configuration("/srv".as_ref());
        assert!(
            text.contains("dhcp-boot=tag:!ipxe,undionly.kpxe,")
                && text.contains("dhcp-boot=tag:ipxe,boot.ipxe,")
        );
        assert!(!Dnsmasq::TftpOnly.configuration("/srv".as_ref()).contains("dhcp-range"));
    }
}
