//! Correct: atomics of different sizes over the same memory, one after the other; and neighbours.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use std::thread;

static WHOLE: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::spawn(|| WHOLE.store(0x0102_0304, Ordering::Relaxed)).join().unwrap();
    let (low, high) = thread::scope(|scope| {
        // SAFETY: aligned and within the static, and no access of another size is concurrent.
        let half = |at| unsafe { AtomicU16::from_ptr(WHOLE.as_ptr().cast::<u16>().add(at)) };
        let low = scope.spawn(move || half(0).fetch_add(1, Ordering::Relaxed));
        let high = scope.spawn(move || half(1).swap(7, Ordering::Relaxed));
        (low.join().unwrap(), high.join().unwrap())
    });
    assert_eq!((low, high), (0x0304, 0x0102));
    // SAFETY: as above, the threads have ended.
    let byte = unsafe { AtomicU8::from_ptr(WHOLE.as_ptr().cast()) };
    assert_eq!(byte.load(Ordering::Relaxed), 0x05);
    assert_eq!(WHOLE.load(Ordering::Relaxed), 0x0007_0305);
}
