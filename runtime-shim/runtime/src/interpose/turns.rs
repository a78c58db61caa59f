//! C's locks under the engine that lets one thread run at a time: none may wait in the kernel, since
//! nobody else would run meanwhile. Under the native engine all this is nothing.

use core::ffi::{c_int, c_void};

use super::Opaque;
pub(super) use crate::engine::What;
use crate::recorder::At;

/// The end of a wait.
#[derive(Clone, Copy)]
#[cfg_attr(not(snag_explore), expect(dead_code, reason = "only the scheduler looks at it"))]
pub(super) enum Until {
    Never,
    /// A `timespec` on this clock.
    Clock(c_int, *const c_void),
}

impl Until {
    /// As the functions have it that name no clock.
    pub(super) const fn realtime(moment: *const c_void) -> Until {
        Until::Clock(0, moment)
    }
}

#[cfg(not(snag_explore))]
mod native {
    use super::*;

    #[inline(always)]
    pub(in crate::interpose) fn before(_: What, _: *mut Opaque, _: At) {}

    #[inline(always)]
    pub(in crate::interpose) fn wait_for(
        _: *mut Opaque,
        _: Until,
        _: impl FnMut() -> c_int,
        libcs: impl FnOnce() -> c_int,
    ) -> c_int {
        libcs()
    }

    #[inline(always)]
    pub(in crate::interpose) fn wait_once(
        _: *mut Opaque,
        _: Until,
        _: impl FnOnce(),
        libcs: impl FnOnce() -> c_int,
    ) -> c_int {
        libcs()
    }

    #[inline(always)]
    pub(in crate::interpose) fn wake(_: *mut Opaque, _: usize) {}

    #[inline(always)]
    pub(in crate::interpose) fn join(_: usize) {}
}

#[cfg(not(snag_explore))]
pub(super) use native::*;

#[cfg(snag_explore)]
mod controlled {
    use super::super::{EBUSY, ETIMEDOUT};
    use super::*;
    use crate::engine::controlled::{self, Operation, clock};

    /// The calling thread is about to do something to this object.
    pub(in crate::interpose) fn before(what: What, object: *mut Opaque, at: At) {
        let place = match at {
            At::Code(code) | At::Called(code) => crate::engine::in_code(code),
            At::Place(place) => crate::engine::in_source(place),
        };
        controlled::point(Operation {
            what,
            writes: true,
            yields: false,
            spot: 0,
            object: object.addr(),
            place,
        });
    }

    /// The moment on the scheduler's clock.
    fn moment(until: Until) -> Option<u64> {
        const REALTIME: c_int = 0;
        let Until::Clock(which, moment) = until else { return None };
        // SAFETY: the caller of libc's function gave a valid `timespec`.
        let [seconds, nanoseconds] = unsafe { moment.cast::<[u64; 2]>().read() };
        let moment = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
        Some(if which == REALTIME { clock::from_1970(moment) } else { moment })
    }

    /// Repeats `attempt` until it no longer says that the object is taken, or the time is over.
    pub(in crate::interpose) fn wait_for(
        object: *mut Opaque,
        until: Until,
        mut attempt: impl FnMut() -> c_int,
        libcs: impl FnOnce() -> c_int,
    ) -> c_int {
        if !controlled::is_controlled() {
            return libcs();
        }
        let moment = moment(until);
        loop {
            let result = attempt();
            if result != EBUSY {
                return result;
            }
            if !controlled::wait_until(object.addr(), moment) {
                return ETIMEDOUT;
            }
        }
    }

    /// Waits until the object is woken, or the time is over. `give_up` is done when the thread waits
    /// already.
    pub(in crate::interpose) fn wait_once(
        object: *mut Opaque,
        until: Until,
        give_up: impl FnOnce(),
        libcs: impl FnOnce() -> c_int,
    ) -> c_int {
        if !controlled::is_controlled() {
            return libcs();
        }
        // Nobody else runs before the wait has begun.
        give_up();
        if controlled::wait_until(object.addr(), moment(until)) { 0 } else { ETIMEDOUT }
    }

    /// Lets at most `most` go on that wait for the object.
    pub(in crate::interpose) fn wake(object: *mut Opaque, most: usize) {
        controlled::wake(object.addr(), most);
    }

    /// Waits for the end of a thread.
    pub(in crate::interpose) fn join(thread: usize) {
        controlled::join(thread);
    }
}

#[cfg(snag_explore)]
pub(super) use controlled::*;
