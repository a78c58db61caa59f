//! Correct: a mapping that one thread removes and another gets anew at the same address.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use shared::wait_until;

const SIZE: usize = 1 << 16;
static TURN: AtomicUsize = AtomicUsize::new(0);

fn map() -> *mut u64 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping.
    let start = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start.cast()
}

fn round(index: usize) {
    wait_until(|| TURN.load(Ordering::Relaxed) == index);
    let words = map();
    // SAFETY: this thread's own, until it removes it.
    unsafe {
        for at in (0..SIZE / 8).step_by(64) {
            assert_eq!(*words.add(at), 0);
            *words.add(at) = at as u64;
        }
        assert_eq!(libc::munmap(words.cast(), SIZE), 0);
    }
    TURN.store(index + 1, Ordering::Relaxed);
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| (0..20).step_by(2).for_each(round));
        scope.spawn(|| (1..20).step_by(2).for_each(round));
    });
}
