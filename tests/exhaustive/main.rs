//! Exhaustive exploration, through the real `cargo snag explore --exhaustive`: litmus tests, of which all
//! outcomes that C++20's memory model allows must be seen and no other one, and algorithms, right ones of
//! which all executions pass, and the same with one ordering too weak, which must be found.
//!
//! `SNAG_LITMUS=all` includes the litmus tests that take thousands of executions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use snag_tests::outcome::{Outcome, run_for};
use snag_tests::{repository, snag, target_folder};

/// No exploration takes longer, its build and the wait for other builds included.
const LIMIT: Duration = Duration::from_secs(600);

fn explore(package: &str, arguments: &[&str], variables: &[(&str, &Path)]) -> Outcome {
    let mut command = snag(&repository().join("tests/exhaustive").join(package));
    command.args(["explore", "--exhaustive"]).args(arguments);
    command.env("CARGO_TARGET_DIR", target_folder("exhaustive")).envs(variables.iter().copied());
    let outcome = run_for(&mut command, LIMIT).expect("cargo-snag runs");
    assert!(!outcome.timed_out, "the exploration did not end: {outcome:?}");
    outcome
}

/// What is said of each test.
fn verdicts(outcome: &Outcome) -> BTreeMap<String, String> {
    let lines = outcome.stderr.lines().filter_map(|line| line.strip_prefix("test "));
    let pairs = lines.filter_map(|line| line.split_once(" ... "));
    pairs.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())).collect()
}

/// How many executions there were, if they are all there are.
fn all_of(verdict: &str) -> Option<u64> {
    verdict.strip_prefix("ok (all ")?.strip_suffix(" schedules)")?.parse().ok()
}

#[test]
fn right_algorithms_are_exhausted_and_weakened_ones_are_found() {
    let outcome = explore("algorithms", &[], &[]);
    let verdicts = verdicts(&outcome);
    assert_eq!(verdicts.len(), 16, "{outcome:?}");
    for (name, verdict) in &verdicts {
        if name.ends_with("_weak") {
            assert!(verdict.starts_with("FAILED in schedule "), "{name}: {verdict}");
        } else {
            assert!(all_of(verdict).is_some(), "{name}: {verdict}");
        }
    }
    assert_eq!(outcome.code(), 1);
}

#[test]
fn litmus_tests_have_the_outcomes_that_the_memory_model_allows_and_no_other_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen");
    let ignored: &[&str] =
        if env::var_os("SNAG_LITMUS").is_some() { &["--", "--include-ignored"] } else { &[] };
    let outcome = explore("litmus", ignored, &[("LITMUS", &file)]);
    for (name, verdict) in verdicts(&outcome) {
        assert!(all_of(&verdict).is_some(), "{name}: {verdict}");
    }
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let mut seen: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(&file).expect("they have written what they saw").lines() {
        let [test, ordering, values] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        seen.entry((test.to_owned(), ordering.to_owned())).or_default().insert(values.to_owned());
    }
    assert!(seen.len() >= 60, "{} tests have seen something", seen.len());
    for ((test, ordering), values) in &seen {
        let allowed: BTreeSet<_> = allowed(test, ordering).into_iter().collect();
        assert_eq!(values, &allowed, "{test} {ordering}");
    }
}

/// All rows of so many values, each one of these.
fn rows(values: &[u8], length: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for _ in 0..length {
        rows = rows.iter().flat_map(|row| values.iter().map(move |value| format!("{row}{value}"))).collect();
    }
    rows
}

fn without(rows: Vec<String>, excluded: &[&str]) -> Vec<String> {
    rows.into_iter().filter(|row| !excluded.contains(&row.as_str())).collect()
}

/// The outcomes that C++20 allows, [intro.races], [atomics.order] and [atomics.fences]; of load buffering those
/// that an execution in turns can show.
fn allowed(test: &str, ordering: &str) -> Vec<String> {
    let (store, load) = ordering.split_once('_').unwrap_or((ordering, ""));
    let synchronizes = ["release", "seqcst"].contains(&store) && ["acquire", "seqcst"].contains(&load);
    let is_sequential = (store, load) == ("seqcst", "seqcst");
    let bits = |length| rows(&[0, 1], length);
    let listed = |text: &str| text.split(' ').map(str::to_owned).collect();
    match (test, ordering) {
        ("store_buffering", _) => without(bits(2), if is_sequential { &["00"] } else { &[] }),
        ("message_passing", _) => without(bits(2), if synchronizes { &["10"] } else { &[] }),
        ("load_buffering", _) => without(bits(2), &["11"]),
        ("two_plus_two", _) => without(rows(&[1, 2], 2), if store == "seqcst" { &["11"] } else { &[] }),
        ("causality", _) => without(bits(3), if synchronizes { &["110"] } else { &[] }),
        // Loads alone that are sequentially consistent make it so.
        ("independent_reads", _) => without(bits(4), if load == "seqcst" { &["1010"] } else { &[] }),
        ("fenced", "store_buffering_seqcst") => without(bits(2), &["00"]),
        ("fenced", "message_passing_release_acquire") => without(bits(2), &["10"]),
        ("fenced", _) => bits(2),
        ("coherence", "of_two_reads") => listed("00 01 02 11 12 22"),
        ("coherence", "of_a_write_and_a_read") => listed("1 2"),
        ("coherence", _) => of_two_writers(),
        ("release_sequence", "goes_on_in_an_update") => listed("00 01 10 11 21"),
        ("release_sequence", _) => listed("00 01 11 20 21"),
        ("exchange", "succeeds_once") => listed("01 10"),
        ("exchange", _) => listed("012 102"),
        _ => panic!("{test} is not known"),
    }
}

/// Each thread reads twice what it has written itself or what the other one has, if that comes later: whoever
/// comes second never sees the first.
fn of_two_writers() -> Vec<String> {
    let mut rows = Vec::new();
    for second in [1, 2] {
        for seen in [[0, 0], [0, 1], [1, 1]] {
            let first = 3 - second;
            let of_first = seen.map(|later| if later == 1 { second } else { first });
            let of_second = [second; 2];
            let row = if first == 1 { [of_first, of_second] } else { [of_second, of_first] };
            rows.push(row.concat().iter().map(ToString::to_string).collect());
        }
    }
    rows
}
