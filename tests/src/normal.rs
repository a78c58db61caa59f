//! The one table of what may differ between two reports that say the same.

use std::path::Path;

use regex_lite::Regex;

/// What differs, and what stands in its place.
const TABLE: [(&str, &str); 6] = [
    (r"\bthread-\d+", "thread-N"),
    (r"\b0x[0-9a-f]+", "0xADDRESS"),
    (r"\bprocess \d+\b", "process PID"),
    (r"\b[\d,]+ events?\b", "N events"),
    (r"\bseen [\d,]+ times\b", "seen N times"),
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

/// Whether two normalized reports say the same. Where lines are wrapped depends on the length of what
/// was replaced, so that is of no account.
#[must_use]
pub fn say_the_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
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
    fn a_package_of_the_registry_is_named_without_its_version() {
        let text = "at /home/me/.cargo/registry/src/index-0123456789abcdef/parking_lot-0.12.5/src/lib.rs:3:1";
        assert_eq!(normalize(text, Path::new("/here")), "at $REGISTRY/parking_lot/src/lib.rs:3:1");
    }
}
