//! `cargo snag run` and `cargo snag test`: build, record, analyze.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use snag_trace::layout::MEMORY_ENV;

use crate::build::invocation::Invocation;
use crate::build::mode::Mode;
use crate::build::wrapper::FAILURES_FILE;
use crate::commands::analysis::ReportOptions;
use crate::commands::explore;
use crate::commands::progress::Progress;
use crate::commands::session::Build;
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::job::Limits;
use crate::run::folder::{self, Recording, RunFolder};
use crate::run::launch::{Outcome, launch, replace_with};
use crate::run::meta::RunMeta;

/// A command that has cargo build and run something.
#[derive(Debug)]
pub struct Record {
    verb: &'static str,
    about: &'static str,
    after: &'static str,
    test_harness: bool,
}

/// `cargo snag run`.
pub static RUN: Record = Record {
    verb: "run",
    about: "Run a binary or example as `cargo run` does, and report what is wrong with its concurrency",
    after: "All other flags are those of `cargo run`, and what follows `--` is the program's.",
    test_harness: false,
};

/// `cargo snag test`.
pub static TEST: Record = Record {
    verb: "test",
    about: "Run tests as `cargo test` does, and report what is wrong with their concurrency",
    after: "All other flags are those of `cargo test`, and what follows `--` is the test harness's.",
    test_harness: true,
};

#[derive(Debug, clap::Args)]
struct Options {
    #[command(flatten)]
    report: ReportOptions,
    /// Build this crate with the real std: what happens in it is then not seen
    #[arg(long, value_name = "CRATE", help_heading = "Recording")]
    plain: Vec<String>,
    /// Do not instrument accesses to memory: faster, but data races are not looked for
    #[arg(long, help_heading = "Recording")]
    no_memory: bool,
    /// Record every access to memory, not only samples: for small programs
    #[arg(long, conflicts_with = "no_memory", help_heading = "Recording")]
    record_all: bool,
    /// Afterwards explore the same tests, or the same program, under so many schedules each
    #[arg(long, value_name = "N", help_heading = "Recording")]
    explore: Option<u64>,
    /// How many runs to keep in `target/snag/runs`, this one included
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Recording")]
    keep: usize,
}

impl Command for Record {
    fn spec(&self) -> clap::Command {
        // The text comes last: `augment_args` would put a description of the options in its place.
        <Options as clap::Args>::augment_args(clap::Command::new(self.verb))
            .about(self.about)
            .after_help(self.after)
            .override_usage(format!("cargo snag {} [OPTIONS] [CARGO'S OPTIONS] [-- <ARGS>...]", self.verb))
    }

    fn passes_arguments_on(&self) -> bool {
        true
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let progress = Progress::like_cargo(&given.cargo);
        let only_builds = self.test_harness && only_builds(&given.cargo);
        let (arguments, line, plain) = (given.cargo.clone(), given.line.clone(), options.plain.clone());
        let mode = if options.no_memory { Mode::Native } else { Mode::Memory };
        let invocation =
            Invocation::prepare(given.cargo, options.plain, mode, |notice| progress.tell(notice))?;
        let mut cargo = invocation.command(self.verb)?;
        cargo.env_remove(MEMORY_ENV);
        if options.record_all {
            cargo.env(MEMORY_ENV, "all");
        }
        if only_builds {
            return Err(replace_with(cargo));
        }
        let runs = invocation.snag_folder().join("runs");
        let run = RunFolder::create(&runs)?;
        folder::prune(&runs, options.keep);
        let mut meta = self.describe(&invocation, &run, given.line);
        run.save(&meta)?;
        progress.say("Recording", &format!("into {}", for_people(&run.path)));
        let outcome = launch(&mut cargo, &run, self.test_harness)?;
        check_that_it_ran(&outcome, &run)?;
        meta.program = outcome.status;
        meta.stuck = outcome.watched.stuck;
        meta.busiest = outcome.watched.busiest;
        progress.say("Analyzing", &for_people(&run.path));
        let recording = close(&run, meta, progress)?;
        let code = options.report.conclude(recording, progress.color())?;
        let Some(iterations) = options.explore.filter(|_| !only_builds) else { return Ok(code) };
        let build = Build { arguments, plain, memory: !options.no_memory };
        let verb = if self.test_harness { "test" } else { "run" };
        let limits = Limits { iterations, ..explore::defaults() };
        let explored = explore::explore(build, Some(verb), line, limits, &options.report, options.keep)?;
        Ok(code.max(explored))
    }
}

/// Reads everything back and saves how the run ended. A process may have gone to the background: the
/// recording ends now all the same. A disk that is full now does not keep the report back.
fn close(run: &RunFolder, mut meta: RunMeta, progress: Progress) -> Result<Recording, Error> {
    meta.until = folder::clock_now(&run.path);
    meta.alive = folder::still_alive(run);
    let recording = run.load(meta)?;
    if let Err(error) = run.save(&recording.meta) {
        progress.warn(&format!("this run cannot be analyzed again: {error}"));
    }
    Ok(recording)
}

impl Record {
    fn describe(&self, invocation: &Invocation, run: &RunFolder, line: Vec<String>) -> RunMeta {
        let here = env::current_dir().unwrap_or_default();
        RunMeta {
            version: 1,
            id: run.id.clone(),
            command: line,
            working_directory: here.display().to_string(),
            workspace_root: invocation.project.workspace_root.display().to_string(),
            engine: "native".to_owned(),
            memory: invocation.shim.mode.has_memory(),
            config: invocation.project.config.clone(),
            toolchain: invocation.toolchain.name().to_owned(),
            test_harness: self.test_harness,
            ..RunMeta::default()
        }
    }
}

/// Whether cargo is asked not to run anything.
fn only_builds(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--no-run")
}

/// A path relative to where the user is, if it is below.
fn for_people(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// A failure that comes before any program has made its trace is cargo's: it could not build.
fn check_that_it_ran(outcome: &Outcome, run: &RunFolder) -> Result<(), Error> {
    /// What cargo itself exits with.
    const CARGO_FAILED: [i32; 2] = [1, 101];
    let failed = outcome.status.exit.is_some_and(|code| CARGO_FAILED.contains(&code));
    let traces = run.trace_files().map_err(Error::io("read", &run.path))?;
    if !failed || !traces.is_empty() {
        return Ok(());
    }
    let broken = fs::read_to_string(run.path.join(FAILURES_FILE)).unwrap_or_default();
    let broken = broken.lines().next().map(str::to_owned);
    // Nothing was recorded: an empty run would only be in the way.
    let _ = fs::remove_dir_all(&run.path);
    let help = broken.map(|name| {
        format!(
            "if `{name}` builds without snag, it needs something of std that snag's own lacks: \
             leave it out with `--plain {name}`; if it is only linked in vain, use `--no-memory`"
        )
    });
    Err(Error::Cargo { help })
}
