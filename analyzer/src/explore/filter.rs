//! libtest's own arguments, as far as they say which tests are meant.

use std::ffi::OsString;

use snag_trace::control::{TEST_IGNORED, TEST_OTHER};

use crate::explore::control::Test;

/// Which tests are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    names: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    ignored: bool,
    include_ignored: bool,
    /// Only names are asked for.
    pub list: bool,
    /// What the tests print is to be shown.
    pub output: bool,
}

/// Flags of libtest's with a value, which say nothing about which tests are meant.
const WITH_VALUE: [&str; 6] = ["--test-threads", "--logfile", "--format", "--color", "-Z", "--shuffle-seed"];

impl Filter {
    /// What these arguments of a test binary say. Unknown flags are libtest's business, and are let pass.
    #[must_use]
    pub fn parse(arguments: &[OsString]) -> Filter {
        let mut filter = Filter::default();
        let mut rest = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = rest.next() {
            match &*argument {
                "--exact" => filter.exact = true,
                "--ignored" => filter.ignored = true,
                "--include-ignored" => filter.include_ignored = true,
                "--list" => filter.list = true,
                "--nocapture" | "--no-capture" | "--show-output" => filter.output = true,
                "--skip" => filter.skipped.extend(rest.next().map(|name| name.into_owned())),
                flag if WITH_VALUE.contains(&flag) => {
                    rest.next();
                }
                other => match other.strip_prefix("--skip=") {
                    Some(name) => filter.skipped.push(name.to_owned()),
                    None if other.starts_with('-') => {}
                    None => filter.names.push(other.to_owned()),
                },
            }
        }
        filter
    }

    /// Whether this test is to be explored.
    #[must_use]
    pub fn takes(&self, test: &Test) -> bool {
        let is_meant = |name: &String| if self.exact { test.name == *name } else { test.name.contains(name) };
        let is_ignored = test.flags & TEST_IGNORED != 0;
        // libtest lists what it would then report as ignored.
        let is_due = if self.ignored { is_ignored } else { self.include_ignored || self.list || !is_ignored };
        is_due
            && test.flags & TEST_OTHER == 0
            && (self.names.is_empty() || self.names.iter().any(is_meant))
            && !self.skipped.iter().any(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Vec<&'static str> {
        let tests = [("a::one", 0), ("a::ten", 0), ("b::one", TEST_IGNORED), ("bench", TEST_OTHER)];
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let filter = Filter::parse(&arguments);
        let test = |name: &str, flags| Test { number: 0, name: name.to_owned(), flags };
        tests
            .into_iter()
            .filter(|(name, flags)| filter.takes(&test(name, *flags)))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn the_same_tests_are_meant_as_libtest_would_run() {
        assert_eq!(taken(""), ["a::one", "a::ten"]);
        assert_eq!(taken("one"), ["a::one"]);
        assert_eq!(taken("one --include-ignored"), ["a::one", "b::one"]);
        assert_eq!(taken("--ignored"), ["b::one"]);
        assert_eq!(taken("--list"), ["a::one", "a::ten", "b::one"]);
        assert_eq!(taken("--list --ignored"), ["b::one"]);
        assert_eq!(taken("--exact one"), [""; 0]);
        assert_eq!(taken("--exact a::one"), ["a::one"]);
        assert_eq!(taken("--skip ten --test-threads 4"), ["a::one"]);
        assert_eq!(taken("--skip=a::"), [""; 0]);
    }
}
