//! The documentation: its links lead somewhere, and every page can be reached from the first one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::root;

/// Targets of the relative links of a page, as paths from the repository's root.
fn links(page: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root().join(page)).expect("a page can be read");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let relative = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let folder = page.parent().unwrap_or(Path::new(""));
    relative.map(|target| normal(&folder.join(target.split('#').next().unwrap_or(target)))).collect()
}

/// The path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

/// Every Markdown file of the documentation.
fn pages() -> BTreeSet<PathBuf> {
    let mut pages = BTreeSet::new();
    for folder in ["", "docs", "docs/rules"] {
        for entry in fs::read_dir(root().join(folder)).expect("a readable folder").flatten() {
            let page = Path::new(folder).join(entry.file_name());
            if page.extension().is_some_and(|extension| extension == "md") {
                pages.insert(page);
            }
        }
    }
    pages
}

#[test]
fn every_link_between_pages_leads_to_a_file() {
    for page in pages() {
        for link in links(&page) {
            assert!(root().join(&link).exists(), "{} links to {}", page.display(), link.display());
        }
    }
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut open = vec![PathBuf::from("README.md")];
    while let Some(page) = open.pop() {
        if page.extension().is_some_and(|extension| extension == "md") && reached.insert(page.clone()) {
            open.extend(links(&page).into_iter().filter(|link| root().join(link).exists()));
        }
    }
    let lost: Vec<_> = pages().difference(&reached).cloned().collect();
    assert_eq!(lost, Vec::<PathBuf>::new(), "nothing links to these");
}
