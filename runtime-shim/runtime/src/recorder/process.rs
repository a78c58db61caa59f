//! The process's trace file: made once, found again by its path, made anew in a forked child.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use snag_trace::layout::{
    CHUNK_SIZE, CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, HEADER_SIZE, MAGIC, RUN_ENV, TRACE_EXTENSION, VERSION,
    clock, header, state,
};
use snag_trace::process::{self as births, Birth, How};
use snag_trace::{Flags, Kind, Mode};

use super::sys::{self, File, O_CREAT, O_EXCL, O_RDWR, OpenError};
use super::{At, Clock, OFF, ON, STATE, chunk, shared, sites, threads};
use crate::kernel;

/// The mapped clock.
pub(super) static CLOCK: AtomicPtr<Clock> = AtomicPtr::new(null_mut());
static HEADER: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static THREAD_END: AtomicU32 = AtomicU32::new(0);
/// The process that records.
static OWN: AtomicU32 = AtomicU32::new(0);

/// Largest size of a trace file in bytes.
const MAX_FILE: u64 = 16 << 30;
const PATH_LEN: usize = 4096;

/// A NUL-terminated path, written while no other thread can read it (at start, and in a forked
/// child), read afterwards.
struct SharedPath(UnsafeCell<[u8; PATH_LEN]>);

// SAFETY: see the type: writes happen before the state becomes ON, or with one thread alive.
unsafe impl Sync for SharedPath {}

static RUN_FOLDER: SharedPath = SharedPath(UnsafeCell::new([0; PATH_LEN]));
static TRACE_FILE: SharedPath = SharedPath(UnsafeCell::new([0; PATH_LEN]));

impl SharedPath {
    fn get(&self) -> &[u8] {
        // SAFETY: no writer while there are readers, see the type.
        let bytes = unsafe { &*self.0.get() };
        let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(PATH_LEN - 1);
        &bytes[..=len]
    }

    /// Sets it to the parts, NUL-terminated; false if they do not fit.
    fn set(&self, parts: &[&[u8]]) -> bool {
        // SAFETY: no reader while there is a writer, see the type.
        let bytes = unsafe { &mut *self.0.get() };
        let mut at = 0;
        for part in parts {
            if at + part.len() >= PATH_LEN {
                return false;
            }
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes[at] = 0;
        true
    }

    /// Without the NUL.
    fn text(&self) -> &[u8] {
        let bytes = self.get();
        &bytes[..bytes.len() - 1]
    }
}

/// Decimal digits of a number.
struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    fn new(mut value: u64) -> Digits {
        let mut digits = Digits { bytes: [0; 20], start: 20 };
        loop {
            digits.start -= 1;
            digits.bytes[digits.start] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return digits;
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Sets everything up if the environment asks for a recording. True if it does and could be done.
pub(super) fn start() -> bool {
    let mut folder = [0_u8; PATH_LEN];
    let mut name = [0_u8; 32];
    name[..RUN_ENV.len()].copy_from_slice(RUN_ENV.as_bytes());
    #[cfg(snag_explore)]
    crate::engine::controlled::serve::start();
    let is_kept = match sys::environment(&name[..=RUN_ENV.len()], &mut folder) {
        Some(len) if len > 0 => RUN_FOLDER.set(&[&folder[..len]]) && map_clock() && make_trace_file(false),
        _ => scratch::is_wanted() && scratch::start(),
    };
    if !is_kept {
        return false;
    }
    threads::note_main_name();
    if let Some(key) = sys::thread_end_key(thread_end) {
        THREAD_END.store(key + 1, Ordering::Release);
    }
    sys::on_fork_and_exit(before_fork, in_forked_child, at_exit);
    true
}

/// Where nothing is kept, but the memory layer has to see all events: for executions that are explored.
mod scratch {
    use super::*;

    static USED: AtomicBool = AtomicBool::new(false);

    pub(super) fn is_wanted() -> bool {
        #[cfg(snag_explore)]
        return crate::engine::controlled::serve::is_serving();
        #[cfg(not(snag_explore))]
        false
    }

    pub(super) fn start() -> bool {
        let (Some(clock), Some(header)) = (sys::map_anonymous(CLOCK_SIZE), sys::map_anonymous(HEADER_SIZE))
        else {
            return false;
        };
        // SAFETY: the page has CLOCK_SIZE bytes and the field is aligned.
        CLOCK.store(unsafe { clock.add(clock::SEQ) }.cast(), Ordering::Release);
        HEADER.store(header, Ordering::Release);
        USED.store(true, Ordering::Release);
        true
    }

    /// Whether it is here that everything goes.
    pub(super) fn is_used() -> bool {
        USED.load(Ordering::Relaxed)
    }
}

/// Whether what is recorded goes to a file.
#[cfg(all(snag_explore, snag_memory))]
pub(super) fn is_kept() -> bool {
    !scratch::is_used()
}

fn map_clock() -> bool {
    if !TRACE_FILE.set(&[RUN_FOLDER.text(), b"/", CLOCK_FILE.as_bytes()]) {
        return false;
    }
    let Ok(file) = File::open(TRACE_FILE.get(), O_RDWR) else { return false };
    let mut head = [0_u8; 12];
    if file.read(&mut head) != head.len()
        || head[..8] != CLOCK_MAGIC
        || head[clock::VERSION..] != VERSION.to_le_bytes()
    {
        return false;
    }
    let Some(page) = file.map(0, CLOCK_SIZE) else { return false };
    // SAFETY: the page has CLOCK_SIZE bytes and the field is aligned.
    CLOCK.store(unsafe { page.add(clock::SEQ) }.cast(), Ordering::Release);
    note_standard_streams();
    true
}

/// The streams that the run was begun with, which the first of its processes notes in the clock page.
fn standard_streams() -> &'static [AtomicU64; 3] {
    const BEHIND: usize = clock::STANDARD - clock::SEQ;
    // SAFETY: the page is mapped for ever and has them there, aligned.
    unsafe { &*CLOCK.load(Ordering::Acquire).byte_add(BEHIND).cast() }
}

fn note_standard_streams() {
    for (descriptor, stream) in (0..).zip(standard_streams()) {
        let key = shared::descriptor(descriptor).map_or(1, |(_, shared)| shared::hash(shared));
        // Another process was first, if it fails.
        let _ = stream.compare_exchange(0, key, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whether this is a stream that the run was begun with, so that other programs are at its other end.
pub(crate) fn is_of_the_run(stream: births::Shared) -> bool {
    let is_kept = !scratch::is_used();
    is_kept && standard_streams().iter().any(|there| there.load(Ordering::Relaxed) == shared::hash(stream))
}

/// Whether the calling process is the one that records: the child of a `vfork` has its parent's memory.
pub(crate) fn is_own_process() -> bool {
    const SYS_GETPID: usize = 39;
    // SAFETY: no arguments, cannot fail.
    let pid = unsafe { kernel::call(SYS_GETPID, [0; 6]) };
    pid.cast_unsigned() as u32 == OWN.load(Ordering::Relaxed)
}

/// Makes `<pid>.trace`, or `<pid>-<n>.trace` where an earlier image of this process has the name.
fn make_trace_file(forked: bool) -> bool {
    let (pid, _) = sys::process_ids();
    for attempt in 0..1000_u64 {
        let (pid, number) = (Digits::new(u64::from(pid)), Digits::new(attempt));
        let (dash, number): (&[u8], &[u8]) =
            if attempt == 0 { (b"", b"") } else { (b"-", number.as_slice()) };
        let extension = TRACE_EXTENSION.as_bytes();
        if !TRACE_FILE.set(&[RUN_FOLDER.text(), b"/", pid.as_slice(), dash, number, b".", extension]) {
            return false;
        }
        match File::open(TRACE_FILE.get(), O_RDWR | O_CREAT | O_EXCL) {
            Ok(file) => return map_header(&file, forked),
            Err(OpenError::Exists) => {}
            Err(OpenError::Other) => return false,
        }
    }
    false
}

fn map_header(file: &File, forked: bool) -> bool {
    if !file.extend(0, HEADER_SIZE) {
        return false;
    }
    let Some(page) = file.map(0, HEADER_SIZE) else { return false };
    let (pid, parent) = sys::process_ids();
    // A forked child has its parent's memory, and may have outlived it.
    let before = OWN.swap(pid, Ordering::Relaxed);
    let parent = if forked { before } else { parent };
    let put = |at: usize, bytes: &[u8]| {
        // SAFETY: the fields lie within the header's page, which nobody else writes yet.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), page.add(at), bytes.len()) };
    };
    put(header::VERSION, &VERSION.to_le_bytes());
    put(header::CHUNK_SIZE, &(CHUNK_SIZE as u32).to_le_bytes());
    put(header::PID, &pid.to_le_bytes());
    put(header::PARENT_PID, &parent.to_le_bytes());
    put(header::FORKED, &u32::from(forked).to_le_bytes());
    put(header::FIRST_SEQ, &now().to_le_bytes());
    put(header::LOAD_BASE, &(sys::load_bias() as u64).to_le_bytes());
    put(header::MAGIC, &MAGIC);
    HEADER.store(page, Ordering::Release);
    true
}

/// The last sequence number given out.
fn now() -> u64 {
    // SAFETY: mapped before any trace file is made.
    unsafe { (*CLOCK.load(Ordering::Acquire)).load(Ordering::Acquire) }
}

fn header_word(at: usize) -> &'static AtomicU64 {
    // SAFETY: the header's page is mapped for ever, the field lies within it and is aligned.
    unsafe { &*HEADER.load(Ordering::Acquire).add(at).cast::<AtomicU64>() }
}

/// Records what the process is.
pub(super) fn describe() {
    let (mut path, mut line) = ([0_u8; PATH_LEN / 2], [0_u8; PATH_LEN / 2]);
    let (path_len, line_len) = sys::keeping_errno(|| {
        let path_len = sys::link_target(b"/proc/self/exe\0", &mut path);
        let line_len = File::open(b"/proc/self/cmdline\0", 0).map_or(0, |file| file.read(&mut line));
        (path_len, line_len)
    });
    let payload = snag_trace::encode::process_info(&path[..path_len], &line[..line_len]);
    threads::with(|local| {
        local.write(Kind::ProcessInfo, Mode::None, Flags::NONE, 0, 0, 0, payload.as_slice())
    });
}

/// Maps the chunk `kept` of the trace file, or a new one; gives its index and address.
pub(super) fn map_chunk(kept: Option<u64>) -> Option<(u64, *mut u8)> {
    let index = kept.unwrap_or_else(|| header_word(header::CHUNKS).fetch_add(1, Ordering::AcqRel));
    let offset = HEADER_SIZE as u64 + index * CHUNK_SIZE as u64;
    if offset > MAX_FILE {
        super::stop(state::LIMIT);
        return None;
    }
    let offset = offset as usize;
    if scratch::is_used() {
        return Some((index, sys::map_anonymous(CHUNK_SIZE)?));
    }
    let Ok(file) = File::open(TRACE_FILE.get(), O_RDWR) else {
        super::stop(state::UNREACHABLE);
        return None;
    };
    if (kept.is_some() || file.extend(offset, CHUNK_SIZE))
        && let Some(at) = file.map(offset, CHUNK_SIZE)
    {
        header_word(header::EXTENDED).fetch_max(index + 1, Ordering::AcqRel);
        return Some((index, at));
    }
    super::stop(state::DISK_FULL);
    None
}

/// Marks the header: recording stopped here.
pub(super) fn note_stop(reason: u32) {
    header_word(header::STOP_SEQ).store(now(), Ordering::Release);
    // SAFETY: as in `header_word`.
    let word = unsafe { &*HEADER.load(Ordering::Acquire).add(header::STATE).cast::<AtomicU32>() };
    word.fetch_or(reason, Ordering::AcqRel);
}

/// Has [`thread_end`] called at the end of the calling thread.
pub(super) fn watch_thread_end() {
    let key = THREAD_END.load(Ordering::Acquire);
    if key != 0 {
        sys::arm_thread_end(key - 1, 1);
    }
}

/// Runs among the thread-specific data's destructors, which come after all thread-local ones of
/// Rust; arms itself again so as to be late among its own kind.
extern "C" fn thread_end(round: *mut c_void) {
    const ROUNDS: usize = 3;
    let round = round.addr();
    #[cfg(any(snag_memory, test))]
    crate::memory::leaves_std();
    if round < ROUNDS {
        sys::arm_thread_end(THREAD_END.load(Ordering::Acquire) - 1, round + 1);
    } else {
        threads::end();
        #[cfg(snag_explore)]
        crate::engine::controlled::ended();
    }
}

extern "C" fn at_exit() {
    #[cfg(snag_explore)]
    crate::engine::controlled::exiting();
    exits();
}

/// Records that the process exits.
pub(super) fn exits() {
    super::record(Kind::Exit, Mode::None, Flags::NONE, 0, None, 0);
    #[cfg(any(snag_memory, test))]
    crate::memory::at_exit();
}

/// Whether the process that was just forked is to be explored: it goes on as its parent would have.
fn is_execution() -> bool {
    #[cfg(snag_explore)]
    return crate::engine::controlled::serve::forks();
    #[cfg(not(snag_explore))]
    false
}

/// The calling thread is about to make a process. [`forked`] must follow in the parent.
pub(crate) fn forks(how: How, at: At) {
    if !super::on() || is_execution() {
        return;
    }
    #[cfg(snag_explore)]
    if let (How::Fork, At::Called(code)) = (how, at) {
        crate::engine::controlled::forking(code);
    }
    let mut stack = [0; snag_trace::memory::MAX_STACK];
    let depth = match at {
        At::Code(pc) | At::Called(pc) => sys::keeping_errno(|| sites::stack_at(pc, &mut stack)),
        At::Place(_) => 0,
    };
    let payload = births::birth(&Birth { how, stack: &stack[..depth] });
    threads::set_fork(super::record_long(Kind::Fork, Mode::None, at, payload.as_slice()));
}

/// The calling thread has made process `pid`, or has failed to if that is 0.
pub(crate) fn forked(pid: u32) {
    if threads::set_fork(0) != 0 {
        super::record(Kind::Forked, Mode::None, Flags::NONE, 0, None, u64::from(pid));
    }
}

/// A fork that nobody has announced: by libc itself.
extern "C" fn before_fork() {
    if STATE.load(Ordering::Acquire) == ON && !threads::is_forking() {
        forks(How::Fork, At::Place(None));
    }
}

/// The child of a fork has one thread and the parent's memory: it gets a trace file of its own.
extern "C" fn in_forked_child() {
    if STATE.load(Ordering::Acquire) != ON || is_execution() {
        return;
    }
    sys::keeping_errno(|| {
        threads::forget_chunk();
        chunk::forget_pool();
        sites::forget();
        crate::after_fork_in_child();
        if !make_trace_file(true) {
            STATE.store(OFF, Ordering::Release);
        }
    });
    if STATE.load(Ordering::Acquire) == ON {
        describe();
        super::record(Kind::ProcessStart, Mode::None, Flags::NONE, 0, None, threads::set_fork(0));
        crate::forked::begin();
    }
}
