//! Remote NDIS (Microsoft's [MS-RNDIS]): messages on the control endpoint, and around each frame. All that a device
//! says in them may be wrong.
//!
//! A message is a row of little-endian words of 32 bits: its kind, its length in bytes, and what the kind has. Offsets
//! in it count from its third word.

use alloc::vec::Vec;
use core::ops::Range;

/// Kinds of messages.
const PACKET: u32 = 1;
const INITIALIZE: u32 = 2;
const QUERY: u32 = 4;
const SET: u32 = 5;
const KEEP_ALIVE: u32 = 8;
/// The answer to a message.
const ANSWER: u32 = 1 << 31;

/// What can be asked for and set (NDIS's object identifiers).
pub mod object {
    /// The most bytes of a frame, without its header.
    pub const MAXIMUM_FRAME_SIZE: u32 = 0x0001_0106;
    /// Which frames are passed on, a set of [`USUAL_FRAMES`].
    pub const PACKET_FILTER: u32 = 0x0001_010e;
    /// The address burnt into the device.
    pub const PERMANENT_ADDRESS: u32 = 0x0101_0101;

    /// Frames to the station, all groups, and broadcasts.
    pub const USUAL_FRAMES: u32 = 1 | 1 << 2 | 1 << 3;
}

/// Bytes before the frame in a message with one (REMOTE_NDIS_PACKET_MSG).
pub const HEADER: usize = 44;
/// Where offsets count from.
const ORIGIN: usize = 8;

/// A message with these words after its length.
fn message(kind: u32, words: &[u32]) -> Vec<u8> {
    let length = 8 + 4 * words.len() as u32;
    [kind, length].iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
}

/// Begins the conversation, in version 1.0: we take transfers of at most so many bytes (REMOTE_NDIS_INITIALIZE_MSG).
pub fn initialize(transfer: u32) -> Vec<u8> {
    message(INITIALIZE, &[1, 1, 0, transfer])
}

/// Asks for one of [`object`] (REMOTE_NDIS_QUERY_MSG). The object's number is the request's, too.
pub fn query(object: u32) -> Vec<u8> {
    message(QUERY, &[object, object, 0, 0, 0])
}

/// Sets one of [`object`] (REMOTE_NDIS_SET_MSG).
pub fn set(object: u32, value: u32) -> Vec<u8> {
    const BEHIND_THE_WORDS: u32 = 20;
    message(SET, &[object, object, 4, BEHIND_THE_WORDS, 0, value])
}

/// What a device says to a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is done.
    Done,
    /// It is not, for this reason, an NDIS_STATUS.
    Refused(u32),
    /// The device wants to hear that we are there, by this message.
    KeepAlive(Vec<u8>),
    /// Nothing, or something else.
    Other,
}

/// What `said` is to `question`, which one of the functions above has made.
pub fn heard(said: &[u8], question: &[u8]) -> Heard {
    let (Some(kind), Some(request)) = (word(said, 0), word(said, 2)) else { return Heard::Other };
    if kind == KEEP_ALIVE {
        return Heard::KeepAlive(message(KEEP_ALIVE | ANSWER, &[request, 0]));
    }
    if word(question, 0).map(|kind| kind | ANSWER) != Some(kind) || word(question, 2) != Some(request) {
        return Heard::Other;
    }
    match word(said, 3) {
        Some(0) => Heard::Done,
        Some(status) => Heard::Refused(status),
        None => Heard::Other,
    }
}

/// The most bytes of a transfer that the device takes, in its answer to [`initialize`]; none if it is not for Ethernet.
pub fn transfer_limit(answer: &[u8]) -> Option<u32> {
    const ETHERNET: u32 = 0;
    word(answer, 9).filter(|_| word(answer, 7) == Some(ETHERNET))
}

/// What the device has told in its answer to [`query`].
pub fn information(answer: &[u8]) -> Option<&[u8]> {
    range(answer, word(answer, 5)?, word(answer, 4)?).and_then(|range| answer.get(range))
}

/// The next frame in a transfer of messages, from `place` on, and where to go on behind it.
pub fn next_frame(transfer: &[u8], mut place: usize) -> Option<(Range<usize>, usize)> {
    // Each message takes some bytes, so this ends.
    loop {
        let rest = transfer.get(place..)?;
        let length = usize::try_from(word(rest, 1)?).ok().filter(|length| *length >= ORIGIN)?;
        let message = rest.get(..length)?;
        let end = place + length;
        if word(message, 0) == Some(PACKET)
            && let (Some(offset), Some(length)) = (word(message, 2), word(message, 3))
            && let Some(frame) = range(message, offset, length)
        {
            return Some((place + frame.start..place + frame.end, end));
        }
        place = end;
    }
}

/// Writes before the frame, which lies in `message` from [`HEADER`] on and has so many bytes, what makes a message of
/// it; how long that is. None if there is not so much room.
///
/// It is never as long as packets of `packet` bytes that are all full, as not all devices know how such a transfer is
/// told to end: then zeros follow the frame.
pub fn wrap(message: &mut [u8], frame: usize, packet: usize) -> Option<usize> {
    const ZEROS: usize = 4;
    let end = HEADER + frame;
    let length = if end.is_multiple_of(packet) { end + ZEROS } else { end };
    message.get_mut(end..length)?.fill(0);
    let words = [PACKET, length as u32, (HEADER - ORIGIN) as u32, frame as u32, 0, 0, 0, 0, 0, 0, 0];
    for (place, word) in message.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Some(length)
}

/// The word of a message.
fn word(message: &[u8], index: usize) -> Option<u32> {
    message.get(4 * index..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Where a part of a message is, by its offset and length as the message has them; behind its kind and length, and all inside.
fn range(message: &[u8], offset: u32, length: u32) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?.checked_add(ORIGIN)?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= message.len()).then_some(start..end)
}
