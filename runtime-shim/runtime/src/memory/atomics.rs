//! The symbols that LLVM's `tsan` pass has instrumented code call for atomics and fences.
//!
//! Each is a jump that hands on, as one more argument, where the caller's return address stands: that
//! tells the place of the operation and the activation that made it.
//!
//! Orderings come as C's numbers.

use snag_trace::memory::{AccessKind, Ordering};

use super::sync_var::{self, Operation, Outcome};
use super::word::{Change, Word};

/// The ordering with this number of C's; one that does not exist is taken for the strongest.
pub(super) const fn ordering(number: u32) -> Ordering {
    match number {
        0 => Ordering::Relaxed,
        1 | 2 => Ordering::Acquire,
        3 => Ordering::Release,
        4 => Ordering::AcqRel,
        _ => Ordering::SeqCst,
    }
}

/// Where a caller's return address stands, just below its own frame.
pub(super) type Return = *const usize;

#[inline(always)]
fn operation<W: Word>(at: *mut W, kind: AccessKind, ordering: Ordering, caller: Return) -> Operation {
    // SAFETY: the stubs below point at their own return address.
    let code = unsafe { caller.read() };
    Operation {
        address: at.addr(),
        size: W::SIZE,
        kind,
        ordering,
        failure: ordering,
        code,
        frame: caller.addr(),
        #[cfg(snag_explore)]
        operand: 0,
    }
}

unsafe extern "C" fn load<W: Word>(at: *mut W, order: u32, caller: Return) -> W {
    sync_var::perform(&operation(at, AccessKind::AtomicLoad, ordering(order), caller), || {
        // SAFETY: the program's own operation.
        Outcome::read(unsafe { W::load(at) })
    })
}

unsafe extern "C" fn store<W: Word>(at: *mut W, value: W, order: u32, caller: Return) {
    let order = ordering(order);
    #[cfg_attr(not(snag_explore), expect(unused_mut, reason = "what is written is asked for there only"))]
    let mut operation = operation(at, AccessKind::AtomicStore, order, caller);
    #[cfg(snag_explore)]
    {
        operation.operand = value.bits();
    }
    sync_var::perform(&operation, || {
        // SAFETY: the program's own operation.
        unsafe { W::store(at, value, order == Ordering::SeqCst) };
        Outcome::written(value)
    });
}

unsafe extern "C" fn change<W: Word, const CHANGE: u8>(
    at: *mut W,
    operand: W,
    order: u32,
    caller: Return,
) -> W {
    let change = const {
        match CHANGE {
            0 => Change::Exchange,
            1 => Change::Add,
            2 => Change::Sub,
            3 => Change::And,
            4 => Change::Or,
            5 => Change::Xor,
            _ => Change::Nand,
        }
    };
    sync_var::perform(&operation(at, AccessKind::AtomicUpdate, ordering(order), caller), || {
        // SAFETY: the program's own operation.
        let before = unsafe { W::change(at, change, operand) };
        Outcome::updated(before, before.changed(change, operand))
    })
}

unsafe extern "C" fn exchange_if<W: Word>(
    at: *mut W,
    old: W,
    new: W,
    order: u32,
    failure: u32,
    caller: Return,
) -> W {
    let operation = Operation {
        failure: ordering(failure),
        ..operation(at, AccessKind::AtomicUpdate, ordering(order), caller)
    };
    sync_var::perform(&operation, || {
        // SAFETY: the program's own operation.
        let there = unsafe { W::compare_exchange(at, old, new) };
        if there == old { Outcome::updated(there, new) } else { Outcome::read(there) }
    })
}

/// With C's calling sequence: what was there goes to `old`, and the result is whether it was that.
unsafe extern "C" fn exchange_if_c<W: Word>(
    at: *mut W,
    old: *mut W,
    new: W,
    order: u32,
    failure: u32,
    caller: Return,
) -> i32 {
    // SAFETY: the program's own operation, and its own variable.
    unsafe {
        let wanted = old.read();
        let there = exchange_if(at, wanted, new, order, failure, caller);
        if there != wanted {
            old.write(there);
        }
        i32::from(there == wanted)
    }
}

extern "C" fn fence(order: u32) {
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    sync_var::fence(ordering(order));
}

macro_rules! stub {
    ($name:ident, $register:literal, $to:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            core::arch::naked_asm!(concat!("mov ", $register, ", rsp"), "jmp {to}", to = sym $to)
        }
    };
}

macro_rules! width {
    ($type:ty: $load:ident $store:ident $exchange:ident $add:ident $sub:ident $and:ident $or:ident $xor:ident
     $nand:ident $val:ident $strong:ident $weak:ident) => {
        stub!($load, "rdx", load::<$type>);
        stub!($store, "rcx", store::<$type>);
        stub!($exchange, "rcx", change::<$type, 0>);
        stub!($add, "rcx", change::<$type, 1>);
        stub!($sub, "rcx", change::<$type, 2>);
        stub!($and, "rcx", change::<$type, 3>);
        stub!($or, "rcx", change::<$type, 4>);
        stub!($xor, "rcx", change::<$type, 5>);
        stub!($nand, "rcx", change::<$type, 6>);
        stub!($val, "r9", exchange_if::<$type>);
        stub!($strong, "r9", exchange_if_c::<$type>);
        stub!($weak, "r9", exchange_if_c::<$type>);
    };
}

width! {
    u8: __tsan_atomic8_load __tsan_atomic8_store __tsan_atomic8_exchange __tsan_atomic8_fetch_add
    __tsan_atomic8_fetch_sub __tsan_atomic8_fetch_and __tsan_atomic8_fetch_or __tsan_atomic8_fetch_xor
    __tsan_atomic8_fetch_nand __tsan_atomic8_compare_exchange_val __tsan_atomic8_compare_exchange_strong
    __tsan_atomic8_compare_exchange_weak
}
width! {
    u16: __tsan_atomic16_load __tsan_atomic16_store __tsan_atomic16_exchange __tsan_atomic16_fetch_add
    __tsan_atomic16_fetch_sub __tsan_atomic16_fetch_and __tsan_atomic16_fetch_or __tsan_atomic16_fetch_xor
    __tsan_atomic16_fetch_nand __tsan_atomic16_compare_exchange_val __tsan_atomic16_compare_exchange_strong
    __tsan_atomic16_compare_exchange_weak
}
width! {
    u32: __tsan_atomic32_load __tsan_atomic32_store __tsan_atomic32_exchange __tsan_atomic32_fetch_add
    __tsan_atomic32_fetch_sub __tsan_atomic32_fetch_and __tsan_atomic32_fetch_or __tsan_atomic32_fetch_xor
    __tsan_atomic32_fetch_nand __tsan_atomic32_compare_exchange_val __tsan_atomic32_compare_exchange_strong
    __tsan_atomic32_compare_exchange_weak
}
width! {
    u64: __tsan_atomic64_load __tsan_atomic64_store __tsan_atomic64_exchange __tsan_atomic64_fetch_add
    __tsan_atomic64_fetch_sub __tsan_atomic64_fetch_and __tsan_atomic64_fetch_or __tsan_atomic64_fetch_xor
    __tsan_atomic64_fetch_nand __tsan_atomic64_compare_exchange_val __tsan_atomic64_compare_exchange_strong
    __tsan_atomic64_compare_exchange_weak
}

// A value of 128 bits takes two registers.
stub!(__tsan_atomic128_load, "rdx", load::<u128>);
stub!(__tsan_atomic128_store, "r8", store::<u128>);
stub!(__tsan_atomic128_exchange, "r8", change::<u128, 0>);
stub!(__tsan_atomic128_fetch_add, "r8", change::<u128, 1>);
stub!(__tsan_atomic128_fetch_sub, "r8", change::<u128, 2>);
stub!(__tsan_atomic128_fetch_and, "r8", change::<u128, 3>);
stub!(__tsan_atomic128_fetch_or, "r8", change::<u128, 4>);
stub!(__tsan_atomic128_fetch_xor, "r8", change::<u128, 5>);
stub!(__tsan_atomic128_fetch_nand, "r8", change::<u128, 6>);

/// The seventh argument is on the stack, and the eighth has to be put behind it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic128_compare_exchange_val() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "mov rax, rsp",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "push qword ptr [rax + 8]",
        ".cfi_adjust_cfa_offset 8",
        "call {to}",
        "add rsp, 24",
        ".cfi_adjust_cfa_offset -24",
        "ret",
        ".cfi_endproc",
        to = sym exchange_if::<u128>,
    )
}

/// As C's calling sequence has it, there is a register left for one more argument, but not for two.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic128_compare_exchange_strong() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rsp",
        ".cfi_adjust_cfa_offset 8",
        "call {to}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        to = sym exchange_if_c::<u128>,
    )
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic128_compare_exchange_weak() {
    core::arch::naked_asm!("jmp {to}", to = sym __tsan_atomic128_compare_exchange_strong)
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_thread_fence() {
    core::arch::naked_asm!("jmp {to}", to = sym fence)
}

/// Orders nothing between threads.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_signal_fence() {
    core::arch::naked_asm!("ret")
}
