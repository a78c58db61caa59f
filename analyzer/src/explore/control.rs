//! The control file of an exploration, as the analyzer sees it: [`snag_trace::control`].
//!
//! It has no name in any folder: the explored process opens it through this process's own descriptor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use snag_trace::control::{self, Control, MAGIC, NAMES, SEGMENTS, SIZE, Segment, Step, TEST, VERSION};

/// A mapped control file.
#[derive(Debug)]
pub struct ControlFile {
    file: File,
    mapped: NonNull<Control>,
}

// SAFETY: all of the file is read and written by atomic operations, but for the names, which are read
// when the other side is done with them.
unsafe impl Send for ControlFile {}
// SAFETY: as above.
unsafe impl Sync for ControlFile {}

/// A test as its harness names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its position in the harness.
    pub number: u32,
    /// Its full name.
    pub name: String,
    /// Of `snag_trace::control::TEST_…`.
    pub flags: u8,
}

impl ControlFile {
    /// Makes and maps one.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn create() -> io::Result<ControlFile> {
        // SAFETY: the name ends with NUL.
        let descriptor = unsafe { libc::memfd_create(c"snag-control".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let file = unsafe { File::from_raw_fd(descriptor) };
        file.set_len(SIZE as u64)?;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_NORESERVE);
        // SAFETY: a mapping at an address of the kernel's choice.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, access, kind, descriptor, 0) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapped = NonNull::new(mapped.cast::<Control>()).ok_or_else(io::Error::last_os_error)?;
        let control = ControlFile { file, mapped };
        control.magic.store(MAGIC, Ordering::Relaxed);
        control.version.store(VERSION, Ordering::Release);
        Ok(control)
    }

    /// A path by which another process can open it while this one lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// The tests that the harness has put down.
    #[must_use]
    pub fn tests(&self) -> Vec<Test> {
        let first = control::names(self.mapped.as_ptr());
        // SAFETY: the names' area lies within the mapping, and the harness is done with it.
        let area = unsafe { std::slice::from_raw_parts(first, NAMES) };
        let mut tests = Vec::new();
        let mut rest = area;
        while let Some((&flags, after)) = rest.split_first()
            && flags & TEST != 0
        {
            let end = after.iter().position(|&byte| byte == 0).unwrap_or(after.len());
            let name = String::from_utf8_lossy(&after[..end]).into_owned();
            tests.push(Test { number: tests.len() as u32, name, flags: flags & !TEST });
            rest = after.get(end + 1..).unwrap_or_default();
        }
        tests
    }

    fn words(&self, first: fn(*mut Control) -> *mut AtomicU64) -> &[AtomicU64] {
        // SAFETY: the area lies within the mapping, and is only accessed atomically.
        unsafe { std::slice::from_raw_parts(first(self.mapped.as_ptr()), SEGMENTS) }
    }

    /// What was done: the log of the last execution.
    #[must_use]
    pub fn log(&self) -> Vec<Segment> {
        let len = self.logged.load(Ordering::Acquire).min(SEGMENTS as u64) as usize;
        let words = self.words(control::log)[..len].iter();
        words.map(|word| Segment::from_word(word.load(Ordering::Relaxed))).collect()
    }

    /// The steps that were told.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let len = self.told.load(Ordering::Acquire).min(control::STEPS as u64) as usize;
        let first = control::steps(self.mapped.as_ptr());
        // SAFETY: the area lies within the mapping, and the process that wrote it has ended.
        unsafe { std::slice::from_raw_parts(first, len) }.to_vec()
    }

    /// The places in the source that those steps name: file, line and column.
    #[must_use]
    pub fn places(&self) -> BTreeMap<u64, (String, u32, u32)> {
        // SAFETY: the area lies within the mapping, and the process that wrote it has ended.
        let area = unsafe { std::slice::from_raw_parts(control::names(self.mapped.as_ptr()), NAMES) };
        let word = |at: usize| {
            let bytes = area.get(at..at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let (mut places, mut at) = (BTreeMap::new(), 0);
        while let (Some(place), Some(lines), Some(len)) = (word(at), word(at + 8), word(at + 16))
            && place != 0
        {
            let Some(file) = area.get(at + 24..at + 24 + len as usize) else { break };
            let file = String::from_utf8_lossy(file).into_owned();
            places.insert(place, (file, lines as u32, (lines >> 32) as u32));
            at += 24 + (len as usize).next_multiple_of(8);
        }
        places
    }

    /// Says something in the process's stead.
    pub fn set_message(&self, text: &str) {
        for (place, byte) in self.message.iter().zip(text.bytes()) {
            place.store(byte, Ordering::Relaxed);
        }
        self.message_len.store(text.len().min(control::MESSAGE) as u32, Ordering::Release);
    }

    /// Sets the plan, which is cut if it is too long.
    pub fn set_plan(&self, plan: &[Segment]) {
        for (word, segment) in self.words(control::plan).iter().zip(plan) {
            word.store(segment.to_word(), Ordering::Relaxed);
        }
        self.planned.store(plan.len().min(SEGMENTS) as u64, Ordering::Release);
    }

    /// What the process said of the end of the last execution.
    #[must_use]
    pub fn message(&self) -> String {
        let len = self.message_len.load(Ordering::Acquire) as usize;
        let bytes: Vec<u8> = self.message.iter().take(len).map(|byte| byte.load(Ordering::Relaxed)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sleeps while `word` is `expected`, for at most this long; may return early.
    pub fn sleep_on(word: &AtomicU32, expected: u32, most: Duration) {
        let time =
            libc::timespec { tv_sec: most.as_secs().cast_signed(), tv_nsec: most.subsec_nanos().into() };
        // SAFETY: the word and the time are valid for the call.
        unsafe {
            libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const time);
        }
    }

    /// Wakes who sleeps on `word`.
    pub fn wake(word: &AtomicU32) {
        // SAFETY: the word is valid for the call.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
    }
}

impl std::ops::Deref for ControlFile {
    type Target = Control;
    fn deref(&self) -> &Control {
        // SAFETY: mapped as long as `self` lives, and every field is atomic.
        unsafe { self.mapped.as_ref() }
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        // SAFETY: mapped by `create`, and nothing borrows from it any more.
        unsafe { libc::munmap(self.mapped.as_ptr().cast(), SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snag_trace::control::How;

    #[test]
    fn a_plan_is_not_a_log_and_there_are_no_tests_at_first() {
        let control = ControlFile::create().unwrap();
        control.set_plan(&[Segment { task: 1, how: How::Run, steps: 2 }]);
        assert_eq!(control.planned.load(Ordering::Relaxed), 1);
        assert_eq!((control.log(), control.tests(), control.message()), (vec![], vec![], String::new()));
    }
}
