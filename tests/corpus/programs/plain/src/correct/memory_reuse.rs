//! Correct: memory of the heap, of stacks and of mappings that one thread gives back and another gets
//! is new memory, although nothing in the program orders the two.

use std::thread;

use shared::wait_until;

fn use_heap(seed: u64) -> u64 {
    let mut sum = 0;
    for size in [1_usize, 3, 8, 24, 64, 200, 1000, 5000, 70_000, 300_000] {
        let mut block = vec![seed; size];
        block[size / 2] += 1;
        block.push(seed);
        block.shrink_to_fit();
        sum += block.iter().sum::<u64>();
        drop(block);
        let text = format!("{size} {seed}");
        sum += Box::new(text.len() as u64).wrapping_mul(2);
    }
    sum
}

fn use_stack(seed: u8) -> usize {
    let mut room = [seed; 10_000];
    room[seed as usize] = 1;
    std::hint::black_box(&mut room).iter().filter(|byte| **byte == seed).count()
}

pub fn main() {
    // Detached, so that the next thread gets the stack of one that nobody has joined.
    for seed in 0..40 {
        let thread = thread::spawn(move || use_heap(seed) + use_stack(seed as u8) as u64);
        wait_until(|| thread.is_finished());
        drop(thread);
    }
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || (0..20).map(|round| use_heap(seed + round)).sum::<u64>());
        }
    });
}
