//! What `cargo snag explore` and an explored process share while schedules are tried: one mapped file.
//!
//! ```text
//! Control                     the fields below
//! names                       NAMES bytes: the tests, each `flags` (1 byte), name, NUL
//! plan, log                   SEGMENTS segments each
//! steps                       STEPS of [`Step`], of an execution that is told
//! ```
//!
//! The analyzer writes a command and raises `go`; the process, which serves, forks a child for each
//! execution, writes what came of it and raises `done` to the same number. Both words are futexes. All
//! else is written by one side while the other waits for it.
//!
//! A schedule is a row of [`Segment`]s. Exactly one thread of an explored process runs at a time, and
//! hands on only at *points*: before each operation that others could notice. A segment says which
//! thread runs, and past how many points.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Environment variable that names the control file, absolute. Without it nothing is explored.
pub const EXPLORE_ENV: &str = "SNAG_EXPLORE";
/// The first bytes of a control file.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SNAGCTRL");
/// Version of this page. Another version is refused.
pub const VERSION: u32 = 1;
/// Bytes for the names of tests.
pub const NAMES: usize = 1 << 20;
/// How many segments a plan or a log has room for.
pub const SEGMENTS: usize = 1 << 20;
/// How many steps are told; what comes after them is not.
pub const STEPS: usize = 1 << 18;
/// How many of the calls that a thread is in are told with a step.
pub const CALLERS: usize = 4;
/// Bytes of a message; longer ones are cut.
pub const MESSAGE: usize = 4096;
/// Numbers that a strategy is given beside its seed.
pub const PARAMETERS: usize = 64;
/// Most threads of an explored execution, those that have ended included.
pub const MAX_TASKS: usize = 4096;

/// Flag of a test: it is marked `#[ignore]`.
pub const TEST_IGNORED: u8 = 1;
/// Flag of a test: it is marked `#[should_panic]`.
pub const TEST_SHOULD_PANIC: u8 = 2;
/// Flag of a test: it is not one that can be explored, but a benchmark.
pub const TEST_OTHER: u8 = 4;
/// Set in the flags of each test, so that none begins with the end of the list.
pub const TEST: u8 = 0x80;

/// One of the numbers below, as it stands in a control file.
macro_rules! numbers {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$what])* $variant = $number,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The one with this number.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<$name> {
                match number {
                    $($number => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

numbers! {
    /// What the process is to do.
    Action {
        /// End.
        Quit = 0,
        /// Execute a test, `count` times or until one does not pass.
        Execute = 1,
    }
}

numbers! {
    /// How threads are chosen.
    Strategy {
        /// Whoever runs goes on until it must wait; then the oldest that can run.
        Sequential = 0,
        /// Each that can run is as likely.
        Random = 1,
        /// Probabilistic concurrency testing: Burckhardt et al., ASPLOS 2010.
        Pct = 2,
        /// Uniform random walk: Zhao et al., ASPLOS 2025.
        Urw = 3,
        /// Partial order sampling: Yuan et al., CAV 2018.
        Pos = 4,
        /// Selectively uniform random walk: Zhao et al., ASPLOS 2025.
        Surw = 5,
        /// All schedules one after the other, depth first.
        Dfs = 6,
        /// What the plan says; where that cannot be done, or ends, as [`Strategy::Sequential`].
        Plan = 7,
        /// What the plan says and nothing else.
        Replay = 8,
        /// Threads are held at given places until others are at the other ones: active testing, Sen,
        /// PLDI 2008.
        Directed = 9,
        /// All executions that can differ, one after the other: dynamic partial-order reduction,
        /// Flanagan, Godefroid, POPL 2005. Parameters: most preemptions, branches and threads, 0 for no
        /// bound.
        Exhaustive = 10,
    }
}

numbers! {
    /// How an execution ended.
    Ending {
        /// It has not ended.
        None = 0,
        /// The test passed; the program exited with 0.
        Passed = 1,
        /// The test failed; the program exited with something else.
        Failed = 2,
        /// No thread could ever run again.
        Deadlock = 3,
        /// More points were passed than allowed, and something still changed.
        StepBound = 4,
        /// More points were passed than allowed, and for a long time nothing had changed.
        Livelock = 5,
        /// The process ended itself within a test.
        Exited = 6,
        /// A signal killed it, which `abort` sends as well.
        Killed = 7,
        /// The plan of a replay could not be followed.
        Diverged = 8,
        /// It forked, which cannot be explored.
        Forked = 9,
        /// It started more than [`MAX_TASKS`] threads.
        TooManyThreads = 10,
        /// A race of memory was seen in an execution that else passed.
        Race = 11,
        /// The schedule took more segments than there is room for.
        TooLong = 12,
        /// Depth-first search has come to its end: there is no such execution.
        Exhausted = 13,
        /// The analyzer has ended it, for it no longer moved in real time.
        Hung = 14,
        /// What would have followed is the same as in an execution before.
        Redundant = 15,
    }
}

numbers! {
    /// What a thread does in a step.
    What {
        /// Something that is not told apart.
        Other = 0,
        /// It takes a lock, or waits for it.
        Lock = 1,
        /// It takes a lock if that is free.
        TryLock = 2,
        /// It gives a lock up.
        Unlock = 3,
        /// It takes a lock for reading, or waits for it.
        ReadLock = 4,
        /// It takes a lock for writing, or waits for it.
        WriteLock = 5,
        /// It begins to wait for a condvar's notification.
        Wait = 6,
        /// It notifies who waits for a condvar.
        Notify = 7,
        /// It does something with a channel.
        Channel = 8,
        /// It arrives at a barrier.
        Barrier = 9,
        /// It enters an initialiser that runs once.
        Once = 10,
        /// It parks.
        Park = 11,
        /// It unparks another thread.
        Unpark = 12,
        /// It has begun another thread.
        Spawn = 13,
        /// It lets others run.
        Yield = 14,
        /// It loads an atomic.
        Load = 15,
        /// It stores to an atomic.
        Store = 16,
        /// It changes an atomic in one operation.
        Update = 17,
        /// It stands still until another thread lets it go on, or time does.
        Blocks = 18,
        /// It goes on after that.
        Resumes = 19,
        /// It goes on since the time is over.
        TimesOut = 20,
        /// It has ended.
        Ends = 21,
        /// It makes a fence.
        Fence = 22,
    }
}

/// One step of an execution that is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Step {
    /// The thread, in order of birth from 0.
    pub task: u16,
    /// A [`What`].
    pub what: u8,
    /// Bit 0: `read` is known; bit 1: `written` is.
    pub known: u8,
    /// How many stores to the atomic are newer than what it read, or are ordered behind what it wrote.
    pub older: u32,
    /// Address of the object, 0 if there is none; the number of the new thread of a spawn.
    pub object: u64,
    /// Twice an address: of a place in the source, or one more, of code.
    pub place: u64,
    /// What it read.
    pub read: u64,
    /// What it wrote.
    pub written: u64,
    /// Addresses to which the calls return that the thread is in, innermost first; 0 where there is none, or
    /// where that is not followed.
    pub callers: [u64; CALLERS],
}

impl Step {
    /// The step's spot, as strategies know it.
    #[must_use]
    pub const fn spot(&self) -> u64 {
        spot(self.place, self.callers[0])
    }
}

/// Where an operation is, for strategies: its place, and for code the call that led there too, since the
/// atomics of an unoptimised program all lie in the same few functions of the standard library. 0 if the
/// place is not known.
#[must_use]
pub const fn spot(place: u64, caller: u64) -> u64 {
    if place & 1 == 0 {
        return place;
    }
    (place ^ caller.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// Bits of [`Control::flags`].
pub mod flags {
    /// A wait that has a deadline soon may end early.
    pub const EARLY_TIMEOUTS: u32 = 1;
    /// A condvar's wait and a park may end for no reason.
    pub const SPURIOUS_WAKES: u32 = 2;
    /// What the program prints is shown.
    pub const OUTPUT: u32 = 4;
    /// There is no harness: the program's `main` is executed.
    pub const PROGRAM: u32 = 8;
    /// One execution in the process itself, for a recording: nothing is forked.
    pub const SINGLE: u32 = 16;
    /// The process stops itself for a debugger where the execution fails.
    pub const STOP: u32 = 32;
    /// What each thread does is told, step by step. The names' area then has the places that steps name:
    /// each the place (8 bytes), line and column (4 bytes each), length of the file's path (8 bytes), and
    /// the path, padded to 8 bytes.
    pub const TELL: u32 = 64;
    /// Atomics may read what the C++20 memory model lets them read, not only what was written last.
    pub const WEAK: u32 = 128;
}

/// What both sides share; see the module.
#[repr(C)]
#[derive(Debug)]
pub struct Control {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Number of the last command.
    pub go: AtomicU32,
    /// Number of the last command that was done; 0 once before the first, when `names` are there.
    pub done: AtomicU32,
    /// 1 when the process serves.
    pub ready: AtomicU32,

    /// The process that serves, the first one that finds the file; 0 before. Programs that it starts find
    /// the file as well, and are not under control.
    pub owner: AtomicU32,
    /// Unused.
    pub padding: AtomicU32,

    /// An [`Action`].
    pub action: AtomicU32,
    /// The test's position in the list of names.
    pub test: AtomicU32,
    /// A [`Strategy`].
    pub strategy: AtomicU32,
    /// Of [`flags`].
    pub flags: AtomicU32,
    /// With the execution's number, what decides everything that is left to chance.
    pub seed: AtomicU64,
    /// Number of the first execution.
    pub first: AtomicU64,
    /// How many executions.
    pub count: AtomicU64,
    /// Most points of an execution.
    pub max_steps: AtomicU64,
    /// Nanoseconds since 1970 at which the clocks of an execution begin.
    pub epoch: AtomicU64,
    /// The processor to keep to, counted from 1; 0 for all.
    pub processor: AtomicU32,
    /// For the strategy.
    pub parameters: [AtomicU64; PARAMETERS],
    /// Length of the plan.
    pub planned: AtomicU64,

    /// Number of the execution that runs, or ran last.
    pub execution: AtomicU64,
    /// Its process; 0 before the first.
    pub child: AtomicU32,
    /// An [`Ending`].
    pub ending: AtomicU32,
    /// Its exit code or signal, as `waitpid` gives it.
    pub status: AtomicU32,
    /// How many threads it had.
    pub tasks: AtomicU32,
    /// How many points were passed.
    pub steps: AtomicU64,
    /// How many of them offered a choice.
    pub choices: AtomicU64,
    /// How often a thread was left that could have gone on.
    pub preemptions: AtomicU64,
    /// Length of the log.
    pub logged: AtomicU64,
    /// Same for two executions that failed alike; 0 if it did not fail.
    pub fingerprint: AtomicU64,
    /// Races of memory that were seen.
    pub races: AtomicU32,
    /// Executions of this test that were given up since what would have followed was tried before.
    pub redundant: AtomicU64,
    /// Whether a bound has excluded schedules of this test: 0 or 1.
    pub bounded: AtomicU32,
    /// Threads that were not at their end when the test was.
    pub left: AtomicU32,
    /// Why there is nothing more to it, or what the panic said.
    pub message: [AtomicU8; MESSAGE],
    /// Length of that.
    pub message_len: AtomicU32,
    /// How far the executable was moved from the addresses in its file.
    pub load_base: AtomicU64,
    /// How many steps were told.
    pub told: AtomicU64,
    /// Number of the segment at which a replay could not go on.
    pub diverged_at: AtomicU32,
}

/// What a segment of a schedule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum How {
    /// A thread runs.
    Run = 0,
    /// A thread runs whose wait ends before its time.
    Early = 1,
    /// A thread runs whose wait ends for no reason.
    Spurious = 2,
    /// No point is passed: the atomic that comes next reads, or is ordered behind, not the newest store but
    /// one that is so many older.
    Older = 3,
}

/// Some steps of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// The thread, in order of birth from 0.
    pub task: u16,
    /// How it begins.
    pub how: How,
    /// How many points it passes; with [`How::Older`] how many stores.
    pub steps: u32,
}

impl Segment {
    /// As one word.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.task as u64) << 48 | (self.how as u64) << 40 | self.steps as u64
    }

    /// From a word.
    #[must_use]
    pub const fn from_word(word: u64) -> Segment {
        let how = match (word >> 40) as u8 {
            1 => How::Early,
            2 => How::Spurious,
            3 => How::Older,
            _ => How::Run,
        };
        Segment { task: (word >> 48) as u16, how, steps: word as u32 }
    }
}

/// Bytes of a control file.
pub const SIZE: usize = size_of::<Control>() + NAMES + 2 * SEGMENTS * 8 + STEPS * size_of::<Step>();

/// The names' area of the control file that is mapped at `control`.
#[must_use]
pub fn names(control: *mut Control) -> *mut u8 {
    control.wrapping_add(1).cast()
}

/// The plan's first word.
#[must_use]
pub fn plan(control: *mut Control) -> *mut AtomicU64 {
    names(control).wrapping_add(NAMES).cast()
}

/// The log's first word.
#[must_use]
pub fn log(control: *mut Control) -> *mut AtomicU64 {
    plan(control).wrapping_add(SEGMENTS)
}

/// The first step.
#[must_use]
pub fn steps(control: *mut Control) -> *mut Step {
    log(control).wrapping_add(SEGMENTS).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_survives_its_word() {
        for how in [How::Run, How::Early, How::Spurious, How::Older] {
            let segment = Segment { task: 4095, how, steps: u32::MAX };
            assert_eq!(Segment::from_word(segment.to_word()), segment);
        }
    }

    #[test]
    fn the_areas_are_aligned() {
        assert_eq!(size_of::<Control>() % 8, 0);
        assert_eq!(NAMES % 8, 0);
    }

    #[test]
    fn numbers_are_their_own() {
        for (number, &ending) in Ending::ALL.iter().enumerate() {
            assert_eq!(Ending::from_number(number as u32), Some(ending));
        }
        assert_eq!(Strategy::from_number(99), None);
    }
}
