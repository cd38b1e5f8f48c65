//! Line editing, progress and tables, as state.
#![no_std]
