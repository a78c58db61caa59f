//! Correct: a sequence lock whose data are relaxed atomics between fences.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::thread;

static SEQUENCE: AtomicU64 = AtomicU64::new(0);
static DATA: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn write(value: u64) {
    let sequence = SEQUENCE.load(Ordering::Relaxed);
    SEQUENCE.store(sequence + 1, Ordering::Relaxed);
    fence(Ordering::Release);
    DATA.iter().for_each(|data| data.store(value, Ordering::Relaxed));
    SEQUENCE.store(sequence + 2, Ordering::Release);
}

fn read() -> Option<[u64; 2]> {
    let before = SEQUENCE.load(Ordering::Acquire);
    let values = [0, 1].map(|index: usize| DATA[index].load(Ordering::Relaxed));
    fence(Ordering::Acquire);
    let after = SEQUENCE.load(Ordering::Relaxed);
    (before == after && before.is_multiple_of(2)).then_some(values)
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(write));
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200 {
                    if let Some([one, other]) = read() {
                        assert_eq!(one, other);
                    }
                }
            });
        }
    });
}
