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
//! data behind guards are; atomics and plain memory are not before the memory layer is on. A thread
//! that waits for an atomic flag, which another one sets *after* the point up to which the witness
//! lets it run, would be sent through a door that is still shut. We accept the common case, since
//! otherwise nothing could be predicted from two threads that happened to run one after the other,
//! and refuse the telling one: waiting for a flag takes polling, and polling with a sleep, a
//! `try_lock`, a `try_recv` or a time-out leaves a mark. A witness in which a thread polls (twice or
//! more at one place) after an event that the witness leaves out is not trusted, see
//! [`Outcome::Polls`]. A bare spin on an atomic leaves no mark and is missed.
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
        let thread = self.execution.events[event as usize].thread;
        self.inside.get(&thread).is_some_and(|&inside| inside > self.order.position(event))
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

    /// A thread that polls inside, after the first event of those asked for that is left out.
    fn polls(&self, events: &[u32]) -> Option<ThreadId> {
        let first = *events.iter().min()?;
        let mut threads: Vec<_> = self.inside.iter().map(|(&thread, &inside)| (thread, inside)).collect();
        threads.sort_unstable();
        threads.into_iter().find_map(|(thread, inside)| {
            let own = &self.execution.thread(thread).events[..inside as usize];
            let after = &own[own.partition_point(|&event| event < first)..];
            let mut polled: HashMap<SiteId, u32> = HashMap::new();
            after.iter().find_map(|&event| {
                let event = &self.execution.events[event as usize];
                let times = polled.entry(event.site).or_default();
                *times += u32::from(is_poll(event.kind, event.mode, event.flags));
                (*times > 1).then_some(thread)
            })
        })
    }
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
