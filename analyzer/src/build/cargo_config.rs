//! The few values of cargo's configuration that snag must know because it takes their place.
//!
//! Cargo has no stable command that prints its configuration, so the files are read here by the
//! rules of the Cargo Book, "Configuration": the command line's `--config`, then the environment,
//! then `.cargo/config.toml` of this folder and of each above it, then of cargo's home.
//! Known miss: a configuration file's `include`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// Configuration files in order of precedence, each with the folder that its relative paths are
/// relative to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CargoConfig {
    command_line: Vec<(PathBuf, Table)>,
    files: Vec<(PathBuf, Table)>,
}

impl CargoConfig {
    /// The configuration that cargo, called here with these arguments, would use. What cannot be
    /// read is left to cargo to complain about.
    #[must_use]
    pub fn load(cargo_arguments: &[OsString]) -> CargoConfig {
        let here = env::current_dir().unwrap_or_default();
        let home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        let mut files: Vec<_> =
            here.ancestors().filter_map(|folder| read_folder(&folder.join(".cargo"), folder)).collect();
        if let Some(home) = home {
            let parent = home.parent().unwrap_or(&home);
            files.extend(read_folder(&home, parent));
        }
        let given = values_of(cargo_arguments, "--config");
        let command_line = given.rev().filter_map(|value| read_argument(value, &here)).collect();
        CargoConfig { command_line, files }
    }

    /// The program that `build.<name>` names, if any: as a path if it was given as one, else as a
    /// name to look up.
    #[must_use]
    pub fn build_tool(&self, name: &str) -> Option<PathBuf> {
        let variable = format!("CARGO_BUILD_{}", name.to_uppercase().replace('-', "_"));
        let find = |tables: &[(PathBuf, Table)]| {
            tables.iter().find_map(|(base, table)| {
                let value = table.get("build")?.get(name)?.as_str()?;
                Some(if value.contains('/') { base.join(value) } else { PathBuf::from(value) })
            })
        };
        find(&self.command_line)
            .or_else(|| env::var_os(variable).map(PathBuf::from))
            .or_else(|| find(&self.files))
            .filter(|path| !path.as_os_str().is_empty())
    }

    /// Whether any flags for the compiler, of the environment or of the configuration, ask for a libc
    /// that is linked statically. Flags of another target count as well.
    #[must_use]
    pub fn links_libc_statically(&self) -> bool {
        let variables =
            env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.ends_with("RUSTFLAGS")));
        let asks = |flags: &str| flags.contains("+crt-static");
        let tables = self.command_line.iter().chain(&self.files).map(|(_, table)| table);
        variables.into_iter().any(|(_, flags)| asks(&flags.to_string_lossy()))
            || tables.flat_map(rustflags).any(|flags| asks(&flags))
    }
}

/// What a configuration has for `build.rustflags` and for each `target.….rustflags`.
fn rustflags(table: &Table) -> Vec<String> {
    let targets = table.get("target").and_then(|targets| targets.as_table());
    let tables = targets.into_iter().flat_map(|targets| targets.values()).chain(table.get("build"));
    tables.filter_map(|table| Some(table.get("rustflags")?.to_string())).collect()
}

fn read_folder(folder: &Path, base: &Path) -> Option<(PathBuf, Table)> {
    let text =
        ["config", "config.toml"].iter().find_map(|name| fs::read_to_string(folder.join(name)).ok())?;
    Some((base.to_owned(), text.parse().ok()?))
}

/// The value of one `--config`: a file, or `key=value` in TOML.
fn read_argument(value: &OsStr, here: &Path) -> Option<(PathBuf, Table)> {
    let path = here.join(value);
    if path.is_file() {
        let base = path.parent()?.parent()?.to_owned();
        return Some((base, fs::read_to_string(&path).ok()?.parse().ok()?));
    }
    Some((here.to_owned(), value.to_str()?.parse().ok()?))
}

/// All values given as `--flag value` or `--flag=value`, up to a `--`.
pub fn values_of<'a>(
    arguments: &'a [OsString],
    flag: &'a str,
) -> impl DoubleEndedIterator<Item = &'a OsStr> + use<'a> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let arguments = &arguments[..end];
    arguments.iter().enumerate().filter_map(move |(at, argument)| {
        if argument == flag {
            return arguments.get(at + 1).map(OsString::as_os_str);
        }
        argument.to_str()?.strip_prefix(flag)?.strip_prefix('=').map(OsStr::new)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_flag_is_found_in_both_spellings_but_not_after_the_double_dash() {
        let given =
            arguments(&["--config", "a=1", "x", "--config=b=2", "--configure=3", "--", "--config", "c=3"]);
        assert_eq!(values_of(&given, "--config").collect::<Vec<_>>(), ["a=1", "b=2"]);
    }

    #[test]
    fn a_static_libc_is_asked_for_in_flags_of_any_kind() {
        let config = |line: &str| CargoConfig::load(&arguments(&["--config", line]));
        for line in [
            "build.rustflags='-Ctarget-feature=+crt-static'",
            "target.x86_64-unknown-linux-gnu.rustflags=['-C', 'target-feature=+crt-static,+avx']",
        ] {
            assert!(config(line).links_libc_statically(), "{line}");
        }
        assert!(!config("build.rustflags='-Ctarget-feature=-crt-static'").links_libc_statically());
    }

    #[test]
    fn a_flag_without_its_value_gives_none() {
        assert_eq!(values_of(&arguments(&["--target"]), "--target").count(), 0);
    }

    #[test]
    fn the_last_config_argument_wins_and_a_bare_name_stays_one() {
        let given =
            arguments(&["--config", "build.rustc-wrapper='first'", "--config=build.rustc-wrapper='sccache'"]);
        assert_eq!(CargoConfig::load(&given).build_tool("rustc-wrapper"), Some(PathBuf::from("sccache")));
    }

    #[test]
    fn a_relative_path_in_a_file_is_relative_to_the_folder_above_dot_cargo() {
        let folder = tempfile::tempdir().unwrap();
        let dot_cargo = folder.path().join(".cargo");
        fs::create_dir(&dot_cargo).unwrap();
        fs::write(dot_cargo.join("config.toml"), "[build]\nrustc-wrapper = 'tools/wrap'\n").unwrap();
        let files = vec![read_folder(&dot_cargo, folder.path()).unwrap()];
        let config = CargoConfig { files, ..CargoConfig::default() };
        assert_eq!(config.build_tool("rustc-wrapper"), Some(folder.path().join("tools/wrap")));
        assert_eq!(config.build_tool("rustdoc"), None);
    }
}
