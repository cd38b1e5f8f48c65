//! Frames, and the loop that runs them.

use crate::commands::{Call, Command, discard};
use crate::errors::{
    CANCELLED, CONTINUATION, FALSE, HELP, LEFT, NO_LABEL, NO_LOOP, NOT_EXECUTABLE, NOT_IN_SCRIPT, TOO_DEEP,
    TOO_LONG, UNKNOWN_COMMAND, UNTRUSTED,
};
use crate::lexer::{
    BadLine, Cursor, Operator, behind_loop, find_label, find_loop, next_command, split_label,
};
use crate::location::readable;
use crate::options::Invocation;
use crate::{Handle, Host, ImageId, Line, Type, expand, set_working_uri, working_uri};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Error, ErrorKind, Instant};
use settings::{Kind, Tree};

/// Whether the machine was handed over by a host that plays one.
fn has_left(status: &Status) -> bool {
    matches!(status, Err(Failure::Error(error)) if error.is(&LEFT))
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// An image, as `boot` starts it.
    Image(ImageId),
    /// One line of commands.
    Line(&'a [u8]),
    /// Lines from the keyboard, until `exit`.
    Shell,
}

/// How something ended that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A command failed. The host was told why.
    Error(Error),
    /// A script or the shell ended by `exit` with this status, which is not 0.
    Exit(u32),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// What `errno` becomes: the exit status without its sign, or for errors a number made of the error's id. Bits 30:24
    /// are the class of failure in POSIX, numbered as iPXE does; the other bits are our own.
    pub fn number(&self) -> u32 {
        match self {
            Self::Exit(status) => status.cast_signed().unsigned_abs(),
            Self::Error(error) => {
                let id = error.kind().id();
                let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
                let number = id.strip_prefix("SCRIPT-").and_then(|number| base::text::number(number, 10));
                let class =
                    number.and_then(|number| CLASSES.get(usize::try_from(number).ok()?)).unwrap_or(&0x1d);
                u32::from(*class) << 24 | id.bytes().fold(0x811c_9dc5, mix) & 0x00ff_ffff
            }
        }
    }
}

/// The classes of failure of this crate, by the numbers of their ids. All others are EIO (1dh).
#[rustfmt::skip]
static CLASSES: &[u8] = &[
    // EACCES 02, ECANCELED 0b, EINVAL 1c, ENODEV 2c, ENOENT 2d, ENOEXEC 2e, ENOTSUP 3c, ENOTTY 3d, ERANGE 46, ETIMEDOUT 4c
    0x1d, 0x2e, 0x1c, 0x1c, 0x46, 0x1c, 0x2d, 0x3d, 0x1d, 0x1d, 0x1c, 0x2d, 0x2e, 0x0b, 0x4c, 0x0b,
    0x2d, 0x2d, 0x3c, 0x2c, 0x3c, 0x1c, 0x0b, 0x1c, 0x2d, 0x2d, 0x2d, 0x02, 0x02, 0x1d, 0x1c, 0x1c,
    0x02, 0x1c, 0x3d, 0x3d,
];

/// Success, or how it ended instead.
pub(crate) type Status = Result<(), Failure>;

/// What a command wants done.
pub(crate) enum Flow {
    /// The next command.
    Next,
    /// On with the line of that label; with a call, until a script would end.
    Goto { label: Vec<u8>, is_call: bool },
    /// The script or shell ends.
    Exit(u32),
    /// Start this image.
    Execute(ImageId),
    /// End the script and start this image in its place.
    Replace(ImageId),
    /// Read lines from the keyboard.
    Shell,
    /// Run these words, as `while` or `time` has them.
    Words { words: Vec<Vec<u8>>, is_condition: bool },
    /// Back to the beginning of the loop.
    End,
}

/// Runs something and all that it starts, and says how it ended.
pub fn run(host: &mut dyn Host, start: Start<'_>) -> Result<(), Failure> {
    if host.settings().value(b"builtin/errno").is_none() {
        set_errno(host.settings(), 0);
    }
    let mut interpreter = Interpreter { host, frames: Vec::new() };
    match start {
        Start::Image(id) => {
            if let Some(status) = interpreter.execute(id) {
                interpreter.tell(&status);
                return status;
            }
        }
        Start::Line(line) => {
            interpreter.frames.push(Frame {
                line: line.to_vec(),
                pending: Some(Operator::Always),
                ..Frame::new(Lines::One)
            });
        }
        Start::Shell => interpreter.frames.push(Frame::new(Lines::Shell)),
    }
    loop {
        if let Some(status) = interpreter.step() {
            return status;
        }
    }
}

fn set_errno(settings: &mut Tree, number: u32) {
    settings.publish(Tree::BUILTIN, b"errno", Kind::Uint32, Some(&number.to_be_bytes()));
}

/// How many scripts and shells may be inside each other.
const DEPTH: usize = 100;

/// The most bytes that the words of a command may have after expansion.
const LENGTH: usize = 256 << 10;

/// Where a frame's lines are from.
enum Lines {
    /// There is one.
    One,
    Shell,
    Script {
        image: ImageId,
        handle: Handle,
        outer_uri: Option<String>,
    },
    /// A part of a script that was called.
    Part {
        image: ImageId,
        handle: Handle,
    },
}

struct Frame {
    lines: Lines,
    cursor: Cursor,
    line: Vec<u8>,
    /// Where in the line the next command begins.
    position: usize,
    /// What stands before that command; none at the end of the line.
    pending: Option<Operator>,
    status: Status,
    /// When the command began that is timed.
    timed: Option<Instant>,
    /// How the line ends decides whether the lines up to `end` are run.
    is_condition: bool,
}

impl Frame {
    fn new(lines: Lines) -> Self {
        Self {
            lines,
            cursor: Cursor::default(),
            line: Vec::new(),
            position: 0,
            pending: None,
            status: Ok(()),
            timed: None,
            is_condition: false,
        }
    }

    /// Goes on with the line at `cursor`.
    fn jump(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.pending = None;
        self.status = Ok(());
        self.timed = None;
        self.is_condition = false;
    }
}

struct Interpreter<'h> {
    host: &'h mut dyn Host,
    frames: Vec<Frame>,
}

impl Interpreter<'_> {
    /// Runs one command or reads one line. Some when all is over.
    fn step(&mut self) -> Option<Status> {
        let Some(frame) = self.frames.last_mut() else { return Some(Ok(())) };
        let Some(operator) = frame.pending.take() else { return self.next_line() };
        let (words, next) = next_command(&frame.line, &mut frame.position);
        frame.pending = next;
        let runs = match operator {
            Operator::Always => true,
            Operator::And => frame.status.is_ok(),
            Operator::Or => frame.status.is_err(),
        };
        if !runs {
            return None;
        }
        if words.is_empty() {
            frame.status = Ok(());
            return None;
        }
        let words = base::list(words.into_iter().map(<[u8]>::to_vec));
        match self.command(words) {
            Ok(flow) => self.follow(flow),
            Err(failure) => self.complete(Err(failure), true),
        }
    }

    /// Goes on behind the end of a line.
    fn next_line(&mut self) -> Option<Status> {
        let frame = self.frames.last_mut()?;
        let (image, handle) = match frame.lines {
            Lines::One => return self.finish(),
            Lines::Shell => {
                frame.status = Ok(());
                match self.host.read_line(&Line { setting: None, text: b"", timeout: None }) {
                    Ok(line) => self.load(line),
                    Err(error) if error.is(&CANCELLED) => {}
                    Err(error) => {
                        self.set_status(Err(error.into()));
                        return self.finish();
                    }
                }
                return None;
            }
            Lines::Script { image, handle, .. } | Lines::Part { image, handle } => (image, handle),
        };
        if frame.status.is_err() {
            if frame.is_condition
                && let Some(behind) = behind_loop(self.host.content(handle), frame.cursor)
            {
                frame.jump(behind);
            } else {
                self.blame(image);
                return self.finish();
            }
        }
        frame.is_condition = false;
        if let Err(error) = self.host.poll() {
            return self.interrupt(error);
        }
        match frame.cursor.next_line(self.host.content(handle)) {
            None => return self.finish(),
            Some(Ok(line)) => self.load(line),
            Some(Err(bad)) => {
                let kind = match bad {
                    BadLine::Dangling => &CONTINUATION,
                    BadLine::TooLong => &TOO_LONG,
                };
                let error = kind.of(self.name_of(image));
                self.host.report(&error);
                self.set_status(Err(error.into()));
                return self.finish();
            }
        }
        None
    }

    fn load(&mut self, line: Vec<u8>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.position = line.len() - split_label(&line).1.len();
            frame.line = line;
            frame.pending = Some(Operator::Always);
        }
    }

    /// Expands the words of a command and runs it.
    fn command(&mut self, mut words: Vec<Vec<u8>>) -> Result<Flow, Failure> {
        let mut length = 0;
        for word in &mut words {
            *word = expand(self.host.settings(), word)?;
            length += word.len();
            if length > LENGTH {
                return Err(TOO_LONG.of("a line").into());
            }
        }
        loop {
            match self.dispatch(&words)? {
                Flow::Words { words: inner, is_condition } => {
                    words = inner;
                    let now = self.host.now();
                    if let Some(frame) = self.frames.last_mut() {
                        frame.is_condition |= is_condition;
                        if !is_condition {
                            frame.timed = Some(now);
                        }
                    }
                }
                flow => return Ok(flow),
            }
        }
    }

    fn dispatch(&mut self, words: &[Vec<u8>]) -> Result<Flow, Failure> {
        let name = words.first().map(Vec::as_slice).unwrap_or_default();
        let Some(command) = Command::named(name) else {
            let mut object = readable(name);
            object.push_str(&self.place());
            return Err(UNKNOWN_COMMAND.of(object).into());
        };
        match Invocation::new(command, words) {
            Ok(invocation) => (command.run)(&mut Call { host: &mut *self.host, invocation }),
            Err(error) => {
                let mut text = String::from("usage: ");
                text.push_str(command.usage);
                text.push('\n');
                self.host.say(text.as_bytes());
                Err(error.into())
            }
        }
    }

    /// Does what a command asked for.
    fn follow(&mut self, flow: Flow) -> Option<Status> {
        let is_deep = self.frames.len() >= DEPTH;
        let frame = self.frames.last_mut()?;
        let script = match &frame.lines {
            Lines::Script { image, handle, .. } | Lines::Part { image, handle } => Some((*image, *handle)),
            _ => None,
        };
        let failed = match flow {
            Flow::Next | Flow::Words { .. } => return self.complete(Ok(()), true),
            Flow::Exit(status) => {
                frame.status = if status == 0 { Ok(()) } else { Err(Failure::Exit(status)) };
                return self.finish();
            }
            Flow::End => {
                let start = script.and_then(|(_, handle)| find_loop(self.host.content(handle), frame.cursor));
                if let Some(start) = start {
                    frame.jump(start);
                    return None;
                }
                NO_LOOP.error()
            }
            Flow::Goto { label, is_call } => match script {
                None => NOT_IN_SCRIPT.of("goto"),
                Some(_) if is_call && is_deep => TOO_DEEP.of(readable(&label)),
                Some((image, handle)) => match find_label(self.host.content(handle), &label) {
                    None => NO_LABEL.of(readable(&label)),
                    Some(cursor) if is_call => {
                        self.frames.push(Frame { cursor, ..Frame::new(Lines::Part { image, handle }) });
                        return None;
                    }
                    Some(cursor) => {
                        frame.jump(cursor);
                        return None;
                    }
                },
            },
            Flow::Shell if is_deep => TOO_DEEP.of("shell"),
            Flow::Shell => match self.host.shell() {
                Ok(true) => {
                    self.frames.push(Frame::new(Lines::Shell));
                    return None;
                }
                done => return self.complete(done.map(drop).map_err(Failure::Error), true),
            },
            Flow::Execute(image) => {
                return self.execute(image).and_then(|status| self.complete(status, true));
            }
            Flow::Replace(image) => match script {
                None => NOT_IN_SCRIPT.of("--replace"),
                Some((old, _)) => {
                    if let Some(old) = self.host.images().image_mut(old) {
                        old.autofree = true;
                    }
                    while let Some(Lines::Part { .. }) = self.frames.last().map(|frame| &frame.lines) {
                        self.leave();
                    }
                    self.leave();
                    return match self.execute(image) {
                        Some(status) if self.frames.is_empty() => {
                            self.tell(&status);
                            Some(status)
                        }
                        Some(status) => self.complete(status, true),
                        None => None,
                    };
                }
            },
        };
        self.complete(Err(failed.into()), true)
    }

    /// Starts an image. Some if it is over already.
    fn execute(&mut self, id: ImageId) -> Option<Status> {
        let images = self.host.images();
        let Some(image) = images.image(id) else { return Some(Ok(())) };
        let (kind, handle, uri, may_run) =
            (image.kind, image.handle, image.uri.clone(), images.may_run(image));
        let refused = match kind {
            Type::Data => Some(&NOT_EXECUTABLE),
            _ if !may_run => Some(&UNTRUSTED),
            _ => None,
        };
        if let Some(kind) = refused {
            let error = kind.of(self.name_of(id));
            if self.host.images().image(id).is_some_and(|image| image.autofree) {
                discard(self.host, id);
            }
            return Some(Err(error.into()));
        }
        let outer_uri = working_uri(self.host.settings());
        if !uri.is_empty() {
            set_working_uri(self.host.settings(), Some(&uri));
        }
        self.host.images().set_registered(id, false);
        let status = match self.unpacked(id, kind, handle) {
            Err(error) => Err(error.into()),
            Ok((Type::Data, _)) => Err(NOT_EXECUTABLE.of(self.name_of(id)).into()),
            // In another one: some contain themselves.
            Ok((Type::Archive(_), _)) => Err(NOT_EXECUTABLE.of(self.name_of(id)).into()),
            Ok((Type::Script, handle)) if self.frames.len() < DEPTH => {
                self.frames.push(Frame::new(Lines::Script { image: id, handle, outer_uri }));
                return None;
            }
            Ok((Type::Script, _)) => Err(TOO_DEEP.of(self.name_of(id)).into()),
            Ok((Type::Program(_), _)) => self.host.execute(id).map_err(Failure::Error),
        };
        if !has_left(&status) {
            self.put_back(id, outer_uri);
        }
        Some(status)
    }

    /// What is to run, and its bytes: what is in an archive takes its place.
    fn unpacked(&mut self, id: ImageId, kind: Type, handle: Handle) -> Result<(Type, Handle), Error> {
        if !matches!(kind, Type::Archive(_)) {
            return Ok((kind, handle));
        }
        let inside = self.host.extract(id)?;
        if let Some(image) = self.host.images().image_mut(id) {
            image.kind = inside.kind;
            image.size = inside.size;
            image.handle = inside.handle;
        }
        self.host.release(handle);
        Ok((inside.kind, inside.handle))
    }

    /// An image has run: it is registered again, or freed.
    fn put_back(&mut self, id: ImageId, outer_uri: Option<String>) {
        set_working_uri(self.host.settings(), outer_uri.as_deref());
        let images = self.host.images();
        if images.image(id).is_some_and(|image| image.autofree) {
            if let Some(image) = images.remove(id) {
                self.host.release(image.handle);
            }
        } else {
            images.set_registered(id, true);
        }
    }

    /// Drops the innermost frame.
    fn leave(&mut self) {
        if let Some(Frame { lines: Lines::Script { image, outer_uri, .. }, .. }) = self.frames.pop() {
            self.put_back(image, outer_uri);
        }
    }

    /// Ends the innermost frame; its status is that of the command that started it. Some if it was the last.
    fn finish(&mut self) -> Option<Status> {
        let status = core::mem::replace(&mut self.frames.last_mut()?.status, Ok(()));
        self.leave();
        if !self.frames.is_empty() {
            return self.complete(status, false);
        }
        if let Err(failure) = &status {
            set_errno(self.host.settings(), failure.number());
        }
        Some(status)
    }

    /// Notes how a command ended. `news` says that nobody was told yet.
    fn complete(&mut self, status: Status, news: bool) -> Option<Status> {
        if has_left(&status) {
            return Some(status);
        }
        if let Some(frame) = self.frames.last_mut()
            && let Some(begin) = frame.timed.take()
        {
            let tenths = self.host.now().since(begin).as_millis() / 100;
            self.host.say(alloc::format!("time: {}.{} s\n", tenths / 10, tenths % 10).as_bytes());
        }
        if let Err(failure) = &status {
            set_errno(self.host.settings(), failure.number());
            if news {
                self.tell(&status);
            }
        }
        self.set_status(status);
        None
    }

    fn set_status(&mut self, status: Status) {
        if let Some(frame) = self.frames.last_mut() {
            frame.status = status;
        }
    }

    /// Shows a failure, unless it is the answer of a test.
    fn tell(&mut self, status: &Status) {
        const SILENT: [&ErrorKind; 3] = [&FALSE, &HELP, &LEFT];
        if let Err(Failure::Error(error)) = status
            && !SILENT.iter().any(|kind| error.is(kind))
        {
            self.host.report(error);
        }
    }

    /// Says where a script stopped.
    fn blame(&mut self, image: ImageId) {
        let mut text = self.name_of(image);
        text.push_str(" stopped");
        text.push_str(&self.place());
        text.push('\n');
        self.host.say(text.as_bytes());
    }

    /// Ends all scripts up to the next shell.
    fn interrupt(&mut self, error: Error) -> Option<Status> {
        self.host.report(&error);
        while self.frames.last().is_some_and(|frame| !matches!(frame.lines, Lines::Shell)) {
            self.leave();
        }
        let status = Err(Failure::Error(error));
        if self.frames.is_empty() { Some(status) } else { self.complete(status, false) }
    }

    /// ` in line 3`, or nothing outside of scripts.
    fn place(&self) -> String {
        match self.frames.last() {
            Some(frame) if matches!(frame.lines, Lines::Script { .. } | Lines::Part { .. }) => {
                alloc::format!(" in line {}", frame.cursor.line)
            }
            _ => String::new(),
        }
    }

    fn name_of(&mut self, id: ImageId) -> String {
        self.host.images().image(id).map(|image| readable(image.name.as_bytes())).unwrap_or_default()
    }
}
