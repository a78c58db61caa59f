//! Programs that race.

use shared::Program;

mod arc_swap_interior;
mod crossbeam_after_send;
mod dashmap_pointer_kept;
mod epoch_freed_at_once;
mod parking_lot_readers_write;
mod parking_lot_unlocked;
mod rayon_broadcast;
mod rayon_join_shares;
mod tokio_blocking_shares;
mod tokio_tasks_share;

/// All of them, by name.
pub const PROGRAMS: &[Program] = &[
    ("racy/arc_swap_interior", arc_swap_interior::main),
    ("racy/crossbeam_after_send", crossbeam_after_send::main),
    ("racy/dashmap_pointer_kept", dashmap_pointer_kept::main),
    ("racy/epoch_freed_at_once", epoch_freed_at_once::main),
    ("racy/parking_lot_readers_write", parking_lot_readers_write::main),
    ("racy/parking_lot_unlocked", parking_lot_unlocked::main),
    ("racy/rayon_broadcast", rayon_broadcast::main),
    ("racy/rayon_join_shares", rayon_join_shares::main),
    ("racy/tokio_blocking_shares", tokio_blocking_shares::main),
    ("racy/tokio_tasks_share", tokio_tasks_share::main),
];
