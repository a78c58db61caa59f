//! Correct: a flag on which one thread waits is overwritten as plain memory as soon as it was seen set,
//! which may be before the thread that sets it has returned from its store.

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use shared::Shared;

const ROUNDS: u32 = 20_000;

static TURN: AtomicU32 = AtomicU32::new(0);

fn wait(until: impl Fn() -> bool) {
    let mut tries = 0;
    while !until() {
        tries += 1;
        if tries % 64 == 0 {
            thread::yield_now();
        }
        hint::spin_loop();
    }
}

pub fn main() {
    let flag = Shared::new(AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                wait(|| TURN.load(Ordering::Acquire) == round);
                // SAFETY: nobody writes it from the turn's beginning until it is set.
                unsafe { (*flag.get()).store(true, Ordering::Release) };
            }
        });
        for round in 1..=ROUNDS {
            // SAFETY: the other thread waits for its turn.
            unsafe { flag.get().write(AtomicBool::new(false)) };
            TURN.store(round, Ordering::Release);
            // SAFETY: atomics may be shared.
            wait(|| unsafe { (*flag.get()).load(Ordering::Acquire) });
        }
    });
}
