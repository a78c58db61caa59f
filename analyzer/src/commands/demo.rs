//! `cargo snag demo`: a tour of a few fixtures, with the reports that they really get.
//!
//! The programs travel inside the binary, so that the tour works on a fresh checkout and for an
//! installed `cargo snag` alike, without network: they use nothing but std. They are written to a
//! temporary workspace, and each is run by this same executable, called as a user would call it;
//! nothing here knows how a run works. The tour fails if a report is not the one announced.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use crate::commands::{Command, Given};
use crate::error::Error;
use crate::finding::Report;

/// A program of the tour.
struct Stop {
    name: &'static str,
    source: &'static str,
    about: &'static str,
    /// Rules of which one must be found; none if the program must be found clean.
    rules: &'static [&'static str],
}

macro_rules! source {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/", $name, "/src/main.rs"))
    };
}

static TOUR: &[Stop] = &[
    Stop {
        name: "lock_order_inversion",
        source: source!("lock_order_inversion"),
        about: "Most runs of this program end well. One run is enough to predict how one will not.",
        rules: &["lock_order_inversion", "deadlock"],
    },
    Stop {
        name: "lock_order_gate",
        source: source!("lock_order_gate"),
        about: "Here two locks are taken in opposite orders as well, but behind a third: no false alarm.",
        rules: &[],
    },
    Stop {
        name: "rlock_as_plain_mutex",
        source: source!("rlock_as_plain_mutex"),
        about: "This one hangs, each time. snag notices, ends it and says who waits for whom.",
        rules: &["deadlock"],
    },
    Stop {
        name: "condition_lost_wakeup",
        source: source!("condition_lost_wakeup"),
        about: "A notification that came too early, and the wait that nobody will end.",
        rules: &["lost_wakeup"],
    },
    Stop {
        name: "queue_empty_then_get",
        source: source!("queue_empty_then_get"),
        about: "Two consumers look whether there is work, and then wait for the same last item.",
        rules: &["blocked_forever"],
    },
    Stop {
        name: "daemon_holds_lock_at_exit",
        source: source!("daemon_holds_lock_at_exit"),
        about: "Main ends while a detached thread is in the middle of a write.",
        rules: &["thread_killed_at_exit"],
    },
    Stop {
        name: "message_passing_relaxed",
        source: source!("message_passing_relaxed"),
        about: "A flag says that the data is there, but its orderings are too weak to promise it.",
        rules: &["data_race"],
    },
    Stop {
        name: "atomic_load_store_counter",
        source: source!("atomic_load_store_counter"),
        about: "No data race, and still increments get lost between a load and a store.",
        rules: &["lost_update"],
    },
];

/// `cargo snag demo`.
#[derive(Debug)]
pub struct Demo;

impl Command for Demo {
    fn spec(&self) -> clap::Command {
        clap::Command::new("demo").about("A tour: small programs with bugs in them, and their real reports")
    }

    /// Succeeds if every program got the report announced.
    fn execute(&self, _: Given<'_>) -> Result<u8, Error> {
        let workspace = Workspace::create()?;
        let mut surprises = Vec::new();
        for (number, stop) in TOUR.iter().enumerate() {
            eprintln!("\n{}/{}  {}", number + 1, TOUR.len(), stop.about);
            eprintln!("     $ cargo snag run -p {}\n", stop.name);
            let report = workspace.visit(stop)?;
            if !is_as_announced(stop, &report) {
                surprises.push(stop.name);
            }
        }
        if !surprises.is_empty() {
            eprintln!("\nNot the reports announced: {}. This is a defect of snag.", surprises.join(", "));
            return Ok(1);
        }
        eprintln!("\nThat was the tour. On a crate of your own: `cargo snag run` or `cargo snag test`.");
        Ok(0)
    }
}

fn is_as_announced(stop: &Stop, report: &Report) -> bool {
    let mut found = report.findings.iter().map(|finding| finding.rule.as_str());
    match stop.rules {
        [] => found.next().is_none(),
        rules => found.any(|rule| rules.contains(&rule)),
    }
}

/// A cargo workspace with all programs of the tour, deleted at the end.
struct Workspace {
    root: PathBuf,
}

impl Workspace {
    fn create() -> Result<Workspace, Error> {
        let root = env::temp_dir().join(format!("snag-demo-{}", process::id()));
        DirBuilder::new().mode(0o700).create(&root).map_err(Error::io("create", &root))?;
        let workspace = Workspace { root };
        let members: Vec<_> = TOUR.iter().map(|stop| stop.name).collect();
        workspace.write("Cargo.toml", &format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n"))?;
        for stop in TOUR {
            let manifest = format!("[package]\nname = {:?}\nedition = \"2024\"\n", stop.name);
            workspace.write(&format!("{}/Cargo.toml", stop.name), &manifest)?;
            workspace.write(&format!("{}/src/main.rs", stop.name), &without_marks(stop.source))?;
        }
        Ok(workspace)
    }

    fn write(&self, path: &str, text: &str) -> Result<(), Error> {
        let file = self.root.join(path);
        let folder = file.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        fs::write(&file, text).map_err(Error::io("write", &file))
    }

    /// Runs a program, shows what snag says about it, and returns that.
    fn visit(&self, stop: &Stop) -> Result<Report, Error> {
        let file = self.root.join("report.json");
        let target = self.root.join("target");
        let mut run = self.snag(&target)?;
        run.args(["run", "-p", stop.name, "--format", "json", "--output"]).arg(&file);
        wait_for(&mut run)?;
        let text = fs::read(&file).map_err(Error::io("read", &file))?;
        let report: Report =
            serde_json::from_slice(&text).map_err(|reason| Error::Meta { path: file.clone(), reason })?;
        fs::remove_file(&file).map_err(Error::io("delete", &file))?;
        let mut analyze = self.snag(&target)?;
        wait_for(analyze.arg("analyze").arg(target.join("snag/runs").join(&report.run)))?;
        Ok(report)
    }

    fn snag(&self, target: &Path) -> Result<process::Command, Error> {
        let this = env::current_exe().map_err(Error::io("find", Path::new("this executable")))?;
        let mut command = process::Command::new(this);
        command.arg("snag").current_dir(&self.root).env("CARGO_TARGET_DIR", target);
        Ok(command)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // It lies in the system's temporary folder, which forgets what is left there.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Runs a command to its end. Its exit code says what the gate thinks of the findings, which is of no
/// interest here.
fn wait_for(command: &mut process::Command) -> Result<(), Error> {
    let failed = Error::io("run", Path::new(command.get_program()));
    command.stdin(Stdio::null()).status().map(drop).map_err(failed)
}

/// The source without the marks that are for the tests only.
fn without_marks(source: &str) -> String {
    let lines = source.lines().map(|line| line.split("//~").next().unwrap_or_default().trim_end());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_shown_without_the_marks_of_the_tests() {
        assert_eq!(without_marks("a(); //~ deadlock\nb();\n"), "a();\nb();\n");
        assert!(TOUR.iter().all(|stop| !without_marks(stop.source).contains("//~")));
    }

    #[test]
    fn what_is_announced_is_what_the_marks_of_a_program_require() {
        for stop in TOUR {
            let marked = |rule: &&str| stop.source.contains(&format!("//~ {rule}"));
            let first = stop.rules.first();
            assert_eq!(first.is_some_and(marked), stop.source.contains("//~"), "{}", stop.name);
        }
    }
}
