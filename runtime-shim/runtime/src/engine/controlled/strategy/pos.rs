//! Partial order sampling.
//!
//! Each operation that a thread is about to make has a priority of chance, and the highest one is made;
//! then the operations that conflict with it get new ones. Independent operations do so not dilute the
//! choice of those whose order matters.
//!
//! Source: X. Yuan, J. Yang, R. Gu, "Partial order aware concurrency sampling", CAV 2018.

use snag_trace::control::{MAX_TASKS, PARAMETERS};

use super::{Choice, Chooser, Profile};
use crate::engine::controlled::random::Random;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Pos {
    /// 0 if the thread's next operation has none yet.
    priorities: [u64; MAX_TASKS],
    /// What the next priority of a thread that yields is: below all that chance gives, and falling, so
    /// that those that yield take turns.
    lowest: u64,
}

/// Priorities of chance have this bit.
const HIGH: u64 = 1 << 63;

impl Chooser for Pos {
    fn begin(&mut self, _: &mut Random, _: &Profile, _: &[u64; PARAMETERS]) {
        self.priorities.fill(0);
        self.lowest = HIGH - 1;
    }

    fn choose(&mut self, choice: &Choice<'_>, random: &mut Random) -> usize {
        for candidate in choice.candidates {
            let priority = &mut self.priorities[candidate.task];
            if *priority == 0 {
                *priority = random.next() | HIGH;
            }
        }
        if let Some(current) = choice.current
            && choice.yields
        {
            self.priorities[choice.candidates[current].task] = self.lowest;
            self.lowest -= 1;
        }
        let best = choice.candidates.iter().enumerate().max_by_key(|(_, at)| self.priorities[at.task]);
        let Some((position, chosen)) = best else { return 0 };
        for candidate in choice.candidates {
            if candidate.task == chosen.task || candidate.operation.conflicts(&chosen.operation) {
                self.priorities[candidate.task] = 0;
            }
        }
        position
    }
}
