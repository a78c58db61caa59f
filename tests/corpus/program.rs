//! The programs: what each is called and what must be found in it, from its own source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use snag_tests::mark::Mark;

/// Packages of the workspace that have programs.
pub const PACKAGES: [&str; 4] = ["plain", "crates", "foreign", "allocator"];

/// One program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The package that it is part of.
    pub package: &'static str,
    /// Its name there: `racy/<stem>` or `correct/<stem>`.
    pub name: String,
    /// Its source, as reports name it.
    pub file: String,
    /// Its source.
    pub text: String,
    /// What must be found.
    pub marks: Vec<Mark>,
    /// Lines on which more may be found, marked `//? data_race`: a race of which the run decides
    /// whether it comes about.
    pub optional: BTreeSet<usize>,
}

impl Program {
    /// All programs of the workspace in `root`, sorted.
    ///
    /// # Errors
    /// What cannot be read, or is wrong with a mark.
    pub fn load_all(root: &Path) -> Result<Vec<Program>, String> {
        let mut programs = Vec::new();
        for package in PACKAGES {
            for kind in ["correct", "racy"] {
                for source in sources_in(&root.join(package).join("src").join(kind))? {
                    programs.push(Program::load(root, package, kind, &source)?);
                }
            }
        }
        Ok(programs)
    }

    fn load(root: &Path, package: &'static str, kind: &str, source: &Path) -> Result<Program, String> {
        let text = fs::read_to_string(source).map_err(|error| format!("{}: {error}", source.display()))?;
        let file = source.strip_prefix(root).unwrap_or(source).to_string_lossy().into_owned();
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let marks = Mark::parse_all(&file, &text)?;
        let optional = text.lines().enumerate().filter(|(_, line)| line.contains("//? data_race"));
        let optional = optional.map(|(index, _)| index + 1).collect();
        Ok(Program { package, name: format!("{kind}/{stem}"), file, marks, optional, text })
    }

    /// Whether something must be found in it.
    pub fn is_racy(&self) -> bool {
        self.name.starts_with("racy/")
    }
}

/// The programs' sources in a folder, sorted.
fn sources_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("mod.rs") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}
