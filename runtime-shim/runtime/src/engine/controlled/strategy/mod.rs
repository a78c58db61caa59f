//! Who runs next: the ways to choose.
//!
//! A strategy sees what each thread that can run is about to do, and names one. What it has learned stays
//! from one execution to the next, in memory that the serving process shares with those that it forks.
//!
//! Invariants:
//! * A choice depends on nothing but the seed, the execution's number, what was learned in the
//!   *profile*, which is the first execution of a test, and what is offered: execution number `n` is the
//!   same in whichever process it runs. Depth-first search alone learns from each execution.
//! * Nothing is allocated: all is of fixed size, and zeros are a fresh state.

mod dfs;
mod directed;
mod exhaustive;
mod pct;
mod plan;
mod pos;
mod surw;
mod urw;

use snag_trace::control::{How, MAX_TASKS, PARAMETERS, Segment, Strategy, What};

use exhaustive::Next;

use super::random::Random;

pub(super) use surw::is_interesting;

/// What a thread is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it is, for people.
    pub what: What,
    /// Whether another operation on the same object notices it.
    pub writes: bool,
    /// The thread only lets others go on: it waits for something that it keeps looking for.
    pub yields: bool,
    /// Where, for strategies: `snag_trace::control::spot` of the place; 0 until it is about to be made.
    pub spot: u64,
    /// An address, 0 if it concerns no object.
    pub object: usize,
    /// Where, as `in_source` or `in_code` of the engine has it; 0 if that is not known.
    pub place: usize,
}

impl Operation {
    /// None that is known.
    pub(super) const UNKNOWN: Operation =
        Operation { what: What::Other, writes: false, yields: false, spot: 0, object: 0, place: 0 };

    /// The thread lets others run.
    pub(crate) const YIELD: Operation = Operation { what: What::Yield, yields: true, ..Operation::UNKNOWN };

    /// Whether the order of the two can matter.
    fn conflicts(&self, other: &Operation) -> bool {
        self.object != 0 && self.object == other.object && (self.writes || other.writes)
    }
}

/// A thread that can run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) task: usize,
    pub(super) how: How,
    pub(super) operation: Operation,
}

/// What there is to choose from, never empty: in order of birth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    pub(super) candidates: &'a [Candidate],
    /// Who has just run, and could go on: its position among the candidates.
    pub(super) current: Option<usize>,
    /// It asks that others run.
    pub(super) yields: bool,
    /// How many choices there were before.
    pub(super) number: u64,
}

impl Choice<'_> {
    /// The position of this thread.
    fn position(&self, task: usize, how: How) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.task == task && candidate.how == how)
    }

    /// Goes on, unless others are asked to; then the one born next after it, in a circle.
    pub(super) fn in_turn(&self) -> usize {
        match self.current {
            Some(current) if !self.yields => current,
            Some(current) => {
                let others = (1..=self.candidates.len()).map(|step| (current + step) % self.candidates.len());
                others.into_iter().find(|&at| self.candidates[at].how == How::Run).unwrap_or(current)
            }
            None => self.candidates.iter().position(|candidate| candidate.how == How::Run).unwrap_or(0),
        }
    }
}

/// How many operations each thread made in the profile, and who began it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Profile {
    is_there: bool,
    /// Points that offered a choice.
    choices: u64,
    operations: [u32; MAX_TASKS],
    /// Those of interest alone.
    interesting: [u32; MAX_TASKS],
    parents: [u16; MAX_TASKS],
    count: usize,
}

impl Profile {
    /// Operations of the thread, and of all threads that it began and that began after them.
    fn with_children(&self, counts: &[u32; MAX_TASKS], into: &mut [u32; MAX_TASKS]) {
        into[..self.count].copy_from_slice(&counts[..self.count]);
        // Children are born after their parents.
        for task in (1..self.count).rev() {
            let parent = usize::from(self.parents[task]);
            into[parent] = into[parent].saturating_add(into[task]);
        }
    }
}

/// The state of all strategies; zeros are a fresh one.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Strategies {
    kind: u32,
    is_exhausted: bool,
    random: u64,
    profile: Profile,
    parameters: [u64; PARAMETERS],
    pct: pct::Pct,
    pos: pos::Pos,
    urw: urw::Urw,
    surw: surw::Surw,
    dfs: dfs::Dfs,
    plan: plan::Plan,
    exhaustive: exhaustive::Exhaustive,
}

/// Where the plan is.
pub(super) type Planned<'a> = &'a dyn Fn(usize) -> Option<Segment>;

/// What a strategy says to a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The candidate at this position runs.
    Run(usize),
    /// A replay cannot go on.
    Diverged,
    /// Whatever follows was tried before.
    Redundant,
    /// There is no room for more.
    TooLong,
}

/// One way to choose.
trait Chooser {
    /// An execution begins.
    fn begin(&mut self, random: &mut Random, profile: &Profile, parameters: &[u64; PARAMETERS]);
    /// The position of the candidate that runs next.
    fn choose(&mut self, choice: &Choice<'_>, random: &mut Random) -> usize;
    /// Thread `child` is born.
    fn spawned(&mut self, _parent: usize, _child: usize, _random: &mut Random) {}
}

impl Strategies {
    fn chooser(&mut self) -> Option<&mut dyn Chooser> {
        Some(match Strategy::from_number(self.kind)? {
            Strategy::Pct => &mut self.pct,
            Strategy::Pos => &mut self.pos,
            Strategy::Urw => &mut self.urw,
            Strategy::Surw => &mut self.surw,
            _ => return None,
        })
    }

    /// Execution `number` begins.
    pub(super) fn begin(&mut self, kind: Strategy, seed: u64, number: u64, parameters: [u64; PARAMETERS]) {
        self.kind = kind as u32;
        self.parameters = parameters;
        let mut random = Random::new(seed, number);
        let Strategies { profile, .. } = self;
        let profile: *const Profile = profile;
        if let Some(chooser) = self.chooser() {
            // SAFETY: a chooser is another field than the profile.
            chooser.begin(&mut random, unsafe { &*profile }, &parameters);
        }
        self.dfs.begin();
        self.plan.begin();
        if kind == Strategy::Exhaustive {
            let [preemptions, branches, threads, ..] = parameters;
            self.exhaustive.begin(exhaustive::Bounds { preemptions, branches, threads });
        }
        self.random = random.next();
    }

    /// Who runs next.
    pub(super) fn choose(&mut self, choice: &Choice<'_>, planned: Planned<'_>) -> Answer {
        let mut random = Random::new(self.random, choice.number);
        Answer::Run(match Strategy::from_number(self.kind) {
            Some(Strategy::Random) => {
                if choice.yields && choice.candidates.len() > 1 {
                    others(choice, &mut random)
                } else {
                    random.below(choice.candidates.len() as u64) as usize
                }
            }
            Some(Strategy::Dfs) => self.dfs.choose(choice),
            Some(Strategy::Plan) => return self.plan.choose(choice, planned, false),
            Some(Strategy::Replay) => return self.plan.choose(choice, planned, true),
            Some(Strategy::Exhaustive) => {
                return match self.exhaustive.choose(choice) {
                    Next::Run(position) => Answer::Run(position),
                    Next::Redundant => Answer::Redundant,
                    Next::TooLong => Answer::TooLong,
                };
            }
            Some(Strategy::Directed) => directed::choose(choice, &self.parameters, &mut random),
            _ => match self.chooser() {
                Some(chooser) => chooser.choose(choice, &mut random),
                None => choice.in_turn(),
            },
        })
    }

    /// Which of so many ways an atomic goes, from 0, the one that it would go by itself.
    #[cfg(snag_memory)]
    pub(super) fn way(&mut self, task: usize, ways: usize, planned: Planned<'_>) -> usize {
        match Strategy::from_number(self.kind) {
            Some(Strategy::Exhaustive) => self.exhaustive.way(ways),
            Some(Strategy::Plan | Strategy::Replay) => self.plan.way(task, planned).min(ways - 1),
            _ => 0,
        }
    }

    /// Whether every choice is the strategy's, even where there is only one thread to choose.
    pub(super) fn decides_all(&self) -> bool {
        self.is_exhaustive() || self.follows_plan()
    }

    /// Whether all executions are to be made.
    pub(super) fn is_exhaustive(&self) -> bool {
        Strategy::from_number(self.kind) == Some(Strategy::Exhaustive)
    }

    /// Whether there may be so many threads.
    pub(super) fn has_room_for(&self, threads: usize) -> bool {
        !self.is_exhaustive() || self.exhaustive.has_room_for(threads)
    }

    /// Whether a bound has excluded schedules.
    pub(super) fn is_bounded(&self) -> bool {
        self.exhaustive.is_bounded()
    }

    /// A bound has excluded something.
    #[cfg(snag_memory)]
    pub(super) fn has_bounded(&mut self) {
        self.exhaustive.has_bounded();
    }

    /// Thread `one` has made thread `other` go on.
    pub(super) fn orders(&mut self, one: usize, other: usize) {
        if self.is_exhaustive() {
            self.exhaustive.orders(one, other);
        }
    }

    /// Thread `child` is born.
    pub(super) fn spawned(&mut self, parent: usize, child: usize) {
        self.orders(parent, child);
        let mut random = Random::new(self.random, !(child as u64));
        if let Some(chooser) = self.chooser() {
            chooser.spawned(parent, child, &mut random);
        }
    }

    /// Whether waits may end early, or for no reason, as the strategy pleases.
    pub(super) fn invents_wakes(&self) -> bool {
        !matches!(
            Strategy::from_number(self.kind),
            Some(
                Strategy::Sequential
                    | Strategy::Dfs
                    | Strategy::Exhaustive
                    | Strategy::Plan
                    | Strategy::Replay
            )
        )
    }

    /// Whether it is the plan that says whether a wait ends early.
    pub(super) fn follows_plan(&self) -> bool {
        matches!(Strategy::from_number(self.kind), Some(Strategy::Plan | Strategy::Replay))
    }

    /// A number of chance, for what is no choice of a thread.
    pub(super) fn chance(&self, number: u64) -> u64 {
        Random::new(self.random, number ^ u64::MAX << 32).next()
    }

    /// Which segment of the plan comes next.
    pub(super) fn planned_at(&self) -> usize {
        self.plan.at()
    }

    /// An execution has ended in which thread `n` made `operations(n)` operations, of which the second
    /// number were of interest, and was begun by the third. True if there may be another execution.
    pub(super) fn end(
        &mut self,
        count: usize,
        choices: u64,
        task: impl Fn(usize) -> (u32, u32, u16),
    ) -> bool {
        if !self.profile.is_there {
            self.profile.is_there = true;
            self.profile.choices = choices;
            self.profile.count = count;
            for number in 0..count {
                let (operations, interesting, parent) = task(number);
                self.profile.operations[number] = operations;
                self.profile.interesting[number] = interesting;
                self.profile.parents[number] = parent;
            }
        }
        let more = match Strategy::from_number(self.kind) {
            Some(Strategy::Dfs) => self.dfs.advance(),
            Some(Strategy::Exhaustive) => self.exhaustive.advance(),
            _ => true,
        };
        self.is_exhausted = !more;
        more
    }

    /// Whether the profile is there.
    pub(super) fn has_profile(&self) -> bool {
        self.profile.is_there
    }

    /// Forgets everything: another test comes.
    pub(super) fn reset(&mut self) {
        self.profile.is_there = false;
        self.profile.count = 0;
        self.dfs.reset();
        self.exhaustive.reset();
        self.is_exhausted = false;
    }

    /// Whether the search has come to its end.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }
}

/// Any candidate but the current one.
fn others(choice: &Choice<'_>, random: &mut Random) -> usize {
    let at = random.below(choice.candidates.len() as u64 - 1) as usize;
    at + usize::from(choice.current.is_some_and(|current| at >= current))
}

#[cfg(test)]
mod tests;
