//! What recorded operations order: locks, channels, barriers, onces, park tokens, joins.
//!
//! Invariants:
//! * An event that lets others go on gives its thread's clock to its object before it takes effect, and
//!   one that goes on because of others learns from the object after it: the recorder's rule.
//! * Readers of a lock order nothing among each other. A notify orders nothing: the lock does.
//! * The k-th message of a channel is received after it was sent, and where there is room for n of them
//!   sent after the (k − n)-th was received.
//! * An object that had to make room for another one, of which there are 131,072, leaves what it knows to
//!   a common place, of which everything learns that asks for an object that is not there. So do objects
//!   without a number.
//!
//! Source: `analyzer::model::happens_before`, but for what holds only of the schedule that was seen.

use core::cell::UnsafeCell;

use snag_trace::{Flags, Kind, Mode};

use super::arena;
use super::lock::Lock;
use super::stored::Stored;
use super::thread::Thread;
use super::{lifetime, slots};

/// What is known of one object.
struct State {
    object: u32,
    /// The thread that knows all that is in here; 0 if none does.
    knower: u32,
    /// Left by exclusive holders, ended initialisers, unparking threads.
    exclusive: Stored,
    /// Left by shared holders, the receiver that is gone.
    shared: Stored,
    /// Left by senders that are gone.
    ended: Stored,
    /// Generations of a barrier, and a clock for those before.
    generations: [(u64, Stored); 2],
    earlier: Stored,
    /// Of a channel: what was sent and not received, and what was received and not yet sent again.
    messages: *mut Queue,
    rooms: *mut Queue,
}

struct Entry {
    lock: Lock,
    state: UnsafeCell<State>,
}

// SAFETY: only touched under the lock.
unsafe impl Sync for Entry {}

impl Entry {
    const fn new() -> Entry {
        let state = State {
            object: 0,
            knower: 0,
            exclusive: Stored::new(),
            shared: Stored::new(),
            ended: Stored::new(),
            generations: [(0, Stored::new()), (0, Stored::new())],
            earlier: Stored::new(),
            messages: core::ptr::null_mut(),
            rooms: core::ptr::null_mut(),
        };
        Entry { lock: Lock::new(), state: UnsafeCell::new(state) }
    }
}

const ENTRIES: usize = 1 << 17;
static TABLE: [Entry; ENTRIES] = [const { Entry::new() }; ENTRIES];
/// What objects left that had to make room.
static COMMON: Entry = Entry::new();

/// Clocks in a queue; each stands for one or more numbers in a row.
const QUEUE: usize = 64;

/// Clocks under growing numbers, all zero when empty.
#[repr(C)]
struct Queue {
    first: u32,
    count: u32,
    items: [Item; QUEUE],
}

#[repr(C)]
struct Item {
    last: u64,
    clock: Stored,
}

impl Queue {
    /// Leaves the thread's clock under `number`, which is larger than all before.
    fn push(&mut self, number: u64, thread: &Thread, era: u32) {
        if self.count as usize == QUEUE {
            let last = &mut self.items[(self.first as usize + QUEUE - 1) % QUEUE];
            last.last = number;
            return last.clock.add(&thread.clock, era);
        }
        let next = &mut self.items[(self.first + self.count) as usize % QUEUE];
        next.last = number;
        next.clock.set(&thread.clock, era);
        self.count += 1;
    }

    /// Learns what was left under `number`, and forgets what was left under smaller ones.
    fn pop(&mut self, number: u64, thread: &mut Thread, era: u32) {
        while self.count > 0 {
            let first = &mut self.items[self.first as usize % QUEUE];
            let last = first.last;
            if last >= number {
                thread.clock.join(first.clock.entries(era));
            }
            if last > number {
                return;
            }
            first.clock.clear();
            self.first = (self.first + 1) % QUEUE as u32;
            self.count -= 1;
            if last == number {
                return;
            }
        }
    }
}

/// The queue at `place`, made if there is none.
fn queue(place: &mut *mut Queue) -> Option<&mut Queue> {
    if place.is_null() {
        *place = arena::take(size_of::<Queue>()).cast();
    }
    // SAFETY: null, or from the arena as zeros, for this alone; the object's lock is held.
    unsafe { place.as_mut() }
}

/// Forgets a queue, after `each` was done with its clocks.
fn drop_queue(place: &mut *mut Queue, mut each: impl FnMut(&mut Stored)) {
    // SAFETY: as in `queue`.
    let Some(queue) = (unsafe { place.as_mut() }) else { return };
    for item in &mut queue.items {
        each(&mut item.clock);
        item.clock.release();
    }
    // SAFETY: from the arena for this size.
    unsafe { arena::give_back(place.cast(), size_of::<Queue>()) };
    *place = core::ptr::null_mut();
}

impl State {
    /// Does `each` with every clock, and leaves the state empty, for `object`.
    fn renew(&mut self, object: u32, mut each: impl FnMut(&mut Stored)) {
        let [one, other] = &mut self.generations;
        for clock in [
            &mut self.exclusive,
            &mut self.shared,
            &mut self.ended,
            &mut self.earlier,
            &mut one.1,
            &mut other.1,
        ] {
            each(clock);
            clock.release();
        }
        (one.0, other.0) = (0, 0);
        drop_queue(&mut self.messages, &mut each);
        drop_queue(&mut self.rooms, &mut each);
        (self.object, self.knower) = (object, 0);
    }

    fn arrive(&mut self, generation: u64, thread: &Thread, era: u32) {
        let (there, clock) = &mut self.generations[generation as usize % 2];
        if *there != generation {
            // Some may not have left that one yet.
            self.earlier.add_entries(clock.entries(era), era);
            clock.clear();
            *there = generation;
        }
        clock.add(&thread.clock, era);
    }

    fn leave(&mut self, generation: u64, thread: &mut Thread, era: u32) {
        let (there, clock) = &mut self.generations[generation as usize % 2];
        let clock = if *there == generation { clock } else { &mut self.earlier };
        thread.clock.join(clock.entries(era));
    }
}

/// Whether an event gives something to its object, or learns from it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Gives,
    Learns,
}

/// Does `work` with the state of `object`. An object that is not there begins empty where something is
/// given to it, and else the common place is learnt from.
fn with(
    object: u32,
    thread: &mut Thread,
    direction: Direction,
    work: impl FnOnce(&mut State, &mut Thread, u32),
) {
    let entry = if object == 0 { &COMMON } else { &TABLE[object as usize % ENTRIES] };
    let _held = entry.lock.lock();
    let era = slots::era();
    slots::refresh(thread, era);
    // SAFETY: locked.
    let state = unsafe { &mut *entry.state.get() };
    if state.object != object {
        if direction == Direction::Gives {
            make_room(state, object, era);
        } else {
            let _common = COMMON.lock.lock();
            // SAFETY: locked.
            let common = unsafe { &mut *COMMON.state.get() };
            thread.clock.join(common.exclusive.entries(era));
            return;
        }
    }
    work(state, thread, era);
}

#[cold]
fn make_room(state: &mut State, object: u32, era: u32) {
    if state.object == 0 {
        state.object = object;
        return;
    }
    let _common = COMMON.lock.lock();
    // SAFETY: locked.
    let common = unsafe { &mut *COMMON.state.get() };
    common.knower = 0;
    state.renew(object, |clock| common.exclusive.add_entries(clock.entries(era), era));
}

/// Leaves the clock of a holder that gives up `object`, held in `mode`.
fn release(object: u32, mode: Mode, thread: &mut Thread) {
    with(object, thread, Direction::Gives, |state, thread, era| {
        if mode == Mode::Shared && object != 0 {
            state.shared.add(&thread.clock, era);
            state.knower = 0;
        } else if state.knower == thread.number {
            state.exclusive.set(&thread.clock, era);
        } else {
            state.exclusive.add(&thread.clock, era);
            state.knower = 0;
        }
    });
    slots::advance(thread);
}

/// Learns what a new holder of `object` in `mode` must know.
fn acquire(object: u32, mode: Mode, thread: &mut Thread) {
    with(object, thread, Direction::Learns, |state, thread, era| {
        if state.knower == thread.number {
            return;
        }
        thread.clock.join(state.exclusive.entries(era));
        if mode == Mode::Exclusive {
            thread.clock.join(state.shared.entries(era));
            state.knower = thread.number;
        }
    });
}

/// The number under which something without a recorded object is known, by its address or any other
/// number of its own. Two may share one: that orders more, never less.
const fn number_of(token: usize) -> u32 {
    let hash = (token as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    1 << 31 | hash as u32
}

/// The thread lets others go on, through what `token` stands for.
pub(super) fn gives(thread: &mut Thread, token: usize) {
    release(number_of(token), Mode::Shared, thread);
}

/// The thread goes on because of others, through what `token` stands for.
pub(super) fn learns(thread: &mut Thread, token: usize) {
    acquire(number_of(token), Mode::Exclusive, thread);
}

/// What a recorded event of the calling thread orders.
pub(super) fn happened(thread: &mut Thread, kind: Kind, mode: Mode, flags: Flags, object: u32, arg: u64) {
    match kind {
        Kind::Acquire => acquire(object, mode, thread),
        Kind::Give if object != 0 => release(object, Mode::Shared, thread),
        Kind::Learn if object != 0 => acquire(object, Mode::Exclusive, thread),
        // What was done before is not the child's alone, and what comes after is not in the child.
        Kind::Fork | Kind::Exec | Kind::Signal => slots::advance(thread),
        Kind::Release => release(object, mode, thread),
        Kind::Convert if mode == Mode::Exclusive => acquire(object, mode, thread),
        Kind::Convert => release(object, Mode::Exclusive, thread),
        Kind::OnceEnd => release(object, Mode::Exclusive, thread),
        Kind::OnceBegin | Kind::OncePass => acquire(object, Mode::Shared, thread),
        Kind::Send | Kind::Receive | Kind::SenderEnd | Kind::ReceiverEnd | Kind::Disconnected => {
            in_channel(thread, kind, mode, object, arg);
        }
        Kind::BarrierArrive => {
            with(object, thread, Direction::Gives, |state, thread, era| state.arrive(arg, thread, era));
            slots::advance(thread);
        }
        Kind::BarrierLeave => {
            with(object, thread, Direction::Learns, |state, thread, era| state.leave(arg, thread, era));
        }
        Kind::Join => lifetime::join(thread, arg as u32),
        Kind::ObjectEnd => end(object),
        Kind::Unpark => unpark(thread, arg as u32),
        Kind::ParkEnd if !flags.has(Flags::TIMED_OUT) => {
            let parked = parked(thread.number);
            let _held = parked.lock.lock();
            // SAFETY: locked.
            lifetime::learn(thread, unsafe { &mut *parked.clock.get() });
        }
        Kind::Request => slots::sleep(thread),
        _ => {}
    }
}

fn in_channel(thread: &mut Thread, kind: Kind, mode: Mode, object: u32, arg: u64) {
    match kind {
        Kind::Send => with(object, thread, Direction::Gives, |state, thread, era| {
            if let Some(queue) = queue(&mut state.messages) {
                queue.push(arg, thread, era);
            }
        }),
        Kind::Receive => with(object, thread, Direction::Learns, |state, thread, era| {
            if let Some(queue) = queue(&mut state.messages) {
                queue.pop(arg, thread, era);
            }
        }),
        Kind::SenderEnd => with(object, thread, Direction::Gives, |state, thread, era| {
            state.ended.add(&thread.clock, era);
        }),
        Kind::ReceiverEnd => with(object, thread, Direction::Gives, |state, thread, era| {
            state.shared.add(&thread.clock, era);
        }),
        _ => with(object, thread, Direction::Learns, |state, thread, era| {
            let ends = if mode == Mode::Send { &mut state.shared } else { &mut state.ended };
            thread.clock.join(ends.entries(era));
        }),
    }
    if matches!(kind, Kind::Send | Kind::SenderEnd | Kind::ReceiverEnd) {
        slots::advance(thread);
    }
}

/// The receiver of channel `object` makes room for message `number`.
pub(super) fn room_given(thread: &mut Thread, object: u32, number: u64) {
    with(object, thread, Direction::Gives, |state, thread, era| {
        if let Some(queue) = queue(&mut state.rooms) {
            queue.push(number, thread, era);
        }
    });
    slots::advance(thread);
}

/// A sender puts message `number` into channel `object`.
pub(super) fn room_taken(thread: &mut Thread, object: u32, number: u64) {
    with(object, thread, Direction::Learns, |state, thread, era| {
        if let Some(queue) = queue(&mut state.rooms) {
            queue.pop(number, thread, era);
        }
    });
}

/// What those left who unparked a thread.
struct Parked {
    lock: Lock,
    clock: UnsafeCell<Stored>,
}

// SAFETY: only touched under the lock.
unsafe impl Sync for Parked {}

/// Threads that share a place in here learn of each other's unparkers.
const PARKED: usize = 1 << 12;
static PARKS: [Parked; PARKED] =
    [const { Parked { lock: Lock::new(), clock: UnsafeCell::new(Stored::new()) } }; PARKED];

fn parked(number: u32) -> &'static Parked {
    &PARKS[number as usize % PARKED]
}

/// The thread unparks thread `number`.
fn unpark(thread: &mut Thread, number: u32) {
    {
        let parked = parked(number);
        let _held = parked.lock.lock();
        let era = slots::era();
        slots::refresh(thread, era);
        // SAFETY: locked.
        unsafe { (*parked.clock.get()).add(&thread.clock, era) };
    }
    slots::advance(thread);
}

fn end(object: u32) {
    if object == 0 {
        return;
    }
    let entry = &TABLE[object as usize % ENTRIES];
    let _held = entry.lock.lock();
    // SAFETY: locked.
    let state = unsafe { &mut *entry.state.get() };
    if state.object == object {
        state.renew(0, |_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::super::lifetime::{alone, test_thread};
    use super::*;

    fn knows(thread: &Thread, other: &Thread, epoch: u32) -> bool {
        u32::from(thread.clock.epoch_of(other.slot as usize)) >= epoch
    }

    fn event(thread: &mut Thread, kind: Kind, mode: Mode, object: u32, arg: u64) {
        happened(thread, kind, mode, Flags::NONE, object, arg);
    }

    #[test]
    fn who_locks_knows_what_the_last_holder_did_before_unlocking_and_no_more() {
        let _alone = alone();
        let (mut one, mut two) = (test_thread(90_001), test_thread(90_002));
        event(&mut one, Kind::Acquire, Mode::Exclusive, 70_001, 0);
        let inside = one.epoch;
        event(&mut one, Kind::Release, Mode::Exclusive, 70_001, 0);
        assert!(!knows(&two, &one, inside));
        event(&mut two, Kind::Acquire, Mode::Exclusive, 70_001, 0);
        assert!(knows(&two, &one, inside));
        assert!(!knows(&two, &one, one.epoch));
        slots::leave(&mut one);
        slots::leave(&mut two);
    }

    #[test]
    fn readers_order_writers_and_not_each_other() {
        let _alone = alone();
        let (mut one, mut two, mut writer) = (test_thread(90_003), test_thread(90_004), test_thread(90_005));
        event(&mut one, Kind::Acquire, Mode::Shared, 70_002, 0);
        let inside = one.epoch;
        event(&mut one, Kind::Release, Mode::Shared, 70_002, 0);
        event(&mut two, Kind::Acquire, Mode::Shared, 70_002, 0);
        assert!(!knows(&two, &one, inside));
        event(&mut writer, Kind::Acquire, Mode::Exclusive, 70_002, 0);
        assert!(knows(&writer, &one, inside));
        for thread in [&mut one, &mut two, &mut writer] {
            slots::leave(thread);
        }
    }

    #[test]
    fn a_message_tells_what_its_sender_did_before_it_and_not_after() {
        let _alone = alone();
        let (mut sender, mut receiver) = (test_thread(90_006), test_thread(90_007));
        let mut epochs = [0; 100];
        for (number, epoch) in epochs.iter_mut().enumerate() {
            *epoch = sender.epoch;
            event(&mut sender, Kind::Send, Mode::None, 70_003, number as u64 + 1);
        }
        for number in 1..=100 {
            event(&mut receiver, Kind::Receive, Mode::None, 70_003, number);
            assert!(knows(&receiver, &sender, epochs[number as usize - 1]));
            if number < QUEUE as u64 {
                assert!(!knows(&receiver, &sender, epochs[number as usize]));
            }
        }
        slots::leave(&mut sender);
        slots::leave(&mut receiver);
    }

    #[test]
    fn a_barrier_orders_generations_and_not_the_next_one_s_arrivals() {
        let _alone = alone();
        let (mut fast, mut slow) = (test_thread(90_008), test_thread(90_009));
        let first = fast.epoch;
        event(&mut fast, Kind::BarrierArrive, Mode::Barrier, 70_004, 0);
        event(&mut slow, Kind::BarrierArrive, Mode::Barrier, 70_004, 0);
        event(&mut fast, Kind::BarrierLeave, Mode::Barrier, 70_004, 0);
        let second = fast.epoch;
        event(&mut fast, Kind::BarrierArrive, Mode::Barrier, 70_004, 1);
        event(&mut slow, Kind::BarrierLeave, Mode::Barrier, 70_004, 0);
        assert!(knows(&slow, &fast, first));
        assert!(!knows(&slow, &fast, second));
        slots::leave(&mut fast);
        slots::leave(&mut slow);
    }

    #[test]
    fn an_object_that_made_room_is_still_learnt_from() {
        let _alone = alone();
        let (mut one, mut two) = (test_thread(90_010), test_thread(90_011));
        let object = 70_005;
        let inside = one.epoch;
        event(&mut one, Kind::Release, Mode::Exclusive, object, 0);
        event(&mut one, Kind::Release, Mode::Exclusive, object + ENTRIES as u32, 0);
        event(&mut two, Kind::Acquire, Mode::Exclusive, object, 0);
        assert!(knows(&two, &one, inside));
        slots::leave(&mut one);
        slots::leave(&mut two);
    }
}
