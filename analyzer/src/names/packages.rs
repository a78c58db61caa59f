//! Who can call the code of a source file: the package that it belongs to, and those of the workspace that
//! depend on that.
//!
//! A package depends on another if its manifest has the other's name in it anywhere. That may be one too
//! many and never one too few, but for packages outside of the workspace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::births::files_below;

/// A package of the workspace.
struct Package {
    folder: PathBuf,
    name: String,
    manifest: String,
}

/// All sources that can call what is in `file`; nothing if its package is not known.
pub(super) fn possible_callers(root: &Path, file: &Path) -> Option<Vec<PathBuf>> {
    let packages = packages(root);
    let owner = |file: &Path| {
        let around = packages.iter().filter(|package| file.starts_with(&package.folder));
        around.max_by_key(|package| package.folder.components().count())
    };
    let mut included = vec![owner(file)?.name.as_str()];
    let mut next = 0;
    while let Some(&name) = included.get(next) {
        next += 1;
        for package in &packages {
            if !included.contains(&&*package.name) && mentions(&package.manifest, name) {
                included.push(&package.name);
            }
        }
    }
    let files = files_below(root, "rs");
    Some(
        files
            .into_iter()
            .filter(|file| owner(file).is_some_and(|owner| included.contains(&&*owner.name)))
            .collect(),
    )
}

fn packages(root: &Path) -> Vec<Package> {
    let manifests = files_below(root, "toml").into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let package = |path: PathBuf| {
        let manifest = fs::read_to_string(&path).ok()?;
        let table: BTreeMap<String, toml::Value> = toml::from_str(&manifest).ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        Some(Package { folder: path.parent()?.to_owned(), name, manifest })
    };
    manifests.filter_map(package).collect()
}

/// Whether a name is among the words of a manifest, as it is or as code spells it.
fn mentions(manifest: &str, name: &str) -> bool {
    let in_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let spelled = |word: &str| word.replace('-', "_");
    manifest.split(|letter| !in_word(letter)).any(|word| spelled(word) == spelled(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_itself_and_whoever_depends_on_it_can_call() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("Cargo.toml", "[workspace]\nmembers = [\"value\", \"value_fixed\", \"app\", \"tool\"]\n");
        write("value/Cargo.toml", "[package]\nname = \"value\"\n");
        write("value_fixed/Cargo.toml", "[package]\nname = \"value_fixed\"\n");
        write("app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nvalue.workspace = true\n");
        write("tool/Cargo.toml", "[package]\nname = \"tool\"\n[dependencies]\napp = { path = \"../app\" }\n");
        for package in ["value", "value_fixed", "app", "tool"] {
            write(&format!("{package}/src/lib.rs"), "");
        }
        let callers = |file: &str| -> Option<Vec<String>> {
            let found = possible_callers(root.path(), &root.path().join(file))?;
            let package = |path: PathBuf| {
                let inside = path.strip_prefix(root.path()).ok()?;
                Some(inside.iter().next()?.to_string_lossy().into_owned())
            };
            found.into_iter().map(package).collect()
        };
        assert_eq!(
            callers("value/src/lib.rs"),
            Some(vec!["app".to_owned(), "tool".to_owned(), "value".to_owned()])
        );
        assert_eq!(callers("value_fixed/src/lib.rs"), Some(vec!["value_fixed".to_owned()]));
        assert_eq!(callers("lib.rs"), None);
    }
}
