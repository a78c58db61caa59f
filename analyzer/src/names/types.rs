//! Types and fields of memory, from an executable's debug information.
//!
//! A static has its type in the debug information. A block of the heap has none: its type is what the
//! function that allocated it is generic over (`Box<T>::new`, `Arc<T>::new`, `RawVec<T>::grow_one`),
//! if the size fits.
//!
//! Invariants: a field is named only if the whole access lies in it; types of the standard library are
//! not looked into, apart from those that only wrap what they hold.
//!
//! Source: DWARF 5, sections 3.3, 5.7 and 7.7, as rustc writes it. Known misses: what the debug
//! information of the profile leaves out (all types, unless it is `debug = 2`), split debug
//! information, types of another unit, and variants of enums.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use addr2line::gimli::{
    self, AttributeValue, DebuggingInformationEntry, Dwarf, EndianSlice, LittleEndian, Operation, Unit,
};
use object::{Object, ObjectSection};

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// Debug information above this size in bytes is not searched: it would take longer than it is worth.
const LARGEST: u64 = 1 << 30;
/// Deepest nesting of types that is followed.
const DEEPEST: usize = 16;

/// What is known of a piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// The type of the whole variable or block, or of one element of it.
    pub whole: String,
    /// The way from there to the bytes: `.count`, `[…].next`, or nothing.
    pub path: String,
}

/// The types of one executable. Nothing is read before it is asked for.
#[derive(Default)]
pub(super) struct Types {
    executable: String,
    bytes: OnceCell<Option<Vec<u8>>>,
    units: RefCell<BTreeMap<usize, Rc<UnitTypes>>>,
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Types").field("executable", &self.executable).finish_non_exhaustive()
    }
}

impl Types {
    /// The types of this executable, none if it is gone.
    pub(super) fn of(executable: &str) -> Types {
        Types { executable: executable.to_owned(), ..Types::default() }
    }

    /// What lies at an offset of the static that begins at this address.
    pub(super) fn of_static(&self, start: u64, offset: u64, size: u64) -> Option<Typed> {
        let dwarf = self.dwarf()?;
        let mut headers = dwarf.units();
        while let Some(header) = headers.next().ok()? {
            let unit = dwarf.unit(header).ok()?;
            if is_library(&unit) {
                continue;
            }
            if let Some(of) = type_of_static(&unit, start).ok()? {
                return self.unit_types(&dwarf, &unit).typed(of, offset, size);
            }
        }
        None
    }

    /// What lies at an offset of a block of `whole` bytes that the code before one of these addresses
    /// allocated, innermost first.
    pub(super) fn of_block(&self, code: &[u64], whole: u64, offset: u64, size: u64) -> Option<Typed> {
        let dwarf = self.dwarf()?;
        code.iter().find_map(|&address| {
            let unit = unit_of(&dwarf, address.checked_sub(1)?)?;
            let types = self.unit_types(&dwarf, &unit);
            types.functions_at(address - 1).into_iter().find_map(|function| {
                let of = types.parameter(function)?;
                types.in_block(of, types.is_sequence(function), whole, offset, size)
            })
        })
    }

    fn dwarf(&self) -> Option<Dwarf<Slice<'_>>> {
        let bytes = self.bytes.get_or_init(|| std::fs::read(&self.executable).ok()).as_ref()?;
        let file = object::File::parse(&**bytes).ok()?;
        if file.section_by_name(".debug_info")?.size() > LARGEST {
            return None;
        }
        let section = |id: gimli::SectionId| -> Result<Slice<'_>, gimli::Error> {
            let data = file.section_by_name(id.name()).and_then(|section| section.data().ok());
            Ok(EndianSlice::new(data.unwrap_or(&[]), LittleEndian))
        };
        Dwarf::load(section).ok()
    }

    fn unit_types(&self, dwarf: &Dwarf<Slice<'_>>, unit: &Unit<Slice<'_>>) -> Rc<UnitTypes> {
        let at = unit.header.offset().0;
        let mut units = self.units.borrow_mut();
        Rc::clone(
            units.entry(at).or_insert_with(|| Rc::new(UnitTypes::read(dwarf, unit).unwrap_or_default())),
        )
    }
}

fn unit_of<'a>(dwarf: &Dwarf<Slice<'a>>, address: u64) -> Option<Unit<Slice<'a>>> {
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().ok()? {
        let unit = dwarf.unit(header).ok()?;
        let mut ranges = dwarf.unit_ranges(&unit).ok()?;
        while let Some(range) = ranges.next().ok()? {
            if range.begin <= address && address < range.end {
                return Some(unit);
            }
        }
    }
    None
}

fn is_library(unit: &Unit<Slice<'_>>) -> bool {
    unit.name
        .is_some_and(|name| name.slice().starts_with(b"/rustc/") || name.slice().starts_with(b"library/"))
}

/// The type of the static that begins at this address, if it is of this unit.
fn type_of_static(unit: &Unit<Slice<'_>>, start: u64) -> gimli::Result<Option<Id>> {
    let mut entries = unit.entries();
    while let Some(entry) = entries.next_dfs()? {
        if entry.tag() == gimli::DW_TAG_variable && address(unit, entry) == Some(start) {
            return Ok(reference(entry, gimli::DW_AT_type));
        }
    }
    Ok(None)
}

/// Offset of an entry within its unit.
type Id = usize;

#[derive(Clone, Debug)]
enum Shape {
    /// Fields with their offsets in bytes.
    Struct {
        name: String,
        size: u64,
        fields: Vec<(String, u64, Id)>,
    },
    Array {
        element: Id,
        size: Option<u64>,
    },
    /// A number, a pointer, an enum…
    Plain {
        name: String,
        size: u64,
    },
}

#[derive(Clone, Debug, Default)]
struct Function {
    ranges: Vec<(u64, u64)>,
    depth: isize,
    /// The entry that says the rest.
    origin: Option<Id>,
    name: String,
    /// What it is generic over, if it calls that `T`.
    parameter: Option<Id>,
}

/// Everything about types in one unit.
#[derive(Clone, Debug, Default)]
struct UnitTypes {
    shapes: BTreeMap<Id, Shape>,
    functions: BTreeMap<Id, Function>,
}

impl UnitTypes {
    fn read(dwarf: &Dwarf<Slice<'_>>, unit: &Unit<Slice<'_>>) -> gimli::Result<UnitTypes> {
        let mut types = UnitTypes::default();
        // The enclosing entries: depth, offset, name if it is a namespace or type.
        let mut around: Vec<(isize, Id, String)> = Vec::new();
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            while around.last().is_some_and(|(depth, ..)| *depth >= entry.depth()) {
                around.pop();
            }
            let name = text(dwarf, unit, entry, gimli::DW_AT_name).unwrap_or_default();
            let owner = around.last().map_or(0, |(_, id, _)| *id);
            types.take(dwarf, unit, entry, owner, &path(&around, &name))?;
            if entry.has_children() {
                let names = matches!(entry.tag(), gimli::DW_TAG_namespace | gimli::DW_TAG_structure_type);
                around.push((entry.depth(), entry.offset().0, if names { name } else { String::new() }));
            }
        }
        Ok(types)
    }

    fn take<'a>(
        &mut self,
        dwarf: &Dwarf<Slice<'a>>,
        unit: &Unit<Slice<'a>>,
        entry: &Entry<'a>,
        owner: Id,
        name: &str,
    ) -> gimli::Result<()> {
        let id = entry.offset().0;
        let size = number(entry, gimli::DW_AT_byte_size);
        match entry.tag() {
            gimli::DW_TAG_structure_type => {
                let (name, size) = (name.to_owned(), size.unwrap_or(0));
                self.shapes.insert(id, Shape::Struct { name, size, fields: Vec::new() });
            }
            gimli::DW_TAG_array_type => {
                if let Some(element) = reference(entry, gimli::DW_AT_type) {
                    self.shapes.insert(id, Shape::Array { element, size: None });
                }
            }
            gimli::DW_TAG_subrange_type => self.note_length(owner, number(entry, gimli::DW_AT_count)),
            gimli::DW_TAG_member => {
                let at = number(entry, gimli::DW_AT_data_member_location);
                let field = reference(entry, gimli::DW_AT_type).zip(at);
                if let (Some(Shape::Struct { fields, .. }), Some((of, at))) =
                    (self.shapes.get_mut(&owner), field)
                {
                    fields.push((last(name).trim_start_matches("__").to_owned(), at, of));
                }
            }
            // An enum: whatever has parts that depend on a value is not looked into.
            gimli::DW_TAG_variant_part => {
                if let Some(Shape::Struct { name, size, .. }) = self.shapes.get(&owner).cloned() {
                    self.shapes.insert(owner, Shape::Plain { name, size });
                }
            }
            gimli::DW_TAG_base_type
            | gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_enumeration_type
            | gimli::DW_TAG_union_type => {
                let size = size.unwrap_or(if entry.tag() == gimli::DW_TAG_pointer_type { 8 } else { 0 });
                self.shapes.insert(id, Shape::Plain { name: name.to_owned(), size });
            }
            gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine => {
                let mut ranges = Vec::new();
                let mut found = dwarf.die_ranges(unit, entry)?;
                while let Some(range) = found.next()? {
                    ranges.push((range.begin, range.end));
                }
                let origin = reference(entry, gimli::DW_AT_abstract_origin)
                    .or_else(|| reference(entry, gimli::DW_AT_specification));
                let (depth, name) = (entry.depth(), name.to_owned());
                self.functions.insert(id, Function { ranges, depth, origin, name, parameter: None });
            }
            gimli::DW_TAG_template_type_parameter if last(name) == "T" => {
                if let Some(function) = self.functions.get_mut(&owner) {
                    function.parameter = reference(entry, gimli::DW_AT_type);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note_length(&mut self, owner: Id, count: Option<u64>) {
        let Some(Shape::Array { element, .. }) = self.shapes.get(&owner).cloned() else { return };
        // The element's type may come later: its size is asked for when it is needed.
        self.shapes.insert(owner, Shape::Array { element, size: count });
    }

    /// Functions that were being run at this address, innermost first.
    fn functions_at(&self, address: u64) -> Vec<&Function> {
        let holds = |function: &&Function| {
            function.ranges.iter().any(|&(begin, end)| begin <= address && address < end)
        };
        let mut found: Vec<_> = self.functions.values().filter(holds).collect();
        found.sort_by_key(|function| -function.depth);
        found
    }

    /// The function's own entry and those that it refers to.
    fn chain<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = &'a Function> {
        let next = |of: &&'a Function| of.origin.and_then(|origin| self.functions.get(&origin));
        std::iter::successors(Some(function), next).take(4)
    }

    /// What a function of the standard library is generic over.
    fn parameter(&self, function: &Function) -> Option<Id> {
        let is_library = self.chain(function).any(|function| is_of_library(&function.name));
        self.chain(function).find_map(|function| function.parameter).filter(|_| is_library)
    }

    /// Whether the function belongs to something that holds many values one after the other.
    fn is_sequence(&self, function: &Function) -> bool {
        let sequence =
            |name: &str| name.contains("raw_vec::") || name.contains("vec::") || name.contains("slice::");
        self.chain(function).any(|function| sequence(&function.name))
    }

    fn in_block(&self, of: Id, is_sequence: bool, whole: u64, offset: u64, size: u64) -> Option<Typed> {
        let each = self.size(of).filter(|&each| each > 0 && each <= whole)?;
        if is_sequence {
            let typed = self.typed(of, offset % each, size)?;
            return Some(Typed { path: format!("[…]{}", typed.path), ..typed });
        }
        // What the allocator hands out may be a little more than what was asked for.
        (whole - each < 16 && offset < each).then(|| self.typed(of, offset, size)).flatten()
    }

    fn size(&self, id: Id) -> Option<u64> {
        self.size_within(id, DEEPEST)
    }

    fn size_within(&self, id: Id, depth: usize) -> Option<u64> {
        match self.shapes.get(&id)? {
            Shape::Struct { size, .. } | Shape::Plain { size, .. } => Some(*size),
            Shape::Array { element, size } => {
                Some(self.size_within(*element, depth.checked_sub(1)?)?.saturating_mul((*size)?))
            }
        }
    }

    fn name(&self, id: Id) -> String {
        match self.shapes.get(&id) {
            Some(Shape::Struct { name, .. } | Shape::Plain { name, .. }) => name.clone(),
            _ => String::new(),
        }
    }

    /// The way from a value of this type to the bytes at this offset.
    fn typed(&self, of: Id, mut offset: u64, size: u64) -> Option<Typed> {
        let mut whole = self.name(of);
        let (mut at, mut path) = (of, String::new());
        for _ in 0..DEEPEST {
            match self.shapes.get(&at)? {
                Shape::Struct { name, fields, .. } => {
                    let inside = |&&(_, start, of): &&(String, u64, Id)| {
                        let len = self.size(of).unwrap_or(0);
                        start <= offset && offset + size <= start.saturating_add(len)
                    };
                    let Some((field, start, of)) = fields.iter().find(inside) else { break };
                    match wrapper(name) {
                        Wrapper::Not if is_of_library(name) => break,
                        Wrapper::Not => path = format!("{path}.{field}"),
                        // Counts of owners are std's, and what it holds is what people know.
                        Wrapper::Counted if field != "data" && field != "value" => break,
                        Wrapper::Counted if path.is_empty() => whole = self.name(*of),
                        Wrapper::Counted | Wrapper::Plain => {}
                    }
                    (at, offset) = (*of, offset - start);
                }
                Shape::Array { element, .. } => {
                    let each = self.size(*element).filter(|&each| each > 0)?;
                    if offset % each + size > each {
                        break;
                    }
                    path.push_str("[…]");
                    (at, offset) = (*element, offset % each);
                }
                Shape::Plain { .. } => break,
            }
        }
        Some(Typed { whole, path })
    }
}

enum Wrapper {
    Not,
    /// It is what it holds.
    Plain,
    /// It is what it holds, behind counts of its owners.
    Counted,
}

fn wrapper(name: &str) -> Wrapper {
    let of = name.split('<').next().unwrap_or(name);
    match of {
        "alloc::sync::ArcInner" | "alloc::rc::RcInner" => Wrapper::Counted,
        "core::cell::UnsafeCell"
        | "core::cell::SyncUnsafeCell"
        | "core::cell::Cell"
        | "core::mem::manually_drop::ManuallyDrop"
        | "core::mem::maybe_dangling::MaybeDangling"
        | "core::mem::maybe_uninit::MaybeUninit" => Wrapper::Plain,
        _ => Wrapper::Not,
    }
}

fn is_of_library(name: &str) -> bool {
    ["core::", "alloc::", "std::", "snag_runtime::"].iter().any(|crate_| name.starts_with(crate_))
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

fn path(around: &[(isize, Id, String)], name: &str) -> String {
    let namespaces = around.iter().map(|(.., name)| &**name).filter(|name| !name.is_empty());
    namespaces.chain([name]).collect::<Vec<_>>().join("::")
}

fn text(
    dwarf: &Dwarf<Slice<'_>>,
    unit: &Unit<Slice<'_>>,
    entry: &Entry<'_>,
    of: gimli::DwAt,
) -> Option<String> {
    let text = dwarf.attr_string(unit, entry.attr_value(of)?).ok()?;
    Some(String::from_utf8_lossy(text.slice()).into_owned())
}

fn number(entry: &Entry<'_>, of: gimli::DwAt) -> Option<u64> {
    entry.attr_value(of)?.udata_value()
}

fn reference(entry: &Entry<'_>, of: gimli::DwAt) -> Option<Id> {
    match entry.attr_value(of)? {
        AttributeValue::UnitRef(offset) => Some(offset.0),
        _ => None,
    }
}

/// The address of a variable that has one place for ever.
fn address(unit: &Unit<Slice<'_>>, entry: &Entry<'_>) -> Option<u64> {
    let expression = entry.attr_value(gimli::DW_AT_location)?.exprloc_value()?;
    let mut operations = expression.operations(unit.encoding());
    match operations.next().ok()?? {
        Operation::Address { address } => operations.next().ok()?.is_none().then_some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Slot {
        flag: bool,
        message: std::cell::UnsafeCell<u64>,
        parts: [(u32, u16); 3],
    }

    // SAFETY: nobody accesses it.
    unsafe impl Sync for Slot {}

    const fn slot() -> Slot {
        Slot { flag: false, message: std::cell::UnsafeCell::new(1), parts: [(1, 2), (3, 4), (5, 6)] }
    }

    static SLOT_OF_TYPES: Slot = slot();

    fn types() -> (Types, u64) {
        let executable = std::env::current_exe().expect("there is one");
        let maps = std::fs::read_to_string("/proc/self/maps").expect("this is Linux");
        let first = maps.lines().find(|line| line.ends_with(&*executable.to_string_lossy())).expect("mapped");
        let base = u64::from_str_radix(first.split('-').next().expect("a range"), 16).expect("an address");
        (Types::of(&executable.to_string_lossy()), base)
    }

    #[test]
    fn fields_of_a_static_are_named_as_far_as_the_access_lies_in_them() {
        let (types, base) = types();
        let slot = &SLOT_OF_TYPES;
        let start = std::ptr::from_ref(slot) as u64;
        let at = |address: u64, size| types.of_static(start - base, address - start, size);
        let way = |address: u64, size| at(address, size).map(|typed| typed.path);
        assert_eq!(way(slot.message.get() as u64, 8).as_deref(), Some(".message"));
        assert_eq!(way(std::ptr::from_ref(&slot.parts[1].1) as u64, 2).as_deref(), Some(".parts[…].1"));
        assert_eq!(way(start, size_of::<Slot>() as u64).as_deref(), Some(""));
        assert_eq!(at(start, 1).expect("known").whole.rsplit("::").next(), Some("Slot"));
        assert_eq!(types.of_static(3, 0, 1), None);
        assert_eq!(Types::of("/nowhere").of_static(3, 0, 1), None);
    }

    #[test]
    fn a_type_that_wraps_its_value_is_looked_through() {
        let shape = |name: &str, fields: &[(&str, u64, Id)], size| Shape::Struct {
            name: name.to_owned(),
            size,
            fields: fields.iter().map(|(name, at, of)| ((*name).to_owned(), *at, *of)).collect(),
        };
        let number = |size| Shape::Plain { name: format!("u{}", size * 8), size };
        let shapes = [
            (
                1,
                shape(
                    "alloc::sync::ArcInner<bank::Account>",
                    &[("strong", 0, 4), ("weak", 8, 4), ("data", 16, 2)],
                    32,
                ),
            ),
            (2, shape("bank::Account", &[("id", 0, 4), ("sum", 8, 3)], 16)),
            (3, shape("core::cell::UnsafeCell<u64>", &[("value", 0, 4)], 8)),
            (4, number(8)),
            (5, shape("alloc::string::String", &[("vec", 0, 4)], 24)),
        ];
        let types = UnitTypes { shapes: shapes.into_iter().collect(), ..UnitTypes::default() };
        let typed = |whole: &str, path: &str| Some(Typed { whole: whole.to_owned(), path: path.to_owned() });
        assert_eq!(types.in_block(1, false, 32, 24, 8), typed("bank::Account", ".sum"));
        assert_eq!(types.in_block(1, false, 40, 24, 4), typed("bank::Account", ".sum"));
        assert_eq!(types.in_block(1, false, 32, 0, 8), typed("alloc::sync::ArcInner<bank::Account>", ""));
        assert_eq!(types.in_block(2, true, 64, 40, 8), typed("bank::Account", "[…].sum"));
        assert_eq!(types.in_block(5, false, 24, 0, 8), typed("alloc::string::String", ""));
        assert_eq!(types.in_block(1, false, 64, 24, 8), None, "another size");
        assert_eq!(types.in_block(1, false, 16, 8, 8), None);
        assert_eq!(types.in_block(9, false, 16, 8, 8), None);
    }

    #[test]
    fn what_this_executable_allocates_has_the_type_that_its_constructor_is_generic_over() {
        let (types, _) = types();
        let shared = Arc::new(slot());
        assert!(!shared.flag);
        let dwarf = types.dwarf().expect("tests have debug information");
        let mut headers = dwarf.units();
        let mut found = None;
        while let Ok(Some(header)) = headers.next() {
            let unit = dwarf.unit(header).expect("well formed");
            if is_library(&unit) || found.is_some() {
                continue;
            }
            let units = types.unit_types(&dwarf, &unit);
            let is_it = |function: &&Function| {
                let of = units.parameter(function).map(|of| units.name(of)).unwrap_or_default();
                of.ends_with("names::types::tests::Slot>") && of.starts_with("alloc::sync::ArcInner<")
            };
            let at =
                units.functions.values().filter(is_it).find_map(|function| function.ranges.first().copied());
            found = found.or(at);
        }
        let (begin, _) = found.expect("`Arc::new` puts it into a box");
        let typed = types.of_block(&[begin + 1], size_of::<Slot>() as u64 + 16, 16, 1).expect("known");
        assert!(typed.whole.ends_with("Slot") && typed.path.starts_with('.'), "{typed:?}");
    }
}
