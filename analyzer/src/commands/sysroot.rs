//! `cargo snag __sysroot`: the flags with which rustc compiles against the facade, one per line.
//! Hidden: it is for snag's own conformance tests.

use std::ffi::OsString;

use crate::build::cargo_config::CargoConfig;
use crate::build::mode::Mode;
use crate::build::toolchain::{Toolchain, rustc_command};
use crate::build::{instrumentation, linking, shim};
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::gate::CLEAN;

/// The command.
#[derive(Debug)]
pub struct PrintSysroot;

impl Command for PrintSysroot {
    fn spec(&self) -> clap::Command {
        let memory = clap::Arg::new("memory").long("memory").action(clap::ArgAction::SetTrue);
        clap::Command::new("__sysroot").hide(true).arg(memory)
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let config = CargoConfig::load(&[]);
        let toolchain = Toolchain::find(rustc_command(config.build_tool("rustc").as_deref()))?;
        let mode = if given.matches.get_flag("memory") { Mode::Memory } else { Mode::Native };
        let shim = shim::prepare(&toolchain, mode, || ())?;
        let mut flags: Vec<OsString> = shim.rustc_flags().into_iter().map(OsString::from).collect();
        if mode == Mode::Memory {
            instrumentation::instrument(&mut flags);
            let linking = linking::flags(&shim.root, &[]).map_err(Error::io("read", &shim.root))?;
            flags.extend(linking);
        }
        for flag in flags {
            println!("{}", flag.display());
        }
        Ok(CLEAN)
    }
}
