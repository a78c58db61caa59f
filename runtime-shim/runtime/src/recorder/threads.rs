//! The recorder's side of a thread: its number and its chunk.

use core::cell::Cell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

use snag_trace::encode::{first_word, second_word, thread_start};
use snag_trace::layout::{CHUNK_SIZE, RECORD_SIZE};
use snag_trace::{Flags, Kind, Mode};

use super::chunk::{self, Chunk};
use super::{At, Place, process, sites, sys};

static LAST: AtomicU32 = AtomicU32::new(0);
static MAIN_NAME: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// A thread's own state. It has no destructor, so that it stays usable while thread-local
/// destructors run.
pub(super) struct Local {
    number: Cell<u32>,
    /// How often the thread still asks for its name, the first time to announce itself; 0 once that
    /// is settled.
    unsettled: Cell<u8>,
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
    start: Cell<*mut u8>,
    index: Cell<u64>,
    /// A number that came along with the last record's, for the record at this place.
    spare: Cell<u64>,
    spare_at: Cell<*mut u8>,
    busy: Cell<bool>,
    panicked: Cell<bool>,
    /// Number reserved for the thread that this one is about to create, 0 if none is.
    expected: Cell<u32>,
    /// Who created the thread, if it says nothing about itself.
    origin: Cell<Origin>,
    /// Number of its `Fork` while it forks, else 0.
    fork: Cell<u64>,
}

/// What is known of a thread before it says anything; number 0 if nothing is.
#[derive(Clone, Copy, Default)]
struct Origin {
    number: u32,
    parent: u32,
    code: usize,
    /// The operating system's name for it when it began, which is its creator's.
    inherited: [u64; 2],
}

/// A thread is created, then it gets its name, and something may be recorded before: its first
/// records ask again.
const ATTEMPTS: u8 = 16;

std::thread_local! {
    static LOCAL: Local = const {
        Local {
            number: Cell::new(0),
            unsettled: Cell::new(ATTEMPTS),
            next: Cell::new(null_mut()),
            end: Cell::new(null_mut()),
            start: Cell::new(null_mut()),
            index: Cell::new(0),
            spare: Cell::new(0),
            spare_at: Cell::new(null_mut()),
            busy: Cell::new(false),
            panicked: Cell::new(false),
            expected: Cell::new(0),
            origin: Cell::new(Origin { number: 0, parent: 0, code: 0, inherited: [0; 2] }),
            fork: Cell::new(0),
        }
    };
}

/// Runs `body` with the calling thread's state, registering the thread first if it is new.
#[inline]
pub(super) fn with(body: impl FnOnce(&Local) -> u64) -> u64 {
    LOCAL.with(|local| {
        if local.unsettled.get() != 0 {
            local.settle();
        }
        body(local)
    })
}

/// The calling thread's number; 0 while recording is off.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub fn current_thread() -> u32 {
    if !super::on() {
        return 0;
    }
    with(|local| u64::from(local.number.get())) as u32
}

/// Where the calling thread's next record goes: the same twice if it recorded nothing in between.
pub fn position() -> usize {
    LOCAL.with(|local| local.next.get().addr())
}

/// Reserves the number of the thread that the calling one creates next and that will announce itself
/// by [`thread_begin`]; 0 while recording is off. [`nothing_expected`] must follow.
pub fn new_thread() -> u32 {
    if !super::on() {
        return 0;
    }
    let number = reserve();
    LOCAL.with(|local| local.expected.set(number));
    number
}

/// The thread of [`new_thread`] was created, or will not be.
pub fn nothing_expected() {
    LOCAL.with(|local| local.expected.set(0));
}

/// A record that its thread may still change.
#[cfg(any(snag_memory, test))]
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Record(*mut u8);

#[cfg(any(snag_memory, test))]
impl Record {
    /// None.
    pub(crate) const NONE: Record = Record(null_mut());

    /// Where it is, while its chunk is still the calling thread's.
    fn get(self, local: &Local) -> Option<*mut u8> {
        let start = local.start.get().addr();
        let is_there = !self.0.is_null() && (start..start + CHUNK_SIZE).contains(&self.0.addr());
        is_there.then_some(self.0)
    }
}

/// Sets the size of a shared access of the calling thread; false if its record is out of reach.
#[cfg(any(snag_memory, test))]
pub(crate) fn set_shared_size(record: Record, size: u32) -> bool {
    let at = LOCAL.with(|local| record.get(local));
    let Some(at) = at else { return false };
    let at = at.wrapping_add(RECORD_SIZE + snag_trace::memory::SHARED_SIZE_AT);
    // SAFETY: within the record, in the calling thread's mapped chunk, and aligned.
    unsafe { AtomicU32::from_ptr(at.cast()) }.store(size, Ordering::Relaxed);
    true
}

/// Says of a record of the calling thread that the same was repeated; false if it is out of reach.
#[cfg(any(snag_memory, test))]
pub(crate) fn set_repeated(record: Record) -> bool {
    let at = LOCAL.with(|local| record.get(local));
    let Some(at) = at else { return false };
    // SAFETY: the record's first word, in the calling thread's mapped chunk, and aligned.
    let word = unsafe { AtomicU64::from_ptr(at.cast()) };
    word.fetch_or(u64::from(Flags::TRY.0) << 60, Ordering::Relaxed);
    true
}

/// Number of the calling thread's `Fork` from now on, 0 when it forks no more; gives the one before.
pub(super) fn set_fork(seq: u64) -> u64 {
    LOCAL.with(|local| local.fork.replace(seq))
}

/// Whether the calling thread has said that it forks.
pub(super) fn is_forking() -> bool {
    LOCAL.with(|local| local.fork.get() != 0)
}

fn reserve() -> u32 {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The number of a thread that is about to be created by a call of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// Recording is off.
    Unrecorded,
    /// It will announce itself, and its spawn is recorded.
    Expected(u32),
    /// Nobody has said anything of it.
    Foreign(u32),
}

/// Who the thread is that is about to be created by a call of C.
pub(crate) fn created_thread() -> Created {
    if !super::on() {
        return Created::Unrecorded;
    }
    match LOCAL.with(|local| local.expected.replace(0)) {
        0 => Created::Foreign(reserve()),
        number => Created::Expected(number),
    }
}

/// Says that the calling thread, which has just begun, is thread `number`, created by `parent` in the
/// code at `code`. It is announced by its first event, when it may have a name.
pub(crate) fn adopt(number: u32, parent: u32, code: usize) {
    let inherited = name_words(sys::keeping_errno(sys::short_thread_name));
    LOCAL.with(|local| local.origin.set(Origin { number, parent, code, inherited }));
    process::watch_thread_end();
}

/// Says that the calling thread is thread `number`, spawned by `parent` at `place`. If something was
/// recorded in it before (by an allocator, say), this only names the thread.
pub fn thread_begin(number: u32, parent: u32, place: Option<Place>, name: &str) {
    if number == 0 || !super::on() {
        return;
    }
    LOCAL.with(|local| {
        if local.number.get() == 0 {
            local.number.set(number);
            local.announce(parent, At::Place(place), name.as_bytes());
        } else if !name.is_empty() {
            local.rename(name.as_bytes());
        }
        local.unsettled.set(0);
    });
}

/// Notes that the calling thread ends by a panic.
pub fn thread_panicked() {
    LOCAL.with(|local| local.panicked.set(true));
}

/// Remembers what unnamed threads are called by the operating system: as the main thread is.
pub(super) fn note_main_name() {
    let words = name_words(sys::short_thread_name());
    MAIN_NAME[0].store(words[0], Ordering::Relaxed);
    MAIN_NAME[1].store(words[1], Ordering::Relaxed);
}

fn trimmed(name: &[u8; 16]) -> &[u8] {
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    &name[..len]
}

fn name_words(name: [u8; 16]) -> [u64; 2] {
    let (low, high) = name.split_at(8);
    [low, high].map(|half| u64::from_ne_bytes(half.try_into().unwrap_or_default()))
}

/// The calling thread has ended: says so and gives its chunk back.
pub(super) fn end() {
    LOCAL.with(|local| {
        if local.number.get() == 0 && local.origin.get().number != 0 && super::on() {
            local.register(true);
        }
        if local.number.get() == 0 {
            return;
        }
        if super::on() {
            let flags = Flags::PANICKING.when(local.panicked.get());
            local.write(Kind::ThreadEnd, Mode::None, flags, 0, 0, 0, &[]);
        }
        #[cfg(any(snag_memory, test))]
        crate::memory::end();
        if let Some(chunk) = local.detach() {
            sys::keeping_errno(|| chunk::give_back(chunk));
        }
    });
}

/// In a forked child: the calling thread's chunk is the parent's, and it is the child's first and
/// only thread.
pub(super) fn forget_chunk() {
    LOCAL.with(|local| {
        let _parents = local.detach();
        local.number.set(0);
        local.unsettled.set(ATTEMPTS);
        local.origin.set(Origin::default());
    });
    LAST.store(0, Ordering::Relaxed);
}

impl Local {
    /// Gives a thread that nobody announced a number, and a name once it has one.
    #[cold]
    fn settle(&self) {
        self.unsettled.set(self.unsettled.get() - 1);
        if self.number.get() == 0 {
            self.register(false);
        } else if let Some(short) = self.own_name() {
            self.unsettled.set(0);
            self.with_full_name(&short, |name| self.rename(name));
        }
    }

    /// Announces a thread that nobody announced.
    ///
    /// `ending` if std's own thread-local data is gone: asking std for its handle would panic.
    #[cold]
    fn register(&self, ending: bool) {
        let Origin { number, parent, code, .. } = self.origin.get();
        self.number.set(if number == 0 { reserve() } else { number });
        let (pid, _) = sys::process_ids();
        if sys::thread_id() == pid {
            self.unsettled.set(0);
            return self.announce(0, At::Place(None), b"main");
        }
        let Some(short) = self.own_name() else {
            return self.announce(parent, At::Code(code), b"");
        };
        self.unsettled.set(0);
        if ending {
            return self.announce(parent, At::Code(code), trimmed(&short));
        }
        self.with_full_name(&short, |name| self.announce(parent, At::Code(code), name));
    }

    /// The operating system's name for the thread, if it is its own and not the one that it began
    /// with.
    fn own_name(&self) -> Option<[u8; 16]> {
        let short = sys::keeping_errno(sys::short_thread_name);
        let words = name_words(short);
        let main = [MAIN_NAME[0].load(Ordering::Relaxed), MAIN_NAME[1].load(Ordering::Relaxed)];
        (words != main && words != self.origin.get().inherited).then_some(short)
    }

    /// Gives `tell` the name of a thread that has one of its own, `short` to the operating system.
    fn with_full_name(&self, short: &[u8; 16], tell: impl FnOnce(&[u8])) {
        // std first makes a new thread's handle and names it then, so the handle exists: asking for
        // it does not make another, which std would find later and abort. What its clone may record
        // meanwhile is dropped.
        self.busy.set(true);
        let handle = std::thread::current();
        self.busy.set(false);
        tell(handle.name().map_or(trimmed(short), str::as_bytes));
    }

    fn rename(&self, name: &[u8]) {
        self.write(Kind::ThreadName, Mode::None, Flags::NONE, 0, 0, 0, name);
    }

    fn announce(&self, parent: u32, at: At, name: &[u8]) {
        process::watch_thread_end();
        let site = sites::number_at(self, at);
        let payload = thread_start(sys::thread_id(), parent, name);
        self.write(Kind::ThreadStart, Mode::None, Flags::NONE, 0, site, 0, payload.as_slice());
    }

    /// Writes one record; `payload` is empty but for long kinds, whose `arg` it replaces. Gives
    /// the sequence number, 0 if nothing was written.
    #[expect(clippy::too_many_arguments, reason = "the fields of a record, in their order")]
    #[inline]
    pub(super) fn write(
        &self,
        kind: Kind,
        mode: Mode,
        flags: Flags,
        object: u32,
        site: u32,
        arg: u64,
        payload: &[u8],
    ) -> u64 {
        let len = RECORD_SIZE + payload.len().next_multiple_of(8);
        let mut at = self.next.get();
        if self.end.get().addr() - at.addr() < len {
            if !self.refill() {
                return 0;
            }
            at = self.next.get();
        }
        // Reserved first: a signal handler that records finds the place behind.
        self.next.set(at.wrapping_add(len));
        compiler_fence(Ordering::SeqCst);
        let seq = self.next_number(kind, at);
        let arg = if payload.is_empty() { arg } else { payload.len() as u64 };
        // SAFETY: `refill` made sure that `len` bytes from `at`, which is aligned to 8, lie within
        // the thread's mapped chunk, and no other thread writes there. The first word is written
        // last: it commits the record.
        unsafe {
            let words = at.cast::<u64>();
            words.add(1).write(second_word(object, site));
            words.add(2).write(arg);
            if !payload.is_empty() {
                core::ptr::copy_nonoverlapping(payload.as_ptr(), at.add(RECORD_SIZE), payload.len());
            }
            (*words.cast::<AtomicU64>()).store(first_word(seq, kind, mode, flags), Ordering::Release);
        }
        #[cfg(any(snag_memory, test))]
        crate::memory::recorded(kind, mode, flags, object, arg, seq);
        seq
    }

    /// The record that was written last, which has a payload of this length.
    #[cfg(any(snag_memory, test))]
    pub(super) fn last(&self, payload: usize) -> Record {
        Record(self.next.get().wrapping_sub(RECORD_SIZE + payload.next_multiple_of(8)))
    }

    /// The number of the record at `at`. Who gets hold of a lock most often accesses at once what it protects:
    /// that record's number comes along, for all threads count up one clock and wait for each other there. It
    /// is used only if no other record was written in between, so that the thread's stay in order.
    #[inline]
    fn next_number(&self, kind: Kind, at: *mut u8) -> u64 {
        match kind {
            Kind::Read | Kind::Write if self.spare_at.get() == at => self.spare.get(),
            Kind::Acquire => {
                let seq = super::ticks(2);
                self.spare.set(seq + 1);
                self.spare_at.set(at.wrapping_add(RECORD_SIZE));
                seq
            }
            _ => super::ticks(1),
        }
    }

    /// Gets a new chunk with room for the longest record. False if there is none, or if this is a
    /// call from within the recorder.
    #[cold]
    fn refill(&self) -> bool {
        if self.busy.get() {
            return false;
        }
        self.busy.set(true);
        let taken = sys::keeping_errno(|| {
            let full = self.detach();
            if let Some(full) = full {
                // Not back into the pool: a full chunk has too little room, and one that is not
                // full but too small for a name is not worth it either.
                chunk::give_back(Chunk { used: CHUNK_SIZE, ..full });
            }
            chunk::take()
        });
        self.busy.set(false);
        let Some(chunk) = taken else { return false };
        self.start.set(chunk.start);
        self.index.set(chunk.index);
        self.next.set(chunk.start.wrapping_add(chunk.used));
        self.end.set(chunk.start.wrapping_add(CHUNK_SIZE));
        self.write(Kind::Owner, Mode::None, Flags::NONE, self.number.get(), 0, 0, &[]);
        true
    }

    /// Takes the chunk away from the thread.
    fn detach(&self) -> Option<Chunk> {
        let start = self.start.replace(null_mut());
        let next = self.next.replace(null_mut());
        self.end.set(null_mut());
        self.spare_at.set(null_mut());
        if start.is_null() {
            return None;
        }
        Some(Chunk { index: self.index.get(), start, used: next.addr() - start.addr() })
    }
}
