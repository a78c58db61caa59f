//! Where an access was made, in 64 bits: a code address in 32, and a context.
//!
//! Code of the executable is known by its distance from where the executable begins, that of shared
//! objects by one of 256 windows of 1 MiB.
//!
//! Known misses: shared objects whose code fills more windows than there are; their places are unknown.

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::context;

/// Codes from here on are of windows.
const WINDOWS_FROM: u32 = 0xf000_0000;
const WINDOW_BITS: u32 = 20;
const WINDOWS: usize = 256;

/// Addresses of the windows, shifted right; 0 while unused.
static WINDOW: [AtomicUsize; WINDOWS] = [const { AtomicUsize::new(0) }; WINDOWS];

/// A place: code in the lower half, context in the upper one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Place(pub(super) u64);

impl Place {
    /// The code that returns to `pc`, called in `context`.
    #[inline(always)]
    pub(super) fn new(pc: usize, context: u32) -> Place {
        Place(u64::from(code_of(pc)) | u64::from(context) << 32)
    }

    /// As [`Place::new`], if that is quickly told.
    #[inline(always)]
    pub(super) fn near(pc: usize, context: u32) -> Option<Place> {
        let distance = pc.wrapping_sub(base());
        (distance < WINDOWS_FROM as usize).then_some(Place(distance as u64 | u64::from(context) << 32))
    }

    /// The code alone, as a number. 0 if it is not known.
    #[inline(always)]
    pub(super) const fn code(self) -> u32 {
        self.0 as u32
    }

    /// Its code address, and those to which its callers return, innermost first; gives how many there
    /// are.
    pub(super) fn stack(self, into: &mut [u64]) -> usize {
        let Some((first, callers)) = into.split_first_mut() else { return 0 };
        *first = address_of(self.code());
        if *first == 0 {
            return 0;
        }
        1 + context::callers((self.0 >> 32) as u32, callers)
    }
}

/// The beginning of the object that this is linked into, by the linker.
#[inline(always)]
pub(super) fn base() -> usize {
    let base;
    // SAFETY: it only takes an address, of a symbol that the linker defines in every object.
    unsafe {
        asm!(
            "lea {0}, [rip + __ehdr_start]",
            out(reg) base,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    base
}

/// Its end.
#[inline(always)]
pub(super) fn end() -> usize {
    let end;
    // SAFETY: as in `base`.
    unsafe {
        asm!(
            "lea {0}, [rip + _end]",
            out(reg) end,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    end
}

/// The number of a code address; 0 if it cannot have one.
#[inline(always)]
pub(super) fn code_of(pc: usize) -> u32 {
    let distance = pc.wrapping_sub(base());
    if distance < WINDOWS_FROM as usize { distance as u32 } else { far_code_of(pc) }
}

#[cold]
#[inline(never)]
fn far_code_of(pc: usize) -> u32 {
    let wanted = pc >> WINDOW_BITS;
    for (index, window) in WINDOW.iter().enumerate() {
        let mut there = window.load(Ordering::Relaxed);
        if there == 0 {
            there = match window.compare_exchange(0, wanted, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => wanted,
                Err(winner) => winner,
            };
        }
        if there == wanted {
            let offset = pc & ((1 << WINDOW_BITS) - 1);
            return WINDOWS_FROM + ((index as u32) << WINDOW_BITS | offset as u32);
        }
    }
    0
}

/// The code address with this number; 0 for number 0.
pub(super) fn address_of(code: u32) -> u64 {
    if code == 0 {
        return 0;
    }
    if code < WINDOWS_FROM {
        return base() as u64 + u64::from(code);
    }
    let code = code - WINDOWS_FROM;
    let window = WINDOW[(code >> WINDOW_BITS) as usize].load(Ordering::Acquire);
    (window << WINDOW_BITS | code as usize & ((1 << WINDOW_BITS) - 1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_near_and_far_come_back() {
        let near = base() + 0x1234;
        for address in [near, 0x7f12_3456_7890, 0x7f12_3466_7891, 0x7f12_3456_7891] {
            assert_eq!(address_of(code_of(address)), address as u64);
        }
        assert_eq!(address_of(0), 0);
    }

    #[test]
    fn a_place_without_a_context_is_its_code_alone() {
        let mut stack = [0; 4];
        let count = Place::new(base() + 0x99, 0).stack(&mut stack);
        assert_eq!((count, stack[0]), (1, base() as u64 + 0x99));
        assert_eq!(Place::default().stack(&mut stack), 0);
    }
}
