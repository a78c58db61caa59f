//! Runs of one program, held against what its source says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;
use std::{env, fs};

use serde_json::Value;
use snag_tests::outcome::run_for;
use snag_tests::recorded::Recorded;
use snag_tests::{repository, snag, target_folder};

use crate::program::{PACKAGES, Program};

/// A program or an analysis that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs and checks a program as often as `SNAG_REPEAT` says, once if it says nothing.
pub fn repeatedly(program: &Program) -> Result<(), String> {
    let times = match env::var("SNAG_REPEAT") {
        Ok(text) => text.parse().map_err(|_| format!("SNAG_REPEAT is a number, not {text:?}"))?,
        Err(_) => 1_u32,
    };
    let built = built(program.package)?;
    let mut failures = BTreeMap::<String, u32>::new();
    for _ in 0..times {
        if let Err(failure) = once(program, &built) {
            *failures.entry(failure).or_default() += 1;
        }
    }
    let failed: u32 = failures.values().sum();
    if failed == 0 {
        return Ok(());
    }
    let told = failures.iter().map(|(failure, count)| format!("{count} times: {failure}"));
    Err(format!(
        "{failed} of {times} runs are wrong\n{}\nto see one: (cd tests/corpus/programs && cargo snag run -p {} -- {})",
        told.collect::<Vec<_>>().join("\n"),
        program.package,
        program.name
    ))
}

/// A package's programs, built on the first call.
fn built(package: &str) -> Result<Recorded, String> {
    type Built = OnceLock<Result<Recorded, String>>;
    static BUILT: LazyLock<[Built; PACKAGES.len()]> = LazyLock::new(Default::default);
    let index = PACKAGES.iter().position(|known| *known == package).ok_or("no such package")?;
    let build = || {
        let folder = repository().join("tests/corpus/programs");
        let mut flags = vec!["--package", package];
        flags.extend(env::var_os("SNAG_RELEASE").map(|_| "--release"));
        // Runs are deleted by number, and the first one is the others' pattern.
        flags.extend(["--keep", "1000"]);
        Recorded::build(&folder, &flags, &target_folder("corpus"))
    };
    BUILT[index].get_or_init(build).clone()
}

/// One run.
fn once(program: &Program, built: &Recorded) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let run = scratch.path().join("run");
    built.new_run(&run).map_err(|error| format!("no folder for a run: {error}"))?;
    let mut command = built.command(&run);
    let outcome = run_for(command.arg(&program.name), LIMIT).map_err(|error| error.to_string())?;
    if outcome.timed_out {
        return Err("it did not end".to_owned());
    }
    if outcome.code() != 0 {
        return Err(format!("exit code {}\n{}", outcome.code(), outcome.stderr));
    }
    let text = analyze(&run, scratch.path(), "json")?;
    let report: Value = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    let problems = problems(program, &report);
    if problems.is_empty() {
        return Ok(());
    }
    let human = analyze(&run, scratch.path(), "short")?;
    Err(format!("{}\n--- report ---\n{human}", problems.join("\n")))
}

fn analyze(run: &Path, scratch: &Path, format: &str) -> Result<String, String> {
    let file: PathBuf = scratch.join(format);
    let mut command = snag(scratch);
    command.arg("analyze").arg(run).args(["--format", format, "--output"]).arg(&file);
    let outcome = run_for(&mut command, LIMIT).map_err(|error| error.to_string())?;
    fs::read_to_string(&file).map_err(|_| format!("`analyze` wrote no report:\n{}", outcome.stderr))
}

/// What does not agree with the program's marks.
fn problems(program: &Program, report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let unmet = program.marks.iter().filter(|mark| !findings.iter().any(|finding| mark.is_met_by(finding)));
    let mut problems: Vec<_> = unmet.map(|mark| format!("not found: {mark}")).collect();
    let unmarked = findings.iter().filter(|finding| !is_marked(program, finding));
    problems.extend(unmarked.map(|finding| {
        let at = &finding["locations"][0];
        let (rule, certainty) = (&finding["rule"], &finding["certainty"]);
        format!("no mark: {certainty} {rule} at {}:{}: {}", at["file"], at["line"], finding["message"])
    }));
    if report["stats"]["events"].as_u64().is_none_or(|events| events == 0) {
        problems.push("nothing was recorded".to_owned());
    }
    problems
}

/// Whether a finding may be there: a race that has one of its places on a marked line. What another
/// rule leaves to a person's judgement is not what these programs are about.
fn is_marked(program: &Program, finding: &Value) -> bool {
    if finding["rule"] != "data_race" {
        return finding["certainty"] == "potential";
    }
    let mut places = finding["locations"].as_array().into_iter().flatten();
    places.any(|at| {
        let line = at["line"].as_u64().map(|line| line as usize);
        let is_here = at["file"] == program.file.as_str();
        let marked = |line| program.optional.contains(&line) || program.marks.iter().any(|m| m.line == line);
        is_here && line.is_some_and(marked)
    })
}
