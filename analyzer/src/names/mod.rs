//! Names of objects, threads and places, from the sources, symbols and debug information of what ran.
//!
//! An object is called by, in this order: the variable, field or static into which it was born; the
//! static at its address; what the places that used it call it; its kind and first place.
//! Invariants: nothing is judged here, and nothing is read before a finding needs a name.
//!
//! Known miss: an object that the standard library makes (`unwrap_or_default`) has no birthplace that is
//! known, and the variable that it is used through names it instead.

mod bindings;
mod births;
mod flow;
mod macros;
mod memory;
mod packages;
mod symbols;
mod types;
mod uses;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use proc_macro2::LineColumn;
use snag_trace::decode::ObjectInfo;
use snag_trace::{Kind, ObjectKind};

use crate::finding::{Frame, ObjectRef, Place, ThreadRef};
use crate::model::execution::{Execution, Object, Process};
use crate::model::flow::Flow;
use crate::model::memory::{Access, Block};
use crate::model::names::{MemoryName, Names, PlainNames, kind_word};
use crate::sources::Sources;

use births::Births;
use symbols::Symbols;
use types::Types;
use uses::{Rank, Use};

/// More places than this are not looked at for one object's name.
const MOST_USES: usize = 16;

/// Names from sources, executables and the trace.
pub struct SourceNames<'a> {
    execution: &'a Execution,
    sources: &'a Sources,
    births: OnceCell<RefCell<Births>>,
    /// Processes and numbers of the sites at which each object of the run was used, by its index there.
    uses: OnceCell<Vec<Vec<(u32, u32)>>>,
    files: RefCell<BTreeMap<String, Option<Rc<syn::File>>>>,
    symbols: RefCell<BTreeMap<String, Rc<Symbols>>>,
    types: RefCell<BTreeMap<String, Rc<Types>>>,
    named: RefCell<BTreeMap<(u32, u32), ObjectRef>>,
}

/// The place of the code at this address of the executable, if its debug information tells.
#[must_use]
pub fn place_of_code(executable: &str, address: u64, sources: &Sources) -> Option<Place> {
    let site = Symbols::of(executable).call_before(address + 1)?;
    Some(Place { file: sources.shorten(&site.file), line: site.line, column: site.column })
}

impl<'a> SourceNames<'a> {
    /// Names for an execution of the program whose sources these are.
    #[must_use]
    pub fn new(execution: &'a Execution, sources: &'a Sources) -> SourceNames<'a> {
        SourceNames {
            execution,
            sources,
            births: OnceCell::new(),
            uses: OnceCell::new(),
            files: RefCell::default(),
            symbols: RefCell::default(),
            types: RefCell::default(),
            named: RefCell::default(),
        }
    }

    fn process(&self, process: u32) -> Option<&'a Process> {
        self.execution.processes.get(process as usize)
    }

    /// Where an object was made, if that is known.
    fn birth(&self, info: &ObjectInfo) -> Option<Place> {
        let births = self.births.get_or_init(|| {
            let traces = || self.execution.processes.iter().map(|process| &process.definitions);
            let objects = traces().flat_map(|trace| trace.objects.values());
            let hashes = objects.map(|object| object.birth).filter(|&birth| birth != 0).collect();
            let files =
                traces().flat_map(|trace| trace.sites.values()).map(|site| site.file.clone()).collect();
            RefCell::new(Births::new(hashes, files))
        });
        births.borrow_mut().place(info.birth, info.kind, self.sources)
    }

    fn file(&self, short: &str) -> Option<Rc<syn::File>> {
        if let Some(known) = self.files.borrow().get(short) {
            return known.clone();
        }
        let source = self.sources.get(short);
        let file = source.and_then(|source| syn::parse_file(&source.text).ok()).map(Rc::new);
        self.files.borrow_mut().insert(short.to_owned(), file.clone());
        file
    }

    /// All sources that can call what is in this one, if all of them parse.
    fn possible_callers(&self, short: &str) -> Option<Vec<Rc<syn::File>>> {
        let root = self.sources.root();
        let paths = packages::possible_callers(root, &root.join(short))?;
        paths.iter().map(|path| self.file(&self.sources.shorten(&path.to_string_lossy()))).collect()
    }

    fn symbols(&self, executable: &str) -> Rc<Symbols> {
        let mut known = self.symbols.borrow_mut();
        let read = || Rc::new(Symbols::of(executable));
        Rc::clone(known.entry(executable.to_owned()).or_insert_with(read))
    }

    fn types(&self, executable: &str) -> Rc<Types> {
        let mut known = self.types.borrow_mut();
        Rc::clone(known.entry(executable.to_owned()).or_insert_with(|| Rc::new(Types::of(executable))))
    }

    /// The static that holds the object, and how far into it the object is, in bytes.
    fn static_at(&self, process: &Process, info: &ObjectInfo) -> Option<(String, u64)> {
        let trace = &process.definitions;
        let in_file = info.address.checked_sub(trace.load_base)?;
        let symbols = self.symbols(&trace.executable);
        symbols.static_at(in_file).map(|(name, offset)| (name.to_owned(), offset))
    }

    /// Where the object was used, in the order of the sources: that of the run differs from run to run.
    fn places_of_use(&self, process: u32, object: u32) -> Vec<Place> {
        let uses = self.uses.get_or_init(|| sites_of_use(self.execution));
        let is_it = |it: &Object| (it.process, it.number) == (process, object);
        let sites = self.execution.objects.iter().position(is_it).and_then(|at| uses.get(at));
        let mut places: Vec<_> =
            sites.into_iter().flatten().filter_map(|&(process, site)| self.place(process, site)).collect();
        places.sort();
        places
    }

    /// The best name that one of the places of use gives.
    fn used_as(&self, places: &[Place], kind: ObjectKind) -> Option<Use> {
        let uses = places.iter().filter_map(|place| uses::find(&*self.file(&place.file)?, position(place)));
        // What a stream is handed to says little of it.
        let is_stream = matches!(kind, ObjectKind::Pipe | ObjectKind::Socket | ObjectKind::EventDescriptor);
        let fitting = uses.filter(|found| suits(found, kind) && !(is_stream && found.rank == Rank::Call));
        fitting.min_by(|one, other| (one.rank, &one.name).cmp(&(other.rank, &other.name)))
    }

    fn name(&self, process: u32, object: u32) -> Option<ObjectRef> {
        let run = self.process(process)?;
        let info = run.definitions.objects.get(&object)?;
        let born = self.birth(info);
        let kind = kind_word(Some(info.kind)).to_owned();
        let bound =
            born.as_ref().and_then(|place| bindings::find(&*self.file(&place.file)?, position(place)));
        let name = bound.unwrap_or_else(|| {
            let mut places = self.places_of_use(process, object);
            let used = self.name_by_use(run, info, &places);
            let field = born.as_ref().and_then(|place| self.derived_field(place, info.kind, used.as_deref()));
            places.splice(..0, born.clone());
            let place = places.first().map(|place| format!("{kind} at {}:{}", place.file, place.line));
            field.or(used).or(place).unwrap_or_else(|| format!("{kind} {object}"))
        });
        Some(ObjectRef { kind, name, born })
    }

    /// The field of a struct whose derived `Default` made the object: the only one of its kind, or the one
    /// by whose name it is used.
    fn derived_field(&self, place: &Place, kind: ObjectKind, used: Option<&str>) -> Option<String> {
        let word = births::type_word(kind);
        let (of, fields) = bindings::derived(&*self.file(&place.file)?, position(place), word)?;
        let used = used.and_then(|name| name.rsplit('.').next());
        let only = if let [only] = &fields[..] { Some(only.as_str()) } else { None };
        let field = only.or_else(|| used.filter(|used| fields.iter().any(|field| field == used)));
        field.map(|field| format!("{of}.{field}"))
    }

    fn name_by_use(&self, run: &Process, info: &ObjectInfo, places: &[Place]) -> Option<String> {
        let used = self.used_as(places, info.kind);
        let vague = used.as_ref().is_none_or(|used| used.rank == Rank::Call);
        match self.static_at(run, info) {
            Some((name, offset)) if offset == 0 || vague => Some(name),
            _ => used.map(|used| used.name),
        }
    }
}

/// Where the compiler's position is in syn's counting: columns from 0.
fn position(place: &Place) -> LineColumn {
    LineColumn { line: place.line as usize, column: (place.column as usize).saturating_sub(1) }
}

/// Whether a use can be one of an object of this kind: `ready.wait(guard)` takes the guard's mutex
/// again, but it names the condvar.
fn suits(found: &Use, kind: ObjectKind) -> bool {
    use ObjectKind::{Condvar, LockApiMutex, Mutex, ParkingLotCondvar};
    let waits = found.method.starts_with("wait") || found.method.starts_with("notify");
    match kind {
        Condvar | ParkingLotCondvar => waits,
        Mutex | LockApiMutex => !waits,
        _ => true,
    }
}

/// For each object of the run the first few sites, by process and number there, that used it.
fn sites_of_use(execution: &Execution) -> Vec<Vec<(u32, u32)>> {
    let mut uses: Vec<Vec<(u32, u32)>> = vec![Vec::new(); execution.objects.len()];
    for event in &execution.events {
        let names_it = !matches!(
            event.kind,
            Kind::Release
                | Kind::Read
                | Kind::Write
                | Kind::ObjectEnd
                | Kind::StreamClose
                | Kind::StreamWritten
                | Kind::Learn
        );
        if !names_it || event.object.is_none() || event.site.is_none() {
            continue;
        }
        let (Some(sites), Some(site)) =
            (uses.get_mut(event.object.at()), execution.sites.get(event.site.at()))
        else {
            continue;
        };
        let site = (site.process, site.number);
        if sites.len() < MOST_USES && !sites.contains(&site) {
            sites.push(site);
        }
    }
    uses
}

impl Names for SourceNames<'_> {
    fn object(&self, process: u32, object: u32) -> ObjectRef {
        if let Some(known) = self.named.borrow().get(&(process, object)) {
            return known.clone();
        }
        let named =
            self.name(process, object).unwrap_or_else(|| PlainNames(self.execution).object(process, object));
        self.named.borrow_mut().insert((process, object), named.clone());
        named
    }

    fn place(&self, process: u32, site: u32) -> Option<Place> {
        let trace = &self.process(process)?.definitions;
        let called = match trace.code_sites.get(&site).map(Vec::as_slice) {
            None => None,
            Some(&[address]) => {
                let in_file = address.checked_sub(trace.load_base);
                Some(in_file.and_then(|address| self.symbols(&trace.executable).call_before(address)))
            }
            // Whoever calls what the standard library or a dependency does for everybody is meant.
            Some(stack) => {
                let places = self.frames_of(process, stack).into_iter().filter_map(|frame| frame.place);
                let mut places: Vec<Place> = places.collect();
                let own = places.iter().position(Place::is_own).unwrap_or(0);
                return (!places.is_empty()).then(|| places.swap_remove(own));
            }
        };
        let site = match called {
            Some(called) => called?,
            None => trace.sites.get(&site)?.clone(),
        };
        Some(Place { file: self.sources.shorten(&site.file), line: site.line, column: site.column })
    }

    fn thread(&self, process: u32, thread: u32) -> ThreadRef {
        PlainNames(self.execution).thread(process, thread)
    }

    fn frames(&self, process: u32, stack: &[u64]) -> Vec<Frame> {
        self.frames_of(process, stack)
    }

    fn flow(&self, from: &[Place], to: &[Place]) -> Flow {
        let parsed = |calls: &[Place]| -> Option<Vec<_>> {
            calls.iter().map(|call| Some((self.file(&call.file)?, position(call)))).collect()
        };
        let is_own = from.iter().chain(to).all(Place::is_own);
        let written_in = to.first().map_or_else(String::new, |place| place.file.clone());
        let (Some(from), Some(to)) = (parsed(from), parsed(to)) else { return Flow::Unknown };
        let [from, to] = [&from, &to].map(|calls| -> Vec<_> {
            calls.iter().map(|(file, at): &(Rc<syn::File>, LineColumn)| (&**file, *at)).collect()
        });
        match (flow::along(&from, &to), &from[..], &to[..]) {
            (Flow::Unknown, &[from], &[to]) if is_own => {
                let Some(files) = self.possible_callers(&written_in) else { return Flow::Unknown };
                let files: Vec<&syn::File> = files.iter().map(|file| &**file).collect();
                flow::by_callers(&files, from, to)
            }
            (flow, ..) => flow,
        }
    }

    fn memory(&self, process: u32, access: &Access, block: &Block) -> MemoryName {
        self.memory_name(process, access, block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::meta::RunMeta;
    use snag_trace::encode::birth_hash;
    use snag_trace::{Event, Flags, Mode, ProcessTrace, Site};

    const PROGRAM: &str = "\
fn main() {
    let accounts = Arc::new(Mutex::new(0));
    let bank = Arc::new(Bank::default());
    bank.left.lock().unwrap();
    let guard = bank.changed.wait(guard);
    something(accounts).lock();
}
#[derive(Default)]
struct Bank {
    left: Mutex<u32>,
    right: Mutex<u32>,
    changed: Condvar,
}
";

    /// Kind, birth hash, lines and columns of use.
    type Made<'a> = (ObjectKind, u32, &'a [(u32, u32)]);

    /// An execution in which each object was used at some lines and columns of [`PROGRAM`].
    fn execution(objects: &[Made<'_>]) -> Execution {
        let mut trace = ProcessTrace { executable: "/nowhere".to_owned(), ..ProcessTrace::default() };
        let mut seq = 0;
        for (number, (kind, birth, uses)) in (1..).zip(objects) {
            for &(line, column) in *uses {
                seq += 1;
                let site = Site { file: "src/main.rs".to_owned(), line, column };
                trace.sites.insert(u32::try_from(seq).expect("few"), site);
                trace.events.push(Event {
                    seq,
                    thread: 1,
                    kind: Kind::Acquire,
                    mode: Mode::Exclusive,
                    flags: Flags::NONE,
                    object: number,
                    site: u32::try_from(seq).expect("few"),
                    arg: 0,
                });
            }
            let site = u32::try_from(seq).expect("few");
            let info = ObjectInfo { kind: *kind, birth: *birth, address: 16, seq, site };
            trace.objects.insert(number, info);
        }
        Execution::load(vec![trace], &RunMeta::default())
    }

    fn names_of(objects: &[Made<'_>]) -> Vec<String> {
        let sources = Sources::new("/nowhere");
        sources.insert("src/main.rs", PROGRAM);
        let execution = execution(objects);
        let names = SourceNames::new(&execution, &sources);
        let ids: Vec<_> = (1..).zip(objects).map(|(number, _)| (0, number)).collect();
        names.objects(&ids).into_iter().map(|object| object.name).collect()
    }

    #[test]
    fn the_birthplace_names_an_object_before_its_uses_do() {
        let birth = birth_hash(b"src/main.rs", 2, 29);
        assert_eq!(names_of(&[(ObjectKind::Mutex, birth, &[(4, 15)])]), ["accounts"]);
    }

    #[test]
    fn without_a_birthplace_the_best_use_names_it_and_a_wait_is_none_of_a_mutex() {
        assert_eq!(names_of(&[(ObjectKind::Mutex, 0, &[(5, 30), (6, 25), (4, 15)])]), ["bank.left"]);
        assert_eq!(names_of(&[(ObjectKind::Condvar, 0, &[(5, 30)])]), ["bank.changed"]);
    }

    #[test]
    fn a_derived_default_names_the_type_and_the_use_its_field() {
        let derive = birth_hash(b"src/main.rs", 8, 10);
        assert_eq!(names_of(&[(ObjectKind::Mutex, derive, &[(4, 15)])]), ["Bank.left"]);
        assert_eq!(names_of(&[(ObjectKind::Condvar, derive, &[(7, 1)])]), ["Bank.changed"]);
        assert_eq!(names_of(&[(ObjectKind::Mutex, derive, &[(7, 1)])]), ["mutex at src/main.rs:8"]);
    }

    #[test]
    fn an_object_that_nothing_names_is_called_by_its_place() {
        assert_eq!(names_of(&[(ObjectKind::RwLock, 0, &[(7, 1)])]), ["rwlock at src/main.rs:7"]);
        assert_eq!(names_of(&[(ObjectKind::Mutex, 0, &[])]), ["mutex 1"]);
    }

    #[test]
    fn two_objects_of_one_name_are_numbered() {
        let birth = birth_hash(b"src/main.rs", 2, 29);
        let object: Made<'_> = (ObjectKind::Mutex, birth, &[(4, 15)]);
        assert_eq!(names_of(&[object, object]), ["accounts #1", "accounts #2"]);
    }
}
