//! What is sent with a request.

use crate::request::header;
use alloc::string::String;
use alloc::vec::Vec;
use base::encoding::push_escaped;
use base::text::has;

/// The method, headers beyond the usual ones, and a body.
#[derive(Clone, Debug)]
pub struct Content {
    pub(crate) method: String,
    /// Each behind the end of a line, without an end of its own.
    pub(crate) headers: String,
    pub(crate) body: Option<Vec<u8>>,
}

impl Default for Content {
    /// GET, and nothing along.
    fn default() -> Self {
        Self { method: "GET".into(), headers: String::new(), body: None }
    }
}

/// A name or value that would end the line that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoText;

impl Content {
    /// A request that brings something.
    pub fn post() -> Self {
        Self { method: "POST".into(), ..Self::default() }
    }

    /// A request by that method, which is letters (RFC 9110 section 9.1).
    pub fn new(method: &str) -> Result<Self, NoText> {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(NoText);
        }
        Ok(Self { method: method.into(), ..Self::default() })
    }

    /// Whether asking twice does no more than asking once (RFC 9110 section 9.2.1).
    pub(crate) fn is_safe(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }

    /// Adds a header (RFC 9110 section 5).
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), NoText> {
        let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b':';
        if name.is_empty() || !name.bytes().all(is_token) || value.bytes().any(|byte| byte.is_ascii_control())
        {
            return Err(NoText);
        }
        header(&mut self.headers, name, value);
        Ok(())
    }

    /// Sends these bytes, which are of that type.
    pub fn set_body(&mut self, media_type: &str, bytes: &[u8]) {
        header(&mut self.headers, "Content-Type", media_type);
        self.body = Some(bytes.into());
    }

    /// Sends fields of a form (URL Standard, application/x-www-form-urlencoded).
    pub fn set_fields<'a>(&mut self, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        let mut body = Vec::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push(b'&');
            }
            encode(&mut body, name);
            body.push(b'=');
            encode(&mut body, value);
        }
        self.set_body("application/x-www-form-urlencoded", &body);
    }
}

fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        push_escaped(out, *byte, byte.is_ascii_alphanumeric() || has(b"-._*", *byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded() {
        let mut content = Content::new("POST").unwrap();
        let fields: [(&[u8], &[u8]); 2] = [(b"a b", b"1&2=3"), (b"mac", b"52:54\xff")];
        content.set_fields(fields.into_iter());
        assert_eq!(content.body.as_deref(), Some(&b"a%20b=1%262%3D3&mac=52%3A54%FF"[..]));
    }

    #[test]
    fn nothing_gets_out_of_its_line() {
        assert!(Content::new("POST /x HTTP/1.1\r\nA:").is_err());
        assert!(Content::new("").is_err());
        let mut content = Content::default();
        for (name, value) in [("A", "1\r\nB: 2"), ("A: 1\r\nB", "2"), ("", "x"), ("A b", "x")] {
            assert_eq!(content.header(name, value), Err(NoText), "{name}");
        }
        assert_eq!(content.headers, "");
    }
}
