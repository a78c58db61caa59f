//! What the end-to-end tests share: the real `cargo-snag` binary and the folders that they work in.
//!
//! Invariant: nothing of the analyzer is linked; tests see what a user sees.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub mod fixture;
pub mod mark;
pub mod normal;
pub mod outcome;
pub mod recorded;

/// Variables that would change what a run of cargo below a test does.
const FOREIGN_VARIABLES: [&str; 5] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];

/// Root of this repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository's root")
}

/// The `cargo-snag` binary, built on the first call: cargo builds no binaries of other packages for a
/// test.
///
/// # Panics
/// If it does not build.
pub fn cargo_snag() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build_cargo_snag)
}

fn build_cargo_snag() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "cargo-snag", "--bin", "cargo-snag"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .expect("failed to run cargo");
    assert!(output.status.success(), "failed to build cargo-snag");
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.expect("cargo named no executable for cargo-snag")
}

/// A call of `cargo snag` in `folder`, free of the flags and wrappers of the caller's own build and of
/// whatever would colour the output.
///
/// # Panics
/// If the binary does not build.
#[must_use]
pub fn snag(folder: &Path) -> Command {
    let mut command = Command::new(cargo_snag());
    command.arg("snag").current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// The target folder that the tests' own packages are built in, below that of this workspace so that
/// a second run of the tests rebuilds nothing.
///
/// # Panics
/// If this test's executable lies in no target folder.
#[must_use]
pub fn target_folder(name: &str) -> PathBuf {
    let this = env::current_exe().expect("a test knows its executable");
    // <target>/<profile>/deps/<executable>
    let target = this.ancestors().nth(3);
    target.expect("cargo puts a test three folders below its target folder").join("snag-tests").join(name)
}
