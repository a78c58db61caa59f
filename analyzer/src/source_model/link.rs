//! The files of a package put together: its modules, and what a path in one of them means.
//!
//! Names are resolved as the reference says, macros and preludes apart. Where the package has several items
//! of one name (under different `cfg`s), the first is taken for a type, and none for a function.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::facts::{FileFacts, Function, Pos, Static, Sym, TypeDef};
use super::load::Loaded;
use super::packages::{Package, RootKind};

/// A module: an index into [`Linked::modules`].
pub type ModuleId = usize;
/// A type, static or function: its file and its index there.
pub type ItemId = (usize, u32);

/// A module of the package.
#[derive(Debug)]
pub struct LinkedModule {
    /// Its file.
    pub file: usize,
    /// The module around it; itself for a crate's root.
    pub parent: ModuleId,
    /// The root of its crate.
    pub root: ModuleId,
    /// Whether it is a block of a function.
    pub block: bool,
    /// What kind of crate it is in.
    pub kind: RootKind,
    /// Whether it is compiled for tests only.
    pub test: bool,
    /// Files of modules declared in it are looked for here.
    folder: PathBuf,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Def {
    /// A module.
    Module(ModuleId),
    /// A type.
    Type(ItemId),
    /// A static.
    Static(ItemId),
    /// A function that is no method.
    Function(ItemId),
    /// Something outside of the package, by its whole path.
    External(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Module(ModuleId),
    Type(ItemId),
    Static(ItemId),
    Function(ItemId),
    Use(ItemId),
}

/// A package whose files belong together.
#[derive(Debug)]
pub struct Linked<'a> {
    /// Its files.
    pub files: &'a [Loaded],
    /// Its modules.
    pub modules: Vec<LinkedModule>,
    /// For each file, which modules its own are; empty if no crate has it.
    pub of_file: Vec<Vec<ModuleId>>,
    /// The library's root, and its name.
    library: Option<(ModuleId, String)>,
    names: HashMap<(ModuleId, &'a str), Vec<Entry>>,
    globs: HashMap<ModuleId, Vec<ItemId>>,
}

/// More re-exports than these in a row are not followed.
const LONGEST_CHAIN: u32 = 12;

impl<'a> Linked<'a> {
    /// Puts the files of a package together.
    #[must_use]
    pub fn new(package: &Package, files: &'a [Loaded]) -> Linked<'a> {
        let mut linked = Linked {
            files,
            modules: Vec::new(),
            of_file: vec![Vec::new(); files.len()],
            library: None,
            names: HashMap::new(),
            globs: HashMap::new(),
        };
        let by_path: HashMap<&Path, usize> =
            files.iter().enumerate().map(|(index, file)| (file.path.as_path(), index)).collect();
        for root in &package.roots {
            let Some(&file) = by_path.get(root.file.as_path()) else { continue };
            if !linked.of_file[file].is_empty() {
                continue;
            }
            let folder = root.file.parent().unwrap_or(Path::new("")).to_owned();
            let test = root.kind == RootKind::Test;
            let id = linked.modules.len();
            linked.mount(file, id, id, folder, (root.kind, test), &by_path);
            if root.kind == RootKind::Library {
                linked.library = Some((id, package.name.replace('-', "_")));
            }
        }
        linked.index();
        linked
    }

    /// Makes modules of those of a file, and of the files that they name.
    fn mount(
        &mut self,
        file: usize,
        parent: ModuleId,
        root: ModuleId,
        folder: PathBuf,
        (kind, test): (RootKind, bool),
        by_path: &HashMap<&Path, usize>,
    ) {
        let facts = &self.files[file].facts;
        let mut own: Vec<ModuleId> = Vec::new();
        let mut others = Vec::new();
        for (index, module) in facts.modules.iter().enumerate() {
            let name = facts.name(module.name);
            let (around, below) = if index == 0 {
                (parent, folder.clone())
            } else {
                let around = own[module.parent as usize];
                let below = self.modules[around].folder.join(name);
                (around, below)
            };
            if index > 0 && !module.inline {
                others.push((around, module));
                // A place for it, so that indices stay in step; the file's own root comes in its stead.
                own.push(around);
                continue;
            }
            let id = self.modules.len();
            let below = if module.block { self.modules[around].folder.clone() } else { below };
            let test = test || module.test || (index > 0 && self.modules[around].test);
            self.modules.push(LinkedModule {
                file,
                parent: around,
                root,
                block: module.block,
                kind,
                test,
                folder: below,
            });
            own.push(id);
            if index > 0 && !module.block {
                self.names.entry((around, name)).or_default().push(Entry::Module(id));
            }
        }
        self.of_file[file] = own;
        for (around, module) in others {
            let name = facts.name(module.name);
            let Some((other, below)) = self.file_of(file, around, module.path.as_deref(), name, by_path)
            else {
                continue;
            };
            if !self.of_file[other].is_empty() {
                continue;
            }
            let id = self.modules.len();
            let test = module.test || self.modules[around].test;
            self.mount(other, around, root, below, (kind, test), by_path);
            self.names.entry((around, name)).or_default().push(Entry::Module(id));
        }
    }

    /// The file of `mod name;`, and where its own modules' files are.
    fn file_of(
        &self,
        file: usize,
        around: ModuleId,
        path: Option<&str>,
        name: &str,
        by_path: &HashMap<&Path, usize>,
    ) -> Option<(usize, PathBuf)> {
        let folder = &self.modules[around].folder;
        if let Some(path) = path {
            let of_file = self.files[file].path.parent().unwrap_or(Path::new("")).join(path);
            let known = by_path.get(of_file.as_path()).or_else(|| by_path.get(folder.join(path).as_path()));
            return known.map(|&index| {
                let path = &self.files[index].path;
                (index, path.parent().unwrap_or(Path::new("")).to_owned())
            });
        }
        let (beside, within) = (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
        let known = by_path.get(beside.as_path()).or_else(|| by_path.get(within.as_path()));
        known.map(|&index| (index, folder.join(name)))
    }

    fn index(&mut self) {
        for (file, Loaded { facts, .. }) in self.files.iter().enumerate() {
            let own = self.of_file[file].clone();
            if own.is_empty() {
                continue;
            }
            let mut add = |module: u32, name: &'a str, entry| {
                self.names.entry((own[module as usize], name)).or_default().push(entry);
            };
            for (index, item) in numbered(&facts.types) {
                add(item.module, facts.name(item.name), Entry::Type((file, index)));
            }
            for (index, item) in numbered(&facts.statics) {
                add(item.module, facts.name(item.name), Entry::Static((file, index)));
            }
            for (index, item) in numbered(&facts.functions) {
                if item.self_type.is_none() {
                    add(item.module, facts.name(item.name), Entry::Function((file, index)));
                }
            }
            for (index, item) in numbered(&facts.uses) {
                match item.alias {
                    Some(alias) => add(item.module, facts.name(alias), Entry::Use((file, index))),
                    None => self.globs.entry(own[item.module as usize]).or_default().push((file, index)),
                }
            }
        }
    }

    /// The facts of a file.
    #[must_use]
    pub fn facts(&self, file: usize) -> &'a FileFacts {
        &self.files[file].facts
    }

    /// A type.
    #[must_use]
    pub fn type_def(&self, id: ItemId) -> &'a TypeDef {
        &self.facts(id.0).types[id.1 as usize]
    }

    /// A static.
    #[must_use]
    pub fn static_def(&self, id: ItemId) -> &'a Static {
        &self.facts(id.0).statics[id.1 as usize]
    }

    /// A function.
    #[must_use]
    pub fn function(&self, id: ItemId) -> &'a Function {
        &self.facts(id.0).functions[id.1 as usize]
    }

    /// All functions of files that belong to a crate.
    pub fn functions(&self) -> impl Iterator<Item = ItemId> + '_ {
        let files = self.files.iter().enumerate().filter(|(file, _)| !self.of_file[*file].is_empty());
        files
            .flat_map(|(file, loaded)| numbered(&loaded.facts.functions).map(move |(index, _)| (file, index)))
    }

    /// The module of the package that is this one of the file's.
    #[must_use]
    pub fn module(&self, file: usize, module: u32) -> ModuleId {
        self.of_file[file][module as usize]
    }

    /// What a path of a file means in a module of that file.
    #[must_use]
    pub fn resolve(&self, file: usize, module: u32, path: &[Sym]) -> Option<Def> {
        let facts = self.facts(file);
        let words: Vec<&str> = path.iter().map(|&word| facts.name(word)).collect();
        self.resolve_words(*self.of_file[file].get(module as usize)?, &words, 0)
    }

    fn resolve_words(&self, module: ModuleId, words: &[&str], depth: u32) -> Option<Def> {
        let (first, mut rest) = words.split_first()?;
        if depth > LONGEST_CHAIN {
            return None;
        }
        let mut current = match *first {
            "crate" | "$crate" => Def::Module(self.modules[module].root),
            "self" => Def::Module(self.solid(module)),
            "super" => {
                let mut above = self.modules[self.solid(module)].parent;
                while let Some((&"super", after)) = rest.split_first() {
                    (above, rest) = (self.modules[above].parent, after);
                }
                Def::Module(self.solid(above))
            }
            name => self.in_scope(module, name, depth)?,
        };
        for name in rest {
            current = match current {
                Def::Module(within) => self.item(within, name, depth)?,
                Def::External(mut path) => {
                    path.push((*name).to_owned());
                    Def::External(path)
                }
                // A variant or associated item.
                _ => return None,
            };
        }
        Some(current)
    }

    /// The module that a block is in.
    fn solid(&self, mut module: ModuleId) -> ModuleId {
        while self.modules[module].block {
            module = self.modules[module].parent;
        }
        module
    }

    /// A name on its own: of this block, of those around it, of this module, or of another crate.
    fn in_scope(&self, module: ModuleId, name: &str, depth: u32) -> Option<Def> {
        let mut within = module;
        loop {
            if let Some(found) = self.item(within, name, depth) {
                return Some(found);
            }
            if !self.modules[within].block {
                break;
            }
            within = self.modules[within].parent;
        }
        match &self.library {
            Some((root, library)) if library == name => Some(Def::Module(*root)),
            _ => Some(Def::External(vec![name.to_owned()])),
        }
    }

    fn item(&self, module: ModuleId, name: &str, depth: u32) -> Option<Def> {
        let entries = self.names.get(&(module, name)).map_or(&[][..], Vec::as_slice);
        let functions = entries.iter().filter(|entry| matches!(entry, Entry::Function(_))).count();
        for entry in entries {
            let found = match *entry {
                Entry::Module(id) => Some(Def::Module(id)),
                Entry::Type(id) => Some(Def::Type(id)),
                Entry::Static(id) => Some(Def::Static(id)),
                Entry::Function(id) => (functions == 1).then_some(Def::Function(id)),
                Entry::Use(id) => self.used(id, name, depth),
            };
            if found.is_some() {
                return found;
            }
        }
        if depth > 4 {
            return None;
        }
        let globs = self.globs.get(&module).map_or(&[][..], Vec::as_slice);
        globs.iter().find_map(|&(file, index)| {
            let used = &self.facts(file).uses[index as usize];
            let words: Vec<&str> = used.path.iter().map(|&word| self.facts(file).name(word)).collect();
            match self.resolve_words(self.of_file[file][used.module as usize], &words, depth + 2)? {
                Def::Module(from) if from != module => self.item(from, name, depth + 2),
                Def::External(mut path) if is_prelude_like(&path, name) => {
                    path.push(name.to_owned());
                    Some(Def::External(path))
                }
                _ => None,
            }
        })
    }

    fn used(&self, (file, index): ItemId, name: &str, depth: u32) -> Option<Def> {
        let used = &self.facts(file).uses[index as usize];
        let words: Vec<&str> = used.path.iter().map(|&word| self.facts(file).name(word)).collect();
        let module = self.of_file[file][used.module as usize];
        // `use name;` and `use name::…` mean the crate, not itself.
        if words.first() == Some(&name) {
            let known = match &self.library {
                Some((root, library)) if library == name => Def::Module(*root),
                _ => {
                    let siblings = self.names.get(&(module, name)).into_iter().flatten();
                    let sibling = siblings.filter_map(|entry| match entry {
                        Entry::Module(id) => Some(Def::Module(*id)),
                        _ => None,
                    });
                    let mut sibling = sibling;
                    sibling.next().unwrap_or_else(|| Def::External(vec![name.to_owned()]))
                }
            };
            return match known {
                Def::Module(id) if words.len() > 1 => {
                    words[1..].iter().try_fold(Def::Module(id), |def, word| match def {
                        Def::Module(within) => self.item(within, word, depth + 1),
                        _ => None,
                    })
                }
                Def::External(_) => Some(Def::External(words.iter().map(|&word| word.to_owned()).collect())),
                other => Some(other),
            };
        }
        self.resolve_words(module, &words, depth + 1)
    }

    /// Whether a function, or what is in it, is for tests.
    #[must_use]
    pub fn is_test(&self, (file, index): ItemId) -> bool {
        let function = &self.facts(file).functions[index as usize];
        function.test || self.modules[self.of_file[file][function.module as usize]].test
    }

    /// Where something is, as the file and the position in it.
    #[must_use]
    pub fn path(&self, file: usize) -> &'a Path {
        &self.files[file].path
    }
}

/// `use std::sync::*;` may bring names that matter.
fn is_prelude_like(path: &[String], name: &str) -> bool {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match &words[..] {
        ["std", "sync"] => matches!(
            name,
            "Mutex"
                | "RwLock"
                | "Condvar"
                | "Once"
                | "OnceLock"
                | "LazyLock"
                | "Barrier"
                | "Arc"
                | "mpsc"
                | "atomic"
        ),
        ["std" | "core", "sync", "atomic"] | ["std", "sync", "atomic", ..] => name.starts_with("Atomic"),
        ["parking_lot"] => {
            matches!(name, "Mutex" | "RwLock" | "Condvar" | "Once" | "ReentrantMutex" | "FairMutex")
        }
        ["std", "thread"] => matches!(name, "spawn" | "sleep" | "JoinHandle" | "park" | "scope"),
        _ => false,
    }
}

fn numbered<T>(items: &[T]) -> impl Iterator<Item = (u32, &T)> {
    (0..).zip(items)
}

/// A place in the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The file.
    pub file: usize,
    /// Where in it.
    pub at: Pos,
}
