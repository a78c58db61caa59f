//! The ways by calls from one function to two accesses.

use crate::finding::{Frame, Place};

/// Calls between the function that has both accesses and either of these.
const DEEPEST: usize = 3;

/// The calls that lead to an atomic operation in code that is not the standard library's: functions
/// and places, innermost first.
#[must_use]
pub fn calls(frames: &[Frame]) -> Option<Vec<(String, Place)>> {
    let known = frames.iter().map(|frame| Some((frame.function.clone(), frame.place.clone()?)));
    let outside =
        known.skip_while(|call| call.as_ref().is_some_and(|(_, place)| place.is_atomic_operation()));
    let calls: Vec<_> = outside.map_while(|call| call.filter(|(_, place)| !place.is_library())).collect();
    (!calls.is_empty()).then_some(calls)
}

/// Both up to the innermost function that they have in common.
#[must_use]
pub fn up_to_common(from: &[(String, Place)], to: &[(String, Place)]) -> Option<(Vec<Place>, Vec<Place>)> {
    let same =
        |(one, at): &(String, Place), (other, there): &(String, Place)| one == other && at.file == there.file;
    let reach = |calls: &[(String, Place)]| calls.len().min(DEEPEST);
    let mut pairs: Vec<(usize, usize)> =
        (0..reach(from)).flat_map(|one| (0..reach(to)).map(move |other| (one, other))).collect();
    pairs.sort_by_key(|(one, other)| (one + other, *one));
    let (one, other) = pairs.into_iter().find(|&(one, other)| same(&from[one], &to[other]))?;
    let places = |calls: &[(String, Place)]| calls.iter().map(|(_, place)| place.clone()).collect();
    Some((places(&from[..=one]), places(&to[..=other])))
}
