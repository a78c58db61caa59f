//! Mappings: the layer's own, and the program's.

use core::ptr::null_mut;

use super::kernel;

/// Zeros of the layer's own, `len` bytes of them, which cost memory as they are touched. Null if there is
/// no room.
pub(super) fn reserve(len: usize) -> *mut u8 {
    kernel::map(len).unwrap_or(null_mut())
}
