//! Source files of a run: the one place that reads them, each at most once.
//!
//! Invariants:
//! * A path in a report is *short*: relative to the workspace root inside it, `~registry/…`, `~git/…`,
//!   `~rust/…` or `~snag/…` for dependencies, the standard library and ours, absolute elsewhere. Reports are then the
//!   same for every user and machine, and [`Sources`] finds the file again.
//! * Nothing is read before it is asked for.
//!
//! Known miss: a file that was changed after the run is read as it is now.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its whole text.
    pub text: String,
    /// Offset in bytes of the start of each line.
    starts: Vec<usize>,
}

impl Source {
    /// Splits a text into lines.
    #[must_use]
    pub fn new(text: String) -> Source {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { text, starts }
    }

    /// The text of a line, counted from 1, without its end; nothing beyond the last line.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<&str> {
        let start = self.line_start(line)?;
        let end = self.line_start(line + 1).unwrap_or(self.text.len());
        Some(self.text[start..end].trim_end_matches(['\n', '\r']))
    }

    /// Offset in bytes at which a line, counted from 1, starts.
    #[must_use]
    pub fn line_start(&self, line: u32) -> Option<usize> {
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        self.starts.get(at).copied()
    }

    /// The line, counted from 1, that holds the byte at `offset`.
    #[must_use]
    pub fn line_at(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|&start| start <= offset)).unwrap_or(u32::MAX)
    }

    /// Offset in bytes of a line and column, both from 1, the column in characters.
    #[must_use]
    pub fn offset(&self, line: u32, column: u32) -> Option<usize> {
        let skip = usize::try_from(column).ok()?.checked_sub(1)?;
        let text = self.line(line)?;
        let (within, _) = text.char_indices().nth(skip)?;
        Some(self.line_start(line)? + within)
    }
}

/// The source files of a run, read when asked for.
#[derive(Debug, Default)]
pub struct Sources {
    root: PathBuf,
    /// Cargo's home, where dependencies lie.
    cargo_home: Option<PathBuf>,
    read: RefCell<BTreeMap<String, Option<Arc<Source>>>>,
}

/// Folders below cargo's home that hold sources, with the number of components that follow and say
/// nothing to a reader, and the prefix that stands for them.
const DEPENDENCIES: [(&str, usize, &str); 2] =
    [("/registry/src/", 1, "~registry"), ("/git/checkouts/", 0, "~git")];

impl Sources {
    /// The sources of a run in the workspace at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Sources {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
        let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
        Sources { root: root.into(), cargo_home, read: RefCell::default() }
    }

    /// The workspace root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The short form of a path as the compiler was given it.
    #[must_use]
    pub fn shorten(&self, path: &str) -> String {
        let path = path.strip_prefix("./").unwrap_or(path);
        if !path.starts_with('/') {
            return path.to_owned();
        }
        if let Ok(inside) = Path::new(path).strip_prefix(&self.root) {
            return inside.to_string_lossy().into_owned();
        }
        for (folder, skipped, prefix) in DEPENDENCIES {
            if let Some((_, rest)) = path.split_once(folder) {
                let rest = rest.splitn(skipped + 1, '/').last().unwrap_or(rest);
                return format!("{prefix}/{rest}");
            }
        }
        if let Some(rest) = path.strip_prefix("/snag/") {
            return format!("~snag/{rest}");
        }
        let library =
            path.find("/library/").filter(|_| path.starts_with("/rustc/") || path.contains("/rustlib/"));
        library.map_or_else(|| path.to_owned(), |at| format!("~rust{}", &path[at..]))
    }

    /// The file that a short path stands for, nothing for a dependency that is not on this machine.
    fn resolve(&self, short: &str) -> Option<PathBuf> {
        if let Some(rest) = short.strip_prefix("~registry/") {
            let indices = std::fs::read_dir(self.cargo_home.as_ref()?.join("registry/src")).ok()?;
            let mut found: Vec<_> = indices
                .flatten()
                .map(|index| index.path().join(rest))
                .filter(|path| path.is_file())
                .collect();
            found.sort();
            return found.into_iter().next();
        }
        if let Some(rest) = short.strip_prefix("~git/") {
            return Some(self.cargo_home.as_ref()?.join("git/checkouts").join(rest));
        }
        (!short.starts_with('~')).then(|| self.root.join(short))
    }

    /// The file at a short path, nothing if it cannot be read.
    #[must_use]
    pub fn get(&self, short: &str) -> Option<Arc<Source>> {
        if let Some(known) = self.read.borrow().get(short) {
            return known.clone();
        }
        let text = self.resolve(short).and_then(|path| std::fs::read_to_string(path).ok());
        let source = text.map(|text| Arc::new(Source::new(text)));
        self.read.borrow_mut().insert(short.to_owned(), source.clone());
        source
    }

    /// Puts a text where a file would be.
    #[cfg(test)]
    pub(crate) fn insert(&self, short: &str, text: &str) {
        let source = Arc::new(Source::new(text.to_owned()));
        self.read.borrow_mut().insert(short.to_owned(), Some(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_column_in_characters_become_an_offset_in_bytes() {
        let source = Source::new("let é = 1;\nlet b = 2;".to_owned());
        assert_eq!(source.offset(1, 7), Some(7), "one character before it takes two bytes");
        assert_eq!(source.offset(2, 5).map(|at| &source.text[at..=at]), Some("b"));
        assert_eq!((source.offset(2, 11), source.offset(3, 1), source.offset(0, 1)), (None, None, None));
        assert_eq!((source.line_at(0), source.line_at(11), source.line_at(12)), (1, 1, 2));
    }

    #[test]
    fn paths_inside_the_workspace_are_relative_to_it_and_others_say_what_they_are() {
        let sources = Sources::new("/home/me/bank");
        let cases = [
            ("src/main.rs", "src/main.rs"),
            ("/home/me/bank/core/src/lib.rs", "core/src/lib.rs"),
            ("/home/me/banker/src/lib.rs", "/home/me/banker/src/lib.rs"),
            (
                "/c/registry/src/index.crates.io-1949cf8c6b5b557f/log-0.4.1/src/lib.rs",
                "~registry/log-0.4.1/src/lib.rs",
            ),
            ("/c/git/checkouts/log-12ab/9f/src/lib.rs", "~git/log-12ab/9f/src/lib.rs"),
            ("/rustc/59807616e/library/std/src/thread/mod.rs", "~rust/library/std/src/thread/mod.rs"),
            ("/snag/std/src/thread/mod.rs", "~snag/std/src/thread/mod.rs"),
        ];
        for (path, short) in cases {
            assert_eq!(sources.shorten(path), short);
        }
    }
}
