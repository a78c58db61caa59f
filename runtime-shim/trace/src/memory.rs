//! What the memory layer says: pairs of conflicting accesses, updates of atomics, and how much was
//! forgotten.
//!
//! One [`Conflict`] is the payload of a [`Kind::DataRace`] or [`Kind::Conflict`], one [`Update`] that
//! of a [`Kind::AtomicUpdate`], one [`Counts`] that of a [`Kind::MemoryCounts`], one [`SharedAccess`] that of a
//! [`Kind::SharedAccess`]. Numbers are
//! little-endian; a stack is a u32 length and that many u64 code addresses, innermost first, each the
//! address to which the call returns, as it is loaded.
//!
//! [`Kind::DataRace`]: crate::Kind::DataRace
//! [`Kind::Conflict`]: crate::Kind::Conflict
//! [`Kind::AtomicUpdate`]: crate::Kind::AtomicUpdate
//! [`Kind::MemoryCounts`]: crate::Kind::MemoryCounts
//! [`Kind::SharedAccess`]: crate::Kind::SharedAccess

use crate::encode::Payload;

/// Deepest stack that is recorded.
pub const MAX_STACK: usize = 64;

wire_enum! {
    /// What an access does.
    AccessKind: u8 {
        /// Plain read.
        Read = 1,
        /// Plain write.
        Write = 2,
        /// Atomic load, or a compare-exchange that failed.
        AtomicLoad = 3,
        /// Atomic store.
        AtomicStore = 4,
        /// Atomic read-modify-write that wrote.
        AtomicUpdate = 5,
        /// The memory was given back to the allocator.
        Free = 6,
        /// Volatile read.
        VolatileRead = 7,
        /// Volatile write.
        VolatileWrite = 8,
    }
}

wire_enum! {
    /// Memory ordering of an atomic access (C++20 [atomics.order]).
    Ordering: u8 {
        /// Not an atomic access.
        NotAtomic = 0,
        /// `Relaxed`.
        Relaxed = 1,
        /// `Acquire`.
        Acquire = 2,
        /// `Release`.
        Release = 3,
        /// `AcqRel`.
        AcqRel = 4,
        /// `SeqCst`.
        SeqCst = 5,
    }
}

wire_enum! {
    /// What kind of memory an address lies in.
    Region: u8 {
        /// Nothing is known of it.
        Unknown = 0,
        /// A static of the program.
        Static = 1,
        /// A block of the heap that is live.
        Heap = 2,
        /// A block of the heap that was given back.
        Freed = 3,
        /// The stack of a thread.
        Stack = 4,
        /// Thread-local data of a thread.
        ThreadLocal = 5,
        /// Shared by processes.
        Shared = 6,
    }
}

/// One access. `stack` borrows while encoding and owns after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<S> {
    /// The thread, numbered from 1 per process.
    pub thread: u32,
    /// What it does.
    pub kind: AccessKind,
    /// With which ordering.
    pub ordering: Ordering,
    /// Number of bytes accessed.
    pub size: u32,
    /// First address.
    pub address: u64,
    /// Sequence number of the last event that the thread had recorded before it; 0 if not known.
    pub after: u64,
    /// The value loaded or stored, for atomics of at most eight bytes; else 0.
    pub value: u64,
    /// Where; empty if that is no longer known.
    pub stack: S,
}

/// The memory that two accesses have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<S> {
    /// What it is.
    pub region: Region,
    /// The thread whose stack it is, or that allocated it; 0 if not known.
    pub thread: u32,
    /// Where it begins; 0 if not known.
    pub base: u64,
    /// Its length in bytes; 0 if not known.
    pub size: u64,
    /// Where it was allocated; empty if that is not known.
    pub stack: S,
}

/// A read by which a thread learned of a write, without synchronizing with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeakRead<S> {
    /// The store, after the earlier access of the race in its thread.
    pub store: Access<S>,
    /// The load that read it, before the later access in its thread.
    pub load: Access<S>,
}

/// Two accesses to the same bytes by different threads, of which at least one writes and not both are
/// atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict<S> {
    /// The later one, of the thread that recorded this.
    pub current: Access<S>,
    /// The earlier one.
    pub previous: Access<S>,
    /// Where they met.
    pub block: Block<S>,
    /// What would have ordered them, were its orderings strong enough.
    pub weak: Option<WeakRead<S>>,
}

/// A load and a later store of one atomic by one thread, with no access of its own to it between.
///
/// Of each pair of places a few are recorded per thread, and beyond these a few that have `between`, and
/// a few that have `before`: sampling must not lose what is rare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<S> {
    /// The load.
    pub load: Access<S>,
    /// The store, of the thread that recorded this.
    pub store: Access<S>,
    /// The last write by another thread between the two, if there was one.
    pub between: Option<Access<S>>,
    /// The last write by another thread before the load, if it could as well have come after it: the
    /// thread had not yet known that it happened (its clock before the load did not cover it), and no
    /// earlier access of its own to the atomic saw it or came after it.
    pub before: Option<Access<S>>,
    /// Whether no thread but its own had read the write between before it was overwritten.
    pub unread: bool,
    /// Whether load and store were made by the same activation of a function.
    pub same_activation: bool,
    /// Where the atomic lies.
    pub block: Block<S>,
}

/// An access to memory that processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedAccess<S> {
    /// Of the first byte, in what the object's memory is made of: a file, or an anonymous mapping.
    pub offset: u64,
    /// What an atomic read, of at most eight bytes; else 0. [`Access::value`] of an update is what it wrote.
    pub read: u64,
    /// The number that the run's clock gave before an atomic took effect: who reads what it wrote is
    /// numbered after this, if not after the event itself. 0 for a plain access.
    pub began: u64,
    /// What was done, with the address in the process that did it.
    pub access: Access<S>,
}

/// How much the memory layer saw and had to forget, of the whole process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often the whole shadow memory was cleared because epochs had run out.
    pub resets: u64,
    /// Accesses that another one pushed out of the shadow memory before they were ordered.
    pub evicted: u64,
    /// Races of which the earlier access's place was no longer known.
    pub places_lost: u64,
    /// Races that were not recorded because the same two places had met before.
    pub repeats: u64,
    /// Most threads that were alive at once.
    pub live_threads: u64,
    /// Ended or sleeping threads whose accesses may have been taken for another thread's.
    pub slots_shared: u64,
    /// Accesses to memory that processes share that were not recorded because there were too many.
    pub shared_dropped: u64,
}

impl Payload {
    pub(crate) fn stack(self, stack: &[u64]) -> Payload {
        let stack = &stack[..stack.len().min(MAX_STACK)];
        stack.iter().fold(self.u32(stack.len() as u32), |payload, &frame| payload.u64(frame))
    }

    fn access(self, access: &Access<&[u64]>) -> Payload {
        self.bytes(&[access.kind as u8, access.ordering as u8, 0, 0])
            .u32(access.thread)
            .u32(access.size)
            .u64(access.address)
            .u64(access.after)
            .u64(access.value)
            .stack(access.stack)
    }

    fn block(self, block: &Block<&[u64]>) -> Payload {
        self.u32(block.region as u32).u32(block.thread).u64(block.base).u64(block.size).stack(block.stack)
    }
}

/// Payload of [`crate::Kind::DataRace`] and [`crate::Kind::Conflict`].
#[must_use]
pub fn conflict(conflict: &Conflict<&[u64]>) -> Payload {
    let payload = Payload::default()
        .access(&conflict.current)
        .access(&conflict.previous)
        .block(&conflict.block)
        .u32(u32::from(conflict.weak.is_some()));
    match &conflict.weak {
        Some(weak) => payload.access(&weak.store).access(&weak.load),
        None => payload,
    }
}

/// Payload of [`crate::Kind::AtomicUpdate`].
#[must_use]
pub fn update(update: &Update<&[u64]>) -> Payload {
    let flags = u32::from(update.between.is_some())
        | u32::from(update.unread) << 1
        | u32::from(update.same_activation) << 2
        | u32::from(update.before.is_some()) << 3;
    let payload = Payload::default().u32(flags).access(&update.load).access(&update.store);
    let others = [&update.between, &update.before].into_iter().flatten();
    others.fold(payload, Payload::access).block(&update.block)
}

/// Payload of [`crate::Kind::SharedAccess`].
#[must_use]
pub fn shared_access(shared: &SharedAccess<&[u64]>) -> Payload {
    Payload::default().u64(shared.offset).u64(shared.read).u64(shared.began).access(&shared.access)
}

/// Byte offset of [`Access::size`], a u32, in the payload of a shared access: who makes the next one to
/// the bytes behind may make it longer instead of recording another.
pub const SHARED_SIZE_AT: usize = 32;

/// Payload of [`crate::Kind::MemoryCounts`].
#[must_use]
pub fn counts(counts: &Counts) -> Payload {
    let Counts { resets, evicted, places_lost, repeats, live_threads, slots_shared, shared_dropped } =
        *counts;
    [resets, evicted, places_lost, repeats, live_threads, slots_shared, shared_dropped]
        .iter()
        .fold(Payload::default(), |payload, &count| payload.u64(count))
}

/// Reads what the functions above wrote. Every method gives nothing where the bytes are no such thing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the beginning of a payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Reader<'a> {
        Reader(payload)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn stack(&mut self) -> Option<Vec<u64>> {
        let len = self.u32()? as usize;
        if len > MAX_STACK {
            return None;
        }
        (0..len).map(|_| self.u64()).collect()
    }

    fn access(&mut self) -> Option<Access<Vec<u64>>> {
        let [kind, ordering, _, _] = self.take()?;
        Some(Access {
            kind: AccessKind::from_wire(kind)?,
            ordering: Ordering::from_wire(ordering)?,
            thread: self.u32()?,
            size: self.u32()?,
            address: self.u64()?,
            after: self.u64()?,
            value: self.u64()?,
            stack: self.stack()?,
        })
    }

    fn block(&mut self) -> Option<Block<Vec<u64>>> {
        Some(Block {
            region: Region::from_wire(u8::try_from(self.u32()?).ok()?)?,
            thread: self.u32()?,
            base: self.u64()?,
            size: self.u64()?,
            stack: self.stack()?,
        })
    }

    /// What [`conflict`] wrote.
    pub fn conflict(mut self) -> Option<Conflict<Vec<u64>>> {
        let (current, previous, block) = (self.access()?, self.access()?, self.block()?);
        let weak = match self.u32()? {
            0 => None,
            1 => Some(WeakRead { store: self.access()?, load: self.access()? }),
            _ => return None,
        };
        Some(Conflict { current, previous, block, weak })
    }

    /// What [`update`] wrote.
    pub fn update(mut self) -> Option<Update<Vec<u64>>> {
        let flags = self.u32()?;
        let (load, store) = (self.access()?, self.access()?);
        let between = if flags & 1 == 0 { None } else { Some(self.access()?) };
        let before = if flags & 8 == 0 { None } else { Some(self.access()?) };
        let (unread, same_activation, block) = (flags & 2 != 0, flags & 4 != 0, self.block()?);
        Some(Update { load, store, between, before, unread, same_activation, block })
    }

    /// What [`shared_access`] wrote.
    pub fn shared_access(mut self) -> Option<SharedAccess<Vec<u64>>> {
        let (offset, read, began) = (self.u64()?, self.u64()?, self.u64()?);
        Some(SharedAccess { offset, read, began, access: self.access()? })
    }

    /// The stack that the payload goes on with.
    pub(crate) fn rest_of_birth(mut self) -> Option<(u32, Vec<u64>)> {
        Some((self.u32()?, self.stack()?))
    }

    /// What [`counts`] wrote.
    pub fn counts(mut self) -> Option<Counts> {
        Some(Counts {
            resets: self.u64()?,
            evicted: self.u64()?,
            places_lost: self.u64()?,
            repeats: self.u64()?,
            live_threads: self.u64()?,
            slots_shared: self.u64()?,
            shared_dropped: self.u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(kind: AccessKind, stack: &[u64]) -> Access<&[u64]> {
        let ordering = Ordering::NotAtomic;
        Access { thread: 3, kind, ordering, size: 8, address: 0x7f00_1234, after: 99, value: 7, stack }
    }

    fn owned(access: Access<&[u64]>) -> Access<Vec<u64>> {
        let Access { thread, kind, ordering, size, address, after, value, stack } = access;
        Access { thread, kind, ordering, size, address, after, value, stack: stack.to_vec() }
    }

    const BLOCK: Block<&[u64]> =
        Block { region: Region::Heap, thread: 1, base: 0x7f00_1000, size: 4096, stack: &[5, 6] };

    #[test]
    fn a_conflict_comes_back_as_it_was_written() {
        let (one, other) = (access(AccessKind::Write, &[1, 2, 3]), access(AccessKind::Read, &[]));
        let weak = Some(WeakRead { store: one, load: other });
        for weak in [None, weak] {
            let written = Conflict { current: one, previous: other, block: BLOCK, weak };
            let read = Reader::new(conflict(&written).as_slice()).conflict().expect("whole");
            assert_eq!((read.current, read.previous), (owned(one), owned(other)));
            assert_eq!(read.block.stack, [5, 6]);
            assert_eq!(read.weak.is_some(), weak.is_some());
        }
    }

    #[test]
    fn the_deepest_stacks_fit_into_one_payload() {
        let stack = [u64::MAX; MAX_STACK + 10];
        let access = access(AccessKind::AtomicStore, &stack);
        let weak = Some(WeakRead { store: access, load: access });
        let block = Block { stack: &stack[..], ..BLOCK };
        let payload = conflict(&Conflict { current: access, previous: access, block, weak });
        let read = Reader::new(payload.as_slice()).conflict().expect("whole");
        assert_eq!(read.weak.expect("there").load.stack.len(), MAX_STACK);
    }

    #[test]
    fn an_update_comes_back_and_no_part_of_it_passes_for_the_whole() {
        let (load, store) = (access(AccessKind::AtomicLoad, &[1]), access(AccessKind::AtomicStore, &[2]));
        let other = access(AccessKind::AtomicUpdate, &[3]);
        for (between, before) in [(Some(other), None), (None, Some(other)), (Some(other), Some(load))] {
            let written =
                Update { load, store, between, before, unread: true, same_activation: false, block: BLOCK };
            let payload = update(&written);
            let read = Reader::new(payload.as_slice()).update().expect("whole");
            assert_eq!((read.store, read.unread, read.same_activation), (owned(store), true, false));
            assert_eq!((read.between, read.before), (between.map(owned), before.map(owned)));
            for cut in 0..payload.as_slice().len() {
                assert_eq!(Reader::new(&payload.as_slice()[..cut]).update(), None);
            }
        }
    }

    #[test]
    fn a_shared_access_comes_back_and_its_size_stands_where_it_is_said_to() {
        let written =
            SharedAccess { offset: 64, read: 5, began: 9, access: access(AccessKind::AtomicUpdate, &[1, 2]) };
        let payload = shared_access(&written);
        let mut bytes = payload.as_slice().to_vec();
        let read = Reader::new(&bytes).shared_access().expect("whole");
        assert_eq!((read.offset, read.read, read.access), (64, 5, owned(written.access)));
        bytes[SHARED_SIZE_AT..SHARED_SIZE_AT + 4].copy_from_slice(&640_u32.to_le_bytes());
        assert_eq!(Reader::new(&bytes).shared_access().expect("whole").access.size, 640);
    }

    #[test]
    fn counts_come_back() {
        let written = Counts {
            resets: 1,
            evicted: 2,
            places_lost: 3,
            repeats: 4,
            live_threads: 5,
            slots_shared: 6,
            shared_dropped: 7,
        };
        assert_eq!(Reader::new(counts(&written).as_slice()).counts(), Some(written));
    }
}
