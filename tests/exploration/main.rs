//! Exploration of the fixtures that are programs, through the real `cargo snag explore`.
//!
//! A fixture with marks passes if each mark's rule is among the findings, whatever the run of `cargo snag
//! run` would have shown of it, and if each schedule that is kept needs few preemptions and is the same in
//! every replay. One without marks passes if there is no finding but potential ones.
//! `SNAG_ITERATIONS=10000` explores those longer, and `SNAG_REPLAYS=1000` replays the others more often;
//! `SNAG_SEED=7` looks at other schedules; `SNAG_REPEAT` is not needed, since the same seed is the same
//! exploration.

mod check;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use snag_tests::fixture::{Fixture, Run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = snag_tests::repository().join("fixtures");
    let fixtures = match Fixture::load_all(&root) {
        Ok(fixtures) => fixtures,
        Err(error) => {
            eprintln!("failed to load the fixtures: {error}");
            return ExitCode::FAILURE;
        }
    };
    let programs = fixtures.into_iter().filter(|fixture| fixture.run == Run::Program && fixture.explored);
    let trials = programs.map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(fixture: Fixture) -> Trial {
    Trial::test(fixture.name.clone(), move || check::explored(&fixture).map_err(Failed::from))
}
