//! Races: a write through `Arc::as_ptr` while another owner reads.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;

pub fn main() {
    let data = Arc::new([1_u64; 4]);
    let other = Arc::clone(&data);
    let reader = thread::spawn(move || black_box(other[2])); //~ data_race
    // SAFETY: none, the other owner reads.
    unsafe { (*Arc::as_ptr(&data).cast_mut())[2] = 7 }; //~ data_race
    reader.join().unwrap();
}
