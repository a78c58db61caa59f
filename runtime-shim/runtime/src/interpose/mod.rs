//! Definitions of C's own locks, condition variables, semaphores, threads, processes and streams, which take the
//! place of libc's in every object that the program is linked from: they record, and call libc's.
//!
//! Invariants:
//! * While nothing is recorded they only call libc's function. Results, `errno` and cancellation
//!   points are libc's; no frame of ours has anything to drop while libc's function runs, so that a
//!   cancelled thread may be unwound through it.
//! * A lock is tried first; only one that must wait announces itself. Nested locking of a recursive
//!   mutex is not recorded.
//! * What a C lock protects is not known: whoever takes it is recorded as writing to it (reading, if
//!   shared), so that nothing is ever predicted that would need it not to.
//! * The place of an event is the address of the code that called: each definition is a jump that
//!   hands its return address on as one more argument.
//! * The recorder uses none of these functions, so that it cannot be called from within itself.
//!
//! The layouts of glibc's types that are read here (a mutex's kind, count and owner; a rwlock's
//! writer; how many wait on a condition variable) are fixed by its ABI since 2.25.
//!
//! Known misses: a thread that a condition variable woke takes its mutex back inside libc, unseen;
//! `pthread_tryjoin_np` and its like; calls from shared libraries that were linked so that they only ever find libc's functions; static
//! linking, where this is left out.

mod around;
mod condvar;
mod environment;
mod file_locks;
mod mutex;
mod processes;
mod rest;
mod rwlock;
mod semaphore;
mod streams;
mod symbol;
mod thread;
#[cfg(snag_explore)]
mod time_and_chance;
mod turns;

use core::ffi::c_int;

use snag_trace::{Flags, Kind, Mode};

use crate::recorder::{At, record_at};

const EBUSY: c_int = 16;
const ETIMEDOUT: c_int = 110;
/// The lock was taken, and its last holder died with it.
const EOWNERDEAD: c_int = 130;

/// An opaque type of C.
#[repr(C)]
struct Opaque([u8; 0]);

/// Whether this result of an operation means that the lock is held.
const fn is_taken(result: c_int) -> bool {
    result == 0 || result == EOWNERDEAD
}

/// The aligned 32 bits at `offset` bytes in a type of C that other threads may be changing.
///
/// # Safety
/// `object` is valid for reads of four bytes at `offset`, and aligned.
unsafe fn word(object: *mut Opaque, offset: usize) -> u32 {
    // SAFETY: the caller's promise; libc accesses these words atomically as well.
    let word = unsafe { core::sync::atomic::AtomicU32::from_ptr(object.byte_add(offset).cast()) };
    word.load(core::sync::atomic::Ordering::Relaxed)
}

/// Defines functions of C that jump to one of ours, with the return address in the register that
/// follows those of the arguments.
macro_rules! interpose {
    ($($name:ident($($argument:ident: $type:ty),*), $register:literal => $to:path;)*) => {
        $(
            /// Takes the place of libc's function.
            ///
            /// # Safety
            /// As libc's.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C-unwind" fn $name($($argument: $type),*) -> core::ffi::c_int {
                core::arch::naked_asm!(
                    concat!("mov ", $register, ", qword ptr [rsp]"),
                    "jmp {to}",
                    to = sym $to,
                )
            }
        )*
    };
}

use interpose;

/// Records that the lock is held in `mode`.
fn acquired(mode: Mode, flags: Flags, object: u32, at: At) {
    record_at(Kind::Acquire, mode, flags, object, at, 0);
    let access = if mode == Mode::Shared { Kind::Read } else { Kind::Write };
    record_at(access, Mode::None, Flags::NONE, object, at, 0);
}
