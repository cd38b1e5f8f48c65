//! A DHCP client that knows PXE: sans-IO, with the cached packets of the vendor's ROM.
#![no_std]
