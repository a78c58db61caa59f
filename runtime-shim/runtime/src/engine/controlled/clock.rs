//! The time of an explored execution: it passes when nothing else can be done.
//!
//! Each point takes a microsecond, each look at a clock as well, so that a loop that waits for a moment
//! comes to it; beyond that the clocks go straight to the next moment that somebody waits for.

use super::tasks::State;

/// Nanoseconds that a point takes.
pub(super) const POINT: u64 = 1_000;

/// Where the monotonic clock begins.
pub(super) const START: u64 = 1_000_000_000_000;

/// Nanoseconds of the monotonic clock; nothing if the calling thread is not controlled.
pub(crate) fn now() -> Option<u64> {
    super::me().map(State::look_at_clock)
}

/// Nanoseconds since 1970; nothing if the calling thread is not controlled.
pub(crate) fn since_1970() -> Option<u64> {
    now().map(|now| (now - START).saturating_add(super::serve::epoch()))
}

/// The moment on the monotonic clock that is this many nanoseconds after the beginning of 1970.
pub(crate) fn from_1970(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_sub(super::serve::epoch()).saturating_add(START)
}

/// Lets this many nanoseconds pass. False if the calling thread is not controlled.
pub(crate) fn sleep(time: u64) -> bool {
    let Some(me) = super::me() else { return false };
    State::sleep(me, time);
    true
}
