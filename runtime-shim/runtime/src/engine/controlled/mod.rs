//! The engine under exploration: real threads of which exactly one runs at a time, and a scheduler that
//! says which.
//!
//! A thread, here a *task*, hands on only at a *point*: before an operation that others could notice, and
//! where it must wait. All primitives are the native engine's, whose only way to wait is a futex; here the
//! futex is the scheduler's, and so is that of the real std, of C's locks and of whatever else calls the
//! kernel for one. Time is the scheduler's as well ([`clock`]).
//!
//! Invariants:
//! * [`State`] is touched only by the task that holds the baton, or by a task that has just lost it to
//!   nobody else but the end of the execution.
//! * Nothing here allocates, panics, or calls what is interposed.
//! * Without a control file nothing is controlled, and every function here does what libc's would.
//! * What is decided depends on the control file's numbers and on what the tasks do, and on nothing
//!   else: no address of the heap, no process id, no clock of the kernel's is looked at.
//!
//! Why threads and not coroutines of one thread, as shuttle has: thread-local variables, of the program,
//! of std and of C, are then what they are, a debugger shows the threads, and a program that waits outside
//! of Rust can be seen to.
//!
//! Known misses: a thread that blocks in the kernel other than by a futex stops all others, until the
//! analyzer's patience ends; threads that something else than `pthread_create` starts are not controlled.

pub(crate) mod clock;
pub mod futex;
pub(crate) mod image;
mod kernel;
mod random;
pub(crate) mod serve;
mod strategy;
mod tasks;

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

pub use strategy::Operation;
pub(crate) use tasks::Ticket;

use snag_trace::control::CALLERS;
use tasks::{NOBODY, State};

/// Whether an execution is under way.
static ON: AtomicBool = AtomicBool::new(false);

std::thread_local! {
    /// The calling thread's task.
    static ME: Cell<usize> = const { Cell::new(NOBODY) };
}

/// The calling thread's task, if it is controlled.
#[inline]
fn me() -> Option<usize> {
    if !ON.load(Ordering::Relaxed) {
        return None;
    }
    // A thread whose thread-local variables are gone has handed on for the last time.
    ME.try_with(Cell::get).ok().filter(|&task| task != NOBODY)
}

/// Whether the calling thread is controlled.
#[inline]
pub(crate) fn is_controlled() -> bool {
    me().is_some()
}

/// Whether atomics may read what the C++20 memory model lets them read.
#[cfg(snag_memory)]
pub(crate) fn is_weak() -> bool {
    me().is_some() && serve::flags() & snag_trace::control::flags::WEAK != 0
}

/// Which of so many ways the atomic goes that the calling task is about; 0 is the newest store.
#[cfg(snag_memory)]
pub(crate) fn way(ways: usize) -> usize {
    me().map_or(0, |me| State::get().way(me, ways))
}

/// The calling task is about to make this operation.
#[inline]
pub fn point(operation: Operation) {
    if let Some(me) = me() {
        #[cfg(snag_memory)]
        if operation.yields {
            crate::memory::yields();
        }
        State::point(me, operation);
    }
}

/// Something that another task could notice has changed: what goes on is not a livelock.
pub fn changed() {
    if me().is_some() {
        State::get().changed();
    }
}

/// The calling thread, the only one of the process, is the first task.
pub(crate) fn begin() {
    ME.set(0);
    State::get().begin();
    ON.store(true, Ordering::Release);
}

/// A thread is about to be created; nothing if that is not controlled.
pub(crate) fn spawning() -> Option<Ticket> {
    Some(State::get().spawning(me()?))
}

/// The thread was created, and libc knows it by `handle`; or it was not, with 0.
pub(crate) fn spawned(ticket: Ticket, handle: usize) {
    if let Some(me) = me() {
        State::spawned(me, ticket, handle);
    }
}

/// The calling thread is the one of this ticket: waits until it may run.
pub(crate) fn enter(ticket: Ticket) {
    ME.set(ticket.task());
    State::enter(ticket.task());
}

/// The calling thread runs none of the program's code any more.
pub(crate) fn ended() {
    if let Some(me) = me() {
        ME.set(NOBODY);
        State::ended(me);
    }
}

/// Waits for the end of the thread that libc knows by `handle`.
pub(crate) fn join(handle: usize) {
    if let Some(me) = me() {
        let number = State::join(me, handle);
        #[cfg(snag_memory)]
        crate::memory::joined(number);
        #[cfg(not(snag_memory))]
        let _ = number;
    }
}

/// What the calling task's thread was begun for is done.
pub(crate) fn code_has_ended() {
    if let Some(me) = me() {
        State::get().code_has_ended(me);
    }
}

/// What an atomic may read was bounded.
#[cfg(snag_memory)]
pub(crate) fn has_bounded() {
    if me().is_some() {
        serve::strategies().has_bounded();
    }
}

/// The calling task has this number with the recorder.
pub(crate) fn is_number(number: u32) {
    if let Some(me) = me() {
        State::get().is_number(me, number);
    }
}

/// Waits until [`wake`] of this address or the moment `until`; false if that came first.
pub(crate) fn wait_until(address: usize, until: Option<u64>) -> bool {
    me().is_none_or(|me| State::wait(me, address, u32::MAX, until))
}

/// Whether waits of the calling thread may end for no reason from now on, as one for a condvar may.
pub(crate) fn may_wake_spuriously(may: bool) {
    if let Some(me) = me() {
        State::get().may_be_spurious(me, may);
    }
}

/// Lets at most `most` tasks go on that wait at this address.
pub(crate) fn wake(address: usize, most: usize) {
    if let Some(me) = me() {
        State::get().wake(me, address, most, u32::MAX);
    }
}

/// A race of memory was seen between the code at these addresses.
#[cfg(snag_memory)]
pub(crate) fn raced(now: usize, earlier: usize) {
    if me().is_some() {
        State::get().raced(now, earlier);
    }
}

/// Byte number `number` of what looks like chance to the program.
pub(crate) const fn noise(number: u64) -> u8 {
    random::mix(number ^ 0x5eed) as u8
}

/// The test has come to its end, and the process with it.
pub(crate) fn conclude(passed: bool) -> ! {
    State::get().conclude(passed, serve::said())
}

/// The operation of the calling task on this address has read and written this.
#[cfg(snag_memory)]
pub(crate) fn did(address: usize, read: Option<u64>, written: Option<u64>) {
    if let Some(me) = me() {
        State::get().did(me, address, read, written);
    }
}

/// Addresses to which the calls return that the calling thread is in, innermost first.
fn callers() -> [u64; CALLERS] {
    #[cfg_attr(not(snag_memory), expect(unused_mut, reason = "calls are followed with memory only"))]
    let mut callers = [0; CALLERS];
    #[cfg(snag_memory)]
    crate::memory::callers(&mut callers);
    callers
}

/// The process exits.
pub(crate) fn exiting() {
    if me().is_some() {
        State::get().exiting();
    }
}

/// The process is about to fork, in the code at `code` (0 if that is not known), which ends the execution.
pub(crate) fn forking(code: usize) {
    if me().is_some() {
        State::get().forking(if code == 0 { 0 } else { super::in_code(code) });
    }
}
