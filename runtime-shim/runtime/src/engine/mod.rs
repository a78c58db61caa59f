//! What really blocks and wakes threads, below everything that is recorded.
//!
//! The traced primitives in [`crate::sync`] and the facade in `runtime-shim/std` are written once,
//! over an *engine*: a module chosen when the shim is built, here as [`current`]. It supplies
//!
//! * `RawMutex`: a lock in the low [two bits](native::mutex::STATE) of one 32-bit word, the other
//!   thirty being the identity's and never touched; `try_lock`, `lock_contended` (for a caller that
//!   knows that it must wait, and has said so), `unlock`;
//! * `RawRwLock`: shared and exclusive locking with std's preference of waiting writers;
//! * `RawCondvar`: a queue of waiters, so that a notify knows whom it wakes and how many waited;
//! * `Deadline` and `sleep`: its clock;
//! * `after_fork_in_child`: what a child that has only one thread left must reset.
//!
//! Threads, parking and thread-local storage are the real std's as long as there is one engine,
//! `native`. An engine records nothing and judges nothing: a primitive says that it will block
//! before it calls the blocking half of an operation.

pub mod native;

pub use native as current;
