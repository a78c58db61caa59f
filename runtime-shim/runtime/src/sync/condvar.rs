//! A traced condvar: its one word is all identity, its waiters are the engine's queue.

use super::Mutex;
use crate::engine::current::{Deadline, RawCondvar, Waited};
use crate::engine::{What, before};
use crate::identity;
use crate::recorder::{self, Place, record};
use core::time::Duration;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

/// A condvar.
#[derive(Debug)]
#[repr(transparent)]
pub struct Condvar {
    raw: RawCondvar,
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl Condvar {
    /// A condvar that nobody waits on, born where this is called.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new() -> Condvar {
        Condvar { raw: RawCondvar::new(identity::newborn()) }
    }

    fn object(&self, place: Option<Place>) -> u32 {
        identity::of(self.raw.word(), ObjectKind::Condvar, (&raw const *self).addr(), place)
    }

    /// Gives `mutex` up, waits for a notify or for `time` to pass, and takes `mutex` again. True if
    /// a notify ended the wait.
    ///
    /// # Safety
    /// The caller holds `mutex`.
    pub unsafe fn wait(&self, mutex: &Mutex, time: Option<Duration>, place: Option<Place>) -> bool {
        before(What::Wait, (&raw const *self).addr(), place);
        let deadline = time.and_then(Deadline::after);
        if !recorder::on() {
            // SAFETY: the caller's promise.
            let waited = unsafe { self.raw.wait(mutex.raw(), deadline.as_ref()) };
            return waited != Waited::TimedOut;
        }
        let object = self.object(place);
        let flags = Flags::TIMED.when(deadline.is_some());
        let waiter = self.raw.waiter();
        let began = || {
            let lock = u64::from(mutex.object(place));
            record(Kind::WaitBegin, Mode::Wait, flags, object, place, lock);
        };
        // SAFETY: the waiter stays here, and is blocked on below.
        unsafe { self.raw.enqueue(&waiter, began) };
        // SAFETY: the caller's promise.
        unsafe { mutex.unlock(place) };
        #[cfg(snag_explore)]
        crate::engine::controlled::may_wake_spuriously(true);
        let waited = self.raw.block(&waiter, deadline.as_ref(), || {
            record(Kind::WaitEnd, Mode::Wait, flags.and(Flags::TIMED_OUT), object, place, 0);
        });
        // It may have been notified already, and have waited for nothing.
        #[cfg(snag_explore)]
        crate::engine::controlled::may_wake_spuriously(false);
        if let Waited::Notified(number) = waited {
            record(Kind::WaitEnd, Mode::Wait, flags, object, place, number);
        }
        mutex.lock(place);
        waited != Waited::TimedOut
    }

    /// Wakes one waiter.
    pub fn notify_one(&self, place: Option<Place>) {
        self.notify(1, Kind::NotifyOne, place);
    }

    /// Wakes all waiters.
    pub fn notify_all(&self, place: Option<Place>) {
        self.notify(usize::MAX, Kind::NotifyAll, place);
    }

    fn notify(&self, most: usize, kind: Kind, place: Option<Place>) {
        before(What::Notify, (&raw const *self).addr(), place);
        if recorder::on() {
            let object = self.object(place);
            self.raw
                .notify(most, |waiting| record(kind, Mode::None, Flags::NONE, object, place, waiting as u64));
        } else {
            self.raw.notify(most, |_| 0);
        }
    }
}
