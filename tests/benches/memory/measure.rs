//! One run of one kernel.

use std::time::Duration;

use snag_tests::outcome::run_for;

use crate::variants::Variant;

/// A kernel that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time, in milliseconds.
    pub cpu: f64,
    /// Most memory that was resident, in MiB.
    pub peak: f64,
}

/// Costs of the plain program, under ThreadSanitizer, and under snag; nothing where it failed.
pub type Measured = [Option<Cost>; 3];

impl Cost {
    /// The lesser of each.
    pub fn least(one: Option<Cost>, other: Option<Cost>) -> Option<Cost> {
        match (one, other) {
            (Some(one), Some(other)) => {
                Some(Cost { cpu: one.cpu.min(other.cpu), peak: one.peak.min(other.peak) })
            }
            (one, other) => one.or(other),
        }
    }
}

/// Runs a kernel and reads what it says of itself. A run that fails is shown and gives nothing.
pub fn run(variant: &Variant, name: &str, scale: usize) -> Option<Cost> {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = variant.command(scratch.path());
    let outcome = run_for(command.args([name, &scale.to_string()]), LIMIT).expect("the kernels run");
    let cost = parse(&outcome.stdout);
    if cost.is_none() {
        let how =
            if outcome.timed_out { "did not end".to_owned() } else { format!("code {}", outcome.code()) };
        eprintln!("{} {name} {scale}: {how}\n{}", variant.name(), outcome.stderr);
    }
    cost
}

/// `cpu <microseconds> peak <KiB> result <anything>`.
fn parse(line: &str) -> Option<Cost> {
    let mut words = line.split_whitespace();
    let mut after = |word: &str| {
        words.next().filter(|found| *found == word)?;
        words.next()?.parse::<f64>().ok()
    };
    Some(Cost { cpu: after("cpu")? / 1000.0, peak: after("peak")? / 1024.0 })
}
