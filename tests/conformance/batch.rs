//! Many programs in one binary per std: compiling them one by one would take minutes.
//!
//! Each program is a module in a file of its own, so that an error message names it; each run is a
//! process of its own, started with the program's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{process, thread};

use serde_json::Value;
use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};

use crate::world::World;

/// Longest time of one program.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often programs whose output depends on the schedule are run before they are said to differ.
const TRIES: usize = 6;

/// What a program does at its end: whether a thread that it leaves behind still gets to print
/// something is a matter of microseconds, and no std promises either.
const LET_OTHERS_END: &str = r#"
    for _ in 0..100 {
        if std::fs::read_dir("/proc/self/task").map_or(1, |threads| threads.count()) == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
"#;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// With this status.
    Exit(i32),
    /// By a signal.
    Killed,
    /// Not in time.
    Hung,
}

/// How a process ended, and the sorted lines that it wrote.
pub type Outcome = (Verdict, Vec<String>);

/// Programs, compiled against both stds.
pub struct Batch {
    folder: tempfile::TempDir,
    /// Programs that both compile.
    pub names: Vec<String>,
    /// Programs that plain std does not compile, with its errors.
    pub refused_by_plain: Vec<String>,
    /// Programs that only the facade does not compile, with its errors.
    pub refused_by_the_facade: Vec<String>,
}

impl Batch {
    /// Compiles `programs`, given by name.
    pub fn build(programs: &BTreeMap<String, String>) -> Batch {
        let folder = tempfile::tempdir().expect("failed to make a temporary folder");
        for (name, source) in programs {
            fs::write(folder.path().join(format!("{name}.rs")), source).expect("failed to write a program");
        }
        let mut names: BTreeSet<_> = programs.keys().cloned().collect();
        let [refused_by_plain, refused_by_the_facade] = World::both().map(|world| {
            let mut refused = Vec::new();
            while let Err(errors) = compile(&world, folder.path(), &names) {
                for (name, error) in errors {
                    names.remove(&name);
                    refused.push(format!("{name} does not compile against {}:\n{error}", world.name));
                }
            }
            refused
        });
        Batch { folder, names: names.into_iter().collect(), refused_by_plain, refused_by_the_facade }
    }

    /// Runs a program on plain std.
    pub fn run_plain(&self, name: &str) -> Outcome {
        run(&self.folder.path().join("plain"), name, None)
    }

    /// What differs between plain std and the facade, recording or not; `None` if nothing does.
    pub fn disagreement(&self, name: &str) -> Option<String> {
        let facade = self.folder.path().join("facade");
        let record = clock_page(&self.folder.path().join("recorded"));
        let mut plain = BTreeSet::new();
        let mut quiet = BTreeSet::new();
        let mut recorded = BTreeSet::new();
        for _ in 0..TRIES {
            plain.insert(self.run_plain(name));
            quiet.insert(run(&facade, name, None));
            recorded.insert(run(&facade, name, Some(&record)));
            if !plain.is_disjoint(&quiet) && !plain.is_disjoint(&recorded) {
                return None;
            }
        }
        Some(format!("{name}:\n  plain    {plain:?}\n  facade   {quiet:?}\n  recorded {recorded:?}"))
    }
}

/// An empty run folder, with the clock that a recording process needs.
fn clock_page(folder: &Path) -> PathBuf {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("failed to make a run folder");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..CLOCK_MAGIC.len()].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    fs::write(folder.join(CLOCK_FILE), page).expect("failed to write a clock page");
    folder.to_path_buf()
}

/// Compiles the named programs into the binary `<folder>/<world>`, or says which ones do not compile.
fn compile(world: &World, folder: &Path, names: &BTreeSet<String>) -> Result<(), BTreeMap<String, String>> {
    let mut main = String::from("#![allow(warnings)]\n");
    let mut arms = String::new();
    for name in names {
        main += &format!("#[path = \"{name}.rs\"] mod {name};\n");
        arms += &format!("        Some(\"{name}\") => std::process::Termination::report({name}::main()),\n");
    }
    main += "fn main() -> std::process::ExitCode {\n";
    main += "    let code = match std::env::args().nth(1).as_deref() {\n";
    main += &arms;
    main += "        other => panic!(\"no program {other:?}\"),\n    };\n";
    main += LET_OTHERS_END;
    main += "    code\n}\n";
    let source = folder.join("all_programs.rs");
    fs::write(&source, main).expect("failed to write the batch");
    let output = world
        .rustc()
        .args(["--cap-lints", "allow", "-C", "debuginfo=0", "--error-format=json", "-o"])
        .arg(folder.join(world.name))
        .arg(&source)
        .output()
        .expect("failed to run rustc");
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut refused = BTreeMap::new();
    for error in errors(&stderr) {
        let text = error["rendered"].as_str().unwrap_or_default();
        for span in error["spans"].as_array().into_iter().flatten() {
            let path = Path::new(span["file_name"].as_str().unwrap_or_default());
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if names.contains(&*name) {
                *refused.entry(name.into_owned()).or_insert_with(String::new) += text;
            }
        }
    }
    assert!(!refused.is_empty(), "the batch does not compile against {}:\n{stderr}", world.name);
    Err(refused)
}

fn errors(stderr: &str) -> impl Iterator<Item = Value> {
    stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["level"] == "error" && message["spans"] != Value::Array(Vec::new()))
}

/// The codes of the errors with which a program is refused; empty if it compiles.
pub fn error_codes(world: &World, name: &str, source: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("failed to make a temporary folder");
    let path = folder.path().join(format!("{name}.rs"));
    fs::write(&path, source).expect("failed to write a program");
    let output = world
        .rustc()
        .args(["--emit", "metadata", "--error-format=json", "-o"])
        .arg(folder.path().join("unused"))
        .arg(&path)
        .output()
        .expect("failed to run rustc");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let code = |error: Value| error["code"]["code"].as_str().unwrap_or("error").to_owned();
    errors(&stderr).map(code).collect()
}

/// What rustc says if a program cannot be compiled and linked with these options.
pub fn link_errors(world: &World, source: &str, options: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().expect("failed to make a temporary folder");
    let path = folder.path().join("program.rs");
    fs::write(&path, source).expect("failed to write a program");
    let mut rustc = world.rustc();
    rustc.args(options).arg("-o").arg(folder.path().join("program")).arg(&path);
    let output = rustc.output().expect("failed to run rustc");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn run(binary: &Path, name: &str, record: Option<&Path>) -> Outcome {
    let written = tempfile::NamedTempFile::new().expect("failed to make a temporary file");
    let mut command = process::Command::new(binary);
    command.arg(name).stdin(Stdio::null()).stderr(Stdio::null()).env_remove(RUN_ENV);
    command.stdout(File::create(written.path()).expect("failed to open a temporary file"));
    if let Some(folder) = record {
        command.env(RUN_ENV, folder);
    }
    let mut child = command.spawn().expect("failed to run a batch");
    let start = Instant::now();
    let verdict = loop {
        if let Some(status) = child.try_wait().expect("failed to wait") {
            break status.code().map_or(Verdict::Killed, Verdict::Exit);
        }
        if start.elapsed() > PATIENCE {
            child.kill().expect("failed to kill a program that hangs");
            child.wait().expect("failed to wait");
            break Verdict::Hung;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text = fs::read(written.path()).expect("failed to read a program's output");
    let mut lines: Vec<_> = String::from_utf8_lossy(&text).lines().map(String::from).collect();
    lines.sort();
    (verdict, lines)
}
