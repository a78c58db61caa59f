//! Which processes can only be woken by each other.
//!
//! Invariant: every process that could wake one of a group is in the group, so if all of them sleep, they
//! sleep for ever. Groups are as small as can be: who merely waits for a group is none of it, and may go on
//! when the group is ended.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

/// The groups among these sleeping processes, by the processes that could wake each. In order, and their
/// members as well.
#[must_use]
pub fn closed_groups(wakers: &BTreeMap<u32, BTreeSet<u32>>) -> Vec<Vec<u32>> {
    let mut graph: DiGraphMap<u32, ()> = DiGraphMap::new();
    for (&sleeper, wakers) in wakers {
        graph.add_node(sleeper);
        for &waker in wakers {
            graph.add_edge(sleeper, waker, ());
        }
    }
    let is_closed = |group: &Vec<u32>| {
        group.iter().all(|sleeper| {
            wakers.get(sleeper).is_some_and(|wakers| wakers.iter().all(|waker| group.contains(waker)))
        })
    };
    let mut groups: Vec<Vec<u32>> = tarjan_scc(&graph).into_iter().filter(is_closed).collect();
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use super::closed_groups;

    fn groups(wakers: &[(u32, &[u32])]) -> Vec<Vec<u32>> {
        closed_groups(&wakers.iter().map(|(pid, wakers)| (*pid, wakers.iter().copied().collect())).collect())
    }

    #[test]
    fn two_that_wait_for_each_other_are_a_group() {
        assert_eq!(groups(&[(1, &[2]), (2, &[1])]), [[1, 2]]);
    }

    #[test]
    fn one_that_only_it_could_wake_is_a_group_and_who_waits_for_it_is_not() {
        assert_eq!(groups(&[(1, &[2]), (2, &[2])]), [[2]]);
    }

    #[test]
    fn whoever_can_be_woken_from_outside_is_in_none() {
        assert_eq!(groups(&[(1, &[2]), (2, &[1, 3])]), Vec::<Vec<u32>>::new());
        assert_eq!(groups(&[(1, &[2]), (2, &[1, 3]), (3, &[4]), (4, &[4])]), [[4]]);
    }

    #[test]
    fn a_circle_over_three_is_a_group_beside_another() {
        assert_eq!(groups(&[(1, &[2]), (2, &[3]), (3, &[1]), (7, &[7])]), [vec![1, 2, 3], vec![7]]);
    }
}
