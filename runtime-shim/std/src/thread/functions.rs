//! The free functions of `std::thread` that let others go on, or wait.

use super::{Builder, JoinHandle};
use crate::place::here;
use core::time::Duration;
use real_std::thread as real;
use snag_runtime::sync::thread as traced;

/// Spawns a thread.
///
/// # Panics
/// If the operating system has no thread left.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn thread")
}

/// Lets other threads run.
#[track_caller]
pub fn yield_now() {
    traced::pausing(here());
    real::yield_now();
}

/// Waits for the calling thread's park token.
#[track_caller]
pub fn park() {
    traced::park(None, here());
}

/// Waits for the calling thread's park token, but only for so many milliseconds.
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::park_timeout`")]
#[track_caller]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(u64::from(ms)));
}

/// Waits for the calling thread's park token, but only for so long.
#[track_caller]
pub fn park_timeout(dur: Duration) {
    traced::park(Some(dur), here());
}

/// Sleeps for so many milliseconds.
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::sleep`")]
#[track_caller]
pub fn sleep_ms(ms: u32) {
    sleep(Duration::from_millis(u64::from(ms)));
}

/// Sleeps for so long.
#[track_caller]
pub fn sleep(dur: Duration) {
    traced::sleeping(|| real::sleep(dur), here());
}
