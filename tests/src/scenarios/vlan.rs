//! VLANs: the card's ROM boots without a tag, and our image goes on in a VLAN, whose servers nobody else reaches.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab, expect_user_space};
use crate::namespace::{IN_VLAN, SERVER};
use crate::qemu::{Options, Wire};
use crate::servers::Dnsmasq;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("vlan-linux", "Linux boots from a VLAN, by the vendor's UNDI", 240, |name| {
            linux(name, KPXE, "undionly")
        })
        .quick(),
        Scenario::new("vlan-linux-native", "Linux boots from a VLAN, by a driver of ours", 240, |name| {
            linux(name, "ipxe.kpxe", "e1000")
        }),
        Scenario::new("vlan-alone", "where nobody answers in a VLAN, the card goes on as it was", 240, alone),
    ]
}

/// The VLAN of the rig.
const VLAN: u16 = 100;

/// A machine on a wire that carries the VLAN, with this script inside its image.
fn wired(lab: &mut Lab, script: &str) -> Result<Options> {
    lab.embed(script)?;
    lab.usual_servers()?;
    lab.dnsmasq(&Dnsmasq::InVlan)?;
    Ok(Options { wire: Wire::Trunk(VLAN), ..Options::default() })
}

/// DHCP, a script, and another one from the network without tags, then the kernel, all with the cards' own limits.
fn linux(name: &str, image: &str, driver: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.www(
        "tagged.ipxe",
        format!(
            "#!ipxe\nimgfetch http://{SERVER}/plain.txt && echo RIG-MARK plain\nimgfree plain.txt\n\
             kernel vmlinuz console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\ninitrd initrd\nboot\n"
        )
        .as_bytes(),
    )?;
    lab.www("plain.txt", b"from the network without tags")?;
    let options = wired(
        &mut lab,
        &format!(
            "vcreate --tag {VLAN} --priority 5 net0 || exit 1\nvcreate --tag 4095 net0 || echo RIG-MARK no such\n\
             vcreate --tag 7 net0-{VLAN} || vdestroy net0 || echo RIG-MARK refused\n\
             isset ${{net0-{VLAN}/ip}} || echo RIG-MARK not yet\ndhcp net0-{VLAN} || exit 2\n\
             echo RIG-MARK ip=${{net0-{VLAN}/ip}} of ${{netX/ifname}} ${{netX/mac}}\nifstat\nroute\n\
             ifstat net0-{VLAN} net0-7 || echo RIG-MARK one only\n\
             chain http://{IN_VLAN}/tagged.ipxe"
        ),
    )?;
    let mut machine = lab.machine(&options)?;
    machine.expect("RIG-MARK no such", 120)?;
    machine.expect("RIG-MARK refused", 20)?;
    machine.expect("RIG-MARK not yet", 20)?;
    machine.expect("RIG-MARK ip=10.88.0.1", 30)?;
    machine.expect(&format!("of net0-{VLAN} {}", options.mac), 20)?;
    machine.expect(&format!("VLAN {VLAN}, priority 5 (open)"), 20)?;
    machine.expect(&format!("net0-{VLAN}: 10.88.0.1"), 20)?;
    machine.expect("RIG-MARK one only", 20)?;
    let card = machine.transcript().count(&format!("{} using {driver} (", options.mac));
    ensure(card == 1, || format!("the card was shown {card} times"))?;
    machine.expect("RIG-MARK plain", 60)?;
    expect_user_space(&mut machine, 200)?;
    ensure(machine.transcript().count(&format!("by {driver}")) > 0, || format!("it was not {driver}"))?;
    let facts = lab.facts()?;
    let short = facts.tagged.iter().filter(|(_, length)| *length < 64).count();
    ensure(short == 0, || format!("{short} frames are too short when their tag is gone"))?;
    let tag = [0x81, 0, 0xa0, 100];
    let others = facts.tagged.iter().filter(|(head, _)| !head.ends_with(&tag)).count();
    ensure(others == 0, || format!("{others} frames have another tag"))?;
    let (inside, outside) = (lab.log("dnsmasq-vlan.log")?, lab.log("dnsmasq.log")?);
    let acknowledged = |log: &str| log.lines().filter(|line| line.contains("DHCPACK")).count();
    ensure(acknowledged(&inside) == 1, || "the VLAN's server gave no lease, or several".to_owned())?;
    ensure(acknowledged(&outside) == 1, || "the other server was asked again".to_owned())
}

/// The ROM's lease is of use again when the VLAN has none, and of the VLAN nothing is left.
fn alone(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script("echo RIG-MARK plain\npoweroff")?;
    let options = wired(
        &mut lab,
        &format!(
            "vcreate -t 200 net0\ndhcp --timeout 3000 net0-200 || echo RIG-MARK nobody\n\
             imgfetch http://{SERVER}/boot.ipxe && echo RIG-MARK still there\n\
             vdestroy net0-200\nisset ${{net0-200/mac}} || echo RIG-MARK gone\n\
             dhcp net0-200 || echo RIG-MARK no card\n\
             vcreate -t {VLAN} net0 && dhcp net0-{VLAN}\n\
             pxebs net0 1 || route\npxebs net0-{VLAN} 1 || route\nvdestroy net0-{VLAN}\n\
             isset ${{net0-{VLAN}/ip}} || chain http://{SERVER}/boot.ipxe"
        ),
    )?;
    let mut machine = lab.machine(&options)?;
    for (mark, seconds) in [("nobody", 120), ("still there", 60), ("gone", 20), ("no card", 20)] {
        machine.expect(&format!("RIG-MARK {mark}"), seconds)?;
    }
    // Who has the network when a boot server is looked for.
    machine.expect("net0: 10.77.0.1", 90)?;
    machine.expect(&format!("net0-{VLAN}: 10.88.0.1"), 60)?;
    machine.expect("RIG-MARK plain", 60)?;
    machine.expect_power_off(20)
}
