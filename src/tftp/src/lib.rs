//! A TFTP client, sans-IO.
#![no_std]
