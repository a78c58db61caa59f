//! Scoped threads: the real ones, whose joining at the scope's end is recorded.

use super::{Builder, Result, Thread};
use crate::place::here;
use core::fmt;
use core::mem::ManuallyDrop;
use core::pin::{Pin, pin};
use real_std::io;
use real_std::thread as real;
use snag_runtime::recorder::Place;
use snag_runtime::sync::scope::{Children, Member};
use snag_runtime::sync::thread::{self as traced, Detaching};

/// A scope whose threads may borrow; see the real `std::thread::Scope`.
#[repr(transparent)]
pub struct Scope<'scope, 'env: 'scope> {
    inner: real::Scope<'scope, 'env>,
}

/// The right to join a scoped thread; see the real `std::thread::ScopedJoinHandle`.
#[repr(transparent)]
pub struct ScopedJoinHandle<'scope, T> {
    inner: ManuallyDrop<real::ScopedJoinHandle<'scope, T>>,
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        let _detaching = Detaching::new(core::mem::needs_drop::<T>());
        // SAFETY: dropped once.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

/// Runs `f` with a scope, and joins the scope's threads.
///
/// # Panics
/// If a thread that was not joined by hand has panicked.
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let children = pin!(Children::new());
    let _joined = AtEnd(children.as_ref(), here(), Children::joined);
    let waits = AtEnd(children.as_ref(), here(), Children::wait);
    real::scope(move |scope| {
        let waits = waits;
        waits.0.open((&raw const *scope).addr());
        f(Scope::from_ref(scope))
    })
}

/// Does something with a scope's children in the end, even if by a panic.
struct AtEnd<'a>(Pin<&'a Children>, Option<Place>, fn(&Children, Option<Place>));

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.2(self.0.get_ref(), self.1);
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    fn from_ref(inner: &'scope real::Scope<'scope, 'env>) -> &'scope Scope<'scope, 'env> {
        // SAFETY: transparent.
        unsafe { &*(&raw const *inner).cast::<Scope<'scope, 'env>>() }
    }

    /// Spawns a thread in this scope.
    ///
    /// # Panics
    /// If the operating system has no thread left.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Builder::new().spawn_scoped(self, f).expect("failed to spawn thread")
    }
}

impl Builder {
    /// Spawns the thread in a scope.
    ///
    /// # Errors
    /// If the operating system has no thread left.
    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let child = traced::Child::spawn(here());
        let _expected = child.expected();
        let member = Member::join((&raw const scope.inner).addr(), child.number());
        let inner = self.inner.spawn_scoped(&scope.inner, move || {
            let _member = member;
            child.run(f)
        })?;
        child.spawned(inner.thread().id());
        Ok(ScopedJoinHandle { inner: ManuallyDrop::new(inner) })
    }
}

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    /// The thread's handle.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        Thread::from_ref(self.inner.thread())
    }

    /// Waits for the thread's end and gives its result.
    ///
    /// # Errors
    /// If the thread has panicked: what it panicked with.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        let join = traced::Joining::begin(self.inner.thread().id(), here());
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped any more.
        let result = unsafe { ManuallyDrop::take(&mut this.inner) }.join();
        join.end();
        result
    }

    /// Whether the thread's code has ended.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<'scope, T> fmt::Debug for ScopedJoinHandle<'scope, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self.inner).fmt(f)
    }
}
