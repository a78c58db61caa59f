//! An instrumented std, without its sources and without a nightly: the rlibs of a toolchain carry, in a
//! section `.llvmbc` of each object, the bitcode that the object was made from. The toolchain's own
//! `rust-lld` makes another object of it, with the pass run over it.
//!
//! Invariants:
//! * `lib.rmeta` and all names stay what they are: for rustc it is the same crate.
//! * Nothing is downloaded, and no unstable flag is used.
//! * `compiler_builtins` stays as it is: the runtime calls it (`memcpy`), so that it must not call
//!   back. `profiler_builtins` is C, and `proc_macro` runs within rustc only.
//! * An object without bitcode stays as it is, except in the crates of [`REQUIRED`].
//!
//! The new objects have no bitcode, so there is no LTO over them.

use std::fmt::{self, Display};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{fs, thread};

use ar_archive_writer::{ArchiveKind, DEFAULT_OBJECT_READER, NewArchiveMember, write_archive_to_stream};
use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSection as _};

use crate::build::instrumentation::{LLVM_OPTIONS, PASSES};
use crate::build::sysroot;
use crate::build::toolchain::{SUPPORTED_TARGET, Toolchain};

/// Crates that stay as they are.
const EXCLUDED: [&str; 3] = ["compiler_builtins", "profiler_builtins", "proc_macro"];
/// Crates without which reports would be wrong: accesses and atomics of std would be missing.
const REQUIRED: [&str; 3] = ["core", "alloc", "std"];

/// Why there is no instrumented std.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The toolchain has no linker of its own.
    NoLinker(PathBuf),
    /// An rlib that is needed has no bitcode.
    NoBitcode(String),
    /// The linker does not make an object of the bitcode.
    Linker {
        /// Of which crate.
        name: String,
        /// What it said, first line.
        said: String,
    },
    /// The pass calls a function that the runtime does not have.
    UnknownFunction(String),
    /// A lasting one that was found out before, in words.
    Known(String),
    /// A file could not be read or written.
    Io(String),
}

impl Reason {
    /// Whether it will be the same the next time.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Reason::NoBitcode(_) | Reason::UnknownFunction(_) | Reason::Known(_))
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoLinker(path) => write!(f, "this toolchain has no {}", path.display()),
            Reason::NoBitcode(name) => write!(f, "the `{name}` of this toolchain has no LLVM bitcode"),
            Reason::Linker { name, said } => {
                write!(f, "rust-lld cannot compile the bitcode of `{name}`: {said}")
            }
            Reason::UnknownFunction(name) => {
                write!(f, "LLVM's pass calls `{name}` with this toolchain, which snag does not know")
            }
            Reason::Known(what) | Reason::Io(what) => f.write_str(what),
        }
    }
}

/// Puts instrumented rlibs in the place of the toolchain's in the sysroot laid out in `root`.
///
/// # Errors
/// If that is not possible with this toolchain.
pub fn instrument(toolchain: &Toolchain, root: &Path) -> Result<(), Reason> {
    let linker = toolchain.sysroot.join("lib/rustlib").join(SUPPORTED_TARGET).join("bin/rust-lld");
    if !linker.is_file() {
        return Err(Reason::NoLinker(linker));
    }
    let work = root.join("work");
    fs::create_dir_all(&work).map_err(failed("create", &work))?;
    let compiler = Compiler { linker, work: work.clone() };
    // Largest last: they are taken from the end.
    let mut rlibs = rlibs(root)?;
    rlibs.sort_by_key(|rlib| (fs::metadata(&rlib.path).map_or(0, |data| data.len()), rlib.name.clone()));
    let rlibs = Mutex::new(rlibs);
    let next = || rlibs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
    let work_off = || -> Result<(), Reason> {
        while let Some(rlib) = next() {
            compiler.instrument(&rlib)?;
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work_off)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Reason::Io("an object file is malformed".to_owned())))
        })
    })?;
    fs::remove_dir_all(&work).map_err(failed("delete", &work))
}

/// An rlib of the sysroot: a symlink to the toolchain's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rlib {
    /// The crate's.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The rlibs that are to be instrumented, or are.
///
/// # Errors
/// If the folders cannot be read, or one is missing that is needed.
pub fn rlibs(root: &Path) -> Result<Vec<Rlib>, Reason> {
    let mut found = Vec::new();
    for folder in [sysroot::target_libraries(root), root.join("deps")] {
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let path = entry.map_err(failed("read", &folder))?.path();
            if let Some(name) = crate_name(&path).filter(|name| !EXCLUDED.contains(&&**name)) {
                found.push(Rlib { name, path });
            }
        }
    }
    match REQUIRED.iter().find(|required| !found.iter().any(|rlib| rlib.name == **required)) {
        Some(missing) => Err(Reason::Io(format!("this toolchain has no rlib of `{missing}`"))),
        None => Ok(found),
    }
}

/// `std` of `…/libstd-0123456789abcdef.rlib`.
fn crate_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (name, _hash) = file.strip_prefix("lib")?.strip_suffix(".rlib")?.rsplit_once('-')?;
    Some(name.to_owned())
}

/// What makes an object of bitcode.
struct Compiler {
    linker: PathBuf,
    work: PathBuf,
}

impl Compiler {
    fn instrument(&self, rlib: &Rlib) -> Result<(), Reason> {
        let data = fs::read(&rlib.path).map_err(failed("read", &rlib.path))?;
        let malformed = |error: object::Error| Reason::Io(format!("{}: {error}", rlib.path.display()));
        let archive = ArchiveFile::parse(&*data).map_err(malformed)?;
        let mut members = Vec::new();
        let mut changed = false;
        for (number, member) in archive.members().enumerate() {
            let member = member.map_err(malformed)?;
            let original = member.data(&*data).map_err(malformed)?;
            let compiled = match bitcode(original) {
                Some(bitcode) => Some(self.compile(&rlib.name, number, bitcode)?),
                None => None,
            };
            changed |= compiled.is_some();
            let contents = compiled.unwrap_or_else(|| original.to_vec());
            let name = String::from_utf8_lossy(member.name()).into_owned();
            members.push(NewArchiveMember::new(contents, &DEFAULT_OBJECT_READER, name));
        }
        if changed {
            return replace(&rlib.path, &members).map_err(failed("write", &rlib.path));
        }
        if REQUIRED.contains(&&*rlib.name) {
            return Err(Reason::NoBitcode(rlib.name.clone()));
        }
        Ok(())
    }

    fn compile(&self, name: &str, number: usize, bitcode: &[u8]) -> Result<Vec<u8>, Reason> {
        let input = self.work.join(format!("{name}.{number}.bc"));
        let output = input.with_extension("o");
        fs::write(&input, bitcode).map_err(failed("write", &input))?;
        let mut linker = Command::new(&self.linker);
        linker.args(["-flavor", "gnu", "-r", "--lto-O2", "--threads=1"]).arg("-o").arg(&output).arg(&input);
        linker.arg(format!("--lto-newpm-passes={PASSES}"));
        for option in LLVM_OPTIONS {
            linker.args(["-mllvm", option]);
        }
        let failure = |said: &str| Reason::Linker { name: name.to_owned(), said: said.to_owned() };
        let answer = linker.output().map_err(|error| failure(&error.to_string()))?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(failure(said.lines().next().unwrap_or("it gives no reason")));
        }
        let object = fs::read(&output).map_err(failed("read", &output))?;
        for file in [&input, &output] {
            fs::remove_file(file).map_err(failed("delete", file))?;
        }
        Ok(object)
    }
}

/// The bitcode in an object file, if there is any.
fn bitcode(member: &[u8]) -> Option<&[u8]> {
    let file = object::File::parse(member).ok()?;
    let section = file.section_by_name_bytes(b".llvmbc")?;
    section.data().ok().filter(|data| !data.is_empty())
}

/// Writes an archive in place of a symlink.
fn replace(path: &Path, members: &[NewArchiveMember<'_>]) -> io::Result<()> {
    fs::remove_file(path)?;
    let mut file = BufWriter::new(fs::File::create(path)?);
    write_archive_to_stream(&mut file, members, ArchiveKind::Gnu, false, None)?;
    file.flush()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Reason + use<> {
    let path = path.to_owned();
    move |error| Reason::Io(format!("failed to {action} {}: {error}", path.display()))
}
