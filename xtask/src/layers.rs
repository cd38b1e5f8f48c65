//! The rules about crates, checked on what `cargo metadata` says: who may depend on whom, and no features.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Each crate of the core, and those of the workspace that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("memmap", &["base"]),
    ("settings", &["base"]),
    ("smbios", &["base"]),
    ("acpi", &["base"]),
    ("uri", &["base"]),
    ("nic", &["base"]),
    ("link", &["base", "nic"]),
    ("net", &["base", "nic", "link"]),
    ("dhcp", &["base", "uri"]),
    ("dns", &["base", "uri"]),
    ("tftp", &["base", "uri"]),
    ("http", &["base", "uri"]),
    ("inflate", &[]),
    ("image", &["base", "inflate", "memmap"]),
    ("picture", &["base", "inflate"]),
    ("script", &["base", "settings"]),
    ("console", &["base"]),
    ("hw", &["base", "memmap"]),
    ("unpack", &["base", "memmap"]),
    ("undi", DRIVER),
    ("image-variants", &["base", "undi", "unpack"]),
];

/// What a driver of a network card may depend on.
const DRIVER: &[&str] = &["base", "nic", "hw"];

/// Crates that may depend on all others: the composition, and what runs on the host only.
const FREE: &[&str] = &["firmware", "xtask", "tests"];

/// The only crate with features: they choose lines of its tables.
const WITH_FEATURES: &str = "firmware";

/// What we want of `cargo metadata --no-deps`.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: std::path::PathBuf,
    dependencies: Vec<Dependency>,
    features: std::collections::BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `null`, `dev` or `build`.
    kind: Option<String>,
    /// Set for those of the workspace.
    path: Option<String>,
}

impl Metadata {
    pub(crate) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cargo metadata is not what it was")
    }

    /// All that is against the rules, a sentence each.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.packages.iter().flat_map(Package::complaints).collect()
    }
}

impl Package {
    fn complaints(&self) -> Vec<String> {
        let name = self.name.as_str();
        let mut complaints = Vec::new();
        if name != WITH_FEATURES && !self.features.is_empty() {
            complaints.push(format!("{name} has features; only `{WITH_FEATURES}` may have some"));
        }
        if FREE.contains(&name) {
            return complaints;
        }
        let is_driver = self.manifest_path.components().any(|part| part.as_os_str() == "native-drivers");
        let allowed = match ARROWS.iter().find(|arrow| arrow.0 == name) {
            Some(arrow) => arrow.1,
            None if is_driver => DRIVER,
            None => {
                complaints.push(format!("{name} has no line in the table of xtask/src/layers.rs"));
                return complaints;
            }
        };
        for dependency in &self.dependencies {
            // What tests use is their own affair.
            let is_dev = dependency.kind.as_deref() == Some("dev");
            if dependency.path.is_some() && !is_dev && !allowed.contains(&dependency.name.as_str()) {
                complaints.push(format!("{name} must not depend on {}", dependency.name));
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, manifest: &str, dependencies: &str, features: &str) -> Vec<String> {
        let json = format!(
            r#"{{"packages": [{{"name": "{name}", "manifest_path": "{manifest}", "dependencies": [{dependencies}],
                "features": {{{features}}}}}], "version": 1}}"#
        );
        Metadata::parse(&json).unwrap().complaints()
    }

    fn on(name: &str, kind: &str) -> String {
        format!(r#"{{"name": "{name}", "kind": {kind}, "path": "/somewhere"}}"#)
    }

    #[test]
    fn arrows_against_the_layers_are_found() {
        assert_eq!(complaints("http", "/src/http/Cargo.toml", &on("uri", "null"), ""), [""; 0]);
        assert_eq!(complaints("http", "/src/http/Cargo.toml", &on("hw", "\"dev\""), ""), [""; 0]);
        assert_eq!(
            complaints("http", "/src/http/Cargo.toml", &on("hw", "null"), ""),
            ["http must not depend on hw"]
        );
        assert_eq!(complaints("http", "/x", &on("hw", "\"build\""), ""), ["http must not depend on hw"]);
        assert_eq!(complaints("firmware", "/x", &on("hw", "null"), "\"e1000\": []"), [""; 0]);
        let other = r#"{"name": "smoltcp", "kind": null}"#;
        assert_eq!(complaints("net", "/x", other, ""), [""; 0]);
    }

    #[test]
    fn drivers_see_the_card_and_the_machine_only() {
        let manifest = "/p/native-drivers/e1000/Cargo.toml";
        assert_eq!(complaints("e1000", manifest, &on("hw", "null"), ""), [""; 0]);
        assert_eq!(complaints("e1000", manifest, &on("net", "null"), ""), ["e1000 must not depend on net"]);
    }

    #[test]
    fn new_crates_and_features_are_found() {
        assert_eq!(complaints("magic", "/x", "", "").len(), 1);
        let features = complaints("http", "/x", "", "\"tls\": []");
        assert_eq!(features, ["http has features; only `firmware` may have some"]);
    }
}
