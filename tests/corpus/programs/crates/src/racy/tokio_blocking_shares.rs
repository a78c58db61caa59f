//! Races: a blocking task of tokio's, and the thread that waits for another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared::{Shared, wait_until};
use tokio::runtime::Builder;

static WRITTEN: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let data = Arc::new(Shared::new(0_u64));
    let theirs = data.clone();
    let writer = runtime.spawn_blocking(move || {
        // SAFETY: none, the reader does not wait for this task.
        unsafe { *theirs.get() += 1 }; //~ data_race
        WRITTEN.store(true, Ordering::Relaxed);
    });
    wait_until(|| WRITTEN.load(Ordering::Relaxed));
    // SAFETY: none, see above.
    unsafe { *data.get() += 1 }; //~ data_race
    runtime.block_on(writer).unwrap();
}
