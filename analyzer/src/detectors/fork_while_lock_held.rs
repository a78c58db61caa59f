//! Forks while another thread holds a lock that the child takes: in the child nobody can release it.
//!
//! `confirmed`: the child waited for a lock, never got it, and another thread of the parent held that lock
//! when the process forked.
//!
//! `predicted`: the child got the lock, but another thread of the parent takes it as well, and a reordering
//! of this run has that thread inside when the process forks ([`crate::model::sync_preserving`]). What the
//! child does until it takes the lock must not depend on where the other thread is: if it took before
//! another lock that both use, nothing is predicted.
//!
//! A lock that the forking thread holds itself, as handlers of `pthread_atfork` see to it, is nobody else's.
//!
//! Misses: locks inside of the standard library and of libc (standard output, the allocator).

use crate::detectors::Detector;
use crate::detectors::evidence::Case;
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, ThreadId};
use crate::model::forks::{Fork, Forks, Hang, Unsafe};
use crate::model::modes::{conflict, is_lock};
use crate::model::names::Names;
use crate::model::sections::Section;
use crate::model::sync_preserving::{Keep, Outcome, Reorderings};

/// The rule.
pub struct ForkWhileLockHeld;

const ID: &str = "fork_while_lock_held";
const HELP: &str = "start other programs with `Command`, fork before any thread is started, or hold \
                    the lock while forking: lock it before and unlock it after in parent and child, as handlers of \
                    `pthread_atfork` can";

impl Detector for ForkWhileLockHeld {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a process forks while another thread holds a lock that the child takes"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let forks = Forks::of(execution);
        let mut findings = Vec::new();
        let mut reorderings = None;
        for fork in &forks.all {
            if let Some(hang) = forks.hang(fork) {
                findings.push(report(execution, names, fork, hang, Certainty::Confirmed));
                continue;
            }
            let reorderings = reorderings.get_or_insert_with(|| Reorderings::of(execution));
            let possible = possible(execution, &forks, fork, reorderings);
            findings.extend(possible.map(|hang| report(execution, names, fork, hang, Certainty::Predicted)));
        }
        findings
    }
}

/// The first lock that the child takes and that another thread can hold at the fork.
fn possible(
    execution: &Execution,
    forks: &Forks<'_>,
    fork: &Fork,
    reorderings: &mut Reorderings<'_>,
) -> Option<Hang> {
    let mut taken: Vec<ObjectId> = Vec::new();
    for (wanted, act) in forks.unsafe_acts(fork) {
        let Unsafe::Takes(object, mode) = act else { continue };
        let Some(lock) = forks.original(object).filter(|lock| !taken.contains(lock)) else { continue };
        let sections = execution.sections();
        let excludes = |section: &&Section| {
            section.lock == lock && section.thread != fork.thread && conflict(section.mode, mode)
        };
        let mut holders: Vec<ThreadId> =
            sections.all().iter().filter(excludes).map(|section| section.thread).collect();
        holders.sort_unstable();
        holders.dedup();
        for holder in holders.into_iter().filter(|_| is_lock(mode)) {
            let used = |lock: &ObjectId| sections.of_thread(holder).any(|section| section.lock == *lock);
            if taken.iter().any(used) {
                continue;
            }
            let own = || sections.of_thread(holder).filter(excludes);
            let ends: Vec<u32> = own().filter_map(|section| section.end).collect();
            if let Outcome::Together(events) = reorderings.together(&[&ends, &[fork.event]], Keep::Everything)
                && let Some(&section) = own().find(|section| section.end == Some(events[0]))
            {
                return Some(Hang { wanted, section });
            }
        }
        taken.push(lock);
    }
    None
}

fn report(
    execution: &Execution,
    names: &dyn Names,
    fork: &Fork,
    hang: Hang,
    certainty: Certainty,
) -> Finding {
    let event = |index: u32| &execution.events[index as usize];
    let Section { lock, thread: holder, mode, begin, .. } = hang.section;
    let child = event(hang.wanted).thread;
    let mut case = Case::new(execution, names, &[holder, fork.thread, child], &[lock]);
    let (holds, forks, name) = (case.thread(holder), case.thread(fork.thread), case.object(lock));
    let verb = case.verb(lock, mode);
    let is_seen = certainty == Certainty::Confirmed;
    let label = if is_seen {
        format!("{holds} {verb}s {name} here and holds it at the fork")
    } else {
        format!("{holds} {verb}s {name} here and can hold it at the fork")
    };
    case.at("acquired_first", holder, event(begin).site, label, &[]);
    case.at("forked", fork.thread, event(fork.event).site, format!("{forks} forks here"), &[]);
    let label = if is_seen {
        format!("the child waits here for its copy of {name}, for ever")
    } else {
        format!("the child {verb}s its copy of {name} here")
    };
    case.at("wanted", child, event(hang.wanted).site, label, &[]);
    if !is_seen {
        case.step(holder, format!("{verb}s {name}"), event(begin).site);
        case.step(fork.thread, "forks: in the child nobody can unlock it".to_owned(), event(fork.event).site);
        case.step(child, format!("waits for {name}, for ever"), event(hang.wanted).site);
    }
    let message = if is_seen {
        format!(
            "{holds} held {name} when {forks} forked: in the child nobody can release it, and the child waits for it"
        )
    } else {
        format!(
            "{forks} can fork while {holds} holds {name}: in the child, which takes it, nobody could release it"
        )
    };
    case.finding(ID, certainty, message, HELP)
}

#[cfg(test)]
mod tests {
    use super::ForkWhileLockHeld;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&ForkWhileLockHeld, script)
    }

    fn places(finding: &Finding) -> Vec<(&str, u32)> {
        finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect()
    }

    #[test]
    fn a_child_that_waits_for_what_another_thread_held_is_seen() {
        let [finding] = &found("2 lock m\n1 fork\n101 begins 2\n1 forked 101\n101 want m")[..] else {
            panic!("one finding")
        };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        assert_eq!(places(finding), [("acquired_first", 1), ("forked", 2), ("wanted", 5)]);
    }

    #[test]
    fn a_section_that_nothing_keeps_from_the_fork_is_predicted() {
        let script = "2 lock m\n2 unlock m\n1 fork\n101 begins 3\n1 forked 101\n101 lock m\n101 unlock m";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        assert_eq!(places(finding), [("acquired_first", 1), ("forked", 3), ("wanted", 6)]);
        assert_eq!(finding.witness.len(), 3);
    }

    #[test]
    fn a_later_section_of_a_thread_that_waits_for_nothing_is_predicted_as_well() {
        let script = "1 lock m\n1 unlock m\n1 fork\n101 begins 3\n1 forked 101\n101 lock m\n101 unlock m\n\
                      2 lock m\n2 unlock m";
        assert_eq!(found(script).len(), 1);
    }

    #[test]
    fn a_section_that_the_fork_comes_after_is_not() {
        let child = "101 begins 5\n1 forked 101\n101 lock m\n101 unlock m";
        for before in [
            "2 lock m\n2 unlock m\n2 end\n1 join 2\n1 fork",
            "2 lock m\n2 unlock m\n2 send ch 1\n1 receive ch 1\n1 fork",
        ] {
            assert!(found(&format!("{before}\n{child}")).is_empty(), "{before}");
        }
    }

    #[test]
    fn a_lock_that_the_forking_thread_takes_around_the_fork_is_not() {
        let script = "2 lock m\n2 unlock m\n1 fork\n1 lock m\n101 begins 3\n101 unlock m\n1 unlock m\n\
                      1 forked 101\n101 lock m\n101 unlock m";
        assert!(found(script).is_empty());
    }

    #[test]
    fn nothing_is_predicted_behind_another_lock_of_the_same_thread() {
        let script = "2 lock m1\n2 unlock m1\n2 lock m2\n2 unlock m2\n1 fork\n101 begins 5\n1 forked 101\n\
                      101 lock m1\n101 unlock m1\n101 lock m2\n101 unlock m2";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(places(finding), [("acquired_first", 1), ("forked", 5), ("wanted", 8)]);
    }
}
