//! libc's onces, barriers and spin locks: they order what is done before and behind them, and that is all
//! that is recorded of them.

use core::cell::Cell;
use core::ffi::c_int;

use snag_trace::{Flags, Kind, Mode, ObjectKind};

use super::Opaque;
use super::around::{Function, around};
use crate::recorder::objects::by_address_at;
use crate::recorder::{At, on, record_at};

fn note(kind: Kind, of: ObjectKind, object: *mut Opaque, caller: usize) {
    let at = At::Code(caller);
    let object = by_address_at(of, object.addr(), at);
    record_at(kind, Mode::None, Flags::NONE, object, at, 0);
}

around! {
    pthread_barrier_wait as snag_pthread_barrier_wait(barrier: *mut Opaque) -> c_int, "rsi",
        |caller| { note(Kind::Give, ObjectKind::PthreadBarrier, barrier, caller); caller },
        |caller, _result| note(Kind::Learn, ObjectKind::PthreadBarrier, barrier, caller);
    pthread_spin_lock as snag_pthread_spin_lock(lock: *mut Opaque) -> c_int, "rsi",
        |caller| caller,
        |caller, _result| note(Kind::Learn, ObjectKind::PthreadSpinLock, lock, caller);
    pthread_spin_trylock as snag_pthread_spin_trylock(lock: *mut Opaque) -> c_int, "rsi",
        |caller| caller,
        |caller, result| if result == 0 { note(Kind::Learn, ObjectKind::PthreadSpinLock, lock, caller) };
    pthread_spin_unlock as snag_pthread_spin_unlock(lock: *mut Opaque) -> c_int, "rsi",
        |caller| note(Kind::Give, ObjectKind::PthreadSpinLock, lock, caller), |(), _result| ();
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

fn note_once(kind: Kind, once: usize) {
    if once != 0 && on() {
        let object = by_address_at(ObjectKind::Once, once, At::Place(None));
        record_at(kind, Mode::None, Flags::NONE, object, At::Place(None), 0);
    }
}

unsafe extern "C-unwind" fn snag_pthread_once(once: *mut Opaque, run: extern "C" fn()) -> c_int {
    static LIBCS: Function = Function::new(c"pthread_once");
    #[unsafe(naked)]
    unsafe extern "C-unwind" fn jump(once: *mut Opaque, run: unsafe extern "C-unwind" fn()) -> c_int {
        core::arch::naked_asm!("jmp qword ptr [rip + {libcs}]", libcs = sym LIBCS)
    }
    LIBCS.find();
    let outer = INITIALISATION.replace(Initialisation { once: once.addr(), run: Some(run) });
    // SAFETY: the caller's promise, which is that of libc's function.
    let result = unsafe { jump(once, initialise) };
    INITIALISATION.set(outer);
    note_once(Kind::Learn, once.addr());
    result
}

/// What libc runs once in place of the program's function.
unsafe extern "C-unwind" fn initialise() {
    let Initialisation { once, run } = INITIALISATION.get();
    if let Some(run) = run {
        // SAFETY: what the caller of `pthread_once` asked for.
        unsafe { call(run) };
    }
    note_once(Kind::Give, once);
}

/// Calls `run`. Not by its pointer: see `symbol`.
#[unsafe(naked)]
unsafe extern "C-unwind" fn call(run: extern "C" fn()) {
    core::arch::naked_asm!("jmp rdi")
}
