//! The request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base::encoding::base64;
use base::text::ascii;
use uri::Uri;

use crate::content::Content;

/// The rest of a file whose begin came earlier (RFC 9110 sections 13.1.5 and 14.2).
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// The first byte that is missing.
    pub start: u64,
    /// The strong entity tag or the date that came with the begin.
    pub validator: &'a str,
    /// The length of the whole, if the server named it.
    pub total: Option<u64>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// An absolute URI with a host; user and password go along as basic authentication (RFC 7617).
    pub uri: &'a Uri,
    /// Method, further headers, and what is sent along.
    pub content: &'a Content,
    /// Begins with `iPXE/`.
    pub user_agent: &'a str,
    /// A part instead of the whole.
    pub range: Option<Range<'a>>,
    /// The sink was used by an earlier exchange: it is restarted before the whole goes into it.
    pub sink_used: bool,
}

impl Request<'_> {
    /// The bytes to send.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let uri = self.uri;
        let content = self.content;
        let mut text = content.method.clone();
        text.push(' ');
        // A path that came with the URI begins with a slash, or is empty.
        text.push_str(if uri.path().is_empty() { "/" } else { uri.path() });
        if let Some(query) = uri.query() {
            text.push('?');
            text.push_str(query);
        }
        text.push_str(" HTTP/1.1\r\nHost: ");
        text.push_str(uri.host());
        if let Some(port) = uri.port().filter(|&port| Some(port) != default_port(uri)) {
            text.push(':');
            text.push_str(&port.to_string());
        }
        for (name, value) in [("User-Agent", self.user_agent), ("Connection", "keep-alive")] {
            header(&mut text, name, value);
        }
        if let Some(user) = uri.user() {
            let mut secret = user;
            secret.push(b':');
            secret.extend(uri.password().unwrap_or_default());
            header(&mut text, "Authorization", "Basic ");
            text.push_str(&ascii(base64(&secret)));
        }
        if let Some(range) = self.range {
            header(&mut text, "Range", "bytes=");
            text.push_str(&range.start.to_string());
            text.push('-');
            header(&mut text, "If-Range", range.validator);
        }
        text.push_str(&content.headers);
        if let Some(body) = &content.body {
            header(&mut text, "Content-Length", &body.len().to_string());
        }
        text.push_str("\r\n\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(content.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// The port where the URI names none.
pub(crate) fn default_port(uri: &Uri) -> Option<u16> {
    [("http", 80), ("https", 443)].into_iter().find(|(name, _)| uri.has_scheme(name)).map(|(_, port)| port)
}

pub(crate) fn header(text: &mut String, name: &str, value: &str) {
    text.push_str("\r\n");
    text.push_str(name);
    text.push_str(": ");
    text.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, content: &Content, range: Option<Range<'_>>) -> String {
        let uri = Uri::parse(uri).unwrap();
        let request = Request { uri: &uri, content, user_agent: "iPXE/2.0.0", range, sink_used: false };
        String::from_utf8(request.to_bytes()).unwrap()
    }

    #[test]
    fn requests_are_exactly_these_bytes() {
        let get = Content::default();
        assert_eq!(
            request("http://server", &get, None),
            "GET / HTTP/1.1\r\nHost: server\r\nUser-Agent: iPXE/2.0.0\r\nConnection: keep-alive\r\n\r\n"
        );
        assert_eq!(
            request(
                "http://us%20er:p%40ss@[::1]:8080/a b?c=d#e",
                &Content::new("HEAD").unwrap(),
                Some(Range { start: 5_000_000_000, validator: "\"tag\"", total: None })
            ),
            "HEAD /a%20b?c=d HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: iPXE/2.0.0\r\nConnection: keep-alive\r\n\
             Authorization: Basic dXMgZXI6cEBzcw==\r\nRange: bytes=5000000000-\r\nIf-Range: \"tag\"\r\n\r\n"
        );
        assert!(request("http://h:80/", &get, None).contains("Host: h\r\n"));
    }

    #[test]
    fn what_is_sent_along_has_its_length() {
        let mut content = Content::new("PUT").unwrap();
        content.header("X-Card", "net0").unwrap();
        content.set_body("text/plain", b"a text");
        let text = request("http://server/report", &content, None);
        assert!(text.starts_with("PUT /report HTTP/1.1\r\nHost: server\r\n"), "{text}");
        assert!(
            text.ends_with("\r\nX-Card: net0\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\na text"),
            "{text}"
        );
    }
}
