//! The system calls of the scheduler and of the serving process.

use core::sync::atomic::AtomicU32;

pub(super) use crate::kernel::call;

const SYS_SCHED_YIELD: usize = 24;
const SYS_GETPID: usize = 39;
const SYS_WAIT4: usize = 61;
const SYS_PRCTL: usize = 157;
const SYS_GETTID: usize = 186;
const SYS_FUTEX: usize = 202;
const SYS_SCHED_SETAFFINITY: usize = 203;
const SYS_SCHED_GETAFFINITY: usize = 204;
const SYS_EXIT_GROUP: usize = 231;
const SYS_TGKILL: usize = 234;

const FUTEX_WAIT: usize = 0;
const FUTEX_WAKE: usize = 1;
const FUTEX_PRIVATE: usize = 128;

/// Sleeps while `word` is `expected`; may return early.
pub(super) fn sleep_on(word: &AtomicU32, expected: u32, shared: bool) {
    let operation = FUTEX_WAIT | if shared { 0 } else { FUTEX_PRIVATE };
    // SAFETY: the word is live, and no time is given.
    unsafe { call(SYS_FUTEX, [word.as_ptr().addr(), operation, expected as usize, 0, 0, 0]) };
}

/// Wakes one that sleeps on `word`.
pub(super) fn rouse(word: &AtomicU32, shared: bool) {
    let operation = FUTEX_WAKE | if shared { 0 } else { FUTEX_PRIVATE };
    // SAFETY: the word is live.
    unsafe { call(SYS_FUTEX, [word.as_ptr().addr(), operation, 1, 0, 0, 0]) };
}

/// The kernel's number of the calling thread.
pub(super) fn thread_id() -> u32 {
    // SAFETY: no arguments.
    unsafe { call(SYS_GETTID, [0; 6]) as u32 }
}

/// The process.
pub(super) fn process_id() -> u32 {
    // SAFETY: no arguments.
    unsafe { call(SYS_GETPID, [0; 6]) as u32 }
}

/// Waits until the kernel has forgotten the thread, which is about to end.
pub(super) fn await_exit(thread: u32) {
    let process = process_id() as usize;
    // SAFETY: signal 0 is none.
    while unsafe { call(SYS_TGKILL, [process, thread as usize, 0, 0, 0, 0]) } == 0 {
        // SAFETY: no arguments.
        unsafe { call(SYS_SCHED_YIELD, [0; 6]) };
    }
}

/// Ends the process at once.
pub(super) fn exit(code: usize) -> ! {
    loop {
        // SAFETY: nothing is left to be kept safe.
        unsafe { call(SYS_EXIT_GROUP, [code, 0, 0, 0, 0, 0]) };
    }
}

/// Waits for the end of a child; gives its status as `waitpid` does.
pub(super) fn await_child(child: u32) -> u32 {
    const EINTR: isize = -4;
    let mut status = 0_u32;
    loop {
        let place = (&raw mut status).expose_provenance();
        // SAFETY: the kernel writes one word.
        if unsafe { call(SYS_WAIT4, [child as usize, place, 0, 0, 0, 0]) } != EINTR {
            return status;
        }
    }
}

/// Has the kernel kill the calling process when its parent's thread ends.
pub(super) fn die_with_parent() {
    const PR_SET_PDEATHSIG: usize = 1;
    const SIGKILL: usize = 9;
    // SAFETY: it changes nothing in memory.
    unsafe { call(SYS_PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0]) };
}

/// Keeps the calling thread, and those that it will start, on one processor.
pub(super) fn stay_on(processor: u32) {
    let mut set = [0_u64; 16];
    if let Some(word) = set.get_mut(processor as usize / 64) {
        *word = 1 << (processor % 64);
        let place = (&raw const set).expose_provenance();
        // SAFETY: the kernel reads the set.
        unsafe { call(SYS_SCHED_SETAFFINITY, [0, size_of_val(&set), place, 0, 0, 0]) };
    }
}

/// The processors that the process may use.
pub(super) fn processors() -> [u64; 16] {
    let mut set = [0_u64; 16];
    let place = (&raw mut set).expose_provenance();
    // SAFETY: the kernel writes no more than the set.
    unsafe { call(SYS_SCHED_GETAFFINITY, [0, size_of_val(&set), place, 0, 0, 0]) };
    set
}

/// Gives the calling thread a name of at most 15 bytes, for debuggers.
pub(super) fn set_name(name: &[u8]) {
    const PR_SET_NAME: usize = 15;
    let mut ended = [0_u8; 16];
    for (to, from) in ended.iter_mut().take(15).zip(name) {
        *to = *from;
    }
    // SAFETY: a name that ends with NUL.
    unsafe { call(SYS_PRCTL, [PR_SET_NAME, (&raw const ended).expose_provenance(), 0, 0, 0, 0]) };
}

/// Stops the calling thread for a debugger.
pub(super) fn stop() {
    const SIGTRAP: usize = 5;
    let (process, thread) = (process_id() as usize, thread_id() as usize);
    // SAFETY: the signal is sent to this thread.
    unsafe { call(SYS_TGKILL, [process, thread, SIGTRAP, 0, 0, 0]) };
}
