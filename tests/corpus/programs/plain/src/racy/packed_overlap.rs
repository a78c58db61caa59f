//! Races: a packed, unaligned word that crosses a boundary of eight bytes, and a byte at its end.

use std::hint::black_box;
use std::thread;

use shared::Shared;

#[repr(C, packed)]
struct Packed {
    tag: u8,
    word: u64,
    rest: [u8; 7],
}

#[repr(C, align(16))]
struct Aligned(Packed);

static DATA: Shared<Aligned> = Shared::new(Aligned(Packed { tag: 0, word: 0, rest: [0; 7] }));

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread reads the last of its bytes.
            unsafe { (*DATA.get()).0.word = u64::MAX }; //~ data_race
        });
        scope.spawn(|| {
            let bytes: *const u8 = DATA.get().cast();
            // SAFETY: none, see above.
            black_box(unsafe { *bytes.add(8) }); //~ data_race
        });
    });
    // SAFETY: the threads have ended.
    let Packed { tag, word, rest } = unsafe { DATA.get().cast::<Packed>().read() };
    assert_eq!((tag, word, rest), (0, u64::MAX, [0; 7]));
}
