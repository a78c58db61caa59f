//! `cargo snag`, and the wrapper of rustc and rustdoc that it has cargo call.

use std::process::ExitCode;

fn main() -> ExitCode {
    snag::cli::main(std::env::args_os().skip(1).collect())
}
