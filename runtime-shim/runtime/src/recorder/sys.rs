//! The operating system as the recorder needs it: a handful of calls, no heap, no locks, `errno`
//! left as it was.

use core::ffi::{c_char, c_int, c_long, c_void};

use snag_trace::layout::CHUNK_SIZE;

use crate::kernel;

pub(super) const O_RDWR: c_int = 2;
pub(super) const O_CREAT: c_int = 0o100;
pub(super) const O_EXCL: c_int = 0o200;
pub(super) const O_CLOEXEC: c_int = 0o2_000_000;
const SYS_MMAP: usize = 9;
const SYS_MUNMAP: usize = 11;
const PROT_READ_WRITE: usize = 1 | 2;
const MAP_SHARED: usize = 1;
const EEXIST: c_int = 17;
const RLIMIT_FSIZE: c_int = 1;
const SYS_GETTID: c_long = 186;

#[repr(C)]
struct ResourceLimit {
    current: u64,
    maximum: u64,
}

/// An executable or shared object in memory (`dl_phdr_info` of libc).
#[repr(C)]
pub(crate) struct LoadedObject {
    /// How far it was moved from the addresses in its file.
    pub(crate) load_bias: usize,
    name: *const c_char,
    #[cfg(snag_explore)]
    pub(crate) segments: *const LoadedSegment,
    #[cfg(snag_explore)]
    pub(crate) count: u16,
}

/// A part of a loaded object (`Elf64_Phdr`).
#[cfg(snag_explore)]
#[repr(C)]
pub(crate) struct LoadedSegment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    offset: u64,
    pub(crate) address: u64,
    physical: u64,
    size_in_file: u64,
    pub(crate) size: u64,
    alignment: u64,
}

unsafe extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(descriptor: c_int) -> c_int;
    fn read(descriptor: c_int, buffer: *mut c_void, len: usize) -> isize;
    fn pwrite(descriptor: c_int, buffer: *const c_void, len: usize, offset: i64) -> isize;
    fn getrlimit(resource: c_int, limit: *mut ResourceLimit) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
    fn getenv(name: *const c_char) -> *const c_char;
    fn readlink(path: *const c_char, buffer: *mut c_char, len: usize) -> isize;
    fn dl_iterate_phdr(
        callback: extern "C" fn(*mut LoadedObject, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn pthread_self() -> usize;
    fn pthread_getname_np(thread: usize, buffer: *mut c_char, len: usize) -> c_int;
    fn pthread_key_create(key: *mut u32, destructor: extern "C" fn(*mut c_void)) -> c_int;
    fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
    fn atexit(handler: extern "C" fn()) -> c_int;
    fn getpid() -> c_int;
    fn getppid() -> c_int;
}

/// Runs `body` and puts `errno` back: the recorder may run between the user's call and its check.
pub(super) fn keeping_errno<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: `__errno_location` always gives the calling thread's valid `errno`.
    let place = unsafe { __errno_location() };
    // SAFETY: as above; the thread is the same before and after `body`.
    let before = unsafe { *place };
    let result = body();
    // SAFETY: as above.
    unsafe { *place = before };
    result
}

fn errno() -> c_int {
    // SAFETY: always valid for the calling thread.
    unsafe { *__errno_location() }
}

/// An open file, closed on drop.
pub(super) struct File(c_int);

/// Why a file could not be opened.
#[derive(PartialEq, Eq)]
pub(super) enum OpenError {
    Exists,
    Other,
}

impl File {
    /// Opens the NUL-terminated `path`.
    pub(super) fn open(path: &[u8], flags: c_int) -> Result<File, OpenError> {
        debug_assert_eq!(path.last(), Some(&0));
        // SAFETY: `path` is NUL-terminated; the third argument is the mode for O_CREAT.
        let descriptor = unsafe { open(path.as_ptr().cast(), flags | O_CLOEXEC, 0o644 as c_int) };
        if descriptor >= 0 {
            return Ok(File(descriptor));
        }
        Err(if errno() == EEXIST { OpenError::Exists } else { OpenError::Other })
    }

    /// Fills the file with `len` zeros from `offset`, at most a chunk. False if there is no space.
    ///
    /// Writing beats `fallocate` here: the first store to each page of a mapping of unwritten
    /// extents costs several microseconds, to one of dirty pages half of one.
    pub(super) fn extend(&self, offset: usize, len: usize) -> bool {
        static ZEROS: [u8; CHUNK_SIZE] = [0; CHUNK_SIZE];
        let mut limit = ResourceLimit { current: 0, maximum: 0 };
        // SAFETY: `limit` is a valid place for the answer.
        let known = unsafe { getrlimit(RLIMIT_FSIZE, &raw mut limit) } == 0;
        // Beyond the limit the kernel would send SIGXFSZ to the user's program.
        if known && (offset + len) as u64 > limit.current {
            return false;
        }
        let zeros = &ZEROS[..len];
        // SAFETY: the buffer is valid for reads of its length.
        let written = unsafe { pwrite(self.0, zeros.as_ptr().cast(), len, offset as i64) };
        usize::try_from(written) == Ok(len)
    }

    /// Maps `len` bytes from `offset`, shared and writable.
    pub(super) fn map(&self, offset: usize, len: usize) -> Option<*mut u8> {
        mapping(len, MAP_SHARED, self.0 as usize, offset)
    }

    /// Reads up to `buffer.len()` bytes.
    pub(super) fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the buffer is valid for writes of its length.
        let got = unsafe { read(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(got).unwrap_or(0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and closed once.
        unsafe { close(self.0) };
    }
}

/// Maps `len` zero bytes of this process's own.
pub(super) fn map_anonymous(len: usize) -> Option<*mut u8> {
    const MAP_PRIVATE: usize = 2;
    const MAP_ANONYMOUS: usize = 0x20;
    mapping(len, MAP_PRIVATE | MAP_ANONYMOUS, usize::MAX, 0)
}

/// A new mapping, by the kernel itself: libc's functions may be ours, which take it for the program's.
fn mapping(len: usize, flags: usize, file: usize, offset: usize) -> Option<*mut u8> {
    // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
    let at = unsafe { kernel::call(SYS_MMAP, [0, len, PROT_READ_WRITE, flags, file, offset]) };
    let is_error = (-4095..0).contains(&at);
    (!is_error).then(|| core::ptr::with_exposed_provenance_mut(at.cast_unsigned()))
}

/// Unmaps what [`File::map`] gave.
///
/// # Safety
/// `at..at + len` is a mapping of [`File::map`] that nothing refers to any more.
pub(super) unsafe fn unmap(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { kernel::call(SYS_MUNMAP, [at.expose_provenance(), len, 0, 0, 0, 0]) };
}

/// The value of the environment variable `name` (NUL-terminated), copied into `buffer` with its
/// NUL; gives the length without it.
pub(super) fn environment(name: &[u8], buffer: &mut [u8]) -> Option<usize> {
    debug_assert_eq!(name.last(), Some(&0));
    // SAFETY: `name` is NUL-terminated.
    let mut at = unsafe { getenv(name.as_ptr().cast()) };
    if at.is_null() {
        return None;
    }
    for (index, slot) in buffer.iter_mut().enumerate() {
        // SAFETY: the value is NUL-terminated and the loop stops there.
        *slot = unsafe { *at }.cast_unsigned();
        if *slot == 0 {
            return Some(index);
        }
        // SAFETY: not yet at the NUL.
        at = unsafe { at.add(1) };
    }
    None
}

/// The target of the symbolic link `path` (NUL-terminated); gives its length.
pub(super) fn link_target(path: &[u8], buffer: &mut [u8]) -> usize {
    // SAFETY: `path` is NUL-terminated and the buffer valid for its length.
    let got = unsafe { readlink(path.as_ptr().cast(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(got).unwrap_or(0)
}

/// How far the executable was moved from the addresses in its file.
pub(super) fn load_bias() -> usize {
    let mut bias = 0;
    // The first object is the executable itself.
    each_loaded(&mut |object| {
        bias = object.load_bias;
        false
    });
    bias
}

/// Calls `each` with what is loaded, until it says `false`. Nothing may be loaded or closed meanwhile.
pub(crate) fn each_loaded(mut each: &mut dyn FnMut(&LoadedObject) -> bool) {
    extern "C" fn next(object: *mut LoadedObject, _: usize, each: *mut c_void) -> c_int {
        // SAFETY: the loader gives a valid object; `each` is what was handed over.
        let (object, each) =
            unsafe { (&*object, &mut *each.cast::<&mut dyn FnMut(&LoadedObject) -> bool>()) };
        c_int::from(!each(object))
    }
    // SAFETY: the callback gets the closure that it expects, which outlives the call.
    unsafe { dl_iterate_phdr(next, (&raw mut each).cast()) };
}

/// The operating system's id of the calling thread.
pub(super) fn thread_id() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { syscall(SYS_GETTID) }.cast_unsigned() as u32
}

/// The short name that the operating system knows the calling thread by.
pub(super) fn short_thread_name() -> [u8; 16] {
    let mut name = [0_u8; 16];
    // SAFETY: the buffer has the documented size of 16.
    unsafe { pthread_getname_np(pthread_self(), name.as_mut_ptr().cast(), name.len()) };
    name
}

/// A key whose `destructor` runs at the end of every thread that set it. 0 if none could be had.
pub(super) fn thread_end_key(destructor: extern "C" fn(*mut c_void)) -> Option<u32> {
    let mut key = 0;
    // SAFETY: `key` is a valid place for the answer.
    (unsafe { pthread_key_create(&raw mut key, destructor) } == 0).then_some(key)
}

/// Arms the calling thread's destructor for `key`; `round` is given to it and must not be 0.
pub(super) fn arm_thread_end(key: u32, round: usize) {
    // SAFETY: the key exists for ever; the value is only a number.
    unsafe { pthread_setspecific(key, core::ptr::without_provenance(round)) };
}

/// Registers handlers for before a fork, for its child, and for a normal exit.
pub(super) fn on_fork_and_exit(before: extern "C" fn(), child: extern "C" fn(), exit: extern "C" fn()) {
    // SAFETY: they are plain functions that live for ever.
    unsafe {
        pthread_atfork(Some(before), None, Some(child));
        atexit(exit);
    }
}

/// Process id and parent's process id.
pub(super) fn process_ids() -> (u32, u32) {
    // SAFETY: cannot fail.
    unsafe { (getpid().cast_unsigned(), getppid().cast_unsigned()) }
}
