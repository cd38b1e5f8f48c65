//! Layer 2: what is done with an Ethernet frame before and after IP.
#![no_std]
