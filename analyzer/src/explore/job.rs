//! What `cargo snag explore` tells the process that cargo runs in place of each binary, and what that one
//! says in return: two kinds of files in a folder.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Error;
use crate::finding::{Finding, Stats};
use crate::gate::Levels;

/// Environment variable that names the file with a [`Job`].
pub const JOB_ENV: &str = "SNAG_EXPLORATION";

/// What is to be done with each binary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Folder for the [`Part`]s.
    pub folder: PathBuf,
    /// snag's folder in the project's target folder.
    pub snag_folder: PathBuf,
    /// Root of the workspace.
    pub workspace_root: PathBuf,
    /// How cargo is called: `test` or `run`, and with what.
    pub cargo: Vec<String>,
    /// Crates that are left with the real std.
    pub plain: Vec<String>,
    /// First line of `rustc -vV`.
    pub toolchain: String,
    /// Whether accesses to memory are instrumented.
    pub memory: bool,
    /// What the project asks for.
    pub config: Config,
    /// What to report.
    pub levels: Levels,
    /// The command line, for the record.
    pub line: Vec<String>,
    /// Whether to write in colour, and at all.
    pub color: bool,
    /// See above.
    pub quiet: bool,
    /// How many runs to keep.
    pub keep: usize,
    /// What an earlier recording suspects.
    pub suspects: Vec<Finding>,
    /// What to do.
    pub task: Task,
}

/// What to do with a binary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Explore its tests, or its `main`.
    Explore(Limits),
    /// Replay a schedule, if it is one of this binary.
    Replay(Replay),
}

/// How to replay a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The file.
    pub file: PathBuf,
    /// How often.
    pub times: u64,
    /// Whether to follow it as far as it goes in a binary that has changed.
    pub force: bool,
    /// Whether to stop at the failure under a debugger.
    pub debug: bool,
    /// Whether the steps are to be data, and not a table.
    pub json: bool,
}

impl Default for Task {
    fn default() -> Task {
        Task::Explore(Limits::default())
    }
}

/// How much to explore, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Most executions of a test.
    pub iterations: u64,
    /// Longest time for a test, in seconds.
    pub seconds: Option<f64>,
    /// What decides all that is left to chance.
    pub seed: u64,
    /// Names of strategies.
    pub portfolio: Vec<String>,
    /// Of `pct`.
    pub depth: u64,
    /// Of `exhaustive`: most preemptions, branches and threads; 0 for no bound.
    pub bounds: [u64; 3],
    /// Processes.
    pub jobs: u32,
    /// Which of how many shards this is, from 0.
    pub shard: (u64, u64),
    /// Most points of an execution.
    pub max_steps: u64,
    /// Whether waits may end early.
    pub early_timeouts: bool,
    /// Whether waits may end for no reason.
    pub spurious_wakes: bool,
    /// Whether schedules are made small.
    pub minimise: bool,
    /// Schedules to replay before, as far as they go.
    pub regress: Vec<PathBuf>,
    /// When the clocks begin, in nanoseconds since 1970.
    pub epoch: u64,
}

/// What came of one binary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Path of the binary.
    pub binary: PathBuf,
    /// What came of each test.
    pub tests: Vec<TestResult>,
    /// What was found in the executions that failed, and in the recorded ones.
    pub findings: Vec<Finding>,
    /// Of the recorded executions.
    pub stats: Stats,
    /// What a reader must know.
    pub warnings: Vec<String>,
    /// Why nothing came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failed>,
    /// The steps of a replay, if they are to be data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleaving: Option<serde_json::Value>,
}

/// An error, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What came of one test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Its name; `main` of a program.
    pub test: String,
    /// `passed`, `failed`, `skipped`, `sequential` or `exhausted`.
    pub outcome: String,
    /// Executions.
    pub executions: u64,
    /// Executions that were given up at the bound on their points.
    pub unfinished: u64,
    /// Why it was skipped, or how it failed.
    pub reason: String,
    /// File of the schedule, if it failed.
    pub schedule: Option<PathBuf>,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Job {
    /// Writes the file; gives its path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self) -> Result<PathBuf, Error> {
        let file = self.folder.join("job.json");
        save(self, &file)?;
        Ok(file)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(file: &Path) -> Result<Job, Error> {
        load(file)
    }
}

impl Part {
    /// Writes it into the job's folder, under a name of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, job: &Job) -> Result<(), Error> {
        let name = self.binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        save(self, &job.folder.join(format!("{name}.{}.part", std::process::id())))
    }

    /// All parts in the folder, in the order of their binaries.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn load_all(folder: &Path) -> Result<Vec<Part>, Error> {
        let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "part"));
        files.sort();
        files.iter().map(|file| load(file)).collect()
    }
}

/// What came of an exploration, or of a shard of one, as a file of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of this form: 1.
    pub snag_results: u32,
    /// What came of each binary.
    pub parts: Vec<Part>,
}

/// The version of [`Results`].
const VERSION: u32 = 1;

impl Results {
    /// Writes them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(parts: &[Part], file: &Path) -> Result<(), Error> {
        save(&Results { snag_results: VERSION, parts: parts.to_vec() }, file)
    }

    /// Reads them.
    ///
    /// # Errors
    /// If the file cannot be read, or is of another version.
    pub fn load(file: &Path) -> Result<Results, Error> {
        let text = fs::read(file).map_err(Error::io("read", file))?;
        let refused = |why: String| Error::Usage {
            message: format!("{} has no results of snag: {why}", file.display()),
            help: Some("results are written by `cargo snag explore --result FILE`".to_owned()),
        };
        let results: Results = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        match results.snag_results {
            VERSION => Ok(results),
            found => Err(refused(format!("their version is {found}, and this snag reads {VERSION}"))),
        }
    }

    /// Joins what came of the same binaries: executions of a test add up, and one failure is one.
    #[must_use]
    pub fn join(all: Vec<Results>) -> Vec<Part> {
        let mut joined = BTreeMap::<String, Part>::new();
        for part in all.into_iter().flat_map(|results| results.parts) {
            let name = part.binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match joined.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(part);
                }
                Entry::Occupied(mut entry) => entry.get_mut().add(part),
            }
        }
        joined.into_values().collect()
    }
}

impl Part {
    fn add(&mut self, other: Part) {
        for test in other.tests {
            match self.tests.iter_mut().find(|known| known.test == test.test) {
                None => self.tests.push(test),
                Some(known) => known.add(test),
            }
        }
        self.findings.extend(other.findings);
        self.stats.add(&other.stats);
        self.warnings.extend(other.warnings);
        self.warnings.sort();
        self.warnings.dedup();
    }
}

impl TestResult {
    /// What came of the same test in another shard. Each has executed the profile.
    fn add(&mut self, other: TestResult) {
        let executions = self.executions + other.executions.saturating_sub(1);
        let unfinished = self.unfinished + other.unfinished;
        let seconds = self.seconds + other.seconds;
        let rank = |result: &TestResult| match &*result.outcome {
            "failed" => 3,
            "skipped" => 2,
            "passed" => 1,
            _ => 0,
        };
        if rank(&other) > rank(self) {
            *self = other;
        }
        (self.executions, self.unfinished, self.seconds) = (executions, unfinished, seconds);
    }
}

fn save<T: Serialize>(value: &T, file: &Path) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| Error::io("write", file)(error.into()))?;
    fs::write(file, text).map_err(Error::io("write", file))
}

fn load<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<T, Error> {
    let text = fs::read(file).map_err(Error::io("read", file))?;
    serde_json::from_slice(&text).map_err(|error| Error::io("read", file)(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(outcome: &str, executions: u64) -> Results {
        let test = TestResult {
            test: "adds".to_owned(),
            outcome: outcome.to_owned(),
            executions,
            ..TestResult::default()
        };
        let part = Part { binary: "/somewhere/queue-0011".into(), tests: vec![test], ..Part::default() };
        Results { snag_results: VERSION, parts: vec![part] }
    }

    #[test]
    fn shards_add_up_and_a_failure_in_one_is_one_of_all() {
        let [joined] = &Results::join(vec![part("passed", 51), part("failed", 8), part("passed", 50)])[..]
        else {
            panic!("one binary")
        };
        let [test] = &joined.tests[..] else { panic!("one test") };
        assert_eq!((&*test.outcome, test.executions), ("failed", 107));
    }

    #[test]
    fn results_are_read_back_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.json");
        let written = part("passed", 3);
        Results::save(&written.parts, &file).unwrap();
        assert_eq!(Results::load(&file).unwrap(), written);
        fs::write(&file, r#"{"snag_results":9,"parts":[]}"#).unwrap();
        assert!(Results::load(&file).unwrap_err().to_string().contains("their version is 9"));
        fs::write(&file, "{}").unwrap();
        assert!(Results::load(&file).is_err());
    }
}
