//! `pthread_rwlock_t`.

use core::ffi::{c_int, c_void};

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::symbol::real;
use super::turns::{self, Until, What};
use super::{EBUSY, Opaque, acquired, interpose, word};
use crate::recorder::objects::{by_address_at, end_at, renew_at};
use crate::recorder::{At, on, record_at};

real! {
    pthread_rwlock_init(lock: *mut Opaque, attributes: *const c_void);
    pthread_rwlock_destroy(lock: *mut Opaque);
    pthread_rwlock_rdlock(lock: *mut Opaque);
    pthread_rwlock_tryrdlock(lock: *mut Opaque);
    pthread_rwlock_timedrdlock(lock: *mut Opaque, deadline: *const c_void);
    pthread_rwlock_clockrdlock(lock: *mut Opaque, clock: c_int, deadline: *const c_void);
    pthread_rwlock_wrlock(lock: *mut Opaque);
    pthread_rwlock_trywrlock(lock: *mut Opaque);
    pthread_rwlock_timedwrlock(lock: *mut Opaque, deadline: *const c_void);
    pthread_rwlock_clockwrlock(lock: *mut Opaque, clock: c_int, deadline: *const c_void);
    pthread_rwlock_unlock(lock: *mut Opaque);
}

interpose! {
    pthread_rwlock_init(lock: *mut Opaque, attributes: *const c_void), "rdx" => init;
    pthread_rwlock_destroy(lock: *mut Opaque), "rsi" => destroy;
    pthread_rwlock_rdlock(lock: *mut Opaque), "rsi" => read_lock;
    pthread_rwlock_tryrdlock(lock: *mut Opaque), "rsi" => try_read_lock;
    pthread_rwlock_timedrdlock(lock: *mut Opaque, deadline: *const c_void), "rdx" => timed_read_lock;
    pthread_rwlock_clockrdlock(lock: *mut Opaque, clock: c_int, deadline: *const c_void), "rcx" => clock_read_lock;
    pthread_rwlock_wrlock(lock: *mut Opaque), "rsi" => write_lock;
    pthread_rwlock_trywrlock(lock: *mut Opaque), "rsi" => try_write_lock;
    pthread_rwlock_timedwrlock(lock: *mut Opaque, deadline: *const c_void), "rdx" => timed_write_lock;
    pthread_rwlock_clockwrlock(lock: *mut Opaque, clock: c_int, deadline: *const c_void), "rcx" => clock_write_lock;
    pthread_rwlock_unlock(lock: *mut Opaque), "rsi" => unlock;
}

const ENDLESS: (Flags, Until) = (Flags::NONE, Until::Never);

/// Bytes from the start to the writing thread, 0 if nobody writes.
const WRITER: usize = 24;

fn object(lock: *mut Opaque, at: At) -> u32 {
    by_address_at(ObjectKind::PthreadRwLock, lock.addr(), at)
}

fn settled(lock: *mut Opaque, mode: Mode, result: c_int, flags: Flags, at: At) -> c_int {
    if result == 0 {
        acquired(mode, flags, object(lock, at), at);
    } else {
        record_at(Kind::GiveUp, mode, flags, object(lock, at), at, 0);
    }
    result
}

/// Takes the lock: at once, or by `wait`, announced.
///
/// # Safety
/// `lock` points to an initialised lock.
unsafe fn take(
    lock: *mut Opaque,
    mode: Mode,
    (flags, until): (Flags, Until),
    at: At,
    wait: impl FnOnce() -> c_int,
) -> c_int {
    if !on() {
        return wait();
    }
    turns::before(What::Lock, lock, at);
    let attempt = || match mode {
        // SAFETY: the caller's promise.
        Mode::Shared => unsafe { real::pthread_rwlock_tryrdlock(lock) },
        // SAFETY: the caller's promise.
        _ => unsafe { real::pthread_rwlock_trywrlock(lock) },
    };
    let mut result = attempt();
    if result != 0 {
        if result == EBUSY {
            record_at(Kind::Request, mode, flags, object(lock, at), at, 0);
        }
        result = turns::wait_for(lock, until, attempt, wait);
    }
    settled(lock, mode, result, flags, at)
}

unsafe extern "C-unwind" fn init(lock: *mut Opaque, attributes: *const c_void, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_rwlock_init(lock, attributes) };
    if result == 0 {
        renew_at(ObjectKind::PthreadRwLock, lock.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn destroy(lock: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_rwlock_destroy(lock) };
    if result == 0 {
        end_at(lock.addr(), At::Code(caller));
    }
    result
}

unsafe extern "C-unwind" fn read_lock(lock: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    unsafe { take(lock, Mode::Shared, ENDLESS, At::Code(caller), || real::pthread_rwlock_rdlock(lock)) }
}

unsafe extern "C-unwind" fn write_lock(lock: *mut Opaque, caller: usize) -> c_int {
    // SAFETY: the arguments are libc's.
    unsafe { take(lock, Mode::Exclusive, ENDLESS, At::Code(caller), || real::pthread_rwlock_wrlock(lock)) }
}

unsafe extern "C-unwind" fn try_read_lock(lock: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::TryLock, lock, At::Code(caller));
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_rwlock_tryrdlock(lock) };
    if on() { settled(lock, Mode::Shared, result, Flags::TRY, At::Code(caller)) } else { result }
}

unsafe extern "C-unwind" fn try_write_lock(lock: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::TryLock, lock, At::Code(caller));
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_rwlock_trywrlock(lock) };
    if on() { settled(lock, Mode::Exclusive, result, Flags::TRY, At::Code(caller)) } else { result }
}

unsafe extern "C-unwind" fn timed_read_lock(
    lock: *mut Opaque,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_rwlock_timedrdlock(lock, deadline) };
    // SAFETY: as above.
    unsafe { take(lock, Mode::Shared, (Flags::TIMED, Until::realtime(deadline)), At::Code(caller), wait) }
}

unsafe extern "C-unwind" fn timed_write_lock(
    lock: *mut Opaque,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_rwlock_timedwrlock(lock, deadline) };
    // SAFETY: as above.
    unsafe { take(lock, Mode::Exclusive, (Flags::TIMED, Until::realtime(deadline)), At::Code(caller), wait) }
}

unsafe extern "C-unwind" fn clock_read_lock(
    lock: *mut Opaque,
    clock: c_int,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_rwlock_clockrdlock(lock, clock, deadline) };
    // SAFETY: as above.
    unsafe { take(lock, Mode::Shared, (Flags::TIMED, Until::Clock(clock, deadline)), At::Code(caller), wait) }
}

unsafe extern "C-unwind" fn clock_write_lock(
    lock: *mut Opaque,
    clock: c_int,
    deadline: *const c_void,
    caller: usize,
) -> c_int {
    // SAFETY: the arguments are libc's.
    let wait = || unsafe { real::pthread_rwlock_clockwrlock(lock, clock, deadline) };
    // SAFETY: as above.
    unsafe {
        take(lock, Mode::Exclusive, (Flags::TIMED, Until::Clock(clock, deadline)), At::Code(caller), wait)
    }
}

unsafe extern "C-unwind" fn unlock(lock: *mut Opaque, caller: usize) -> c_int {
    turns::before(What::Unlock, lock, At::Code(caller));
    if on() {
        let at = At::Code(caller);
        // Nobody else can be writing while this thread holds the lock.
        // SAFETY: the arguments are libc's; the word lies within the type.
        let mode = if unsafe { word(lock, WRITER) } == 0 { Mode::Shared } else { Mode::Exclusive };
        record_at(Kind::Release, mode, Flags::NONE, object(lock, at), at, 0);
    }
    // SAFETY: the arguments are libc's.
    let result = unsafe { real::pthread_rwlock_unlock(lock) };
    turns::wake(lock, usize::MAX);
    result
}
