//! What a detector says: the one value that travels from detectors to reporters and to the gate.
//!
//! Invariant: a finding carries its evidence. Reporters and the gate see nothing else of a run, so
//! whatever a person needs to believe the finding is in here, as text and places.

use serde::{Deserialize, Serialize};

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// A pattern that a person must judge.
    Potential,
    /// A sound witness reordering of what was recorded exists.
    Predicted,
    /// It was observed, or replayed from a schedule.
    Confirmed,
}

/// A thread as a report names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThreadRef {
    /// Number of the thread within its process, from 1 in order of birth.
    pub id: u32,
    /// Its name; `main`, the name given to it, or else `thread-<id>`.
    pub name: String,
    /// Number of its process within the run, from 0 in order of birth.
    pub process: u32,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Path, relative to the workspace root where it is inside it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A lock, condvar, channel… as a report names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// What it is: `mutex`, `rwlock`, `condvar`, `channel`…
    pub kind: String,
    /// Its name, or if none is known a description such as `mutex at src/main.rs:12`.
    pub name: String,
    /// Where it was constructed, if that is known.
    pub born: Option<Place>,
}

/// A lock that was held at a location, and where it had been acquired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The lock's name, as in [`ObjectRef::name`].
    pub name: String,
    /// Where it was acquired, if that is known.
    pub acquired: Option<Place>,
}

/// One place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// What happened here, as an identifier: `acquired_first`, `wanted`, `waits`, `notified`…
    pub role: String,
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// The thread, as an index into [`Finding::threads`].
    pub thread: usize,
    /// What a snippet's label says here, a phrase: ``thread `worker` acquires `accounts` here``.
    pub label: String,
    /// Locks that the thread held when it got here.
    pub held: Vec<Held>,
}

/// One step of a witness, in the order in which it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The thread, as an index into [`Finding::threads`].
    pub thread: usize,
    /// What it does, a phrase: ``acquires `accounts` ``.
    pub action: String,
    /// Where, if that is known.
    pub place: Option<Place>,
}

/// One problem, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id: file stem of its detector and of its page in docs/rules.
    pub rule: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// One sentence that names threads and objects.
    pub message: String,
    /// How to fix it.
    pub help: String,
    /// How often it was seen.
    pub count: u64,
    /// The threads of both sides.
    pub threads: Vec<ThreadRef>,
    /// The objects.
    pub objects: Vec<ObjectRef>,
    /// All places, both sides; the first is the one to open.
    pub locations: Vec<Location>,
    /// The order in which the witness of a prediction runs; empty if there is none.
    pub witness: Vec<Step>,
    /// What limits the certainty, or other remarks, one sentence each.
    pub notes: Vec<String>,
    /// Path of a schedule that replays it.
    pub schedule: Option<String>,
}

/// How the program itself ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// Its exit code, if it exited.
    pub exit: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Events in all traces.
    pub events: u64,
    /// Threads in all processes.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
}

/// All that a reporter sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form: 1.
    pub version: u32,
    /// The run's id: its folder's name.
    pub run: String,
    /// How the program ended.
    pub program: ProgramStatus,
    /// Findings, deduplicated and sorted: most certain first, then by rule and place.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub stats: Stats,
    /// What a reader must know about the recording: damage, a full disk, an early end.
    pub warnings: Vec<String>,
}
