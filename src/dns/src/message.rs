//! DNS messages: building a question, and reading what answers it.
//!
//! Reading is bounded: a record takes at least eleven bytes, and aliases are followed [`ALIAS_LIMIT`] times at most.

use alloc::vec::Vec;
use base::domain_name::{self, NAME_LIMIT};
use core::net::Ipv4Addr;

/// The longest question: header, name, type and class.
pub const QUESTION_LIMIT: usize = 12 + NAME_LIMIT + 4;
/// How many aliases are followed for one name.
pub const ALIAS_LIMIT: u32 = 16;
/// The most bytes of an answer that are looked at. Without EDNS a server sends 512 at most.
const ANSWER_LIMIT: usize = 1472;
/// The most addresses that are kept.
const ADDRESS_LIMIT: usize = 8;

const TYPE_A: [u8; 2] = [0, 1];
const TYPE_CNAME: [u8; 2] = [0, 5];
const CLASS_IN: [u8; 2] = [0, 1];

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses, at least one.
    Addresses(Vec<Ipv4Addr>),
    /// The name is an alias of this one, about which nothing is said; so many aliases were followed.
    Alias(Vec<u8>, u32),
    /// The aliases go on and on.
    AliasLoop,
    /// There is no such name.
    NotFound,
    /// The name has no address.
    NoAddress,
    /// The server could not do its work.
    Failure,
    /// The answer was cut off before the first address.
    Truncated,
}

/// Asks for the IPv4 addresses of `name`, with recursion.
pub fn question(id: u16, name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(QUESTION_LIMIT);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&TYPE_A);
    bytes.extend_from_slice(&CLASS_IN);
    bytes
}

/// Reads the answer to the question `id` about `name`, for which `aliases` were followed already. None if the message
/// does not answer that question, is broken before it says anything, or is longer than we would ever be sent.
pub fn answer(message: &[u8], id: u16, name: &[u8], aliases: u32) -> Option<Answer> {
    if message.len() > ANSWER_LIMIT {
        return None;
    }
    let (&[a, b, flags, code, 0, 1, answers_high, answers_low, ..], _) = message.split_first_chunk::<12>()?
    else {
        return None;
    };
    // A response (bit 7) to a standard query (bits 3 to 6).
    if u16::from_be_bytes([a, b]) != id || flags & 0xf8 != 0x80 {
        return None;
    }
    let (asked, after) = domain_name::read(message, 12)?;
    let records = after.checked_add(4)?;
    if asked != name || message.get(after..records)? != [TYPE_A, CLASS_IN].as_flattened() {
        return None;
    }
    match code & 0xf {
        0 => (),
        3 => return Some(Answer::NotFound),
        _ => return Some(Answer::Failure),
    }
    let count = u16::from_be_bytes([answers_high, answers_low]);
    let mut target = asked;
    let mut followed = aliases;
    loop {
        let mut addresses = Vec::new();
        let mut alias = None;
        for (owner, kind, data) in (Records { message, position: records, left: count }) {
            if owner != target {
                continue;
            }
            match kind {
                Kind::Address if addresses.len() < ADDRESS_LIMIT => {
                    let bytes = message.get(data..)?.first_chunk::<4>()?;
                    addresses.push(Ipv4Addr::from(*bytes));
                }
                Kind::Alias => alias = domain_name::read(message, data).map(|(name, _)| name),
                _ => (),
            }
        }
        if !addresses.is_empty() {
            return Some(Answer::Addresses(addresses));
        }
        match alias {
            Some(_) if followed == ALIAS_LIMIT => return Some(Answer::AliasLoop),
            Some(alias) => {
                followed = followed.saturating_add(1);
                target = alias;
            }
            None if followed > aliases => return Some(Answer::Alias(target, followed)),
            None if flags & 2 != 0 => return Some(Answer::Truncated),
            None => return Some(Answer::NoAddress),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Address,
    Alias,
    Other,
}

/// Walks resource records: owner, kind, and where the data begins. A broken record ends the walk.
struct Records<'a> {
    message: &'a [u8],
    position: usize,
    left: u16,
}

impl Iterator for Records<'_> {
    type Item = (Vec<u8>, Kind, usize);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (owner, after) = domain_name::read(self.message, self.position)?;
        // Type, class, time to live, length of the data.
        let (head, rest) = self.message.get(after..)?.split_first_chunk::<10>()?;
        let &[t, u, c, d, _, _, _, _, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let kind = match ([t, u], [c, d]) {
            (TYPE_A, CLASS_IN) if length == 4 => Kind::Address,
            (TYPE_CNAME, CLASS_IN) => Kind::Alias,
            _ => Kind::Other,
        };
        rest.get(..length)?;
        let data = after.checked_add(10)?;
        self.position = data.checked_add(length)?;
        Some((owner, kind, data))
    }
}
