//! Cargo's own flags, files and tools go on working.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::project::{outcome, program, snag_in};

/// A copy of the package, to be changed.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    for file in ["Cargo.toml", "src/main.rs"] {
        fs::copy(program().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn several_snags_at_once_compile_the_recording_std_once() {
    let cache = tempfile::tempdir().unwrap();
    let flags = || outcome(snag_in(&program(), ["__sysroot"]).env("SNAG_CACHE_DIR", cache.path()));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(flags)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!((answer.code(), &answer.stdout), (0, &answers[0].stdout), "{answer:?}");
    }
    let mut left: Vec<_> =
        fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(left[0], "lock");
}

#[test]
fn features_profiles_and_manifest_paths_are_cargos() {
    let manifest = program().join("Cargo.toml");
    let mut command = snag_in(Path::new("/"), ["run", "--quiet", "--release", "--features", "loud"]);
    let outcome = outcome(command.arg("--manifest-path").arg(manifest).args(["--", "loud"]));
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (0, "loud: true\n"), "{}", outcome.stderr);
}

#[test]
fn a_second_run_builds_nothing() {
    outcome(&mut snag_in(&program(), ["run"]));
    let second = outcome(&mut snag_in(&program(), ["run"]));
    assert!(second.stderr.contains("Finished"), "{}", second.stderr);
    assert!(!second.stderr.contains("Compiling"), "{}", second.stderr);
    assert!(!second.stderr.contains("Preparing"), "{}", second.stderr);
}

#[test]
fn a_filter_and_the_harnesses_own_flags_reach_the_tests() {
    let one = outcome(&mut snag_in(&program(), ["test", "--quiet", "counting"]));
    assert_eq!(one.code(), 0, "{one:?}");
    assert!(one.stdout.contains("1 passed; 0 failed; 0 ignored"), "{}", one.stdout);
    let ignored = outcome(&mut snag_in(&program(), ["test", "--quiet", "--", "--ignored"]));
    assert_eq!(ignored.code(), 101, "{ignored:?}");
    assert!(ignored.stdout.contains("0 passed; 1 failed"), "{}", ignored.stdout);
}

#[test]
fn with_no_run_nothing_is_run_or_reported() {
    let built = outcome(&mut snag_in(&program(), ["test", "--no-run"]));
    assert_eq!(built.code(), 0, "{built:?}");
    assert!(!built.stderr.contains("Recording"), "{}", built.stderr);
}

#[test]
fn a_quiet_run_says_nothing_but_the_report() {
    let quiet = outcome(&mut snag_in(&program(), ["run", "-q"]));
    assert!(quiet.stderr.starts_with("snag: no findings"), "{}", quiet.stderr);
    assert_eq!(quiet.stderr.lines().count(), 1, "{}", quiet.stderr);
}

#[test]
fn flags_and_wrappers_of_the_environment_and_of_the_configuration_work() {
    let folder = copy();
    let main = fs::read_to_string(program().join("src/main.rs")).unwrap();
    let asked = "compile_error!(\"a flag is missing\");\n";
    write(folder.path(), "src/main.rs", &format!("{main}\n#[cfg(not(all(from_user)))]\n{asked}"));
    let wrapper = folder.path().join("wrapper");
    write(folder.path(), "wrapper", "#!/bin/sh\necho called >> \"$0.log\"\nexec \"$@\"\n");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let log = folder.path().join("wrapper.log");
    let own_target = folder.path().join("target");

    let mut environment = snag_in(folder.path(), ["run", "--quiet"]);
    environment.env("CARGO_TARGET_DIR", &own_target).env("RUSTC_WRAPPER", &wrapper);
    let environment = outcome(environment.env("RUSTFLAGS", "--cfg from_user"));
    assert_eq!(environment.code(), 0, "{environment:?}");
    assert!(fs::read_to_string(&log).unwrap().contains("called"));

    fs::remove_file(&log).unwrap();
    let settings = "[build]\nrustc-wrapper = \"./wrapper\"\nrustflags = [\"--cfg\", \"from_user\"]\n";
    write(folder.path(), ".cargo/config.toml", settings);
    write(folder.path(), "src/main.rs", &format!("{main}\n\n#[cfg(not(all(from_user)))]\n{asked}"));
    let mut configured = snag_in(folder.path(), ["run", "--quiet"]);
    let configured = outcome(configured.env("CARGO_TARGET_DIR", &own_target));
    assert_eq!(configured.code(), 0, "{configured:?}");
    assert!(fs::read_to_string(&log).unwrap().contains("called"));
}

#[test]
fn doctests_run_under_the_facade_with_the_users_flags() {
    let folder = copy();
    fs::remove_file(folder.path().join("src/main.rs")).unwrap();
    let library = "//! ```\n//! assert!(cfg!(from_user));\n//! let lock = std::sync::Mutex::new(1);\n\
                   //! drop(lock.lock());\n//! ```\n";
    write(folder.path(), "src/lib.rs", library);
    write(folder.path(), ".cargo/config.toml", "[build]\nrustdocflags = [\"--cfg\", \"from_user\"]\n");
    let report = folder.path().join("report.json");
    let mut command = snag_in(folder.path(), ["test", "--doc", "--quiet", "--format", "json", "--output"]);
    let outcome = outcome(command.arg(&report).env("CARGO_TARGET_DIR", folder.path().join("target")));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert!(report["stats"]["events"].as_u64().unwrap() >= 3, "{report}");
}

#[test]
fn build_scripts_are_not_touched_and_a_plain_crate_has_the_real_std() {
    let folder = copy();
    // Only the facade has this module: were it there, the name would be ambiguous.
    let script = "mod own { pub mod __snag { pub fn ours() {} } }\nuse own::*;\nuse std::*;\n\
                  fn main() { __snag::ours() }\n";
    write(folder.path(), "build.rs", script);
    write(folder.path(), "src/main.rs", "use std::__snag as _;\nfn main() {}\n");
    let call = |extra: &[&str]| {
        let mut command = snag_in(folder.path(), ["run", "--quiet"].iter().chain(extra));
        outcome(command.env("CARGO_TARGET_DIR", folder.path().join("target")))
    };
    let with_facade = call(&[]);
    assert_eq!(with_facade.code(), 0, "{with_facade:?}");
    let plain = call(&["--plain", "program"]);
    assert_eq!(plain.code(), 2, "{plain:?}");
    assert!(plain.stderr.contains("__snag"), "{}", plain.stderr);
    let again = call(&[]);
    assert_eq!(again.code(), 0, "{again:?}");
}
