//! Where the planes cannot be mapped: the functions that instrumented code calls for plain accesses are
//! made to do nothing, since their fast paths look at shadow memory unasked.
//!
//! It happens before any instrumented code runs, in the constructor of the first instrumented object, by
//! writing over the functions' first bytes. Atomics need no shadow memory as long as no thread is
//! followed.

use core::arch::naked_asm;
use core::ffi::{c_int, c_void};

use super::kernel;

/// `ret`.
const RETURN: u8 = 0xc3;
/// `jmp`, by a distance of four bytes from the next instruction.
const JUMP: u8 = 0xe9;
const JUMP_LEN: usize = 5;

type Function = unsafe extern "C" fn();

macro_rules! functions {
    ($($name:ident)*) => {
        unsafe extern "C" {
            $(fn $name();)*
        }
        const NOTHING: &[Function] = &[$($name),*];
    };
}

functions! {
    __tsan_read1 __tsan_read2 __tsan_read4 __tsan_read8 __tsan_read16
    __tsan_write1 __tsan_write2 __tsan_write4 __tsan_write8 __tsan_write16
    __tsan_unaligned_read1 __tsan_unaligned_read2 __tsan_unaligned_read4 __tsan_unaligned_read8
    __tsan_unaligned_read16
    __tsan_unaligned_write1 __tsan_unaligned_write2 __tsan_unaligned_write4 __tsan_unaligned_write8
    __tsan_unaligned_write16
    __tsan_volatile_read1 __tsan_volatile_read2 __tsan_volatile_read4 __tsan_volatile_read8
    __tsan_volatile_read16
    __tsan_volatile_write1 __tsan_volatile_write2 __tsan_volatile_write4 __tsan_volatile_write8
    __tsan_volatile_write16
    __tsan_unaligned_volatile_read1 __tsan_unaligned_volatile_read2 __tsan_unaligned_volatile_read4
    __tsan_unaligned_volatile_read8 __tsan_unaligned_volatile_read16
    __tsan_unaligned_volatile_write1 __tsan_unaligned_volatile_write2 __tsan_unaligned_volatile_write4
    __tsan_unaligned_volatile_write8 __tsan_unaligned_volatile_write16
    __tsan_read_write1 __tsan_read_write2 __tsan_read_write4 __tsan_read_write8 __tsan_read_write16
    __tsan_unaligned_read_write1 __tsan_unaligned_read_write2 __tsan_unaligned_read_write4
    __tsan_unaligned_read_write8 __tsan_unaligned_read_write16
    __tsan_read_range __tsan_write_range __tsan_vptr_read __tsan_vptr_update
    __tsan_func_entry __tsan_func_exit
}

unsafe extern "C" {
    fn __tsan_memcpy();
    fn __tsan_memmove();
    fn __tsan_memset();
    fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn memset(to: *mut c_void, value: c_int, size: usize) -> *mut c_void;
}

/// Defines functions of this object, within reach of a jump, that jump on to libc's.
macro_rules! on_to {
    ($($name:ident $to:ident;)*) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                naked_asm!("jmp {to}", to = sym $to)
            }
        )*
    };
}

on_to! {
    copy memcpy;
    copy_overlapping memmove;
    fill memset;
}

const COPIES: [(Function, Function); 3] =
    [(__tsan_memcpy, copy), (__tsan_memmove, copy_overlapping), (__tsan_memset, fill)];

/// Makes the functions do nothing, or what libc's do. Ends the process if the kernel does not let us.
pub(super) fn disarm() {
    for &function in NOTHING {
        write(function, &[RETURN]);
    }
    for (function, to) in COPIES {
        let distance = (to as usize).wrapping_sub(function as usize + JUMP_LEN) as u32;
        let [a, b, c, d] = distance.to_le_bytes();
        write(function, &[JUMP, a, b, c, d]);
    }
}

/// Overwrites the beginning of a function.
fn write(function: Function, code: &[u8]) {
    let at = function as usize;
    let page = at & !(kernel::PAGE - 1);
    let len = (at + code.len()).next_multiple_of(kernel::PAGE) - page;
    // SAFETY: code of this object, which no thread is in: there is one, and it is here. Each of the
    // functions is longer than what is written.
    unsafe {
        if !kernel::protect_code(page, len, true) {
            kernel::exit(1);
        }
        core::ptr::with_exposed_provenance_mut::<u8>(at).copy_from_nonoverlapping(code.as_ptr(), code.len());
        kernel::protect_code(page, len, false);
    }
}
