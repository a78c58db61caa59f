//! Vector clocks over a whole execution, as it went: what each thread knew of all others at a moment.
//!
//! The sources of [`crate::model::happens_before`], of either strength, and locks in the order in which they were
//! held: whoever takes a lock knows what its earlier excluding holders knew when they gave it up. So two
//! accesses that these clocks do not order were unordered in this run, whatever else could have happened.
//!
//! Source: Mattern, "Virtual Time and Global States of Distributed Systems", 1988. A thread's component is
//! the number of the last of its events that is known.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use snag_trace::{Kind, Mode, ObjectKind};

use crate::model::execution::{Event, Execution, ObjectId, ThreadId};
use crate::model::happens_before::HappensBefore;

/// What is known of each thread: the number of its last event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock(Vec<u64>);

impl Clock {
    /// The number up to which the thread is known.
    #[must_use]
    pub fn of(&self, thread: ThreadId) -> u64 {
        self.0.get(thread.at()).copied().unwrap_or(0)
    }

    /// Knows the thread up to this number as well.
    pub fn learn(&mut self, thread: ThreadId, number: u64) {
        if self.0.len() <= thread.at() {
            self.0.resize(thread.at() + 1, 0);
        }
        let own = &mut self.0[thread.at()];
        *own = (*own).max(number);
    }

    /// Knows what `other` does as well.
    pub fn join(&mut self, other: &Clock) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own = (*own).max(*other);
        }
    }
}

/// What holders of a lock left.
#[derive(Default)]
struct Left {
    exclusive: Clock,
    shared: Clock,
}

/// The clocks of all threads at a moment that only moves on.
pub struct Clocks<'a> {
    execution: &'a Execution,
    order: &'a HappensBefore,
    threads: Vec<Clock>,
    locks: HashMap<ObjectId, Left>,
    /// Clocks at events that others come after, and how many of those are still to come.
    kept: HashMap<u32, (Rc<Clock>, u32)>,
    uses: HashMap<u32, u32>,
    /// The last event of each thread so far.
    last: Vec<Option<u32>>,
    /// Processes of which something has happened.
    begun: HashSet<u32>,
    next: u32,
}

impl<'a> Clocks<'a> {
    /// The clocks before the first event.
    #[must_use]
    pub fn new(execution: &'a Execution) -> Clocks<'a> {
        let order = execution.happens_before();
        let mut uses = HashMap::new();
        for index in 0..execution.events.len() {
            for source in order.sources(index as u32) {
                *uses.entry(source.event).or_default() += 1;
            }
        }
        let count = execution.threads.len();
        Clocks {
            execution,
            order,
            threads: vec![Clock::default(); count],
            locks: HashMap::new(),
            kept: HashMap::new(),
            uses,
            last: vec![None; count],
            begun: HashSet::new(),
            next: 0,
        }
    }

    /// The next event, if its number is below `until`.
    #[must_use]
    pub fn peek(&self, until: u64) -> Option<&'a Event> {
        self.execution.events.get(self.next as usize).filter(|event| event.seq < until)
    }

    /// What the thread knows.
    pub fn thread(&mut self, thread: ThreadId) -> &mut Clock {
        &mut self.threads[thread.at()]
    }

    /// What all threads know together.
    #[must_use]
    pub fn everything(&self) -> Clock {
        self.threads.iter().fold(Clock::default(), |mut all, clock| {
            all.join(clock);
            all
        })
    }

    /// Passes the next event.
    pub fn step(&mut self) {
        let index = self.next;
        self.next += 1;
        let event = &self.execution.events[index as usize];
        let begins = self.begun.insert(self.execution.thread(event.thread).process);
        for source in self.order.sources(index) {
            let other = &self.execution.events[source.event as usize];
            let means_all = self.means_all(event, other, begins);
            let clock = if means_all && self.last[other.thread.at()] == Some(source.event) {
                Some(Rc::new(self.threads[other.thread.at()].clone()))
            } else {
                self.kept.get(&source.event).map(|(clock, _)| Rc::clone(clock))
            };
            if let Some((_, left)) = self.kept.get_mut(&source.event) {
                *left -= 1;
                if *left == 0 {
                    self.kept.remove(&source.event);
                }
            }
            if let Some(clock) = clock {
                self.threads[event.thread.at()].join(&clock);
            }
        }
        self.last[event.thread.at()] = Some(index);
        let own = &mut self.threads[event.thread.at()];
        own.learn(event.thread, event.seq);
        let of_lock = matches!(event.kind, Kind::Acquire | Kind::Release | Kind::Convert | Kind::OnceEnd);
        if of_lock && !event.object.is_none() {
            let left = self.locks.entry(event.object).or_default();
            match event.kind {
                Kind::Acquire => take(own, left, event.mode),
                Kind::Convert => {
                    take(own, left, event.mode);
                    left.exclusive.join(own);
                }
                _ if event.mode == Mode::Shared => left.shared.join(own),
                _ => left.exclusive.join(own),
            }
        }
        if let Some(uses) = self.uses.remove(&index) {
            self.kept.insert(index, (Rc::new(self.threads[event.thread.at()].clone()), uses));
        }
    }
}

impl Clocks<'_> {
    /// Whether an event comes after all that the thread of this source did so far: what it did since its last
    /// event, without one, as well.
    fn means_all(&self, event: &Event, source: &Event, begins: bool) -> bool {
        match event.kind {
            Kind::Reaped => true,
            Kind::StreamRead => event.arg == 0,
            Kind::Learn => {
                let of = self.execution.kind(event.object);
                matches!(of, Some(ObjectKind::FileLock | ObjectKind::RecordLock))
            }
            _ => begins && source.kind != Kind::Fork,
        }
    }
}

/// Learns what a new holder in `mode` must know.
fn take(own: &mut Clock, left: &Left, mode: Mode) {
    own.join(&left.exclusive);
    if mode != Mode::Shared {
        own.join(&left.shared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::script::execution;

    fn at_end(script: &str) -> Vec<Clock> {
        let execution = execution(script);
        let mut clocks = Clocks::new(&execution);
        while clocks.peek(u64::MAX).is_some() {
            clocks.step();
        }
        clocks.threads
    }

    #[test]
    fn who_takes_a_lock_knows_what_its_last_holder_did_before_and_no_more() {
        let clocks = at_end("1 lock m\n1 unlock m\n1 lock m2\n2 lock m");
        assert_eq!((clocks[2].of(ThreadId(1)), clocks[1].of(ThreadId(2))), (20, 0));
    }

    #[test]
    fn what_a_source_knew_comes_along() {
        let clocks = at_end("1 lock m\n1 unlock m\n2 lock m\n2 spawn 3\n3 lock m2");
        assert_eq!((clocks[3].of(ThreadId(1)), clocks[3].of(ThreadId(2))), (20, 40));
    }
}
