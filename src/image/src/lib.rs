//! Recognise, plan and place what can be booted.
#![no_std]
