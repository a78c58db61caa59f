//! A sysroot in which the only nameable `std` is the facade.
//!
//! Symlinks to the toolchain's own, except for `libstd-*` of the supported target: that is put into a
//! second folder, which rustc gets as `-L dependency=`, where only its hash leads to it. So nothing
//! enters the extern prelude. Under exploration the same is done to `libtest-*`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::build::mode::Mode;
use crate::build::toolchain::{SUPPORTED_TARGET, Toolchain};
use crate::error::Error;

/// Lays out `<root>/sysroot` and puts the real std into `<root>/deps`. The facade is to be put into
/// [`target_libraries`] of the same root.
///
/// # Errors
/// If the toolchain's sysroot cannot be read or the new one cannot be written.
pub fn lay_out(toolchain: &Toolchain, mode: Mode, root: &Path) -> Result<(), Error> {
    let rustlib = toolchain.sysroot.join("lib/rustlib");
    let ours = root.join("sysroot/lib/rustlib");
    link_all(&rustlib, &ours, |name| (name != SUPPORTED_TARGET).then_some(&*ours))?;
    let (target, our_target) = (rustlib.join(SUPPORTED_TARGET), ours.join(SUPPORTED_TARGET));
    link_all(&target, &our_target, |name| (name != "lib").then_some(&*our_target))?;
    let (libraries, deps) = (target_libraries(root), root.join("deps"));
    fs::create_dir_all(&deps).map_err(Error::io("create", &deps))?;
    link_all(&target.join("lib"), &libraries, |name| {
        let is_hidden = name.starts_with("libstd-") || (mode.is_explored() && name.starts_with("libtest-"));
        Some(if is_hidden { &*deps } else { &*libraries })
    })
}

/// Where a sysroot laid out in `root` has the target's libraries.
#[must_use]
pub fn target_libraries(root: &Path) -> std::path::PathBuf {
    root.join("sysroot/lib/rustlib").join(SUPPORTED_TARGET).join("lib")
}

/// Makes the folder `to` and a symlink for each entry of `from`, in the folder that `place` names.
fn link_all<'a>(from: &Path, to: &Path, place: impl Fn(&str) -> Option<&'a Path>) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let name = entry.file_name();
        if let Some(folder) = place(&name.to_string_lossy()) {
            let link = folder.join(&name);
            symlink(entry.path(), &link).map_err(Error::io("create", &link))?;
        }
    }
    Ok(())
}
