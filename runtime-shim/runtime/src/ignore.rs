//! What of this crate the memory layer is not to look at, although it is compiled into instrumented code.
//!
//! This crate and the facade are compiled without the pass that makes accesses visible, but what of them
//! is generic is compiled where it is used. Generic code that touches what threads share under a raw lock
//! holds an [`Ignored`]: the semantic event orders its callers, and nothing else may. What is not generic
//! and touches such things is never inlined (`#[cfg_attr(snag_memory, inline(never))]`).
//!
//! Invariant: no code of the program's own runs while an [`Ignored`] is held: its accesses would not be
//! seen, and what its atomics order would be lost.

/// The calling thread's accesses are not looked at, and its atomics order nothing, until this is dropped.
/// Without the memory layer it is nothing.
#[derive(Debug)]
pub(crate) struct Ignored(core::marker::PhantomData<*const ()>);

impl Ignored {
    /// Begins an ignore region.
    #[inline]
    pub(crate) fn new() -> Ignored {
        #[cfg(any(snag_memory, test))]
        crate::memory::ignore();
        Ignored(core::marker::PhantomData)
    }
}

/// Only the memory layer has anything to end.
#[cfg(any(snag_memory, test))]
impl Drop for Ignored {
    #[inline]
    fn drop(&mut self) {
        crate::memory::heed();
    }
}

/// A lock's own word gives nothing on, until this is dropped: the lock is given up by a reader, whom only
/// writers come after, which the event says. Other atomics than those beside `address`, where the lock
/// is, order what they order.
#[derive(Debug)]
pub(crate) struct Quiet(core::marker::PhantomData<*const ()>);

impl Quiet {
    /// Begins it.
    #[inline]
    pub(crate) fn new(address: usize) -> Quiet {
        #[cfg(any(snag_memory, test))]
        crate::memory::set_quiet(address);
        let _ = address;
        Quiet(core::marker::PhantomData)
    }
}

/// Only the memory layer has anything to end.
#[cfg(any(snag_memory, test))]
impl Drop for Quiet {
    #[inline]
    fn drop(&mut self) {
        crate::memory::set_quiet(0);
    }
}

/// What atomics read of other threads is not told to the trace until this is dropped: the operation's own
/// events say what it orders, and a prediction may reorder those.
#[derive(Debug)]
pub(crate) struct Hushed(core::marker::PhantomData<*const ()>);

impl Hushed {
    /// Begins it.
    #[inline]
    pub(crate) fn new() -> Hushed {
        #[cfg(any(snag_memory, test))]
        crate::memory::hush_reads();
        Hushed(core::marker::PhantomData)
    }
}

/// Only the memory layer has anything to end.
#[cfg(any(snag_memory, test))]
impl Drop for Hushed {
    #[inline]
    fn drop(&mut self) {
        crate::memory::tell_reads();
    }
}
