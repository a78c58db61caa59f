//! A run's folder: making one, and reading it back.
//!
//! `<target>/snag/runs/<id>` holds `run.json`, the clock page and a trace per process. Reading takes
//! nothing for granted: any of them may be missing, cut or hostile.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use snag_trace::layout::{
    CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, HEADER_SIZE, MAGIC, TRACE_EXTENSION, VERSION, clock,
};
use snag_trace::{ProcessTrace, TraceError};

use crate::error::Error;
use crate::finding::ProgramStatus;
use crate::run::kernel;
use crate::run::meta::RunMeta;

/// Name of the file that says what was run.
pub const META_FILE: &str = "run.json";

/// A run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    /// Absolute path.
    pub path: PathBuf,
    /// Its name.
    pub id: String,
}

/// What a run left, of which the events are still on disk: see [`Recording::read`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// What was run.
    pub meta: RunMeta,
    /// The trace files by family: processes that descend from each other, in order of birth. Nothing
    /// orders one family's events and another's but what is not recorded, so each can be judged by
    /// itself, in the room of the largest.
    pub families: Vec<Vec<PathBuf>>,
    /// What a reader must know about it.
    pub warnings: Vec<String>,
}

/// The traces of one family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// A trace per process image.
    pub traces: Vec<ProcessTrace>,
    /// What a reader must know about them.
    pub warnings: Vec<String>,
}

const READ_ONLY_HELP: &str =
    "runs are kept in the project's target folder: choose another with `--target-dir` or CARGO_TARGET_DIR";

impl RunFolder {
    /// Makes a new run folder with its clock page below `runs`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(runs: &Path) -> Result<RunFolder, Error> {
        fs::create_dir_all(runs).map_err(Error::io_with_help("create", runs, READ_ONLY_HELP))?;
        let (path, id) = loop {
            let id = new_id();
            let path = runs.join(&id);
            match fs::create_dir(&path) {
                Ok(()) => break (path, id),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io_with_help("create", &path, READ_ONLY_HELP)(error)),
            }
        };
        // As the kernel will call it, to recognise processes that have the clock page mapped.
        let path = path.canonicalize().map_err(Error::io("find", &path))?;
        let page = path.join(CLOCK_FILE);
        fs::write(&page, clock_page()).map_err(Error::io("write", &page))?;
        Ok(RunFolder { path, id })
    }

    /// Writes `run.json`, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, meta: &RunMeta) -> Result<(), Error> {
        let (file, new) = (self.path.join(META_FILE), self.path.join("run.json.new"));
        let mut text =
            serde_json::to_vec_pretty(meta).map_err(|error| Error::io("write", &file)(error.into()))?;
        text.push(b'\n');
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
        written.map_err(|error| {
            // Nobody would look for half a file under this name; if it stays, it stays.
            let _ = fs::remove_file(&new);
            Error::io("write", &file)(error)
        })
    }

    /// Paths of the traces, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn trace_files(&self) -> io::Result<Vec<PathBuf>> {
        trace_files(&self.path)
    }
}

/// Removes the oldest runs that have ended, so that at most `keep` are left and those before the
/// newest take no more than [`KEPT_BYTES`]. What cannot be removed stays.
pub fn prune(runs: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut bytes = 0;
    for (position, folder) in folders.iter().rev().enumerate().skip(1) {
        bytes += size(folder);
        if (position >= keep || bytes > KEPT_BYTES) && has_ended(folder) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Room that older runs may take.
const KEPT_BYTES: u64 = 4 << 30;

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn has_ended(folder: &Path) -> bool {
    matches!(read_meta(folder), Ok(Some(meta)) if meta.program != ProgramStatus::default())
}

/// What the run's clock says now; nothing if it cannot be read.
#[must_use]
pub fn clock_now(folder: &Path) -> Option<u64> {
    let page = fs::read(folder.join(CLOCK_FILE)).ok()?;
    Some(u64::from_le_bytes(page.get(clock::SEQ..clock::SEQ + 8)?.try_into().ok()?))
}

/// Processes of the run that have not ended: daemons, and children that nobody waited for.
#[must_use]
pub fn still_alive(run: &RunFolder) -> Vec<u32> {
    let clock = run.path.join(CLOCK_FILE);
    let files = run.trace_files().unwrap_or_default();
    let pids = files.iter().filter_map(|file| pid_of(file));
    let mut alive: Vec<u32> =
        pids.filter(|&pid| kernel::lives(pid) && kernel::has_mapped(pid, &clock)).collect();
    alive.dedup();
    alive
}

/// The process that a trace file's name says.
fn pid_of(file: &Path) -> Option<u32> {
    file.file_stem()?.to_str()?.split('-').next()?.parse().ok()
}

/// Reads a run folder, or a single trace file.
///
/// # Errors
/// If it is neither, if `run.json` is damaged, or if a trace cannot be read at all.
pub fn load(path: &Path) -> Result<Recording, Error> {
    if path.is_file() {
        // What was run is known if the file still lies in its run's folder.
        let folder = path.parent().unwrap_or(path);
        let unknown = || RunMeta { version: 1, id: file_stem(path), ..RunMeta::default() };
        let meta = read_meta(folder).ok().flatten().unwrap_or_else(unknown);
        return load_traces(&[path.to_owned()], meta);
    }
    let files = trace_files(path).map_err(Error::io("read", path))?;
    if let Some(meta) = read_meta(path)? {
        return load_traces(&files, meta);
    }
    if files.is_empty() {
        return Err(Error::NotARun { path: path.to_owned() });
    }
    let meta = RunMeta { version: 1, id: file_stem(path), ..RunMeta::default() };
    let mut recording = load_traces(&files, meta)?;
    recording.warnings.push("run.json is missing: how the program ended is not known".to_owned());
    Ok(recording)
}

impl RunFolder {
    /// Reads the traces of this run, of which this is known.
    ///
    /// # Errors
    /// If a trace cannot be read at all.
    pub fn load(&self, meta: RunMeta) -> Result<Recording, Error> {
        let files = self.trace_files().map_err(Error::io("read", &self.path))?;
        load_traces(&files, meta)
    }
}

/// What `run.json` says, if there is one.
fn read_meta(folder: &Path) -> Result<Option<RunMeta>, Error> {
    let file = folder.join(META_FILE);
    match fs::read(&file) {
        Ok(text) => {
            serde_json::from_slice(&text).map(Some).map_err(|reason| Error::Meta { path: file, reason })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &file)(error)),
    }
}

fn load_traces(files: &[PathBuf], meta: RunMeta) -> Result<Recording, Error> {
    let mut recording = Recording { meta, ..Recording::default() };
    let mut births = Vec::new();
    for file in files {
        if is_unwritten(file)? {
            // One that is still running may have got further since: it is said to run, and no more.
            if !pid_of(file).is_some_and(|pid| recording.meta.alive.contains(&pid)) {
                let name = file.file_name().unwrap_or_default().display();
                let warning = format!("{name}: nothing was recorded, the process could not begin to");
                recording.warnings.push(warning);
            }
            continue;
        }
        let head = decoded(file, &start_of(file, HEADER_SIZE)?, ProcessTrace::decode_header)?;
        births.push((head, file.clone()));
    }
    births.sort_by_key(|(head, file)| (head.first_seq, file.clone()));
    recording.families = families(births);
    recording.warnings.extend(warnings_of_processes(&recording.meta));
    Ok(recording)
}

/// Puts each process to the one that it descends from, or that it was before an exec. What is given
/// is in order of birth.
fn families(births: Vec<(ProcessTrace, PathBuf)>) -> Vec<Vec<PathBuf>> {
    let mut families: Vec<(Vec<u32>, Vec<PathBuf>)> = Vec::new();
    for (head, file) in births {
        let known = |family: &&mut (Vec<u32>, Vec<PathBuf>)| {
            family.0.contains(&head.pid) || family.0.contains(&head.parent_pid)
        };
        match families.iter_mut().find(known) {
            Some(family) => {
                family.0.push(head.pid);
                family.1.push(file);
            }
            None => families.push((vec![head.pid], vec![file])),
        }
    }
    families.into_iter().map(|(_, files)| files).collect()
}

impl Recording {
    /// Reads the traces of one of the families.
    ///
    /// # Errors
    /// If a trace cannot be read at all.
    pub fn read(&self, family: &[PathBuf]) -> Result<Family, Error> {
        let until = self.meta.until.unwrap_or(u64::MAX);
        let mut read = Family::default();
        for file in family {
            let bytes = fs::read(file).map_err(Error::io("read", file))?;
            let mut trace = decoded(file, &bytes, ProcessTrace::decode)?;
            trace.cut_after(until);
            if trace.events.is_empty() && until < u64::MAX {
                continue;
            }
            read.warnings.extend(warnings_of(file, &trace));
            read.traces.push(trace);
        }
        Ok(read)
    }
}

fn decoded(
    path: &Path,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<ProcessTrace, TraceError>,
) -> Result<ProcessTrace, Error> {
    decode(bytes).map_err(|reason| Error::Trace { path: path.to_owned(), reason })
}

/// The first bytes of a file, at most `len`.
fn start_of(path: &Path, len: usize) -> Result<Vec<u8>, Error> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(Error::io("read", path))?;
    file.take(len as u64).read_to_end(&mut start).map_err(Error::io("read", path))?;
    Ok(start)
}

/// Whether a process made the file and got no further: it was killed, or the disk was full. The
/// first bytes are written last.
fn is_unwritten(path: &Path) -> Result<bool, Error> {
    let start = start_of(path, MAGIC.len())?;
    Ok(start.iter().all(|&byte| byte == 0))
}

fn warnings_of_processes(meta: &RunMeta) -> Vec<String> {
    // An explored execution is no process of the user's, and always ended by snag.
    let stuck = meta.stuck.iter().filter(|_| meta.explored.is_none()).map(|stuck| {
        format!("process {} was ended by snag: none of its threads could ever run again", stuck.pid)
    });
    let alive = meta.alive.iter().map(|pid| {
        format!("process {pid} was still running when it was analyzed: what it did later is not known")
    });
    stuck.chain(alive).collect()
}

/// What a reader must know about one trace.
fn warnings_of(path: &Path, trace: &ProcessTrace) -> Vec<String> {
    use snag_trace::layout::state;
    let name = path.file_name().unwrap_or_default().display();
    let stops = [
        (state::DISK_FULL, "no space was left on the disk"),
        (state::UNREACHABLE, "the trace file could not be opened any more"),
        (state::LIMIT, "the trace reached its size limit"),
    ];
    let stopped = stops.iter().filter(|(bit, _)| trace.state & bit != 0);
    let stopped = stopped.map(|(_, why)| format!("{name}: recording stopped early, {why}"));
    let damaged = trace.damage.iter().map(|damage| {
        format!("{name}: damaged at byte {}: {}; what comes after is left out", damage.offset, damage.what)
    });
    stopped.chain(damaged).collect()
}

fn trace_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TRACE_EXTENSION) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn file_stem(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_default();
    absolute.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn clock_page() -> Vec<u8> {
    let mut page = vec![0; CLOCK_SIZE];
    page[clock::MAGIC..clock::MAGIC + 8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    page
}

/// A name for a folder: time in UTC and the fraction of the second, so that runs sort by their age,
/// `20260109T080706Z-5f3a`.
#[must_use]
pub fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = u64::from(now.subsec_nanos()) * 0x1_0000 / 1_000_000_000;
    format!("{}-{fraction:04x}", utc(now.as_secs()))
}

/// Seconds since the epoch as `YYYYMMDDThhmmssZ`, by Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_the_time_in_utc() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_827_696), "20000229T123456Z");
        assert_eq!(utc(1_767_225_599), "20251231T235959Z");
    }

    #[test]
    fn a_run_without_traces_reads_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("runs")).unwrap();
        let meta = RunMeta { version: 1, id: run.id.clone(), test_harness: true, ..RunMeta::default() };
        run.save(&meta).unwrap();
        let recording = load(&run.path).unwrap();
        assert_eq!(recording, Recording { meta, ..Recording::default() });
        let page = fs::read(run.path.join(CLOCK_FILE)).unwrap();
        assert_eq!((page.len(), &page[..8]), (CLOCK_SIZE, &CLOCK_MAGIC[..]));
    }

    #[test]
    fn a_folder_with_nothing_of_a_run_in_it_is_not_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path()), Err(Error::NotARun { .. })));
    }

    #[test]
    fn descendants_and_later_images_of_a_process_are_its_family() {
        let birth = |pid, parent_pid, name: &str| {
            (ProcessTrace { pid, parent_pid, ..ProcessTrace::default() }, PathBuf::from(name))
        };
        let births = vec![
            birth(10, 1, "cargo's first test"),
            birth(20, 1, "cargo's second test"),
            birth(11, 10, "child"),
            birth(11, 10, "child, after an exec"),
            birth(12, 11, "grandchild"),
        ];
        let first = ["cargo's first test", "child", "child, after an exec", "grandchild"];
        let expected = [first.map(PathBuf::from).to_vec(), vec![PathBuf::from("cargo's second test")]];
        assert_eq!(families(births), expected);
    }

    #[test]
    fn a_trace_that_was_not_begun_is_worth_a_warning_unless_its_process_still_runs() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("runs")).unwrap();
        fs::write(run.path.join("77.trace"), [0; HEADER_SIZE]).unwrap();
        let warnings = |alive: Vec<u32>| run.load(RunMeta { alive, ..RunMeta::default() }).unwrap().warnings;
        assert!(warnings(Vec::new())[0].contains("77.trace: nothing was recorded"));
        assert!(warnings(vec![77])[0].contains("process 77 was still running"));
    }

    #[test]
    fn a_file_that_is_no_trace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.trace");
        fs::write(&file, "hello, this is not a trace").unwrap();
        assert!(matches!(load(&file), Err(Error::Trace { .. })));
        assert!(matches!(load(folder.path()), Err(Error::Trace { .. })));
    }
}
