//! Packing events into words. Nothing here allocates: it runs inside the recorded program.

use crate::event::{Flags, Kind, Mode, ObjectKind};
use crate::layout::MAX_PAYLOAD;

/// The word that commits a record. `seq` is cut to 48 bits.
#[inline]
#[must_use]
pub const fn first_word(seq: u64, kind: Kind, mode: Mode, flags: Flags) -> u64 {
    (seq & crate::layout::MAX_SEQ) | (kind as u64) << 48 | (mode as u64) << 56 | ((flags.0 & 15) as u64) << 60
}

/// The second word of a record.
#[inline]
#[must_use]
pub const fn second_word(object: u32, site: u32) -> u64 {
    object as u64 | (site as u64) << 32
}

/// A payload under construction, at most [`MAX_PAYLOAD`] bytes; what does not fit is cut.
#[derive(Debug)]
pub struct Payload {
    bytes: [u8; MAX_PAYLOAD],
    len: usize,
}

impl Default for Payload {
    fn default() -> Payload {
        Payload { bytes: [0; MAX_PAYLOAD], len: 0 }
    }
}

impl Payload {
    /// Appends bytes, cutting what does not fit.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Payload {
        let room = (MAX_PAYLOAD - self.len).min(bytes.len());
        self.bytes[self.len..self.len + room].copy_from_slice(&bytes[..room]);
        self.len += room;
        self
    }

    /// Appends a little-endian u32.
    #[must_use]
    pub fn u32(self, value: u32) -> Payload {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends a little-endian u64.
    #[must_use]
    pub fn u64(self, value: u64) -> Payload {
        self.bytes(&value.to_le_bytes())
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Payload of [`Kind::ProcessInfo`]: the executable's path, then the command line as
/// NUL-terminated arguments, with one NUL between.
#[must_use]
pub fn process_info(executable: &[u8], command_line: &[u8]) -> Payload {
    Payload::default().bytes(executable).bytes(&[0]).bytes(command_line)
}

/// Payload of [`Kind::SiteDef`].
#[must_use]
pub fn site_def(line: u32, column: u32, file: &[u8]) -> Payload {
    Payload::default().u32(line).u32(column).bytes(file)
}

/// Payload of [`Kind::CodeSite`]: the addresses to which calls return, as they are loaded, innermost first; one
/// alone if the callers do not matter.
#[must_use]
pub fn code_stack(addresses: &[u64]) -> Payload {
    addresses.iter().fold(Payload::default(), |payload, &address| payload.u64(address))
}

/// Payload of [`Kind::ThreadStart`]: the operating system's thread id, the thread that spawned it
/// (0 if none is known) and the name, empty if it has none.
#[must_use]
pub fn thread_start(os_thread: u32, parent: u32, name: &[u8]) -> Payload {
    Payload::default().u32(os_thread).u32(parent).bytes(name)
}

/// Payload of [`Kind::ObjectNew`]: what it is, the hash of its birthplace ([`birth_hash`], 0 if
/// unknown) and its address.
#[must_use]
pub fn object_new(kind: ObjectKind, birth: u32, address: u64) -> Payload {
    Payload::default().u32(kind as u32).u32(birth).u64(address)
}

/// Number of bits of a birth hash.
pub const BIRTH_BITS: u32 = 29;

/// Hash of the source location of an object's constructor call, never 0, below `2^BIRTH_BITS`.
///
/// A lock has no room for a pointer to its birthplace, but its word has 29 bits that are free
/// until the lock is first used. The analyzer hashes the locations of the sources that it knows to
/// turn the number back into a place. Only the last 24 bytes of the file's path count, so that a
/// constructor that runs at run time pays little.
#[must_use]
pub const fn birth_hash(file: &[u8], line: u32, column: u32) -> u32 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ ((line as u64) << 20 | column as u64);
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut at = file.len().saturating_sub(24);
    while at < file.len() {
        hash = (hash ^ file[at] as u64).wrapping_mul(PRIME);
        at += 1;
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let short = (hash >> (64 - BIRTH_BITS)) as u32;
    if short == 0 { 1 } else { short }
}
