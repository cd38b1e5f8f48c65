//! A small HTTP server on the loopback, for `cargo xtask run`: GET and HEAD of the files of one folder, with ranges.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The longest line of a request.
const LINE_LIMIT: u64 = 8192;

/// Serves `folder` until the process ends; answers the port.
pub(crate) fn serve(folder: PathBuf) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a port for HTTP")?;
    let port = listener.local_addr()?.port();
    let folder = Arc::new(folder);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = Arc::clone(&folder);
            // A client that goes away in the middle is no concern of ours.
            thread::spawn(move || drop(converse(&stream, &folder)));
        }
    });
    Ok(port)
}

/// Answers requests on one connection until the client has no more.
fn converse(mut stream: &TcpStream, folder: &Path) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut lines = BufReader::new(stream);
    while let Some(request) = read_request(&mut lines)? {
        let answer = answer(&request, folder);
        let mut head = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", answer.status, answer.length);
        if let Some(range) = &answer.content_range {
            head += &format!("Content-Range: {range}\r\n");
        }
        stream.write_all(format!("{head}Accept-Ranges: bytes\r\n\r\n").as_bytes())?;
        if let Some((mut file, start)) = answer.body {
            file.seek(SeekFrom::Start(start))?;
            std::io::copy(&mut file.take(answer.length), &mut stream)?;
        }
    }
    Ok(())
}

/// The request's first line and what we want of its headers.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    range: Option<String>,
}

fn read_request(lines: &mut impl std::io::BufRead) -> Result<Option<Request>> {
    let mut next = || -> Result<String> {
        let mut line = String::new();
        lines.take(LINE_LIMIT).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request = Request { method: method.to_owned(), target: target.to_owned(), range: None };
    loop {
        let line = next()?;
        let Some((name, value)) = line.split_once(':') else { return Ok(Some(request)) };
        if name.eq_ignore_ascii_case("range") {
            request.range = Some(value.trim().to_owned());
        }
    }
}

struct Answer {
    status: &'static str,
    length: u64,
    content_range: Option<String>,
    body: Option<(File, u64)>,
}

fn answer(request: &Request, folder: &Path) -> Answer {
    let refuse = |status| Answer { status, length: 0, content_range: None, body: None };
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return refuse("405 Method Not Allowed");
    }
    let Some(path) = local_path(&request.target) else { return refuse("400 Bad Request") };
    let Ok(file) = File::open(folder.join(path)) else { return refuse("404 Not Found") };
    let Some(total) = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len()) else {
        return refuse("404 Not Found");
    };
    let wants_body = request.method == "GET";
    match request.range.as_deref().and_then(|range| byte_range(range, total)) {
        None => Answer {
            status: "200 OK",
            length: total,
            content_range: None,
            body: wants_body.then_some((file, 0)),
        },
        Some(Err(())) => {
            Answer { content_range: Some(format!("bytes */{total}")), ..refuse("416 Range Not Satisfiable") }
        }
        Some(Ok((first, last))) => Answer {
            status: "206 Partial Content",
            length: last - first + 1,
            content_range: Some(format!("bytes {first}-{last}/{total}")),
            body: wants_body.then_some((file, first)),
        },
    }
}

/// The path in the folder that a request's target names: no query, percent-decoded, and never above the folder.
fn local_path(target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

/// The first and last byte of a `Range` header (RFC 9110 section 14.1.2). `None`: to be ignored, as it is no single
/// range of bytes. `Err`: outside of the file.
fn byte_range(range: &str, total: u64) -> Option<Result<(u64, u64), ()>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let end = total.checked_sub(1);
    let bounds = if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        (total.saturating_sub(count), end.filter(|_| count > 0))
    } else {
        let first: u64 = first.parse().ok()?;
        let last =
            if last.is_empty() { u64::MAX } else { last.parse().ok().filter(|last| *last >= first)? };
        (first, end.map(|end| end.min(last)))
    };
    match bounds {
        (first, Some(last)) if first <= last => Some(Ok((first, last))),
        _ => Some(Err(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        assert_eq!(byte_range("bytes=0-4", 10), Some(Ok((0, 4))));
        assert_eq!(byte_range("bytes=4-", 10), Some(Ok((4, 9))));
        assert_eq!(byte_range("bytes=4-99", 10), Some(Ok((4, 9))));
        assert_eq!(byte_range("bytes=-3", 10), Some(Ok((7, 9))));
        assert_eq!(byte_range("bytes=-30", 10), Some(Ok((0, 9))));
        assert_eq!(byte_range("bytes=10-", 10), Some(Err(())));
        assert_eq!(byte_range("bytes=-0", 10), Some(Err(())));
        assert_eq!(byte_range("bytes=0-", 0), Some(Err(())));
        assert_eq!(byte_range("bytes=5-4", 10), None);
        assert_eq!(byte_range("bytes=0-1,3-4", 10), None);
        assert_eq!(byte_range("lines=0-1", 10), None);
    }

    #[test]
    fn nothing_above_the_folder_is_served() {
        assert_eq!(local_path("/a%20b/c?d"), Some(PathBuf::from("a b/c")));
        for target in ["/../a", "/a/../../b", "/%2e%2e/a", "//etc/passwd", "/%2fetc", "a", "/%4", "/%zz"] {
            assert_eq!(local_path(target), None, "{target}");
        }
    }

    #[test]
    fn a_file_is_served_whole_and_in_part_over_one_connection() {
        let folder = std::env::temp_dir().join(format!("xtask-http-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), "0123456789").unwrap();
        let port = serve(folder.clone()).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let requests = "GET /file HTTP/1.1\r\nHost: a\r\n\r\nGET /file HTTP/1.1\r\nrange: bytes=2-3\r\n\r\n\
                        HEAD /file HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\nPUT /file HTTP/1.1\r\n\r\n";
        stream.write_all(requests.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\n\r\n0123456789\
                        HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 2-3/10\r\n\
                        Accept-Ranges: bytes\r\n\r\n23\
                        HTTP/1.1 200 OK\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\n\r\n\
                        HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nAccept-Ranges: bytes\r\n\r\n\
                        HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nAccept-Ranges: bytes\r\n\r\n";
        assert_eq!(answers, expected);
    }
}
