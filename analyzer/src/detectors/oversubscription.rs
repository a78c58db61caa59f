//! Many more threads, of one process or of several, want to run than there are processors.
//!
//! Always `potential`: it costs time and no correctness. What counts is how many threads the kernel had as
//! runnable at once, over all processes of the run, for a meaningful time ([`crate::run::load`]).
//!
//! Misses: what comes and goes between two looks; processors that others take away.

use std::collections::{BTreeMap, BTreeSet};

use crate::detectors::Detector;
use crate::detectors::evidence::Case;
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, SiteId, ThreadId};
use crate::model::names::Names;
use crate::run::meta::Busiest;

/// The rule.
pub struct Oversubscription;

const ID: &str = "oversubscription";
const HELP: &str = "start as many threads as `std::thread::available_parallelism` says, and give them more work each: \
                    a pool (`rayon`) does that; where each process has such a pool, divide them by the processes";

impl Detector for Oversubscription {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "many more threads want to run than there are processors"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let busiest = execution.busiest.iter();
        busiest.filter_map(|busiest| report(execution, names, busiest)).collect()
    }
}

fn report(execution: &Execution, names: &dyn Names, busiest: &Busiest) -> Option<Finding> {
    let mut here: Vec<ThreadId> =
        execution.thread_ids().filter(|thread| is_one(execution, *thread, busiest)).collect();
    here.dedup();
    let processes: BTreeSet<u32> = here.iter().map(|thread| execution.thread(*thread).process).collect();
    if here.is_empty() {
        return None;
    }
    let mut case = Case::new(execution, names, &here[..1], &[]);
    let mut spawned: BTreeMap<SiteId, Vec<ThreadId>> = BTreeMap::new();
    for &thread in &here {
        spawned.entry(execution.thread(thread).spawned_at).or_default().push(thread);
    }
    let mut by_place: BTreeMap<_, (ThreadId, SiteId, usize)> = BTreeMap::new();
    for (site, threads) in spawned {
        if let Some(place) = case.place(site) {
            let parent = execution.thread(threads[0]).parent;
            by_place.entry(place).or_insert((parent, site, 0)).2 += threads.len();
        }
    }
    for (parent, site, count) in by_place.into_values() {
        let label = format!("{count} of them are started here");
        case.at("spawned", parent, site, label, &[]);
    }
    for &process in &processes {
        let known = &execution.processes[process as usize];
        if let Some(made) = known.made_by {
            let event = &execution.events[made as usize];
            case.at("forked", event.thread, event.site, "a process was started here".to_owned(), &[]);
        }
    }
    let of = if processes.len() == 1 { String::new() } else { format!(" of {} processes", processes.len()) };
    let message = format!(
        "{} threads{of} wanted to run at once on {}, for {}.{} s: they wait for each other's turn",
        busiest.threads.len(),
        counted(busiest.processors as usize, "processor", "processors"),
        busiest.milliseconds / 1000,
        busiest.milliseconds / 100 % 10
    );
    Some(case.finding(ID, Certainty::Potential, message, HELP))
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn is_one(execution: &Execution, thread: ThreadId, busiest: &Busiest) -> bool {
    let known = execution.thread(thread);
    let definitions = &execution.processes[known.process as usize].definitions;
    let os_thread = definitions.threads.get(&known.number).map_or(0, |info| info.os_thread);
    busiest.threads.contains(&(definitions.pid, os_thread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::PlainNames;
    use crate::model::script::execution;

    #[test]
    fn it_is_told_where_the_threads_were_started_and_only_if_they_were_too_many() {
        let mut execution = execution("1 spawn 2\n1 spawn 3\n2 lock m\n2 unlock m\n3 lock m\n3 unlock m");
        assert!(Oversubscription.detect(&execution, &PlainNames(&execution)).is_empty());
        let pid = execution.processes[0].definitions.pid;
        for (number, info) in &mut execution.processes[0].definitions.threads {
            info.os_thread = 1000 + number;
        }
        let threads = vec![(pid, 1002), (pid, 1003), (pid, 1099)];
        execution.busiest = Some(Busiest { processors: 1, milliseconds: 2_340, threads });
        let found = Oversubscription.detect(&execution, &PlainNames(&execution));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].certainty, Certainty::Potential);
        assert!(found[0].message.contains("3 threads wanted to run at once on 1 processor, for 2.3 s"));
    }
}
