//! What is recorded around threads, which are the real std's.
//!
//! A `Thread` handle has no room for the recorder's number, so a table maps std's `ThreadId` to it.
//! Invariant: a thread stands in the table before anyone else can have its handle.
//!
//! Known misses: the table keeps the youngest 65,536 ids; an older thread is unparked or joined as
//! thread 0, unknown. A park that a real `unpark` inside std ends is told apart from a time-out by
//! the clock only.

use super::note;
use crate::engine::{What, before, yields};
use crate::ignore::Ignored;
use crate::recorder::{self, Place, record};
use core::cell::Cell;
use core::hash::{Hash, Hasher};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64};
use core::time::Duration;
use snag_trace::{Flags, Kind, Mode};
use std::thread::{self as real, ThreadId};
use std::time::Instant;

struct Known {
    /// Low half of the id, then the number.
    id_and_number: AtomicU64,
    /// How often it was unparked.
    unparks: AtomicU32,
}

const KNOWN: usize = 1 << 16;
static THREADS: [Known; KNOWN] =
    [const { Known { id_and_number: AtomicU64::new(0), unparks: AtomicU32::new(0) } }; KNOWN];

/// The integer in an id, which only hashing gives away on stable Rust.
fn integer(id: ThreadId) -> u64 {
    struct Catch(u64);
    impl Hasher for Catch {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes.iter().rev() {
                self.0 = self.0 << 8 | u64::from(*byte);
            }
        }
        fn write_u64(&mut self, value: u64) {
            self.0 = value;
        }
    }
    let mut catch = Catch(0);
    id.hash(&mut catch);
    catch.finish()
}

/// The integer in the calling thread's id.
#[must_use]
pub fn current_integer() -> u64 {
    integer(real::current().id())
}

fn known(id: ThreadId) -> (u64, &'static Known) {
    let id = integer(id);
    (id << 32, &THREADS[id as usize % KNOWN])
}

/// Says that the thread with this id has this number.
pub fn register(id: ThreadId, number: u32) {
    let (id, known) = known(id);
    if known.id_and_number.load(Relaxed) != id | u64::from(number) {
        known.id_and_number.store(id | u64::from(number), Release);
    }
}

/// The number of the thread with this id, 0 if it is not known.
#[must_use]
pub fn number_of(id: ThreadId) -> u32 {
    let (id, known) = known(id);
    let there = known.id_and_number.load(Acquire);
    if there & !u64::from(u32::MAX) == id { there as u32 } else { 0 }
}

/// Registers the calling thread, since its handle is about to be given away.
pub fn register_current() {
    if recorder::on() {
        register(real::current().id(), recorder::current_thread());
    }
}

/// A thread about to be spawned.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    number: u32,
    parent: u32,
    place: Option<Place>,
}

impl Child {
    /// Reserves a number and records the spawn, which comes next.
    #[must_use]
    pub fn spawn(place: Option<Place>) -> Child {
        if !recorder::on() {
            return Child { number: 0, parent: 0, place };
        }
        let parent = recorder::current_thread();
        let number = recorder::new_thread();
        record(Kind::Spawn, Mode::None, Flags::NONE, 0, place, u64::from(number));
        Child { number, parent, place }
    }

    /// To be held until the thread was created, or was refused.
    #[must_use = "the next thread that is created is taken for this one while it lives"]
    pub fn expected(self) -> Expected {
        Expected(Ignored::new())
    }

    /// The number, 0 if nothing is recorded.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// In the parent: the thread exists and has this id.
    pub fn spawned(self, id: ThreadId) {
        if self.number != 0 {
            register(id, self.number);
        }
    }

    /// In the child: runs its code.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                if real::panicking() {
                    recorder::thread_panicked();
                }
                #[cfg(any(snag_memory, test))]
                crate::memory::code_has_ended();
                #[cfg(snag_explore)]
                crate::engine::controlled::code_has_ended();
            }
        }
        if self.number == 0 {
            return work();
        }
        let me = real::current();
        register(me.id(), self.number);
        recorder::thread_begin(self.number, self.parent, self.place, me.name().unwrap_or(""));
        drop(me);
        let _end = End;
        #[cfg(any(snag_memory, test))]
        crate::memory::code_begins();
        work()
    }
}

/// A spawn under way, which may end in a panic of std's. What std does meanwhile orders nothing, but for
/// the spawn itself.
#[derive(Debug)]
pub struct Expected(Ignored);

impl Drop for Expected {
    fn drop(&mut self) {
        recorder::nothing_expected();
    }
}

/// A handle of a thread being dropped: not to be ordered after the thread's end by that, even if it is the
/// last to know of the thread. Whether it is, is chance.
#[must_use = "held while the handle is dropped"]
#[derive(Debug)]
pub struct Detaching {
    _ignored: Option<Ignored>,
}

impl Detaching {
    /// `drops` if dropping the thread's result runs the program's code.
    pub fn new(drops: bool) -> Detaching {
        Detaching { _ignored: (!drops).then(Ignored::new) }
    }
}

/// The calling thread is about to wait for the end of thread `number`.
pub fn joining(number: u32, place: Option<Place>) {
    record(Kind::Request, Mode::Join, Flags::NONE, 0, place, u64::from(number));
}

/// Thread `number` was joined.
pub fn joined(number: u32, place: Option<Place>) {
    record(Kind::Join, Mode::None, Flags::NONE, 0, place, u64::from(number));
}

/// A join under way; inert if nothing is recorded.
#[must_use = "a join that was begun ends"]
#[derive(Debug)]
pub struct Joining(Option<u32>, Option<Place>);

impl Joining {
    /// The calling thread is about to join the thread with this id. Said even if that one's code
    /// has ended: its thread-local destructors may still run, and block.
    pub fn begin(id: ThreadId, place: Option<Place>) -> Joining {
        let number = recorder::on().then(|| number_of(id));
        if let Some(number) = number {
            joining(number, place);
        }
        Joining(number, place)
    }

    /// The thread was joined.
    pub fn end(self) {
        if let Some(number) = self.0 {
            joined(number, self.1);
        }
    }
}

/// The thread with this id is about to be given its park token.
pub fn unparking(id: ThreadId, place: Option<Place>) {
    before(What::Unpark, core::ptr::from_ref(known(id).1).addr(), place);
    if recorder::on() {
        known(id).1.unparks.fetch_add(1, Release);
        record(Kind::Unpark, Mode::None, Flags::NONE, 0, place, u64::from(number_of(id)));
    }
}

/// Parks the calling thread, for at most `time`.
pub fn park(time: Option<Duration>, place: Option<Place>) {
    let me = real::current().id();
    before(What::Park, core::ptr::from_ref(known(me).1).addr(), place);
    if !recorder::on() {
        return time.map_or_else(real::park, real::park_timeout);
    }
    register(me, recorder::current_thread());
    let unparks = &known(me).1.unparks;
    // Token or not: the real parker does not say.
    let flags = Flags::TIMED.when(time.is_some());
    note(Kind::Request, Mode::Park, flags, 0, place);
    let Some(time) = time else {
        real::park();
        return note(Kind::ParkEnd, Mode::Park, flags, 0, place);
    };
    let before = unparks.load(Acquire);
    let start = Instant::now();
    real::park_timeout(time);
    let in_vain = start.elapsed() >= time && unparks.load(Acquire) == before;
    note(Kind::ParkEnd, Mode::Park, flags.and(Flags::TIMED_OUT.when(in_vain)), 0, place);
}

/// Runs `sleep`, which lets time pass.
pub fn sleeping(sleep: impl FnOnce(), place: Option<Place>) {
    note(Kind::Request, Mode::Sleep, Flags::TIMED, 0, place);
    sleep();
    note(Kind::GiveUp, Mode::Sleep, Flags::TIMED.and(Flags::TIMED_OUT), 0, place);
}

std::thread_local! {
    /// The last pause: the address of its place, how many are recorded in a row, and where the record
    /// after it goes.
    static PAUSED: Cell<(usize, u32, usize)> = const { Cell::new((0, 0, 0)) };
}

/// The calling thread lets others run, or spins: it may be looking for something that is not recorded.
/// Of many pauses at one place with nothing between them two are recorded.
pub fn pausing(place: Option<Place>) {
    let at = place.map_or(0, |place| core::ptr::from_ref(place).addr());
    yields(place);
    if !recorder::on() {
        return;
    }
    let (last, times, position) = PAUSED.get();
    let again = last == at && position == recorder::position();
    if again && times >= 2 {
        return;
    }
    note(Kind::GiveUp, Mode::None, Flags::TRY, 0, place);
    PAUSED.set((at, if again { 2 } else { 1 }, recorder::position()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_id_gives_its_integer_away() {
        let id = real::current().id();
        assert_eq!(format!("{id:?}"), format!("ThreadId({})", integer(id)));
    }

    #[test]
    fn a_registered_thread_is_found_until_another_takes_its_slot() {
        let here = real::current().id();
        let there = real::spawn(|| real::current().id()).join().expect("no panic");
        register(here, 7);
        assert_eq!(number_of(here), 7);
        assert_eq!(number_of(there), 0);
    }
}
