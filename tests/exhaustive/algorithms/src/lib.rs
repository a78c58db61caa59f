//! Locks, queues and the like, each right, and with one ordering too weak, as plain tests over std.
//!
//! A test whose name ends in `_weak` has a bug that only the memory model shows, and only in some executions.

#[cfg(test)]
mod cell;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod dekker;
#[cfg(test)]
mod mpmc;
#[cfg(test)]
mod peterson;
#[cfg(test)]
mod ring;
#[cfg(test)]
mod seqlock;
#[cfg(test)]
mod spin;
#[cfg(test)]
mod treiber;
