//! The memory layer: every memory access of an instrumented program, checked for data races while it
//! runs.
//!
//! Happens-before is kept in vector clocks ([`clock`]) of at most 256 slots ([`slots`]); an access is
//! racing if a conflicting earlier one, remembered in shadow memory ([`layout`]), is not yet in the
//! clock of its thread. It is FastTrack's rule over four cells per granule, as ThreadSanitizer has it.
//!
//! Invariants:
//! * Nothing is reported that happens-before orders (C++20's, and what a recorded operation promises).
//!   Whatever must be forgotten is forgotten as if it were ordered.
//! * No heap, no lock of libc's: it may be called before `main`, in allocators, in signal handlers and
//!   in thread-local destructors.
//! * While nothing is recorded, [`thread::current`] is null and nothing is checked; the planes are
//!   mapped all the same, since instrumented code looks at them unasked.
//!
//! Source: FastTrack (Flanagan and Freund, 2009); the ABI of LLVM's `tsan` pass.
//!
//! Known misses: threads that something else than `pthread_create` starts are not seen; an interrupted
//! operation of the layer makes those of the signal's handler unseen.

#![cfg_attr(not(snag_memory), expect(dead_code, reason = "most of it is called by instrumented code only"))]

#[cfg(snag_memory)]
mod abi;
mod access;
mod allocator;
mod arena;
#[cfg(snag_memory)]
mod atomics;
mod block;
mod cells;
mod clock;
mod context;
mod counts;
mod event;
mod heap;
mod history;
#[cfg(snag_memory)]
mod inert;
mod kernel;
mod layout;
mod lifetime;
mod lock;
mod maps;
mod objects;
mod observed;
mod place;
mod ranges;
mod review;
mod ring;
mod sample;
mod shared;
mod slots;
mod start;
mod stored;
mod sync_var;
mod thread;
mod variable;
mod verdict;
#[cfg(snag_explore)]
mod weak;
mod word;

use core::sync::atomic::{Ordering, compiler_fence};

use snag_trace::{Flags, Kind, Mode};

pub(crate) use lifetime::{
    begin, code_begins, code_ended, code_has_ended, create, discard, end, joins_code, leaves_std,
};
pub(crate) use maps::with_room;
pub(crate) use thread::Thread;

/// Runs `body` with the calling thread, unless it is not followed or a signal has interrupted the layer:
/// then gives `otherwise`.
fn enter<R>(otherwise: R, body: impl FnOnce(&mut Thread) -> R) -> R {
    let thread = thread::current();
    // SAFETY: the calling thread's own, if not null.
    let Some(thread) = (unsafe { thread.as_mut() }) else { return otherwise };
    if thread.busy {
        return otherwise;
    }
    thread.busy = true;
    compiler_fence(Ordering::SeqCst);
    let result = body(thread);
    compiler_fence(Ordering::SeqCst);
    thread.busy = false;
    result
}

/// The calling thread has recorded an event, with the number `seq`.
#[inline]
pub(crate) fn recorded(kind: Kind, mode: Mode, flags: Flags, object: u32, arg: u64, seq: u64) {
    let counts = kind == Kind::ThreadStart
        || (Kind::Spawn..Kind::SynchronizesWith).contains(&kind)
        || (Kind::Fork..Kind::SharedAccess).contains(&kind);
    if !counts || thread::current().is_null() {
        return;
    }
    enter((), |thread| {
        let orders = !matches!(kind, Kind::Read | Kind::Write);
        if orders {
            // The number was just taken from a clock that all threads count up.
            slots::notice_behind_fence(thread);
        }
        thread.seq = seq;
        thread.syncs += 1;
        thread.history.mark(thread.epoch, seq);
        if orders {
            objects::happened(thread, kind, mode, flags, object, arg);
        }
    });
}

/// The receiver of channel `object` has made room for message `number`, or waits for it.
#[inline(never)]
pub(crate) fn room_given(object: u32, number: u64) {
    enter((), |thread| {
        slots::notice(thread);
        objects::room_given(thread, object, number);
    });
}

/// A sender puts message `number` into channel `object`.
#[inline(never)]
pub(crate) fn room_taken(object: u32, number: u64) {
    enter((), |thread| {
        slots::notice(thread);
        objects::room_taken(thread, object, number);
    });
}

/// The calling thread lets others go on by an operation of C that is not recorded, on what `token` stands
/// for: an address, or a small number of one's own.
#[cfg(snag_memory)]
pub(crate) fn gives(token: usize) {
    if !thread::current().is_null() {
        enter((), |thread| {
            slots::notice(thread);
            objects::gives(thread, token);
        });
    }
}

/// The calling thread goes on because of others, by an operation of C that is not recorded.
#[cfg(snag_memory)]
pub(crate) fn learns(token: usize) {
    if !thread::current().is_null() {
        enter((), |thread| {
            slots::notice(thread);
            objects::learns(thread, token);
        });
    }
}

/// libc has joined thread `number`; what std does then, before it says so, is to see all of it.
#[cfg(snag_explore)]
pub(crate) fn joined(number: u32) {
    if number != 0 && !thread::current().is_null() {
        enter((), |thread| lifetime::sees_end(thread, number));
    }
}

/// The calling thread lets others run.
#[cfg(snag_explore)]
pub(crate) fn yields() {
    // SAFETY: the calling thread's, or null; only it uses it.
    if let Some(thread) = unsafe { thread::current().as_ref() }
        && weak::is_on(thread)
    {
        weak::yields(thread);
    }
}

/// Addresses to which the calls return that the calling thread is in, innermost first, as far as there is
/// room.
#[cfg(snag_explore)]
pub(crate) fn callers(into: &mut [u64]) {
    if !thread::current().is_null() {
        context::current_callers(into);
    }
}

/// The calling thread's stack at the code that returns to `pc`; gives its depth.
pub(crate) fn stack_at(pc: usize, into: &mut [u64]) -> usize {
    match into.split_first_mut() {
        None => 0,
        Some((first, callers)) => {
            *first = pc as u64;
            match context::current_callers(callers) {
                0 => crate::unwind::from(pc, into),
                count => 1 + count,
            }
        }
    }
}

/// The process begins to end.
pub(crate) fn at_exit() {
    if !thread::current().is_null() {
        counts::record();
    }
}

/// In a forked child.
///
/// # Safety
/// The only thread of the process calls this.
pub(crate) unsafe fn after_fork_in_child() {
    lock::after_fork_in_child();
    // SAFETY: the caller's promise.
    unsafe { lifetime::after_fork_in_child() };
}

/// An ignore region of the calling thread begins.
#[inline(never)]
pub(crate) fn ignore() {
    // SAFETY: the calling thread's own, if not null.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.ignore += 1;
    }
}

/// The innermost ignore region of the calling thread ends.
#[inline(never)]
pub(crate) fn heed() {
    // SAFETY: as in `ignore`.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.ignore -= 1;
    }
}

/// The calling thread gives up a reader's hold of a lock at this address; 0 if no longer.
#[inline(never)]
pub(crate) fn set_quiet(address: usize) {
    // SAFETY: as in `ignore`.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.quiet = address;
    }
}

/// What the calling thread's atomics read of others is not told to the trace until [`tell_reads`]: it is
/// inside an operation that says by its own events what it orders.
#[inline(never)]
pub(crate) fn hush_reads() {
    // SAFETY: as in `ignore`.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.hushed += 1;
    }
}

/// Ends what [`hush_reads`] began.
#[inline(never)]
pub(crate) fn tell_reads() {
    // SAFETY: as in `ignore`.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.hushed = thread.hushed.saturating_sub(1);
    }
}
