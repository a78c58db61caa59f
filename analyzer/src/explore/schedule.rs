//! Schedule files, `*.snag`: what a failure needs in order to happen again.
//!
//! A file is JSON, made to be read in a review and committed beside the code; docs/formats/schedule.md
//! has the fields. Invariant: what is read is checked, so that a file from anywhere gives an error and
//! never a panic.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use snag_trace::control::{How, MAX_TASKS, SEGMENTS, Segment};

use crate::error::Error;

/// The file name's extension, without the dot.
pub const EXTENSION: &str = "snag";
/// The version of this form.
pub const VERSION: u32 = 1;

/// How an execution is repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// [`VERSION`].
    pub snag_schedule: u32,
    /// The version of snag that wrote it.
    pub snag: String,
    /// How cargo is called: `test` or `run`, and with what.
    pub cargo: Vec<String>,
    /// Crates that were left with the real std.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plain: Vec<String>,
    /// The binary that cargo makes, without the hash in its file's name.
    pub binary: String,
    /// The test's name; nothing if it is a program's `main`.
    pub test: Option<String>,
    /// The program's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Whether accesses to memory are instrumented.
    pub memory: bool,
    /// How it fails, for people.
    pub failure: String,
    /// How it ends.
    pub ending: String,
    /// Same for all that fail alike.
    pub fingerprint: u64,
    /// The seed of the exploration.
    pub seed: u64,
    /// Number of the execution in it.
    pub execution: u64,
    /// The strategy that found it.
    pub strategy: String,
    /// When the clocks of the execution begin, in nanoseconds since 1970.
    pub epoch: u64,
    /// Most points of an execution.
    pub max_steps: u64,
    /// Whether atomics may read older stores, as C++20's memory model allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
    /// Hash of the binary's code and data.
    pub build: String,
    /// First line of `rustc -vV`.
    pub toolchain: String,
    /// How many threads it has.
    pub threads: u32,
    /// How often a thread is left that could go on.
    pub preemptions: u64,
    /// `thread*points`, one after the other; `!` where a wait ends early, `?` where one ends for no reason,
    /// `~` where an atomic reads not the newest store, but one that is so many older.
    pub schedule: String,
}

impl Schedule {
    /// The verb that cargo is called with.
    #[must_use]
    pub fn verb(&self) -> Option<&'static str> {
        ["test", "run"].into_iter().find(|verb| self.cargo.first().is_some_and(|first| first == verb))
    }

    /// Sets what is to be done.
    pub fn set_segments(&mut self, segments: &[Segment]) {
        let words: Vec<String> = segments
            .iter()
            .map(|segment| {
                let how = match segment.how {
                    How::Run => "",
                    How::Early => "!",
                    How::Spurious => "?",
                    How::Older => "~",
                };
                format!("{}{how}*{}", segment.task, segment.steps)
            })
            .collect();
        self.schedule = words.join(" ");
    }

    /// What is to be done; nothing if it is malformed.
    #[must_use]
    pub fn segments(&self) -> Option<Vec<Segment>> {
        let segments: Option<Vec<_>> = self.schedule.split_whitespace().map(segment).collect();
        segments.filter(|segments| segments.len() <= SEGMENTS)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), Error> {
        let folder = file.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|error| Error::io("write", file)(error.into()))?;
        text.push(b'\n');
        fs::write(file, text).map_err(Error::io("write", file))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a schedule of this version.
    pub fn load(file: &Path) -> Result<Schedule, Error> {
        /// Largest file in bytes: each segment has at most 17 letters.
        const MOST: u64 = 20 * SEGMENTS as u64;
        let size = fs::metadata(file).map_err(Error::io("read", file))?.len();
        let refused = |why: &str| Error::Usage {
            message: format!("{} is no schedule of snag: {why}", file.display()),
            help: Some("schedules are written by `cargo snag explore`, to `target/snag/failures`".to_owned()),
        };
        if size > MOST {
            return Err(refused("it is too large"));
        }
        let text = fs::read(file).map_err(Error::io("read", file))?;
        let schedule: Schedule =
            serde_json::from_slice(&text).map_err(|error| refused(&error.to_string()))?;
        if schedule.snag_schedule != VERSION {
            let found = schedule.snag_schedule;
            return Err(refused(&format!("its version is {found}, and this snag reads {VERSION}")));
        }
        if schedule.segments().is_none() {
            return Err(refused("its `schedule` is malformed"));
        }
        Ok(schedule)
    }
}

/// `3!*12`.
fn segment(word: &str) -> Option<Segment> {
    let (task, steps) = word.split_once('*')?;
    let marks = [('!', How::Early), ('?', How::Spurious), ('~', How::Older)];
    let marked = marks.into_iter().find_map(|(mark, how)| Some((task.strip_suffix(mark)?, how)));
    let (task, how) = marked.unwrap_or((task, How::Run));
    let task: u16 = task.parse().ok()?;
    let steps = steps.parse().ok()?;
    (usize::from(task) < MAX_TASKS).then_some(Segment { task, how, steps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_segment() -> impl Strategy<Value = Segment> {
        let how = prop_oneof![Just(How::Run), Just(How::Early), Just(How::Spurious), Just(How::Older)];
        (0..MAX_TASKS as u16, how, any::<u32>()).prop_map(|(task, how, steps)| Segment { task, how, steps })
    }

    proptest! {
        #[test]
        fn segments_survive_their_text(segments in proptest::collection::vec(any_segment(), 0..50)) {
            let mut schedule = Schedule::default();
            schedule.set_segments(&segments);
            prop_assert_eq!(schedule.segments(), Some(segments));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let schedule = Schedule { schedule: text, ..Schedule::default() };
            let _ = schedule.segments();
        }
    }

    #[test]
    fn a_file_that_is_no_schedule_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.snag");
        let whole = Schedule { snag_schedule: 1, schedule: "0*5 1!*2".to_owned(), ..Schedule::default() };
        whole.save(&file).unwrap();
        assert_eq!(Schedule::load(&file).unwrap(), whole);
        let mut old = whole.clone();
        old.snag_schedule = 7;
        old.save(&file).unwrap();
        assert!(Schedule::load(&file).unwrap_err().to_string().contains("its version is 7"));
        let bad = Schedule { schedule: "0*5 99999*1".to_owned(), ..whole };
        bad.save(&file).unwrap();
        assert!(Schedule::load(&file).unwrap_err().to_string().contains("malformed"));
        fs::write(&file, b"\xff{}").unwrap();
        assert!(Schedule::load(&file).is_err());
    }
}
