//! What the linker is told where a program over the memory layer is linked.
//!
//! * The executable exports the functions of the pass, so that instrumented shared objects find them
//!   there and not in copies of their own.
//! * The functions by which Rust code reaches the program's allocator, whose names are mangled and so
//!   differ between toolchains, lead through `snag_runtime`, which has to know of each block of an
//!   allocator that is not libc's. `--wrap` does that without a wrapper around the linker; the
//!   functions themselves are then named `snag_real_rust_alloc` and so on.
//!
//! Known miss: GNU ld, unlike lld, does not wrap calls from the very object that has the program's
//! `#[global_allocator]`. lld is what rustc uses for this target since 1.90.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSymbol as _};

use crate::build::std_bitcode::{self, Reason};

/// File in the shim's folder with the flags of rustc, one per line.
const FILE: &str = "link-flags";
/// Functions of Rust's allocator, without what is mangled around them.
const ALLOCATOR: [&str; 4] = ["rust_alloc", "rust_dealloc", "rust_realloc", "rust_alloc_zeroed"];

/// The flags that [`save`] wrote for the shim in this folder.
///
/// # Errors
/// If they cannot be read.
pub fn flags(root: &Path) -> io::Result<Vec<OsString>> {
    Ok(fs::read_to_string(root.join(FILE))?.lines().map(OsString::from).collect())
}

/// Finds the names of this toolchain's allocator functions, and writes the flags for [`flags`]. The
/// shim has been compiled into `root`.
///
/// # Errors
/// If an rlib cannot be read or the file cannot be written.
pub fn save(root: &Path) -> Result<(), Reason> {
    let mut lines = vec!["-Clink-arg=-Wl,--export-dynamic-symbol=__tsan_*".to_owned()];
    let hooks = symbols(&root.join("deps/libsnag_runtime.rlib"))?;
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
    let file = root.join(FILE);
    let failed = |error: io::Error| Reason::Io(format!("failed to write {}: {error}", file.display()));
    fs::write(&file, lines.join("\n")).map_err(failed)
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
    fn the_allocators_functions_are_told_by_their_demangled_names() {
        assert!(demangles_to("_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", "__rust_alloc"));
        assert!(!demangles_to("_RNvCsfLfy6EI15iL_7___rustc19___rust_alloc_zeroed", "__rust_alloc"));
        assert!(!demangles_to("_RNvCsfLfy6EI15iL_7___rustc11___rdl_alloc", "__rust_alloc"));
        assert!(demangles_to("__rust_alloc", "__rust_alloc"));
    }
}
