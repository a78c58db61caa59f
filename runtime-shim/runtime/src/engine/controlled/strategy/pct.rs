//! Probabilistic concurrency testing.
//!
//! Each thread has a priority of chance, and the highest one that can run does; at `depth - 1` points of
//! chance the running thread's priority falls below all others. A bug that needs `d` ordering constraints
//! among `n` threads in `k` steps is found with a probability of at least 1/(n k^(d-1)).
//!
//! Source: S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte, "A randomized scheduler with
//! probabilistic guarantees of finding bugs", ASPLOS 2010. `k` is that of the profile. Who yields falls
//! below all others as well, without which a loop that waits would never end.

use snag_trace::control::{MAX_TASKS, PARAMETERS};

use super::{Choice, Chooser, Profile};
use crate::engine::controlled::random::Random;

/// Most change points.
const MOST: usize = 31;
/// Position of the depth among the parameters.
const DEPTH: usize = 0;
const DEFAULT_DEPTH: u64 = 3;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Pct {
    /// 0 until the thread is first seen; larger runs first.
    priorities: [u64; MAX_TASKS],
    /// What the next priority that falls is: below all that chance gives, and falling.
    lowest: u64,
    points: [u64; MOST],
    count: usize,
}

/// Priorities of chance have this bit.
const HIGH: u64 = 1 << 63;

impl Chooser for Pct {
    fn begin(&mut self, random: &mut Random, profile: &Profile, parameters: &[u64; PARAMETERS]) {
        self.priorities.fill(0);
        self.lowest = HIGH - 1;
        let depth = if parameters[DEPTH] == 0 { DEFAULT_DEPTH } else { parameters[DEPTH] };
        self.count = (depth.saturating_sub(1) as usize).min(MOST);
        for point in &mut self.points[..self.count] {
            *point = 1 + random.below(profile.choices.max(1));
        }
    }

    fn choose(&mut self, choice: &Choice<'_>, random: &mut Random) -> usize {
        for candidate in choice.candidates {
            let priority = &mut self.priorities[candidate.task];
            if *priority == 0 {
                *priority = random.next() | HIGH;
            }
        }
        let falls = choice.yields || self.points[..self.count].contains(&choice.number);
        if let Some(current) = choice.current
            && falls
        {
            self.priorities[choice.candidates[current].task] = self.lowest;
            self.lowest -= 1;
        }
        let best = choice.candidates.iter().enumerate().max_by_key(|(_, at)| self.priorities[at.task]);
        best.map_or(0, |(position, _)| position)
    }
}
