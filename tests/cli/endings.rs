//! However a program ends, snag ends as it did, and what was recorded until then is there.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project::{Kept, kept, outcome, program, run, snag_in, target};

/// Events of two threads that each take a lock once, with all that belongs to them.
const AT_LEAST: u64 = 8;

fn assert_kept(kept: &Kept, code: i32) {
    assert_eq!(kept.outcome.code(), code, "{:?}", kept.outcome);
    assert!(kept.events() >= AT_LEAST, "{}", kept.report);
    assert_eq!(kept.report["warnings"].as_array().map(Vec::len), Some(0), "{}", kept.report);
}

#[test]
fn a_program_that_succeeds_is_clean() {
    let kept = kept(&[]);
    assert_kept(&kept, 0);
    assert_eq!(kept.report["program"]["exit"], 0);
    assert_eq!(kept.report["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn an_exit_code_passes_through() {
    let kept = kept(&["exit", "42"]);
    assert_kept(&kept, 42);
    assert_eq!(kept.report["program"]["exit"], 42);
}

#[test]
fn a_panic_keeps_its_message_and_code() {
    let outcome = run(&["panic"]);
    assert_eq!(outcome.code(), 101);
    assert!(outcome.stderr.contains("as asked"), "{}", outcome.stderr);
}

#[test]
fn a_program_that_aborts_overflows_its_stack_or_kills_itself_is_read_to_its_last_event() {
    for (arguments, signal) in
        [(&["abort"][..], 6), (&["overflow"], 6), (&["raise", "9"], 9), (&["raise", "15"], 15)]
    {
        let kept = kept(arguments);
        assert_kept(&kept, 128 + signal);
        assert_eq!(kept.report["program"]["signal"], signal);
    }
}

#[test]
fn a_program_that_replaces_itself_is_recorded_until_then() {
    let kept = kept(&["exec"]);
    assert_kept(&kept, 3);
    assert_eq!(kept.outcome.stdout, "replaced\n");
}

#[test]
fn a_program_that_replaces_itself_by_a_recorded_one_has_two_traces() {
    let kept = kept(&["exec-self"]);
    assert_kept(&kept, 4);
    assert_eq!(kept.processes(), 2);
}

#[test]
fn a_program_that_closes_all_descriptors_is_recorded_to_its_end() {
    let kept = kept(&["close"]);
    assert_kept(&kept, 5);
    assert!(kept.events() > 80_000, "{}", kept.report);
}

#[test]
fn a_daemon_is_recorded_until_its_starter_ends() {
    let kept = kept(&["daemon"]);
    assert_eq!(kept.outcome.code(), 0);
    assert!(kept.events() >= AT_LEAST);
}

#[test]
fn children_are_recorded_with_their_parent() {
    let kept = kept(&["children"]);
    assert_kept(&kept, 0);
    assert_eq!(kept.processes(), 3);
}

#[test]
fn a_program_that_can_never_go_on_is_ended() {
    let kept = kept(&["deadlock"]);
    assert_eq!(kept.report["program"]["signal"], 9);
    assert!(kept.warnings().contains("ended by snag"), "{}", kept.report);
    assert!(kept.events() >= AT_LEAST);
}

#[test]
fn a_child_that_can_never_go_on_is_ended_if_its_parent_waits_for_it() {
    let kept = kept(&["await"]);
    assert!(kept.outcome.stdout.starts_with("signal: 9"), "{:?}", kept.outcome);
    assert!(kept.warnings().contains("ended by snag"), "{}", kept.report);
}

#[test]
fn a_child_that_its_parent_expects_to_hang_is_left_alone() {
    let kept = kept(&["watch"]);
    assert_eq!(kept.outcome.stdout, "None\n", "{:?}", kept.outcome);
    assert!(!kept.warnings().contains("ended by snag"), "{}", kept.report);
}

#[test]
fn the_programs_streams_pass_through_untouched() {
    let mut command = snag_in(&program(), ["run", "--quiet", "--", "echo"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = "three\nlines\u{1b}[31m\nwithout an end";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, text.as_bytes());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("to stderr\n"), "{output:?}");
}

/// A file system of 4 MiB for the runs, which a namespace of its own hides from everybody else. Where
/// the kernel gives no such namespace there is nothing to try.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=4m none "$1" && shift && exec "$@""#;

fn on_a_small_disk() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"]);
    command.arg(target().join("snag/runs"));
    command
}

#[test]
fn a_full_disk_ends_the_recording_and_neither_the_program_nor_the_report() {
    // Builds the program, and makes the folder of the runs.
    assert_eq!(run(&[]).code(), 0);
    if !on_a_small_disk().arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: no file system can be mounted here");
        return;
    }
    let temporary = tempfile::tempdir().expect("failed to make a temporary folder");
    let file = temporary.path().join("report.json");
    let mut arguments: Vec<OsString> =
        ["run", "--quiet", "--format", "json", "--output"].map(OsString::from).into();
    arguments.extend([file.clone().into(), "--".into(), "many".into()]);
    let snag = snag_in(&program(), arguments);
    let mut command = on_a_small_disk();
    command.arg(snag.get_program()).args(snag.get_args()).current_dir(program());
    for (name, value) in snag.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let outcome = outcome(&mut command);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let report = fs::read(&file).unwrap_or_else(|error| panic!("no report: {error}; {outcome:?}"));
    let report: Value = serde_json::from_slice(&report).expect("the report is JSON");
    assert!(report["stats"]["events"].as_u64() > Some(10_000), "{report}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("recording stopped early, no space was left on the disk"), "{warnings}");
}
