//! `cargo snag __sysroot`: the flags with which rustc compiles against the facade, one per line.
//! Hidden: it is for snag's own conformance tests.

use crate::build::cargo_config::CargoConfig;
use crate::build::shim;
use crate::build::toolchain::{Toolchain, rustc_command};
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::gate::CLEAN;

/// The command.
#[derive(Debug)]
pub struct PrintSysroot;

impl Command for PrintSysroot {
    fn spec(&self) -> clap::Command {
        clap::Command::new("__sysroot").hide(true)
    }

    fn execute(&self, _: Given<'_>) -> Result<u8, Error> {
        let config = CargoConfig::load(&[]);
        let toolchain = Toolchain::find(rustc_command(config.build_tool("rustc").as_deref()))?;
        for flag in shim::prepare(&toolchain, || ())?.rustc_flags() {
            println!("{flag}");
        }
        Ok(CLEAN)
    }
}
