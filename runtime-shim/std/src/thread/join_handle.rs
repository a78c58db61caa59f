//! `JoinHandle`: the real handle, whose `join` is recorded.

use super::{Result, Thread};
use crate::place::here;
use core::fmt;
use core::mem::ManuallyDrop;
use real_std::thread as real;
use snag_runtime::sync::thread::{self as traced, Detaching};

/// The right to join a thread; see the real `std::thread::JoinHandle`.
#[repr(transparent)]
pub struct JoinHandle<T> {
    inner: ManuallyDrop<real::JoinHandle<T>>,
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let _detaching = Detaching::new(core::mem::needs_drop::<T>());
        // SAFETY: dropped once.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

impl<T> JoinHandle<T> {
    pub(super) fn new(inner: real::JoinHandle<T>) -> JoinHandle<T> {
        JoinHandle { inner: ManuallyDrop::new(inner) }
    }

    pub(crate) fn inner(&self) -> &real::JoinHandle<T> {
        &self.inner
    }

    pub(crate) fn into_inner(self) -> real::JoinHandle<T> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped any more.
        unsafe { ManuallyDrop::take(&mut this.inner) }
    }

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
        let result = self.into_inner().join();
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
        (*self.inner).fmt(f)
    }
}
