//! The facade is held against the real std: one program, two stds, same verdict and same output.
//!
//! The programs are the cases in `cases/`, and std's own doc examples of the modules that the facade
//! replaces, taken from the installed `rust-docs` when the test runs. A third run, of the facade
//! while it records, must agree too.
//!
//! A case is a file with a `pub fn main`. It must compile and run, unless its first line is
//! `//@ rejected: CODES`: then it must be refused by both, with one of these error codes or lints
//! (`error` stands for an error without a code).

mod batch;
mod doc_examples;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, thread};

use batch::{Batch, Verdict};
use doc_examples::Expectation;
use world::World;

/// Rejected programs are compiled one by one, by so many threads.
const COMPILERS: usize = 2;

struct Case {
    name: String,
    source: String,
}

fn committed_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the cases are readable")
        .map(|entry| entry.expect("a folder's entry").path())
        .map(|path| Case {
            name: path.file_stem().expect("a case has a name").to_string_lossy().into_owned(),
            source: fs::read_to_string(&path).expect("a case is text"),
        })
        .collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

/// Compiles each program in both worlds, which must refuse it with the same codes, among them one
/// of those expected. Gives what is wrong.
fn rejections(programs: &[(String, String, Vec<String>)]) -> Vec<String> {
    let check = |(name, source, expected): &(String, String, Vec<String>)| {
        let codes = World::both().map(|world| batch::error_codes(&world, name, source));
        let [plain, facade] = codes;
        if plain.is_empty() || !(expected.is_empty() || plain.iter().any(|code| expected.contains(code))) {
            Some(format!("{name}: plain std gives {plain:?}, not {expected:?}"))
        } else if plain != facade {
            Some(format!("{name}: plain std gives {plain:?}, the facade {facade:?}"))
        } else {
            None
        }
    };
    thread::scope(|scope| {
        let parts = programs.chunks(programs.len().div_ceil(COMPILERS).max(1));
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().filter_map(check).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a check panicked")).collect()
    })
}

/// Runs a batch's programs in all worlds; they must agree with plain std. Gives what is wrong.
fn disagreements(batch: &Batch) -> Vec<String> {
    let mut wrong = batch.refused_by_the_facade.clone();
    for name in &batch.names {
        if let Some(difference) = batch.disagreement(name) {
            wrong.push(difference);
        }
    }
    wrong
}

fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} programs tell the facade from std:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn committed_cases_run_alike() {
    let programs: BTreeMap<_, _> = committed_cases()
        .into_iter()
        .filter(|case| !case.source.starts_with("//@ rejected"))
        .map(|case| (case.name, case.source))
        .collect();
    let batch = Batch::build(&programs);
    assert_eq!(batch.refused_by_plain, Vec::<String>::new(), "a case must compile");
    for name in &batch.names {
        assert_eq!(batch.run_plain(name).0, Verdict::Exit(0), "{name} fails on plain std");
    }
    expect_none(&disagreements(&batch));
}

#[test]
fn committed_cases_are_refused_alike() {
    let programs: Vec<_> = committed_cases()
        .into_iter()
        .filter_map(|case| {
            let codes = case.source.lines().next()?.strip_prefix("//@ rejected: ")?;
            let codes = codes.split_whitespace().map(String::from).collect();
            Some((case.name, case.source, codes))
        })
        .collect();
    assert!(programs.len() > 10);
    expect_none(&rejections(&programs));
}

#[test]
fn doc_examples_of_std_agree() {
    let Some(examples) = doc_examples::of_the_toolchain() else {
        println!("rust-docs is not installed: std's doc examples are left out");
        return;
    };
    let run: BTreeMap<_, _> = examples
        .iter()
        .filter(|example| example.expectation != Expectation::Refused)
        .map(|example| (example.name.clone(), example.program()))
        .collect();
    let refused: Vec<_> = examples
        .iter()
        .filter(|example| example.expectation == Expectation::Refused)
        .map(|example| (example.name.clone(), example.program(), Vec::new()))
        .collect();
    assert!(run.len() > 100, "only {} examples were found", run.len());
    println!("{} examples to run, {} to refuse", run.len(), refused.len());
    let batch = Batch::build(&run);
    let mut wrong = batch.refused_by_plain.clone();
    wrong.extend(disagreements(&batch));
    wrong.extend(rejections(&refused));
    expect_none(&wrong);
}

#[test]
fn every_way_to_link_works() {
    let programs = committed_cases();
    let program = programs.iter().find(|case| case.name == "scoped_threads").expect("this case exists");
    let ways: [&[&str]; 8] = [
        &["-C", "panic=abort"],
        &["-C", "lto=fat"],
        &["-C", "lto=thin", "-C", "opt-level=3"],
        &["-C", "target-feature=+crt-static"],
        &["-C", "prefer-dynamic"],
        &["--crate-type", "cdylib"],
        &["--crate-type", "staticlib"],
        &["--crate-type", "dylib"],
    ];
    let fails = |way: &&[&str]| {
        let errors = batch::link_errors(&World::facade(), &program.source, way);
        errors.map(|errors| format!("{way:?}:\n{errors}"))
    };
    let wrong: Vec<_> = ways.iter().filter_map(fails).collect();
    assert!(wrong.is_empty(), "the facade cannot be linked with\n{}", wrong.join("\n"));
}
