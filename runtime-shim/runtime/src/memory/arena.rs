//! Memory of the layer's own: powers of two from 32 bytes, zeroed, from one lock's lists.

use core::cell::UnsafeCell;
use core::ptr::null_mut;

use super::kernel;
use super::lock::Lock;

/// The smallest piece has 2^5 bytes, the largest that is kept for reuse 2^20.
const SMALLEST: u32 = 5;
const CLASSES: usize = 16;
/// What is asked of the kernel at once.
const BLOCK: usize = 1 << 20;

struct Lists {
    /// Given back, by class: a list through their first words.
    free: [*mut u8; CLASSES],
    next: *mut u8,
    left: usize,
}

struct Arena {
    lock: Lock,
    lists: UnsafeCell<Lists>,
}

// SAFETY: the lists are only touched under the lock.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena {
    lock: Lock::new(),
    lists: UnsafeCell::new(Lists { free: [null_mut(); CLASSES], next: null_mut(), left: 0 }),
};

/// Index of the list for pieces of `size` bytes, and their true size.
const fn class(size: usize) -> (usize, usize) {
    let size = if size < 1 << SMALLEST { 1 << SMALLEST } else { size.next_power_of_two() };
    ((size.trailing_zeros() - SMALLEST) as usize, size)
}

/// Zeroed memory of at least `size` bytes, aligned to its size up to a page. Null if there is none.
pub(super) fn take(size: usize) -> *mut u8 {
    let (class, size) = class(size);
    if class >= CLASSES {
        return kernel::map(size).unwrap_or(null_mut());
    }
    let _held = ARENA.lock.lock();
    // SAFETY: locked.
    let lists = unsafe { &mut *ARENA.lists.get() };
    let piece = lists.free[class];
    if !piece.is_null() {
        // SAFETY: a piece of this size that nobody uses; its first word is the list's.
        unsafe {
            lists.free[class] = piece.cast::<*mut u8>().read();
            piece.write_bytes(0, size);
        }
        return piece;
    }
    carve(lists, size)
}

fn carve(lists: &mut Lists, size: usize) -> *mut u8 {
    let skip = lists.next.addr().wrapping_neg() & (size.min(kernel::PAGE) - 1);
    if lists.left < size + skip {
        let Some(block) = kernel::map(BLOCK.max(size)) else { return null_mut() };
        (lists.next, lists.left) = (block, BLOCK.max(size));
    } else {
        lists.next = lists.next.wrapping_add(skip);
        lists.left -= skip;
    }
    let piece = lists.next;
    lists.next = piece.wrapping_add(size);
    lists.left -= size;
    piece
}

/// Gives back what [`take`] gave for the same size.
///
/// # Safety
/// Nothing refers to it any more.
pub(super) unsafe fn give_back(piece: *mut u8, size: usize) {
    let (class, size) = class(size);
    if piece.is_null() {
        return;
    }
    if class >= CLASSES {
        // SAFETY: the caller's promise; its addresses are not used again.
        return unsafe { kernel::drop_pages(piece.addr(), size) };
    }
    let _held = ARENA.lock.lock();
    // SAFETY: locked, and the piece is nobody's.
    unsafe {
        let lists = &mut *ARENA.lists.get();
        piece.cast::<*mut u8>().write(lists.free[class]);
        lists.free[class] = piece;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_given_back_comes_again_as_zeros() {
        let piece = take(100);
        assert!(piece.addr().is_multiple_of(128));
        // SAFETY: ours, 128 bytes.
        unsafe {
            piece.write_bytes(0xff, 128);
            give_back(piece, 100);
        }
        let again = take(128);
        // SAFETY: as above.
        assert!(unsafe { core::slice::from_raw_parts(again, 128) }.iter().all(|&byte| byte == 0));
    }
}
