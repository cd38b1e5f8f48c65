//! The core of the firmware: all parts, put together.
//!
//! `entry` takes the machine over and makes one [`machine::Machine`]; `autoboot` decides what to boot. Everything in
//! between is ordinary blocking code over one loop, `machine::Machine::round`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
extern crate alloc;

macro_rules! bare_metal {
    ($($module:ident)+) => { $(#[cfg(target_os = "none")] mod $module;)+ };
}

bare_metal! { autoboot depart entry errors fetch host keyboard lease linux machine network screen smbios store vendor }
