//! The one table of what may differ between two reports that say the same.

use std::path::Path;

use regex_lite::Regex;

/// What differs, and what stands in its place.
const TABLE: [(&str, &str); 14] = [
    // Marks for another command.
    (r" //~ lint:[a-z_]+", ""),
    // How much was forgotten of memory, which is more or less from run to run, or nothing.
    (r"snag: races may be missing[^\n]*\n( {6}[^\n]*\n)*", ""),
    (r"\S*/snag/failures/", "$$TARGET/snag/failures/"),
    (r"-[0-9a-f]{16}\.snag\b", "-HASH.snag"),
    (r"\bthread-\d+", "thread-N"),
    (r"\b0x[0-9a-f]+", "0xADDRESS"),
    (r"\b\d+ is pid \d+\b", "N is pid N"),
    // What a process makes for itself, it names by its number.
    (r"/tmp/([a-z_]+)-\d+", "/tmp/$1-N"),
    (r"\bprocess \d+\b", "process PID"),
    (r"\b[\d,]+ events?\b", "N events"),
    (r"\bseen [\d,]+ times\b", "seen N times"),
    // How many threads were at it just then depends on the machine, and the time as well.
    (
        r"\b\d+ threads( of \d+ processes)? wanted to run at once on\s+(│ )?\d+ processors?,\s+(│ )?for\s+(│ )?[\d.]+ s\b",
        "N threads wanted to run at once on N processors, for N s",
    ),
    (r"\b\d+ of them are started here", "N of them are started here"),
    (r"\S*/registry/src/[^/]+/([a-z_-]+)-\d[^/]*/", "$$REGISTRY/$1/"),
];

/// The text with everything in its place that differs from run to run and from machine to machine.
///
/// # Panics
/// If the table is not well formed.
#[must_use]
pub fn normalize(text: &str, repository: &Path) -> String {
    let mut text = text.replace(&*repository.to_string_lossy(), "$REPOSITORY");
    for (pattern, replacement) in TABLE {
        let pattern = Regex::new(pattern).expect("the table is well formed");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    text
}

/// Line above the steps of a witness.
const WITNESS: &str = "it can run in this order:";

/// Whether two normalized reports say the same. Where lines are wrapped depends on the length of what
/// was replaced; and a witness keeps the order of its run where it is free to, so that its steps are
/// the same, and their order need not be.
#[must_use]
pub fn say_the_same(one: &str, other: &str) -> bool {
    paragraphs(one) == paragraphs(other)
}

/// The words of the report, with the steps of each witness unnumbered and sorted.
fn paragraphs(report: &str) -> Vec<Vec<&str>> {
    let mut paragraphs = vec![Vec::new()];
    let mut steps: Option<Vec<Vec<&str>>> = None;
    for line in report.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let indent = line.len() - line.trim_start().len();
        if indent <= WITNESS_INDENT {
            paragraphs.extend(steps.take().map(sorted).into_iter().flatten());
        }
        match (&mut steps, words.split_first()) {
            (Some(steps), Some((number, rest))) if is_step(number) => steps.push(rest.to_vec()),
            (Some(steps), _) => steps.last_mut().into_iter().for_each(|step| step.extend(&words)),
            (None, _) if line.trim() == WITNESS => {
                steps = Some(Vec::new());
                paragraphs.push(words);
            }
            (None, _) => paragraphs.last_mut().into_iter().for_each(|last| last.extend(&words)),
        }
    }
    paragraphs.extend(steps.map(sorted).into_iter().flatten());
    paragraphs
}

/// Columns before whatever is no step of a witness.
const WITNESS_INDENT: usize = 2;

fn is_step(word: &str) -> bool {
    word.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Sorted steps, and an empty paragraph for what follows them.
fn sorted(mut steps: Vec<Vec<&str>>) -> Vec<Vec<&str>> {
    steps.sort();
    steps.push(Vec::new());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        let one = "`thread-12` at /here/x/src/main.rs:3:1 seen 1,204 times\n1 finding in 12,345 events of 4 threads, 1 process";
        let other = "`thread-3` at /here/x/src/main.rs:3:1 seen 2 times\n1 finding in 9 events of 4 threads, 1 process";
        let repository = Path::new("/here");
        assert_eq!(normalize(one, repository), normalize(other, repository));
        assert!(normalize(one, repository).contains("$REPOSITORY/x/src/main.rs:3:1"));
    }

    #[test]
    fn how_much_of_memory_was_forgotten_is_left_out() {
        let report = "snag: no findings\nsnag: races may be missing: 3 that\n      are lost\nsnag: the end\n";
        assert_eq!(normalize(report, Path::new("/here")), "snag: no findings\nsnag: the end\n");
    }

    #[test]
    fn lines_and_names_are_not() {
        let text = "src/main.rs:12:5 `saver` and `checking` on thread 3 of 4 threads, 1 process";
        assert_eq!(normalize(text, Path::new("/here")), text);
    }

    #[test]
    fn a_report_wrapped_elsewhere_says_the_same() {
        assert!(say_the_same("process PID was\n    ended", "process PID\n    was ended"));
        assert!(!say_the_same("process PID was ended", "process PID was not ended"));
    }

    #[test]
    fn steps_of_a_witness_may_change_places_and_nothing_else_may() {
        let report = |steps: &str| format!("predicted\n  {WITNESS}\n{steps}  help: a b\n");
        let one = report("    1. `a` locks\n    2. `b` waits\n       (t.rs:1)\n");
        assert!(say_the_same(&one, &report("    1. `b` waits (t.rs:1)\n    2. `a` locks\n")));
        assert!(!say_the_same(&one, &report("    1. `b` waits (t.rs:2)\n    2. `a` locks\n")));
        assert!(!say_the_same(&one, &report("    1. `b` waits (t.rs:1)\n")));
        assert!(!say_the_same(&one, &one.replace("a b", "b a")));
    }

    #[test]
    fn a_package_of_the_registry_is_named_without_its_version() {
        let text = "at /home/me/.cargo/registry/src/index-0123456789abcdef/parking_lot-0.12.5/src/lib.rs:3:1";
        assert_eq!(normalize(text, Path::new("/here")), "at $REGISTRY/parking_lot/src/lib.rs:3:1");
    }
}
