//! Functions of C by which a program learns of time and chance, lets others run, or calls the kernel for
//! a futex: in an explored execution the answers are the scheduler's.
//!
//! Invariant: they are weak, so that a program that brings functions of these names keeps its own, and do
//! what libc's do wherever the calling thread is not controlled.

use core::ffi::{c_int, c_long, c_uint, c_void};
use core::sync::atomic::{AtomicU64, Ordering};

use super::symbol::set_errno;
use crate::engine::controlled::{self, Operation, clock, futex, serve};
use crate::kernel::call;

const SYS_GETTIMEOFDAY: usize = 96;
const SYS_SCHED_YIELD: usize = 24;
const SYS_NANOSLEEP: usize = 35;
const SYS_FUTEX: usize = 202;
const SYS_SCHED_GETAFFINITY: usize = 204;
const SYS_CLOCK_GETTIME: usize = 228;
const SYS_CLOCK_NANOSLEEP: usize = 230;
const SYS_GETRANDOM: usize = 318;

const BILLION: u64 = 1_000_000_000;

macro_rules! weak {
    ($($name:literal => $ours:ident;)*) => {
        $(core::arch::global_asm!(
            ".text",
            concat!(".weak ", $name),
            concat!(".type ", $name, ",@function"),
            concat!($name, ": jmp {ours}"),
            ours = sym $ours,
        );)*
    };
}

weak! {
    "syscall" => system_call;
    "clock_gettime" => clock_gettime;
    "gettimeofday" => gettimeofday;
    "time" => time;
    "nanosleep" => nanosleep;
    "clock_nanosleep" => clock_nanosleep;
    "usleep" => usleep;
    "sleep" => sleep;
    "sched_yield" => sched_yield;
    "sched_getaffinity" => sched_getaffinity;
    "getrandom" => getrandom;
}

/// As libc's functions have it: an error of the kernel's goes to `errno`.
fn settle(result: isize) -> c_long {
    if (-4095..0).contains(&result) {
        set_errno(-result as c_int);
        return -1;
    }
    result as c_long
}

unsafe extern "C" fn system_call(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let number = number as usize;
    let arguments = [a, b, c, d, e, f];
    if number == SYS_FUTEX {
        // SAFETY: the arguments are the caller's.
        if let Some(result) = unsafe { futex::system_call(arguments) } {
            return settle(result);
        }
    }
    if number == SYS_GETRANDOM && serve::is_serving() {
        return fill(core::ptr::with_exposed_provenance_mut(a), b) as c_long;
    }
    // SAFETY: the call is the program's.
    settle(unsafe { call(number, arguments) })
}

/// A `timespec`.
type Moment = [u64; 2];

const fn moment(nanoseconds: u64) -> Moment {
    [nanoseconds / BILLION, nanoseconds % BILLION]
}

unsafe extern "C" fn clock_gettime(which: c_int, into: *mut Moment) -> c_int {
    const REALTIME: c_int = 0;
    const REALTIME_COARSE: c_int = 5;
    const TAI: c_int = 11;
    let now = match which {
        REALTIME | REALTIME_COARSE | TAI => clock::since_1970(),
        _ => clock::now(),
    };
    let Some(now) = now else {
        // SAFETY: the arguments are the caller's.
        let result =
            unsafe { call(SYS_CLOCK_GETTIME, [which as usize, into.expose_provenance(), 0, 0, 0, 0]) };
        return settle(result) as c_int;
    };
    // SAFETY: the caller gave room for the answer.
    unsafe { into.write(moment(now)) };
    0
}

unsafe extern "C" fn gettimeofday(into: *mut Moment, zone: *mut c_void) -> c_int {
    let Some(now) = clock::since_1970() else {
        let arguments = [into.expose_provenance(), zone.expose_provenance(), 0, 0, 0, 0];
        // SAFETY: the arguments are the caller's.
        return settle(unsafe { call(SYS_GETTIMEOFDAY, arguments) }) as c_int;
    };
    if !into.is_null() {
        let [seconds, nanoseconds] = moment(now);
        // SAFETY: the caller gave room for the answer.
        unsafe { into.write([seconds, nanoseconds / 1000]) };
    }
    0
}

unsafe extern "C" fn time(into: *mut u64) -> c_long {
    let mut now = [0; 2];
    // SAFETY: there is room for the answer.
    unsafe { clock_gettime(0, &raw mut now) };
    if !into.is_null() {
        // SAFETY: the caller gave room for the answer.
        unsafe { into.write(now[0]) };
    }
    now[0] as c_long
}

unsafe extern "C" fn nanosleep(time: *const Moment, left: *mut Moment) -> c_int {
    // SAFETY: the caller gave a valid time.
    let [seconds, nanoseconds] = unsafe { time.read() };
    if nanoseconds < BILLION && clock::sleep(seconds.saturating_mul(BILLION).saturating_add(nanoseconds)) {
        return 0;
    }
    let arguments = [time.expose_provenance(), left.expose_provenance(), 0, 0, 0, 0];
    // SAFETY: the arguments are the caller's.
    settle(unsafe { call(SYS_NANOSLEEP, arguments) }) as c_int
}

unsafe extern "C" fn clock_nanosleep(
    which: c_int,
    flags: c_int,
    time: *const Moment,
    left: *mut Moment,
) -> c_int {
    const ABSOLUTE: c_int = 1;
    const REALTIME: c_int = 0;
    // SAFETY: the caller gave a valid time.
    let [seconds, nanoseconds] = unsafe { time.read() };
    let mut length = seconds.saturating_mul(BILLION).saturating_add(nanoseconds);
    if flags & ABSOLUTE != 0 {
        let now = if which == REALTIME { clock::since_1970() } else { clock::now() };
        length = length.saturating_sub(now.unwrap_or(0));
    }
    if nanoseconds < BILLION && clock::sleep(length) {
        return 0;
    }
    let arguments =
        [which as usize, flags as usize, time.expose_provenance(), left.expose_provenance(), 0, 0];
    // SAFETY: the arguments are the caller's. This function gives the error itself.
    unsafe { -call(SYS_CLOCK_NANOSLEEP, arguments) as c_int }
}

unsafe extern "C" fn usleep(microseconds: c_uint) -> c_int {
    let time = moment(u64::from(microseconds) * 1000);
    // SAFETY: the time is valid.
    unsafe { nanosleep(&raw const time, core::ptr::null_mut()) }
}

unsafe extern "C" fn sleep(seconds: c_uint) -> c_uint {
    let (time, mut left) = ([u64::from(seconds), 0], [0, 0]);
    // SAFETY: both are valid.
    if unsafe { nanosleep(&raw const time, &raw mut left) } == 0 { 0 } else { left[0] as c_uint }
}

unsafe extern "C" fn sched_yield() -> c_int {
    if controlled::is_controlled() {
        controlled::point(Operation::YIELD);
        return 0;
    }
    // SAFETY: no arguments.
    settle(unsafe { call(SYS_SCHED_YIELD, [0; 6]) }) as c_int
}

/// The serving process may keep to one processor: the program is told what it could use without that.
unsafe extern "C" fn sched_getaffinity(process: c_int, size: usize, into: *mut u8) -> c_int {
    if serve::is_serving() {
        let set = serve::processors();
        let bytes = set.iter().flat_map(|word| word.to_ne_bytes()).chain(core::iter::repeat(0));
        for (place, byte) in (0..size).zip(bytes) {
            // SAFETY: the caller gave room for so many bytes.
            unsafe { into.add(place).write(byte) };
        }
        return 0;
    }
    // SAFETY: the arguments are the caller's.
    let result =
        unsafe { call(SYS_SCHED_GETAFFINITY, [process as usize, size, into.expose_provenance(), 0, 0, 0]) };
    if let Ok(written) = usize::try_from(result) {
        // SAFETY: the caller gave room for so many bytes.
        unsafe { core::ptr::write_bytes(into.add(written), 0, size.saturating_sub(written)) };
        return 0;
    }
    settle(result) as c_int
}

/// Bytes that look like chance and are the same in each execution.
fn fill(into: *mut u8, len: usize) -> isize {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    for place in 0..len {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller gave room for so many bytes.
        unsafe { into.add(place).write(controlled::noise(drawn)) };
    }
    len as isize
}

unsafe extern "C" fn getrandom(into: *mut u8, len: usize, flags: c_uint) -> isize {
    if serve::is_serving() {
        return fill(into, len);
    }
    // SAFETY: the arguments are the caller's.
    settle(unsafe { call(SYS_GETRANDOM, [into.expose_provenance(), len, flags as usize, 0, 0, 0]) }) as isize
}
