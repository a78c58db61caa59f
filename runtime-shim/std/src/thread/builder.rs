//! `Builder`: the real one, whose threads are recorded.

use super::JoinHandle;
use crate::place::here;
use core::fmt;
use real_std::io;
use real_std::string::String;
use real_std::thread as real;
use snag_runtime::sync::thread::Child;

/// How to spawn a thread; see the real `std::thread::Builder`.
#[must_use = "must eventually spawn the thread"]
#[repr(transparent)]
pub struct Builder {
    pub(super) inner: real::Builder,
}

impl Builder {
    /// A thread without a name, with a stack of the usual size.
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> Builder {
        Builder { inner: real::Builder::new() }
    }

    /// With this name.
    pub fn name(self, name: String) -> Builder {
        Builder { inner: self.inner.name(name) }
    }

    /// With a stack of so many bytes.
    pub fn stack_size(self, size: usize) -> Builder {
        Builder { inner: self.inner.stack_size(size) }
    }

    /// Without the hooks of the spawning thread.
    #[cfg(snag_nightly)]
    pub fn no_hooks(self) -> Builder {
        Builder { inner: self.inner.no_hooks() }
    }

    /// Spawns the thread.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        let child = Child::spawn(here());
        let _expected = child.expected();
        let inner = self.inner.spawn(move || child.run(f))?;
        child.spawned(inner.thread().id());
        Ok(JoinHandle::new(inner))
    }

    /// Spawns the thread, whatever it borrows.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    ///
    /// # Safety
    /// What the thread borrows outlives it.
    #[track_caller]
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send,
        T: Send,
    {
        let child = Child::spawn(here());
        let _expected = child.expected();
        // SAFETY: the caller's promise.
        let inner = unsafe { self.inner.spawn_unchecked(move || child.run(f)) }?;
        child.spawned(inner.thread().id());
        Ok(JoinHandle::new(inner))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
