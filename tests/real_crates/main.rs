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
//!
//! Race detectors are wrong about nothing more readily than about these crates: between them they use
//! every ordering, fence and trick that there is.

mod source;
mod suite;
mod verdicts;

use suite::Crate;

/// A crate with nothing special about it.
const fn ordinary(name: &'static str, version: &'static str) -> Crate {
    Crate { name, version, flags: &[], differing: &[], real: &[] }
}

/// Defines one test per crate.
macro_rules! suites {
    ($($test:ident: $suite:expr;)*) => {
        $(
            #[test]
            #[ignore = "downloads a crate and takes minutes"]
            fn $test() {
                $suite.check();
            }
        )*
    };
}

suites! {
    arc_swap: ordinary("arc-swap", "1.9.3");
    crossbeam: ordinary("crossbeam", "0.8.5");
    crossbeam_channel: Crate { real: &[ATOMIC_CELL], ..ordinary("crossbeam-channel", "0.5.17") };
    crossbeam_deque: Crate { real: &[DEQUE_BUFFER], ..ordinary("crossbeam-deque", "0.8.8") };
    crossbeam_epoch: ordinary("crossbeam-epoch", "0.9.21");
    crossbeam_queue: ordinary("crossbeam-queue", "0.3.14");
    crossbeam_skiplist: Crate {
        // Denied by default since it was published; cargo asks that of the crate being tested alone.
        flags: &["--config=build.rustflags=['-Adangerous_implicit_autorefs']"],
        ..ordinary("crossbeam-skiplist", "0.1.3")
    };
    crossbeam_utils: Crate { real: &[ATOMIC_CELL], ..ordinary("crossbeam-utils", "0.8.23") };
    dashmap: ordinary("dashmap", "6.2.1");
    flume: ordinary("flume", "0.12.0");
    lock_api: ordinary("lock_api", "0.4.14");
    lock_api_0_5: ordinary("lock_api", "0.5.0");
    once_cell: Crate {
        differing: &[(
            "sync_once_cell::reentrant_init",
            "it wants a program that deadlocks on purpose to hang for two seconds, and snag ends it when it notices",
        )],
        real: &[("blocked_forever", "src/imp_std.rs", "the program that deadlocks on purpose")],
        ..ordinary("once_cell", "1.21.4")
    };
    parking_lot: ordinary("parking_lot", "0.12.5");
    parking_lot_on_lock_api_0_5: ordinary("parking_lot", "0.13.0");
    rayon_core: Crate { real: &[DEQUE_BUFFER], ..ordinary("rayon-core", "1.13.0") };
    // The last version whose published package contains its tests.
    tokio_sync: Crate { flags: TOKIO_SYNC, ..ordinary("tokio", "1.47.0") };
}

/// Defines one test per crate whose tests are explored.
macro_rules! explored {
    ($($test:ident: $suite:expr;)*) => {
        mod explored {
            use super::*;
            $(
                #[test]
                #[ignore = "downloads a crate and takes minutes"]
                fn $test() {
                    $suite.explore();
                }
            )*
        }
    };
}

explored! {
    arc_swap: ordinary("arc-swap", "1.9.3");
    crossbeam_channel: Crate { real: &[ATOMIC_CELL], ..ordinary("crossbeam-channel", "0.5.17") };
    flume: ordinary("flume", "0.12.0");
    once_cell: ordinary("once_cell", "1.21.4");
    parking_lot: ordinary("parking_lot", "0.12.5");
}

/// An `AtomicCell` of what no atomic of the machine holds is a sequence lock: its reader copies the value
/// while the writer may be at it, then looks whether that was so.
const ATOMIC_CELL: (&str, &str, &str) = (
    "data_race",
    "src/atomic/atomic_cell.rs",
    "what it says itself at `atomic_load`: a data race by the memory model, and volatile in the hope that it works",
);

/// A stolen slot of the queue is read before the thief knows that it is its own, while the owner may be
/// writing the slot anew.
const DEQUE_BUFFER: (&str, &str, &str) = (
    "data_race",
    "src/deque.rs",
    "what it says itself at `Buffer::read` and `Buffer::write`: technically a data race, for want of an atomic \
     access to any `T`, and volatile as a hack",
);

/// tokio's integration tests of its `sync` module.
const TOKIO_SYNC: &[&str] = &[
    "--features=full,test-util",
    "--test=sync_barrier",
    "--test=sync_broadcast",
    "--test=sync_broadcast_weak",
    "--test=sync_errors",
    "--test=sync_mpsc",
    "--test=sync_mpsc_weak",
    "--test=sync_mutex",
    "--test=sync_mutex_owned",
    "--test=sync_notify",
    "--test=sync_notify_owned",
    "--test=sync_once_cell",
    "--test=sync_oneshot",
    "--test=sync_panic",
    "--test=sync_rwlock",
    "--test=sync_semaphore",
    "--test=sync_semaphore_owned",
    "--test=sync_set_once",
    "--test=sync_watch",
];
