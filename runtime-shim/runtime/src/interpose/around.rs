//! Definitions of C's functions that do something before libc's and behind it.
//!
//! Invariants:
//! * They are weak: a program that brings functions of these names keeps its own.
//! * libc's function is jumped to, so that results, `errno` and cancellation points are its own. What is
//!   done around it keeps `errno`.
//! * The address of the code that called is handed on as one more argument.

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::symbol;

/// A function of libc, by its address.
#[repr(C)]
pub(super) struct Function {
    /// First, since code jumps through it.
    address: AtomicPtr<core::ffi::c_void>,
    name: &'static CStr,
}

impl Function {
    pub(super) const fn new(name: &'static CStr) -> Function {
        Function { address: AtomicPtr::new(core::ptr::null_mut()), name }
    }

    /// Makes sure that the address is there: libc's, or of a function that says there is none.
    #[inline]
    pub(super) fn find(&self) {
        if self.address.load(Ordering::Relaxed).is_null() {
            let found = symbol::next(self.name);
            let found = if found.is_null() { missing as *mut core::ffi::c_void } else { found };
            self.address.store(found, Ordering::Relaxed);
        }
    }
}

/// Stands for a function that this libc does not have.
extern "C" fn missing() -> isize {
    const ENOSYS: core::ffi::c_int = 38;
    symbol::set_errno(ENOSYS);
    -1
}

/// Runs `body` and puts `errno` back.
pub(super) fn quietly<R>(body: impl FnOnce() -> R) -> R {
    let before = symbol::errno();
    let result = body();
    symbol::set_errno(before);
    result
}

/// Defines weak functions. `$place` is the register behind those of the arguments, or `stack` if there are
/// six. `before` sees the arguments and its value is handed to `after`, which sees the result as well.
macro_rules! around {
    ($(
        $name:ident as $ours:ident($($argument:ident: $type:ty),*) -> $result:ty, $place:tt,
        |$caller:ident| $before:expr, |$was:pat_param, $outcome:ident| $after:expr;
    )*) => {
        $(
            $crate::interpose::around::around!(@stub $name $ours $place);

            unsafe extern "C-unwind" fn $ours($($argument: $type,)* $caller: usize) -> $result {
                static LIBCS: $crate::interpose::around::Function =
                    $crate::interpose::around::Function::new(match core::ffi::CStr::from_bytes_with_nul(
                        concat!(stringify!($name), "\0").as_bytes(),
                    ) {
                        Ok(name) => name,
                        Err(_) => panic!(),
                    });
                /// Not by a pointer: see `symbol`.
                #[unsafe(naked)]
                unsafe extern "C-unwind" fn jump($($argument: $type),*) -> $result {
                    core::arch::naked_asm!("jmp qword ptr [rip + {libcs}]", libcs = sym LIBCS)
                }
                LIBCS.find();
                let _ = $caller;
                if !$crate::recorder::on() {
                    // SAFETY: libc's function of this name takes these arguments, and the rest is the
                    // caller's promise, which is that of libc's function.
                    return unsafe { jump($($argument),*) };
                }
                let $was = $crate::interpose::around::quietly(|| $before);
                // SAFETY: as above.
                let $outcome = unsafe { jump($($argument),*) };
                $crate::interpose::around::quietly(|| $after);
                $outcome
            }
        )*
    };
    (@stub $name:ident $ours:ident stack) => {
        core::arch::global_asm!(
            ".text",
            concat!(".weak ", stringify!($name)),
            concat!(".type ", stringify!($name), ",@function"),
            concat!(stringify!($name), ":"),
            ".cfi_startproc",
            "push qword ptr [rsp]",
            ".cfi_adjust_cfa_offset 8",
            "call {ours}",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_endproc",
            ours = sym $ours,
        );
    };
    (@stub $name:ident $ours:ident $register:literal) => {
        core::arch::global_asm!(
            ".text",
            concat!(".weak ", stringify!($name)),
            concat!(".type ", stringify!($name), ",@function"),
            concat!(stringify!($name), ":"),
            concat!("mov ", $register, ", qword ptr [rsp]"),
            "jmp {ours}",
            ours = sym $ours,
        );
    };
}

pub(super) use around;
