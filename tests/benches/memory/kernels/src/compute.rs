//! Kernels that read and write arrays.

use std::thread;

use rayon::prelude::*;

use crate::{Random, THREADS};

/// Bound by memory: three arrays of 2 MiB.
pub fn stream(scale: usize) -> u64 {
    const LEN: usize = 1 << 18;
    let (mut sums, ones, twos) = (vec![0.0; LEN], vec![1.0; LEN], vec![2.0; LEN]);
    for round in 0..scale * 12 {
        let (ones, twos, factor) = (&ones, &twos, round as f64);
        thread::scope(|scope| {
            for (index, part) in sums.chunks_mut(LEN / THREADS).enumerate() {
                scope.spawn(move || {
                    let start = index * (LEN / THREADS);
                    for (at, sum) in part.iter_mut().enumerate() {
                        *sum = ones[start + at] + factor * twos[start + at];
                    }
                });
            }
        });
    }
    sums.iter().sum::<f64>() as u64
}

/// Rows of a product of two square matrices.
pub fn matmul(scale: usize) -> u64 {
    const SIDE: usize = 240;
    let left: Vec<f64> = (0..SIDE * SIDE).map(|at| (at % 13) as f64).collect();
    let right: Vec<f64> = (0..SIDE * SIDE).map(|at| (at % 7) as f64).collect();
    let mut product = vec![0.0; SIDE * SIDE];
    for _ in 0..scale {
        let (left, right) = (&left, &right);
        thread::scope(|scope| {
            for (part, rows) in product.chunks_mut(SIDE * SIDE / THREADS).enumerate() {
                let first = part * (SIDE / THREADS);
                scope.spawn(move || multiply(left, right, rows, first, SIDE));
            }
        });
    }
    product.iter().sum::<f64>() as u64
}

fn multiply(left: &[f64], right: &[f64], rows: &mut [f64], first: usize, side: usize) {
    for (row, cells) in rows.chunks_mut(side).enumerate() {
        for (column, cell) in cells.iter_mut().enumerate() {
            let mut sum = 0.0;
            for at in 0..side {
                sum += left[(first + row) * side + at] * right[at * side + column];
            }
            *cell = sum;
        }
    }
}

/// A merge sort of one's own, std's two sorts.
pub fn sort(scale: usize) -> u64 {
    const LEN: usize = 250_000;
    let mut result = 0;
    for round in 0..scale {
        let mut random = Random(round as u64 + 5);
        let mut numbers: Vec<u64> = (0..LEN).map(|_| random.next()).collect();
        let mut room = vec![0; LEN];
        let mut small: Vec<u32> = numbers.iter().map(|number| (number >> 7) as u32).collect();
        merge_sort(&mut numbers, &mut room, 2);
        let (low, high) = small.split_at_mut(LEN / 2);
        thread::scope(|scope| {
            scope.spawn(|| low.sort_unstable());
            high.sort();
        });
        result ^= numbers[LEN / 2] ^ u64::from(small[LEN / 3]);
    }
    result
}

fn merge_sort(numbers: &mut [u64], room: &mut [u64], splits: u32) {
    if numbers.len() <= 24 {
        for end in 1..numbers.len() {
            let mut at = end;
            while at > 0 && numbers[at - 1] > numbers[at] {
                numbers.swap(at - 1, at);
                at -= 1;
            }
        }
        return;
    }
    let middle = numbers.len() / 2;
    let (low, high) = numbers.split_at_mut(middle);
    let (low_room, high_room) = room.split_at_mut(middle);
    if splits > 0 {
        thread::scope(|scope| {
            scope.spawn(|| merge_sort(low, low_room, splits - 1));
            merge_sort(high, high_room, splits - 1);
        });
    } else {
        merge_sort(low, low_room, 0);
        merge_sort(high, high_room, 0);
    }
    let (mut next_low, mut next_high) = (0, 0);
    for place in room.iter_mut() {
        let from_low = next_high == high.len() || (next_low < low.len() && low[next_low] <= high[next_high]);
        let next = if from_low { &mut next_low } else { &mut next_high };
        *place = if from_low { low[*next] } else { high[*next] };
        *next += 1;
    }
    numbers.copy_from_slice(room);
}

/// Conway's life on bytes, with the edges joined.
pub fn grid(scale: usize) -> u64 {
    const SIDE: usize = 512;
    let mut random = Random(9);
    let mut now: Vec<u8> = (0..SIDE * SIDE).map(|_| (random.next() & 1) as u8).collect();
    let mut next = vec![0; SIDE * SIDE];
    for _ in 0..scale * 10 {
        let before = &now;
        thread::scope(|scope| {
            for (part, rows) in next.chunks_mut(SIDE * SIDE / THREADS).enumerate() {
                scope.spawn(move || {
                    for (at, cell) in rows.iter_mut().enumerate() {
                        *cell = step(before, part * (SIDE / THREADS) + at / SIDE, at % SIDE, SIDE);
                    }
                });
            }
        });
        std::mem::swap(&mut now, &mut next);
    }
    now.iter().map(|cell| u64::from(*cell)).sum()
}

fn step(cells: &[u8], row: usize, column: usize, side: usize) -> u8 {
    let mut alive = 0;
    for down in [side - 1, 0, 1] {
        for right in [side - 1, 0, 1] {
            if (down, right) != (0, 0) {
                alive += cells[(row + down) % side * side + (column + right) % side];
            }
        }
    }
    u8::from(alive == 3 || (alive == 2 && cells[row * side + column] == 1))
}

/// Maps and reductions over parallel iterators.
pub fn rayon_reduction(scale: usize) -> u64 {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads start");
    let mut random = Random(3);
    let numbers: Vec<u32> = (0..1 << 20).map(|_| random.next() as u32).collect();
    let mix = |number: &u32| u64::from(number.rotate_left(number & 7)).wrapping_mul(2_654_435_761);
    pool.install(|| {
        let round = |_| numbers.par_iter().map(mix).reduce(|| 0, u64::wrapping_add);
        (0..scale * 20).map(round).fold(0, u64::wrapping_add)
    })
}
