//! A traced mutex: one word, the engine's two bits and the identity's thirty.
//!
//! The operations are not `#[inline]`: they would be compiled anew, unoptimised, in every debug
//! build, which costs far more than a call does in a release build.

use super::{note, tried};
use crate::engine::current::RawMutex;
use crate::engine::{What, before, changed};
use crate::identity;
use crate::recorder::{self, Place};
use snag_trace::{Flags, Kind, Mode, ObjectKind};

/// A mutex without data.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mutex {
    raw: RawMutex,
}

impl Default for Mutex {
    #[track_caller]
    fn default() -> Mutex {
        Mutex::new()
    }
}

impl Mutex {
    /// A free mutex, born where this is called.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new() -> Mutex {
        Mutex { raw: RawMutex::new(identity::newborn()) }
    }

    /// The engine's part.
    #[inline]
    pub(super) const fn raw(&self) -> &RawMutex {
        &self.raw
    }

    /// The object's number.
    #[inline]
    pub(super) fn object(&self, place: Option<Place>) -> u32 {
        self.object_as(ObjectKind::Mutex, place)
    }

    #[inline]
    fn object_as(&self, kind: ObjectKind, place: Option<Place>) -> u32 {
        identity::of(self.raw.word(), kind, (&raw const *self).addr(), place)
    }

    /// Takes the lock, waiting for it.
    pub fn lock(&self, place: Option<Place>) {
        self.lock_as(ObjectKind::Mutex, place);
    }

    /// [`Mutex::lock`] for a lock that is called something else.
    pub fn lock_as(&self, kind: ObjectKind, place: Option<Place>) {
        before(What::Lock, (&raw const *self).addr(), place);
        if !self.raw.try_lock() {
            self.lock_contended(kind, place);
        }
        if recorder::on() {
            note(Kind::Acquire, Mode::Exclusive, Flags::NONE, self.object_as(kind, place), place);
        }
    }

    #[cold]
    fn lock_contended(&self, kind: ObjectKind, place: Option<Place>) {
        if recorder::on() {
            note(Kind::Request, Mode::Exclusive, Flags::NONE, self.object_as(kind, place), place);
        }
        self.raw.lock_contended();
    }

    /// Takes the lock if it is free.
    #[must_use]
    pub fn try_lock(&self, place: Option<Place>) -> bool {
        self.try_lock_as(ObjectKind::Mutex, place)
    }

    /// [`Mutex::try_lock`] for a lock that is called something else.
    #[must_use]
    pub fn try_lock_as(&self, kind: ObjectKind, place: Option<Place>) -> bool {
        before(What::TryLock, (&raw const *self).addr(), place);
        let locked = self.raw.try_lock();
        if recorder::on() {
            tried(locked, Mode::Exclusive, self.object_as(kind, place), place);
        }
        locked
    }

    /// Gives the lock up.
    ///
    /// # Safety
    /// The caller holds it.
    pub unsafe fn unlock(&self, place: Option<Place>) {
        before(What::Unlock, (&raw const *self).addr(), place);
        if recorder::on() {
            note(Kind::Release, Mode::Exclusive, Flags::NONE, self.object(place), place);
        }
        // SAFETY: the caller's promise.
        unsafe { self.raw.unlock() };
    }

    /// Records an access (`Read` or `Write`) to what the lock, held by the caller, protects.
    pub fn accessed(&self, kind: Kind, place: Option<Place>) {
        if kind == Kind::Write {
            changed();
        }
        if recorder::on() {
            note(kind, Mode::Exclusive, Flags::NONE, self.object(place), place);
        }
    }
}
