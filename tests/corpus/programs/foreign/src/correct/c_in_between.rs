//! Correct: threads that C spawned call back into Rust, take a lock of C's for what they share, and
//! pass blocks from C's allocator around.

use std::cmp::Ordering;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use shared::{Pointer, Shared};

use crate::between::{between_copy, between_free, between_locked, between_run, between_sort};

static DATA: Shared<u64> = Shared::new(0);
static COPIES: Mutex<Option<Sender<Pointer<std::ffi::c_char>>>> = Mutex::new(None);

extern "C" fn increment(argument: *mut c_void) -> *mut c_void {
    // SAFETY: under C's lock.
    unsafe { *DATA.get() += 1 };
    argument
}

extern "C" fn compare(one: *const c_void, other: *const c_void) -> c_int {
    // SAFETY: both point to elements of the array of numbers.
    let order = unsafe { (*one.cast::<u32>()).cmp(&*other.cast()) };
    match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

extern "C" fn work(_: *mut c_void) -> *mut c_void {
    for round in 0..20_u32 {
        // SAFETY: the callback may be called from any thread.
        unsafe { between_locked(increment, ptr::null_mut()) };
        let mut numbers: Vec<u32> = (0..30).map(|number| number * 7 % 31 + round).collect();
        // SAFETY: as many elements of that size.
        unsafe { between_sort(numbers.as_mut_ptr().cast(), numbers.len(), 4, compare) };
        assert!(numbers.is_sorted());
        let text = format!("round {round}");
        // SAFETY: the text is that long.
        let copy = unsafe { between_copy(text.as_ptr().cast(), text.len()) };
        COPIES.lock().unwrap().as_ref().unwrap().send(Pointer(copy)).unwrap();
    }
    ptr::null_mut()
}

pub fn main() {
    let (sender, receiver) = channel();
    *COPIES.lock().unwrap() = Some(sender);
    // SAFETY: the callback may be called from any thread.
    unsafe { between_run(3, work, ptr::null_mut()) };
    *COPIES.lock().unwrap() = None;
    for copy in receiver {
        // SAFETY: a copy that C made, freed once.
        unsafe {
            assert!(CStr::from_ptr(copy.get()).to_str().unwrap().starts_with("round "));
            between_free(copy.get());
        }
    }
    // SAFETY: C has joined the threads.
    assert_eq!(unsafe { *DATA.get() }, 60);
}
