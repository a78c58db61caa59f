//! Forks: which process came of which, who lived in the parent meanwhile, and what the child did.
//!
//! A fork copies the calling thread alone. It happens after the parent's [`Kind::Fork`], and before both its
//! [`Kind::Forked`] and the child's [`Kind::ProcessStart`], which names the `Fork`. So a thread that began before
//! the first, and had neither ended nor been joined before the others, lived.
//!
//! Handlers of `pthread_atfork` run in the forking thread between the `Fork` and its `Forked`: a lock that
//! it takes there is one that nobody else holds at the fork.
//!
//! Misses: children of `vfork` and `posix_spawn` live in their parent's memory and are none of these.

use std::collections::BTreeSet;

use snag_trace::{Act, Flags, Kind, Mode};

use crate::model::execution::{Event, Execution, ObjectId, ThreadId};
use crate::model::family_standstill::is_of_family;
use crate::model::modes::{conflict, is_lock};
use crate::model::sections::Section;

/// One fork, of which the child was recorded. Numbers of events are indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The parent's `Fork`.
    pub event: u32,
    /// The parent's `Forked`; nothing if it did not come to that.
    pub made: Option<u32>,
    /// The child's `ProcessStart`.
    pub start: u32,
    /// The thread that forked.
    pub thread: ThreadId,
    /// The child's index.
    pub child: u32,
}

/// What a child does that is not async-signal-safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsafe {
    /// Takes or waits for something of which it has a copy.
    Takes(ObjectId, Mode),
    /// Starts a thread.
    Spawns,
    /// Something else.
    Does(Act),
    /// Waits for ever for something that is not recorded: a lock inside of the standard library or of libc.
    Hangs,
}

/// A wait of a forked child that nobody can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hang {
    /// The child's request.
    pub wanted: u32,
    /// Who held the lock in the parent, since when, and until when.
    pub section: Section,
}

/// All forks of an execution whose children were recorded.
#[derive(Debug)]
pub struct Forks<'a> {
    execution: &'a Execution,
    /// In the order of the children.
    pub all: Vec<Fork>,
}

impl<'a> Forks<'a> {
    /// Finds them.
    #[must_use]
    pub fn of(execution: &'a Execution) -> Forks<'a> {
        let mut forks = Forks { execution, all: Vec::new() };
        for (start, event) in (0_u32..).zip(&execution.events) {
            if event.kind == Kind::ProcessStart {
                forks.all.extend(forks.fork_of(start, event));
            }
        }
        forks
    }

    fn fork_of(&self, start: u32, started: &Event) -> Option<Fork> {
        let kind = |event: u32| self.execution.events[event as usize].kind;
        let event = self.execution.index_of(started.arg).filter(|&event| kind(event) == Kind::Fork)?;
        let thread = self.execution.events[event as usize].thread;
        let own = &self.execution.thread(thread).events;
        let later = &own[own.partition_point(|&own| own <= event)..];
        let next = later.iter().copied().find(|&own| matches!(kind(own), Kind::Fork | Kind::Forked));
        let made = next.filter(|&made| kind(made) == Kind::Forked);
        Some(Fork { event, made, start, thread, child: self.execution.thread(started.thread).process })
    }

    fn parent(&self, fork: &Fork) -> u32 {
        self.execution.thread(fork.thread).process
    }

    /// The other threads that lived in the parent.
    #[must_use]
    pub fn others_alive(&self, fork: &Fork) -> Vec<ThreadId> {
        let (mut begun, mut gone) = (BTreeSet::new(), BTreeSet::from([fork.thread]));
        let until = fork.made.map_or(fork.start, |made| made.min(fork.start));
        for (index, event) in (0_u32..).zip(&self.execution.events[..until as usize]) {
            if self.execution.thread(event.thread).process != self.parent(fork) {
                continue;
            }
            let other = ThreadId(u32::try_from(event.arg).unwrap_or(0));
            match event.kind {
                Kind::Join => gone.insert(other),
                Kind::ThreadEnd => gone.insert(event.thread),
                Kind::Spawn if index < fork.event => begun.insert(other),
                _ if index < fork.event => begun.insert(event.thread),
                _ => false,
            };
        }
        begun.difference(&gone).copied().collect()
    }

    /// Whether the forking thread holds this lock of the parent at the fork, maybe by a handler of
    /// `pthread_atfork`: then nobody else does, and the child's thread may release it.
    #[must_use]
    pub fn is_covered(&self, fork: &Fork, lock: ObjectId) -> bool {
        let mut is_held = false;
        let end = fork.made.unwrap_or(u32::MAX);
        for &own in self.execution.thread(fork.thread).events.iter().take_while(|&&own| own < end) {
            let event = &self.execution.events[own as usize];
            match event.kind {
                Kind::Acquire if event.object == lock => is_held = true,
                // A handler in the parent gives up what one before the fork took.
                Kind::Release if event.object == lock && own < fork.event => is_held = false,
                _ => {}
            }
        }
        is_held
    }

    /// The parent's object of which this one is a copy; nothing if the child made it, or if there is but one
    /// because it lies in memory that both share.
    #[must_use]
    pub fn original(&self, object: ObjectId) -> Option<ObjectId> {
        let original = self.execution.objects[object.at()].copy_of;
        (!original.is_none()).then_some(original)
    }

    /// What the child does that is not async-signal-safe, in order, until it is another program or ends.
    pub fn unsafe_acts<'b>(&'b self, fork: &'b Fork) -> impl Iterator<Item = (u32, Unsafe)> + use<'a, 'b> {
        let of_child = |event: &&(u32, &Event)| self.execution.thread(event.1.thread).process == fork.child;
        let events = (0_u32..).zip(&self.execution.events).skip(fork.start as usize);
        let until_it_ends = events
            .filter(move |event| of_child(&event))
            .take_while(|(_, event)| !matches!(event.kind, Kind::Exec | Kind::Exit));
        until_it_ends.filter_map(move |(index, event)| Some((index, self.judge(fork, event)?)))
    }

    /// What keeps the child waiting for ever: a lock that it wants, and the section in which another thread
    /// of the parent held that at the fork.
    #[must_use]
    pub fn hang(&self, fork: &Fork) -> Option<Hang> {
        let mut acts = self.unsafe_acts(fork);
        acts.find_map(|(wanted, act)| {
            let event = &self.execution.events[wanted as usize];
            let Unsafe::Takes(object, mode) = act else { return None };
            let waits = event.kind == Kind::Request && is_lock(mode) && !self.gets(event);
            let original = self.original(object).filter(|_| waits)?;
            let held = |section: &&Section| {
                section.lock == original
                    && section.thread != fork.thread
                    && conflict(section.mode, mode)
                    && section.begin < fork.start
                    && section.end.map_or(section.open, |end| end > fork.event)
            };
            let sections = self.execution.sections().all();
            sections.iter().rfind(held).map(|&section| Hang { wanted, section })
        })
    }

    /// Whether the child was found to wait for ever, and no thread of it in a recorded wait.
    #[must_use]
    pub fn hangs_unseen(&self, fork: &Fork) -> bool {
        waits_unseen(self.execution, fork.child)
    }

    /// Whether the thread that asks for a lock gets it later.
    fn gets(&self, request: &Event) -> bool {
        let own = &self.execution.thread(request.thread).events;
        own.iter().map(|&event| &self.execution.events[event as usize]).any(|event| {
            event.kind == Kind::Acquire && event.object == request.object && event.seq > request.seq
        })
    }

    fn judge(&self, fork: &Fork, event: &Event) -> Option<Unsafe> {
        let mode = match event.kind {
            Kind::Spawn => return Some(Unsafe::Spawns),
            Kind::ForkedAct => return Act::from_wire(u8::try_from(event.arg).ok()?).map(Unsafe::Does),
            Kind::Request | Kind::Acquire if is_lock(event.mode) => event.mode,
            Kind::Request if matches!(event.mode, Mode::Once | Mode::Receive | Mode::Barrier) => event.mode,
            Kind::OnceBegin => Mode::Once,
            Kind::WaitBegin => Mode::Wait,
            _ => return None,
        };
        let original = self.original(event.object)?;
        let is_unsafe = !event.flags.has(Flags::TRY) && !self.is_covered(fork, original);
        is_unsafe.then_some(Unsafe::Takes(event.object, mode))
    }
}

/// Whether the process was found to wait for ever, and no thread of it in a recorded wait.
#[must_use]
pub fn waits_unseen(execution: &Execution, process: u32) -> bool {
    let known = &execution.processes[process as usize];
    let own = execution.thread_ids().filter(|thread| execution.thread(*thread).process == process);
    let seen = own.into_iter().any(|thread| execution.end().blocked(thread.0).is_some());
    known.stuck.is_some() && !known.waits.is_empty() && !seen && !is_of_family(execution, process)
}

#[cfg(test)]
mod tests {
    use super::{Forks, Unsafe};
    use crate::model::execution::{Execution, ThreadId};
    use crate::model::script::{at, execution};
    use snag_trace::Act;

    fn acts(execution: &Execution) -> Vec<Unsafe> {
        let forks = Forks::of(execution);
        let [fork] = &forks.all[..] else { panic!("one fork") };
        forks.unsafe_acts(fork).map(|(_, act)| act).collect()
    }

    #[test]
    fn a_child_knows_its_fork_and_who_lived_meanwhile() {
        let execution = execution(
            "1 spawn 2\n2 park\n1 spawn 3\n3 end\n1 spawn 4\n4 lock m\n1 join 4\n1 fork\n101 begins 8\n1 forked 101\n5 lock m",
        );
        let forks = Forks::of(&execution);
        let [fork] = &forks.all[..] else { panic!("one fork") };
        assert_eq!((fork.event, fork.start), (at(&execution, 8), at(&execution, 9)));
        assert_eq!(fork.made, Some(at(&execution, 10)));
        let alive: Vec<u32> = forks
            .others_alive(fork)
            .into_iter()
            .map(|thread: ThreadId| execution.thread(thread).number)
            .collect();
        assert_eq!(alive, [2]);
    }

    #[test]
    fn a_thread_that_ends_before_the_child_begins_but_after_the_fork_lived() {
        let execution = execution("2 park\n1 fork\n1 forked 101\n2 end\n1 join 2\n101 begins 2");
        let forks = Forks::of(&execution);
        assert_eq!(forks.others_alive(&forks.all[0]).len(), 1);
    }

    #[test]
    fn a_process_without_a_fork_is_no_child_of_one() {
        assert!(Forks::of(&execution("1 fork\n1 forked 0")).all.is_empty());
        assert!(Forks::of(&execution("1 fork\n101 begins 0\n101 lock m")).all.is_empty());
    }

    #[test]
    fn only_what_the_child_has_a_copy_of_is_unsafe_to_take() {
        let own = execution("1 fork\n101 begins 1\n101 lock m\n101 unlock m");
        assert!(acts(&own).is_empty());
        let copies = execution("1 lock m\n1 unlock m\n1 fork\n101 begins 3\n101 lock m\n101 try-lock m");
        assert!(matches!(acts(&copies)[..], [Unsafe::Takes(..)]));
    }

    #[test]
    fn what_comes_after_an_exec_or_an_exit_is_not_the_childs() {
        for end in ["exec", "exit"] {
            let script = format!("1 fork\n101 begins 1\n101 allocates\n101 {end}\n101 spawn 2");
            assert_eq!(acts(&execution(&script)), [Unsafe::Does(Act::Allocates)]);
        }
    }

    #[test]
    fn a_lock_of_the_forking_thread_is_covered_also_by_a_handler() {
        for script in [
            "1 lock m\n1 fork\n101 begins 2\n101 unlock m\n101 lock m",
            "1 lock m\n1 unlock m\n1 fork\n1 lock m\n101 begins 3\n101 unlock m\n1 unlock m\n1 forked 101\n101 lock m",
        ] {
            assert!(acts(&execution(script)).is_empty(), "{script}");
        }
        let before = execution("1 lock m\n1 unlock m\n1 fork\n101 begins 3\n1 forked 101\n101 lock m");
        assert_eq!(acts(&before).len(), 1);
    }

    #[test]
    fn a_child_hangs_only_on_a_lock_that_another_thread_held_and_that_it_never_got() {
        let hang = |script: &str| {
            let execution = execution(script);
            let forks = Forks::of(&execution);
            forks.hang(&forks.all[0])
        };
        let held = "2 lock m\n1 fork\n101 begins 2\n101 want m";
        assert!(hang(held).is_some());
        assert!(hang(&format!("{held}\n2 unlock m")).is_some());
        assert!(hang(&format!("{held}\n101 lock m")).is_none());
        assert!(hang("2 lock m\n2 unlock m\n1 fork\n101 begins 3\n101 want m").is_none());
        assert!(hang("1 lock m\n1 fork\n101 begins 2\n101 want m").is_none());
        assert!(hang("2 read rw\n1 fork\n101 begins 2\n101 want-read rw").is_none());
    }
}
