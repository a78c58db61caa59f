//! What makes forks of the serving process cheap: most of what an execution costs are the page faults of
//! its process.
//!
//! * A fork leaves out the page tables of mapped files, which the child then asks for again, page by page;
//!   but not where a mapping has a page of its own (`vma_needs_copy` in Linux's `mm/memory.c`). So one byte
//!   of each segment of code is replaced by itself.
//! * libc gives each thread an arena of its own, made of new mappings, so that threads need not wait for
//!   each other. Here only one runs at a time.
//!
//! Invariant: nothing of it changes the contents of memory; where the kernel refuses, forks are slower.

use core::ffi::{c_char, c_int, c_void};

use crate::recorder::sys::{LoadedObject, each_loaded};

unsafe extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(descriptor: c_int) -> c_int;
    fn pwrite(descriptor: c_int, from: *const c_void, len: usize, at: i64) -> isize;
    fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
    fn mallopt(what: c_int, value: c_int) -> c_int;
}

const PAGE: usize = 4096;
/// Larger segments are left to page faults: a fork would copy more than its child needs.
const LARGEST: u64 = 24 << 20;

/// All threads take their memory from the same arena. To be called in every process that is under control,
/// since addresses follow from it.
pub(super) fn use_one_arena() {
    const M_ARENA_MAX: c_int = -8;
    // SAFETY: a setting of libc's.
    unsafe { mallopt(M_ARENA_MAX, 1) };
}

/// The thread will soon write to these bytes: the kernel gives all of their pages at once.
#[cfg(snag_memory)]
pub(crate) fn expect_writes(first: usize, len: usize) {
    const MADV_POPULATE_WRITE: c_int = 23;
    let page = first & !(PAGE - 1);
    let place = core::ptr::with_exposed_provenance_mut::<c_void>(page);
    // SAFETY: a mapping of the thread's own, of which nothing is changed; where there is none, it fails.
    unsafe { madvise(place, (first + len - page).next_multiple_of(PAGE), MADV_POPULATE_WRITE) };
}

/// Has forks copy the page tables of the code.
pub(super) fn share_code() {
    const O_RDWR: c_int = 2;
    const O_CLOEXEC: c_int = 0o2_000_000;
    // SAFETY: a path that ends with NUL.
    let memory = unsafe { open(c"/proc/self/mem".as_ptr(), O_RDWR | O_CLOEXEC) };
    if memory < 0 {
        return;
    }
    each_loaded(&mut |object| {
        share_object(object, memory);
        true
    });
    // SAFETY: opened above.
    unsafe { close(memory) };
}

fn share_object(object: &LoadedObject, memory: c_int) {
    const PT_LOAD: u32 = 1;
    const WRITABLE: u32 = 2;
    const MADV_POPULATE_READ: c_int = 22;
    for at in 0..usize::from(object.count) {
        // SAFETY: within the object's table of segments.
        let segment = unsafe { &*object.segments.add(at) };
        let is_code = segment.kind == PT_LOAD && segment.flags & WRITABLE == 0;
        if !is_code || segment.size > LARGEST {
            continue;
        }
        let start = object.load_bias + segment.address as usize;
        let (first, end) = (start & !(PAGE - 1), start + segment.size as usize);
        let place = core::ptr::with_exposed_provenance_mut::<c_void>(first);
        // SAFETY: a mapped segment, of which nothing is changed.
        unsafe {
            madvise(place, (end - first).next_multiple_of(PAGE), MADV_POPULATE_READ);
            pwrite(memory, place, 1, first as i64);
        }
    }
}
