//! What cargo knows of the project: its root, its target folder, what it asks of snag.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cargo_metadata::MetadataCommand;

use crate::build::cargo_config::values_of;
use crate::build::toolchain::cargo_command;
use crate::config::Config;
use crate::error::Error;

/// A cargo workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// Folder of the workspace.
    pub workspace_root: PathBuf,
    /// Cargo's target folder.
    pub target_directory: PathBuf,
    /// Folders of its packages.
    pub packages: Vec<PathBuf>,
    /// What it asks for.
    pub config: Config,
}

/// Flags of `cargo run` and `cargo test` that `cargo metadata` has as well, and that change what it
/// says; with whether they have a value.
const SHARED_FLAGS: [(&str, bool); 7] = [
    ("--manifest-path", true),
    ("--config", true),
    ("--lockfile-path", true),
    ("-Z", true),
    ("--offline", false),
    ("--locked", false),
    ("--frozen", false),
];

impl Project {
    /// The project that cargo, called here with these arguments, would build.
    ///
    /// # Errors
    /// If there is none; cargo's own words have been printed then.
    pub fn find(cargo_arguments: &[OsString]) -> Result<Project, Error> {
        let mut cargo = Command::new(cargo_command());
        cargo.args(["metadata", "--format-version=1", "--no-deps"]).args(shared(cargo_arguments));
        let answer = cargo.stderr(Stdio::inherit()).output();
        let output = answer.map_err(|error| tool_error(error.to_string()))?;
        if !output.status.success() {
            return Err(Error::Cargo { help: None });
        }
        let text = String::from_utf8(output.stdout).map_err(|error| tool_error(error.to_string()))?;
        let metadata = MetadataCommand::parse(text).map_err(|error| tool_error(error.to_string()))?;
        let given = values_of(cargo_arguments, "--target-dir").next_back();
        let target_directory = match given {
            Some(folder) => std::path::absolute(folder).map_err(Error::io("find", folder.as_ref()))?,
            None => metadata.target_directory.clone().into(),
        };
        let config = Config::of(&metadata)?;
        let manifests = metadata.packages.iter().map(|package| package.manifest_path.as_std_path());
        let packages = manifests.filter_map(|path| Some(path.parent()?.to_owned())).collect();
        Ok(Project { workspace_root: metadata.workspace_root.into(), target_directory, packages, config })
    }
}

fn tool_error(reason: String) -> Error {
    Error::Tool { command: "cargo metadata".to_owned(), reason }
}

/// The arguments that mean the same to `cargo metadata`.
fn shared(arguments: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        for (flag, has_value) in SHARED_FLAGS {
            if argument == flag {
                kept.push(argument.clone());
                if has_value {
                    kept.extend(rest.next().cloned());
                }
                break;
            }
            if has_value && is_joined(argument, flag) {
                kept.push(argument.clone());
                break;
            }
        }
    }
    kept
}

/// Whether this is `--flag=value`, or `-Zvalue`.
fn is_joined(argument: &OsStr, flag: &str) -> bool {
    let rest = argument.to_str().and_then(|text| text.strip_prefix(flag));
    rest.is_some_and(|rest| !rest.is_empty() && (!flag.starts_with("--") || rest.starts_with('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flags_that_metadata_knows_are_handed_to_it() {
        let given =
            "-p x --manifest-path a/Cargo.toml --release --offline -Zfoo --config=k=1 filter -- --frozen";
        let given: Vec<OsString> = given.split(' ').map(OsString::from).collect();
        let expected = ["--manifest-path", "a/Cargo.toml", "--offline", "-Zfoo", "--config=k=1"];
        assert_eq!(shared(&given), expected);
    }
}
