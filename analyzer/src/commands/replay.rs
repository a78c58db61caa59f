//! `cargo snag replay`: a saved schedule, once more.

use std::path::{self, PathBuf};

use crate::commands::analysis::ReportOptions;
use crate::commands::session::{Build, Session};
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::job::{Failed, Replay as Wanted, Task};
use crate::explore::schedule::Schedule;
use crate::gate::DENIED;

/// The command.
#[derive(Debug)]
pub struct Replay;

#[derive(Debug, clap::Args)]
struct Options {
    /// A schedule: `target/snag/failures/….snag`
    file: PathBuf,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: u64,
    /// Follow the schedule as far as it goes, although the program has changed
    #[arg(long)]
    force: bool,
    /// Stop at the failing step under gdb or lldb (`SNAG_DEBUGGER` names another)
    #[arg(long, conflicts_with = "times")]
    debug: bool,
    /// How many runs to keep in `target/snag/runs`
    #[arg(long, value_name = "N", default_value_t = 20)]
    keep: usize,
    #[command(flatten)]
    report: ReportOptions,
}

impl Command for Replay {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("replay"))
            .about("Repeat a failing schedule, and show what each thread does in it, step by step")
            .after_help(
                "The program is built as it was for `cargo snag explore`; call this in its workspace.",
            )
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let file = path::absolute(&options.file).map_err(Error::io("find", &options.file))?;
        let schedule = Schedule::load(&file)?;
        let words = schedule.cargo.iter().skip(1).filter(|word| !matches!(word.as_str(), "-q" | "--quiet"));
        let words = words.map(Into::into);
        // The filter was for the exploration; the schedule names its test.
        let arguments = words.take_while(|word: &std::ffi::OsString| word != "--").collect();
        let build = Build { arguments, plain: schedule.plain.clone(), memory: schedule.memory };
        let session = Session::prepare(build, schedule.verb(), given.line)?;
        let mut job = session.job(options.report.levels.clone(), options.keep);
        let json = options.report.asks_for("json");
        job.task = Task::Replay(Wanted {
            file,
            times: options.times,
            force: options.force,
            debug: options.debug,
            json,
        });
        let parts = session.run(&job)?;
        let Some(part) = parts.first() else {
            return Err(Error::Usage {
                message: format!("cargo made no binary `{}` to replay the schedule in", schedule.binary),
                help: Some("call this in the workspace in which the schedule was found".to_owned()),
            });
        };
        if let Some(Failed { message, help }) = part.error.clone() {
            return Err(Error::Usage { message, help });
        }
        if let Some(interleaving) = &part.interleaving {
            println!("{interleaving:#}");
        }
        let differs = part.tests.iter().any(|test| test.outcome == "differs");
        let code = session.conclude(&parts, &options.report)?;
        Ok(if differs { code.max(DENIED) } else { code })
    }
}
