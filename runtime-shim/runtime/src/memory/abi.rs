//! The symbols that LLVM's `tsan` pass has instrumented code call for plain accesses, ranges and function
//! entry and exit.
//!
//! The common widths have a fast path: it finds the granule's four cells, compares them with four times
//! the calling thread's key and returns if one is equal. For a read the lowest bit of the cells is set
//! first, as a write of the same epoch is as good; for less than eight bytes so are the bits of the bytes
//! that are not accessed. Otherwise it jumps on, with the return address into the program as one more
//! argument: no frame of ours stands between the program and what it called.
//!
//! Invariant: nothing here needs a stack, a followed thread or a recording; the planes are mapped before
//! instrumented code runs.
//!
//! Source: `ThreadSanitizer.cpp` of LLVM. The symbols of atomics are in `atomics`.

use core::arch::naked_asm;
use core::ffi::{c_int, c_void};

use super::access::slow;
use super::context::{FACTOR, WITHIN};
use super::event::Nature;
use super::layout::{Cell, GRANULE, cells_at};
use super::ranges::{range, range_of};
use super::thread;

#[repr(C, align(16))]
struct Lanes([u32; 4]);

/// The lowest bit of each cell.
static READ: Lanes = Lanes([1; 4]);

/// Slow path of eight aligned bytes.
unsafe extern "C" fn whole<const WRITE: bool>(address: usize, pc: usize, cells: *mut Cell) {
    // SAFETY: the fast path gives the granule's cells.
    unsafe { slow::<WRITE, true>(address, pc, cells, 0xff) }
}

/// Slow path of fewer bytes; `mask` has them in its uppermost eight bits.
unsafe extern "C" fn part<const WRITE: bool>(address: usize, pc: usize, cells: *mut Cell, mask: u32) {
    // SAFETY: the fast path gives the granule's cells.
    unsafe { slow::<WRITE, false>(address, pc, cells, mask >> 24) }
}

/// Any other access of `SIZE` bytes.
unsafe extern "C" fn any<const WRITE: bool, const SIZE: usize>(address: usize, pc: usize) {
    // SAFETY: the program makes that access.
    unsafe {
        if address % GRANULE + SIZE <= GRANULE {
            return single::<WRITE, SIZE>(address, pc);
        }
        range::<WRITE>(address, SIZE, pc);
    }
}

/// # Safety
/// The program makes that access, which lies in one granule.
#[inline(always)]
unsafe fn single<const WRITE: bool, const SIZE: usize>(address: usize, pc: usize) {
    let cells = core::ptr::with_exposed_provenance_mut::<Cell>(cells_at(address));
    let mask = super::layout::mask_of(address, SIZE);
    // SAFETY: the granule's cells.
    unsafe {
        if !super::access::is_known_now::<WRITE>(cells, mask) {
            slow::<WRITE, false>(address, pc, cells, mask);
        }
    }
}

unsafe extern "C" fn volatile<const WRITE: bool, const SIZE: usize>(address: usize, pc: usize) {
    // SAFETY: the program makes that access.
    unsafe { range_of::<WRITE>(address, SIZE, pc, Nature::Volatile) }
}

macro_rules! eight {
    ($name:ident, $key:literal, $prepare:literal, $write:literal) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            naked_asm!(
                concat!("mov rax, qword ptr [rip + ", $key, "@gottpoff]"),
                "mov rdx, rdi",
                "shl rdx, 20",
                "shr rdx, 19",
                "bts rdx, 45",
                // Unaligned if the address is.
                "movdqu xmm0, xmmword ptr [rdx]",
                concat!($prepare, "/*{read}*/"),
                "pcmpeqd xmm0, xmmword ptr fs:[rax]",
                "pmovmskb eax, xmm0",
                "test eax, eax",
                "je 2f",
                "ret",
                "2:",
                "mov rsi, qword ptr [rsp]",
                "test dil, 7",
                "je {whole}",
                "jmp {any}",
                read = sym READ,
                whole = sym whole::<$write>,
                any = sym any::<$write, 8>,
            )
        }
    };
}

eight!(__tsan_read8, "snag_key_read", "por xmm0, xmmword ptr [rip + {read}]", false);
eight!(__tsan_write8, "snag_key_write", "", true);
eight!(__tsan_read_write8, "snag_key_write", "", true);

macro_rules! fewer {
    ($($name:ident, $bytes:literal, $key:literal, $indifferent:literal, $write:literal;)*) => {
        $(
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            extern "C" fn $name() {
                naked_asm!(
                    concat!("mov r8, qword ptr [rip + ", $key, "@gottpoff]"),
                    "mov rdx, rdi",
                    "mov ecx, edi",
                    "shl rdx, 20",
                    "and ecx, 7",
                    "shr rdx, 19",
                    "mov esi, {bytes} << 24",
                    "and rdx, -16",
                    "shl esi, cl",
                    "bts rdx, 45",
                    // All bytes but those, and for a read the lowest bit.
                    "mov eax, {indifferent}",
                    "xor eax, esi",
                    "movd xmm0, eax",
                    "pshufd xmm0, xmm0, 0",
                    "por xmm0, xmmword ptr [rdx]",
                    "pcmpeqd xmm0, xmmword ptr fs:[r8]",
                    "pmovmskb eax, xmm0",
                    "test eax, eax",
                    "je 2f",
                    "ret",
                    "2:",
                    "mov ecx, esi",
                    "mov rsi, qword ptr [rsp]",
                    "jmp {part}",
                    bytes = const $bytes,
                    indifferent = const $indifferent,
                    part = sym part::<$write>,
                )
            }
        )*
    };
}

fewer! {
    __tsan_read1, 1, "snag_key_read", 0xff00_0001_u32, false;
    __tsan_read2, 3, "snag_key_read", 0xff00_0001_u32, false;
    __tsan_read4, 15, "snag_key_read", 0xff00_0001_u32, false;
    __tsan_write1, 1, "snag_key_write", 0xff00_0000_u32, true;
    __tsan_write2, 3, "snag_key_write", 0xff00_0000_u32, true;
    __tsan_write4, 15, "snag_key_write", 0xff00_0000_u32, true;
    __tsan_read_write1, 1, "snag_key_write", 0xff00_0000_u32, true;
    __tsan_read_write2, 3, "snag_key_write", 0xff00_0000_u32, true;
    __tsan_read_write4, 15, "snag_key_write", 0xff00_0000_u32, true;
}

macro_rules! sixteen {
    ($name:ident, $key:literal, $prepare_low:literal, $prepare_high:literal, $write:literal) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            naked_asm!(
                concat!("mov rax, qword ptr [rip + ", $key, "@gottpoff]"),
                "mov rdx, rdi",
                "shl rdx, 20",
                "shr rdx, 19",
                "bts rdx, 45",
                "movdqa xmm2, xmmword ptr fs:[rax]",
                "movdqu xmm0, xmmword ptr [rdx]",
                "movdqu xmm1, xmmword ptr [rdx + 16]",
                concat!($prepare_low, "/*{read}*/"),
                $prepare_high,
                "pcmpeqd xmm0, xmm2",
                "pcmpeqd xmm1, xmm2",
                "pmovmskb eax, xmm0",
                "pmovmskb ecx, xmm1",
                "test eax, eax",
                "je 2f",
                "test ecx, ecx",
                "je 2f",
                "ret",
                "2:",
                "mov rsi, qword ptr [rsp]",
                "jmp {any}",
                read = sym READ,
                any = sym any::<$write, 16>,
            )
        }
    };
}

sixteen!(
    __tsan_read16,
    "snag_key_read",
    "por xmm0, xmmword ptr [rip + {read}]",
    "por xmm1, xmmword ptr [rip + {read}]",
    false
);
sixteen!(__tsan_write16, "snag_key_write", "", "", true);
sixteen!(__tsan_read_write16, "snag_key_write", "", "", true);

/// Symbols that only hand on their return address, in the register behind their arguments.
macro_rules! stubs {
    ($($name:ident, $register:literal => $to:path;)*) => {
        $(
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            extern "C" fn $name() {
                naked_asm!(concat!("mov ", $register, ", qword ptr [rsp]"), "jmp {to}", to = sym $to)
            }
        )*
    };
}

stubs! {
    __tsan_unaligned_read1, "rsi" => any::<false, 1>;
    __tsan_unaligned_read2, "rsi" => any::<false, 2>;
    __tsan_unaligned_read4, "rsi" => any::<false, 4>;
    __tsan_unaligned_read8, "rsi" => any::<false, 8>;
    __tsan_unaligned_read16, "rsi" => any::<false, 16>;
    __tsan_unaligned_write1, "rsi" => any::<true, 1>;
    __tsan_unaligned_write2, "rsi" => any::<true, 2>;
    __tsan_unaligned_write4, "rsi" => any::<true, 4>;
    __tsan_unaligned_write8, "rsi" => any::<true, 8>;
    __tsan_unaligned_write16, "rsi" => any::<true, 16>;
    __tsan_unaligned_read_write1, "rsi" => any::<true, 1>;
    __tsan_unaligned_read_write2, "rsi" => any::<true, 2>;
    __tsan_unaligned_read_write4, "rsi" => any::<true, 4>;
    __tsan_unaligned_read_write8, "rsi" => any::<true, 8>;
    __tsan_unaligned_read_write16, "rsi" => any::<true, 16>;
    __tsan_volatile_read1, "rsi" => volatile::<false, 1>;
    __tsan_volatile_read2, "rsi" => volatile::<false, 2>;
    __tsan_volatile_read4, "rsi" => volatile::<false, 4>;
    __tsan_volatile_read8, "rsi" => volatile::<false, 8>;
    __tsan_volatile_read16, "rsi" => volatile::<false, 16>;
    __tsan_volatile_write1, "rsi" => volatile::<true, 1>;
    __tsan_volatile_write2, "rsi" => volatile::<true, 2>;
    __tsan_volatile_write4, "rsi" => volatile::<true, 4>;
    __tsan_volatile_write8, "rsi" => volatile::<true, 8>;
    __tsan_volatile_write16, "rsi" => volatile::<true, 16>;
    __tsan_unaligned_volatile_read1, "rsi" => volatile::<false, 1>;
    __tsan_unaligned_volatile_read2, "rsi" => volatile::<false, 2>;
    __tsan_unaligned_volatile_read4, "rsi" => volatile::<false, 4>;
    __tsan_unaligned_volatile_read8, "rsi" => volatile::<false, 8>;
    __tsan_unaligned_volatile_read16, "rsi" => volatile::<false, 16>;
    __tsan_unaligned_volatile_write1, "rsi" => volatile::<true, 1>;
    __tsan_unaligned_volatile_write2, "rsi" => volatile::<true, 2>;
    __tsan_unaligned_volatile_write4, "rsi" => volatile::<true, 4>;
    __tsan_unaligned_volatile_write8, "rsi" => volatile::<true, 8>;
    __tsan_unaligned_volatile_write16, "rsi" => volatile::<true, 16>;
    __tsan_vptr_read, "rsi" => any::<false, 8>;
    __tsan_vptr_update, "rsi" => any::<true, 8>;
    __tsan_read_range, "rdx" => any_size::<false>;
    __tsan_write_range, "rdx" => any_size::<true>;
    __tsan_memcpy, "rcx" => copy;
    __tsan_memmove, "rcx" => copy_overlapping;
    __tsan_memset, "rcx" => fill;
}

unsafe extern "C" {
    fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn memset(to: *mut c_void, value: c_int, size: usize) -> *mut c_void;
}

unsafe extern "C" fn any_size<const WRITE: bool>(address: usize, size: usize, pc: usize) {
    // SAFETY: the program makes that access.
    unsafe { range::<WRITE>(address, size, pc) }
}

unsafe extern "C" fn copy(to: *mut c_void, from: *const c_void, size: usize, pc: usize) -> *mut c_void {
    // SAFETY: the program makes these accesses.
    unsafe {
        range::<false>(from.addr(), size, pc);
        range::<true>(to.addr(), size, pc);
        memcpy(to, from, size)
    }
}

unsafe extern "C" fn copy_overlapping(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
    pc: usize,
) -> *mut c_void {
    // SAFETY: the program makes these accesses.
    unsafe {
        range::<false>(from.addr(), size, pc);
        range::<true>(to.addr(), size, pc);
        memmove(to, from, size)
    }
}

unsafe extern "C" fn fill(to: *mut c_void, value: c_int, size: usize, pc: usize) -> *mut c_void {
    // SAFETY: the program makes this access.
    unsafe {
        range::<true>(to.addr(), size, pc);
        memset(to, value, size)
    }
}

/// Enters a function; the argument is the address to which it returns. See [`super::context`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_entry() {
    naked_asm!(
        "mov rax, qword ptr [rip + snag_frames@gottpoff]",
        "mov rcx, qword ptr fs:[rax]",
        "test rcx, rcx",
        "je 2f",
        "mov edx, dword ptr [rcx + 8]",
        "add edx, edi",
        "imul edx, edx, {factor}",
        "lea rsi, [rcx + 16]",
        "xor rsi, rcx",
        "and esi, {within}",
        "xor rsi, rcx",
        "mov qword ptr [rsi], rdi",
        "mov dword ptr [rsi + 8], edx",
        "mov qword ptr fs:[rax], rsi",
        "2: ret",
        factor = const FACTOR.cast_signed(),
        within = const WITHIN,
    )
}

/// Leaves a function.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_exit() {
    naked_asm!(
        "mov rax, qword ptr [rip + snag_frames@gottpoff]",
        "mov rcx, qword ptr fs:[rax]",
        "test rcx, rcx",
        "je 2f",
        "lea rsi, [rcx - 16]",
        "xor rsi, rcx",
        "and esi, {within}",
        "xor rsi, rcx",
        "mov qword ptr fs:[rax], rsi",
        "2: ret",
        within = const WITHIN,
    )
}

/// The program asks to be left alone, until [`__tsan_ignore_thread_end`].
#[unsafe(no_mangle)]
extern "C" fn __tsan_ignore_thread_begin() {
    let thread = thread::current();
    if !thread.is_null() {
        // SAFETY: the calling thread's own.
        unsafe { (*thread).ignore += 1 };
    }
}

/// See [`__tsan_ignore_thread_begin`].
#[unsafe(no_mangle)]
extern "C" fn __tsan_ignore_thread_end() {
    let thread = thread::current();
    if !thread.is_null() {
        // SAFETY: the calling thread's own.
        unsafe { (*thread).ignore = (*thread).ignore.saturating_sub(1) };
    }
}
