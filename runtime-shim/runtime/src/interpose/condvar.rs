//! `pthread_cond_t`.
//!
//! Which notify ended a wait is libc's secret: `WaitEnd` names none.

use core::ffi::{c_int, c_void};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::symbol::real;
use super::turns::{self, Until, What};
use super::{ETIMEDOUT, Opaque, acquired, interpose, mutex, word};
use crate::recorder::objects::{by_address_at, end_at, renew_at};
use crate::recorder::{At, on, record_at};

real! {
    pthread_cond_init(condvar: *mut Opaque, attributes: *const c_void) @ "GLIBC_2.3.2";
    pthread_cond_destroy(condvar: *mut Opaque) @ "GLIBC_2.3.2";
    pthread_cond_wait(condvar: *mut Opaque, mutex: *mut Opaque) @ "GLIBC_2.3.2";
    pthread_cond_timedwait(condvar: *mut Opaque, mutex: *mut Opaque, deadline: *const c_void) @ "GLIBC_2.3.2";
    pthread_cond_clockwait(condvar: *mut Opaque, mutex: *mut Opaque, clock: c_int, deadline: *const c_void);
    pthread_cond_signal(condvar: *mut Opaque) @ "GLIBC_2.3.2";
    pthread_cond_broadcast(condvar: *mut Opaque) @ "GLIBC_2.3.2";
}

interpose! {
    pthread_cond_init(condvar: *mut Opaque, attributes: *const c_void), "rdx" => init;
    pthread_cond_destroy(condvar: *mut Opaque), "rsi" => destroy;
    pthread_cond_wait(condvar: *mut Opaque, mutex: *mut Opaque), "rdx" => wait;
    pthread_cond_timedwait(condvar: *mut Opaque, mutex: *mut Opaque, deadline: *const c_void), "rcx" => timed_wait;
    pthread_cond_clockwait(
        condvar: *mut Opaque, mutex: *mut Opaque, clock: c_int, deadline: *const c_void
    ), "r8" => clock_wait;
    pthread_cond_signal(condvar: *mut Opaque), "rsi" => signal;
    pthread_cond_broadcast(condvar: *mut Opaque), "rsi" => broadcast;
}

/// Bytes from the start to how many threads wait, above three bits of flags.
const WAITERS: usize = 36;

fn object(condvar: *mut Opaque, at: At) -> u32 {
    by_address_at(ObjectKind::PthreadCondvar, condvar.addr(), at)
}

/// Waits by `wait`, which gives up the mutex and takes it back. Not called while recording is off.
///
/// # Safety
/// `mutex` points to an initialised mutex that the calling thread holds.
unsafe fn recorded_wait(
    condvar: *mut Opaque,
    mutex: *mut Opaque,
    flags: Flags,
    at: At,
    until: Until,
    wait: impl FnOnce() -> c_int,
) -> c_int {
    let address = condvar;
    turns::before(What::Wait, address, at);
    let (condvar, lock) = (object(condvar, at), mutex::object(mutex, at));
    // A recursive mutex that is held twice stays held while waiting.
    // SAFETY: the caller's promise.
    let gives_up = !unsafe { mutex::is_nested(mutex) };
    record_at(Kind::WaitBegin, Mode::Wait, flags, condvar, at, u64::from(lock));
    if gives_up {
        record_at(Kind::Release, Mode::Exclusive, Flags::NONE, lock, at, 0);
    }
    let mut waits_here = false;
    let give_up = || {
        waits_here = true;
        // SAFETY: the caller's promise.
        unsafe { mutex::give_up(mutex) };
    };
    let result = turns::wait_once(address, until, give_up, wait);
    if waits_here {
        turns::before(What::Lock, mutex, at);
        // SAFETY: the caller's promise.
        unsafe { mutex::take_back(mutex) };
    }
    let timed_out = Flags::TIMED_OUT.when(result == ETIMEDOUT);
    record_at(Kind::WaitEnd, Mode::Wait, timed_out, condvar, at, 0);
    if gives_up {
        acquired(Mode::Exclusive, Flags::NONE, lock, at);
    }
    result
}

/// # Safety
/// `condvar` points to an initialised condition variable.
unsafe fn record_notify(kind: Kind, condvar: *mut Opaque, caller: usize) {
    turns::before(What::Notify, condvar, At::Code(caller));
    if on() {
        let at = At::Code(caller);
        // SAFETY: the caller's promise; the word lies within the type.
        let waiters = unsafe { word(condvar, WAITERS) } >> 3;
        record_at(kind, Mode::None, Flags::NONE, object(condvar, at), at, u64::from(waiters));
    }
}

unsafe extern "C-unwind" fn init(condvar: *mut Opaque, attributes: *const c_void, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_cond_init(condvar, attributes) };
    if result == 0 {
        renew_at(ObjectKind::PthreadCondvar, condvar.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn destroy(condvar: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_cond_destroy(condvar) };
    if result == 0 {
        end_at(condvar.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn wait(condvar: *mut Opaque, mutex: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_cond_wait(condvar, mutex) };
    if on() {
        // SAFETY: as above.
        unsafe { recorded_wait(condvar, mutex, Flags::NONE, At::Code(caller), Until::Never, wait) }
    } else {
        wait()
    }
}

unsafe extern "C-unwind" fn timed_wait(
    condvar: *mut Opaque,
    mutex: *mut Opaque,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_cond_timedwait(condvar, mutex, deadline) };
    let until = Until::realtime(deadline);
    if on() {
        // SAFETY: as above.
        unsafe { recorded_wait(condvar, mutex, Flags::TIMED, At::Code(caller), until, wait) }
    } else {
        wait()
    }
}

unsafe extern "C-unwind" fn clock_wait(
    condvar: *mut Opaque,
    mutex: *mut Opaque,
    clock: c_int,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_cond_clockwait(condvar, mutex, clock, deadline) };
    let until = Until::Clock(clock, deadline);
    if on() {
        // SAFETY: as above.
        unsafe { recorded_wait(condvar, mutex, Flags::TIMED, At::Code(caller), until, wait) }
    } else {
        wait()
    }
}

unsafe extern "C-unwind" fn signal(condvar: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's, here and below.
    unsafe { record_notify(Kind::NotifyOne, condvar, caller) };
    // SAFETY: as above.
    let result = unsafe { real::pthread_cond_signal(condvar) };
    turns::wake(condvar, 1);
    result
}

unsafe extern "C-unwind" fn broadcast(condvar: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's, here and below.
    unsafe { record_notify(Kind::NotifyAll, condvar, caller) };
    // SAFETY: as above.
    let result = unsafe { real::pthread_cond_broadcast(condvar) };
    turns::wake(condvar, usize::MAX);
    result
}
