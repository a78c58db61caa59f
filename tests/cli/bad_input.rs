//! What snag cannot work with: one clear error, with help, and exit code 2.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use snag_tests::outcome::Outcome;

use crate::project::{Kept, kept, outcome, program, snag_in};

/// Exit code 2, and an error that says all of this.
fn assert_refused(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code(), 2, "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{word} is missing in: {}", outcome.stderr);
    }
}

fn analyze(path: &Path) -> Outcome {
    outcome(snag_in(Path::new("/"), ["analyze"]).arg(path))
}

#[test]
fn a_folder_without_a_package_is_refused_in_cargos_words() {
    let folder = tempfile::tempdir().unwrap();
    let refused = outcome(&mut snag_in(folder.path(), ["run"]));
    assert_refused(&refused, &["could not find `Cargo.toml`"]);
}

#[test]
fn a_crate_that_does_not_build_shows_cargos_error_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::copy(program().join("Cargo.toml"), folder.path().join("Cargo.toml")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "fn main() { let x: u8 = \"\"; }").unwrap();
    let refused =
        outcome(snag_in(folder.path(), ["run"]).env("CARGO_TARGET_DIR", folder.path().join("target")));
    assert_refused(&refused, &["E0308", "could not compile `program`", "--plain program"]);
    let runs = fs::read_dir(folder.path().join("target/snag/runs")).unwrap();
    assert_eq!(runs.count(), 0, "a run in which nothing ran is not kept");
}

#[test]
fn bad_usage_is_refused_before_anything_is_built() {
    let call = |arguments: &[&str]| outcome(&mut snag_in(&program(), arguments));
    assert_refused(&call(&[]), &["Usage"]);
    assert_refused(&call(&["sprint"]), &["sprint"]);
    assert_refused(&call(&["run", "--format", "morse"]), &["morse", "human", "json", "short"]);
    assert_refused(&call(&["run", "--deny", "dead_lock"]), &["dead_lock", "lock_order_inversion"]);
    assert_refused(&call(&["explain", "dead_lock"]), &["dead_lock", "lock_order_inversion"]);
    assert_refused(&call(&["run", "--no-such-flag"]), &["--no-such-flag"]);
    assert_refused(
        &call(&["run", "--target", "wasm32-unknown-unknown"]),
        &["wasm32", "x86_64-unknown-linux-gnu"],
    );
}

#[test]
fn a_std_built_by_cargo_is_refused() {
    let refused = outcome(&mut snag_in(&program(), ["test", "-Zbuild-std=std"]));
    assert_refused(&refused, &["build-std", "help:"]);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_runs() {
    let refused = outcome(&mut snag_in(&program(), ["run", "--output", "/no/such/folder/report"]));
    assert_refused(&refused, &["failed to write /no/such/folder/report"]);
    assert!(!refused.stderr.contains("Recording"), "{}", refused.stderr);
}

#[test]
fn a_toolchain_that_is_too_old_or_no_toolchain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rustc = folder.path().join("rustc");
    let old = "#!/bin/sh\necho 'rustc 1.60.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.60.0'\n";
    fs::write(&rustc, old).unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = outcome(snag_in(&program(), ["run"]).env("RUSTC", &rustc));
    assert_refused(&refused, &["1.60.0 is too old", "help:"]);
    let refused = outcome(snag_in(&program(), ["run"]).env("RUSTC", "/no/such/rustc"));
    assert_refused(&refused, &["/no/such/rustc", "help:"]);
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused(&analyze(folder.path()), &["is not a run folder", "target/snag/runs"]);
    assert_refused(&analyze(&folder.path().join("nothing")), &["nothing"]);
    let text = folder.path().join("text");
    fs::write(&text, "Not a trace, whatever its name.").unwrap();
    assert_refused(&analyze(&text), &["not a trace of snag"]);
    fs::write(folder.path().join("run.json"), "{ \"version\": ").unwrap();
    assert_refused(&analyze(folder.path()), &["run.json", "help:"]);
}

/// A run whose trace was changed.
fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> (Kept, Outcome) {
    let kept = kept(&["many"]);
    let trace = kept.trace();
    let mut bytes = fs::read(&trace).unwrap();
    change(&mut bytes);
    fs::write(&trace, bytes).unwrap();
    let outcome = outcome(snag_in(&program(), ["analyze", "--format", "json"]).arg(&kept.folder));
    (kept, outcome)
}

#[test]
fn a_trace_of_another_version_is_refused() {
    let (_, refused) = damaged(|bytes| bytes[8] = 99);
    assert_refused(&refused, &["version 99", "version 3", "help:"]);
}

#[test]
fn a_trace_that_is_too_short_is_refused() {
    let (_, refused) = damaged(|bytes| bytes.truncate(100));
    assert_refused(&refused, &["100 bytes are too short"]);
}

#[test]
fn of_a_cut_trace_what_is_left_is_analyzed_and_the_loss_is_said() {
    let (whole, cut) = damaged(|bytes| bytes.truncate(bytes.len() / 2));
    assert_eq!(cut.code(), 0, "{cut:?}");
    let report: serde_json::Value = serde_json::from_str(&cut.stderr).unwrap();
    let events = report["stats"]["events"].as_u64().unwrap();
    assert!(events > 0 && events < whole.events(), "{report}");
    assert!(report["warnings"].to_string().contains("damaged at byte"), "{report}");
}

#[test]
fn of_a_corrupt_trace_what_is_sound_is_analyzed_and_the_loss_is_said() {
    // More than the longest record, within a chunk that is full.
    let (whole, corrupt) = damaged(|bytes| {
        let chunks = (bytes.len() - 4096) / 65_536;
        bytes[4096 + chunks / 2 * 65_536 + 3000..][..8192].fill(0xff);
    });
    assert_eq!(corrupt.code(), 0, "{corrupt:?}");
    let report: serde_json::Value = serde_json::from_str(&corrupt.stderr).unwrap();
    assert!(report["stats"]["events"].as_u64().unwrap() < whole.events(), "{report}");
    assert!(report["warnings"].to_string().contains("damaged at byte"), "{report}");
}

/// Whether file permissions hold for this user: they do not for root.
fn permissions_hold(folder: &Path) -> bool {
    fs::write(folder.join("probe"), "").is_err()
}

#[test]
fn a_target_folder_that_cannot_be_written_is_refused() {
    // No folder, whoever asks.
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = outcome(snag_in(&program(), ["run"]).env("CARGO_TARGET_DIR", file.path().join("target")));
    assert_refused(&refused, &["failed to create", "help:"]);
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if permissions_hold(folder.path()) {
        let refused = outcome(snag_in(&program(), ["run"]).env("CARGO_TARGET_DIR", folder.path()));
        assert_refused(&refused, &["failed to create", "help:"]);
    }
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = outcome(snag_in(&program(), ["run"]).env("SNAG_CACHE_DIR", file.path()));
    assert_refused(&refused, &["SNAG_CACHE_DIR", "help:"]);
}

#[test]
fn when_no_more_can_be_written_the_program_goes_on_and_the_loss_is_said() {
    // What the limit would keep from being written else is there already.
    assert_eq!(kept(&["many"]).outcome.code(), 0);
    let mut command = snag_in(&program(), ["run", "--quiet", "--", "many"]);
    let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
    // SAFETY: setrlimit is a plain system call, and the limit outlives it.
    unsafe {
        command.pre_exec(move || {
            let result = libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
            if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let outcome = outcome(&mut command);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let words = outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("recording stopped early, no space was left"), "{}", outcome.stderr);
}
