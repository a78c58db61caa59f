//! Programs over crates that programs are made of, each chosen by its name.

use std::process::ExitCode;

mod correct;
mod racy;

fn main() -> ExitCode {
    shared::choose(&[correct::PROGRAMS, racy::PROGRAMS])
}
