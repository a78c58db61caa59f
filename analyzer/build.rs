//! Puts the sources of the shim into the binary: `cargo snag` compiles them with the user's rustc.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The crates of the shim, as folders beside this one.
const CRATES: [&str; 4] = ["trace", "runtime", "std", "test"];

/// The one host, and the one target, that there is a recorder for.
const SUPPORTED: &str = "x86_64-unknown-linux-gnu";

fn main() -> io::Result<()> {
    let target = env::var("TARGET").unwrap_or_default();
    if target != SUPPORTED {
        println!("cargo::error=snag works on {SUPPORTED} only, and this is a build for {target}");
        return Ok(());
    }
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../runtime-shim");
    let mut table = String::from(
        "/// Path below the shim's folder, and contents.\npub(super) static SOURCES: &[(&str, &str)] = &[\n",
    );
    let mut hash = Fnv::default();
    for name in CRATES {
        let folder = root.join(name).join("src");
        println!("cargo::rerun-if-changed={}", folder.display());
        for file in sources(&folder)? {
            let inside = file.strip_prefix(&root).expect("found below it").display().to_string();
            hash.write(inside.as_bytes());
            hash.write(&fs::read(&file)?);
            let file = file.canonicalize()?;
            writeln!(table, "    ({inside:?}, include_str!({file:?})),").expect("writing to a string");
        }
    }
    writeln!(table, "];\n/// Hash of all of it.\npub(super) const SOURCES_HASH: u64 = {:#x};", hash.0)
        .expect("writing to a string");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("shim_sources.rs"), table)
}

/// All Rust files below a folder, sorted.
fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
