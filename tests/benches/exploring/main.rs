//! How many executions per second `cargo snag explore` makes of five small tests, with and without memory
//! under control, against the same tests ported to shuttle and run by shuttle's own runner in one process;
//! and how many executions `--exhaustive` makes of them, against the same tests ported to loom.
//! `cargo bench -p snag-tests --bench exploring` prints medians and ratios.
//!
//! The variants run in turn, so that a drift of the machine's speed hits them alike. What snag needs to
//! begin (cargo, the process that serves) is the same for many executions as for few, and is subtracted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use snag_tests::{snag, target_folder};

const ROUNDS: usize = 3;
const TESTS: [&str; 5] = ["mutex", "atomic", "channel", "condvar", "rwlock"];
/// Executions of snag's, to be compared with so many more.
const FEW: u64 = 200;
const MORE: u64 = 2000;
/// Executions of shuttle's.
const SHUTTLES: u64 = 20_000;

/// Arguments beside those that all have, and what the column is called.
const VARIANTS: [(&str, &[&str]); 3] = [
    ("snag", &["--jobs", "1"]),
    ("snag, 2 jobs", &["--jobs", "2"]),
    ("snag --no-memory", &["--jobs", "1", "--no-memory"]),
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/exploring/subjects");
    print_exhaustive(&folder);
    let shuttle = build_for(&folder, "shuttle");
    let mut rates: BTreeMap<(&str, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let shuttles = shuttle_rates(&shuttle);
        for (test, rate) in TESTS.into_iter().zip(shuttles) {
            rates.entry((test, 0)).or_default().push(rate);
            for (at, (_, arguments)) in VARIANTS.iter().enumerate() {
                let seconds =
                    explored(&folder, test, arguments, FEW + MORE) - explored(&folder, test, arguments, FEW);
                rates.entry((test, at + 1)).or_default().push(MORE as f64 / seconds);
            }
        }
    }
    print(&rates);
}

/// Builds the tests over stand-ins for std.
fn build_for(folder: &Path, feature: &str) -> PathBuf {
    let target = target_folder("exploring").join(feature);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--features", feature])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(folder)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the tests do not compile over {feature}");
    target.join("release/subjects")
}

/// Executions and seconds of each test: loom's, and snag's.
fn print_exhaustive(folder: &Path) {
    let output = Command::new(build_for(folder, "loom")).output().expect("the tests run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = target_folder("exploring").join("result.json");
    let mut command = snag(folder);
    command.args(["explore", "--exhaustive", "--quiet", "--release", "--lib", "--result"]).arg(&result);
    command.env("CARGO_TARGET_DIR", target_folder("exploring"));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("cargo-snag runs");
    assert!(status.success(), "exploring failed");
    let result: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&result).expect("there is a result")).expect("it is JSON");
    let parts = result["parts"].as_array().into_iter().flatten();
    let tests: Vec<_> = parts.filter_map(|part| part["tests"].as_array()).flatten().collect();
    println!(
        "{:<10}{:>20}{:>12}{:>20}{:>12}",
        "test", "loom's executions", "seconds", "snag's executions", "seconds"
    );
    for line in text.lines() {
        let [test, executions, seconds] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let seconds: f64 = seconds.parse().expect("a number");
        let own = tests.iter().find(|own| own["test"] == format!("tests::{test}")).expect("it was explored");
        let (own_executions, own_seconds) = (&own["executions"], own["seconds"].as_f64().unwrap_or(0.0));
        println!("{test:<10}{executions:>20}{seconds:>12.5}{own_executions:>20}{own_seconds:>12.5}");
    }
    println!();
}

/// Executions per second of each test.
fn shuttle_rates(program: &Path) -> Vec<f64> {
    let output = Command::new(program).arg(SHUTTLES.to_string()).output().expect("the tests run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let seconds = text.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let rates: Vec<f64> = seconds.map(|seconds| SHUTTLES as f64 / seconds).collect();
    assert_eq!(rates.len(), TESTS.len(), "{text}");
    rates
}

/// Seconds that an exploration takes.
fn explored(folder: &Path, test: &str, arguments: &[&str], iterations: u64) -> f64 {
    let mut command = snag(folder);
    command.args(["explore", "--quiet", "--release", "--lib", "--strategy", "random"]).args(arguments);
    command.args(["--iterations", &iterations.to_string(), &format!("tests::{test}"), "--", "--exact"]);
    command.env("CARGO_TARGET_DIR", target_folder("exploring"));
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("cargo-snag runs");
    assert!(status.success(), "exploring `{test}` failed");
    begun.elapsed().as_secs_f64()
}

fn print(rates: &BTreeMap<(&str, usize), Vec<f64>>) {
    let median = |test, column| {
        let mut sorted = rates[&(test, column)].clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    print!("{:<10}{:>12}", "test", "shuttle/s");
    VARIANTS.iter().for_each(|(name, _)| print!("{name:>18}/s{:>8}", "ratio"));
    println!();
    for test in TESTS {
        let shuttle = median(test, 0);
        print!("{test:<10}{shuttle:>12.0}");
        for column in 1..=VARIANTS.len() {
            print!("{:>20.0}{:>8.3}", median(test, column), median(test, column) / shuttle);
        }
        println!();
    }
}
