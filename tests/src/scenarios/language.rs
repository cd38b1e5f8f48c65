//! Commands of scripts whose effects a server or a computed value proves.

use super::Scenario;
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KPXE, Lab, SCRIPT_URI};
use crate::namespace::SERVER;
use crate::qemu::{Machine, Options, UUID};
use crate::servers::POSTED;
use crate::{quirk, text};
use std::time::UNIX_EPOCH;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("language-digests", "digests are what other programs compute", 120, digests).quick(),
        Scenario::new("language-post", "parameters are posted as a form", 120, post),
        Scenario::new("language-machine", "PCI, CPUID and the name server answer scripts", 120, machine),
        Scenario::new("language-blocks", "tables of the machine are settings", 120, blocks),
        Scenario::new(
            "language-limits",
            "large menus, long lines, many settings and deep chains",
            300,
            limits,
        ),
        Scenario::new("language-autoboot", "autoboot starts what the network names", 120, autoboot),
        Scenario::new("language-exhaustion", "a script that fills the memory ends", 300, exhaustion),
    ]
}

/// Runs the lines, which end by switching the machine off; what it said must have each of `wanted`.
fn run(name: &str, lines: &str, wanted: &[&str], prepare: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    prepare(&lab)?;
    lab.script(&format!("{lines}\npoweroff"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    for text in wanted {
        machine.expect(text, 60)?;
    }
    machine.expect_power_off(20)
}

fn digests(name: &str) -> Result<()> {
    // printf abc | md5sum, sha1sum ...
    let digests = [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ];
    let mut lines = format!("imgfetch http://{SERVER}/abc\n");
    for (algorithm, _) in digests {
        lines.push_str(&format!(
            "{algorithm}sum --set {algorithm} abc\necho RIG-MARK {algorithm} ${{{algorithm}}};\n"
        ));
    }
    let wanted = digests.map(|(algorithm, digest)| format!("RIG-MARK {algorithm} {digest};"));
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    run(name, &lines, &wanted, |lab| lab.www("abc", b"abc"))
}

fn post(name: &str) -> Result<()> {
    let lines = format!(
        "params\nparam mac ${{net0/mac}}\nparam name a b&c\nparam --header X-Test yes\n\
         imgfetch --name answer http://{SERVER}/report##params || echo RIG-MARK refused"
    );
    run(name, &lines, &[], |_| Ok(()))?;
    let mut posted = std::fs::read_dir(POSTED).context(POSTED)?;
    let file = posted.next().ok_or_else(|| Failure::new("nothing was posted"))??;
    let body = std::fs::read_to_string(file.path())?;
    ensure(body == "mac=52%3A54%3A00%3A77%3A00%3A10&name=a%20b%26c", || format!("the body was {body:?}"))
}

fn machine(name: &str) -> Result<()> {
    let lines = "pciscan card && echo RIG-MARK first ${card}; ||\n\
                 cpuid --ext 29 && echo RIG-MARK long mode; ||\n\
                 nslookup address files.rig.test && echo RIG-MARK address ${address}; ||\n\
                 colour 16 || cpair -f 16 0 || cpair 8 || colour --basic 8 0 || echo RIG-MARK no such colour;\n\
                 ifstat\nroute\nsync\ntime echo timed";
    let wanted = [
        "RIG-MARK first 0x0;",
        "RIG-MARK long mode;",
        "RIG-MARK address 10.77.0.1;",
        "RIG-MARK no such colour;",
        "52:54:00:77:00:10",
        "10.77.0.115/24",
        "gw 10.77.0.1",
        "timed",
    ];
    run(name, lines, &wanted, |_| Ok(()))
}

fn blocks(name: &str) -> Result<()> {
    let lines = "echo RIG-MARK uuid ${uuid} ${smbios/uuid} ${smbios/1.8.16:hexraw};\n\
                 echo RIG-MARK smbios ${manufacturer}, ${product}, ${serial}, ${asset}, ${smbios/1.4.0};\n\
                 echo RIG-MARK none ${board-serial}${smbios/1.99.4}${smbios/9.1.4.0}${cpuid/9.0}${pci/x};\n\
                 set first:uint16 0\n\
                 echo RIG-MARK pci ${pci/${first}.0.2} ${pci/${net0/busloc}.0.4} ${pci/${net0/busloc}.2.2:uint16};\n\
                 show cpuvendor\nshow cpumodel\n\
                 echo RIG-MARK cpuid ${cpuid/1.0:hexraw} ${cpuid/cpumodel};\n\
                 echo RIG-MARK memsize ${memsize} ${memmap/memsize};\n\
                 isset ${dmesg} && echo RIG-MARK log;\n\
                 echo RIG-MARK time ${unixtime:int32};";
    let uuid = format!("RIG-MARK uuid {UUID} {UUID} {};", UUID.replace('-', ""));
    let wanted = [
        uuid.as_str(),
        "RIG-MARK smbios Rig, Bench, RIG-1, A-7, Rig;",
        "RIG-MARK none ;",
        "RIG-MARK pci 80:86 10:0e:80:86 0x100e;",
        "cpuid/cpuvendor:string = AuthenticAMD",
        "RIG-MARK cpuid 68747541 QEMU TCG CPU",
        "RIG-MARK memsize 25",
        "RIG-MARK log;",
        "RIG-MARK time",
    ];
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!("{lines}\npoweroff"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    for text in wanted {
        machine.expect(text, 60)?;
    }
    machine.expect_power_off(20)?;
    let time = machine.transcript().between("RIG-MARK time ", ";").unwrap_or_default();
    let host = UNIX_EPOCH.elapsed().map_err(|error| Failure(error.to_string()))?.as_secs();
    let is_near = time.parse::<u64>().is_ok_and(|time| time.abs_diff(host) < 300);
    ensure(is_near, || format!("the machine said it is {time:?}, and it is {host}"))
}

/// All that is large but not too large works; one more, and an error says so, which the script can answer. The kernel
/// is told how far it came.
fn limits(name: &str) -> Result<()> {
    let long = "abcdefgh".repeat(512);
    let mut lines =
        format!("set long {long}\niseq ${{long}} {long} && set same yes ||\nmenu Five hundred items\n");
    for item in 1..=500 {
        lines += &format!("item i{item} Item {item} of five hundred\n");
    }
    lines += "choose --timeout 100 --default i499 item\n";
    // A tree: each menu goes on to the next.
    for menu in 1..=20 {
        lines += &format!(":menu{menu}\nmenu Menu {menu}\n");
        for item in 1..=20 {
            lines += &format!("item menu{} Item {item}\n", menu + 1);
        }
        lines += "choose --timeout 10 next && goto ${next} ||\n";
    }
    lines += &format!(
        ":menu21
set n:int32 0
:settings inc n
set value-${{n}} ${{n}} of ten thousand
iseq ${{n}} 10000 || goto settings
set many ${{value-1}}, ${{value-10000}}
imgset --keep big http://{SERVER}/big
:fill inc n
set value-${{n}} ${{big}} && goto fill || set full ${{errno}}
menu
:more item x ${{big}} && goto more || set items ${{errno}}
set depth:int32 0
chain http://{SERVER}/deep || set deep ${{errno}}
chain http://{SERVER}/next
imgfree
kernel http://{SERVER}/vmlinuz ${{same}}, ${{item}}, ${{next}}, ${{many}}, ${{depth}}, ${{replaced}}
isset ${{full}} && isset ${{items}} && isset ${{deep}} && boot || poweroff"
    );
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("big", "x".repeat(10_000).as_bytes())?;
    lab.www("deep", format!("#!ipxe\ninc depth\nchain http://{SERVER}/deep\n").as_bytes())?;
    let next =
        format!("#!ipxe\ninc replaced\niseq ${{replaced}} 200 || chain --replace http://{SERVER}/next\n");
    lab.www("next", next.as_bytes())?;
    lab.www("vmlinuz", &quirk::kernel()?)?;
    lab.script(&lines)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    let wanted = "yes, i499, menu21, 1 of ten thousand, 10000 of ten thousand, 99, 200";
    expect_arguments(&mut machine, wanted.as_bytes(), 280)
}

/// Waits for the kernel that tells its arguments.
fn expect_arguments(machine: &mut Machine, wanted: &[u8], seconds: u64) -> Result<()> {
    machine.expect(text::USER_SPACE, seconds)?;
    let seen = machine.transcript().between("RIG-MARK bytes=", ";").unwrap_or_default();
    let wanted: String = wanted.iter().chain(b"\n").map(|byte| format!("{byte:02x}")).collect();
    ensure(seen == wanted, || format!("the kernel was given {seen}, not {wanted}"))
}

/// The script inside the image gives up the address that it has, and is not what it starts. The kernel gets bytes that
/// are no text as they are.
fn autoboot(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.embed("ifclose\nautoboot nosuch || autoboot && echo not here")?;
    let kernel = format!("kernel http://{SERVER}/teller ${{net0/ip}} ${{cwuri}} ${{raw:string}}");
    lab.script(&format!("set raw:hexraw c3a4e4ff\n{kernel}\nboot"))?;
    lab.www("teller", &quirk::kernel()?)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    let wanted = [format!("10.77.0.115 {SCRIPT_URI} ").as_bytes(), &[0xc3, 0xa4, 0xe4, 0xff]].concat();
    expect_arguments(&mut machine, &wanted, 100)
}

/// Arguments of images have no limit of their own; when memory gets short, the script ends with the reason, and the
/// next boot device has its turn.
fn exhaustion(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("big", "x".repeat(60_000).as_bytes())?;
    lab.script(&format!(
        "imgset big http://{SERVER}/big\n:more inc n\nimgfetch --name file${{n}} http://{SERVER}/boot.ipxe ${{big}}\ngoto more"
    ))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    text::SCRIPT_TOO_LARGE.iter().try_for_each(|id| machine.expect(id, 200))?;
    machine.expect(text::NEXT_DEVICE, 60)
}
