//! What the facade of libtest calls, and what runs before `main`, where schedules are explored.

use std::any::Any;

use crate::engine::controlled::serve;
use crate::engine::controlled::{self};

pub use snag_trace::control::{TEST_IGNORED, TEST_OTHER, TEST_SHOULD_PANIC};

/// What a test must do to pass.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// Come back.
    Return,
    /// Panic, saying this.
    Panic(Option<&'static str>),
}

/// Serves, if this process does: puts down the names and flags of the tests, and comes back with the
/// position of the one that is to be executed. Nothing where tests are to run as always.
pub fn test_to_execute(tests: impl Iterator<Item = (u8, &'static str)>) -> Option<usize> {
    serve::serve_tests(tests)
}

/// Executes a test in a thread of its name, as libtest does, and ends the process.
pub fn execute(name: &str, due: Due, test: impl FnOnce() -> Result<(), String> + Send + 'static) -> ! {
    controlled::begin();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(test);
    let outcome = match thread {
        Ok(thread) => thread.join(),
        Err(error) => Ok(Err(error.to_string())),
    };
    let passed = match (&outcome, due) {
        (Ok(Ok(())), Due::Return) => true,
        (Ok(Err(why)), _) => {
            serve::say(&["", "\n", why]);
            false
        }
        (Ok(Ok(())), Due::Panic(_)) => {
            serve::say(&["", "\n", "the test did not panic, and should have"]);
            false
        }
        (Err(_), Due::Return) => false,
        (Err(said), Due::Panic(wanted)) => {
            let panicked_as_due = wanted.is_none_or(|wanted| text(&**said).contains(wanted));
            if !panicked_as_due {
                serve::say(&["", "\n", "the panic does not say what it should: ", text(&**said)]);
            }
            panicked_as_due
        }
    };
    controlled::conclude(passed)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

/// A program without a harness is served from before its `main`, after all that has to be ready.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    serve::serve_program();
}
