//! `parking_lot::Condvar`: who waits, and which notify ended which wait.
//!
//! The rewritten condvar parks with the address of its [`Waiter`] as park token, and unparks under
//! the parking lot's own queue lock: so the waker knows whom it wakes, and tells it its number.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::LockTag;
use crate::identity;
use crate::recorder::{Place, record};

/// Identity word of a condvar and how many threads are in its queue.
#[derive(Debug)]
pub struct CondvarTag {
    word: AtomicU32,
    /// Changed under the queue's lock only, if its waiters are known.
    waiting: AtomicU32,
}

/// One wait, on the waiting thread's stack.
#[derive(Debug, Default)]
pub struct Waiter {
    /// Sequence number of the notify that ended the wait, 0 if none did.
    woken_by: AtomicU64,
}

/// One notify under way.
#[derive(Debug)]
pub struct Notify<'a> {
    condvar: &'a CondvarTag,
    kind: Kind,
    place: Place,
    seq: Option<u64>,
}

impl CondvarTag {
    /// The tag of a condvar that is constructed by this call.
    #[track_caller]
    #[must_use]
    #[inline]
    pub const fn new() -> CondvarTag {
        CondvarTag { word: AtomicU32::new(identity::newborn()), waiting: AtomicU32::new(0) }
    }

    fn object(&self, place: Place) -> u32 {
        let address = core::ptr::from_ref(self).addr();
        identity::of(&self.word, ObjectKind::ParkingLotCondvar, address, Some(place))
    }

    /// The calling thread is about to give up `lock` and to wait.
    pub fn wait_begin(&self, lock: &LockTag, timed: bool, place: Place) {
        let condvar = self.object(place);
        let mutex = lock.object(ObjectKind::LockApiMutex, place);
        if condvar != 0 {
            let flags = Flags::TIMED.when(timed);
            record(Kind::WaitBegin, Mode::Wait, flags, condvar, Some(place), u64::from(mutex));
        }
        lock.release(Mode::Exclusive, || {});
    }

    /// The waiter is in the queue from now on. Under the queue's lock.
    pub fn enter(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// A waiter leaves the queue by itself. Under the queue's lock.
    pub fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The wait is over; the lock is not yet taken back.
    pub fn wait_end(&self, waiter: &Waiter, timed_out: bool, place: Place) {
        let condvar = self.object(place);
        if condvar != 0 {
            let by = waiter.woken_by.load(Ordering::Relaxed);
            record(Kind::WaitEnd, Mode::Wait, Flags::TIMED_OUT.when(timed_out), condvar, Some(place), by);
        }
    }

    /// A wait of whose queue nothing is known: by `wait`, which gives up the lock, takes it back and
    /// says whether the time was over.
    pub fn unseen_wait(
        &self,
        lock: &LockTag,
        timed: bool,
        place: Place,
        wait: impl FnOnce() -> bool,
    ) -> bool {
        self.wait_begin(lock, timed, place);
        self.enter();
        let timed_out = wait();
        self.leave();
        self.wait_end(&Waiter::new(), timed_out, place);
        lock.acquired(ObjectKind::LockApiMutex, Mode::Exclusive, Flags::NONE, place);
        timed_out
    }

    /// Begins to wake one waiter, or all.
    #[must_use]
    pub fn notify(&self, all: bool, place: Place) -> Notify<'_> {
        let kind = if all { Kind::NotifyAll } else { Kind::NotifyOne };
        Notify { condvar: self, kind, place, seq: None }
    }
}

impl Default for CondvarTag {
    #[track_caller]
    fn default() -> CondvarTag {
        CondvarTag::new()
    }
}

impl Waiter {
    /// A wait that nothing has ended yet.
    #[must_use]
    pub const fn new() -> Waiter {
        Waiter { woken_by: AtomicU64::new(0) }
    }

    /// What the waiter is known by in the queue.
    #[must_use]
    pub fn token(&self) -> usize {
        core::ptr::from_ref(self).expose_provenance()
    }
}

impl Notify<'_> {
    /// Records the notify before its first effect; later calls give the same number.
    fn seq(&mut self) -> u64 {
        let (condvar, kind, place) = (self.condvar, self.kind, self.place);
        *self.seq.get_or_insert_with(|| {
            let object = condvar.object(place);
            if object == 0 {
                return 0;
            }
            let waiting = u64::from(condvar.waiting.load(Ordering::Relaxed));
            record(kind, Mode::None, Flags::NONE, object, Some(place), waiting)
        })
    }

    /// About to wake the waiter with this token. Under the queue's lock.
    ///
    /// # Safety
    /// `token` is [`Waiter::token`] of a waiter that is still in the queue.
    pub unsafe fn wake(&mut self, token: usize) {
        let seq = self.seq();
        self.condvar.leave();
        // SAFETY: the waiter's thread is parked until the queue's lock, which is held, is free.
        let waiter = unsafe { &*core::ptr::with_exposed_provenance::<Waiter>(token) };
        waiter.woken_by.store(seq, Ordering::Relaxed);
    }

    /// The notify is over; it is recorded even if it found nobody.
    pub fn finish(mut self) {
        if self.seq.is_none() {
            self.seq();
        }
    }
}

#[cfg(test)]
mod tests {
    use core::panic::Location;

    use super::*;

    #[test]
    fn a_notify_takes_its_waiter_out_of_the_queue() {
        let condvar = CondvarTag::new();
        let waiter = Waiter::new();
        condvar.enter();
        let mut notify = condvar.notify(false, Location::caller());
        // SAFETY: the waiter is alive and was entered.
        unsafe { notify.wake(waiter.token()) };
        notify.finish();
        assert_eq!(condvar.waiting.load(Ordering::Relaxed), 0);
    }
}
