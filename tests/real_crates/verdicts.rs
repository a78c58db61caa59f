//! How each test of a suite ended, from what libtest printed.

use std::collections::BTreeMap;

/// By test, how it ended, sorted: several targets may have tests of one name.
pub type Verdicts = BTreeMap<String, Vec<String>>;

/// Reads libtest's lines. A test that wrote past libtest's capture spoils its own line, which is then
/// not counted on either side.
pub fn read(output: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for line in output.lines() {
        let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        else {
            continue;
        };
        let verdict = verdict.split([',', ' ']).next().unwrap_or_default();
        if matches!(verdict, "ok" | "FAILED" | "ignored") {
            verdicts.entry(name.to_owned()).or_default().push(verdict.to_owned());
        }
    }
    for of_one_name in verdicts.values_mut() {
        of_one_name.sort();
    }
    verdicts
}

/// How many tests passed.
pub fn passed(verdicts: &Verdicts) -> usize {
    verdicts.values().flatten().filter(|verdict| *verdict == "ok").count()
}

/// Tests that did not end the same way, one line each.
pub fn differences(without: &Verdicts, with: &Verdicts) -> Vec<(String, String)> {
    let names = without.keys().chain(with.keys().filter(|name| !without.contains_key(*name)));
    let said = |verdicts: &Verdicts, name| {
        verdicts.get(name).map_or_else(|| "not run".to_owned(), |verdicts| verdicts.join(" "))
    };
    let differing = names.filter(|name| without.get(*name) != with.get(*name));
    differing
        .map(|name| {
            (name.clone(), format!("{} without snag, {} with it", said(without, name), said(with, name)))
        })
        .collect()
}

#[test]
fn verdicts_are_read_from_libtest_lines() {
    let verdicts =
        read("running 3 tests\ntest a ... ok\ntest b - should panic ... FAILED\ntest c ... ignored, slow\n");
    assert_eq!(verdicts.keys().collect::<Vec<_>>(), ["a", "b - should panic", "c"]);
    assert_eq!((passed(&verdicts), verdicts["c"][0].as_str()), (1, "ignored"));
}

#[test]
fn a_test_that_is_missing_on_either_side_is_a_difference() {
    let (without, with) = (read("test a ... ok\ntest b ... ok"), read("test a ... FAILED\ntest c ... ok"));
    let names: Vec<_> = differences(&without, &with).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(differences(&without, &without), []);
}
