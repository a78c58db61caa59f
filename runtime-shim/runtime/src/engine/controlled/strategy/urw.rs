//! Uniform random walk.
//!
//! A thread runs with a probability in proportion to the operations that it still has to make, its
//! unborn children's included: so each interleaving is as likely as every other, if the numbers, which
//! are those of the profile, are right.
//!
//! Source: H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury, "Selectively uniform concurrency testing",
//! ASPLOS 2025, algorithm 1.

use snag_trace::control::{MAX_TASKS, PARAMETERS};

use super::{Choice, Chooser, Profile};
use crate::engine::controlled::random::Random;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Urw {
    remaining: Remaining,
}

/// How many operations each thread still has to make.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Remaining([u32; MAX_TASKS]);

impl Remaining {
    pub(super) fn begin(&mut self, profile: &Profile, counts: &[u32; MAX_TASKS]) {
        self.0.fill(0);
        profile.with_children(counts, &mut self.0);
    }

    /// The child's operations are no longer its parent's.
    pub(super) fn spawned(&mut self, parent: usize, child: usize) {
        self.0[parent] = self.0[parent].saturating_sub(self.0[child]);
    }

    pub(super) fn made(&mut self, task: usize) {
        self.0[task] = self.0[task].saturating_sub(1);
    }

    /// Of a thread; `least` if it has more to do than was foreseen.
    pub(super) fn of(&self, task: usize, least: u32) -> u64 {
        u64::from(self.0[task].max(least))
    }
}

/// A position, with a probability in proportion to its weight; nothing if all weigh nothing.
pub(super) fn weighted(weights: impl Iterator<Item = u64> + Clone, random: &mut Random) -> Option<usize> {
    let sum: u64 = weights.clone().sum();
    let mut left = random.below(sum.max(1));
    for (position, weight) in weights.enumerate() {
        if left < weight {
            return Some(position);
        }
        left -= weight;
    }
    None
}

impl Chooser for Urw {
    fn begin(&mut self, _: &mut Random, profile: &Profile, _: &[u64; PARAMETERS]) {
        self.remaining.begin(profile, &profile.operations);
    }

    fn choose(&mut self, choice: &Choice<'_>, random: &mut Random) -> usize {
        let current = choice.current.filter(|_| choice.yields && choice.candidates.len() > 1);
        let weights = choice.candidates.iter().enumerate().map(|(position, candidate)| {
            if Some(position) == current { 0 } else { self.remaining.of(candidate.task, 1) }
        });
        let position = weighted(weights, random).unwrap_or(0);
        self.remaining.made(choice.candidates[position].task);
        position
    }

    fn spawned(&mut self, parent: usize, child: usize, _: &mut Random) {
        self.remaining.spawned(parent, child);
    }
}
