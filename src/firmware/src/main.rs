//! The core of the firmware: all parts, put together.
//!
//! `entry` takes the machine over and makes one [`machine::Machine`]; `autoboot` decides what to boot. Everything in
//! between is ordinary blocking code over one loop, `machine::Machine::round`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(all(target_os = "none", feature = "ahead"))]
mod ahead;
#[cfg(all(target_os = "none", not(feature = "ahead")))]
#[path = "no_ahead.rs"]
mod ahead;
#[cfg(target_os = "none")]
mod autoboot;
#[cfg(target_os = "none")]
mod boot_menu;
#[cfg(target_os = "none")]
mod commands;
#[cfg(target_os = "none")]
mod depart;
#[cfg(target_os = "none")]
mod dialogue;
#[cfg(all(target_os = "none", feature = "digests"))]
mod digests;
#[cfg(all(target_os = "none", not(feature = "digests")))]
#[path = "no_digests.rs"]
mod digests;
#[cfg(target_os = "none")]
mod drivers;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod errors;
#[cfg(target_os = "none")]
mod exported;
#[cfg(target_os = "none")]
mod fetch;
#[cfg(all(target_os = "none", feature = "pixels"))]
mod graphics;
#[cfg(all(target_os = "none", not(feature = "pixels")))]
#[path = "text_only.rs"]
mod graphics;
#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod host;
#[cfg(target_os = "none")]
mod keyboard;
#[cfg(target_os = "none")]
mod lease;
#[cfg(target_os = "none")]
mod machine;
#[cfg(all(target_os = "none", feature = "media"))]
mod media;
#[cfg(all(target_os = "none", not(feature = "media")))]
#[path = "no_media.rs"]
mod media;
#[cfg(target_os = "none")]
mod network;
#[cfg(target_os = "none")]
mod network_commands;
#[cfg(target_os = "none")]
mod network_program;
#[cfg(all(target_os = "none", feature = "network-tools"))]
mod network_tools;
#[cfg(all(target_os = "none", not(feature = "network-tools")))]
#[path = "no_network_tools.rs"]
mod network_tools;
#[cfg(target_os = "none")]
mod preferences;
#[cfg(target_os = "none")]
mod report;
#[cfg(all(target_os = "none", feature = "resident"))]
mod resident;
#[cfg(all(target_os = "none", not(feature = "resident")))]
#[path = "no_resident.rs"]
mod resident;
#[cfg(target_os = "none")]
mod screen;
#[cfg(target_os = "none")]
mod store;
#[cfg(target_os = "none")]
mod system;
#[cfg(target_os = "none")]
mod upload;
#[cfg(target_os = "none")]
mod vendor;
#[cfg(all(target_os = "none", feature = "undi-rom"))]
mod vendor_loader;
#[cfg(all(target_os = "none", feature = "undi", not(feature = "undi-rom")))]
#[path = "no_vendor_loader.rs"]
mod vendor_loader;
#[cfg(all(target_os = "none", feature = "undi"))]
mod vendor_rom;
#[cfg(all(target_os = "none", not(feature = "undi")))]
#[path = "no_vendor_rom.rs"]
mod vendor_rom;
