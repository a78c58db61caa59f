//! `parking_lot::Once`, identified by address: its one byte has no room for a number.
//!
//! Known miss: two onces that live at one address one after the other count as one.

use core::cell::Cell;

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use crate::recorder::{Place, objects, record};

/// A call that found the once incomplete.
#[derive(Debug)]
pub struct OnceCall {
    object: u32,
    place: Place,
    ran: Cell<bool>,
}

/// The initialiser is running; ends, by a panic if one is under way, when dropped.
#[derive(Debug)]
pub struct Running(u32);

/// Found the once at `address` complete.
#[inline]
pub fn once_pass(address: usize, place: Place) {
    if crate::recorder::on() {
        let object = objects::by_address(ObjectKind::Once, address, Some(place));
        record_some(Kind::OncePass, Flags::NONE, object, Some(place));
    }
}

fn record_some(kind: Kind, flags: Flags, object: u32, place: Option<Place>) {
    if object != 0 {
        record(kind, Mode::Once, flags, object, place, 0);
    }
}

impl OnceCall {
    /// Begins; may have to wait for another thread's initialiser.
    #[must_use]
    pub fn begin(address: usize, place: Place) -> OnceCall {
        let object = objects::by_address(ObjectKind::Once, address, Some(place));
        record_some(Kind::Request, Flags::NONE, object, Some(place));
        OnceCall { object, place, ran: Cell::new(false) }
    }

    /// This thread runs the initialiser, until the result is dropped.
    #[must_use]
    pub fn run(&self) -> Running {
        self.ran.set(true);
        record_some(Kind::OnceBegin, Flags::NONE, self.object, Some(self.place));
        Running(self.object)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let flags = Flags::PANICKING.when(std::thread::panicking());
        record_some(Kind::OnceEnd, flags, self.0, None);
    }
}

impl Drop for OnceCall {
    fn drop(&mut self) {
        if self.ran.get() {
            return;
        }
        // Another thread's initialiser completed it, or it is poisoned and the call panics.
        let kind = if std::thread::panicking() { Kind::GiveUp } else { Kind::OncePass };
        record_some(kind, Flags::NONE, self.object, Some(self.place));
    }
}
