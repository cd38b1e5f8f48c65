//! Scripts: any text as a script, which may chain itself.
#![no_main]

use base::{Duration, Error, Instant};
use libfuzzer_sys::fuzz_target;
use script::{
    Drafts, Fetch, Fetched, Handle, Host, ImageId, Images, Invocation, Line, Menu, Selection, Start, Type,
    run,
};
use settings::Tree;

struct World<'a> {
    script: &'a [u8],
    tree: Tree,
    images: Images,
    drafts: Drafts,
    lines_left: u32,
}

impl World<'_> {
    fn work(&mut self) -> Result<(), Error> {
        self.lines_left = self.lines_left.saturating_sub(1);
        if self.lines_left == 0 { Err(script::errors::CANCELLED.error()) } else { Ok(()) }
    }
}

impl Host for World<'_> {
    fn settings(&mut self) -> &mut Tree {
        &mut self.tree
    }

    fn images(&mut self) -> &mut Images {
        &mut self.images
    }

    fn drafts(&mut self) -> &mut Drafts {
        &mut self.drafts
    }

    fn features(&self) -> &'static str {
        "HTTP"
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn print(&mut self, _text: &[u8]) {}

    fn say(&mut self, _text: &[u8]) {}

    fn report(&mut self, error: &Error) {
        assert!(!error.to_string().is_empty());
    }

    fn poll(&mut self) -> Result<(), Error> {
        self.work()
    }

    fn read_line(&mut self, _: &Line<'_>) -> Result<Vec<u8>, Error> {
        // At CANCELLED the shell would ask again.
        self.work().map(|()| b"exit".to_vec()).map_err(|_| script::errors::TIMEOUT.error())
    }

    fn prompt(&mut self, _: &[u8], wanted: Option<u32>, _: Option<Duration>) -> Result<Option<u32>, Error> {
        self.work().map(|()| wanted)
    }

    fn choose(&mut self, selection: &Selection<'_>) -> Result<usize, Error> {
        let item = selection.menu.items.get(selection.initial);
        assert!(item.is_some_and(|item| item.name.is_some()));
        self.work().map(|()| selection.initial)
    }

    fn present(
        &mut self,
        form: &Menu,
        texts: Vec<Vec<u8>>,
        _: Option<(usize, Error)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        assert_eq!(form.items.len(), texts.len());
        self.work().map(|()| texts)
    }

    fn cards(&mut self) -> Vec<String> {
        vec!["net0".to_owned()]
    }

    fn open(&mut self, card: &str) -> Result<(), Error> {
        let block = self.tree.block(card.as_bytes())?;
        self.tree.open_card(block);
        Ok(())
    }

    fn close(&mut self, card: &str) {
        if let Some(block) = self.tree.find(card.as_bytes()) {
            self.tree.close_card(block);
        }
    }

    fn wait_for_link(&mut self, _: &str, _: Option<Duration>) -> Result<(), Error> {
        self.work()
    }

    fn configure(&mut self, _: &str, _: Option<&str>, _: Option<Duration>) -> Result<(), Error> {
        self.work()
    }

    fn fetch_boot_file(&mut self) -> Result<Fetched, Error> {
        self.fetch(&Fetch { uri: "named", parameters: None, timeout: None, quiet: true, runs: true })
    }

    fn fetch(&mut self, request: &Fetch<'_>) -> Result<Fetched, Error> {
        self.work()?;
        let kind = if request.uri.contains('k') { Type::Program("bzImage") } else { Type::Script };
        let name = request.uri.rsplit('/').next().unwrap_or_default().to_owned();
        let uri = format!("http://10.0.0.1/{name}");
        Ok(Fetched { uri, name, kind, size: self.script.len() as u64, handle: Handle(1) })
    }

    fn content(&self, _handle: Handle) -> &[u8] {
        self.script
    }

    fn release(&mut self, _handle: Handle) {}

    fn execute(&mut self, _image: ImageId) -> Result<(), Error> {
        self.work()
    }

    fn digest(&mut self, algorithm: &str, _: ImageId) -> Result<Vec<u8>, Error> {
        self.work().map(|()| algorithm.as_bytes().to_vec())
    }

    fn extract(&mut self, image: ImageId) -> Result<Fetched, Error> {
        self.work()?;
        assert!(self.images.image(image).is_some());
        let (uri, name) = (String::new(), String::new());
        Ok(Fetched { uri, name, kind: Type::Data, size: self.script.len() as u64, handle: Handle(2) })
    }

    fn verify(&mut self, _: ImageId, _: ImageId, _: Option<&[u8]>) -> Result<(), Error> {
        self.work()
    }

    fn command(&mut self, command: &Invocation<'_>) -> Result<(), Error> {
        assert!(!command.words().is_empty());
        self.work()
    }
}

fuzz_target!(|data: &[u8]| {
    let mut content = b"#!ipxe\n".to_vec();
    content.extend_from_slice(data);
    let mut world = World {
        script: &content,
        tree: Tree::new(),
        images: Images::new(),
        drafts: Drafts::new(),
        lines_left: 200,
    };
    let (name, uri) = ("autoexec.ipxe".to_owned(), "tftp://10.0.0.1/autoexec.ipxe".to_owned());
    let size = content.len() as u64;
    let image = world.images.register(Fetched { uri, name, kind: Type::Script, size, handle: Handle(0) });
    let _ = run(&mut world, Start::Image(image));
    let first = data.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let _ = run(&mut world, Start::Line(first));
});
