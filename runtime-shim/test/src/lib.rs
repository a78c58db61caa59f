//! The facade crate named `test`: the real libtest, whose harness `cargo snag explore` may take over.
//!
//! Everything is the real libtest's but `test_main_static`, which the harness that rustc makes calls with
//! all tests. Where the process serves an exploration, one of them is executed at a time, under the
//! scheduler; else libtest does what it always does.
//!
//! It is the one crate of the shim that is instrumented as the program is, since it does with threads what
//! libtest does; and the one that needs `RUSTC_BOOTSTRAP`: libtest is unstable, and rustc itself its only
//! user.

#![no_std]
#![feature(test)]

extern crate std;
extern crate test as real_test;

pub use real_test::*;

use core::any::Any;
use snag_runtime::explore;
use std::borrow::ToOwned as _;
use std::boxed::Box;
use std::string::{String, ToString as _};
use std::thread::Builder;

/// What the harness calls, with all tests.
pub fn test_main_static(tests: &[&TestDescAndFn]) {
    match explore::test_to_execute(tests.iter().map(|test| (flags(test), name(test)))) {
        None => real_test::test_main_static(tests),
        Some(number) => execute(tests.get(number).copied()),
    }
}

/// As [`test_main_static`], in a harness that is compiled with `panic = "abort"`.
pub fn test_main_static_abort(tests: &[&TestDescAndFn]) {
    match explore::test_to_execute(tests.iter().map(|test| (flags(test), name(test)))) {
        None => real_test::test_main_static_abort(tests),
        Some(number) => execute(tests.get(number).copied()),
    }
}

/// Executes a test in a thread of its name, as libtest does, and ends the process.
fn execute(test: Option<&TestDescAndFn>) -> ! {
    let Some((test, &StaticTestFn(body))) = test.map(|test| (test, &test.testfn)) else {
        explore::say(&["", "\n", "there is no such test"]);
        explore::conclude(false)
    };
    explore::begin();
    let thread = Builder::new().name(name(test).to_owned()).spawn(body);
    let outcome = match thread {
        Ok(thread) => thread.join(),
        Err(error) => Ok(Err(error.to_string())),
    };
    explore::conclude(has_passed(&outcome, test.desc.should_panic))
}

/// Whether this is what the test has to do. Says why not.
fn has_passed(outcome: &Result<Result<(), String>, Box<dyn Any + Send>>, due: ShouldPanic) -> bool {
    match (outcome, due) {
        (Ok(Ok(())), ShouldPanic::No) | (Err(_), ShouldPanic::Yes) => true,
        (Err(_), ShouldPanic::No) => false,
        (Err(panic), ShouldPanic::YesWithMessage(wanted)) => {
            let said = text(&**panic);
            if !said.contains(wanted) {
                explore::say(&["", "\n", "the panic does not say what it should, but: ", said]);
            }
            said.contains(wanted)
        }
        (Ok(Err(why)), _) => {
            explore::say(&["", "\n", why]);
            false
        }
        (Ok(Ok(())), _) => {
            explore::say(&["", "\n", "the test did not panic, and should have"]);
            false
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

fn flags(test: &TestDescAndFn) -> u8 {
    let mut flags = 0;
    if test.desc.ignore {
        flags |= explore::TEST_IGNORED;
    }
    if test.desc.should_panic != ShouldPanic::No {
        flags |= explore::TEST_SHOULD_PANIC;
    }
    if !matches!(test.testfn, StaticTestFn(_)) {
        flags |= explore::TEST_OTHER;
    }
    flags
}

fn name(test: &TestDescAndFn) -> &'static str {
    match test.desc.name {
        StaticTestName(name) => name,
        _ => "",
    }
}
