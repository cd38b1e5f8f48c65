//! A script run before its author's eyes.

use super::narrate::Narrator;
use super::scenario::Scenario;
use super::world::perform;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The script
    file: PathBuf,
    /// What the world is like, as JSON in the form of `script conform`. What it leaves out of `settings`, `choices` and
    /// `responses` is as usual: everything succeeds, files beside the script are on the server, and the user does
    /// nothing where a time runs out and else takes what is offered
    #[arg(long, value_name = "JSON")]
    scenario: Option<PathBuf>,
}

/// Fails if the script does.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut world = Map::new();
    if let Some(file) = &options.scenario {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        world = serde_json::from_str(&text).with_context(|| format!("{} is no scenario", file.display()))?;
    }
    let mut narrator = Narrator::new(std::io::stdout().lock());
    perform(stage(&options.file, world)?, &mut narrator)?;
    ensure!(narrator.has_succeeded, "the script has failed");
    Ok(())
}

/// The world that a script of this file runs in.
fn stage(file: &Path, mut world: Map<String, Value>) -> Result<Scenario> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = String::from_utf8(text).with_context(|| format!("{} is not in UTF-8", file.display()))?;
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    let mut scripts = match world.remove("script") {
        None => Vec::new(),
        Some(Value::Array(scripts)) => scripts,
        Some(_) => bail!("`script` of a scenario is a list"),
    };
    let uri = scripts.first().and_then(|first| first.get("uri")).cloned();
    let uri = uri.unwrap_or_else(|| {
        let name = uri::encode(name.as_encoded_bytes());
        format!("http://boot.example/{name}").into()
    });
    scripts.splice(..scripts.len().min(1), [json!({"uri": uri, "text": text})]);
    world.insert("script".into(), scripts.into());
    let (answers, user) = (world.contains_key("responses"), world.contains_key("choices"));
    world.entry("settings").or_insert_with(machine);
    let mut scenario: Scenario = serde_json::from_value(world.into()).context("this is no scenario")?;
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    scenario.usual.folder = (!answers).then_some(folder);
    scenario.usual.user = !user;
    scenario.usual.lines = Some(LINES);
    scenario.usual.vlan_lease = Some(LEASE.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    Ok(scenario)
}

/// How many lines run before that is taken for an endless loop.
const LINES: u32 = 10_000;

/// A machine with one card, which has its address by DHCP.
fn machine() -> Value {
    json!({
        "platform": "pcbios", "buildarch": "x86_64", "version": "2.0.0+",
        "nics": [{"name": "net0", "mac": "52:54:00:12:34:56", "chip": "undionly"}],
        "open_interfaces_at_start": ["net0"],
        "values": LEASE.map(|(name, value)| [format!("net0.dhcp/{name}"), value.to_owned()]),
    })
}

/// What DHCP gives.
const LEASE: [(&str, &str); 8] = [
    ("ip", "192.0.2.100"),
    ("netmask", "255.255.255.0"),
    ("gateway", "192.0.2.1"),
    ("dns", "192.0.2.1"),
    ("next-server", "192.0.2.1"),
    ("dhcp-server", "192.0.2.1"),
    ("hostname", "machine"),
    ("domain", "example"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told about a script that lies in a folder of its own with these other files.
    fn told(script: &str, files: &[(&str, &str)], world: Value) -> String {
        let name = std::thread::current().name().unwrap().replace(':', "-");
        let folder = std::env::temp_dir().join(format!("xtask-script-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [&[("first.ipxe", script)], files].concat() {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let Value::Object(world) = world else { panic!("a scenario is an object") };
        let mut narrator = Narrator::new(Vec::new());
        let done = perform(stage(&folder.join("first.ipxe"), world).unwrap(), &mut narrator);
        std::fs::remove_dir_all(&folder).unwrap();
        done.unwrap();
        String::from_utf8(narrator.out).unwrap()
    }

    #[test]
    fn without_a_scenario_all_goes_well() {
        let script = "#!ipxe\ndhcp\nchain --autofree next.ipxe?x || exit 1\nmenu M\nitem a A\nitem b B\n\
                      choose --default b x && echo ${x} ${net0/ip}\nprompt --timeout 9 now? || echo no\n\
                      kernel ../vmlinuz quiet\nboot";
        let told = told(script, &[("next.ipxe", "#!ipxe\necho from ${cwuri}")], json!({}));
        assert_eq!(
            told,
            "net0 is configured.\n\
             http://boot.example/next.ipxe?x is downloaded.\n\
             \"from http://boot.example/next.ipxe?x\" is printed.\n\
             The menu \"M\" offers a, b; the user takes what is highlighted, b.\n\
             \"b 192.0.2.100\" is printed.\n\
             The prompt \"now?\" waits 9 ms for a key, and none is pressed.\n\
             nobody pressed a key in time [SCRIPT-14]: give prompt a longer --timeout, in milliseconds\n\
             \"no\" is printed.\n\
             http://boot.example/vmlinuz is downloaded.\n\
             vmlinuz is started with \"quiet\" and does not come back.\n"
        );
    }

    #[test]
    fn a_vlan_is_a_card() {
        let script = "#!ipxe\nvcreate --tag 100 netX && dhcp net0-100 && echo ${netX/ifname} ${net0-100/mac} ${net0-100/next-server}\n\
                      vcreate --tag 7 net0-100 || vcreate --tag 4095 net0 || vcreate net1 || vdestroy net0 ||\n\
                      vdestroy net0-100\ndhcp net0-100 || echo ${netX/ifname} ${net0-100/mac}.";
        let told = told(script, &[], json!({"responses": {}}));
        let said: Vec<&str> = told.lines().filter_map(|line| line.split(['[', ']']).nth(1)).collect();
        assert_eq!(said, ["SCRIPT-34", "SCRIPT-33", "SCRIPT-19", "SCRIPT-35", "SCRIPT-19"], "{told}");
        assert!(told.contains("\"net0-100 52:54:00:12:34:56 192.0.2.1\" is printed"), "{told}");
        assert!(told.contains("\"net0 .\" is printed"), "{told}");
    }

    #[test]
    fn a_scenario_says_what_is_different() {
        let world = json!({"responses": {"configure_default": "fail"}, "report": ["ip"]});
        let told = told("#!ipxe\ndhcp || echo no\nset ip 192.0.2.7\nexit 3", &[], world);
        assert_eq!(
            told,
            "net0 cannot be configured.\n\
             net0 fails [PLAY-01]: the scenario says so\n\
             \"no\" is printed.\n\
             The script ends with status 3.\n\
             ip is \"192.0.2.7\" at the end.\n"
        );
    }

    #[test]
    fn what_goes_with_a_request_is_told() {
        let script = "#!ipxe\nparams --method PUT\nparam a b c\nparam --header X-Y z\nimgfetch http://x.example/y##params\n\
                      nslookup at x.example\nread name\necho ${at}";
        assert_eq!(
            told(script, &[], json!({"choices": [{"type": "read", "text": "Q"}]})),
            "http://x.example/y is downloaded by PUT, header X-Y=\"z\", field a=\"b c\".\n\
             The command nslookup at x.example succeeds.\n\
             name is asked for, and the user enters \"Q\".\n\
             \"192.0.2.1\" is printed.\n\
             The script ends.\n"
        );
    }

    #[test]
    fn a_loop_is_ended() {
        let told = told("#!ipxe\n:top goto top", &[], json!({}));
        assert!(told.starts_with("10000 lines have run and there is no end [PLAY-05]"), "{told}");
        assert!(told.ends_with("The script fails.\n"), "{told}");
    }

    #[test]
    fn a_user_who_is_not_described_ends_it() {
        let world = json!({"script": [{"uri": "http://x.example/y", "text": ""}], "choices": [{"type": "read", "text": ""}]});
        let Value::Object(world) = world else { panic!("a scenario is an object") };
        let file = std::env::temp_dir().join(format!("xtask-script-{}-choice", std::process::id()));
        std::fs::write(&file, "#!ipxe\n:top echo ${cwuri}\nprompt || goto top").unwrap();
        let scenario = stage(&file, world).unwrap();
        std::fs::remove_file(&file).unwrap();
        let mut narrator = Narrator::new(Vec::new());
        let error = perform(scenario, &mut narrator).unwrap_err().to_string();
        assert!(error.starts_with("the scenario does not say what the user does at prompt"), "{error}");
        assert_eq!(narrator.out, b"\"http://x.example/y\" is printed.\n");
    }

    #[test]
    fn only_files_of_the_folder_are_served() {
        let told = told("#!ipxe\nimgset x %2e%2e/%2e%2e/etc/passwd\necho ${x}", &[], json!({}));
        assert!(told.contains("program\" is printed"), "{told}");
    }
}
