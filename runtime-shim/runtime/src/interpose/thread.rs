//! Threads that are created and joined by calls of C.
//!
//! std's threads come this way too. Those that the facade spawns announce themselves, and only learn
//! their number here, for what they do before; those that the real std spawns (libtest's) are seen
//! here.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU64, Ordering};

use snag_trace::{Flags, Kind, Mode};

use super::interpose;
use super::symbol::real;
use super::turns;
use crate::recorder::{At, Created, adopt, created_thread, current_thread, on, record_at};

type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

real! {
    pthread_create(thread: *mut usize, attributes: *const c_void, start: Start, argument: *mut c_void);
    pthread_join(thread: usize, result: *mut *mut c_void);
}

interpose! {
    pthread_create(
        thread: *mut usize, attributes: *const c_void, start: Start, argument: *mut c_void
    ), "r8" => create;
    pthread_join(thread: usize, result: *mut *mut c_void), "rdx" => join;
}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// What a new thread finds of its creation; freed by it.
struct Birth {
    start: Start,
    argument: *mut c_void,
    number: u32,
    parent: u32,
    code: usize,
    #[cfg(any(snag_memory, test))]
    thread: *mut crate::memory::Thread,
    #[cfg(snag_explore)]
    ticket: Option<crate::engine::controlled::Ticket>,
}

const SLOTS: usize = 1 << 10;
/// libc's handles of threads that may be joined, which are addresses of 47 bits aligned to 64, with
/// the threads' numbers below. A thread whose number is too large for that, or whose slot another one
/// takes, is joined unseen.
static JOINABLE: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
const NUMBER_BITS: u32 = 18;

/// Handle and number in one word, and the slot for it.
fn slot(handle: usize) -> (u64, &'static AtomicU64) {
    let key = (handle as u64 >> 6) << NUMBER_BITS;
    let hash = (handle as u64 >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    (key, &JOINABLE[hash as usize & (SLOTS - 1)])
}

/// The handle now means thread `number`, or with 0 one that is not to be seen.
fn remember(handle: usize, number: u32) {
    let (key, slot) = slot(handle);
    if number == 0 {
        take(handle);
    } else if number < 1 << NUMBER_BITS {
        slot.store(key | u64::from(number), Ordering::Release);
    }
}

/// The thread that the handle means, which it does no longer; 0 if none is known.
fn take(handle: usize) -> u32 {
    let (key, slot) = slot(handle);
    let there = slot.load(Ordering::Acquire);
    if there >> NUMBER_BITS << NUMBER_BITS != key {
        return 0;
    }
    slot.store(0, Ordering::Release);
    (there ^ key) as u32
}

/// Runs a new thread.
unsafe extern "C-unwind" fn begin(birth: *mut c_void) -> *mut c_void {
    // SAFETY: the birth is there, and what is read is never written again.
    #[cfg(snag_explore)]
    if let Some(ticket) = unsafe { (*birth.cast::<Birth>()).ticket } {
        crate::engine::controlled::enter(ticket);
    }
    // SAFETY: `create` made this for the new thread alone.
    let contents = unsafe { birth.cast::<Birth>().read() };
    // SAFETY: as above; it came from `malloc` and is not used any more.
    unsafe { free(birth) };
    let Birth { start, argument, number, parent, code, .. } = contents;
    adopt(number, parent, code);
    #[cfg(snag_explore)]
    if contents.ticket.is_some() {
        crate::engine::controlled::is_number(number);
        crate::engine::controlled::serve::name_thread(number);
    }
    // SAFETY: `create` got it for this thread alone.
    #[cfg(any(snag_memory, test))]
    unsafe {
        crate::memory::begin(contents.thread);
    }
    // SAFETY: what the caller of `pthread_create` asked for.
    unsafe { jump(start, argument) }
}

/// Calls `start`. Not by its pointer: see `symbol`.
#[unsafe(naked)]
unsafe extern "C-unwind" fn jump(start: Start, argument: *mut c_void) -> *mut c_void {
    core::arch::naked_asm!("mov rax, rdi", "mov rdi, rsi", "jmp rax")
}

unsafe extern "C-unwind" fn create(
    thread: *mut usize,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
    caller: usize,
) -> c_int {
    let created = created_thread();
    let number = match created {
        Created::Unrecorded => 0,
        Created::Expected(number) | Created::Foreign(number) => number,
    };
    // SAFETY: no precondition.
    let birth = if number == 0 { core::ptr::null_mut() } else { unsafe { malloc(size_of::<Birth>()) } };
    if birth.is_null() {
        // SAFETY: the arguments are libc's.
        let result = unsafe { real::pthread_create(thread, attributes, start, argument) };
        if result == 0 {
            // SAFETY: libc has written the new thread's handle there.
            remember(unsafe { *thread }, 0);
        }
        return result;
    }
    let birth = birth.cast::<Birth>();
    let contents = Birth {
        start,
        argument,
        number,
        parent: current_thread(),
        code: caller,
        #[cfg(any(snag_memory, test))]
        thread: crate::memory::create(number, matches!(created, Created::Expected(_))),
        #[cfg(snag_explore)]
        ticket: crate::engine::controlled::spawning(),
    };
    #[cfg(snag_explore)]
    let ticket = contents.ticket;
    #[cfg(any(snag_memory, test))]
    let followed = contents.thread;
    // SAFETY: `malloc` gave room for it, aligned for anything.
    unsafe { birth.write(contents) };
    let foreign = created == Created::Foreign(number);
    if foreign {
        record_at(Kind::Spawn, Mode::None, Flags::NONE, 0, At::Code(caller), u64::from(number));
    }
    #[cfg(any(snag_memory, test))]
    // SAFETY: as libc's caller says; the copy is used for this call alone.
    let roomy = unsafe { crate::memory::with_room(attributes) };
    #[cfg(any(snag_memory, test))]
    let attributes = roomy.as_ref().map_or(attributes, |copy| core::ptr::from_ref(copy).cast());
    // SAFETY: the arguments are libc's, apart from the start, which takes the birth, and the stack.
    let result = unsafe { real::pthread_create(thread, attributes, begin, birth.cast()) };
    if result == 0 {
        // SAFETY: libc has written the new thread's handle there.
        // The join of a thread that announces itself is recorded where its handle is joined.
        remember(unsafe { *thread }, if foreign { number } else { 0 });
    } else {
        // SAFETY: no thread was created that would free it, or begin.
        unsafe {
            free(birth.cast());
            #[cfg(any(snag_memory, test))]
            crate::memory::discard(followed);
        }
    }
    #[cfg(snag_explore)]
    if let Some(ticket) = ticket {
        // SAFETY: libc has written the new thread's handle there, if there is one.
        let handle = if result == 0 { unsafe { *thread } } else { 0 };
        crate::engine::controlled::spawned(ticket, handle);
    }
    result
}

unsafe extern "C-unwind" fn join(thread: usize, result: *mut *mut c_void, caller: usize) -> c_int {
    let number = if on() { take(thread) } else { 0 };
    let at = At::Code(caller);
    if number != 0 {
        record_at(Kind::Request, Mode::Join, Flags::NONE, 0, at, u64::from(number));
    }
    turns::join(thread);
    // SAFETY: the arguments are libc's.
    let outcome = unsafe { real::pthread_join(thread, result) };
    if number != 0 {
        let (kind, mode) = if outcome == 0 { (Kind::Join, Mode::None) } else { (Kind::GiveUp, Mode::Join) };
        record_at(kind, mode, Flags::NONE, 0, at, u64::from(number));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_means_its_thread_until_it_is_joined_or_created_anew() {
        let handle = 0x7f12_3456_7640;
        remember(handle, 7);
        assert_eq!((take(handle), take(handle)), (7, 0));
        remember(handle, 8);
        remember(handle, 0);
        assert_eq!(take(handle), 0);
    }
}
