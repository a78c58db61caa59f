//! System calls, made without libc: its functions may be ours, and `errno` is the program's.

use core::arch::asm;

/// A system call. Gives what the kernel gives: a small negative number is an error.
///
/// # Safety
/// The call must be safe with these arguments.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the caller's promise; the kernel changes `rax`, `rcx` and `r11` only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            out("rcx") _, out("r11") _,
            options(nostack),
        );
    }
    result
}
