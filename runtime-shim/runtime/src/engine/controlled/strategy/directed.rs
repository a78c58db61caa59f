//! Active testing: threads are held where a suspicion says that they meet.
//!
//! A thread that comes to one of the places that the parameters name waits there until another is at
//! such a place, too, or until nothing else can run; then chance decides who goes on first.
//!
//! Source: K. Sen, "Race directed random testing of concurrent programs", PLDI 2008; P. Joshi, C.-S.
//! Park, K. Sen, M. Naik, "A randomized dynamic program analysis technique for detecting real
//! deadlocks", PLDI 2009.

use snag_trace::control::PARAMETERS;

use super::Choice;
use super::urw::weighted;
use crate::engine::controlled::random::Random;

/// The position of the candidate that runs next.
pub(super) fn choose(choice: &Choice<'_>, places: &[u64; PARAMETERS], random: &mut Random) -> usize {
    let candidates = choice.candidates;
    let is_held = |position: usize| {
        let spot = candidates[position].operation.spot;
        spot != 0 && places.contains(&spot)
    };
    let held = (0..candidates.len()).filter(|&position| is_held(position)).count();
    let weight = |position: usize| {
        let is_current = Some(position) == choice.current && choice.yields && candidates.len() > 1;
        u64::from(!is_current && (held > 1) == is_held(position))
    };
    weighted((0..candidates.len()).map(weight), random)
        .unwrap_or_else(|| random.below(candidates.len() as u64) as usize)
}
