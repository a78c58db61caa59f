//! Mappings: the layer's own, and the program's.
//!
//! Memory that comes anew from the kernel has no past: what is known of its addresses is of other memory
//! that was there before.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use super::layout::{GRANULE, cells_at, sync_word_at};
use super::{kernel, start};

/// Zeros of the layer's own, `len` bytes of them, which cost memory as they are touched. Null if there is
/// no room.
pub(super) fn reserve(len: usize) -> *mut u8 {
    kernel::map(len).unwrap_or(null_mut())
}

/// From so many bytes of a plane on, pages are dropped instead of written: of memory that is in use, where
/// writing is the faster, and of memory that comes or goes as a whole, where most was never touched.
const MANY: usize = 1 << 18;
const SOME: usize = 2 * kernel::PAGE;

/// Makes the bytes of a plane zero.
///
/// # Safety
/// They are within a plane that is mapped.
unsafe fn zero(from: usize, to: usize, many: usize) {
    let write = |from: usize, to: usize| {
        let start = core::ptr::with_exposed_provenance_mut::<u8>(from);
        // SAFETY: the caller's promise.
        unsafe { start.write_bytes(0, to - from) };
    };
    if to - from < many {
        return write(from, to);
    }
    let (first, last) = (from.next_multiple_of(kernel::PAGE), to & !(kernel::PAGE - 1));
    write(from, first);
    // SAFETY: whole pages within the plane; zeros say that nothing is known.
    unsafe { kernel::drop_pages(first, last - first) };
    write(last, to);
}

/// Forgets all accesses to `len` bytes from `address`.
#[inline]
pub(super) fn forget_accesses(address: usize, len: usize) {
    zero_cells(address, len, MANY);
}

#[inline]
fn zero_cells(address: usize, len: usize, many: usize) {
    if len == 0 || !start::is_ready() {
        return;
    }
    let (first, last) = (address & !(GRANULE - 1), (address + len - 1) & !(GRANULE - 1));
    let (from, to) = (cells_at(first), cells_at(last) + 16);
    // A range beyond the low 44 bits of addresses would wrap around.
    if from < to {
        // SAFETY: cells of granules of user space lie in the shadow memory, which is mapped.
        unsafe { zero(from, to, many) };
    }
}

/// Forgets all that is known of `len` bytes from `address`: accesses, atomics, blocks of the heap.
///
/// What atomics leave behind is found and reused later: see `sync_var`.
pub(super) fn forget(address: usize, len: usize) {
    if len == 0 || !start::is_ready() {
        return;
    }
    zero_cells(address, len, SOME);
    let (from, to) = (sync_word_at(address), sync_word_at(address + len - 1) + 4);
    if from < to {
        // SAFETY: as in `forget_accesses`, of the sync plane.
        unsafe { zero(from, to, SOME) };
    }
}

/// Forgets what is known of whole pages of the program's that come or go.
pub(super) fn forget_mapping(address: usize, len: usize) {
    super::thread::gives_memory_back();
    super::enter((), |_| forget(address, len.next_multiple_of(kernel::PAGE)));
}

unsafe extern "C" {
    fn pthread_self() -> usize;
    fn pthread_getattr_np(thread: usize, attributes: *mut Attributes) -> c_int;
    fn pthread_attr_getstack(attributes: *const Attributes, base: *mut usize, len: *mut usize) -> c_int;
    fn pthread_attr_setstacksize(attributes: *mut Attributes, size: usize) -> c_int;
    fn pthread_attr_destroy(attributes: *mut Attributes) -> c_int;
}

/// `pthread_attr_t`: glibc's and musl's have 56 bytes on x86-64.
#[repr(C, align(8))]
pub(crate) struct Attributes([u8; 56]);

/// What instrumented code and the layer may need of a thread's stack beyond what the program needs, in
/// bytes. A thread that asks for the least that there is, 16 KiB, would not get far.
const EXTRA_STACK: usize = 256 << 10;

/// A copy of what a caller of `pthread_create` asked for, with room on the stack for instrumented code.
/// `None` if it is to be as it was asked for: the size is libc's choice, or the stack the caller's own.
///
/// # Safety
///
/// `asked` is null or an initialised `pthread_attr_t`. The result must not outlive it, nor be destroyed.
pub(crate) unsafe fn with_room(asked: *const c_void) -> Option<Attributes> {
    let asked = asked.cast::<Attributes>();
    let (mut base, mut len) = (0_usize, 0);
    // SAFETY: `asked` is initialised, as the caller says, and both answers have a valid place.
    if asked.is_null() || unsafe { pthread_attr_getstack(asked, &raw mut base, &raw mut len) } != 0 {
        return None;
    }
    // glibc knows a stack by its upper end, which is address 0 if the caller gave none; the size is 0 if
    // the caller said nothing of it either, and gets what is usual, which is plenty.
    if len == 0 || base.wrapping_add(len) != 0 {
        return None;
    }
    // SAFETY: a `pthread_attr_t` is plain bytes; what it points to is only read.
    let mut copy = unsafe { asked.read() };
    // SAFETY: the copy is an initialised `pthread_attr_t`.
    let set = unsafe { pthread_attr_setstacksize(&raw mut copy, len.saturating_add(EXTRA_STACK)) };
    (set == 0).then_some(copy)
}

/// Where the calling thread's stack is, as base and length, with its thread-local data where libc has put
/// that there; empty if libc does not say.
pub(super) fn own_stack() -> (usize, usize) {
    let mut attributes = Attributes([0; 56]);
    let (mut base, mut len) = (0, 0);
    // SAFETY: the places are valid for the answers, and the attributes are destroyed if they were made.
    unsafe {
        if pthread_getattr_np(pthread_self(), &raw mut attributes) == 0 {
            pthread_attr_getstack(&raw const attributes, &raw mut base, &raw mut len);
            pthread_attr_destroy(&raw mut attributes);
        }
    }
    (base, len)
}
