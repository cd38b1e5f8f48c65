//! The memory map as data: overlap rules, reservations, and what others may see.
#![no_std]
