//! `cargo snag explain`: prints the page of a rule.

use std::io::{self, Write as _};

use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explain;
use crate::gate::CLEAN;

/// The command.
#[derive(Debug)]
pub struct Explain;

#[derive(Debug, clap::Args)]
struct Options {
    /// The rule's id, as reports name it; without one, all rules are listed
    rule: Option<String>,
}

impl Command for Explain {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("explain"))
            .about("Explain a rule: what it finds, why that is wrong, how to fix it")
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let text = match given.own::<Options>().rule {
            None => explain::rules().map(|(rule, sentence)| format!("{rule}\n    {sentence}\n")).collect(),
            Some(rule) => explain::page(&rule).map(str::to_owned).ok_or_else(|| unknown(rule))?,
        };
        // Whoever reads it may have seen enough (`| head`).
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(CLEAN)
    }
}

fn unknown(name: String) -> Error {
    let known: Vec<_> = explain::rules().map(|(rule, _)| rule).collect();
    Error::UnknownRule { name, known: known.join(", ") }
}
