//! The lock-order graph: which locks are wanted while which are held, and the circles in it.
//!
//! Sources: Havelund, "Using Runtime Analysis to Guide Model Checking of Java Programs" (Goodlock),
//! SPIN 2000; abstract acquisitions as in SPDOffline, PLDI 2023; one look per distinct chain of held
//! locks, as Linux's lockdep has it.
//!
//! An *acquisition* is all events in which one thread wants one lock in one mode at one place while
//! it holds the same locks. A *pattern* is a circle of acquisitions by different threads, each of
//! which wants what the next one holds. Modes are respected: a reader does not keep a reader out. But
//! most reader-writer locks let no reader in once a writer waits, so a link from reader to reader
//! closes if some other thread wants to write in between; that thread becomes part of the pattern.
//!
//! Invariants:
//! * An attempt that never waits or that gives up (`TRY`, `TIMED`) wants nothing; what it got is held.
//! * Two acquisitions of a pattern hold no common lock in excluding modes (a *gate* lock would keep
//!   them apart).
//! * Numbers and orders follow the execution, so that the same trace gives the same patterns.
//!
//! Misses: beyond [`MOST_STEPS`] only the shortest circle through each edge is looked at, and of
//! acquisitions that differ only in their thread only [`ALIKE`] are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::modes::conflict;
use crate::model::sections::Section;

/// Steps of the search for circles among one group of locks.
pub const MOST_STEPS: u32 = 200_000;
/// Circles that are kept of one group of locks.
const MOST_CIRCLES: usize = 4_000;
/// Patterns that are kept of one circle.
const MOST_PATTERNS: usize = 512;
/// Acquisitions alike but for their thread that are kept per link of a circle.
pub const ALIKE: usize = 8;

/// All events in which a thread wants a lock in the same situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquisition {
    /// Who.
    pub thread: ThreadId,
    /// Wants what.
    pub lock: ObjectId,
    /// How.
    pub mode: Mode,
    /// Where.
    pub site: SiteId,
    /// What it holds meanwhile, sorted, and how.
    pub held: Vec<(ObjectId, Mode)>,
    /// Where it had acquired each of them when it first came here.
    pub acquired: Vec<SiteId>,
    /// The events in which it got it, in order.
    pub events: Vec<u32>,
}

/// Part of a pattern: this acquisition wants what the next part holds or, if that one is a writer
/// that waits, wants as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the acquisition.
    pub acquisition: usize,
    /// What it holds that the part before wants; none for a writer in between.
    pub holds: Option<ObjectId>,
}

/// Threads that wait for each other in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Each wants what the next one holds, the last what the first one holds.
    pub parts: Vec<Part>,
}

/// The graph.
#[derive(Clone, Debug, Default)]
pub struct LockGraph {
    /// Every distinct acquisition that can be part of a pattern.
    pub acquisitions: Vec<Acquisition>,
    /// Acquisitions by what they hold and what they want.
    edges: BTreeMap<(ObjectId, ObjectId), Vec<usize>>,
    /// Acquisitions that want to write, by their lock.
    writers: BTreeMap<ObjectId, Vec<usize>>,
    /// Locks that let no reader in while a writer waits.
    fair: BTreeSet<ObjectId>,
}

type Situation = (ThreadId, ObjectId, Mode, SiteId, Vec<(ObjectId, Mode)>);
/// What acquisitions that differ only in their thread have in common.
type Likeness<'a> = (SiteId, ObjectId, Mode, &'a [(ObjectId, Mode)]);

impl LockGraph {
    /// The graph of an execution.
    #[must_use]
    pub fn of(execution: &Execution) -> LockGraph {
        let mut graph = LockGraph::default();
        let mut known: HashMap<Situation, usize> = HashMap::new();
        let mut held: HashMap<ThreadId, Vec<Section>> = HashMap::new();
        for section in execution.sections().all() {
            let holds = held.entry(section.thread).or_default();
            holds.retain(|held| held.end.map_or(held.open, |end| end > section.begin));
            graph.note(execution, section, holds, &mut known);
            holds.push(*section);
        }
        graph
    }

    fn note(
        &mut self,
        execution: &Execution,
        section: &Section,
        holds: &[Section],
        known: &mut HashMap<Situation, usize>,
    ) {
        let event = &execution.events[section.begin as usize];
        let may_wait = match event.kind {
            Kind::Acquire => true,
            Kind::Convert => section.mode == Mode::Exclusive,
            _ => false,
        };
        if !may_wait || event.flags.has(Flags::TRY) || event.flags.has(Flags::TIMED) {
            return;
        }
        let fair =
            matches!(execution.kind(section.lock), Some(ObjectKind::RwLock | ObjectKind::LockApiRwLock));
        let again = holds.iter().any(|held| held.lock == section.lock);
        let reads_again = again
            && fair
            && section.mode == Mode::Shared
            && holds.iter().all(|held| held.lock != section.lock || held.mode == Mode::Shared);
        let writes = fair && section.mode == Mode::Exclusive;
        if again && !reads_again || holds.is_empty() && !writes {
            return;
        }
        let mut locks: Vec<(ObjectId, Mode)> = holds.iter().map(|held| (held.lock, held.mode)).collect();
        locks.sort_unstable();
        locks.dedup();
        let situation = (section.thread, section.lock, section.mode, event.site, locks);
        if let Some(&acquisition) = known.get(&situation) {
            self.acquisitions[acquisition].events.push(section.begin);
            return;
        }
        known.insert(situation.clone(), self.acquisitions.len());
        let (thread, lock, mode, site, held) = situation;
        let acquired = held.iter().map(|&(lock, mode)| {
            let hold = holds.iter().rfind(|hold| (hold.lock, hold.mode) == (lock, mode));
            hold.map_or(SiteId::default(), |hold| execution.events[hold.begin as usize].site)
        });
        let acquired = acquired.collect();
        self.add(Acquisition { thread, lock, mode, site, held, acquired, events: vec![section.begin] }, fair);
    }

    fn add(&mut self, acquisition: Acquisition, fair: bool) {
        let number = self.acquisitions.len();
        let mut locks: Vec<ObjectId> = acquisition.held.iter().map(|(lock, _)| *lock).collect();
        locks.dedup();
        for lock in locks {
            self.edges.entry((lock, acquisition.lock)).or_default().push(number);
        }
        if fair {
            self.fair.insert(acquisition.lock);
            if acquisition.mode == Mode::Exclusive {
                self.writers.entry(acquisition.lock).or_default().push(number);
            }
        }
        self.acquisitions.push(acquisition);
    }

    /// Circles of locks, each wanted while the one before it is held; shortest first within a group
    /// of locks. A circle of one is a lock that is read again while it is read.
    #[must_use]
    pub fn circles(&self) -> Vec<Vec<ObjectId>> {
        let mut graph: DiGraphMap<ObjectId, ()> = DiGraphMap::new();
        let mut circles = Vec::new();
        for &(held, wanted) in self.edges.keys() {
            if held == wanted {
                circles.push(vec![held]);
            } else {
                graph.add_edge(held, wanted, ());
            }
        }
        let mut groups = tarjan_scc(&graph);
        groups.retain(|group| group.len() > 1);
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort();
        for group in groups {
            let inside: BTreeSet<ObjectId> = group.iter().copied().collect();
            let mut search = CircleSearch::default();
            for &lock in &group {
                let mut next: Vec<ObjectId> =
                    graph.neighbors(lock).filter(|next| inside.contains(next)).collect();
                next.sort_unstable();
                search.next.insert(lock, next);
            }
            circles.append(&mut search.run());
        }
        circles
    }

    /// Patterns along a circle of locks.
    #[must_use]
    pub fn patterns(&self, circle: &[ObjectId]) -> Vec<Pattern> {
        let links: Vec<Vec<usize>> = (0..circle.len())
            .map(|at| {
                let edge = (circle[at], circle[(at + 1) % circle.len()]);
                self.unlike(self.edges.get(&edge).map_or(&[], Vec::as_slice))
            })
            .collect();
        let mut patterns = Vec::new();
        self.choose(circle, &links, &mut Vec::new(), &mut patterns);
        patterns
    }

    /// At most [`ALIKE`] of each set of acquisitions that differ only in their thread.
    fn unlike(&self, acquisitions: &[usize]) -> Vec<usize> {
        let mut alike: HashMap<Likeness<'_>, usize> = HashMap::new();
        let few = |number: &&usize| {
            let acquisition = &self.acquisitions[**number];
            let key = (acquisition.site, acquisition.lock, acquisition.mode, &acquisition.held[..]);
            let seen = alike.entry(key).or_default();
            *seen += 1;
            *seen <= ALIKE
        };
        acquisitions.iter().filter(few).copied().collect()
    }

    fn choose(
        &self,
        circle: &[ObjectId],
        links: &[Vec<usize>],
        chosen: &mut Vec<usize>,
        patterns: &mut Vec<Pattern>,
    ) {
        if patterns.len() >= MOST_PATTERNS {
            return;
        }
        let at = chosen.len();
        if at == links.len() {
            self.close(circle, chosen, &mut Vec::new(), patterns);
            return;
        }
        for &candidate in &links[at] {
            if chosen.iter().all(|&other| self.apart(other, candidate)) {
                chosen.push(candidate);
                self.choose(circle, links, chosen, patterns);
                chosen.pop();
            }
        }
    }

    /// Whether two acquisitions can be going on at once as far as threads and held locks say.
    fn apart(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.acquisitions[one], &self.acquisitions[other]);
        let gate = one.held.iter().any(|&(lock, mode)| {
            other.held.iter().any(|&(held, held_mode)| held == lock && conflict(held_mode, mode))
        });
        one.thread != other.thread && !gate
    }

    /// Finishes a pattern: where a reader would wait for a reader, a writer has to come between.
    /// `writers` are those of the links looked at so far, from the link into the first part on.
    fn close(
        &self,
        circle: &[ObjectId],
        chosen: &[usize],
        writers: &mut Vec<Option<usize>>,
        patterns: &mut Vec<Pattern>,
    ) {
        let at = writers.len();
        if at == chosen.len() {
            patterns.push(pattern(circle, chosen, writers));
            return;
        }
        let lock = circle[at];
        let wanted = self.acquisitions[chosen[(at + chosen.len() - 1) % chosen.len()]].mode;
        let held = self.acquisitions[chosen[at]].held.iter().filter(|(held, _)| *held == lock);
        if held.clone().any(|&(_, mode)| conflict(mode, wanted)) {
            writers.push(None);
            self.close(circle, chosen, writers, patterns);
            writers.pop();
            return;
        }
        let both_read = wanted == Mode::Shared && held.clone().any(|&(_, mode)| mode == Mode::Shared);
        if !both_read || !self.fair.contains(&lock) {
            return;
        }
        for writer in self.unlike(self.writers.get(&lock).map_or(&[], Vec::as_slice)) {
            let others = chosen.iter().chain(writers.iter().flatten());
            if patterns.len() < MOST_PATTERNS && others.into_iter().all(|&other| self.apart(other, writer)) {
                writers.push(Some(writer));
                self.close(circle, chosen, writers, patterns);
                writers.pop();
            }
        }
    }
}

fn pattern(circle: &[ObjectId], chosen: &[usize], writers: &[Option<usize>]) -> Pattern {
    let mut parts = Vec::new();
    for (at, &acquisition) in chosen.iter().enumerate() {
        if let Some(writer) = writers[at] {
            parts.push(Part { acquisition: writer, holds: None });
        }
        parts.push(Part { acquisition, holds: Some(circle[at]) });
    }
    Pattern { parts }
}

/// Simple circles of one strongly connected group of locks.
#[derive(Default)]
struct CircleSearch {
    next: BTreeMap<ObjectId, Vec<ObjectId>>,
    found: Vec<Vec<ObjectId>>,
    steps: u32,
}

impl CircleSearch {
    fn run(mut self) -> Vec<Vec<ObjectId>> {
        let starts: Vec<ObjectId> = self.next.keys().copied().collect();
        for length in 2..=starts.len() {
            for &start in &starts {
                self.extend(&mut vec![start], length);
            }
        }
        if self.is_over() {
            self.add_shortest();
        }
        self.found
    }

    fn is_over(&self) -> bool {
        self.steps >= MOST_STEPS || self.found.len() >= MOST_CIRCLES
    }

    /// Circles of this length that begin with `path`, whose first lock is their least.
    fn extend(&mut self, path: &mut Vec<ObjectId>, length: usize) {
        self.steps += 1;
        let (start, last) = (path[0], path[path.len() - 1]);
        for next in self.next.get(&last).cloned().unwrap_or_default() {
            if self.is_over() {
                return;
            }
            if path.len() == length {
                if next == start {
                    self.found.push(path.clone());
                }
            } else if next > start && !path.contains(&next) {
                path.push(next);
                self.extend(path, length);
                path.pop();
            }
        }
    }

    /// The shortest circle through each edge.
    fn add_shortest(&mut self) {
        let mut known: BTreeSet<Vec<ObjectId>> = self.found.iter().cloned().collect();
        let edges: Vec<(ObjectId, ObjectId)> =
            self.next.iter().flat_map(|(&from, next)| next.iter().map(move |&to| (from, to))).collect();
        for (from, to) in edges {
            let Some(mut circle) = self.shortest(to, from) else { continue };
            let least = circle.iter().enumerate().min_by_key(|(_, lock)| **lock).map_or(0, |(at, _)| at);
            circle.rotate_left(least);
            if known.insert(circle.clone()) {
                self.found.push(circle);
            }
        }
    }

    /// The shortest way between two locks, both included.
    fn shortest(&self, from: ObjectId, to: ObjectId) -> Option<Vec<ObjectId>> {
        let mut before: BTreeMap<ObjectId, ObjectId> = BTreeMap::from([(from, from)]);
        let mut queue = VecDeque::from([from]);
        while let Some(lock) = queue.pop_front() {
            if lock == to {
                let mut way = vec![to];
                while way[way.len() - 1] != from {
                    way.push(before[&way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            for &next in self.next.get(&lock).into_iter().flatten() {
                before.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    lock
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::LockGraph;
    use crate::model::script::execution;

    /// Circles and, per circle, patterns as lists of threads.
    fn found(script: &str) -> Vec<(Vec<u32>, Vec<Vec<u32>>)> {
        let graph = LockGraph::of(&execution(script));
        let threads = |pattern: &super::Pattern| {
            pattern.parts.iter().map(|part| graph.acquisitions[part.acquisition].thread.0).collect()
        };
        let of = |circle: Vec<super::ObjectId>| {
            let patterns = graph.patterns(&circle).iter().map(threads).collect();
            (circle.iter().map(|lock| lock.0).collect(), patterns)
        };
        graph.circles().into_iter().map(of).collect()
    }

    fn nested(thread: u32, outer: &str, inner: &str) -> String {
        format!(
            "{thread} lock {outer}\n{thread} lock {inner}\n{thread} unlock {inner}\n{thread} unlock {outer}\n"
        )
    }

    #[test]
    fn two_locks_in_two_orders_are_a_circle_of_two_threads() {
        let script = nested(1, "m1", "m2") + &nested(2, "m2", "m1");
        assert_eq!(found(&script), [(vec![1, 2], vec![vec![1, 2]])]);
    }

    #[test]
    fn one_thread_cannot_wait_for_itself_in_a_circle() {
        let script = nested(1, "m1", "m2") + &nested(1, "m2", "m1");
        assert_eq!(found(&script), [(vec![1, 2], vec![])]);
    }

    #[test]
    fn a_gate_lock_keeps_the_threads_apart() {
        let gated = |inner: &str, thread| format!("{thread} lock m9\n{inner}{thread} unlock m9\n");
        let script = gated(&nested(1, "m1", "m2"), 1) + &gated(&nested(2, "m2", "m1"), 2);
        assert!(found(&script).iter().all(|(_, patterns)| patterns.is_empty()));
    }

    #[test]
    fn a_gate_that_both_only_read_keeps_nobody_apart() {
        let gated = |inner: &str, thread| format!("{thread} read rw9\n{inner}{thread} unlock rw9\n");
        let script = gated(&nested(1, "m1", "m2"), 1) + &gated(&nested(2, "m2", "m1"), 2);
        assert_eq!(found(&script).iter().map(|(_, patterns)| patterns.len()).sum::<usize>(), 1);
    }

    #[test]
    fn three_locks_can_be_a_circle_without_any_two_being_one() {
        let script = nested(1, "m1", "m2") + &nested(2, "m2", "m3") + &nested(3, "m3", "m1");
        assert_eq!(found(&script), [(vec![1, 2, 3], vec![vec![1, 2, 3]])]);
    }

    #[test]
    fn a_try_lock_wants_nothing_but_is_held() {
        let tried = |outer: &str, thread: u32, inner: &str| {
            format!(
                "{thread} lock {outer}\n{thread} try-lock {inner}\n{thread} unlock {inner}\n{thread} unlock {outer}\n"
            )
        };
        assert!(found(&(nested(1, "m1", "m2") + &tried("m2", 2, "m1"))).is_empty());
        let outer = "2 try-lock m2\n2 lock m1\n2 unlock m1\n2 unlock m2\n";
        assert_eq!(found(&(nested(1, "m1", "m2") + outer)).len(), 1);
    }

    #[test]
    fn readers_wait_for_readers_only_if_a_writer_comes_between() {
        let read = |thread: u32, outer: &str, inner: &str| {
            format!(
                "{thread} read {outer}\n{thread} read {inner}\n{thread} unlock {inner}\n{thread} unlock {outer}\n"
            )
        };
        let both = read(1, "rw1", "rw2") + &read(2, "rw2", "rw1");
        assert_eq!(found(&both), [(vec![1, 2], vec![])]);
        let one_writer = both.clone() + "3 write rw1\n3 unlock rw1\n";
        assert_eq!(found(&one_writer), [(vec![1, 2], vec![])]);
        let writers = one_writer + "4 write rw2\n4 unlock rw2\n";
        assert_eq!(found(&writers), [(vec![1, 2], vec![vec![3, 1, 4, 2]])]);
    }

    #[test]
    fn a_lock_read_twice_is_a_circle_of_one_with_a_writer_between() {
        let twice = "1 read rw1\n1 read rw1\n1 unlock rw1\n1 unlock rw1\n";
        assert_eq!(found(twice), [(vec![1], vec![])]);
        let with_writer = format!("{twice}2 write rw1\n2 unlock rw1\n");
        assert_eq!(found(&with_writer), [(vec![1], vec![vec![2, 1]])]);
    }

    #[test]
    fn a_ring_of_a_hundred_locks_is_found_within_the_budget() {
        let script: String = (0..100)
            .map(|seat| nested(seat + 1, &format!("m{seat}"), &format!("m{}", (seat + 1) % 100)))
            .collect();
        let found = found(&script);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0.len(), 100);
        assert_eq!(found[0].1.len(), 1);
    }

    #[test]
    fn among_very_many_locks_each_edge_still_gets_a_circle() {
        let mut script = String::new();
        for outer in 0..24_u32 {
            for inner in 0..24_u32 {
                if outer != inner {
                    let thread = outer * 24 + inner + 1;
                    script += &nested(thread, &format!("m{outer}"), &format!("m{inner}"));
                }
            }
        }
        let graph = LockGraph::of(&execution(&script));
        let circles = graph.circles();
        assert!(circles.iter().filter(|circle| circle.len() == 2).count() == 24 * 23 / 2);
    }
}
