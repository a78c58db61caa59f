//! What really blocks and wakes threads, below everything that is recorded.
//!
//! The traced primitives in [`crate::sync`] and the facade in `runtime-shim/std` are written once,
//! over an *engine*: a module chosen when the shim is built, here as [`current`]. It supplies
//!
//! * `RawMutex`: a lock in the low [two bits](native::mutex::STATE) of one 32-bit word, the other
//!   thirty being the identity's and never touched; `try_lock`, `lock_contended` (for a caller that
//!   knows that it must wait, and has said so), `unlock`;
//! * `RawRwLock`: shared and exclusive locking with std's preference of waiting writers;
//! * `RawCondvar`: a queue of waiters, so that a notify knows whom it wakes and how many waited;
//! * `Deadline` and `sleep`: its clock;
//! * `after_fork_in_child`: what a child that has only one thread left must reset.
//!
//! Threads, parking and thread-local storage are the real std's as long as there is one engine,
//! `native`. An engine records nothing and judges nothing: a primitive says that it will block
//! before it calls the blocking half of an operation.

#[cfg(snag_explore)]
pub mod controlled;
/// What of it can be tested in a program that is not explored.
#[cfg(all(test, not(snag_explore)))]
#[expect(unused, reason = "the scheduler is not there")]
mod controlled {
    mod random;
    mod strategy;
}
pub mod native;

pub use native as current;
pub use snag_trace::control::What;

/// What a thread is about to do, for an engine that says when.
#[cfg(not(snag_explore))]
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What it is, for people.
    pub what: What,
    /// Whether another operation on the same object notices it.
    pub writes: bool,
    /// The thread only lets others go on.
    pub yields: bool,
    /// For the engine.
    pub spot: u64,
    /// An address, 0 if it concerns no object.
    pub object: usize,
    /// Where, as [`in_source`] or [`in_code`] has it; 0 if that is not known.
    pub place: usize,
}

/// The calling thread is about to make this operation: nothing to the native engine.
#[cfg(not(snag_explore))]
#[inline(always)]
pub fn point(_: Operation) {}

/// Something has changed that another thread could notice: nothing to the native engine.
#[cfg(not(snag_explore))]
#[inline(always)]
pub fn changed() {}

#[cfg(snag_explore)]
pub use controlled::{Operation, changed, point};

/// The calling thread lets others run.
#[inline(always)]
pub fn yields(place: Option<crate::recorder::Place>) {
    point(Operation {
        what: What::Yield,
        writes: false,
        yields: true,
        spot: 0,
        object: 0,
        place: in_source(place),
    });
}

/// A place in the source, as [`Operation::place`] has it.
#[inline(always)]
#[must_use]
pub fn in_source(place: Option<crate::recorder::Place>) -> usize {
    place.map_or(0, |place| core::ptr::from_ref(place).addr() << 1)
}

/// A place in code, as [`Operation::place`] has it.
#[inline(always)]
#[must_use]
pub const fn in_code(address: usize) -> usize {
    address << 1 | 1
}

/// The calling thread is about to do something to the object at `address` that others could notice.
#[inline(always)]
pub fn before(what: What, address: usize, place: Option<crate::recorder::Place>) {
    let place = in_source(place);
    point(Operation { what, writes: true, yields: false, spot: 0, object: address, place });
}

/// As [`before`], for what does not change the object.
#[inline(always)]
pub fn before_look(what: What, address: usize, place: Option<crate::recorder::Place>) {
    let place = in_source(place);
    point(Operation { what, writes: false, yields: false, spot: 0, object: address, place });
}
