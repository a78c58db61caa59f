//! Programs without a race.

use shared::Program;

mod crossbeam_channels_and_queues;
mod epoch_stack;
mod other_crates;
mod parking_lot_everything;
mod portable_atomic_wide;
mod rayon_everything;
mod tokio_everything;

/// All of them, by name.
pub const PROGRAMS: &[Program] = &[
    ("correct/crossbeam_channels_and_queues", crossbeam_channels_and_queues::main),
    ("correct/epoch_stack", epoch_stack::main),
    ("correct/other_crates", other_crates::main),
    ("correct/parking_lot_everything", parking_lot_everything::main),
    ("correct/portable_atomic_wide", portable_atomic_wide::main),
    ("correct/rayon_everything", rayon_everything::main),
    ("correct/tokio_everything", tokio_everything::main),
];
