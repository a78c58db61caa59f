//! Configuration, comments, baselines, `init` and `--fix`.

use crate::project::{DOUBLE, Project, found, warnings};

#[test]
fn levels_come_from_the_configuration_and_flags_count_more() {
    let project = Project::new(DOUBLE);
    assert_eq!(project.lint(&[]).1, 1);
    project.write("snag.toml", "[levels]\ndouble_lock = \"warn\"\n");
    assert_eq!(project.lint(&[]).1, 0);
    assert_eq!(project.lint(&["--deny", "double_lock"]).1, 1);
    project.write("snag.toml", "[levels]\npredicted = \"allow\"\n");
    assert_eq!(found(&project.lint(&[]).0), Vec::<String>::new());
    project.write("snag.toml", "");
    let manifest = "[package]\nname = \"bank\"\nedition = \"2024\"\n[package.metadata.snag.levels]\ndouble_lock = \"allow\"\n";
    project.write("Cargo.toml", manifest);
    assert_eq!(found(&project.lint(&[]).0), Vec::<String>::new());
    project.write("snag.toml", "[levels]\ndouble_lock = \"deny\"\n");
    assert_eq!(project.lint(&[]).1, 1, "snag.toml counts more than a manifest");
}

#[test]
fn a_configuration_that_is_not_understood_is_one_clear_error() {
    let project = Project::new(DOUBLE);
    for (text, word) in
        [("levles = 1", "levles"), ("[levels]\ndoubel_lock = 'deny'", "doubel_lock"), ("[", "TOML")]
    {
        project.write("snag.toml", text);
        let refused = project.snag(&["lint"]);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{message}");
        assert!(
            message.contains(word) && message.contains("help:") && message.matches("error:").count() == 1,
            "{message}"
        );
    }
}

#[test]
fn suppressions_need_a_reason_end_on_their_day_and_are_told_if_unused() {
    let project = Project::new(DOUBLE);
    let entry = |more: &str| format!("[[suppress]]\nrule = \"double_lock\"\npath = \"src/\"\n{more}");
    project.write("snag.toml", &entry("reason = \"known\"\n"));
    let (report, code) = project.lint(&[]);
    assert_eq!((found(&report).len(), code), (0, 0));
    assert!(warnings(&report).contains("1 finding is left out"));
    project.write("snag.toml", &entry("reason = \"known\"\nexpires = \"2020-01-01\"\n"));
    let (report, code) = project.lint(&[]);
    assert_eq!((found(&report).len(), code), (1, 1));
    assert!(warnings(&report).contains("ended on 2020-01-01"));
    project.write("snag.toml", "[[suppress]]\nrule = \"check_then_act\"\nreason = \"known\"\n");
    assert!(warnings(&project.lint(&[]).0).contains("suppresses nothing"));
    project.write("snag.toml", &entry(""));
    assert_eq!(project.snag(&["lint"]).status.code(), Some(2));
}

#[test]
fn a_comment_allows_a_rule_for_what_it_stands_at() {
    let with = |comment: &str| {
        Project::new(
            &DOUBLE.replace("        self.accounts", &format!("        {comment}\n        self.accounts")),
        )
    };
    let (report, code) = with("// snag: allow(double_lock) it is a test").lint(&[]);
    assert_eq!((found(&report).len(), code), (0, 0), "{report}");
    let (report, code) = with("// snag: allow(double_lock)").lint(&[]);
    assert_eq!(code, 1);
    assert!(warnings(&report).contains("without a reason"), "{report}");
    let (report, _) = with("// snag: allow(check_then_act) it is not").lint(&[]);
    assert!(warnings(&report).contains("src/lib.rs:10: this `snag: allow` allows nothing"), "{report}");
}

#[test]
fn a_baseline_hides_what_is_known_also_when_lines_move() {
    let project = Project::new(DOUBLE);
    assert_eq!(project.snag(&["lint", "--baseline", "known.json"]).status.code(), Some(2), "there is none");
    assert_eq!(
        project.snag(&["lint", "--baseline", "known.json", "--update-baseline"]).status.code(),
        Some(0)
    );
    project.write("src/lib.rs", &format!("// one\n// two\n{DOUBLE}"));
    let (report, code) = project.lint(&["--baseline", "known.json"]);
    assert_eq!((found(&report).len(), code), (0, 0), "{report}");
    let second = DOUBLE.replace("grow", "shrink").replace("Bank", "Other").replace("accounts", "items");
    project.write("src/lib.rs", &format!("mod other {{\n{second}}}\n{DOUBLE}"));
    let (report, code) = project.lint(&["--baseline", "known.json"]);
    assert_eq!((found(&report).len(), code), (1, 1), "only the new one: {report}");
    project.write("src/lib.rs", "pub fn f() {}\n");
    assert!(warnings(&project.lint(&["--baseline", "known.json"]).0).contains("which was not found"));
    assert_eq!(project.snag(&["lint", "--update-baseline"]).status.code(), Some(2), "no baseline is named");
}

#[test]
fn init_writes_a_configuration_that_is_understood_and_never_over_one() {
    let project = Project::new(DOUBLE);
    assert_eq!(project.snag(&["init", "--ci", "github"]).status.code(), Some(0));
    assert!(project.read(".github/workflows/snag.yml").contains("cargo snag lint"));
    assert_eq!(project.lint(&[]).1, 1);
    assert_eq!(project.snag(&["init"]).status.code(), Some(2));
}

#[test]
fn fix_changes_what_is_certain_and_nothing_else() {
    let source = "use std::sync::{Condvar, Mutex};\nstatic M: Mutex<bool> = Mutex::new(false);\nstatic C: Condvar = Condvar::new();\n\
                  pub fn a() {\n    let _ = M.lock().unwrap();\n    work();\n}\n\
                  pub fn b() {\n    let _ = M.lock().unwrap();\n    a();\n}\n\
                  pub fn c() {\n    let mut ready = M.lock().unwrap();\n    if !*ready {\n        ready = C.wait(ready).unwrap();\n    }\n    work();\n}\n\
                  pub fn d() {\n    let mut ready = M.lock().unwrap();\n    if !*ready {\n        ready = C.wait(ready).unwrap();\n        work();\n    }\n}\n\
                  fn work() {}\n";
    let project = Project::new(source);
    let (report, _) = project.lint(&["--fix"]);
    let fixed = source.replacen("let _ = M", "let _guard = M", 1).replacen("if !*ready", "while !*ready", 1);
    assert_eq!(project.read("src/lib.rs"), fixed, "`b` would wait for itself, and `d` does more");
    assert_eq!(found(&report).len(), 2, "{report}");
    assert_eq!(project.lint(&["--fix"]).0["findings"].as_array().map(Vec::len), Some(2));
    assert_eq!(project.read("src/lib.rs"), fixed);
}
