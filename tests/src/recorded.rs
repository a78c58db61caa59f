//! A program that `cargo snag run` has built once, to be run as often as a test likes.
//!
//! Each run is recorded into a folder of its own, beside what `cargo snag run` would have put there,
//! so that `cargo snag analyze` says of it what the command itself would have said. The program must
//! print `executable <path>` when `executable` is its only argument.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::outcome::run_for;
use crate::snag;

/// Building a program and all that it depends on does not take longer.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What is the same for every run of a program.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The built program.
    pub executable: PathBuf,
    /// The folder of the run in which it said where it is.
    first_run: PathBuf,
}

impl Recorded {
    /// Has `cargo snag run` build the package that `flags` choose in the workspace at `folder`.
    ///
    /// # Errors
    /// What cargo and snag said, if that fails.
    pub fn build(folder: &Path, flags: &[&str], target: &Path) -> Result<Recorded, String> {
        let report = target.join("first-report.json");
        fs::create_dir_all(target).map_err(|error| format!("{}: {error}", target.display()))?;
        let mut command = snag(folder);
        command.arg("run").args(flags).args(["--format", "json", "--output"]).arg(&report);
        command.args(["--", "executable"]).env("CARGO_TARGET_DIR", target);
        let outcome = run_for(&mut command, BUILD_LIMIT).map_err(|error| error.to_string())?;
        let fail = |what: &str| format!("{what}\n{}\n{}", outcome.stdout, outcome.stderr);
        let path = outcome.stdout.lines().find_map(|line| line.strip_prefix("executable "));
        let executable = PathBuf::from(path.ok_or_else(|| fail("the program did not say where it is"))?);
        let report = fs::read(&report).map_err(|_| fail("there is no report"))?;
        let report: Value = serde_json::from_slice(&report).map_err(|error| fail(&error.to_string()))?;
        let run = report["run"].as_str().ok_or_else(|| fail("the report does not name its run"))?;
        Ok(Recorded { executable, first_run: target.join("snag").join("runs").join(run) })
    }

    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// If it cannot be written, or the first run's folder not be read.
    pub fn new_run(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)?;
        fs::copy(self.first_run.join("clock"), folder.join("clock"))?;
        let mut meta: Value = serde_json::from_slice(&fs::read(self.first_run.join("run.json"))?)?;
        // That run is over; of this one nothing is cut off.
        meta["until"] = Value::Null;
        fs::write(folder.join("run.json"), serde_json::to_vec(&meta)?)
    }

    /// The program, recorded into the folder of a new run.
    #[must_use]
    pub fn command(&self, run: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        command.env("SNAG_RUN", run);
        command
    }
}
