//! Progress on standard error, in cargo's own form.

use std::ffi::OsString;
use std::io::{self, Write as _};

use crate::build::cargo_config::values_of;
use crate::build::invocation::Notice;
use crate::reporters::Style;

/// Says what is being done.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    quiet: bool,
    color: bool,
}

impl Progress {
    /// As quiet and as colourful as cargo's own flags ask for.
    #[must_use]
    pub fn like_cargo(cargo_arguments: &[OsString]) -> Progress {
        let asked = values_of(cargo_arguments, "--color").next_back().map(ToOwned::to_owned);
        let asked = asked.or_else(|| std::env::var_os("CARGO_TERM_COLOR"));
        let color = match asked.as_deref().and_then(|asked| asked.to_str()) {
            Some("always") => true,
            Some("never") => false,
            _ => Style::of_stderr().color,
        };
        let flags = cargo_arguments.iter().take_while(|argument| *argument != "--");
        let quiet = flags.into_iter().any(|argument| is_quiet(&argument.to_string_lossy()));
        Progress { quiet, color }
    }

    /// Whether nothing is to be said.
    #[must_use]
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether colour is wanted.
    #[must_use]
    pub fn color(self) -> bool {
        self.color
    }

    /// One line: a verb, and what it is done to.
    pub fn say(self, verb: &str, what: &str) {
        if self.quiet {
            return;
        }
        let (green, off) = if self.color { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
        to_stderr(&format!("{green}{verb:>12}{off} {what}\n"));
    }

    /// What there is to know of the preparations.
    pub fn tell(self, notice: Notice<'_>) {
        match notice {
            Notice::Preparing(toolchain) => {
                self.say("Preparing", &format!("the recording std for {}", toolchain.name()));
            }
            Notice::Instrumenting(toolchain) => {
                let what = "the instrumented std for";
                self.say("Preparing", &format!("{what} {} (once, about 20 s)", toolchain.name()));
            }
            Notice::NoMemoryLayer(reason) => {
                self.warn(&format!("data races are not looked for, as with `--no-memory`: {reason}"));
            }
        }
    }

    /// A warning, which even a quiet run gives.
    pub fn warn(self, what: &str) {
        let (yellow, off) = if self.color { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
        to_stderr(&format!("{yellow}warning{off}: {what}\n"));
    }
}

/// Writes to standard error. Nobody may be reading any more (`2>&1 | head`), which is no reason to fail.
pub fn to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// `--quiet`, or `-q` among short flags without values.
fn is_quiet(flag: &str) -> bool {
    let short = flag.strip_prefix('-').filter(|short| !short.is_empty());
    flag == "--quiet"
        || short
            .is_some_and(|short| short.contains('q') && short.chars().all(|letter| "qrv".contains(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_is_heard_in_each_spelling_and_only_before_the_programs_arguments() {
        let quiet = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            Progress::like_cargo(&arguments).quiet
        };
        assert!(quiet("-q") && quiet("--release --quiet") && quiet("-rq"));
        assert!(!quiet("-p quick") && !quiet("-- -q") && !quiet("-Zq"));
    }
}
