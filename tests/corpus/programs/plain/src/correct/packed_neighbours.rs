//! Correct: packed, unaligned fields side by side, each with a thread of its own.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

#[repr(C, packed)]
#[derive(Default)]
struct Packed {
    tag: u8,
    word: u64,
    short: u16,
    half: u32,
    last: u8,
}

static DATA: Shared<Packed> = Shared::new(Packed { tag: 0, word: 0, short: 0, half: 0, last: 0 });

/// Increments a field a hundred times.
macro_rules! increments {
    ($scope:expr, $start:expr, $field:ident) => {
        $scope.spawn(|| {
            $start.wait();
            for _ in 0..100 {
                // SAFETY: each field has a thread of its own.
                unsafe { (*DATA.get()).$field += 1 };
            }
        })
    };
}

pub fn main() {
    let start = Barrier::new(5);
    thread::scope(|scope| {
        increments!(scope, start, tag);
        increments!(scope, start, word);
        increments!(scope, start, short);
        increments!(scope, start, half);
        increments!(scope, start, last);
    });
    // SAFETY: the threads have ended.
    let Packed { tag, word, short, half, last } = unsafe { DATA.get().read() };
    assert_eq!((tag, word, short, half, last), (100, 100, 100, 100, 100));
}
