//! The facade crate named `test`: the real libtest, whose harness `cargo snag explore` may take over.
//!
//! Everything is the real libtest's but `test_main_static`, which the harness that rustc makes calls with
//! all tests. Where the process serves an exploration, one of them is executed at a time, under the
//! scheduler; else libtest does what it always does.
//!
//! It is the one crate of the shim that needs `RUSTC_BOOTSTRAP`: libtest is unstable, and rustc itself is
//! its only user.

#![no_std]
#![feature(test)]

extern crate std;
extern crate test as real_test;

pub use real_test::*;

use snag_runtime::explore::{self, Due};
use std::string::String;

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

fn execute(test: Option<&TestDescAndFn>) -> ! {
    let body = match test.map(|test| &test.testfn) {
        Some(StaticTestFn(body)) => *body,
        _ => || Err(String::from("there is no such test")),
    };
    let due = test.map_or(Due::Return, |test| match test.desc.should_panic {
        ShouldPanic::No => Due::Return,
        ShouldPanic::Yes => Due::Panic(None),
        ShouldPanic::YesWithMessage(text) => Due::Panic(Some(text)),
    });
    explore::execute(test.map_or("", |test| name(test)), due, body)
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
