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

/// A process as a report names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// Its number within the run, from 0 in order of birth.
    pub process: u32,
    /// Its process id.
    pub pid: u32,
    /// How it was made: `forked`, `spawned`, or `exec` by what was another program before; nothing if that
    /// was not seen.
    pub how: Option<String>,
    /// Number of the process that made it.
    pub parent: Option<u32>,
    /// Where that was done.
    pub place: Option<Place>,
    /// Its command line, of which the program's folder is left out.
    pub command: String,
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

impl Place {
    /// Whether it is in the standard library, or in what snag adds to it.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.file.starts_with("~rust/") || self.file.starts_with("~snag/")
    }

    /// The dependency that it is in, as `name version` (of a git checkout the name alone); nothing for
    /// the user's own code and the standard library.
    #[must_use]
    pub fn package(&self) -> Option<String> {
        let folder = |rest: &str| rest.split('/').next().map(str::to_owned);
        if let Some(name) = self.file.strip_prefix("~git/").and_then(folder) {
            return Some(name.rsplit_once('-').map_or(name.as_str(), |(name, _)| name).to_owned());
        }
        let folder = self.file.strip_prefix("~registry/").and_then(folder)?;
        let is_version = |at: usize| {
            let first = folder[at + 1..].split('.').next().unwrap_or("");
            folder[at + 1..].contains('.') && first.parse::<u32>().is_ok()
        };
        let dash = folder.match_indices('-').map(|(at, _)| at).find(|&at| is_version(at));
        Some(dash.map_or(folder.clone(), |at| format!("{} {}", &folder[..at], &folder[at + 1..])))
    }

    /// Whether it is in the functions of the standard library that are atomic operations.
    #[must_use]
    pub fn is_atomic_operation(&self) -> bool {
        self.file.starts_with("~rust/") && self.file.ends_with("/core/src/sync/atomic.rs")
    }

    /// Whether it is in the user's own code.
    #[must_use]
    pub fn is_own(&self) -> bool {
        !self.is_library() && self.package().is_none()
    }
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

/// One function of a call stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// The function's path, or the address of the code if nothing more is known.
    pub function: String,
    /// Where it was in there, if that is known.
    pub place: Option<Place>,
    /// Whether it was compiled into the function that called it.
    pub inlined: bool,
}

/// What is done to memory at a location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access {
    /// `read`, `write`, `atomic load`, `atomic store`, `atomic update`, `free`…
    pub kind: String,
    /// How many bytes.
    pub size: u32,
    /// With which memory ordering, for an atomic access.
    pub ordering: Option<String>,
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
    /// What is done to memory here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The dependency in whose code this happens, as `name version`; nothing in the user's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The functions that were being run, innermost first, where that was recorded. The place above is
    /// then that of the innermost one which is the user's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<Frame>,
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
    /// The processes of these threads, where the program was more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessRef>,
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
    /// What was seen of memory; nothing where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStats>,
    /// What was read of sources; nothing for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStats>,
}

/// How much source was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStats {
    /// Packages.
    pub packages: u64,
    /// Files.
    pub files: u64,
    /// Lines in them.
    pub lines: u64,
    /// Files that had to be parsed; the others were known.
    pub parsed: u64,
}

impl Stats {
    /// Adds what another recording had.
    pub fn add(&mut self, other: &Stats) {
        self.events += other.events;
        self.threads += other.threads;
        self.processes += other.processes;
        if let Some(memory) = &other.memory {
            self.memory.get_or_insert_default().add(memory);
        }
    }
}

/// What was seen of memory, and what had to be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// Pairs of conflicting accesses that something ordered: the recorded sample of them.
    pub ordered_pairs: u64,
    /// Accesses that were forgotten because more threads than are kept had accessed the same bytes.
    pub forgotten: u64,
    /// How often everything was forgotten because the numbers of epochs had run out.
    pub resets: u64,
    /// Races of which the earlier access's place was no longer known.
    pub places_lost: u64,
    /// Races at places at which one was recorded before.
    pub repeats: u64,
    /// Most threads that were alive at once in one process.
    pub live_threads: u64,
    /// Threads that shared their place in the clocks with another, so that its races may be missed.
    pub threads_shared: u64,
    /// Accesses to memory that processes share that were too many to be recorded.
    #[serde(default)]
    pub shared_dropped: u64,
}

impl MemoryStats {
    /// Adds what was seen of another family of processes.
    pub fn add(&mut self, other: &MemoryStats) {
        self.ordered_pairs += other.ordered_pairs;
        self.forgotten += other.forgotten;
        self.resets += other.resets;
        self.places_lost += other.places_lost;
        self.repeats += other.repeats;
        self.live_threads = self.live_threads.max(other.live_threads);
        self.threads_shared += other.threads_shared;
        self.shared_dropped += other.shared_dropped;
    }
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
    /// Changes of the source that take findings away and change nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
    /// Comments in the sources that allow something; nothing of a run.
    #[serde(skip)]
    pub allowed: Vec<Allowed>,
}

/// `// snag: allow(rules) reason`, in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Path of the source.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// What it allows.
    pub rules: Vec<String>,
}

/// A change of the source that takes a finding away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fix {
    /// The finding's rule.
    pub rule: String,
    /// The first place of the finding.
    pub place: Place,
    /// What it does, a phrase.
    pub description: String,
    /// What it replaces; parts do not overlap.
    pub edits: Vec<Edit>,
}

/// A part of a source file that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    /// Offset in bytes at which the part begins.
    pub start: usize,
    /// Offset in bytes behind it.
    pub end: usize,
    /// What comes in its place.
    pub replacement: String,
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_says_whose_code_it_is_in() {
        let place = |file: &str| Place { file: file.to_owned(), line: 1, column: 1 };
        let package = |file| place(file).package();
        assert_eq!(
            package("~registry/parking_lot-0.12.5/src/mutex.rs").as_deref(),
            Some("parking_lot 0.12.5")
        );
        assert_eq!(package("~registry/crc-3-1.0.0-rc.1/src/lib.rs").as_deref(), Some("crc-3 1.0.0-rc.1"));
        assert_eq!(package("~git/log-12ab/9f/src/lib.rs").as_deref(), Some("log"));
        assert!(place("src/main.rs").is_own() && place("/elsewhere/lib.rs").is_own());
        assert!(
            place("~rust/library/core/src/cell.rs").is_library() && !place("~snag/std/src/lib.rs").is_own()
        );
    }
}
