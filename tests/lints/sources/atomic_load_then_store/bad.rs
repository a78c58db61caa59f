//! Updates in two steps.

use std::sync::atomic::{AtomicU64, Ordering};

static VISITORS: AtomicU64 = AtomicU64::new(0);

struct Peak {
    highest: AtomicU64,
}

fn enter() {
    VISITORS.store(VISITORS.load(Ordering::SeqCst) + 1, Ordering::SeqCst); //~ atomic_load_then_store
}

impl Peak {
    fn note(&self, seen: u64) {
        let before = self.highest.load(Ordering::Relaxed);
        let after = before.max(seen);
        self.highest.store(after, Ordering::Relaxed); //~ atomic_load_then_store
    }
}
