//! Correct: threads, locks, conditions, reader-writer locks, semaphores and keys of the C library, used
//! directly.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::{mem, ptr};

use shared::Shared;

struct World {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    filled: UnsafeCell<libc::pthread_cond_t>,
    table: UnsafeCell<libc::pthread_rwlock_t>,
    permit: UnsafeCell<libc::sem_t>,
}

// SAFETY: the C library's objects are made for it.
unsafe impl Sync for World {}

static WORLD: World = World {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    filled: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
    table: UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER),
    // SAFETY: all-zero bytes, to be initialised by `sem_init`.
    permit: UnsafeCell::new(unsafe { mem::zeroed() }),
};
static DATA: [Shared<u64>; 4] = [const { Shared::new(0) }; 4];

fn add(index: usize) {
    // SAFETY: each is guarded by the object of its number.
    unsafe { *DATA[index].get() += 1 };
}

extern "C" fn work(_: *mut c_void) -> *mut c_void {
    for _ in 0..20 {
        // SAFETY: initialised objects, each given back as it was taken.
        unsafe {
            libc::pthread_mutex_lock(WORLD.lock.get());
            add(0);
            libc::pthread_cond_signal(WORLD.filled.get());
            libc::pthread_mutex_unlock(WORLD.lock.get());
            libc::pthread_rwlock_wrlock(WORLD.table.get());
            add(1);
            libc::pthread_rwlock_unlock(WORLD.table.get());
            libc::pthread_rwlock_rdlock(WORLD.table.get());
            assert!(*DATA[1].get() > 0);
            libc::pthread_rwlock_unlock(WORLD.table.get());
            libc::sem_wait(WORLD.permit.get());
            add(2);
            libc::sem_post(WORLD.permit.get());
        }
    }
    ptr::null_mut()
}

pub fn main() {
    // SAFETY: initialised before use, joined before the end.
    unsafe {
        libc::sem_init(WORLD.permit.get(), 0, 1);
        let mut threads: [libc::pthread_t; 3] = mem::zeroed();
        for thread in &mut threads {
            assert_eq!(libc::pthread_create(thread, ptr::null(), work, ptr::null_mut()), 0);
        }
        libc::pthread_mutex_lock(WORLD.lock.get());
        while *DATA[0].get() < 60 {
            libc::pthread_cond_wait(WORLD.filled.get(), WORLD.lock.get());
        }
        libc::pthread_mutex_unlock(WORLD.lock.get());
        for thread in threads {
            libc::pthread_join(thread, ptr::null_mut());
        }
        assert_eq!((*DATA[1].get(), *DATA[2].get()), (60, 60));
    }
}
