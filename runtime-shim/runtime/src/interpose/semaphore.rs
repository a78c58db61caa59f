//! `sem_t`. A permit may be given back by another thread than the one that took it.

use core::ffi::{c_int, c_uint, c_void};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::symbol::{errno, real, set_errno};
use super::turns::{self, Until, What};
use super::{EBUSY, Opaque, interpose};
use crate::recorder::objects::{by_address_at, end_at, renew_at};
use crate::recorder::{At, on, record_at};

real! {
    sem_init(semaphore: *mut Opaque, shared: c_int, value: c_uint);
    sem_destroy(semaphore: *mut Opaque);
    sem_wait(semaphore: *mut Opaque);
    sem_trywait(semaphore: *mut Opaque);
    sem_timedwait(semaphore: *mut Opaque, deadline: *const c_void);
    sem_clockwait(semaphore: *mut Opaque, clock: c_int, deadline: *const c_void);
    sem_post(semaphore: *mut Opaque);
}

interpose! {
    sem_init(semaphore: *mut Opaque, shared: c_int, value: c_uint), "rcx" => init;
    sem_destroy(semaphore: *mut Opaque), "rsi" => destroy;
    sem_wait(semaphore: *mut Opaque), "rsi" => wait;
    sem_trywait(semaphore: *mut Opaque), "rsi" => try_wait;
    sem_timedwait(semaphore: *mut Opaque, deadline: *const c_void), "rdx" => timed_wait;
    sem_clockwait(semaphore: *mut Opaque, clock: c_int, deadline: *const c_void), "rcx" => clock_wait;
    sem_post(semaphore: *mut Opaque), "rsi" => post;
}

const EAGAIN: c_int = 11;

fn note(kind: Kind, semaphore: *mut Opaque, flags: Flags, at: At) {
    let object = by_address_at(ObjectKind::Semaphore, semaphore.addr(), at);
    record_at(kind, Mode::Permit, flags, object, at, 0);
}

fn settled(semaphore: *mut Opaque, result: c_int, flags: Flags, at: At) -> c_int {
    note(if result == 0 { Kind::Acquire } else { Kind::GiveUp }, semaphore, flags, at);
    result
}

/// Takes a permit: at once, or by `wait`, announced.
///
/// # Safety
/// `semaphore` points to an initialised semaphore.
unsafe fn take(
    semaphore: *mut Opaque,
    (flags, until): (Flags, Until),
    at: At,
    wait: impl FnOnce() -> c_int,
) -> c_int {
    if !on() {
        return wait();
    }
    turns::before(What::Lock, semaphore, at);
    let before = errno();
    // SAFETY: the caller's promise.
    let mut result = unsafe { real::sem_trywait(semaphore) };
    if result != 0 {
        let busy = errno() == EAGAIN;
        // What an attempt that nobody asked for left behind.
        set_errno(before);
        if busy {
            note(Kind::Request, semaphore, flags, at);
        }
        // SAFETY: the caller's promise.
        let attempt = || if unsafe { real::sem_trywait(semaphore) } == 0 { 0 } else { EBUSY };
        result = turns::wait_for(semaphore, until, attempt, wait);
        if result > 0 {
            set_errno(result);
            result = -1;
        }
    }
    settled(semaphore, result, flags, at)
}

unsafe extern "C-unwind" fn init(
    semaphore: *mut Opaque,
    shared: c_int,
    value: c_uint,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::sem_init(semaphore, shared, value) };
    if result == 0 {
        renew_at(ObjectKind::Semaphore, semaphore.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn destroy(semaphore: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::sem_destroy(semaphore) };
    if result == 0 {
        end_at(semaphore.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn wait(semaphore: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    unsafe { take(semaphore, (Flags::NONE, Until::Never), At::Code(caller), || real::sem_wait(semaphore)) }
}

unsafe extern "C-unwind" fn try_wait(semaphore: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::TryLock, semaphore, At::Code(caller));
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::sem_trywait(semaphore) };
    if on() { settled(semaphore, result, Flags::TRY, At::Code(caller)) } else { result }
}

unsafe extern "C-unwind" fn timed_wait(
    semaphore: *mut Opaque,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::sem_timedwait(semaphore, deadline) };
    // SAFETY: as above.
    unsafe { take(semaphore, (Flags::TIMED, Until::realtime(deadline)), At::Code(caller), wait) }
}

unsafe extern "C-unwind" fn clock_wait(
    semaphore: *mut Opaque,
    clock: c_int,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::sem_clockwait(semaphore, clock, deadline) };
    // SAFETY: as above.
    unsafe { take(semaphore, (Flags::TIMED, Until::Clock(clock, deadline)), At::Code(caller), wait) }
}

unsafe extern "C-unwind" fn post(semaphore: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::Unlock, semaphore, At::Code(caller));
    if on() {
        note(Kind::Release, semaphore, Flags::NONE, At::Code(caller));
    }
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::sem_post(semaphore) };
    turns::wake(semaphore, 1);
    result
}
