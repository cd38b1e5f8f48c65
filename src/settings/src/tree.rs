//! The tree of blocks.
//!
//! A search begins at a block and goes down: the block itself, then its children, those of higher `priority` first.
//! Among equals the one comes last whose priority was looked at last: that happens when a block is made, and again
//! when a block is made or a priority stored in it or below it. `netX` is a block of priority 0, older than all cards,
//! that stands for the card opened last.

use crate::errors::{BAD_VALUE, FULL, NO_BLOCK, NO_NAME, NO_TYPE, READ_ONLY};
use crate::{Key, Kind, Scope, Tag};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use base::text::cut_bytes;

/// A foreign holder of numbered settings, such as a DHCP packet.
pub trait Source {
    /// The value with this number, and the type in which it is shown if none is known for the number.
    fn value(&self, tag: Tag) -> Option<(Kind, Vec<u8>)>;
}

/// A block. Blocks stay, so this stays valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId(usize);

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The block that has it.
    pub block: BlockId,
    /// How to read it.
    pub kind: Kind,
    /// The stored bytes.
    pub data: Vec<u8>,
}

struct Value {
    name: Box<[u8]>,
    tag: Option<Tag>,
    kind: Kind,
    /// None hides what the block's source has.
    data: Option<Vec<u8>>,
    guard: Guard,
}

/// What a script may do to a value.
#[derive(Clone, PartialEq, Eq)]
enum Guard {
    /// All.
    Free,
    /// Nothing.
    Fixed,
    /// Put another one of the same length in its place. Deleting brings this one back.
    Replaceable(Box<[u8]>),
}

impl Value {
    fn is(&self, key: &Key<'_>) -> bool {
        match (self.tag, key.tag) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => *self.name == *key.name,
        }
    }

    fn cost(&self) -> usize {
        OVERHEAD + self.name.len() + self.data.as_ref().map_or(0, Vec::len)
    }
}

#[derive(Default)]
struct Block {
    name: Box<[u8]>,
    parent: Option<BlockId>,
    children: Vec<BlockId>,
    values: Vec<Value>,
    source: Option<Box<dyn Source>>,
    scope: Scope,
    priority: i64,
}

/// The settings of the machine.
///
/// # Invariants
/// Block 0 is the root, block 1 its child `builtin`, block 2 its child `netX`, which has neither values nor children.
/// Every `BlockId` that was handed out is an index of `blocks`. `children` is in the order of searching.
pub struct Tree {
    blocks: Vec<Block>,
    /// The cards that are open, the one opened last at the end.
    open: Vec<BlockId>,
    stored: usize,
    changes: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The block without a name, where settings are stored that name no block.
    pub const ROOT: BlockId = BlockId(0);

    /// What the firmware says of itself: `version`, `errno`, `cwuri` ...
    pub const BUILTIN: BlockId = BlockId(1);

    /// Stands for the card opened last.
    const LATEST: BlockId = BlockId(2);

    /// A tree with the root, `builtin` and `netX`.
    pub fn new() -> Self {
        let child = |name: &[u8]| Block { name: name.into(), parent: Some(Self::ROOT), ..Block::default() };
        let root = Block { children: [Self::BUILTIN, Self::LATEST].into(), ..Block::default() };
        Self {
            blocks: [root, child(b"builtin"), child(b"netX")].into(),
            open: Vec::new(),
            stored: 0,
            changes: 0,
        }
    }

    /// The block of that name, `net0.dhcp` for instance. `netX` is the card opened last.
    pub fn find(&self, name: &[u8]) -> Option<BlockId> {
        let mut block = Self::ROOT;
        for part in parts(name) {
            block = self.child(block, part)?;
        }
        Some(block)
    }

    /// The block of that name, which is made if it is not there.
    pub fn block(&mut self, name: &[u8]) -> Result<BlockId, Error> {
        let mut block = Self::ROOT;
        for (level, part) in parts(name).enumerate() {
            block = match self.child(block, part) {
                Some(child) => child,
                None => {
                    // That there is no card to stand for is no reason to make one.
                    let is_latest = block == Self::ROOT && part == b"netX";
                    if is_latest || level >= LEVELS || self.blocks.len() >= BLOCKS {
                        return Err(NO_BLOCK.of(readable(name)));
                    }
                    let child = BlockId(self.blocks.len());
                    self.blocks.push(Block { name: part.into(), parent: Some(block), ..Block::default() });
                    if let Some(parent) = self.blocks.get_mut(block.0) {
                        parent.children.push(child);
                    }
                    self.reorder(child);
                    child
                }
            };
        }
        Ok(block)
    }

    /// The full name of a block; empty for the root.
    pub fn name(&self, block: BlockId) -> Vec<u8> {
        let Some(this) = self.blocks.get(block.0) else { return Vec::new() };
        let mut name = this.parent.map(|parent| self.name(parent)).unwrap_or_default();
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(&this.name);
        name
    }

    /// The block that it is in; none for the root.
    pub fn parent(&self, block: BlockId) -> Option<BlockId> {
        self.blocks.get(block.0)?.parent
    }

    /// The blocks in it, in the order of searching, without `netX`.
    pub fn children(&self, block: BlockId) -> Vec<BlockId> {
        let children = self.blocks.get(block.0).map(|block| block.children.as_slice()).unwrap_or_default();
        base::list(children.iter().copied().filter(|child| *child != Self::LATEST))
    }

    /// Another number than before whenever a script has stored or deleted something.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// The names of settings that it may have: all that are known beforehand, and the first [`LISTED`] of those that
    /// are stored in it.
    pub fn names(&self, block: BlockId) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = base::list(crate::key::names().map(Into::into));
        for value in self
            .blocks
            .get(block.0)
            .map(|block| block.values.as_slice())
            .unwrap_or_default()
            .iter()
            .take(LISTED)
        {
            if !names.iter().any(|name| **name == *value.name) {
                names.push(value.name.to_vec());
            }
        }
        names
    }

    /// Notes that a card was opened; one that is open already stays where it is.
    pub fn open_card(&mut self, card: BlockId) {
        if !self.open.contains(&card) {
            self.open.push(card);
        }
    }

    /// Notes that a card was closed.
    pub fn close_card(&mut self, card: BlockId) {
        self.open.retain(|open| *open != card);
    }

    /// Whether a card is open.
    pub fn is_open(&self, card: BlockId) -> bool {
        self.open.contains(&card)
    }

    /// The card that is `netX`: the one opened last of those that are still open.
    pub fn latest(&self) -> Option<BlockId> {
        self.open.last().copied()
    }

    /// Gives a block a new source, whose numbers mean what `scope` says, and forgets all it had before.
    pub fn set_source(&mut self, block: BlockId, scope: Scope, source: Option<Box<dyn Source>>) {
        let Some(target) = self.blocks.get_mut(block.0) else { return };
        self.stored -= target.values.iter().map(Value::cost).sum::<usize>();
        target.values.clear();
        target.source = source;
        target.scope = scope;
        self.reorder(block);
    }

    /// The block that `reference` begins with, and the setting. None if the block is not there or the type unknown.
    pub fn resolve<'a>(&self, reference: &'a [u8]) -> Option<(BlockId, Key<'a>)> {
        let (name, setting, kind) = cut_apart(reference).ok()?;
        let block = self.find(name.unwrap_or_default())?;
        let scope = self.blocks.get(block.0).map_or(Scope::Dhcp, |block| block.scope);
        Some((block, Key::new(setting, kind, scope)))
    }

    /// Searches `block` and what is below it.
    pub fn fetch(&self, block: BlockId, key: &Key<'_>) -> Option<Found> {
        let block = if block == Self::LATEST { self.latest()? } else { block };
        let this = self.blocks.get(block.0)?;
        let own = match this.values.iter().find(|value| value.is(key)) {
            Some(value) => value.data.clone().map(|data| (value.kind, data)),
            None => match (&this.source, key.tag) {
                (Some(source), Some(tag)) if tag.is_of(this.scope) => source.value(tag),
                _ => None,
            },
        };
        if let Some((kind, data)) = own {
            return Some(Found { block, kind: key.kind.unwrap_or(kind), data });
        }
        this.children.iter().find_map(|child| self.fetch(*child, key))
    }

    /// The stored bytes of a setting.
    pub fn value(&self, reference: &[u8]) -> Option<Vec<u8>> {
        let (block, key) = self.resolve(reference)?;
        self.fetch(block, &key).map(|found| found.data)
    }

    /// A setting as text, by its type: what `${reference}` stands for.
    pub fn text(&self, reference: &[u8]) -> Option<Vec<u8>> {
        let (block, key) = self.resolve(reference)?;
        let found = self.fetch(block, &key)?;
        found.kind.format(&found.data)
    }

    /// Stores what `text` means for the setting's type. Missing blocks are made; empty text deletes. A setting without
    /// a name takes all and has nothing.
    pub fn store(&mut self, reference: &[u8], text: &[u8]) -> Result<(), Error> {
        let (block, key) = self.place(reference)?;
        let kind = key.kind.unwrap_or(Kind::String);
        self.store_text(block, &key, kind, text).map_err(|error| error.named(readable(reference)))
    }

    /// The block that `reference` begins with, which is made if it is not there, and the setting.
    pub fn place<'a>(&mut self, reference: &'a [u8]) -> Result<(BlockId, Key<'a>), Error> {
        let (name, setting, kind) = cut_apart(reference)?;
        let block = self.block(name.unwrap_or_default())?;
        let scope = self.blocks.get(block.0).map_or(Scope::Dhcp, |block| block.scope);
        Ok((block, Key::new(setting, kind, scope)))
    }

    /// Stores what `text` means for a type. Empty text deletes.
    pub fn store_text(
        &mut self,
        block: BlockId,
        key: &Key<'_>,
        kind: Kind,
        text: &[u8],
    ) -> Result<(), Error> {
        let data = match text {
            [] => Vec::new(),
            text => kind.parse(text).ok_or_else(|| BAD_VALUE.of(readable(key.name)))?,
        };
        self.store_bytes(block, key, kind, data)
    }

    /// Stores bytes; no bytes delete.
    pub fn store_bytes(
        &mut self,
        block: BlockId,
        key: &Key<'_>,
        kind: Kind,
        data: Vec<u8>,
    ) -> Result<(), Error> {
        self.put(block, key, kind, Some(data).filter(|data| !data.is_empty()), Guard::Free)
    }

    /// Deletes a setting; one that is not there is no error. Its block is made, as for any other value.
    pub fn clear(&mut self, reference: &[u8]) -> Result<(), Error> {
        self.store(reference, b"")
    }

    /// Stores what the machine says of itself, which no script can change. None takes it back.
    pub fn publish(&mut self, block: BlockId, name: &[u8], kind: Kind, data: Option<&[u8]>) {
        let key = Key::new(name, None, Scope::Dhcp);
        // A value of the machine always has room and is never refused.
        let _ = self.put(block, &key, kind, data.map(<[u8]>::to_vec), Guard::Fixed);
    }

    /// Stores a value of the machine that a script can replace by another one of the same length. Where the script
    /// deletes it, this one is back.
    pub fn publish_replaceable(&mut self, block: BlockId, name: &[u8], kind: Kind, data: &[u8]) {
        let key = Key::new(name, None, Scope::Dhcp);
        // As above.
        let _ = self.put(block, &key, kind, Some(data.to_vec()), Guard::Replaceable(data.into()));
    }

    fn child(&self, block: BlockId, name: &[u8]) -> Option<BlockId> {
        let mut children = self.blocks.get(block.0)?.children.iter();
        let child =
            *children.find(|child| self.blocks.get(child.0).is_some_and(|child| *child.name == *name))?;
        if child == Self::LATEST { self.latest() } else { Some(child) }
    }

    fn put(
        &mut self,
        block: BlockId,
        key: &Key<'_>,
        kind: Kind,
        mut data: Option<Vec<u8>>,
        mut guard: Guard,
    ) -> Result<(), Error> {
        let Some(target) = self.blocks.get_mut(block.0) else { return Ok(()) };
        let place = target.values.iter().position(|value| value.is(key));
        let old = place.and_then(|place| target.values.get(place));
        let is_script = guard == Guard::Free;
        if is_script && block == Self::BUILTIN && key.tag != Some(Tag::UNIX_TIME) {
            return Err(READ_ONLY.of(readable(key.name)));
        }
        match old.map(|value| &value.guard) {
            Some(Guard::Fixed) if is_script => return Err(READ_ONLY.of(readable(key.name))),
            Some(Guard::Replaceable(original)) if is_script => {
                let data = data.get_or_insert_with(|| original.to_vec());
                if data.len() != original.len() {
                    return Err(BAD_VALUE.of(readable(key.name)));
                }
                guard = Guard::Replaceable(original.clone());
            }
            _ => {}
        }
        let freed = old.map_or(0, Value::cost);
        let value = Value { name: key.name.into(), tag: key.tag, kind, data, guard };
        let is_kept = value.data.is_some() || (target.source.is_some() && key.tag.is_some());
        let keeps = is_kept && !key.name.is_empty();
        let stored = self.stored - freed + if keeps { value.cost() } else { 0 };
        if stored > BYTES && keeps && is_script {
            return Err(FULL.of(readable(key.name)));
        }
        match place.and_then(|place| target.values.get_mut(place)) {
            Some(old) if keeps => *old = value,
            Some(_) => target.values.retain(|value| !value.is(key)),
            None if keeps => target.values.push(value),
            None => {}
        }
        self.stored = stored;
        self.changes = self.changes.wrapping_add(is_script.into());
        if key.tag == Key::new(b"priority", None, Scope::Dhcp).tag {
            self.reorder(block);
        }
        Ok(())
    }

    /// Puts a block, and those that it is part of, into its place among its siblings: behind all that are not of
    /// lower priority.
    fn reorder(&mut self, block: BlockId) {
        let key = Key::new(b"priority", None, Scope::Dhcp);
        let mut next = Some(block);
        while let Some(block) = next {
            let priority = self.fetch(block, &key).and_then(|found| Kind::integer(&found.data)).unwrap_or(0);
            let Some(this) = self.blocks.get_mut(block.0) else { return };
            this.priority = priority;
            next = this.parent;
            let Some(parent) = next else { return };
            let mut children =
                self.blocks.get_mut(parent.0).map(|p| core::mem::take(&mut p.children)).unwrap_or_default();
            children.retain(|child| *child != block);
            let is_lower =
                |child: &BlockId| self.blocks.get(child.0).is_some_and(|child| child.priority < priority);
            let place = children.iter().position(is_lower).unwrap_or(children.len());
            children.insert(place, block);
            if let Some(parent) = self.blocks.get_mut(parent.0) {
                parent.children = children;
            }
        }
    }
}

/// How deep blocks may be nested: a search goes down by recursion.
const LEVELS: usize = 16;
/// How many blocks there may be.
const BLOCKS: usize = 1024;
/// How many settings of a block a list of names has.
const LISTED: usize = 1000;
/// How much all values together may take, [`OVERHEAD`] for each included. What the machine says is not refused.
const BYTES: usize = 2 << 20;
/// What a value costs beside its name and bytes: itself and its two allocations.
const OVERHEAD: usize = 144;

fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| *byte == b'.').filter(|part| !part.is_empty())
}

/// A reference in its parts: block, name, and type if it has them.
pub type Parts<'a> = (Option<&'a [u8]>, &'a [u8], Option<Kind>);

/// Takes a reference apart: `[block/]name[:type]`.
///
/// # Errors
/// It has no name, or a type that does not exist.
pub fn split(reference: &[u8]) -> Result<Parts<'_>, Error> {
    cut_apart(reference).and_then(|parts| match parts.1 {
        [] => Err(NO_NAME.of(readable(reference))),
        _ => Ok(parts),
    })
}

/// As [`split`], where the name may be empty.
fn cut_apart(reference: &[u8]) -> Result<Parts<'_>, Error> {
    let (block, rest) = match cut_bytes(reference, b'/') {
        (block, Some(rest)) => (Some(block), rest),
        _ => (None, reference),
    };
    let (name, kind) = match cut_bytes(rest, b':') {
        (name, Some(kind)) => (name, Some(Kind::named(kind).ok_or_else(|| NO_TYPE.of(readable(reference)))?)),
        _ => (rest, None),
    };
    Ok((block, name, kind))
}

/// A name for a message.
fn readable(name: &[u8]) -> String {
    let printed = |byte: &u8| if byte.is_ascii_graphic() { *byte } else { b'?' };
    base::text::ascii(base::list(name.iter().take(64).map(printed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Packet(&'static [(u64, &'static [u8])]);

    impl Source for Packet {
        fn value(&self, tag: Tag) -> Option<(Kind, Vec<u8>)> {
            let found = self.0.iter().find(|option| option.0 == tag.0)?;
            Some((Kind::String, found.1.to_vec()))
        }
    }

    fn text(tree: &Tree, reference: &str) -> String {
        String::from_utf8(tree.text(reference.as_bytes()).unwrap_or_default()).unwrap()
    }

    fn set(tree: &mut Tree, reference: &str, value: &str) {
        tree.store(reference.as_bytes(), value.as_bytes()).unwrap();
    }

    #[test]
    fn a_bare_name_finds_the_root_first_and_a_block_never_sees_it() {
        let mut tree = Tree::new();
        set(&mut tree, "net0/x", "card");
        set(&mut tree, "net0.dhcp/y", "deep");
        set(&mut tree, "x", "root");
        assert_eq!(
            ["x", "net0/x", "net0/y", "y"].map(|name| text(&tree, name)),
            ["root", "card", "deep", "deep"]
        );
        set(&mut tree, "x", "");
        assert_eq!(text(&tree, "x"), "card");
        set(&mut tree, "hostname", "here");
        assert_eq!(text(&tree, "net0/hostname"), "");
        set(&mut tree, "other/path/name", "odd");
        assert_eq!((text(&tree, "other/path/name"), text(&tree, "path/name")), ("odd".into(), String::new()));
    }

    #[test]
    fn priority_goes_before_age() {
        let mut tree = Tree::new();
        set(&mut tree, "net0.dhcp/filename", "zero.img");
        set(&mut tree, "net1.dhcp/filename", "one.img");
        set(&mut tree, "proxydhcp/filename", "proxy.img");
        assert_eq!(text(&tree, "filename"), "zero.img");
        set(&mut tree, "proxydhcp/priority", "5");
        assert_eq!(text(&tree, "filename"), "proxy.img");
        set(&mut tree, "net1/priority:int8", "9");
        assert_eq!(
            (text(&tree, "filename"), text(&tree, "net0/filename")),
            ("one.img".into(), "zero.img".into())
        );
        set(&mut tree, "net1/priority:int8", "-1");
        tree.clear(b"proxydhcp/priority").unwrap();
        assert_eq!(text(&tree, "filename"), "zero.img");
        tree.clear(b"net0.dhcp/filename").unwrap();
        assert_eq!(text(&tree, "filename"), "proxy.img");
        set(&mut tree, "net1.dhcp/175.1", "7");
        tree.clear(b"net1/priority").unwrap();
        assert_eq!(text(&tree, "filename"), "one.img");
    }

    #[test]
    fn a_block_that_is_looked_at_again_goes_behind_its_equals() {
        let mut tree = Tree::new();
        for name in ["a/x", "b/x", "c/x"] {
            set(&mut tree, name, name);
        }
        assert_eq!(text(&tree, "x"), "a/x");
        set(&mut tree, "a.sub/y", "1");
        assert_eq!(text(&tree, "x"), "b/x");
        set(&mut tree, "a.sub/y", "2");
        set(&mut tree, "b/priority", "0");
        assert_eq!(text(&tree, "x"), "c/x");
    }

    #[test]
    fn the_address_of_a_card_comes_back() {
        let mut tree = Tree::new();
        let card = tree.block(b"net0").unwrap();
        tree.publish_replaceable(card, b"mac", Kind::Hex, &[2, 0, 0, 0, 0, 1]);
        set(&mut tree, "net0/mac", "02:00:00:00:00:09");
        assert!(tree.store(b"net0/mac", b"02:00").unwrap_err().is(&BAD_VALUE));
        assert_eq!(text(&tree, "mac"), "02:00:00:00:00:09");
        tree.clear(b"net0/mac").unwrap();
        assert_eq!(text(&tree, "mac"), "02:00:00:00:00:01");
    }

    #[test]
    fn the_card_opened_last_comes_first() {
        let mut tree = Tree::new();
        assert!(tree.store(b"netX/x", b"1").unwrap_err().is(&NO_BLOCK));
        for (card, mac) in [("net0/mac", "52:54:00:00:00:00"), ("net1/mac", "52:54:00:00:00:01")] {
            set(&mut tree, card, mac);
        }
        assert_eq!(text(&tree, "mac"), "52:54:00:00:00:00");
        let card = tree.find(b"net1").unwrap();
        tree.open_card(card);
        assert_eq!(
            (text(&tree, "mac:hexraw"), text(&tree, "netX/mac:hexhyp")),
            ("525400000001".into(), "52-54-00-00-00-01".into())
        );
        set(&mut tree, "netX.dhcp/ip", "192.0.2.1");
        assert_eq!(text(&tree, "net1.dhcp/ip:hex"), "c0:00:02:01");
        set(&mut tree, "net0/priority", "1");
        assert_eq!(text(&tree, "mac"), "52:54:00:00:00:00");
        tree.clear(b"net0/priority").unwrap();
        let other = tree.find(b"net0").unwrap();
        tree.open_card(other);
        tree.open_card(card);
        assert_eq!(text(&tree, "netX/mac"), "52:54:00:00:00:00");
        tree.close_card(other);
        assert_eq!(text(&tree, "netX/mac"), "52:54:00:00:00:01");
        tree.close_card(card);
        assert_eq!((text(&tree, "netX/mac"), tree.find(b"netX")), (String::new(), None));
    }

    #[test]
    fn a_packet_is_a_block() {
        let mut tree = Tree::new();
        let block = tree.block(b"net0.dhcp").unwrap();
        tree.store(b"net0.dhcp/stale", b"1").unwrap();
        let packet = Packet(&[
            (67, b"pxe.img\0"),
            (12, b"alpha"),
            (0xaf02, &[192, 0, 2, 9]),
            (0x2b09, b"east"),
            (200, b""),
        ]);
        tree.set_source(block, Scope::Dhcp, Some(Box::new(packet)));
        assert_eq!(text(&tree, "stale"), "");
        for (name, value) in [
            ("filename", "pxe.img"),
            ("67", "pxe.img"),
            ("0x43", "pxe.img"),
            ("ip", "192.0.2.9"),
            ("43.9", "east"),
            ("12:hexraw", "616c706861"),
            ("175.1", ""),
            ("200", ""),
        ] {
            assert_eq!(text(&tree, name), value, "{name}");
        }
        assert_eq!(tree.fetch(Tree::ROOT, &Key::new(b"12", None, Scope::Dhcp)).unwrap().block, block);
        assert_eq!(tree.name(block), b"net0.dhcp");
        // What a user stores or deletes lies over the packet.
        set(&mut tree, "net0.dhcp/67", "other.img");
        assert_eq!(text(&tree, "filename"), "other.img");
        tree.clear(b"net0.dhcp/filename").unwrap();
        assert_eq!(text(&tree, "filename"), "");
        tree.set_source(block, Scope::Dhcp, None);
        assert_eq!(text(&tree, "hostname"), "");
    }

    #[test]
    fn a_packet_may_have_a_priority() {
        let mut tree = Tree::new();
        set(&mut tree, "first/domain", "a");
        let block = tree.block(b"net0.dhcp").unwrap();
        tree.set_source(block, Scope::Dhcp, Some(Box::new(Packet(&[(15, b"b"), (0xaf01, &[3])]))));
        assert_eq!(text(&tree, "domain"), "b");
        tree.set_source(block, Scope::Dhcp, Some(Box::new(Packet(&[(15, b"b"), (0xaf01, &[0xff])]))));
        assert_eq!(text(&tree, "domain"), "a");
    }

    #[test]
    fn numbers_belong_to_their_scope() {
        let mut tree = Tree::new();
        let smbios = tree.block(b"smbios").unwrap();
        const SMBIOS: u64 = Tag::of(Scope::Smbios, 0).0;
        let packet = Packet(&[(SMBIOS | 0x01_04_00, b"maker"), (SMBIOS | 0x01_09, b"9"), (67, b"no")]);
        tree.set_source(smbios, Scope::Smbios, Some(Box::new(packet)));
        assert_eq!(
            ["manufacturer", "smbios/1.4.0", "smbios/1.9", "1.4.0", "1.9", "filename"]
                .map(|name| text(&tree, name)),
            ["maker", "maker", "9", "", "", ""]
        );
        set(&mut tree, "manufacturer", "mine");
        assert_eq!(["manufacturer", "smbios/manufacturer"].map(|name| text(&tree, name)), ["mine", "maker"]);
    }

    #[test]
    fn the_type_is_asked_for_or_known_or_stored() {
        let mut tree = Tree::new();
        set(&mut tree, "n:int32", "5");
        assert_eq!((text(&tree, "n"), text(&tree, "n:hex")), ("5".into(), "00:00:00:05".into()));
        set(&mut tree, "n", "7");
        assert_eq!((text(&tree, "n"), text(&tree, "n:int32")), ("7".into(), "55".into()));
        set(&mut tree, "175.200", "plain text");
        assert_eq!(text(&tree, "175.0xc8"), "plain text");
        set(&mut tree, "1", "255.255.255.0");
        assert_eq!(text(&tree, "netmask"), "255.255.255.0");
        assert!(tree.store(b"6", b"not.an.address").unwrap_err().is(&BAD_VALUE));
        assert!(tree.store(b"a:int24", b"5").unwrap_err().is(&NO_TYPE));
        assert!(split(b"net0/").unwrap_err().is(&NO_NAME));
        for nameless in [&b""[..], b"net0/", b":int8"] {
            assert_eq!(tree.store(nameless, b"5"), Ok(()));
            assert_eq!((tree.text(nameless), tree.clear(nameless)), (None, Ok(())));
        }
        assert!(tree.find(b"net0").is_some());
        assert_eq!(text(&tree, "n:colour"), "");
    }

    #[test]
    fn what_the_machine_says_cannot_be_changed() {
        let mut tree = Tree::new();
        tree.publish(Tree::BUILTIN, b"version", Kind::String, Some(b"2.0.0+"));
        assert!(tree.store(b"builtin/version", b"9").unwrap_err().is(&READ_ONLY));
        assert!(tree.clear(b"builtin/version").unwrap_err().is(&READ_ONLY));
        assert!(tree.store(b"builtin/mine", b"9").unwrap_err().is(&READ_ONLY));
        assert!(tree.store(b"builtin/unixtime", b"9").is_ok());
        assert_eq!(text(&tree, "version"), "2.0.0+");
        tree.publish(Tree::BUILTIN, b"version", Kind::String, None);
        assert_eq!(tree.text(b"version"), None);
        assert_eq!(tree.clear(b"nowhere/x"), Ok(()));
        assert!(tree.find(b"nowhere").is_some());
    }

    #[test]
    fn the_tree_cannot_fill_the_memory() {
        let mut tree = Tree::new();
        let value = [b'x'; 60_000];
        let mut name = 0_u32;
        let error = loop {
            name += 1;
            let reference = alloc::format!("v{name}");
            if let Err(error) = tree.store(reference.as_bytes(), &value) {
                break error;
            }
            assert!(name < 100);
        };
        assert!(error.is(&FULL));
        tree.clear(b"v1").unwrap();
        assert!(tree.store(b"again", &value).is_ok());
        assert!(tree.store(b"again", &value).is_ok());
        tree.publish(Tree::BUILTIN, b"dmesg", Kind::String, Some(&value));

        let deep = ["a"; 2000].join(".") + "/x";
        assert!(tree.store(deep.as_bytes(), b"1").unwrap_err().is(&NO_BLOCK));
        let error = (0..BLOCKS).find_map(|number| tree.block(alloc::format!("b{number}").as_bytes()).err());
        assert!(error.unwrap().is(&NO_BLOCK));
    }

    #[test]
    fn ten_thousand_settings_work() {
        let mut tree = Tree::new();
        for number in 0..10_000 {
            set(&mut tree, &alloc::format!("v{number}"), "some value");
        }
        assert_eq!(text(&tree, "v9999"), "some value");
    }

    proptest! {
        #[test]
        fn what_is_stored_is_found(
            stores in proptest::collection::vec(("[a-c.X/:0-9]{0,6}", "[ -~]{0,6}"), 0..40),
        ) {
            let mut tree = Tree::new();
            tree.block(b"net0").unwrap();
            let card = tree.find(b"net0").unwrap();
            tree.open_card(card);
            for (reference, value) in stores {
                let is_named = split(reference.as_bytes()).is_ok();
                if tree.store(reference.as_bytes(), value.as_bytes()).is_ok() && is_named && !value.is_empty() {
                    let (block, key) = tree.resolve(reference.as_bytes()).unwrap();
                    let found = tree.fetch(block, &key).unwrap();
                    prop_assert_eq!(found.block, block);
                    prop_assert_eq!(found.kind.format(&found.data).unwrap(), found.kind.format(&found.kind.parse(value.as_bytes()).unwrap()).unwrap());
                }
            }
            let cost = tree.blocks.iter().flat_map(|block| &block.values).map(Value::cost).sum::<usize>();
            prop_assert_eq!(cost, tree.stored);
        }

        #[test]
        fn any_reference_is_fine(reference in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut tree = Tree::new();
            let _ = tree.text(&reference);
            let _ = tree.store(&reference, &reference);
            let _ = tree.clear(&reference);
        }
    }
}
