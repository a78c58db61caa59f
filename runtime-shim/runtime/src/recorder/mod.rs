//! The recorder: writes events into the process's trace file. It never judges.
//!
//! Invariants:
//! * The hot path is one `fetch_add` on the run's clock page and 24 bytes into the thread's own
//!   chunk; no lock, no heap, no system call.
//! * Callable from anywhere: allocators, signal handlers, thread-local destructors, after a fork.
//!   A call from within the recorder itself on the same thread is dropped.
//! * `errno` is kept, no descriptor is held open, and whatever fails stops the recording, marks
//!   the header and leaves the program alone.
//! * When recording stops, the header's stop number says up to which event the trace is whole.

mod chunk;
pub mod objects;
mod process;
mod shared;
mod sites;
pub(crate) mod sys;
mod threads;

use core::panic::Location;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use snag_trace::{Flags, Kind, Mode};

pub(crate) use process::{forked, forks, is_of_the_run, is_own_process};
#[cfg(any(snag_memory, test))]
pub(crate) use shared::mapping_of;
pub(crate) use shared::{descriptor, hash};
pub(crate) use threads::{Created, adopt, created_thread};
#[cfg(any(snag_memory, test))]
pub(crate) use threads::{Record, set_repeated, set_shared_size};
pub use threads::{current_thread, new_thread, nothing_expected, position, thread_begin, thread_panicked};

/// A place in the user's source.
pub type Place = &'static Location<'static>;

/// Where an operation was called.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// In Rust code that knows its caller, or nobody knows where.
    Place(Option<Place>),
    /// In code of any language, at the instruction before this address.
    Code(usize),
    /// As `Code`, in a function that does this for whoever calls it: its callers are told as well.
    Called(usize),
}

const UNKNOWN: u8 = 0;
const STARTING: u8 = 1;
const ON: u8 = 2;
const OFF: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether this process is being recorded.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub fn on() -> bool {
    match STATE.load(Ordering::Acquire) {
        ON => true,
        OFF => false,
        _ => start(),
    }
}

/// Whether what is recorded goes to a file, and not to nowhere as while schedules are explored.
#[cfg(any(snag_memory, test))]
#[inline(always)]
pub(crate) fn is_kept() -> bool {
    #[cfg(snag_explore)]
    return process::is_kept();
    #[cfg(not(snag_explore))]
    true
}

/// Decides, once, whether this process is recorded.
#[cold]
fn start() -> bool {
    if STATE.compare_exchange(UNKNOWN, STARTING, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // Another thread is at it, or this one in a signal handler: unheard events before the
        // first recorded one are harmless.
        return STATE.load(Ordering::Acquire) == ON;
    }
    let started = sys::keeping_errno(process::start);
    STATE.store(if started { ON } else { OFF }, Ordering::Release);
    if started {
        process::describe();
    }
    started
}

/// Stops the recording for good; `reason` is a bit of `layout::state`.
fn stop(reason: u32) {
    if STATE.swap(OFF, Ordering::AcqRel) == ON {
        process::note_stop(reason);
    }
}

/// Records one event of the calling thread. Gives its sequence number, 0 if it was not recorded.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub fn record(kind: Kind, mode: Mode, flags: Flags, object: u32, place: Option<Place>, arg: u64) -> u64 {
    if !on() {
        return 0;
    }
    threads::with(|local| {
        let site = place.map_or(0, |place| sites::number(local, place));
        local.write(kind, mode, flags, object, site, arg, &[])
    })
}

/// As [`record`], for callers that are known by the address of their code.
pub fn record_at(kind: Kind, mode: Mode, flags: Flags, object: u32, at: At, arg: u64) -> u64 {
    if !on() {
        return 0;
    }
    threads::with(|local| {
        let site = sites::number_at(local, at);
        local.write(kind, mode, flags, object, site, arg, &[])
    })
}

/// Records an event of a long kind. Gives its sequence number, 0 if it was not recorded.
pub(crate) fn record_long(kind: Kind, mode: Mode, at: At, payload: &[u8]) -> u64 {
    if !on() {
        return 0;
    }
    threads::with(|local| {
        let site = sites::number_at(local, at);
        local.write(kind, mode, Flags::NONE, 0, site, 0, payload)
    })
}

/// A number of the run's clock that no record has. 0 while recording is off.
#[cfg(any(snag_memory, test))]
pub(crate) fn number() -> u64 {
    if on() { ticks(1) } else { 0 }
}

/// Records an access to memory that processes share.
#[cfg(any(snag_memory, test))]
pub(crate) fn record_shared(object: u32, payload: &[u8]) -> Record {
    let mut record = Record::NONE;
    if on() {
        threads::with(|local| {
            let seq = local.write(Kind::SharedAccess, Mode::None, Flags::NONE, object, 0, 0, payload);
            record = local.last(payload.len());
            seq
        });
    }
    record
}

/// An execution ends that was explored and recorded; `is_whole` if the program came to its end.
#[cfg(snag_explore)]
pub(crate) fn execution_ends(is_whole: bool) {
    if is_whole {
        process::exits();
    }
}

/// How far the executable was moved from the addresses in its file.
#[cfg(snag_explore)]
pub(crate) fn load_base() -> usize {
    sys::load_bias()
}

/// The next sequence number, the first of `count` that are the caller's.
#[inline]
fn ticks(count: u64) -> u64 {
    let clock = process::CLOCK.load(Ordering::Acquire);
    // SAFETY: non-null and mapped for ever once recording is on.
    unsafe { (*clock).fetch_add(count, Ordering::AcqRel) + 1 }
}

/// The clock's type within the shared page.
type Clock = AtomicU64;

/// Decides before `main` whether to record, so that the first event of a program is not lost to a
/// race between two threads.
#[used]
#[unsafe(link_section = ".init_array.00099")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    on();
}
