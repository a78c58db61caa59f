//! The shim: three crates, compiled once per rustc, sources and mode, and kept in a cache folder.
//!
//! A toolchain that there can be no memory layer for is tried once: a file `<cache>/<mode>-<key>.refused`
//! says why.
//!
//! Invariant: a folder `<cache>/<mode>-<key>` is whole. It is made under another name and renamed,
//! with a lock held, so that any number of `cargo snag` may start at the same time.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, process};

use crate::build::mode::Mode;
use crate::build::std_bitcode::Reason;
use crate::build::toolchain::{SUPPORTED_TARGET, Toolchain};
use crate::build::{instrumentation, linking, std_bitcode, sysroot};
use crate::error::Error;
use crate::overlay;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/shim_sources.rs"));
}

/// Environment variable that names the cache folder.
pub const CACHE_ENV: &str = "SNAG_CACHE_DIR";
/// Oldest minor version that the facade asks for by `cfg(snag_since = "1.NN")`.
const FIRST_SINCE: u32 = 60;

/// A compiled shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    /// Its folder.
    pub root: PathBuf,
    /// Name of it: differs where anything that went into it differs.
    pub key: String,
    /// What it is for.
    pub mode: Mode,
}

impl Shim {
    /// The shim in this folder, which [`prepare`] made.
    #[must_use]
    pub fn at(root: PathBuf) -> Shim {
        let key = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mode = Mode::of_key(&key);
        Shim { root, key, mode }
    }

    /// What rustc and rustdoc must be told.
    #[must_use]
    pub fn rustc_flags(&self) -> Vec<String> {
        vec![
            format!("--sysroot={}", self.root.join("sysroot").display()),
            format!("-Ldependency={}", self.dependencies().display()),
        ]
    }

    /// What rustc must be told for a crate that has the real std, and may depend on some that have
    /// not.
    #[must_use]
    pub fn plain_flags(&self) -> Vec<String> {
        let facade = sysroot::target_libraries(&self.root);
        [self.dependencies(), facade]
            .iter()
            .map(|folder| format!("-Ldependency={}", folder.display()))
            .collect()
    }

    /// Where the real std and the runtime are.
    #[must_use]
    pub fn dependencies(&self) -> PathBuf {
        self.root.join("deps")
    }
}

/// One crate of the shim.
struct ShimCrate {
    name: &'static str,
    root: &'static str,
    externs: &'static [&'static str],
}

/// The crate that is compiled for explored programs only, and that may use what is unstable.
const TEST: ShimCrate =
    ShimCrate { name: "test", root: "test/src/lib.rs", externs: &["snag_runtime", "snag_trace"] };

const CRATES: [ShimCrate; 3] = [
    ShimCrate { name: "snag_trace", root: "trace/src/lib.rs", externs: &[] },
    ShimCrate { name: "snag_runtime", root: "runtime/src/lib.rs", externs: &["snag_trace"] },
    ShimCrate { name: "std", root: "std/src/lib.rs", externs: &["snag_runtime", "snag_trace"] },
];

/// The shim for this toolchain, compiled if it is not in the cache. `announce` is called before a
/// compilation.
///
/// # Errors
/// If the cache cannot be written, the shim does not compile, or std cannot be instrumented.
pub fn prepare(toolchain: &Toolchain, mode: Mode, announce: impl FnOnce()) -> Result<Shim, Error> {
    let cache = cache_folder()?;
    let shim = Shim::at(cache.join(format!("{}-{:016x}", mode.name(), key(toolchain, mode))));
    if shim.root.is_dir() {
        return Ok(shim);
    }
    let lock_path = cache.join("lock");
    let lock = File::create(&lock_path).map_err(Error::io_with_help("create", &lock_path, CACHE_HELP))?;
    lock.lock().map_err(Error::io("lock", &lock_path))?;
    if shim.root.is_dir() {
        return Ok(shim);
    }
    let refused = cache.join(format!("{}.refused", shim.key));
    if let Ok(why) = fs::read_to_string(&refused) {
        return Err(Error::Std { reason: Reason::Known(why) });
    }
    announce();
    let unfinished = cache.join(format!("{}.unfinished-{}", shim.key, process::id()));
    let built = build(toolchain, mode, &unfinished)
        .and_then(|()| fs::rename(&unfinished, &shim.root).map_err(Error::io("create", &shim.root)));
    if let Err(error) = &built {
        // What is left over would only take room; the error that matters is the first one.
        let _ = fs::remove_dir_all(&unfinished);
        if let Error::Std { reason } = error
            && reason.is_lasting()
        {
            fs::write(&refused, reason.to_string()).map_err(Error::io("write", &refused))?;
        }
    }
    built.map(|()| shim)
}

const CACHE_HELP: &str =
    "snag keeps its compiled shim there: set SNAG_CACHE_DIR to a folder that can be written";

/// Differs where the shim would, or the flags of crates that are compiled over it: another rustc, other
/// sources, another place of the toolchain.
fn key(toolchain: &Toolchain, mode: Mode) -> u64 {
    let sources = [embedded::SOURCES_HASH.to_le_bytes(), overlay::key().to_le_bytes()].concat();
    let sysroot = toolchain.sysroot.as_os_str().as_encoded_bytes();
    let flags = instrumentation::all_flags().join(" ");
    let name = mode.name().as_bytes();
    let version = toolchain.verbose_version.as_bytes();
    let parts: [&[u8]; 6] = [b"layout 2", name, &sources, version, sysroot, flags.as_bytes()];
    parts.iter().flat_map(|part| part.iter().chain(&[0xff])).fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The first of the places for a cache that there is, made if it is missing.
pub fn cache_folder() -> Result<PathBuf, Error> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let chosen = variable(CACHE_ENV)
        .or_else(|| {
            variable("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("snag"))
        })
        .or_else(|| variable("HOME").map(|home| home.join(".cache/snag")));
    let Some(folder) = chosen else { return private_temporary_folder() };
    fs::create_dir_all(&folder).map_err(Error::io_with_help("create", &folder, CACHE_HELP))?;
    std::path::absolute(&folder).map_err(Error::io("find", &folder))
}

/// A folder below the system's temporary one that belongs to this user alone: what is in it gets
/// compiled into programs.
fn private_temporary_folder() -> Result<PathBuf, Error> {
    // SAFETY: getuid has no preconditions and cannot fail.
    let user = unsafe { libc::getuid() };
    let folder = env::temp_dir().join(format!("snag-{user}"));
    let failed = || Error::io_with_help("create", &folder, CACHE_HELP);
    fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).map_err(failed())?;
    let found = fs::symlink_metadata(&folder).map_err(failed())?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        return Err(failed()(std::io::Error::other("it exists and is open to other users")));
    }
    Ok(folder)
}

/// Compiles everything into the folder `root`, which must not exist.
fn build(toolchain: &Toolchain, mode: Mode, root: &Path) -> Result<(), Error> {
    let sources = root.join("src");
    for (path, text) in embedded::SOURCES {
        let file = sources.join(path);
        let folder = file.parent().unwrap_or(&sources);
        fs::create_dir_all(folder).map_err(Error::io_with_help("create", folder, CACHE_HELP))?;
        fs::write(&file, text).map_err(Error::io("write", &file))?;
    }
    sysroot::lay_out(toolchain, mode, root)?;
    if mode.has_memory() {
        std_bitcode::instrument(toolchain, root).map_err(|reason| Error::Std { reason })?;
    }
    for part in &CRATES {
        compile(toolchain, mode, root, part)?;
    }
    if mode.is_explored() {
        compile(toolchain, mode, root, &TEST)?;
    }
    if mode.has_memory() {
        linking::save(toolchain, root).map_err(|reason| Error::Std { reason })?;
    }
    Ok(())
}

fn compile(toolchain: &Toolchain, mode: Mode, root: &Path, part: &ShimCrate) -> Result<(), Error> {
    let deps = root.join("deps");
    let is_facade = matches!(part.name, "std" | "test");
    let out = if is_facade { sysroot::target_libraries(root) } else { deps.clone() };
    let mut rustc = Command::new(&toolchain.rustc);
    if part.name == TEST.name {
        rustc.env("RUSTC_BOOTSTRAP", part.name);
    } else {
        rustc.env_remove("RUSTC_BOOTSTRAP");
    }
    rustc
        .arg(root.join("src").join(part.root))
        .args(["--crate-name", part.name, "--crate-type", "rlib", "--edition", "2024"])
        .args(["--target", SUPPORTED_TARGET, "--cap-lints", "allow"])
        .args(["-Copt-level=3", "-Ccodegen-units=1", "-Cdebuginfo=1", "-Cmetadata=snag"])
        .arg(format!("--remap-path-prefix={}=/snag", root.join("src").display()))
        .arg(format!("-Ldependency={}", deps.display()))
        .args(part.externs.iter().map(|name| format!("--extern={name}={}", rlib(&deps, name))))
        .args(cfgs(toolchain, mode))
        .arg("-o")
        .arg(rlib(&out, part.name));
    if part.name == TEST.name && mode.has_memory() {
        let mut flags = Vec::new();
        instrumentation::instrument(&mut flags);
        rustc.args(flags);
    }
    let failed = |stderr| Error::Shim { name: part.name, rustc: toolchain.name().to_owned(), stderr };
    let output = rustc.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn rlib(folder: &Path, name: &str) -> String {
    folder.join(format!("lib{name}.rlib")).display().to_string()
}

/// What the sources may ask for: `snag_since = "1.NN"` for each version of the compiler up to it,
/// `snag_nightly`, and what belongs to the mode.
fn cfgs(toolchain: &Toolchain, mode: Mode) -> Vec<String> {
    let mut flags = vec![
        "--check-cfg=cfg(snag_since, values(any()))".to_owned(),
        "--check-cfg=cfg(snag_nightly)".to_owned(),
        "--check-cfg=cfg(snag_memory)".to_owned(),
        "--check-cfg=cfg(snag_explore)".to_owned(),
    ];
    match mode {
        Mode::Native => {}
        Mode::Static => flags.push("-Ctarget-feature=+crt-static".to_owned()),
        Mode::Memory => flags.push("--cfg=snag_memory".to_owned()),
        Mode::ExploreNative => flags.push("--cfg=snag_explore".to_owned()),
        Mode::Explore => {
            flags.extend(["--cfg=snag_memory", "--cfg=snag_explore"].map(str::to_owned));
        }
    }
    flags.extend((FIRST_SINCE..=toolchain.minor).map(|minor| format!("--cfg=snag_since=\"1.{minor}\"")));
    if toolchain.nightly {
        flags.push("--cfg=snag_nightly".to_owned());
    }
    flags
}
