//! Atomics and fences: what each operation does to the clocks.

use snag_trace::memory::Ordering;

use super::word::Word;

/// An atomic operation of the program, about to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) address: usize,
    /// In bytes.
    pub(super) size: usize,
    pub(super) ordering: Ordering,
    /// Of a compare-exchange that fails; else the same.
    pub(super) failure: Ordering,
    /// Return address into the program.
    pub(super) code: usize,
    /// Where that stands on the stack.
    pub(super) frame: usize,
}

/// What came of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<W> {
    result: W,
    read: Option<W>,
    written: Option<W>,
}

impl<W: Word> Outcome<W> {
    /// Only read.
    pub(super) fn read(there: W) -> Outcome<W> {
        Outcome { result: there, read: Some(there), written: None }
    }

    /// Only wrote.
    pub(super) fn written(value: W) -> Outcome<W> {
        Outcome { result: value, read: None, written: Some(value) }
    }

    /// Read `there` and wrote `value`, at once.
    pub(super) fn updated(there: W, value: W) -> Outcome<W> {
        Outcome { result: there, read: Some(there), written: Some(value) }
    }
}

/// Does an operation, by `effect`, with what it means for the clocks.
#[inline]
pub(super) fn perform<W: Word>(_operation: &Operation, effect: impl FnOnce() -> Outcome<W>) -> W {
    effect().result
}

/// A fence, which the processor has made already.
pub(super) fn fence(_ordering: Ordering, _code: usize) {}
