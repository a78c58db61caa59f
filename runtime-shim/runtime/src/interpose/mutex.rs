//! `pthread_mutex_t`.

use core::ffi::{c_int, c_long, c_void};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::symbol::real;
use super::turns::{self, Until, What};
use super::{EBUSY, Opaque, acquired, interpose, is_taken, word};
use crate::recorder::objects::{by_address_at, end_at, renew_at};
use crate::recorder::{At, on, record_at};

real! {
    pthread_mutex_init(mutex: *mut Opaque, attributes: *const c_void);
    pthread_mutex_destroy(mutex: *mut Opaque);
    pthread_mutex_lock(mutex: *mut Opaque);
    pthread_mutex_trylock(mutex: *mut Opaque);
    pthread_mutex_timedlock(mutex: *mut Opaque, deadline: *const c_void);
    pthread_mutex_clocklock(mutex: *mut Opaque, clock: c_int, deadline: *const c_void);
    pthread_mutex_unlock(mutex: *mut Opaque);
}

interpose! {
    pthread_mutex_init(mutex: *mut Opaque, attributes: *const c_void), "rdx" => init;
    pthread_mutex_destroy(mutex: *mut Opaque), "rsi" => destroy;
    pthread_mutex_lock(mutex: *mut Opaque), "rsi" => lock;
    pthread_mutex_trylock(mutex: *mut Opaque), "rsi" => try_lock;
    pthread_mutex_timedlock(mutex: *mut Opaque, deadline: *const c_void), "rdx" => timed_lock;
    pthread_mutex_clocklock(mutex: *mut Opaque, clock: c_int, deadline: *const c_void), "rcx" => clock_lock;
    pthread_mutex_unlock(mutex: *mut Opaque), "rsi" => unlock;
}

/// Bytes from the start to how often a recursive mutex is held.
const COUNT: usize = 4;
/// Bytes from the start to the operating system's number of the holder.
const OWNER: usize = 8;
/// Bytes from the start to the mutex's kind; its two lowest bits are the type.
const KIND: usize = 16;
const RECURSIVE: u32 = 1;
const ERROR_CHECKING: u32 = 2;
const ROBUST: u32 = 16;

const SYS_GETTID: c_long = 186;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// The number of the mutex.
pub(super) fn object(mutex: *mut Opaque, at: At) -> u32 {
    by_address_at(ObjectKind::PthreadMutex, mutex.addr(), at)
}

/// Whether the calling thread, which holds the mutex, holds it more than once.
///
/// # Safety
/// `mutex` points to an initialised mutex.
pub(super) unsafe fn is_nested(mutex: *mut Opaque) -> bool {
    // SAFETY: both words lie within the type.
    unsafe { word(mutex, KIND) & 3 == RECURSIVE && word(mutex, COUNT) > 1 }
}

/// Whether libc will refuse to let the calling thread unlock the mutex.
///
/// # Safety
/// `mutex` points to an initialised mutex.
unsafe fn is_anothers(mutex: *mut Opaque) -> bool {
    // SAFETY: the word lies within the type.
    let kind = unsafe { word(mutex, KIND) };
    if !matches!(kind & 3, RECURSIVE | ERROR_CHECKING) && kind & ROBUST == 0 {
        return false;
    }
    // SAFETY: no arguments, cannot fail.
    let own = unsafe { syscall(SYS_GETTID) };
    // SAFETY: the word lies within the type.
    c_long::from(unsafe { word(mutex, OWNER) }) != own
}

/// Records what came of an attempt to take the mutex, unless it was nested.
///
/// # Safety
/// `mutex` points to an initialised mutex.
unsafe fn settled(mutex: *mut Opaque, result: c_int, flags: Flags, at: At) -> c_int {
    if !is_taken(result) {
        record_at(Kind::GiveUp, Mode::Exclusive, flags, object(mutex, at), at, 0);
    // SAFETY: the caller's promise.
    } else if !unsafe { is_nested(mutex) } {
        acquired(Mode::Exclusive, flags, object(mutex, at), at);
    }
    result
}

/// Takes the mutex: at once, or by `wait`, announced.
///
/// # Safety
/// `mutex` points to an initialised mutex.
unsafe fn take(mutex: *mut Opaque, flags: Flags, at: At, wait: impl FnOnce() -> c_int) -> c_int {
    if !on() {
        return wait();
    }
    turns::before(What::Lock, mutex, at);
    // SAFETY: the caller's promise, here and below.
    let mut result = unsafe { real::pthread_mutex_trylock(mutex) };
    if !is_taken(result) {
        if result == EBUSY {
            record_at(Kind::Request, Mode::Exclusive, flags, object(mutex, at), at, 0);
        }
        result = wait();
    }
    // SAFETY: as above.
    unsafe { settled(mutex, result, flags, at) }
}

unsafe extern "C-unwind" fn init(mutex: *mut Opaque, attributes: *const c_void, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_mutex_init(mutex, attributes) };
    if result == 0 {
        renew_at(ObjectKind::PthreadMutex, mutex.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn destroy(mutex: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_mutex_destroy(mutex) };
    if result == 0 {
        end_at(mutex.addr(), At::Code(caller));
    }
    result
}

/// Waits for the mutex, which was found taken, by `libcs` if no engine has it otherwise.
///
/// # Safety
/// `mutex` points to an initialised mutex.
unsafe fn wait(mutex: *mut Opaque, until: Until, libcs: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    turns::wait_for(mutex, until, || unsafe { real::pthread_mutex_trylock(mutex) }, libcs)
}

/// Takes the mutex back after a wait for a condition variable.
///
/// # Safety
/// `mutex` points to an initialised mutex.
pub(super) unsafe fn take_back(mutex: *mut Opaque) {
    // SAFETY: the caller's promise.
    unsafe { wait(mutex, Until::Never, || real::pthread_mutex_lock(mutex)) };
}

/// Gives the mutex up for a wait for a condition variable.
///
/// # Safety
/// The calling thread holds the mutex.
pub(super) unsafe fn give_up(mutex: *mut Opaque) {
    // SAFETY: the caller's promise.
    unsafe { real::pthread_mutex_unlock(mutex) };
    turns::wake(mutex, usize::MAX);
}

unsafe extern "C-unwind" fn lock(mutex: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let libcs = || unsafe { real::pthread_mutex_lock(mutex) };
    // SAFETY: as above.
    unsafe { take(mutex, Flags::NONE, At::Code(caller), || wait(mutex, Until::Never, libcs)) }
}

unsafe extern "C-unwind" fn try_lock(mutex: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::TryLock, mutex, At::Code(caller));
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_mutex_trylock(mutex) };
    // SAFETY: as above.
    if on() { unsafe { settled(mutex, result, Flags::TRY, At::Code(caller)) } } else { result }
}

unsafe extern "C-unwind" fn timed_lock(mutex: *mut Opaque, deadline: *const c_void, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let libcs = || unsafe { real::pthread_mutex_timedlock(mutex, deadline) };
    // SAFETY: as above.
    unsafe { take(mutex, Flags::TIMED, At::Code(caller), || wait(mutex, Until::realtime(deadline), libcs)) }
}

unsafe extern "C-unwind" fn clock_lock(
    mutex: *mut Opaque,
    clock: c_int,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let libcs = || unsafe { real::pthread_mutex_clocklock(mutex, clock, deadline) };
    // SAFETY: as above.
    unsafe {
        take(mutex, Flags::TIMED, At::Code(caller), || wait(mutex, Until::Clock(clock, deadline), libcs))
    }
}

unsafe extern "C-unwind" fn unlock(mutex: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::Unlock, mutex, At::Code(caller));
    // SAFETY: the arguments are libc's, here and below.
    if on() && !unsafe { is_nested(mutex) || is_anothers(mutex) } {
        let at = At::Code(caller);
        record_at(Kind::Release, Mode::Exclusive, Flags::NONE, object(mutex, at), at, 0);
    }
    // SAFETY: as above.
    let result = unsafe { real::pthread_mutex_unlock(mutex) };
    turns::wake(mutex, usize::MAX);
    result
}
