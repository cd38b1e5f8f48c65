//! What scripts write piece by piece and then use at once: menus and forms, and parameters of a request.

use crate::errors::TOO_LONG;
use crate::location::readable;
use alloc::vec::Vec;
use base::Error;

/// Everything that is being written.
#[derive(Clone, Debug, Default)]
pub struct Drafts {
    pub(crate) menus: Vec<Menu>,
    pub(crate) parameters: Vec<Parameters>,
}

impl Drafts {
    /// Nothing.
    pub const fn new() -> Self {
        Self { menus: Vec::new(), parameters: Vec::new() }
    }
}

/// What scripts call a draft. There is one without a name of each sort.
pub(crate) type Name = Option<Vec<u8>>;

/// A menu or a form; only the command that uses it makes the difference.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    pub(crate) name: Name,
    /// The heading.
    pub title: Vec<u8>,
    /// From top to bottom.
    pub items: Vec<Item>,
    pub(crate) size: Size,
}

impl Menu {
    /// One without a name.
    pub fn new(title: &[u8], items: Vec<Item>) -> Self {
        Self { name: None, title: title.into(), items, size: Size(0) }
    }
}

/// A line of a menu, a field of a form, or a gap.
#[derive(Clone, Debug)]
pub struct Item {
    /// What is stored if the line is chosen, or the setting that the field is for; none for a gap.
    pub name: Option<Vec<u8>>,
    /// What is shown.
    pub text: Vec<u8>,
    /// The key that chooses it: a character, or 0x110000 and more for special keys.
    pub key: Option<u32>,
    /// Whether it asks to be highlighted at first.
    pub is_default: bool,
    /// Whether what is typed is hidden.
    pub is_secret: bool,
}

/// What goes with a request.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pub(crate) name: Name,
    /// GET, POST, PUT ...; none for what is usual.
    pub method: Option<Vec<u8>>,
    /// In the order of entry.
    pub list: Vec<Parameter>,
    pub(crate) size: Size,
}

/// How many bytes a draft has, [`OVERHEAD`] for each part included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size(usize);

/// The most bytes of a draft: whoever shows or sends it makes a copy.
const LENGTH: usize = 256 << 10;
/// What a part takes besides its texts.
const OVERHEAD: usize = 64;

impl Size {
    /// Counts another part, whose texts have `length` bytes. `draft` is what messages call the whole.
    pub(crate) fn grow(&mut self, length: usize, draft: &[u8]) -> Result<(), Error> {
        self.0 += OVERHEAD + length;
        if self.0 > LENGTH { Err(TOO_LONG.of(readable(draft))) } else { Ok(()) }
    }
}

/// A field of a posted form or a header of the request.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub key: Vec<u8>,
    /// Its value, not encoded.
    pub value: Vec<u8>,
    /// Whether it is a header.
    pub is_header: bool,
}

/// A thing that has a [`Name`].
pub(crate) trait Named {
    fn name(&self) -> Option<&[u8]>;
}

impl Named for Menu {
    fn name(&self) -> Option<&[u8]> {
        self.name.as_deref()
    }
}

impl Named for Parameters {
    fn name(&self) -> Option<&[u8]> {
        self.name.as_deref()
    }
}

/// The one of that name.
pub(crate) fn find<'a, T: Named>(list: &'a mut [T], name: Option<&[u8]>) -> Option<&'a mut T> {
    list.iter_mut().find(|item| item.name() == name)
}

/// Takes the one of that name out of the list.
pub(crate) fn take<T: Named>(list: &mut Vec<T>, name: Option<&[u8]>) -> Option<T> {
    let place = list.iter().position(|item| item.name() == name)?;
    Some(list.remove(place))
}
