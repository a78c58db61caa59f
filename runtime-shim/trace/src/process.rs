//! What crosses between processes: how one was born, and who an object is to all that see it.
//!
//! One [`Birth`] is the payload of a [`Kind::Fork`], one [`Shared`] that of a [`Kind::ObjectShared`].
//! Numbers are little-endian, stacks as in [`crate::memory`].
//!
//! [`Kind::Fork`]: crate::Kind::Fork
//! [`Kind::ObjectShared`]: crate::Kind::ObjectShared

use crate::encode::Payload;
use crate::memory::Reader;

wire_enum! {
    /// How a process is made.
    How: u32 {
        /// `fork`, and whatever of libc forks (`daemon`, `forkpty`).
        Fork = 1,
        /// `vfork`: the child lives in its parent's memory until it execs or exits.
        Vfork = 2,
        /// `posix_spawn`: a child that execs at once.
        Spawn = 3,
    }
}

/// How a process is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth<S> {
    /// By which means.
    pub how: How,
    /// Where, innermost first; empty if that is not known.
    pub stack: S,
}

/// Who an object is, whichever process sees it and wherever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared {
    /// The device of the file, pipe, socket or anonymous mapping, as the kernel numbers it.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
    /// Where it begins in it, in bytes; 0 for what is not memory and no range of a file.
    pub offset: u64,
}

/// Payload of [`crate::Kind::Fork`].
#[must_use]
pub fn birth(birth: &Birth<&[u64]>) -> Payload {
    Payload::default().u32(birth.how as u32).stack(birth.stack)
}

/// Payload of [`crate::Kind::ObjectShared`].
#[must_use]
pub fn shared(shared: &Shared) -> Payload {
    Payload::default().u64(shared.device).u64(shared.inode).u64(shared.offset)
}

/// What [`birth`] wrote; nothing where the bytes are no such thing.
#[must_use]
pub fn read_birth(payload: &[u8]) -> Option<Birth<Vec<u64>>> {
    let (how, stack) = Reader::new(payload).rest_of_birth()?;
    Some(Birth { how: How::from_wire(how)?, stack })
}

/// What [`shared`] wrote; nothing where the bytes are no such thing.
#[must_use]
pub fn read_shared(payload: &[u8]) -> Option<Shared> {
    let word = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    Some(Shared { device: word(0)?, inode: word(8)?, offset: word(16)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_comes_back_and_no_part_of_it_passes_for_the_whole() {
        let written = Birth { how: How::Spawn, stack: &[7, 8][..] };
        let payload = birth(&written);
        let read = read_birth(payload.as_slice());
        assert_eq!(read, Some(Birth { how: How::Spawn, stack: vec![7, 8] }));
        for cut in 0..payload.as_slice().len() {
            assert_eq!(read_birth(&payload.as_slice()[..cut]), None);
        }
    }

    #[test]
    fn who_an_object_is_comes_back() {
        let written = Shared { device: 1, inode: 2, offset: 4096 };
        let payload = shared(&written);
        assert_eq!(read_shared(payload.as_slice()), Some(written));
        assert_eq!(read_shared(&payload.as_slice()[..20]), None);
    }
}
