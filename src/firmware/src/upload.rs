//! Sending a text to a server.

use base::{Duration, Error, Instant, Sink};
use core::net::SocketAddrV4;
use http::{Exchange, Method, Outcome, Request};
use net::TcpState;
use uri::Uri;

use crate::errors;
use crate::fetch::{Job, USER_AGENT, explain};
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
    /// Sends a text, which `uri` takes by HTTP POST, or line by line as a syslog server.
    pub(crate) fn upload(&mut self, uri: &Uri, text: &[u8]) -> Result<(), Error> {
        match uri.scheme() {
            "http" => self.post(uri, text),
            "syslog" => self.syslog(uri, text),
            other => Err(errors::NO_SCHEME.of(other)),
        }
    }

    fn post(&mut self, uri: &Uri, body: &[u8]) -> Result<(), Error> {
        let mut job = Job::quiet(LIMIT);
        let (_, handle, _) = self.connect(uri, uri.port().unwrap_or(80), true, &mut job)?;
        let request = Request {
            uri,
            method: Method::Post,
            user_agent: USER_AGENT,
            range: None,
            body,
            sink_used: false,
        };
        let mut exchange = Exchange::new(request);
        let mut buffer = [0; 1024];
        let mut unsent: &[u8] = &[];
        let result = loop {
            let Some(network) = &mut self.network else { break Err(errors::NO_ADDRESS.of(uri.redacted())) };
            loop {
                if unsent.is_empty() {
                    let length = exchange.output(&mut buffer);
                    unsent = buffer.get(..length).unwrap_or_default();
                }
                let taken = network.stack.tcp_send(handle, unsent);
                if taken == 0 {
                    break;
                }
                unsent = unsent.get(taken..).unwrap_or_default();
            }
            network.stack.tcp_receive(handle, &mut |data| {
                exchange.input(data, &mut Nowhere);
                data.len()
            });
            match network.stack.tcp_state(handle) {
                Ok(TcpState::PeerClosed | TcpState::Closed) => exchange.end_of_stream(),
                Ok(TcpState::Connecting | TcpState::Established) => {}
                Err(error) => break Err(explain(network, error)),
            }
            match exchange.outcome() {
                None => {}
                Some(Outcome::Done(_)) => break Ok(()),
                // A text is not sent to where nobody said it should go.
                Some(Outcome::Redirect(to)) => break Err(http::errors::REFUSED.of(to.redacted())),
                Some(Outcome::Failed(error)) => break Err(error.clone()),
            }
            let round = self.round(Instant::from_micros(u64::MAX));
            if let Err(error) = round.and_then(|now| job.check(&uri.redacted(), 0, now)) {
                break Err(error);
            }
        };
        if let Some(network) = &mut self.network {
            network.stack.tcp_close(handle);
        }
        result
    }

    fn syslog(&mut self, uri: &Uri, text: &[u8]) -> Result<(), Error> {
        let server = self.resolve(uri, &mut Job::quiet(LIMIT))?;
        let remote = SocketAddrV4::new(server, uri.port().unwrap_or(SYSLOG_PORT));
        let socket = self.network(uri)?.stack.udp_open(0, 0)?;
        let mut result = Ok(());
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Some(network) = &mut self.network else { break };
            network.stack.udp_send(socket, remote, &[SYSLOG_HEAD, line].concat());
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

/// Where a server's answer to a text goes.
struct Nowhere;

impl Sink for Nowhere {
    fn announce(&mut self, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn restart(&mut self) {}
}
