//! `cargo snag analyze`: repeats the analysis of a saved run.

use std::path::PathBuf;

use crate::commands::analysis::ReportOptions;
use crate::commands::progress::Progress;
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::run::folder;

/// The command.
#[derive(Debug)]
pub struct Analyze;

#[derive(Debug, clap::Args)]
struct Options {
    /// A run folder (`target/snag/runs/<id>`), or a single trace file
    run: PathBuf,
    #[command(flatten)]
    report: ReportOptions,
}

impl Command for Analyze {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("analyze"))
            .about("Repeat the analysis of a saved run, with the same result")
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let recording = folder::load(&options.run)?;
        options.report.conclude(recording, Progress::like_cargo(&[]).color())
    }
}
