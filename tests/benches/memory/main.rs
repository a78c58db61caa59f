//! What the memory layer costs, against the plain program and against stock ThreadSanitizer:
//! `cargo bench -p snag-tests --bench memory` prints CPU time and peak memory of each kernel as ratios,
//! their geometric means, and how cost grows with threads and with accesses.
//!
//! The kernels (`kernels/`, a package of its own) are built three ways and run in turn, so that a drift
//! of the machine's speed hits all alike. Each measures itself, from its start to the end of `main`, so
//! that what `cargo snag` does after a run is not counted; snag's runs are recorded as any other.
//! The least of the rounds counts. Words after `--` choose kernels whose name contains one of them.
//! `SNAG_ROUNDS` says how many rounds.
//!
//! ThreadSanitizer is that of the installed rustc (`RUSTC_BOOTSTRAP=1 -Zsanitizer=thread`) with the std
//! that is shipped, which is not instrumented: only what is generic in it is. Its reports are turned
//! off (`report_bugs=0`), for with that std they would be false and cost time. Snag's std is
//! instrumented.

mod measure;
mod table;
mod variants;

use std::env;

use measure::{Cost, Measured};
use variants::Variant;

/// Name and scale of each kernel: about 50 ms of a plain run.
const KERNELS: [(&str, usize); 13] = [
    ("stream", 6),
    ("matmul", 6),
    ("sort", 2),
    ("grid", 1),
    ("rayon", 5),
    ("strings", 12),
    ("churn", 4),
    ("tree", 4),
    ("map", 3),
    ("mutex", 2),
    ("ping_pong", 1),
    ("pipeline", 4),
    ("queue", 5),
];

/// Name, scales and unit of each series.
const SERIES: [(&str, &[usize], &str); 4] = [
    ("split", &[1, 2, 4, 16, 64, 256], "threads for the same work"),
    ("live", &[16, 256, 1_000, 4_000], "threads at the same time"),
    ("turns", &[1_000, 10_000, 100_000], "threads one after the other"),
    ("accesses", &[20, 40, 80, 160, 320], "million accesses"),
];

const DEFAULT_ROUNDS: usize = 5;

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let rounds = env::var("SNAG_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_ROUNDS);
    let variants = variants::build_all();
    let kernels: Vec<_> = KERNELS.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    let rows: Vec<_> =
        kernels.into_iter().map(|(name, scale)| (name, least(&variants, name, scale, rounds))).collect();
    if !rows.is_empty() {
        table::kernels(&rows, rounds);
    }
    for (name, scales, unit) in SERIES.into_iter().filter(|(name, ..)| is_wanted(name)) {
        let row = |&scale: &usize| (scale, least(&variants, name, scale, rounds.min(2)));
        table::series(name, unit, &scales.iter().map(row).collect::<Vec<_>>());
    }
}

/// The least that each variant took of a kernel, in `rounds` rounds of one after the other.
fn least(variants: &[Variant], name: &str, scale: usize, rounds: usize) -> Measured {
    let mut least: Measured = [None; 3];
    for _ in 0..rounds {
        for (best, variant) in least.iter_mut().zip(variants) {
            *best = Cost::least(*best, measure::run(variant, name, scale));
        }
    }
    least
}
