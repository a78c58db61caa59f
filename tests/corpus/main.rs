//! Programs with and without data races, each small and about one thing: every racy one must be
//! reported at its marks, and no correct one at all.
//!
//! ```text
//! cargo test -p snag-tests --test corpus                    each program once
//! cargo test -p snag-tests --test corpus -- release_seq     those whose name contains a word
//! SNAG_REPEAT=100 cargo test -p snag-tests --test corpus    a hundred times: never a false report, and of a
//!                                                           race at most one miss, which is told
//! SNAG_RELEASE=1 cargo test -p snag-tests --test corpus     optimised
//! ```
//!
//! The programs lie in `programs/`, a workspace of its own: `racy/` and `correct/` below each package.
//! `cargo snag run` builds each package once; its programs are then run as they are and judged by
//! `cargo snag analyze`, one run at a time.

mod check;
mod inventory;
mod program;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::program::Program;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = snag_tests::repository().join("tests/corpus/programs");
    let programs = match Program::load_all(&root) {
        Ok(programs) => programs,
        Err(error) => {
            eprintln!("failed to load the corpus: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = inventory::trials(&root, &programs);
    trials.extend(programs.into_iter().map(trial));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(program: Program) -> Trial {
    let name = format!("{}::{}", program.package, program.name.replace('/', "::"));
    Trial::test(name, move || check::repeatedly(&program).map_err(Failed::from))
}
