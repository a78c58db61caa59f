//! All executions that can differ: depth-first search with dynamic partial-order reduction.
//!
//! An execution is a path of *branches*: at each point who runs next, and at each atomic that may read or
//! write in more than one way (`memory::weak`) which way. The next execution takes the same path up to the
//! last branch that has something left to try.
//!
//! Where an operation conflicts with an earlier one that nothing orders before it, the two are tried the other
//! way round: at the branch of the earlier one those threads are tried with which what leads to the later one
//! without the earlier one can begin. This is source-DPOR: Abdulla, Aronis, Jonsson, Sagonas, "Optimal dynamic
//! partial order reduction", POPL 2014, after Flanagan, Godefroid, POPL 2005. What was tried at a branch is not
//! tried below it until something conflicts with it: sleep sets, Godefroid, LNCS 1032, 1996. A bound on preemptions is Musuvathi,
//! Qadeer, "Iterative context bounding", PLDI 2007, with the conservative branches of Coons, Musuvathi,
//! McKinley, "Bounded partial-order reduction", OOPSLA 2013.
//!
//! Invariants:
//! * Two operations that do not commute are on the same object, and one of them writes. A thread whose next
//!   operation is not known (it has just been woken) is taken to conflict with everything as far as sleep
//!   goes; it conflicts with what it does then once it does it.
//! * A thread that asks others to run is not chosen again before one of them has.

use super::{Choice, Operation};

/// Most threads; one that comes after them ends the execution.
pub(super) const THREADS: usize = 32;
/// Most branches of an execution.
const BRANCHES: usize = 1 << 17;
/// Slots for objects, of which the first ones are used most.
const OBJECTS: usize = 1 << 12;
const NOBODY: u8 = u8::MAX;

/// Threads, a bit each.
type Set = u32;

const fn bit(task: usize) -> Set {
    1 << task
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Branch {
    /// How many ways an atomic had; 0 if it is about who runs next.
    ways: u8,
    /// The way, or the thread.
    chosen: u8,
    /// Who ran before and could go on.
    current: u8,
    /// Preemptions before.
    preemptions: u16,
    /// Who could run.
    enabled: Set,
    /// Who is to be tried.
    wanted: Set,
    /// Who was tried.
    done: Set,
    /// Whose next operation need not be tried here.
    asleep: Set,
}

/// What a thread did from one point to the next.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Event {
    task: u8,
    writes: bool,
    object: usize,
    /// For each thread, the last position of it that happened before, and the event's own.
    clock: [u32; THREADS],
}

/// What was done to an object in this execution. Positions are those in the path, counted from 1.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Object {
    address: usize,
    /// The execution that this is of.
    execution: u64,
    /// The last write: who, and where.
    writer: u8,
    written: u32,
    /// The last read of each thread.
    read: [u32; THREADS],
    /// What happened before the writes, and before the reads since.
    write_clock: [u32; THREADS],
    read_clock: [u32; THREADS],
}

/// Why the search is not all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Bounds {
    /// Most preemptions of an execution; 0 is no bound.
    pub(super) preemptions: u64,
    /// Most branches of an execution; 0 is no bound.
    pub(super) branches: u64,
    /// Most threads; 0 is [`THREADS`].
    pub(super) threads: u64,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Exhaustive {
    bounds: Bounds,
    /// How many of the branches are to be taken as before.
    planned: usize,
    /// How many were taken.
    taken: usize,
    execution: u64,
    preemptions: u16,
    /// Whether there was an execution that a bound excludes.
    is_bounded: bool,
    /// Whose next operations need not be tried now.
    asleep: Set,
    /// Who asked others to run, and has not run since.
    yielding: Set,
    /// For each thread, the last position of each that happened before.
    clocks: [[u32; THREADS]; THREADS],
    objects: [Object; OBJECTS],
    path: [Branch; BRANCHES],
    /// What came of each branch that is about who runs next.
    events: [Event; BRANCHES],
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The candidate at this position runs.
    Run(usize),
    /// Whatever follows was tried before.
    Redundant,
    /// There is no room for more.
    TooLong,
}

fn join(into: &mut [u32; THREADS], from: &[u32; THREADS]) {
    for (to, from) in into.iter_mut().zip(from) {
        *to = (*to).max(*from);
    }
}

impl Exhaustive {
    pub(super) fn begin(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.taken = 0;
        self.execution += 1;
        self.preemptions = 0;
        self.asleep = 0;
        self.yielding = 0;
        self.clocks = [[0; THREADS]; THREADS];
    }

    pub(super) fn reset(&mut self) {
        self.planned = 0;
        self.is_bounded = false;
    }

    /// Whether a bound has excluded something.
    pub(super) fn is_bounded(&self) -> bool {
        self.is_bounded
    }

    /// Something else was bounded.
    #[cfg(snag_memory)]
    pub(super) fn has_bounded(&mut self) {
        self.is_bounded = true;
    }

    /// Whether there may be so many threads.
    pub(super) fn has_room_for(&self, threads: usize) -> bool {
        threads <= if self.bounds.threads == 0 { THREADS } else { THREADS.min(self.bounds.threads as usize) }
    }

    /// `one` has made `other` go on, or begun it.
    pub(super) fn orders(&mut self, one: usize, other: usize) {
        if one < THREADS && other < THREADS && one != other {
            let clock = self.clocks[one];
            join(&mut self.clocks[other], &clock);
        }
    }

    fn has_branch(&self) -> bool {
        let most = if self.bounds.branches == 0 { BRANCHES as u64 } else { self.bounds.branches };
        (self.taken as u64) < most.min(BRANCHES as u64)
    }

    /// Who runs next.
    pub(super) fn choose(&mut self, choice: &Choice<'_>) -> Next {
        if !self.has_branch() {
            return Next::TooLong;
        }
        for candidate in choice.candidates {
            self.look_back(candidate.task, &candidate.operation);
        }
        let enabled = choice.candidates.iter().fold(0, |set, candidate| set | bit(candidate.task));
        let current = choice.current.map(|at| choice.candidates[at].task);
        if choice.yields
            && let Some(current) = current
        {
            self.yielding |= bit(current);
        }
        // Who asks others to run waits for one that has not asked for it as well.
        let eager = enabled & !self.yielding;
        let offered = if eager == 0 { enabled } else { eager };
        let Some(task) = self.take_branch(offered, current) else { return Next::Redundant };
        let position = choice.candidates.iter().position(|candidate| candidate.task == task).unwrap_or(0);
        let operation = choice.candidates[position].operation;
        let is_preempted = current.is_some_and(|current| current != task && offered & bit(current) != 0);
        self.preemptions += u16::from(is_preempted);
        self.fall_asleep(choice, task, &operation);
        self.execute(task, &operation);
        self.yielding = if eager == 0 { 0 } else { self.yielding };
        self.yielding &= !bit(task);
        Next::Run(position)
    }

    /// Goes along the path, or adds a branch; nothing if all that could run here was tried elsewhere.
    fn take_branch(&mut self, offered: Set, current: Option<usize>) -> Option<usize> {
        let at = self.taken;
        self.taken += 1;
        if at < self.planned && self.path[at].ways == 0 {
            let branch = &self.path[at];
            self.asleep |= branch.done & !bit(usize::from(branch.chosen));
            return Some(usize::from(branch.chosen));
        }
        let awake = offered & !self.asleep;
        if awake == 0 {
            self.taken = at;
            return None;
        }
        let first = current.filter(|&current| awake & bit(current) != 0);
        let chosen = first.unwrap_or(awake.trailing_zeros() as usize);
        self.path[at] = Branch {
            ways: 0,
            chosen: chosen as u8,
            current: current.filter(|&current| offered & bit(current) != 0).map_or(NOBODY, |task| task as u8),
            preemptions: self.preemptions,
            enabled: offered,
            wanted: bit(chosen),
            done: 0,
            asleep: self.asleep,
        };
        Some(chosen)
    }

    /// Which of so many ways an atomic goes.
    #[cfg(snag_memory)]
    pub(super) fn way(&mut self, ways: usize) -> usize {
        if !self.has_branch() {
            return 0;
        }
        let at = self.taken;
        self.taken += 1;
        if at >= self.planned || usize::from(self.path[at].ways) != ways {
            self.path[at] = Branch {
                ways: ways as u8,
                chosen: 0,
                current: NOBODY,
                preemptions: self.preemptions,
                enabled: 0,
                wanted: 0,
                done: 0,
                asleep: 0,
            };
        }
        usize::from(self.path[at].chosen)
    }

    /// Those that sleep go on sleeping if what `task` does is nothing to them.
    fn fall_asleep(&mut self, choice: &Choice<'_>, task: usize, operation: &Operation) {
        let mut asleep = 0;
        for candidate in choice.candidates {
            let is_known = candidate.operation.object != 0 && operation.object != 0;
            if candidate.task != task && is_known && !candidate.operation.conflicts(operation) {
                asleep |= bit(candidate.task);
            }
        }
        self.asleep &= asleep;
    }

    fn object(&mut self, address: usize) -> Option<&mut Object> {
        let hash = (address as u64 >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let execution = self.execution;
        let at = (0..OBJECTS).map(|step| crate::probe::slot(hash as usize, step, OBJECTS)).find(|&at| {
            let object = &self.objects[at];
            object.execution != execution || object.address == address
        })?;
        let object = &mut self.objects[at];
        if object.execution != execution {
            *object = Object {
                address,
                execution,
                writer: NOBODY,
                written: 0,
                read: [0; THREADS],
                write_clock: [0; THREADS],
                read_clock: [0; THREADS],
            };
        }
        Some(object)
    }

    /// What `task` is about to do could have come before what others have done: that is to be tried.
    fn look_back(&mut self, task: usize, operation: &Operation) {
        if operation.object == 0 || task >= THREADS {
            return;
        }
        let clock = self.clocks[task];
        let Some(object) = self.object(operation.object) else { return };
        let (writer, written, read) = (object.writer, object.written, object.read);
        let is_unordered = |other: usize, at: u32| at != 0 && other != task && clock[other] < at;
        if usize::from(writer) < THREADS && is_unordered(usize::from(writer), written) {
            self.reverse(written as usize - 1, task, operation);
        }
        if operation.writes {
            for (other, at) in read.into_iter().enumerate() {
                if is_unordered(other, at) {
                    self.reverse(at as usize - 1, task, operation);
                }
            }
        }
    }

    /// What `task` is about to do is to be tried before what was done at this branch.
    fn reverse(&mut self, at: usize, task: usize, operation: &Operation) {
        let first = self.initials(at, task, operation);
        let branch = &mut self.path[at];
        let possible = branch.enabled & first;
        branch.wanted |= if possible == 0 { branch.enabled } else { possible };
        if self.bounds.preemptions == 0 {
            return;
        }
        // The bound may forbid it there, but not where a thread was changed anyway.
        let switches = |branch: &Branch| branch.ways == 0 && branch.current != branch.chosen;
        if let Some(earlier) = self.path[..at].iter_mut().rev().find(|branch| switches(branch)) {
            earlier.wanted |= earlier.enabled & first;
        }
    }

    /// Threads with which that can begin which was done since this branch and does not come of what was done
    /// there, with what `task` is about to do behind it.
    fn initials(&self, at: usize, task: usize, operation: &Operation) -> Set {
        let left_out = usize::from(self.events[at].task);
        let (mut first, mut met): (Set, Set) = (0, 0);
        let mut position_of = [0; THREADS];
        let follows = |clock: &[u32; THREADS], met: Set, position_of: &[u32; THREADS]| {
            (0..THREADS).any(|other| met & bit(other) != 0 && clock[other] >= position_of[other])
        };
        for later in at + 1..self.taken {
            if self.path[later].ways != 0 {
                continue;
            }
            let event = &self.events[later];
            let own = usize::from(event.task);
            if event.clock[left_out] > at as u32 || met & bit(own) != 0 {
                continue;
            }
            if !follows(&event.clock, met, &position_of) {
                first |= bit(own);
            }
            met |= bit(own);
            position_of[own] = later as u32 + 1;
        }
        if met & bit(task) == 0 {
            let mut clock = self.clocks[task];
            for later in at + 1..self.taken {
                let event = &self.events[later];
                let conflicts = event.object == operation.object && (event.writes || operation.writes);
                if self.path[later].ways == 0 && conflicts && event.clock[left_out] <= at as u32 {
                    join(&mut clock, &event.clock);
                }
            }
            if !follows(&clock, met, &position_of) {
                first |= bit(task);
            }
        }
        first
    }

    fn execute(&mut self, task: usize, operation: &Operation) {
        let position = self.taken as u32;
        let mut clock = self.clocks[task];
        if operation.object != 0
            && let Some(object) = self.object(operation.object)
        {
            join(&mut clock, &object.write_clock);
            if operation.writes {
                join(&mut clock, &object.read_clock);
            }
            clock[task] = position;
            if operation.writes {
                (object.writer, object.written) = (task as u8, position);
                object.write_clock = clock;
                object.read_clock = [0; THREADS];
                object.read = [0; THREADS];
            } else {
                object.read[task] = position;
                join(&mut object.read_clock, &clock);
            }
        }
        clock[task] = position;
        self.clocks[task] = clock;
        let Operation { object, writes, .. } = *operation;
        self.events[self.taken - 1] = Event { task: task as u8, writes, object, clock };
    }

    /// Goes on to the next path; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        while let Some(last) = self.taken.checked_sub(1) {
            if self.turn(last) {
                self.planned = self.taken;
                return true;
            }
            self.taken = last;
        }
        self.planned = 0;
        false
    }

    /// Takes the next way at this branch; false if there is none.
    fn turn(&mut self, at: usize) -> bool {
        let bound = self.bounds.preemptions;
        let branch = &mut self.path[at];
        if branch.ways != 0 {
            branch.chosen += 1;
            return branch.chosen < branch.ways;
        }
        branch.done |= bit(usize::from(branch.chosen));
        let mut left = branch.wanted & !branch.done & !branch.asleep;
        while left != 0 {
            let task = left.trailing_zeros() as u8;
            left &= left - 1;
            let costs = branch.current != NOBODY && branch.current != task;
            if bound != 0 && u64::from(branch.preemptions) + u64::from(costs) > bound {
                self.is_bounded = true;
                branch.done |= bit(usize::from(task));
                continue;
            }
            branch.chosen = task;
            return true;
        }
        false
    }
}
