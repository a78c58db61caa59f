//! Programs over std, core and the C library alone, each chosen by its name.

use std::process::ExitCode;

mod correct;
mod racy;

fn main() -> ExitCode {
    shared::choose(&[correct::PROGRAMS, racy::PROGRAMS])
}
