//! Who an object is to all processes that see it: a file, pipe or mapping by device and inode, and what lies
//! in shared memory by that and its offset.
//!
//! Nothing here uses the heap or libc. Of libc's objects only those are looked up that were made to be
//! shared, which a word of each says (glibc's layouts, fixed by its ABI since 2.25): a private one that
//! lies in shared memory works in one process only.

use snag_trace::ObjectKind;
use snag_trace::process::Shared;

use crate::kernel::call;

const SYS_READ: usize = 0;
const SYS_OPEN: usize = 2;
const SYS_CLOSE: usize = 3;
const SYS_FSTAT: usize = 5;
const O_CLOEXEC: usize = 0o2_000_000;
const EINTR: isize = -4;

/// Type and who it is, of an open file of any kind.
pub(crate) fn descriptor(descriptor: i32) -> Option<(u32, Shared)> {
    const INODE: usize = 8;
    const MODE: usize = 24;
    const TYPE: u32 = 0o170_000;
    let mut stat = [0_u8; 144];
    let address = stat.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes a `struct stat`, which has 144 bytes, and nothing else.
    if unsafe { call(SYS_FSTAT, [descriptor as usize, address, 0, 0, 0, 0]) } != 0 {
        return None;
    }
    let word = |at: usize| u64::from_ne_bytes(stat[at..at + 8].try_into().unwrap_or_default());
    let mode = word(MODE) as u32 & TYPE;
    Some((mode, Shared { device: word(0), inode: word(INODE), offset: 0 }))
}

/// One word for who something is: never 0 or 1.
pub(crate) fn hash(shared: Shared) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = [shared.device, shared.inode, shared.offset];
    words.iter().fold(FACTOR, |hash, word| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR)) | 2
}

/// A mapping that others may have as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What lies at its start.
    pub(crate) shared: Shared,
}

impl Mapping {
    /// Who the byte at `address`, within it, is.
    pub(crate) const fn at(&self, address: usize) -> Shared {
        let offset = self.shared.offset + (address - self.start) as u64;
        Shared { offset, ..self.shared }
    }
}

/// The shared mapping that `address` lies in, as the kernel has it.
pub(crate) fn mapping_of(address: usize) -> Option<Mapping> {
    let path = c"/proc/self/maps".as_ptr().expose_provenance();
    // SAFETY: the path ends with NUL.
    let file = unsafe { call(SYS_OPEN, [path, O_CLOEXEC, 0, 0, 0, 0]) };
    if file < 0 {
        return None;
    }
    let found = search(address, |buffer: &mut [u8]| {
        loop {
            let into = buffer.as_mut_ptr().expose_provenance();
            // SAFETY: the kernel writes into the buffer, at most its length.
            let got = unsafe { call(SYS_READ, [file as usize, into, buffer.len(), 0, 0, 0]) };
            if got != EINTR {
                return usize::try_from(got).unwrap_or(0);
            }
        }
    });
    // SAFETY: opened above, and closed once.
    unsafe { call(SYS_CLOSE, [file as usize, 0, 0, 0, 0, 0]) };
    found
}

/// Longest beginning of a line that is looked at: what comes behind is a path.
const LINE: usize = 128;

fn search(address: usize, mut read: impl FnMut(&mut [u8]) -> usize) -> Option<Mapping> {
    let (mut buffer, mut line, mut len) = ([0_u8; 2048], [0_u8; LINE], 0);
    loop {
        let got = read(&mut buffer);
        if got == 0 {
            return None;
        }
        for &byte in &buffer[..got] {
            if byte != b'\n' {
                if len < LINE {
                    line[len] = byte;
                    len += 1;
                }
                continue;
            }
            let found = parse(&line[..len]);
            len = 0;
            if let Some((start, end, mapping)) = found
                && (start..end).contains(&address)
            {
                return mapping;
            }
        }
    }
}

/// Start, end and, of a shared one, the mapping that a line of `maps` tells of:
/// `7f00-7f10 rw-s 00001000 00:01 4711   /dev/zero (deleted)`.
fn parse(line: &[u8]) -> Option<(usize, usize, Option<Mapping>)> {
    let mut rest = line;
    let start = number(&mut rest, 16)? as usize;
    let end = number(&mut rest, 16)? as usize;
    let is_shared = rest.get(3) == Some(&b's');
    rest = rest.get(5..)?;
    let offset = number(&mut rest, 16)?;
    let (major, minor) = (number(&mut rest, 16)?, number(&mut rest, 16)?);
    let inode = number(&mut rest, 10)?;
    let shared = Shared { device: major << 32 | minor, inode, offset };
    Some((start, end, is_shared.then_some(Mapping { start, end, shared })))
}

/// The number at the beginning, and moves past it and the byte behind.
fn number(rest: &mut &[u8], base: u64) -> Option<u64> {
    let digit = |byte: &u8| (*byte as char).to_digit(base as u32);
    let count = rest.iter().take_while(|byte| digit(byte).is_some()).count();
    if count == 0 {
        return None;
    }
    let digits = rest[..count].iter().filter_map(digit);
    let value = digits.fold(0_u64, |value, digit| value.wrapping_mul(base).wrapping_add(digit.into()));
    *rest = rest.get(count + 1..).unwrap_or(&[]);
    Some(value)
}

/// Who libc's object at `address` is, if it was made to be shared.
pub(crate) fn of_libc(kind: ObjectKind, address: usize) -> Option<Shared> {
    // Offset of a word that is not 0, under the mask, in a shared object.
    let (offset, mask) = match kind {
        ObjectKind::PthreadMutex => (16, 128),
        ObjectKind::PthreadRwLock => (28, u32::MAX),
        ObjectKind::PthreadCondvar => (36, 1),
        ObjectKind::Semaphore => (8, u32::MAX),
        ObjectKind::PthreadBarrier => (12, u32::MAX),
        ObjectKind::PthreadSpinLock => (0, 0),
        _ => return None,
    };
    let word = core::ptr::with_exposed_provenance_mut::<u32>(address + offset);
    // SAFETY: a live object of libc's of this kind, whose word is aligned and changed atomically if at all.
    let word = unsafe { core::sync::atomic::AtomicU32::from_ptr(word) };
    if mask != 0 && word.load(core::sync::atomic::Ordering::Relaxed) & mask == 0 {
        return None;
    }
    mapping_of(address).map(|mapping| mapping.at(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[u8] = b"55d0-55e0 r--p 00000000 08:01 12   /bin/a path with spaces\n\
        7f00-7f10 rw-s 00002000 00:1a 4711   /dev/zero (deleted)\n\
        7f10-7f20 rw-p 00000000 00:00 0 \n";

    fn found(address: usize, step: usize) -> Option<Mapping> {
        let mut rest = LINES;
        search(address, |buffer| {
            let count = rest.len().min(step).min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            count
        })
    }

    #[test]
    fn a_shared_mapping_is_found_however_its_line_is_cut() {
        let shared = Shared { device: 0x1a, inode: 4711, offset: 0x2000 };
        for step in [1, 7, 4096] {
            let mapping = found(0x7f08, step).expect("it is shared");
            assert_eq!((mapping.start, mapping.end, mapping.shared), (0x7f00, 0x7f10, shared));
            assert_eq!(mapping.at(0x7f08).offset, 0x2008);
            assert_eq!(found(0x7f18, step), None);
            assert_eq!(found(0x9999, step), None);
        }
    }

    #[test]
    fn memory_of_this_process_alone_is_nobody_to_others() {
        let here = 0_u8;
        assert_eq!(mapping_of((&raw const here).addr()), None);
    }

    #[test]
    fn two_descriptors_of_one_pipe_are_one() {
        unsafe extern "C" {
            fn pipe(ends: *mut [i32; 2]) -> i32;
            fn close(descriptor: i32) -> i32;
        }
        let mut ends = [0; 2];
        // SAFETY: room for two descriptors, which are closed once.
        let keys = unsafe {
            assert_eq!(pipe(&raw mut ends), 0);
            let keys = ends.map(descriptor);
            assert_eq!(ends.map(|end| close(end)), [0, 0]);
            keys
        };
        assert!(keys[0].is_some());
        assert_eq!(keys[0], keys[1]);
    }
}
