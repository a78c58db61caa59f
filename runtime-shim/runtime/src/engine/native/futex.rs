//! Waiting for a 32-bit word to change: the `futex` system call.
//!
//! Always process-private, always with an absolute deadline on the monotonic clock, so that a wait
//! that is interrupted can simply be repeated.

use core::ffi::{c_int, c_long};
use core::sync::atomic::AtomicU32;
use core::time::Duration;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const SYS_FUTEX: c_long = 202;
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
const SYS_FUTEX: c_long = 98;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("snag's native engine needs the futex of 64-bit Linux");

const PRIVATE: c_int = 128;
const WAIT_BITSET: c_int = 9 | PRIVATE;
const WAKE_BITSET: c_int = 10 | PRIVATE;
const CLOCK_MONOTONIC: c_int = 1;
const ETIMEDOUT: c_int = 110;

/// The bit set of a wait that any wake ends.
pub const ANY: u32 = u32::MAX;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    fn __errno_location() -> *mut c_int;
}

/// A moment on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Timespec);

impl Deadline {
    /// The moment `duration` from now; `None` if that is beyond the clock's range, which is as
    /// good as never.
    #[must_use]
    pub fn after(duration: Duration) -> Option<Deadline> {
        let mut now = Timespec { seconds: 0, nanoseconds: 0 };
        // SAFETY: `now` is valid for writing a `timespec`, and the clock always exists.
        unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut now) };
        let mut seconds = now.seconds.checked_add(i64::try_from(duration.as_secs()).ok()?)?;
        let mut nanoseconds = now.nanoseconds + i64::from(duration.subsec_nanos());
        if nanoseconds >= 1_000_000_000 {
            nanoseconds -= 1_000_000_000;
            seconds = seconds.checked_add(1)?;
        }
        Some(Deadline(Timespec { seconds, nanoseconds }))
    }
}

/// Sleeps while `word` is `expected`, until a wake whose bit set meets `bits` or the deadline.
/// False only if the deadline has passed; true may be spurious.
pub fn wait(word: &AtomicU32, expected: u32, bits: u32, deadline: Option<&Deadline>) -> bool {
    let until: *const Timespec = deadline.map_or(core::ptr::null(), |deadline| &raw const deadline.0);
    let unused: *const u32 = core::ptr::null();
    // SAFETY: `word` is a live, aligned 32-bit word and `until` null or a valid `timespec`.
    let result = unsafe { syscall(SYS_FUTEX, word.as_ptr(), WAIT_BITSET, expected, until, unused, bits) };
    // SAFETY: errno is always readable.
    result == 0 || unsafe { *__errno_location() } != ETIMEDOUT
}

/// Wakes at most `most` sleepers of the word at `address` whose bit set meets `bits`; how many were
/// woken. The word may be gone already.
pub fn wake(address: usize, most: i32, bits: u32) -> usize {
    let unused: *const u32 = core::ptr::null();
    // SAFETY: the kernel does not read the word of a wake.
    let woken = unsafe { syscall(SYS_FUTEX, address, WAKE_BITSET, most, unused, unused, bits) };
    usize::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_on_another_value_returns_at_once() {
        assert!(wait(&AtomicU32::new(1), 2, ANY, None));
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let deadline = Deadline::after(Duration::from_millis(5)).expect("near");
        let word = AtomicU32::new(0);
        let start = std::time::Instant::now();
        while wait(&word, 0, ANY, Some(&deadline)) {}
        assert!(start.elapsed() >= Duration::from_millis(4));
    }

    #[test]
    fn a_deadline_beyond_the_clock_is_never() {
        assert!(Deadline::after(Duration::MAX).is_none());
    }
}
