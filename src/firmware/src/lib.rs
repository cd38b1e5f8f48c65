//! The assembly of all parts into the machine that boots.
#![no_std]
