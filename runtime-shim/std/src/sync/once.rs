//! `Once`: the real one, with a record around it.

use crate::place::here;
use core::fmt;
use core::pin::pin;
use real_std::sync as real;
use real_std::sync::OnceState;
use snag_runtime::recorder::Place;
use snag_runtime::sync::once::{self, Entry, Intent};

/// A one-time initialiser; see the real `std::sync::Once`.
#[repr(transparent)]
pub struct Once {
    inner: real::Once,
}

/// A new [`Once`].
#[deprecated(since = "1.38.0", note = "the `Once::new()` function is now preferred")]
#[expect(clippy::declare_interior_mutable_const, reason = "std has it so")]
pub const ONCE_INIT: Once = Once::new();

impl Once {
    /// An incomplete once.
    #[expect(clippy::new_without_default, reason = "std's has none")]
    #[inline]
    #[must_use]
    pub const fn new() -> Once {
        Once { inner: real::Once::new() }
    }

    fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    /// Runs `f`, unless a call has already completed.
    ///
    /// # Panics
    /// If an earlier call has panicked.
    #[inline]
    #[track_caller]
    pub fn call_once<F>(&self, f: F)
    where
        F: FnOnce(),
    {
        if self.is_completed() {
            return;
        }
        let entry = pin!(Entry::new(self.address(), here()));
        let entry = entry.as_ref();
        entry.enter(Intent::Initialise, || self.inner.is_completed());
        self.inner.call_once(|| entry.run(f, |()| true));
        entry.returned();
    }

    /// Runs `f`, unless a call has already completed without a panic.
    #[inline]
    #[track_caller]
    pub fn call_once_force<F>(&self, f: F)
    where
        F: FnOnce(&OnceState),
    {
        if self.is_completed() {
            return;
        }
        let entry = pin!(Entry::new(self.address(), here()));
        let entry = entry.as_ref();
        entry.enter(Intent::Initialise, || self.inner.is_completed());
        self.inner.call_once_force(|state| entry.run(|| f(state), |()| true));
        entry.returned();
    }

    /// Whether a call has completed.
    #[inline]
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        self.is_completed_at(here())
    }

    #[inline]
    pub(super) fn is_completed_at(&self, place: Option<Place>) -> bool {
        let completed = self.inner.is_completed();
        if completed {
            once::pass(self.address(), place);
        }
        completed
    }

    /// [`Once::is_completed`], unrecorded, for an owner.
    #[inline]
    pub(super) fn was_completed(&mut self) -> bool {
        self.inner.is_completed()
    }

    /// Completes it, unrecorded; `f` is told whether it was poisoned.
    pub(super) fn end(&self, f: impl FnOnce(bool)) {
        self.inner.call_once_force(|state| f(state.is_poisoned()));
    }

    /// Waits until a call has completed.
    ///
    /// # Panics
    /// If a call has panicked.
    #[cfg(snag_since = "1.86")]
    #[track_caller]
    pub fn wait(&self) {
        if !self.is_completed() {
            let entry = pin!(Entry::new(self.address(), here()));
            entry.as_ref().enter(Intent::Wait, || self.inner.is_completed());
            self.inner.wait();
            entry.returned();
        }
    }

    /// Waits until a call has completed without a panic.
    #[cfg(snag_since = "1.86")]
    #[track_caller]
    pub fn wait_force(&self) {
        if !self.is_completed() {
            let entry = pin!(Entry::new(self.address(), here()));
            entry.as_ref().enter(Intent::Wait, || self.inner.is_completed());
            self.inner.wait_force();
            entry.returned();
        }
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
