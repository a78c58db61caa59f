//! Formats: each is what those who read it ask for.

use serde_json::Value;

use crate::project::{DOUBLE, Project, sources};

fn schema() -> jsonschema::Validator {
    // A bracket too many in the published schema: it is no regular expression.
    let wrong = "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$";
    let text = include_str!("sarif-2.1.0.json");
    assert_eq!(text.matches(wrong).count(), 2);
    let text = text.replace(wrong, "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is one")
}

#[test]
fn sarif_is_valid_by_the_published_schema() {
    let project = Project::new("");
    let all = sources();
    let all = all.to_str().expect("a path in UTF-8");
    let output = project.snag(&["lint", "--format", "sarif", all]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(log["runs"][0]["results"].as_array().is_some_and(|results| results.len() > 30), "{log}");
    let errors: Vec<String> =
        schema().iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let mut broken = log;
    broken["runs"][0]["results"][0]["level"] = "very bad".into();
    assert!(!schema().is_valid(&broken), "the schema is no test if everything passes it");
}

#[test]
fn several_formats_are_written_at_once() {
    let project = Project::new(DOUBLE);
    let output =
        project.snag(&["lint", "--format", "sarif=a.sarif", "--format=short", "--format", "junit=b.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let short = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(short.starts_with("src/lib.rs:9:38: predicted double_lock: "), "{short}");
    let log: Value = serde_json::from_str(&project.read("a.sarif")).expect("it is JSON");
    assert!(schema().is_valid(&log));
    assert!(project.read("b.xml").contains("<failure type=\"predicted\""));
    let refused = project.snag(&["lint", "--format", "morse=x"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("human, short, json"), "{refused:?}");
}

#[test]
fn editors_get_cargos_messages() {
    let project = Project::new(DOUBLE);
    let output = project.snag(&["lint", "--message-format=json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["reason"], "compiler-message");
    let span = &first["message"]["spans"][0];
    assert_eq!((&span["file_name"], &span["line_start"]), (&"src/lib.rs".into(), &9.into()));
    let text = DOUBLE.as_bytes();
    let bytes = |name: &str| usize::try_from(span[name].as_u64().expect("a number")).expect("it is small");
    assert_eq!(&text[bytes("byte_start")..bytes("byte_end")], b"lock");
}

#[test]
fn a_clean_project_is_one_line() {
    let output = Project::new("pub fn f() {}\n").snag(&["lint"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "snag: no findings in 1 file, 1 line\n");
}
