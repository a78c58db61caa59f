//! What recording costs: the same program under the plain std, under the facade with recording off,
//! and recorded. `cargo bench -p snag-tests --bench recording` prints medians and ratios.
//!
//! The three variants run in turn, so that a drift of the machine's speed hits them alike; compare
//! the columns of one run, never absolute numbers of two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};

const ROUNDS: usize = 7;
const VARIANTS: [&str; 3] = ["plain std", "facade, off", "recorded"];

type Samples = BTreeMap<String, [Vec<f64>; 3]>;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flags = facade_flags();
    let plain = compile(folder.path(), "plain", &[]);
    let facade = compile(folder.path(), "facade", &flags);
    let mut samples = Samples::new();
    for _ in 0..ROUNDS {
        sample(&mut samples, 0, &mut Command::new(&plain));
        sample(&mut samples, 1, &mut Command::new(&facade));
        let run = run_folder(folder.path());
        sample(&mut samples, 2, Command::new(&facade).env(RUN_ENV, &run));
        std::fs::remove_dir_all(run).expect("the run folder can be removed");
    }
    print(&samples);
}

/// The flags that put the facade under a crate, from the product itself.
fn facade_flags() -> Vec<String> {
    let build = Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "cargo-snag", "--message-format=json-render-diagnostics"])
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "cargo-snag does not build");
    let text = String::from_utf8_lossy(&build.stdout);
    let binary = text
        .split("\"executable\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.ends_with("cargo-snag"))
        .expect("cargo names the binary");
    let output = Command::new(binary).args(["snag", "__sysroot"]).output().expect("cargo-snag runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn compile(folder: &Path, name: &str, flags: &[String]) -> PathBuf {
    let binary = folder.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/recording/program.rs");
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "codegen-units=1", "--crate-name", "program"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(&binary)
        .status()
        .expect("rustc runs");
    assert!(status.success(), "the measured program does not compile");
    binary
}

fn run_folder(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    std::fs::create_dir(&run).expect("the run folder can be made");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    std::fs::write(run.join(CLOCK_FILE), page).expect("the clock page can be written");
    run
}

fn sample(samples: &mut Samples, variant: usize, command: &mut Command) {
    let output = command.output().expect("the measured program runs");
    assert!(output.status.success());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, value) = line.split_once(' ').expect("`name value`");
        let value = value.parse().expect("a number");
        samples.entry(name.to_owned()).or_default()[variant].push(value);
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn print(samples: &Samples) {
    println!("medians of {ROUNDS} rounds, ns per operation; ratios to the plain std");
    println!(
        "{:<24}{:>12}{:>14}{:>12}{:>10}{:>10}{:>12}",
        "", VARIANTS[0], VARIANTS[1], VARIANTS[2], "off/plain", "rec/plain", "rec - plain"
    );
    for (name, variants) in samples {
        let [plain, off, recorded] = [0, 1, 2].map(|variant: usize| median(&variants[variant]));
        println!(
            "{name:<24}{plain:>12.1}{off:>14.1}{recorded:>12.1}{:>10.2}{:>10.2}{:>12.1}",
            off / plain,
            recorded / plain,
            recorded - plain
        );
    }
}
