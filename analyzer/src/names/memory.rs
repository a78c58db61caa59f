//! Names of memory, and the call stacks of those who access it.
//!
//! A static is called by its symbol, a block of the heap by the variable or field that the call which
//! allocated it goes into, or by what its method was called on.
//!
//! Fields are added where debug information has them ([`super::types`]).
//!
//! Invariant: what is not known gets no name.

use snag_trace::memory::{AccessKind, Region};

use super::types::Typed;
use super::uses::{self, Rank};
use super::{SourceNames, bindings, position};
use crate::finding::{Frame, Place};
use crate::model::memory::{Access, Block};
use crate::model::names::MemoryName;

/// Functions of the standard library that call a thread's code: whatever called them is of no interest.
const BEGINNINGS: [&str; 2] = ["__rust_begin_short_backtrace", "std::rt::lang_start"];

impl SourceNames<'_> {
    /// The functions of a call stack, without those that begin a thread and those that are snag's own.
    pub(super) fn frames_of(&self, process: u32, stack: &[u64]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &address in stack {
            let mut here = self.frames_at(process, address);
            let begins = |frame: &Frame| BEGINNINGS.iter().any(|name| frame.function.contains(name));
            let beginning = here.iter().position(begins);
            here.truncate(beginning.unwrap_or(here.len()));
            frames.extend(here);
            if beginning.is_some() {
                break;
            }
        }
        let is_ours =
            |frame: &Frame| frame.place.as_ref().is_some_and(|place| place.file.starts_with("~snag/"));
        frames.retain(|frame| !is_ours(frame));
        let is_library = |frame: &Frame| frame.place.as_ref().is_some_and(Place::is_library);
        while frames.len() > 1 && frames.last().is_some_and(is_library) {
            frames.pop();
        }
        frames
    }

    fn frames_at(&self, process: u32, address: u64) -> Vec<Frame> {
        let known = self.process(process).and_then(|process| {
            let trace = &process.definitions;
            let in_file = address.checked_sub(trace.load_base)?;
            let found = self.symbols(&trace.executable).frames_before(in_file);
            (!found.is_empty()).then_some(found)
        });
        let Some(found) = known else {
            return vec![Frame { function: format!("{address:#x}"), place: None, inlined: false }];
        };
        let frame = |frame: super::symbols::CodeFrame| {
            let place = frame.site.map(|site| Place {
                file: self.sources.shorten(&site.file),
                line: site.line,
                column: site.column,
            });
            Frame { function: frame.function, place, inlined: frame.inlined }
        };
        found.into_iter().map(frame).collect()
    }

    pub(super) fn memory_name(&self, process: u32, access: &Access, block: &Block) -> MemoryName {
        let Some(process_of) = self.process(process) else { return MemoryName::default() };
        let trace = &process_of.definitions;
        let types = self.types(&trace.executable);
        let in_file = |address: u64| address.checked_sub(trace.load_base);
        let size = u64::from(access.size);
        let (base, typed) = match block.region {
            Region::Static | Region::Unknown => {
                let Some(at) = in_file(access.address) else { return MemoryName::default() };
                let symbols = self.symbols(&trace.executable);
                let known = symbols.static_at(at).map(|(name, offset)| (name.to_owned(), offset));
                let typed =
                    known.as_ref().and_then(|&(_, offset)| types.of_static(at - offset, offset, size));
                let known = known.map(|(name, _)| name);
                (known, typed)
            }
            Region::Heap | Region::Freed => {
                let frames = self.frames_of(process, &block.stack);
                let own = frames.iter().filter_map(|frame| frame.place.as_ref()).find(|place| place.is_own());
                let code: Vec<u64> = block.stack.iter().filter_map(|&address| in_file(address)).collect();
                let offset = access.address.checked_sub(block.base).filter(|_| block.base != 0);
                // What is freed is the whole block.
                let offset = offset.filter(|_| access.kind != AccessKind::Free);
                let typed = offset.and_then(|offset| types.of_block(&code, block.size, offset, size));
                (own.and_then(|place| self.allocated_as(place)), typed)
            }
            Region::Shared => (self.mapped_as(process, block), None),
            Region::Stack | Region::ThreadLocal => (None, None),
        };
        let Some(Typed { whole, path }) = typed else {
            return MemoryName { name: base, ..MemoryName::default() };
        };
        let stem = base.or_else(|| (!path.is_empty()).then(|| short_type(&whole).to_owned()));
        let several = path.starts_with('[');
        MemoryName { name: stem.map(|stem| format!("{stem}{path}")), of_type: Some(whole), several }
    }

    /// What the source calls shared memory: what it is bound to where the function that maps it was called,
    /// or else in that function itself.
    fn mapped_as(&self, process: u32, block: &Block) -> Option<String> {
        let frames = self.frames_of(process, &block.stack);
        let own = frames.iter().filter_map(|frame| frame.place.as_ref()).filter(|place| place.is_own());
        let own: Vec<&Place> = own.take(2).collect();
        own.iter().rev().find_map(|place| self.allocated_as(place))
    }

    /// What the source calls that which the call at this place allocates.
    fn allocated_as(&self, place: &Place) -> Option<String> {
        let file = self.file(&place.file)?;
        let bound = bindings::find(&file, position(place));
        bound.or_else(|| {
            let source = self.sources.get(&place.file)?;
            let before = source.text.get(..source.offset(place.line, place.column)?)?;
            let used = uses::find(&file, position(place)).filter(|used| used.rank != Rank::Call)?;
            before.ends_with('.').then_some(used.name)
        })
    }
}

/// A type's name without the modules that it is in.
fn short_type(name: &str) -> &str {
    let head = name.split('<').next().unwrap_or(name);
    head.rfind("::").map_or(name, |at| &name[at + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::execution::Execution;
    use crate::run::meta::RunMeta;
    use crate::sources::Sources;
    use snag_trace::ProcessTrace;

    #[test]
    fn an_allocation_is_called_by_what_it_goes_into_or_belongs_to() {
        let sources = Sources::new("/nowhere");
        let program = "fn main() {\n    let shared = Arc::new(Shared::default());\n    \
                       self.lines.push(1);\n    run(Box::new(shared));\n}\n";
        sources.insert("src/main.rs", program);
        let execution = Execution::load(vec![ProcessTrace::default()], &RunMeta::default());
        let names = SourceNames::new(&execution, &sources);
        let name = |line, column| {
            let place = Place { file: "src/main.rs".to_owned(), line, column };
            names.allocated_as(&place)
        };
        assert_eq!(name(2, 18).as_deref(), Some("shared"));
        assert_eq!(name(3, 16).as_deref(), Some("self.lines"));
        assert_eq!((name(4, 9), name(9, 9)), (None, None));
    }

    #[test]
    fn types_are_named_without_their_modules() {
        assert_eq!(short_type("bank::ledger::Account"), "Account");
        assert_eq!(short_type("bank::List<bank::Account>"), "List<bank::Account>");
        assert_eq!(short_type("u64"), "u64");
    }

    #[test]
    fn code_of_which_nothing_is_known_is_an_address() {
        let sources = Sources::new("/nowhere");
        let execution = Execution::load(vec![ProcessTrace::default()], &RunMeta::default());
        let names = SourceNames::new(&execution, &sources);
        let frames = names.frames_of(0, &[0x1234]);
        assert_eq!((frames.len(), &*frames[0].function, &frames[0].place), (1, "0x1234", &None));
    }
}
