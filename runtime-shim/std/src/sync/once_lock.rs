//! `OnceLock`: the real one, with a record around it. Its drop check is one that only std can have.

use crate::place::here;
use core::fmt;
use core::pin::pin;
use real_std::sync as real;
use snag_runtime::sync::once::{self, Entry, Intent};

/// A cell that is written once; see the real `std::sync::OnceLock`.
#[repr(transparent)]
pub struct OnceLock<T> {
    inner: real::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// An empty cell.
    #[inline]
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock { inner: real::OnceLock::new() }
    }

    fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    /// The value, if there is one.
    #[inline]
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        let value = self.inner.get();
        if value.is_some() {
            once::pass(self.address(), here());
        }
        value
    }

    /// The value, if there is one.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// Waits until there is a value.
    #[cfg(snag_since = "1.86")]
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let entry = pin!(Entry::new(self.address(), here()));
        entry.as_ref().enter(Intent::Wait, || self.inner.get().is_some());
        let value = self.inner.wait();
        entry.returned();
        value
    }

    /// Writes the value, if there is none.
    ///
    /// # Errors
    /// The value comes back if there is one already.
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("the initialiser runs once"));
        value.map_or(Ok(()), Err)
    }

    /// The value, made by `f` if there is none.
    #[inline]
    #[track_caller]
    pub fn get_or_init<F>(&self, f: F) -> &T
    where
        F: FnOnce() -> T,
    {
        if let Some(value) = self.get() {
            return value;
        }
        let entry = pin!(Entry::new(self.address(), here()));
        let entry = entry.as_ref();
        entry.enter(Intent::Initialise, || self.inner.get().is_some());
        let value = self.inner.get_or_init(|| entry.run(f, |_| true));
        entry.returned();
        value
    }

    /// The value, made by `f` if there is none.
    ///
    /// # Errors
    /// That of `f`.
    #[cfg(snag_nightly)]
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<F, E>(&self, f: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let entry = pin!(Entry::new(self.address(), here()));
        let entry = entry.as_ref();
        entry.enter(Intent::Initialise, || self.inner.get().is_some());
        let value = self.inner.get_or_try_init(|| entry.run(f, Result::is_ok));
        entry.returned();
        value
    }

    /// Writes the value, if there is none, and gives it.
    ///
    /// # Errors
    /// Both values, if there is one already.
    #[cfg(snag_nightly)]
    #[inline]
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<&T, (&T, T)> {
        let mut value = Some(value);
        let there = self.get_or_init(|| value.take().expect("the initialiser runs once"));
        match value {
            None => Ok(there),
            Some(value) => Err((there, value)),
        }
    }

    /// The value, made by `f` if there is none.
    ///
    /// # Errors
    /// That of `f`.
    #[cfg(snag_nightly)]
    #[inline]
    pub fn get_mut_or_try_init<F, E>(&mut self, f: F) -> Result<&mut T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        self.inner.get_mut_or_try_init(f)
    }

    /// The value, made by `f` if there is none.
    #[cfg(snag_nightly)]
    #[inline]
    pub fn get_mut_or_init<F>(&mut self, f: F) -> &mut T
    where
        F: FnOnce() -> T,
    {
        self.inner.get_mut_or_init(f)
    }

    /// The value, if there is one.
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// Takes the value out, if there is one.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T> Default for OnceLock<T> {
    #[inline]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    #[inline]
    #[track_caller]
    fn clone(&self) -> OnceLock<T> {
        self.get().map_or_else(OnceLock::new, |value| OnceLock::from(value.clone()))
    }
}

impl<T> From<T> for OnceLock<T> {
    #[inline]
    fn from(value: T) -> Self {
        OnceLock { inner: real::OnceLock::from(value) }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    #[inline]
    #[track_caller]
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}
