//! From a birth hash back to the place of the constructor call.
//!
//! An object carries 29 bits that hash the place where it was made
//! ([`snag_trace::encode::birth_hash`]). Here every place in the known sources where a call could
//! begin is hashed in the same way and compared. Invariant: two places that fit equally well give no
//! answer, because a wrong birthplace is worse than none.
//!
//! Files are looked at in three steps, each only if the ones before left hashes open: files in which
//! something was recorded, the workspace, the dependencies in which something was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use snag_trace::ObjectKind;
use snag_trace::encode::birth_hash;

use crate::finding::Place;
use crate::sources::{Source, Sources};

const STEPS: usize = 3;

/// Where objects were made.
#[derive(Debug, Default)]
pub(super) struct Births {
    /// All hashes that objects of the run have.
    wanted: BTreeSet<u32>,
    /// Paths of source locations in traces, as the compiler was given them.
    recorded: BTreeSet<String>,
    /// How many steps were made.
    steps: usize,
    seen: BTreeSet<String>,
    /// Candidates per hash: path as in reports, line, column, and the path that is called.
    found: BTreeMap<u32, Vec<(Place, String)>>,
}

impl Births {
    /// For objects with these hashes. Nothing is read yet.
    pub(super) fn new(wanted: BTreeSet<u32>, recorded: BTreeSet<String>) -> Births {
        Births { wanted, recorded, ..Births::default() }
    }

    /// Looks at more files.
    fn step(&mut self, sources: &Sources) {
        let files: BTreeSet<String> = match self.steps {
            0 => self.recorded.clone(),
            1 => rust_files(sources.root()).iter().map(|path| compiler_path(path, sources)).collect(),
            _ => self.recorded.iter().flat_map(|path| crate_files(path)).collect(),
        };
        self.steps += 1;
        for path in files {
            let short = sources.shorten(&path);
            if self.seen.insert(path.clone())
                && let Some(source) = sources.get(&short)
            {
                self.search_file(&path, &short, &source);
            }
        }
    }

    fn search_file(&mut self, path: &str, short: &str, source: &Source) {
        for (text, line) in source.text.lines().zip(1..) {
            for (column, call) in calls(text) {
                let hash = birth_hash(path.as_bytes(), line, column);
                if self.wanted.contains(&hash) {
                    let place = Place { file: short.to_owned(), line, column };
                    self.found.entry(hash).or_default().push((place, call));
                }
            }
        }
    }

    /// The place where an object of this kind with this hash was made, if exactly one fits best.
    pub(super) fn place(&mut self, hash: u32, kind: ObjectKind, sources: &Sources) -> Option<Place> {
        if !self.wanted.contains(&hash) {
            return None;
        }
        while self.steps < STEPS && !self.found.contains_key(&hash) {
            self.step(sources);
        }
        let fits = self.found.get(&hash)?.iter().map(|(place, call)| (fit(call, kind), place));
        let best = fits.clone().map(|(fit, _)| fit).max().filter(|&fit| fit > 0)?;
        let mut places = fits.filter(|(fit, _)| *fit == best).map(|(_, place)| place);
        let first = places.next()?;
        places.all(|other| other == first).then(|| first.clone())
    }
}

/// A word that the type of an object of this kind, or its constructor, has in its name.
pub(super) const fn type_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Mutex | ObjectKind::LockApiMutex => "Mutex",
        ObjectKind::RwLock | ObjectKind::LockApiRwLock => "RwLock",
        ObjectKind::Condvar | ObjectKind::ParkingLotCondvar => "Condvar",
        ObjectKind::Barrier => "Barrier",
        ObjectKind::ReentrantLock => "ReentrantLock",
        ObjectKind::Channel => "channel",
        _ => "",
    }
}

/// How well a call fits an object's kind; 0 not at all.
fn fit(call: &str, kind: ObjectKind) -> u32 {
    let types = type_word(kind);
    let others = ["Mutex", "RwLock", "Condvar", "Barrier", "ReentrantLock", "channel"];
    let has = |word: &str| call.contains(word);
    match (has(types), others.iter().any(|other| has(other))) {
        (true, _) if !types.is_empty() => 3,
        (_, true) => 0,
        _ if has("new") => 2,
        _ => 1,
    }
}

/// Where calls could begin in a line: column in characters from 1, and the path called.
fn calls(line: &str) -> Vec<(u32, String)> {
    let letters: Vec<char> = line.chars().collect();
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut calls = Vec::new();
    for at in 0..letters.len() {
        let starts_word =
            in_word(letters[at]) && !letters[at].is_numeric() && (at == 0 || !in_word(letters[at - 1]));
        if (starts_word || letters[at] == '<')
            && let Some(end) = path_end(&letters, at)
        {
            calls.push((u32::try_from(at + 1).unwrap_or(u32::MAX), letters[at..end].iter().collect()));
        }
    }
    calls
}

/// The end of a path (with generic arguments) that starts here, if `(` or `!` follows it; or of the
/// `Default` of a `derive`, which is where derived code says that it comes from.
fn path_end(letters: &[char], start: usize) -> Option<usize> {
    const DERIVED: [char; 7] = ['D', 'e', 'f', 'a', 'u', 'l', 't'];
    if let Some(rest) = letters[start..].strip_prefix(&DERIVED)
        && rest.first().is_none_or(|next| matches!(next, ',' | ')' | ' '))
    {
        return Some(start + DERIVED.len());
    }
    let mut depth = 0_u32;
    for (at, &c) in letters.iter().enumerate().skip(start) {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.checked_sub(1)?,
            '(' | '!' if depth == 0 => return (at > start).then_some(at),
            _ if depth > 0 || c.is_alphanumeric() || c == '_' || c == ':' => {}
            _ => return None,
        }
    }
    None
}

/// A path of the workspace as cargo gives it to the compiler: relative to the root.
fn compiler_path(path: &Path, sources: &Sources) -> String {
    path.strip_prefix(sources.root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// Every source file of the dependency that a recorded absolute path belongs to.
fn crate_files(path: &str) -> Vec<String> {
    let Some((root, _)) = path.rsplit_once("/src/").filter(|_| path.starts_with('/')) else {
        return Vec::new();
    };
    rust_files(&Path::new(root).join("src")).iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Every `.rs` file below a folder, without build output and hidden folders, sorted.
fn rust_files(root: &Path) -> Vec<PathBuf> {
    files_below(root, "rs")
}

/// All files with this extension in a folder and those in it, but for hidden ones and `target`; sorted.
pub(super) fn files_below(root: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_string_lossy().starts_with('.');
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !hidden && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_begin_where_a_path_begins_that_is_followed_by_a_bracket() {
        assert_eq!(calls("#[derive(Debug, Default)]").last(), Some(&(17, "Default".to_owned())));
        let found = calls("    let é = Arc::new(Mutex::<u8>::new(0)); vec![a.len()]");
        let expected =
            [(13, "Arc::new"), (18, "new"), (22, "Mutex::<u8>::new"), (35, "new"), (44, "vec"), (51, "len")];
        let found: Vec<_> = found.iter().map(|(column, call)| (*column, call.as_str())).collect();
        for call in expected.iter().filter(|call| call.1 != "new") {
            assert!(found.contains(call), "{call:?} in {found:?}");
        }
    }

    #[test]
    fn a_hash_finds_its_place_and_a_call_of_another_kind_does_not_count() {
        let sources = Sources::new("/nowhere");
        sources.insert(
            "src/main.rs",
            "fn main() {\n    let a = Mutex::new(0);\n    let b = RwLock::new(0);\n}\n",
        );
        let recorded = BTreeSet::from(["src/main.rs".to_owned()]);
        let mutex = birth_hash(b"src/main.rs", 2, 13);
        let mut births = Births::new(BTreeSet::from([mutex]), recorded);
        let place = Place { file: "src/main.rs".to_owned(), line: 2, column: 13 };
        assert_eq!(births.place(mutex, ObjectKind::Mutex, &sources), Some(place));
        assert_eq!(births.place(mutex, ObjectKind::RwLock, &sources), None);
        assert_eq!(births.place(mutex + 1, ObjectKind::Mutex, &sources), None);
    }

    #[test]
    fn two_places_of_one_hash_give_no_answer() {
        let place = |line| Place { file: "src/main.rs".to_owned(), line, column: 1 };
        let candidates = vec![(place(1), "Mutex::new".to_owned()), (place(2), "Mutex::new".to_owned())];
        let found = BTreeMap::from([(7, candidates)]);
        let mut births = Births { found, wanted: BTreeSet::from([7]), ..Births::default() };
        assert_eq!(births.place(7, ObjectKind::Mutex, &Sources::default()), None);
    }
}
