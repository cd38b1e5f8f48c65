//! An HTTP server that answers for all names from a case, and keeps what it was asked. It runs on threads and ends
//! with the process.

use crate::case::{self, Case, File, OneOrMany, Program, Response};
use crate::failure::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a client asked.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The address, of the header `Host` and the target.
    pub address: String,
    /// Names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether there was such a file.
    pub is_found: bool,
    /// Whether the client has got the answer.
    pub is_answered: bool,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }

    /// The fields of a posted form.
    pub fn fields(&self) -> Vec<(String, String)> {
        let text = |part: &str| String::from_utf8_lossy(&uri::decode(part)).into_owned();
        let body = String::from_utf8_lossy(&self.body);
        let fields = body.split('&').filter_map(|field| field.split_once('='));
        fields.map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// The files of a case: their bytes by address, one for each request; none is not found. The last one repeats.
type Files = BTreeMap<String, Vec<Option<Vec<u8>>>>;

/// The server.
#[derive(Debug)]
pub struct Recorder {
    files: Files,
    seen: Mutex<Vec<Seen>>,
}

/// What it answers where the case only says what kind of file it is.
#[derive(Debug)]
pub struct Fillers {
    /// A program.
    pub executable: Vec<u8>,
    /// A program that cannot be started.
    pub broken: Vec<u8>,
    /// Programs that come back, by name.
    pub returning: BTreeMap<String, Vec<u8>>,
    /// Neither a program nor a script.
    pub data: Vec<u8>,
}

impl Recorder {
    /// Starts it on all ports that the case names, with these files besides those of the case.
    pub fn start(case: &Case, fillers: &Fillers, others: Vec<(String, Vec<u8>)>) -> Result<Arc<Self>> {
        let files = files(case, fillers, others);
        let recorder = Arc::new(Self { files, seen: Mutex::default() });
        let mut ports: Vec<u16> =
            case.addresses().filter_map(case::authority).map(|(_, port)| port).collect();
        ports.push(80);
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            let listener =
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).context("HTTP server of the case")?;
            let recorder = Arc::clone(&recorder);
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    let recorder = Arc::clone(&recorder);
                    thread::spawn(move || {
                        if let Err(error) = recorder.serve(&stream) {
                            println!("HTTP request: {error}");
                        }
                    });
                }
            });
        }
        Ok(recorder)
    }

    /// The requests so far, but for those to the server's own address.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().iter().filter(|seen| case::authority(&seen.address).is_some()).cloned().collect()
    }

    /// Waits until the client has got the answers to its first `count` requests.
    pub fn wait(&self, count: usize, seconds: u64) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while self.seen().iter().filter(|seen| seen.is_answered).count() < count {
            ensure(Instant::now() < deadline, || format!("request {count} was not answered in {seconds} s"))?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut seen = request(stream)?;
        let (place, answer) = {
            let mut all = self.lock();
            let before = all.iter().filter(|other| other.address == seen.address).count();
            let answers = self.files.get(&seen.address).map(Vec::as_slice).unwrap_or_default();
            let answer = answers.get(before).or(answers.last()).and_then(Option::as_ref);
            seen.is_found = answer.is_some();
            println!("HTTP request: {seen:?}");
            all.push(seen);
            (all.len() - 1, answer)
        };
        let result = send(stream, answer.map(Vec::as_slice));
        self.lock()[place].is_answered = true;
        result
    }
}

/// Sends the file, and waits a while until the client, which has all then, closes the connection. It does not if it runs
/// a program at once.
fn send(mut stream: &TcpStream, file: Option<&[u8]>) -> Result<()> {
    let (status, body) = file.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)?;
    stream.shutdown(Shutdown::Write)?;
    stream.read(&mut [0]).map(drop).map_err(Into::into)
}

fn request(stream: &TcpStream) -> Result<Seen> {
    let mut lines = BufReader::new(stream).take(1 << 20);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut seen = Seen { method: method.to_owned(), ..Seen::default() };
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        seen.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let host = seen.header("Host").unwrap_or_default();
    seen.address = format!("http://{host}{target}");
    let length: usize = seen.header("Content-Length").and_then(|text| text.parse().ok()).unwrap_or_default();
    ensure(length < 1 << 20, || format!("a body of {length} bytes"))?;
    seen.body.resize(length, 0);
    lines.read_exact(&mut seen.body)?;
    Ok(seen)
}

fn files(case: &Case, fillers: &Fillers, others: Vec<(String, Vec<u8>)>) -> Files {
    let text = |uri: &str| {
        let script = case.script.iter().skip(1).find(|script| script.uri == uri);
        script.map(|script| script.text.clone().into_bytes())
    };
    let program = |address: &str| {
        let name = case::name(address);
        let other = match case.program(&name) {
            Some(Program::Broken) => &fillers.broken,
            _ => &fillers.executable,
        };
        fillers.returning.get(&name).unwrap_or(other)
    };
    let bytes = |address: &str, response: &Response| match response {
        Response::NotFound {} => None,
        Response::File(File::Script { script }) => text(script),
        Response::File(File::Executable) => Some(program(address).clone()),
        Response::File(File::Data { text: None }) => Some(fillers.data.clone()),
        Response::File(File::Data { text: Some(text) }) => Some(text.clone().into_bytes()),
    };
    let mut files: Files = BTreeMap::new();
    for script in case.script.iter().skip(1) {
        files.insert(case::on_the_wire(&script.uri), vec![Some(script.text.clone().into_bytes())]);
    }
    for (address, responses) in &case.responses.requests {
        let responses: Vec<_> = match responses {
            OneOrMany::One(one) => vec![bytes(address, one)],
            OneOrMany::Many(many) => many.iter().map(|one| bytes(address, one)).collect(),
        };
        files.insert(case::on_the_wire(address), responses);
    }
    // The script that is started is asked for by the rig; the case takes it for there already.
    if let Some(first) = case.script.first() {
        let answers = files.entry(case::on_the_wire(&first.uri)).or_insert_with(|| vec![None]);
        answers.insert(0, Some(first.text.clone().into_bytes()));
    }
    files.extend(others.into_iter().map(|(address, bytes)| (address, vec![Some(bytes)])));
    files
}
