//! The heap: what a block is, where it was allocated, and what its end means.

use super::thread::Thread;

/// Blocks that a thread freed and that the allocator does not have back yet. All zero: none.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Quarantine {
    blocks: [usize; 16],
    next: usize,
}

/// The thread ends: the allocator gets its blocks back.
pub(super) fn end_of_thread(_thread: &mut Thread) {}
