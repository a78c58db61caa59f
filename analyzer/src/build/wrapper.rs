//! The other roles of this program: cargo calls it in place of rustc (`build.rustc-wrapper`) and of
//! rustdoc (`build.rustdoc`), and it puts the facade's sysroot on the command line, and the flags of the
//! memory layer.
//!
//! Invariants:
//! * Only crates for the target get the facade. `cargo snag` always gives cargo an explicit
//!   `--target`, so a command line without one is for the host: build scripts and proc macros.
//! * cargo hashes the answer to `rustc -vV` into every unit: one more line there, with the shim's
//!   key, keeps artifacts of different shims apart.
//! * The user's own wrapper is called in between. Of the user's flags none is touched without the memory
//!   layer; with it, [`instrumentation`] says which.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, io};

use crate::build::cargo_config::values_of;
use crate::build::shim::Shim;
use crate::build::toolchain::SUPPORTED_TARGET;
use crate::build::{instrumentation, linking};
use crate::overlay::{self, Outcome};

/// Environment variable that names the shim's folder, and makes this program a wrapper.
pub const SHIM_ENV: &str = "SNAG_WRAPPER";
/// Environment variable with the user's own `RUSTC_WRAPPER`.
pub const CHAIN_ENV: &str = "SNAG_CHAIN";
/// Environment variable that names the real rustdoc.
pub const RUSTDOC_ENV: &str = "SNAG_RUSTDOC";
/// Environment variable with the names of crates to leave alone, separated by commas.
pub const PLAIN_ENV: &str = "SNAG_PLAIN";
/// File in the run folder with the names of crates that did not compile, one per line.
pub const FAILURES_FILE: &str = "build-failures";

/// What this program was called as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// `cargo-snag <rustc> <arguments>`.
    Rustc(Wrapper),
    /// `cargo-snag <arguments of rustdoc>`.
    Rustdoc(Wrapper),
}

/// What a wrapper knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper {
    shim: Shim,
    plain: Vec<String>,
}

impl Role {
    /// The role that a command line (without the program's name) and the environment ask for;
    /// nothing if it is the command `cargo snag`.
    #[must_use]
    pub fn find(arguments: &[OsString]) -> Option<Role> {
        let root = env::var_os(SHIM_ENV)?;
        let first = arguments.first().filter(|first| *first != "snag")?;
        let plain = env::var(PLAIN_ENV).unwrap_or_default();
        let plain = plain.split(',').filter(|name| !name.is_empty()).map(crate_name).collect();
        let wrapper = Wrapper { shim: Shim::at(PathBuf::from(root)), plain };
        let is_flag = first.as_encoded_bytes().first().is_none_or(|&byte| byte == b'-' || byte == b'@');
        Some(if is_flag { Role::Rustdoc(wrapper) } else { Role::Rustc(wrapper) })
    }

    /// Does what the role asks for.
    #[must_use]
    pub fn play(self, arguments: Vec<OsString>) -> ExitCode {
        let outcome = match self {
            Role::Rustc(wrapper) => wrapper.rustc(arguments),
            Role::Rustdoc(wrapper) => wrapper.rustdoc(arguments),
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("error: snag could not call the compiler: {error}");
            ExitCode::from(101)
        })
    }
}

/// The name that rustc knows a package's library by.
fn crate_name(package: &str) -> String {
    package.trim().replace('-', "_")
}

impl Wrapper {
    fn rustc(&self, mut command: Vec<OsString>) -> io::Result<ExitCode> {
        if let Some(chained) = env::var_os(CHAIN_ENV).filter(|chained| !chained.is_empty()) {
            command.insert(0, chained);
        }
        let program = command.remove(0);
        let arguments = command;
        if arguments.last().is_some_and(|last| last == "-vV") {
            return self.answer_version(&program, &arguments);
        }
        match self.crate_of(&arguments) {
            None => Err(Command::new(program).args(arguments).exec()),
            Some(name) if self.is_plain(&name) => {
                let flags = self.shim.plain_flags();
                Err(Command::new(program).args(arguments).args(flags).exec())
            }
            Some(name) => {
                let arguments = self.with_shim(self.with_overlay(arguments))?;
                let status = Command::new(program).args(arguments).status()?;
                if !status.success() {
                    note_failure(&name);
                }
                Ok(exit_code(status.code()))
            }
        }
    }

    /// The same command line, with the sources of a lock crate substituted.
    fn with_overlay(&self, arguments: Vec<OsString>) -> Vec<OsString> {
        let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
        match overlay::substitute(&arguments, &package, &self.shim.root.join("overlay")) {
            Outcome::AsIs => arguments,
            Outcome::Instead(arguments) => arguments,
            Outcome::Warn(what) => {
                eprintln!("warning: {what}");
                arguments
            }
        }
    }

    /// The same command line, for a crate over the shim.
    fn with_shim(&self, mut arguments: Vec<OsString>) -> io::Result<Vec<OsString>> {
        if self.shim.mode.has_memory() {
            instrumentation::instrument(&mut arguments);
            let linking = linking::flags(&self.shim.root, &arguments)?;
            arguments.extend(linking);
        }
        arguments.extend(self.shim.rustc_flags().into_iter().map(OsString::from));
        Ok(arguments)
    }

    fn rustdoc(&self, arguments: Vec<OsString>) -> io::Result<ExitCode> {
        if self.shim.mode.is_explored() && arguments.iter().any(|argument| argument == "--test") {
            // Each doctest is a program of its own, made and run by rustdoc.
            eprintln!("note: documentation tests are not explored");
            return Ok(ExitCode::SUCCESS);
        }
        let rustdoc = env::var_os(RUSTDOC_ENV).unwrap_or_else(|| "rustdoc".into());
        let mut command = Command::new(rustdoc);
        match self.crate_of(&arguments) {
            None => command.args(arguments),
            Some(name) if self.is_plain(&name) => command.args(arguments).args(self.shim.plain_flags()),
            // What rustdoc is told of code generation, it tells the compiler of each doctest.
            Some(_) => command.args(self.with_shim(arguments)?),
        };
        Err(command.exec())
    }

    /// `rustc -vV` with one more line.
    fn answer_version(&self, program: &OsStr, arguments: &[OsString]) -> io::Result<ExitCode> {
        let output = Command::new(program).args(arguments).output()?;
        io::stderr().write_all(&output.stderr)?;
        io::stdout().write_all(&output.stdout)?;
        println!("snag: {} plain=[{}]", self.shim.key, self.plain.join(","));
        Ok(exit_code(output.status.code()))
    }

    /// The name of the crate that this command line compiles for the target, if it does.
    fn crate_of(&self, arguments: &[OsString]) -> Option<String> {
        let values = |flag| values_of(arguments, flag).filter_map(OsStr::to_str);
        let name = values("--crate-name").next()?;
        let for_target = values("--target").any(|target| target == SUPPORTED_TARGET);
        // `___` is how cargo asks for facts about the target: they are those of the real sysroot.
        let is_query = name == "___";
        let is_host = values("--crate-type").any(|kind| kind == "proc-macro");
        (for_target && !is_query && !is_host).then(|| name.to_owned())
    }

    /// Whether this crate, or the package that is being compiled, is to have the real std.
    fn is_plain(&self, name: &str) -> bool {
        let package = env::var("CARGO_PKG_NAME").map(|package| crate_name(&package)).unwrap_or_default();
        self.plain.iter().any(|plain| *plain == name || *plain == package)
    }
}

fn exit_code(code: Option<i32>) -> ExitCode {
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(101))
}

/// Tells `cargo snag` which crate it was. If that cannot be written, its message is less precise.
/// Not a crate by which a build script probes the compiler: cargo names only those that it compiles.
fn note_failure(name: &str) {
    if !env::var("CARGO_CRATE_NAME").is_ok_and(|compiled| compiled == name) {
        return;
    }
    let Some(run) = env::var_os(snag_trace::layout::RUN_ENV) else { return };
    let file = OpenOptions::new().append(true).create(true).open(Path::new(&run).join(FAILURES_FILE));
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapper() -> Wrapper {
        Wrapper { shim: Shim::at(PathBuf::from("/cache/native-1")), plain: vec!["left_alone".to_owned()] }
    }

    fn crate_of(line: &str) -> Option<String> {
        wrapper().crate_of(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_crate_for_the_target_gets_the_facade() {
        let line =
            "--crate-name demo --edition=2021 src/main.rs --crate-type bin --target x86_64-unknown-linux-gnu";
        assert_eq!(crate_of(line), Some("demo".to_owned()));
        assert_eq!(crate_of("--crate-name=t --target=x86_64-unknown-linux-gnu"), Some("t".to_owned()));
        assert!(!wrapper().is_plain("demo"));
        assert!(wrapper().is_plain("left_alone"));
    }

    #[test]
    fn host_crates_and_queries_do_not() {
        for line in [
            "--crate-name build_script_build build.rs --crate-type bin",
            "--crate-name derive src/lib.rs --crate-type proc-macro --target x86_64-unknown-linux-gnu",
            "- --crate-name ___ --print=file-names --target x86_64-unknown-linux-gnu",
            "--crate-name other src/lib.rs --target wasm32-unknown-unknown",
        ] {
            assert_eq!(crate_of(line), None, "{line}");
        }
    }
}
