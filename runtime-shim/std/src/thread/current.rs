//! The handle of the current thread.

use super::Thread;
use real_std::thread as real;

/// The calling thread's handle.
#[must_use]
pub fn current() -> Thread {
    snag_runtime::sync::thread::register_current();
    Thread::new(real::current())
}
