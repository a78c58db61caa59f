//! Numbers for source locations: each is defined in the trace once, at its first use.
//!
//! A `Location` is a static of the program, so its address identifies it; so does the address of the
//! code that called, where the caller has no `Location`. The number is its slot in a table without locks; slot and definition are published in this order, so that a process that
//! is killed between the two leaves one place unknown. Several addresses may mean one place. Where the
//! callers matter, the hash of the stack is the address.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use snag_trace::encode::{code_stack, site_def};
use snag_trace::{Flags, Kind, Mode};

use super::threads::Local;
use super::{At, Place, sys};
use crate::probe;

const SLOTS: usize = 1 << 16;
/// Slots that are tried before a place goes without a number.
const TRIES: usize = 256;

/// Addresses of `Location`s and of code, which cannot be the same.
static TABLE: [AtomicPtr<()>; SLOTS] = [const { AtomicPtr::new(null_mut()) }; SLOTS];

/// The number of a place, 0 if there is none or the table is full.
#[inline]
pub(super) fn number_at(local: &Local, at: At) -> u32 {
    match at {
        At::Place(place) => place.map_or(0, |place| number(local, place)),
        At::Code(0) => 0,
        At::Code(address) => find(local, at, core::ptr::without_provenance_mut(address)),
        At::Called(address) => {
            let mut stack = [0; DEPTH];
            let depth = sys::keeping_errno(|| stack_at(address, &mut stack));
            number_of_stack(local, &stack[..depth])
        }
    }
}

/// How many calls of a stack are told.
const DEPTH: usize = 24;

/// The calling thread's stack at the code that returns to `pc`; gives its depth.
pub(super) fn stack_at(pc: usize, into: &mut [u64]) -> usize {
    #[cfg(any(snag_memory, test))]
    return crate::memory::stack_at(pc, into);
    #[cfg(not(any(snag_memory, test)))]
    crate::unwind::from(pc, into)
}

/// The number of the code at the top of a stack, called as the rest of it says.
fn number_of_stack(local: &Local, stack: &[u64]) -> u32 {
    let hash = stack.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &frame| {
        (hash.rotate_left(23) ^ frame).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    // No address of code or data has its highest bit set.
    let key = core::ptr::without_provenance_mut((hash | 1 << 63) as usize);
    let (number, is_new) = find_slot(key);
    if is_new {
        let payload = code_stack(stack);
        local.write(Kind::CodeSite, Mode::None, Flags::NONE, number, 0, 0, payload.as_slice());
    }
    number
}

/// The number of `place`, 0 if the table is full.
#[inline]
pub(super) fn number(local: &Local, place: Place) -> u32 {
    find(local, At::Place(Some(place)), core::ptr::from_ref(place).cast_mut().cast())
}

#[inline]
fn find(local: &Local, at: At, wanted: *mut ()) -> u32 {
    let first = slot(wanted, 0);
    if TABLE[first].load(Ordering::Relaxed) == wanted {
        return first as u32 + 1;
    }
    search(local, at, wanted)
}

#[inline]
fn slot(wanted: *mut (), step: usize) -> usize {
    let hash = (wanted.addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    probe::slot(hash as usize, step, SLOTS)
}

#[cold]
fn search(local: &Local, at: At, wanted: *mut ()) -> u32 {
    let (number, is_new) = find_slot(wanted);
    if is_new {
        define(local, number, at);
    }
    number
}

/// The number of this address, 0 if the table is full, and whether it is new.
fn find_slot(wanted: *mut ()) -> (u32, bool) {
    for step in 0..TRIES {
        let slot = slot(wanted, step);
        match TABLE[slot].compare_exchange(null_mut(), wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return (slot as u32 + 1, true),
            Err(there) if there == wanted => return (slot as u32 + 1, false),
            Err(_) => {}
        }
    }
    (0, false)
}

fn define(local: &Local, number: u32, at: At) {
    let (kind, payload) = match at {
        At::Place(None) => return,
        At::Place(Some(place)) => {
            (Kind::SiteDef, site_def(place.line(), place.column(), place.file().as_bytes()))
        }
        At::Code(address) | At::Called(address) => (Kind::CodeSite, code_stack(&[address as u64])),
    };
    local.write(kind, Mode::None, Flags::NONE, number, 0, 0, payload.as_slice());
}

/// In a forked child: its trace file has no definitions yet.
pub(super) fn forget() {
    for slot in &TABLE {
        slot.store(null_mut(), Ordering::Relaxed);
    }
}
