//! Evidence about memory: accesses with their stacks, and what the memory is.

use snag_trace::memory::{AccessKind, Ordering, Region};

use super::Case;
use crate::finding::{self, Frame, Location, ObjectRef, Place};
use crate::model::execution::{ObjectId, ThreadId};
use crate::model::memory::{Access, Block};
use crate::model::names::MemoryName;
use crate::model::wait_for::Hold;

/// What a finding calls a piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its name in quotes, or a phrase.
    pub phrase: String,
    /// What it is, a clause: a static; 8 bytes at offset 16 of a block of 64 bytes that…
    pub what: Option<String>,
}

/// Where an access is, for people: innermost code of their own first.
struct Spot {
    place: Place,
    /// The function and place of the access itself, if it is elsewhere.
    within: Option<(String, Place)>,
    /// The dependency whose code that is.
    package: Option<String>,
}

/// The first of: the innermost place in the user's own code, the innermost in a dependency, any.
fn spot(frames: &[Frame]) -> Option<Spot> {
    let known: Vec<(&str, &Place)> =
        frames.iter().filter_map(|frame| Some((&*frame.function, frame.place.as_ref()?))).collect();
    // What carries out an atomic operation tells nothing.
    let operations = known.iter().take_while(|(_, place)| place.is_atomic_operation()).count();
    let known = if operations < known.len() { &known[operations..] } else { &known[..] };
    let own = known.iter().position(|(_, place)| place.is_own());
    let foreign = || known.iter().position(|(_, place)| !place.is_library());
    let at = own.or_else(foreign).unwrap_or(0);
    let (_, place) = *known.get(at)?;
    let package = known[..=at].iter().find_map(|(_, place)| place.package());
    let within = known.first().filter(|(_, inner)| *inner != place);
    let within = within.map(|&(function, inner)| (function.to_owned(), inner.clone()));
    Some(Spot { place: place.clone(), within, package })
}

/// What an access does to its memory: `writes`, `loads`…
#[must_use]
pub const fn verb(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Read | AccessKind::VolatileRead => "reads",
        AccessKind::Write | AccessKind::VolatileWrite => "writes",
        AccessKind::AtomicLoad => "loads",
        AccessKind::AtomicStore => "stores",
        AccessKind::AtomicUpdate => "updates",
        AccessKind::Free => "frees",
    }
}

/// What an access does, a phrase: writes 8 bytes; loads 1 byte atomically (`Relaxed`).
#[must_use]
pub fn does(access: &Access) -> String {
    let bytes = bytes(u64::from(access.size));
    let verb = verb(access.kind);
    match access.kind {
        AccessKind::Free => "frees the memory".to_owned(),
        AccessKind::VolatileRead | AccessKind::VolatileWrite => format!("{verb} {bytes} (volatile)"),
        _ => match ordering_word(access.ordering) {
            None => format!("{verb} {bytes}"),
            Some(ordering) => format!("{verb} {bytes} atomically (`{ordering}`)"),
        },
    }
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// The ordering as the source spells it; nothing for what is not atomic.
#[must_use]
pub const fn ordering_word(ordering: Ordering) -> Option<&'static str> {
    match ordering {
        Ordering::NotAtomic => None,
        Ordering::Relaxed => Some("Relaxed"),
        Ordering::Acquire => Some("Acquire"),
        Ordering::Release => Some("Release"),
        Ordering::AcqRel => Some("AcqRel"),
        Ordering::SeqCst => Some("SeqCst"),
    }
}

const fn kind_word(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Read => "read",
        AccessKind::Write => "write",
        AccessKind::AtomicLoad => "atomic load",
        AccessKind::AtomicStore => "atomic store",
        AccessKind::AtomicUpdate => "atomic update",
        AccessKind::Free => "free",
        AccessKind::VolatileRead => "volatile read",
        AccessKind::VolatileWrite => "volatile write",
    }
}

impl Case<'_> {
    fn process_of(&self, access: &Access) -> u32 {
        self.execution.thread(ThreadId(access.thread)).process
    }

    /// The place of an access that people look at first.
    #[must_use]
    pub fn place_of(&self, access: &Access) -> Option<Place> {
        spot(&self.names.frames(self.process_of(access), &access.stack)).map(|spot| spot.place)
    }

    /// Adds the place of an access, of which `label` says what it does. If the access itself is not in
    /// the user's code, the label says where it is. False if nothing is known of the place.
    pub fn at_access(&mut self, role: &str, access: &Access, mut label: String, held: &[Hold]) -> bool {
        let stack = self.names.frames(self.process_of(access), &access.stack);
        let Some(Spot { place, within, package }) = spot(&stack) else { return false };
        match within {
            // What gives memory back is always the same.
            Some(_) if access.kind == AccessKind::Free => {}
            Some((function, inner)) if inner.is_library() => label = format!("{label}, in `{function}`"),
            Some((function, Place { file, line, column })) => {
                label = format!("{label}, in `{function}` ({file}:{line}:{column})");
            }
            None => {}
        }
        let (held, thread) = (self.held(held), self.index_of(ThreadId(access.thread)));
        let said = finding::Access {
            kind: kind_word(access.kind).to_owned(),
            size: access.size,
            ordering: ordering_word(access.ordering).map(str::to_owned),
        };
        let role = role.to_owned();
        self.add(Location { role, place, thread, label, held, access: Some(said), package, stack });
        true
    }

    /// Makes the memory of an access one of the finding's objects.
    pub fn memory(&mut self, access: &Access, block: &Block) -> Memory {
        let process = self.process_of(access);
        let made = spot(&self.names.frames(process, &block.stack)).map(|spot| spot.place);
        // A place in the allocator says nothing.
        let made = made.filter(|place| !place.is_library());
        let known = self.names.memory(process, access, block);
        let what = self.what_memory(access, block, &known);
        let name = known.name;
        let kind = match block.region {
            Region::Static => "static",
            Region::Heap | Region::Freed => "heap block",
            Region::Stack => "stack",
            Region::ThreadLocal => "thread-local",
            Region::Shared => "shared memory",
            Region::Unknown => "memory",
        };
        let phrase = match (&name, block.region, &made) {
            (Some(name), ..) => format!("`{name}`"),
            (None, Region::Static, _) => "a static".to_owned(),
            (None, Region::Heap | Region::Freed, Some(place)) => {
                format!("a heap block made at {}:{}", place.file, place.line)
            }
            (None, Region::Heap | Region::Freed, None) => "a heap block".to_owned(),
            (None, Region::Stack, _) => "a variable on a stack".to_owned(),
            (None, Region::ThreadLocal, _) => "thread-local data".to_owned(),
            (None, Region::Shared, Some(place)) => {
                format!("shared memory mapped at {}:{}", place.file, place.line)
            }
            (None, Region::Shared, None) => "shared memory".to_owned(),
            (None, Region::Unknown, _) => "memory".to_owned(),
        };
        let (kind, called) = (kind.to_owned(), name.clone().unwrap_or_else(|| kind.to_owned()));
        self.objects.push((ObjectId(0), ObjectRef { kind, name: called, born: made }));
        Memory { name, phrase, what }
    }

    /// What the memory is, a clause.
    fn what_memory(&self, access: &Access, block: &Block, known: &MemoryName) -> Option<String> {
        let owner = (block.thread != 0).then(|| self.thread(ThreadId(block.thread)));
        let size = bytes(u64::from(access.size));
        let within = (block.base != 0 && block.size != 0 && access.address >= block.base)
            .then(|| (access.address - block.base, block.size));
        let values = if known.several { "values" } else { "a value" };
        let typed = known.of_type.as_ref().map(|of_type| format!(" for {values} of type `{of_type}`"));
        let by = owner.as_ref().map(|owner| format!(" that {owner} allocated")).unwrap_or_default();
        let freed = if block.region == Region::Freed { ", freed since" } else { "" };
        match (block.region, within) {
            (Region::Heap | Region::Freed, within) => {
                let (offset, whole) = match within {
                    Some((offset, whole)) => (Some(offset), format!(" of {}", bytes(whole))),
                    None => (None, String::new()),
                };
                // A field's name says more than where it is.
                let at =
                    offset.filter(|_| known.of_type.is_none()).map(|offset| format!(" at offset {offset}"));
                let is_whole = within == Some((0, u64::from(access.size)));
                let part =
                    if is_whole { String::new() } else { format!("{size}{} of ", at.unwrap_or_default()) };
                Some(format!("{part}a heap block{whole}{by}{}{freed}", typed.unwrap_or_default()))
            }
            (Region::Stack, _) => Some(match owner {
                Some(owner) => format!("{size} on the stack of {owner}"),
                None => format!("{size} on a thread's stack"),
            }),
            (Region::ThreadLocal, _) => Some(match owner {
                Some(owner) => format!("{size} of the thread-local data of {owner}"),
                None => format!("{size} of thread-local data"),
            }),
            (Region::Static, _) => {
                let of_type = known.of_type.as_ref()?;
                Some(format!("{size} of a static of type `{of_type}`"))
            }
            (Region::Shared, within) => {
                let at = within.map(|(offset, _)| format!(" at offset {offset}")).unwrap_or_default();
                Some(format!("{size}{at} of memory that processes share"))
            }
            (Region::Unknown, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(file: &str, line: u32) -> Frame {
        let place = Place { file: file.to_owned(), line, column: 1 };
        Frame { function: format!("f{line}"), place: Some(place), inlined: false }
    }

    #[test]
    fn the_innermost_own_code_is_shown_and_the_dependency_in_between_is_named() {
        let stack = [
            frame("~rust/library/core/src/ptr/mod.rs", 1),
            frame("~registry/ring-0.17.8/src/lib.rs", 2),
            frame("src/main.rs", 3),
            frame("src/main.rs", 4),
        ];
        let spot_of =
            |stack: &[Frame]| spot(stack).map(|spot| (spot.place.line, spot.within.is_some(), spot.package));
        assert_eq!(spot_of(&stack), Some((3, true, Some("ring 0.17.8".to_owned()))));
        assert_eq!(spot_of(&stack[..2]), Some((2, true, Some("ring 0.17.8".to_owned()))));
        assert_eq!(spot_of(&stack[..1]), Some((1, false, None)));
        assert_eq!(spot_of(&stack[2..]), Some((3, false, None)));
        assert_eq!(spot_of(&[]), None);
    }
}
