//! The environment, which a forked child may not touch if its parent had other threads. That is all that is
//! recorded of it.

use core::ffi::{c_char, c_int};

use snag_trace::Act;

use super::around::around;
use crate::forked::acts;

around! {
    getenv as snag_getenv(name: *const c_char) -> *mut c_char, "rsi",
        |caller| acts(Act::UsesEnvironment, caller), |(), _result| ();
    setenv as snag_setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int, "rcx",
        |caller| acts(Act::UsesEnvironment, caller), |(), _result| ();
    unsetenv as snag_unsetenv(name: *const c_char) -> c_int, "rsi",
        |caller| acts(Act::UsesEnvironment, caller), |(), _result| ();
    putenv as snag_putenv(entry: *mut c_char) -> c_int, "rsi",
        |caller| acts(Act::UsesEnvironment, caller), |(), _result| ();
}
