//! What the linker is told where a program over the memory layer is linked.
//!
//! * One process has one runtime. Each program and each `cdylib` has a copy linked in; the executable
//!   exports its own, and what a `cdylib` has of it can be taken the place of, so that one that is loaded
//!   into an executable over the shim uses that one's, and one that is loaded into Python uses its own.
//! * The functions by which Rust code reaches the program's allocator, whose names are mangled and so
//!   differ between toolchains, lead through `snag_runtime`, which has to know of each block of an
//!   allocator that is not libc's. `--wrap` does that without a wrapper around the linker; the
//!   functions themselves are then named `snag_real_rust_alloc` and so on.
//! * What has no facade (`no_std`, and its unit tests) takes the runtime from the end of the command line.
//!
//! Known misses of GNU ld, which rustc uses for this target before 1.90 or when told to: it does not wrap
//! calls from the very object that has the program's `#[global_allocator]`; and a `cdylib` keeps to its
//! own runtime, since GNU ld takes no second version script beside rustc's.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSymbol as _};

use crate::build::cargo_config::values_of;
use crate::build::std_bitcode::{self, Reason};
use crate::build::toolchain::Toolchain;

/// File in the shim's folder with flags of rustc, one per line.
const FILE: &str = "link-flags";
/// File in the shim's folder that is a version script for shared objects, if the toolchain has lld.
const SCRIPT: &str = "shared.version";
/// The first minor version of rustc that links with lld.
const FIRST_LLD: u32 = 90;
/// Symbols of the runtime, as patterns of the linker.
const RUNTIME: [&str; 4] = ["__tsan_*", "snag_memory_*", "*12snag_runtime*", "*10snag_trace*"];
/// The runtime and what it is made of, without std.
const OWN: [&str; 2] = ["libsnag_runtime.rlib", "libsnag_trace.rlib"];
/// Functions of Rust's allocator, without what is mangled around them.
const ALLOCATOR: [&str; 4] = ["rust_alloc", "rust_dealloc", "rust_realloc", "rust_alloc_zeroed"];

/// The flags for a crate, compiled with these arguments over the shim in this folder: [`save`] wrote most
/// of them.
///
/// # Errors
/// If they cannot be read.
pub fn flags(root: &Path, arguments: &[OsString]) -> io::Result<Vec<OsString>> {
    let mut flags: Vec<_> = fs::read_to_string(root.join(FILE))?.lines().map(OsString::from).collect();
    let script = root.join(SCRIPT);
    if script.exists() {
        // For what does without std, as the unit tests of a crate for `no_std` may, and so has no facade
        // either: taken from these only if nothing else defines what the pass calls.
        for name in OWN {
            let mut flag = OsString::from("-Clink-arg=");
            flag.push(root.join("deps").join(name));
            flags.push(flag);
        }
    }
    let is_shared = values_of(arguments, "--crate-type").any(|kind| kind == "cdylib");
    if is_shared && !chooses_linker(arguments) && script.exists() {
        let mut flag = OsString::from("-Clink-arg=-Wl,--version-script=");
        flag.push(script);
        flags.push(flag);
    }
    Ok(flags)
}

/// Whether these arguments may make rustc use another linker than its own choice.
fn chooses_linker(arguments: &[OsString]) -> bool {
    let options = ["fuse-ld=", "linker=", "linker-features=", "linker-flavor=", "link-self-contained="];
    let texts = arguments.iter().map(|argument| argument.to_string_lossy());
    texts.into_iter().any(|text| options.iter().any(|option| text.contains(option)))
}

/// Finds the names of this toolchain's allocator functions, and writes what [`flags`] needs. The shim has
/// been compiled into `root`.
///
/// # Errors
/// If an rlib cannot be read or the file cannot be written.
pub fn save(toolchain: &Toolchain, root: &Path) -> Result<(), Reason> {
    let exported = RUNTIME.map(|pattern| format!("-Clink-arg=-Wl,--export-dynamic-symbol={pattern}"));
    let mut lines = exported.to_vec();
    let hooks = symbols(&root.join("deps").join(OWN[0]))?;
    let mut std = BTreeSet::new();
    for rlib in std_bitcode::rlibs(root)? {
        std.extend(symbols(&rlib.path)?);
    }
    // Another LLVM may have a pass that calls functions which the runtime does not have.
    let unknown = std.iter().find(|name| name.starts_with("__tsan_") && !hooks.contains(*name));
    if let Some(unknown) = unknown {
        return Err(Reason::UnknownFunction(unknown.clone()));
    }
    for name in ALLOCATOR {
        let hook = format!("snag_{name}");
        if !hooks.contains(&hook) {
            continue;
        }
        let Some(mangled) = std.iter().find(|symbol| demangles_to(symbol, &format!("__{name}"))) else {
            return Err(Reason::Io(format!("this toolchain's std does not call `__{name}`")));
        };
        lines.push(format!(
            "-Clink-arg=-Wl,--wrap={mangled},--defsym=__wrap_{mangled}={hook},\
             --defsym=snag_real_{name}=__real_{mangled}"
        ));
        // Where it is inlined, the linker has nothing to wrap.
        lines.push(format!("-Cllvm-args=-force-attribute={mangled}:noinline"));
    }
    if toolchain.minor >= FIRST_LLD {
        write(&root.join(SCRIPT), &format!("{{ global: {}; }};\n", RUNTIME.join("; ")))?;
    }
    write(&root.join(FILE), &lines.join("\n"))
}

fn write(file: &Path, text: &str) -> Result<(), Reason> {
    fs::write(file, text).map_err(|error| Reason::Io(format!("failed to write {}: {error}", file.display())))
}

/// Names of all symbols of an rlib's objects.
fn symbols(rlib: &Path) -> Result<BTreeSet<String>, Reason> {
    let data =
        fs::read(rlib).map_err(|error| Reason::Io(format!("failed to read {}: {error}", rlib.display())))?;
    let malformed = |error: object::Error| Reason::Io(format!("{}: {error}", rlib.display()));
    let mut found = BTreeSet::new();
    for member in ArchiveFile::parse(&*data).map_err(malformed)?.members() {
        let contents = member.and_then(|member| member.data(&*data)).map_err(malformed)?;
        if let Ok(file) = object::File::parse(contents) {
            found.extend(file.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned)));
        }
    }
    Ok(found)
}

/// Whether this is the mangled name of a function of rustc's own, `__rustc::<name>`.
fn demangles_to(symbol: &str, name: &str) -> bool {
    let plain = format!("{:#}", rustc_demangle::demangle(symbol));
    plain.strip_prefix("__rustc::").unwrap_or(&plain) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cdylib_that_rustc_links_as_it_likes_gets_a_version_script() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(FILE), "-Cone\n-Ctwo").unwrap();
        fs::write(root.path().join(SCRIPT), "").unwrap();
        let count = |line: &str| {
            let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
            flags(root.path(), &arguments).unwrap().len()
        };
        assert_eq!(count("--crate-type lib"), 2 + OWN.len());
        assert_eq!(count("--crate-type=rlib --crate-type=cdylib"), 3 + OWN.len());
        assert_eq!(count("--crate-type cdylib -Clink-arg=-fuse-ld=mold"), 2 + OWN.len());
    }

    #[test]
    fn the_allocators_functions_are_told_by_their_demangled_names() {
        assert!(demangles_to("_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", "__rust_alloc"));
        assert!(!demangles_to("_RNvCsfLfy6EI15iL_7___rustc19___rust_alloc_zeroed", "__rust_alloc"));
        assert!(!demangles_to("_RNvCsfLfy6EI15iL_7___rustc11___rdl_alloc", "__rust_alloc"));
        assert!(demangles_to("__rust_alloc", "__rust_alloc"));
    }
}
