//! libc's own functions, found behind ours.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
}

/// The first definition behind the calling object's.
const RTLD_NEXT: *mut c_void = core::ptr::without_provenance_mut(usize::MAX);

/// One function, looked up at its first call.
pub(super) struct Symbol {
    name: &'static CStr,
    version: Option<&'static CStr>,
    address: AtomicPtr<c_void>,
}

impl Symbol {
    pub(super) const fn new(name: &'static CStr) -> Symbol {
        Symbol { name, version: None, address: AtomicPtr::new(null_mut()) }
    }

    /// A function of which libc has an older one of the same name.
    pub(super) const fn versioned(name: &'static CStr, version: &'static CStr) -> Symbol {
        Symbol { name, version: Some(version), address: AtomicPtr::new(null_mut()) }
    }

    /// Its address, null if libc has none.
    #[inline]
    pub(super) fn address(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if known.is_null() { self.find() } else { known }
    }

    #[cold]
    fn find(&self) -> *mut c_void {
        let mut found = null_mut();
        if let Some(version) = self.version {
            // SAFETY: both strings end with NUL.
            found = unsafe { dlvsym(RTLD_NEXT, self.name.as_ptr(), version.as_ptr()) };
        }
        if found.is_null() {
            // SAFETY: the name ends with NUL.
            found = unsafe { dlsym(RTLD_NEXT, self.name.as_ptr()) };
        }
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

/// libc's function of this name, null if it has none.
pub(super) fn next(name: &CStr) -> *mut c_void {
    // SAFETY: the name ends with NUL.
    unsafe { dlsym(RTLD_NEXT, name.as_ptr()) }
}

/// Declares libc's functions as Rust functions of the same names in a module `real`.
macro_rules! real {
    ($($name:ident($($argument:ident: $type:ty),*) $(@ $version:literal)?;)*) => {
        mod real {
            use super::*;
            use crate::interpose::symbol::Symbol;

            $(
                #[inline]
                pub(super) unsafe fn $name($($argument: $type),*) -> c_int {
                    static SYMBOL: Symbol = real!(@symbol $name $($version)?);
                    let address = SYMBOL.address();
                    if address.is_null() {
                        return ENOSYS;
                    }
                    /// Calls `function` with the arguments behind it. Not by a pointer of a type that
                    /// may unwind: a crate that makes such a call cannot be linked into a program
                    /// that is compiled with `panic = "abort"`.
                    #[unsafe(naked)]
                    unsafe extern "C-unwind" fn jump(
                        function: *mut core::ffi::c_void,
                        $($argument: $type),*
                    ) -> c_int {
                        core::arch::naked_asm!(
                            "mov rax, rdi",
                            "mov rdi, rsi",
                            "mov rsi, rdx",
                            "mov rdx, rcx",
                            "mov rcx, r8",
                            "jmp rax",
                        )
                    }
                    // SAFETY: libc's function of this name takes these arguments, at most four, and
                    // the rest is the caller's promise, which is that of libc's function.
                    unsafe { jump(address, $($argument),*) }
                }
            )*

            /// This libc has no such function.
            const ENOSYS: c_int = 38;
        }
    };
    (@symbol $name:ident) => {
        Symbol::new(match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => panic!(),
        })
    };
    (@symbol $name:ident $version:literal) => {
        Symbol::versioned(
            match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!(),
            },
            match core::ffi::CStr::from_bytes_with_nul(concat!($version, "\0").as_bytes()) {
                Ok(version) => version,
                Err(_) => panic!(),
            },
        )
    };
}

pub(super) use real;

/// The calling thread's `errno`.
pub(super) fn errno() -> c_int {
    // SAFETY: always valid for the calling thread.
    unsafe { *__errno_location() }
}

/// Sets the calling thread's `errno`.
pub(super) fn set_errno(value: c_int) {
    // SAFETY: as in `errno`.
    unsafe { *__errno_location() = value };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_libc_is_found_once() {
        static SYMBOL: Symbol = Symbol::versioned(c"pthread_cond_wait", c"GLIBC_2.3.2");
        let found = SYMBOL.address();
        assert!(!found.is_null());
        assert_eq!(SYMBOL.address(), found);
    }

    #[test]
    fn a_function_that_is_not_there_is_null() {
        static SYMBOL: Symbol = Symbol::new(c"pthread_no_such_function");
        assert!(SYMBOL.address().is_null());
    }
}
