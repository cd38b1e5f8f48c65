//! What iPXE itself has: the commands of August 2026 and their options.

/// A command as iPXE has it.
pub(super) struct Stock {
    pub(super) name: &'static str,
    /// The long names of its options, with blanks between them.
    options: &'static str,
    /// Whether its stock build for BIOS machines has it.
    pub(super) is_usual: bool,
}

impl Stock {
    pub(super) fn named(name: &[u8]) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name.as_bytes() == name)
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.options.split(' ').any(|own| own == option)
    }
}

const fn usual(name: &'static str, options: &'static str) -> Stock {
    Stock { name, options, is_usual: true }
}

/// One that must be switched on when iPXE is built.
const fn optional(name: &'static str, options: &'static str) -> Stock {
    Stock { name, options, is_usual: false }
}

const IMAGE: &str = "name timeout quiet autofree";
const BOOT: &str = "name timeout quiet autofree replace";
const MENU: &str = "name delete";

static COMMANDS: &[Stock] = &[
    usual("autoboot", ""),
    usual("boot", BOOT),
    optional("certfree", "subject"),
    optional("certstat", "subject"),
    optional("certstore", "subject keep"),
    usual("chain", BOOT),
    usual("choose", "menu default timeout retimeout keep"),
    usual("clear", ""),
    optional("colour", "basic rgb"),
    usual("config", ""),
    optional("console", "x y left right top bottom depth picture keep"),
    optional("cpair", "foreground background"),
    usual("cpuid", "ext amd ecx"),
    usual("dhcp", "configurator timeout"),
    usual("echo", "n"),
    usual("exit", ""),
    usual("fcels", "port id"),
    usual("fcstat", ""),
    optional("fdt", "timeout quiet"),
    usual("form", MENU),
    optional("gdbstub", ""),
    usual("goto", ""),
    usual("help", ""),
    usual("ibstat", ""),
    usual("ifclose", ""),
    usual("ifconf", "configurator timeout"),
    usual("iflinkwait", "timeout"),
    usual("ifopen", ""),
    usual("ifstat", ""),
    usual("imgargs", IMAGE),
    optional("imgdecrypt", "name keep timeout quiet"),
    usual("imgexec", BOOT),
    usual("imgextract", "name keep timeout quiet"),
    usual("imgfetch", IMAGE),
    usual("imgfree", ""),
    usual("imgload", IMAGE),
    optional("imgmem", "name"),
    usual("imgselect", IMAGE),
    usual("imgset", "keep timeout quiet"),
    usual("imgstat", ""),
    optional("imgtrust", "allow permanent"),
    optional("imgverify", "signer keep timeout quiet"),
    usual("inc", ""),
    usual("initrd", IMAGE),
    optional("ipstat", ""),
    usual("iseq", ""),
    usual("isset", ""),
    usual("item", "menu form key default secret gap"),
    usual("iwlist", ""),
    usual("iwstat", ""),
    usual("kernel", IMAGE),
    usual("login", ""),
    optional("lotest", "mtu broadcast"),
    optional("md4sum", "set"),
    optional("md5sum", "set"),
    usual("menu", MENU),
    usual("module", IMAGE),
    optional("nslookup", ""),
    optional("nstat", ""),
    optional("ntp", ""),
    optional("param", "params header"),
    optional("params", "name method delete"),
    optional("pciscan", ""),
    optional("ping", "size timeout count quiet"),
    usual("poweroff", ""),
    usual("present", "form keep"),
    optional("profstat", ""),
    usual("prompt", "key timeout"),
    usual("pxebs", ""),
    usual("read", "timeout"),
    usual("reboot", "warm setup"),
    usual("route", ""),
    usual("sanboot", "drive no-describe keep filename extra label uuid"),
    usual("sanhook", "drive no-describe"),
    usual("sanunhook", "drive"),
    usual("set", ""),
    optional("sha1sum", "set"),
    optional("sha224sum", "set"),
    optional("sha256sum", "set"),
    optional("sha384sum", "set"),
    optional("sha512sum", "set"),
    usual("shell", ""),
    usual("shim", "timeout quiet require-loader allow-pxe allow-sbat"),
    usual("show", "quiet"),
    usual("sleep", ""),
    optional("startpxe", ""),
    optional("stoppxe", ""),
    usual("sync", "timeout"),
    optional("time", ""),
    optional("usbscan", ""),
    optional("vcreate", "tag priority"),
    optional("vdestroy", ""),
];
