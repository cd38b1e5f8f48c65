//! The settings tree: blocks, types and scopes.
//!
//! A setting is a name, perhaps with the number of a DHCP option, and a byte string. Settings live in blocks, blocks
//! form a tree, and a reference like `net0.dhcp/filename:string` names a block, a setting and how to read it. Nothing
//! here calls anybody: who changes a setting looks himself at what follows from it.
#![no_std]

extern crate alloc;

mod key;
mod kind;
mod tree;

pub use key::{Key, Scope, Tag};
pub use kind::{Kind, number, swap_fields};
pub use tree::{BlockId, Found, Parts, Source, Tree, split};

/// What can go wrong with settings.
pub mod errors {
    base::errors! {
        /// A reference without a name.
        NO_NAME = "SET-01", "{} does not name a setting",
            "write [block/]name[:type], for example net0/ip or filename:string";
        /// A type that nobody knows.
        NO_TYPE = "SET-02", "{} has a type that does not exist",
            "types: string uristring ipv4 ipv6 int8/16/32 uint8/16/32 hex hexhyp hexraw base64 uuid guid busdevfn dnssl";
        /// Text that the type cannot take.
        BAD_VALUE = "SET-03", "{} cannot take this value",
            "write the value as its type asks: 192.0.2.1 for ipv4, 0x1f or 31 for numbers, aa:bb for hex";
        /// A setting that belongs to the machine.
        READ_ONLY = "SET-04", "{} is read-only", "store your value under a name of your own";
        /// A block that is not there and cannot be made.
        NO_BLOCK = "SET-05", "{} is in a block that does not exist",
            "netX exists once a card is open; blocks may be nested 16 deep";
        /// Too many settings.
        FULL = "SET-06", "there is no room for {}", "clear settings that are no longer used; all together may take 2 MiB";
    }
}
