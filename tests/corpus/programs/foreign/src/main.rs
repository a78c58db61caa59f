//! Programs over C between Rust, each chosen by its name.

use std::process::ExitCode;

mod between;
mod correct;
mod racy;

fn main() -> ExitCode {
    shared::choose(&[correct::PROGRAMS, racy::PROGRAMS])
}
