//! What an address lies in.

use snag_trace::memory::{MAX_STACK, Region};

use super::{heap, lifetime};

/// What is known of the memory around an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) region: Region,
    /// As in [`snag_trace::memory::Block`], here and below.
    pub(super) thread: u32,
    pub(super) base: usize,
    pub(super) size: usize,
    /// How many addresses of the stack of its allocation are known.
    pub(super) stack: usize,
}

unsafe extern "C" {
    /// The ends of the object that this is linked into, by the linker.
    static __ehdr_start: u8;
    static _end: u8;
}

/// What `address` lies in. The stack of its allocation is written to `born`.
pub(super) fn of(address: usize, born: &mut [u64; MAX_STACK]) -> Block {
    let unknown = Block { region: Region::Unknown, thread: 0, base: 0, size: 0, stack: 0 };
    let executable = (&raw const __ehdr_start).addr()..(&raw const _end).addr();
    if executable.contains(&address) {
        return Block { region: Region::Static, ..unknown };
    }
    // Stacks first: nothing is looked for in them that looks like a block of the heap.
    if let Some((thread, local)) = lifetime::stack_owner(address) {
        let region = if local { Region::ThreadLocal } else { Region::Stack };
        return Block { region, thread, ..unknown };
    }
    let Some(heap::Found { base, size, thread, place, ended }) = heap::block_of(address) else {
        return unknown;
    };
    let region = if ended { Region::Freed } else { Region::Heap };
    Block { region, thread, base, size, stack: place.stack(born) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_is_known_as_one_and_a_stack_is_not() {
        static HERE: u8 = 1;
        let mut born = [0; MAX_STACK];
        assert_eq!(of((&raw const HERE).addr(), &mut born).region, Region::Static);
        let there = 1_u8;
        assert_eq!(of((&raw const there).addr(), &mut born).region, Region::Unknown);
    }
}
