//! Chunks: where one thread's records go, and the pool of half-full ones that ended threads left.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use snag_trace::layout::{CHUNK_SIZE, MAX_PAYLOAD, RECORD_SIZE};

use super::process;

/// A mapped chunk and where its next record goes.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) index: u64,
    pub(super) start: *mut u8,
    pub(super) used: usize,
}

const POOL: usize = 64;
/// `index << 16 | used`, +1 so that 0 is an empty place. `used` is below 2^16: a full chunk is
/// not kept.
static PLACES: [AtomicU64; POOL] = [const { AtomicU64::new(0) }; POOL];
static MAYBE_SOME: AtomicBool = AtomicBool::new(false);

/// Room below which a chunk is not worth keeping: the longest record must fit behind `Owner`.
const WORTH: usize = MAX_PAYLOAD + 4 * RECORD_SIZE;

/// A chunk with room, from the pool or new.
pub(super) fn take() -> Option<Chunk> {
    let (kept, used) = match take_kept() {
        Some(value) => (Some(value >> 16), (value & 0xffff) as usize),
        None => (None, 0),
    };
    let (index, start) = process::map_chunk(kept)?;
    Some(Chunk { index, start, used })
}

fn take_kept() -> Option<u64> {
    if !MAYBE_SOME.load(Ordering::Relaxed) {
        return None;
    }
    for place in &PLACES {
        let value = place.load(Ordering::Acquire);
        if value != 0 && place.compare_exchange(value, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return Some(value - 1);
        }
    }
    MAYBE_SOME.store(false, Ordering::Relaxed);
    None
}

/// Gives a chunk back: unmaps it, and keeps its rest for the next thread.
pub(super) fn give_back(chunk: Chunk) {
    // SAFETY: the chunk was mapped by `take`, and its thread has dropped its pointers into it.
    unsafe { super::sys::unmap(chunk.start, CHUNK_SIZE) };
    if chunk.used + WORTH > CHUNK_SIZE {
        return;
    }
    let value = (chunk.index << 16 | chunk.used as u64) + 1;
    for place in &PLACES {
        if place.compare_exchange(0, value, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            MAYBE_SOME.store(true, Ordering::Relaxed);
            return;
        }
    }
}

/// In a forked child: the kept chunks are the parent's.
pub(super) fn forget_pool() {
    for place in &PLACES {
        place.store(0, Ordering::Relaxed);
    }
}
