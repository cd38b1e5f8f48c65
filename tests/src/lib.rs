//! Scenarios that boot images in an emulator against real servers.

