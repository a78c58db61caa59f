//! A package in a temporary folder, and calls of `cargo snag lint` on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use snag_tests::{repository, snag};

/// Folder of the sources of a rule's tests.
pub fn sources() -> PathBuf {
    repository().join("tests/lints/sources")
}

/// A package with one source.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A package whose `src/lib.rs` is this.
    pub fn new(source: &str) -> Project {
        let project = Project { folder: tempfile::tempdir().expect("a folder") };
        project.write("Cargo.toml", "[package]\nname = \"bank\"\nedition = \"2024\"\n");
        project.write("src/lib.rs", source);
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a file")
    }

    /// `cargo snag …`.
    pub fn snag(&self, arguments: &[&str]) -> Output {
        let mut command = snag(self.path());
        command.args(arguments).env("CARGO_TARGET_DIR", self.path().join("target"));
        command.output().expect("cargo-snag starts")
    }

    /// The report of `cargo snag lint`, with its exit code.
    pub fn lint(&self, arguments: &[&str]) -> (Value, i32) {
        let output = self.snag(&[&["lint", "--format", "json"], arguments].concat());
        (json(&output), output.status.code().expect("it exits"))
    }
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Rules and lines of findings.
pub fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list of findings");
    findings
        .iter()
        .map(|finding| {
            format!("{}:{}", finding["rule"].as_str().unwrap_or("?"), finding["locations"][0]["line"])
        })
        .collect()
}

pub fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

/// A package in which a lock is taken twice, on line 9.
pub const DOUBLE: &str = "\
use std::sync::Mutex;

pub struct Bank {
    pub accounts: Mutex<Vec<u64>>,
}

impl Bank {
    pub fn grow(&self) {
        let accounts = self.accounts.lock().unwrap();
        self.accounts.lock().unwrap().push(accounts.len() as u64);
    }
}
";
