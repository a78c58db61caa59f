//! `Condvar`: a traced condvar.

use super::MutexGuard;
use crate::place::here;
use crate::sync::WaitTimeoutResult;
use core::fmt;
use core::time::Duration;
use real_std::sync::LockResult;
use real_std::time::Instant;
use snag_runtime::recorder::Place;
use snag_runtime::sync::Condvar as Traced;

/// A condition variable; see the real `std::sync::Condvar`.
pub struct Condvar {
    inner: Traced,
}

impl Condvar {
    /// A condvar that nobody waits on.
    #[must_use]
    #[inline]
    #[track_caller]
    pub const fn new() -> Condvar {
        Condvar { inner: Traced::new() }
    }

    /// True if notified.
    fn wait_at<T>(&self, guard: &MutexGuard<'_, T>, time: Option<Duration>, place: Option<Place>) -> bool {
        // SAFETY: the guard's mutex is locked.
        let notified = unsafe { self.inner.wait(guard.traced(), time, place) };
        guard.retaken();
        notified
    }

    /// Unlocks, waits for a notify, and locks again.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_at(&guard, None, here());
        guard.poison().wrap(guard)
    }

    /// Waits as long as `condition` is true.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again.
    #[track_caller]
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits for a notify, but only for so many milliseconds; false if they are over.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again.
    #[deprecated(since = "1.6.0", note = "replaced by `std::sync::Condvar::wait_timeout`")]
    #[track_caller]
    pub fn wait_timeout_ms<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let result = self.wait_timeout(guard, Duration::from_millis(u64::from(ms)));
        super::map(result, |(guard, result)| (guard, !result.timed_out()))
    }

    /// Waits for a notify, but only for so long.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again.
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let notified = self.wait_at(&guard, Some(dur), here());
        guard.poison().wrap((guard, WaitTimeoutResult(!notified)))
    }

    /// Waits as long as `condition` is true, but only for so long.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again.
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let start = Instant::now();
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let Some(rest) = dur.checked_sub(start.elapsed()) else {
                return Ok((guard, WaitTimeoutResult(true)));
            };
            guard = self.wait_timeout(guard, rest)?.0;
        }
    }

    /// Wakes one waiter.
    #[inline]
    #[track_caller]
    pub fn notify_one(&self) {
        self.inner.notify_one(here());
    }

    /// Wakes all waiters.
    #[inline]
    #[track_caller]
    pub fn notify_all(&self) {
        self.inner.notify_all(here());
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}
