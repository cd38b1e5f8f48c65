//! A DNS resolver, sans-IO.
#![no_std]
