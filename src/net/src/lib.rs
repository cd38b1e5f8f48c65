//! TCP/IP behind our own types, with smoltcp inside.
#![no_std]
