//! `Thread`: the real handle, whose `unpark` is recorded.

use crate::place::here;
use core::fmt;
use real_std::thread::{self as real, ThreadId};
use snag_runtime::sync::thread::unparking;

/// A handle of a thread; see the real `std::thread::Thread`.
#[repr(transparent)]
#[derive(Clone)]
pub struct Thread {
    inner: real::Thread,
}

impl Thread {
    pub(super) fn new(inner: real::Thread) -> Thread {
        Thread { inner }
    }

    pub(super) fn from_ref(inner: &real::Thread) -> &Thread {
        // SAFETY: transparent.
        unsafe { &*(&raw const *inner).cast::<Thread>() }
    }

    /// Gives the thread its park token.
    #[inline]
    #[track_caller]
    pub fn unpark(&self) {
        unparking(self.inner.id(), here());
        self.inner.unpark();
    }

    /// The thread's id.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.inner.id()
    }

    /// The thread's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.name()
    }

    /// The handle as a pointer.
    #[cfg(snag_nightly)]
    pub fn into_raw(self) -> *const () {
        self.inner.into_raw()
    }

    /// The handle that was made a pointer.
    ///
    /// # Safety
    /// `ptr` comes from [`Thread::into_raw`] and is used once.
    #[cfg(snag_nightly)]
    pub unsafe fn from_raw(ptr: *const ()) -> Thread {
        // SAFETY: the caller's promise.
        Thread { inner: unsafe { real::Thread::from_raw(ptr) } }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
