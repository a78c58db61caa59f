//! Child processes that nobody waits for: zombies, and orphans when their parent ends.
//!
//! `potential`: some programs mean it so. A child that had ended stays a zombie, which takes a number from
//! the system, until its parent ends; one that still runs then is nobody's, and whatever it fails at is
//! told to nobody.
//!
//! Silent: parents that did not come to a normal end, and those whose children another thread or a handler
//! waits for.
//!
//! Misses: parents that ignore `SIGCHLD` need not wait, and are told all the same.

use std::collections::{BTreeMap, BTreeSet};

use snag_trace::Kind;

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, process_name};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Event, Execution, Process, ThreadId};
use crate::model::names::Names;

/// The rule.
pub struct ChildNotWaited;

const ID: &str = "child_not_waited";
const HELP: &str = "wait for each child on every path (`Child::wait`, `waitpid`), or have it end with its parent; a \
                    dropped `Child` is not waited for";

impl Detector for ChildNotWaited {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a process ends without having waited for a child process"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let mut waited: BTreeSet<(u32, u64)> = BTreeSet::new();
        let mut made: BTreeMap<(u32, u64), Made> = BTreeMap::new();
        let mut forks: BTreeMap<ThreadId, u32> = BTreeMap::new();
        for (index, event) in (0_u32..).zip(&execution.events) {
            let key = (execution.thread(event.thread).process, event.arg);
            match event.kind {
                Kind::Fork => {
                    forks.insert(event.thread, index);
                }
                Kind::Forked if event.arg != 0 => {
                    if let Some(&fork) = forks.get(&event.thread) {
                        // The number was given away anew: the one before was waited for, whoever did.
                        made.insert(key, Made { fork, forked: index });
                        waited.remove(&key);
                    }
                }
                Kind::Reaped => {
                    waited.insert(key);
                }
                _ => {}
            }
        }
        let left = made.into_iter().filter(|(key, _)| !waited.contains(key));
        left.filter_map(|((parent, pid), made)| judge(execution, names, parent, pid, made)).collect()
    }
}

/// Indices of the events that made a child.
struct Made {
    fork: u32,
    forked: u32,
}

/// What became of a child.
enum Fate {
    /// It had ended before its parent.
    Zombie,
    /// It went on after its parent.
    Orphan,
    /// It was not recorded.
    Unknown,
}

fn judge(execution: &Execution, names: &dyn Names, parent: u32, pid: u64, made: Made) -> Option<Finding> {
    let exit = execution.processes[parent as usize].exit?;
    let is_it = |&(_, other): &(u32, &Process)| {
        u64::from(other.definitions.pid) == pid && other.made_by.is_none_or(|by| by >= made.fork)
    };
    let child = (0_u32..).zip(&execution.processes).filter(is_it).last();
    let fate = match child {
        None => Fate::Unknown,
        Some((_, child)) if child.stuck.is_some() => return None,
        Some((_, child)) if child.alive => Fate::Orphan,
        Some((index, _)) => {
            let is_own = |event: &&Event| execution.thread(event.thread).process == index;
            let goes_on = execution.events[exit as usize..].iter().any(|event| is_own(&event));
            if goes_on { Fate::Orphan } else { Fate::Zombie }
        }
    };
    let event = &execution.events[made.fork as usize];
    let maker = execution.events[made.forked as usize].thread;
    let mut case = Case::new(execution, names, &[maker], &[]);
    let thread = case.thread(maker);
    let what = child.map_or("a child process".to_owned(), |(index, _)| process_name(execution, index));
    case.at("forked", maker, event.site, format!("{thread} starts {what} here"), &[]);
    let message = match fate {
        Fate::Zombie => {
            format!("{thread} starts {what} and nobody waits for it: it stays a zombie until its parent ends")
        }
        Fate::Orphan => {
            format!("{thread} starts {what}, and its parent ends before it without waiting for it")
        }
        Fate::Unknown => format!("{thread} starts {what} and nobody waits for it"),
    };
    Some(case.finding(ID, Certainty::Potential, message, HELP))
}

#[cfg(test)]
mod tests {
    use super::ChildNotWaited;
    use crate::detectors::find;
    use crate::finding::Certainty;

    fn said(script: &str) -> Vec<String> {
        let found = find(&ChildNotWaited, script);
        assert!(found.iter().all(|finding| finding.certainty == Certainty::Potential));
        found.into_iter().map(|finding| finding.message).collect()
    }

    const FORK: &str = "1 fork\n101 begins 1\n1 forked 101\n";

    #[test]
    fn a_child_that_ended_unheard_is_a_zombie_and_one_that_goes_on_an_orphan() {
        assert!(said(&format!("{FORK}101 exit\n1 exit"))[0].contains("zombie"));
        assert!(said(&format!("{FORK}1 exit\n101 exit"))[0].contains("ends before it"));
    }

    #[test]
    fn a_child_that_was_waited_for_is_none_nor_is_one_of_a_parent_that_was_killed() {
        assert!(said(&format!("{FORK}101 exit\n1 reaped 101\n1 exit")).is_empty());
        assert!(said(&format!("{FORK}101 exit")).is_empty());
        assert!(said("1 fork\n1 forked 0\n1 exit").is_empty());
    }

    #[test]
    fn a_program_that_was_not_recorded_is_told_as_well() {
        assert_eq!(said("1 fork\n1 forked 77\n1 exit").len(), 1);
    }

    #[test]
    fn a_number_that_was_given_away_twice_is_waited_for_twice() {
        let script = format!("{FORK}101 exit\n1 reaped 101\n1 fork\n1 forked 101\n1 exit");
        assert_eq!(said(&script).len(), 1);
    }
}
