//! Identity of objects whose 32-bit word is the only room there is.
//!
//! ```text
//! bit  31 ………………………… 3   2            1 0
//!      payload (29)     IDENTIFIED   engine state
//! ```
//!
//! Invariant: once `IDENTIFIED` is set the payload is the object's number and never changes again;
//! before that it is the birth hash of the constructor call (0 where it is not known, as in zeroed
//! memory). The engine changes the state bits only. A moved lock keeps its number, and another lock
//! at the same address has another.
//!
//! Known miss: a lock that was used, is copied bit by bit (`ptr::read`) and both copies are used on
//! counts as one object.

use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};

use snag_trace::ObjectKind;
use snag_trace::encode::birth_hash;

use crate::recorder::{self, Place};

/// The engine's bits.
pub const STATE_MASK: u32 = 0b11;
/// The payload is an object number.
pub const IDENTIFIED: u32 = 0b100;
/// Position of the payload.
const PAYLOAD_SHIFT: u32 = 3;
/// Largest object number.
const MAX_NUMBER: u32 = u32::MAX >> PAYLOAD_SHIFT;

/// The word of an object that is constructed by this call: state 0, not identified.
#[track_caller]
#[must_use]
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub const fn newborn() -> u32 {
    let here = Location::caller();
    birth_hash(here.file().as_bytes(), here.line(), here.column()) << PAYLOAD_SHIFT
}

/// The object's number. The first call while recording gives it one and records `ObjectNew`.
/// 0 while recording is off, and when numbers have run out.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub fn of(word: &AtomicU32, kind: ObjectKind, address: usize, place: Option<Place>) -> u32 {
    let value = word.load(Ordering::Relaxed);
    if value & IDENTIFIED != 0 {
        return value >> PAYLOAD_SHIFT;
    }
    identify(word, kind, address, place)
}

#[cold]
fn identify(word: &AtomicU32, kind: ObjectKind, address: usize, place: Option<Place>) -> u32 {
    if !recorder::on() {
        return 0;
    }
    let number = recorder::objects::new_number();
    if number == 0 || number > MAX_NUMBER {
        return 0;
    }
    let mut value = word.load(Ordering::Relaxed);
    while value & IDENTIFIED == 0 {
        let identified = number << PAYLOAD_SHIFT | IDENTIFIED | value & STATE_MASK;
        match word.compare_exchange_weak(value, identified, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => {
                recorder::objects::define(number, kind, value >> PAYLOAD_SHIFT, address, place);
                return number;
            }
            Err(now) => value = now,
        }
    }
    value >> PAYLOAD_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newborn_word_has_no_state_and_is_not_identified() {
        let word = newborn();
        assert_eq!(word & (STATE_MASK | IDENTIFIED), 0);
        assert_ne!(word >> PAYLOAD_SHIFT, 0);
    }

    #[test]
    fn two_constructor_calls_differ() {
        assert_ne!(newborn(), newborn());
    }

    #[test]
    fn nothing_changes_while_recording_is_off() {
        let before = newborn();
        let word = AtomicU32::new(before);
        assert_eq!(of(&word, ObjectKind::Mutex, 0x1000, None), 0);
        assert_eq!(word.load(Ordering::Relaxed), before);
    }
}
