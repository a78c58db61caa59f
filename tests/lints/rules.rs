//! Each rule on sources of its own, and on the fixtures.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use snag_tests::mark::Mark;
use snag_tests::{repository, snag};

use crate::project::{Project, found, json, sources};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lint(folder: &Path) -> Value {
    let output =
        snag(folder).args(["lint", "--format", "json", "--no-cache", "."]).output().expect("it starts");
    json(&output)
}

/// Lines of a finding in a file.
fn is_at(finding: &Value, mark: &Mark) -> bool {
    let places = finding["locations"].as_array().expect("a list of places");
    places.iter().any(|at| at["file"] == mark.file.as_str() && at["line"] == mark.line)
}

#[test]
fn every_rule_finds_what_is_marked_and_no_rule_finds_more() {
    // Nothing of the repository's own configuration counts there.
    let folder = tempfile::tempdir().expect("a folder");
    let mut marks = Vec::new();
    for file in files_below(&sources()) {
        let name = file.strip_prefix(sources()).expect("it is below").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a source");
        let copy = folder.path().join(&name);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        fs::write(copy, &text).expect("a file");
        let rule = name.split('/').next().expect("a folder per rule").to_owned();
        let found = Mark::parse_all(&name, &text).expect("marks are well formed");
        assert_eq!(found.is_empty(), !name.ends_with("bad.rs"), "{name}: marks are what makes it bad");
        marks.extend(found.into_iter().map(|mark| (rule.clone(), mark)));
    }
    let report = lint(folder.path());
    let findings = report["findings"].as_array().expect("a list");
    let mut problems = Vec::new();
    for (_, mark) in &marks {
        if !findings.iter().any(|finding| mark.names(finding) && is_at(finding, mark)) {
            problems.push(format!("not found: {mark}"));
        }
    }
    for finding in findings {
        let file = finding["locations"][0]["file"].as_str().unwrap_or("?");
        let own = file.starts_with(&format!("{}/", finding["rule"].as_str().unwrap_or("?")));
        let marked = marks.iter().any(|(_, mark)| mark.names(finding) && is_at(finding, mark));
        // What is bad in one way may be bad in another as well; what is good is good in every way.
        if (own || file.ends_with("good.rs")) && !marked {
            problems
                .push(format!("found: {} at {file}:{}", finding["rule"], finding["locations"][0]["line"]));
        }
    }
    assert!(report["warnings"].as_array().is_some_and(Vec::is_empty), "{}", report["warnings"]);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_static_rule_has_sources_both_ways() {
    let output = snag(repository()).args(["explain"]).output().expect("it starts");
    let rules = String::from_utf8_lossy(&output.stdout).into_owned();
    for entry in fs::read_dir(sources()).expect("a folder").flatten() {
        let rule = entry.file_name().to_string_lossy().into_owned();
        assert!(rules.lines().any(|line| line == rule), "there is no rule `{rule}`");
        assert!(entry.path().join("bad.rs").is_file() && entry.path().join("good.rs").is_file(), "{rule}");
    }
}

#[test]
fn bugs_of_fixtures_that_the_source_shows_are_found_and_fixed_twins_are_clean() {
    let fixtures = repository().join("fixtures");
    let mut marks = Vec::new();
    for file in files_below(&fixtures) {
        let name = file.strip_prefix(&fixtures).expect("it is below").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a source");
        marks.extend(Mark::of_lint(&name, &text).expect("marks are well formed"));
    }
    assert!(marks.len() > 20, "only {} fixtures' bugs are visible in source", marks.len());
    let report = lint(&fixtures);
    let findings = report["findings"].as_array().expect("a list");
    let missing: Vec<_> = marks
        .iter()
        .filter(|mark| !findings.iter().any(|finding| mark.names(finding) && is_at(finding, mark)))
        .collect();
    assert!(missing.is_empty(), "not found: {missing:?}");
    let twins: BTreeSet<_> = findings
        .iter()
        .filter_map(|finding| finding["locations"][0]["file"].as_str())
        .filter(|file| file.split('/').next().is_some_and(|package| package.ends_with("_fixed")))
        .collect();
    assert!(twins.is_empty(), "found in twins without a bug: {twins:?}");
}

#[test]
fn temporaries_live_as_the_edition_has_them() {
    let source = "use std::sync::Mutex;\npub fn f(m: &Mutex<Vec<u8>>) {\n    if let Some(x) = m.lock().unwrap().pop() {\n        \
                  drop(x);\n    } else {\n        m.lock().unwrap().push(1);\n    }\n}\n";
    let project = Project::new(source);
    assert_eq!(found(&project.lint(&[]).0), Vec::<String>::new(), "2024 ends it before `else`");
    project.write("Cargo.toml", "[package]\nname = \"bank\"\nedition = \"2021\"\n");
    assert_eq!(found(&project.lint(&[]).0), ["double_lock:3"]);
}

#[test]
fn modules_and_uses_are_followed_over_files() {
    let project = Project::new("pub mod store;\nmod locks;\n");
    project.write("src/locks.rs", "pub use std::sync::Mutex as Lock;\npub type Table = Lock<Vec<u8>>;\n");
    project.write(
        "src/store/mod.rs",
        "mod inner;\nuse crate::locks::Table;\npub struct Store { pub table: Table }\n",
    );
    project.write(
        "src/store/inner.rs",
        "use super::Store;\nimpl Store {\n    pub fn f(&self) {\n        let a = self.table.lock().unwrap();\n        \
         self.g(a.len());\n    }\n    fn g(&self, n: usize) {\n        self.table.lock().unwrap().truncate(n);\n    }\n}\n",
    );
    let (report, code) = project.lint(&[]);
    assert_eq!((found(&report), code), (vec!["double_lock:4".to_owned()], 1));
    assert_eq!(report["findings"][0]["objects"][0]["name"], "Store.table");
}

#[test]
fn a_file_that_cannot_be_parsed_is_told_and_the_rest_is_checked() {
    let project = Project::new(crate::project::DOUBLE);
    project.write("src/main.rs", "fn main() { let }");
    project.write(
        "src/bin/deep.rs",
        &format!("fn main() {{ {}1{}; }}", "(".repeat(100_000), ")".repeat(100_000)),
    );
    let (report, code) = project.lint(&[]);
    assert_eq!((found(&report), code), (vec!["double_lock:9".to_owned()], 1));
    let warnings = crate::project::warnings(&report);
    assert!(
        warnings.contains("src/main.rs is left out") && warnings.contains("nests too deeply"),
        "{warnings}"
    );
}

#[test]
fn what_is_known_is_not_parsed_again() {
    let project = Project::new(crate::project::DOUBLE);
    project.write("src/main.rs", "fn main() {}\n");
    let parsed = |project: &Project| project.lint(&[]).0["stats"]["source"]["parsed"].clone();
    assert_eq!(parsed(&project), 2);
    assert_eq!(parsed(&project), 0);
    project.write("src/main.rs", "fn main() { println!(); }\n");
    assert_eq!(parsed(&project), 1);
    // A cache that is damaged costs time and nothing else.
    for entry in fs::read_dir(project.path().join("target/snag/lint-cache")).expect("a cache").flatten() {
        fs::write(entry.path(), b"damaged").expect("a file");
    }
    assert_eq!(parsed(&project), 2);
}
