//! Threads: their creation, their beginning, their end, and who learns of it.
//!
//! Invariants:
//! * A thread knows from its beginning what its creator did before creating it, and who joins it learns
//!   all that it did, its thread-local destructors included.
//! * What ended threads knew is kept until they are joined. Where there are too many of them, what the
//!   oldest knew is put together, and who joins one of those learns of all of them.
//! * What std does in a thread before and behind the code that it was spawned for is ignored: it keeps a
//!   list of all threads under a lock, which would order all beginnings after all earlier ends. Neither
//!   the thread's result nor its thread-local destructors are among that.
//! * A `Thread` is touched by others only through `slots`, and never after its thread has left that.

use core::cell::UnsafeCell;
use core::ptr::null_mut;

use super::lock::Lock;
use super::stored::Stored;
use super::thread::{self, Phase, Thread};
use super::{arena, context, heap, maps, slots};

/// Threads that have ended and left their memory to the next.
struct Spare(UnsafeCell<*mut Thread>);

// SAFETY: only touched under `SPARE_LOCK`.
unsafe impl Sync for Spare {}

static SPARE: Spare = Spare(UnsafeCell::new(null_mut()));
static SPARE_LOCK: Lock = Lock::new();

/// Zeros for a new thread; null if there is no memory.
fn take() -> *mut Thread {
    {
        let _held = SPARE_LOCK.lock();
        // SAFETY: locked.
        let first = unsafe { &mut *SPARE.0.get() };
        if !first.is_null() {
            let thread = *first;
            // SAFETY: it ended, and left its address of the next one in `next_spare`.
            unsafe {
                *first = (*thread).next_spare;
                let calls = (*thread).calls;
                thread.write_bytes(0, 1);
                (*thread).calls = calls;
            }
            return thread;
        }
    }
    arena::take(size_of::<Thread>()).cast()
}

/// The memory of a thread that nobody knows any more.
///
/// # Safety
/// It came from [`take`].
unsafe fn give_back(thread: *mut Thread) {
    let _held = SPARE_LOCK.lock();
    // SAFETY: locked, and the caller's promise.
    unsafe {
        let first = &mut *SPARE.0.get();
        (*thread).next_spare = *first;
        *first = thread;
    }
}

/// The calling thread is about to create thread `number`: what [`begin`] is to be given. Null if it is
/// not to be followed. If it `announces` itself, by [`code_begins`], std's own code comes before that.
pub(crate) fn create(number: u32, announces: bool) -> *mut Thread {
    super::enter(null_mut(), |parent| {
        let child = take();
        if child.is_null() {
            return child;
        }
        slots::notice(parent);
        slots::refresh(parent, slots::era());
        // SAFETY: new, zeros, and nobody else's.
        let new = unsafe { &mut *child };
        new.number = number;
        new.clock = parent.clock.clone();
        new.era = parent.era;
        new.phase = if announces { Phase::Before } else { Phase::Inside };
        slots::advance(parent);
        child
    })
}

/// The thread was not created after all.
///
/// # Safety
/// It came from [`create`] and was not begun.
pub(crate) unsafe fn discard(thread: *mut Thread) {
    if !thread.is_null() {
        // SAFETY: the caller's promise.
        unsafe { give_back(thread) };
    }
}

/// The calling thread, which has just begun, is `thread`.
///
/// # Safety
/// It came from [`create`] and is begun once.
pub(crate) unsafe fn begin(thread: *mut Thread) {
    if thread.is_null() || !thread::current().is_null() {
        return;
    }
    let stack = maps::own_stack();
    maps::forget(stack.0, stack.1);
    // SAFETY: the caller's promise.
    unsafe {
        (*thread).stack = stack;
        (*thread).stack_top = (&raw const stack).addr();
        follow(thread);
        #[cfg(snag_explore)]
        expect_use(&*thread);
    }
}

/// Has the kernel give what each thread touches: the end of its stack, and what is known of that.
#[cfg(snag_explore)]
fn expect_use(thread: &Thread) {
    use crate::engine::controlled::image::expect_writes;
    const STACK: usize = 20 << 10;
    const FOLLOWED: usize = 12 << 10;
    let top = thread.stack_top;
    if top - thread.stack.0 > 2 * STACK {
        expect_writes(top - STACK, STACK);
        expect_writes(super::layout::cells_at(top - FOLLOWED), 2 * FOLLOWED);
    }
}

/// # Safety
/// `thread` is nobody else's.
unsafe fn follow(thread: *mut Thread) {
    // SAFETY: the caller's promise.
    let new = unsafe { &mut *thread };
    if new.calls == 0 {
        new.calls = context::new_stack();
    }
    // Core's own functions are instrumented, and may be called from here; what is counted is recorded.
    new.ignore = 1;
    new.busy = true;
    thread::set_current(thread);
    slots::enter(new);
    thread::set_frames(new.calls);
    new.busy = false;
    new.ignore = u32::from(new.phase == Phase::Before);
}

/// Follows the main thread, whose number this is.
pub(super) fn begin_main(number: u32) {
    let thread = take();
    if thread.is_null() || !thread::current().is_null() {
        return;
    }
    let stack = maps::own_stack();
    // SAFETY: new, and nobody else's.
    unsafe {
        (*thread).number = number;
        (*thread).phase = Phase::Inside;
        (*thread).stack = stack;
        (*thread).stack_top = stack.0 + stack.1;
        follow(thread);
    }
}

/// The code that the calling thread was spawned for begins.
#[inline(never)]
pub(crate) fn code_begins() {
    // SAFETY: the calling thread's own, if not null.
    if let Some(thread) = unsafe { thread::current().as_mut() }
        && thread.phase == Phase::Before
    {
        thread.phase = Phase::Inside;
        thread.ignore -= 1;
    }
}

/// The code that the calling thread was spawned for has ended.
#[inline(never)]
pub(crate) fn code_has_ended() {
    // SAFETY: the calling thread's own, if not null.
    if let Some(thread) = unsafe { thread::current().as_mut() }
        && thread.phase == Phase::Inside
    {
        thread.phase = Phase::After;
    }
}

/// The calling thread gives up its alternative signal stack. If its code has ended, std is about to take
/// it out of a list of all threads, whose lock is not to order the threads: true, and
/// [`leaves_std`] must follow.
pub(super) fn enters_std() -> bool {
    // SAFETY: the calling thread's own, if not null.
    match unsafe { thread::current().as_mut() } {
        Some(thread) if thread.phase == Phase::After => {
            thread.phase = Phase::Ending;
            thread.ignore += 1;
            true
        }
        _ => false,
    }
}

/// Destructors of thread-local data come next, which are the program's.
pub(crate) fn leaves_std() {
    // SAFETY: the calling thread's own, if not null.
    if let Some(thread) = unsafe { thread::current().as_mut() }
        && thread.phase == Phase::Ending
    {
        thread.phase = Phase::Ended;
        thread.ignore -= 1;
    }
}

/// The calling thread's code has ended, though its thread-local destructors may still run: whoever
/// joins its code alone, as a scope does, learns what it knows now.
#[inline(never)]
pub(crate) fn code_ended() {
    super::enter((), |thread| {
        slots::notice(thread);
        leave_clock(thread, true);
        slots::advance(thread);
    });
}

/// The calling thread ends and is not followed any more.
pub(crate) fn end() {
    let thread = thread::current();
    if thread.is_null() {
        return;
    }
    super::enter((), |thread| {
        slots::notice(thread);
        heap::end_of_thread(thread);
        leave_clock(thread, false);
        thread.ignore = 1;
        slots::leave(thread);
    });
    thread::set_current(null_mut());
    thread::set_keys(0, 0);
    thread::set_frames(0);
    // SAFETY: it has left the slots, and was followed until now only.
    unsafe { give_back(thread) };
}

/// What an ended thread knew.
struct Last {
    number: u32,
    joined: bool,
    /// At the end of its code, and at its own.
    code: Stored,
    clock: Stored,
}

struct Ended {
    lock: Lock,
    last: UnsafeCell<Last>,
}

// SAFETY: only touched under the lock.
unsafe impl Sync for Ended {}

impl Ended {
    const fn new() -> Ended {
        let last = Last { number: 0, joined: false, code: Stored::new(), clock: Stored::new() };
        Ended { lock: Lock::new(), last: UnsafeCell::new(last) }
    }
}

const KEPT: usize = 1 << 13;
static ENDED: [Ended; KEPT] = [const { Ended::new() }; KEPT];
/// What those knew that had to make room unjoined.
static OLDER: Ended = Ended::new();

fn ended(number: u32) -> &'static Ended {
    &ENDED[number as usize % KEPT]
}

fn leave_clock(thread: &mut Thread, code: bool) {
    let ended = ended(thread.number);
    let _held = ended.lock.lock();
    let era = slots::era();
    slots::refresh(thread, era);
    // SAFETY: locked.
    let last = unsafe { &mut *ended.last.get() };
    if last.number != thread.number && last.number != 0 && !last.joined {
        let _older = OLDER.lock.lock();
        // SAFETY: locked.
        let older = unsafe { &mut *OLDER.last.get() };
        older.clock.add_entries(last.code.entries(era), era);
        older.clock.add_entries(last.clock.entries(era), era);
    }
    if last.number != thread.number {
        last.code.clear();
        last.clock.clear();
    }
    (last.number, last.joined) = (thread.number, false);
    let clock = if code { &mut last.code } else { &mut last.clock };
    clock.set(&thread.clock, era);
}

/// The joins that the calling thread records from now on are of a scope, which waits for its threads' code
/// and not for their thread-local destructors; or no longer.
pub(crate) fn joins_code(of_scope: bool) {
    // SAFETY: the calling thread's own, if not null.
    if let Some(thread) = unsafe { thread::current().as_mut() } {
        thread.joins_code = of_scope;
    }
}

/// The calling thread has joined thread `number`, or its code: it learns what that one knew.
pub(super) fn join(thread: &mut Thread, number: u32) {
    let ended = ended(number);
    let _held = ended.lock.lock();
    // SAFETY: locked.
    let last = unsafe { &mut *ended.last.get() };
    if last.number == number {
        last.joined |= !thread.joins_code;
        let of_code = thread.joins_code && !last.code.is_empty();
        return learn(
            thread,
            if of_code || last.clock.is_empty() { &mut last.code } else { &mut last.clock },
        );
    }
    let _older = OLDER.lock.lock();
    // SAFETY: locked.
    learn(thread, unsafe { &mut (*OLDER.last.get()).clock });
}

/// As [`join`], ahead of it.
#[cfg(snag_explore)]
pub(super) fn sees_end(thread: &mut Thread, number: u32) {
    let ended = ended(number);
    let _held = ended.lock.lock();
    // SAFETY: locked.
    let last = unsafe { &mut *ended.last.get() };
    if last.number == number {
        learn(thread, &mut last.clock);
    }
}

/// With the lock of `stored` held.
pub(super) fn learn(thread: &mut Thread, stored: &mut Stored) {
    let era = slots::era();
    slots::refresh(thread, era);
    thread.clock.join(stored.entries(era));
}

/// Which thread that holds a slot has `address` on its stack, and whether that is thread-local data.
pub(super) fn stack_owner(address: usize) -> Option<(u32, bool)> {
    slots::find(|thread| {
        let is_within = address.wrapping_sub(thread.stack.0) < thread.stack.1;
        is_within.then_some((thread.number, address > thread.stack_top))
    })
}

/// In a forked child.
///
/// # Safety
/// The only thread of the process calls this.
pub(super) unsafe fn after_fork_in_child() {
    let own = thread::current();
    // SAFETY: the caller's promise.
    unsafe { slots::after_fork_in_child(own) };
    if own.is_null() {
        return;
    }
    // SAFETY: the calling thread's own.
    let own = unsafe { &mut *own };
    own.number = 1;
    own.seq = 0;
    own.busy = false;
    slots::advance(own);
    own.history.attach(own.slot, own.epoch, own.number);
}

/// The tests that have threads of their own take turns: there are only so many slots.
#[cfg(test)]
pub(super) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A thread that knows nothing, for tests.
#[cfg(test)]
pub(super) fn test_thread(number: u32) -> Box<Thread> {
    // SAFETY: zeros are a thread, see its module.
    let mut thread: Box<Thread> = unsafe { Box::new(core::mem::zeroed()) };
    thread.number = number;
    slots::enter(&mut thread);
    thread
}
