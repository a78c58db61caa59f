//! `flock`, `fcntl` and `lockf`: who locks a file comes after those who have unlocked or closed it.
//!
//! They are recorded as handing on, not as locks that are held: whether two of them keep each other out
//! depends on descriptions that a fork or a `dup` makes common, which cannot be seen. So nothing is predicted
//! of them. All ranges of a file are one.

use core::ffi::{c_int, c_long, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::around::around;
use crate::recorder::objects::by_key_at;
use crate::recorder::{At, descriptor, record_at};

/// Whether the process has locked a file: else closing one hands nothing on.
static USED: AtomicBool = AtomicBool::new(false);

const LOCK_NB: c_int = 4;
const LOCK_UN: c_int = 8;
const F_SETLK: c_int = 6;
const F_SETLKW: c_int = 7;
const F_OFD_SETLK: c_int = 37;
const F_OFD_SETLKW: c_int = 38;
const F_UNLCK: i16 = 2;
const F_LOCK: c_int = 1;
const F_TLOCK: c_int = 2;
const REGULAR: u32 = 0o100_000;

fn note(kind: Kind, lock: ObjectKind, file: c_int, caller: usize) {
    note_at(kind, Mode::None, lock, file, At::Code(caller));
}

fn note_at(kind: Kind, mode: Mode, lock: ObjectKind, file: c_int, at: At) {
    if let Some((_, shared)) = descriptor(file) {
        let object = by_key_at(lock, shared, at);
        record_at(kind, mode, Flags::NONE, object, at, 0);
    }
}

/// The calling thread may have to wait for a lock: where, if it comes to that.
fn requests(waits: bool, lock: ObjectKind, file: c_int, caller: usize) {
    if waits {
        note_at(Kind::Request, Mode::Exclusive, lock, file, At::Called(caller));
    }
}

/// The calling thread gives up its locks, or some of them.
fn gives(lock: ObjectKind, file: c_int, caller: usize) {
    note(Kind::Give, lock, file, caller);
}

/// An operation is over that was to lock, if `locks`.
fn settles(locks: bool, lock: ObjectKind, file: c_int, result: c_int, caller: usize) {
    if locks && result == 0 {
        USED.store(true, Ordering::Relaxed);
        note(Kind::Learn, lock, file, caller);
    } else if locks {
        note_at(Kind::GiveUp, Mode::Exclusive, lock, file, At::Code(caller));
    }
}

/// A descriptor that is no stream is about to be closed.
pub(super) fn closes(file: c_int, caller: usize) {
    if USED.load(Ordering::Relaxed) && descriptor(file).is_some_and(|(mode, _)| mode == REGULAR) {
        gives(ObjectKind::FileLock, file, caller);
        gives(ObjectKind::RecordLock, file, caller);
    }
}

/// Whether this is a command that sets a lock.
const fn sets(command: c_int) -> bool {
    matches!(command, F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW)
}

/// Whether such a command waits for the lock.
const fn waits(command: c_int) -> bool {
    matches!(command, F_SETLKW | F_OFD_SETLKW)
}

/// Whether the lock is to be given up.
///
/// # Safety
/// `lock` points to a `struct flock`.
unsafe fn unlocks(lock: *const c_void) -> bool {
    // SAFETY: the caller's promise; the type is its first field.
    unsafe { lock.cast::<i16>().read() == F_UNLCK }
}

around! {
    flock as snag_flock(file: c_int, operation: c_int) -> c_int, "rdx",
        |caller| {
            // Another kind of lock on the same file, too, gives up the one before.
            gives(ObjectKind::FileLock, file, caller);
            requests(operation & (LOCK_UN | LOCK_NB) == 0, ObjectKind::FileLock, file, caller);
            caller
        },
        |caller, result| {
            settles(operation & LOCK_UN == 0, ObjectKind::FileLock, file, result, caller);
        };
    fcntl as snag_fcntl(file: c_int, command: c_int, argument: *mut c_void) -> c_int, "rcx",
        |caller| {
            if sets(command) {
                gives(ObjectKind::RecordLock, file, caller);
                requests(waits(command), ObjectKind::RecordLock, file, caller);
            }
            caller
        },
        |caller, result| {
            // SAFETY: of these commands the argument is a `struct flock`.
            let locks = sets(command) && !unsafe { unlocks(argument) };
            settles(locks, ObjectKind::RecordLock, file, result, caller);
        };
    fcntl64 as snag_fcntl64(file: c_int, command: c_int, argument: *mut c_void) -> c_int, "rcx",
        |caller| {
            if sets(command) {
                gives(ObjectKind::RecordLock, file, caller);
                requests(waits(command), ObjectKind::RecordLock, file, caller);
            }
            caller
        },
        |caller, result| {
            // SAFETY: of these commands the argument is a `struct flock`.
            let locks = sets(command) && !unsafe { unlocks(argument) };
            settles(locks, ObjectKind::RecordLock, file, result, caller);
        };
    lockf as snag_lockf(file: c_int, command: c_int, len: c_long) -> c_int, "rcx",
        |caller| {
            gives(ObjectKind::RecordLock, file, caller);
            requests(command == F_LOCK, ObjectKind::RecordLock, file, caller);
            caller
        },
        |caller, result| settles(matches!(command, F_LOCK | F_TLOCK), ObjectKind::RecordLock, file, result, caller);
}
