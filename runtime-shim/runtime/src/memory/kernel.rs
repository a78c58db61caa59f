//! System calls, made without libc: its `mmap` may be ours, and `errno` is the program's.

pub(super) use crate::kernel::call;

const SYS_WRITE: usize = 1;
pub(super) const SYS_MMAP: usize = 9;
pub(super) const SYS_MUNMAP: usize = 11;
pub(super) const SYS_MREMAP: usize = 25;
pub(super) const SYS_SIGALTSTACK: usize = 131;
const SYS_MPROTECT: usize = 10;
const SYS_EXIT_GROUP: usize = 231;
const SYS_MINCORE: usize = 27;
const SYS_MADVISE: usize = 28;
const SYS_SCHED_YIELD: usize = 24;

const PROT_READ: usize = 1;
const PROT_READ_WRITE: usize = 1 | 2;
const PROT_EXEC: usize = 4;
const MAP_PRIVATE: usize = 2;
const MAP_ANONYMOUS: usize = 0x20;
const MAP_NORESERVE: usize = 0x4000;
const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
const MADV_DONTNEED: usize = 4;
const MADV_NOHUGEPAGE: usize = 15;
const MADV_DONTDUMP: usize = 16;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;

/// Whether the kernel gave an address, and not an error.
pub(super) const fn is_address(result: isize) -> bool {
    result >= 0 || result < -4095
}

/// Zeros, `len` bytes of them, backed by memory as they are touched.
pub(super) fn map(len: usize) -> Option<*mut u8> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a mapping at an address of the kernel's choice touches nothing that is there.
    let at = unsafe { call(SYS_MMAP, [0, len, PROT_READ_WRITE, flags, usize::MAX, 0]) };
    is_address(at).then(|| core::ptr::with_exposed_provenance_mut(at.cast_unsigned()))
}

/// Zeros at `at`, left out of core dumps. False if there is no room, or something is there already.
pub(super) fn map_at(at: usize, len: usize) -> bool {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    // SAFETY: the kernel replaces nothing.
    let got = unsafe { call(SYS_MMAP, [at, len, PROT_READ_WRITE, flags, usize::MAX, 0]) };
    if got.cast_unsigned() != at {
        return false;
    }
    for advice in [MADV_DONTDUMP, MADV_NOHUGEPAGE] {
        // SAFETY: it changes no contents.
        unsafe { call(SYS_MADVISE, [at, len, advice, 0, 0, 0]) };
    }
    true
}

/// Sets the lowest bit for each of the pages from `at` that is in memory; changes nothing if the kernel
/// does not know.
pub(super) fn find_resident(at: usize, pages: &mut [u8]) {
    let bytes = pages.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes one byte for each page.
    unsafe { call(SYS_MINCORE, [at, pages.len() * PAGE, bytes, 0, 0, 0]) };
}

/// Makes the pages from `at` zero again and gives their memory back.
///
/// # Safety
/// They are private anonymous memory of the layer, and nobody needs what is in them.
pub(super) unsafe fn drop_pages(at: usize, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { call(SYS_MADVISE, [at, len, MADV_DONTNEED, 0, 0, 0]) };
}

/// Sets whether code may be written; false if the kernel refuses.
///
/// # Safety
/// The pages are code, and go back to being it alone.
pub(super) unsafe fn protect_code(at: usize, len: usize, writable: bool) -> bool {
    let protection = if writable { PROT_READ_WRITE | PROT_EXEC } else { PROT_READ | PROT_EXEC };
    // SAFETY: the caller's promise.
    unsafe { call(SYS_MPROTECT, [at, len, protection, 0, 0, 0]) == 0 }
}

/// Ends the process at once.
pub(super) fn exit(code: usize) -> ! {
    // SAFETY: nothing is left to be kept safe.
    unsafe { call(SYS_EXIT_GROUP, [code, 0, 0, 0, 0, 0]) };
    loop {
        core::hint::spin_loop();
    }
}

/// Writes to the standard error.
pub(super) fn say(text: &str) {
    // SAFETY: the bytes are valid for reads.
    unsafe { call(SYS_WRITE, [2, text.as_ptr().addr(), text.len(), 0, 0, 0]) };
}

/// Lets other threads run.
pub(super) fn yield_now() {
    // SAFETY: no arguments.
    unsafe { call(SYS_SCHED_YIELD, [0; 6]) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_pages_are_zero_again() {
        let at = map(2 * PAGE).expect("memory");
        // SAFETY: just mapped, two pages.
        unsafe {
            at.write(7);
            drop_pages(at.addr(), PAGE);
            assert_eq!(at.read(), 0);
        }
    }

    #[test]
    fn nothing_is_mapped_over_what_is_there() {
        let at = map(PAGE).expect("memory");
        assert!(!map_at(at.addr(), PAGE));
    }
}
