//! Correct: the C library's barrier, spin lock and `pthread_once`, used directly.

use std::cell::UnsafeCell;
use std::{mem, ptr, thread};

use shared::Shared;

struct Objects {
    barrier: UnsafeCell<libc::pthread_barrier_t>,
    spin: UnsafeCell<libc::pthread_spinlock_t>,
    once: UnsafeCell<libc::pthread_once_t>,
}

// SAFETY: the C library's objects are made for it.
unsafe impl Sync for Objects {}

static OBJECTS: Objects = Objects {
    // SAFETY: all-zero bytes, to be initialised.
    barrier: UnsafeCell::new(unsafe { mem::zeroed() }),
    // SAFETY: as above.
    spin: UnsafeCell::new(unsafe { mem::zeroed() }),
    once: UnsafeCell::new(libc::PTHREAD_ONCE_INIT),
};
static CELLS: [Shared<u64>; 3] = [const { Shared::new(0) }; 3];
static MADE: Shared<u64> = Shared::new(0);
static COUNT: Shared<u64> = Shared::new(0);

extern "C" fn make() {
    // SAFETY: once, and everybody else comes after it.
    unsafe { *MADE.get() = 5 };
}

fn work(index: usize) {
    // SAFETY: initialised objects; a cell is written by its owner and read after the barrier.
    unsafe {
        libc::pthread_once(OBJECTS.once.get(), make);
        assert_eq!(*MADE.get(), 5);
        for round in 1..=10 {
            *CELLS[index].get() = round;
            libc::pthread_barrier_wait(OBJECTS.barrier.get());
            assert!(CELLS.iter().all(|cell| *cell.get() == round));
            libc::pthread_barrier_wait(OBJECTS.barrier.get());
            libc::pthread_spin_lock(OBJECTS.spin.get());
            *COUNT.get() += 1;
            libc::pthread_spin_unlock(OBJECTS.spin.get());
        }
    }
}

pub fn main() {
    // SAFETY: initialised before the threads begin.
    unsafe {
        libc::pthread_barrier_init(OBJECTS.barrier.get(), ptr::null(), 3);
        libc::pthread_spin_init(OBJECTS.spin.get(), libc::PTHREAD_PROCESS_PRIVATE);
    }
    thread::scope(|scope| {
        for index in 0..3 {
            scope.spawn(move || work(index));
        }
    });
}
