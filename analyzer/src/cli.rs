//! The command line: from arguments to a command, from an error to exit code 2.
//!
//! Arguments of `run` and `test` that are not snag's own belong to cargo and reach it as they are,
//! so they are told apart before clap sees any.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::build::wrapper::Role;
use crate::commands::progress::to_stderr;
use crate::commands::{COMMANDS, Command, Given};
use crate::error::Error;
use crate::gate::SNAG_FAILED;
use crate::reporters::Style;

/// Does what the command line, without the program's name, asks for.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    // A recorded program inherits the environment that makes a wrapper, and may call snag itself.
    let is_command = arguments.first().is_some_and(|first| find(&first.to_string_lossy()).is_some());
    if let Some(role) = Role::find(&arguments).filter(|_| !is_command) {
        return role.play(arguments);
    }
    match dispatch(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            to_stderr(&error.render(Style::of_stderr().color));
            ExitCode::from(SNAG_FAILED)
        }
    }
}

fn dispatch(arguments: Vec<OsString>) -> Result<u8, Error> {
    let line = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    // Cargo calls `cargo-snag snag …`, a shell may call `cargo-snag …`.
    let mut own = arguments;
    if own.first().is_some_and(|first| first == "snag") {
        own.remove(0);
    }
    let chosen = own.first().and_then(|name| find(&name.to_string_lossy()));
    let cargo = match chosen {
        Some(command) if command.passes_arguments_on() => {
            let rest = own.split_off(1);
            let (ours, cargo) = split(rest, &command.spec());
            own.extend(ours);
            cargo
        }
        _ => Vec::new(),
    };
    own.insert(0, "cargo snag".into());
    let matches = root().get_matches_from(own);
    let Some((name, matches)) = matches.subcommand() else { unreachable!("clap asks for a subcommand") };
    let command = find(name).expect("clap knows only what is registered");
    command.execute(Given { matches, cargo, line })
}

fn find(name: &str) -> Option<&'static dyn Command> {
    COMMANDS.iter().copied().find(|command| command.spec().get_name() == name)
}

/// The whole command line as clap sees it.
#[must_use]
pub fn root() -> clap::Command {
    clap::Command::new("cargo snag")
        .bin_name("cargo snag")
        .about("Finds races and deadlocks in a Rust program as it is, by running it")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|command| command.spec()))
}

/// Parts arguments into those of this command and the others, which are cargo's: flags of the
/// command's own up to a `--`, with their values.
fn split(arguments: Vec<OsString>, spec: &clap::Command) -> (Vec<OsString>, Vec<OsString>) {
    let (mut ours, mut cargos) = (Vec::new(), Vec::new());
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            cargos.push(argument);
            cargos.extend(rest);
            break;
        }
        let text = argument.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        let is_joined = name.len() < text.len();
        match takes_value(spec, name) {
            None => cargos.push(argument),
            Some(false) => ours.push(argument),
            Some(true) => {
                let value = if is_joined { None } else { rest.next() };
                ours.push(argument);
                ours.extend(value);
            }
        }
    }
    (ours, cargos)
}

/// Whether this flag of the command takes a value; nothing if it is no flag of it.
fn takes_value(spec: &clap::Command, flag: &str) -> Option<bool> {
    if matches!(flag, "--help" | "-h") {
        return Some(false);
    }
    let long = flag.strip_prefix("--")?;
    let argument = spec.get_arguments().find(|argument| argument.get_long() == Some(long))?;
    Some(argument.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_contradiction_in_the_command_line() {
        root().debug_assert();
    }

    #[test]
    fn snags_flags_are_picked_out_of_cargos_wherever_they_stand() {
        let spec = find("test").unwrap().spec();
        let line = "name --release --deny potential -p x --format=json --features a -- --format pretty";
        let (ours, cargos) = split(line.split(' ').map(OsString::from).collect(), &spec);
        assert_eq!(ours, ["--deny", "potential", "--format=json"]);
        assert_eq!(cargos, ["name", "--release", "-p", "x", "--features", "a", "--", "--format", "pretty"]);
    }

    #[test]
    fn every_command_has_a_name_of_its_own() {
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.spec().get_name().to_owned()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
