//! What a forked child does before it is another program, and may not if its parent had other threads.
//!
//! Locks and threads are recorded anyway; this is for the rest: each act is recorded the first time, in
//! forked children alone. In any other process an act costs a load and a branch.
//!
//! Known misses: without the memory layer nobody says that memory is allocated.

use core::sync::atomic::{AtomicU8, Ordering};

use snag_trace::{Act, Flags, Kind, Mode};

use crate::recorder::{At, record_at};

/// A bit per act that has still to be recorded.
static AWAITED: AtomicU8 = AtomicU8::new(0);

const fn bit(act: Act) -> u8 {
    1 << act as u8
}

/// This process is a forked child.
pub(crate) fn begin() {
    let all = Act::ALL.iter().fold(0, |all, &act| all | bit(act));
    AWAITED.store(all, Ordering::Relaxed);
}

/// The calling thread acts, in the code at `code`.
#[inline(always)]
pub(crate) fn acts(act: Act, code: usize) {
    if AWAITED.load(Ordering::Relaxed) & bit(act) != 0 {
        first(act, code);
    }
}

#[cold]
#[inline(never)]
fn first(act: Act, code: usize) {
    // Whatever recording it needs is not the program's.
    if AWAITED.fetch_and(!bit(act), Ordering::Relaxed) & bit(act) != 0 {
        record_at(Kind::ForkedAct, Mode::None, Flags::NONE, 0, At::Called(code), act as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_is_recorded_once_in_a_child_and_never_elsewhere() {
        assert_eq!(AWAITED.load(Ordering::Relaxed), 0);
        begin();
        acts(Act::Prints, 1);
        assert_eq!(AWAITED.load(Ordering::Relaxed), bit(Act::Allocates) | bit(Act::UsesEnvironment));
        acts(Act::Prints, 1);
        AWAITED.store(0, Ordering::Relaxed);
    }
}
