//! Updates in one step, under a lock, or of an atomic that nobody else has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

static VISITORS: AtomicU64 = AtomicU64::new(0);
static DOOR: Mutex<()> = Mutex::new(());

struct Peak {
    highest: AtomicU64,
    shown: AtomicU64,
}

fn enter() {
    VISITORS.fetch_add(1, Ordering::SeqCst);
}

fn enter_locked() {
    let _door = DOOR.lock().unwrap();
    VISITORS.store(VISITORS.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
}

impl Peak {
    fn show(&self) {
        self.shown.store(self.highest.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn alone(&mut self) {
        self.highest.store(self.highest.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
