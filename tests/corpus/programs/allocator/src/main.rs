//! Programs over an allocator of the program's own, each chosen by its name.

use std::process::ExitCode;

mod correct;
mod racy;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shared::choose(&[correct::PROGRAMS, racy::PROGRAMS])
}
