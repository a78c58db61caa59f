//! The compilers that are compared: the same rustc, with and without the facade's flags.

use std::process::Command;
use std::sync::OnceLock;

use snag_tests::{cargo_snag, repository};

/// A std to compile against.
#[derive(Clone, Debug)]
pub struct World {
    /// What it is called in messages and folders.
    pub name: &'static str,
    flags: Vec<String>,
}

impl World {
    /// The toolchain's own std.
    pub fn plain() -> World {
        World { name: "plain", flags: Vec::new() }
    }

    /// The facade.
    pub fn facade() -> World {
        static FLAGS: OnceLock<Vec<String>> = OnceLock::new();
        World { name: "facade", flags: FLAGS.get_or_init(facade_flags).clone() }
    }

    /// Plain std, then the facade.
    pub fn both() -> [World; 2] {
        [World::plain(), World::facade()]
    }

    /// rustc against this std.
    pub fn rustc(&self) -> Command {
        let mut command = Command::new("rustc");
        command.current_dir(repository()).args(["--edition", "2024"]).args(&self.flags);
        command
    }
}

fn facade_flags() -> Vec<String> {
    let output = Command::new(cargo_snag())
        .args(["snag", "__sysroot"])
        .current_dir(repository())
        .output()
        .expect("failed to run cargo-snag");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo snag __sysroot failed:\n{errors}");
    String::from_utf8(output.stdout).expect("flags are text").lines().map(String::from).collect()
}
