//! One crate's suite: run twice, compared, and its findings judged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use snag_tests::outcome::{Outcome, run_for};
use snag_tests::{snag, target_folder};

use crate::{source, verdicts};

/// A published crate and what is known of its suite.
pub struct Crate {
    /// Its name.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
    /// Flags for `cargo test`.
    pub flags: &'static [&'static str],
    /// Tests that may end another way with snag, and why.
    pub differing: &'static [(&'static str, &'static str)],
    /// Findings that are real: rule, the end of the path of a file that it must have a location in, or
    /// that a location's call stack must end in, and why it is real.
    pub real: &'static [(&'static str, &'static str, &'static str)],
}

/// No suite takes longer than this; one that does hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How much of each test is explored.
const EXPLORING: [&str; 4] = ["--iterations", "100", "--time", "5s"];

/// How often tests that differ are run again.
const ATTEMPTS: usize = 3;

impl Crate {
    /// Runs the suite without and with snag and compares.
    pub fn check(&self) {
        let folder = source::fetch(self.name, self.version);
        let (without, plain_time) = timed(self.plain(&folder));
        let report_file = folder.join("report.json");
        let (with, snag_time) = timed(self.recorded(&folder, &report_file));
        let before = verdicts::read(&without.stdout);
        let after = verdicts::read(&with.stdout);
        assert!(!before.is_empty(), "no test ran without snag:\n{}", without.stderr);
        let report = fs::read(&report_file)
            .ok()
            .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
            .unwrap_or_else(|| panic!("there is no report:\n{}", with.stderr));
        println!(
            "| {} {} | {} | {} | {} | {:.0} s | {:.0} s | {} |",
            self.name,
            self.version,
            verdicts::passed(&before),
            verdicts::passed(&after),
            count_by_certainty(&report),
            plain_time.as_secs_f64(),
            snag_time.as_secs_f64(),
            report["stats"]["events"],
        );
        let differences = self.settle(&folder, verdicts::differences(&before, &after));
        let mut wrong = self.unexpected_differences(&differences);
        wrong.extend(self.unexpected_findings(&report));
        assert!(wrong.is_empty(), "{} {}:\n{}", self.name, self.version, wrong.join("\n"));
    }

    /// Explores the suite's tests, and prints what came of each kind of them.
    pub fn explore(&self) {
        let folder = source::fetch(self.name, self.version);
        let (report_file, result_file) = (folder.join("explored.json"), folder.join("result.json"));
        let mut command = snag(&folder);
        command.args(["explore", "--no-fail-fast"]).args(self.flags).args(EXPLORING);
        command.arg("--result").arg(&result_file).args(["--format", "json", "--output"]).arg(&report_file);
        command.env("CARGO_TARGET_DIR", target_folder("real-crates").join("target"));
        let (outcome, time) = timed(command);
        let read = |file: &Path| {
            let text = fs::read(file).ok();
            let value = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            value.unwrap_or_else(|| panic!("there is no {}:\n{}", file.display(), outcome.stderr))
        };
        let (report, result) = (read(&report_file), read(&result_file));
        let parts = result["parts"].as_array().into_iter().flatten();
        let tests: Vec<_> = parts.filter_map(|part| part["tests"].as_array()).flatten().collect();
        let of = |outcome: &str| tests.iter().filter(|test| test["outcome"] == outcome).count();
        println!(
            "| {} {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} s |",
            self.name,
            self.version,
            tests.len(),
            of("passed") + of("exhausted"),
            of("sequential"),
            of("unfinished"),
            of("skipped"),
            of("failed"),
            count_by_certainty(&report),
            tests.iter().filter_map(|test| test["executions"].as_u64()).sum::<u64>(),
            time.as_secs_f64(),
        );
        for test in tests.iter().filter(|test| matches!(test["outcome"].as_str(), Some("skipped" | "failed")))
        {
            println!("  {}: {}: {}", test["outcome"], test["test"], test["reason"]);
        }
        let wrong = self.unexpected_findings(&report);
        assert!(wrong.is_empty(), "{} {}:\n{}", self.name, self.version, wrong.join("\n"));
    }

    /// Differences that stay when the tests are run again by themselves: what a test measures of real
    /// time is different on a busy machine, without snag as well.
    fn settle(&self, folder: &Path, mut differences: Vec<(String, String)>) -> Vec<(String, String)> {
        for _ in 0..ATTEMPTS {
            let again: Vec<_> = differences.iter().map(|(name, _)| name.clone()).collect();
            if again.is_empty() {
                break;
            }
            let alone = |mut command: Command| {
                command.args(["--", "--exact", "--test-threads=1"]).args(&again);
                verdicts::read(&timed(command).0.stdout)
            };
            let without = alone(self.plain(folder));
            let with = alone(self.recorded(folder, &folder.join("again.json")));
            let still = verdicts::differences(&without, &with);
            differences.retain(|(name, _)| still.iter().any(|(other, _)| other == name));
        }
        differences
    }

    fn plain(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--no-fail-fast"]).args(self.flags).stdin(Stdio::null()).current_dir(folder);
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTDOCFLAGS"] {
            command.env_remove(variable);
        }
        command.env("CARGO_TARGET_DIR", target_folder("real-crates").join("target"));
        command
    }

    fn recorded(&self, folder: &Path, report: &Path) -> Command {
        let mut command = snag(folder);
        command.args(["test", "--no-fail-fast"]).args(self.flags);
        command.args(["--format", "json", "--output"]).arg(report);
        command.env("CARGO_TARGET_DIR", target_folder("real-crates").join("target"));
        command
    }

    fn unexpected_differences(&self, found: &[(String, String)]) -> Vec<String> {
        let known = |name: &String| self.differing.iter().any(|(test, _)| test == name);
        let unknown = found.iter().filter(|(name, _)| !known(name));
        unknown.map(|(name, what)| format!("{name}: {what}")).collect()
    }

    fn unexpected_findings(&self, report: &Value) -> Vec<String> {
        let certain = |finding: &&Value| finding["certainty"] != "potential";
        let is_real = |finding: &&Value| {
            let locations = finding["locations"].as_array().into_iter().flatten();
            let files: Vec<_> =
                locations.flat_map(|at| [at["file"].as_str(), innermost(at)]).flatten().collect();
            let is_in = |end: &str| files.iter().any(|file| file.ends_with(end));
            self.real.iter().any(|(rule, file, _)| finding["rule"] == *rule && is_in(file))
        };
        let findings = report["findings"].as_array().into_iter().flatten();
        let wrong = findings.filter(certain).filter(|finding| !is_real(finding));
        wrong.map(|finding| format!("{finding:#}")).collect()
    }
}

/// Where a location's call stack ends outside the standard library.
fn innermost(location: &Value) -> Option<&str> {
    let frames = location["stack"].as_array()?.iter();
    let mut files = frames.filter_map(|frame| frame["place"]["file"].as_str());
    files.find(|file| !file.starts_with("~rust/"))
}

fn timed(mut command: Command) -> (Outcome, Duration) {
    let start = Instant::now();
    let outcome = run_for(&mut command, LIMIT).expect("cargo can be started");
    assert!(!outcome.timed_out, "the suite hangs:\n{}\n{}", outcome.stdout, outcome.stderr);
    (outcome, start.elapsed())
}

fn count_by_certainty(report: &Value) -> String {
    let count = |certainty: &str| {
        let findings = report["findings"].as_array().into_iter().flatten();
        findings.filter(|finding| finding["certainty"] == certainty).count()
    };
    let counts = ["confirmed", "predicted", "potential"].map(|certainty| (count(certainty), certainty));
    let named = counts.iter().filter(|(count, _)| *count > 0);
    let text: Vec<_> = named.map(|(count, certainty)| format!("{count} {certainty}")).collect();
    if text.is_empty() { "none".to_owned() } else { text.join(", ") }
}
