//! Reorderings of an execution that keep what must stay: can these threads all stand before these
//! events at once?
//!
//! Source: Tunç, Mathur, Pavlogiannis and Viswanathan, "Sound Dynamic Deadlock Prediction in Linear
//! Time" (SPDOffline), PLDI 2023, on sync-preserving closures of Mathur et al., POPL 2021. Extended
//! here to reader-writer modes, condvars, joins, channels, onces, barriers, parks and semaphores
//! through the sources of [`crate::model::happens_before`].
//!
//! An *ideal* is a prefix of each thread. It is closed if it has every source of its events, and, of
//! any two of its sections of one lock that exclude each other, the end of the earlier one. The
//! observed order, restricted to a closed ideal, is then an execution of the program: sections that
//! exclude each other stay in their order, each access sees what it saw. So if the smallest closed
//! ideal that leads some threads up to events of theirs has none of these events in it, the threads
//! can stand there together. Nothing is swapped: events that are not needed are delayed, and the
//! rest keeps the observed order. Ideals grow only, so each event is looked at once per question.
//!
//! # What is assumed
//!
//! Whatever threads tell each other is in the recording. Locks, condvars, channels, joins and the
//! data behind guards are, and with the memory layer every atomic that one thread reads of another. Without
//! it, a thread that waits for an atomic flag, which another one sets *after* the point up to which the
//! witness lets it run, would be sent through a door that is still shut. We accept the common case, since
//! otherwise nothing could be predicted from two threads that happened to run one after the other,
//! and refuse the telling one: waiting for a flag takes polling, and polling with a sleep, a
//! `yield_now`, a `spin_loop`, a `try_lock`, a `try_recv` or a time-out leaves a mark. A witness in which
//! a thread polls (twice or more at one place) until after an event that the witness leaves out is not
//! trusted, see [`Outcome::Polls`]. Without the memory layer a flag that is looked at once, or in a loop
//! without any of these (`core::hint::spin_loop` is one: only std's is ours), leaves no mark and is missed.
//!
//! Misses: reorderings that need two sections of one lock to change places (PLDI 2023, §7), and,
//! beyond a budget of work, everything.

use std::collections::HashMap;

use snag_trace::{Flags, Kind, Mode};

use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::happens_before::{HappensBefore, Strength};
use crate::model::modes::conflict;
use crate::model::sections::Sections;

/// What must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only [`Strength::Must`]: what no schedule can change.
    Must,
    /// All sources, and the order of sections that exclude each other.
    Everything,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes: the events, one per question, in front of which the threads stand.
    Together(Vec<u32>),
    /// Yes, but a thread polls for something that the witness leaves out.
    Polls(Vec<u32>, ThreadId),
    /// No.
    Never,
    /// Not decided within the budget.
    TooMuchWork,
}

/// What is asked of, and how much work is left for all questions.
#[derive(Debug)]
pub struct Reorderings<'a> {
    execution: &'a Execution,
    order: &'a HappensBefore,
    sections: &'a Sections,
    /// Events that may still be looked at.
    budget: u64,
}

/// How many events all questions of one detector may look at: some seconds of work.
const BUDGET: u64 = 300_000_000;

impl<'a> Reorderings<'a> {
    /// Questions about this execution.
    #[must_use]
    pub fn of(execution: &'a Execution) -> Reorderings<'a> {
        Reorderings {
            execution,
            order: execution.happens_before(),
            sections: execution.sections(),
            budget: BUDGET,
        }
    }

    /// Whether there is one event of each list (of one thread each, in order) such that the threads
    /// can all stand before them at once, keeping what `keep` says.
    pub fn together(&mut self, lists: &[&[u32]], keep: Keep) -> Outcome {
        let mut cursors = vec![0_usize; lists.len()];
        let mut ideal = Ideal::new(self, keep);
        let found = loop {
            if lists.iter().zip(&cursors).any(|(list, &cursor)| cursor >= list.len()) {
                break Outcome::Never;
            }
            let events: Vec<u32> = lists.iter().zip(&cursors).map(|(list, &cursor)| list[cursor]).collect();
            for &event in &events {
                ideal.require_before(event);
            }
            if !ideal.close() {
                break if ideal.impossible { Outcome::Never } else { Outcome::TooMuchWork };
            }
            if !events.iter().any(|&event| ideal.contains(event)) {
                let polls = if keep == Keep::Everything { ideal.polls(&events) } else { None };
                break polls.map_or_else(
                    || Outcome::Together(events.clone()),
                    |thread| Outcome::Polls(events.clone(), thread),
                );
            }
            for (list, cursor) in lists.iter().zip(&mut cursors) {
                *cursor += list[*cursor..].partition_point(|&event| ideal.contains(event));
            }
        };
        let spent = ideal.visited;
        self.budget = self.budget.saturating_sub(spent);
        found
    }
}

/// The sections of one lock within an ideal.
#[derive(Default)]
struct Held {
    /// Sections whose end is not known to be inside.
    open: Vec<u32>,
    /// The last beginning inside, per mode.
    last: [Option<u32>; 4],
}

const MODES: [Mode; 4] = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::Once];

/// A prefix of each thread, growing until it is closed.
struct Ideal<'a> {
    execution: &'a Execution,
    order: &'a HappensBefore,
    sections: &'a Sections,
    keep: Keep,
    /// How many events of each thread are inside.
    inside: HashMap<ThreadId, u32>,
    /// Threads, and how many events of theirs have to come inside.
    wanted: Vec<(ThreadId, u32)>,
    locks: HashMap<ObjectId, Held>,
    impossible: bool,
    visited: u64,
    budget: u64,
}

impl<'a> Ideal<'a> {
    fn new(of: &Reorderings<'a>, keep: Keep) -> Ideal<'a> {
        Ideal {
            execution: of.execution,
            order: of.order,
            sections: of.sections,
            keep,
            inside: HashMap::new(),
            wanted: Vec::new(),
            locks: HashMap::new(),
            impossible: false,
            visited: 0,
            budget: of.budget,
        }
    }

    fn contains(&self, event: u32) -> bool {
        is_inside(self.execution, self.order, &self.inside, event)
    }

    fn require_before(&mut self, event: u32) {
        self.wanted.push((self.execution.events[event as usize].thread, self.order.position(event)));
    }

    fn require(&mut self, event: u32) {
        if !self.contains(event) {
            let thread = self.execution.events[event as usize].thread;
            self.wanted.push((thread, self.order.position(event) + 1));
        }
    }

    /// Grows until closed; false if that cannot be, or not within the budget.
    fn close(&mut self) -> bool {
        while let Some((thread, wanted)) = self.wanted.pop() {
            let mut inside = self.inside.get(&thread).copied().unwrap_or(0);
            while inside < wanted {
                let event = self.execution.thread(thread).events[inside as usize];
                inside += 1;
                self.inside.insert(thread, inside);
                self.visited += 1;
                self.take(event);
                if self.impossible || self.visited > self.budget {
                    return false;
                }
            }
        }
        true
    }

    fn take(&mut self, event: u32) {
        let order = self.order;
        for source in order.sources(event) {
            if source.strength == Strength::Must || self.keep == Keep::Everything {
                self.require(source.event);
            }
        }
        if self.keep == Keep::Everything {
            let kind = self.execution.events[event as usize].kind;
            if matches!(kind, Kind::Acquire | Kind::Convert | Kind::OnceBegin) {
                self.take_section(event);
            }
        }
    }

    /// Of two sections that exclude each other the earlier one must have ended.
    fn take_section(&mut self, begin: u32) {
        let sections = self.sections;
        let Some(number) = sections.begun_by(begin) else { return };
        let section = sections.all()[number];
        let held = self.locks.entry(section.lock).or_default();
        let mut must_end = Vec::new();
        held.open.retain(|&other| {
            let earlier = &sections.all()[other as usize];
            if earlier.end.is_some_and(|end| is_inside(self.execution, self.order, &self.inside, end)) {
                return false;
            }
            let excludes = earlier.thread != section.thread && conflict(earlier.mode, section.mode);
            let ends = excludes && earlier.begin < begin;
            if ends {
                must_end.push(other as usize);
            }
            !ends
        });
        let later = |(mode, last): (Mode, &Option<u32>)| {
            last.is_some_and(|last| last > begin) && conflict(section.mode, mode)
        };
        if MODES.into_iter().zip(&held.last).any(later) {
            must_end.push(number);
        } else {
            held.open.push(u32::try_from(number).expect("fewer sections than events"));
        }
        for (mode, last) in MODES.into_iter().zip(&mut held.last) {
            if mode == section.mode {
                *last = (*last).max(Some(begin));
            }
        }
        for number in must_end {
            match sections.all()[number].end {
                Some(end) => self.require(end),
                None => self.impossible = true,
            }
        }
    }

    /// A thread that polls inside until after the first event of those asked for, which is left out.
    ///
    /// It polls from its first look at a place until it does something else than look there, so what
    /// ends the second look or a later one is what counts.
    fn polls(&self, events: &[u32]) -> Option<ThreadId> {
        let first = *events.iter().min()?;
        let mut threads: Vec<_> = self.inside.iter().map(|(&thread, &inside)| (thread, inside)).collect();
        threads.sort_unstable();
        threads.into_iter().find_map(|(thread, inside)| {
            let own = &self.execution.thread(thread).events;
            let mut looks: HashMap<SiteId, u32> = HashMap::new();
            own[..inside as usize].iter().enumerate().find_map(|(position, &event)| {
                let event = &self.execution.events[event as usize];
                if !is_poll(event.kind, event.mode, event.flags) {
                    return None;
                }
                let looks = looks.entry(event.site).or_default();
                *looks += 1;
                let ends_late = own.get(position + 1).is_none_or(|&next| next > first);
                (*looks > 1 && ends_late).then_some(thread)
            })
        })
    }
}

fn is_inside(
    execution: &Execution,
    order: &HappensBefore,
    inside: &HashMap<ThreadId, u32>,
    event: u32,
) -> bool {
    let thread = execution.events[event as usize].thread;
    inside.get(&thread).is_some_and(|&inside| inside > order.position(event))
}

/// Whether this is a look that found nothing, or a pause: each counts once, at its beginning or end.
fn is_poll(kind: Kind, mode: Mode, flags: Flags) -> bool {
    match kind {
        Kind::GiveUp => mode != Mode::Sleep,
        Kind::Request => mode == Mode::Sleep,
        Kind::ChannelGiveUp => true,
        Kind::WaitEnd | Kind::ParkEnd => flags.has(Flags::TIMED_OUT),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Keep, Outcome, Reorderings};
    use crate::model::execution::{Execution, ThreadId};
    use crate::model::script::{at, execution};

    /// Whether the events on these lines, one per thread, can be stood before together.
    fn together(script: &str, lines: &[u32], keep: Keep) -> Outcome {
        let execution = execution(script);
        let events: Vec<[u32; 1]> = lines.iter().map(|&line| [at(&execution, line)]).collect();
        let lists: Vec<&[u32]> = events.iter().map(|event| &event[..]).collect();
        Reorderings::of(&execution).together(&lists, keep)
    }

    fn can(script: &str, lines: &[u32]) -> bool {
        matches!(together(script, lines, Keep::Everything), Outcome::Together(_))
    }

    #[test]
    fn two_threads_that_ran_one_after_the_other_can_meet() {
        let script = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n\
                      2 lock m2\n2 lock m1\n2 unlock m1\n2 unlock m2";
        assert!(can(script, &[2, 6]));
    }

    #[test]
    fn a_join_keeps_them_apart_in_every_schedule() {
        let script = "3 spawn 1\n1 start\n1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 end\n3 join 1\n\
                      3 spawn 2\n2 start\n2 lock m2\n2 lock m1";
        assert_eq!(together(script, &[4, 12], Keep::Must), Outcome::Never);
    }

    #[test]
    fn a_message_keeps_them_apart_and_its_absence_does_not() {
        let serial = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 send ch 1\n\
                      2 receive ch 1\n2 lock m2\n2 lock m1";
        assert_eq!(together(serial, &[2, 8], Keep::Must), Outcome::Never);
        let early = "1 send ch 1\n1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n\
                     2 receive ch 1\n2 lock m2\n2 lock m1";
        assert!(can(early, &[3, 8]));
    }

    #[test]
    fn an_atomic_that_synchronized_keeps_them_apart_in_every_schedule_and_its_value_in_this_one() {
        let script = |edge: &str| {
            format!("1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n2 {edge} 40\n2 lock m2\n2 lock m1")
        };
        assert_eq!(together(&script("synchronizes"), &[2, 7], Keep::Must), Outcome::Never);
        assert!(matches!(together(&script("sees"), &[2, 7], Keep::Must), Outcome::Together(_)));
        assert_eq!(together(&script("sees"), &[2, 7], Keep::Everything), Outcome::Never);
    }

    #[test]
    fn an_atomic_written_early_keeps_nobody_apart() {
        let script = |edge: &str| {
            format!(
                "1 lock m3\n1 unlock m3\n1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n2 {edge} 20\n\
                     2 lock m2\n2 lock m1"
            )
        };
        assert!(can(&script("synchronizes"), &[4, 9]) && can(&script("sees"), &[4, 9]));
    }

    #[test]
    fn an_atomic_written_after_a_remark_is_ordered_after_what_came_before_it() {
        let script = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 race write8@5 3 read8@9 static\n\
                      2 synchronizes 50\n2 lock m2\n2 lock m1";
        assert_eq!(together(script, &[2, 8], Keep::Must), Outcome::Never);
        let of_a_definition = script.replace("synchronizes 50", "synchronizes 49");
        assert_eq!(together(&of_a_definition, &[2, 8], Keep::Must), Outcome::Never);
    }

    #[test]
    fn what_a_thread_read_of_the_other_must_be_kept() {
        let script = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 lock m3\n1 set m3\n1 unlock m3\n\
                      2 lock m3\n2 get m3\n2 unlock m3\n2 lock m2\n2 lock m1";
        assert_eq!(together(script, &[2, 12], Keep::Everything), Outcome::Never);
        assert!(matches!(together(script, &[2, 12], Keep::Must), Outcome::Together(_)));
    }

    #[test]
    fn a_notify_and_an_unpark_and_a_barrier_and_a_once_order_what_they_order() {
        let before = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n";
        let after = "2 lock m2\n2 lock m1";
        for middle in [
            "2 lock m3\n2 wait cv m3\n2 unlock m3\n1 notify cv 1\n2 woken cv 80\n2 lock m3\n2 unlock m3\n",
            "2 park\n1 unpark 2\n2 unparked\n",
            "1 arrive bar 0\n2 arrive bar 0\n2 leave bar 0\n",
            "1 begin once\n1 done once\n2 pass once\n",
        ] {
            let script = format!("{before}{middle}{after}");
            let last = u32::try_from(script.lines().count()).expect("few lines");
            assert_eq!(together(&script, &[2, last], Keep::Must), Outcome::Never, "{middle}");
        }
    }

    #[test]
    fn an_announced_change_orders_those_who_look_at_it_even_if_nobody_had_to_wait() {
        let script = |announce: &str| {
            format!(
                "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 lock m3\n1 set m3\n1 unlock m3\n{announce}\
                 2 lock m3\n2 get m3\n2 unlock m3\n2 lock m2\n2 lock m1"
            )
        };
        assert_eq!(together(&script("1 notify cv 0\n"), &[2, 13], Keep::Must), Outcome::Never);
        assert!(matches!(together(&script(""), &[2, 12], Keep::Must), Outcome::Together(_)));
    }

    #[test]
    fn a_later_section_of_a_held_lock_cannot_be_before_the_witness() {
        // Thread 2 needs what thread 3 learned under `m1` after thread 1 had released it.
        let script = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n3 lock m1\n3 unlock m1\n3 send ch 1\n\
                      2 receive ch 1\n2 lock m2\n2 lock m1";
        assert_eq!(together(script, &[2, 10], Keep::Everything), Outcome::Never);
    }

    #[test]
    fn readers_of_one_lock_may_overlap_where_writers_may_not() {
        let script = |mode: &str| {
            format!(
                "1 {mode} rw\n1 lock m2\n1 unlock m2\n1 unlock rw\n2 {mode} rw\n2 unlock rw\n2 lock m2\n2 lock m1"
            )
        };
        assert!(can(&script("read"), &[2, 8]));
        assert!(!can(&script("write"), &[2, 8]));
    }

    #[test]
    fn a_later_instance_is_tried_when_the_first_one_cannot_be() {
        let script = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 send ch 1\n\
                      1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n2 receive ch 1\n2 lock m2\n2 lock m1";
        let execution = execution(script);
        let first = [at(&execution, 2), at(&execution, 7)];
        let second = [at(&execution, 12)];
        let found = Reorderings::of(&execution).together(&[&first, &second], Keep::Everything);
        assert_eq!(found, Outcome::Together(vec![first[1], second[0]]));
    }

    #[test]
    fn a_thread_that_polls_is_not_trusted() {
        let script = |polls: &str| {
            format!("1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n{polls}2 lock m2\n2 lock m1")
        };
        assert!(can(&script(""), &[2, 6]));
        let mut execution = execution(&script("2 sleep\n2 sleep\n"));
        one_place(&mut execution, 4, 5);
        assert_eq!(polling(&execution, 2, 8), Some(ThreadId(2)));
    }

    /// Puts the second of these events where the first is.
    fn one_place(execution: &mut Execution, first: usize, second: usize) {
        execution.events[second].site = execution.events[first].site;
    }

    /// Who polls in the witness that leads two threads to these lines.
    fn polling(execution: &Execution, one: u32, other: u32) -> Option<ThreadId> {
        let lists = [[at(execution, one)], [at(execution, other)]];
        match Reorderings::of(execution).together(&[&lists[0][..], &lists[1][..]], Keep::Everything) {
            Outcome::Polls(_, thread) => Some(thread),
            Outcome::Together(_) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn polling_that_began_early_and_ends_after_what_is_left_out_is_not_trusted() {
        let script = "2 sleep\n2 sleep\n1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n\
                      2 lock m2\n2 lock m1";
        let mut execution = execution(script);
        assert_eq!(polling(&execution, 4, 8), None, "two pauses at two places are no loop");
        one_place(&mut execution, 0, 1);
        assert_eq!(polling(&execution, 4, 8), Some(ThreadId(2)));
    }

    #[test]
    fn polling_that_ended_before_what_is_left_out_does_not_matter() {
        let script = "2 sleep\n2 sleep\n2 lock m3\n2 unlock m3\n\
                      1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n2 lock m2\n2 lock m1";
        let mut execution = execution(script);
        one_place(&mut execution, 0, 1);
        assert_eq!(polling(&execution, 6, 10), None);
    }
}

#[cfg(test)]
mod brute_force {
    //! Random small programs: what is predicted against all interleavings of the program, and
    //! against all prefixes that keep the observed order.

    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write;

    use super::{Keep, Outcome, Reorderings};
    use crate::model::execution::Execution;
    use crate::model::lock_graph::LockGraph;
    use crate::model::modes::conflict;
    use crate::model::script;
    use snag_trace::Mode;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Op {
        Lock(usize, Mode),
        Unlock(usize),
        Get(usize),
        Set(usize),
        Send(usize),
        Receive(usize),
    }

    const NAMES: [&str; 3] = ["m1", "m2", "rw3"];

    /// Marsaglia's xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % bound as u64).expect("small")
        }
    }

    fn thread(random: &mut Random) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut held: Vec<usize> = Vec::new();
        for _ in 0..random.below(6) + 4 {
            let lock = random.below(NAMES.len());
            match random.below(4) {
                0 | 1 if !held.contains(&lock) => {
                    let shared = lock == 2 && random.below(2) == 0;
                    ops.push(Op::Lock(lock, if shared { Mode::Shared } else { Mode::Exclusive }));
                    held.push(lock);
                }
                2 if !held.is_empty() => ops.push(Op::Unlock(held.remove(random.below(held.len())))),
                3 if held.contains(&lock) && random.below(2) == 0 => {
                    let acquired = |op: &&Op| matches!(op, Op::Lock(other, _) if *other == lock);
                    let shared = ops.iter().rev().find(acquired) == Some(&Op::Lock(lock, Mode::Shared));
                    ops.push(if shared || random.below(2) == 0 { Op::Get(lock) } else { Op::Set(lock) });
                }
                _ => {}
            }
        }
        ops.extend(held.into_iter().rev().map(Op::Unlock));
        ops
    }

    fn program(random: &mut Random) -> Vec<Vec<Op>> {
        let mut threads: Vec<Vec<Op>> = (0..random.below(2) + 2).map(|_| thread(random)).collect();
        if random.below(3) == 0 {
            let (from, to) = (random.below(threads.len()), random.below(threads.len()));
            if from != to {
                let at = random.below(threads[from].len() + 1);
                threads[from].insert(at, Op::Send(1));
                let at = random.below(threads[to].len() + 1);
                threads[to].insert(at, Op::Receive(1));
            }
        }
        threads
    }

    /// What a thread that has run so many of its operations holds.
    fn held(ops: &[Op]) -> BTreeMap<usize, Mode> {
        let mut held = BTreeMap::new();
        for op in ops {
            match *op {
                Op::Lock(lock, mode) => {
                    held.insert(lock, mode);
                }
                Op::Unlock(lock) => {
                    held.remove(&lock);
                }
                _ => {}
            }
        }
        held
    }

    fn can_step(threads: &[Vec<Op>], state: &[usize], who: usize) -> bool {
        let Some(op) = threads[who].get(state[who]) else { return false };
        let ran = |op: Op| threads.iter().zip(state).any(|(ops, &done)| ops[..done].contains(&op));
        match *op {
            Op::Lock(lock, mode) => (0..threads.len()).all(|other| {
                let holds = held(&threads[other][..state[other]]).get(&lock).copied();
                other == who || holds.is_none_or(|holds| !conflict(holds, mode))
            }),
            Op::Receive(message) => ran(Op::Send(message)),
            _ => true,
        }
    }

    fn reachable(threads: &[Vec<Op>]) -> BTreeSet<Vec<usize>> {
        let start = vec![0; threads.len()];
        let mut seen = BTreeSet::from([start.clone()]);
        let mut todo = vec![start];
        while let Some(state) = todo.pop() {
            for who in 0..threads.len() {
                if can_step(threads, &state, who) {
                    let mut next = state.clone();
                    next[who] += 1;
                    if seen.insert(next.clone()) {
                        todo.push(next);
                    }
                }
            }
        }
        seen
    }

    /// A complete random run, as the threads in the order in which they step; none if it gets stuck.
    fn run(threads: &[Vec<Op>], random: &mut Random) -> Option<Vec<usize>> {
        let mut state = vec![0; threads.len()];
        let mut order = Vec::new();
        let mut who = 0;
        while state.iter().zip(threads).any(|(&done, ops)| done < ops.len()) {
            let able: Vec<usize> = (0..threads.len()).filter(|&who| can_step(threads, &state, who)).collect();
            if able.is_empty() {
                return None;
            }
            // Long turns, so that many runs are nearly serial.
            if random.below(4) == 0 || !able.contains(&who) {
                who = able[random.below(able.len())];
            }
            state[who] += 1;
            order.push(who);
        }
        Some(order)
    }

    fn recorded(threads: &[Vec<Op>], order: &[usize]) -> Execution {
        let mut state = vec![0; threads.len()];
        let mut text = String::new();
        for &who in order {
            let line = match threads[who][state[who]] {
                Op::Lock(lock, Mode::Shared) => format!("read {}", NAMES[lock]),
                Op::Lock(lock, _) => format!("lock {}", NAMES[lock]),
                Op::Unlock(lock) => format!("unlock {}", NAMES[lock]),
                Op::Get(lock) => format!("get {}", NAMES[lock]),
                Op::Set(lock) => format!("set {}", NAMES[lock]),
                Op::Send(message) => format!("send ch {message}"),
                Op::Receive(message) => format!("receive ch {message}"),
            };
            writeln!(text, "{} {line}", who + 1).expect("a string");
            state[who] += 1;
        }
        script::execution(&text)
    }

    /// Where each thread of each predicted pattern stands: (thread from 0, position).
    fn predicted(execution: &Execution) -> BTreeSet<Vec<(usize, usize)>> {
        let graph = LockGraph::of(execution);
        let mut reorderings = Reorderings::of(execution);
        let mut found = BTreeSet::new();
        for pattern in graph.circles().iter().flat_map(|circle| graph.patterns(circle)) {
            let lists: Vec<&[u32]> =
                pattern.parts.iter().map(|part| &graph.acquisitions[part.acquisition].events[..]).collect();
            if let Outcome::Together(events) = reorderings.together(&lists, Keep::Everything) {
                let stand = |&event: &u32| {
                    let thread =
                        execution.thread(execution.events[event as usize].thread).number as usize - 1;
                    (thread, execution.happens_before().position(event) as usize)
                };
                let mut places: Vec<_> = events.iter().map(stand).collect();
                places.sort_unstable();
                found.insert(places);
            }
        }
        found
    }

    /// Whether the observed order, restricted to these prefixes, is an execution that keeps what
    /// every event saw.
    fn keeps_order(threads: &[Vec<Op>], order: &[usize], execution: &Execution, prefix: &[usize]) -> bool {
        let mut state = vec![0; threads.len()];
        let mut kept = vec![0; threads.len()];
        let inside = |event: u32| {
            let thread = execution.thread(execution.events[event as usize].thread).number as usize - 1;
            (execution.happens_before().position(event) as usize) < prefix[thread]
        };
        for (event, &who) in (0_u32..).zip(order) {
            if state[who] < prefix[who] {
                let sources = execution.happens_before().sources(event);
                if !can_step(threads, &kept, who) || !sources.iter().all(|source| inside(source.event)) {
                    return false;
                }
                kept[who] += 1;
            }
            state[who] += 1;
        }
        true
    }

    /// A circle of threads, each before an acquisition that the next one's hold excludes.
    fn deadlock(threads: &[Vec<Op>], state: &[usize]) -> Option<Vec<usize>> {
        let waits_for = |who: usize| -> Option<usize> {
            let Op::Lock(lock, mode) = *threads[who].get(state[who])? else { return None };
            (0..threads.len()).find(|&other| {
                let holds = held(&threads[other][..state[other]]).get(&lock).copied();
                other != who && holds.is_some_and(|holds| conflict(holds, mode))
            })
        };
        for start in 0..threads.len() {
            let mut way = vec![start];
            while let Some(next) = waits_for(way[way.len() - 1]) {
                if let Some(first) = way.iter().position(|&who| who == next) {
                    return Some(way.split_off(first));
                }
                way.push(next);
            }
        }
        None
    }

    fn states(threads: &[Vec<Op>]) -> Vec<Vec<usize>> {
        threads.iter().fold(vec![Vec::new()], |states, ops| {
            states
                .iter()
                .flat_map(|state| (0..=ops.len()).map(move |done| [&state[..], &[done]].concat()))
                .collect()
        })
    }

    #[test]
    fn predictions_are_what_brute_force_finds() {
        let mut random = Random(0x5eed_cafe);
        let (mut checked, mut predictions, mut complete) = (0, 0, 0);
        while checked < 1500 {
            let threads = program(&mut random);
            let Some(order) = run(&threads, &mut random) else { continue };
            checked += 1;
            let execution = recorded(&threads, &order);
            let found = predicted(&execution);
            let reachable = reachable(&threads);
            for places in &found {
                let reached = reachable.iter().any(|state| places.iter().all(|&(who, at)| state[who] == at));
                assert!(reached, "not reachable: {places:?} of {threads:?} run as {order:?}");
                predictions += 1;
            }
            let mut wanted: BTreeSet<Vec<(usize, Op2)>> = BTreeSet::new();
            for places in &found {
                wanted.insert(places.iter().map(|&(who, at)| (who, Op2::of(threads[who][at]))).collect());
            }
            for state in states(&threads) {
                let Some(mut circle) = deadlock(&threads, &state) else { continue };
                if !keeps_order(&threads, &order, &execution, &state) {
                    continue;
                }
                circle.sort_unstable();
                let wants: Vec<_> =
                    circle.iter().map(|&who| (who, Op2::of(threads[who][state[who]]))).collect();
                assert!(wanted.contains(&wants), "missed: {state:?} of {threads:?} run as {order:?}");
                complete += 1;
            }
        }
        assert!(predictions > 100 && complete > 100, "{predictions} and {complete} are too few to tell");
    }

    /// A wanted lock and mode, in a form that can be compared.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Op2(usize, Mode);

    impl Op2 {
        fn of(op: Op) -> Op2 {
            match op {
                Op::Lock(lock, mode) => Op2(lock, mode),
                other => panic!("{other:?} is not an acquisition"),
            }
        }
    }
}
