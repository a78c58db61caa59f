//! Memory that processes share: where it is mapped, and every access to it that is new to the shadow memory.
//!
//! The shadow memory sees one process. What two of them do to the same bytes is found by the analyzer, from
//! the accesses that are recorded here: plain ones when a thread makes them for the first time in its epoch,
//! atomic ones always.
//!
//! Invariants:
//! * While nothing is mapped shared, all of this costs one look at a flag, on the slow path only.
//! * An access that the fast path lets pass was recorded before in the same epoch: whatever races with it
//!   races with that one. So epochs must begin anew wherever a thread lets other processes go on.
//! * An atomic takes a number before its effect and is recorded behind it: whoever reads what it wrote is
//!   recorded later than that number. None is left out but repetitions, which the first of them says: an
//!   order that was lost would make races of what is none. Plain accesses may be left out.
//! * A record is made longer only while its thread has neither learnt nor given anything since.
//!
//! Known misses: more mappings than there is room for; the recorder's own files, on purpose.

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use snag_trace::memory::{Access, AccessKind, Ordering as Order, SharedAccess};
use snag_trace::process::Shared;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::lock::Lock;
use super::thread::Thread;
use super::{counts, place, sample};
use crate::recorder::{self, At, Record, objects};

const RANGES: usize = 256;
/// Calls of an access that are told.
const DEPTH: usize = 16;
/// Places whose accesses are counted.
const PLACES: usize = 1 << 12;
/// So many plain accesses of each place are recorded, and then one of [`OF_MANY`].
const FIRST: u32 = 1 << 11;
const OF_MANY: u32 = 64;
/// Plain accesses of a process that are recorded at most.
const MOST: u64 = 1 << 20;

/// One mapping. All zero while unused.
struct Range {
    start: AtomicUsize,
    end: AtomicUsize,
    object: AtomicU32,
    /// Of its first byte in what the memory is made of.
    offset: AtomicU64,
}

static TABLE: [Range; RANGES] = [const {
    Range {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        object: AtomicU32::new(0),
        offset: AtomicU64::new(0),
    }
}; RANGES];
/// How many entries were ever in use.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Odd while the table changes.
static CHANGES: AtomicUsize = AtomicUsize::new(0);
static LOCK: Lock = Lock::new();

static COUNTS: [AtomicU32; PLACES] = [const { AtomicU32::new(0) }; PLACES];
static RECORDED: AtomicU64 = AtomicU64::new(0);

/// A range as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    start: usize,
    end: usize,
    object: u32,
    offset: u64,
}

impl Range {
    fn get(&self) -> Found {
        Found {
            start: self.start.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
            object: self.object.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
        }
    }

    fn set(&self, new: Found) {
        self.start.store(new.start, Ordering::Relaxed);
        self.end.store(new.end, Ordering::Relaxed);
        self.object.store(new.object, Ordering::Relaxed);
        self.offset.store(new.offset, Ordering::Relaxed);
    }
}

const NONE: Found = Found { start: 0, end: 0, object: 0, offset: 0 };

/// The range that `address` lies in; nothing while the table changes.
fn find(address: usize) -> Option<Found> {
    for _ in 0..4 {
        let before = CHANGES.load(Ordering::Acquire);
        if !before.is_multiple_of(2) {
            super::kernel::yield_now();
            continue;
        }
        let ranges = &TABLE[..USED.load(Ordering::Relaxed).min(RANGES)];
        let found = ranges.iter().map(Range::get).find(|range| (range.start..range.end).contains(&address));
        core::sync::atomic::fence(Ordering::Acquire);
        if CHANGES.load(Ordering::Relaxed) == before {
            return found;
        }
    }
    None
}

fn change(body: impl FnOnce()) {
    let _held = LOCK.lock();
    CHANGES.fetch_add(1, Ordering::AcqRel);
    body();
    CHANGES.fetch_add(1, Ordering::Release);
}

/// Puts a range into the table; false if there is no room.
fn put(new: Found) -> bool {
    let free = TABLE.iter().position(|range| range.end.load(Ordering::Relaxed) == 0);
    if let Some(free) = free {
        TABLE[free].set(new);
        USED.fetch_max(free + 1, Ordering::Relaxed);
    }
    free.is_some()
}

/// The program has mapped `len` bytes at `address` that others may map as well, by the code at `code`.
pub(super) fn mapped(address: usize, len: usize, code: usize) {
    if !recorder::on() || !recorder::is_kept() {
        return;
    }
    let Some(mapping) = recorder::mapping_of(address) else { return };
    let shared = mapping.at(address);
    let key = Shared { offset: 0, ..shared };
    let object = objects::by_key_at(ObjectKind::SharedMemory, key, At::Called(code));
    let end = address + len.next_multiple_of(super::kernel::PAGE);
    let new = Found { start: address, end, object, offset: shared.offset };
    unmapped(address, len);
    change(|| {
        if put(new) {
            sample::set_unusual();
        } else {
            counts::SHARED_DROPPED.add();
        }
    });
}

/// `len` bytes at `address` are not what they were, or will not be.
pub(super) fn unmapped(address: usize, len: usize) {
    let end = address + len.next_multiple_of(super::kernel::PAGE);
    let touches = |range: Found| range.start < end && address < range.end;
    let ranges = &TABLE[..USED.load(Ordering::Relaxed).min(RANGES)];
    if !ranges.iter().any(|range| touches(range.get())) {
        return;
    }
    objects::forget_between(address, end);
    change(|| {
        for range in ranges {
            let whole = range.get();
            if !touches(whole) {
                continue;
            }
            range.set(NONE);
            if whole.start < address {
                put(Found { end: address, ..whole });
            }
            if whole.end > end {
                let offset = whole.offset + (end - whole.start) as u64;
                put(Found { start: end, offset, ..whole });
            }
        }
    });
}

/// A segment of System V was attached.
pub(super) fn attached(address: usize, code: usize) {
    if let Some(mapping) = recorder::mapping_of(address) {
        super::maps::forget_mapping(address, mapping.end - address);
        mapped(address, mapping.end - address, code);
    }
}

/// The segment at `address` is about to be detached.
pub(super) fn detached(address: usize) {
    if let Some(mapping) = recorder::mapping_of(address) {
        super::maps::forget_mapping(address, mapping.end - address);
        unmapped(address, mapping.end - address);
    }
}

/// A mapping was moved or its size changed.
pub(super) fn remapped(from: usize, old: usize, to: usize, new: usize, code: usize) {
    let was_shared = find(from).is_some();
    unmapped(from, old);
    if was_shared {
        mapped(to, new, code);
    }
}

/// What a thread remembers of its last records, by place.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Recent {
    /// Code and context, 0 if none.
    place: u64,
    write: bool,
    /// Behind the bytes that the record has.
    next: usize,
    size: u32,
    record: Record,
    /// [`Thread::syncs`] when it was made.
    syncs: u64,
}

/// How many places a thread remembers.
pub(super) const RECENT: usize = 8;

/// The atomic that a thread recorded last.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct LastAtomic {
    address: usize,
    code: usize,
    /// None before the first one: zero, as `AccessKind` has no such value.
    kind: Option<AccessKind>,
    read: u64,
    written: u64,
    record: Record,
    /// Where the next record would go: unchanged if there was none.
    position: usize,
}

/// A plain access of the calling thread, which is new to the shadow memory. Nothing if the memory is its
/// process's alone.
///
/// # Safety
/// `thread` is the calling thread's, not ignoring.
pub(super) unsafe fn plain(thread: *mut Thread, write: bool, address: usize, size: usize, pc: usize) {
    let Some(found) = find(address) else { return };
    let place = u64::from(place::code_of(pc)) << 32 | u64::from(super::context::current());
    // SAFETY: the caller's promise.
    let own = unsafe { &mut *thread };
    let recent = &mut own.shared[place_index(place) % RECENT];
    let goes_on = recent.place == place
        && recent.write == write
        && recent.next == address
        && recent.syncs == own.syncs
        && address < found.end;
    if goes_on && recorder::set_shared_size(recent.record, recent.size + size as u32) {
        recent.next = address + size;
        recent.size += size as u32;
        return;
    }
    if !is_wanted(place) {
        own.ignore += 1;
        counts::SHARED_DROPPED.add();
        own.ignore -= 1;
        return;
    }
    let kind = if write { AccessKind::Write } else { AccessKind::Read };
    let what = What { kind, ordering: Order::NotAtomic, size, address, pc, read: 0, value: 0, began: 0 };
    let record = record(own, found, &what);
    let syncs = own.syncs;
    own.shared[place_index(place) % RECENT] =
        Recent { place, write, next: address + size, size: size as u32, record, syncs };
}

const fn place_index(place: u64) -> usize {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

/// Whether one more access of this place is to be recorded.
fn is_wanted(place: u64) -> bool {
    let count = COUNTS[place_index(place) % PLACES].fetch_add(1, Ordering::Relaxed);
    (count < FIRST || count.is_multiple_of(OF_MANY)) && RECORDED.fetch_add(1, Ordering::Relaxed) < MOST
}

/// An access that is to be recorded.
struct What {
    kind: AccessKind,
    ordering: Order,
    size: usize,
    address: usize,
    pc: usize,
    read: u64,
    value: u64,
    began: u64,
}

fn record(own: &mut Thread, found: Found, what: &What) -> Record {
    own.ignore += 1;
    let mut stack = [0; DEPTH];
    let depth = super::stack_at(what.pc, &mut stack);
    let payload = snag_trace::memory::shared_access(&SharedAccess {
        offset: found.offset + (what.address - found.start) as u64,
        read: what.read,
        began: what.began,
        access: Access {
            thread: own.number,
            kind: what.kind,
            ordering: what.ordering,
            size: what.size as u32,
            address: what.address as u64,
            after: own.seq,
            value: what.value,
            stack: &stack[..depth],
        },
    });
    let record = recorder::record_shared(found.object, payload.as_slice());
    own.ignore -= 1;
    record
}

/// An atomic of the calling thread is about to take effect. Gives what [`did_atomic`] must be given, if the
/// memory is shared.
pub(super) fn begins_atomic(address: usize) -> Option<Begun> {
    find(address).map(|found| Begun { found, number: recorder::number() })
}

/// An atomic that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    found: Found,
    number: u64,
}

/// An atomic of the calling thread has taken effect.
pub(super) fn did_atomic(
    own: &mut Thread,
    begun: Begun,
    operation: &super::sync_var::Operation,
    read: Option<u64>,
    written: Option<u64>,
) {
    let kind = super::observed::kind_of(read.is_some(), written.is_some());
    let ordering = if written.is_some() { operation.ordering } else { operation.failure };
    let (seen, value) = (read.unwrap_or(0), written.or(read).unwrap_or(0));
    let last = own.last_shared;
    let changes_nothing = read.is_some() && written.is_none_or(|written| read == Some(written));
    let is_repeated = changes_nothing
        && (last.address, last.code) == (operation.address, operation.code)
        && (last.kind, last.read, last.written) == (Some(kind), seen, value)
        && last.position == recorder::position();
    if is_repeated && recorder::set_repeated(last.record) {
        return;
    }
    let (size, address, pc) = (operation.size, operation.address, operation.code);
    let what = What { kind, ordering, size, address, pc, read: seen, value, began: begun.number };
    let record = record(own, begun.found, &what);
    let position = recorder::position();
    own.last_shared =
        LastAtomic { address, code: pc, kind: Some(kind), read: seen, written: value, record, position };
}

/// The calling thread has passed a fence.
pub(super) fn fence(own: &mut Thread, ordering: Order) {
    own.ignore += 1;
    recorder::record(Kind::Fence, Mode::None, Flags::NONE, 0, None, ordering as u64);
    own.ignore -= 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_mapping_is_still_found() {
        const PAGE: usize = super::super::kernel::PAGE;
        let base = 0x5_0000_0000;
        change(|| assert!(put(Found { start: base, end: base + 4 * PAGE, object: 7, offset: 64 })));
        unmapped(base + PAGE, PAGE);
        assert_eq!(find(base + 10), Some(Found { start: base, end: base + PAGE, object: 7, offset: 64 }));
        assert_eq!(find(base + PAGE), None);
        let rest = find(base + 2 * PAGE).expect("it is still mapped");
        assert_eq!((rest.object, rest.offset), (7, 64 + 2 * PAGE as u64));
        unmapped(base, 4 * PAGE);
        assert_eq!((find(base), find(base + 3 * PAGE)), (None, None));
    }

    #[test]
    fn of_what_comes_often_only_a_part_is_recorded() {
        let wanted = (0..10_000).filter(|_| is_wanted(0x1234_5678)).count();
        assert!((FIRST as usize..FIRST as usize + 200).contains(&wanted), "{wanted}");
    }
}
