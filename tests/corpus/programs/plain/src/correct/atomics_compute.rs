//! Correct: every operation on atomics of every width gives what its specification says, and each
//! hands the turn to the other thread, which then owns the data.

use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
};
use std::thread;

use shared::{Shared, wait_until};

macro_rules! computes {
    ($atomic:ident, $int:ty) => {{
        let cell = $atomic::new(12);
        assert_eq!(cell.load(SeqCst), 12);
        cell.store(100, SeqCst);
        assert_eq!(cell.swap(6, AcqRel), 100);
        assert_eq!(cell.fetch_add(<$int>::MAX, Relaxed), 6);
        assert_eq!(cell.load(Acquire), (6 as $int).wrapping_add(<$int>::MAX));
        assert_eq!(cell.fetch_sub(<$int>::MAX, Release), (6 as $int).wrapping_add(<$int>::MAX));
        assert_eq!(cell.fetch_and(0b101, SeqCst), 6);
        assert_eq!(cell.fetch_or(0b11, Acquire), 0b100);
        assert_eq!(cell.fetch_xor(0b101, AcqRel), 0b111);
        assert_eq!(cell.fetch_nand(0b11, SeqCst), 0b10);
        assert_eq!(cell.load(Relaxed), !(0b10 as $int));
        cell.store(7, Release);
        assert_eq!(cell.fetch_max(9, Relaxed), 7);
        assert_eq!(cell.fetch_min(3, SeqCst), 9);
        assert_eq!(cell.compare_exchange(4, 5, SeqCst, Acquire), Err(3));
        assert_eq!(cell.compare_exchange(3, 5, AcqRel, Relaxed), Ok(3));
        while cell.compare_exchange_weak(5, 6, SeqCst, SeqCst).is_err() {}
        assert_eq!(cell.fetch_update(SeqCst, Relaxed, |value| Some(value * 2)), Ok(6));
        assert_eq!(cell.into_inner(), 12);
    }};
}

fn compute() {
    computes!(AtomicU8, u8);
    computes!(AtomicI8, i8);
    computes!(AtomicU16, u16);
    computes!(AtomicU32, u32);
    computes!(AtomicU64, u64);
    computes!(AtomicI64, i64);
    computes!(AtomicUsize, usize);
    let flag = AtomicBool::new(true);
    assert!(flag.fetch_and(false, SeqCst));
    assert!(!flag.fetch_nand(true, SeqCst));
    assert!(flag.fetch_xor(true, AcqRel));
    let (mut one, mut other) = (1, 2);
    let pointer = AtomicPtr::new(&raw mut one);
    assert_eq!(pointer.swap(&raw mut other, AcqRel), &raw mut one);
    assert_eq!(pointer.load(Acquire), &raw mut other);
}

static DATA: Shared<u64> = Shared::new(0);
static TURN: AtomicU8 = AtomicU8::new(0);

/// Waits for the turn `mine`, increments, and hands on by `pass`.
fn take_turn<T>(mine: u8, pass: impl FnOnce() -> T) {
    wait_until(|| TURN.load(Acquire) == mine);
    // SAFETY: it is this thread's turn.
    unsafe { *DATA.get() += 1 };
    pass();
}

pub fn main() {
    compute();
    thread::scope(|scope| {
        scope.spawn(|| {
            take_turn(0, || TURN.store(1, Release));
            take_turn(2, || TURN.fetch_add(1, Release));
            take_turn(4, || TURN.compare_exchange(4, 5, Release, Relaxed));
            take_turn(6, || TURN.fetch_max(7, AcqRel));
        });
        scope.spawn(|| {
            take_turn(1, || TURN.swap(2, Release));
            take_turn(3, || TURN.fetch_xor(3 ^ 4, SeqCst));
            take_turn(5, || TURN.fetch_update(Release, Relaxed, |turn| Some(turn + 1)));
            take_turn(7, || TURN.store(8, SeqCst));
        });
    });
    // SAFETY: both threads have ended.
    assert_eq!((unsafe { *DATA.get() }, TURN.load(Relaxed)), (8, 8));
}
