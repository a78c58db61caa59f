//! `run.json`: what was run and how it ended.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::finding::{Place, ProgramStatus};

/// Contents of `run.json`. Written before the program starts and again after it ended, so that a
/// run can be analyzed even if snag itself was killed in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMeta {
    /// Version of this form: 1.
    pub version: u32,
    /// The run's id: its folder's name.
    pub id: String,
    /// The command line as it was given to snag.
    pub command: Vec<String>,
    /// Folder in which cargo was called.
    pub working_directory: String,
    /// Root of the cargo workspace; paths in reports are relative to it.
    pub workspace_root: String,
    /// The engine: `native`.
    pub engine: String,
    /// Whether accesses to memory were instrumented.
    #[serde(default)]
    pub memory: bool,
    /// What the project asks for.
    #[serde(default)]
    pub config: Config,
    /// First line of `rustc -vV`.
    pub toolchain: String,
    /// Whether the programs are libtest harnesses, whose main thread only waits for its tests.
    pub test_harness: bool,
    /// How the program ended; nothing while it runs.
    pub program: ProgramStatus,
    /// Processes that snag ended because no thread of theirs could ever run again.
    pub stuck: Vec<StuckProcess>,
    /// When most threads wanted to run at once, if they were far too many for the processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest: Option<Busiest>,
    /// Processes that were still running when the analysis began: what they would have done next
    /// is not known.
    #[serde(default)]
    pub alive: Vec<u32>,
    /// What was executed by a schedule, and how that ended; nothing for a run of its own accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explored: Option<ExploredExecution>,
    /// The clock when the analysis began. What a process that outlived the run records later is left
    /// out, so that the analysis can be repeated.
    #[serde(default)]
    pub until: Option<u64>,
}

/// A moment at which far more threads wanted to run than there were processors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busiest {
    /// How many processors there were.
    pub processors: u32,
    /// For how long it was about so.
    pub milliseconds: u64,
    /// The threads, as process id and the operating system's number of the thread.
    pub threads: Vec<(u32, u32)>,
}

/// An execution under the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExploredExecution {
    /// The test; nothing if it is a program's `main`.
    pub test: Option<String>,
    /// How it ended: `passed`, `failed`, `deadlock`, `livelock`, `killed`, `exited`, `race`…
    pub ending: String,
    /// What the last panic said, or why it ended.
    pub message: String,
    /// Where that was, if it is known: of a panic, or where a thread went round in circles.
    pub place: Option<Place>,
}

/// A process that snag ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckProcess {
    /// Its process id.
    pub pid: u32,
    /// The clock when that was established: it ran no event after this one.
    pub seq: u64,
    /// What its threads waited for in the kernel, where that was how it was found stuck: processes of
    /// the same `seq` stood still together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<KernelWait>,
}

/// What a thread waits for in the kernel, without a limit in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelWait {
    /// The operating system's number of the thread.
    pub thread: u32,
    /// What for.
    pub awaited: Awaited,
    /// Through which descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<u32>,
    /// All who could end it.
    pub wakers: Vec<Waker>,
}

/// What is waited for in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// Bytes, or the end of the file.
    Input,
    /// Room for bytes.
    Output,
    /// The end of a child process.
    Child,
    /// A lock, a condition variable or the end of a thread.
    Futex,
    /// A lock of a file.
    FileLock,
}

/// A process that could end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Waker {
    /// Its process id.
    pub pid: u32,
    /// The descriptor through which it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<u32>,
}
