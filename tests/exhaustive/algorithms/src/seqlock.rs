//! A sequence lock over atomics: Boehm, "Can seqlocks get along with programming language memory models?",
//! MSPC 2012.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;

#[derive(Default)]
struct SeqLock {
    sequence: AtomicUsize,
    halves: [AtomicUsize; 2],
}

impl SeqLock {
    fn write(&self, value: usize, begin: Ordering) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(begin);
        for half in &self.halves {
            half.store(value, Ordering::Relaxed);
        }
        self.sequence.store(sequence + 2, Ordering::Release);
    }

    fn read(&self) -> Option<[usize; 2]> {
        let before = self.sequence.load(Ordering::Acquire);
        let halves = [0, 1].map(|at: usize| self.halves[at].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let after = self.sequence.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2)).then_some(halves)
    }
}

fn nothing_is_torn(begin: Ordering) {
    let lock = SeqLock::default();
    thread::scope(|scope| {
        scope.spawn(|| lock.write(7, begin));
        if let Some([one, other]) = lock.read() {
            assert_eq!(one, other, "torn");
        }
    });
}

#[test]
fn seqlock() {
    nothing_is_torn(Ordering::Release);
}

#[test]
fn seqlock_weak() {
    // A fence that does not release: what is written may be seen before the sequence is odd.
    nothing_is_torn(Ordering::Acquire);
}
