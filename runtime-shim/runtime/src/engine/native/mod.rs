//! The engine of real threads at full speed: Linux futexes.
//!
//! Source: U. Drepper, "Futexes are tricky" (2011), and the behaviour of std's own primitives,
//! which these follow where a program could tell the difference (layout, writer preference).
//!
//! Known misses: a signal handler that notifies a condvar while the interrupted thread is inside
//! the same bucket of the waiters' table would wait for itself; std's condvar would not.

pub mod condvar;
#[cfg(not(snag_explore))]
pub mod futex;
pub mod mutex;
pub mod queue;
#[cfg(snag_explore)]
#[path = "futex.rs"]
pub mod real_futex;
pub mod rwlock;

/// Under exploration it is the scheduler that lets threads wait.
#[cfg(snag_explore)]
pub use super::controlled::futex;
pub use condvar::{RawCondvar, Waited};
pub use futex::Deadline;
pub use mutex::RawMutex;
pub use rwlock::RawRwLock;

/// Resets what the threads that a fork left behind may have held.
///
/// # Safety
/// Only in a forked child, before it starts a thread.
pub unsafe fn after_fork_in_child() {
    // SAFETY: the caller's promise: no other thread can be inside a table.
    unsafe {
        condvar::WAITERS.reset();
    }
}
