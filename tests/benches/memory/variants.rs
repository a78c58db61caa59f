//! The kernels, built three ways.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use snag_tests::recorded::Recorded;
use snag_tests::{repository, target_folder};

/// One way to build and run them.
#[derive(Debug)]
pub enum Variant {
    /// As cargo does.
    Plain(PathBuf),
    /// With rustc's ThreadSanitizer.
    Sanitized(PathBuf),
    /// With snag.
    Recorded(Recorded),
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

impl Variant {
    /// What tables call it.
    pub fn name(&self) -> &'static str {
        match self {
            Variant::Plain(_) => "plain",
            Variant::Sanitized(_) => "TSan",
            Variant::Recorded(_) => "snag",
        }
    }

    /// The program, with what it needs in its environment. A recording goes below `scratch`.
    pub fn command(&self, scratch: &Path) -> Command {
        match self {
            Variant::Plain(executable) => Command::new(executable),
            Variant::Sanitized(executable) => {
                let mut command = Command::new(executable);
                command.env("TSAN_OPTIONS", "report_bugs=0");
                command
            }
            Variant::Recorded(recorded) => {
                let run = scratch.join("run");
                recorded.new_run(&run).expect("the run folder can be written");
                recorded.command(&run)
            }
        }
    }
}

/// All three, in the order of [`crate::measure::Measured`].
pub fn build_all() -> [Variant; 3] {
    let folder = repository().join("tests/benches/memory/kernels");
    let flags = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
    let sanitized = [("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", flags)];
    let recorded = Recorded::build(&folder, &["--release"], &target_folder("memory-snag"));
    [
        Variant::Plain(build(&folder, "memory-plain", &[])),
        Variant::Sanitized(build(&folder, "memory-tsan", &sanitized)),
        Variant::Recorded(recorded.unwrap_or_else(|error| panic!("{error}"))),
    ]
}

/// Builds with cargo alone, into a target folder of its own.
fn build(folder: &Path, target: &str, variables: &[(&str, &str)]) -> PathBuf {
    let target = target_folder(target);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .current_dir(folder)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the kernels do not build");
    target.join(TARGET).join("release/kernels")
}
