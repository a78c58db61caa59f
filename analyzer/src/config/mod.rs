//! What a project asks of snag, for every command: `snag.toml` in the workspace's root,
//! `[workspace.metadata.snag]` and `[package.metadata.snag]`.
//!
//! All three have the same keys and are joined; where they give one rule different levels, `snag.toml` counts before
//! the workspace and the workspace before a package. The command line counts before all.
//! Invariant: what is not understood is an error that says where and what would be.

pub mod baseline;
pub mod dates;
pub mod suppression;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cargo_metadata::Metadata;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::explain;
use crate::gate::Level;
pub use suppression::Suppression;

/// The file's name.
pub const FILE: &str = "snag.toml";

/// Keys of `[levels]` that are no rules.
pub const CERTAINTIES: [&str; 3] = ["potential", "predicted", "confirmed"];

/// What a project asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Crates that are built with the real std.
    pub plain: Vec<String>,
    /// How paths begin that `cargo snag lint` leaves out.
    pub exclude: Vec<String>,
    /// Baseline to compare with, relative to the workspace's root.
    pub baseline: Option<String>,
    /// Levels of rules and of certainties.
    pub levels: BTreeMap<String, Level>,
    /// What is not to be reported.
    pub suppress: Vec<Suppression>,
}

impl Config {
    /// What the project of these metadata asks for.
    ///
    /// # Errors
    /// If something in it is not understood.
    pub fn of(metadata: &Metadata) -> Result<Config, Error> {
        let root = metadata.workspace_root.as_std_path();
        let mut config = Config::in_file(&root.join(FILE))?;
        let workspace = [("workspace.metadata.snag", &metadata.workspace_metadata)].into_iter();
        let packages = metadata.packages.iter().map(|package| ("package.metadata.snag", &package.metadata));
        for (name, value) in workspace.chain(packages) {
            let Some(value) = value.get("snag") else { continue };
            let parsed: Result<Config, _> = serde_json::from_value(value.clone());
            let other =
                parsed.map_err(|error| wrong(&format!("`[{name}]` in Cargo.toml"), &error.to_string()))?;
            other.check(&format!("`[{name}]` in Cargo.toml"))?;
            config.join(other);
        }
        config.plain.sort();
        config.plain.dedup();
        Ok(config)
    }

    /// What a `snag.toml` says; nothing if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or something in it is not understood.
    pub fn in_file(file: &Path) -> Result<Config, Error> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(error) => return Err(Error::io("read", file)(error)),
        };
        let config: Config =
            toml::from_str(&text).map_err(|error| wrong(FILE, error.to_string().trim_end()))?;
        config.check(FILE)?;
        Ok(config)
    }

    fn join(&mut self, other: Config) {
        self.plain.extend(other.plain);
        self.exclude.extend(other.exclude);
        self.suppress.extend(other.suppress);
        self.baseline = self.baseline.take().or(other.baseline);
        for (name, level) in other.levels {
            self.levels.entry(name).or_insert(level);
        }
    }

    fn check(&self, wherever: &str) -> Result<(), Error> {
        let named = self.levels.keys().chain(self.suppress.iter().filter_map(|entry| entry.rule.as_ref()));
        for name in named {
            let is_certainty = CERTAINTIES.contains(&name.as_str()) && self.levels.contains_key(name);
            if !is_certainty && explain::page(name).is_none() {
                let known: Vec<_> = explain::rules().map(|(rule, _)| rule).collect();
                let help =
                    format!("certainties are {}; rules are {}", CERTAINTIES.join(", "), known.join(", "));
                return Err(Error::Usage {
                    message: format!("{wherever}: there is no rule `{name}`"),
                    help: Some(help),
                });
            }
        }
        for entry in &self.suppress {
            entry.check().map_err(|reason| wrong(&format!("{wherever}: an entry of `suppress`"), &reason))?;
        }
        Ok(())
    }
}

fn wrong(wherever: &str, reason: &str) -> Error {
    Error::Usage {
        message: format!("{wherever} is not understood: {reason}"),
        help: Some(
            "keys are `plain`, `exclude`, `baseline`, `[levels]` and `[[suppress]]`, as docs/configuration.md has them"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        fs::write(&file, text).expect("a file");
        Config::in_file(&file).map_err(|error| error.render(false))
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = parse(
            "plain = ['a']\nexclude = ['src/gen']\nbaseline = 'b.json'\n[levels]\npotential = 'deny'\ndeadlock = 'warn'\n\
             [[suppress]]\nrule = 'data_race'\ncrate = 'ring'\nreason = 'known upstream'\nexpires = '2030-01-31'\n",
        )
        .expect("it is well formed");
        assert_eq!(config.levels["potential"], Level::Deny);
        assert_eq!(config.suppress[0].package.as_deref(), Some("ring"));
        assert_eq!(parse("").expect("empty is fine"), Config::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, word) in [
            ("plian = ['a']", "plian"),
            ("[levels]\ndead_lock = 'deny'", "dead_lock"),
            ("[levels]\ndeadlock = 'forbid'", "forbid"),
            ("[[suppress]]\nrule = 'deadlock'\npath = 'src'", "reason"),
            ("[[suppress]]\nrule = 'deadlock'\nreason = ' '", "reason"),
            ("[[suppress]]\nreason = 'because'", "rule"),
            ("[[suppress]]\nrule = 'deadlock'\nreason = 'x'\nexpires = 'soon'", "soon"),
            ("[[suppress]]\nrule = 'potential'\nreason = 'x'", "potential"),
            ("plain = [", "plain"),
        ] {
            let refused = parse(text).expect_err(text);
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }
}
