//! What the kernel knows of a process: `/proc/<pid>`, read without trust.

use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// A thread as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelThread {
    /// Its thread id.
    pub id: u32,
    /// Whether it sleeps and a signal could wake it (state `S`).
    pub sleeps: bool,
    /// How often it was switched to or from: unchanged means that it did not run.
    pub switches: u64,
}

/// Signals that are handled in every Rust program: the guard pages of stacks.
const RUNTIME_SIGNALS: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1);
/// Signals 32 and 33, glibc's own.
const LIBC_SIGNALS: u64 = 0b11 << 31;

/// All threads of a process, by id; nothing if it is gone.
#[must_use]
pub fn threads(pid: u32) -> Option<Vec<KernelThread>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    // A thread that ends meanwhile is left out.
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| thread(&entry.path())).collect();
    found.sort_unstable_by_key(|thread| thread.id);
    Some(found)
}

fn thread(folder: &Path) -> Option<KernelThread> {
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    parse_thread(id, &fs::read_to_string(folder.join("status")).ok()?)
}

fn parse_thread(id: u32, status: &str) -> Option<KernelThread> {
    let sleeps = field(status, "State")?.starts_with('S');
    let count = |name| field(status, name)?.parse::<u64>().ok();
    let switches = count("voluntary_ctxt_switches")? + count("nonvoluntary_ctxt_switches")?;
    Some(KernelThread { id, sleeps, switches })
}

/// Whether the process has handlers of its own for signals: then a wait may be ended from outside.
/// Yes if that cannot be told.
#[must_use]
pub fn handles_signals(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let caught = field(&status, "SigCgt").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.is_none_or(|caught| caught & !(RUNTIME_SIGNALS | LIBC_SIGNALS) != 0)
}

/// Whether the process is there and not merely a zombie.
#[must_use]
pub fn lives(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    field(&status, "State").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// Whether the process has the run's clock page mapped: it is one of this run's, and not a later one
/// that was given the same number.
#[must_use]
pub fn has_mapped(pid: u32, file: &Path) -> bool {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let wanted = file.as_os_str().as_encoded_bytes();
    maps.split(|&byte| byte == b'\n').any(|line| line.ends_with(wanted))
}

/// How many threads a process has; 0 if it is gone.
#[must_use]
pub fn thread_count(pid: u32) -> usize {
    // A folder has a link from each folder in it, and two besides.
    let links = fs::metadata(format!("/proc/{pid}/task")).map_or(0, |folder| folder.nlink());
    usize::try_from(links).unwrap_or(0).saturating_sub(2)
}

/// How many processors a process may use; 1 if that cannot be told.
#[must_use]
pub fn processors(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    field(&status, "Cpus_allowed_list").map_or(1, count_list).max(1)
}

/// How many numbers are in a list such as `0-3,8`.
fn count_list(list: &str) -> usize {
    let count = |range: &str| -> Option<usize> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    };
    list.split(',').filter_map(count).sum()
}

/// The threads of a process that run or could.
#[must_use]
pub fn runnable(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let state = stat.rsplit_once(") ")?.1;
        state.starts_with('R').then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    };
    entries.filter_map(one).collect()
}

/// Every process that is to be seen.
#[must_use]
pub fn all_processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process's parent.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "PPid")?.parse().ok()
}

/// Whether the thread sleeps in the system call `futex`; no if that cannot be told.
#[must_use]
pub fn sleeps_in_futex(pid: u32, thread: u32) -> bool {
    system_call(pid, thread).is_some_and(|(number, _)| number == libc::SYS_futex)
}

/// Whether the thread sleeps in a system call that has no limit in time; no if that cannot be told.
#[must_use]
pub fn sleeps_untimed(pid: u32, thread: u32) -> bool {
    const FOREVER: u64 = u32::MAX as u64;
    let Some((number, arguments)) = system_call(pid, thread) else { return false };
    match number {
        libc::SYS_wait4 | libc::SYS_waitid | libc::SYS_read | libc::SYS_recvfrom | libc::SYS_recvmsg => true,
        libc::SYS_futex => arguments[3] == 0,
        libc::SYS_ppoll => arguments[2] == 0,
        libc::SYS_poll => arguments[2] & FOREVER == FOREVER,
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait => arguments[3] & FOREVER == FOREVER,
        _ => false,
    }
}

/// Number and arguments of the system call that a thread is in; nothing if that cannot be told.
#[must_use]
pub fn system_call(pid: u32, thread: u32) -> Option<(i64, [u64; 6])> {
    let call = fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).ok()?;
    let mut words = call.split(' ');
    let number = words.next()?.parse().ok()?;
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
    }
    Some((number, arguments))
}

/// A process, and not another one that got its number later.
#[derive(Debug)]
pub struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// The process that has this number now.
    #[must_use]
    pub fn open(pid: u32) -> Option<ProcessHandle> {
        let pid = libc::pid_t::try_from(pid).ok()?;
        // SAFETY: the call takes two integers.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
        // SAFETY: the kernel has just given this descriptor to us.
        Some(ProcessHandle(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Another descriptor, of ours, for what the process has open under this number.
    #[must_use]
    pub fn descriptor(&self, number: u32) -> Option<OwnedFd> {
        // SAFETY: the call takes three integers, of which the first is a pidfd.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.0.as_raw_fd(), number, 0) };
        let copy = i32::try_from(copy).ok().filter(|copy| *copy >= 0)?;
        // SAFETY: the kernel has just given this descriptor to us.
        Some(unsafe { OwnedFd::from_raw_fd(copy) })
    }

    /// Kills it; false if it is gone or belongs to somebody else.
    #[must_use]
    pub fn kill(&self) -> bool {
        self.signal(libc::SIGKILL)
    }

    /// Has it do nothing until it is killed; false if it is gone or belongs to somebody else.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.signal(libc::SIGSTOP)
    }

    /// Waits until it has ended, for so long at most.
    pub fn wait(&self, at_most: Duration) {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let time = libc::c_int::try_from(at_most.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one valid `pollfd`.
        unsafe { libc::poll(&raw mut poll, 1, time) };
    }

    fn signal(&self, signal: libc::c_int) -> bool {
        let (descriptor, no_info) = (self.0.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: the descriptor is a pidfd; a null pointer stands for the usual information.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, no_info, 0) == 0 }
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_this_thread_runs() {
        let own = threads(std::process::id()).unwrap();
        assert!(own.iter().any(|thread| !thread.sleeps));
        assert!(lives(std::process::id()));
        assert!(threads(u32::MAX).is_none());
        assert!(!lives(u32::MAX));
    }

    /// Waits until the process's only thread sleeps as asked for.
    fn sleeps_soon(child: &std::process::Child, untimed: bool) -> bool {
        let pid = child.id();
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            system_call(pid, pid).is_some() && sleeps_untimed(pid, pid) == untimed
        })
    }

    #[test]
    fn a_wait_for_input_has_no_limit_and_a_sleep_has_one() {
        use std::process::{Command, Stdio};
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(sleeps_soon(&cat, true));
        assert_eq!(parent(cat.id()), Some(std::process::id()));
        drop(cat.stdin.take());
        assert!(cat.wait().unwrap().success());
        let mut sleep = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(sleeps_soon(&sleep, false));
        sleep.kill().unwrap();
        sleep.wait().unwrap();
    }

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(["0-3,8", "7", "", "x", "3-1"].map(count_list), [5, 1, 0, 0, 0]);
        assert!(processors(std::process::id()) >= 1);
    }

    #[test]
    fn a_killed_process_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(ProcessHandle::open(child.id()).unwrap().kill());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_status_without_its_fields_tells_nothing() {
        assert_eq!(parse_thread(7, "Name:\tx\n"), None);
        let status = "State:\tS (sleeping)\nvoluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t1\n";
        assert_eq!(parse_thread(7, status), Some(KernelThread { id: 7, sleeps: true, switches: 5 }));
    }
}
