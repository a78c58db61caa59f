//! Says which std the facade stands on, as `cargo snag` does when it builds the shim itself:
//! `snag_since="1.N"` for every minor version from 86 up to the compiler's, and `snag_nightly`.

use std::env;
use std::process::Command;

/// Newest minor version that the facade's sources know of.
const NEWEST: u32 = 96;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(snag_nightly)");
    let known: Vec<_> = (86..=NEWEST).map(|minor| format!("\"1.{minor}\"")).collect();
    println!("cargo::rustc-check-cfg=cfg(snag_since, values({}))", known.join(", "));
    for minor in 86..=minor_version().unwrap_or(85).min(NEWEST) {
        println!("cargo::rustc-cfg=snag_since=\"1.{minor}\"");
    }
}

fn minor_version() -> Option<u32> {
    let rustc = env::var_os("RUSTC")?;
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.split('.').nth(1)?.parse().ok()
}
