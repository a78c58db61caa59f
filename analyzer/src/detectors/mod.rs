//! Detectors: an execution in, findings out. One file per rule, its stem the rule's id.
//!
//! Invariant: a detector does no I/O and prints nothing, and the same execution gives the same
//! findings in the same order.

pub mod atomicity_violation;
pub mod blocked_forever;
pub mod child_not_waited;
pub mod data_race;
pub mod deadlock;
pub mod evidence;
pub mod failing_schedule;
pub mod fork_while_lock_held;
pub mod fork_with_threads;
pub mod livelock;
pub mod lock_order_inversion;
pub mod lost_update;
pub mod lost_wakeup;
pub mod oversubscription;
pub mod thread_killed_at_exit;

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::model::execution::Execution;
use crate::model::names::Names;

/// One rule.
pub trait Detector: Sync {
    /// The rule's id: file stem here and of the page in docs/rules.
    fn id(&self) -> &'static str;
    /// What it finds, one sentence.
    fn summary(&self) -> &'static str;
    /// What it finds in this execution. Repeats need not be joined.
    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding>;
}

/// Every rule, in alphabetical order.
pub static REGISTRY: &[&dyn Detector] = &[
    &atomicity_violation::AtomicityViolation,
    &blocked_forever::BlockedForever,
    &child_not_waited::ChildNotWaited,
    &data_race::DataRace,
    &deadlock::Deadlock,
    &failing_schedule::FailingSchedule,
    &fork_while_lock_held::ForkWhileLockHeld,
    &fork_with_threads::ForkWithThreads,
    &livelock::Livelock,
    &lock_order_inversion::LockOrderInversion,
    &lost_update::LostUpdate,
    &lost_wakeup::LostWakeup,
    &oversubscription::Oversubscription,
    &thread_killed_at_exit::ThreadKilledAtExit,
];

/// Runs every rule, joins repeats (same rule, threads' names apart, same places and objects) into one
/// finding with a count, and sorts: most certain first, then by rule and place.
#[must_use]
pub fn run_all(execution: &Execution, names: &dyn Names) -> Vec<Finding> {
    let found = REGISTRY.iter().flat_map(|detector| detector.detect(execution, names)).collect();
    join_repeats(found)
}

/// Joins findings that say the same, and sorts; of unequal certainty the more certain one stays.
#[must_use]
pub fn join_repeats(found: Vec<Finding>) -> Vec<Finding> {
    let mut joined: BTreeMap<_, Finding> = BTreeMap::new();
    for finding in found {
        let mut places: Vec<_> =
            finding.locations.iter().map(|at| (at.role.clone(), at.place.clone())).collect();
        let mut objects = finding.objects.clone();
        places.sort();
        objects.sort();
        // What has no place is told apart by what it says.
        let said = if places.is_empty() { finding.message.clone() } else { String::new() };
        match joined.entry((finding.rule.clone(), places, objects, said)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(finding);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let count = entry.get().count + finding.count;
                if finding.certainty > entry.get().certainty {
                    entry.insert(finding);
                }
                entry.get_mut().count = count;
            }
        }
    }
    let mut findings: Vec<_> = joined.into_values().collect();
    findings.sort_by(|one, other| {
        let places =
            |finding: &Finding| finding.locations.iter().map(|at| at.place.clone()).collect::<Vec<_>>();
        (other.certainty.cmp(&one.certainty))
            .then_with(|| one.rule.cmp(&other.rule))
            .then_with(|| places(one).cmp(&places(other)))
            .then_with(|| one.cmp(other))
    });
    findings
}

/// What a detector finds in a scripted execution, for tests.
#[cfg(test)]
pub fn find(detector: &dyn Detector, script: &str) -> Vec<Finding> {
    let execution = crate::model::script::execution(script);
    detector.detect(&execution, &crate::model::script::ScriptNames(&execution))
}

/// What a detector finds in a scripted execution, where the source says how looks bear on writes.
#[cfg(test)]
pub fn find_with(
    detector: &dyn Detector,
    script: &str,
    flows: &[(u32, u32, crate::model::flow::Flow)],
) -> Vec<Finding> {
    let execution = crate::model::script::execution(script);
    let names = crate::model::script::ScriptNames(&execution);
    detector.detect(&execution, &crate::model::script::SourcedNames { names, flows })
}

#[cfg(test)]
mod tests {
    use snag_trace::{Event, Flags, Kind, Mode, ProcessTrace};

    use super::{REGISTRY, find, join_repeats, run_all};
    use crate::detectors::lock_order_inversion::LockOrderInversion;
    use crate::finding::Certainty;
    use crate::model::execution::Execution;
    use crate::model::names::PlainNames;
    use crate::run::meta::RunMeta;

    #[test]
    fn rules_are_in_alphabetical_order_without_repeats() {
        let ids: Vec<&str> = REGISTRY.iter().map(|detector| detector.id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    }

    #[test]
    fn repeats_are_counted_and_the_most_certain_one_stays() {
        let script =
            "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n3 lock m2\n3 lock m1\n3 unlock m1\n3 unlock m2";
        let [predicted] = &find(&LockOrderInversion, script)[..] else { panic!("one finding") };
        let mut potential = predicted.clone();
        potential.certainty = Certainty::Potential;
        let mut elsewhere = potential.clone();
        elsewhere.locations[0].place.line = 99;
        let joined = join_repeats(vec![potential.clone(), elsewhere, predicted.clone(), potential]);
        let said: Vec<_> = joined.iter().map(|finding| (finding.certainty, finding.count)).collect();
        assert_eq!(said, [(Certainty::Predicted, 3), (Certainty::Potential, 1)]);
    }

    fn recorded(seq: u64, thread: u32, kind: Kind, mode: Mode, object: u32, site: u32) -> Event {
        Event { seq, thread, kind, mode, flags: Flags::NONE, object, site, arg: 0 }
    }

    /// Eight threads that lock two of a hundred mutexes, one inside the other, 12,500 times.
    #[test]
    fn one_inversion_is_found_behind_many_sections_in_one_order() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut events = Vec::new();
        while events.len() < 100_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (thread, outer) = ((random % 8) as u32 + 1, (random >> 8) as u32 % 99 + 1);
            for (kind, object) in [
                (Kind::Acquire, outer),
                (Kind::Write, outer),
                (Kind::Acquire, 100),
                (Kind::Read, 100),
                (Kind::Write, 100),
                (Kind::Release, 100),
                (Kind::Read, outer),
                (Kind::Release, outer),
            ] {
                let mode =
                    if matches!(kind, Kind::Read | Kind::Write) { Mode::None } else { Mode::Exclusive };
                let seq = events.len() as u64 + 1;
                events.push(recorded(seq, thread, kind, mode, object, outer));
            }
        }
        // One inversion, at the very end.
        for (thread, kind, object) in
            [(1, Kind::Acquire, 100), (1, Kind::Acquire, 7), (1, Kind::Release, 7), (1, Kind::Release, 100)]
        {
            let seq = events.len() as u64 + 1;
            events.push(recorded(seq, thread, kind, Mode::Exclusive, object, 0));
        }
        let trace = ProcessTrace { events, ..ProcessTrace::default() };
        let execution = Execution::load(vec![trace], &RunMeta::default());
        let found = run_all(&execution, &PlainNames(&execution));
        let [inversion] = &found[..] else { panic!("{found:?}") };
        assert_eq!(inversion.rule, "lock_order_inversion");
    }
}
