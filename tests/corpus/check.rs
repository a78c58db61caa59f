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

/// What is wrong with one run.
enum Wrong {
    /// A race was not found.
    Missed(String),
    /// Anything else: nothing excuses it.
    Other(String),
}

/// Of a hundred runs so many may miss a race. Two accesses in the same instant may each look into shadow
/// memory before the other has written there, as with any detector that takes no lock for an access; that a
/// thread is stopped just then, and for so long that a second look comes too early, is rare.
const MISSES: u32 = 1;

/// Runs and checks a program as often as `SNAG_REPEAT` says. If it says nothing, once, and a racy one in
/// which nothing was found once more.
pub fn repeatedly(program: &Program) -> Result<(), String> {
    let times = match env::var("SNAG_REPEAT") {
        Ok(text) => Some(text.parse().map_err(|_| format!("SNAG_REPEAT is a number, not {text:?}"))?),
        Err(_) => None,
    };
    let built = built(program.package)?;
    let mut told = BTreeMap::<String, u32>::new();
    let (mut missed, mut runs) = (0, 0);
    while runs < times.unwrap_or(if missed == 0 { 1 } else { 2 }) {
        runs += 1;
        let failure = match once(program, &built) {
            Ok(()) => continue,
            Err(Wrong::Missed(what)) => {
                missed += 1;
                what
            }
            Err(Wrong::Other(what)) => what,
        };
        *told.entry(failure).or_default() += 1;
    }
    let failed: u32 = told.values().sum();
    let allowed = if times.is_some() { runs * MISSES / 100 } else { 1 };
    if missed > 0 {
        println!("{}::{}: missed in {missed} of {runs} runs", program.package, program.name);
    }
    if failed == missed && missed <= allowed {
        return Ok(());
    }
    let told = told.iter().map(|(failure, count)| format!("{count} times: {failure}"));
    Err(format!(
        "{failed} of {runs} runs are wrong\n{}\nto see one: (cd tests/corpus/programs && cargo snag run -p {} -- {})",
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
fn once(program: &Program, built: &Recorded) -> Result<(), Wrong> {
    let other = |error: std::io::Error| Wrong::Other(error.to_string());
    let scratch = tempfile::tempdir().map_err(other)?;
    let run = scratch.path().join("run");
    built.new_run(&run).map_err(other)?;
    let mut command = built.command(&run);
    let outcome = run_for(command.arg(&program.name), LIMIT).map_err(other)?;
    if outcome.timed_out {
        return Err(Wrong::Other("it did not end".to_owned()));
    }
    if outcome.code() != 0 {
        return Err(Wrong::Other(format!("exit code {}\n{}", outcome.code(), outcome.stderr)));
    }
    let text = analyze(&run, scratch.path(), "json").map_err(Wrong::Other)?;
    let report: Value =
        serde_json::from_str(&text).map_err(|error| Wrong::Other(format!("{error} in {text}")))?;
    let (unmet, unmarked) = (unmet(program, &report), unmarked(program, &report));
    if unmet.is_empty() && unmarked.is_empty() {
        return Ok(());
    }
    let human = analyze(&run, scratch.path(), "short").map_err(Wrong::Other)?;
    let told = format!("{}\n--- report ---\n{human}", [&unmet[..], &unmarked[..]].concat().join("\n"));
    Err(if unmarked.is_empty() { Wrong::Missed(told) } else { Wrong::Other(told) })
}

fn analyze(run: &Path, scratch: &Path, format: &str) -> Result<String, String> {
    let file: PathBuf = scratch.join(format);
    let mut command = snag(scratch);
    command.arg("analyze").arg(run).args(["--format", format, "--output"]).arg(&file);
    let outcome = run_for(&mut command, LIMIT).map_err(|error| error.to_string())?;
    fs::read_to_string(&file).map_err(|_| format!("`analyze` wrote no report:\n{}", outcome.stderr))
}

fn findings_of(report: &Value) -> &[Value] {
    report["findings"].as_array().map_or(&[], Vec::as_slice)
}

/// Marks that no finding meets.
fn unmet(program: &Program, report: &Value) -> Vec<String> {
    let findings = findings_of(report);
    let unmet = program.marks.iter().filter(|mark| !findings.iter().any(|finding| mark.is_met_by(finding)));
    unmet.map(|mark| format!("not found: {mark}")).collect()
}

/// Findings that no mark asks for.
fn unmarked(program: &Program, report: &Value) -> Vec<String> {
    let unmarked = findings_of(report).iter().filter(|finding| !is_marked(program, finding));
    let mut problems: Vec<_> = unmarked
        .map(|finding| {
            let at = &finding["locations"][0];
            let (rule, certainty) = (&finding["rule"], &finding["certainty"]);
            format!("no mark: {certainty} {rule} at {}:{}: {}", at["file"], at["line"], finding["message"])
        })
        .collect();
    if report["stats"]["events"].as_u64().is_none_or(|events| events == 0) {
        problems.push("nothing was recorded".to_owned());
    }
    problems
}

/// Rules that may say of a program what is true of the crates that it uses: rayon's workers outlive it.
const ASIDE: [&str; 1] = ["thread_killed_at_exit"];

/// Whether a finding may be there: a race that has one of its places on a marked line. What another
/// rule leaves to a person's judgement is not what these programs are about.
fn is_marked(program: &Program, finding: &Value) -> bool {
    if finding["rule"] != "data_race" {
        return finding["certainty"] == "potential" || ASIDE.iter().any(|rule| finding["rule"] == *rule);
    }
    let mut places = finding["locations"].as_array().into_iter().flatten();
    places.any(|at| {
        let line = at["line"].as_u64().map(|line| line as usize);
        let is_here = at["file"] == program.file.as_str();
        let marked = |line| program.optional.contains(&line) || program.marks.iter().any(|m| m.line == line);
        is_here && line.is_some_and(marked)
    })
}
