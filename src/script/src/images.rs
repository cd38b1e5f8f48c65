//! The images that are in memory, as data: names, addresses, command lines, flags.

use alloc::string::String;
use alloc::vec::Vec;

/// An image. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageId(u32);

/// What the host knows an image's bytes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub u32);

/// What an image is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A script.
    Script,
    /// A program of the named format.
    Program(&'static str),
    /// A file that is compressed, by the named format. To run it is to run what is in it.
    Archive(&'static str),
    /// Anything else, for instance an initrd.
    Data,
}

impl Type {
    /// What `imgstat` shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Program(name) | Self::Archive(name) => name,
            Self::Data => "data",
        }
    }
}

/// One image.
#[derive(Clone, Debug)]
pub struct Image {
    id: ImageId,
    registered: bool,
    /// What scripts call it; need not be unique.
    pub name: String,
    /// Where it is from, absolute.
    pub uri: String,
    /// What it is told when it is started; for an initrd, the path in the archive made of it.
    pub command_line: Vec<u8>,
    /// What it is.
    pub kind: Type,
    /// Length in bytes.
    pub size: u64,
    /// Its bytes.
    pub handle: Handle,
    /// Whether it is freed when it has run.
    pub autofree: bool,
    /// Whether its signature was checked.
    pub is_trusted: bool,
}

impl Image {
    /// Which one it is.
    pub fn id(&self) -> ImageId {
        self.id
    }
}

/// All images, in the order in which they were registered.
#[derive(Clone, Debug, Default)]
pub struct Images {
    list: Vec<Image>,
    selected: Option<ImageId>,
    next_id: u32,
    unnamed: u32,
    trust_is_required: bool,
    trust_is_permanent: bool,
}

impl Images {
    /// No images.
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            selected: None,
            next_id: 0,
            unnamed: 0,
            trust_is_required: false,
            trust_is_permanent: false,
        }
    }

    /// Adds what was downloaded. Without a name it becomes `img0`, `img1` ...
    pub fn register(&mut self, fetched: crate::Fetched) -> ImageId {
        let crate::Fetched { uri, mut name, kind, size, handle } = fetched;
        if name.is_empty() {
            name = alloc::format!("img{}", self.unnamed);
            self.unnamed += 1;
        }
        let id = ImageId(self.next_id);
        self.next_id += 1;
        let command_line = Vec::new();
        self.list.push(Image {
            id,
            registered: true,
            name,
            uri,
            command_line,
            kind,
            size,
            handle,
            autofree: false,
            is_trusted: false,
        });
        id
    }

    /// The images that are there for others: all but those that are running.
    pub fn registered(&self) -> impl Iterator<Item = &Image> {
        self.list.iter().filter(|image| image.registered)
    }

    /// The first of that name.
    pub fn find(&self, name: &[u8]) -> Option<ImageId> {
        self.registered().find(|image| image.name.as_bytes() == name).map(Image::id)
    }

    /// That image, running or not.
    pub fn image(&self, id: ImageId) -> Option<&Image> {
        self.list.iter().find(|image| image.id == id)
    }

    /// That image, to be changed.
    pub fn image_mut(&mut self, id: ImageId) -> Option<&mut Image> {
        self.list.iter_mut().find(|image| image.id == id)
    }

    /// Chooses what `boot` starts.
    pub fn select(&mut self, id: ImageId) {
        self.selected = Some(id);
    }

    /// What `boot` starts.
    pub fn selected(&self) -> Option<ImageId> {
        self.selected.filter(|id| self.image(*id).is_some_and(|image| image.registered))
    }

    /// Says whether only trusted images may run, perhaps for good. False if it was said for good before, and otherwise.
    pub(crate) fn require_trust(&mut self, is_required: bool, is_permanent: bool) -> bool {
        let may = !self.trust_is_permanent || is_required == self.trust_is_required;
        if may {
            self.trust_is_required = is_required;
            self.trust_is_permanent |= is_permanent;
        }
        may
    }

    /// Whether it may run, as far as signatures are concerned.
    pub(crate) fn may_run(&self, image: &Image) -> bool {
        !self.trust_is_required || image.is_trusted
    }

    /// Takes an image out of sight while it runs, or puts it back behind all others.
    pub(crate) fn set_registered(&mut self, id: ImageId, registered: bool) {
        if let Some(place) = self.list.iter().position(|image| image.id == id) {
            let mut image = self.list.remove(place);
            image.registered = registered;
            self.list.push(image);
        }
    }

    /// Removes an image. Its memory is the host's to give up.
    pub fn remove(&mut self, id: ImageId) -> Option<Image> {
        let place = self.list.iter().position(|image| image.id == id)?;
        Some(self.list.remove(place))
    }
}
