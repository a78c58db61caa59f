//! Slots: the 256 names under which threads stand in shadow memory and in clocks.
//!
//! A thread holds a slot while it lives and counts epochs in it; who comes after it goes on where it left
//! off. New threads get, in this order: a free slot whose last epoch they know of; one that nobody had;
//! the one that was freed longest ago; that of a thread that sleeps; that of any thread.
//!
//! Invariants:
//! * A slot's epochs only grow within an era. Two threads that have one after the other the same slot
//!   may be taken for one: what the one did may seem to be ordered before what the other did, or to be
//!   its own. That hides races and makes none, since a clock that knows an epoch of a slot only ever
//!   claims too much.
//! * When epochs have run out, a new era begins: shadow memory is cleared, and the slots that are free
//!   begin anew. Whoever holds a clock drops the entries of those slots when it next uses it, having
//!   looked at the era only *after* it has taken the lock of what it joins with: so nothing of the new
//!   era is ever dropped.
//! * A slot that was taken from a running thread, which goes on with it until it notices at its next
//!   operation that orders, is not begun anew before that. A sleeping one accesses nothing until it
//!   has noticed.
//! * Where nothing can be had, epochs stand still. That, too, only hides races.
//!
//! Source: the slots of ThreadSanitizer v3; eras without stopping the world are our own.

use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::clock::{Clock, LANES, LAST_EPOCH, SLOTS};
use super::counts;
use super::lock::Lock;
use super::thread::{self, Thread};
use super::{kernel, layout, review, ring};

/// No slot.
pub(super) const NONE: u32 = SLOTS as u32;
/// Epochs below the last that make a slot worth taking.
const WORTH: u32 = 64;

/// What a thread does, for those that look for a slot.
const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
/// It slept, and its slot is another thread's.
const ROBBED: u32 = 2;

#[repr(align(64))]
struct Slot {
    owner: AtomicPtr<Thread>,
    /// The last epoch begun in it.
    epoch: AtomicU32,
    /// The era in which it last began anew.
    renewed: AtomicU32,
    /// Running threads that lost it and have not noticed. Under the lock.
    stale: AtomicU32,
    /// When it was freed. Under the lock.
    freed: AtomicU32,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        owner: AtomicPtr::new(null_mut()),
        epoch: AtomicU32::new(0),
        renewed: AtomicU32::new(0),
        stale: AtomicU32::new(0),
        freed: AtomicU32::new(0),
    }
}; SLOTS];

static LOCK: Lock = Lock::new();
static ERA: AtomicU32 = AtomicU32::new(0);
/// Length that covers all slots ever used.
static LENGTH: AtomicU32 = AtomicU32::new(LANES as u32);
static LIVE: AtomicU32 = AtomicU32::new(0);
/// Above so many live threads those that sleep say so.
const CROWDED: u32 = 192;

/// What changes under the lock only.
struct Turn {
    freed: u32,
    hand: usize,
}

struct Shared(UnsafeCell<Turn>);

// SAFETY: only touched under the lock.
unsafe impl Sync for Shared {}

static TURN: Shared = Shared(UnsafeCell::new(Turn { freed: 0, hand: 0 }));

/// The era now. To be asked after the lock of what is joined with was taken.
#[inline]
pub(super) fn era() -> u32 {
    ERA.load(Ordering::Acquire)
}

/// How many entries of a clock count: all behind are 0.
#[inline]
pub(super) fn length() -> usize {
    LENGTH.load(Ordering::Relaxed) as usize
}

/// Drops the entries of slots that have begun anew since era `from`.
#[cold]
pub(super) fn drop_renewed(entries: &mut [u16], from: u32) {
    for (entry, slot) in entries.iter_mut().zip(&TABLE) {
        if slot.renewed.load(Ordering::Relaxed) > from {
            *entry = 0;
        }
    }
}

/// Whether `slot` has begun anew since era `from`.
pub(super) fn is_renewed(slot: usize, from: u32) -> bool {
    TABLE[slot % SLOTS].renewed.load(Ordering::Relaxed) > from
}

/// Brings the thread's clocks into `era`.
#[inline]
pub(super) fn refresh(thread: &mut Thread, era: u32) {
    if thread.era != era {
        refresh_slowly(thread, era);
    }
}

#[cold]
fn refresh_slowly(thread: &mut Thread, era: u32) {
    let from = thread.era;
    for clock in [&mut thread.clock, &mut thread.unacquired, &mut thread.fenced] {
        drop_renewed(clock.entries_mut(), from);
    }
    thread.era = era;
}

/// Gives the calling thread, of which `thread` knows but the slot, a slot.
pub(super) fn enter(thread: &mut Thread) {
    let live = LIVE.fetch_add(1, Ordering::Relaxed) + 1;
    counts::LIVE_THREADS.at_least(u64::from(live));
    thread.slot = NONE;
    attach(thread);
}

/// The calling thread ends: its slot is free.
pub(super) fn leave(thread: &mut Thread) {
    LIVE.fetch_sub(1, Ordering::Relaxed);
    let _held = LOCK.lock();
    give_up(thread);
    thread.slot = NONE;
}

/// Before an operation that orders: notices if the slot was lost, and looks again at what the thread did.
#[inline]
pub(super) fn notice(thread: &mut Thread) {
    if thread.history.has_news() {
        review::fence();
    }
    notice_behind_fence(thread);
}

/// As [`notice`], behind an atomic read-modify-write since the thread's last access.
#[inline]
pub(super) fn notice_behind_fence(thread: &mut Thread) {
    let slot = &TABLE[thread.slot as usize % SLOTS];
    let own = core::ptr::from_mut(thread);
    if slot.owner.load(Ordering::Relaxed) != own || thread.sleeping.load(Ordering::Relaxed) != AWAKE {
        return notice_slowly(thread);
    }
    if thread.history.has_news() {
        // SAFETY: the calling thread's own.
        unsafe { review::of_news(own) };
    }
}

/// Whether the thread has its slot and may use it.
pub(super) fn has_its_own(thread: &Thread) -> bool {
    let owner = TABLE[thread.slot as usize % SLOTS].owner.load(Ordering::Relaxed);
    core::ptr::eq(owner, thread) && thread.sleeping.load(Ordering::Relaxed) == AWAKE
}

#[cold]
fn notice_slowly(thread: &mut Thread) {
    wake(thread);
    let own = core::ptr::from_mut(thread);
    if thread.slot == NONE || TABLE[thread.slot as usize % SLOTS].owner.load(Ordering::Relaxed) != own {
        {
            let _held = LOCK.lock();
            give_up(thread);
        }
        attach(thread);
    }
    thread.history.reviewed();
}

/// The thread is about to wait, and will access nothing before it wakes.
#[inline]
pub(super) fn sleep(thread: &mut Thread) {
    if LIVE.load(Ordering::Relaxed) > CROWDED && thread.sleeping.load(Ordering::Relaxed) == AWAKE {
        thread.ignore += 1;
        thread.sleeping.store(ASLEEP, Ordering::Release);
    }
}

/// The thread goes on. Must be followed by looking whose the slot is.
fn wake(thread: &mut Thread) {
    match thread.sleeping.swap(AWAKE, Ordering::AcqRel) {
        AWAKE => return,
        ROBBED => thread.slot = NONE,
        _ => {}
    }
    thread.ignore -= 1;
}

/// Under the lock: the thread has its slot no more.
fn give_up(thread: &mut Thread) {
    if thread.slot == NONE {
        return;
    }
    thread.history.detach();
    let slot = &TABLE[thread.slot as usize % SLOTS];
    if slot.owner.load(Ordering::Relaxed) == core::ptr::from_mut(thread) {
        slot.epoch.fetch_max(thread.epoch, Ordering::Relaxed);
        slot.owner.store(null_mut(), Ordering::Relaxed);
        slot.freed.store(tick(), Ordering::Relaxed);
    } else {
        slot.stale.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Under the lock: a number that grows.
fn tick() -> u32 {
    // SAFETY: under the lock.
    let turn = unsafe { &mut *TURN.0.get() };
    turn.freed = turn.freed.wrapping_add(1);
    turn.freed
}

fn attach(thread: &mut Thread) {
    let _held = LOCK.lock();
    thread.slot = NONE;
    refresh(thread, era());
    let index = choose(&thread.clock).unwrap_or_else(|| {
        begin_era();
        refresh(thread, era());
        choose(&thread.clock).unwrap_or_else(rob)
    });
    let slot = &TABLE[index];
    let epoch = (slot.epoch.load(Ordering::Relaxed) + 1).min(LAST_EPOCH);
    slot.epoch.store(epoch, Ordering::Relaxed);
    slot.owner.store(core::ptr::from_mut(thread), Ordering::Relaxed);
    LENGTH.fetch_max((index + 1).next_multiple_of(LANES) as u32, Ordering::Relaxed);
    thread.slot = index as u32;
    thread.epoch = epoch;
    thread.clock.set(index, epoch as u16);
    thread.history.attach(thread.slot, epoch, thread.number);
    if thread::current() == core::ptr::from_mut(thread) {
        thread::set_keys(thread.slot, epoch);
    }
}

/// Under the lock: the best free slot for a thread with this clock.
fn choose(clock: &Clock) -> Option<usize> {
    let (mut unused, mut oldest) = (None, None);
    let now = tick();
    for (index, slot) in TABLE.iter().enumerate() {
        let epoch = slot.epoch.load(Ordering::Relaxed);
        let free = slot.owner.load(Ordering::Relaxed).is_null();
        if !free || epoch + WORTH > LAST_EPOCH {
            continue;
        }
        if epoch == 0 {
            unused = unused.or(Some(index));
        } else if u32::from(clock.epoch_of(index)) >= epoch {
            return Some(index);
        } else {
            let age = now.wrapping_sub(slot.freed.load(Ordering::Relaxed));
            if oldest.is_none_or(|(older, _)| age > older) {
                oldest = Some((age, index));
            }
        }
    }
    unused.or_else(|| {
        let (_, index) = oldest?;
        counts::SLOTS_SHARED.add();
        Some(index)
    })
}

/// Under the lock: takes a slot from its thread.
fn rob() -> usize {
    // SAFETY: under the lock.
    let turn = unsafe { &mut *TURN.0.get() };
    counts::SLOTS_SHARED.add();
    for asleep in [true, false] {
        for _ in 0..SLOTS {
            turn.hand = (turn.hand + 1) % SLOTS;
            let slot = &TABLE[turn.hand];
            let owner = slot.owner.load(Ordering::Relaxed);
            if slot.epoch.load(Ordering::Relaxed) + WORTH > LAST_EPOCH || owner.is_null() {
                continue;
            }
            // SAFETY: a thread is in the table as long as it exists, and leaves it under the lock; the
            // field may be touched by others.
            let sleeping = unsafe { &(*owner).sleeping };
            if sleeping.compare_exchange(ASLEEP, ROBBED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return turn.hand;
            }
            if !asleep {
                slot.stale.fetch_add(1, Ordering::Relaxed);
                // The other may be about to begin one more epoch.
                slot.epoch.fetch_add(1, Ordering::Relaxed);
                return turn.hand;
            }
        }
    }
    // All epochs are used up and all slots held: this thread shares the last epoch of one.
    let slot = &TABLE[turn.hand];
    if !slot.owner.load(Ordering::Relaxed).is_null() {
        slot.stale.fetch_add(1, Ordering::Relaxed);
    }
    turn.hand
}

/// Under the lock: the free slots begin anew, if there are any.
fn begin_era() {
    let next = era() + 1;
    let renewable = |slot: &&Slot| {
        slot.owner.load(Ordering::Relaxed).is_null() && slot.stale.load(Ordering::Relaxed) == 0
    };
    if TABLE.iter().filter(renewable).count() == 0 {
        return;
    }
    for (index, slot) in TABLE.iter().enumerate().filter(|(_, slot)| renewable(slot)) {
        slot.renewed.store(next, Ordering::Relaxed);
        slot.epoch.store(0, Ordering::Relaxed);
        ring::ring(index).forget();
    }
    if super::start::is_ready() {
        layout::CLEARED.fetch_add(1, Ordering::SeqCst);
        // SAFETY: shadow memory is the layer's own, and zeros say that nothing is known.
        unsafe { kernel::drop_pages(layout::SHADOW, layout::SHADOW_SIZE) };
    }
    counts::RESETS.add();
    ERA.store(next, Ordering::Release);
}

/// Begins a new epoch of the thread: what it does from now on does not belong to what was given on.
#[inline]
pub(super) fn advance(thread: &mut Thread) {
    if thread.epoch >= LAST_EPOCH {
        return move_on(thread);
    }
    thread.epoch += 1;
    let (index, epoch) = (thread.slot as usize % SLOTS, thread.epoch);
    TABLE[index].epoch.store(epoch, Ordering::Relaxed);
    thread.clock.set(index, epoch as u16);
    thread.history.mark(epoch, thread.seq);
    thread::set_keys(thread.slot, epoch);
}

/// The epochs of the thread's slot are used up.
#[cold]
fn move_on(thread: &mut Thread) {
    {
        let _held = LOCK.lock();
        give_up(thread);
    }
    attach(thread);
}

/// Whether a clock was ever told more than is known to be true.
static GUESSED: AtomicBool = AtomicBool::new(false);

/// Whether a thread has taken something to be ordered that nothing is known to order: what it then does may
/// come after what others have not given on.
pub(super) fn has_guessed() -> bool {
    GUESSED.load(Ordering::Relaxed)
}

/// All that was done up to now happened before.
#[cold]
pub(super) fn learn_all(clock: &mut Clock) {
    GUESSED.store(true, Ordering::SeqCst);
    for (index, slot) in TABLE.iter().enumerate() {
        let epoch = slot.epoch.load(Ordering::Relaxed) as u16;
        clock.set(index, epoch.max(clock.epoch_of(index)));
    }
}

/// The first answer of `ask` about the threads that hold slots.
pub(super) fn find<R>(ask: impl Fn(&Thread) -> Option<R>) -> Option<R> {
    let _held = LOCK.lock();
    TABLE.iter().find_map(|slot| {
        // SAFETY: a thread is in the table as long as it exists, and leaves it under the lock. Its stack and
        // its number, which is what is asked for, do not change.
        unsafe { slot.owner.load(Ordering::Relaxed).as_ref() }.and_then(&ask)
    })
}

/// In a forked child: only the calling thread is left, and all that was done before is known to it.
///
/// # Safety
/// The only thread of the process calls this.
pub(super) unsafe fn after_fork_in_child(own: *mut Thread) {
    for (index, slot) in TABLE.iter().enumerate() {
        slot.stale.store(0, Ordering::Relaxed);
        let epoch = slot.epoch.load(Ordering::Relaxed);
        if !own.is_null() {
            // SAFETY: the calling thread's own.
            let clock = unsafe { &mut (*own).clock };
            let known = u32::from(clock.epoch_of(index)).max(epoch);
            clock.set(index, known as u16);
        }
        if slot.owner.load(Ordering::Relaxed) != own {
            slot.owner.store(null_mut(), Ordering::Relaxed);
        }
        ring::ring(index).forget();
    }
    LIVE.store(u32::from(!own.is_null()), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::super::lifetime::{alone, test_thread};
    use super::*;

    fn owner(slot: u32) -> *mut Thread {
        TABLE[slot as usize].owner.load(Ordering::Relaxed)
    }

    #[test]
    fn a_slot_goes_on_behind_the_epochs_of_its_last_thread() {
        let _alone = alone();
        let mut first = test_thread(80_001);
        advance(&mut first);
        let (slot, epoch) = (first.slot, first.epoch);
        let mut second = test_thread(80_002);
        assert_ne!(second.slot, slot);
        second.clock.set(slot as usize, epoch as u16);
        leave(&mut first);
        // Who knows the last epoch of a free slot gets it.
        let known = choose(&second.clock);
        assert_eq!(known, Some(slot as usize));
        leave(&mut second);
    }

    #[test]
    fn a_sleeping_thread_loses_its_slot_and_gets_another_when_it_wakes() {
        let _alone = alone();
        let mut threads: Vec<_> = (0..SLOTS as u32).map(|number| test_thread(81_000 + number)).collect();
        assert!(TABLE.iter().all(|slot| !slot.owner.load(Ordering::Relaxed).is_null()));
        let sleeper = &mut threads[40];
        let (slot, epoch) = (sleeper.slot, sleeper.epoch);
        sleep(sleeper);
        assert_eq!(sleeper.ignore, 1);
        let mut robber = test_thread(82_000);
        assert_eq!((robber.slot, robber.epoch > epoch), (slot, true));
        assert_eq!(TABLE[slot as usize].stale.load(Ordering::Relaxed), 0);
        let sleeper = &mut threads[40];
        notice(sleeper);
        assert_eq!((sleeper.ignore, owner(sleeper.slot)), (0, core::ptr::from_mut(&mut **sleeper)));
        assert_ne!(sleeper.slot, slot);
        assert_eq!(u32::from(sleeper.clock.epoch_of(slot as usize)), epoch);
        // Its new slot was a running thread's, which notices and gets one, too.
        for thread in threads.iter_mut().chain([&mut robber]) {
            notice(thread);
            assert!(thread.epoch > 0 && owner(thread.slot) == core::ptr::from_mut(&mut **thread));
            leave(thread);
        }
        assert!(TABLE.iter().all(|slot| slot.stale.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn epochs_without_end_begin_new_eras() {
        let _alone = alone();
        let (mut busy, mut other) = (test_thread(83_001), test_thread(83_002));
        let before = era();
        for _ in 0..(LAST_EPOCH as usize + 1) * (SLOTS + 2) {
            advance(&mut busy);
        }
        assert!(era() > before);
        other.clock.set(busy.slot as usize, LAST_EPOCH as u16);
        refresh(&mut other, era());
        assert_eq!(other.clock.epoch_of(busy.slot as usize), 0);
        assert_eq!(u32::from(busy.clock.epoch_of(busy.slot as usize)), busy.epoch);
        leave(&mut busy);
        leave(&mut other);
    }
}
