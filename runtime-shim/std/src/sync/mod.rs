//! `std::sync`: locks, condvars, onces, barriers and channels are ours, the rest is the real one's.

pub use real_std::sync::*;

pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::lazy_lock::LazyLock;
#[expect(deprecated, reason = "std still has it")]
pub use self::once::ONCE_INIT;
pub use self::once::Once;
pub use self::once_lock::OnceLock;
pub use self::poison::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(snag_nightly)]
pub use self::reentrant_lock::{ReentrantLock, ReentrantLockGuard};

mod barrier;
mod lazy_lock;
pub mod mpsc;
mod once;
mod once_lock;
#[cfg(not(snag_nightly))]
#[expect(hidden_glob_reexports, reason = "public in the real std, but unstable")]
mod poison;
#[cfg(snag_nightly)]
pub mod poison;
#[cfg(snag_nightly)]
mod reentrant_lock;

/// Whether a timed wait on a condvar returned because its time was over.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(pub(in crate::sync) bool);

impl WaitTimeoutResult {
    /// True if the time was over.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
