//! `cargo snag explore` and `cargo snag replay` on the package `explored`: what is said of each test,
//! however it ends, and what comes of the schedules that are kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use snag_tests::outcome::Outcome;

use crate::project::{outcome, snag_in};

/// Folder of the package.
fn explored() -> PathBuf {
    snag_tests::repository().join("tests/cli/explored")
}

/// `cargo snag …` on the package. Whoever writes schedules has a target folder of their own, as a file of the
/// same name may be written by another test at the same time.
fn snag(target: &str, arguments: &[&str]) -> Command {
    let mut command = snag_in(&explored(), arguments);
    command.env("CARGO_TARGET_DIR", snag_tests::target_folder(target));
    command
}

fn call(target: &str, arguments: &[&str]) -> Outcome {
    outcome(&mut snag(target, arguments))
}

/// What is said of each test of the package.
fn verdicts(outcome: &Outcome) -> BTreeMap<&str, &str> {
    let lines = outcome.stderr.lines().filter_map(|line| line.strip_prefix("test tests::"));
    lines.filter_map(|line| line.split_once(" ... ")).collect()
}

/// The names of the tests of which something was said.
fn names(outcome: &Outcome) -> Vec<&str> {
    verdicts(outcome).into_keys().collect()
}

/// One exploration of all tests that are not ignored, and the schedules that it left.
struct Whole {
    outcome: Outcome,
    schedules: BTreeMap<String, PathBuf>,
}

const WHOLE: &str = "explored";

fn whole() -> &'static Whole {
    static WHOLE_ONCE: OnceLock<Whole> = OnceLock::new();
    WHOLE_ONCE.get_or_init(|| {
        let folder = snag_tests::target_folder(WHOLE).join("snag/failures");
        // What an earlier build of the package left is not what this one is asked for.
        let _ = fs::remove_dir_all(&folder);
        let outcome = call(WHOLE, &["explore", "--iterations", "30"]);
        let mut schedules = BTreeMap::new();
        for entry in fs::read_dir(folder).expect("schedules are left") {
            let file = entry.expect("a readable folder").path();
            let name = schedule(&file)["test"].as_str().expect("a schedule names its test").to_owned();
            let before = schedules.insert(name.replace("tests::", ""), file);
            assert_eq!(before, None, "a test has one schedule");
        }
        Whole { outcome, schedules }
    })
}

fn schedule(file: &Path) -> Value {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("a schedule is JSON")
}

fn failing(test: &str) -> &'static Path {
    whole().schedules.get(test).unwrap_or_else(|| panic!("{test} left no schedule: {:?}", whole().outcome))
}

#[test]
fn however_a_test_ends_that_is_said_and_the_others_go_on() {
    /// What the line says of each test: how it begins, and what else is in it.
    const EXPECTED: [(&str, &str, &str); 23] = [
        ("aborts", "FAILED in schedule 0: killed by signal 6", ""),
        ("adds_up", "ok (30 schedules)", ""),
        ("asks_another_program", "ok (30 schedules)", ""),
        ("depends_on_its_process", "ok (30 schedules)", ""),
        ("err_is_returned", "FAILED in schedule 0: the test returned", "code (1)"),
        ("exits", "FAILED in schedule 0: the process exits with code 3", ""),
        ("forks", "skipped: not explorable: forks at src/lib.rs:", ""),
        ("hands_over", "ok (30 schedules)", ""),
        ("leaks_a_thread", "ok (30 schedules)", "a thread still runs at its end"),
        ("locks_both_ways", "FAILED in schedule ", ": deadlock ("),
        ("loses_an_update", "FAILED in schedule ", ": panicked at src/lib.rs:"),
        ("overflows_its_stack", "FAILED in schedule 0: killed by signal ", ""),
        ("panics_as_it_should", "ok (30 schedules)", ""),
        ("panics_for_another_reason", "FAILED in schedule 0: the panic does not say", "for no reason"),
        ("panics_in_a_panic", "FAILED in schedule 0: killed by signal 6", ""),
        ("reads_a_pipe_of_nobody", "skipped: it stands still", "waits in read"),
        ("receives_in_time", "ok (30 schedules)", ""),
        ("sleeps_an_hour", "ok (30 schedules)", ""),
        ("spins_for_a_while", "ok (30 schedules)", ""),
        ("spins_for_ever", "FAILED in schedule 0: livelock at src/lib.rs:", ""),
        ("starts_a_thousand", "ok (30 schedules)", ""),
        ("starts_no_thread", "ok (starts no thread: 1 schedule is all)", ""),
        ("talks_to_itself", "skipped: it stands still", "waits in accept4"),
    ];
    let outcome = &whole().outcome;
    let verdicts = verdicts(outcome);
    for (test, begins, has) in EXPECTED {
        let verdict = verdicts.get(test).unwrap_or_else(|| panic!("nothing is said of {test}: {outcome:?}"));
        assert!(verdict.starts_with(begins) && verdict.contains(has), "{test}: {verdict}");
    }
    assert_eq!(verdicts.len(), EXPECTED.len(), "{verdicts:?}");
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    let counted = "11 passed, 9 failed, 3 skipped";
    assert!(outcome.stderr.contains(counted), "{}", outcome.stderr);
    let failed = EXPECTED.iter().filter(|(_, begins, _)| begins.starts_with("FAILED"));
    let failed: Vec<_> = failed.map(|(test, ..)| *test).collect();
    assert_eq!(whole().schedules.keys().collect::<Vec<_>>(), failed, "who failed has a schedule");
}

#[test]
fn what_depends_on_more_than_the_schedule_is_told_with_its_place() {
    let said = &whole().outcome.stderr;
    let words: Vec<_> = said.split_whitespace().collect();
    let told = words.join(" ");
    let start = told.find("depends_on_its_process: one schedule, executed twice, goes two ways at step ");
    let warning = &told[start.unwrap_or_else(|| panic!("no warning: {said}"))..];
    assert!(warning[..200].contains("src/lib.rs:"), "{warning}");
    assert_eq!(told.matches("goes two ways").count(), 1, "nothing else does: {told}");
}

#[test]
fn what_a_recorded_run_predicts_is_confirmed_with_a_schedule() {
    const TARGET: &str = "explored-confirm";
    let recorded = call(TARGET, &["test", "locks_both_ways"]);
    assert_eq!(recorded.code(), 1, "{recorded:?}");
    let confirmed = call(TARGET, &["confirm", "--", "locks_both_ways"]);
    assert_eq!(names(&confirmed), ["locks_both_ways"], "{confirmed:?}");
    assert!(confirmed.stderr.contains("deadlock (confirmed)"), "{confirmed:?}");
    assert!(confirmed.stderr.contains("replay: "), "{confirmed:?}");
    assert_eq!(confirmed.code(), 1);
}

#[test]
fn schedules_that_were_kept_are_followed_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(failing("loses_an_update"), folder.path().join("kept.snag")).unwrap();
    let mut command =
        snag("explored-regress", &["explore", "loses_an_update", "--iterations", "1", "--regress"]);
    let followed = outcome(command.arg(folder.path()));
    let lines = followed.stderr.lines().filter(|line| line.starts_with("test tests::loses_an_update ... "));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 2, "{followed:?}");
    assert!(lines[0].contains("FAILED in schedule 1: panicked at src/lib.rs:"), "{lines:?}");
    assert_eq!(followed.code(), 1);
}

#[test]
fn tests_are_run_and_then_explored_if_both_are_asked_for() {
    let both = call("explored-both", &["test", "--explore", "20", "adds_up"]);
    assert!(both.stdout.contains("test result: ok. 1 passed"), "{both:?}");
    assert!(both.stderr.contains("test tests::adds_up ... ok (20 schedules)"), "{both:?}");
    assert_eq!(both.code(), 0);
}

#[test]
fn a_schedule_says_what_fails_and_is_small() {
    let lost = schedule(failing("loses_an_update"));
    assert_eq!(lost["snag_schedule"], 1);
    assert_eq!((&lost["ending"], &lost["threads"]), (&"failed".into(), &4.into()), "{lost}");
    assert_eq!(lost["preemptions"], 1, "{lost}");
    let locks = schedule(failing("locks_both_ways"));
    assert_eq!((&locks["ending"], &locks["preemptions"]), (&"deadlock".into(), &1.into()), "{locks}");
    assert_eq!(schedule(failing("spins_for_ever"))["ending"], "livelock");
    assert_eq!(schedule(failing("exits"))["ending"], "exited");
    assert_eq!(schedule(failing("aborts"))["ending"], "killed");
}

/// An exploration's report, without what is of the run and not of what was found.
fn report(target: &str, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut command = snag(target, &["explore", "--format", "json", "--output"]);
    let outcome = outcome(command.arg(&file).args(arguments));
    let text = fs::read(&file).unwrap_or_else(|error| panic!("no report: {error}; {outcome:?}"));
    let mut report: Value = serde_json::from_slice(&text).expect("the report is JSON");
    let run = report.as_object_mut().and_then(|report| report.remove("run"));
    assert!(run.is_some(), "{report}");
    // A process has another number each time.
    report["warnings"] = Value::Null;
    report
}

#[test]
fn the_same_seed_gives_the_same_report_on_any_number_of_processes() {
    const TESTS: [&str; 3] = ["adds_up", "locks_both_ways", "loses_an_update"];
    let explore = |jobs, seed| {
        let options = ["--iterations", "200", "--jobs", jobs, "--seed", seed, TESTS[0], "--"];
        report("explored-alike", &[&options[..], &TESTS[1..]].concat())
    };
    let one = explore("1", "7");
    let rules: Vec<_> = one["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["deadlock", "failing_schedule", "lost_update"], "{one}");
    assert_eq!(one, explore("2", "7"));
    assert_eq!(one, explore("1", "7"));
}

/// How many schedules the test was explored under, which passes.
fn schedules(outcome: &Outcome, test: &str) -> u64 {
    let verdict = verdicts(outcome)[test];
    let number = verdict.strip_prefix("ok (").and_then(|rest| rest.split_once(' ')).map(|(number, _)| number);
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{test}: {verdict}"))
}

#[test]
fn shards_make_up_the_whole() {
    let explore = |shard| {
        let outcome = call(WHOLE, &["explore", "adds_up", "--iterations", "100", "--shard", shard]);
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        schedules(&outcome, "adds_up")
    };
    let (whole, first, second) = (explore("1/1"), explore("1/2"), explore("2/2"));
    assert_eq!(whole, 100);
    assert!(first > 1 && second > 1, "{first} and {second}");
    // Each shard has to make the first execution, from which the others follow.
    assert_eq!((first - 1) + (second - 1), whole - 1, "{first} and {second}");
}

#[test]
fn a_failure_is_found_in_one_shard_or_the_other_as_in_the_whole() {
    let explore = |shard| {
        let options = ["explore", "locks_both_ways", "--iterations", "100", "--shard", shard];
        call("explored-shards", &options).code()
    };
    assert_eq!(explore("1/1"), 1);
    assert!([explore("1/2"), explore("2/2")].contains(&1));
}

#[test]
fn depth_first_search_says_when_there_are_no_more_schedules() {
    let outcome = call(WHOLE, &["explore", "hands_over", "--strategy", "dfs", "--iterations", "100000"]);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let verdict = verdicts(&outcome)["hands_over"];
    assert!(verdict.starts_with("ok (all "), "{verdict}");
    let few = call(WHOLE, &["explore", "hands_over", "--strategy", "dfs", "--iterations", "10"]);
    assert_eq!(verdicts(&few)["hands_over"], "ok (10 schedules)");
}

/// The tests that are listed.
fn listed(outcome: &Outcome) -> Vec<&str> {
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let mut names: Vec<_> = outcome.stdout.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    names.sort_unstable();
    names
}

#[test]
fn filters_mean_what_libtest_means() {
    for (arguments, least) in [
        (&["--", "--list"][..], 20),
        (&["spins", "--", "--list"], 2),
        (&["spins", "--", "--list", "panics"], 5),
        (&["--", "--list", "--skip", "spins", "--skip=panics"], 10),
        (&["loses_an_update", "--", "--list", "--exact"], 0),
        (&["tests::loses_an_update", "--", "--list", "--exact"], 1),
        (&["--", "--list", "--exact", "--skip", "tests::loses_an_update", "--skip", "adds_up"], 20),
        (&["--", "--list", "--ignored"], 1),
        (&["--", "--list", "--include-ignored", "--test-threads", "2", "ignored"], 1),
        (&["no_such_test", "--", "--list"], 0),
    ] {
        let of_snag = call(WHOLE, &[&["explore"], arguments].concat());
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet"]).args(arguments).current_dir(explored());
        let of_libtest = outcome(cargo.env("CARGO_TARGET_DIR", snag_tests::target_folder(WHOLE)));
        assert_eq!(listed(&of_snag), listed(&of_libtest), "{arguments:?}");
        assert!(listed(&of_snag).len() >= least, "{arguments:?}: {of_snag:?}");
        assert_eq!(names(&of_snag), [""; 0], "{arguments:?}: what is listed is not run");
    }
}

#[test]
fn only_what_the_filter_takes_is_explored() {
    let explore = |arguments: &[&str]| {
        let outcome = call(WHOLE, &[&["explore", "--iterations", "3"], arguments].concat());
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        names(&outcome).join(" ")
    };
    assert_eq!(explore(&["adds_up"]), "adds_up");
    assert_eq!(explore(&["adds_up", "--", "hands", "--skip", "adds"]), "hands_over");
    assert_eq!(explore(&["tests::starts_no_thread", "--", "--exact"]), "starts_no_thread");
    assert_eq!(explore(&["starts_no", "--", "--exact"]), "");
    assert_eq!(explore(&["--", "--ignored"]), "ignored");
    assert_eq!(explore(&["ignored"]), "");
    assert_eq!(explore(&["ignored", "--", "--include-ignored"]), "ignored");
}

/// Exit code 2, and one error that says all of this, before cargo is called.
fn assert_refused(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code(), 2, "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{word} is missing in: {}", outcome.stderr);
    }
    let errors = outcome.stderr.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(errors, 1, "{}", outcome.stderr);
    for built in ["Compiling", "Finished"] {
        assert!(!outcome.stderr.contains(built), "{}", outcome.stderr);
    }
    assert_eq!(outcome.stdout, "");
}

#[test]
fn bad_usage_is_refused_before_anything_is_built() {
    for (arguments, words) in [
        (&["--shard", "3/2"][..], &["3/2", "--shard <I/N>", "`I/N`"][..]),
        (&["--shard", "0/2"], &["0/2", "--shard <I/N>"]),
        (&["--time", "soon"], &["soon", "--time <TIME>"]),
        (&["--strategy", "best"], &["best", "--strategy <NAMES>", "random", "surw", "dfs"]),
        (&["--strategy", "random,best"], &["best", "--strategy <NAMES>"]),
        (&["--iterations", "many"], &["many", "--iterations <N>"]),
        (&["--max-steps", "0"], &["0", "--max-steps <N>"]),
        (&["--format", "morse"], &["morse", "human", "json", "short"]),
    ] {
        assert_refused(&call("explored-never", &[&["explore"], arguments].concat()), words);
    }
    assert_refused(&call("explored-never", &["replay"]), &["<FILE>"]);
    assert!(!snag_tests::target_folder("explored-never").join("snag/explore").exists());
}

fn replay(file: &Path, arguments: &[&str]) -> Outcome {
    outcome(snag(WHOLE, &["replay"]).arg(file).args(arguments))
}

#[test]
fn a_replay_is_the_same_each_time_and_shows_each_threads_steps() {
    let replayed = replay(failing("loses_an_update"), &["--times", "50"]);
    assert_eq!(replayed.code(), 1, "{replayed:?}");
    let verdict = verdicts(&replayed)["loses_an_update"];
    assert!(
        verdict.starts_with("replayed 50 times, each time the same: panicked at src/lib.rs:"),
        "{verdict}"
    );
    for rule in ["failing_schedule (confirmed)", "lost_update (confirmed)"] {
        assert!(replayed.stderr.contains(rule), "{}", replayed.stderr);
    }
    let mut lines = replayed.stdout.lines();
    let head = lines.next().unwrap_or_default();
    let lane = |name| head.find(name).unwrap_or_else(|| panic!("no lane of {name}: {}", replayed.stdout));
    let lanes = [lane("left"), lane("right")];
    let steps = |what: &str| {
        let rows = replayed.stdout.lines().filter(|line| line.contains(what) && line.contains("src/lib.rs:"));
        let mut columns: Vec<_> = rows.filter_map(|line| line.find(what)).collect();
        columns.sort_unstable();
        columns
    };
    assert_eq!(steps("reads 0 from `count`"), lanes, "{}", replayed.stdout);
    assert_eq!(steps("writes 1 to `count`"), lanes, "{}", replayed.stdout);
    let preempted = lines.filter(|line| line.starts_with("! ")).count();
    assert_eq!(preempted, 1, "{}", replayed.stdout);
}

#[test]
fn whatever_the_ending_a_replay_comes_to_it() {
    for (test, ending) in [
        ("locks_both_ways", "deadlock"),
        ("spins_for_ever", "livelock"),
        ("exits", "the process exits with code 3"),
        ("aborts", "killed by signal 6"),
        ("err_is_returned", "the test returned"),
        ("panics_for_another_reason", "for no reason"),
    ] {
        let replayed = replay(failing(test), &["--times", "2"]);
        assert_eq!(replayed.code(), 1, "{replayed:?}");
        let verdict = verdicts(&replayed)[test];
        let begins = "replayed 2 times, each time the same: ";
        assert!(verdict.starts_with(begins) && verdict.contains(ending), "{test}: {verdict}");
    }
}

#[test]
fn the_steps_of_a_replay_are_data_if_asked_for() {
    let replayed = replay(failing("loses_an_update"), &["--format", "json"]);
    assert_eq!(replayed.code(), 1, "{replayed:?}");
    let steps: Value = serde_json::from_str(&replayed.stdout).expect("the standard output is JSON");
    assert_eq!(steps["threads"], serde_json::json!(["main", "tests::loses_an_update", "left", "right"]));
    assert!(steps["hidden"].as_u64() > Some(0), "{steps}");
    let rows = steps["rows"].as_array().expect("there are rows");
    let numbers: Vec<_> = rows.iter().map(|row| row["step"].as_u64().expect("a step has a number")).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{steps}");
    let of = |action: &str| {
        let rows = rows.iter().filter(|row| row["action"] == action);
        let mut threads: Vec<_> = rows
            .inspect(|row| assert_eq!(row["place"]["file"], "src/lib.rs", "{steps}"))
            .map(|row| row["thread"].as_u64().expect("a row has a thread"))
            .collect();
        threads.sort_unstable();
        threads
    };
    assert_eq!(of("reads 0 from `count`"), [2, 3], "{steps}");
    assert_eq!(of("writes 1 to `count`"), [2, 3], "{steps}");
    assert_eq!(rows.iter().filter(|row| row["switch"] == "preempted").count(), 1, "{steps}");
}

#[test]
fn a_schedule_of_another_build_is_refused_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
        fs::copy(explored().join(file), folder.path().join(file)).unwrap();
    }
    let file = folder.path().join("kept.snag");
    fs::copy(failing("loses_an_update"), &file).unwrap();
    let replay = |force: &[&str]| {
        let mut command = snag_in(folder.path(), ["replay", "kept.snag"].iter().chain(force));
        outcome(command.env("CARGO_TARGET_DIR", folder.path().join("target")))
    };
    let code = fs::read_to_string(explored().join("src/lib.rs")).unwrap();
    // Same lines, and other instructions in another test.
    let changed = code.replace("assert_eq!(1 + 1, 2);", "assert_eq!(std::hint::black_box(1) + 1, 2);");
    assert_ne!(code, changed);
    fs::write(folder.path().join("src/lib.rs"), changed).unwrap();
    let refused = replay(&[]);
    assert_eq!(refused.code(), 2, "{refused:?}");
    for word in ["another build", "the code of this binary is different", "help:", "`--force`"] {
        assert!(refused.stderr.contains(word), "{word} is missing in: {}", refused.stderr);
    }
    let forced = replay(&["--force"]);
    assert_eq!(forced.code(), 1, "{forced:?}");
    let verdict = verdicts(&forced)["loses_an_update"];
    assert!(verdict.contains("panicked at src/lib.rs:"), "{verdict}");
    assert!(forced.stderr.contains("warning: the schedule was made for another build"), "{forced:?}");
}

#[test]
fn what_is_no_schedule_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(failing("loses_an_update")).unwrap();
    let replay_of = |text: &[u8]| {
        let file = folder.path().join("bad.snag");
        fs::write(&file, text).unwrap();
        replay(&file, &[])
    };
    let no_schedule = ["bad.snag is no schedule of snag", "help:", "`cargo snag explore`"];
    assert_refused(&replay_of(b"\xff\xfe\x00"), &no_schedule);
    assert_refused(&replay_of(b""), &no_schedule);
    assert_refused(&replay_of(&whole.as_bytes()[..whole.len() / 2]), &no_schedule);
    assert_refused(&replay_of(b"{\"name\": \"explored\", \"version\": 1}"), &no_schedule);
    let other = whole.replace("\"snag_schedule\": 1", "\"snag_schedule\": 99");
    assert_refused(&replay_of(other.as_bytes()), &["its version is 99", "reads 1", "help:"]);
    let mut malformed = schedule(failing("loses_an_update"));
    malformed["schedule"] = "0*5 what".into();
    assert_refused(&replay_of(malformed.to_string().as_bytes()), &["its `schedule` is malformed"]);
    assert_refused(&replay(&folder.path().join("none.snag"), &[]), &["failed to read", "none.snag"]);
    assert_refused(&replay(folder.path(), &[]), &["failed to read"]);
}

#[test]
fn a_schedule_that_leads_elsewhere_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elsewhere.snag");
    let mut schedule = schedule(failing("loses_an_update"));
    schedule["schedule"] = "0*1 3*1".into();
    fs::write(&file, schedule.to_string()).unwrap();
    let replayed = replay(&file, &[]);
    assert_eq!(replayed.code(), 1, "{replayed:?}");
    let verdict = verdicts(&replayed)["loses_an_update"];
    assert!(verdict.starts_with("DIFFERS in replay 1 of 1: it goes another way at step"), "{verdict}");
}

#[test]
fn a_schedule_of_a_test_or_binary_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.snag");
    for (field, value, said) in [
        ("test", "tests::no_such_test", "no test `tests::no_such_test`"),
        ("binary", "no_such_binary", "no binary `no_such_binary`"),
    ] {
        let mut schedule = schedule(failing("loses_an_update"));
        schedule[field] = value.into();
        fs::write(&file, schedule.to_string()).unwrap();
        let refused = replay(&file, &[]);
        assert_eq!(refused.code(), 2, "{refused:?}");
        assert!(refused.stderr.contains(said) && refused.stderr.contains("help:"), "{}", refused.stderr);
    }
}
