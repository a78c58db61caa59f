//! Races: the writer's release fence has no acquire fence to meet, since the reader loads relaxed and
//! goes on.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static READY: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *DATA.get() = 1 }; //~ data_race
            fence(Ordering::Release);
            READY.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| READY.load(Ordering::Relaxed));
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
