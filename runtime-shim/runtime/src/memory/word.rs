//! Atomic operations on words of 8 to 128 bits, done as the program asked, or more strongly.
//!
//! Whatever ordering an operation was asked for, it is made sequentially consistent, which on x86-64 costs
//! a plain store only what it would cost with the layer's own lock around it. Stores alone are told apart.
//!
//! 128 bits need `cmpxchg16b`, as they do in the program, which would not have been compiled to such
//! operations for a processor without it.

use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// What a read-modify-write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Exchange,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Nand,
}

/// An integer that is operated on atomically.
///
/// # Safety
/// For all of its functions: `at` is valid for reads and writes, aligned to its size, and accessed by
/// others atomically only, or the program has the race that it would have had without the layer.
pub(super) trait Word: Copy + PartialEq {
    /// Bytes.
    const SIZE: usize = size_of::<Self>();

    /// The value in 64 bits; 0 for larger ones.
    fn bits(self) -> u64;
    /// The value with these bits; 0 if it is larger than they are.
    #[cfg(snag_explore)]
    fn from_bits(bits: u64) -> Self;
    unsafe fn load(at: *mut Self) -> Self;
    /// Stores, with release ordering, or as strongly as can be.
    unsafe fn store(at: *mut Self, value: Self, strongest: bool);
    /// Stores `new` if `old` is there; gives what was there.
    unsafe fn compare_exchange(at: *mut Self, old: Self, new: Self) -> Self;
    /// Gives what was there.
    unsafe fn change(at: *mut Self, change: Change, operand: Self) -> Self;
    /// What `change` makes of a value.
    fn changed(self, change: Change, operand: Self) -> Self;
}

/// The `size` bytes at `address`, of which there are 1, 2, 4 or 8.
///
/// # Safety
/// An atomic of the program of that size is there.
#[cfg(snag_explore)]
pub(super) unsafe fn value_at(address: usize, size: usize) -> u64 {
    let at = core::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => u8::load(at).bits(),
            2 => u16::load(at.cast()).bits(),
            4 => u32::load(at.cast()).bits(),
            _ => u64::load(at.cast()).bits(),
        }
    }
}

macro_rules! arithmetic {
    ($type:ty) => {
        #[inline(always)]
        fn changed(self, change: Change, operand: $type) -> $type {
            match change {
                Change::Exchange => operand,
                Change::Add => self.wrapping_add(operand),
                Change::Sub => self.wrapping_sub(operand),
                Change::And => self & operand,
                Change::Or => self | operand,
                Change::Xor => self ^ operand,
                Change::Nand => !(self & operand),
            }
        }
    };
}

macro_rules! words {
    ($($type:ty, $atomic:ty;)*) => {
        $(
            impl Word for $type {
                #[inline(always)]
                fn bits(self) -> u64 {
                    u64::from(self)
                }

                #[cfg(snag_explore)]
                fn from_bits(bits: u64) -> $type {
                    bits as $type
                }

                #[inline(always)]
                unsafe fn load(at: *mut $type) -> $type {
                    // SAFETY: the caller's promise.
                    unsafe { <$atomic>::from_ptr(at) }.load(Ordering::SeqCst)
                }

                #[inline(always)]
                unsafe fn store(at: *mut $type, value: $type, strongest: bool) {
                    // SAFETY: the caller's promise.
                    let word = unsafe { <$atomic>::from_ptr(at) };
                    word.store(value, if strongest { Ordering::SeqCst } else { Ordering::Release });
                }

                #[inline(always)]
                unsafe fn compare_exchange(at: *mut $type, old: $type, new: $type) -> $type {
                    // SAFETY: the caller's promise.
                    let word = unsafe { <$atomic>::from_ptr(at) };
                    match word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst) {
                        Ok(there) | Err(there) => there,
                    }
                }

                #[inline(always)]
                unsafe fn change(at: *mut $type, change: Change, operand: $type) -> $type {
                    // SAFETY: the caller's promise.
                    let word = unsafe { <$atomic>::from_ptr(at) };
                    match change {
                        Change::Exchange => word.swap(operand, Ordering::SeqCst),
                        Change::Add => word.fetch_add(operand, Ordering::SeqCst),
                        Change::Sub => word.fetch_sub(operand, Ordering::SeqCst),
                        Change::And => word.fetch_and(operand, Ordering::SeqCst),
                        Change::Or => word.fetch_or(operand, Ordering::SeqCst),
                        Change::Xor => word.fetch_xor(operand, Ordering::SeqCst),
                        Change::Nand => word.fetch_nand(operand, Ordering::SeqCst),
                    }
                }

                arithmetic!($type);
            }
        )*
    };
}

words! {
    u8, AtomicU8;
    u16, AtomicU16;
    u32, AtomicU32;
    u64, AtomicU64;
}

impl Word for u128 {
    fn bits(self) -> u64 {
        0
    }

    #[cfg(snag_explore)]
    fn from_bits(_: u64) -> u128 {
        0
    }

    unsafe fn load(at: *mut u128) -> u128 {
        // SAFETY: the caller's promise. Whatever is there is left there.
        unsafe { <u128 as Word>::compare_exchange(at, 0, 0) }
    }

    unsafe fn store(at: *mut u128, value: u128, _: bool) {
        // SAFETY: the caller's promise.
        unsafe { <u128 as Word>::change(at, Change::Exchange, value) };
    }

    unsafe fn compare_exchange(at: *mut u128, old: u128, new: u128) -> u128 {
        let (mut low, mut high) = (old as u64, (old >> 64) as u64);
        // SAFETY: the caller's promise; `rbx`, which LLVM keeps for itself, is put back.
        unsafe {
            asm!(
                "xchg {new_low}, rbx",
                "lock cmpxchg16b xmmword ptr [{at}]",
                "mov rbx, {new_low}",
                at = in(reg) at,
                new_low = inout(reg) new as u64 => _,
                in("rcx") (new >> 64) as u64,
                inout("rax") low,
                inout("rdx") high,
                options(nostack),
            );
        }
        u128::from(high) << 64 | u128::from(low)
    }

    unsafe fn change(at: *mut u128, change: Change, operand: u128) -> u128 {
        // SAFETY: the caller's promise, here and below.
        let mut there = unsafe { <u128 as Word>::load(at) };
        loop {
            let new = there.changed(change, operand);
            // SAFETY: as above.
            let found = unsafe { <u128 as Word>::compare_exchange(at, there, new) };
            if found == there {
                return there;
            }
            there = found;
        }
    }

    arithmetic!(u128);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: [Change; 7] =
        [Change::Exchange, Change::Add, Change::Sub, Change::And, Change::Or, Change::Xor, Change::Nand];

    fn agrees<W: Word + core::fmt::Debug>(before: W, operand: W) {
        for change in CHANGES {
            let mut word = before;
            // SAFETY: a local variable, aligned, and nobody else's.
            unsafe {
                assert_eq!(W::change(&raw mut word, change, operand), before, "{change:?}");
                assert_eq!(W::load(&raw mut word), before.changed(change, operand), "{change:?}");
                W::store(&raw mut word, before, false);
                assert_eq!(W::compare_exchange(&raw mut word, operand, operand), before);
                assert_eq!(W::compare_exchange(&raw mut word, before, operand), before);
                assert_eq!(W::load(&raw mut word), operand);
            }
        }
    }

    #[test]
    fn memory_holds_what_the_arithmetic_says_in_every_width() {
        agrees(0x5a_u8, 0xc3);
        agrees(0x5a5a_u16, 0xc3c3);
        agrees(0x5a5a_5a5a_u32, 0xc3c3_c3c3);
        agrees(0x5a5a_5a5a_5a5a_5a5a_u64, 0xc3c3_c3c3_c3c3_c3c3);
        agrees(0x5a5a_5a5a_5a5a_5a5a_ffff_ffff_ffff_ffff_u128, 0xc3c3_c3c3_c3c3_c3c3_0000_0000_0000_0001);
    }
}
