//! Cargo with this program as the runner of each binary: what `explore` and `replay` have in common.
//!
//! Cargo builds and runs as for `cargo test` or `cargo run`; in place of each binary it runs the command
//! [`super::binary`], whose results are joined here into one report.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::build::invocation::Invocation;
use crate::build::mode::Mode;
use crate::build::toolchain::SUPPORTED_TARGET;
use crate::commands::analysis::{ReportOptions, Stream, judge};
use crate::commands::progress::Progress;
use crate::detectors::join_repeats;
use crate::error::Error;
use crate::explore::job::{JOB_ENV, Job, Part, Task};
use crate::finding::{Certainty, Finding, ProgramStatus, Report, Stats};
use crate::gate::Levels;
use crate::run::folder::{self, Recording};
use crate::sources::Sources;

/// What is to be built.
pub(super) struct Build {
    /// Cargo's arguments.
    pub(super) arguments: Vec<OsString>,
    /// Crates to leave with the real std.
    pub(super) plain: Vec<String>,
    /// Whether accesses to memory are instrumented.
    pub(super) memory: bool,
}

/// Cargo, made ready to run binaries in our place.
pub(super) struct Session {
    invocation: Invocation,
    verb: &'static str,
    folder: PathBuf,
    arguments: Vec<OsString>,
    plain: Vec<String>,
    line: Vec<String>,
    pub(super) progress: Progress,
}

impl Session {
    /// Prepares the shim and a folder for what comes of it. Without a verb, the arguments say whether cargo
    /// is to run tests or a program.
    ///
    /// # Errors
    /// If there is no project, or no shim for it.
    pub(super) fn prepare(
        build: Build,
        verb: Option<&'static str>,
        line: Vec<String>,
    ) -> Result<Session, Error> {
        let Build { arguments, plain, memory } = build;
        let progress = Progress::like_cargo(&arguments);
        let verb = verb.unwrap_or(if is_program(&arguments) { "run" } else { "test" });
        let mode = if memory { Mode::Explore } else { Mode::ExploreNative };
        let invocation =
            Invocation::prepare(arguments.clone(), plain.clone(), mode, |notice| progress.tell(notice))?;
        let folder = new_folder(&invocation.snag_folder().join("explorations"))?;
        Ok(Session { invocation, verb, folder, arguments, plain, line, progress })
    }

    pub(super) fn job(&self, levels: Levels, keep: usize) -> Job {
        let words = self.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        Job {
            folder: self.folder.clone(),
            snag_folder: self.invocation.snag_folder(),
            workspace_root: self.invocation.project.workspace_root.clone(),
            cargo: [self.verb.to_owned()].into_iter().chain(words).collect(),
            plain: self.plain.clone(),
            toolchain: self.invocation.toolchain.name().to_owned(),
            memory: self.invocation.shim.mode.has_memory(),
            config: self.invocation.project.config.clone(),
            levels,
            line: self.line.clone(),
            color: self.progress.color(),
            quiet: self.progress.is_quiet(),
            keep,
            suspects: Vec::new(),
            task: Task::default(),
        }
    }

    /// What the newest recorded run of this project suspects; nothing if there is none that can be read.
    pub(super) fn suspects(&self, levels: &Levels) -> Vec<Finding> {
        let runs = self.invocation.snag_folder().join("runs");
        let mut folders: Vec<_> =
            fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        folders.sort();
        let recorded = folders.iter().rev().filter_map(|folder| folder::load(folder).ok());
        let newest = recorded.into_iter().find(|recording| recording.meta.engine == "native");
        newest.map_or_else(Vec::new, |recording| self.suspicions(recording, levels))
    }

    /// What this recording suspects.
    pub(super) fn suspicions(&self, recording: Recording, levels: &Levels) -> Vec<Finding> {
        let sources = Sources::new(self.invocation.project.workspace_root.clone());
        let report = judge(recording, levels, &sources);
        let mut findings = report.map(|report| report.findings).unwrap_or_default();
        findings.retain(|finding| finding.certainty != Certainty::Confirmed);
        findings
    }

    /// Has cargo build everything and run this program in place of each binary.
    ///
    /// # Errors
    /// If cargo fails.
    pub(super) fn run(&self, job: &Job) -> Result<Vec<Part>, Error> {
        let file = job.save()?;
        let this = env::current_exe().map_err(Error::io("find", Path::new("cargo-snag")))?;
        let cargo = self.invocation.command(self.verb)?;
        let runner = toml::Value::Array(vec![
            toml::Value::String(this.display().to_string()),
            toml::Value::String("__explore".to_owned()),
            toml::Value::String("--".to_owned()),
        ]);
        let setting = format!("target.{SUPPORTED_TARGET}.runner={runner}");
        // Cargo's own arguments end at a `--`.
        let own: Vec<OsString> = cargo.get_args().map(ToOwned::to_owned).collect();
        let mut command = std::process::Command::new(cargo.get_program());
        command.arg(&own[0]).args(["--config", &setting]);
        let is_there = self.arguments.iter().any(|argument| argument == "--no-fail-fast");
        if self.verb == "test" && !is_there {
            command.arg("--no-fail-fast");
        }
        command.args(&own[1..]).env(JOB_ENV, file);
        for (name, value) in cargo.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let failed =
            |error: std::io::Error| Error::Tool { command: "cargo".to_owned(), reason: error.to_string() };
        let status = command.status().map_err(failed)?;
        let parts = Part::load_all(&self.folder)?;
        if !status.success() && parts.is_empty() {
            return Err(Error::Cargo { help: None });
        }
        drop(cargo);
        Ok(parts)
    }

    /// Writes the report, and gives the exit code.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn conclude(&self, parts: &[Part], options: &ReportOptions) -> Result<u8, Error> {
        let id = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let report = report_of(parts, &id);
        let sources = Sources::new(self.invocation.project.workspace_root.clone());
        let config = &self.invocation.project.config;
        options.write(report, &sources, config, self.progress.color(), Stream::Error)
    }
}

/// All parts as one report.
pub(super) fn report_of(parts: &[Part], id: &str) -> Report {
    let findings = join_repeats(parts.iter().flat_map(|part| part.findings.iter().cloned()).collect());
    let mut stats = Stats::default();
    for part in parts {
        stats.add(&part.stats);
    }
    Report {
        version: 1,
        run: id.to_owned(),
        program: ProgramStatus { exit: Some(0), signal: None },
        findings,
        stats,
        warnings: parts.iter().flat_map(|part| part.warnings.iter().cloned()).collect(),
        ..Report::default()
    }
}

/// Whether cargo is asked for a program, and not for tests.
fn is_program(arguments: &[OsString]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.into_iter().any(|argument| {
        let text = argument.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        matches!(name, "--bin" | "--example")
    })
}

/// A folder with a new name, which nobody else has.
fn new_folder(parent: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    loop {
        let folder = parent.join(folder::new_id());
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &folder)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_for_by_name() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_program(&words("--bin x")) && is_program(&words("--example=x")));
        assert!(!is_program(&words("--bins filter -- --bin x")));
    }
}
