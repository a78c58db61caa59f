//! `cargo snag confirm`: what a recorded run suspects is tried under the scheduler.

use std::path::PathBuf;

use crate::commands::analysis::ReportOptions;
use crate::commands::explore::{self, summary};
use crate::commands::session::{Build, Session};
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::job::{Limits, Task};
use crate::run::folder;

/// The command.
#[derive(Debug)]
pub struct Confirm;

#[derive(Debug, clap::Args)]
struct Options {
    /// The run whose findings are to be tried; the newest recorded one if not given
    #[arg(long, value_name = "RUN", help_heading = "Exploration")]
    run: Option<PathBuf>,
    /// What decides all that is left to chance
    #[arg(long, value_name = "S", default_value_t = 1, help_heading = "Exploration")]
    seed: u64,
    #[command(flatten)]
    report: ReportOptions,
    /// How many runs to keep in `target/snag/runs`
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Recording")]
    keep: usize,
}

impl Command for Confirm {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("confirm"))
            .about("Try what a recorded run predicts or suspects, and keep a schedule for what comes true")
            .after_help(
                "All other flags, and the filter, are those of `cargo test`; with `--bin` or `--example` they \
                 are those of `cargo run`.",
            )
            .override_usage("cargo snag confirm [OPTIONS] [FILTER] [CARGO'S OPTIONS]")
    }

    fn passes_arguments_on(&self) -> bool {
        true
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let recording = options.run.as_deref().map(folder::load).transpose()?;
        let build = Build { arguments: given.cargo, plain: Vec::new(), memory: true };
        let session = Session::prepare(build, None, given.line)?;
        let mut job = session.job(options.report.levels.clone(), options.keep);
        job.suspects = match recording {
            Some(recording) => session.suspicions(recording, &options.report.levels),
            None => session.suspects(&options.report.levels),
        };
        if job.suspects.is_empty() {
            session.progress.warn("no recorded run predicts or suspects anything: nothing is tried");
        }
        job.task = Task::Explore(Limits { iterations: 1, seed: options.seed, ..explore::defaults() });
        let parts = session.run(&job)?;
        session.progress.say("Tried", &summary(&parts));
        session.conclude(&parts, &options.report)
    }
}
