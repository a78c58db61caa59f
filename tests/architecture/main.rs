//! The invariants of docs/architecture.md that a machine can check.

mod docs;

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' folder has a parent")
}

/// Names of the normal dependencies of a workspace member.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let package = packages.iter().find(|candidate| candidate["name"] == package).expect("a member");
    let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
    let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
    normal.map(|dependency| dependency["name"].as_str().expect("a name").to_owned()).collect()
}

/// All Rust files below a folder of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found.sort();
    found
}

/// Lines of code of a file, without its unit tests and comments.
fn code_lines(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).expect("a readable source");
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}

fn assert_absent(folder: &str, words: &[&str], why: &str) {
    for path in sources(folder) {
        for (number, line) in code_lines(&path) {
            for word in words {
                assert!(!line.contains(word), "{}:{number} has `{word}`, but {why}", path.display());
            }
        }
    }
}

#[test]
fn the_trace_depends_on_nothing() {
    assert_eq!(dependencies("snag-trace"), Vec::<String>::new());
}

#[test]
fn the_shim_depends_on_the_trace_only() {
    assert_eq!(dependencies("snag-runtime"), ["snag-trace"]);
    assert_eq!(dependencies("snag-std"), ["snag-runtime"]);
}

#[test]
fn the_analyzer_never_links_the_shim() {
    let dependencies = dependencies("cargo-snag");
    assert!(!dependencies.iter().any(|name| name == "snag-runtime" || name == "snag-std"));
}

#[test]
fn models_and_detectors_do_no_io() {
    let words = ["std::fs", "std::io", "std::process", "std::env", "println!", "eprintln!", "print!("];
    assert_absent("analyzer/src/model", &words, "a model does no I/O");
    assert_absent("analyzer/src/detectors", &words, "a detector does no I/O");
}

#[test]
fn models_know_no_rules() {
    assert_absent("analyzer/src/model", &["crate::detectors", "Finding"], "a model does not judge");
}

#[test]
fn reporters_see_findings_only() {
    let words = ["crate::model", "crate::detectors", "snag_trace", "crate::run", "crate::build"];
    assert_absent("analyzer/src/reporters", &words, "a reporter sees findings only");
}

#[test]
fn no_output_depends_on_the_order_of_a_hash_map() {
    let why = "its order would reach the output: use an ordered map, or index by number";
    for folder in ["analyzer/src/detectors", "analyzer/src/reporters"] {
        assert_absent(folder, &["HashMap", "HashSet"], why);
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for folder in ["analyzer/src", "runtime-shim", "tests"] {
        for path in sources(folder) {
            let text = std::fs::read_to_string(&path).expect("a readable source");
            // A conformance case may have directives first.
            let first = text.lines().find(|line| !line.starts_with("//@")).unwrap_or("");
            assert!(first.starts_with("//!"), "{} does not begin with `//!`", path.display());
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let words = ["todo!(", "unimplemented!(", "dbg!("];
    for folder in ["analyzer/src", "runtime-shim", "tests/fixtures", "fixtures"] {
        assert_absent(folder, &words, "it must be finished");
    }
}
