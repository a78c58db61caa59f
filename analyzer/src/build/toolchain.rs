//! Which rustc the project is built with, as cargo itself would find it.
//!
//! Asked in the folder in which cargo is called, so that rustup's overrides, `RUSTUP_TOOLCHAIN` and
//! `rust-toolchain.toml` hold as they do without snag.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

/// The one target that the facade exists for.
pub const SUPPORTED_TARGET: &str = "x86_64-unknown-linux-gnu";
/// The oldest minor version of rustc 1 that compiles the shim.
pub const MINIMUM_MINOR: u32 = 88;

/// A rustc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// How it is called.
    pub rustc: OsString,
    /// Output of `rustc -vV`: its identity.
    pub verbose_version: String,
    /// Minor version: 95 for 1.95.
    pub minor: u32,
    /// Whether unstable features may be used.
    pub nightly: bool,
    /// Its folder.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// The toolchain that `rustc`, called in the current folder, belongs to.
    ///
    /// # Errors
    /// If it does not run, is too old, or is for another host.
    pub fn find(rustc: OsString) -> Result<Toolchain, Error> {
        let verbose_version = ask(&rustc, &["-vV"])?;
        let (minor, nightly) = check_version(&verbose_version)?;
        let sysroot = PathBuf::from(ask(&rustc, &["--print", "sysroot"])?.trim());
        Ok(Toolchain { rustc, verbose_version, minor, nightly, sysroot })
    }

    /// First line of `rustc -vV`: `rustc 1.95.0 (…)`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verbose_version.lines().next().unwrap_or_default()
    }

    /// The rustdoc beside it.
    #[must_use]
    pub fn rustdoc(&self) -> PathBuf {
        self.sysroot.join("bin/rustdoc")
    }

    /// The folder of libraries of the supported target.
    #[must_use]
    pub fn target_libraries(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(SUPPORTED_TARGET).join("lib")
    }
}

/// The rustc that cargo would call: the environment's, the configuration's, or the one in the path.
#[must_use]
pub fn rustc_command(configured: Option<&Path>) -> OsString {
    env::var_os("RUSTC")
        .filter(|name| !name.is_empty())
        .or_else(|| configured.map(OsString::from))
        .unwrap_or_else(|| "rustc".into())
}

/// The cargo that called this program, or else the one in the path.
#[must_use]
pub fn cargo_command() -> OsString {
    env::var_os("CARGO").filter(|name| !name.is_empty()).unwrap_or_else(|| "cargo".into())
}

fn ask(rustc: &OsString, arguments: &[&str]) -> Result<String, Error> {
    let failed =
        |reason| Error::Tool { command: format!("{} {}", rustc.display(), arguments.join(" ")), reason };
    let output = Command::new(rustc).args(arguments).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}

/// Minor version, and whether it is a nightly.
fn check_version(verbose: &str) -> Result<(u32, bool), Error> {
    let field = |name: &str| {
        verbose.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).ok_or_else(|| {
            Error::Tool {
                command: "rustc -vV".to_owned(),
                reason: format!("no line `{name}: …` in its answer"),
            }
        })
    };
    let (host, release) = (field("host")?, field("release")?);
    if host != SUPPORTED_TARGET {
        return Err(Error::Target { found: host.to_owned(), supported: SUPPORTED_TARGET });
    }
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < (1, MINIMUM_MINOR) {
        let minimum = format!("1.{MINIMUM_MINOR}");
        return Err(Error::RustcTooOld { found: release.to_owned(), minimum });
    }
    Ok((minor, release.ends_with("-nightly") || release.ends_with("-dev")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(release: &str, host: &str) -> String {
        format!("rustc {release} (abc 2026-01-01)\nbinary: rustc\nhost: {host}\nrelease: {release}\n")
    }

    #[test]
    fn a_stable_and_a_nightly_release_are_told_apart() {
        assert_eq!(check_version(&version("1.95.0", SUPPORTED_TARGET)).unwrap(), (95, false));
        assert_eq!(check_version(&version("1.97.0-nightly", SUPPORTED_TARGET)).unwrap(), (97, true));
        assert_eq!(check_version(&version("1.96.0-beta.2", SUPPORTED_TARGET)).unwrap(), (96, false));
    }

    #[test]
    fn an_old_rustc_is_refused_with_the_version_that_is_needed() {
        let error = check_version(&version("1.87.1", SUPPORTED_TARGET)).unwrap_err();
        assert!(matches!(&error, Error::RustcTooOld { found, .. } if found == "1.87.1"), "{error}");
    }

    #[test]
    fn another_host_is_refused() {
        let error = check_version(&version("1.95.0", "aarch64-apple-darwin")).unwrap_err();
        assert!(matches!(error, Error::Target { .. }));
    }

    #[test]
    fn an_answer_in_another_form_is_an_error_of_the_tool() {
        assert!(matches!(check_version("gcc 14"), Err(Error::Tool { .. })));
    }
}
