//! Lists.

use alloc::vec::Vec;

/// All that comes, in a list. `Iterator::collect` asks how much that will be, and has two places that take an item:
/// three times the machine code, for each kind of iterator anew.
pub fn list<T>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        list.push(item);
    }
    list
}
