//! The tasks of an execution, and the baton.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

use snag_trace::control::{Ending, How, MAX_TASKS, Segment, Step, What, flags, spot};

use super::random::mix;
use super::strategy::{Answer, Candidate, Choice, Operation};
use super::{clock, kernel, serve};

/// No task.
pub(super) const NOBODY: usize = usize::MAX;
/// Points that one task passes in a row before others are let run, as if it had asked for it: at first, and
/// at last. Each time it comes to that, half of it is enough the next time.
const PATIENCE: u32 = 1_000;
const LEAST_PATIENCE: u32 = 50;
/// Points that one task passes in a row where nothing has changed for long: each has its turn then, so
/// that it can be said that nothing will.
const TURN: u32 = 50;
/// How often each task that can run looks for something that does not change, before the clocks go on to
/// the next moment that somebody waits for.
const POLLS: u32 = 100;
/// Points after the last one that is allowed, for a thread to come to one that says what it is at.
const MERCY: u64 = 20;
/// Looks at the clock with nothing between them before others are let run.
const LOOKS: u32 = 50;
/// How often the time that a look at the clock takes is doubled while nothing changes.
const DOUBLED: u32 = 13;
/// A wait that ends later than this from now, in nanoseconds, never ends early: nobody relies on it being
/// too short.
const SOON: u64 = 90_000_000;
/// Of so many waits one may end early, one for no reason.
const EARLY: u64 = 4;
const SPURIOUS: u64 = 16;

/// A thread that is about to be created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(usize);

impl Ticket {
    pub(super) fn task(self) -> usize {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    Unborn = 0,
    Runnable,
    Waiting,
    Ended,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    address: usize,
    bits: u32,
    /// Nanoseconds of the clock; `u64::MAX` if there is no end.
    until: u64,
    /// Place in the order of all waits.
    turn: u64,
    /// It may end before its time.
    may_be_early: bool,
    /// It may end for no reason.
    may_be_spurious: bool,
}

#[derive(Debug)]
#[repr(C)]
struct Task {
    /// 1 if it may run.
    baton: AtomicU32,
    status: Status,
    /// Whether its last wait was ended by a wake, and not by time.
    woken: bool,
    /// Whether its end was waited for: the handle may mean another thread now.
    joined: bool,
    /// Its waits may end for no reason now.
    may_be_spurious: bool,
    wait: Wait,
    operation: Operation,
    handle: usize,
    /// The recorder's number of it.
    number: u32,
    /// What it was begun for is done.
    done: bool,
    /// It has waited since its last point: what it does next is what it waited for.
    has_waited: bool,
    /// How often it has looked for something, or let others run, since change number `polled_after`.
    polls: u32,
    polled_after: u64,
    /// How often it has looked at the clock since change number `looked_after`.
    looks: u32,
    looked_after: u64,
}

impl Task {
    const fn unborn() -> Task {
        Task {
            baton: AtomicU32::new(0),
            status: Status::Unborn,
            woken: false,
            joined: false,
            may_be_spurious: false,
            wait: Wait {
                address: 0,
                bits: 0,
                until: 0,
                turn: 0,
                may_be_early: false,
                may_be_spurious: false,
            },
            operation: Operation::UNKNOWN,
            handle: 0,
            number: 0,
            done: false,
            has_waited: false,
            polls: 0,
            polled_after: 0,
            looks: 0,
            looked_after: 0,
        }
    }

    /// Counts what it is about to do, if it only looks; `changes` is how often something has changed.
    fn polls(&mut self, operation: &Operation, changes: u64) {
        if self.polled_after != changes {
            (self.polls, self.polled_after) = (0, changes);
        }
        let looks = matches!(operation.what, What::Yield | What::Load | What::TryLock | What::Update);
        self.polls += u32::from(looks || operation.yields);
    }

    /// Whether it has looked so often that only others, or time, can bring what it looks for.
    fn is_polling(&self, changes: u64) -> bool {
        self.polled_after == changes && self.polls >= POLLS
    }
}

/// The scheduler.
#[derive(Debug)]
pub(super) struct State {
    tasks: [Task; MAX_TASKS],
    count: usize,
    candidates: [Candidate; MAX_TASKS],
    clock: u64,
    steps: u64,
    choices: u64,
    preemptions: u64,
    waits: u64,
    /// The step of the last change that others could notice.
    last_change: u64,
    /// How many changes there were.
    changes: u64,
    /// The step at which a task last waited, was woken, began or ended.
    last_turn: u64,
    /// Whether a task has looked at the clock since the last change.
    clock_was_asked: bool,
    /// Who was chosen last, and how often in a row.
    last: usize,
    in_a_row: u32,
    patience: u32,
    /// How often the clock was looked at since the last point.
    looks: u32,
    /// Length of the log.
    logged: usize,
    /// How many steps were told.
    told: usize,
    /// The kernel's number of a thread that is about to end; 0 if none is.
    leaving: u32,
    races: u32,
    race: u64,
}

struct Shared(UnsafeCell<State>);

// SAFETY: only who holds the baton touches the state.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State {
    tasks: [const { Task::unborn() }; MAX_TASKS],
    count: 0,
    candidates: [Candidate { task: 0, how: How::Run, operation: Operation::UNKNOWN }; MAX_TASKS],
    clock: 0,
    steps: 0,
    choices: 0,
    preemptions: 0,
    waits: 0,
    last_change: 0,
    changes: 0,
    last_turn: 0,
    clock_was_asked: false,
    last: NOBODY,
    in_a_row: 0,
    patience: PATIENCE,
    looks: 0,
    logged: 0,
    told: 0,
    leaving: 0,
    races: 0,
    race: 0,
}));

impl State {
    /// The state, for the task that holds the baton. Never kept while the baton is given on.
    pub(super) fn get() -> &'static mut State {
        // SAFETY: only the task that holds the baton comes here, and it is within one call at a time:
        // nothing that is called here comes back.
        unsafe { &mut *STATE.0.get() }
    }

    pub(super) fn begin(&mut self) {
        self.clock = clock::START;
        self.count = 1;
        self.tasks[0].status = Status::Runnable;
        self.last = 0;
        serve::tally().born(0, 0);
    }

    /// Before an operation of task `me`.
    pub(super) fn point(me: usize, operation: Operation) {
        let caller = if operation.place & 1 == 1 { super::callers()[0] } else { 0 };
        let operation = Operation { spot: spot(operation.place as u64, caller), ..operation };
        let state = State::get();
        state.tasks[me].operation = operation;
        state.tasks[me].has_waited = false;
        state.tasks[me].polls(&operation, state.changes);
        serve::tally().made(me, &operation);
        State::hand_on(me, operation.yields);
        State::get().tell(me, operation.what);
    }

    /// Tells that a task does this now, at the place of its last operation.
    fn tell(&mut self, task: usize, what: What) {
        if serve::flags() & flags::TELL != 0 {
            let Operation { object, place, .. } = self.tasks[task].operation;
            let (task, what) = (task as u16, what as u8);
            let callers = super::callers();
            let (object, place) = (object as u64, place as u64);
            let step = Step { task, what, object, place, callers, ..Step::default() };
            serve::tell(self.told, step);
            self.told += 1;
        }
    }

    /// What the operation on the object at `address`, which was told last, has read and written.
    #[cfg(snag_memory)]
    pub(super) fn did(&mut self, me: usize, address: usize, read: Option<u64>, written: Option<u64>) {
        if written.is_some() && written != read {
            self.changed();
        }
        if let Some(last) = self.told.checked_sub(1) {
            serve::amend(last, |step| {
                if usize::from(step.task) == me && step.object == address as u64 {
                    step.known = u8::from(read.is_some()) | u8::from(written.is_some()) << 1;
                    (step.read, step.written) = (read.unwrap_or(0), written.unwrap_or(0));
                }
            });
        }
    }

    pub(super) fn changed(&mut self) {
        self.last_change = self.steps;
        self.changes += 1;
        self.clock_was_asked = false;
    }

    /// Who looks again and again waits for the time to come: it comes faster and faster while nothing else
    /// happens, and others are let run now and then.
    pub(super) fn look_at_clock(me: usize) -> u64 {
        let state = State::get();
        let changes = state.changes;
        let task = &mut state.tasks[me];
        if task.looked_after != changes {
            (task.looks, task.looked_after) = (0, changes);
        }
        task.looks += 1;
        state.clock += clock::POINT << (task.looks / 4).min(DOUBLED);
        state.clock_was_asked = true;
        state.looks += 1;
        if state.looks > LOOKS {
            State::point(me, Operation::YIELD);
        }
        State::get().clock
    }

    pub(super) fn sleep(me: usize, time: u64) {
        let until = State::get().clock.saturating_add(time);
        State::wait(me, 0, 0, Some(until));
    }

    /// Waits for a wake at the address or the moment; false if that came first.
    pub(super) fn wait(me: usize, address: usize, bits: u32, until: Option<u64>) -> bool {
        let state = State::get();
        state.last_turn = state.steps;
        state.begin_wait(me, address, bits, until);
        state.tell(me, What::Blocks);
        State::hand_on(me, false);
        let state = State::get();
        let woken = state.tasks[me].woken;
        state.tell(me, if woken { What::Resumes } else { What::TimesOut });
        woken
    }

    fn begin_wait(&mut self, me: usize, address: usize, bits: u32, until: Option<u64>) {
        self.waits += 1;
        let until = until.unwrap_or(u64::MAX);
        let (strategies, flags) = (serve::strategies(), serve::flags());
        let chance = strategies.chance(self.waits);
        let planned = strategies.follows_plan();
        let invents = |flag, of: u64| {
            planned || (strategies.invents_wakes() && flags & flag != 0 && chance.is_multiple_of(of))
        };
        let task = &mut self.tasks[me];
        task.wait = Wait {
            address,
            bits,
            until,
            turn: self.waits,
            may_be_early: until != u64::MAX
                && until.saturating_sub(self.clock) < SOON
                && invents(flags::EARLY_TIMEOUTS, EARLY),
            may_be_spurious: task.may_be_spurious && invents(flags::SPURIOUS_WAKES, SPURIOUS),
        };
        task.has_waited = true;
        task.status = Status::Waiting;
    }

    pub(super) fn wake(&mut self, me: usize, address: usize, most: usize, bits: u32) -> usize {
        let mut woken = 0;
        while woken < most {
            let sleepers = self.tasks[..self.count].iter_mut().enumerate().filter(|(_, task)| {
                task.status == Status::Waiting && task.wait.address == address && task.wait.bits & bits != 0
            });
            let Some((task, first)) = sleepers.min_by_key(|(_, task)| task.wait.turn) else { break };
            first.status = Status::Runnable;
            first.woken = true;
            serve::strategies().orders(me, task);
            woken += 1;
        }
        if woken > 0 {
            self.last_turn = self.steps;
            self.changed();
        }
        woken
    }

    pub(super) fn spawning(&mut self, me: usize) -> Ticket {
        let child = self.count;
        if child == MAX_TASKS || !serve::strategies().has_room_for(child + 1) {
            self.end(Ending::TooManyThreads, 1);
        }
        self.count += 1;
        serve::tally().born(child, me);
        serve::strategies().spawned(me, child);
        self.last_turn = self.steps;
        self.changed();
        Ticket(child)
    }

    pub(super) fn spawned(me: usize, ticket: Ticket, handle: usize) {
        let task = &mut State::get().tasks[ticket.0];
        if handle == 0 {
            task.status = Status::Ended;
            return;
        }
        task.handle = handle;
        task.status = Status::Runnable;
        State::point(me, Operation { what: What::Spawn, object: ticket.0, ..Operation::UNKNOWN });
    }

    /// The new thread of this task waits for its turn.
    pub(super) fn enter(task: usize) {
        Self::await_baton(State::baton(task));
        State::get().after_turn();
    }

    pub(super) fn ended(me: usize) {
        let state = State::get();
        state.tasks[me].status = Status::Ended;
        state.tell(me, What::Ends);
        state.changed();
        let key = state.key_of_end(me);
        state.wake(me, key, usize::MAX, u32::MAX);
        state.leaving = kernel::thread_id();
        State::hand_on(me, false);
    }

    fn key_of_end(&self, task: usize) -> usize {
        (&raw const self.tasks[task]).addr()
    }

    /// What the task was begun for is done.
    pub(super) fn code_has_ended(&mut self, me: usize) {
        self.tasks[me].done = true;
    }

    /// The task's number with the recorder.
    pub(super) fn is_number(&mut self, me: usize, number: u32) {
        self.tasks[me].number = number;
    }

    /// Waits for the end of the task; gives its number, 0 if none is known by this handle.
    pub(super) fn join(me: usize, handle: usize) -> u32 {
        let state = State::get();
        let mut known = (0..state.count).rev();
        let Some(task) = known.find(|&at| state.tasks[at].handle == handle && !state.tasks[at].joined) else {
            return 0;
        };
        state.tasks[task].joined = true;
        serve::strategies().orders(task, me);
        if state.tasks[task].status != Status::Ended {
            let key = state.key_of_end(task);
            State::wait(me, key, u32::MAX, None);
        }
        State::get().tasks[task].number
    }

    #[cfg(snag_memory)]
    pub(super) fn raced(&mut self, now: usize, earlier: usize) {
        self.races += 1;
        self.race = self.race.wrapping_add(mix(now as u64) ^ mix(!(earlier as u64)));
    }

    /// Whether waits of the task may end for no reason from now on.
    pub(super) fn may_be_spurious(&mut self, me: usize, may: bool) {
        self.tasks[me].may_be_spurious = may;
    }

    /// Decides who runs next, and gives the baton on; comes back when `me` is to run again, or at once if
    /// `me` has ended.
    fn hand_on(me: usize, yields: bool) {
        let state = State::get();
        let next = state.decide(me, yields);
        if next == me {
            return;
        }
        let has_ended = state.tasks[me].status == Status::Ended;
        let baton = State::baton(next);
        baton.store(1, Ordering::Release);
        kernel::rouse(baton, false);
        if !has_ended {
            Self::await_baton(State::baton(me));
            State::get().after_turn();
        }
    }

    fn baton(task: usize) -> &'static AtomicU32 {
        // SAFETY: the baton is atomic, and the reference is to nothing else.
        unsafe { &(*STATE.0.get()).tasks[task].baton }
    }

    fn await_baton(baton: &AtomicU32) {
        while baton.swap(0, Ordering::Acquire) == 0 {
            kernel::sleep_on(baton, 0, false);
        }
    }

    /// What the thread before has left to do: where its memory goes is not to depend on how fast it is.
    fn after_turn(&mut self) {
        let leaving = core::mem::take(&mut self.leaving);
        if leaving != 0 {
            kernel::await_exit(leaving);
        }
    }

    /// Who runs next.
    fn decide(&mut self, me: usize, yields: bool) -> usize {
        self.looks = 0;
        self.steps += 1;
        serve::note_step(self.steps);
        self.clock += clock::POINT;
        let excess = self.steps.saturating_sub(serve::max_steps());
        // What a thread looks for says more than that it lets others run.
        if excess > 0 && (!self.tasks[me].operation.yields || excess > MERCY) {
            self.give_up(me);
        }
        let (found, runnable) = self.find_candidates();
        let strategies = serve::strategies();
        let is_out_of_patience = self.in_a_row >= self.patience && !strategies.is_exhaustive();
        if is_out_of_patience {
            self.in_a_row = 0;
            self.patience = (self.patience / 2).max(LEAST_PATIENCE);
        }
        let yields = yields || is_out_of_patience;
        if runnable == 0 {
            self.deadlock();
        }
        let candidates = &self.candidates[..found];
        let current =
            candidates.iter().position(|candidate| candidate.task == me && candidate.how == How::Run);
        let choice = Choice { candidates, current, yields, number: self.choices };
        let is_idle = self.steps - self.last_change > serve::max_steps() / 4;
        let position = if found == 1 && !strategies.decides_all() {
            0
        } else if is_idle && !strategies.decides_all() {
            let yields = yields || self.in_a_row % TURN == TURN - 1;
            Choice { yields, ..choice }.in_turn()
        } else {
            self.choices += u64::from(found > 1);
            match strategies.choose(&choice, &serve::planned) {
                Answer::Run(position) => position,
                Answer::Diverged => self.diverge(me),
                Answer::Redundant => self.end(Ending::Redundant, 1),
                Answer::TooLong => self.end(Ending::StepBound, 3),
            }
        };
        let Candidate { task, how, .. } = self.candidates[position];
        if task != me && current.is_some() && !yields {
            self.preemptions += 1;
        }
        self.chosen(task, how);
        task
    }

    /// Task `task` runs next.
    fn chosen(&mut self, task: usize, how: How) {
        self.log(task, how);
        self.in_a_row = if self.last == task { self.in_a_row + 1 } else { 0 };
        self.last = task;
        if how != How::Run {
            let wait = self.tasks[task].wait;
            if how == How::Early {
                self.clock = self.clock.max(wait.until);
            }
            self.tasks[task].status = Status::Runnable;
            self.tasks[task].woken = false;
        }
    }

    /// Which of so many ways the atomic goes that task `me` is about: 0 is the newest store.
    #[cfg(snag_memory)]
    pub(super) fn way(&mut self, me: usize, ways: usize) -> usize {
        if ways < 2 {
            return 0;
        }
        let older = serve::strategies().way(me, ways, &serve::planned);
        if older != 0 {
            self.append(Segment { task: me as u16, how: How::Older, steps: older as u32 });
            if let Some(last) = self.told.checked_sub(1) {
                serve::amend(last, |step| step.older = older as u32);
            }
        }
        older
    }

    fn log(&mut self, task: usize, how: How) {
        if how == How::Run
            && let Some(before) = self.logged.checked_sub(1)
        {
            let mut segment = serve::logged(before);
            let is_of_points = segment.how != How::Older && segment.steps < u32::MAX;
            if usize::from(segment.task) == task && is_of_points {
                segment.steps += 1;
                return serve::log(before, segment);
            }
        }
        self.append(Segment { task: task as u16, how, steps: 1 });
    }

    fn append(&mut self, segment: Segment) {
        if !serve::has_room(self.logged) {
            self.end(Ending::TooLong, 1);
        }
        serve::log(self.logged, segment);
        self.logged += 1;
    }

    /// Fills in the candidates; gives how many they are, and how many of them can run without any wait
    /// being cut short. Lets time pass if none can.
    fn find_candidates(&mut self) -> (usize, usize) {
        loop {
            let next_moment = self.release_due();
            let (mut found, mut runnable, mut polling) = (0, 0, 0);
            for (task, state) in self.tasks[..self.count].iter().enumerate() {
                let how = match state.status {
                    Status::Runnable => How::Run,
                    Status::Waiting if state.wait.may_be_early => How::Early,
                    Status::Waiting if state.wait.may_be_spurious => How::Spurious,
                    _ => continue,
                };
                runnable += usize::from(how == How::Run);
                polling += usize::from(how == How::Run && state.is_polling(self.changes));
                let operation = if state.has_waited {
                    Operation { object: state.wait.address, writes: true, ..state.operation }
                } else {
                    state.operation
                };
                self.candidates[found] = Candidate { task, how, operation };
                found += 1;
            }
            if next_moment == u64::MAX {
                return (found, runnable);
            }
            let left = next_moment.saturating_sub(self.clock);
            if runnable == polling {
                // All wait for time, or for who waits for it.
                self.clock += left;
                self.changes += 1;
                continue;
            }
            if self.steps - self.last_turn > serve::max_steps() / 4 {
                // They change something, but get nowhere.
                self.clock += left / 1_000;
            }
            return (found, runnable);
        }
    }

    /// Ends the waits whose time has come; gives the next moment that one ends.
    fn release_due(&mut self) -> u64 {
        let mut next = u64::MAX;
        for task in &mut self.tasks[..self.count] {
            if task.status == Status::Waiting && task.wait.until != u64::MAX {
                if task.wait.until <= self.clock {
                    task.status = Status::Runnable;
                    task.woken = false;
                } else {
                    next = next.min(task.wait.until);
                }
            }
        }
        next
    }

    fn diverge(&self, me: usize) -> ! {
        serve::say_where(self.tasks[me].operation.place);
        self.end(Ending::Diverged, 1)
    }

    fn deadlock(&self) -> ! {
        let waiting = self.tasks[..self.count].iter().filter(|task| task.status == Status::Waiting);
        let places = waiting.map(|task| mix(task.operation.place as u64));
        self.end(Ending::Deadlock, places.fold(2, u64::wrapping_add))
    }

    fn give_up(&self, me: usize) -> ! {
        let place = self.tasks[me].operation.place;
        serve::say_where(place);
        if self.races > 0 {
            self.end(Ending::Race, self.race);
        }
        let waits_for_time = |task: &Task| task.status == Status::Waiting && task.wait.until != u64::MAX;
        let may_go_on = self.clock_was_asked || self.tasks[..self.count].iter().any(waits_for_time);
        if !may_go_on && self.steps - self.last_change > serve::max_steps() / 2 {
            self.end(Ending::Livelock, mix(place as u64));
        }
        self.end(Ending::StepBound, 3);
    }

    pub(super) fn forking(&mut self, place: usize) {
        serve::say_where(place);
        self.end(Ending::Forked, 4);
    }

    /// Writes down what there is to say of the execution so far.
    fn report(&self) {
        let left =
            self.tasks[..self.count].iter().filter(|task| !task.done && task.status != Status::Ended).count();
        serve::report(&serve::Account {
            tasks: self.count,
            left,
            steps: self.steps,
            choices: self.choices,
            preemptions: self.preemptions,
            races: self.races,
        });
    }

    pub(super) fn exiting(&mut self) {
        self.report();
        if self.races > 0 {
            serve::set_fingerprint(self.race);
        }
    }

    /// The execution has ended like this; two with the same fingerprint ended alike.
    pub(super) fn end(&self, ending: Ending, fingerprint: u64) -> ! {
        self.report();
        serve::end(ending, fingerprint)
    }

    /// The test's code has come back.
    pub(super) fn conclude(&mut self, passed: bool, fingerprint: u64) -> ! {
        match (passed, self.races) {
            (false, _) => self.end(Ending::Failed, fingerprint),
            (true, 0) => self.end(Ending::Passed, 0),
            (true, _) => self.end(Ending::Race, self.race),
        }
    }
}
