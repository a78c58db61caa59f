//! Definitions of libc's allocator, of its mappings and of what std calls at a thread's end, which take the place of libc's in every object that
//! the program is linked from, and the hooks of Rust's own.
//!
//! They are weak: a program that brings an allocator under libc's names keeps it. libc's own is called by
//! its second names (`__libc_malloc`…), so that nothing has to be looked up, and mappings are system
//! calls.
//!
//! `__rust_alloc` and its like, whose mangled names differ between toolchains, lead here if the program is
//! linked with `--wrap=<mangled>`, `--defsym=__wrap_<mangled>=snag_rust_alloc` and
//! `--defsym=snag_real_rust_alloc=__real_<mangled>`. A block that libc's allocator has given meanwhile is
//! known already; any other is one of a custom allocator.
//!
//! What the weak definitions jump to is exported: a shared object with a runtime of its own, whose definitions
//! are its own too, leads to the executable's if that has a runtime.
//!
//! Known misses: `sbrk`; a custom allocator within such a shared object; memory that shared objects bring with them when they are loaded.

/// Gives a block back to libc's allocator.
#[cfg(snag_memory)]
pub(super) fn give_back(base: usize) {
    // SAFETY: the block is libc's, and its owner gave it back to us.
    unsafe { exported::real_free(base) };
}

/// There are no blocks in a quarantine where `free` is libc's.
#[cfg(not(snag_memory))]
pub(super) fn give_back(_base: usize) {}

#[cfg(snag_memory)]
mod exported {
    use core::arch::global_asm;
    use core::ffi::c_int;

    use snag_trace::Act;

    use super::super::{heap, kernel, lifetime, maps, shared, thread};
    use crate::forked;

    unsafe extern "C" {
        #[link_name = "__libc_malloc"]
        fn real_malloc(size: usize) -> usize;
        #[link_name = "__libc_calloc"]
        fn real_calloc(count: usize, size: usize) -> usize;
        #[link_name = "__libc_realloc"]
        fn real_realloc(base: usize, size: usize) -> usize;
        #[link_name = "__libc_free"]
        pub(super) fn real_free(base: usize);
        #[link_name = "__libc_memalign"]
        fn real_memalign(alignment: usize, size: usize) -> usize;
        fn malloc_usable_size(base: usize) -> usize;
        fn __errno_location() -> *mut c_int;
    }

    const EINVAL: c_int = 22;
    const ENOMEM: c_int = 12;

    fn fail(errno: c_int) {
        // SAFETY: always valid for the calling thread.
        unsafe { *__errno_location() = errno };
    }

    /// Defines weak functions of C that jump to one of ours, with the return address in the register that
    /// follows those of the arguments.
    macro_rules! weak {
        ($($name:literal, $register:literal => $to:path;)*) => {
            $(
                global_asm!(
                    concat!(".pushsection .text.", $name, ",\"ax\",@progbits"),
                    concat!(".weak ", $name),
                    concat!(".type ", $name, ",@function"),
                    concat!($name, ":"),
                    concat!("mov ", $register, ", qword ptr [rsp]"),
                    "jmp {to}",
                    concat!(".size ", $name, ", . - ", $name),
                    ".popsection",
                    to = sym $to,
                );
            )*
        };
    }

    weak! {
        "malloc", "rsi" => malloc;
        "calloc", "rdx" => calloc;
        "realloc", "rdx" => realloc;
        "reallocarray", "rcx" => realloc_array;
        "free", "rsi" => free;
        "posix_memalign", "rcx" => posix_memalign;
        "aligned_alloc", "rdx" => memalign;
        "memalign", "rdx" => memalign;
        "valloc", "rsi" => valloc;
        "pvalloc", "rsi" => pvalloc;
    }

    #[inline]
    fn begun(base: usize, size: usize, code: usize) -> usize {
        forked::acts(Act::Allocates, code);
        if base != 0 && heap::is_on() {
            // SAFETY: a live block of libc's.
            heap::begun(base, unsafe { malloc_usable_size(base) }, size, false, code);
        }
        base
    }

    #[unsafe(export_name = "snag_memory_malloc")]
    unsafe extern "C" fn malloc(size: usize, code: usize) -> usize {
        // SAFETY: libc's own function, here and below.
        begun(unsafe { real_malloc(size) }, size, code)
    }

    #[unsafe(export_name = "snag_memory_calloc")]
    unsafe extern "C" fn calloc(count: usize, size: usize, code: usize) -> usize {
        // SAFETY: as above.
        begun(unsafe { real_calloc(count, size) }, count.wrapping_mul(size), code)
    }

    #[unsafe(export_name = "snag_memory_memalign")]
    unsafe extern "C" fn memalign(alignment: usize, size: usize, code: usize) -> usize {
        // SAFETY: as above.
        begun(unsafe { real_memalign(alignment, size) }, size, code)
    }

    #[unsafe(export_name = "snag_memory_valloc")]
    unsafe extern "C" fn valloc(size: usize, code: usize) -> usize {
        // SAFETY: as above.
        begun(unsafe { real_memalign(kernel::PAGE, size) }, size, code)
    }

    #[unsafe(export_name = "snag_memory_pvalloc")]
    unsafe extern "C" fn pvalloc(size: usize, code: usize) -> usize {
        let size = size.next_multiple_of(kernel::PAGE);
        // SAFETY: as above.
        begun(unsafe { real_memalign(kernel::PAGE, size) }, size, code)
    }

    #[unsafe(export_name = "snag_memory_posix_memalign")]
    unsafe extern "C" fn posix_memalign(
        result: *mut usize,
        alignment: usize,
        size: usize,
        code: usize,
    ) -> c_int {
        if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<usize>()) {
            return EINVAL;
        }
        // SAFETY: as above; the place is the caller's.
        unsafe {
            let errno = *__errno_location();
            let base = begun(real_memalign(alignment, size), size, code);
            *__errno_location() = errno;
            if base == 0 {
                return ENOMEM;
            }
            result.write(base);
        }
        0
    }

    #[unsafe(export_name = "snag_memory_free")]
    unsafe extern "C" fn free(base: usize, code: usize) {
        if base != 0 && heap::is_on() {
            // SAFETY: a live block of libc's.
            let room = unsafe { malloc_usable_size(base) };
            heap::ending(base, room, code);
            if heap::keep(base, room, super::give_back) {
                return;
            }
        }
        // SAFETY: the caller gives it back.
        unsafe { real_free(base) };
    }

    #[unsafe(export_name = "snag_memory_realloc_array")]
    unsafe extern "C" fn realloc_array(base: usize, count: usize, size: usize, code: usize) -> usize {
        match count.checked_mul(size) {
            // SAFETY: as libc's.
            Some(size) => unsafe { realloc(base, size, code) },
            None => {
                fail(ENOMEM);
                0
            }
        }
    }

    #[unsafe(export_name = "snag_memory_realloc")]
    unsafe extern "C" fn realloc(base: usize, size: usize, code: usize) -> usize {
        if base == 0 || !heap::is_on() {
            // SAFETY: as libc's.
            return begun(unsafe { real_realloc(base, size) }, size, code);
        }
        // SAFETY: a live block of libc's, here and below.
        let room = unsafe { malloc_usable_size(base) };
        heap::ending(base, room, code);
        // SAFETY: as libc's.
        let moved = unsafe { real_realloc(base, size) };
        if moved == 0 && size == 0 {
            return 0;
        }
        if moved == 0 || moved == base {
            // SAFETY: as above: where it failed, the block is as it was.
            let now = unsafe { malloc_usable_size(base) };
            heap::resized(base, (room, now), if moved == 0 { room } else { size }, code);
            return moved;
        }
        begun(moved, size, code)
    }

    weak! {
        "munmap", "rdx" => unmap;
        "mremap", "r9" => remap;
        "shmat", "rcx" => attach;
        "shmdt", "rsi" => detach;
    }

    /// Defines a function whose arguments fill all registers: the return address goes onto the stack.
    macro_rules! six {
        ($($name:literal)*) => {
            $(
                global_asm!(
                    concat!(".pushsection .text.", $name, ",\"ax\",@progbits"),
                    concat!(".weak ", $name),
                    concat!(".type ", $name, ",@function"),
                    concat!($name, ":"),
                    ".cfi_startproc",
                    "push qword ptr [rsp]",
                    ".cfi_adjust_cfa_offset 8",
                    "call {to}",
                    "add rsp, 8",
                    ".cfi_adjust_cfa_offset -8",
                    "ret",
                    ".cfi_endproc",
                    concat!(".size ", $name, ", . - ", $name),
                    ".popsection",
                    to = sym map,
                );
            )*
        };
    }

    six!("mmap" "mmap64");

    /// A result of the kernel, as libc gives it.
    fn settle(result: isize) -> usize {
        if kernel::is_address(result) {
            return result.cast_unsigned();
        }
        fail(-result as c_int);
        usize::MAX
    }

    #[unsafe(export_name = "snag_memory_map")]
    unsafe extern "C" fn map(
        at: usize,
        len: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: usize,
        code: usize,
    ) -> usize {
        /// Mask of the kind of mapping, of which one is private.
        const KIND: c_int = 15;
        const PRIVATE: c_int = 2;
        let arguments = [at, len, protection as usize, flags as usize, file as usize, offset];
        // SAFETY: the program's own call.
        let mapped = settle(unsafe { kernel::call(kernel::SYS_MMAP, arguments) });
        if mapped != usize::MAX && heap::is_on() {
            maps::forget_mapping(mapped, len);
            if flags & KIND == PRIVATE {
                shared::unmapped(mapped, len);
            } else {
                shared::mapped(mapped, len, code);
            }
        }
        mapped
    }

    const SYS_SHMAT: usize = 30;
    const SYS_SHMDT: usize = 67;

    unsafe extern "C" fn attach(segment: c_int, at: usize, flags: c_int, code: usize) -> usize {
        let arguments = [segment as usize, at, flags as usize, 0, 0, 0];
        // SAFETY: the program's own call.
        let attached = settle(unsafe { kernel::call(SYS_SHMAT, arguments) });
        if attached != usize::MAX && heap::is_on() {
            shared::attached(attached, code);
        }
        attached
    }

    unsafe extern "C" fn detach(at: usize, _code: usize) -> c_int {
        if heap::is_on() {
            shared::detached(at);
        }
        // SAFETY: the program's own call.
        let result = settle(unsafe { kernel::call(SYS_SHMDT, [at, 0, 0, 0, 0, 0]) });
        if result == usize::MAX { -1 } else { 0 }
    }

    #[unsafe(export_name = "snag_memory_unmap")]
    unsafe extern "C" fn unmap(at: usize, len: usize, _code: usize) -> c_int {
        // Before: another thread may get the addresses at once.
        if heap::is_on() {
            maps::forget_mapping(at, len);
            shared::unmapped(at, len);
        }
        // SAFETY: the program's own call.
        let result = settle(unsafe { kernel::call(kernel::SYS_MUNMAP, [at, len, 0, 0, 0, 0]) });
        if result == usize::MAX { -1 } else { 0 }
    }

    #[unsafe(export_name = "snag_memory_remap")]
    unsafe extern "C" fn remap(
        at: usize,
        old: usize,
        new: usize,
        flags: c_int,
        to: usize,
        code: usize,
    ) -> usize {
        thread::gives_memory_back();
        // SAFETY: the program's own call.
        let moved =
            settle(unsafe { kernel::call(kernel::SYS_MREMAP, [at, old, new, flags as usize, to, 0]) });
        if moved != usize::MAX && heap::is_on() {
            if moved == at {
                maps::forget_mapping(at + old.min(new), old.abs_diff(new));
            } else {
                maps::forget_mapping(moved, new);
            }
            shared::remapped(at, old, moved, new, code);
        }
        moved
    }

    weak! {
        "sigaltstack", "rdx" => signal_stack;
    }

    /// `stack_t`.
    #[repr(C)]
    struct SignalStack {
        base: usize,
        flags: c_int,
        size: usize,
    }

    const SS_DISABLE: c_int = 2;

    unsafe extern "C" {
        static __dso_handle: u8;
        fn __cxa_thread_atexit_impl(
            destructor: extern "C" fn(usize),
            argument: usize,
            object: *const u8,
        ) -> c_int;
    }

    extern "C" fn leaves_std(_: usize) {
        lifetime::leaves_std();
    }

    /// What std calls at the end of a thread, see [`lifetime::enters_std`].
    unsafe extern "C" fn signal_stack(new: *const SignalStack, old: *mut SignalStack, _code: usize) -> c_int {
        let arguments = [new.addr(), old.addr(), 0, 0, 0, 0];
        // SAFETY: the program's own call.
        let result = settle(unsafe { kernel::call(kernel::SYS_SIGALTSTACK, arguments) });
        // SAFETY: the kernel has read it.
        if !new.is_null() && unsafe { (*new).flags } & SS_DISABLE != 0 && lifetime::enters_std() {
            // The last to be registered is the first to run.
            // SAFETY: the function lives as long as the object that it is in.
            unsafe { __cxa_thread_atexit_impl(leaves_std, 0, &raw const __dso_handle) };
        }
        if result == usize::MAX { -1 } else { 0 }
    }

    /// Defines functions that jump to one of ours, with the return address behind the arguments.
    macro_rules! hook {
        ($($name:ident, $register:literal => $to:path;)*) => {
            $(
                #[unsafe(naked)]
                #[unsafe(no_mangle)]
                extern "C" fn $name() {
                    core::arch::naked_asm!(
                        concat!("mov ", $register, ", qword ptr [rsp]"),
                        "jmp {to}",
                        to = sym $to,
                    )
                }
            )*
        };
    }

    hook! {
        snag_rust_alloc, "rdx" => rust_alloc;
        snag_rust_alloc_zeroed, "rdx" => rust_alloc_zeroed;
        snag_rust_dealloc, "rcx" => rust_dealloc;
        snag_rust_realloc, "r8" => rust_realloc;
    }

    // Only programs that are linked as the module says call these, and only those define them.
    global_asm!(
        ".weak snag_real_rust_alloc",
        ".weak snag_real_rust_alloc_zeroed",
        ".weak snag_real_rust_dealloc",
        ".weak snag_real_rust_realloc",
    );

    unsafe extern "C" {
        fn snag_real_rust_alloc(size: usize, alignment: usize) -> usize;
        fn snag_real_rust_alloc_zeroed(size: usize, alignment: usize) -> usize;
        fn snag_real_rust_dealloc(base: usize, size: usize, alignment: usize);
        fn snag_real_rust_realloc(base: usize, old: usize, alignment: usize, new: usize) -> usize;
    }

    /// The block that `allocate` gives, made known unless libc's allocator has done so.
    #[inline]
    fn known(size: usize, code: usize, allocate: impl FnOnce() -> usize) -> usize {
        forked::acts(Act::Allocates, code);
        if !heap::is_on() {
            return allocate();
        }
        let own = thread::current();
        if !own.is_null() {
            // SAFETY: the calling thread's own.
            unsafe { (*own).last_block = 0 };
        }
        let base = allocate();
        // SAFETY: as above.
        let is_libc_s = !own.is_null() && unsafe { (*own).last_block } == base;
        if base != 0 && !own.is_null() && !is_libc_s {
            heap::begun(base, size, size, true, code);
        }
        base
    }

    unsafe extern "C" fn rust_alloc(size: usize, alignment: usize, code: usize) -> usize {
        // SAFETY: the program's own call, here and below.
        known(size, code, || unsafe { snag_real_rust_alloc(size, alignment) })
    }

    unsafe extern "C" fn rust_alloc_zeroed(size: usize, alignment: usize, code: usize) -> usize {
        // SAFETY: as above.
        known(size, code, || unsafe { snag_real_rust_alloc_zeroed(size, alignment) })
    }

    /// A custom block is about to end. How large it is must not be taken from the caller: LLVM leaves out
    /// what it sees that the program's allocator does not look at.
    fn ending(base: usize, code: usize) {
        // Also of a block that has no note.
        thread::gives_memory_back();
        if heap::is_on()
            && let Some(size) = heap::custom_size(base)
        {
            heap::ending(base, size, code);
        }
    }

    unsafe extern "C" fn rust_dealloc(base: usize, size: usize, alignment: usize, code: usize) {
        ending(base, code);
        // SAFETY: as above.
        unsafe { snag_real_rust_dealloc(base, size, alignment) };
    }

    unsafe extern "C" fn rust_realloc(
        base: usize,
        old: usize,
        alignment: usize,
        new: usize,
        code: usize,
    ) -> usize {
        ending(base, code);
        // SAFETY: as above.
        known(new, code, || unsafe { snag_real_rust_realloc(base, old, alignment, new) })
    }
}
