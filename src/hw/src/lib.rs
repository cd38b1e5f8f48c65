//! The machine: CPU, memory, clock, BIOS and the way to real mode and back.
#![no_std]
