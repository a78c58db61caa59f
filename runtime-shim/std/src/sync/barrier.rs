//! `Barrier`: a traced barrier.

use crate::place::here;
use core::fmt;
use core::panic::RefUnwindSafe;
use snag_runtime::sync::Barrier as Traced;

/// A barrier for a number of threads; see the real `std::sync::Barrier`.
pub struct Barrier {
    inner: Traced,
}

impl RefUnwindSafe for Barrier {}

/// Whether a thread was the last to arrive at a barrier.
pub struct BarrierWaitResult(bool);

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

impl Barrier {
    /// A barrier at which `n` threads meet.
    #[must_use]
    #[inline]
    #[track_caller]
    pub const fn new(n: usize) -> Barrier {
        Barrier { inner: Traced::new(n) }
    }

    /// Waits until all threads have arrived.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        BarrierWaitResult(self.inner.wait(here()))
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.is_leader()).finish()
    }
}

impl BarrierWaitResult {
    /// True in one thread of those that met.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
