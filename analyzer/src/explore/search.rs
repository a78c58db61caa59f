//! Looking for a schedule under which a test fails.
//!
//! Execution 0 is the *profile*: threads run in turn. The others come in chunks, each with the next
//! strategy of the portfolio; what an execution does depends on its number alone, so it does not matter
//! which process executes it, nor how many there are, and of several failures the one with the lowest
//! number is reported.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use snag_trace::control::{Ending, Segment, Strategy};

use crate::explore::minimise::{Failing, Oracle, minimise};
use crate::explore::server::{Executed, Order, Program, Server, Settings};

/// How many executions one strategy makes before it is the next one's turn.
const CHUNK: u64 = 10;
/// Threads that a test has of itself: the harness's, and the one that runs it.
const HARNESS_THREADS: u32 = 2;
/// How long a schedule may be made smaller, and how many executions that may take.
const MINIMISING: (Duration, u64) = (Duration::from_secs(15), 3_000);

/// How to search.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most executions of a test, over all shards.
    pub iterations: u64,
    /// Longest time for a test.
    pub time: Option<Duration>,
    /// What decides all that is left to chance.
    pub seed: u64,
    /// The strategies that take turns.
    pub portfolio: Vec<Strategy>,
    /// For [`Strategy::Pct`].
    pub depth: u64,
    /// For [`Strategy::Exhaustive`]: most preemptions, branches and threads; 0 for no bound.
    pub bounds: [u64; 3],
    /// Processes.
    pub jobs: u32,
    /// Which of how many shards this is, from 0.
    pub shard: (u64, u64),
    /// Of each execution.
    pub settings: Settings,
    /// Whether to make schedules small.
    pub minimise: bool,
}

/// A failure, and how it is made to happen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the execution ended.
    pub executed: Executed,
    /// The strategy that found it.
    pub strategy: Strategy,
    /// The schedule as it was found.
    pub found: Failing,
    /// The schedule made small; the same if it was not.
    pub small: Failing,
    /// Whether the schedule, replayed, failed in the same way; else how the replay ended.
    pub replay: Result<(), Executed>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many executions were made.
    pub executions: u64,
    /// It never started a thread: one execution says it all.
    pub is_sequential: bool,
    /// The search has come to its end.
    pub is_exhausted: bool,
    /// A bound has excluded schedules.
    pub is_bounded: bool,
    /// Executions that were given up, since what would have followed was tried before.
    pub redundant: u64,
    /// Executions that were given up at the bound on their points.
    pub unfinished: u64,
    /// Most threads that had not ended when the test had, in one execution.
    pub left: u32,
    /// The failure of lowest number.
    pub failure: Option<Failure>,
    /// Why it could not be explored, if it could not.
    pub skipped: Option<Executed>,
    /// How long it took.
    pub time: Duration,
}

/// Whether an execution that ended so is a failure of the program.
#[must_use]
pub const fn is_failure(ending: Ending) -> bool {
    matches!(
        ending,
        Ending::Failed | Ending::Deadlock | Ending::Livelock | Ending::Killed | Ending::Exited | Ending::Race
    )
}

/// Whether an execution that ended so says that the test cannot be explored.
const fn is_obstacle(ending: Ending) -> bool {
    matches!(ending, Ending::Forked | Ending::TooManyThreads | Ending::Hung)
}

/// The serving processes of one binary.
#[derive(Debug)]
pub struct Searcher<'a> {
    program: &'a Program,
    options: &'a Options,
    servers: Vec<Server>,
}

/// What the processes know of each other.
struct Shared {
    began: Instant,
    next: AtomicU64,
    executions: AtomicU64,
    unfinished: AtomicU64,
    left: AtomicU64,
    exhausted: AtomicU64,
    bounded: AtomicU64,
    redundant: AtomicU64,
    /// Number of the first execution that was found not to pass; the largest number if none was.
    first: AtomicU64,
    found: Mutex<Option<(Executed, Strategy, Vec<Segment>)>>,
}

impl<'a> Searcher<'a> {
    /// Starts the first process.
    ///
    /// # Errors
    /// If that does not serve.
    pub fn new(program: &'a Program, options: &'a Options) -> io::Result<Searcher<'a>> {
        let first = Server::start(program, on_processor(options, 0))?;
        Ok(Searcher { program, options, servers: vec![first] })
    }

    /// The first process.
    pub fn first(&mut self) -> &mut Server {
        &mut self.servers[0]
    }

    /// How it searches.
    #[must_use]
    pub fn options(&self) -> &'a Options {
        self.options
    }

    /// Follows a plan as far as it goes; gives the failure that it leads to.
    ///
    /// # Errors
    /// If the serving process is gone.
    pub fn follow(&mut self, test: u32, plan: &[Segment]) -> io::Result<Option<Failure>> {
        let (strategy, seed) = (Strategy::Plan, self.options.seed);
        let order = Order { test, strategy, seed, first: 1, count: 1, parameters: &[], plan };
        let done = self.servers[0].execute(&order)?;
        if !is_failure(done.ending) {
            return Ok(None);
        }
        let log = self.servers[0].log();
        self.settle(test, done, strategy, log).map(Some)
    }

    /// Looks for a failure with threads held at these spots.
    ///
    /// # Errors
    /// If a serving process is gone.
    pub fn direct(&mut self, test: u32, spots: &[u64], count: u64) -> io::Result<Option<Failure>> {
        let (strategy, seed) = (Strategy::Directed, self.options.seed);
        let (mut first, end) = (1, count + 1);
        while first < end {
            let order =
                Order { test, strategy, seed, first, count: end - first, parameters: spots, plan: &[] };
            let done = self.servers[0].execute(&order)?;
            if is_failure(done.ending) {
                let log = self.servers[0].log();
                return self.settle(test, done, strategy, log).map(Some);
            }
            first = done.number + 1;
        }
        Ok(None)
    }

    /// Explores a test.
    ///
    /// # Errors
    /// If a serving process is gone.
    pub fn explore(&mut self, test: u32) -> io::Result<Explored> {
        let began = Instant::now();
        let order = self.profile(test);
        let profile = self.servers[0].execute(&order)?;
        let mut explored = Explored {
            executions: 1,
            is_sequential: false,
            is_exhausted: false,
            is_bounded: false,
            redundant: 0,
            unfinished: u64::from(matches!(profile.ending, Ending::StepBound | Ending::TooLong)),
            left: self.left(&profile),
            failure: None,
            skipped: None,
            time: Duration::ZERO,
        };
        let threads = if self.program.is_program { 1 } else { HARNESS_THREADS };
        explored.is_sequential = profile.tasks <= threads && profile.ending == Ending::Passed;
        let not_passed = if is_failure(profile.ending) || is_obstacle(profile.ending) {
            let log = self.servers[0].log();
            Some((profile, Strategy::Sequential, log))
        } else if explored.is_sequential {
            None
        } else {
            self.search(test, began, &mut explored)?
        };
        match not_passed {
            Some((executed, strategy, log)) if is_failure(executed.ending) => {
                explored.failure = Some(self.settle(test, executed, strategy, log)?);
            }
            Some((executed, ..)) => explored.skipped = Some(executed),
            None => {}
        }
        explored.time = began.elapsed();
        Ok(explored)
    }

    fn left(&self, executed: &Executed) -> u32 {
        // The one that ends the test is not at its own end.
        executed.left.saturating_sub(1)
    }

    fn profile(&self, test: u32) -> Order<'static> {
        let seed = self.options.seed;
        Order { test, strategy: Strategy::Sequential, seed, first: 0, count: 1, parameters: &[], plan: &[] }
    }

    /// All executions but the first; gives the first one that did not pass.
    fn search(
        &mut self,
        test: u32,
        began: Instant,
        explored: &mut Explored,
    ) -> io::Result<Option<(Executed, Strategy, Vec<Segment>)>> {
        let learns = |strategy| matches!(strategy, &Strategy::Dfs | &Strategy::Exhaustive);
        let jobs = if self.options.portfolio.iter().any(learns) { 1 } else { self.options.jobs };
        while (self.servers.len() as u32) < jobs {
            let settings = on_processor(self.options, self.servers.len() as u32);
            self.servers.push(Server::start(self.program, settings)?);
        }
        let shared = Shared {
            began,
            next: AtomicU64::new(0),
            executions: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
            left: AtomicU64::new(u64::from(explored.left)),
            exhausted: AtomicU64::new(0),
            bounded: AtomicU64::new(0),
            redundant: AtomicU64::new(0),
            first: AtomicU64::new(u64::MAX),
            found: Mutex::new(None),
        };
        let (profile, options) = (self.profile(test), self.options);
        thread::scope(|scope| {
            let servers = self.servers.iter_mut().take(jobs as usize).enumerate();
            let workers: Vec<_> = servers
                .map(|(number, server)| {
                    let (shared, profile) = (&shared, &profile);
                    scope.spawn(move || -> io::Result<()> {
                        if number > 0 {
                            server.execute(profile)?;
                        }
                        work(server, test, options, shared)
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| Err(io::Error::other("snag's own thread panicked")))
            })
        })?;
        explored.executions += shared.executions.into_inner();
        explored.unfinished += shared.unfinished.into_inner();
        explored.left = shared.left.into_inner() as u32;
        explored.is_exhausted = shared.exhausted.into_inner() != 0;
        explored.is_bounded = shared.bounded.into_inner() != 0;
        explored.redundant = shared.redundant.into_inner();
        explored.executions -= explored.redundant;
        Ok(shared.found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Replays what was found, and makes it small.
    fn settle(
        &mut self,
        test: u32,
        executed: Executed,
        strategy: Strategy,
        log: Vec<Segment>,
    ) -> io::Result<Failure> {
        let found = Failing { schedule: log, preemptions: executed.preemptions, steps: executed.steps };
        let mut small = found.clone();
        let mut replay = self.replay(test, &executed, &found.schedule)?;
        if replay.is_ok() && self.options.minimise {
            let (time, executions) = MINIMISING;
            let mut oracle = Replays {
                server: &mut self.servers[0],
                test,
                seed: self.options.seed,
                wanted: &executed,
                until: Instant::now() + time,
                left: executions,
            };
            small = minimise(found.clone(), &mut oracle)?;
            replay = self.replay(test, &executed, &small.schedule)?;
        }
        Ok(Failure { executed, strategy, found, small, replay })
    }

    /// Whether the schedule, followed to the letter, fails like that.
    fn replay(&mut self, test: u32, wanted: &Executed, plan: &[Segment]) -> io::Result<Result<(), Executed>> {
        let seed = self.options.seed;
        let number = wanted.number.max(1);
        let order =
            Order { test, strategy: Strategy::Replay, seed, first: number, count: 1, parameters: &[], plan };
        let again = self.servers[0].execute(&order)?;
        let is_same = (again.ending, again.fingerprint) == (wanted.ending, wanted.fingerprint);
        Ok(if is_same { Ok(()) } else { Err(again) })
    }
}

/// Each process has a processor of its own where there are enough; not the same as those of another
/// exploration, if chance will have it.
fn on_processor(options: &Options, number: u32) -> Settings {
    let usable = usable_processors();
    let processor = if options.jobs as usize <= usable.len() {
        usable[(std::process::id() as usize + number as usize) % usable.len()] + 1
    } else {
        0
    };
    Settings { processor, ..options.settings }
}

/// The processors that this process may use.
fn usable_processors() -> Vec<u32> {
    // SAFETY: zeros are a set, which the call writes to.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as large as the call is told.
    let known = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } == 0;
    // SAFETY: the numbers are within the set.
    let is_usable = |number: &usize| unsafe { libc::CPU_ISSET(*number, &set) };
    let all = 0..libc::CPU_SETSIZE as usize;
    all.filter(|number| known && is_usable(number)).map(|number| number as u32).collect()
}

/// Takes chunk after chunk.
fn work(server: &mut Server, test: u32, options: &Options, shared: &Shared) -> io::Result<()> {
    let (shard, shards) = options.shard;
    loop {
        let chunk = shared.next.fetch_add(1, Ordering::Relaxed) * shards + shard;
        let strategy = options.portfolio[(chunk % options.portfolio.len() as u64) as usize];
        let mut first = 1 + chunk.saturating_mul(CHUNK);
        let end = (first + CHUNK).min(options.iterations);
        let is_over = || {
            options.time.is_some_and(|time| shared.began.elapsed() > time)
                || shared.exhausted.load(Ordering::Relaxed) != 0
        };
        if first >= end || first > shared.first.load(Ordering::Acquire) || is_over() {
            return Ok(());
        }
        while first < end && !is_over() {
            let parameters: &[u64] = match strategy {
                Strategy::Pct => &[options.depth],
                Strategy::Exhaustive => &options.bounds,
                _ => &[],
            };
            let order = Order {
                test,
                strategy,
                seed: options.seed,
                first,
                count: end - first,
                parameters,
                plan: &[],
            };
            let done = server.execute(&order)?;
            shared.executions.fetch_add((done.number + 1).saturating_sub(first), Ordering::Relaxed);
            if done.ending == Ending::Passed {
                shared.left.fetch_max(u64::from(done.left.saturating_sub(1)), Ordering::Relaxed);
            }
            shared.bounded.fetch_or(u64::from(done.bounded), Ordering::Relaxed);
            shared.redundant.store(done.redundant, Ordering::Relaxed);
            first = done.number + 1;
            match done.ending {
                Ending::Passed | Ending::Redundant => {}
                Ending::Exhausted => {
                    shared.exhausted.store(1, Ordering::Relaxed);
                }
                Ending::StepBound | Ending::TooLong => {
                    shared.unfinished.fetch_add(1, Ordering::Relaxed);
                }
                _ => {
                    let log = server.log();
                    note(shared, done, strategy, log);
                    break;
                }
            }
        }
    }
}

fn note(shared: &Shared, executed: Executed, strategy: Strategy, log: Vec<Segment>) {
    let mut found = shared.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if shared.first.fetch_min(executed.number, Ordering::AcqRel) > executed.number {
        *found = Some((executed, strategy, log));
    }
}

/// Executions that fail like a given one.
struct Replays<'a> {
    server: &'a mut Server,
    test: u32,
    seed: u64,
    wanted: &'a Executed,
    until: Instant,
    left: u64,
}

impl Oracle for Replays<'_> {
    fn execute(&mut self, plan: &[Segment]) -> io::Result<Option<Failing>> {
        self.left -= 1;
        let (test, seed, first) = (self.test, self.seed, self.wanted.number.max(1));
        let order = Order { test, strategy: Strategy::Plan, seed, first, count: 1, parameters: &[], plan };
        let done = self.server.execute(&order)?;
        let is_same = (done.ending, done.fingerprint) == (self.wanted.ending, self.wanted.fingerprint);
        Ok(is_same.then(|| Failing {
            schedule: self.server.log(),
            preemptions: done.preemptions,
            steps: done.steps,
        }))
    }

    fn has_time(&self) -> bool {
        self.left > 0 && Instant::now() < self.until
    }
}
