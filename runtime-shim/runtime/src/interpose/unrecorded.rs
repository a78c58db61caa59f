//! Functions of C that order memory accesses without being recorded: what a thread writes into a pipe, a
//! socket or an event descriptor and another reads there, libc's onces, barriers and spin locks.
//!
//! Invariants:
//! * They only call libc's function, and tell the memory layer before it that the thread lets others go
//!   on, or after it that it goes on because of them. Results, `errno` and cancellation points are libc's.
//! * All descriptors of which one end hands something to another order each other, as if they were one:
//!   who is at the other end is not known. Files, terminals and the standard three order nothing.
//! * They are weak: a program that brings functions of these names keeps its own.
//!
//! Known misses: what is ordered by files, signals, `io_uring` or by memory that processes share is not
//! known to be; descriptors that have nothing to do with each other order more than they should.

use core::cell::Cell;
use core::ffi::{c_int, c_void};

use super::Opaque;
use crate::memory::{gives, learns};

/// Stands for everything that the kernel hands from one thread to another.
const KERNEL: usize = 1;

/// The types of `st_mode` that hand something on; event descriptors have none.
const ANONYMOUS: u32 = 0;
const FIFO: u32 = 0o010_000;
const SOCKET: u32 = 0o140_000;

/// Whether what is written to the descriptor may reach another thread through it.
fn hands_on(descriptor: c_int) -> bool {
    const FSTAT: usize = 5;
    /// `st_mode` in the kernel's `struct stat`.
    const MODE: usize = 24;
    /// Standard input, output and error: the other end is another program's.
    const LAST_STANDARD: c_int = 2;
    if descriptor <= LAST_STANDARD {
        return false;
    }
    let mut stat = [0_u8; 144];
    let result: isize;
    // SAFETY: the kernel writes a `struct stat`, which has 144 bytes, and nothing else. Not by libc, which
    // might set `errno`.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") FSTAT as isize => result,
            in("rdi") descriptor,
            in("rsi") &raw mut stat,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    let mode = u32::from_ne_bytes([stat[MODE], stat[MODE + 1], stat[MODE + 2], stat[MODE + 3]]);
    result == 0 && matches!(mode & 0o170_000, ANONYMOUS | FIFO | SOCKET)
}

/// Defines weak functions of C. `before` and `after` are done around libc's function and see its
/// arguments and its result.
macro_rules! around {
    ($(
        $name:ident as $ours:ident($($argument:ident: $type:ty),*) -> $result:ty,
        before $before:expr, after |$outcome:ident| $after:expr;
    )*) => {
        $(
            core::arch::global_asm!(
                ".text",
                concat!(".weak ", stringify!($name)),
                concat!(".type ", stringify!($name), ",@function"),
                concat!(stringify!($name), ": jmp {ours}"),
                ours = sym $ours,
            );

            unsafe extern "C-unwind" fn $ours($($argument: $type),*) -> $result {
                static LIBCS: libc_function::Function = libc_function::Function::new(match
                    core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes())
                {
                    Ok(name) => name,
                    Err(_) => panic!(),
                });
                #[unsafe(naked)]
                unsafe extern "C-unwind" fn jump($($argument: $type),*) -> $result {
                    core::arch::naked_asm!("jmp qword ptr [rip + {libcs}]", libcs = sym LIBCS)
                }
                LIBCS.find();
                $before;
                // SAFETY: libc's function of this name takes these arguments, and the rest is the
                // caller's promise, which is that of libc's function.
                let result = unsafe { jump($($argument),*) };
                let $outcome = &result;
                let _ = $outcome;
                $after;
                result
            }
        )*
    };
}

mod libc_function {
    use core::ffi::CStr;
    use core::sync::atomic::{AtomicPtr, Ordering};

    use crate::interpose::symbol;

    /// A function of libc, by its address.
    #[repr(C)]
    pub(super) struct Function {
        /// First, since code jumps through it.
        address: AtomicPtr<core::ffi::c_void>,
        name: &'static CStr,
    }

    impl Function {
        pub(super) const fn new(name: &'static CStr) -> Function {
            Function { address: AtomicPtr::new(core::ptr::null_mut()), name }
        }

        /// Makes sure that the address is there.
        #[inline]
        pub(super) fn find(&self) {
            if self.address.load(Ordering::Relaxed).is_null() {
                self.address.store(symbol::next(self.name), Ordering::Relaxed);
            }
        }
    }
}

/// Orders nothing.
const fn nothing() {}

/// Hands on through a descriptor.
fn hands(descriptor: c_int) {
    if crate::recorder::on() && hands_on(descriptor) {
        gives(KERNEL);
    }
}

/// Takes what was handed on through a descriptor.
fn takes(descriptor: c_int, succeeded: bool) {
    if succeeded && crate::recorder::on() && hands_on(descriptor) {
        learns(KERNEL);
    }
}

around! {
    write as snag_write(fd: c_int, bytes: *const c_void, len: usize) -> isize,
        before hands(fd), after |_result| nothing();
    writev as snag_writev(fd: c_int, parts: *const c_void, count: c_int) -> isize,
        before hands(fd), after |_result| nothing();
    send as snag_send(fd: c_int, bytes: *const c_void, len: usize, flags: c_int) -> isize,
        before hands(fd), after |_result| nothing();
    sendto as snag_sendto(
        fd: c_int, bytes: *const c_void, len: usize, flags: c_int, to: *const c_void, to_len: u32
    ) -> isize,
        before hands(fd), after |_result| nothing();
    sendmsg as snag_sendmsg(fd: c_int, message: *const c_void, flags: c_int) -> isize,
        before hands(fd), after |_result| nothing();
    shutdown as snag_shutdown(fd: c_int, how: c_int) -> c_int,
        before hands(fd), after |_result| nothing();
    close as snag_close(fd: c_int) -> c_int,
        before hands(fd), after |_result| nothing();
    epoll_ctl as snag_epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int,
        before gives(KERNEL), after |_result| nothing();
    read as snag_read(fd: c_int, bytes: *mut c_void, len: usize) -> isize,
        before nothing(), after |result| takes(fd, *result >= 0);
    readv as snag_readv(fd: c_int, parts: *const c_void, count: c_int) -> isize,
        before nothing(), after |result| takes(fd, *result >= 0);
    recv as snag_recv(fd: c_int, bytes: *mut c_void, len: usize, flags: c_int) -> isize,
        before nothing(), after |result| takes(fd, *result >= 0);
    recvfrom as snag_recvfrom(
        fd: c_int, bytes: *mut c_void, len: usize, flags: c_int, from: *mut c_void, from_len: *mut u32
    ) -> isize,
        before nothing(), after |result| takes(fd, *result >= 0);
    recvmsg as snag_recvmsg(fd: c_int, message: *mut c_void, flags: c_int) -> isize,
        before nothing(), after |result| takes(fd, *result >= 0);
    accept as snag_accept(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int,
        before nothing(), after |result| takes(fd, *result >= 0);
    accept4 as snag_accept4(fd: c_int, address: *mut c_void, len: *mut u32, flags: c_int) -> c_int,
        before nothing(), after |result| takes(fd, *result >= 0);
    connect as snag_connect(fd: c_int, address: *const c_void, len: u32) -> c_int,
        before hands(fd), after |result| takes(fd, *result == 0);
    poll as snag_poll(descriptors: *mut c_void, count: usize, time: c_int) -> c_int,
        before nothing(), after |result| if *result > 0 { learns(KERNEL) };
    ppoll as snag_ppoll(
        descriptors: *mut c_void, count: usize, time: *const c_void, signals: *const c_void
    ) -> c_int,
        before nothing(), after |result| if *result > 0 { learns(KERNEL) };
    epoll_wait as snag_epoll_wait(epoll: c_int, events: *mut c_void, count: c_int, time: c_int) -> c_int,
        before nothing(), after |result| if *result > 0 { learns(KERNEL) };
    epoll_pwait as snag_epoll_pwait(
        epoll: c_int, events: *mut c_void, count: c_int, time: c_int, signals: *const c_void
    ) -> c_int,
        before nothing(), after |result| if *result > 0 { learns(KERNEL) };
    pthread_barrier_wait as snag_pthread_barrier_wait(barrier: *mut Opaque) -> c_int,
        before gives(barrier.addr()), after |result| learns(barrier.addr());
    pthread_spin_lock as snag_pthread_spin_lock(lock: *mut Opaque) -> c_int,
        before nothing(), after |result| learns(lock.addr());
    pthread_spin_trylock as snag_pthread_spin_trylock(lock: *mut Opaque) -> c_int,
        before nothing(), after |result| if *result == 0 { learns(lock.addr()) };
    pthread_spin_unlock as snag_pthread_spin_unlock(lock: *mut Opaque) -> c_int,
        before gives(lock.addr()), after |_result| nothing();
}

/// What a thread is about to initialise by `pthread_once`.
#[derive(Clone, Copy)]
struct Initialisation {
    once: usize,
    run: Option<extern "C" fn()>,
}

std::thread_local! {
    static INITIALISATION: Cell<Initialisation> = const { Cell::new(Initialisation { once: 0, run: None }) };
}

core::arch::global_asm!(
    ".text",
    ".weak pthread_once",
    ".type pthread_once,@function",
    "pthread_once: jmp {ours}",
    ours = sym snag_pthread_once,
);

unsafe extern "C-unwind" fn snag_pthread_once(once: *mut Opaque, run: extern "C" fn()) -> c_int {
    static LIBCS: libc_function::Function = libc_function::Function::new(c"pthread_once");
    #[unsafe(naked)]
    unsafe extern "C-unwind" fn jump(once: *mut Opaque, run: unsafe extern "C-unwind" fn()) -> c_int {
        core::arch::naked_asm!("jmp qword ptr [rip + {libcs}]", libcs = sym LIBCS)
    }
    LIBCS.find();
    let outer = INITIALISATION.replace(Initialisation { once: once.addr(), run: Some(run) });
    // SAFETY: the caller's promise, which is that of libc's function.
    let result = unsafe { jump(once, initialise) };
    INITIALISATION.set(outer);
    learns(once.addr());
    result
}

/// What libc runs once in place of the program's function.
unsafe extern "C-unwind" fn initialise() {
    let Initialisation { once, run } = INITIALISATION.get();
    if let Some(run) = run {
        // SAFETY: what the caller of `pthread_once` asked for.
        unsafe { call(run) };
    }
    gives(once);
}

/// Calls `run`. Not by its pointer: see `symbol`.
#[unsafe(naked)]
unsafe extern "C-unwind" fn call(run: extern "C" fn()) {
    core::arch::naked_asm!("jmp rdi")
}
