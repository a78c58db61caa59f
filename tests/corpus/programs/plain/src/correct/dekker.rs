//! Correct: Dekker's entry protocol with SeqCst fences lets at most one of two threads in, so that
//! their accesses never meet; what both leave behind is read after they ended.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::thread;

use shared::Shared;

const ROUNDS: usize = 200;

struct Round {
    wants: [AtomicBool; 2],
    entered: AtomicU32,
    data: Shared<u64>,
}

fn enter(round: &Round, me: usize) {
    round.wants[me].store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    if !round.wants[1 - me].load(Ordering::Relaxed) {
        // SAFETY: the other one has not come in, and never will.
        unsafe { *round.data.get() += 1 };
        round.entered.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn main() {
    let round = || Round {
        wants: [const { AtomicBool::new(false) }; 2],
        entered: AtomicU32::new(0),
        data: Shared::new(0),
    };
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| round()).collect();
    thread::scope(|scope| {
        for me in 0..2 {
            let rounds = &rounds;
            scope.spawn(move || rounds.iter().for_each(|round| enter(round, me)));
        }
    });
    for round in &rounds {
        assert!(round.entered.load(Ordering::Relaxed) <= 1);
    }
}
