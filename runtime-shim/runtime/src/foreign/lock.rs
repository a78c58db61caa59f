//! A lock's identity and what is known of its holders, kept beside the raw lock.

use core::sync::atomic::{AtomicU32, Ordering};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use crate::engine::{What, before};
use crate::identity;
use crate::ignore::{Hushed, Quiet};
use crate::recorder::{self, Place, record};

/// The holder has read what the lock protects. Changed by an exclusive holder only.
const READ: u32 = 1;
/// The holder has written to it.
const WRITTEN: u32 = 2;
/// Whoever holds the lock may write unseen: every exclusive hold counts as a write.
const UNSEEN_WRITES: u32 = 4;
/// The raw lock was handed out: nothing is recorded any more.
const EXPOSED: u32 = 8;
/// Held exclusively.
const EXCLUSIVE: u32 = 16;
/// Held upgradably.
const UPGRADABLE: u32 = 32;
/// One shared holder; the number of them is in the bits from here on.
const ONE_SHARED: u32 = 64;

/// Identity word and holders of one lock.
#[derive(Debug)]
pub struct LockTag {
    word: AtomicU32,
    state: AtomicU32,
}

const fn hold(mode: Mode) -> u32 {
    match mode {
        Mode::Shared => ONE_SHARED,
        Mode::Upgradable => UPGRADABLE,
        _ => EXCLUSIVE,
    }
}

/// Does `work` on the raw lock, whose own atomics are not to be told of beside the lock's events.
#[inline]
fn hushed<T>(work: impl FnOnce() -> T) -> T {
    let _hushed = Hushed::new();
    work()
}

impl LockTag {
    /// The tag of a lock that is constructed by this call.
    #[track_caller]
    #[must_use]
    #[inline]
    pub const fn new() -> LockTag {
        LockTag { word: AtomicU32::new(identity::newborn()), state: AtomicU32::new(0) }
    }

    /// As [`LockTag::new`], for a lock that gives no sign of writes to what it protects.
    #[track_caller]
    #[must_use]
    #[inline]
    pub const fn with_unseen_writes() -> LockTag {
        LockTag { word: AtomicU32::new(identity::newborn()), state: AtomicU32::new(UNSEEN_WRITES) }
    }

    /// The lock's number; 0 if nothing is to be recorded of it.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    pub(super) fn object(&self, kind: ObjectKind, place: Place) -> u32 {
        if !recorder::on() || self.state.load(Ordering::Relaxed) & EXPOSED != 0 {
            return 0;
        }
        identity::of(&self.word, kind, core::ptr::from_ref(self).addr(), Some(place))
    }

    /// The lock's number if it has one, for events that never are its first.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn known_object(&self) -> u32 {
        if !recorder::on() || self.state.load(Ordering::Relaxed) & EXPOSED != 0 {
            return 0;
        }
        let word = self.word.load(Ordering::Relaxed);
        if word & identity::IDENTIFIED == 0 { 0 } else { word >> 3 }
    }

    /// Takes the lock, waiting for it as long as it takes. `G` is what the raw lock gives its holder.
    #[inline]
    pub fn acquire<G>(
        &self,
        kind: ObjectKind,
        mode: Mode,
        place: Place,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> G {
        self.acquire_flagged(kind, mode, Flags::NONE, place, attempt, wait)
    }

    /// Takes the lock shared, which waits for a holder but never for a waiter: not even for the one
    /// that waits for the calling thread's own shared hold. So it counts as an operation that never
    /// waits if it did not.
    #[inline]
    pub fn acquire_recursive<G>(
        &self,
        kind: ObjectKind,
        place: Place,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> G {
        self.acquire_flagged(kind, Mode::Shared, Flags::TRY, place, attempt, wait)
    }

    #[inline]
    fn acquire_flagged<G>(
        &self,
        kind: ObjectKind,
        mode: Mode,
        at_once: Flags,
        place: Place,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> G,
    ) -> G {
        if !recorder::on() {
            return wait();
        }
        self.before(What::Lock, place);
        if let Some(guard) = hushed(attempt) {
            self.acquired(kind, mode, at_once, place);
            return guard;
        }
        self.note(Kind::Request, kind, mode, Flags::NONE, place);
        let guard = hushed(wait);
        self.acquired(kind, mode, Flags::NONE, place);
        guard
    }

    /// Takes the lock if `wait` succeeds, which gives up after a time.
    #[inline]
    pub fn acquire_timed<G>(
        &self,
        kind: ObjectKind,
        mode: Mode,
        place: Place,
        attempt: impl FnOnce() -> Option<G>,
        wait: impl FnOnce() -> Option<G>,
    ) -> Option<G> {
        if !recorder::on() {
            return wait();
        }
        self.before(What::Lock, place);
        let taken = hushed(attempt).or_else(|| {
            self.note(Kind::Request, kind, mode, Flags::TIMED, place);
            hushed(wait)
        });
        self.settled(taken, kind, mode, Flags::TIMED, place)
    }

    /// Takes the lock if `attempt` does, which never waits.
    #[inline]
    pub fn try_acquire<G>(
        &self,
        kind: ObjectKind,
        mode: Mode,
        place: Place,
        attempt: impl FnOnce() -> Option<G>,
    ) -> Option<G> {
        self.before(What::TryLock, place);
        self.settled(hushed(attempt), kind, mode, Flags::TRY, place)
    }

    /// The calling thread is about to do something to the lock.
    #[inline]
    fn before(&self, what: What, place: Place) {
        before(what, core::ptr::from_ref(self).addr(), Some(place));
    }

    #[inline]
    fn settled<G>(
        &self,
        taken: Option<G>,
        kind: ObjectKind,
        mode: Mode,
        flags: Flags,
        place: Place,
    ) -> Option<G> {
        if taken.is_some() {
            self.acquired(kind, mode, flags, place);
        } else {
            self.note(Kind::GiveUp, kind, mode, flags, place);
        }
        taken
    }

    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn note(&self, event: Kind, kind: ObjectKind, mode: Mode, flags: Flags, place: Place) {
        let object = self.object(kind, place);
        if object != 0 {
            record(event, mode, flags, object, Some(place), 0);
        }
    }

    /// Notes that the calling thread has the lock now.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    pub fn acquired(&self, kind: ObjectKind, mode: Mode, flags: Flags, place: Place) {
        let object = self.object(kind, place);
        if object == 0 {
            return;
        }
        let before = self.state.fetch_add(hold(mode), Ordering::Relaxed);
        record(Kind::Acquire, mode, flags, object, Some(place), 0);
        if mode != Mode::Exclusive {
            // What a reader reads it may read at once: guards of readers are not followed.
            record(Kind::Read, Mode::None, Flags::NONE, object, Some(place), 0);
        } else if before & UNSEEN_WRITES != 0 {
            record(Kind::Write, Mode::None, Flags::NONE, object, Some(place), 0);
        } else {
            self.state.fetch_and(!(READ | WRITTEN), Ordering::Relaxed);
        }
    }

    /// Gives the lock up, held in `mode`, by `effect`.
    #[inline]
    pub fn release<T>(&self, mode: Mode, effect: impl FnOnce() -> T) -> T {
        let object = self.known_object();
        if object == 0 || !self.forget_hold(mode) {
            return effect();
        }
        before(What::Unlock, core::ptr::from_ref(self).addr(), None);
        record(Kind::Release, mode, Flags::NONE, object, None, 0);
        let _quiet = (mode == Mode::Shared).then(|| Quiet::new(core::ptr::from_ref(self).addr()));
        hushed(effect)
    }

    /// Takes one hold away. False if there is none: the lock was taken where nothing was recorded.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn forget_hold(&self, mode: Mode) -> bool {
        let one = hold(mode);
        let held = self.state.load(Ordering::Relaxed);
        let there = if one == ONE_SHARED { held >= ONE_SHARED } else { held & one != 0 };
        if there {
            self.state.fetch_sub(one, Ordering::Relaxed);
        }
        there
    }

    /// Weakens the hold from one mode to another by `effect`.
    #[inline]
    pub fn weaken<T>(&self, from: Mode, to: Mode, place: Place, effect: impl FnOnce() -> T) -> T {
        let object = self.known_object();
        if object != 0 && self.forget_hold(from) {
            self.state.fetch_add(hold(to), Ordering::Relaxed);
            record(Kind::Convert, to, Flags::NONE, object, Some(place), 0);
        }
        effect()
    }

    /// Strengthens an upgradable hold, of which `held` is the sign, to an exclusive one, waiting as
    /// long as it takes.
    #[inline]
    pub fn upgrade<H, G>(
        &self,
        kind: ObjectKind,
        place: Place,
        held: H,
        attempt: impl FnOnce(H) -> Result<G, H>,
        wait: impl FnOnce(H) -> G,
    ) -> G {
        if !recorder::on() {
            return wait(held);
        }
        let guard = attempt(held).unwrap_or_else(|held| {
            self.note(Kind::Request, kind, Mode::Exclusive, Flags::NONE, place);
            wait(held)
        });
        self.upgraded(Flags::NONE, place);
        guard
    }

    /// Strengthens an upgradable hold if `attempt` does, which gives up after a time if it is
    /// `timed`, and else never waits.
    #[inline]
    pub fn try_upgrade<G, E>(
        &self,
        kind: ObjectKind,
        timed: bool,
        place: Place,
        attempt: impl FnOnce() -> Result<G, E>,
    ) -> Result<G, E> {
        if timed {
            self.note(Kind::Request, kind, Mode::Exclusive, Flags::TIMED, place);
        }
        let flags = if timed { Flags::TIMED } else { Flags::TRY };
        let outcome = hushed(attempt);
        if outcome.is_ok() {
            self.upgraded(flags, place);
        } else {
            self.note(Kind::GiveUp, kind, Mode::Exclusive, flags, place);
        }
        outcome
    }

    fn upgraded(&self, flags: Flags, place: Place) {
        let object = self.known_object();
        if object != 0 && self.forget_hold(Mode::Upgradable) {
            self.state.fetch_add(EXCLUSIVE, Ordering::Relaxed);
            self.state.fetch_or(READ | WRITTEN, Ordering::Relaxed);
            record(Kind::Convert, Mode::Exclusive, flags, object, Some(place), 0);
            record(Kind::Write, Mode::None, Flags::NONE, object, Some(place), 0);
        }
    }

    /// Gives the lock to whoever waits and takes it back, by `effect`.
    #[inline]
    pub fn bump(&self, kind: ObjectKind, mode: Mode, place: Place, effect: impl FnOnce()) {
        self.release(mode, || {});
        self.note(Kind::Request, kind, mode, Flags::NONE, place);
        effect();
        self.acquired(kind, mode, Flags::NONE, place);
    }

    /// An exclusive holder reads what the lock protects.
    #[inline]
    pub fn read(&self, place: Place) {
        self.touch(READ, Kind::Read, place);
    }

    /// An exclusive holder may write to what the lock protects.
    #[inline]
    pub fn write(&self, place: Place) {
        self.touch(WRITTEN, Kind::Write, place);
    }

    #[inline]
    fn touch(&self, bit: u32, event: Kind, place: Place) {
        if !recorder::on() || self.state.load(Ordering::Relaxed) & bit != 0 {
            return;
        }
        let object = self.known_object();
        if object != 0 && self.state.load(Ordering::Relaxed) & EXCLUSIVE != 0 {
            self.state.fetch_or(bit, Ordering::Relaxed);
            record(event, Mode::None, Flags::NONE, object, Some(place), 0);
        }
    }

    /// A pointer to what the lock protects was handed out: from now on every exclusive holder may
    /// write to it.
    pub fn expose_data(&self) {
        self.state.fetch_or(UNSEEN_WRITES, Ordering::Relaxed);
    }

    /// The raw lock was handed out, so that it may be locked and unlocked unseen: the object ends
    /// here as far as the trace goes, and who held it does so no longer.
    #[cold]
    pub fn expose(&self) {
        let object = self.known_object();
        let before = self.state.fetch_or(EXPOSED, Ordering::Relaxed);
        if object == 0 || before & EXPOSED != 0 {
            return;
        }
        let release = |mode| record(Kind::Release, mode, Flags::NONE, object, None, 0);
        if before & EXCLUSIVE != 0 {
            release(Mode::Exclusive);
        }
        if before & UPGRADABLE != 0 {
            release(Mode::Upgradable);
        }
        for _ in 0..before / ONE_SHARED {
            release(Mode::Shared);
        }
        record(Kind::ObjectEnd, Mode::None, Flags::NONE, object, None, 0);
    }
}

impl Default for LockTag {
    #[track_caller]
    fn default() -> LockTag {
        LockTag::new()
    }
}

#[cfg(test)]
mod tests {
    use core::panic::Location;

    use super::*;

    #[test]
    fn without_recording_only_the_waiting_operation_runs() {
        let tag = LockTag::new();
        let mut waited = false;
        let attempt = || -> Option<()> { panic!("tried although nothing is recorded") };
        tag.acquire(ObjectKind::LockApiMutex, Mode::Exclusive, Location::caller(), attempt, || waited = true);
        assert!(waited);
    }

    #[test]
    fn a_release_without_a_known_hold_still_takes_effect() {
        let tag = LockTag::new();
        let mut released = false;
        tag.release(Mode::Exclusive, || released = true);
        assert!(released);
    }

    #[test]
    fn holds_are_counted_by_mode() {
        let tag = LockTag::new();
        tag.state.fetch_add(2 * ONE_SHARED, Ordering::Relaxed);
        assert!(!tag.forget_hold(Mode::Exclusive));
        assert!(tag.forget_hold(Mode::Shared));
        assert!(tag.forget_hold(Mode::Shared));
        assert!(!tag.forget_hold(Mode::Shared));
    }
}
