//! Packages to look at, with the roots of their crates, as manifests and cargo's conventions have them.
//!
//! Cargo itself is not asked: it would take longer than all the rest, and needs a project that resolves.
//! Known miss: targets of a `#[path]` outside of the package's folder.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;

use super::extract::Edition;

/// One package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its edition.
    pub edition: Edition,
    /// Roots of its crates: the library's first, if there is one.
    pub roots: Vec<Root>,
    /// All its Rust files, sorted.
    pub files: Vec<PathBuf>,
}

/// Root of a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its file.
    pub file: PathBuf,
    /// What it is.
    pub kind: RootKind,
}

/// What a crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// The library.
    Library,
    /// A program.
    Program,
    /// A test, benchmark or example.
    Test,
    /// A file that was named on the command line and belongs to no package.
    Alone,
}

/// Folders that hold no sources of the package that they are in.
fn is_left_out(name: &str) -> bool {
    name == "target" || name.starts_with('.')
}

/// All packages in this folder and below; files that belong to none make one each.
#[must_use]
pub fn below(path: &Path) -> Vec<Package> {
    let mut found = Vec::new();
    if path.is_file() {
        found.push(alone(path));
        return found;
    }
    let mut loose = Vec::new();
    collect(path, &mut found, &mut loose);
    found.extend(loose.iter().map(|file| alone(file)));
    found
}

fn alone(file: &Path) -> Package {
    Package {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        folder: file.parent().unwrap_or(Path::new("")).to_owned(),
        edition: Edition::Year2024,
        roots: vec![Root { file: file.to_owned(), kind: RootKind::Alone }],
        files: vec![file.to_owned()],
    }
}

fn entries(folder: &Path) -> Vec<(PathBuf, bool)> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> = listed
        .filter_map(|entry| {
            let kind = entry.file_type().ok()?;
            // Links may lead round in circles.
            (!kind.is_symlink()).then(|| (entry.path(), kind.is_dir()))
        })
        .collect();
    entries.sort();
    entries
}

fn collect(folder: &Path, found: &mut Vec<Package>, loose: &mut Vec<PathBuf>) {
    let package = at(folder);
    let is_package = package.is_some();
    found.extend(package);
    for (path, is_folder) in entries(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_folder && !is_left_out(&name) {
            let mut below = Vec::new();
            collect(&path, found, &mut below);
            if !is_package {
                loose.append(&mut below);
            }
        } else if !is_package && path.extension().is_some_and(|extension| extension == "rs") {
            loose.push(path);
        }
    }
}

/// The package whose manifest is in this folder.
#[must_use]
pub fn at(folder: &Path) -> Option<Package> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = toml::from_str(&text).ok()?;
    let package = manifest.get("package")?;
    let name = package.get("name")?.as_str()?.to_owned();
    let mut files = Vec::new();
    sources(folder, &mut files);
    let edition = match edition(package, folder).as_deref() {
        Some("2015" | "2018" | "2021") | None => Edition::Earlier,
        Some(_) => Edition::Year2024,
    };
    let roots = roots(&manifest, folder, &files);
    Some(Package { name, folder: folder.to_owned(), edition, roots, files })
}

/// What `edition` says, in this manifest or, where it is inherited, in one above.
fn edition(package: &Value, folder: &Path) -> Option<String> {
    match package.get("edition")? {
        Value::String(edition) => Some(edition.clone()),
        _ => folder.ancestors().skip(1).find_map(|above| {
            let text = fs::read_to_string(above.join("Cargo.toml")).ok()?;
            let manifest: toml::Table = toml::from_str(&text).ok()?;
            Some(manifest.get("workspace")?.get("package")?.get("edition")?.as_str()?.to_owned())
        }),
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for (path, is_folder) in entries(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_folder {
            if !is_left_out(&name) && !path.join("Cargo.toml").is_file() {
                sources(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn roots(manifest: &toml::Table, folder: &Path, files: &[PathBuf]) -> Vec<Root> {
    let mut roots = Vec::new();
    let mut add = |path: PathBuf, kind| {
        if files.contains(&path) && !roots.iter().any(|root: &Root| root.file == path) {
            roots.push(Root { file: path, kind });
        }
    };
    let path_of = |target: &Value| target.get("path").and_then(Value::as_str).map(|path| folder.join(path));
    let library = manifest.get("lib").and_then(path_of);
    add(library.unwrap_or_else(|| folder.join("src/lib.rs")), RootKind::Library);
    add(folder.join("src/main.rs"), RootKind::Program);
    for (table, kind) in [
        ("bin", RootKind::Program),
        ("example", RootKind::Test),
        ("test", RootKind::Test),
        ("bench", RootKind::Test),
    ] {
        let listed = manifest.get(table).and_then(Value::as_array).into_iter().flatten();
        for path in listed.filter_map(path_of) {
            add(path, kind);
        }
    }
    for (below, kind) in [
        ("src/bin", RootKind::Program),
        ("examples", RootKind::Test),
        ("tests", RootKind::Test),
        ("benches", RootKind::Test),
    ] {
        for (path, is_folder) in entries(&folder.join(below)) {
            add(if is_folder { path.join("main.rs") } else { path }, kind);
        }
    }
    add(folder.join("build.rs"), RootKind::Program);
    roots
}
