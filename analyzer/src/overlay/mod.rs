//! Substituted sources of lock crates that are not built on std: `lock_api`, and of `parking_lot` what
//! goes past it. The wrapper asks [`substitute`] for every crate that gets the facade.
//!
//! The sources are the user's own version, rewritten by tokens and copied; the compiler reads the
//! copy, but names, lines and dependencies stay those of the original: `--remap-path-prefix` gives
//! file names back, edits keep lines, and each copied file includes its original, which so gets
//! into cargo's list of what to watch.
//!
//! Invariant: a source that is not understood is compiled as it is, with one warning.

mod edits;
mod lock_api;
mod parking_lot;

use std::collections::hash_map::DefaultHasher;
use std::ffi::{OsStr, OsString};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{fs, io, process};

/// What a crate is rewritten by.
type Rewrite = fn(&mut [SourceFile]) -> Result<(), Unknown>;

/// The crates that are rewritten.
const CRATES: [(&str, Rewrite); 2] = [("lock_api", lock_api::rewrite), ("parking_lot", parking_lot::rewrite)];

/// What the rewritten `parking_lot` calls: it is rewritten only on top of a rewritten `lock_api`.
const MARK: &[u8] = b"__snag_traced";

/// Why a crate was not rewritten: what is unusual about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown(&'static str);

/// One Rust file of a crate.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path below the folder of the crate's root file.
    path: PathBuf,
    text: String,
}

/// What to compile a crate with.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The given command line.
    AsIs,
    /// These arguments instead of the given ones.
    Instead(Vec<OsString>),
    /// The given command line, and this is what the user has to know.
    Warn(String),
}

/// Hash of everything that decides how a crate is rewritten: part of what makes artifacts differ.
#[must_use]
pub fn key() -> u64 {
    let mut hasher = DefaultHasher::new();
    for source in [
        include_str!("edits.rs"),
        include_str!("lock_api.rs"),
        include_str!("lock_api/bodies.rs"),
        include_str!("lock_api/condvar.rs"),
        include_str!("mod.rs"),
        include_str!("parking_lot.rs"),
        include_str!("tails/condvar_trait_timed.rs"),
        include_str!("tails/condvar_trait_untimed.rs"),
        include_str!("tails/lock_api.rs"),
        include_str!("tails/lock_api_values.rs"),
        include_str!("tails/notify_all.rs"),
        include_str!("tails/notify_one.rs"),
        include_str!("tails/once.rs"),
        include_str!("tails/once_wait.rs"),
        include_str!("tails/raw_condvar.rs"),
        include_str!("tails/raw_condvar_timed.rs"),
        include_str!("tails/raw_condvar_untimed.rs"),
        include_str!("tails/wait.rs"),
    ] {
        source.hash(&mut hasher);
    }
    hasher.finish()
}

/// Looks whether the crate that `arguments` of rustc compile is one to be rewritten, and rewrites it
/// into a folder below `cache`. `package` is cargo's `CARGO_PKG_NAME`.
#[must_use]
pub fn substitute(arguments: &[OsString], package: &str, cache: &Path) -> Outcome {
    let Some((name, rewrite)) = CRATES.iter().find(|(name, _)| *name == package) else {
        return Outcome::AsIs;
    };
    if value_of(arguments, "--crate-name").is_none_or(|given| given != *name) {
        return Outcome::AsIs;
    }
    if *name == "parking_lot" && !links_marked(arguments) {
        return Outcome::AsIs;
    }
    let Some(input) = input(arguments) else { return Outcome::AsIs };
    let root = Path::new(&arguments[input]);
    match copy(root, *rewrite, cache) {
        Ok(copied) => Outcome::Instead(redirect(arguments, input, root, &copied)),
        Err(Failure::Unknown(Unknown(what))) => Outcome::Warn(format!(
            "snag does not know this version of `{name}` ({what}): its locks will not be seen"
        )),
        Err(Failure::Io(error)) => Outcome::Warn(format!(
            "snag could not rewrite `{name}` below {}: {error}; its locks will not be seen",
            cache.display()
        )),
    }
}

/// The value of `--flag value` or `--flag=value`.
fn value_of<'a>(arguments: &'a [OsString], flag: &str) -> Option<&'a str> {
    let joined = |argument: &'a OsStr| argument.to_str()?.strip_prefix(flag)?.strip_prefix('=');
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == flag {
            return arguments.next()?.to_str();
        }
        if let Some(value) = joined(argument) {
            return Some(value);
        }
    }
    None
}

/// Which argument is the crate's root file.
fn input(arguments: &[OsString]) -> Option<usize> {
    arguments.iter().enumerate().position(|(index, argument)| {
        let is_file = Path::new(argument).extension().is_some_and(|extension| extension == "rs");
        let before = index.checked_sub(1).and_then(|before| arguments[before].to_str()).unwrap_or("");
        is_file
            && !argument.as_encoded_bytes().starts_with(b"-")
            && !matches!(before, "-o" | "--cfg" | "-C" | "-L")
    })
}

/// Whether the `lock_api` that is linked was rewritten: its metadata has the accessor's name.
fn links_marked(arguments: &[OsString]) -> bool {
    let path = arguments.iter().filter_map(|argument| argument.to_str()).find_map(|argument| {
        let (options_and_name, path) = argument.split_once('=')?;
        let name = options_and_name.rsplit(':').next()?;
        (name == "lock_api").then_some(path)
    });
    let Some(metadata) = path.and_then(|path| fs::read(path).ok()) else { return false };
    metadata.windows(MARK.len()).any(|window| window == MARK)
}

/// Why there is no rewritten copy.
enum Failure {
    Unknown(Unknown),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

impl From<Unknown> for Failure {
    fn from(unknown: Unknown) -> Failure {
        Failure::Unknown(unknown)
    }
}

/// Makes the rewritten copy, if it is not there yet; gives its root file.
fn copy(root: &Path, rewrite: Rewrite, cache: &Path) -> Result<PathBuf, Failure> {
    let root_file = root.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let sources = root.canonicalize()?.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut files = Vec::new();
    collect(&sources, &sources, &mut files)?;
    files.sort_by_key(|file| (file.path != Path::new(root_file), file.path.clone()));
    let mut hasher = DefaultHasher::new();
    (key(), &sources).hash(&mut hasher);
    for file in &files {
        (&file.path, &file.text).hash(&mut hasher);
    }
    let folder = cache.join(format!("{:016x}", hasher.finish()));
    let inside = sources.file_name().unwrap_or(OsStr::new("src")).to_owned();
    let copied = folder.join(&inside).join(root_file);
    if copied.exists() {
        return Ok(copied);
    }
    rewrite(&mut files)?;
    // Two compilers may be at it: the copy appears whole, by a rename.
    let made = cache.join(format!("{:016x}.{}", hasher.finish(), process::id()));
    write(&made, &inside, &sources, &files)?;
    if let Err(error) = fs::rename(&made, &folder) {
        fs::remove_dir_all(&made)?;
        if !copied.exists() {
            return Err(error.into());
        }
    }
    Ok(copied)
}

/// All Rust files below `folder`.
fn collect(base: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(base, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let path = path.strip_prefix(base).map_err(io::Error::other)?.to_path_buf();
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}

/// Links to everything in `from` that `skip` does not name.
fn link_others(from: &Path, to: &Path, skip: impl Fn(&Path) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !skip(&entry.path()) {
            std::os::unix::fs::symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Writes the copy. What lies beside the sources (a README that is included) is linked to.
fn write(made: &Path, inside: &OsStr, sources: &Path, files: &[SourceFile]) -> io::Result<()> {
    if let Some(package) = sources.parent() {
        link_others(package, made, |path| path.file_name() == Some(inside))?;
    }
    link_others(sources, &made.join(inside), |path| {
        path.is_dir() || path.extension().is_some_and(|extension| extension == "rs")
    })?;
    for file in files {
        let to = made.join(inside).join(&file.path);
        fs::create_dir_all(to.parent().unwrap_or(made))?;
        let original = sources.join(&file.path);
        let watched = format!("\nconst _: &[u8] = include_bytes!({:?});\n", original.display().to_string());
        fs::write(&to, format!("{}{watched}", file.text))?;
        // cargo compares this time with its own of the build: made now, the copy would count as
        // changed since.
        let modified = fs::metadata(&original)?.modified()?;
        fs::File::options().write(true).open(&to)?.set_modified(modified)?;
    }
    Ok(())
}

/// The command line with the copy in place of the original.
fn redirect(arguments: &[OsString], input: usize, root: &Path, copied: &Path) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    arguments[input] = copied.as_os_str().to_owned();
    let mut remap = OsString::from("--remap-path-prefix=");
    remap.push(copied.parent().unwrap_or(copied));
    remap.push("=");
    remap.push(root.parent().unwrap_or(root));
    arguments.push(remap);
    // What the edits put around calls is `unsafe` where some versions need it and others do not.
    arguments.push("-Aunused_unsafe".into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK_API: &str = "
pub unsafe trait RawMutex { const INIT: Self; fn lock(&self); fn try_lock(&self) -> bool; unsafe fn unlock(&self); }
pub struct Mutex<R, T: ?Sized> { raw: R, data: UnsafeCell<T> }
pub struct RwLock<R, T: ?Sized> { raw: R, data: UnsafeCell<T> }
impl<R: RawMutex, T> Mutex<R, T> {
    pub const fn new(val: T) -> Mutex<R, T> {
        Mutex { raw: R::INIT, data: UnsafeCell::new(val) }
    }
    pub unsafe fn raw(&self) -> &R {
        &self.raw
    }
}
pub struct MutexGuard<'a, R: RawMutex, T: ?Sized> { mutex: &'a Mutex<R, T> }
impl<'a, R: RawMutex, T> MutexGuard<'a, R, T> {
    pub fn unlocked<F, U>(s: &mut Self, f: F) -> U {
        unsafe { s.mutex.raw.unlock(); }
        defer!(s.mutex.raw.lock());
        f()
    }
}
impl<'a, R: RawMutex, T> DerefMut for MutexGuard<'a, R, T> {
    fn deref_mut(&mut self) -> &mut T { unsafe { &mut *self.mutex.data.get() } }
}
";

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn rewritten(text: &str) -> Result<String, Unknown> {
        let mut files = [SourceFile { path: "lib.rs".into(), text: text.to_owned() }];
        lock_api::rewrite(&mut files).map(|()| files[0].text.clone())
    }

    fn temporary(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("snag-overlay-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("lock_api/src")).unwrap();
        folder
    }

    #[test]
    fn a_raw_lock_becomes_a_traced_one_and_its_callers_are_tracked() {
        let text = rewritten(LOCK_API).unwrap();
        for part in [
            "{ raw: crate::__snag::Traced<R>, data",
            "#[track_caller] pub const fn new(",
            "raw: crate::__snag::Traced::new(R::INIT),",
            "fn raw(&self) -> &R { self.raw.expose() }",
            "defer!(s.mutex.raw.lock_at(__snag_place));",
            "-> &mut T { self.mutex.raw.write(); unsafe",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn raw_locks_that_give_values_get_the_traced_lock_for_them() {
        let with_values = LOCK_API.replace("const INIT: Self;", "const INIT: Self; type Guard;")
            + "
pub unsafe trait RawCondvar { type RawMutex; unsafe fn wait(&self, mutex: &Self::RawMutex); }
pub struct Condvar<C> { inner: C }
impl<C: RawCondvar> Condvar<C> {
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, C::RawMutex, T>) {
        unsafe { self.inner.wait(MutexGuard::mutex(guard).raw()) }
    }
}
";
        let text = rewritten(&with_values).unwrap();
        for part in [
            "pub unsafe fn $unlock(&self, guard: R::$release_guard)",
            "unsafe fn __snag_wait(",
            "self.inner.__snag_wait(&self.__snag_tag, ::core::panic::Location::caller(), ",
            "MutexGuard::mutex(guard).__snag_traced()",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn lines_stay_where_they_were() {
        let text = rewritten(LOCK_API).unwrap();
        let line = |text: &str, part| text.lines().position(|line| line.contains(part));
        for part in ["pub struct RwLock", "fn unlocked", "fn deref_mut"] {
            assert_eq!(line(&text, part), line(LOCK_API, part), "{part}");
        }
    }

    #[test]
    fn a_raw_operation_that_is_not_known_leaves_the_crate_alone() {
        let changed = LOCK_API.replace("fn try_lock(&self)", "fn lock_soon(&self)");
        assert!(rewritten(&changed).is_err());
        assert!(rewritten("pub struct Mutex;").is_err());
    }

    #[test]
    fn other_crates_keep_their_command_line() {
        let line = arguments("--crate-name demo --edition=2021 src/main.rs");
        assert_eq!(substitute(&line, "demo", Path::new("/nowhere")), Outcome::AsIs);
        assert_eq!(substitute(&line, "lock_api", Path::new("/nowhere")), Outcome::AsIs);
    }

    #[test]
    fn the_copy_takes_the_place_of_the_original_and_names_it() {
        let folder = temporary("copy");
        let root = folder.join("lock_api/src/lib.rs");
        fs::write(&root, LOCK_API).unwrap();
        let line =
            arguments(&format!("--crate-name lock_api --edition=2021 {} --emit=metadata", root.display()));
        let Outcome::Instead(changed) = substitute(&line, "lock_api", &folder.join("cache")) else {
            panic!("not rewritten");
        };
        let copied = fs::read_to_string(&changed[3]).unwrap();
        assert!(copied.contains("__snag_traced") && copied.contains(root.to_str().unwrap()));
        let remap = changed[changed.len() - 2].to_str().unwrap();
        assert!(remap.ends_with(&format!("={}", root.parent().unwrap().display())), "{remap}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_version_that_is_not_known_is_named_in_a_warning() {
        let folder = temporary("unknown");
        let root = folder.join("lock_api/src/lib.rs");
        fs::write(&root, "pub struct Mutex;").unwrap();
        let line = arguments(&format!("--crate-name=lock_api {}", root.display()));
        assert!(matches!(substitute(&line, "lock_api", &folder.join("cache")), Outcome::Warn(_)));
        fs::remove_dir_all(&folder).unwrap();
    }
}
