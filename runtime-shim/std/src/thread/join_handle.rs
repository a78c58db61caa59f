//! `JoinHandle`: the real handle, whose `join` is recorded.

use super::{Result, Thread};
use crate::place::here;
use core::fmt;
use real_std::thread as real;
use snag_runtime::sync::thread as traced;

/// The right to join a thread; see the real `std::thread::JoinHandle`.
#[repr(transparent)]
pub struct JoinHandle<T> {
    pub(crate) inner: real::JoinHandle<T>,
}

impl<T> JoinHandle<T> {
    /// The thread's handle.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        Thread::from_ref(self.inner.thread())
    }

    /// Waits for the thread's end and gives its result.
    ///
    /// # Errors
    /// If the thread has panicked: what it panicked with.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        let join = traced::Joining::begin(self.inner.thread().id(), here());
        let result = self.inner.join();
        join.end();
        result
    }

    /// Whether the thread's code has ended.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
