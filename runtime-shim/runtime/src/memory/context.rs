//! The calls that a thread is in: a stack of them per thread, and a table from which the calls of a past
//! access are known again.
//!
//! A context is a number mixed from the addresses of the calls, [`mix`], 0 outside of all. Entering a
//! function mixes in the address to which it returns; nothing is looked up. Only where an access is
//! remembered is its context made sure to be in the table, with the context and the call it came of.
//!
//! Invariants:
//! * A context of the table is the mix of the context and the call that it is said to come of. Where two
//!   ways lead to one number, the entry says so and the calls before it are not told.
//! * A thread's stack of calls is a ring: recursion that is deeper overwrites the outermost calls, and no
//!   memory besides. An entry that is not the mix of the one before it is not put into the table.
//!
//! Known misses: code without `__tsan_func_entry` has no context; `longjmp`.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::{kernel, place, thread};

/// Bytes of a thread's stack of calls, and the alignment of its memory.
const STACK: usize = 1 << 22;
/// What contexts are mixed with: odd, otherwise any number.
pub(super) const FACTOR: u32 = 0x9e37_79b1;

/// One call: the address to which it returns, and the context in it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Frame {
    pc: usize,
    context: u32,
}

/// The context of the calls of `context` and then the one that returns to `pc`.
const fn mix(context: u32, pc: usize) -> u32 {
    context.wrapping_add(pc as u32).wrapping_mul(FACTOR)
}

/// Mask of the bits of an address that lie within a stack of calls.
pub(super) const WITHIN: usize = STACK - 1;

/// A stack of calls with none on it, for [`thread::set_frames`]; 0 if there is no memory.
pub(super) fn new_stack() -> usize {
    let Some(memory) = kernel::map(2 * STACK) else { return 0 };
    memory.expose_provenance().next_multiple_of(STACK)
}

fn frame(top: usize) -> Frame {
    // SAFETY: `top` lies in a stack of calls, which is mapped for ever and made of frames.
    unsafe { core::ptr::with_exposed_provenance::<Frame>(top).read() }
}

const fn below(top: usize) -> usize {
    top & !WITHIN | top.wrapping_sub(size_of::<Frame>()) & WITHIN
}

/// The calling thread's context.
#[inline(always)]
pub(super) fn current() -> u32 {
    let top = thread::frames();
    if top == 0 { 0 } else { frame(top).context }
}

/// The addresses to which the calling thread's calls return, innermost first; gives how many there are.
pub(super) fn current_callers(into: &mut [u64]) -> usize {
    let mut top = thread::frames();
    if top == 0 {
        return 0;
    }
    for (count, caller) in into.iter_mut().enumerate() {
        let frame = frame(top);
        if frame.context == 0 && frame.pc == 0 {
            return count;
        }
        *caller = frame.pc as u64;
        top = below(top);
    }
    into.len()
}

/// The calling thread's innermost calls: where each stands in its stack of calls, and its context.
/// Untouched if the thread has no such stack.
#[inline]
pub(super) fn innermost(calls: &mut [(usize, u32)]) {
    let mut top = thread::frames();
    if top != 0 {
        for call in calls {
            *call = (top, frame(top).context);
            top = below(top);
        }
    }
}

/// A context of the table, all zero while unused.
#[repr(C)]
struct Entry {
    context: AtomicU32,
    /// The context it came of; its own number if two ways lead to it.
    parent: AtomicU32,
    /// The call, as [`place::code_of`].
    code: AtomicU32,
    /// Index of the next entry of its bucket, 0 if there is none.
    next: AtomicU32,
}

const ENTRIES: usize = 1 << 20;
/// Where schedules are explored, each page that is touched counts: see [`crate::probe`].
const BUCKET_BITS: u32 = if cfg!(snag_explore) { 10 } else { 14 };

static MEMORY: AtomicPtr<Entry> = AtomicPtr::new(null_mut());
static LAST: AtomicU32 = AtomicU32::new(0);
static BUCKETS: [AtomicU32; 1 << BUCKET_BITS] = [const { AtomicU32::new(0) }; 1 << BUCKET_BITS];

fn memory() -> *mut Entry {
    let there = MEMORY.load(Ordering::Acquire);
    if !there.is_null() {
        return there;
    }
    let Some(new) = kernel::map(ENTRIES * size_of::<Entry>()) else { return null_mut() };
    match MEMORY.compare_exchange(null_mut(), new.cast(), Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => new.cast(),
        Err(winner) => winner,
    }
}

/// # Safety
/// `memory` is that of the table, `index` below [`ENTRIES`].
unsafe fn entry(memory: *mut Entry, index: u32) -> &'static Entry {
    // SAFETY: the caller's promise; the table is mapped for ever, and zeros are an entry.
    unsafe { &*memory.add(index as usize) }
}

fn bucket(context: u32) -> &'static AtomicU32 {
    &BUCKETS[(context >> (32 - BUCKET_BITS)) as usize]
}

fn lookup(context: u32) -> Option<&'static Entry> {
    let memory = MEMORY.load(Ordering::Acquire);
    let mut index = bucket(context).load(Ordering::Acquire);
    while index != 0 {
        // SAFETY: the bucket has entries, so there is a table, and they are within it.
        let entry = unsafe { entry(memory, index) };
        if entry.context.load(Ordering::Relaxed) == context {
            return Some(entry);
        }
        index = entry.next.load(Ordering::Relaxed);
    }
    None
}

/// Puts `context` into the table; gives whether it was there already.
fn insert(context: u32, parent: u32, code: u32) -> bool {
    if let Some(entry) = lookup(context) {
        if entry.code.load(Ordering::Relaxed) != code || entry.parent.load(Ordering::Relaxed) != parent {
            entry.parent.store(context, Ordering::Relaxed);
        }
        return true;
    }
    let memory = memory();
    let index = LAST.load(Ordering::Relaxed) + 1;
    if memory.is_null() || index as usize >= ENTRIES {
        return true;
    }
    let index = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    if index as usize >= ENTRIES {
        return true;
    }
    // SAFETY: the table's memory, and an index within it.
    let entry = unsafe { entry(memory, index) };
    entry.context.store(context, Ordering::Relaxed);
    entry.parent.store(parent, Ordering::Relaxed);
    entry.code.store(code, Ordering::Relaxed);
    let bucket = bucket(context);
    let mut next = bucket.load(Ordering::Relaxed);
    loop {
        entry.next.store(next, Ordering::Relaxed);
        match bucket.compare_exchange(next, index, Ordering::Release, Ordering::Relaxed) {
            // Another thread may have put the same context in meanwhile: both say the same.
            Ok(_) => return false,
            Err(now) => next = now,
        }
    }
}

/// Makes sure that the calling thread's context is known; gives it.
pub(super) fn note_current() -> u32 {
    let top = thread::frames();
    if top == 0 {
        return 0;
    }
    let context = frame(top).context;
    note(top);
    context
}

fn note(mut top: usize) {
    for _ in 0..STACK / size_of::<Frame>() {
        let (called, caller) = (frame(top), frame(below(top)));
        if called.context == 0 || called.context != mix(caller.context, called.pc) {
            return;
        }
        if insert(called.context, caller.context, place::code_of(called.pc)) {
            return;
        }
        top = below(top);
    }
}

/// The addresses to which the calls of `context` return, innermost first; gives how many are known.
pub(super) fn callers(mut context: u32, into: &mut [u64]) -> usize {
    for (count, caller) in into.iter_mut().enumerate() {
        let Some(entry) = (if context == 0 { None } else { lookup(context) }) else { return count };
        let parent = entry.parent.load(Ordering::Relaxed);
        let address = place::address_of(entry.code.load(Ordering::Relaxed));
        if parent == context || address == 0 {
            return count;
        }
        *caller = address;
        context = parent;
    }
    into.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters a function as `__tsan_func_entry` does.
    fn enter(pc: usize) {
        let top = thread::frames();
        let next = top & !WITHIN | (top + size_of::<Frame>()) & WITHIN;
        let context = mix(frame(top).context, pc);
        // SAFETY: within the stack of calls.
        unsafe { core::ptr::with_exposed_provenance_mut::<Frame>(next).write(Frame { pc, context }) };
        thread::set_frames(next);
    }

    fn leave() {
        thread::set_frames(below(thread::frames()));
    }

    #[test]
    fn the_calls_of_a_noted_context_are_known_after_they_have_returned() {
        thread::set_frames(new_stack());
        let calls = [0x5000_0000_1001, 0x5000_0000_2002, 0x5000_0000_3003];
        for pc in calls {
            enter(pc);
        }
        let mut found = [0; 8];
        assert_eq!(current_callers(&mut found), 3);
        assert_eq!(found[..3], [calls[2] as u64, calls[1] as u64, calls[0] as u64]);
        let context = note_current();
        for _ in calls {
            leave();
        }
        assert_eq!(note_current(), 0);
        let mut again = [0; 8];
        assert_eq!(callers(context, &mut again), 3);
        assert_eq!(again, found);
        thread::set_frames(0);
    }

    #[test]
    fn recursion_without_end_stays_within_its_memory() {
        thread::set_frames(new_stack());
        for depth in 0..2 * STACK / size_of::<Frame>() + 5 {
            enter(0x6000_0000_0000 + depth % 3);
        }
        note_current();
        assert_eq!(current_callers(&mut [0; 64]), 64);
        thread::set_frames(0);
    }

    #[test]
    fn two_ways_to_one_number_are_told_by_neither() {
        let (one, other) = (0x1234_5678, 0x1111);
        assert!(!insert(one, 0, 0x77));
        assert!(insert(one, 0, 0x77));
        assert_eq!(callers(one, &mut [0; 4]), 1);
        assert!(insert(one, other, 0x78));
        assert_eq!(callers(one, &mut [0; 4]), 0);
    }
}
