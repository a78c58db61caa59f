//! `cargo snag init`: a `snag.toml` with everything in it, commented; a CI file on request.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use crate::build::project::Project;
use crate::commands::progress::Progress;
use crate::commands::{Command, Given};
use crate::config::FILE;
use crate::error::Error;
use crate::gate::CLEAN;

/// The command.
#[derive(Debug)]
pub struct Init;

#[derive(Debug, clap::Args)]
struct Options {
    /// Write a file for this CI service as well
    #[arg(long, value_name = "SERVICE", value_parser = ["github", "gitlab"])]
    ci: Option<String>,
}

/// The file that is written.
pub const TEMPLATE: &str = include_str!("init/snag.toml");
const GITHUB: &str = include_str!("init/github.yml");
const GITLAB: &str = include_str!("init/gitlab.yml");

impl Command for Init {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("init"))
            .about("Write a commented snag.toml, and a CI file on request; nothing is written over")
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        let root = Project::find(&[])?.workspace_root;
        let progress = Progress::like_cargo(&[]);
        let ci = options.ci.map(|service| match service.as_str() {
            "github" => (".github/workflows/snag.yml", GITHUB),
            _ => (".gitlab/snag.yml", GITLAB),
        });
        for (path, text) in [(FILE, TEMPLATE)].into_iter().chain(ci) {
            if root.join(path).exists() && ci.is_some() && path == FILE {
                continue;
            }
            write_new(&root.join(path), text)?;
            progress.say("Created", path);
        }
        Ok(CLEAN)
    }
}

fn write_new(file: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let mut opened =
        opened.map_err(Error::io_with_help("create", file, "move it away to have it written anew"))?;
    opened.write_all(text.as_bytes()).map_err(Error::io("write", file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_template_is_understood_as_it_is_and_with_its_comments_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        let uncommented: String =
            TEMPLATE.lines().map(|line| format!("{}\n", line.strip_prefix("#: ").unwrap_or(line))).collect();
        for text in [TEMPLATE.to_owned(), uncommented] {
            std::fs::write(&file, &text).expect("a file");
            let config = Config::in_file(&file).map_err(|error| error.render(false));
            assert!(config.is_ok(), "{config:?}\n{text}");
        }
    }
}
