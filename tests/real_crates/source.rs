//! The source of a published crate, from cargo's registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use snag_tests::target_folder;

/// Copies a published crate, its tests and its lock file to a folder of ours and gives that folder.
/// A copy that is there already is used as it is.
pub fn fetch(name: &str, version: &str) -> PathBuf {
    let base = target_folder("real-crates");
    let copy = base.join(format!("{name}-{version}"));
    if copy.join("Cargo.toml").is_file() {
        return copy;
    }
    let asking = base.join(format!("asking-for-{name}-{version}"));
    fs::create_dir_all(asking.join("src")).expect("the target folder can be written");
    let manifest = format!(
        "[package]\nname = \"asking\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{name} = \"={version}\"\n"
    );
    fs::write(asking.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::write(asking.join("src/lib.rs"), "").expect("the target folder can be written");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .current_dir(&asking)
        .output()
        .expect("failed to run cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON");
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.find(|package| package["name"] == name).expect("the crate was resolved");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a package has a manifest"));
    copy_folder(manifest.parent().expect("a manifest lies in a folder"), &copy);
    // Not part of the workspace whose target folder it lies in.
    let text = fs::read_to_string(copy.join("Cargo.toml")).expect("the manifest was copied");
    fs::write(copy.join("Cargo.toml"), text + "\n[workspace]\n").expect("the target folder can be written");
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the target folder can be written");
    for entry in fs::read_dir(from).expect("the registry can be read") {
        let path = entry.expect("the registry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("the target folder can be written");
        }
    }
}
