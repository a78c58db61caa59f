//! What one thread puts into the kernel and another takes out of it: pipes, sockets, event descriptors, and
//! whatever else hands on through a descriptor.
//!
//! Invariants:
//! * What lets others go on is recorded before libc's function, what goes on because of others behind it.
//! * A pipe is known by its device and inode, in all processes. Which two sockets belong together is known of
//!   those that `socketpair` made.
//! * For the memory layer each pipe is an object of its own, and everything else that hands on is one.
//!   Files and terminals order nothing, nor do the streams that the run was begun with: at their other
//!   end is another program.
//!
//! Known misses: `io_uring`; what libc's own streams (`FILE`) do within it; shared memory that the kernel
//! writes to.

use core::ffi::{c_int, c_void};

use snag_trace::{Act, Flags, Kind, Mode, ObjectKind};

use super::around::around;
use crate::kernel::call;
use crate::recorder::objects::by_key_at;
use crate::recorder::{At, descriptor, hash, is_of_the_run, record_at};

const STDOUT: c_int = 1;
const STDERR: c_int = 2;

/// Stands for everything that the kernel hands on and that is not told apart.
const KERNEL: usize = 1;

/// The types of `st_mode` that hand something on; event descriptors have none.
const ANONYMOUS: u32 = 0;
const FIFO: u32 = 0o010_000;
const SOCKET: u32 = 0o140_000;

const SYS_POLL: usize = 7;
const POLLIN: u64 = 1;
const POLLOUT: u64 = 4;
/// What is written at once, or not at all.
const PIPE_BUF: usize = 4096;

/// What a descriptor leads to.
#[derive(Clone, Copy)]
struct Stream {
    object: u32,
    descriptor: c_int,
    /// For the memory layer.
    token: usize,
    caller: usize,
}

/// Where calls of this function are told to be: cheaply, if a stack has to be looked for.
const fn at(caller: usize) -> At {
    if cfg!(snag_memory) { At::Called(caller) } else { At::Code(caller) }
}

impl Stream {
    /// What hands on through this descriptor, if anything does.
    fn of(number: c_int, caller: usize) -> Option<Stream> {
        let (mode, shared) = descriptor(number)?;
        let (kind, token) = match mode {
            FIFO => (ObjectKind::Pipe, hash(shared) as usize),
            SOCKET => (ObjectKind::Socket, KERNEL),
            ANONYMOUS => (ObjectKind::EventDescriptor, KERNEL),
            _ => return None,
        };
        if is_of_the_run(shared) {
            return None;
        }
        let object = by_key_at(kind, shared, at(caller));
        Some(Stream { object, descriptor: number, token, caller })
    }

    fn note(self, kind: Kind, mode: Mode, arg: u64) {
        record_at(kind, mode, Flags::NONE, self.object, at(self.caller), arg);
    }

    /// Says so if the calling thread is likely to wait now, as `events` has it; gives whether it was said.
    fn requests(self, events: u64, mode: Mode, len: usize) -> bool {
        // `struct pollfd`: descriptor, events, what happened.
        let mut poll = u64::from(self.descriptor.cast_unsigned()) | events << 32;
        let address = (&raw mut poll).expose_provenance();
        // SAFETY: one valid `struct pollfd`, and no waiting.
        let ready = unsafe { call(SYS_POLL, [address, 1, 0, 0, 0, 0]) };
        let waits = ready == 0 || (mode == Mode::Room && len > PIPE_BUF);
        if waits {
            let at = At::Called(self.caller);
            record_at(Kind::Request, mode, Flags::NONE, self.object, at, len as u64);
        }
        waits
    }
}

fn gives(_token: usize) {
    #[cfg(snag_memory)]
    {
        crate::memory::gives(_token);
        if _token != KERNEL {
            crate::memory::gives(KERNEL);
        }
    }
}

fn learns(_token: usize) {
    #[cfg(snag_memory)]
    crate::memory::learns(_token);
}

/// Is about to put `len` bytes in.
fn puts(descriptor: c_int, len: usize, caller: usize) -> Option<Stream> {
    if matches!(descriptor, STDOUT | STDERR) {
        crate::forked::acts(Act::Prints, caller);
    }
    let stream = Stream::of(descriptor, caller)?;
    stream.requests(POLLOUT, Mode::Room, len);
    stream.note(Kind::StreamWrite, Mode::None, len as u64);
    gives(stream.token);
    Some(stream)
}

/// Has put so many bytes in, or failed.
fn has_put(stream: Option<Stream>, result: isize) {
    if let Some(stream) = stream {
        stream.note(Kind::StreamWritten, Mode::None, u64::try_from(result).unwrap_or(0));
    }
}

/// Is about to take something out.
fn wants(descriptor: c_int, caller: usize) -> Option<(Stream, bool)> {
    let stream = Stream::of(descriptor, caller)?;
    Some((stream, stream.requests(POLLIN, Mode::Data, 0)))
}

/// Has taken so many bytes out of `len`, or failed; `peeks` if they are still there.
fn has_taken(stream: Option<(Stream, bool)>, result: isize, len: usize, peeks: bool) {
    let Some((stream, requested)) = stream else { return };
    if result < 0 || len == 0 {
        if requested {
            stream.note(Kind::GiveUp, Mode::Data, 0);
        }
        return;
    }
    let kind = if peeks { Kind::Learn } else { Kind::StreamRead };
    stream.note(kind, Mode::None, result as u64);
    learns(stream.token);
}

/// Is about to close a descriptor.
fn closes(descriptor: c_int, caller: usize) {
    const SYS_FCNTL: usize = 72;
    const F_GETFL: usize = 3;
    if let Some(stream) = Stream::of(descriptor, caller) {
        // SAFETY: it only asks.
        let flags = unsafe { call(SYS_FCNTL, [descriptor as usize, F_GETFL, 0, 0, 0, 0]) };
        let mode = [Mode::Data, Mode::Room, Mode::None, Mode::None][flags as usize & 3];
        stream.note(Kind::StreamClose, mode, 0);
        gives(stream.token);
    } else {
        super::file_locks::closes(descriptor, caller);
    }
}

/// Hands on, or goes on, by a way through the kernel that is not told apart.
pub(super) fn through_kernel(kind: Kind, caller: usize) {
    record_at(kind, Mode::None, Flags::NONE, 0, at(caller), 0);
    if kind == Kind::Give { gives(KERNEL) } else { learns(KERNEL) }
}

/// Was told that these descriptors are ready.
///
/// # Safety
/// `descriptors` points to `count` of `struct pollfd`.
unsafe fn polled(descriptors: *const c_void, count: usize, result: c_int, caller: usize) {
    const FEW: usize = 16;
    if result <= 0 {
        return;
    }
    if count > FEW {
        return through_kernel(Kind::Learn, caller);
    }
    for index in 0..count {
        // SAFETY: the caller's promise.
        let poll = unsafe { descriptors.cast::<u64>().add(index).read() };
        if poll >> 48 == 0 {
            continue;
        }
        if let Some(stream) = Stream::of(poll as u32 as c_int, caller) {
            stream.note(Kind::Learn, Mode::None, 0);
            learns(stream.token);
        }
    }
}

/// Two sockets were made that belong together.
///
/// # Safety
/// `ends` points to two descriptors.
unsafe fn paired(ends: *const c_int, caller: usize) {
    // SAFETY: the caller's promise.
    let [one, other] = unsafe { [ends.read(), ends.add(1).read()] };
    let streams = Stream::of(one, caller).zip(Stream::of(other, caller));
    if let Some((one, other)) = streams {
        one.note(Kind::StreamPeer, Mode::None, u64::from(other.object));
    }
}

/// The bytes of `count` parts.
///
/// # Safety
/// `parts` points to so many of `struct iovec`.
unsafe fn sum(parts: *const c_void, count: c_int) -> usize {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller's promise.
    (0..count).map(|index| unsafe { parts.cast::<[usize; 2]>().add(index).read()[1] }).sum()
}

/// The bytes of a message.
///
/// # Safety
/// `message` points to a `struct msghdr`.
unsafe fn sum_of_message(message: *const c_void) -> usize {
    // SAFETY: the caller's promise: name, its length, parts, their number.
    let words = unsafe { message.cast::<[usize; 4]>().read() };
    // SAFETY: as above.
    unsafe { sum(core::ptr::with_exposed_provenance(words[2]), words[3] as c_int) }
}

const MSG_PEEK: c_int = 2;

around! {
    write as snag_write(fd: c_int, bytes: *const c_void, len: usize) -> isize, "rcx",
        |caller| puts(fd, len, caller), |stream, result| has_put(stream, result);
    writev as snag_writev(fd: c_int, parts: *const c_void, count: c_int) -> isize, "rcx",
        // SAFETY: what is pointed to is the caller's.
        |caller| puts(fd, unsafe { sum(parts, count) }, caller), |stream, result| has_put(stream, result);
    send as snag_send(fd: c_int, bytes: *const c_void, len: usize, flags: c_int) -> isize, "r8",
        |caller| puts(fd, len, caller), |stream, result| has_put(stream, result);
    sendto as snag_sendto(
        fd: c_int, bytes: *const c_void, len: usize, flags: c_int, to: *const c_void, to_len: u32
    ) -> isize, stack,
        |caller| puts(fd, len, caller), |stream, result| has_put(stream, result);
    sendmsg as snag_sendmsg(fd: c_int, message: *const c_void, flags: c_int) -> isize, "rcx",
        // SAFETY: what is pointed to is the caller's.
        |caller| puts(fd, unsafe { sum_of_message(message) }, caller),
        |stream, result| has_put(stream, result);
    vmsplice as snag_vmsplice(fd: c_int, parts: *const c_void, count: usize, flags: u32) -> isize, "r8",
        |caller| puts(fd, 0, caller), |stream, result| has_put(stream, result);
    splice as snag_splice(
        from: c_int, from_at: *mut c_void, to: c_int, to_at: *mut c_void, len: usize, flags: u32
    ) -> isize, stack,
        |caller| (wants(from, caller), puts(to, len, caller)),
        |(taken, put), result| { has_taken(taken, result, len, false); has_put(put, result) };
    tee as snag_tee(from: c_int, to: c_int, len: usize, flags: u32) -> isize, "r8",
        |caller| (wants(from, caller), puts(to, len, caller)),
        |(taken, put), result| { has_taken(taken, result, len, true); has_put(put, result) };
    sendfile as snag_sendfile(to: c_int, from: c_int, at: *mut c_void, len: usize) -> isize, "r8",
        |caller| (wants(from, caller), puts(to, len, caller)),
        |(taken, put), result| { has_taken(taken, result, len, false); has_put(put, result) };
    sendfile64 as snag_sendfile64(to: c_int, from: c_int, at: *mut c_void, len: usize) -> isize, "r8",
        |caller| (wants(from, caller), puts(to, len, caller)),
        |(taken, put), result| { has_taken(taken, result, len, false); has_put(put, result) };
    shutdown as snag_shutdown(fd: c_int, how: c_int) -> c_int, "rdx",
        |caller| closes(fd, caller), |(), _result| ();
    close as snag_close(fd: c_int) -> c_int, "rsi",
        |caller| closes(fd, caller), |(), _result| ();
    dup2 as snag_dup2(old: c_int, new: c_int) -> c_int, "rdx",
        |caller| if old != new { closes(new, caller) }, |(), _result| ();
    dup3 as snag_dup3(old: c_int, new: c_int, flags: c_int) -> c_int, "rcx",
        |caller| closes(new, caller), |(), _result| ();
    read as snag_read(fd: c_int, bytes: *mut c_void, len: usize) -> isize, "rcx",
        |caller| wants(fd, caller), |stream, result| has_taken(stream, result, len, false);
    readv as snag_readv(fd: c_int, parts: *const c_void, count: c_int) -> isize, "rcx",
        |caller| wants(fd, caller),
        // SAFETY: what is pointed to is the caller's.
        |stream, result| has_taken(stream, result, unsafe { sum(parts, count) }, false);
    recv as snag_recv(fd: c_int, bytes: *mut c_void, len: usize, flags: c_int) -> isize, "r8",
        |caller| wants(fd, caller),
        |stream, result| has_taken(stream, result, len, flags & MSG_PEEK != 0);
    recvfrom as snag_recvfrom(
        fd: c_int, bytes: *mut c_void, len: usize, flags: c_int, from: *mut c_void, from_len: *mut u32
    ) -> isize, stack,
        |caller| wants(fd, caller),
        |stream, result| has_taken(stream, result, len, flags & MSG_PEEK != 0);
    recvmsg as snag_recvmsg(fd: c_int, message: *mut c_void, flags: c_int) -> isize, "rcx",
        |caller| wants(fd, caller),
        |stream, result| has_taken(stream, result, 1, flags & MSG_PEEK != 0);
    accept as snag_accept(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int, "rcx",
        |caller| wants(fd, caller), |stream, result| has_taken(stream, result as isize, 1, true);
    accept4 as snag_accept4(fd: c_int, address: *mut c_void, len: *mut u32, flags: c_int) -> c_int, "r8",
        |caller| wants(fd, caller), |stream, result| has_taken(stream, result as isize, 1, true);
    connect as snag_connect(fd: c_int, address: *const c_void, len: u32) -> c_int, "rcx",
        |caller| (puts(fd, 0, caller), caller),
        |(stream, caller), result| if result == 0 && stream.is_some() {
            through_kernel(Kind::Learn, caller);
        };
    socketpair as snag_socketpair(family: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int, "r8",
        // SAFETY: what is pointed to is the caller's.
        |caller| caller, |caller, result| if result == 0 { unsafe { paired(ends, caller) } };
    epoll_ctl as snag_epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int, "r8",
        |caller| through_kernel(Kind::Give, caller), |(), _result| ();
    poll as snag_poll(descriptors: *mut c_void, count: usize, time: c_int) -> c_int, "rcx",
        // SAFETY: what is pointed to is the caller's.
        |caller| caller, |caller, result| unsafe { polled(descriptors, count, result, caller) };
    ppoll as snag_ppoll(
        descriptors: *mut c_void, count: usize, time: *const c_void, signals: *const c_void
    ) -> c_int, "r8",
        // SAFETY: what is pointed to is the caller's.
        |caller| caller, |caller, result| unsafe { polled(descriptors, count, result, caller) };
    select as snag_select(
        count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, time: *mut c_void
    ) -> c_int, "r9",
        |caller| caller, |caller, result| if result > 0 { through_kernel(Kind::Learn, caller) };
    epoll_wait as snag_epoll_wait(epoll: c_int, events: *mut c_void, count: c_int, time: c_int) -> c_int, "r8",
        |caller| caller, |caller, result| if result > 0 { through_kernel(Kind::Learn, caller) };
    epoll_pwait as snag_epoll_pwait(
        epoll: c_int, events: *mut c_void, count: c_int, time: c_int, signals: *const c_void
    ) -> c_int, "r9",
        |caller| caller, |caller, result| if result > 0 { through_kernel(Kind::Learn, caller) };
    semop as snag_semop(set: c_int, operations: *mut c_void, count: usize) -> c_int, "rcx",
        |caller| { through_kernel(Kind::Give, caller); caller },
        |caller, _result| through_kernel(Kind::Learn, caller);
    semtimedop as snag_semtimedop(
        set: c_int, operations: *mut c_void, count: usize, time: *const c_void
    ) -> c_int, "r8",
        |caller| { through_kernel(Kind::Give, caller); caller },
        |caller, _result| through_kernel(Kind::Learn, caller);
    msgsnd as snag_msgsnd(queue: c_int, message: *const c_void, len: usize, flags: c_int) -> c_int, "r8",
        |caller| through_kernel(Kind::Give, caller), |(), _result| ();
    msgrcv as snag_msgrcv(
        queue: c_int, message: *mut c_void, len: usize, kind: isize, flags: c_int
    ) -> isize, "r9",
        |caller| caller, |caller, result| if result >= 0 { through_kernel(Kind::Learn, caller) };
    mq_send as snag_mq_send(queue: c_int, message: *const c_void, len: usize, priority: u32) -> c_int, "r8",
        |caller| through_kernel(Kind::Give, caller), |(), _result| ();
    mq_timedsend as snag_mq_timedsend(
        queue: c_int, message: *const c_void, len: usize, priority: u32, time: *const c_void
    ) -> c_int, "r9",
        |caller| through_kernel(Kind::Give, caller), |(), _result| ();
    mq_receive as snag_mq_receive(
        queue: c_int, message: *mut c_void, len: usize, priority: *mut u32
    ) -> isize, "r8",
        |caller| caller, |caller, result| if result >= 0 { through_kernel(Kind::Learn, caller) };
    mq_timedreceive as snag_mq_timedreceive(
        queue: c_int, message: *mut c_void, len: usize, priority: *mut u32, time: *const c_void
    ) -> isize, "r9",
        |caller| caller, |caller, result| if result >= 0 { through_kernel(Kind::Learn, caller) };
}
