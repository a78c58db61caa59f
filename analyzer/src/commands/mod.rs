//! Subcommands: one thin file each, registered in [`COMMANDS`].
//!
//! A command puts parts together: it neither judges nor renders.

use std::ffi::OsString;

use crate::error::Error;

pub mod analysis;
pub mod analyze;
pub mod binary;
pub mod confirm;
pub mod demo;
pub mod explain;
pub mod explore;
pub mod init;
pub mod lint;
pub mod merge;
pub mod progress;
pub mod record;
pub mod replay;
mod session;
pub mod sysroot;

/// One subcommand.
pub trait Command: Sync {
    /// Its name and arguments.
    fn spec(&self) -> clap::Command;
    /// Whether arguments that it does not know are cargo's.
    fn passes_arguments_on(&self) -> bool {
        false
    }
    /// Does it; gives the exit code.
    ///
    /// # Errors
    /// If snag itself could not do it.
    fn execute(&self, given: Given<'_>) -> Result<u8, Error>;
}

/// What the command line gave a command.
#[derive(Debug)]
pub struct Given<'a> {
    /// Its own arguments.
    pub matches: &'a clap::ArgMatches,
    /// Arguments that are cargo's.
    pub cargo: Vec<OsString>,
    /// The whole line, for the record.
    pub line: Vec<String>,
}

impl Given<'_> {
    /// The command's own arguments as a type.
    pub fn own<T: clap::Args>(&self) -> T {
        T::from_arg_matches(self.matches).unwrap_or_else(|error| error.exit())
    }
}

/// Every subcommand, in the order of the help.
pub static COMMANDS: &[&dyn Command] = &[
    &record::RUN,
    &record::TEST,
    &explore::Explore,
    &replay::Replay,
    &confirm::Confirm,
    &merge::Merge,
    &analyze::Analyze,
    &lint::Lint,
    &init::Init,
    &explain::Explain,
    &demo::Demo,
    &sysroot::PrintSysroot,
    &binary::Binary,
];
