//! What the facade of libtest calls, and what runs before `main`, where schedules are explored.

use crate::engine::controlled::{self, serve};

pub use snag_trace::control::{TEST_IGNORED, TEST_OTHER, TEST_SHOULD_PANIC};

/// Serves, if this process does: puts down the names and flags of the tests, and comes back with the
/// position of the one that is to be executed. Nothing where tests are to run as always.
pub fn test_to_execute(tests: impl Iterator<Item = (u8, &'static str)>) -> Option<usize> {
    serve::serve_tests(tests)
}

/// From here on the scheduler says who runs; the calling thread is the only one.
pub fn begin() {
    controlled::begin();
}

/// Says why the test did not pass, in place of what a panic has said.
pub fn say(parts: &[&str]) {
    serve::say(parts);
}

/// The test has passed, or not: ends the process.
pub fn conclude(passed: bool) -> ! {
    controlled::conclude(passed)
}

/// A program without a harness is served from before its `main`, after all that has to be ready.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    serve::serve_program();
}
