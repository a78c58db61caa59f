//! A cargo command line with the facade under the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use crate::build::cargo_config::{CargoConfig, values_of};
use crate::build::mode::Mode;
use crate::build::project::Project;
use crate::build::shim::{self, Shim};
use crate::build::toolchain::{SUPPORTED_TARGET, Toolchain, cargo_command, rustc_command};
use crate::build::wrapper::{CHAIN_ENV, PLAIN_ENV, RUSTDOC_ENV, SHIM_ENV};
use crate::error::Error;

/// What it takes to call cargo with the facade.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The project's toolchain.
    pub toolchain: Toolchain,
    /// The shim for it.
    pub shim: Shim,
    /// The project.
    pub project: Project,
    config: CargoConfig,
    arguments: Vec<OsString>,
    plain: Vec<String>,
}

/// What a user should know of what is being prepared.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// The shim is being compiled, with this toolchain.
    Preparing(&'a Toolchain),
    /// As before; std is being instrumented first, which takes its time.
    Instrumenting(&'a Toolchain),
    /// There will be no memory layer, for this reason.
    NoMemoryLayer(&'a str),
}

/// Variables that cargo sets for the programs that it runs. Where snag is itself such a program (by
/// an alias of the repository, or in a test), they are about snag and not about the project.
const FOREIGN_PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
const FOREIGN: [&str; 3] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];

impl Invocation {
    /// Finds the toolchain and the project that cargo, called here with these arguments, would use,
    /// and makes sure that the shim is there. Where the memory layer cannot be had, the facade alone
    /// is used.
    ///
    /// # Errors
    /// If any of that fails, or the arguments ask for a target that is not supported.
    pub fn prepare(
        mut arguments: Vec<OsString>,
        plain: Vec<String>,
        mode: Mode,
        notice: impl Fn(Notice<'_>),
    ) -> Result<Invocation, Error> {
        refuse_build_std(&arguments)?;
        let wanted = values_of(&arguments, "--target").find(|target| *target != SUPPORTED_TARGET);
        if let Some(target) = wanted {
            let found = target.to_string_lossy().into_owned();
            return Err(Error::Target { found, supported: SUPPORTED_TARGET });
        }
        let config = CargoConfig::load(&arguments);
        let toolchain = Toolchain::find(rustc_command(config.build_tool("rustc").as_deref()))?;
        let project = Project::find(&arguments)?;
        let shim = if mode.has_memory() {
            with_memory(&toolchain, mode, &config, &notice)?
        } else {
            without_memory(&toolchain, mode, &config, &notice)?
        };
        remove_flag(&mut arguments, "--target-dir");
        remove_flag(&mut arguments, "--target");
        let plain = plain.into_iter().chain(project.config.plain.iter().cloned()).collect();
        Ok(Invocation { toolchain, shim, project, config, arguments, plain })
    }

    /// Folder for everything of snag within the project's target folder.
    #[must_use]
    pub fn snag_folder(&self) -> PathBuf {
        self.project.target_directory.join("snag")
    }

    /// `cargo <verb>` with the user's arguments.
    ///
    /// # Errors
    /// If this program does not know its own path, which cargo needs.
    pub fn command(&self, verb: &str) -> Result<Command, Error> {
        let this = env::current_exe().map_err(Error::io("find", Path::new("cargo-snag")))?;
        let mut cargo = Command::new(cargo_command());
        cargo
            .args([verb, "--target", SUPPORTED_TARGET, "--target-dir"])
            .arg(self.snag_folder().join(self.shim.mode.name()))
            .args(["--config", &setting("rustc-wrapper", &this)?])
            .args(["--config", &setting("rustdoc", &this)?])
            .args(&self.arguments)
            .env(SHIM_ENV, &self.shim.root)
            .env(RUSTDOC_ENV, self.real_rustdoc())
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTDOC")
            .env_remove(CHAIN_ENV)
            .env_remove(PLAIN_ENV);
        if let Some(chained) = self.users_wrapper() {
            cargo.env(CHAIN_ENV, chained);
        }
        if !self.plain.is_empty() {
            // The list is part of the answer to `rustc -vV`, which cargo must then not remember.
            cargo.env(PLAIN_ENV, self.plain.join(",")).env("CARGO_CACHE_RUSTC_INFO", "0");
        }
        remove_foreign_variables(&mut cargo);
        Ok(cargo)
    }

    /// The wrapper that cargo would use without snag.
    fn users_wrapper(&self) -> Option<OsString> {
        match env::var_os("RUSTC_WRAPPER") {
            // Empty means none, whatever the configuration says.
            Some(given) => Some(given).filter(|given| !given.is_empty()),
            None => self.config.build_tool("rustc-wrapper").map(PathBuf::into_os_string),
        }
    }

    fn real_rustdoc(&self) -> OsString {
        env::var_os("RUSTDOC")
            .or_else(|| self.config.build_tool("rustdoc").map(PathBuf::into_os_string))
            .unwrap_or_else(|| self.toolchain.rustdoc().into_os_string())
    }
}

/// The shim with the memory layer; where that is not possible, the one without. What keeps both from
/// being made is an error of the second.
fn with_memory(
    toolchain: &Toolchain,
    mode: Mode,
    config: &CargoConfig,
    notice: &impl Fn(Notice<'_>),
) -> Result<Shim, Error> {
    let reason = if config.links_libc_statically() {
        "the program is to be linked with libc statically (`crt-static`)".to_owned()
    } else {
        let instrumenting = || notice(Notice::Instrumenting(toolchain));
        match shim::prepare(toolchain, mode, instrumenting) {
            Ok(shim) => return Ok(shim),
            // A compiler has much to say: its first line is enough, `__sysroot --memory` shows the rest.
            Err(error) => {
                error.to_string().lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
            }
        }
    };
    notice(Notice::NoMemoryLayer(&reason));
    without_memory(toolchain, mode.without_memory(), config, notice)
}

fn without_memory(
    toolchain: &Toolchain,
    mode: Mode,
    config: &CargoConfig,
    notice: &impl Fn(Notice<'_>),
) -> Result<Shim, Error> {
    let mode = match mode {
        Mode::Native if config.links_libc_statically() => Mode::Static,
        mode => mode,
    };
    shim::prepare(toolchain, mode, || notice(Notice::Preparing(toolchain)))
}

/// There is one std of snag's own; cargo cannot build another.
fn refuse_build_std(arguments: &[OsString]) -> Result<(), Error> {
    let flags = arguments.iter().take_while(|argument| *argument != "--");
    let asked = flags.map(|flag| flag.to_string_lossy()).any(|flag| {
        let name = flag.strip_prefix("-Z").unwrap_or(&flag);
        name == "build-std" || name.starts_with("build-std=")
    });
    if !asked {
        return Ok(());
    }
    let message = "snag brings a std of its own, so `-Z build-std` cannot be used with it".to_owned();
    Err(Error::Usage { message, help: Some("leave it out".to_owned()) })
}

/// `build.<name>="<path>"` in TOML.
fn setting(name: &str, path: &Path) -> Result<String, Error> {
    let text = path.to_str().ok_or_else(|| {
        let reason = io::Error::other("its path is not UTF-8, which cargo's configuration must be");
        Error::io("use", path)(reason)
    })?;
    Ok(format!("build.{name}={}", toml::Value::String(text.to_owned())))
}

/// Takes `--flag value` and `--flag=value` out, up to a `--`.
fn remove_flag(arguments: &mut Vec<OsString>, flag: &str) {
    let joined = format!("{flag}=");
    let mut at = 0;
    while at < arguments.len() && arguments[at] != "--" {
        if arguments[at] == flag {
            arguments.drain(at..arguments.len().min(at + 2));
        } else if arguments[at].as_encoded_bytes().starts_with(joined.as_bytes()) {
            arguments.remove(at);
        } else {
            at += 1;
        }
    }
}

fn remove_foreign_variables(cargo: &mut Command) {
    let foreign = |name: &str| {
        FOREIGN.contains(&name) || FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(foreign) {
            cargo.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_flag_takes_its_value_along_and_programs_arguments_stay() {
        let line = "--target-dir a -p x --target-dir=b f -- --target-dir c";
        let mut arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        remove_flag(&mut arguments, "--target-dir");
        assert_eq!(arguments, ["-p", "x", "f", "--", "--target-dir", "c"]);
    }

    #[test]
    fn a_path_is_quoted_as_toml_wants_it() {
        let text = setting("rustdoc", Path::new("/a b/\"c\\d")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["build"]["rustdoc"].as_str(), Some("/a b/\"c\\d"));
    }
}
