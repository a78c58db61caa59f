//! The heap: what a block is, where it was allocated, and what its end means.
//!
//! Invariants:
//! * A block that begins has no past: shadow memory is cleared up to what the allocator really gave.
//! * A block's end is a write to it: what is not ordered before or after races with it. Small blocks are
//!   kept from the allocator for a while, so that those who come too late still find them ended.
//! * In the sync plane there is a note at the base of each block of the heap, as long as it has not gone
//!   back to the allocator, and nothing else of the heap: so a base is found from within the block.
//!
//! ```text
//! word 0   heap | base | ended | of Rust's own allocator    where it was allocated (28 bits)
//! word 1   heap                                             which thread did it
//! word 2   heap                                             its size, as asked for
//! ```
//!
//! Known misses: blocks of less than 16 bytes of a custom allocator have no note; of a block's end, only
//! the first KiB is looked at; a C library that brings an allocator of its own is not known as a heap.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::event::Nature;
use super::layout::sync_word_at;
use super::place::Place;
use super::thread::{self, Thread};
use super::variable::OF_HEAP;
use super::{maps, observed, ranges, variable};
use crate::probe;

const BASE: u32 = 1 << 30;
const ENDED: u32 = 1 << 29;
const CUSTOM: u32 = 1 << 28;
const SITE: u32 = CUSTOM - 1;
/// What fits into the second and third word.
const NUMBER: u32 = BASE - 1;
/// Blocks with fewer bytes have no note.
const SMALLEST: usize = 16;

/// Whether any thread is followed: else blocks are none of our business.
static ON: AtomicBool = AtomicBool::new(false);

/// From now on blocks are followed.
pub(super) fn start() {
    ON.store(true, Ordering::Release);
}

/// Whether blocks are followed.
#[inline]
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

const SITES: usize = 1 << 18;
/// Where blocks were allocated, found by hash; 0 is free.
static PLACES: [AtomicU64; SITES] = [const { AtomicU64::new(0) }; SITES];

/// The number of a place; 0 if there is no room for it.
fn number_of(place: Place) -> u32 {
    let hash = place.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    for step in 0..32 {
        let index = probe::slot(hash as usize, step, SITES).max(1);
        let there = PLACES[index].load(Ordering::Relaxed);
        if there == place.0 {
            return index as u32;
        }
        if there == 0 {
            match PLACES[index].compare_exchange(0, place.0, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return index as u32,
                Err(now) if now == place.0 => return index as u32,
                Err(_) => {}
            }
        }
    }
    0
}

/// Where to write a note, at the base of a block.
fn words(base: usize) -> *mut u32 {
    core::ptr::with_exposed_provenance_mut(sync_word_at(base))
}

/// Writes the note of a block of at least [`SMALLEST`] bytes, whose words are all 0.
fn note(base: usize, size: usize, thread: u32, site: u32) {
    let words = words(base);
    // SAFETY: within the sync plane, three words of a block that has at least four; nobody else knows of
    // the block's memory yet.
    unsafe {
        words.write_volatile(OF_HEAP | BASE | site);
        words.add(1).write_volatile(OF_HEAP | thread & NUMBER);
        words.add(2).write_volatile(OF_HEAP | size.min(NUMBER as usize) as u32);
    }
}

/// A block of `room` bytes begins, of which the program asked for `size`.
#[inline]
pub(super) fn begun(base: usize, room: usize, size: usize, custom: bool, code: usize) {
    maps::forget_accesses(base, room);
    // SAFETY: the calling thread's own, if not null.
    let Some(thread) = (unsafe { thread::current().as_mut() }) else { return };
    thread.last_block = base;
    if room < SMALLEST {
        return;
    }
    let site = number_of(observed::place_of(thread, code));
    note(base, size, thread.number, site | if custom { CUSTOM } else { 0 });
}

/// A block of libc's that had `old` bytes has `room` now, of which the program asks for `size`, and lies
/// where it was: only what is new of it has no past.
pub(super) fn resized(base: usize, (old, room): (usize, usize), size: usize, code: usize) {
    maps::forget_accesses(base + old, room.saturating_sub(old));
    // SAFETY: the calling thread's own, if not null.
    let Some(thread) = (unsafe { thread::current().as_mut() }) else { return };
    thread.last_block = base;
    if room >= SMALLEST {
        note(base, size, thread.number, number_of(observed::place_of(thread, code)));
    }
}

/// Bytes at the beginning of a block that its end is compared with.
const COMPARED: usize = 1 << 10;

/// A block of `room` bytes is about to end, or to be moved by the allocator.
#[inline]
pub(super) fn ending(base: usize, room: usize, code: usize) {
    let thread = thread::current();
    if thread.is_null() {
        return variable::forget(base & !3, room);
    }
    // SAFETY: the calling thread's own.
    if unsafe { (*thread).ignore == 0 && !(*thread).busy } {
        // SAFETY: the calling thread gives the block back.
        unsafe { ranges::range_of::<true>(base, room.min(COMPARED), code, Nature::Free) };
    }
    thread::gives_memory_back();
    super::enter((), |_| variable::forget(base & !3, room));
}

/// Blocks that a thread freed and that the allocator does not have back yet. All zero: none.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Quarantine {
    /// A ring of bases and sizes.
    blocks: [(usize, u32); Quarantine::BLOCKS],
    next: u32,
    count: u32,
    bytes: u32,
}

impl Quarantine {
    const BLOCKS: usize = 64;
    /// The largest block that is kept, and how many bytes of them.
    const LARGEST: usize = 1 << 11;
    const BYTES: u32 = 1 << 15;

    fn push(&mut self, base: usize, room: u32) {
        self.blocks[self.next as usize] = (base, room);
        self.next = (self.next + 1) % Quarantine::BLOCKS as u32;
        self.count += 1;
        self.bytes += room;
    }

    /// The oldest block if there are too many, or anyway if `all`.
    fn pop(&mut self, all: bool) -> Option<usize> {
        let too_many = self.count as usize == Quarantine::BLOCKS || self.bytes > Quarantine::BYTES;
        if self.count == 0 || !(all || too_many) {
            return None;
        }
        let oldest = (self.next as usize + Quarantine::BLOCKS - self.count as usize) % Quarantine::BLOCKS;
        let (base, room) = self.blocks[oldest];
        self.count -= 1;
        self.bytes -= room;
        Some(base)
    }
}

/// A block of libc's that has ended goes to the calling thread's quarantine, if it may; else it is to be
/// given back at once. `give_back` gets those that have been there long enough.
#[inline]
pub(super) fn keep(base: usize, room: usize, mut give_back: impl FnMut(usize)) -> bool {
    if !(SMALLEST..=Quarantine::LARGEST).contains(&room) {
        return false;
    }
    // SAFETY: the calling thread's own, if not null.
    let Some(thread) = (unsafe { thread::current().as_mut() }) else { return false };
    if thread.busy {
        return false;
    }
    let words = words(base);
    // SAFETY: as in `note`; the block is nobody's.
    unsafe {
        words.write_volatile(OF_HEAP | BASE | ENDED);
        words.add(2).write_volatile(OF_HEAP | room as u32);
    }
    while let Some(old) = thread.quarantine.pop(false) {
        forget_note(old);
        give_back(old);
    }
    thread.quarantine.push(base, room as u32);
    true
}

fn forget_note(base: usize) {
    let words = words(base);
    // SAFETY: as in `note`; the block is nobody's.
    unsafe {
        words.write_volatile(0);
        words.add(1).write_volatile(0);
        words.add(2).write_volatile(0);
    }
}

/// The thread ends: the allocator gets its blocks back.
pub(super) fn end_of_thread(thread: &mut Thread) {
    while let Some(old) = thread.quarantine.pop(true) {
        forget_note(old);
        super::allocator::give_back(old);
    }
}

/// A block of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) base: usize,
    pub(super) size: usize,
    /// The recorder's number of the thread that allocated it, 0 if that is not known.
    pub(super) thread: u32,
    /// Where that was; default if it is not known.
    pub(super) place: Place,
    pub(super) ended: bool,
}

/// How far back a base is looked for word by word, and then page by page.
const NEAR: usize = 1 << 20;
const FAR: usize = 1 << 30;
const PAGE: usize = 4096;
/// Where within its first page a large block of libc's begins.
const LARGE_OFFSET: usize = 16;

/// The block that `address` lies in.
pub(super) fn block_of(address: usize) -> Option<Found> {
    if !is_on() {
        return None;
    }
    let mut at = address & !3;
    while at > address.saturating_sub(NEAR) {
        if let Some(found) = block_at(at) {
            return (address < found.base + found.size.max(1)).then_some(found);
        }
        at -= 4;
    }
    let mut page = at & !(PAGE - 1);
    while page > address.saturating_sub(FAR) {
        if let Some(found) = block_at(page + LARGE_OFFSET) {
            return (address < found.base + found.size.max(1)).then_some(found);
        }
        page -= PAGE;
    }
    None
}

/// The block that begins at `base`, or within the four bytes from there.
fn block_at(base: usize) -> Option<Found> {
    let word = variable::note_at(base);
    if word & BASE == 0 {
        return None;
    }
    let place = PLACES[(word & SITE) as usize % SITES].load(Ordering::Relaxed);
    Some(Found {
        base,
        size: (variable::note_at(base + 8) & NUMBER) as usize,
        thread: variable::note_at(base + 4) & NUMBER,
        place: Place(place),
        ended: word & ENDED != 0,
    })
}

/// The size of the block at `base`, as it was asked for, if it is of an allocator of Rust that is not
/// libc's.
pub(super) fn custom_size(base: usize) -> Option<usize> {
    let word = variable::note_at(base);
    let is_custom = word & BASE != 0 && word & CUSTOM != 0;
    is_custom.then(|| (variable::note_at(base + 8) & NUMBER) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_number() {
        let (one, other) = (Place(0x77_0000_1234), Place(0x78_0000_1234));
        assert_eq!(number_of(one), number_of(one));
        assert_ne!(number_of(one), number_of(other));
        assert_eq!(PLACES[number_of(one) as usize].load(Ordering::Relaxed), one.0);
    }

    #[test]
    fn the_quarantine_keeps_few_blocks_and_few_bytes() {
        let mut quarantine = Quarantine { blocks: [(0, 0); 64], next: 0, count: 0, bytes: 0 };
        let mut given = Vec::new();
        for block in 1..=200 {
            while let Some(old) = quarantine.pop(false) {
                given.push(old);
            }
            quarantine.push(block, 16);
        }
        assert_eq!(given, (1..=136).collect::<Vec<_>>());
        for block in 201..=240 {
            while quarantine.pop(false).is_some() {}
            quarantine.push(block, 2048);
        }
        assert!(quarantine.bytes <= Quarantine::BYTES + 2048);
        let rest: Vec<_> = core::iter::from_fn(|| quarantine.pop(true)).collect();
        assert_eq!(rest.last(), Some(&240));
        assert_eq!((quarantine.count, quarantine.bytes), (0, 0));
    }
}
