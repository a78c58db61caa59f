//! `cargo snag merge`: the results of shards, as one.

use std::env;
use std::path::PathBuf;

use crate::build::project::Project;
use crate::commands::analysis::{ReportOptions, Stream};
use crate::commands::explore::summary;
use crate::commands::progress::Progress;
use crate::commands::session::report_of;
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::job::Results;
use crate::sources::Sources;

/// The command.
#[derive(Debug)]
pub struct Merge;

#[derive(Debug, clap::Args)]
struct Options {
    /// Files that `cargo snag explore --result` has written
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportOptions,
}

impl Command for Merge {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("merge"))
            .about("Join the results of the shards of an exploration into one report")
            .after_help("Call this in the workspace, whose sources the report shows.")
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let all = options.files.iter().map(|file| Results::load(file)).collect::<Result<Vec<_>, _>>()?;
        let parts = Results::join(all);
        let progress = Progress::like_cargo(&[]);
        progress.say("Explored", &summary(&parts));
        let root = env::current_dir().unwrap_or_default();
        let config = Project::find(&[]).map(|project| project.config).unwrap_or_default();
        let sources = Sources::new(root);
        options.report.write(report_of(&parts, "merged"), &sources, &config, progress.color(), Stream::Error)
    }
}
