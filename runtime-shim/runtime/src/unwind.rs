//! The calling thread's stack, by the unwinder that every Rust program has.
//!
//! Known misses: code without unwind tables ends the stack.

use core::ffi::{c_int, c_void};

#[repr(C)]
struct Context([u8; 0]);

type Trace = extern "C" fn(*mut Context, *mut c_void) -> c_int;

unsafe extern "C" {
    fn _Unwind_Backtrace(trace: Trace, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut Context) -> usize;
}

/// Go on to the next frame.
const NO_REASON: c_int = 0;
/// Stop.
const NORMAL_STOP: c_int = 4;

struct Walk<'a> {
    pc: usize,
    into: &'a mut [u64],
    depth: usize,
}

extern "C" fn step(context: *mut Context, walk: *mut c_void) -> c_int {
    // SAFETY: `from` gives its own `Walk`, which outlives the call; the context is the unwinder's.
    let (walk, ip) = unsafe { (&mut *walk.cast::<Walk>(), _Unwind_GetIP(context)) };
    // The frames of the layer come first.
    if ip == 0 || (walk.depth == 0 && ip != walk.pc) {
        return NO_REASON;
    }
    if walk.depth == walk.into.len() {
        return NORMAL_STOP;
    }
    walk.into[walk.depth] = ip as u64;
    walk.depth += 1;
    NO_REASON
}

/// Writes the code addresses of the calling thread's stack, from the one that returns to `pc`; gives how
/// many there are. If `pc` is not on the stack, it alone is written.
#[inline(never)]
pub(crate) fn from(pc: usize, into: &mut [u64]) -> usize {
    let mut walk = Walk { pc, into, depth: 0 };
    // SAFETY: `step` takes the walk, which lives on.
    unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
    if walk.depth == 0
        && let Some(first) = walk.into.first_mut()
    {
        *first = pc as u64;
        return 1;
    }
    walk.depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_stack_is_its_own_stack() {
        let mut stack = [0; 8];
        assert_eq!((from(0x1234, &mut stack), stack[0]), (1, 0x1234));
    }

    #[test]
    fn a_stack_begins_where_it_is_asked_for() {
        let mut whole = [0; 64];
        let mut walk = Walk { pc: 0, into: &mut whole, depth: 0 };
        extern "C" fn all(context: *mut Context, walk: *mut c_void) -> c_int {
            // SAFETY: as in `step`.
            unsafe { (*walk.cast::<Walk>()).pc = _Unwind_GetIP(context) };
            step(context, walk)
        }
        // SAFETY: as in `from`.
        unsafe { _Unwind_Backtrace(all, (&raw mut walk).cast()) };
        let depth = walk.depth;
        assert!(depth > 3);
        let mut part = [0; 64];
        let found = from(whole[depth - 2] as usize, &mut part);
        assert_eq!((found, part[0]), (2, whole[depth - 2]));
    }
}
