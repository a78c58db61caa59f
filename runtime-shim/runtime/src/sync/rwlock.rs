//! A traced reader-writer lock: the engine's word, and a word for the identity. Not `#[inline]`, for
//! the reason that [`super::mutex`] gives.

use super::{note, tried};
use crate::engine::current::RawRwLock;
use crate::engine::{What, before, before_look, changed};
use crate::identity;
use crate::recorder::{self, Place};
use core::sync::atomic::AtomicU32;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

/// A reader-writer lock without data.
#[derive(Debug)]
pub struct RwLock {
    raw: RawRwLock,
    identity: AtomicU32,
}

impl Default for RwLock {
    #[track_caller]
    fn default() -> RwLock {
        RwLock::new()
    }
}

impl RwLock {
    /// A free lock, born where this is called.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new() -> RwLock {
        RwLock { raw: RawRwLock::new(), identity: AtomicU32::new(identity::newborn()) }
    }

    #[inline]
    fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    #[inline]
    fn object(&self, place: Option<Place>) -> u32 {
        identity::of(&self.identity, ObjectKind::RwLock, self.address(), place)
    }

    #[inline]
    fn note(&self, kind: Kind, mode: Mode, flags: Flags, place: Option<Place>) {
        if recorder::on() {
            note(kind, mode, flags, self.object(place), place);
        }
    }

    fn tried(&self, held: bool, mode: Mode, place: Option<Place>) -> bool {
        if recorder::on() {
            tried(held, mode, self.object(place), place);
        }
        held
    }

    /// Takes a shared hold, waiting for it.
    #[track_caller]
    pub fn read(&self, place: Option<Place>) {
        before(What::ReadLock, self.address(), place);
        if !self.raw.try_read() {
            self.note(Kind::Request, Mode::Shared, Flags::NONE, place);
            self.raw.read_contended();
        }
        self.note(Kind::Acquire, Mode::Shared, Flags::NONE, place);
    }

    /// Takes the exclusive hold, waiting for it.
    pub fn write(&self, place: Option<Place>) {
        before(What::WriteLock, self.address(), place);
        if !self.raw.try_write() {
            self.note(Kind::Request, Mode::Exclusive, Flags::NONE, place);
            self.raw.write_contended();
        }
        self.note(Kind::Acquire, Mode::Exclusive, Flags::NONE, place);
    }

    /// Takes a shared hold if that needs no wait.
    #[must_use]
    pub fn try_read(&self, place: Option<Place>) -> bool {
        before_look(What::TryLock, self.address(), place);
        self.tried(self.raw.try_read(), Mode::Shared, place)
    }

    /// Takes the exclusive hold if that needs no wait.
    #[must_use]
    pub fn try_write(&self, place: Option<Place>) -> bool {
        before(What::TryLock, self.address(), place);
        self.tried(self.raw.try_write(), Mode::Exclusive, place)
    }

    /// Gives a shared hold up.
    ///
    /// # Safety
    /// The caller has one.
    pub unsafe fn read_unlock(&self, place: Option<Place>) {
        before(What::Unlock, self.address(), place);
        self.note(Kind::Release, Mode::Shared, Flags::NONE, place);
        // SAFETY: the caller's promise.
        unsafe { self.raw.read_unlock() };
    }

    /// Gives the exclusive hold up.
    ///
    /// # Safety
    /// The caller has it.
    pub unsafe fn write_unlock(&self, place: Option<Place>) {
        before(What::Unlock, self.address(), place);
        self.note(Kind::Release, Mode::Exclusive, Flags::NONE, place);
        // SAFETY: the caller's promise.
        unsafe { self.raw.write_unlock() };
    }

    /// Makes the exclusive hold a shared one.
    ///
    /// # Safety
    /// The caller has the exclusive hold.
    pub unsafe fn downgrade(&self, place: Option<Place>) {
        before(What::Unlock, self.address(), place);
        self.note(Kind::Convert, Mode::Shared, Flags::NONE, place);
        // SAFETY: the caller's promise.
        unsafe { self.raw.downgrade() };
    }

    /// Records an access (`Read` or `Write`) to what the lock, held by the caller in `mode`,
    /// protects.
    pub fn accessed(&self, kind: Kind, mode: Mode, place: Option<Place>) {
        if kind == Kind::Write {
            changed();
        }
        self.note(kind, mode, Flags::NONE, place);
    }
}
