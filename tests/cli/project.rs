//! The package `program` beside this file, and calls of snag on it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use snag_tests::outcome::{Outcome, run_for};

/// What none of these calls may take, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

/// Folder of the package.
pub fn program() -> PathBuf {
    snag_tests::repository().join("tests/cli/program")
}

/// Its target folder, which all tests share.
pub fn target() -> PathBuf {
    snag_tests::target_folder("cli")
}

/// `cargo snag …` in this folder, with the shared target folder.
pub fn snag_in<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = snag_tests::snag(folder);
    command.args(arguments).env("CARGO_TARGET_DIR", target()).env("RUST_BACKTRACE", "0");
    command
}

/// Runs it to its end.
pub fn outcome(command: &mut Command) -> Outcome {
    let outcome = run_for(command, LIMIT).expect("failed to start cargo-snag");
    assert!(!outcome.timed_out, "it did not end: {outcome:?}");
    outcome
}

/// A run of the program with these arguments of its own.
pub fn run(arguments: &[&str]) -> Outcome {
    outcome(&mut snag_in(&program(), ["run", "--quiet", "--"].iter().chain(arguments)))
}

/// A run that is kept in a folder of its own and reported as JSON, with what cargo's lock needs: one
/// at a time.
pub struct Kept {
    /// How the command ended.
    pub outcome: Outcome,
    /// The report.
    pub report: Value,
    /// The run's folder.
    pub folder: PathBuf,
}

/// Runs the program and keeps what it left.
pub fn kept(arguments: &[&str]) -> Kept {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let temporary = tempfile::tempdir().expect("failed to make a temporary folder");
    let file = temporary.path().join("report.json");
    let mut command =
        snag_in(&program(), ["run", "--quiet", "--keep", "1000", "--format", "json", "--output"]);
    command.arg(&file).arg("--").args(arguments);
    let outcome = outcome(&mut command);
    let text = fs::read(&file).unwrap_or_else(|error| panic!("no report: {error}; {outcome:?}"));
    let report: Value = serde_json::from_slice(&text).expect("the report is JSON");
    let folder = target().join("snag/runs").join(report["run"].as_str().expect("a run has an id"));
    Kept { outcome, report, folder }
}

impl Kept {
    /// Number of events that were read back.
    pub fn events(&self) -> u64 {
        self.report["stats"]["events"].as_u64().expect("a number of events")
    }

    /// Number of processes that were recorded.
    pub fn processes(&self) -> u64 {
        self.report["stats"]["processes"].as_u64().expect("a number of processes")
    }

    /// The trace of a run with one process.
    pub fn trace(&self) -> PathBuf {
        let entries = fs::read_dir(&self.folder).expect("the run's folder is there");
        let mut traces = entries.flatten().map(|entry| entry.path());
        traces.find(|path| path.extension().is_some_and(|extension| extension == "trace")).expect("a trace")
    }

    /// Its warnings.
    pub fn warnings(&self) -> String {
        self.report["warnings"].to_string()
    }
}
