//! The functions of `between.c`.

use std::ffi::{c_char, c_int, c_void};

/// What C calls back.
pub type Callback = extern "C" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    pub fn between_run(threads: c_int, callback: Callback, argument: *mut c_void);
    pub fn between_locked(callback: Callback, argument: *mut c_void) -> *mut c_void;
    pub fn between_copy(text: *const c_char, length: usize) -> *mut c_char;
    pub fn between_free(text: *mut c_char);
    pub fn between_sort(
        base: *mut c_void,
        count: usize,
        size: usize,
        compare: extern "C" fn(*const c_void, *const c_void) -> c_int,
    );
}
