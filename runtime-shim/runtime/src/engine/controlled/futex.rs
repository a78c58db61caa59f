//! The futex of controlled tasks, with the same face as the native one, which is behind it for all others.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use crate::engine::native::real_futex as real;
pub use crate::engine::native::real_futex::ANY;

use super::tasks::State;

/// A moment on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    real: real::Deadline,
    controlled: u64,
}

impl Deadline {
    /// The moment `duration` from now; `None` if that is beyond the clock's range.
    #[must_use]
    pub fn after(duration: Duration) -> Option<Deadline> {
        let real = real::Deadline::after(duration)?;
        let controlled = match super::clock::now() {
            Some(now) => now.checked_add(u64::try_from(duration.as_nanos()).ok()?)?,
            None => 0,
        };
        Some(Deadline { real, controlled })
    }
}

/// Sleeps while `word` is `expected`, until a wake whose bit set meets `bits` or the deadline.
/// False only if the deadline has passed; true may be spurious.
pub fn wait(word: &AtomicU32, expected: u32, bits: u32, deadline: Option<&Deadline>) -> bool {
    let Some(me) = super::me() else {
        return real::wait(word, expected, bits, deadline.map(|deadline| &deadline.real));
    };
    if word.load(Ordering::Acquire) != expected {
        return true;
    }
    State::wait(me, word.as_ptr().addr(), bits, deadline.map(|deadline| deadline.controlled))
}

/// Wakes at most `most` sleepers of the word at `address` whose bit set meets `bits`; how many were
/// woken. The word may be gone already.
pub fn wake(address: usize, most: i32, bits: u32) -> usize {
    let Some(me) = super::me() else { return real::wake(address, most, bits) };
    State::get().wake(me, address, usize::try_from(most).unwrap_or(0), bits)
}

/// The futex system call of a controlled task: what it gives, or nothing if this is not one that is known
/// here.
///
/// # Safety
/// The arguments are those of a valid call.
pub(crate) unsafe fn system_call(arguments: [usize; 6]) -> Option<isize> {
    const WAIT: usize = 0;
    const WAKE: usize = 1;
    const WAIT_BITSET: usize = 9;
    const WAKE_BITSET: usize = 10;
    const REALTIME: usize = 256;
    const COMMAND: usize = 127;
    const EAGAIN: isize = -11;
    const ETIMEDOUT: isize = -110;
    let me = super::me()?;
    let [address, operation, value, time, _, bits] = arguments;
    match operation & COMMAND {
        command @ (WAIT | WAIT_BITSET) => {
            // SAFETY: the caller's promise.
            let word = unsafe { &*core::ptr::with_exposed_provenance::<AtomicU32>(address) };
            if word.load(Ordering::Acquire) != value as u32 {
                return Some(EAGAIN);
            }
            // SAFETY: as above: null or a `timespec`.
            let time = unsafe { core::ptr::with_exposed_provenance::<[u64; 2]>(time).as_ref() };
            let nanoseconds =
                time.map(|[seconds, rest]| seconds.saturating_mul(1_000_000_000).saturating_add(*rest));
            let until = nanoseconds.map(|nanoseconds| match command {
                WAIT => State::look_at_clock(me).saturating_add(nanoseconds),
                _ if operation & REALTIME != 0 => super::clock::from_1970(nanoseconds),
                _ => nanoseconds,
            });
            let bits = if command == WAIT { ANY } else { bits as u32 };
            let woken = State::wait(me, address, bits, until);
            Some(if woken { 0 } else { ETIMEDOUT })
        }
        command @ (WAKE | WAKE_BITSET) => {
            let bits = if command == WAKE { ANY } else { bits as u32 };
            let most = (value as u32).cast_signed();
            Some(wake(address, most, bits).cast_signed())
        }
        _ => None,
    }
}
