//! Processes that are made, replaced, waited for and signalled.
//!
//! Known misses: `clone` and its like, called past libc; `pidfd_spawn`, whose child is known by its parent
//! alone; what ends a `vfork`.

use core::ffi::{c_char, c_int, c_void};

use snag_trace::process::How;
use snag_trace::{Flags, Kind, Mode};

use super::around::{Function, around, quietly};
use crate::recorder::{At, forked, forks, is_own_process, on, record_at};

const WNOHANG: c_int = 1;
/// `si_code` of a child that has ended: exited, killed, killed with a core.
const ENDED: core::ops::RangeInclusive<c_int> = 1..=3;

fn exec(caller: usize) {
    if is_own_process() {
        record_at(Kind::Exec, Mode::None, Flags::NONE, 0, At::Called(caller), 0);
    }
}

/// Is about to wait for a child, `pid` if that is positive; gives where.
fn waits(pid: c_int, options: c_int, caller: usize) -> Option<At> {
    let at = At::Called(caller);
    let waits = options & WNOHANG == 0;
    if waits {
        let pid = u64::try_from(pid).unwrap_or(0);
        record_at(Kind::Request, Mode::Process, Flags::NONE, 0, at, pid);
    }
    waits.then_some(at)
}

/// A wait is over, with child `pid` if that is positive and `ended` if the child has.
fn waited(at: Option<At>, caller: usize, pid: c_int, ended: bool) {
    match u64::try_from(pid) {
        Ok(pid) if pid != 0 && ended => {
            record_at(Kind::Reaped, Mode::None, Flags::NONE, 0, At::Called(caller), pid);
        }
        _ => {
            if let Some(at) = at {
                record_at(Kind::GiveUp, Mode::Process, Flags::NONE, 0, at, 0);
            }
        }
    }
}

/// Whether a status that was waited for is one of a child that has ended.
///
/// # Safety
/// `status` is null or points to one.
unsafe fn has_ended(status: *const c_int) -> bool {
    const CONTINUED: c_int = 0xffff;
    const STOPPED: c_int = 0x7f;
    if status.is_null() {
        return true;
    }
    // SAFETY: the caller's promise.
    let status = unsafe { status.read() };
    status != CONTINUED && status & 0xff != STOPPED
}

/// Pid and whether it has ended, of the child that `waitid` tells of.
///
/// # Safety
/// `info` is null or points to a `siginfo_t`.
unsafe fn told(info: *const c_void) -> (c_int, bool) {
    /// Indices of `si_code` and `si_pid`.
    const CODE: usize = 2;
    const PID: usize = 4;
    if info.is_null() {
        return (0, false);
    }
    // SAFETY: the caller's promise.
    let words = unsafe { info.cast::<[c_int; 5]>().read() };
    (words[PID], ENDED.contains(&words[CODE]))
}

/// The child that `posix_spawn` has made; 0 if none.
///
/// # Safety
/// `pid` is null or points to what it has written if `result` is 0.
unsafe fn spawned(pid: *const c_int, result: c_int) -> u32 {
    if result != 0 || pid.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise.
    unsafe { pid.read().cast_unsigned() }
}

fn signals(pid: c_int, signal: c_int, caller: usize) {
    if signal != 0 {
        let to = u64::try_from(pid).unwrap_or(0);
        let arg = u64::from(signal.cast_unsigned()) << 32 | to;
        record_at(Kind::Signal, Mode::None, Flags::NONE, 0, At::Called(caller), arg);
    }
}

around! {
    fork as snag_fork() -> c_int, "rdi",
        |caller| forks(How::Fork, At::Called(caller)),
        |(), result| if result != 0 { forked(u32::try_from(result).unwrap_or(0)) };
    posix_spawn as snag_posix_spawn(
        pid: *mut c_int, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const c_void, environment: *const c_void
    ) -> c_int, stack,
        |caller| forks(How::Spawn, At::Called(caller)),
        // SAFETY: what was written is the caller's.
        |(), result| forked(unsafe { spawned(pid, result) });
    posix_spawnp as snag_posix_spawnp(
        pid: *mut c_int, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const c_void, environment: *const c_void
    ) -> c_int, stack,
        |caller| forks(How::Spawn, At::Called(caller)),
        // SAFETY: what was written is the caller's.
        |(), result| forked(unsafe { spawned(pid, result) });
    execve as snag_execve(
        path: *const c_char, arguments: *const c_void, environment: *const c_void
    ) -> c_int, "rcx", |caller| exec(caller), |(), _result| ();
    execv as snag_execv(path: *const c_char, arguments: *const c_void) -> c_int, "rdx",
        |caller| exec(caller), |(), _result| ();
    execvp as snag_execvp(path: *const c_char, arguments: *const c_void) -> c_int, "rdx",
        |caller| exec(caller), |(), _result| ();
    execvpe as snag_execvpe(
        path: *const c_char, arguments: *const c_void, environment: *const c_void
    ) -> c_int, "rcx", |caller| exec(caller), |(), _result| ();
    fexecve as snag_fexecve(
        file: c_int, arguments: *const c_void, environment: *const c_void
    ) -> c_int, "rcx", |caller| exec(caller), |(), _result| ();
    waitpid as snag_waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int, "rcx",
        |caller| (waits(pid, options, caller), caller),
        // SAFETY: what was written is the caller's.
        |(at, caller), result| waited(at, caller, result, result > 0 && unsafe { has_ended(status) });
    wait as snag_wait(status: *mut c_int) -> c_int, "rsi",
        |caller| (waits(0, 0, caller), caller),
        // SAFETY: what was written is the caller's.
        |(at, caller), result| waited(at, caller, result, result > 0 && unsafe { has_ended(status) });
    wait3 as snag_wait3(status: *mut c_int, options: c_int, usage: *mut c_void) -> c_int, "rcx",
        |caller| (waits(0, options, caller), caller),
        // SAFETY: what was written is the caller's.
        |(at, caller), result| waited(at, caller, result, result > 0 && unsafe { has_ended(status) });
    wait4 as snag_wait4(
        pid: c_int, status: *mut c_int, options: c_int, usage: *mut c_void
    ) -> c_int, "r8",
        |caller| (waits(pid, options, caller), caller),
        // SAFETY: what was written is the caller's.
        |(at, caller), result| waited(at, caller, result, result > 0 && unsafe { has_ended(status) });
    waitid as snag_waitid(kind: c_int, id: u32, info: *mut c_void, options: c_int) -> c_int, "r8",
        |caller| (waits(if kind == 1 { id.cast_signed() } else { 0 }, options, caller), caller),
        |(at, caller), result| {
            // SAFETY: what was written is the caller's.
            let (pid, ended) = if result == 0 { unsafe { told(info) } } else { (0, false) };
            waited(at, caller, pid, ended);
        };
    kill as snag_kill(pid: c_int, signal: c_int) -> c_int, "rdx",
        |caller| signals(pid, signal, caller), |(), _result| ();
    killpg as snag_killpg(group: c_int, signal: c_int) -> c_int, "rdx",
        |caller| signals(0, signal, caller), |(), _result| ();
    sigqueue as snag_sigqueue(pid: c_int, signal: c_int, value: *mut c_void) -> c_int, "rcx",
        |caller| signals(pid, signal, caller), |(), _result| ();
}

// The child of a `vfork` returns from it first, and its parent from the same frame: none of ours may be there.
core::arch::global_asm!(
    ".text",
    ".weak vfork",
    ".type vfork,@function",
    "vfork:",
    ".cfi_startproc",
    "mov rdi, qword ptr [rsp]",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "call {before}",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "jmp qword ptr [rip + {libcs}]",
    ".cfi_endproc",
    before = sym before_vfork,
    libcs = sym VFORK,
);

static VFORK: Function = Function::new(c"vfork");

extern "C" fn before_vfork(caller: usize) {
    VFORK.find();
    if on() {
        quietly(|| forks(How::Vfork, At::Called(caller)));
    }
}
