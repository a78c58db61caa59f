//! Numbers for objects, and the identity by address of those that have no room for a number.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use snag_trace::encode::object_new;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

use snag_trace::process::Shared;

use super::{At, Place, shared, sites, threads};
use crate::probe;

static LAST: AtomicU32 = AtomicU32::new(0);

/// Reserves a number; 0 when they have run out.
pub(crate) fn new_number() -> u32 {
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| last.checked_add(1))
        .map_or(0, |last| last + 1)
}

/// Records that object `number` exists.
pub(crate) fn define(number: u32, kind: ObjectKind, birth: u32, address: usize, place: Option<Place>) {
    define_at(number, kind, birth, address, At::Place(place));
}

fn define_at(number: u32, kind: ObjectKind, birth: u32, address: usize, at: At) {
    let payload = object_new(kind, birth, address as u64);
    threads::with(|local| {
        let site = sites::number_at(local, at);
        local.write(Kind::ObjectNew, Mode::None, Flags::NONE, number, site, 0, payload.as_slice());
        match shared::of_libc(kind, address) {
            Some(shared) => say_who(local, number, shared),
            None => 0,
        }
    });
}

fn say_who(local: &threads::Local, number: u32, shared: Shared) -> u64 {
    let payload = snag_trace::process::shared(&shared);
    local.write(Kind::ObjectShared, Mode::None, Flags::NONE, number, 0, 0, payload.as_slice())
}

/// The number of what is the same to all processes, a new one if it is not known yet. 0 if recording is
/// off or the table full.
pub(crate) fn by_key_at(kind: ObjectKind, key: Shared, at: At) -> u32 {
    if !super::on() {
        return 0;
    }
    // No address has its highest bit set.
    let hash = shared::hash(Shared { device: key.device ^ (kind as u64) << 56, ..key });
    let address = (hash | 1 << 63) as usize;
    let Some(slot) = slot(address, true) else { return 0 };
    let known = slot.number.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    let number = new_number();
    if let Err(winner) = slot.number.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
        return winner;
    }
    let payload = object_new(kind, 0, 0);
    threads::with(|local| {
        let site = sites::number_at(local, at);
        local.write(Kind::ObjectNew, Mode::None, Flags::NONE, number, site, 0, payload.as_slice());
        say_who(local, number, key)
    });
    number
}

const SLOTS: usize = 1 << 18;
/// Slots that are tried before an object goes without a number.
const TRIES: usize = 256;

struct Slot {
    /// 0 while free; set once.
    address: AtomicUsize,
    /// The current object there, 0 if none is.
    number: AtomicU32,
}

static TABLE: [Slot; SLOTS] =
    [const { Slot { address: AtomicUsize::new(0), number: AtomicU32::new(0) } }; SLOTS];

fn slot(address: usize, make: bool) -> Option<&'static Slot> {
    let hash = (address as u64 >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46;
    for step in 0..TRIES {
        let slot = &TABLE[probe::slot(hash as usize, step, SLOTS)];
        let there = slot.address.load(Ordering::Acquire);
        if there == address {
            return Some(slot);
        }
        if there != 0 {
            continue;
        }
        if !make {
            return None;
        }
        match slot.address.compare_exchange(0, address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(slot),
            Err(now) if now == address => return Some(slot),
            Err(_) => {}
        }
    }
    None
}

/// The number of the object at `address`, which must not be 0; a new one if none is known there.
/// 0 if recording is off or the table full.
pub fn by_address(kind: ObjectKind, address: usize, place: Option<Place>) -> u32 {
    by_address_at(kind, address, At::Place(place))
}

/// As [`by_address`], for callers that are known by the address of their code.
pub fn by_address_at(kind: ObjectKind, address: usize, at: At) -> u32 {
    if !super::on() {
        return 0;
    }
    let Some(slot) = slot(address, true) else { return 0 };
    let known = slot.number.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    let number = new_number();
    match slot.number.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            define_at(number, kind, 0, address, at);
            number
        }
        Err(winner) => winner,
    }
}

/// A new object begins at `address`, which must not be 0; gives its number.
pub fn renew(kind: ObjectKind, address: usize, place: Option<Place>) -> u32 {
    renew_at(kind, address, At::Place(place))
}

/// As [`renew`], for callers that are known by the address of their code.
pub fn renew_at(kind: ObjectKind, address: usize, at: At) -> u32 {
    if !super::on() {
        return 0;
    }
    let Some(slot) = slot(address, true) else { return 0 };
    let number = new_number();
    slot.number.store(number, Ordering::Release);
    define_at(number, kind, 0, address, at);
    number
}

/// Memory that processes share is no longer between these addresses: what was known there by its address is
/// not there.
#[cfg(any(snag_memory, test))]
pub(crate) fn forget_between(start: usize, end: usize) {
    for slot in &TABLE {
        if (start..end).contains(&slot.address.load(Ordering::Relaxed)) {
            slot.number.store(0, Ordering::Release);
        }
    }
}

/// The object at `address` ends.
pub fn end(address: usize, place: Option<Place>) {
    end_at(address, At::Place(place));
}

/// As [`end`], for callers that are known by the address of their code.
pub fn end_at(address: usize, at: At) {
    if !super::on() {
        return;
    }
    if let Some(slot) = slot(address, false) {
        let number = slot.number.swap(0, Ordering::AcqRel);
        if number != 0 {
            super::record_at(Kind::ObjectEnd, Mode::None, Flags::NONE, number, at, 0);
        }
    }
}
