//! Threads that take the same locks in different orders: circles of [`crate::model::lock_graph`].
//!
//! A circle that no schedule can close (its threads are ordered by a start, a join, a message…) is no
//! finding. One that a reordering of this run closes ([`crate::model::sync_preserving`]) is
//! `predicted`, and the reordering is its witness; the rest is `potential`. A circle that did close is
//! the business of `deadlock`: only acquisitions that succeeded count here.
//!
//! Misses: what `lock_graph` and `sync_preserving` miss.

use std::collections::BTreeMap;

use snag_trace::{Mode, ObjectKind};

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, held_before, place};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::lock_graph::{Acquisition, LockGraph, Pattern};
use crate::model::names::Names;
use crate::model::sync_preserving::{Keep, Outcome, Reorderings};

/// The rule.
pub struct LockOrderInversion;

/// Patterns at the same places that are tried in the hope for a witness.
const TRIES: u32 = 16;

impl Detector for LockOrderInversion {
    fn id(&self) -> &'static str {
        "lock_order_inversion"
    }

    fn summary(&self) -> &'static str {
        "threads take the same locks in different orders, so that each can wait for the next for ever"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let graph = LockGraph::of(execution);
        let mut reorderings = Reorderings::of(execution);
        let mut found: BTreeMap<Vec<Alike>, (u32, Option<Verdict>)> = BTreeMap::new();
        for circle in graph.circles() {
            for pattern in graph.patterns(&circle) {
                let (tries, best) = found.entry(alike(execution, &graph, &pattern)).or_default();
                *tries += 1;
                if *tries > TRIES || best.as_ref().is_some_and(Verdict::has_witness) {
                    continue;
                }
                let verdict = judge(execution, &graph, pattern, &mut reorderings);
                if best.is_none() || verdict.as_ref().is_some_and(Verdict::has_witness) {
                    *best = verdict;
                }
            }
        }
        let verdicts = found.into_values().filter_map(|(_, verdict)| verdict);
        let turned = verdicts.map(|verdict| turn(execution, names, &graph, verdict));
        turned.map(|verdict| report(execution, names, &graph, &verdict)).collect()
    }
}

/// What patterns have in common that differ only in their threads and in which of equal objects
/// they are about: places, kinds and births.
type Alike = (SiteId, SiteId, Option<ObjectKind>, u32, Mode);

fn alike(execution: &Execution, graph: &LockGraph, pattern: &Pattern) -> Vec<Alike> {
    let mut parts: Vec<Alike> = pattern
        .parts
        .iter()
        .map(|part| {
            let acquisition = &graph.acquisitions[part.acquisition];
            let lock = execution.objects[acquisition.lock.at()];
            let definitions = &execution.processes[lock.process as usize].definitions;
            let birth = definitions.objects.get(&lock.number).map_or(0, |info| info.birth);
            // Without a birthplace each object is one of its own.
            let birth = if birth == 0 { u32::MAX - acquisition.lock.0 } else { birth };
            let held = acquisition.held.iter().position(|(lock, _)| Some(*lock) == part.holds);
            let held = held.map_or(SiteId::default(), |at| acquisition.acquired[at]);
            (acquisition.site, held, lock.kind, birth, acquisition.mode)
        })
        .collect();
    parts.sort_unstable();
    parts
}

/// A pattern that no order of the program rules out.
struct Verdict {
    pattern: Pattern,
    /// One event of each part.
    events: Vec<u32>,
    doubt: Option<Doubt>,
}

/// Why a pattern is `potential` only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    NoWitness,
    Polls(ThreadId),
    TooMuchWork,
    Recursive(ObjectId),
}

impl Verdict {
    fn has_witness(&self) -> bool {
        self.doubt.is_none()
    }
}

fn judge(
    execution: &Execution,
    graph: &LockGraph,
    pattern: Pattern,
    reorderings: &mut Reorderings<'_>,
) -> Option<Verdict> {
    let lists: Vec<&[u32]> =
        pattern.parts.iter().map(|part| &graph.acquisitions[part.acquisition].events[..]).collect();
    let first: Vec<u32> = lists.iter().map(|list| list[0]).collect();
    let events = match reorderings.together(&lists, Keep::Must) {
        Outcome::Never => return None,
        Outcome::Together(events) | Outcome::Polls(events, _) => events,
        Outcome::TooMuchWork => {
            return Some(Verdict { pattern, events: first, doubt: Some(Doubt::TooMuchWork) });
        }
    };
    let between = pattern.parts.iter().filter(|part| part.holds.is_none());
    let recursive = between
        .map(|part| graph.acquisitions[part.acquisition].lock)
        .find(|&lock| execution.kind(lock) != Some(ObjectKind::RwLock));
    let (events, doubt) = match reorderings.together(&lists, Keep::Everything) {
        Outcome::Together(events) => (events, recursive.map(Doubt::Recursive)),
        Outcome::Polls(events, thread) => (events, Some(Doubt::Polls(thread))),
        Outcome::Never => (events, Some(Doubt::NoWitness)),
        Outcome::TooMuchWork => (events, Some(Doubt::TooMuchWork)),
    };
    Some(Verdict { pattern, events, doubt })
}

/// The circle, begun at its first place in the source: the same bug reads the same, whoever came first.
fn turn(execution: &Execution, names: &dyn Names, graph: &LockGraph, mut verdict: Verdict) -> Verdict {
    let start = (verdict.pattern.parts.iter().enumerate())
        .map(|(at, part)| (at, &graph.acquisitions[part.acquisition]))
        .min_by_key(|(_, acquisition)| (place(execution, names, acquisition.site), acquisition.thread))
        .map_or(0, |(at, _)| at);
    verdict.pattern.parts.rotate_left(start);
    verdict.events.rotate_left(start);
    verdict
}

fn report(execution: &Execution, names: &dyn Names, graph: &LockGraph, verdict: &Verdict) -> Finding {
    let parts: Vec<&Acquisition> =
        verdict.pattern.parts.iter().map(|part| &graph.acquisitions[part.acquisition]).collect();
    let threads: Vec<ThreadId> = parts.iter().map(|part| part.thread).collect();
    let held = verdict.pattern.parts.iter().filter_map(|part| part.holds);
    let objects: Vec<ObjectId> = held.chain(parts.iter().map(|part| part.lock)).collect();
    let mut case = Case::new(execution, names, &threads, &objects);
    for ((part, acquisition), &event) in verdict.pattern.parts.iter().zip(&parts).zip(&verdict.events) {
        add_places(&mut case, execution, acquisition, part.holds, event);
    }
    if verdict.has_witness() {
        add_witness(&mut case, execution, verdict, &parts);
    }
    add_doubt(&mut case, verdict.doubt);
    let message = message(&case, verdict, &parts);
    let between = verdict.pattern.parts.iter().any(|part| part.holds.is_none());
    let help = if between {
        "take the read lock once and pass the guard on to whoever needs it; a waiting writer makes the lock \
         refuse new readers"
    } else {
        "take these locks in the same order everywhere, or release one before taking the next, or put both \
         under one lock"
    };
    let certainty = if verdict.has_witness() { Certainty::Predicted } else { Certainty::Potential };
    case.finding("lock_order_inversion", certainty, message, help)
}

fn add_places(
    case: &mut Case<'_>,
    execution: &Execution,
    acquisition: &Acquisition,
    holds: Option<ObjectId>,
    event: u32,
) {
    let thread = acquisition.thread;
    let held = held_before(execution, event);
    let name = case.thread(thread);
    if let Some(lock) = holds
        && let Some(at) = held.iter().rposition(|hold| hold.object == lock.0)
    {
        let verb = case.verb(lock, held[at].mode);
        let label = format!("{name} {verb}s {} here", case.object(lock));
        case.at("acquired_first", thread, SiteId(held[at].site), label, &held[..at]);
    }
    let verb = case.verb(acquisition.lock, acquisition.mode);
    let wanted = case.object(acquisition.lock);
    let label = match holds {
        Some(lock) if lock == acquisition.lock => {
            format!("{name} {verb}s {wanted} again here, while holding it")
        }
        Some(lock) => format!("{name} {verb}s {wanted} here, while holding {}", case.object(lock)),
        None => format!("{name} {verb}s {wanted} here"),
    };
    case.at("wanted", thread, acquisition.site, label, &held);
}

/// Who runs until where: first the threads get their locks, in the observed order, then each wants
/// the next one's.
fn add_witness(case: &mut Case<'_>, execution: &Execution, verdict: &Verdict, parts: &[&Acquisition]) {
    let mut gets = Vec::new();
    for (part, &event) in verdict.pattern.parts.iter().zip(&verdict.events) {
        let held = held_before(execution, event);
        let hold = part.holds.and_then(|lock| held.into_iter().rfind(|hold| hold.object == lock.0));
        gets.extend(hold.map(|hold| (hold.seq, execution.events[event as usize].thread, hold)));
    }
    gets.sort_unstable_by_key(|(seq, ..)| *seq);
    for (_, thread, hold) in gets {
        let lock = ObjectId(hold.object);
        let action = format!("{}s {}", case.verb(lock, hold.mode), case.object(lock));
        case.step(thread, action, SiteId(hold.site));
    }
    // A writer has to wait before the reader that it keeps out asks.
    let count = parts.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&at| verdict.pattern.parts[at].holds.is_some());
    for at in order {
        let (part, next) = (parts[at], (at + 1) % count);
        let owner = case.thread(parts[next].thread);
        let verb = case.verb(part.lock, part.mode);
        let reason = if verdict.pattern.parts[next].holds.is_some() {
            format!("which {owner} holds")
        } else {
            format!("for which {owner} already waits")
        };
        let action = format!("waits to {verb} {}, {reason}", case.object(part.lock));
        case.step(part.thread, action, part.site);
    }
}

fn add_doubt(case: &mut Case<'_>, doubt: Option<Doubt>) {
    let note = match doubt {
        None => return,
        Some(Doubt::NoWitness) => {
            "no reordering of this run that keeps what each thread read leads there; another run may"
                .to_owned()
        }
        Some(Doubt::Polls(thread)) => format!(
            "{} polls in this run: it may be waiting for something that is not recorded and that keeps the \
             threads apart",
            case.thread(thread)
        ),
        Some(Doubt::TooMuchWork) => {
            "the run is too long to search it for an order of events that leads there".to_owned()
        }
        Some(Doubt::Recursive(lock)) => format!(
            "a recursive read of {} does not wait for a writer, and is not told apart from a plain one",
            case.object(lock)
        ),
    };
    case.note(note);
}

fn message(case: &Case<'_>, verdict: &Verdict, parts: &[&Acquisition]) -> String {
    let threads: Vec<ThreadId> = parts.iter().map(|part| part.thread).collect();
    let held: Vec<ObjectId> = verdict.pattern.parts.iter().filter_map(|part| part.holds).collect();
    let writers: Vec<ThreadId> = (verdict.pattern.parts.iter().zip(parts))
        .filter(|(part, _)| part.holds.is_none())
        .map(|(_, acquisition)| acquisition.thread)
        .collect();
    let readers: Vec<ThreadId> = threads.iter().copied().filter(|thread| !writers.contains(thread)).collect();
    let locks = Case::list(&held.iter().map(|&lock| case.object(lock)).collect::<Vec<_>>());
    match (&held[..], &writers[..]) {
        ([_], [writer]) => format!(
            "{} read-locks {locks} twice; if {} wants to write in between, both wait for ever",
            case.threads(&readers),
            case.thread(*writer)
        ),
        (_, []) if held.len() == 2 => {
            format!("{} lock {locks} in opposite orders", case.threads(&threads))
        }
        (_, []) => format!("{} lock {locks} in a circle", case.threads(&threads)),
        _ => format!(
            "{} read-lock {locks} in a circle, which closes if {} want to write in between",
            case.threads(&readers),
            case.threads(&writers)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::LockOrderInversion;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&LockOrderInversion, script)
    }

    fn lines(finding: &Finding) -> Vec<u32> {
        finding.locations.iter().map(|location| location.place.line).collect()
    }

    const ABBA: &str = "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n\
                        3 lock m2\n3 lock m1\n3 unlock m1\n3 unlock m2\n";

    #[test]
    fn two_orders_one_after_the_other_are_predicted_with_all_four_places_and_a_witness() {
        let [finding] = &found(ABBA)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        assert_eq!(finding.message, "`t2` and `t3` lock `mutex 1` and `mutex 2` in opposite orders");
        assert_eq!(lines(finding), [1, 2, 5, 6]);
        let steps: Vec<String> = finding
            .witness
            .iter()
            .map(|step| format!("{} {}", finding.threads[step.thread].name, step.action))
            .collect();
        assert_eq!(
            steps,
            [
                "t2 locks `mutex 1`",
                "t3 locks `mutex 2`",
                "t2 waits to lock `mutex 2`, which `t3` holds",
                "t3 waits to lock `mutex 1`, which `t2` holds",
            ]
        );
        assert_eq!(finding.locations[1].held[0].name, "mutex 1");
    }

    #[test]
    fn a_circle_begins_at_its_first_place_whichever_lock_was_used_first() {
        let [finding] = &found(&format!("1 lock m2\n1 unlock m2\n{ABBA}"))[..] else { panic!("one finding") };
        assert_eq!(finding.message, "`t2` and `t3` lock `mutex 2` and `mutex 1` in opposite orders");
        assert_eq!(lines(finding), [3, 4, 7, 8]);
    }

    #[test]
    fn a_gate_a_join_a_message_or_a_try_lock_leave_nothing() {
        for script in [
            "2 lock m9\n2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n2 unlock m9\n\
             3 lock m9\n3 lock m2\n3 lock m1\n3 unlock m1\n3 unlock m2\n3 unlock m9",
            "1 spawn 2\n2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n2 end\n1 join 2\n1 spawn 3\n\
             3 start\n3 lock m2\n3 lock m1\n3 unlock m1\n3 unlock m2",
            "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n2 send ch 1\n3 receive ch 1\n\
             3 lock m2\n3 lock m1\n3 unlock m1\n3 unlock m2",
            "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n3 lock m2\n3 try-lock m1\n3 unlock m1\n3 unlock m2",
            "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n2 lock m2\n2 lock m1\n2 unlock m1\n2 unlock m2",
        ] {
            assert!(found(script).is_empty(), "{script}");
        }
    }

    #[test]
    fn a_deadlock_that_happened_is_left_to_its_own_rule() {
        assert!(found("2 lock m1\n3 lock m2\n2 want m2\n3 want m1\nstuck").is_empty());
    }

    #[test]
    fn what_the_witness_would_change_makes_it_potential() {
        let script = "2 lock m1\n2 lock m2\n2 set m2\n2 unlock m2\n2 unlock m1\n\
                      3 lock m2\n3 get m2\n3 lock m1\n3 unlock m1\n3 unlock m2";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Potential);
        assert!(finding.witness.is_empty());
        assert_eq!(finding.notes.len(), 1);
    }

    #[test]
    fn three_philosophers_are_one_finding() {
        let script = "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n3 lock m2\n3 lock m3\n3 unlock m3\n\
                      3 unlock m2\n4 lock m3\n4 lock m1\n4 unlock m1\n4 unlock m3";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        assert_eq!(finding.threads.len(), 3);
        assert_eq!(finding.witness.len(), 6);
    }

    #[test]
    fn a_lock_read_twice_is_predicted_when_another_thread_writes() {
        let twice = "2 read rw1\n2 read rw1\n2 unlock rw1\n2 unlock rw1\n";
        assert!(found(twice).is_empty());
        let script = format!("{twice}3 write rw1\n3 unlock rw1");
        let [finding] = &found(&script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        let mut lines = lines(finding);
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 5]);
        let actions: Vec<&str> = finding.witness.iter().map(|step| step.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "read-locks `rwlock 1`",
                "waits to write-lock `rwlock 1`, which `t2` holds",
                "waits to read-lock `rwlock 1`, for which `t3` already waits",
            ]
        );
    }
}
