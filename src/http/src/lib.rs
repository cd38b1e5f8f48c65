//! An HTTP/1.1 client, sans-IO.
#![no_std]
