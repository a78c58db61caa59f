//! Programs that race.

use shared::Program;

mod c_lock_and_rust_lock;
mod c_threads_share;

/// All of them, by name.
pub const PROGRAMS: &[Program] = &[
    ("racy/c_lock_and_rust_lock", c_lock_and_rust_lock::main),
    ("racy/c_threads_share", c_threads_share::main),
];
