//! A saved run can be analyzed again, with the same result.

use std::fs;

use crate::project::{kept, outcome, program, snag_in};

#[test]
fn the_analysis_of_a_saved_run_says_what_the_first_one_said() {
    for arguments in [&["many"][..], &["deadlock"], &["children"], &["exit", "7"], &["daemon"]] {
        let kept = kept(arguments);
        let mut command = snag_in(&program(), ["analyze", "--format", "json"]);
        let again = outcome(command.arg(&kept.folder));
        assert_eq!(again.code(), kept.outcome.code(), "{arguments:?}: {again:?}");
        let report: serde_json::Value = serde_json::from_str(&again.stderr).expect("JSON");
        assert_eq!(report, kept.report, "{arguments:?}");
    }
}

#[test]
fn a_single_trace_will_do() {
    let kept = kept(&["exit", "7"]);
    let again = outcome(snag_in(&program(), ["analyze", "--format", "json"]).arg(kept.trace()));
    let report: serde_json::Value = serde_json::from_str(&again.stderr).expect("JSON");
    assert_eq!(report, kept.report);
}

#[test]
fn a_run_that_snag_itself_did_not_survive_is_analyzed_all_the_same() {
    let kept = kept(&["many"]);
    fs::remove_file(kept.folder.join("run.json")).unwrap();
    let again = outcome(snag_in(&program(), ["analyze", "--format", "json"]).arg(&kept.folder));
    let report: serde_json::Value = serde_json::from_str(&again.stderr).expect("JSON");
    assert_eq!(report["stats"], kept.report["stats"]);
    assert!(report["warnings"].to_string().contains("run.json is missing"), "{report}");
}

#[test]
fn a_report_goes_to_a_file_and_then_not_to_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.txt");
    let mut command = snag_in(&program(), ["run", "--quiet", "--format", "short", "--output"]);
    let outcome = outcome(command.arg(&file));
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""));
    assert!(fs::read_to_string(&file).is_ok());
}

#[test]
fn old_runs_are_removed_and_the_newest_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let own_target = folder.path().join("target");
    for _ in 0..4 {
        let mut command = snag_in(&program(), ["run", "--quiet", "--keep", "2"]);
        outcome(command.env("CARGO_TARGET_DIR", &own_target));
    }
    assert_eq!(fs::read_dir(own_target.join("snag/runs")).unwrap().count(), 2);
}
