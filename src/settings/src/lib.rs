//! The settings tree: blocks, types and scopes.
#![no_std]
