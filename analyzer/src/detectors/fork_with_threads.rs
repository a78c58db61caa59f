//! Forks in a process that has other threads, after which the child does more than is safe.
//!
//! The child has a copy of the forking thread alone: whatever the others were at stays half done in its
//! memory. Until it is another program it may only do what POSIX calls async-signal-safe. Seen are locks and
//! the like that existed at the fork, new threads, allocations, standard output and the environment, and a
//! child that was found to wait for ever for something that is not recorded.
//!
//! `confirmed`: the child did such a thing. `potential`: it only allocated, which POSIX forbids, and the
//! allocators of glibc and musl put themselves in order for.
//!
//! Silent: a child that execs or exits at once, `Command` (also with a `pre_exec` that keeps to the rule), locks
//! that the child made or that lie in shared memory, and locks that the forking thread holds at the fork.
//!
//! Misses: without the memory layer, allocations; functions of C that are not async-signal-safe for other
//! reasons.

use snag_trace::Act;

use crate::detectors::Detector;
use crate::detectors::evidence::Case;
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, ThreadId};
use crate::model::forks::{Fork, Forks, Unsafe};
use crate::model::names::Names;

/// The rule.
pub struct ForkWithThreads;

const ID: &str = "fork_with_threads";
const HELP: &str = "fork before any thread is started, start other programs with `Command`, or exec or \
                    `_exit` in the child before anything else";
/// More threads are not named.
const MOST_NAMED: usize = 8;

impl Detector for ForkWithThreads {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a process with several threads forks, and the child does more than is safe"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let forks = Forks::of(execution);
        forks.all.iter().filter_map(|fork| judge(execution, names, &forks, fork)).collect()
    }
}

fn judge(execution: &Execution, names: &dyn Names, forks: &Forks<'_>, fork: &Fork) -> Option<Finding> {
    let counts = |&(event, act): &(u32, Unsafe)| {
        act != Unsafe::Does(Act::Prints) || is_of_std(execution, names, event)
    };
    let hang = forks.hangs_unseen(fork).then_some((fork.start, Unsafe::Hangs));
    let mut acts = forks.unsafe_acts(fork).filter(counts).chain(hang);
    let first = acts.next()?;
    let is_harmless = |(_, act): &(u32, Unsafe)| *act == Unsafe::Does(Act::Allocates);
    let decisive = if is_harmless(&first) { acts.find(|act| !is_harmless(act)) } else { None };
    let alive = forks.others_alive(fork);
    let worst = decisive.unwrap_or(first);
    (!alive.is_empty()).then(|| report(execution, names, fork, &alive, first, worst))
}

/// Whether it is the standard library's buffers that are written here, and not the descriptor alone.
fn is_of_std(execution: &Execution, names: &dyn Names, event: u32) -> bool {
    let site = execution.sites[execution.events[event as usize].site.at()];
    let definitions = &execution.processes[site.process as usize].definitions;
    let stack = definitions.code_sites.get(&site.number);
    let frames = stack.map_or_else(Vec::new, |stack| names.frames(site.process, stack));
    frames.iter().any(|frame| frame.function.contains("io::stdio"))
}

fn report(
    execution: &Execution,
    names: &dyn Names,
    fork: &Fork,
    alive: &[ThreadId],
    first: (u32, Unsafe),
    worst: (u32, Unsafe),
) -> Finding {
    let event = |index: u32| &execution.events[index as usize];
    let taken = [first, worst].map(|(_, act)| match act {
        Unsafe::Takes(object, _) => object,
        _ => ObjectId::default(),
    });
    let child = event(first.0).thread;
    let named = &alive[..alive.len().min(MOST_NAMED)];
    let mut case = Case::new(execution, names, &[&[fork.thread, child], named].concat(), &taken);
    let forks = case.thread(fork.thread);
    let others = match alive.len() - named.len() {
        0 => case.threads(named),
        more => format!("{} and {more} more", case.threads(named)),
    };
    let lived = if alive.len() == 1 { "lives" } else { "live" };
    let label = format!("{forks} forks here while {others} {lived}");
    case.at("forked", fork.thread, event(fork.event).site, label, &[]);
    let what = phrase(&case, worst.1);
    if first != worst {
        let label = format!("the child {} here, the first thing that is not safe", phrase(&case, first.1));
        case.at("first_unsafe", child, event(first.0).site, label, &[]);
    }
    case.at("unsafe", event(worst.0).thread, event(worst.0).site, format!("the child {what} here"), &[]);
    for &thread in named {
        let info = execution.thread(thread);
        if !info.parent.is_none() {
            let label = format!("{} was spawned here", case.thread(thread));
            case.at("spawned", info.parent, info.spawned_at, label, &[]);
        }
    }
    let is_harmless = worst.1 == Unsafe::Does(Act::Allocates);
    if is_harmless {
        case.note(
            "glibc and musl put their allocators in order for a fork; POSIX promises nothing".to_owned(),
        );
    }
    let message = format!(
        "{forks} forks while {others} {lived}, and the child {what}: only async-signal-safe functions may be called \
         there before it execs"
    );
    case.finding(ID, if is_harmless { Certainty::Potential } else { Certainty::Confirmed }, message, HELP)
}

fn phrase(case: &Case<'_>, act: Unsafe) -> String {
    match act {
        Unsafe::Takes(object, mode) => match mode {
            snag_trace::Mode::Wait => format!("waits for {}", case.object(object)),
            snag_trace::Mode::Receive => format!("receives from {}", case.object(object)),
            snag_trace::Mode::Barrier => format!("waits at {}", case.object(object)),
            mode => format!("{}s {}", case.verb(object, mode), case.object(object)),
        },
        Unsafe::Spawns => "starts a thread".to_owned(),
        Unsafe::Hangs => "waits for ever for a lock inside of std or libc (standard output, say)".to_owned(),
        Unsafe::Does(Act::Allocates) => "allocates memory".to_owned(),
        Unsafe::Does(Act::Prints) => "prints".to_owned(),
        Unsafe::Does(Act::UsesEnvironment) => "uses the environment".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::ForkWithThreads;
    use crate::detectors::{Detector, find};
    use crate::finding::{Certainty, Finding};
    use crate::model::execution::Execution;
    use crate::model::script::{ScriptNames, execution};
    use crate::run::meta::{Awaited, KernelWait, Waker};

    fn found(child: &str) -> Vec<Finding> {
        find(&ForkWithThreads, &format!("1 spawn 2\n2 lock m\n1 fork\n101 begins 3\n1 forked 101\n{child}"))
    }

    #[test]
    fn the_first_unsafe_thing_and_the_first_that_is_no_allocation_are_told() {
        let [finding] = &found("101 allocates\n101 spawn 102")[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        let places: Vec<_> =
            finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect();
        assert_eq!(places, [("forked", 3), ("first_unsafe", 6), ("unsafe", 7)]);
        assert!(finding.message.contains("starts a thread"), "{}", finding.message);
    }

    #[test]
    fn locks_and_the_environment_are_unsafe_and_allocations_may_be() {
        for (child, certainty) in [
            ("101 want m", Certainty::Confirmed),
            ("101 getenv", Certainty::Confirmed),
            ("101 allocates", Certainty::Potential),
        ] {
            assert_eq!(found(child).iter().map(|finding| finding.certainty).collect::<Vec<_>>(), [certainty]);
        }
    }

    #[test]
    fn a_child_that_execs_or_exits_or_writes_past_std_is_clean() {
        for child in ["101 exec", "101 exit\n101 allocates", "101 prints\n101 exit", "101 lock m2"] {
            assert!(found(child).is_empty(), "{child}");
        }
    }

    #[test]
    fn a_child_that_waits_where_nothing_is_recorded_is_told() {
        let wait = KernelWait {
            thread: 101,
            awaited: Awaited::Futex,
            descriptor: None,
            wakers: vec![Waker { pid: 101, descriptor: None }],
        };
        let mut execution = execution("1 spawn 2\n2 park\n1 fork\n101 begins 3\n1 forked 101");
        let names = |execution: &Execution| {
            ForkWithThreads.detect(execution, &ScriptNames(execution)).into_iter().map(|it| it.message)
        };
        assert_eq!(names(&execution).count(), 0);
        (execution.processes[1].stuck, execution.processes[1].waits) = (Some(99), vec![wait]);
        assert!(names(&execution).all(|said| said.contains("waits for ever for a lock inside of std")));
        assert_eq!(names(&execution).count(), 1);
    }

    #[test]
    fn a_process_of_one_thread_may_fork() {
        let script = "1 spawn 2\n2 end\n1 join 2\n1 fork\n101 begins 4\n101 allocates\n101 spawn 102";
        assert!(find(&ForkWithThreads, script).is_empty());
    }
}
