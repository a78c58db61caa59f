//! What the layer knows of a thread, and the thread-local words that instrumented code looks at.
//!
//! ```text
//! snag_key_read    16 bytes   four times the cell of a read by this thread now, to all eight bytes
//! snag_key_write   16 bytes   the same of a write
//! snag_thread       8 bytes   the thread's `Thread`, null while it is not followed
//! snag_frames       8 bytes   top of the thread's stack of calls
//! ```
//!
//! They are reached by the initial-exec model, which a shared object may use as well and which a linker
//! makes local-exec in an executable: `mov rax, [rip + snag_thread@gottpoff]`, `mov rax, fs:[rax]`.
//!
//! A `Thread` is made of zeros: every field of it means nothing, or nothing yet, when zero.

use core::arch::{asm, global_asm};
use core::sync::atomic::AtomicU32;

use super::clock::Clock;
use super::heap::Quarantine;
use super::history::History;
use super::layout::Cell;
use super::observed::Observed;
use super::sample;
use super::shared::{LastAtomic, RECENT, Recent};

global_asm!(
    ".pushsection .tbss.snag,\"awT\",@nobits",
    ".p2align 6",
    ".globl snag_key_read",
    ".type snag_key_read,@object",
    ".size snag_key_read,16",
    "snag_key_read: .zero 16",
    ".globl snag_key_write",
    ".type snag_key_write,@object",
    ".size snag_key_write,16",
    "snag_key_write: .zero 16",
    ".globl snag_thread",
    ".type snag_thread,@object",
    ".size snag_thread,8",
    "snag_thread: .zero 8",
    ".globl snag_frames",
    ".type snag_frames,@object",
    ".size snag_frames,8",
    "snag_frames: .zero 8",
    ".hidden snag_key_read",
    ".hidden snag_key_write",
    ".hidden snag_thread",
    ".hidden snag_frames",
    ".popsection",
);

/// Where in its life a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// std's own code, before that of the thread; ignored.
    Before = 0,
    /// Its code.
    Inside,
    /// std's own code, which drops its result.
    After,
    /// std's own code, which takes the thread out of a list; ignored.
    Ending,
    /// Thread-local destructors.
    Ended,
}

/// What the layer knows of one thread. Only that thread touches it, but where a field says otherwise.
#[repr(C)]
pub(crate) struct Thread {
    /// The recorder's number of it.
    pub(super) number: u32,
    /// Its slot; another thread may have taken it over since, see `slots`.
    pub(super) slot: u32,
    /// Its epoch: accesses from now on carry it.
    pub(super) epoch: u32,
    /// How many ignore regions it is in: above 0, accesses are not checked and atomics order nothing.
    pub(super) ignore: u32,
    /// Number of the last event that was recorded of it.
    pub(super) seq: u64,
    /// What happened before its next access. The entry of its own slot is its epoch.
    pub(super) clock: Clock,
    /// What an acquire fence would learn: the clocks of what it read without acquiring.
    pub(super) unacquired: Clock,
    /// What a relaxed store gives on: its clock at its last release fence.
    pub(super) fenced: Clock,
    /// Slots are recycled in eras; this is the one that the clocks are of.
    pub(super) era: u32,
    /// Whether `unacquired` is not all zero.
    pub(super) has_unacquired: bool,
    /// Whether `fenced` counts.
    pub(super) has_fenced: bool,
    /// What it had recorded at its last release fence.
    pub(super) fenced_after: u64,
    /// How many operations it is in whose reads are not told to the trace.
    pub(super) hushed: u32,
    /// How many atomics it has made in those.
    #[cfg(snag_explore)]
    pub(super) hushed_atomics: u32,
    /// Whether the thread is inside the layer, where a signal's handler must not follow.
    pub(super) busy: bool,
    /// Where in its life it is.
    pub(super) phase: Phase,
    /// Atomics near this address give nothing on; 0 if none.
    pub(super) quiet: usize,
    /// Whether it ends a scope.
    pub(super) joins_code: bool,
    /// Whether it waits, and whether it has lost its slot meanwhile: see `slots`. Touched by others.
    pub(super) sleeping: AtomicU32,
    /// Its stack of calls when it is in none.
    pub(super) calls: usize,
    /// After its end: the next one that has ended.
    pub(super) next_spare: *mut Thread,
    /// What it has read of others' writes.
    pub(super) observed: Observed,
    /// The block that libc's allocator gave it last.
    pub(super) last_block: usize,
    /// Where its stack is: base and length, and the innermost address that its thread-local data may be at.
    pub(super) stack: (usize, usize),
    pub(super) stack_top: usize,
    /// Blocks that it freed and that the allocator does not have back yet.
    pub(super) quarantine: Quarantine,
    /// What is remembered of its accesses.
    pub(super) history: History,
    /// First address and size of the range whose granules it is going through; empty if none.
    pub(super) range: (usize, usize),
    /// How often it has given something to others or may have learnt from them.
    pub(super) syncs: u64,
    /// Its last accesses to memory that processes share.
    pub(super) shared: [Recent; RECENT],
    pub(super) last_shared: LastAtomic,
}

#[cfg(snag_explore)]
impl Thread {
    /// Whether its code has ended, and its thread-local destructors have not begun.
    pub(super) fn is_winding_up(&self) -> bool {
        matches!(self.phase, Phase::After | Phase::Ending)
    }
}

/// Reads one of the thread-local words.
macro_rules! load_local {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: the word is thread-local data of this object and always there.
        unsafe {
            asm!(
                concat!("mov {0}, qword ptr [rip + ", $name, "@gottpoff]"),
                "mov {0}, qword ptr fs:[{0}]",
                out(reg) value,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// Writes thread-local words, at byte offsets of one of them.
macro_rules! store_local {
    ($name:literal, $($offset:literal = $value:expr),*) => {
        // SAFETY: as in `load_local`; nobody holds a reference to it.
        unsafe {
            $(
                asm!(
                    concat!("mov {0}, qword ptr [rip + ", $name, "@gottpoff]"),
                    concat!("mov qword ptr fs:[{0} + ", $offset, "], {1}"),
                    out(reg) _,
                    in(reg) $value,
                    options(nostack, preserves_flags),
                );
            )*
        }
    };
}

/// The calling thread; null while it is not followed.
#[inline(always)]
pub(super) fn current() -> *mut Thread {
    core::ptr::with_exposed_provenance_mut(load_local!("snag_thread") as usize)
}

/// The calling thread gives memory back, which others may get at once: what it did there before is not to be
/// looked at again.
#[inline]
pub(super) fn gives_memory_back() {
    let thread = current();
    if !thread.is_null() {
        // SAFETY: the calling thread's own.
        unsafe { (*thread).history.reviewed() };
    }
}

/// Says who the calling thread is.
#[inline(always)]
pub(super) fn set_current(thread: *mut Thread) {
    let address = thread.expose_provenance() as u64;
    store_local!("snag_thread", "0" = address);
}

/// Top of the calling thread's stack of calls.
#[inline(always)]
pub(super) fn frames() -> usize {
    load_local!("snag_frames") as usize
}

/// Sets the top of the calling thread's stack of calls.
#[inline(always)]
pub(super) fn set_frames(top: usize) {
    let top = top as u64;
    store_local!("snag_frames", "0" = top);
}

/// The cell of a write by the calling thread now, to all bytes.
#[inline(always)]
pub(super) fn key_write() -> Cell {
    Cell(load_local!("snag_key_write") as u32)
}

/// The cell of a read by the calling thread now, to all bytes.
#[inline(always)]
pub(super) fn key_read() -> Cell {
    Cell(load_local!("snag_key_read") as u32)
}

/// Says which cells the calling thread's accesses leave from now on. Epoch 0 is no thread: such a cell is
/// never found, and what is not found is looked at closely; so it is where every access is recorded.
#[inline(always)]
pub(super) fn set_keys(slot: u32, epoch: u32) {
    let epoch = if sample::records_all() { 0 } else { epoch };
    let twice = |cell: Cell| u64::from(cell.0) << 32 | u64::from(cell.0);
    let (read, write) =
        (twice(Cell::new(0xff, slot, epoch, true)), twice(Cell::new(0xff, slot, epoch, false)));
    store_local!("snag_key_read", "0" = read, "8" = read);
    store_local!("snag_key_write", "0" = write, "8" = write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_words() {
        set_keys(3, 9);
        set_frames(77);
        let there = std::thread::spawn(|| (key_write(), frames(), current().is_null())).join().expect("runs");
        assert_eq!(there, (Cell(0), 0, true));
        assert_eq!((key_write(), key_read()), (Cell::new(0xff, 3, 9, false), Cell::new(0xff, 3, 9, true)));
        assert_eq!(frames(), 77);
        set_keys(0, 0);
        set_frames(0);
    }
}
