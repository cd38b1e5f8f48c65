//! Sending a text to a server.

use base::{Duration, Error};
use core::net::SocketAddrV4;
use http::Content;
use uri::Uri;

use crate::errors;
use crate::fetch::{Job, Manner};
use crate::machine::Machine;

/// The longest time that it may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Where syslog listens (RFC 5426 section 3.3).
const SYSLOG_PORT: u16 = 514;
/// Before each line: facility local0, severity informational (RFC 5424 section 6.2.1), and who speaks.
const SYSLOG_HEAD: &[u8] = b"<134>ipxe: ";
/// Between two lines, so that a server's buffer does not run over.
const SYSLOG_INTERVAL: Duration = Duration::from_millis(2);

impl Machine {
    /// Sends a text, which `uri` takes by HTTP POST, as a file by TFTP, or line by line as a syslog server.
    pub(crate) fn upload(&mut self, uri: &Uri, text: &[u8]) -> Result<(), Error> {
        if uri.has_scheme("http") {
            let mut content = Content::post();
            content.set_body("text/plain", text);
            let manner = Manner { quiet: true, timeout: Some(LIMIT), ..Manner::default() };
            // What the server says to it is of no interest.
            self.download(uri, content, manner).map(|download| self.memory.free(download.pages))
        } else if uri.has_scheme("tftp") {
            self.tftp(uri, Some(text.to_vec()), &mut Job::quiet(LIMIT))
        } else if uri.has_scheme("syslog") {
            self.syslog(uri, text)
        } else {
            Err(errors::NO_SCHEME.of(uri.scheme()))
        }
    }

    fn syslog(&mut self, uri: &Uri, text: &[u8]) -> Result<(), Error> {
        let server = self.resolve(uri, &mut Job::quiet(LIMIT))?;
        let remote = SocketAddrV4::new(server, uri.port().unwrap_or(SYSLOG_PORT));
        let socket = self.network(uri)?.stack.udp_open(0, 0)?;
        let mut result = Ok(());
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Some(network) = &mut self.network else { break };
            let mut message = SYSLOG_HEAD.to_vec();
            message.extend_from_slice(line);
            network.stack.udp_send(socket, remote, &message);
            let next = hw::clock::now() + SYSLOG_INTERVAL;
            result = self.run_until(next, |_, _| None::<()>).map(drop);
            if result.is_err() {
                break;
            }
        }
        if let Some(network) = &mut self.network {
            network.stack.udp_close(socket);
        }
        result
    }
}
