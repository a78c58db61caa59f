//! Selectively uniform random walk.
//!
//! As [`super::urw`], but uniform over the order of the operations of interest only: the next one of
//! those is drawn in proportion to how many of them each thread still has to make, other threads stop
//! before theirs, and everything else runs as chance will have it.
//!
//! What is of interest are the places that the parameters name (those of earlier findings); without any,
//! operations that others would notice.
//!
//! Source: H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury, "Selectively uniform concurrency testing",
//! ASPLOS 2025, algorithm 2.

use snag_trace::control::PARAMETERS;

use super::urw::{Remaining, weighted};
use super::{Choice, Chooser, Operation, Profile};
use crate::engine::controlled::random::Random;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Surw {
    remaining: Remaining,
    /// The thread that makes the next operation of interest, 1 more than its number; 0 if that is to be
    /// drawn.
    next: usize,
    places: [u64; PARAMETERS],
}

/// Whether an operation is of interest, where these are the places that are.
pub(in crate::engine::controlled) fn is_interesting(
    operation: &Operation,
    places: &[u64; PARAMETERS],
) -> bool {
    if places[0] == 0 {
        return operation.writes && operation.object != 0;
    }
    places.contains(&operation.spot) && operation.spot != 0
}

impl Chooser for Surw {
    fn begin(&mut self, _: &mut Random, profile: &Profile, parameters: &[u64; PARAMETERS]) {
        self.remaining.begin(profile, &profile.interesting);
        self.next = 0;
        self.places = *parameters;
    }

    fn choose(&mut self, choice: &Choice<'_>, random: &mut Random) -> usize {
        let candidates = choice.candidates;
        let next = self.next.checked_sub(1);
        if next.is_none_or(|next| candidates.iter().all(|candidate| candidate.task != next)) {
            let weights = candidates.iter().map(|candidate| self.remaining.of(candidate.task, 0));
            self.next = weighted(weights, random).map_or(0, |position| candidates[position].task + 1);
        }
        let current = choice.current.filter(|_| choice.yields && candidates.len() > 1);
        let is_free = |position: usize| {
            let candidate = &candidates[position];
            Some(position) != current
                // More was done than was foreseen: nobody is left to be waited for.
                && (self.next == 0
                    || candidate.task + 1 == self.next
                    || !is_interesting(&candidate.operation, &self.places))
        };
        let free = |position| u64::from(is_free(position));
        let position = weighted((0..candidates.len()).map(free), random)
            .unwrap_or_else(|| random.below(candidates.len() as u64) as usize);
        let chosen = &candidates[position];
        if is_interesting(&chosen.operation, &self.places) {
            self.remaining.made(chosen.task);
            self.next = 0;
        }
        position
    }

    fn spawned(&mut self, parent: usize, child: usize, _: &mut Random) {
        self.remaining.spawned(parent, child);
    }
}
