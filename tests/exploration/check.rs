//! One exploration of one fixture, held against what the fixture says.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use snag_tests::fixture::Fixture;
use snag_tests::outcome::{Outcome, run_for};
use snag_tests::{snag, target_folder};

/// No exploration takes longer, its build and the wait for other builds included, for every thousand
/// schedules.
const LIMIT: Duration = Duration::from_secs(180);

/// Schedules of a program in which something must be found.
const UNTIL_FOUND: u64 = 1000;
/// Schedules of a program in which nothing may be found, if `SNAG_ITERATIONS` says nothing else.
const WITHOUT: u64 = 100;
/// Replays of each schedule, if `SNAG_REPLAYS` says nothing else.
const REPLAYS: u64 = 10;
/// Preemptions that a schedule may need.
const FEW: u64 = 3;

/// Explores a fixture, and says what is not as it should be.
pub fn explored(fixture: &Fixture) -> Result<(), String> {
    let has_bug = !fixture.marks.is_empty();
    let iterations = if has_bug { UNTIL_FOUND } else { number_from("SNAG_ITERATIONS", WITHOUT)? };
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("report.json");
    let mut command = snag(fixture.folder.parent().unwrap_or(&fixture.folder));
    command.args(["explore", "--package", &fixture.name, "--bin", &fixture.name]);
    command.args(["--seed", &number_from("SNAG_SEED", 1)?.to_string()]);
    command.args(["--iterations", &iterations.to_string(), "--format", "json", "--output"]).arg(&file);
    command.env("CARGO_TARGET_DIR", target_folder("fixtures"));
    let limit = LIMIT * u32::try_from(iterations.div_ceil(1000)).unwrap_or(u32::MAX);
    let outcome =
        run_for(&mut command, limit).map_err(|error| format!("failed to run cargo-snag: {error}"))?;
    let fail = |problems: &str| {
        let Outcome { stdout, stderr, .. } = &outcome;
        format!("{problems}\n--- stdout ---\n{stdout}\n--- stderr ---\n{stderr}")
    };
    if outcome.timed_out {
        return Err(fail("the exploration did not end"));
    }
    if let Some(place) = forking_place(&outcome.stderr) {
        return if forks_at(fixture, place) { Ok(()) } else { Err(fail("it does not fork there")) };
    }
    let text = fs::read_to_string(&file).map_err(|error| fail(&format!("no report: {error}")))?;
    let report: Value = serde_json::from_str(&text).map_err(|error| fail(&format!("{error} in {text}")))?;
    let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let mut problems =
        if has_bug { without_rule(fixture, findings)? } else { false_alarms(findings, &outcome.stderr) };
    for file in findings.iter().filter_map(|finding| finding["schedule"].as_str()) {
        problems.extend(replayed(fixture, file)?);
    }
    if outcome.stderr.contains("goes two ways") {
        problems.push("it is not the same when executed twice".to_owned());
    }
    let is_denied = findings.iter().any(|finding| finding["certainty"] != "potential");
    if outcome.code() != i32::from(is_denied) {
        problems.push(format!("the exit code is {}", outcome.code()));
    }
    if problems.is_empty() { Ok(()) } else { Err(fail(&problems.join("\n"))) }
}

/// Where the exploration says that a program forks, which cannot be explored.
fn forking_place(said: &str) -> Option<&str> {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("test main ... skipped: not explorable: forks at "))?;
    line.split(", ").next()
}

/// Whether there is a fork at `file:line`, as seen from the workspace.
fn forks_at(fixture: &Fixture, place: &str) -> bool {
    let Some((file, line)) = place.rsplit_once(':') else { return false };
    let root = fixture.folder.parent().unwrap_or(&fixture.folder);
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let line = line.parse::<usize>().ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    line.is_some_and(|line| line.contains("fork("))
}

fn number_from(variable: &str, otherwise: u64) -> Result<u64, String> {
    match env::var(variable) {
        Ok(text) => text.parse().map_err(|_| format!("{variable} is a number, not {text:?}")),
        Err(_) => Ok(otherwise),
    }
}

/// Replays a schedule `SNAG_REPLAYS` times, each of which must be the same.
fn replayed(fixture: &Fixture, file: &str) -> Result<Option<String>, String> {
    let times = number_from("SNAG_REPLAYS", REPLAYS)?;
    let mut command = snag(fixture.folder.parent().unwrap_or(&fixture.folder));
    command.args(["replay", file, "--times", &times.to_string()]);
    command.env("CARGO_TARGET_DIR", target_folder("fixtures"));
    let limit = LIMIT * u32::try_from(times.div_ceil(1000)).unwrap_or(u32::MAX);
    let outcome =
        run_for(&mut command, limit).map_err(|error| format!("failed to run cargo-snag: {error}"))?;
    let is_same = outcome.stderr.contains(&format!("replayed {times} times, each time the same: "));
    Ok((!is_same).then(|| format!("{file} replays differently:\n{}", outcome.stderr)))
}

/// Marks of whose rules none was found, and schedules that are larger than they need be.
fn without_rule(fixture: &Fixture, findings: &[Value]) -> Result<Vec<String>, String> {
    let missing = fixture.marks.iter().filter(|mark| !findings.iter().any(|finding| mark.names(finding)));
    let mut problems: Vec<_> = missing.map(|mark| format!("not found: {mark}")).collect();
    for finding in findings {
        let Some(file) = finding["schedule"].as_str() else { continue };
        let preemptions = preemptions_of(Path::new(file))?;
        if preemptions > FEW {
            problems.push(format!("{}: {preemptions} preemptions in {file}", finding["rule"]));
        }
    }
    Ok(problems)
}

fn preemptions_of(file: &Path) -> Result<u64, String> {
    let failed = |what: String| format!("{}: {what}", file.display());
    let text = fs::read(file).map_err(|error| failed(error.to_string()))?;
    let schedule: Value = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
    schedule["preemptions"].as_u64().ok_or_else(|| failed("no number of preemptions".to_owned()))
}

/// What is found where nothing is to be found.
fn false_alarms(findings: &[Value], said: &str) -> Vec<String> {
    let certain = findings.iter().filter(|finding| finding["certainty"] != "potential");
    let mut problems: Vec<_> = certain
        .map(|finding| {
            format!("found {} ({}): {}", finding["rule"], finding["certainty"], finding["message"])
        })
        .collect();
    if !said.lines().any(|line| line.starts_with("test main ... ok (")) {
        problems.push("it did not pass".to_owned());
    }
    problems
}
