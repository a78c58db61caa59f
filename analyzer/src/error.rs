//! What can keep snag itself from working: one clear error, with help, and exit code 2.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// Why snag could not do what it was asked to.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// The target is one that the facade was not made for.
    #[error("snag works on {supported} only, and this would be a build for {found}")]
    #[diagnostic(help("leave out `--target`, or run snag on an x86-64 Linux host with glibc"))]
    Target {
        /// The target asked for.
        found: String,
        /// The one target there is.
        supported: &'static str,
    },
    /// rustc is older than the facade can be built with.
    #[error("rustc {found} is too old: snag needs {minimum} or newer")]
    #[diagnostic(help("install a newer toolchain and choose it: `cargo +stable snag …`"))]
    RustcTooOld {
        /// The release found.
        found: String,
        /// The oldest that works.
        minimum: String,
    },
    /// A tool could not be started, or did not answer in its usual form.
    #[error("failed to ask `{command}`: {reason}")]
    #[diagnostic(help("snag uses the rustc and the cargo of the project's toolchain: do they run here?"))]
    Tool {
        /// The command line.
        command: String,
        /// What went wrong.
        reason: String,
    },
    /// The shim does not compile with this rustc.
    #[error("failed to build snag's shim `{name}` with {rustc}:\n{stderr}")]
    #[diagnostic(help("this is a defect of snag: report it together with the output of `rustc -vV`"))]
    Shim {
        /// Which of its crates.
        name: &'static str,
        /// First line of `rustc -vV`.
        rustc: String,
        /// What rustc said.
        stderr: String,
    },
    /// There is no instrumented std.
    #[error("{reason}")]
    Std {
        /// Why.
        reason: crate::build::std_bitcode::Reason,
    },
    /// A file or folder could not be used.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried, a verb phrase.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
        /// What to do about it.
        #[help]
        help: Option<String>,
    },
    /// Cargo has already said why.
    #[error("cargo failed before any program ran")]
    Cargo {
        /// What to do about it, if more than what cargo says can be said.
        #[help]
        help: Option<String>,
    },
    /// A trace that cannot be read.
    #[error("failed to read {}: {reason}", path.display())]
    #[diagnostic(help("a trace must be read by the version of snag that wrote it: record the run again"))]
    Trace {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: snag_trace::TraceError,
    },
    /// A `run.json` that cannot be read.
    #[error("failed to read {}: {reason}", path.display())]
    #[diagnostic(help(
        "run.json is written by `cargo snag run` and `cargo snag test`: record the run again"
    ))]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// Neither a run folder nor a trace.
    #[error("{} is not a run folder: it has no run.json and no trace", path.display())]
    #[diagnostic(help("run folders are in `target/snag/runs`; a single `.trace` file will do as well"))]
    NotARun {
        /// What was given.
        path: PathBuf,
    },
    /// A rule that does not exist.
    #[error("there is no rule `{name}`")]
    #[diagnostic(help("the rules are: {known}"))]
    UnknownRule {
        /// The name given.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// The command line does not fit together.
    #[error("{message}")]
    Usage {
        /// What does not.
        message: String,
        /// What would.
        #[help]
        help: Option<String>,
    },
}

impl Error {
    /// For `map_err` of input and output.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source, help: None }
    }

    /// As [`Error::io`], with help.
    pub fn io_with_help(
        action: &'static str,
        path: &Path,
        help: &str,
    ) -> impl FnOnce(io::Error) -> Error + use<> {
        let (path, help) = (path.to_owned(), Some(help.to_owned()));
        move |source| Error::Io { action, path, source, help }
    }

    /// The error in cargo's form: `error: …`, its causes, and the help.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let (red, bold, off) = if styled { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error{off}{bold}:{off} {self}\n");
        let mut cause = std::error::Error::source(self);
        while let Some(reason) = cause {
            text += &format!("  {bold}caused by:{off} {reason}\n");
            cause = reason.source();
        }
        if let Some(help) = self.help() {
            text += &format!("  {bold}help:{off} {help}\n");
        }
        text
    }
}
