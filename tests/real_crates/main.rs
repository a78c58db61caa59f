//! The own test suites of published crates, run with and without snag: every test must end the same
//! way, and nothing confirmed or predicted may be found that is not a bug.
//!
//! Needs the network, or what an earlier run left in cargo's cache, and some minutes:
//!
//! ```text
//! cargo test -p snag-tests --test real_crates -- --ignored --test-threads=1 --nocapture
//! ```
//!
//! Each test prints its row of the table in docs/real-crates.md.

mod source;
mod suite;
mod verdicts;

use suite::Crate;

/// A crate with nothing special about it.
const fn ordinary(name: &'static str, version: &'static str) -> Crate {
    Crate { name, version, flags: &[], differing: &[], real: &[] }
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn crossbeam_channel() {
    ordinary("crossbeam-channel", "0.5.17").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn parking_lot() {
    ordinary("parking_lot", "0.12.5").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn parking_lot_on_lock_api_0_5() {
    ordinary("parking_lot", "0.13.0").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn lock_api() {
    ordinary("lock_api", "0.4.14").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn lock_api_0_5() {
    ordinary("lock_api", "0.5.0").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn flume() {
    ordinary("flume", "0.12.0").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn rayon_core() {
    ordinary("rayon-core", "1.13.0").check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn once_cell() {
    Crate {
        differing: &[(
            "sync_once_cell::reentrant_init",
            "it wants a program that deadlocks on purpose to hang for two seconds, and snag ends it when it notices",
        )],
        real: &[("blocked_forever", "src/imp_std.rs", "the program that deadlocks on purpose")],
        ..ordinary("once_cell", "1.21.4")
    }
    .check();
}

#[test]
#[ignore = "downloads a crate and takes minutes"]
fn arc_swap() {
    ordinary("arc-swap", "1.9.3").check();
}
